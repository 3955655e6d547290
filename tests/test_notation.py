"""Both notations say the same; array notation broadcasts as NumPy does; what has no meaning is refused in one line."""

from types import SimpleNamespace

import pytest
import sympy
from sympy import Eq, Function, I, Integral, Matrix, Piecewise, Sum, Symbol, cos, exp, floor, log, nan, tanh

from derive import (
    DefinitionError,
    LogSumExp,
    Maximum,
    Network,
    concatenate,
    cross_entropy,
    log_softmax,
    logsumexp,
    matmul,
    maximum,
    mean,
    padded,
    relu,
    sigmoid,
    softmax,
    total,
    transpose,
)
from derive.terms import canonical, like, rename

# ---- the same program


def nameless(program):
    """Return the equations with every index named after its place."""
    def renamed(e):
        places = {i: like(i, f"_place{k}") for k, i in enumerate(e.free)}
        return rename(e.lhs, places), canonical(rename(e.rhs, places))

    return [renamed(e) for e in program.equations]


def neuron(notation):
    net = Network("neuron")
    D = net.size("D")
    W, X, y = net.parameter("W", D), net.input("X", D), net.input("y")
    [j] = net.indices(j=D)
    z = net.define("z", X @ W if notation == "array" else Sum(X[j] * W[j], j))
    r = net.define("r", sigmoid(z))
    net.loss = (y - r) ** 2 / 2
    return net


def relu_network(notation):
    net = Network("relu_network")
    D, H, K = net.sizes("D H K")
    W1, b1 = net.parameter("W1", D, H), net.parameter("b1", H)
    W2, b2 = net.parameter("W2", H, K), net.parameter("b2", K)
    x, y = net.input("x", D), net.input("y", K)
    if notation == "array":
        z1 = net.define("z1", x @ W1 + b1)
        r1 = net.define("r1", relu(z1))
        z2 = net.define("z2", r1 @ W2 + b2)
        r2 = net.define("r2", relu(z2))
        net.loss = total((r2 - y) ** 2) / 2
    else:
        i, j, o = net.indices(i=D, j=H, o=K)
        z1 = net.define("z1", Sum(x[i] * W1[i, j], i) + b1[j], over=j)
        r1 = net.define("r1", relu(z1[j]), over=j)
        z2 = net.define("z2", Sum(r1[j] * W2[j, o], j) + b2[o], over=o)
        r2 = net.define("r2", relu(z2[o]), over=o)
        net.loss = Sum((r2[o] - y[o]) ** 2, o) / 2
    return net


def mlp(notation):
    net = Network("mlp")
    N, D, H, C = net.sizes("N D H C")
    X, y = net.input("X", N, D), net.labels("y", N, classes=C)
    W1, b1 = net.parameter("W1", D, H), net.parameter("b1", H)
    W2, b2 = net.parameter("W2", H, C), net.parameter("b2", C)
    if notation == "array":
        Z1 = net.define("Z1", X @ W1 + b1)
        A1 = net.define("A1", relu(Z1))
        Z2 = net.define("Z2", A1 @ W2 + b2)
        net.loss = mean(cross_entropy(Z2, y))
    else:
        n, d, h, c = net.indices(n=N, d=D, h=H, c=C)
        Z1 = net.define("Z1", Sum(X[n, d] * W1[d, h], d) + b1[h], over=(n, h))
        A1 = net.define("A1", relu(Z1[n, h]), over=(n, h))
        Z2 = net.define("Z2", Sum(A1[n, h] * W2[h, c], h) + b2[c], over=(n, c))
        net.loss = Sum(log(Sum(exp(Z2[n, c]), c)) - Z2[n, y[n]], n) / N
    return net


def softmax_regression(notation):
    net = Network("softmax_regression")
    N, D, C = net.sizes("N D C")
    X, y, W, b = net.input("X", N, D), net.labels("y", N, classes=C), net.parameter("W", D, C), net.parameter("b", C)
    if notation == "array":
        Z = net.define("Z", X @ W + b)
        net.loss = mean(cross_entropy(Z, y))
    else:
        k, i, j = net.indices(k=N, i=D, j=C)
        Z = net.define("Z", Sum(X[k, i] * W[i, j], i) + b[j], over=(k, j))
        net.loss = -Sum(log(exp(Z[k, y[k]]) / Sum(exp(Z[k, j]), j)), k) / N
    return net


