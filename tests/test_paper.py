"""Formulas on paper and in text, as tables: each right-hand side is what a person would write."""

import pytest
from sympy import Abs, Max, Piecewise, Rational, Sum, exp, log, oo, pi, sqrt, tanh

from derive import LogSumExp, Maximum, Network, cross_entropy, mean, networks, padded, relu, softmax, total
from derive.errors import DerivationError
from derive.notes import note
from derive.paper.differentials import Differentials
from derive.paper.latex import MARK, SOFT, Latex, plain
from derive.paper.layout import broken, measured
from derive.paper.names import Names, letters
from derive.paper.prose import escaped
from derive.paper.sheet import Sheet
from derive.paper.text import Plain
from derive.paper.writer import Writer

net = Network("table")
N, D, H = net.sizes("N D H")
X, Z, y = net.input("X", N, D), net.input("Z", N, D), net.labels("y", N, classes=D)
W, b, v = net.parameter("W", D, H), net.parameter("b", H), net.parameter("v", D)
u, t, x, s = net.input("u", N), net.input("t", N), net.parameter("x"), net.input("s")
n, m, d, h = net.indices(n=N, m=N, d=D, h=H)


def written(value, over=None, style=Latex, notation="matrix"):
    """Return how the right-hand side of a definition is written."""
    own = Network("table")
    own.__dict__ |= {k: dict(a) if isinstance(a, dict) else list(a) if isinstance(a, list) else a
                     for k, a in net.__dict__.items()}
    own.define("F", value, over=over)
    own.loss = total(v**2)
    own._outputs.append("F")
    sheet = Sheet(own.program())
    return plain(Writer(sheet, style, notation).sides(sheet.definitions["F"])[1])


# ---- matrix notation

MATRIX = [      # array notation, LaTeX, text
    (X @ W + b, r"X W + \mathbf 1_N b^\top", "X W + 1 b'"),
    (v @ W + b, r"W^\top v + b", "W' v + b"),
    (X @ v, "X v", "X v"),
    (X.T @ u, r"X^\top u", "X' u"),
    (X @ Z.T, r"X Z^\top", "X Z'"),
    (X.T @ Z @ W, r"X^\top Z W", "X' Z W"),
    ((X + Z) @ W, "(X + Z) W", "(X + Z) W"),
    (u @ t, r"u^\top t", "u' t"),
    (X * Z, r"X \odot Z", "X * Z"),
    ((X @ v) * u, r"u \odot (X v)", "u * (X v)"),
    (X / Z, r"X \oslash Z", "X / Z"),
    (Z - X, "Z - X", "Z - X"),
    (-X + Z, "Z - X", "Z - X"),
    (1 - X**2, "1 - X^2", "1 - X^2"),
    (2 * X - 2 * Z, "2 (X - Z)", "2 (X - Z)"),
    (X / 2, r"\tfrac12 X", "1/2 X"),
    (X / N, r"\tfrac1N X", "1/N X"),
    (X / (N * D), r"\tfrac1{N D} X", "1/(N D) X"),
    (X / sqrt(D), r"\tfrac1{\sqrt D} X", "1/sqrt(D) X"),
    (s * X, "s X", "s X"),
    (X @ v + s, r"X v + s \mathbf 1_N", "X v + s 1"),
    (X * v, r"X\,\operatorname{diag}(v)", "X diag(v)"),
    (X * v - Z, r"X\,\operatorname{diag}(v) - Z", "X diag(v) - Z"),
    (total(X, axis=0), r"X^\top \mathbf 1_N", "X' 1"),
    (total(X, axis=1), r"X \mathbf 1_D", "X 1"),
    (mean(X, axis=1), r"\tfrac1D X \mathbf 1_D", "1/D X 1"),
    (total(X * Z, axis=0), r"(X \odot Z)^\top \mathbf 1_N", "(X * Z)' 1"),
    (relu(X), r"\operatorname{relu}(X)", "relu(X)"),
    (tanh(X @ W), r"\tanh(X W)", None),             # the product is named first where it is differentiated
    (exp(X), r"\exp(X)", "exp(X)"),
    (sqrt(X), r"\sqrt X", "sqrt(X)"),
    (Abs(X), r"\lvert X\rvert", "|X|"),
    (Max(X, Z), r"\max(X, Z)", "max(X, Z)"),
]


@pytest.mark.parametrize(("value", "latex", "text"), MATRIX, ids=[row[1] for row in MATRIX])
def test_matrix_notation(value, latex, text):
    assert written(value) == latex
    if text is not None:
        assert written(value, style=Plain) == text


