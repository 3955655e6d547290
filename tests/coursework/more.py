"""More coursework, in other styles and with other mistakes: what it should compute stands before it."""

import numpy as np
from sympy import Sum, exp, log, sqrt, tanh

from derive import Network, cross_entropy, mean, relu, sigmoid, softmax, total


def sigma(z):
    return 1 / (1 + np.exp(-z))


# ---- a correlation of signals, its gradient by np.convolve


def correlation():
    net = Network("correlation")
    U, K = net.sizes("U K")
    A = net.size("A", U - K + 1)
    x, w, dout = net.parameter("x", U), net.parameter("w", K), net.input("dout", A)
    a, k = net.indices(a=A, k=K)
    y = net.define("y", Sum(x[a + k] * w[k], k), over=a)
    net.loss = total(dout * y)
    return net


def correlate(x, w, dout):
    y = np.correlate(x, w, "valid")
    return float(dout @ y), {"x": np.convolve(dout, w), "w": np.correlate(x, dout, "valid")}


def correlate_flipped(x, w, dout):
    """The kernel should be turned round, and np.convolve does that already."""
    return {"x": np.convolve(dout, w[::-1]), "w": np.correlate(x, dout, "valid")}


# ---- a gated recurrent unit's step


def gru_step():
    net = Network("gru_step")
    N, H = net.sizes("N H")
    h, Ur, Uz, Un = (net.parameter(name, *shape) for name, shape in (
        ("h", (N, H)), ("Ur", (H, H)), ("Uz", (H, H)), ("Un", (H, H))))
    x, dout = net.input("x", N, H), net.input("dout", N, H)
    r, z = net.define("r", sigmoid(x + h @ Ur)), net.define("z", sigmoid(x + h @ Uz))
    n = net.define("n", tanh(x + (r * h) @ Un))
    net.loss = total(dout * net.define("g", (1 - z) * n + z * h))
    return net


def gru(h, Ur, Uz, Un, x, dout, reset=True, through=True):
    r, z = sigma(x + h @ Ur), sigma(x + h @ Uz)
    n = np.tanh(x + (r * h) @ Un)
    dn = dout * (1 - z) * (1 - n**2)
    dz = dout * (h - n) * z * (1 - z)
    drh = dn @ Un.T
    dr = drh * h * r * (1 - r)
    dh = dout * z + dr @ Ur.T + dz @ Uz.T + (drh * r if through else 0)
    return {"h": dh, "Ur": h.T @ dr, "Uz": h.T @ dz, "Un": ((r * h) if reset else h).T @ dn}


def gru_no_reset(*given):
    return gru(*given, reset=False)


def gru_not_through(*given):
    return gru(*given, through=False)


# ---- an autoencoder with tied weights


def tied():
    net = Network("tied")
    N, D, H = net.sizes("N D H")
    W, X = net.parameter("W", D, H), net.input("X", N, D)
    C = net.define("C", tanh(X @ W))
    net.loss = mean((net.define("R", C @ W.T) - X) ** 2) / 2
    return net


def tied_weights(W, X, decoder=True):
    C = np.tanh(X @ W)
    dR = (C @ W.T - X) / X.size
    dW = X.T @ (dR @ W * (1 - C**2))
    return np.mean((C @ W.T - X) ** 2) / 2, dW + (dR.T @ C if decoder else 0)


def tied_encoder_only(W, X):
    return tied_weights(W, X, decoder=False)


# ---- a temporal softmax with a mask


def temporal():
    net = Network("temporal")
    N, T, V = net.sizes("N T V")
    x, y = net.parameter("x", N, T, V), net.labels("y", N, T, classes=V)
    mask = net.input("mask", N, T, note="1 where a word counts, else 0")
    net.loss = total(mask * cross_entropy(x, y)) / N
    return net