@pytest.mark.parametrize("write", [neuron, relu_network, mlp])
def test_both_notations_give_the_same_program(write):
    assert nameless(write("array").backward()) == nameless(write("index").backward())


@pytest.mark.parametrize("write", [neuron, relu_network])
def test_both_notations_are_the_same_before_anything_is_recognised(write):
    assert nameless(write("array").program()) == nameless(write("index").program())


def test_the_textbooks_cross_entropy_is_recognised():
    one, other = (nameless(softmax_regression(notation).backward()) for notation in ("array", "index"))
    assert [e for e in one if str(e[0]) != "loss"] == [e for e in other if str(e[0]) != "loss"]


# ---- array notation


def scene():
    """Return a network with arrays of all kinds in it."""
    net = Network("scene")
    B, N, D, H, C = net.sizes("B N D H C")
    T = net.input("T", B, N, D)
    X, R, K, y = net.input("X", N, D), net.input("R", 1, D), net.input("K", N, 1), net.labels("y", N, classes=C)
    W, b, v, s = net.parameter("W", D, H), net.parameter("b", H), net.parameter("v", D), net.parameter("s")
    Z, f = net.parameter("Z", N, C), net.parameter("f", 3)
    n, d, h, c, j = net.indices(n=N, d=D, h=H, c=C, j=3)
    return SimpleNamespace(**locals())


@pytest.mark.parametrize(("write", "equation"), [
    (lambda p: p.X + p.v, "Q[n, d] = X[n, d] + v[d]"),
    (lambda p: p.s * p.X, "Q[n, d] = s*X[n, d]"),
    (lambda p: p.X + p.R, "Q[n, d] = R[0, d] + X[n, d]"),
    (lambda p: p.K * p.X, "Q[n, d] = K[n, 0]*X[n, d]"),
    (lambda p: p.K + p.R, "Q[n, d] = K[n, 0] + R[0, d]"),
    (lambda p: p.T * p.X, "Q[b, n, d] = T[b, n, d]*X[n, d]"),
    (lambda p: p.X.T, "Q[d, n] = X[n, d]"),
    (lambda p: p.X.T.T, "Q[n, d] = X[n, d]"),
    (lambda p: transpose(p.X - p.v), "Q[d, n] = X[n, d] - v[d]"),
    (lambda p: concatenate([p.v, p.f]), "Q[i] = Piecewise((f[-D + i], -D + i >= 0), (0, True)) + "
                                        "Piecewise((v[i], D - i - 1 >= 0), (0, True))"),
    (lambda p: p.X @ p.W + p.b, "Q[n, h] = b[h] + Sum(W[d, h]*X[n, d], (d, 0, D - 1))"),
    (lambda p: p.X @ p.v, "Q[n] = Sum(X[n, d]*v[d], (d, 0, D - 1))"),
    (lambda p: p.v @ p.W, "Q[h] = Sum(W[d, h]*v[d], (d, 0, D - 1))"),
    (lambda p: p.v @ p.v, "Q = Sum(v[d]**2, (d, 0, D - 1))"),
    (lambda p: p.T @ p.W, "Q[b, n, h] = Sum(T[b, n, d]*W[d, h], (d, 0, D - 1))"),
    (lambda p: p.T @ p.X.T, "Q[b, n, n2] = Sum(T[b, n, d]*X[n2, d], (d, 0, D - 1))"),
    (lambda p: p.T @ p.T.mT, "Q[b, n, n2] = Sum(T[b, n, d]*T[b, n2, d], (d, 0, D - 1))"),
    (lambda p: matmul(exp(p.X), cos(p.W)), "Q[n, h] = Sum(exp(X[n, d])*cos(W[d, h]), (d, 0, D - 1))"),
    (lambda p: total(p.X), "Q = Sum(X[n, d], (n, 0, N - 1), (d, 0, D - 1))"),
    (lambda p: total(p.X, 0), "Q[d] = Sum(X[n, d], (n, 0, N - 1))"),
    (lambda p: mean(p.X, axis=-1), "Q[n] = Sum(X[n, d], (d, 0, D - 1))/D"),
    (lambda p: maximum(p.X, axis=1), "Q[n] = Maximum(X[n, d], (d, 0, D - 1))"),
    (lambda p: logsumexp(p.X, axis=0), "Q[d] = LogSumExp(X[n, d], (n, 0, N - 1))"),
    (lambda p: log_softmax(p.X), "Q[n, d] = X[n, d] - LogSumExp(X[n, d2], (d2, 0, D - 1))"),
    (lambda p: softmax(p.X, axis=0), "Q[n, d] = exp(X[n, d] - LogSumExp(X[n2, d], (n2, 0, N - 1)))"),
    (lambda p: cross_entropy(p.Z, p.y), "Q[n] = -Z[n, y[n]] + LogSumExp(Z[n, c], (c, 0, C - 1))"),
    (lambda p: p.X / (1 + abs(tanh(p.X))), "Q[n, d] = X[n, d]/(Abs(tanh(X[n, d])) + 1)"),
    (lambda p: Piecewise((p.X, p.X > 0), (p.v, True)), "Q[n, d] = Piecewise((X[n, d], X[n, d] > 0), (v[d], True))"),
    (lambda p: p.X / Sum(p.v[p.d], p.d), "Q[n, d] = X[n, d]/Sum(v[d2], (d2, 0, D - 1))"),
    (lambda p: (p.X @ p.W) @ (p.X @ p.W).T,
     "Q[n, n2] = Sum(Sum(W[d, h]*X[n, d], (d, 0, D - 1))*Sum(W[d, h]*X[n2, d], (d, 0, D - 1)), (h, 0, H - 1))"),
    (lambda p: sum(p.f), "Q = f[0] + f[1] + f[2]"),
])  # fmt: skip
def test_array_notation_writes(write, equation):
    p = scene()
    p.net.define("Q", write(p))
    p.net.loss = 0
    assert str(p.net.program().equations[0]) == equation


