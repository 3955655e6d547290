"""Backprop as in seminars on images: normalisation, convolution, pooling, codes of images contrasted."""

import numpy as np
from sympy import Sum, sqrt

from derive import Network, padded, total
from tests.coursework.editing import shipped
from tests.coursework.projects import log_sum_exp

# ---- batch normalisation of images, a step at a time


def normalised_images():
    net = Network("normalised_images")
    N, C, U, V = net.sizes("N C U V")
    x, gamma, beta = net.parameter("x", N, C, U, V), net.parameter("gamma", C), net.parameter("beta", C)
    dout = net.input("dout", N, C, U, V)
    n, c, u, v = net.indices(n=N, c=C, u=U, v=V)
    mu = net.define("mu", Sum(x[n, c, u, v], n, u, v) / (N * U * V), over=c)
    xc = net.define("xc", x[n, c, u, v] - mu[c], over=(n, c, u, v))
    var = net.define("var", Sum(xc[n, c, u, v] ** 2, n, u, v) / (N * U * V), over=c)
    y = net.define("Y", gamma[c] * xc[n, c, u, v] / sqrt(var[c] + 1e-3) + beta[c], over=(n, c, u, v))
    net.loss = Sum(dout[n, c, u, v] * y[n, c, u, v], n, c, u, v)
    return net


def spatial_steps(x, gamma, beta, dout):
    N, C, H, W = x.shape
    flat = x.transpose(0, 2, 3, 1).reshape(-1, C)
    m = flat.shape[0]
    mu = 1.0 / m * np.sum(flat, axis=0)
    xmu = flat - mu
    sqrtvar = np.sqrt(1.0 / m * np.sum(xmu**2, axis=0) + 1e-3)
    ivar = 1.0 / sqrtvar
    xhat = xmu * ivar
    out = gamma * xhat + beta
    up = dout.transpose(0, 2, 3, 1).reshape(-1, C)
    dbeta, dgamma = np.sum(up, axis=0), np.sum(up * xhat, axis=0)
    dxhat = up * gamma
    divar = np.sum(dxhat * xmu, axis=0)
    dxmu1 = dxhat * ivar
    dsqrtvar = -1.0 / sqrtvar**2 * divar
    dvar = 0.5 * dsqrtvar / sqrtvar
    dsq = 1.0 / m * np.ones((m, C)) * dvar
    dxmu2 = 2 * xmu * dsq
    dx1 = dxmu1 + dxmu2
    dmu = -1 * np.sum(dxmu1 + dxmu2, axis=0)
    dx2 = 1.0 / m * np.ones((m, C)) * dmu
    dx = (dx1 + dx2).reshape(N, H, W, C).transpose(0, 3, 1, 2)
    return np.sum(up * out), dx, dgamma, dbeta


# ---- a convolution by columns of patches