INDICES = [     # index notation, over, LaTeX, text
    (u[n] * v[d], (n, d), r"u v^\top", "u v'"),
    (X[n, d] * u[n], (n, d), r"\operatorname{diag}(u) X", "diag(u) X"),
    (X[n, d] / u[n], (n, d), r"\operatorname{diag}(u)^{-1} X", "diag(u)^(-1) X"),
    (Sum(X[n, d] * X[m, d], d), (n, m), r"X X^\top", "X X'"),
    (Sum(X[n, d] * W[d, h], d), (h, n), r"W^\top X^\top", "W' X'"),
]


@pytest.mark.parametrize(("value", "over", "latex", "text"), INDICES, ids=[row[2] for row in INDICES])
def test_matrices_are_seen_in_index_notation(value, over, latex, text):
    assert (written(value, over), written(value, over, Plain)) == (latex, text)


# ---- index notation

SCALARS = [     # value, over, LaTeX, text
    (Sum(X[n, d] * W[d, h], d) + b[h], (n, h), r"\sum_d X_{nd} W_{dh} + b_h", "(sum_d X[n, d] * W[d, h]) + b[h]"),
    (Sum((u[n] - t[n]) ** 2, n) / N, None, r"\tfrac1N \sum_n (u_n - t_n)^2", "1/N sum_n (u[n] - t[n])^2"),
    (X[n, y[n]], n, "X_{ny_n}", "X[n, y[n]]"),
    (X[n, 0], n, "X_{n0}", "X[n, 0]"),
    (X[N - 1, d], d, "X_{N-1,d}", "X[N - 1, d]"),
    (padded(u)[n - 1], n, r"[0 \le n - 1 < N] u_{n-1}", None),
    (log(Sum(exp(X[n, d]), d)), n, r"\log\sum_d e^{X_{nd}}", "log sum_d exp X[n, d]"),
    (LogSumExp(X[n, d], d), n, r"\log\sum_d e^{X_{nd}}", "log sum_d exp X[n, d]"),
    (Maximum(X[n, d], d), n, r"\max_d X_{nd}", "max_d X[n, d]"),
    (Piecewise((u[n], u[n] > 0), (0, True)), n, "[u_n > 0] u_n", "[u[n] > 0] * u[n]"),
    (Piecewise((u[n], u[n] > 0), (s * u[n], True)), n,
     r"\begin{cases} u_n & u_n > 0 \\ s u_n & \text{otherwise} \end{cases}", "(u[n] if u[n] > 0 else s * u[n])"),
    (u[n] / t[n], n, r"\frac{u_n}{t_n}", "u[n] / t[n]"),
    (s + Rational(1, 100000), None, "s + 10^{-5}", "s + 1e-5"),
    (Rational(3, 100) * s, None, "0.03 s", "0.03 s"),
    (Rational(2, 3) * s, None, r"\tfrac23 s", "2/3 s"),
    (sqrt(2) / 2 * s, None, r"\tfrac1{\sqrt2} s", "1/sqrt(2) s"),
    (sqrt(2 / pi) * s, None, r"\sqrt{\tfrac2{\pi}} s", "sqrt(2/pi) s"),
    (s * (1 - s), None, "s (1 - s)", "s * (1 - s)"),
    (x**3 - 2 * x, None, "x^3 - 2 x", "x^3 - 2 x"),
    (exp(-s), None, "e^{-s}", "exp(-s)"),
]


@pytest.mark.parametrize(("value", "over", "latex", "text"), SCALARS, ids=[row[2] for row in SCALARS])
def test_index_notation(value, over, latex, text):
    assert written(value, over, notation="index") == latex
    if text is not None:
        assert written(value, over, Plain, "index") == text


def test_what_has_no_notation_is_refused_by_name():
    with pytest.raises(DerivationError, match="notation"):
        note(networks.named("square").backward(), notation="Einstein")


# ---- derivations


def derivation(network, notation="matrix"):
    """Return the lines of a derivation: differentials, adjoints and gradients, last line first."""
    sheet = Sheet(network.backward())
    writer, differentials = Writer(sheet, Latex, notation), Differentials(sheet)
    lines = []
    for row in sheet.rows:
        for e in (differentials.of(row.line), *row.adjoints, *row.gradients):
            lines.append(plain(" = ".join(writer.sides(e, reverse=True))))
    return lines