def test_index_notation_may_use_one_name_twice():
    p = scene()
    Q = p.net.define("Q", Sum(p.X[p.n, p.d], p.d) * p.X[p.n, p.d], over=(p.n, p.d))
    p.net.loss = total(Q)
    assert str(p.net.program().equations[0]) == "Q[n, d] = X[n, d]*Sum(X[n, d2], (d2, 0, D - 1))"


def test_renaming_captures_nothing():
    net = Network("capture")
    N = net.size("N")
    x, y = net.parameter("x", N, N), net.parameter("y", N)
    n, m = net.indices(n=N, n2=N)
    q = net.define("q", Sum(Sum(x[n, m], m) * y[n], n) * y[n], over=n)
    net.loss = total(q)
    outer = net.program().equations[0].rhs.atoms(Sum)
    assert {str(s) for s in outer} >= {"Sum(x[n3, n2], (n2, 0, N - 1))"}


def test_arrays_print_as_they_were_written():
    p = scene()
    assert str(p.X @ p.W + p.b) == "b + X @ W"
    assert str(softmax(p.X @ p.W).args[0]) == "X @ W - logsumexp(X @ W)"


# ---- refused


def state(p, *shape, initial=0):
    return p.net.state("h", *shape, initial=initial)


def define(value, over=None):
    return lambda p: p.net.define("Q", value(p), over=over and over(p))


def recurrence(value):
    """Define a state over n, and ask for the program."""
    def write(p):
        h = state(p, p.N)
        p.net.define(h, value(p, h), over=p.n)
        p.net.loss = total(h)
        p.net.program()

    return write


def loss(value):
    def write(p):
        p.net.loss = value(p)

    return write


def n(p):
    return p.n


def nd(p):
    return p.n, p.d


