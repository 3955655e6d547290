"""Transformer block: attention and a perceptron, each after a normalisation; loss and gradients.

    mu_A1[n, t] = 1/D sum_d X[n, t, d]                                         (N, T)         mean
    var_A1[n, t] = 1/D sum_d (X[n, t, d] - mu_A1[n, t])^2                      (N, T)         variance
    A1_hat[n, t, d] = (X[n, t, d] - mu_A1[n, t]) / sqrt(var_A1[n, t] + epsilon)   (N, T, D)
    A1[n, t, d] = g1[d] * A1_hat[n, t, d] + b1[d]                              (N, T, D)      normalised
    Q[n, t, d] = sum_d2 A1[n, t, d2] * Wq[d2, d]                               (N, T, D)
    K[n, t, d] = sum_d2 A1[n, t, d2] * Wk[d2, d]                               (N, T, D)
    V[n, t, d] = sum_d2 A1[n, t, d2] * Wv[d2, d]                               (N, T, D)
    sum_S[n, h, t, s] = sum_e Q[n, t, E * h + e] * K[n, s, E * h + e]          (N, H, T, T)
    S[n, h, t, s] = (1/sqrt(E) sum_S[n, h, t, s] if t >= s else -inf)          (N, H, T, T)
        (scores of what is not to come)
    lse_S[n, h, t] = log sum_s exp S[n, h, t, s]                               (N, H, T)
    P[n, h, t, s] = exp(S[n, h, t, s] - lse_S[n, h, t])                        (N, H, T, T)   attention
    O[n, t, h, e] = sum_s P[n, h, t, s] * V[n, s, E * h + e]                   (N, T, H, E)   outputs of the heads
    R[n, t, d] = (sum_{h, e} O[n, t, h, e] * Wo[E * h + e, d]) + X[n, t, d]    (N, T, D)      first residual
    mu_A2[n, t] = 1/D sum_d R[n, t, d]                                         (N, T)         mean
    var_A2[n, t] = 1/D sum_d (R[n, t, d] - mu_A2[n, t])^2                      (N, T)         variance
    sqrt_var_A2[n, t] = sqrt(var_A2[n, t] + epsilon)                           (N, T)
    A2_hat[n, t, d] = (R[n, t, d] - mu_A2[n, t]) / sqrt_var_A2[n, t]           (N, T, D)
    A2[n, t, d] = g2[d] * A2_hat[n, t, d] + b2[d]                              (N, T, D)      normalised
    pre_F[n, t, m] = (sum_d A2[n, t, d] * W3[d, m]) + b3[m]                    (N, T, M)
    tanh_pre_F[n, t, m] = tanh(sqrt(2/pi) (0.044715 pre_F[n, t, m]^3 + pre_F[n, t, m]))   (N, T, M)
    F[n, t, m] = 1/2 pre_F[n, t, m] * (1 + tanh_pre_F[n, t, m])                (N, T, M)      hidden units
    Z[n, t, d] = (sum_m F[n, t, m] * W4[m, d]) + R[n, t, d] + b4[d]            (N, T, D)      second residual
    loss = 1/(2 N T D) sum_{n, t, d} (Z[n, t, d] - Y[n, t, d])^2

Parameters  g1 (D,), b1 (D,), Wq (D, D), Wk (D, D), Wv (D, D), Wo (D, D), g2 (D,), b2 (D,), W3 (D, M), b3 (M,),
            W4 (M, D), b4 (D,); their dtype is the result's.
Inputs      X (N, T, D), Y (N, T, D), epsilon, a scalar.
Sizes       H, E, given by keyword.
where       D = H E.
Outputs     Z (N, T, D), by `predict`.
Cost        2NT(12D^2 + 6DM + 6DT + 5HT) operations, 144HNT^2 bytes read and written, 8HNT^2 bytes kept for `backward`,
            to leading order.
Convention  a softmax whose terms are all masked is 0.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/transformer_block.py by `derive build transformer_block`; do not edit.
The derivation is typeset in transformer_block.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    g1: np.ndarray
    b1: np.ndarray
    Wq: np.ndarray
    Wk: np.ndarray
    Wv: np.ndarray
    Wo: np.ndarray
    g2: np.ndarray
    b2: np.ndarray
    W3: np.ndarray
    b3: np.ndarray
    W4: np.ndarray
    b4: np.ndarray


def forward(g1, b1, Wq, Wk, Wv, Wo, g2, b2, W3, b3, W4, b4, X, Y, epsilon, *, H, E):
    """Return the loss and the residuals that `backward` reads."""
    (
        g1, b1, Wq, Wk, Wv, Wo, g2, b2, W3, b3, W4, b4, X, Y, epsilon,
    ) = _checked(g1, b1, Wq, Wk, Wv, Wo, g2, b2, W3, b3, W4, b4, X, Y, epsilon, H=H, E=E)
    H, E = int(H), int(E)
    N = len(X)
    T = X.shape[1]
    D = len(g1)

    mu_A1 = X.mean(axis=2)                              # (N, T)
    diff_var_A1 = X - mu_A1[:, :, None]                 # (N, T, D)
    var_A1 = np.einsum("ntd,ntd->nt", diff_var_A1, diff_var_A1) / D  # (N, T)
    A1_hat = diff_var_A1 / np.sqrt(var_A1 + epsilon)[:, :, None]  # (N, T, D)
    A1 = g1 * A1_hat + b1                               # (N, T, D)
    Q = A1 @ Wq                                         # (N, T, D)
    K = A1 @ Wk                                         # (N, T, D)
    V = A1 @ Wv                                         # (N, T, D)
    split_K = K.reshape(N, T, H, E)                     # (N, T, H, E)
    split_Q = Q.reshape(N, T, H, E)                     # (N, T, H, E)
    sum_S = split_Q.transpose(0, 2, 1, 3) @ split_K.transpose(0, 2, 3, 1)  # (N, H, T, T)
    S = np.where(np.arange(T) <= np.arange(T)[:, None], sum_S / E**0.5, -np.inf)  # (N, H, T, T)
    # log sum_s2 exp S[n, h, t, s2] = T_S + log S_S, shifted by the maxima T_S so that exp stays in range
    T_S = _finite(_row_maxima(S))                       # (N, H, T)
    E_S = np.exp(S - T_S[:, :, :, None])                # (N, H, T, T)
    S_S = _positive(E_S.sum(axis=3))                    # (N, H, T)
    P = E_S / S_S[:, :, :, None]                        # (N, H, T, T)
    split_V = V.reshape(N, T, H, E)                     # (N, T, H, E)
    O = (P @ split_V.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)  # (N, T, H, E)
    split_Wo = Wo.reshape(H, E, D)                      # (H, E, D)
    R = O.reshape(N, T, -1) @ split_Wo.reshape(-1, D) + X  # (N, T, D)
    mu_A2 = R.mean(axis=2)                              # (N, T)
    diff_var_A2 = R - mu_A2[:, :, None]                 # (N, T, D)
    var_A2 = np.einsum("ntd,ntd->nt", diff_var_A2, diff_var_A2) / D  # (N, T)
    sqrt_var_A2 = np.sqrt(var_A2 + epsilon)             # (N, T)
    A2_hat = diff_var_A2 / sqrt_var_A2[:, :, None]      # (N, T, D)
    A2 = g2 * A2_hat + b2                               # (N, T, D)
    pre_F = A2 @ W3 + b3                                # (N, T, M)
    tanh_pre_F = np.tanh((2 / np.pi)**0.5 * (0.044715 * (pre_F**2 * pre_F) + pre_F))  # (N, T, M)
    F = pre_F * (tanh_pre_F + 1) / 2                    # (N, T, M)
    Z = F @ W4 + R + b4                                 # (N, T, D)
    diff_loss = Z - Y                                   # (N, T, D)
    loss = _sum_of_squares(diff_loss) / (2 * diff_loss.size)
    return loss, (
        Wq, Wk, Wv, g2, W3, W4, epsilon, A1_hat, A1, P, O, var_A2, A2_hat, A2, pre_F, F, sqrt_var_A2, tanh_pre_F,
        diff_var_A2, diff_loss, split_K, split_Q, split_V, split_Wo,
    )


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    (
        Wq, Wk, Wv, g2, W3, W4, epsilon, A1_hat, A1, P, O, var_A2, A2_hat, A2, pre_F, F, sqrt_var_A2, tanh_pre_F,
        diff_var_A2, diff_loss, split_K, split_Q, split_V, split_Wo,
    ) = residuals
    N = len(A1_hat)
    T = A1_hat.shape[1]
    H = len(split_Wo)
    E = split_Wo.shape[1]
    M = len(W4)
    D = len(Wq)

    # loss = 1/(2 N T D) sum_{n, t, d} (Z[n, t, d] - Y[n, t, d])^2
    dZ = diff_loss / (D * N * T)                        # (N, T, D)
    # Z[n, t, d] = (sum_m F[n, t, m] * W4[m, d]) + R[n, t, d] + b4[d]
    dW4 = F.reshape(-1, M).T @ dZ.reshape(-1, D)        # (M, D)
    db4 = dZ.sum(axis=(0, 1))                           # (D,)
    dF = dZ @ W4.T                                      # (N, T, M)
    # F[n, t, m] = 1/2 pre_F[n, t, m] * (1 + tanh_pre_F[n, t, m])
    dpre_F = dF * (
        (2 / np.pi)**0.5 * pre_F * (1 - tanh_pre_F**2) * (0.134145 * pre_F**2 + 1) + tanh_pre_F + 1
    ) / 2                                               # (N, T, M)
    # pre_F[n, t, m] = (sum_d A2[n, t, d] * W3[d, m]) + b3[m]
    dW3 = A2.reshape(-1, D).T @ dpre_F.reshape(-1, M)   # (D, M)
    db3 = dpre_F.sum(axis=(0, 1))                       # (M,)
    dA2 = dpre_F @ W3.T                                 # (N, T, D)
    # A2[n, t, d] = g2[d] * A2_hat[n, t, d] + b2[d]
    dg2 = np.einsum("ntd,ntd->d", dA2, A2_hat)          # (D,)
    db2 = dA2.sum(axis=(0, 1))                          # (D,)
    dA2_hat = g2 * dA2                                  # (N, T, D)
    # A2_hat[n, t, d] = (R[n, t, d] - mu_A2[n, t]) / sqrt_var_A2[n, t]
    dvar_A2 = -np.einsum("ntd,ntd->nt", dA2_hat, A2_hat) / (2 * (var_A2 + epsilon))  # (N, T)
    # var_A2[n, t] = 1/D sum_d (R[n, t, d] - mu_A2[n, t])^2
    dmu_A2 = -dA2_hat.sum(axis=2) / sqrt_var_A2         # (N, T)
    # mu_A2[n, t] = 1/D sum_d R[n, t, d]
    dR = (
        dA2_hat / sqrt_var_A2[:, :, None] + 2 / D * dvar_A2[:, :, None] * diff_var_A2 + dZ
        + (dmu_A2 / D)[:, :, None]
    )                                                   # (N, T, D)
    # R[n, t, d] = (sum_{h, e} O[n, t, h, e] * Wo[E * h + e, d]) + X[n, t, d]
    dsplit_Wo = (O.reshape(-1, E * H).T @ dR.reshape(-1, D)).reshape(H, E, D)  # (H, E, D)
    dWo = dsplit_Wo.reshape(D, D)                       # (D, D)
    dO = (dR @ split_Wo.reshape(-1, D).T).reshape(N, T, H, E)  # (N, T, H, E)
    # O[n, t, h, e] = sum_s P[n, h, t, s] * V[n, s, E * h + e]
    dP = dO.transpose(0, 2, 1, 3) @ split_V.transpose(0, 2, 3, 1)  # (N, H, T, T)
    dsplit_V = (P.mT @ dO.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)  # (N, T, H, E)
    dV = dsplit_V.reshape(N, T, D)                      # (N, T, D)
    # P[n, h, t, s] = exp(S[n, h, t, s] - lse_S[n, h, t])
    dlse_S = -np.einsum("nhts,nhts->nht", dP, P)        # (N, H, T)
    # lse_S[n, h, t] = log sum_s exp S[n, h, t, s]
    dS = P * (dP + dlse_S[:, :, :, None])               # (N, H, T, T)
    # S[n, h, t, s] = (1/sqrt(E) sum_S[n, h, t, s] if t >= s else -inf)
    dsum_S = dS / E**0.5                                # (N, H, T, T)
    # sum_S[n, h, t, s] = sum_e Q[n, t, E * h + e] * K[n, s, E * h + e]
    dsplit_K = (dsum_S.mT @ split_Q.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)  # (N, T, H, E)
    dK = dsplit_K.reshape(N, T, D)                      # (N, T, D)
    dsplit_Q = (dsum_S @ split_K.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)  # (N, T, H, E)
    dQ = dsplit_Q.reshape(N, T, D)                      # (N, T, D)
    # V[n, t, d] = sum_d2 A1[n, t, d2] * Wv[d2, d]
    dWv = A1.reshape(-1, D).T @ dV.reshape(-1, D)       # (D, D)
    # K[n, t, d] = sum_d2 A1[n, t, d2] * Wk[d2, d]
    dWk = A1.reshape(-1, D).T @ dK.reshape(-1, D)       # (D, D)
    # Q[n, t, d] = sum_d2 A1[n, t, d2] * Wq[d2, d]
    dWq = A1.reshape(-1, D).T @ dQ.reshape(-1, D)       # (D, D)
    dA1 = dK @ Wk.T + dQ @ Wq.T + dV @ Wv.T             # (N, T, D)
    # A1[n, t, d] = g1[d] * A1_hat[n, t, d] + b1[d]
    dg1 = np.einsum("ntd,ntd->d", dA1, A1_hat)          # (D,)
    db1 = dA1.sum(axis=(0, 1))                          # (D,)
    return Params(dg1, db1, dWq, dWk, dWv, dWo, dg2, db2, dW3, db3, dW4, db4)


def loss_and_grads(g1, b1, Wq, Wk, Wv, Wo, g2, b2, W3, b3, W4, b4, X, Y, epsilon, *, H, E):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(g1, b1, Wq, Wk, Wv, Wo, g2, b2, W3, b3, W4, b4, X, Y, epsilon, H=H, E=E)
    return loss, backward(residuals)


def predict(g1, b1, Wq, Wk, Wv, Wo, g2, b2, W3, b3, W4, b4, X, epsilon, *, H, E):
    """Return the second residual Z (N, T, D)."""
    (
        g1, b1, Wq, Wk, Wv, Wo, g2, b2, W3, b3, W4, b4, X, _, epsilon,
    ) = _checked(g1, b1, Wq, Wk, Wv, Wo, g2, b2, W3, b3, W4, b4, X, epsilon=epsilon, H=H, E=E)
    H, E = int(H), int(E)
    N = len(X)
    T = X.shape[1]
    D = len(g1)

    mu_A1 = X.mean(axis=2)                              # (N, T)
    diff_var_A1 = X - mu_A1[:, :, None]                 # (N, T, D)
    var_A1 = np.einsum("ntd,ntd->nt", diff_var_A1, diff_var_A1) / D  # (N, T)
    A1_hat = diff_var_A1 / np.sqrt(var_A1 + epsilon)[:, :, None]  # (N, T, D)
    A1 = g1 * A1_hat + b1                               # (N, T, D)
    Q = A1 @ Wq                                         # (N, T, D)
    K = A1 @ Wk                                         # (N, T, D)
    V = A1 @ Wv                                         # (N, T, D)
    split_K = K.reshape(N, T, H, E)                     # (N, T, H, E)
    split_Q = Q.reshape(N, T, H, E)                     # (N, T, H, E)
    sum_S = split_Q.transpose(0, 2, 1, 3) @ split_K.transpose(0, 2, 3, 1)  # (N, H, T, T)
    S = np.where(np.arange(T) <= np.arange(T)[:, None], sum_S / E**0.5, -np.inf)  # (N, H, T, T)
    # log sum_s2 exp S[n, h, t, s2] = T_S + log S_S, shifted by the maxima T_S so that exp stays in range
    T_S = _finite(_row_maxima(S))                       # (N, H, T)
    E_S = np.exp(S - T_S[:, :, :, None])                # (N, H, T, T)
    S_S = _positive(E_S.sum(axis=3))                    # (N, H, T)
    P = E_S / S_S[:, :, :, None]                        # (N, H, T, T)
    split_V = V.reshape(N, T, H, E)                     # (N, T, H, E)
    O = (P @ split_V.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)  # (N, T, H, E)
    split_Wo = Wo.reshape(H, E, D)                      # (H, E, D)
    R = O.reshape(N, T, -1) @ split_Wo.reshape(-1, D) + X  # (N, T, D)
    mu_A2 = R.mean(axis=2)                              # (N, T)
    diff_var_A2 = R - mu_A2[:, :, None]                 # (N, T, D)
    var_A2 = np.einsum("ntd,ntd->nt", diff_var_A2, diff_var_A2) / D  # (N, T)
    sqrt_var_A2 = np.sqrt(var_A2 + epsilon)             # (N, T)
    A2_hat = diff_var_A2 / sqrt_var_A2[:, :, None]      # (N, T, D)
    A2 = g2 * A2_hat + b2                               # (N, T, D)
    pre_F = A2 @ W3 + b3                                # (N, T, M)
    tanh_pre_F = np.tanh((2 / np.pi)**0.5 * (0.044715 * (pre_F**2 * pre_F) + pre_F))  # (N, T, M)
    F = pre_F * (tanh_pre_F + 1) / 2                    # (N, T, M)
    return F @ W4 + R + b4


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _finite(x):
    """Return x with -inf, the maximum of a row that is masked everywhere, as a number of which multiples are finite."""
    return np.maximum(x, np.finfo(x.dtype).min / 16)


def _positive(x):
    """Return x with 0, the sum of a row that is masked everywhere, as 1: all other sums are at least 1."""
    return np.maximum(x, 1)


def _row_maxima(x):
    """Return the maxima over the last axis: of short rows as of columns, of others by their places, which is faster."""
    if x.size < 32 * x.shape[-1]:                       # few rows: NumPy starts each anew
        return x.max(axis=-1)
    rows = x.reshape(-1, x.shape[-1])
    if rows.shape[1] < 32:
        return np.ascontiguousarray(rows.T).max(axis=0).reshape(x.shape[:-1])
    return rows[np.arange(len(rows)), rows.argmax(axis=1)].reshape(x.shape[:-1])


def _inner(a, b):
    """Return the sum of all of a*b, 2**14 numbers at a time: one long float32 sum by BLAS loses digits."""
    a, b = a.reshape(-1), b.reshape(-1)
    whole = a.size >> 14 << 14
    if whole == 0:
        return a @ b
    rows = a[:whole].reshape(-1, 2**14).conj(), b[:whole].reshape(-1, 2**14)    # which np.vecdot conjugates
    return np.vecdot(*rows).sum() + a[whole:] @ b[whole:]


def _sum_of_squares(x):
    """Return the sum of the squares of all entries."""
    return _inner(x, x)


def _checked(g1, b1, Wq, Wk, Wv, Wo, g2, b2, W3, b3, W4, b4, X, Y=None, epsilon=None, *, H, E):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (g1, b1, Wq, Wk, Wv, Wo, g2, b2, W3, b3, W4, b4)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    g1, b1, Wq, Wk, Wv, Wo, g2, b2, W3, b3, W4, b4, X = [np.asarray(v, dtype) for v in (*floats, X)]
    Y = None if Y is None else np.asarray(Y, dtype)
    epsilon = None if epsilon is None else np.asarray(epsilon, dtype)
    for name, size, least in (("H", H, 1), ("E", E, 1)):
        if not isinstance(size, (int, np.integer)) or size < least:
            raise ValueError(f"{name} is {size!r}; expected an integer, at least {least}")
    _sizes(
        g1.shape, b1.shape, Wq.shape, Wk.shape, Wv.shape, Wo.shape, g2.shape, b2.shape, W3.shape, b3.shape, W4.shape,
        b4.shape, X.shape, getattr(Y, "shape", None), getattr(epsilon, "shape", None), H=int(H), E=int(E)
    )
    return g1, b1, Wq, Wk, Wv, Wo, g2, b2, W3, b3, W4, b4, X, Y, epsilon


@lru_cache
def _sizes(g1, b1, Wq, Wk, Wv, Wo, g2, b2, W3, b3, W4, b4, X, Y, epsilon, *, H, E):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {"H": H, "E": E}
    for name, shape, axes in (
        ("g1", g1, "D"), ("b1", b1, "D"), ("Wq", Wq, "DD"), ("Wk", Wk, "DD"), ("Wv", Wv, "DD"), ("Wo", Wo, "DD"),
        ("g2", g2, "D"), ("b2", b2, "D"), ("W3", W3, "DM"), ("b3", b3, "M"), ("W4", W4, "MD"), ("b4", b4, "D"),
        ("X", X, "NTD"), ("Y", Y, "NTD"), ("epsilon", epsilon, ""),
    ):
        if shape is not None:
            _match(name, shape, axes, sizes)
    _follows("D", sizes["E"] * sizes["H"], "E * H", sizes)
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


def _follows(name, value, formula, sizes):
    """Note a size that follows from others; raise ValueError where it is no size, or an argument has another."""
    if value < 1:
        raise ValueError(f"{name} = {formula} is {value}; expected at least 1")
    if sizes.setdefault(name, value) != value:
        raise ValueError(f"{name} is {sizes[name]}; expected {formula} = {value}")
