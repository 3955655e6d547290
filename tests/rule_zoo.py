"""Small networks, one for each thing that the rule must get right. `ZOO` has them by name, `SIZES` where to look."""

import sympy
from sympy import Abs, Max, Min, Piecewise, Rational, Sum, atan, cos, erf, exp, log, sin, sqrt, tanh

from derive import (
    LogSumExp,
    Maximum,
    Network,
    binary_cross_entropy,
    elu,
    gelu,
    gelu_tanh,
    leaky_relu,
    log_softmax,
    maximum,
    mean,
    mish,
    padded,
    product,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    total,
)

ZOO, SIZES = {}, {}


def network(**sizes):
    """Register a network, and the sizes at which it is looked at where the small ones are too small for it."""

    def register(build):
        ZOO[build.__name__], SIZES[build.__name__] = build, sizes
        return build

    return register


def sizes_of(program, name):
    """Return the sizes for a network of the zoo, derived ones included; None for any."""
    if not SIZES[name]:
        return None
    sizes = {s: SIZES[name][s.name] for s in program.sizes if s.name in SIZES[name]}
    return sizes | {s: int(value.xreplace(sizes)) for s, value in program.derived.items()}


# ---- recurrences


def _tanh_recurrence():
    net = Network("recurrence")
    T, N, K = net.sizes("T N K")
    W, u, h0 = net.parameter("W", K, K), net.parameter("u", K), net.parameter("h0", N, K)
    x = net.input("x", T, N)
    t, n, k, j = net.indices(t=T, n=N, k=K, j=K)
    h = net.state("h", T, N, K, initial=h0)
    net.define(h, tanh(Sum(h[t - 1, n, j] * W[j, k], j) + x[t, n] * u[k]), over=(t, n, k))
    return net, h


@network()
def recurrence_with_loss_on_the_last_state():
    net, h = _tanh_recurrence()
    T, N, K = h.shape
    n, k = net.indices(n=N, k=K)
    net.loss = Sum(h[T - 1, n, k] ** 2, n, k) / N
    return net


@network()
def recurrence_with_loss_on_all_states():
    net, h = _tanh_recurrence()
    net.loss = mean(h**2)
    return net


@network()
def two_states_that_need_each_other():
    net = Network("mutual")
    T, K = net.sizes("T K")
    a, b = net.parameter("a", K), net.parameter("b", K)
    t, k = net.indices(t=T, k=K)
    u, v = net.state("u", T, K, initial=a), net.state("v", T, K, initial=0)
    net.define(u, sin(v[t - 1, k]) * a[k] + u[t - 1, k], over=(t, k))
    net.define(v, tanh(u[t, k] * b[k]) - v[t - 1, k] / 3, over=(t, k))
    net.loss = total(u * v)
    return net


@network()
def gated_recurrent_unit():
    net = Network("gru")
    T, K, D = net.sizes("T K D")
    W, U, V = net.parameter("W", K, K), net.parameter("U", K, K), net.parameter("V", D, K)
    h0, x = net.input("h0", K), net.input("x", T, D)
    t, k, j, d = net.indices(t=T, k=K, j=K, d=D)
    h = net.state("h", T, K, initial=h0)
    z = net.define("z", sigmoid(Sum(h[t - 1, j] * W[j, k], j) + Sum(x[t, d] * V[d, k], d)), over=(t, k))
    net.define(h, (1 - z[t, k]) * h[t - 1, k] + z[t, k] * tanh(Sum(z[t, j] * h[t - 1, j] * U[j, k], j)), over=(t, k))
    net.loss = Sum(h[T - 1, k] ** 2, k)
    return net


@network(T=5)
def recurrence_with_a_longer_memory():
    net = Network("memory")
    T = net.size("T")
    a, b, x = net.parameter("a"), net.parameter("b"), net.input("x", T)
    [t] = net.indices(t=T)
    h = net.state("h", T, initial=a)
    net.define(h, tanh(b * h[t - 1] + Piecewise((h[t - 2], t >= 1), (0, True)) + x[t]), over=t)
    net.loss = total(h**2)
    return net