REFUSED = [
    # names
    (lambda p: Network("a b"), "the network name 'a b' is no identifier; use letters"),
    (lambda p: Network("for"), "the network name 'for' is a word of Python"),
    (lambda p: p.net.size("K3", 2.5), r"the size K3 is 2\.5; expected an integer, at least 1"),
    (lambda p: p.net.parameter("2W", p.D), "the parameter name '2W' is no identifier"),
    (lambda p: p.net.input(3, p.D), "the input name 3 is no identifier"),
    (lambda p: p.net.parameter("np", p.D), "the parameter 'np' has a name that generated modules use"),
    (lambda p: p.net.size("loss"), "the size 'loss' has a name that generated modules use"),
    (lambda p: p.net.parameter("W", p.D), "the parameter 'W' is declared already in scene"),
    (lambda p: p.net.sizes("A N"), "the size 'N' is declared already in scene"),
    (lambda p: p.net.parameter("dW", p.D), "the parameter 'dW' clashes with 'W': dV is the adjoint of V"),
    (lambda p: p.net.define("X", p.X), "the variable 'X' is declared already"),
    (lambda p: p.net.indices(N=p.N), "the index N has the name of a size"),
    # sizes
    (lambda p: p.net.parameter("Q", 0), "Q has the size 0; expected a positive integer or a size of this network"),
    (lambda p: p.net.parameter("Q", 2.5), "Q has the size 2.5; expected a positive integer"),
    (lambda p: p.net.parameter("Q", "N"), "Q has the size N; expected"),
    (lambda p: p.net.parameter("Q", None), "Q has the size None; expected"),
    (lambda p: p.net.parameter("Q", p.D / 2), "Q has the size D/2; expected"),
    (lambda p: p.net.parameter("Q", Symbol("M")), "Q has the size M; expected .*; declare it, M = net.size.'M'."),
    (lambda p: p.net.parameter("Q", 4.0), "Q has the size 4.0; expected .*; write 4, as // gives it"),
    (lambda p: p.net.parameter("Q", (p.N, p.D)), r"sizes follow the name one by one, \('Q', N, D\)"),
    (lambda p: p.net.parameter("Q", Symbol("N")), "N is another symbol than the network's"),
    (lambda p: p.net.parameter(p.N, p.D), "the parameter name N is no identifier; .* the name comes first, as text"),
    (lambda p: p.net.size("Q", Symbol("M") + 1), r"Q has the size M \+ 1; expected an expression in the sizes"),
    (lambda p: p.net.size("Q", least=-1), "the size Q is at least -1; expected 1, or 0"),
    (lambda p: p.net.indices(k=0), "the index k has the size 0; expected"),
    (lambda p: p.net.labels("q", p.N, classes=p.X), "the classes of q has the size X; expected"),
    (lambda p: state(p), "the state h has no axis; expected a first axis that counts its steps"),
    # shapes
    (define(lambda p: p.W @ p.X), r"W @ X: shapes \(D, H\) and \(N, D\); the inner sizes H and N should be the same"),
    (define(lambda p: p.X @ p.s), "`@` needs arrays on both sides; it has X @ s"),
    (define(lambda p: p.X + p.W), r"W \+ X: shapes \(D, H\) and \(N, D\) do not broadcast; D and N should be the same"),
    (define(lambda p: p.b.T), r"b.T: shape \(H,\); a transpose needs two axes; b\[:, None\] is a column"),
    (define(lambda p: p.T.T), r"T.T: shape \(B, N, D\); write T.mT for the last two axes swapped, or read it at"),
    (define(lambda p: (p.T @ p.W).T), r"\(T @ W\).T: shape \(B, N, H\); write \(T @ W\).mT"),
    (define(lambda p: p.X * p.K[:, 0]), r"do not broadcast; .* the same; K\[:, 0\]\[:, None\] has the axes of X"),
    (define(lambda p: exp(p.Z) / total(exp(p.Z), axis=1)), r"; sum\(exp\(Z\)\) keeps its axis by keepdims=True"),
    (define(lambda p: p.X * p.W), r"; a matrix product is X @ W"),
    (define(lambda p: p.s * p.T * p.v[:2]), "do not broadcast; D and 2 should be the same"),
    (define(lambda p: total(p.X, 2)), "sum over axis 2 of X; expected one or more of its 2 axes, or None"),
    (define(lambda p: total(p.X, "n")), "sum over axis n of X; expected one or more of its 2 axes, or None"),
    (define(lambda p: softmax(p.s)), "logsumexp over axis -1 of s; expected one or more of its 0 axes, or None"),
    (define(lambda p: cross_entropy(p.X, p.X)), r"expected labels of shape \(N,\); rows of probabilities are taken by"),
    (define(lambda p: cross_entropy(p.X.T, p.y)), r"labels y of shape \(N,\) pick from X.T of shape \(D, N\)"),
    (loss(lambda p: p.X), r"the loss of scene has shape \(N, D\); it should be a scalar: take its mean"),
    (lambda p: state(p, p.N, p.D, initial=p.b), r"the initial value of h has shape \(H,\); expected \(D,\)"),
    # indices
    (define(lambda p: p.X[p.n]), r"X has 2 axes, \(N, D\), and is read with 1 indices: X\[n\]"),
    (define(lambda p: p.X[:, p.d]), r"X\[:, d\] mixes indices and slices; read it at one index for each axis"),
    (define(lambda p: p.X[(p.n,), p.d]), r"X is read at \(n,\), several indices in one place; unpack them, `n, = net"),
    (define(lambda p: p.X[:, :, 0]), r"X\[:, :, 0\]: X has 2 axes; expected at most as many indices"),
    (define(lambda p: p.X[..., ...]), r"expected `...` at most once, and one array of labels"),
    (define(lambda p: p.X[:, p.v]), r"X\[:, v\]: v has no whole numbers; labels are declared by net.labels, and a"),
    (define(lambda p: p.X[:, 0.5]), r"X\[:, 0.5\]: 0.5 is no place on an axis; expected slices, whole numbers, None"),
    (define(lambda p: p.X[:, ::0]), r"the step 0; expected a whole number above 0, or -1"),
    (define(lambda p: p.X[:, 1::-1]), r"backwards, a slice takes the whole axis; cut it first"),
    (define(lambda p: p.X[:, 2:2]), r"from 2 to 2 there is nothing"),
    (define(lambda p: p.X[:, 1:3]), r"reads X\[n, i \+ 1\]: axis 1 of X has indices 0 to D - 1"),
    (define(lambda p: p.v[-1]), r"axis 0 of v has .* and -1 may leave its range; count from the end by D - 1"),
    (define(lambda p: p.W[:, [0, 2]]), r"W is read at \[0, 2\], .* concatenate\(W\[:, 0:1\], W\[:, 2:3\], axis=1\)"),
    (define(lambda p: p.v[[0, 1]]), r"v is read at \[0, 1\], .* join pieces, concatenate\(v\[0:1\], v\[1:2\]\)"),
    (define(lambda p: sum(p.X @ p.W)), r"\(X @ W\)\[1\]: it has indices 0 to N - 1; for its sum take total\(X @ W\)"),
    (define(lambda p: p.X[:, p.D]), "and D may leave its range; the last is at D - 1"),
    (define(lambda p: Sum(p.v[p.d + p.j], p.j), over=lambda p: p.d), "the D - 2 places that are inside, net"),
    (define(lambda p: p.X.reshape(-1)), "arrays keep their axes: sum over several at once"),
    (define(lambda p: p.X[p.n, p.d]), "Q: the index n is free on the right but not on the left; sum over it or"),
    (define(lambda p: p.X[p.n, p.d], over=n), "Q: the index d is free on the right but not on the left"),
    (define(lambda p: p.X[p.n, p.d], over=lambda p: (p.n, p.n)), r"Q is defined over an index twice: \(n, n\)"),
    (define(lambda p: p.X[p.n, p.d], over=lambda p: p.N), r"Q is defined over N; expected an index from net.indices"),
    (define(lambda p: p.X * p.v[p.d], over=nd), "Q mixes whole arrays with the index d; index every array, or none"),
    (define(lambda p: Sum(p.X, p.d)), "Q mixes whole arrays with the index d"),
    (define(lambda p: p.X[p.n, p.h], over=lambda p: (p.n, p.h)), "axis 1 of X .* and h runs from 0 to H - 1"),
    (define(lambda p: p.X[p.n + 1, p.d], over=nd), r"axis 0 of X has .* n \+ 1 may leave its range; read padded\(X\)"),
    (define(lambda p: p.X[p.n, p.y[p.n]], over=n),
     r"axis 1 of X .* and y\[n\] may leave its range; y counts C classes; expected classes=D, or C entries there"),
    (define(lambda p: p.X[p.d, p.n], over=nd), r"axis 0 of X .* d runs from 0 to D - 1; X\[n, d\] would be in range"),
    (lambda p: p.X[p.n], r"X has 2 axes, \(N, D\), and is read with 1 indices: X\[n\]; give one for each axis"),
    (lambda p: p.X.mean(axis=0), r"X has no \.mean; write mean\(X\)"),
    (lambda p: (p.X @ p.W).sum(), r"X @ W has no \.sum; write total\(X @ W\)"),
    (define(lambda p: p.X[p.n % 2, p.d], over=nd), r"reads X\[Mod\(n, 2\), d\]: a remainder is no index here"),
    (define(lambda p: p.X[p.n - 2 * floor(p.n / 2), p.d], over=nd), r"a remainder is no index here"),
    (define(lambda p: Sum(p.v[p.d], (p.d, 0, 3))), "axis 0 of v has indices 0 to D - 1, and d runs from 0 to 3"),
    (define(lambda p: p.X[p.n, p.d / 2], over=nd), "the index d/2 is not an integer; expected one made of net.indices"),
    (define(lambda p: p.W[p.d, p.v[p.d]], over=lambda p: p.d), r"the index v\[d\] is not an integer"),
    (define(lambda p: p.X[p.n, p.s], over=n), "the index s is not an integer"),
    (define(lambda p: sum(p.v)), r"v\[1\]: v has indices 0 to D - 1; for its sum take total\(v\)"),
    (define(lambda p: sum(p.X)), r"X\[1\]: X has indices 0 to N - 1; for its sum take total\(X\)"),
    (lambda p: padded(p.X @ p.W), r"padded\(X @ W\): expected an array by name; define it first"),
    # values
    (define(lambda p: Symbol("q") * p.X), "Q reads q, which is not defined in scene; declare it first, q = net.para"),
    (define(lambda p: Network("other").parameter("u", 3)), "Q reads u, which is not defined in scene"),
    (define(lambda p: "X"), "Q is defined as a str; expected a SymPy expression or an array"),
    (define(lambda p: [1, 2]), "Q is defined as a list; expected"),
    (define(lambda p: None), "Q is defined as a NoneType; expected"),
    (define(lambda p: p.X > 0), "Q is defined as X > 0; expected a SymPy expression with real values"),
    (define(lambda p: Eq(p.s, 1)), r"Q is defined as Eq\(s, 1\); expected"),
    (define(lambda p: Matrix([1, 2])), "Q is defined as Matrix.*; expected"),
    (define(lambda p: I * p.X), "Q has I in it; expected real values"),
    (define(lambda p: sympy.transpose(p.X - p.v)), r"sympy.transpose takes arrays for numbers; write .T, or derive's"),
    (define(lambda p: transpose(p.v)), r"v.T: shape \(D,\); a transpose needs two axes"),
    (lambda p: concatenate(0 * p.v, p.f), "concatenate: array 1 of 2 is 0, a number without axes .*define.name, 0, "),
    (lambda p: concatenate([p.v, 3]), "concatenate: array 2 of 2 is 3, a number without axes"),
    (lambda p: concatenate([]), "concatenate has no arrays to join; expected one at least"),
    (lambda p: concatenate(p.v, p.f, axis=1), r"along axis 1: v has 1 axis; expected -1 to 0; write v\[:, None\]"),
    (define(lambda p: mean(p.X[p.n, p.d])), r"mean of X\[n, d\], which is one number; .* write Sum\(..., n\)"),
    (define(lambda p: total(Piecewise((p.X, p.X == 1), (0, True)))), r"sum of 0, which is one number; .* Eq\(a, b\)"),
    (define(lambda p: p.X @ Matrix([[1, 2], [3, 4]])), r"has X @ Matrix\(\[\[1, 2\], .* declare A = net.input"),
    (define(lambda p: p.X @ Matrix([[p.s, 2], [3, 4]])), "a Matrix of entries is written out"),
    (define(lambda p: nan), "Q has nan in it; expected real values"),
    (define(lambda p: p.X / 0), r"Q has zoo in it, which is 1/0 .* expected real values"),
    (define(lambda p: Integral(p.s, (p.s, 0, 1))), "Q has Integral.* in it; expected no other binder than Sum"),
    (define(lambda p: Piecewise((p.s, p.s > 0))), r"Q has Piecewise.* undefined elsewhere; end it with a branch"),
    # states, loss, output
    (lambda p: p.net.define(p.X, p.X), "X is not a state of this network; declare it with net.state"),
    (lambda p: p.net.define(state(p, p.N), p.s, over=p.d), r"h has shape \(N,\) and is defined over \(d,\)"),
    (lambda p: [p.net.define(h, h[p.n - 1], over=p.n) for h in [state(p, p.N)] * 2], "h is defined already"),
    (recurrence(lambda p, h: h[p.n - 2]), r"axis 0 of h has indices -1 to N - 1, and n - 2 may leave its range"),
    (lambda p: [p.net.define(h, h[p.n, p.d - 1], over=(p.n, p.d)) for h in [state(p, p.N, p.D)]],
     r"d - 1 may leave its range; a recurrence goes along the first axis, net.state\(.h., D, \.\.\.\)"),
    (recurrence(lambda p, h: h[p.n + 1]), r"recurrence goes forward and reads h\[n - 1\]; .* from there, at N - n - 1"),
    (recurrence(lambda p, h: h[p.n] + 1), r"h waits for itself: h\[n\] reads h\[n\], which is not"),
    (recurrence(lambda p, h: total(h)), r"h waits for itself: h\[n\] reads h\[n2\]"),
    (recurrence(lambda p, h: padded(h)[p.n + 1]), r"h waits for itself: h\[n\] reads h\[n \+ 1\]"),
    (lambda p: [state(p, p.N), loss(lambda p: p.s)(p), p.net.program()], "the state h of scene is declared but not"),
    (lambda p: [loss(lambda p: p.s)(p), loss(lambda p: p.s)(p)], "scene has a loss already"),
    (lambda p: p.net.program(), "scene has no loss; set net.loss = ..."),
    (lambda p: p.net.output("Q"), "the output Q is not a variable of scene; define it first"),
    (lambda p: p.net.output(p.X @ p.W), "the output X @ W is not a variable of scene"),
]  # fmt: skip