def test_the_perceptron_is_derived_as_on_paper():
    assert derivation(networks.named("mlp")) == [
        r"\mathrm dL = \tfrac1N \langle P - Y, \mathrm dZ_2\rangle",
        r"\delta_{Z_2} = \tfrac1N (P - Y)",
        r"\mathrm dZ_2 = \mathrm dA_1\,W_2 + A_1\,\mathrm dW_2 + \mathbf 1_N\,\mathrm db_2^\top",
        r"\delta_{A_1} = \delta_{Z_2} W_2^\top",
        r"\delta_{W_2} = A_1^\top \delta_{Z_2}",
        r"\delta_{b_2} = \delta_{Z_2}^\top \mathbf 1_N",
        r"\mathrm dA_1 = [Z_1 > 0] \odot \mathrm dZ_1",
        r"\delta_{Z_1} = \delta_{A_1} \odot [Z_1 > 0]",
        r"\mathrm dZ_1 = X\,\mathrm dW_1 + \mathbf 1_N\,\mathrm db_1^\top",
        r"\delta_{W_1} = X^\top \delta_{Z_1}",
        r"\delta_{b_1} = \delta_{Z_1}^\top \mathbf 1_N",
    ]


def test_the_perceptron_is_derived_with_indices():
    lines = derivation(networks.named("mlp"), "index")
    assert r"\delta_{Z_2,nc} = \tfrac1N (P_{nc} - [c = y_n])" in lines
    assert r"\delta_{A_1,nh} = \sum_c \delta_{Z_2,nc} W_{2,hc}" in lines
    assert r"\delta_{W_1,dh} = \sum_n X_{nd} \delta_{Z_1,nh}" in lines


def test_vectors_are_columns():
    lines = derivation(networks.named("relu_network"))
    assert r"\delta_{W_2} = r_1 \delta_{z_2}^\top" in lines
    assert r"\delta_{r_1} = W_2 \delta_{z_2}" in lines
    assert r"\mathrm dL = \langle r_2 - y, \mathrm dr_2\rangle" in lines


def by(above, below):
    """Return a derivative in Leibniz' notation."""
    return rf"\frac{{\mathrm d{above}}}{{\mathrm d{below}}}"


def test_the_chain_rule_is_shown_factor_by_factor():
    text = note(networks.named("chain").backward())
    product = rf"{by('L', 'z')} \cdot {by('z', 'y')} \cdot {by('y', 'x')}"
    assert rf"{by('L', 'x')} &= {product} = 1 \cdot 2 \cdot 2 x = 4 x" in text
    text = note(networks.named("neuron").backward())
    assert rf"= {by('L', 'r')} \cdot {by('r', 'z')} \cdot" in text
    assert r"= (r - y) \cdot r (1 - r) \cdot X" in text


def test_two_paths_are_added():
    own = Network("diamond")
    a = own.parameter("a")
    p, q = own.define("p", a**2), own.define("q", exp(-a))
    own.loss = p * q
    assert r"= q \cdot 2 a + p \cdot (-q)" in note(own.backward())


def test_symbols_that_are_introduced_do_not_clash():
    own = Network("clash")
    R, C = own.sizes("R C")
    P, Y, L = own.input("P", R, C), own.labels("Y", R, classes=C), own.parameter("L", C, C)
    own.loss = mean(cross_entropy(P @ L, Y))
    lines = derivation(own)
    assert lines[0].startswith(r"\mathrm d\mathcal L = \tfrac1R \langle Q - \hat Y, ")


def test_a_softmax_is_written_by_name():
    own = Network("output")
    R, C = own.sizes("R C")
    A, y, V = own.input("A", R, C), own.labels("y", R, classes=C), own.parameter("V", C, C)
    Q = own.define("Q", A @ V)
    own.output(own.define("G", softmax(Q)))
    own.loss = mean(cross_entropy(Q, y))
    sheet = Sheet(own.backward())
    assert r"\operatorname{softmax}(Q)" in [Writer(sheet, Latex).sides(e)[1] for e in sheet.lines]
    assert "softmax(Q)" in [Writer(sheet, Plain).sides(e)[1] for e in sheet.lines]


# ---- names, prose, lines