def patches():
    net = Network("patches")
    N, C, U, V, F, K, S = net.sizes("N C U V F K S")
    P = net.size("P", least=0)
    A, B = net.size("A", (U + 2 * P - K) // S + 1), net.size("B", (V + 2 * P - K) // S + 1)
    x, w, b = net.parameter("x", N, C, U, V), net.parameter("w", F, C, K, K), net.parameter("b", F)
    dout = net.input("dout", N, F, A, B)
    n, c, f, i, j, p, q = net.indices(n=N, c=C, f=F, i=A, j=B, p=K, q=K)
    y = net.define("y", Sum(w[f, c, p, q] * padded(x)[n, c, S * i + p - P, S * j + q - P], c, p, q) + b[f],
                   over=(n, f, i, j))
    net.loss = total(dout * y)
    return net


def by_columns(x, w, b, dout, S, P):
    N, C, U, V = x.shape
    F, _, K, _ = w.shape
    A, B = (U + 2 * P - K) // S + 1, (V + 2 * P - K) // S + 1
    padded_x = np.pad(x, ((0, 0), (0, 0), (P, P), (P, P)))
    col = np.zeros((N, C, K, K, A, B))
    for p in range(K):
        for q in range(K):
            col[:, :, p, q] = padded_x[:, :, p:p + S * A:S, q:q + S * B:S][:, :, :A, :B]
    col = col.transpose(0, 4, 5, 1, 2, 3).reshape(N * A * B, -1)
    out = (col @ w.reshape(F, -1).T + b).reshape(N, A, B, F).transpose(0, 3, 1, 2)
    d = dout.transpose(0, 2, 3, 1).reshape(-1, F)
    dw = (d.T @ col).reshape(w.shape)
    dcol = (d @ w.reshape(F, -1)).reshape(N, A, B, C, K, K).transpose(0, 3, 4, 5, 1, 2)
    dx = np.zeros(padded_x.shape)
    for p in range(K):
        for q in range(K):
            dx[:, :, p:p + S * (A - 1) + 1:S, q:q + S * (B - 1) + 1:S] += dcol[:, :, p, q]
    return np.sum(out * dout), dx[:, :, P:P + U, P:P + V], dw, d.sum(axis=0)


# ---- max-pooling, a window at a time


def windows(x, Y, K, S):
    N, C, U, V = x.shape
    dx, loss = np.zeros(x.shape), 0.0
    for n in range(N):
        for c in range(C):
            for i in range(Y.shape[2]):
                for j in range(Y.shape[3]):
                    window = x[n, c, i * S:i * S + K, j * S:j * S + K]
                    p, q = np.unravel_index(window.argmax(), window.shape)
                    diff = window[p, q] - Y[n, c, i, j]
                    loss += 0.5 * diff**2 / Y.size
                    dx[n, c, i * S + p, j * S + q] += diff / Y.size
    return loss, dx


# ---- cosines of codes, contrasted with those of the other rows


def contrast(V, W, X, Y, tau):
    N = len(X)
    P, Q = X @ V, Y @ W
    p, q = np.linalg.norm(P, axis=1, keepdims=True), np.linalg.norm(Q, axis=1, keepdims=True)
    A, B = P / p, Q / q
    S = A @ B.T / tau
    log_p = S - log_sum_exp(S, axis=1)[:, None]
    G = (np.exp(log_p) - np.eye(N)) / N / tau
    dA, dB = G @ B, G.T @ A
    dP = (dA - A * np.sum(A * dA, axis=1, keepdims=True)) / p
    dQ = (dB - B * np.sum(B * dB, axis=1, keepdims=True)) / q
    return -np.trace(log_p) / N, X.T @ dP, Y.T @ dQ


max_pooling, info_nce = shipped("max_pooling"), shipped("info_nce")

RIGHT = [
    (normalised_images, spatial_steps), (patches, by_columns), (max_pooling, windows), (info_nce, contrast),
]
WRONG = [           # network, function, edits, what a good diagnosis says
    (normalised_images, spatial_steps, [("up = dout.transpose(0, 2, 3, 1).reshape(-1, C)", "up = dout.reshape(-1, C)")],
     "reshaped|transposed|axes|exchanged"),
    (normalised_images, spatial_steps, [(".reshape(N, H, W, C).transpose(0, 3, 1, 2)", ".reshape(N, C, H, W)")],
     "dx.*(reshaped|transposed|axes|exchanged)"),
    (normalised_images, spatial_steps, [("dsq = 1.0 / m *", "dsq = 1.0 / N *")], "U|V"),
    (normalised_images, spatial_steps, [("dxmu2 = 2 * xmu", "dxmu2 = xmu")], "2|half"),
    (normalised_images, spatial_steps, [("dmu = -1 * np.sum(dxmu1 + dxmu2", "dmu = np.sum(dxmu1 + dxmu2")],
     "dmu.*sign"),
    (normalised_images, spatial_steps, [("np.sum(dxhat * xmu, axis=0)", "np.sum(dxhat * xhat, axis=0)")],
     "dvar|factor|power|missing"),
    (patches, by_columns, [("[:, :, p, q]\n    return", "[:, :, p, q]\n    dx = dx[:, :, ::-1, ::-1]\n    return")],
     "dx.*turned round"),
    (patches, by_columns, [("] += dcol[:, :, p, q]", "] = dcol[:, :, p, q]")], "dx.*overwritten"),
    (patches, by_columns, [("dx[:, :, P:P + U, P:P + V]", "dx[:, :, P:-P, P:-P]")], "-p|P = 0|shape|empty"),
    (patches, by_columns, [("d = dout.transpose(0, 2, 3, 1).reshape(-1, F)", "d = dout.reshape(-1, F)")],
     "reshaped|transposed|exchanged"),
    (patches, by_columns, [("d.sum(axis=0)", "d.mean(axis=0)")], "db.*mean"),
    (patches, by_columns, [
        ("dx[:, :, p:p + S * (A - 1) + 1:S, q:q + S * (B - 1) + 1:S]", "dx[:, :, p:p + A, q:q + B]")],
     "stride|S"),
    (max_pooling, windows, [("+ q] += diff", "+ q] = diff")], "overwritten"),
    (max_pooling, windows, [("i * S + p, j * S + q]", "i * S + q, j * S + p]")], "dx.*(transposed|exchanged|place)"),
    (max_pooling, windows, [("i * S + p, j * S + q]", "i * K + p, j * K + q]")], "stride|S|K|place|fail"),
    (info_nce, contrast, [("(dA - A * np.sum(A * dA, axis=1, keepdims=True)) / p", "dA / p")], "dP.*missing|dp"),
    (info_nce, contrast, [("A * np.sum(A * dA, axis=1, keepdims=True)", "P * np.sum(A * dA, axis=1, keepdims=True)")],
     "dP|dp|p"),
    (info_nce, contrast, [("dA, dB = G @ B, G.T @ A", "dA, dB = G @ B, G @ A")], "dB.*(transposed|exchanged)"),
    (info_nce, contrast, [("G.T @ A", "G.T @ P")], "P is read|A"),
]
UNKNOWN: list = []        # every edit is named
