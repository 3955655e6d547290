"""Networks as users write them, none of them shipped: each with small sizes, and its loss once more in PyTorch.

A name that ends in `_array` and one that ends in `_index` are one network in both notations.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sympy import (
    Abs,
    KroneckerDelta,
    Lambda,
    Max,
    Min,
    Ne,
    Piecewise,
    Rational,
    S,
    Sum,
    Symbol,
    asinh,
    atan,
    cosh,
    erf,
    exp,
    log,
    loggamma,
    pi,
    sin,
    sqrt,
    tanh,
)

from derive import (
    LogSumExp,
    Maximum,
    Network,
    binary_cross_entropy,
    cross_entropy,
    elu,
    gelu,
    gelu_tanh,
    leaky_relu,
    log_softmax,
    logsumexp,
    maximum,
    mean,
    mish,
    padded,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    total,
)


@dataclass(frozen=True)
class Case:
    """A network with sizes to try it at, and its loss by PyTorch; names of parameters that have to be positive."""

    net: Network
    sizes: dict[str, int]
    torch_loss: Callable[..., Any]
    positive: tuple[str, ...] = ()


ZOO: dict[str, Callable[[], Case]] = {}


def network(positive=(), **sizes):
    """Register a function that writes a network and returns its loss in PyTorch."""
    def register(write):
        def build():
            net = Network(write.__name__)
            symbols = net.sizes(" ".join(sizes)) if sizes else ()
            return Case(net, sizes, write(net, *symbols), positive)
        ZOO[write.__name__] = build
        return write
    return register


# ---- perceptrons


@network(N=4, D=3, H=5, K=6, C=3)
def mixed_activations_array(net, N, D, H, K, C):
    X, y = net.input("X", N, D), net.labels("y", N, classes=C)
    W1, b1 = net.parameter("W1", D, H), net.parameter("b1", H)
    W2, b2 = net.parameter("W2", H, K), net.parameter("b2", K)
    W3, b3 = net.parameter("W3", K, C), net.parameter("b3", C)
    z = Symbol("z")
    swish = Lambda(z, z / (1 + exp(-z)))                # a user's own activation
    A1 = net.define("A1", tanh(X @ W1 + b1))
    A2 = net.define("A2", gelu(A1 @ W2 + b2))
    Z3 = net.define("Z3", swish(A2 @ W3 + b3))
    net.output(Z3)
    net.loss = mean(cross_entropy(Z3, y))
    return mixed_activations


def mixed_activations(torch, W1, b1, W2, b2, W3, b3, X, y):
    F = torch.nn.functional
    return F.cross_entropy(F.silu(F.gelu(torch.tanh(X @ W1 + b1) @ W2 + b2) @ W3 + b3), y)


@network(N=4, D=3, H=5, K=6, C=3)
def mixed_activations_index(net, N, D, H, K, C):
    X, y = net.input("X", N, D), net.labels("y", N, classes=C)
    W1, b1 = net.parameter("W1", D, H), net.parameter("b1", H)
    W2, b2 = net.parameter("W2", H, K), net.parameter("b2", K)
    W3, b3 = net.parameter("W3", K, C), net.parameter("b3", C)
    n, d, h, k, c = net.indices(n=N, d=D, h=H, k=K, c=C)
    A1 = net.define("A1", tanh(Sum(X[n, d] * W1[d, h], d) + b1[h]), over=(n, h))
    Z2 = net.define("Z2", Sum(A1[n, h] * W2[h, k], h) + b2[k], over=(n, k))
    A2 = net.define("A2", Z2[n, k] * (1 + erf(Z2[n, k] / sqrt(2))) / 2, over=(n, k))
    Y3 = net.define("Y3", Sum(A2[n, k] * W3[k, c], k) + b3[c], over=(n, c))
    Z3 = net.define("Z3", Y3[n, c] / (1 + exp(-Y3[n, c])), over=(n, c))
    net.output(Z3)
    net.loss = Sum(log(Sum(exp(Z3[n, c]), c)) - Z3[n, y[n]], n) / N
    return mixed_activations


@network(N=4, D=3)
def all_activations(net, N, D):
    X, w = net.input("X", N, D), net.parameter("w", D)
    z = net.define("z", X @ w)
    net.loss = mean(leaky_relu(z) + 2 * elu(z) + 3 * silu(z) + 4 * mish(z) + 5 * softsign(z) + 6 * gelu_tanh(z)
                    + 7 * softplus(z) + 8 * gelu(z) + 9 * sigmoid(z) + 10 * relu(z))

    def loss(torch, w, X):
        F, z = torch.nn.functional, X @ w
        return (F.leaky_relu(z) + 2 * F.elu(z) + 3 * F.silu(z) + 4 * F.mish(z) + 5 * F.softsign(z)
                + 6 * F.gelu(z, approximate="tanh") + 7 * F.softplus(z) + 8 * F.gelu(z) + 9 * torch.sigmoid(z)
                + 10 * torch.relu(z)).mean()
    return loss


@network(N=4, D=3)
def unusual_activations(net, N, D):
    X, w = net.input("X", N, D), net.parameter("w", D)
    z = net.define("z", X @ w)
    [n] = net.indices(n=N)
    p = net.define("p", Piecewise((z[n], z[n] > 0), (z[n] / 10, True)), over=n)
    net.loss = mean(sin(z) * atan(z) + asinh(z)) + mean(p**3) + mean(cosh(z / 3) + Abs(z) ** 3 + 1 / (1 + z**2))

    def loss(torch, w, X):
        z = X @ w
        p = torch.where(z > 0, z, z / 10)
        return (torch.sin(z) * torch.atan(z) + torch.asinh(z) + p**3 + torch.cosh(z / 3) + z.abs() ** 3
                + 1 / (1 + z**2)).mean()
    return loss


@network(N=4, D=3, H=5)
def residual(net, N, D, H):
    X, t = net.input("X", N, D), net.input("t", N, D)
    W1, b1 = net.parameter("W1", D, H), net.parameter("b1", H)
    W2, b2 = net.parameter("W2", H, D), net.parameter("b2", D)
    A = net.define("A", relu(X @ W1 + b1))
    Y = net.define("Y", X + A @ W2 + b2)
    R = net.define("R", Y + tanh(Y))
    net.output(R)
    net.loss = mean((R - t) ** 2)

    def loss(torch, W1, b1, W2, b2, X, t):
        Y = X + torch.relu(X @ W1 + b1) @ W2 + b2
        return ((Y + torch.tanh(Y) - t) ** 2).mean()
    return loss


@network(N=4, D=3, H=5)
def tied_weights(net, N, D, H):
    X = net.input("X", N, D)
    W, b, c = net.parameter("W", D, H), net.parameter("b", H), net.parameter("c", D)
    A = net.define("A", sigmoid(X @ W + b))
    Y = net.define("Y", A @ W.T + c)
    net.loss = mean((X - Y) ** 2)
    return lambda torch, W, b, c, X: ((X - (torch.sigmoid(X @ W + b) @ W.T + c)) ** 2).mean()


@network(N=4, D=3)
def unused_parameters(net, N, D):
    X = net.input("X", N, D)
    w, _, _, _ = net.parameter("w", D), net.parameter("u", D), net.parameter("s"), net.parameter("M", D, N)
    net.loss = mean((X @ w) ** 2)
    return lambda torch, w, u, s, M, X: ((X @ w) ** 2).mean()


@network(N=4, D=3)
def scalar_parameters(net, N, D):
    X, t = net.input("X", N, D), net.input("t", N)
    w, a, c, e = net.parameter("w", D), net.parameter("a"), net.parameter("c"), net.parameter("e")
    Z = net.define("Z", a * (X @ w) + c)
    net.loss = mean((tanh(a * Z) - t) ** 2) + c**2 + a * c + e
    return lambda torch, w, a, c, e, X, t: ((torch.tanh(a * (a * (X @ w) + c)) - t) ** 2).mean() + c**2 + a * c + e


@network(N=4)
def fixed_sizes(net, N):
    X, y = net.input("X", N, 3), net.labels("y", N, classes=2)
    W, b = net.parameter("W", 3, 2), net.parameter("b", 2)
    Z = net.define("Z", X @ W + b)
    net.output(Z)
    net.loss = mean(cross_entropy(Z, y))
    return lambda torch, W, b, X, y: torch.nn.functional.cross_entropy(X @ W + b, y)


@network(N=4, D=3)
def axes_of_size_one(net, N, D):
    X, t = net.input("X", N, D), net.input("t", N, 1)
    W, b = net.parameter("W", D, 1), net.parameter("b", 1, 1)
    Y = net.define("Y", X @ W + b)
    net.loss = mean((Y - t) ** 2)
    return lambda torch, W, b, X, t: ((X @ W + b - t) ** 2).mean()


@network(N=4, D=3, B=7)
def size_given_by_keyword(net, N, D, B):
    X, w = net.input("X", N, D), net.parameter("w", D)
    net.loss = total((X @ w) ** 2) / B
    return lambda torch, w, X: ((X @ w) ** 2).sum() / 7


@network(N=4, D=3)
def same_adjoint_twice(net, N, D):
    X, a, b, c = net.input("X", N, D), net.parameter("a", N, D), net.parameter("b", N, D), net.parameter("c", N, D)
    net.loss = total((a + b) ** 2) + total(c * X)
    return lambda torch, a, b, c, X: ((a + b) ** 2).sum() + (c * X).sum()


# ---- normalisation


@network(N=4, D=3)
def layer_norm_array(net, N, D):
    X, R = net.input("X", N, D), net.input("R", N, D)
    W, g, b = net.parameter("W", D, D), net.parameter("g", D), net.parameter("b", D)
    Z = net.define("Z", X @ W)
    U = net.define("U", Z - mean(Z, axis=1, keepdims=True))
    Y = net.define("Y", U / sqrt(mean(U**2, axis=1, keepdims=True) + 1e-5) * g + b)
    net.loss = mean((Y - R) ** 2)
    return layer_norm


def layer_norm(torch, W, g, b, X, R):
    return ((torch.nn.functional.layer_norm(X @ W, (X.shape[1],), g, b) - R) ** 2).mean()


@network(N=4, D=3)
def layer_norm_index(net, N, D):
    X, R = net.input("X", N, D), net.input("R", N, D)
    W, g, b = net.parameter("W", D, D), net.parameter("g", D), net.parameter("b", D)
    n, d = net.indices(n=N, d=D)
    Z = net.define("Z", X @ W)
    mu = net.define("mu", Sum(Z[n, d], d) / D, over=n)
    v = net.define("v", Sum((Z[n, d] - mu[n]) ** 2, d) / D, over=n)
    Y = net.define("Y", g[d] * (Z[n, d] - mu[n]) / sqrt(v[n] + Rational(1, 100000)) + b[d], over=(n, d))
    net.loss = Sum((Y[n, d] - R[n, d]) ** 2, n, d) / (N * D)
    return layer_norm


@network(N=5, D=4, H=3)
def batch_norm(net, N, D, H):
    X, t = net.input("X", N, D), net.input("t", N)
    W, g, b, v = net.parameter("W", D, H), net.parameter("g", H), net.parameter("b", H), net.parameter("v", H)
    Z = net.define("Z", X @ W)
    mu = net.define("mu", mean(Z, axis=0))
    s2 = net.define("s2", mean((Z - mu) ** 2, axis=0))
    A = net.define("A", relu(g * (Z - mu) / sqrt(s2 + 1e-5) + b))
    net.loss = mean((A @ v - t) ** 2)

    def loss(torch, W, g, b, v, X, t):
        Y = torch.nn.functional.batch_norm(X @ W, None, None, g, b, training=True)
        return ((torch.relu(Y) @ v - t) ** 2).mean()
    return loss


@network(N=5, D=4)
def rms_norm_without_names(net, N, D):
    X, g = net.input("X", N, D), net.parameter("g", D)
    n, d, e = net.indices(n=N, d=D, e=D)
    net.loss = Sum((g[d] * X[n, d] * g[d] / sqrt(Sum((g[e] * X[n, e]) ** 2, e) / D + 1)) ** 3, n, d)

    def loss(torch, g, X):
        return ((g * X * g / torch.sqrt(((g * X) ** 2).mean(1, keepdim=True) + 1)) ** 3).sum()
    return loss


# ---- attention, embeddings, pictures


@network(B=2, T=3, E=2, M=4, K=5)
def attention_with_heads(net, B, T, E, M, K):
    X, R = net.input("X", B, T, M), net.input("R", B, T, M)
    Wq, Wk, Wv, Wo = *(net.parameter(name, E, M, K) for name in ("Wq", "Wk", "Wv")), net.parameter("Wo", E, K, M)
    b, t, s, e, m, k = net.indices(b=B, t=T, s=T, e=E, m=M, k=K)
    Q, Kk, V = (net.define(name, Sum(X[b, t, m] * W[e, m, k], m), over=(b, e, t, k))
                for name, W in (("Q", Wq), ("Kk", Wk), ("V", Wv)))
    Z = net.define("Z", Sum(Q[b, e, t, k] * Kk[b, e, s, k], k) / sqrt(K), over=(b, e, t, s))
    A = net.define("A", exp(Z[b, e, t, s]) / Sum(exp(Z[b, e, t, s]), s), over=(b, e, t, s))
    O = net.define("O", Sum(A[b, e, t, s] * V[b, e, s, k], s), over=(b, e, t, k))
    Y = net.define("Y", Sum(O[b, e, t, k] * Wo[e, k, m], e, k), over=(b, t, m))
    net.output(Y, A)
    net.loss = Sum((Y[b, t, m] - R[b, t, m]) ** 2, b, t, m) / (B * T * M)

    def loss(torch, Wq, Wk, Wv, Wo, X, R):
        Q, K, V = (torch.einsum("btm,emk->betk", X, W) for W in (Wq, Wk, Wv))
        O = torch.nn.functional.scaled_dot_product_attention(Q, K, V)
        return ((torch.einsum("betk,ekm->btm", O, Wo) - R) ** 2).mean()
    return loss


@network(B=2, T=3, M=4, K=5)
def attention_array(net, B, T, M, K):
    X, R = net.input("X", B, T, M), net.input("R", B, T, K)
    Wq, Wk, Wv = (net.parameter(name, M, K) for name in ("Wq", "Wk", "Wv"))
    Q, Kk, V = net.define("Q", X @ Wq), net.define("Kk", X @ Wk), net.define("V", X @ Wv)
    A = net.define("A", softmax(Q @ Kk.mT / sqrt(K)))
    net.loss = mean((A @ V - R) ** 2)
    return attention


def attention(torch, Wq, Wk, Wv, X, R):
    return ((torch.nn.functional.scaled_dot_product_attention(X @ Wq, X @ Wk, X @ Wv) - R) ** 2).mean()


@network(B=2, T=3, M=4, K=5)
def attention_index(net, B, T, M, K):
    X, R = net.input("X", B, T, M), net.input("R", B, T, K)
    Wq, Wk, Wv = (net.parameter(name, M, K) for name in ("Wq", "Wk", "Wv"))
    b, t, s, m, k = net.indices(b=B, t=T, s=T, m=M, k=K)
    Q, Kk, V = (net.define(name, Sum(X[b, t, m] * W[m, k], m), over=(b, t, k))
                for name, W in (("Q", Wq), ("Kk", Wk), ("V", Wv)))
    Z = net.define("Z", Sum(Q[b, t, k] * Kk[b, s, k], k) / sqrt(K), over=(b, t, s))
    A = net.define("A", exp(Z[b, t, s]) / Sum(exp(Z[b, t, s]), s), over=(b, t, s))
    net.loss = Sum((Sum(A[b, t, s] * V[b, s, k], s) - R[b, t, k]) ** 2, b, t, k) / (B * T * K)
    return attention


@network(N=5, L=4, V=3, D=2, C=3)
def embedding_bag(net, N, L, V, D, C):
    words, y = net.labels("words", N, L, classes=V), net.labels("y", N, classes=C)
    Emb, W, b = net.parameter("Emb", V, D), net.parameter("W", D, C), net.parameter("b", C)
    n, i, d = net.indices(n=N, i=L, d=D)
    P = net.define("P", Sum(Emb[words[n, i], d], i) / L, over=(n, d))
    Z = net.define("Z", P @ W + b)
    net.output(Z)
    net.loss = mean(cross_entropy(Z, y))

    def loss(torch, Emb, W, b, words, y):
        return torch.nn.functional.cross_entropy(Emb[words].mean(1) @ W + b, y)
    return loss


@network(N=6, V=4, D=3)
def skip_gram(net, N, V, D):
    centre, context = net.labels("centre", N, classes=V), net.labels("context", N, classes=V)
    U, W = net.parameter("U", V, D), net.parameter("W", V, D)
    n, v, d = net.indices(n=N, v=V, d=D)
    Z = net.define("Z", Sum(U[centre[n], d] * W[v, d], d), over=(n, v))
    net.loss = mean(cross_entropy(Z, context))
    return lambda torch, U, W, centre, context: torch.nn.functional.cross_entropy(U[centre] @ W.T, context)


@network(R=7, U=3, V=4, K=2)
def factorised_ratings(net, R, U, V, K):
    user, item, t = net.labels("user", R, classes=U), net.labels("item", R, classes=V), net.input("t", R)
    P, Q = net.parameter("P", U, K), net.parameter("Q", V, K)
    r, k = net.indices(r=R, k=K)
    rating = net.define("rating", Sum(P[user[r], k] * Q[item[r], k], k), over=r)
    net.loss = Sum((rating[r] - t[r]) ** 2, r) / R
    return lambda torch, P, Q, user, item, t: (((P[user] * Q[item]).sum(1) - t) ** 2).mean()


@network(N=5, D=4, H=3, C=2)
def max_over_an_axis(net, N, D, H, C):
    X, y = net.input("X", N, D), net.labels("y", N, classes=C)
    W, b = net.parameter("W", D, H, C), net.parameter("b", H, C)
    n, d, h, c = net.indices(n=N, d=D, h=H, c=C)
    Z = net.define("Z", Sum(X[n, d] * W[d, h, c], d) + b[h, c], over=(n, h, c))
    P = net.define("P", maximum(Z, axis=1))             # maxout
    net.loss = mean(cross_entropy(P, y))

    def loss(torch, W, b, X, y):
        return torch.nn.functional.cross_entropy((torch.einsum("nd,dhc->nhc", X, W) + b).amax(1), y)
    return loss


@network(N=3, L=6)
def moving_average(net, N, L):
    X, w, t = net.input("X", N, L), net.parameter("w", 3), net.input("t", N, L)
    n, i, p = net.indices(n=N, i=L, p=S(3))
    Y = net.define("Y", Sum(padded(X)[n, i + p - 1] * w[p], p), over=(n, i))
    net.loss = Sum((Y[n, i] - t[n, i]) ** 2, n, i)

    def loss(torch, w, X, t):
        return ((torch.nn.functional.conv1d(X[:, None], w[None, None], padding=1)[:, 0] - t) ** 2).sum()
    return loss


@network(T=4, N=3, D=2, H=3)
def tanh_recurrence(net, T, N, D, H):
    X, R = net.input("X", T, N, D), net.input("R", T, N, H)
    W, U, b, h0 = net.parameter("W", D, H), net.parameter("U", H, H), net.parameter("b", H), net.parameter("h0", H)
    t, n, d, j, k = net.indices(t=T, n=N, d=D, j=H, k=H)
    h = net.state("h", T, N, H, initial=h0)
    net.define(h, tanh(Sum(X[t, n, d] * W[d, k], d) + Sum(h[t - 1, n, j] * U[j, k], j) + b[k]), over=(t, n, k))
    net.loss = Sum((h[t, n, k] - R[t, n, k]) ** 2, t, n, k) / (N * T)

    def loss(torch, W, U, b, h0, X, R):
        h, total = h0, 0
        for x, r in zip(X, R, strict=True):
            h = torch.tanh(x @ W + h @ U + b)
            total = total + ((h - r) ** 2).sum()
        return total / (X.shape[0] * X.shape[1])
    return loss


# ---- losses


@network(N=5, D=4, C=3, K=2)
def two_heads_of_labels(net, N, D, C, K):
    X, y, z = net.input("X", N, D), net.labels("y", N, classes=C), net.labels("z", N, classes=K)
    W, V = net.parameter("W", D, C), net.parameter("V", D, K)
    net.loss = mean(cross_entropy(X @ W, y)) + mean(cross_entropy(X @ V, z)) / 2

    def loss(torch, W, V, X, y, z):
        F = torch.nn.functional
        return F.cross_entropy(X @ W, y) + F.cross_entropy(X @ V, z) / 2
    return loss


@network(N=6, D=3)
def huber(net, N, D):
    X, t = net.input("X", N, D), net.input("t", N)
    w, b = net.parameter("w", D), net.parameter("b")
    e = net.define("e", X @ w + b - t)
    [n] = net.indices(n=N)
    net.loss = Sum(Piecewise((e[n] ** 2 / 2, Abs(e[n]) <= 1), (Abs(e[n]) - Rational(1, 2), True)), n) / N
    return lambda torch, w, b, X, t: torch.nn.functional.huber_loss(X @ w + b, t)


@network(N=6, D=3)
def hinge(net, N, D):
    X, t, w = net.input("X", N, D), net.input("t", N), net.parameter("w", D)
    [n] = net.indices(n=N)
    z = net.define("z", X @ w)
    net.loss = Sum(Max(0, 1 - t[n] * z[n]), n) / N
    return lambda torch, w, X, t: torch.relu(1 - t * (X @ w)).mean()


@network(N=5, D=4, C=3)
def l2_regularised(net, N, D, C):
    X, y, lam = net.input("X", N, D), net.labels("y", N, classes=C), net.input("lam")
    W, b = net.parameter("W", D, C), net.parameter("b", C)
    Z = net.define("Z", X @ W + b)
    net.loss = mean(cross_entropy(Z, y)) + lam * total(W**2) / 2 + 0.01 * total(b**2)

    def loss(torch, W, b, X, y, lam):
        return torch.nn.functional.cross_entropy(X @ W + b, y) + lam * (W**2).sum() / 2 + 0.01 * (b**2).sum()
    return loss


@network(N=5, D=4)
def logistic_array(net, N, D):
    X, t, w, b = net.input("X", N, D), net.input("t", N), net.parameter("w", D), net.parameter("b")
    z = net.define("z", X @ w + b)
    net.loss = mean(binary_cross_entropy(z, t))
    return logistic


def logistic(torch, w, b, X, t):
    return torch.nn.functional.binary_cross_entropy_with_logits(X @ w + b, t)


@network(N=5, D=4)
def logistic_index(net, N, D):
    X, t, w, b = net.input("X", N, D), net.input("t", N), net.parameter("w", D), net.parameter("b")
    n, d = net.indices(n=N, d=D)
    p = net.define("p", 1 / (1 + exp(-Sum(X[n, d] * w[d], d) - b)), over=n)
    net.loss = -Sum(t[n] * log(p[n]) + (1 - t[n]) * log(1 - p[n]), n) / N
    return logistic


@network(N=5, D=4, C=3)
def soft_targets(net, N, D, C):
    X, R, W = net.input("X", N, D), net.input("R", N, C), net.parameter("W", D, C)
    P = net.define("P", softmax(X @ W))
    net.output(P)
    net.loss = -mean(total(R * log(P), axis=1))
    return lambda torch, W, X, R: -(R * torch.log_softmax(X @ W, 1)).sum(1).mean()


@network(N=5, D=4, C=3)
def smoothed_labels(net, N, D, C):
    X, y, W = net.input("X", N, D), net.labels("y", N, classes=C), net.parameter("W", D, C)
    Z = net.define("Z", X @ W)
    L = net.define("L", log_softmax(Z))
    n, c = net.indices(n=N, c=C)
    net.loss = -Sum(Rational(9, 10) * L[n, y[n]] + Rational(1, 10) * Sum(L[n, c], c) / C, n) / N
    return lambda torch, W, X, y: torch.nn.functional.cross_entropy(X @ W, y, label_smoothing=0.1)


@network(N=5, D=4, C=3)
def hinge_of_many_classes(net, N, D, C):
    X, y, W = net.input("X", N, D), net.labels("y", N, classes=C), net.parameter("W", D, C)
    n, c = net.indices(n=N, c=C)
    Z = net.define("Z", X @ W)
    net.loss = Sum(Piecewise((relu(1 + Z[n, c] - Z[n, y[n]]), Ne(c, y[n])), (0, True)), n, c) / (N * C)
    return lambda torch, W, X, y: torch.nn.functional.multi_margin_loss(X @ W, y)


@network(N=5, D=4, C=3)
def one_hot_targets(net, N, D, C):
    X, y, W = net.input("X", N, D), net.labels("y", N, classes=C), net.parameter("W", D, C)
    n, c = net.indices(n=N, c=C)
    Z = net.define("Z", X @ W)
    H = net.define("H", KroneckerDelta(c, y[n]) * Z[n, c], over=(n, c))
    net.loss = Sum((Z[n, c] - KroneckerDelta(c, y[n])) ** 2 + H[n, c] ** 3, n, c) / N

    def loss(torch, W, X, y):
        Z, hot = X @ W, torch.nn.functional.one_hot(y, W.shape[1])
        return ((Z - hot) ** 2 + (hot * Z) ** 3).sum() / len(X)
    return loss


@network(N=5, D=4, C=3)
def labels_as_numbers(net, N, D, C):
    X, y, w = net.input("X", N, D), net.labels("y", N, classes=C), net.parameter("w", D)
    [n] = net.indices(n=N)
    z = net.define("z", X @ w)
    net.loss = Sum((z[n] - y[n]) ** 2, n) / N
    return lambda torch, w, X, y: ((X @ w - y) ** 2).mean()


@network(N=5, D=4, C=3)
def focal(net, N, D, C):
    X, y, W = net.input("X", N, D), net.labels("y", N, classes=C), net.parameter("W", D, C)
    [n] = net.indices(n=N)
    L = net.define("L", log_softmax(X @ W))
    net.loss = -Sum((1 - exp(L[n, y[n]])) ** 2 * L[n, y[n]], n) / N

    def loss(torch, W, X, y):
        L = torch.log_softmax(X @ W, 1)[torch.arange(len(X)), y]
        return -((1 - L.exp()) ** 2 * L).mean()
    return loss


@network(N=5, D=4, C=3)
def divergence_of_two_softmaxes(net, N, D, C):
    X, W, V = net.input("X", N, D), net.parameter("W", D, C), net.parameter("V", D, C)
    P, Q = net.define("P", softmax(X @ W)), net.define("Q", softmax(X @ V))
    net.loss = mean(total(P * (log(P) - log(Q)), axis=1))

    def loss(torch, W, V, X):
        P, Q = torch.log_softmax(X @ W, 1), torch.log_softmax(X @ V, 1)
        return torch.nn.functional.kl_div(Q, P, reduction="batchmean", log_target=True)
    return loss


@network(positive=("r", "t"), N=5, D=4)
def negative_binomial(net, N, D):
    X, t, w, r = net.input("X", N, D), net.input("t", N), net.parameter("w", D), net.parameter("r")
    m = net.define("m", exp(X @ w))
    net.loss = mean(loggamma(r) - loggamma(t + r) + (t + r) * log(1 + m / r) - t * log(m / r)) + log(2 * pi * N) / N

    def loss(torch, w, r, X, t):
        m = torch.exp(X @ w)
        nll = torch.lgamma(r) - torch.lgamma(t + r) + (t + r) * torch.log1p(m / r) - t * torch.log(m / r)
        return nll.mean() + torch.log(2 * torch.pi * X.new_tensor(len(X))) / len(X)
    return loss


@network(N=5, D=4, C=3)
def learned_temperature(net, N, D, C):
    X, y = net.input("X", N, D), net.labels("y", N, classes=C)
    W, tau = net.parameter("W", D, C), net.parameter("tau")
    Z = net.define("Z", X @ W)
    net.loss = mean(cross_entropy(Z / exp(tau), y))
    return lambda torch, W, tau, X, y: torch.nn.functional.cross_entropy(X @ W / torch.exp(tau), y)


@network(N=5, D=4, K=3)
def contrastive(net, N, D, K):
    X, Y = net.input("X", N, D), net.input("Y", N, D)
    U, V = net.parameter("U", D, K), net.parameter("V", D, K)
    n, m = net.indices(n=N, m=N)
    A, B = net.define("A", X @ U), net.define("B", Y @ V)
    Z = net.define("Z", A @ B.T)
    net.loss = Sum(log(Sum(exp(Z[n, m]), m)) - Z[n, n], n) / N

    def loss(torch, U, V, X, Y):
        return torch.nn.functional.cross_entropy((X @ U) @ (Y @ V).T, torch.arange(len(X)))
    return loss


@network(N=4, D=3, K=2)
def gaussian_mixture(net, N, D, K):
    X = net.input("X", N, D)
    M, p, s = net.parameter("M", K, D), net.parameter("p", K), net.parameter("s", K)
    n, d, k = net.indices(n=N, d=D, k=K)
    q = net.define("q", Sum((X[n, d] - M[k, d]) ** 2, d), over=(n, k))
    net.loss = log(Sum(exp(p[k]), k)) - Sum(log(Sum(exp(p[k] - q[n, k] * exp(-2 * s[k]) / 2 - D * s[k]), k)), n) / N

    def loss(torch, M, p, s, X):
        q = ((X[:, None] - M) ** 2).sum(2)
        return p.logsumexp(0) - (p - q * torch.exp(-2 * s) / 2 - 3 * s).logsumexp(1).mean()
    return loss


@network(N=5, D=4, K=3)
def cosine_similarity(net, N, D, K):
    X, Y, W = net.input("X", N, D), net.input("Y", N, D), net.parameter("W", D, K)
    A, B = net.define("A", X @ W), net.define("B", Y @ W)
    net.loss = 1 - mean(total(A * B, axis=1) / sqrt(total(A**2, axis=1) * total(B**2, axis=1)))
    return lambda torch, W, X, Y: 1 - torch.nn.functional.cosine_similarity(X @ W, Y @ W).mean()


@network(D=5)
def cosine_of_two_vectors(net, D):
    a, b = net.parameter("a", D), net.parameter("b", D)
    net.loss = 1 - total(a * b) / (sqrt(total(a**2)) * sqrt(total(b**2)))
    return lambda torch, a, b: 1 - torch.nn.functional.cosine_similarity(a, b, dim=0)


@network(N=4, D=3)
def dice(net, N, D):
    X, t, w = net.input("X", N, D), net.input("t", N), net.parameter("w", D)
    p = net.define("p", sigmoid(X @ w))
    net.loss = 1 - (2 * total(p * t) + 1) / (total(p) + total(t**2) + 1)

    def loss(torch, w, X, t):
        p = torch.sigmoid(X @ w)
        return 1 - (2 * (p * t).sum() + 1) / (p.sum() + (t**2).sum() + 1)
    return loss


@network(N=4, D=3, K=2)
def triplet(net, N, D, K):
    A, P, Q, W = net.input("A", N, D), net.input("P", N, D), net.input("Q", N, D), net.parameter("W", D, K)
    near = net.define("near", total((A @ W - P @ W) ** 2, axis=1))
    far = net.define("far", total((A @ W - Q @ W) ** 2, axis=1))
    net.loss = mean(relu(near - far + 1))

    def loss(torch, W, A, P, Q):
        return torch.relu(((A @ W - P @ W) ** 2).sum(1) - ((A @ W - Q @ W) ** 2).sum(1) + 1).mean()
    return loss


@network(N=4, D=3)
def worst_example(net, N, D):
    X, t, w = net.input("X", N, D), net.input("t", N), net.parameter("w", D)
    [n] = net.indices(n=N)
    e = net.define("e", X @ w - t)
    net.loss = Maximum(Abs(e[n]), n) + LogSumExp(e[n], n) + logsumexp(w)

    def loss(torch, w, X, t):
        e = X @ w - t
        return e.abs().amax() + e.logsumexp(0) + w.logsumexp(0)
    return loss


# ---- shapes of products


@network(M=4, K=3)
def outer_product(net, M, K):
    u, v, R = net.parameter("u", M), net.parameter("v", K), net.input("R", M, K)
    i, j = net.indices(i=M, j=K)
    Z = net.define("Z", u[i] * v[j], over=(i, j))
    net.loss = Sum((Z[i, j] - R[i, j]) ** 2, i, j) / 2
    return lambda torch, u, v, R: ((torch.outer(u, v) - R) ** 2).sum() / 2


@network(D=4)
def quadratic_form(net, D):
    x, A, b = net.parameter("x", D), net.parameter("A", D, D), net.parameter("b", D)
    net.loss = x @ A @ x / 2 - b @ x
    return lambda torch, x, A, b: x @ A @ x / 2 - b @ x


@network(N=5, D=4, K=3)
def bilinear_scores(net, N, D, K):
    X, Y, t, A = net.input("X", N, D), net.input("Y", N, K), net.input("t", N), net.parameter("A", D, K)
    n, d, k = net.indices(n=N, d=D, k=K)
    s = net.define("s", Sum(X[n, d] * A[d, k] * Y[n, k], d, k), over=n)
    net.loss = Sum((s[n] - t[n]) ** 2, n)
    return lambda torch, A, X, Y, t: (((X @ A) * Y).sum(1) - t).pow(2).sum()


@network(N=3, D=4)
def gram_matrix(net, N, D):
    W = net.parameter("W", N, D)
    G = net.define("G", W @ W.T)
    [n] = net.indices(n=N)
    net.loss = Sum(G[n, n] ** 2, n) + mean(G)
    return lambda torch, W: ((W @ W.T).diagonal() ** 2).sum() + (W @ W.T).mean()


@network(N=4, D=3)
def running_totals(net, N, D):
    X, w = net.input("X", N, D), net.parameter("w", D)
    n, d, e = net.indices(n=N, d=D, e=D)
    C = net.define("C", Sum(X[n, e] * w[e], (e, 0, d)), over=(n, d))
    net.loss = Sum(C[n, d] ** 2, n, d)
    return lambda torch, w, X: ((X * w).cumsum(1) ** 2).sum()


@network(N=4, D=3, H=2)
def kernel_between_rows(net, N, D, H):
    X, W = net.input("X", N, D), net.parameter("W", D, H)
    n, m, h = net.indices(n=N, m=N, h=H)
    Z = net.define("Z", X @ W)
    K = net.define("K", exp(-Sum((Z[n, h] - Z[m, h]) ** 2, h) / 2), over=(n, m))
    net.loss = mean(K) + mean(Max(Z, 2 * Z**2)) + mean(Min(Max(Z, -1), 1))

    def loss(torch, W, X):
        Z = X @ W
        K = torch.exp(-((Z[:, None] - Z) ** 2).sum(2) / 2)
        return K.mean() + torch.maximum(Z, 2 * Z**2).mean() + Z.clamp(-1, 1).mean()
    return loss


@network(N=4, T=3, D=2)
def positions_as_values(net, N, T, D):
    X, w, a = net.input("X", N, T, D), net.parameter("w", D), net.parameter("a")
    n, t, d = net.indices(n=N, t=T, d=D)
    s = net.define("s", Sum((X[n, t, d] + sin(a * t / 10)) * w[d], d) * t, over=(n, t))
    net.loss = Sum(s[n, t] ** 2, n, t) / (N * T)

    def loss(torch, w, a, X):
        t = torch.arange(X.shape[1], dtype=X.dtype)
        return ((((X + torch.sin(a * t / 10)[:, None]) @ w) * t) ** 2).mean()
    return loss


@network(N=6, D=3)
def rows_reversed_and_shifted(net, N, D):
    X, w, v = net.input("X", N, D), net.parameter("w", D), net.parameter("v", N)
    n, m = net.indices(n=N, m=N - 1)
    z = net.define("z", X @ w)
    net.loss = Sum(z[N - 1 - n] * v[n], n) + Sum((z[m + 1] - z[m]) ** 2, m) + v[0] * z[N - 1]
    return lambda torch, w, v, X: (
        ((X @ w).flip(0) * v).sum() + (torch.diff(X @ w) ** 2).sum() + v[0] * (X @ w)[-1])


@network(N=4, D=3, K=2, positive=("s",))
def logarithms_and_roots(net, N, D, K):
    X, s, W = net.input("X", N, D), net.parameter("s", D), net.parameter("W", D, K)
    Z = net.define("Z", (X * sqrt(s)) @ W)
    net.loss = mean(log(1 + Z**2)) + total(s ** Rational(3, 2)) + total(log(s)) + total(s**pi)

    def loss(torch, s, W, X):
        return torch.log(1 + ((X * torch.sqrt(s)) @ W) ** 2).mean() + (s**1.5 + torch.log(s) + s**torch.pi).sum()
    return loss