@network()
def forward_algorithm():
    """A chain of labels: its log partition function is a recurrence of log-sum-exps."""
    net = Network("forward_algorithm")
    T, K = net.sizes("T K")
    E, A, start = net.parameter("E", T, K), net.parameter("A", K, K), net.parameter("start", K)
    t, k, j = net.indices(t=T, k=K, j=K)
    a = net.state("a", T, K, initial=start)
    net.define(a, LogSumExp(a[t - 1, j] + A[j, k], j) + E[t, k], over=(t, k))
    net.loss = LogSumExp(a[T - 1, k], k) - total(E) / T
    return net


@network()
def products_over_an_index():
    net = Network("products")
    N, K = net.sizes("N K")
    x, w = net.parameter("x", N, K), net.parameter("w", K)
    n, k = net.indices(n=N, k=K)
    y = net.define("y", sympy.Product(1 + x[n, k] * w[k], k), over=n)
    net.loss = total((product(x, axis=1) + y) ** 2)
    return net


@network()
def state_that_starts_at_a_maximum():
    net = Network("start")
    T, K = net.sizes("T K")
    w = net.parameter("w", K)
    t, k = net.indices(t=T, k=K)
    h = net.state("h", T, initial=Maximum(w[k], k))
    net.define(h, h[t - 1] / 2 + tanh(h[t - 1]), over=t)
    net.loss = total(h**2)
    return net


# ---- convolutions and other patterns of reading