@pytest.mark.parametrize(("name", "latex"), [
    ("X", "X"), ("Z1", "Z_1"), ("W12", "W_{12}"), ("W_xh", "W_{xh}"), ("Wq", "W_q"), ("bq", "b_q"), ("W1_q", "W_{1,q}"),
    ("alpha", r"\alpha"), ("beta2", r"\beta_2"), ("Gamma_t", r"\Gamma_t"), ("l", r"\ell"),
    ("target", r"\mathrm{target}"), ("mean_X", r"\mathrm{mean}_X"),
    ("mean_W_xh", r"\mathrm{mean}_{W_{xh}}"), ("lse_Z2", r"\mathrm{lse}_{Z_2}"),
    ("pre_h", r"\mathrm{pre}_h"), ("W_out", r"W_{\mathrm{out}}"), ("Zhat", r"\hat Z"), ("Z1_hat", r"\hat Z_1"),
    ("number_of_examples", r"\mathrm{number\_of\_examples}"),
])
def test_names_look_as_on_paper(name, latex):
    assert letters(name) == latex


def test_a_number_stays_where_the_rest_of_a_name_is_a_name_too():
    assert letters("conv2_loss", known=["loss"]) == r"\mathrm{conv}_{2,\mathrm{loss}}"
    assert letters("W1_q", known=["q"]) == "W_{1,q}"
    assert letters("tanh_Z1", known=["Z1"]) == r"\mathrm{tanh}_{Z_1}"


def test_indices_stand_apart_where_one_is_a_command():
    net = Network("layers", "An index called l, which is \\ell on paper")
    L, N = net.sizes("M N")
    W = net.parameter("W", L, N)
    l, n = net.indices(l=L, n=N)
    net.loss = Sum(W[l, n] ** 2, l, n)
    assert r"W_{\ell n}" in note(net.backward(), notation="index")


def test_no_two_names_look_alike():
    own = Network("alike")
    names = ["Z1", "Z_1", "Wq", "W_q", "alpha1", "alpha_1", "L", "a" * 40, "a" * 41]
    own.loss = sum(own.parameter(name) for name in names)
    symbols = Names(own.program())
    assert len({symbols.variable(name) for name in [*names, "loss"]}) == len(names) + 1


@pytest.mark.parametrize(("text", "latex"), [
    ("50% & more", r"50\% \& more"), ("a_b #1", r"a\_b \#1"), (r"\input{x}", r"$\backslash$input$\{$x$\}$"),
    ("x < y\n", "x $<$ y"), ("σ and ≤", r"$\sigma$ and $\le$"), ("a--b", "a-{}-b"), ("naïve", "naïve"),
])
def test_free_text_prints_as_it_is(text, latex):
    assert escaped(text) == latex


def test_long_formulas_are_broken_at_their_outermost_operators():
    terms = [f"a_{{{k}}}{SOFT} (b_{{{k}}}{MARK} + c_{{{k}}})" for k in range(20)]
    formula = f"{MARK} + ".join(terms)
    lines = broken(formula, 20)
    assert len(lines) > 1 and all(measured(line) <= 20 for line in lines)
    assert all(line.removeprefix(r"\qquad {}").startswith("+ a_") for line in lines[1:])
    joined = "".join(line.removeprefix(r"\qquad {}") for line in lines)
    assert joined.replace(" ", "") == plain(formula).replace(" ", "")


def test_a_sum_inside_a_sum_keeps_its_index_when_both_get_calmer_names():
    net = Network("nested")
    D = net.size("D")
    w, A, B = net.parameter("w", D, D), net.input("A", D, D), net.input("B", D, D)
    d, d2, d3, d4 = net.indices(d=D, d2=D, d3=D, d4=D)
    Y = net.define("Y", Sum(w[d, d4] * Sum(A[d3, d4] * B[d3, d2], d3), d4), over=(d, d2))
    net.loss = total(Y)
    writer = Writer(Sheet(net.program()), Plain, "index")
    [text] = [writer.equation(e)[1].text for e in net.program().equations if e.name == "Y"]
    assert text == "sum_d3 w[d, d3] * sum_d4 B[d4, d2] * A[d4, d3]"


def test_what_is_masked_by_minus_infinity_is_cases_however_wide():
    net = Network("window", "Scores in a window")
    T, L = net.sizes("T L")
    q, k = net.parameter("query", T), net.parameter("key", T)
    t, s = net.indices(t=T, s=T)
    score = q[t] * k[s] * (t - s) + q[s] ** 2 * k[t] ** 2 / 2 - q[t] ** 2 * k[s] ** 2 / 3
    S = net.define("S", Piecewise((score, (s <= t) & (t - s < L)), (-oo, True)), over=(t, s))
    net.loss = total(softmax(S) ** 2)
    text = " ".join(note(net.backward()).split())
    assert r"-\infty & \text{otherwise} \end{cases}" in text and r"](-\infty)" not in text
