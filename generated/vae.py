"""Variational autoencoder with Gaussian codes and Bernoulli pixels: loss and gradients.

    pre_Q = X W1 + 1 b1'     (N, H)
    Q = tanh(pre_Q)          (N, H)   hidden units of the encoder
    mu = Q W2 + 1 b2'        (N, K)   means of the codes
    v = Q W3 + 1 b3'         (N, K)   log variances of the codes
    sigma = exp(1/2 v)       (N, K)   standard deviations of the codes
    Z = noise * sigma + mu   (N, K)   codes
    pre_P = Z W4 + 1 b4'     (N, H)
    P = tanh(pre_P)          (N, H)   hidden units of the decoder
    Y = P W5 + 1 b5'         (N, D)   logits of the pixels
    error = sum_{n, d} softplus(Y[n, d]) - X[n, d] * Y[n, d]            reconstruction error
    KL = 1/2 sum_{n, k} mu[n, k]^2 + sigma[n, k]^2 - 1 - v[n, k]            divergence from the standard normal
    loss = 1/N (error + KL)

Parameters  W1 (D, H), b1 (H,), W2 (H, K), b2 (K,), W3 (H, K), b3 (K,), W4 (K, H), b4 (H,), W5 (H, D), b5 (D,); their
            dtype is the result's.
Inputs      X (N, D), noise (N, K).
Outputs     mu (N, K), sigma (N, K), Y (N, D), by `predict`.
Cost        2HN(5D + 9K) operations, 8(5DH + 11DN + 9HK + 25HN + 30KN) bytes read and written, 8N(D + 2H + 3K) bytes
            kept for `backward`, to leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/vae.py by `derive build vae`; do not edit.
The derivation is typeset in vae.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    W1: np.ndarray
    b1: np.ndarray
    W2: np.ndarray
    b2: np.ndarray
    W3: np.ndarray
    b3: np.ndarray
    W4: np.ndarray
    b4: np.ndarray
    W5: np.ndarray
    b5: np.ndarray


def forward(W1, b1, W2, b2, W3, b3, W4, b4, W5, b5, X, noise):
    """Return the loss and the residuals that `backward` reads."""
    W1, b1, W2, b2, W3, b3, W4, b4, W5, b5, X, noise = _checked(W1, b1, W2, b2, W3, b3, W4, b4, W5, b5, X, noise)
    N = len(X)

    pre_Q = X @ W1 + b1                                 # (N, H)
    Q = np.tanh(pre_Q)                                  # (N, H)
    mu = Q @ W2 + b2                                    # (N, K)
    v = Q @ W3 + b3                                     # (N, K)
    sigma = np.exp(v / 2)                               # (N, K)
    Z = noise * sigma + mu                              # (N, K)
    pre_P = Z @ W4 + b4                                 # (N, H)
    P = np.tanh(pre_P)                                  # (N, H)
    Y = P @ W5 + b5                                     # (N, D)
    exp_Y = _capped_exp(Y)                              # (N, D)
    error = np.sum(_softplus_at(exp_Y, Y) - X * Y)
    KL = np.sum(mu**2 + sigma**2 - v - 1) / 2
    loss = (KL + error) / N
    return loss, (W2, W3, W4, W5, X, noise, Q, mu, sigma, Z, P, exp_Y)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    W2, W3, W4, W5, X, noise, Q, mu, sigma, Z, P, exp_Y = residuals
    N = len(X)

    # loss = 1/N (error + KL)
    # error = sum_{n, d} softplus(Y[n, d]) - X[n, d] * Y[n, d]
    dY = (_sigmoid_at(exp_Y) - X) / N                   # (N, D)
    # Y = P W5 + 1 b5'
    dW5 = P.T @ dY                                      # (H, D)
    db5 = dY.sum(axis=0)                                # (D,)
    dP = dY @ W5.T                                      # (N, H)
    # P = tanh(pre_P)
    dpre_P = dP * (1 - P**2)                            # (N, H)
    # pre_P = Z W4 + 1 b4'
    dW4 = Z.T @ dpre_P                                  # (K, H)
    db4 = dpre_P.sum(axis=0)                            # (H,)
    dZ = dpre_P @ W4.T                                  # (N, K)
    # KL = 1/2 sum_{n, k} mu[n, k]^2 + sigma[n, k]^2 - 1 - v[n, k]
    # Z = noise * sigma + mu
    dsigma = sigma / N + dZ * noise                     # (N, K)
    dmu = mu / N + dZ                                   # (N, K)
    # sigma = exp(1/2 v)
    dv = (dsigma * sigma - 1 / N) / 2                   # (N, K)
    # v = Q W3 + 1 b3'
    dW3 = Q.T @ dv                                      # (H, K)
    db3 = dv.sum(axis=0)                                # (K,)
    # mu = Q W2 + 1 b2'
    dW2 = Q.T @ dmu                                     # (H, K)
    db2 = dmu.sum(axis=0)                               # (K,)
    dQ = dmu @ W2.T + dv @ W3.T                         # (N, H)
    # Q = tanh(pre_Q)
    dpre_Q = dQ * (1 - Q**2)                            # (N, H)
    # pre_Q = X W1 + 1 b1'
    dW1 = X.T @ dpre_Q                                  # (D, H)
    db1 = dpre_Q.sum(axis=0)                            # (H,)
    return Params(dW1, db1, dW2, db2, dW3, db3, dW4, db4, dW5, db5)


def loss_and_grads(W1, b1, W2, b2, W3, b3, W4, b4, W5, b5, X, noise):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W1, b1, W2, b2, W3, b3, W4, b4, W5, b5, X, noise)
    return loss, backward(residuals)


def predict(W1, b1, W2, b2, W3, b3, W4, b4, W5, b5, X, noise):
    """Return the means of the codes mu (N, K), the standard deviations of the codes sigma (N, K), the logits of the
    pixels Y (N, D).
    """
    W1, b1, W2, b2, W3, b3, W4, b4, W5, b5, X, noise = _checked(W1, b1, W2, b2, W3, b3, W4, b4, W5, b5, X, noise)

    pre_Q = X @ W1 + b1                                 # (N, H)
    Q = np.tanh(pre_Q)                                  # (N, H)
    mu = Q @ W2 + b2                                    # (N, K)
    v = Q @ W3 + b3                                     # (N, K)
    sigma = np.exp(v / 2)                               # (N, K)
    Z = noise * sigma + mu                              # (N, K)
    pre_P = Z @ W4 + b4                                 # (N, H)
    P = np.tanh(pre_P)                                  # (N, H)
    Y = P @ W5 + b5                                     # (N, D)
    return mu, sigma, Y


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _capped_exp(x):
    """Return exp(x), or the exponential of nearly the largest number that has one where x is larger.

    With e = exp(z), e / (e + 1) is the sigmoid of z, and 1 / (e + 1) what it leaves of 1, to the last digits.
    """
    largest = x.max(initial=0)
    if largest < 9 or largest < (top := np.log(np.finfo(x.dtype).max) - 1):     # of 9 all have one
        return np.exp(x)
    return np.exp(np.minimum(x, top))


def _softplus_at(e, x):
    """Return log(1 + exp(x)), e being exp(x), or less where x is as large as that."""
    return np.maximum(np.log1p(e), x)


def _sigmoid_at(e):
    """Return 1 / (1 + exp(-x)), e being exp(x)."""
    return e / (e + 1)


def _checked(W1, b1, W2, b2, W3, b3, W4, b4, W5, b5, X, noise):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W1, b1, W2, b2, W3, b3, W4, b4, W5, b5)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W1, b1, W2, b2, W3, b3, W4, b4, W5, b5, X, noise = [np.asarray(v, dtype) for v in (*floats, X, noise)]
    _sizes(
        W1.shape, b1.shape, W2.shape, b2.shape, W3.shape, b3.shape, W4.shape, b4.shape, W5.shape, b5.shape, X.shape,
        noise.shape
    )
    return W1, b1, W2, b2, W3, b3, W4, b4, W5, b5, X, noise


@lru_cache
def _sizes(W1, b1, W2, b2, W3, b3, W4, b4, W5, b5, X, noise):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("W1", W1, "DH"), ("b1", b1, "H"), ("W2", W2, "HK"), ("b2", b2, "K"), ("W3", W3, "HK"), ("b3", b3, "K"),
        ("W4", W4, "KH"), ("b4", b4, "H"), ("W5", W5, "HD"), ("b5", b5, "D"), ("X", X, "ND"), ("noise", noise, "NK"),
    ):
        _match(name, shape, axes, sizes)
    return sizes


def _match(name, shape, axes, sizes):
    """Check one argument's shape against the sizes seen so far, and remember the sizes it brings."""
    before = len(sizes)
    fits = len(shape) == len(axes) and 0 not in shape
    if fits and shape == tuple(map(sizes.setdefault, axes, shape)):
        return
    known = dict(list(sizes.items())[:before])
    expected = ", ".join(f"{axis}={known[axis]}" if axis in known else axis for axis in axes)
    raise ValueError(f"{name} has shape {shape}; expected ({expected}), each size at least 1")