def temporal_softmax(x, y, mask, masked=True, divided=True):
    N, T, V = x.shape
    flat = x.reshape(N * T, V)
    p = np.exp(flat - flat.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.sum(mask.ravel() * np.log(p[np.arange(N * T), y.ravel()])) / N
    p[np.arange(N * T), y.ravel()] -= 1
    p /= N if divided else N * T
    if masked:
        p *= mask.reshape(-1, 1)
    return loss, p.reshape(N, T, V)


def temporal_unmasked(x, y, mask):
    return temporal_softmax(x, y, mask, masked=False)


def temporal_over_steps(x, y, mask):
    return temporal_softmax(x, y, mask, divided=False)


# ---- a residual block


def residual():
    net = Network("residual")
    N, D, H = net.sizes("N D H")
    x, W, V = net.parameter("x", N, D), net.parameter("W", D, H), net.parameter("V", H, D)
    dout = net.input("dout", N, D)
    net.loss = total(dout * net.define("y", x + net.define("a", relu(x @ W)) @ V))
    return net


def residual_block(x, W, V, dout, skip=True):
    a = np.maximum(x @ W, 0)
    da = dout @ V.T
    da[a <= 0] = 0
    return {"x": da @ W.T + (dout if skip else 0), "W": x.T @ da, "V": a.T @ dout}


def residual_no_skip(*given):
    return residual_block(*given, skip=False)


# ---- batch normalisation of images


def spatial():
    net = Network("spatial")
    N, C, H, W = net.sizes("N C H W")
    x, gamma, beta = net.parameter("x", N, C, H, W), net.parameter("gamma", C), net.parameter("beta", C)
    dout, eps = net.input("dout", N, C, H, W), net.input("eps", note="small, positive")
    n, c, h, w = net.indices(n=N, c=C, h=H, w=W)
    mu = net.define("mu", Sum(x[n, c, h, w], n, h, w) / (N * H * W), over=c)
    var = net.define("var", Sum((x[n, c, h, w] - mu[c]) ** 2, n, h, w) / (N * H * W), over=c)
    u = net.define("u", (x[n, c, h, w] - mu[c]) / sqrt(var[c] + eps), over=(n, c, h, w))
    y = net.define("y", gamma[c] * u[n, c, h, w] + beta[c], over=(n, c, h, w))
    net.loss = Sum(dout[n, c, h, w] * y[n, c, h, w], n, c, h, w)
    return net


def spatial_norm(x, gamma, beta, dout, eps, axes=(0, 2, 3)):
    mu, var = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
    u = (x - mu) / np.sqrt(var + eps)
    du = dout * gamma[:, None, None]
    dx = (du - du.mean(axis=axes, keepdims=True) - u * (du * u).mean(axis=axes, keepdims=True)) / np.sqrt(var + eps)
    return {"x": dx, "gamma": (dout * u).sum(axis=(0, 2, 3)), "beta": dout.sum(axis=(0, 2, 3))}


def spatial_over_batch(*given):
    """Means over the batch only."""
    return spatial_norm(*given, axes=(0,))


# ---- a softmax layer by its Jacobian, then a cross-entropy by itself


def probabilities():
    net = Network("probabilities")
    N, C = net.sizes("N C")
    z, y = net.parameter("z", N, C), net.labels("y", N, classes=C)
    n, c = net.indices(n=N, c=C)
    p = net.define("p", softmax(z))
    net.loss = -Sum(log(p[n, y[n]]), n) / N
    return net


def jacobians(z, y, off_diagonal=True):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.mean(np.log(p[np.arange(len(y)), y]))
    dp = np.zeros_like(p)
    dp[np.arange(len(y)), y] = -1 / p[np.arange(len(y)), y] / len(y)
    dz = np.empty_like(z)
    for k, (row, drow) in enumerate(zip(p, dp, strict=True)):
        jacobian = np.diagflat(row) - np.outer(row, row) if off_diagonal else np.diagflat(row * (1 - row))
        dz[k] = jacobian @ drow
    return loss, dz


def jacobians_diagonal(z, y):
    return jacobians(z, y, off_diagonal=False)


# ---- a variational bound's second term


def divergence():
    net = Network("divergence")
    N, K = net.sizes("N K")
    m, s = net.parameter("m", N, K), net.parameter("s", N, K)
    net.loss = total(exp(s) + m**2 - 1 - s) / 2 / N
    return net


def normal_divergence(m, s):
    return np.sum(np.exp(s) + m**2 - 1 - s) / 2 / len(m), m / len(m), (np.exp(s) - 1) / 2 / len(m)


def normal_divergence_no_one(m, s):
    return np.sum(np.exp(s) + m**2 - 1 - s) / 2 / len(m), m / len(m), np.exp(s) / 2 / len(m)


def normal_divergence_twice(m, s):
    return np.sum(np.exp(s) + m**2 - 1 - s) / 2 / len(m), 2 * m / len(m), (np.exp(s) - 1) / 2 / len(m)
