"""The derivative identities of the Matrix Cookbook (Petersen and Pedersen, version of 15 November 2012), as a table.

Each row: the number of its equation, what is differentiated and by what, and what the Cookbook says it is. A
row names the matrices that its identity takes to be symmetric.

All of sections 2.1, 2.2 and 2.4 to 2.8 but what defines rather than derives (133 to 137: chain rules and the structure
matrices that 138 to 144 use). 47, 48, 50, 73 to 75, 79, 80, 90 and 144 are by entries, not in matrix form, and stand in
tests/test_cookbook.py.
"""

from dataclasses import dataclass

from sympy import (
    Determinant,
    Expr,
    HadamardProduct,
    Identity,
    Inverse,
    KroneckerProduct,
    MatrixSymbol,
    OneMatrix,
    Symbol,
    Trace,
    Transpose,
    log,
    sqrt,
    symbols,
)

N, M, K = symbols("N M K")
A, B, C, D, S, W = (MatrixSymbol(name, N, N) for name in "ABCDSW")
X, U, V, E = MatrixSymbol("X", N, M), MatrixSymbol("U", K, N), MatrixSymbol("V", M, K), MatrixSymbol("E", M, M)
F, G, H = MatrixSymbol("F", K, K), MatrixSymbol("G", K, M), MatrixSymbol("H", M, N)
L, Q = MatrixSymbol("L", N, M), MatrixSymbol("Q", N, K)
x, a, b, c, d, s = (MatrixSymbol(name, N, 1) for name in "xabcds")
u, v = MatrixSymbol("u", M, 1), MatrixSymbol("v", M, 1)
P = MatrixSymbol("P", M, N)
t = Symbol("t")


@dataclass(frozen=True)
class Row:
    """One identity: the derivative of `of` by `by` is `theirs`."""

    equation: str
    of: Expr
    by: Expr
    theirs: Expr
    symmetric: tuple[str, ...] = ()
    matrix_form: bool = True            # whether the Cookbook prints matrices, not sums over entries
    as_printed: Expr | None = None      # where the Cookbook is in error: what it prints; `theirs` is put right
    note: str = ""


def _det(matrix):
    return Determinant(matrix)


def _squares(matrix):
    return Trace(x.T * matrix.T * matrix * x)


XtAX = X.T * A * X
Y, dY = A + t * B + t**2 * C, B + 2 * t * C
DETERMINANTS = [
    Row("46", _det(Y), t, _det(Y) * Trace(Inverse(Y) * dY), note="Y = A + t B + t^2 C"),
    Row("49", _det(S), S, _det(S) * Inverse(S).T),
    Row("51", _det(A * S * B), S, _det(A * S * B) * Inverse(S).T),
    Row("52", _det(S.T * A * S), S, 2 * _det(S.T * A * S) * Inverse(S).T),
    Row("53", _det(XtAX), X, 2 * _det(XtAX) * A * X * Inverse(XtAX), ("A",)),
    Row("54", _det(XtAX), X, _det(XtAX) * (A * X * Inverse(XtAX) + A.T * X * Inverse(X.T * A.T * X))),
    Row("55", log(_det(X.T * X)), X, 2 * X * Inverse(X.T * X), note="the transposed pseudoinverse, written out"),
    Row("56", -log(_det(P * P.T)), P, -2 * Inverse(P * P.T) * P,
        note="P is the pseudoinverse of X: X' X is the inverse of P P', and X' that times P"),
    Row("57", log(abs(_det(S))), S, Inverse(S).T),
    Row("62", _det(Inverse(S)), S, -_det(Inverse(S)) * Inverse(S).T),
    Row("58", _det(S**3), S, 3 * _det(S**3) * Inverse(S).T),
]

