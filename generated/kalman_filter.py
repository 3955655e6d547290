"""Kalman filter: negative log-likelihood of a linear Gaussian state-space model; loss and gradients.

    m[-1, i] = m0[i]                                                  (T, D)      filtered mean
    P[-1, i, j] = sum_k L0[i, k] * L0[j, k]                           (T, D, D)   filtered covariance
    mu[t, i] = sum_k m[t - 1, k] * A[i, k]                            (T, D)      predicted mean
    AP[t, i, j] = sum_k P[t - 1, k, j] * A[i, k]                      (T, D, D)
    exp_q = exp(q)                                                    (D,)
    Q[t, i, j] = (sum_k AP[t, i, k] * A[j, k]) + [i = j] * exp_q[i]   (T, D, D)   predicted covariance
    v = y - mu C'                                                     (T, M)      innovation
    B[t, a, j] = sum_k Q[t, k, j] * C[a, k]                           (T, M, D)
    exp_r = exp(r)                                                    (M,)
    S[t, a, b] = (sum_k B[t, a, k] * C[b, k]) + [a = b] * exp_r[a]    (T, M, M)   covariance of the innovation
    sum_b S[t, a, b] * G[t, b, j] = B[t, a, j]                        (T, M, D)   gain, transposed
    sum_b w[t, b] * S[t, a, b] = v[t, a]                              (T, M)      innovation, whitened twice
    m[t, i] = (sum_a v[t, a] * G[t, a, i]) + mu[t, i]                 (T, D)      filtered mean
    P[t, i, j] = Q[t, i, j] - sum_a B[t, a, i] * G[t, a, j]           (T, D, D)   filtered covariance
    logdet[t] = logdet(S[t, a, b])                                    (T,)
    sum_a2 S[t, a2, a] * inverse_logdet[t, a2, b] = [a = b]           (T, M, M)
    loss = 1/2 sum_t (sum_a v[t, a] * w[t, a]) + logdet[t] + log(2 pi) * M

Parameters  A (D, D), C (M, D), q (D,), r (M,); their dtype is the result's.
Inputs      y (T, M), m0 (D,), L0 (D, D).
Outputs     m (T, D), by `predict`.
Cost        T(12D^3 + 12D^2M + 12DM^2 + 7/3 M^3) operations, 16T(10D^2 + 11DM + 6M^2) bytes read and written, 8T(3D^2 +
            2DM + 2M^2) bytes kept for `backward`, to leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/kalman_filter.py by `derive build kalman_filter`; do not edit.
The derivation is typeset in kalman_filter.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve  # NumPy lacks it


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    A: np.ndarray
    C: np.ndarray
    q: np.ndarray
    r: np.ndarray


def forward(A, C, q, r, y, m0, L0):
    """Return the loss and the residuals that `backward` reads."""
    A, C, q, r, y, m0, L0 = _checked(A, C, q, r, y, m0, L0)
    T = len(y)
    D = len(m0)
    M = len(C)

    exp_q = np.exp(q)                                   # (D,)
    exp_r = np.exp(r)                                   # (M,)
    AP = np.empty((T, D, D), A.dtype)                   # (T, D, D)
    Q = np.empty((T, D, D), A.dtype)                    # (T, D, D)
    B = np.empty((T, M, D), A.dtype)                    # (T, M, D)
    S = np.empty((T, M, M), A.dtype)                    # (T, M, M)
    chol_S = np.empty((T, M, M), A.dtype)               # (T, M, M)
    G = np.empty((T, M, D), A.dtype)                    # (T, M, D)
    P = np.empty((T + 1, D, D), A.dtype)                # (T + 1, D, D)
    P[0] = L0 @ L0.T
    A_T = np.ascontiguousarray(A.T)                     # (D, D)
    C_T = np.ascontiguousarray(C.T)                     # (D, M)
    for t in range(T):
        AP[t] = A @ P[t]
        Q[t] = AP[t] @ A_T + exp_q[:, None] * (np.arange(D)[:, None] == np.arange(D))
        B[t] = C @ Q[t]
        S[t] = B[t] @ C_T + exp_r[:, None] * (np.arange(M)[:, None] == np.arange(M))
        chol_S[t] = _cholesky("S", S[t])
        G[t] = cho_solve((chol_S[t], True), B[t])
        P[t + 1] = Q[t] - B[t].T @ G[t]
    mu = np.empty((T, D), A.dtype)                      # (T, D)
    v = np.empty((T, M), A.dtype)                       # (T, M)
    m = np.empty((T + 1, D), A.dtype)                   # (T + 1, D)
    m[0] = m0
    for t in range(T):
        mu[t] = A @ m[t]
        v[t] = y[t] - C @ mu[t]
        m[t + 1] = v[t] @ G[t] + mu[t]
    w = _solved("w", S, v[..., None])[..., 0]           # (T, M)
    logdet = 2 * np.log(np.diagonal(chol_S, axis1=1, axis2=2)).sum(axis=1)  # (T,)
    inverse_logdet = _solved("inverse_logdet", S.mT, np.eye(M, dtype=S.dtype))  # (T, M, M)
    loss = np.sum(logdet + np.einsum("ta,ta->t", v, w) + M * np.log(2 * np.pi, dtype=logdet.dtype)) / 2
    return loss, (A, C, m, P, mu, AP, Q, v, B, G, w, inverse_logdet, exp_q, exp_r, chol_S)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    A, C, m, P, mu, AP, Q, v, B, G, w, inverse_logdet, exp_q, exp_r, chol_S = residuals
    T = len(mu)
    D = len(exp_q)
    M = len(exp_r)

    # loss = 1/2 sum_t (sum_a v[t, a] * w[t, a]) + logdet[t] + log(2 pi) * M
    # sum_b w[t, b] * S[t, a, b] = v[t, a]
    lam_w = w / 2                                       # (T, M)
    dv = np.empty((T, M), w.dtype)                      # (T, M)
    dmu = np.empty((T, D), w.dtype)                     # (T, D)
    dm = np.zeros((T + 1, D), w.dtype)                  # (T + 1, D)
    for t in reversed(range(T)):
        dv[t] = G[t] @ dm[t + 1] + w[t] / 2 + lam_w[t]
        # v = y - mu C'
        dmu[t] = dm[t + 1] - dv[t] @ C
        # mu[t, i] = sum_k m[t - 1, k] * A[i, k]
        dm[t] += dmu[t] @ A
    dS = np.empty((T, M, M), B.dtype)                   # (T, M, M)
    dB = np.empty((T, M, D), B.dtype)                   # (T, M, D)
    dQ = np.empty((T, D, D), B.dtype)                   # (T, D, D)
    dAP = np.empty((T, D, D), B.dtype)                  # (T, D, D)
    dP = np.zeros((T + 1, D, D), B.dtype)               # (T + 1, D, D)
    for t in reversed(range(T)):
        # sum_b S[t, a, b] * G[t, b, j] = B[t, a, j]
        dG = v[t][:, None] * dm[t + 1] - B[t] @ dP[t + 1]
        lam_G = cho_solve((chol_S[t], True), dG)
        dS[t] = inverse_logdet[t] / 2 - lam_G @ G[t].T - lam_w[t][:, None] * w[t]
        # S[t, a, b] = (sum_k B[t, a, k] * C[b, k]) + [a = b] * exp_r[a]
        dB[t] = dS[t] @ C + lam_G - G[t] @ dP[t + 1].T
        # B[t, a, j] = sum_k Q[t, k, j] * C[a, k]
        dQ[t] = C.T @ dB[t] + dP[t + 1]
        # Q[t, i, j] = (sum_k AP[t, i, k] * A[j, k]) + [i = j] * exp_q[i]
        dAP[t] = dQ[t] @ A
        # AP[t, i, j] = sum_k P[t - 1, k, j] * A[i, k]
        dP[t] += A.T @ dAP[t]
    # mu[t, i] = sum_k m[t - 1, k] * A[i, k]
    dA = dmu.T @ m[:-1] + dQ.reshape(-1, D).T @ AP.reshape(-1, D) + (dAP @ P[:-1].mT).sum(axis=0)  # (D, D)
    # v = y - mu C'
    dC = dS.reshape(-1, M).T @ B.reshape(-1, D) + (dB @ Q.mT).sum(axis=0) - dv.T @ mu  # (M, D)
    # Q[t, i, j] = (sum_k AP[t, i, k] * A[j, k]) + [i = j] * exp_q[i]
    dq = exp_q * np.sum(np.diagonal(dQ, axis1=1, axis2=2), axis=0)  # (D,)
    # S[t, a, b] = (sum_k B[t, a, k] * C[b, k]) + [a = b] * exp_r[a]
    dr = exp_r * np.sum(np.diagonal(dS, axis1=1, axis2=2), axis=0)  # (M,)
    return Params(dA, dC, dq, dr)


def loss_and_grads(A, C, q, r, y, m0, L0):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(A, C, q, r, y, m0, L0)
    return loss, backward(residuals)


def predict(A, C, q, r, y, m0, L0):
    """Return the filtered mean m (T, D)."""
    A, C, q, r, y, m0, L0 = _checked(A, C, q, r, y, m0, L0)
    T = len(y)
    D = len(m0)
    M = len(C)

    exp_q = np.exp(q)                                   # (D,)
    exp_r = np.exp(r)                                   # (M,)
    AP = np.empty((T, D, D), A.dtype)                   # (T, D, D)
    Q = np.empty((T, D, D), A.dtype)                    # (T, D, D)
    B = np.empty((T, M, D), A.dtype)                    # (T, M, D)
    S = np.empty((T, M, M), A.dtype)                    # (T, M, M)
    chol_S = np.empty((T, M, M), A.dtype)               # (T, M, M)
    G = np.empty((T, M, D), A.dtype)                    # (T, M, D)
    P = np.empty((T + 1, D, D), A.dtype)                # (T + 1, D, D)
    P[0] = L0 @ L0.T
    A_T = np.ascontiguousarray(A.T)                     # (D, D)
    C_T = np.ascontiguousarray(C.T)                     # (D, M)
    for t in range(T):
        AP[t] = A @ P[t]
        Q[t] = AP[t] @ A_T + exp_q[:, None] * (np.arange(D)[:, None] == np.arange(D))
        B[t] = C @ Q[t]
        S[t] = B[t] @ C_T + exp_r[:, None] * (np.arange(M)[:, None] == np.arange(M))
        chol_S[t] = _cholesky("S", S[t])
        G[t] = cho_solve((chol_S[t], True), B[t])
        P[t + 1] = Q[t] - B[t].T @ G[t]
    mu = np.empty((T, D), A.dtype)                      # (T, D)
    v = np.empty((T, M), A.dtype)                       # (T, M)
    m = np.empty((T + 1, D), A.dtype)                   # (T + 1, D)
    m[0] = m0
    for t in range(T):
        mu[t] = A @ m[t]
        v[t] = y[t] - C @ mu[t]
        m[t + 1] = v[t] @ G[t] + mu[t]
    return m[1:]


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _cholesky(name, matrix):
    """Return the lower triangular L with L L' = matrix."""
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise np.linalg.LinAlgError(f"{name} is not positive definite") from None


def _solved(name, matrix, right):
    """Return the solution of a linear system that defines a variable."""
    try:
        return np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        raise np.linalg.LinAlgError(f"the matrix of {name} is singular; expected one of full rank") from None


def _checked(A, C, q, r, y, m0, L0):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (A, C, q, r)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    A, C, q, r, y, m0, L0 = [np.asarray(v, dtype) for v in (*floats, y, m0, L0)]
    _sizes(A.shape, C.shape, q.shape, r.shape, y.shape, m0.shape, L0.shape)
    return A, C, q, r, y, m0, L0


@lru_cache
def _sizes(A, C, q, r, y, m0, L0):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("A", A, "DD"), ("C", C, "MD"), ("q", q, "D"), ("r", r, "M"), ("y", y, "TM"), ("m0", m0, "D"), ("L0", L0, "DD"),
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