@pytest.mark.parametrize(("write", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_is_refused_in_one_line(write, message):
    with pytest.raises(DefinitionError, match=message) as caught:
        write(scene())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [
    lambda p: Piecewise((p.X[p.n - 1, p.d], p.n > 0), (0, True)),
    lambda p: Piecewise((0, p.n < 1), (p.X[p.n - 1, p.d], True)),
    lambda p: padded(p.X)[p.n - 1, p.d + 2],
    lambda p: p.X[p.N - 1 - p.n, p.d],
    lambda p: p.X[0, p.D - 1] + p.s,
    lambda p: p.Z[p.n, p.y[p.n]],
    lambda p: Sum(p.X[p.n, p.d], (p.d, 0, p.D - 1)),
    lambda p: Maximum(p.X[p.n, p.d], p.d) + LogSumExp(p.X[p.n, p.d], p.d),
    lambda p: Function("f")(p.s),
])  # fmt: skip
def test_is_not_refused(value):
    p = scene()
    p.net.define("Q", value(p), over=nd(p))


def test_states_may_read_each_other_and_all_earlier_rows():
    p = scene()
    g, h = p.net.state("g", p.N, initial=0), p.net.state("h", p.N, initial=1)
    [m] = p.net.indices(m=p.N)
    p.net.define(g, Sum(Piecewise((h[m], m < p.n), (0, True)), m) + h[p.n - 1], over=p.n)
    p.net.define(h, Sum(g[m], (m, 0, p.n)), over=p.n)
    p.net.loss = total(h)
    assert len(p.net.program().equations) == 5


def test_conditions_on_a_summed_index_stay_inside_the_sum():
    p = scene()
    weight = Piecewise((exp(p.v[p.d]), p.d > 0), (0, True))
    inner = Sum(weight, p.d)
    assert Sum(tanh(inner) * p.v[p.d], p.d).has(inner)
    p.net.loss = Sum(weight / inner * p.v[p.d], p.d)
    assert p.net.program().equations[-1].rhs.has(Sum)
