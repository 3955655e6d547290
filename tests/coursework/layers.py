"""Layers in the style of a course: forward gives (out, cache), backward takes (dout, cache)."""

import numpy as np


def affine_forward(x, w, b):
    out = x.reshape(x.shape[0], -1).dot(w) + b
    return out, (x, w, b)


def affine_backward(dout, cache):
    x, w, _ = cache
    dx = dout.dot(w.T).reshape(x.shape)
    dw = x.reshape(x.shape[0], -1).T.dot(dout)
    db = np.sum(dout, axis=0, keepdims=True)
    return dx, dw, db


def affine_backward_mean(dout, cache):
    x, w, _ = cache
    return dout.dot(w.T), x.T.dot(dout), dout.mean(axis=0)


def affine_backward_untransposed(dout, cache):
    x, w, _ = cache
    return dout.dot(w), x.T.dot(dout), dout.sum(axis=0)


def affine_backward_unsummed(dout, cache):
    x, w, _ = cache
    return dout.dot(w.T), x.T.dot(dout), dout


def affine_backward_swapped(dout, cache):
    """Returned in another order than the arguments came in."""
    x, w, _ = cache
    return x.T.dot(dout), dout.dot(w.T), dout.sum(axis=0)


def affine_backward_in_place(dout, cache):
    """Divides the upstream gradient by the batch, where it stands."""
    x, w, _ = cache
    dout /= len(x)
    return dout.dot(w.T), x.T.dot(dout), dout.sum(axis=0)


def relu_forward(x):
    return np.maximum(0, x), x


def relu_backward(dout, cache):
    dx = dout.copy()
    dx[cache <= 0] = 0
    return dx


def relu_backward_in_place(dout, cache):
    """The gradient is right; the upstream gradient is not any more."""
    dout[cache <= 0] = 0
    return dout


def relu_backward_at_least(dout, cache):
    """Lets the gradient through where x >= 0: another convention at 0 only."""
    return np.where(cache >= 0, dout, 0)


def relu_backward_rebound(dout, cache):
    dx = np.zeros_like(cache)
    for k in range(len(dout)):
        row = dx[k]
        row = dout[k] * (cache[k] > 0)      # binds a name; dx stays what it was
    return dx


def relu_backward_of_dout(dout, cache):
    """Masks by the sign of the gradient rather than of the input (guided backprop's half)."""
    return np.where(dout > 0, dout, 0)


def batchnorm_forward(x, gamma, beta, eps):
    mu = x.mean(axis=0)
    xmu = x - mu
    var = np.mean(xmu**2, axis=0)
    sqrtvar = np.sqrt(var + eps)
    ivar = 1.0 / sqrtvar
    xhat = xmu * ivar
    return gamma * xhat + beta, (xhat, gamma, xmu, ivar, sqrtvar, var, eps)


def batchnorm_backward(dout, cache):
    """Step by step through the graph."""
    xhat, gamma, xmu, ivar, sqrtvar, var, eps = cache
    N, D = dout.shape
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * xhat, axis=0)
    dxhat = dout * gamma
    divar = np.sum(dxhat * xmu, axis=0)
    dxmu1 = dxhat * ivar
    dsqrtvar = -1.0 / (sqrtvar**2) * divar
    dvar = 0.5 / np.sqrt(var + eps) * dsqrtvar
    dsq = np.ones((N, D)) / N * dvar
    dxmu2 = 2 * xmu * dsq
    dx1 = dxmu1 + dxmu2
    dmu = -np.sum(dxmu1 + dxmu2, axis=0)
    dx2 = np.ones((N, D)) / N * dmu
    return dx1 + dx2, dgamma, dbeta


def batchnorm_backward_alt(dout, cache):
    """The formula on one line."""
    xhat, gamma, _, ivar, *_ = cache
    N = len(dout)
    dx = gamma * ivar / N * (N * dout - dout.sum(axis=0) - xhat * np.sum(dout * xhat, axis=0))
    return dx, np.sum(dout * xhat, axis=0), dout.sum(axis=0)


def batchnorm_backward_no_variance(dout, cache):
    xhat, gamma, _, ivar, *_ = cache
    dxhat = dout * gamma
    dx = (dxhat - dxhat.mean(axis=0)) * ivar
    return dx, np.sum(dout * xhat, axis=0), dout.sum(axis=0)


def batchnorm_backward_no_mean(dout, cache):
    xhat, gamma, _, ivar, *_ = cache
    dxhat = dout * gamma
    dx = (dxhat - xhat * np.mean(dxhat * xhat, axis=0)) * ivar
    return dx, np.sum(dout * xhat, axis=0), dout.sum(axis=0)


def batchnorm_backward_no_scale(dout, cache):
    xhat, _, _, ivar, *_ = cache
    dx = (dout - dout.mean(axis=0) - xhat * np.mean(dout * xhat, axis=0)) * ivar
    return dx, np.sum(dout * xhat, axis=0), dout.sum(axis=0)


def batchnorm_backward_no_eps(dout, cache):
    xhat, gamma, xmu, _, _, var, _ = cache
    dxhat = dout * gamma
    dvar = np.sum(dxhat * xmu * -0.5 * var**-1.5, axis=0)
    dmu = np.sum(-dxhat / np.sqrt(var), axis=0) + dvar * np.mean(-2 * xmu, axis=0)
    dx = dxhat / np.sqrt(var) + dvar * 2 * xmu / len(dout) + dmu / len(dout)
    return dx, np.sum(dout * xhat, axis=0), dout.sum(axis=0)


def layernorm_forward(x, gamma, beta, eps):
    mu, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    xhat = (x - mu) / np.sqrt(var + eps)
    return gamma * xhat + beta, (xhat, gamma, 1 / np.sqrt(var + eps))


def layernorm_backward(dout, cache):
    xhat, gamma, istd = cache
    D = dout.shape[1]
    d = dout * gamma
    dx = istd / D * (D * d - d.sum(axis=1, keepdims=True) - xhat * (d * xhat).sum(axis=1, keepdims=True))
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)


def layernorm_backward_wrong_axis(dout, cache):
    xhat, gamma, istd = cache
    d = dout * gamma
    dx = istd * (d - d.mean(axis=0) - xhat * (d * xhat).mean(axis=0))
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)


def dropout_forward(x, w, mask, p):
    kept = x * mask / p
    return kept @ w, (kept, w, mask, p)


def dropout_backward(dout, cache):
    kept, w, mask, p = cache
    return dout @ w.T * mask / p, kept.T @ dout


def dropout_backward_unscaled(dout, cache):
    kept, w, mask, _ = cache
    return dout @ w.T * mask, kept.T @ dout
