"""The networks that are benchmarked, as a user writes them: sizes symbolic, nothing tuned."""

from itertools import pairwise

from sympy import Piecewise, Sum, oo, sqrt, tanh

from derive import (
    FirstMaximum,
    Network,
    binary_cross_entropy,
    cross_entropy,
    gelu_tanh,
    mean,
    padded,
    relu,
    sigmoid,
    softmax,
    softplus,
    total,
)


def perceptron(depth: int) -> Network:
    """Return a relu perceptron of `depth` layers, softmax cross-entropy."""
    net = Network("bench_mlp", f"Perceptron of {depth} relu layers with softmax cross-entropy")
    N, *widths = net.sizes(" ".join(["N", "D", *(f"H{k}" for k in range(1, depth)), "C"]))
    weights = [(net.parameter(f"W{k}", m, n), net.parameter(f"b{k}", n))
               for k, (m, n) in enumerate(pairwise(widths), start=1)]
    A, y = net.input("X", N, widths[0]), net.labels("y", N, classes=widths[-1])
    for k, (W, b) in enumerate(weights, start=1):
        Z = net.define(f"Z{k}", A @ W + b)
        A = net.define(f"A{k}", relu(Z)) if k < depth else Z
    net.loss = mean(cross_entropy(A, y))
    return net


def attention_block() -> Network:
    """Return a transformer block that normalises first: one causal head, then a perceptron with tanh-gelu."""
    net = Network("bench_attention", "Transformer block of one causal head, normalising first")
    N, T, D, M = net.sizes("N T D M")
    g1, b1 = net.parameter("g1", D), net.parameter("b1", D)
    Wa, ba = net.parameter("Wa", D, 3, D, note="queries, keys, values"), net.parameter("ba", 3, D)
    Wo, bo = net.parameter("Wo", D, D), net.parameter("bo", D)
    g2, b2 = net.parameter("g2", D), net.parameter("b2", D)
    W3, b3 = net.parameter("W3", D, M), net.parameter("b3", M)
    W4, b4 = net.parameter("W4", M, D), net.parameter("b4", D)
    X, Y = net.input("X", N, T, D), net.input("Y", N, T, D)
    n, t, s, d, e, q = net.indices(n=N, t=T, s=T, d=D, e=D, q=3)

    def normalised(name, X, gain, bias):
        mu = net.define(f"mu_{name}", Sum(X[n, t, d], d) / D, over=(n, t))
        var = net.define(f"var_{name}", Sum((X[n, t, d] - mu[n, t]) ** 2, d) / D, over=(n, t))
        Z = net.define(f"{name}_hat", (X[n, t, d] - mu[n, t]) / sqrt(var[n, t] + 1e-5), over=(n, t, d))
        return net.define(name, gain * Z + bias)

    A1 = normalised("A1", X, g1, b1)
    B = net.define("B", Sum(A1[n, t, e] * Wa[e, q, d], e) + ba[q, d], over=(n, t, q, d))
    score = Sum(B[n, t, 0, e] * B[n, s, 1, e], e) / sqrt(D)
    S = net.define("S", Piecewise((score, s <= t), (-oo, True)), over=(n, t, s))
    P = net.define("P", softmax(S))
    O = net.define("O", Sum(P[n, t, s] * B[n, s, 2, d], s), over=(n, t, d))
    R = net.define("R", X + O @ Wo + bo)
    A2 = normalised("A2", R, g2, b2)
    U = net.define("U", A2 @ W3 + b3)
    F = net.define("F", gelu_tanh(U))
    Z = net.define("Z", R + F @ W4 + b4)
    net.loss = mean((Z - Y) ** 2) / 2
    return net


def rnn() -> Network:
    """Return a tanh recurrence from a zero state, half the mean squared error of every state."""
    net = Network("bench_rnn", "A tanh recurrence")
    T, N, D, K = net.sizes("T N D K")
    W, U, b = net.parameter("W", D, K), net.parameter("U", K, K), net.parameter("b", K)
    X, Y = net.input("X", T, N, D), net.input("Y", T, N, K)
    t, n, d, k, j = net.indices(t=T, n=N, d=D, k=K, j=K)
    h = net.state("h", T, N, K, initial=0)
    net.define(h, tanh(Sum(X[t, n, d] * W[d, k], d) + Sum(h[t - 1, n, j] * U[j, k], j) + b[k]), over=(t, n, k))
    net.loss = mean((h - Y) ** 2) / 2
    return net


def lstm() -> Network:
    """Return long short-term memory from zero states, half the mean squared error of every state."""
    net = Network("bench_lstm", "Long short-term memory")
    T, N, D, K = net.sizes("T N D K")
    W, U, b = net.parameter("W", D, 4, K), net.parameter("U", K, 4, K), net.parameter("b", 4, K)
    X, Y = net.input("X", T, N, D), net.input("Y", T, N, K)
    t, n, d, k, j, q = net.indices(t=T, n=N, d=D, k=K, j=K, q=4)
    h, c = net.state("h", T, N, K, initial=0), net.state("c", T, N, K, initial=0)
    pre = Sum(X[t, n, d] * W[d, q, k], d) + Sum(h[t - 1, n, j] * U[j, q, k], j) + b[q, k]
    z = net.define("z", pre, over=(t, n, q, k))
    i = net.define("i", sigmoid(z[t, n, 0, k]), over=(t, n, k))
    f = net.define("f", sigmoid(z[t, n, 1, k]), over=(t, n, k))
    g = net.define("g", tanh(z[t, n, 2, k]), over=(t, n, k))
    o = net.define("o", sigmoid(z[t, n, 3, k]), over=(t, n, k))
    net.define(c, f[t, n, k] * c[t - 1, n, k] + i[t, n, k] * g[t, n, k], over=(t, n, k))
    net.define(h, o[t, n, k] * tanh(c[t, n, k]), over=(t, n, k))
    net.loss = mean((h - Y) ** 2) / 2
    return net


