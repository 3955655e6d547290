"""A transformer block that normalises first: x + attention(norm(x)), then that plus a perceptron of its norm."""

import numpy as np


def norm(X, gain, bias, epsilon):
    """Return the layer normalisation of X over its last axis, and what its gradient needs."""
    centred = X - X.mean(axis=-1, keepdims=True)
    scale = np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + epsilon)
    return gain * centred / scale + bias, (centred / scale, scale, gain)


def norm_back(dY, kept):
    """Return the gradients for X, gain and bias."""
    unit, scale, gain = kept
    dunit = dY * gain
    dX = (dunit - dunit.mean(axis=-1, keepdims=True) - unit * np.mean(dunit * unit, axis=-1, keepdims=True)) / scale
    return dX, np.sum(dY * unit, axis=(0, 1)), dY.sum(axis=(0, 1))


def heads_of(X, H):
    """Return X (N, T, D) as (N, H, T, D/H)."""
    N, T, D = X.shape
    return X.reshape(N, T, H, D // H).transpose(0, 2, 1, 3)


def joined(X):
    """Return X (N, H, T, E) as (N, T, H E)."""
    N, H, T, E = X.shape
    return X.transpose(0, 2, 1, 3).reshape(N, T, H * E)


def weights(X, dY):
    """Return the gradient for W of Y = X W."""
    return np.tensordot(X, dY, ((0, 1), (0, 1)))


def attention(X, Wq, Wk, Wv, Wo, H):
    """Return causal attention of H heads, and what its gradient needs."""
    T, E = X.shape[1], X.shape[2] // H
    Q, K, V = (heads_of(X @ W, H) for W in (Wq, Wk, Wv))
    S = np.where(np.tri(T, dtype=bool), Q @ K.swapaxes(2, 3) / np.sqrt(E), -np.inf)
    A = np.exp(S - S.max(axis=3, keepdims=True))
    A /= A.sum(axis=3, keepdims=True)
    O = joined(A @ V)
    return O @ Wo, (X, Q, K, V, A, O)


def attention_back(dZ, kept, Wq, Wk, Wv, Wo, H):
    """Return the gradients for X, Wq, Wk, Wv and Wo."""
    X, Q, K, V, A, O = kept
    dO = heads_of(dZ @ Wo.T, H)
    dA, dV = dO @ V.swapaxes(2, 3), joined(A.swapaxes(2, 3) @ dO)
    dS = A * (dA - np.sum(dA * A, axis=3, keepdims=True)) / np.sqrt(Q.shape[3])
    dQ, dK = joined(dS @ K), joined(dS.swapaxes(2, 3) @ Q)
    dX = dQ @ Wq.T + dK @ Wk.T + dV @ Wv.T
    return dX, weights(X, dQ), weights(X, dK), weights(X, dV), weights(O, dZ)


def loss_and_grads(g1, b1, Wq, Wk, Wv, Wo, g2, b2, W3, b3, W4, b4, X, Y, epsilon, *, H, E):
    """Return the loss and its gradients for inputs X and targets Y (N, T, D), D = H E."""
    A1, kept1 = norm(X, g1, b1, epsilon)
    Z, kept = attention(A1, Wq, Wk, Wv, Wo, H)
    R = X + Z
    A2, kept2 = norm(R, g2, b2, epsilon)
    pre = A2 @ W3 + b3
    t = np.tanh(np.sqrt(2 / np.pi) * (pre + 0.044715 * pre**3))
    F = pre * (1 + t) / 2                               # gelu, by tanh
    error = R + F @ W4 + b4 - Y

    dZ = error / error.size
    slope = (1 + t) / 2 + pre * (1 - t**2) / 2 * np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * pre**2)
    dpre = dZ @ W4.T * slope
    dA2, dg2, db2 = norm_back(dpre @ W3.T, kept2)
    dR = dZ + dA2
    dA1, dWq, dWk, dWv, dWo = attention_back(dR, kept, Wq, Wk, Wv, Wo, H)
    _, dg1, db1 = norm_back(dA1, kept1)
    return np.mean(error**2) / 2, {
        "g1": dg1, "b1": db1, "Wq": dWq, "Wk": dWk, "Wv": dWv, "Wo": dWo, "g2": dg2, "b2": db2,
        "W3": weights(A2, dpre), "b3": dpre.sum(axis=(0, 1)), "W4": weights(F, dZ), "b4": dZ.sum(axis=(0, 1)),
    }
