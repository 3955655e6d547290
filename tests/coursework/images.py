"""Convolution and pooling by loops over windows."""

import numpy as np


def conv_forward(x, w, b, S, P):
    N, _C, H, W = x.shape
    F, _, K, _ = w.shape
    padded = np.pad(x, ((0, 0), (0, 0), (P, P), (P, P)))
    A, B = 1 + (H + 2 * P - K) // S, 1 + (W + 2 * P - K) // S
    out = np.zeros((N, F, A, B))
    for n in range(N):
        for f in range(F):
            for i in range(A):
                for j in range(B):
                    out[n, f, i, j] = np.sum(padded[n, :, i * S:i * S + K, j * S:j * S + K] * w[f]) + b[f]
    return out, (x, padded, w, b, S, P)


def _backward(dout, cache, step=None, add=True):
    x, padded, w, _, S, P = cache
    N, F, A, B = dout.shape
    K = w.shape[2]
    T = S if step is None else step
    dpadded, dw, db = np.zeros_like(padded), np.zeros_like(w), np.zeros(F)
    for n in range(N):
        for f in range(F):
            db[f] += dout[n, f].sum()
            for i in range(A):
                for j in range(B):
                    here = slice(i * T, i * T + K), slice(j * T, j * T + K)
                    dw[f] += padded[n, :, i * S:i * S + K, j * S:j * S + K] * dout[n, f, i, j]
                    if add:
                        dpadded[(n, slice(None), *here)] += w[f] * dout[n, f, i, j]
                    else:
                        dpadded[(n, slice(None), *here)] = w[f] * dout[n, f, i, j]
    return dpadded, dw, db, P, x.shape


def conv_backward(dout, cache):
    dpadded, dw, db, P, shape = _backward(dout, cache)
    return dpadded[:, :, P:P + shape[2], P:P + shape[3]], dw, db


def conv_backward_minus_p(dout, cache):
    dpadded, dw, db, P, _ = _backward(dout, cache)
    return dpadded[:, :, P:-P, P:-P], dw, db


def conv_backward_no_stride(dout, cache):
    dpadded, dw, db, P, shape = _backward(dout, cache, step=1)
    return dpadded[:, :, P:P + shape[2], P:P + shape[3]], dw, db


def conv_backward_overwritten(dout, cache):
    dpadded, dw, db, P, shape = _backward(dout, cache, add=False)
    return dpadded[:, :, P:P + shape[2], P:P + shape[3]], dw, db


def pool_forward(x, K, S):
    N, C, H, W = x.shape
    A, B = 1 + (H - K) // S, 1 + (W - K) // S
    out = np.zeros((N, C, A, B))
    for i in range(A):
        for j in range(B):
            out[:, :, i, j] = x[:, :, i * S:i * S + K, j * S:j * S + K].max(axis=(2, 3))
    return out, (x, K, S)


def pool_backward(dout, cache):
    x, K, S = cache
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(dout.shape):
        window = x[n, c, i * S:i * S + K, j * S:j * S + K]
        p, q = np.unravel_index(np.argmax(window), window.shape)
        dx[n, c, i * S + p, j * S + q] += dout[n, c, i, j]
    return dx


def pool_backward_all_ties(dout, cache):
    """A mask of all that equal the maximum: each of a tie gets the whole gradient."""
    x, K, S = cache
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(dout.shape):
        window = x[n, c, i * S:i * S + K, j * S:j * S + K]
        dx[n, c, i * S:i * S + K, j * S:j * S + K] += (window == window.max()) * dout[n, c, i, j]
    return dx


def pool_backward_overwritten(dout, cache):
    x, K, S = cache
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(dout.shape):
        window = x[n, c, i * S:i * S + K, j * S:j * S + K]
        dx[n, c, i * S:i * S + K, j * S:j * S + K] = (window == window.max()) * dout[n, c, i, j]
    return dx