INVERSES = [
    Row("61", a.T * Inverse(S) * b, S, -Inverse(S).T * a * b.T * Inverse(S).T),
    Row("63", Trace(A * Inverse(S) * B), S, -Transpose(Inverse(S) * B * A * Inverse(S))),
    Row("64", Trace(Inverse(S + A)), S, -Transpose(Inverse(S + A) * Inverse(S + A))),
    Row("124", Trace(A * Inverse(S) * B), S, -Inverse(S).T * A.T * B.T * Inverse(S).T),
    Row("125", Trace(Inverse(X.T * C * X) * E), X,
        -C * X * Inverse(X.T * C * X) * (E + E.T) * Inverse(X.T * C * X), ("C",)),
    Row("126", Trace(Inverse(X.T * C * X) * (X.T * B * X)), X,
        -2 * C * X * Inverse(X.T * C * X) * X.T * B * X * Inverse(X.T * C * X) + 2 * B * X * Inverse(X.T * C * X),
        ("B", "C")),
    Row("127", Trace(Inverse(E + X.T * C * X) * (X.T * B * X)), X,
        -2 * C * X * Inverse(E + X.T * C * X) * X.T * B * X * Inverse(E + X.T * C * X)
        + 2 * B * X * Inverse(E + X.T * C * X), ("B", "C", "E"),
        note="true for symmetric A only, which the Cookbook does not say: our E is its A"),
]

VECTORS_AND_MATRICES = [
    Row("69", x.T * a, x, a),
    Row("69, turned", a.T * x, x, a),
    Row("70", a.T * X * u, X, a * u.T),
    Row("71", u.T * X.T * a, X, a * u.T),
    Row("72", a.T * S * a, S, a * a.T),
    Row("72, turned", a.T * S.T * a, S, a * a.T),
    Row("76", Trace(OneMatrix(M, N) * X) ** 2, X, 2 * Trace(OneMatrix(M, N) * X) * OneMatrix(N, M), matrix_form=False),
    Row("77", u.T * X.T * X * v, X, X * (u * v.T + v * u.T)),
    Row("78", (B * x + b).T * C * (D * x + d), x, B.T * C * (D * x + d) + D.T * C.T * (B * x + b)),
    Row("81", x.T * B * x, x, (B + B.T) * x),
    Row("82", u.T * X.T * D * X * v, X, D.T * X * u * v.T + D * X * v * u.T),
    Row("83", (X * u + c).T * D * (X * u + c), X, (D + D.T) * (X * u + c) * u.T),
    Row("84", (x - A * s).T * W * (x - A * s), s, -2 * A.T * W * (x - A * s), ("W",)),
    Row("85", (x - s).T * W * (x - s), x, 2 * W * (x - s), ("W",)),
    Row("86", (x - s).T * W * (x - s), s, -2 * W * (x - s), ("W",)),
    Row("87", (x - A * s).T * W * (x - A * s), x, 2 * W * (x - A * s), ("W",)),
    Row("88", (x - A * s).T * W * (x - A * s), A, -2 * W * (x - A * s) * s.T, ("W",)),
    Row("91, n = 3", a.T * S**3 * b, S,
        a * b.T * (S**2).T + S.T * a * b.T * S.T + (S**2).T * a * b.T),
    Row("92, n = 2", a.T * (S**2).T * S**2 * b, S,
        S.T * S**2 * b * a.T + S**2 * b * a.T * S.T + S.T * S**2 * a * b.T + S**2 * a * b.T * S.T,
        as_printed=S * a * b.T * (S**2).T + a * b.T * (S**2).T * S + S**2 * a * b.T * S.T + S.T * S**2 * a * b.T,
        note="the Cookbook's first term of each pair stands there transposed"),
    Row("93", (B * x).T * A * (D * x), x, B.T * A * D * x + D.T * A.T * B * x, note="s = B x and r = D x"),
    Row("95", _squares(A) / _squares(B), x,
        2 * A.T * A * x / _squares(B) - 2 * _squares(A) * B.T * B * x / _squares(B) ** 2),
    Row("97", x.T * A * x + b.T * x, x, (A + A.T) * x + b),
]

