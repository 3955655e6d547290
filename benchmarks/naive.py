"""Backprop by hand as a good tutorial writes it: right, stable, plain, nothing tuned.

A function for each workload takes the arguments and returns the loss and the gradients by name, or the Hessian.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def perceptron(y, X, **weights):
    """Relu layers, softmax cross-entropy."""
    depth, N = len(weights) // 2, len(X)
    A = [X]
    for k in range(1, depth + 1):
        Z = A[-1] @ weights[f"W{k}"] + weights[f"b{k}"]
        A.append(np.maximum(Z, 0) if k < depth else Z)
    Z = A.pop()
    P = np.exp(Z - Z.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    loss = -np.mean(np.log(P[np.arange(N), y]))
    dZ = P
    dZ[np.arange(N), y] -= 1
    dZ /= N
    grads = {}
    for k in range(depth, 0, -1):
        grads[f"W{k}"], grads[f"b{k}"] = A[k - 1].T @ dZ, dZ.sum(axis=0)
        if k > 1:
            dZ = (dZ @ weights[f"W{k}"].T) * (A[k - 1] > 0)
    return loss, grads


def _normalised(x, g, b):
    xhat = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
    return g * xhat + b, xhat


def _normalised_back(dy, x, xhat, g):
    axes = tuple(range(x.ndim - 1))
    dg, db = (dy * xhat).sum(axis=axes), dy.sum(axis=axes)
    dxhat = dy * g
    root = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
    dx = (dxhat - dxhat.mean(axis=-1, keepdims=True) - xhat * (dxhat * xhat).mean(axis=-1, keepdims=True)) / root
    return dx, dg, db


ROOT = 0.7978845608028654       # sqrt(2/pi), a Python float, which keeps float32 in float32


def _gelu(u):
    return 0.5 * u * (1 + np.tanh(ROOT * (u + 0.044715 * u**3)))


def _gelu_slope(u):
    t = np.tanh(ROOT * (u + 0.044715 * u**3))
    return 0.5 * (1 + t) + 0.5 * u * (1 - t**2) * ROOT * (1 + 3 * 0.044715 * u**2)


def attention(g1, b1, Wa, ba, Wo, bo, g2, b2, W3, b3, W4, b4, X, Y):
    """A transformer block of one causal head, normalising first."""
    N, T, D = X.shape
    A1, A1hat = _normalised(X, g1, b1)
    B = (A1 @ Wa.reshape(D, -1)).reshape(N, T, 3, D) + ba
    Q, K, V = B[:, :, 0], B[:, :, 1], B[:, :, 2]
    S = Q @ K.transpose(0, 2, 1) / D**0.5
    S = np.where(np.tril(np.ones((T, T), bool)), S, -np.inf)
    P = np.exp(S - S.max(axis=-1, keepdims=True))
    P /= P.sum(axis=-1, keepdims=True)
    O = P @ V
    R = X + O @ Wo + bo
    A2, A2hat = _normalised(R, g2, b2)
    U = A2 @ W3 + b3
    F = _gelu(U)
    Z = R + F @ W4 + b4
    loss = 0.5 * np.mean((Z - Y) ** 2)

    dZ = (Z - Y) / Z.size
    dW4, db4 = np.tensordot(F, dZ, ([0, 1], [0, 1])), dZ.sum(axis=(0, 1))
    dU = (dZ @ W4.T) * _gelu_slope(U)
    dW3, db3 = np.tensordot(A2, dU, ([0, 1], [0, 1])), dU.sum(axis=(0, 1))
    dR, dg2, db2 = _normalised_back(dU @ W3.T, R, A2hat, g2)
    dR += dZ
    dWo, dbo = np.tensordot(O, dR, ([0, 1], [0, 1])), dR.sum(axis=(0, 1))
    dO = dR @ Wo.T
    dV, dP = P.transpose(0, 2, 1) @ dO, dO @ V.transpose(0, 2, 1)
    dS = P * (dP - (dP * P).sum(axis=-1, keepdims=True)) / D**0.5
    dB = np.stack([dS @ K, dS.transpose(0, 2, 1) @ Q, dV], axis=2)
    dWa, dba = np.tensordot(A1, dB, ([0, 1], [0, 1])), dB.sum(axis=(0, 1))
    _, dg1, db1 = _normalised_back(dB.reshape(N, T, -1) @ Wa.reshape(D, -1).T, X, A1hat, g1)
    return loss, {"g1": dg1, "b1": db1, "Wa": dWa, "ba": dba, "Wo": dWo, "bo": dbo, "g2": dg2, "b2": db2, "W3": dW3,
                  "b3": db3, "W4": dW4, "b4": db4}


def rnn(W, U, b, X, Y):
    """A tanh recurrence."""
    T, N, K = Y.shape
    h = np.zeros((T + 1, N, K), X.dtype)
    for t in range(T):
        h[t + 1] = np.tanh(X[t] @ W + h[t] @ U + b)
    loss = 0.5 * np.mean((h[1:] - Y) ** 2)
    dW, dU, db, dnext = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b), np.zeros_like(h[0])
    for t in reversed(range(T)):
        dz = ((h[t + 1] - Y[t]) / Y.size + dnext) * (1 - h[t + 1] ** 2)
        dW += X[t].T @ dz
        dU += h[t].T @ dz
        db += dz.sum(axis=0)
        dnext = dz @ U.T
    return loss, {"W": dW, "U": dU, "b": db}


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


def lstm(W, U, b, X, Y):
    """Long short-term memory."""
    T, N, K = Y.shape
    W2, U2, b2 = W.reshape(len(W), -1), U.reshape(len(U), -1), b.reshape(-1)
    h, c = np.zeros((T + 1, N, K), X.dtype), np.zeros((T + 1, N, K), X.dtype)
    gates = []
    for t in range(T):
        z = X[t] @ W2 + h[t] @ U2 + b2
        i, f, g, o = _sigmoid(z[:, :K]), _sigmoid(z[:, K:2 * K]), np.tanh(z[:, 2 * K:3 * K]), _sigmoid(z[:, 3 * K:])
        c[t + 1] = f * c[t] + i * g
        h[t + 1] = o * np.tanh(c[t + 1])
        gates.append((i, f, g, o))
    loss = 0.5 * np.mean((h[1:] - Y) ** 2)
    dW, dU, db = np.zeros_like(W2), np.zeros_like(U2), np.zeros_like(b2)
    dh, dc = np.zeros_like(h[0]), np.zeros_like(h[0])
    for t in reversed(range(T)):
        i, f, g, o = gates[t]
        tanh_c = np.tanh(c[t + 1])
        dh = dh + (h[t + 1] - Y[t]) / Y.size
        dc = dc + dh * o * (1 - tanh_c**2)
        dz = np.concatenate([dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2),
                             dh * tanh_c * o * (1 - o)], axis=1)
        dW += X[t].T @ dz
        dU += h[t].T @ dz
        db += dz.sum(axis=0)
        dh, dc = dz @ U2.T, dc * f
    return loss, {"W": dW.reshape(W.shape), "U": dU.reshape(U.shape), "b": db.reshape(b.shape)}


def convolution(w, b, W, c2, x, y):
    """A 3 x 3 same convolution, relu, 2 x 2 max-pooling, a dense layer, softmax cross-entropy."""
    N, _, U, V = x.shape
    F, A, B = len(w), U // 2, V // 2
    windows = sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))
    Z = np.tensordot(windows, w, axes=([1, 4, 5], [1, 2, 3])).transpose(0, 3, 1, 2) + b[:, None, None]
    R = np.maximum(Z, 0)
    blocks = R.reshape(N, F, A, 2, B, 2).transpose(0, 1, 2, 4, 3, 5).reshape(N, F, A, B, 4)
    first = blocks.argmax(axis=-1)[..., None]
    M = np.take_along_axis(blocks, first, axis=-1)[..., 0]
    z = M.reshape(N, -1) @ W.reshape(-1, len(c2)) + c2
    P = np.exp(z - z.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    loss = -np.mean(np.log(P[np.arange(N), y]))
    P[np.arange(N), y] -= 1
    dz = P / N
    dM = (dz @ W.reshape(-1, len(c2)).T).reshape(M.shape)
    dblocks = np.zeros_like(blocks)
    np.put_along_axis(dblocks, first, dM[..., None], axis=-1)
    dZ = dblocks.reshape(N, F, A, B, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(R.shape) * (R > 0)
    dw = np.tensordot(dZ, windows, axes=([0, 2, 3], [0, 2, 3]))
    dW = (M.reshape(N, -1).T @ dz).reshape(W.shape)
    return loss, {"w": dw, "b": dZ.sum(axis=(0, 2, 3)), "W": dW, "c2": dz.sum(axis=0)}


def _logistic_parts(w, X, y):
    z = X @ w
    loss = np.mean(np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z))))
    return loss, _sigmoid(z)


def logistic(w, X, y):
    """Logistic regression."""
    loss, p = _logistic_parts(w, X, y)
    return loss, {"w": X.T @ (p - y) / len(y)}


def logistic_hessian(w, X, y):
    """The Hessian of logistic regression."""
    p = _sigmoid(X @ w)
    return X.T @ ((p * (1 - p) / len(y))[:, None] * X), {}


def elementwise(x, s, b, gamma, beta, Y):
    """A chain of elementwise functions and a layer normalisation."""
    u = x * s + b
    g = _gelu(u)
    p = np.logaddexp(0, g)
    z, h = _normalised(p, gamma, beta)
    loss = 0.5 * np.mean((z - Y) ** 2)
    dp, dgamma, dbeta = _normalised_back((z - Y) / Y.size, p, h, gamma)
    du = dp * _sigmoid(g) * _gelu_slope(u)
    return loss, {"x": du * s, "s": (du * x).sum(axis=0), "b": du.sum(axis=0), "gamma": dgamma, "beta": dbeta}


def tiny(W1, b1, W2, b2, x, y):
    """Two relu layers on one example."""
    z1 = x @ W1 + b1
    r1 = np.maximum(z1, 0)
    z2 = r1 @ W2 + b2
    r2 = np.maximum(z2, 0)
    e = r2 - y
    loss = 0.5 * np.sum(e**2)
    dz2 = e * (z2 > 0)
    dz1 = (W2 @ dz2) * (z1 > 0)
    return loss, {"W1": np.outer(x, dz1), "b1": dz1, "W2": np.outer(r1, dz2), "b2": dz2}


def factorisation_hessian(U, V, T, Omega):
    """The Hessian of matrix factorisation by U, an array (M, K, M, K)."""
    M, K = U.shape
    H = np.zeros((M, K, M, K), U.dtype)
    for m in range(M):
        H[m, :, m, :] = V.T @ (Omega[m][:, None] * V)
    return H, {}


def deep_hessian(W, X, y, **fixed):
    """The Hessian of a deep perceptron by its last layer, an array (D, D, D, D)."""
    A = X
    for k in range(1, len(fixed) + 1):
        A = np.maximum(A @ fixed[f"V{k}"], 0)
    Z = A @ W
    P = np.exp(Z - Z.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    C = (np.eye(P.shape[1], dtype=P.dtype) * P[:, None, :] - P[:, :, None] * P[:, None, :]) / len(X)
    return np.einsum("na,ncd,nb->acbd", A, C, A, optimize=True), {}


FUNCTIONS = {
    "mlp": perceptron, "mlp_large": perceptron, "attention": attention, "rnn": rnn, "lstm": lstm,
    "convolution": convolution, "logistic": logistic, "logistic_hessian": logistic_hessian, "elementwise": elementwise,
    "tiny": tiny, "laue_logistic": logistic_hessian, "laue_factorisation": factorisation_hessian,
    "laue_deep": deep_hessian,
}