@network(N=2, C=2, O=2, U=7, K=2, S=2, L=2, P=1)
def strided_padded_dilated_convolution():
    net = Network("convolution")
    N, C, O, U, K, S, L = net.sizes("N C O U K S L")
    P = net.size("P", least=0)
    I = net.size("I", (U + 2 * P - L * (K - 1) - 1) // S + 1)
    W, b, X = net.parameter("W", O, C, K), net.parameter("b", O), net.parameter("X", N, C, U)
    n, c, o, p, i = net.indices(n=N, c=C, o=O, p=K, i=I)
    Z = net.define("Z", Sum(W[o, c, p] * padded(X)[n, c, S * i + L * p - P], c, p) + b[o], over=(n, o, i))
    net.loss = mean(tanh(Z) ** 2)
    return net


@network(U=9, K=3, S=2)
def strided_convolution_inside():
    net = Network("inside")
    U, K, S = net.sizes("U K S")
    I = net.size("I", (U - K) // S + 1)
    W, X = net.parameter("W", K), net.parameter("X", U)
    p, i = net.indices(p=K, i=I)
    Z = net.define("Z", Sum(W[p] * X[S * i + p], p), over=i)
    net.loss = total(Z**2)
    return net


@network(U=5, K=3)
def sliding_window():
    net = Network("window")
    U, K = net.sizes("U K")
    I = net.size("I", U - K + 1)
    W, X = net.parameter("W", K), net.parameter("X", U)
    p, i = net.indices(p=K, i=I)
    Z = net.define("Z", Sum(W[p] * X[i + p], p), over=i)
    net.loss = total(tanh(Z))
    return net


@network(N=2, J=3, K=2)
def pooling():
    net = Network("pooling")
    N, J, K = net.sizes("N J K")
    U = net.size("U", J * K)
    X = net.parameter("X", N, U)
    n, j, p = net.indices(n=N, j=J, p=K)
    m = net.define("m", Maximum(X[n, K * j + p], p), over=(n, j))
    net.loss = total(m**2)
    return net


@network(T=3, H=2, E=2)
def split_heads():
    net = Network("heads")
    T, H, E = net.sizes("T H E")
    F = net.size("F", H * E)
    X = net.parameter("X", T, F)
    t, s, h, e = net.indices(t=T, s=T, h=H, e=E)
    S = net.define("S", Sum(X[t, h * E + e] * X[s, h * E + e], e), over=(h, t, s))
    net.loss = total(tanh(S))
    return net


@network()
def label_read():
    net = Network("labels")
    N, C = net.sizes("N C")
    Z, y = net.parameter("Z", N, C), net.labels("y", N, classes=C)
    n, c = net.indices(n=N, c=C)
    net.loss = Sum(log(Sum(exp(Z[n, c]), c)) - Z[n, y[n]], n) / N
    return net


@network(N=2, T=3, V=4, D=2)
def embedding_read():
    net = Network("embedding")
    N, T, V, D = net.sizes("N T V D")
    E, w = net.parameter("E", V, D), net.labels("w", N, T, classes=V)
    n, t, d = net.indices(n=N, t=T, d=D)
    X = net.define("X", E[w[n, t], d], over=(n, t, d))
    net.loss = mean(tanh(X) ** 2)
    return net


@network()
def diagonal():
    net = Network("diagonal")
    N = net.size("N")
    W = net.parameter("W", N, N)
    [n] = net.indices(n=N)
    z = net.define("z", W[n, n] ** 3, over=n)
    net.loss = total(z)
    return net


@network()
def reversal():
    net = Network("reversal")
    U = net.size("U")
    x = net.parameter("x", U)
    [i] = net.indices(i=U)
    z = net.define("z", x[U - 1 - i] * x[i] ** 2, over=i)
    net.loss = total(z**2)
    return net


@network()
def differences_of_neighbours():
    net = Network("neighbours")
    T = net.size("T")
    x = net.parameter("x", T)
    [t] = net.indices(t=T)
    z = net.define("z", Piecewise((x[t] - x[t - 1], t > 0), (x[t], True)), over=t)
    net.loss = total(z**2)
    return net


@network()
def sum_of_what_came_before():
    net = Network("triangle")
    T = net.size("T")
    x, w = net.parameter("x", T), net.parameter("w", T, T)
    t, s = net.indices(t=T, s=T)
    z = net.define("z", Sum(x[s] * w[t, s], (s, 0, t)), over=t)
    net.loss = total(tanh(z))
    return net


@network()
def variable_read_twice():
    net = Network("twice")
    D = net.size("D")
    W = net.parameter("W", D, D)
    i, j = net.indices(i=D, j=D)
    net.loss = Sum(W[i, j] * W[j, i], i, j) + Sum(W[i, i], i) ** 2
    return net


@network()
def unused_parameter():
    net = Network("unused")
    D, H = net.sizes("D H")
    a, _, _ = net.parameter("a", D), net.parameter("b", D, H), net.parameter("c")
    net.loss = total(a**2)
    return net


@network()
def one_index_summed_twice():
    net = Network("again")
    C = net.size("C")
    w = net.parameter("w", C)
    [c] = net.indices(c=C)
    net.loss = Sum(Sum(w[c] ** 2, c) * w[c], c)
    return net


@network()
def sum_under_a_condition():
    net = Network("condition")
    T, D = net.sizes("T D")
    x = net.parameter("x", T, D)
    t, d = net.indices(t=T, d=D)
    z = net.define("z", Piecewise((tanh(Sum(x[t - 1, d] ** 2, d)), t >= 1), (0, True)) + x[t, 0], over=t)
    net.loss = total(z**2)
    return net


# ---- activations, kinks, normalisations, attention


@network()
def activation_given_inline():
    net = Network("activation")
    N, D = net.sizes("N D")
    X, w = net.input("X", N, D), net.parameter("w", D)
    z = X @ w
    net.loss = mean(z / (1 + Abs(z)) + z * atan(z) + erf(z) * cos(z) ** 2)
    return net


@network()
def every_activation():
    net = Network("activations")
    D = net.size("D")
    w = net.parameter("w", D)
    kinds = (relu, sigmoid, softplus, gelu, gelu_tanh, elu, mish, silu, leaky_relu, softsign)
    net.loss = total(sum(f(w) for f in kinds) + Max(w, 1) * Min(w, w**2))
    return net


@network()
def maximum_with_ties():
    net = Network("ties")
    N, C = net.sizes("N C")
    Z = net.parameter("Z", N, C)
    m = net.define("m", maximum(relu(Z), axis=1))
    net.loss = total(m**2 + m)
    return net


@network()
def maximum_inside():
    net = Network("inner")
    N, C = net.sizes("N C")
    Z = net.parameter("Z", N, C)
    n, c = net.indices(n=N, c=C)
    net.loss = Sum(tanh(Maximum(Z[n, c] ** 2, c)) * LogSumExp(Z[n, c], c), n)
    return net


@network()
def layer_normalisation():
    net = Network("layer_norm")
    N, D = net.sizes("N D")
    X, g, b, Y = net.parameter("X", N, D), net.parameter("g", D), net.parameter("b", D), net.input("Y", N, D)
    n, d = net.indices(n=N, d=D)
    mu = net.define("mu", Sum(X[n, d], d) / D, over=n)
    var = net.define("var", Sum((X[n, d] - mu[n]) ** 2, d) / D, over=n)
    Z = net.define("Z", (X[n, d] - mu[n]) / sqrt(var[n] + Rational(1, 1000)), over=(n, d))
    net.loss = mean((g * Z + b - Y) ** 2)
    return net


@network()
def batch_normalisation_in_one_line():
    net = Network("batch_norm")
    N, D = net.sizes("N D")
    X, g, Y = net.parameter("X", N, D), net.parameter("g", D), net.input("Y", N, D)
    centred = X - mean(X, 0)
    net.loss = mean((g * centred / sqrt(mean(centred**2, 0) + Rational(1, 1000)) - Y) ** 2)
    return net


@network()
def causal_attention():
    net = Network("causal")
    T, E = net.sizes("T E")
    X, Wq, Wk, Wv = net.input("X", T, E), *(net.parameter(name, E, E) for name in ("Wq", "Wk", "Wv"))
    t, s, e = net.indices(t=T, s=T, e=E)
    Q, K, V = net.define("Q", X @ Wq), net.define("K", X @ Wk), net.define("V", X @ Wv)
    S = net.define("S", Sum(Q[t, e] * K[s, e], e) / sqrt(E), over=(t, s))
    weight = Piecewise((exp(S[t, s]), s <= t), (0, True))
    A = net.define("A", weight / Sum(weight, s), over=(t, s))
    net.loss = mean((A @ V) ** 2)
    return net


@network(B=2, T=3, E=2)
def attention_in_one_line():
    net = Network("attention")
    B, T, E = net.sizes("B T E")
    X, Wq, Wk = net.parameter("X", B, T, E), net.parameter("Wq", E, E), net.parameter("Wk", E, E)
    net.loss = mean((softmax((X @ Wq) @ (X @ Wk).mT / sqrt(E)) @ X) ** 2)
    return net


@network()
def softmax_by_the_textbook():
    net = Network("textbook")
    N, C = net.sizes("N C")
    Z, Y = net.parameter("Z", N, C), net.input("Y", N, C)
    n, c = net.indices(n=N, c=C)
    P = net.define("P", exp(Z[n, c]) / Sum(exp(Z[n, c]), c), over=(n, c))
    net.loss = -Sum(Y[n, c] * log(P[n, c]), n, c) / N
    return net


@network()
def softmax_in_array_notation():
    net = Network("arrays")
    N, C = net.sizes("N C")
    Z, Y = net.parameter("Z", N, C), net.input("Y", N, C)
    net.loss = -total(Y * log_softmax(Z)) / N + total((softmax(Z, axis=0) - Y) ** 2)
    return net


@network()
def logistic_regression_by_the_textbook():
    net = Network("logistic")
    N, D = net.sizes("N D")
    X, y, w, b = net.input("X", N, D), net.input("y", N), net.parameter("w", D), net.parameter("b")
    p = net.define("p", 1 / (1 + exp(-(X @ w + b))))
    net.loss = -mean(y * log(p) + (1 - y) * log(1 - p)) + total(p**2)
    return net


@network()
def logistic_regression_in_one_line():
    net = Network("bce")
    N, D = net.sizes("N D")
    X, y, w, b = net.input("X", N, D), net.input("y", N), net.parameter("w", D), net.parameter("b")
    net.loss = mean(binary_cross_entropy(X @ w + b, y))
    return net