TRACES = [
    Row("128, to order 5", Trace(S - S**3 / 6 + S**5 / 120), S, (Identity(N) - S**2 / 2 + S**4 / 24).T,
        note="of Tr sin X, the series that defines it; SymPy has no symbol for a function of a whole matrix"),
    Row("99", Trace(S), S, Identity(N)),
    Row("100", Trace(X * H), X, H.T),
    Row("101", Trace(U * X * V), X, U.T * V.T),
    Row("102", Trace(G * X.T * Q), X, Q * G),
    Row("103", Trace(X.T * L), X, L),
    Row("104", Trace(L * X.T), X, L),
    Row("105", Trace(KroneckerProduct(A, S)), S, Trace(A) * Identity(N)),
    Row("106", Trace(S**2), S, 2 * S.T),
    Row("107", Trace(S**2 * B), S, (S * B + B * S).T),
    Row("108", Trace(X.T * B * X), X, B * X + B.T * X),
    Row("109", Trace(B * X * X.T), X, B * X + B.T * X),
    Row("110", Trace(X * X.T * B), X, B * X + B.T * X),
    Row("111", Trace(X * E * X.T), X, X * E.T + X * E),
    Row("112", Trace(E * X.T * X), X, X * E.T + X * E),
    Row("113", Trace(X.T * X * E), X, X * E.T + X * E),
    Row("114", Trace(A * S * B * S), S, A.T * S.T * B.T + B.T * S.T * A.T),
    Row("115", Trace(X.T * X), X, 2 * X),
    Row("115, turned", Trace(X * X.T), X, 2 * X),
    Row("116", Trace(V.T * X.T * C * X * V), X, C.T * X * V * V.T + C * X * V * V.T),
    Row("117", Trace(X.T * B * X * E), X, B * X * E + B.T * X * E.T),
    Row("118", Trace(U * X * E * X.T * Q), X, U.T * Q.T * X * E.T + Q * U * X * E),
    Row("119", Trace((U * X * V + F) * (U * X * V + F).T), X, 2 * U.T * (U * X * V + F) * V.T),
    Row("120", Trace(KroneckerProduct(S, S)), S, 2 * Trace(S) * Identity(N)),
    Row("121, k = 4", Trace(S**4), S, 4 * (S**3).T),
    Row("122, k = 3", Trace(A * S**3), S, (A * S**2).T + (S * A * S).T + (S**2 * A).T),
    Row("123", Trace(V.T * X.T * C * X * X.T * C * X * V), X,
        C * X * X.T * C * X * V * V.T + C.T * X * V * V.T * X.T * C.T * X
        + C * X * V * V.T * X.T * C * X + C.T * X * X.T * C.T * X * V * V.T),
]

NORMS = [
    Row("129", sqrt(((x - a).T * (x - a))[0, 0]), x, (x - a) / sqrt(Trace((x - a).T * (x - a)))),
    Row("131", x.T * x, x, 2 * x),
    Row("132", Trace(X.T * X), X, 2 * X),
    Row("132, unsquared", sqrt(Trace(X.T * X)), X, X / sqrt(Trace(X.T * X)), note="the chain rule on 132"),
]

# a matrix of which only some entries are free: what the loss gains as an entry moves with those that are tied to it
STRUCTURED = {
    "symmetric": [
        Row("139", Trace(A * S), S, A + A.T - HadamardProduct(A, Identity(N))),
        Row("140", _det(S), S, _det(S) * (2 * Inverse(S) - HadamardProduct(Inverse(S), Identity(N)))),
        Row("141", log(abs(_det(S))), S, 2 * Inverse(S) - HadamardProduct(Inverse(S), Identity(N))),
        Row("138 of 106", Trace(A * S**2), S,
            (S * A + A * S).T + S * A + A * S - HadamardProduct((S * A + A * S).T, Identity(N))),
        Row("138 of 63", Trace(A * Inverse(S)), S,
            -(Inverse(S) * (A + A.T) * Inverse(S)) + HadamardProduct(Inverse(S) * A * Inverse(S), Identity(N))),
    ],
    "diagonal": [Row("142", Trace(A * S), S, HadamardProduct(A, Identity(N)))],
}

JACOBIANS = [
    Row("59", Inverse(A + t * B), t, -Inverse(A + t * B) * B * Inverse(A + t * B), note="Y = A + t B"),
    Row("60", Inverse(A + t * a * b.T), t, -Inverse(A + t * a * b.T) * a * b.T * Inverse(A + t * a * b.T),
        note="an entry of the matrix moves for unit vectors a and b"),
    Row("130", (x - a) / sqrt(Trace((x - a).T * (x - a))), x,
        Identity(N) / sqrt(Trace((x - a).T * (x - a)))
        - (x - a) * (x - a).T / sqrt(Trace((x - a).T * (x - a))) ** 3),
    Row("B x", B * x, x, B),
]

HESSIANS = [
    Row("98", x.T * A * x + b.T * x, x, A + A.T),
]