def convolution() -> Network:
    """Return a 3 x 3 same convolution, relu, 2 x 2 max-pooling, a dense layer, softmax cross-entropy."""
    net = Network("bench_convolution", "Convolution, relu, max-pooling and a dense layer")
    N, C, A, B, F, D = net.sizes("N C A B F D")
    U, V = net.size("U", 2 * A), net.size("V", 2 * B)
    w, b = net.parameter("w", F, C, 3, 3), net.parameter("b", F)
    W, c2 = net.parameter("W", F, A, B, D), net.parameter("c2", D)
    x, y = net.input("x", N, C, U, V), net.labels("y", N, classes=D)
    n, c, f, d, u, v = net.indices(n=N, c=C, f=F, d=D, u=U, v=V)
    i, k, p, q, r, s = net.indices(i=A, k=B, p=3, q=3, r=2, s=2)
    Z = net.define("Z", Sum(w[f, c, p, q] * padded(x)[n, c, u + p - 1, v + q - 1], c, p, q) + b[f], over=(n, f, u, v))
    R = net.define("R", relu(Z))
    M = net.define("M", FirstMaximum(R[n, f, 2 * i + r, 2 * k + s], r, s), over=(n, f, i, k))
    z = net.define("z", Sum(M[n, f, i, k] * W[f, i, k, d], f, i, k) + c2[d], over=(n, d))
    net.loss = mean(cross_entropy(z, y))
    return net


def logistic() -> Network:
    """Return logistic regression without an intercept, mean cross-entropy of targets 0 or 1."""
    net = Network("bench_logistic", "Logistic regression")
    N, D = net.sizes("N D")
    w = net.parameter("w", D)
    X, y = net.input("X", N, D), net.input("y", N)
    z = net.define("z", X @ w)
    net.loss = mean(binary_cross_entropy(z, y))
    return net


def elementwise() -> Network:
    """Return a chain of elementwise functions: scale and shift, tanh-gelu, softplus, layer normalisation."""
    net = Network("bench_elementwise", "gelu, softplus and layer normalisation")
    N, D = net.sizes("N D")
    x = net.parameter("x", N, D)
    s, b = net.parameter("s", D), net.parameter("b", D)
    gamma, beta = net.parameter("gamma", D), net.parameter("beta", D)
    Y = net.input("Y", N, D)
    n, d = net.indices(n=N, d=D)
    u = net.define("u", x * s + b)
    g = net.define("g", gelu_tanh(u))
    p = net.define("p", softplus(g))
    m = net.define("m", mean(p, axis=1))
    v = net.define("v", Sum((p[n, d] - m[n]) ** 2, d) / D, over=n)
    h = net.define("h", (p[n, d] - m[n]) / sqrt(v[n] + 1e-5), over=(n, d))
    z = net.define("z", gamma * h + beta)
    net.loss = mean((z - Y) ** 2) / 2
    return net


def tiny() -> Network:
    """Return two relu layers on one example, half the squared error."""
    net = Network("bench_tiny", "Two relu layers, one example")
    D, H, K = net.sizes("D H K")
    W1, b1 = net.parameter("W1", D, H), net.parameter("b1", H)
    W2, b2 = net.parameter("W2", H, K), net.parameter("b2", K)
    x, y = net.input("x", D), net.input("y", K)
    z1 = net.define("z1", x @ W1 + b1)
    r1 = net.define("r1", relu(z1))
    z2 = net.define("z2", r1 @ W2 + b2)
    r2 = net.define("r2", relu(z2))
    net.loss = total((r2 - y) ** 2) / 2
    return net


def factorisation() -> Network:
    """Return the squared error of a factorisation U V' of a matrix of which some entries are known."""
    net = Network("bench_factorisation", "Matrix factorisation with entries missing")
    M, N, K = net.sizes("M N K")
    U = net.parameter("U", M, K)
    V, T = net.input("V", N, K), net.input("T", M, N)
    Omega = net.input("Omega", M, N, note="1 where T is known, else 0")
    E = net.define("E", U @ V.T - T)
    net.loss = total(Omega * E**2) / 2
    return net


def deep(depth: int) -> Network:
    """Return a perceptron of equal widths of which the last layer alone is a parameter, softmax cross-entropy."""
    net = Network("bench_deep", f"Perceptron of {depth} layers, Hessian of the last")
    N, D = net.sizes("N D")
    W = net.parameter("W", D, D)
    fixed = [net.input(f"V{k}", D, D) for k in range(1, depth)]
    A, y = net.input("X", N, D), net.labels("y", N, classes=D)
    for k, V in enumerate(fixed, start=1):
        A = net.define(f"A{k}", relu(A @ V))
    Z = net.define("Z", A @ W)
    net.loss = mean(cross_entropy(Z, y))
    return net
