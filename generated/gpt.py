"""Language model of two transformer blocks with tied embeddings: loss and gradients.

    X0[n, t, d] = We[w[n, t], d] + Wp[t, d]                                    (N, T, D)      embedded tokens
    mu_A1[n, t] = 1/D sum_d X0[n, t, d]                                        (N, T)         mean
    var_A1[n, t] = 1/D sum_d (X0[n, t, d] - mu_A1[n, t])^2                     (N, T)         variance
    sqrt_var_A1[n, t] = sqrt(var_A1[n, t] + epsilon)                           (N, T)
    A1_hat[n, t, d] = (X0[n, t, d] - mu_A1[n, t]) / sqrt_var_A1[n, t]          (N, T, D)
    A1[n, t, d] = g_A1[d] * A1_hat[n, t, d] + b_A1[d]                          (N, T, D)      normalised
    Q1[n, t, d] = sum_d2 A1[n, t, d2] * Wq1[d2, d]                             (N, T, D)
    K1[n, t, d] = sum_d2 A1[n, t, d2] * Wk1[d2, d]                             (N, T, D)
    V1[n, t, d] = sum_d2 A1[n, t, d2] * Wv1[d2, d]                             (N, T, D)
    sum_S1[n, h, t, s] = sum_e Q1[n, t, E * h + e] * K1[n, s, E * h + e]       (N, H, T, T)
    S1[n, h, t, s] = (1/sqrt(E) sum_S1[n, h, t, s] if t >= s else -inf)        (N, H, T, T)   scores
    lse_S1[n, h, t] = log sum_s exp S1[n, h, t, s]                             (N, H, T)
    P1[n, h, t, s] = exp(S1[n, h, t, s] - lse_S1[n, h, t])                     (N, H, T, T)   attention
    O1[n, t, h, e] = sum_s P1[n, h, t, s] * V1[n, s, E * h + e]                (N, T, H, E)   outputs of the heads
    R1[n, t, d] = (sum_{h, e} O1[n, t, h, e] * Wo1[E * h + e, d]) + X0[n, t, d]   (N, T, D)
    mu_B1[n, t] = 1/D sum_d R1[n, t, d]                                        (N, T)         mean
    var_B1[n, t] = 1/D sum_d (R1[n, t, d] - mu_B1[n, t])^2                     (N, T)         variance
    sqrt_var_B1[n, t] = sqrt(var_B1[n, t] + epsilon)                           (N, T)
    B1_hat[n, t, d] = (R1[n, t, d] - mu_B1[n, t]) / sqrt_var_B1[n, t]          (N, T, D)
    B1[n, t, d] = g_B1[d] * B1_hat[n, t, d] + b_B1[d]                          (N, T, D)      normalised
    pre_F1[n, t, m] = (sum_d B1[n, t, d] * W1[d, m]) + b1[m]                   (N, T, M)
    tanh_pre_F1[n, t, m] = tanh(sqrt(2/pi) (0.044715 pre_F1[n, t, m]^3 + pre_F1[n, t, m]))   (N, T, M)
    F1[n, t, m] = 1/2 pre_F1[n, t, m] * (1 + tanh_pre_F1[n, t, m])             (N, T, M)      hidden units
    X1[n, t, d] = (sum_m F1[n, t, m] * U1[m, d]) + R1[n, t, d] + c1[d]         (N, T, D)      after block 1
    mu_A2[n, t] = 1/D sum_d X1[n, t, d]                                        (N, T)         mean
    var_A2[n, t] = 1/D sum_d (X1[n, t, d] - mu_A2[n, t])^2                     (N, T)         variance
    sqrt_var_A2[n, t] = sqrt(var_A2[n, t] + epsilon)                           (N, T)
    A2_hat[n, t, d] = (X1[n, t, d] - mu_A2[n, t]) / sqrt_var_A2[n, t]          (N, T, D)
    A2[n, t, d] = g_A2[d] * A2_hat[n, t, d] + b_A2[d]                          (N, T, D)      normalised
    Q2[n, t, d] = sum_d2 A2[n, t, d2] * Wq2[d2, d]                             (N, T, D)
    K2[n, t, d] = sum_d2 A2[n, t, d2] * Wk2[d2, d]                             (N, T, D)
    V2[n, t, d] = sum_d2 A2[n, t, d2] * Wv2[d2, d]                             (N, T, D)
    sum_S2[n, h, t, s] = sum_e Q2[n, t, E * h + e] * K2[n, s, E * h + e]       (N, H, T, T)
    S2[n, h, t, s] = (1/sqrt(E) sum_S2[n, h, t, s] if t >= s else -inf)        (N, H, T, T)   scores
    lse_S2[n, h, t] = log sum_s exp S2[n, h, t, s]                             (N, H, T)
    P2[n, h, t, s] = exp(S2[n, h, t, s] - lse_S2[n, h, t])                     (N, H, T, T)   attention
    O2[n, t, h, e] = sum_s P2[n, h, t, s] * V2[n, s, E * h + e]                (N, T, H, E)   outputs of the heads
    R2[n, t, d] = (sum_{h, e} O2[n, t, h, e] * Wo2[E * h + e, d]) + X1[n, t, d]   (N, T, D)
    mu_B2[n, t] = 1/D sum_d R2[n, t, d]                                        (N, T)         mean
    var_B2[n, t] = 1/D sum_d (R2[n, t, d] - mu_B2[n, t])^2                     (N, T)         variance
    sqrt_var_B2[n, t] = sqrt(var_B2[n, t] + epsilon)                           (N, T)
    B2_hat[n, t, d] = (R2[n, t, d] - mu_B2[n, t]) / sqrt_var_B2[n, t]          (N, T, D)
    B2[n, t, d] = g_B2[d] * B2_hat[n, t, d] + b_B2[d]                          (N, T, D)      normalised
    pre_F2[n, t, m] = (sum_d B2[n, t, d] * W2[d, m]) + b2[m]                   (N, T, M)
    tanh_pre_F2[n, t, m] = tanh(sqrt(2/pi) (0.044715 pre_F2[n, t, m]^3 + pre_F2[n, t, m]))   (N, T, M)
    F2[n, t, m] = 1/2 pre_F2[n, t, m] * (1 + tanh_pre_F2[n, t, m])             (N, T, M)      hidden units
    X2[n, t, d] = (sum_m F2[n, t, m] * U2[m, d]) + R2[n, t, d] + c2[d]         (N, T, D)      after block 2
    mu_C[n, t] = 1/D sum_d X2[n, t, d]                                         (N, T)         mean
    var_C[n, t] = 1/D sum_d (X2[n, t, d] - mu_C[n, t])^2                       (N, T)         variance
    sqrt_var_C[n, t] = sqrt(var_C[n, t] + epsilon)                             (N, T)
    C_hat[n, t, d] = (X2[n, t, d] - mu_C[n, t]) / sqrt_var_C[n, t]             (N, T, D)
    C[n, t, d] = g_C[d] * C_hat[n, t, d] + b_C[d]                              (N, T, D)      normalised
    Z[n, t, v] = sum_d C[n, t, d] * We[v, d]                                   (N, T, V)      logits
    loss = 1/(N T) sum_{n, t} (log sum_v exp Z[n, t, v]) - Z[n, t, y[n, t]]

Parameters  We (V, D), Wp (T, D), Wq1 (D, D), Wk1 (D, D), Wv1 (D, D), Wo1 (D, D), W1 (D, M), b1 (M,), U1 (M, D),
            c1 (D,), g_A1 (D,), b_A1 (D,), g_B1 (D,), b_B1 (D,), Wq2 (D, D), Wk2 (D, D), Wv2 (D, D), Wo2 (D, D),
            W2 (D, M), b2 (M,), U2 (M, D), c2 (D,), g_A2 (D,), b_A2 (D,), g_B2 (D,), b_B2 (D,), g_C (D,), b_C (D,);
            their dtype is the result's.
Inputs      epsilon, a scalar; labels w (N, T), integers in [0, V); labels y (N, T), integers in [0, V).
Sizes       H, E, given by keyword.
where       D = H E.
Outputs     Z (N, T, V), by `predict`.
Cost        2NT(24D^2 + 12DM + 12DT + 3DV + 10HT) operations, 288HNT^2 bytes read and written, 16HNT^2 bytes kept for
            `backward`, to leading order.
Convention  a softmax whose terms are all masked is 0.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/gpt.py by `derive build gpt`; do not edit.
The derivation is typeset in gpt.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    We: np.ndarray
    Wp: np.ndarray
    Wq1: np.ndarray
    Wk1: np.ndarray
    Wv1: np.ndarray
    Wo1: np.ndarray
    W1: np.ndarray
    b1: np.ndarray
    U1: np.ndarray
    c1: np.ndarray
    g_A1: np.ndarray
    b_A1: np.ndarray
    g_B1: np.ndarray
    b_B1: np.ndarray
    Wq2: np.ndarray
    Wk2: np.ndarray
    Wv2: np.ndarray
    Wo2: np.ndarray
    W2: np.ndarray
    b2: np.ndarray
    U2: np.ndarray
    c2: np.ndarray
    g_A2: np.ndarray
    b_A2: np.ndarray
    g_B2: np.ndarray
    b_B2: np.ndarray
    g_C: np.ndarray
    b_C: np.ndarray


def forward(
    We, Wp, Wq1, Wk1, Wv1, Wo1, W1, b1, U1, c1, g_A1, b_A1, g_B1, b_B1, Wq2, Wk2, Wv2, Wo2, W2, b2, U2, c2, g_A2, b_A2,
    g_B2, b_B2, g_C, b_C, w, y, epsilon, *, H, E
):
    """Return the loss and the residuals that `backward` reads."""
    (
        We, Wp, Wq1, Wk1, Wv1, Wo1, W1, b1, U1, c1, g_A1, b_A1, g_B1, b_B1, Wq2, Wk2, Wv2, Wo2, W2, b2, U2, c2, g_A2,
        b_A2, g_B2, b_B2, g_C, b_C, w, y, epsilon,
    ) = _checked(
        We, Wp, Wq1, Wk1, Wv1, Wo1, W1, b1, U1, c1, g_A1, b_A1, g_B1, b_B1, Wq2, Wk2, Wv2, Wo2, W2, b2, U2, c2, g_A2,
        b_A2, g_B2, b_B2, g_C, b_C, w, y, epsilon, H=H, E=E,
    )
    H, E = int(H), int(E)
    N = len(w)
    T = len(Wp)
    D = len(Wq1)

    mask = np.arange(T) <= np.arange(T)[:, None]        # (T, T)
    X0 = We[w] + Wp                                     # (N, T, D)
    mu_A1 = X0.mean(axis=2)                             # (N, T)
    diff_var_A1 = X0 - mu_A1[:, :, None]                # (N, T, D)
    var_A1 = np.einsum("ntd,ntd->nt", diff_var_A1, diff_var_A1) / D  # (N, T)
    sqrt_var_A1 = np.sqrt(var_A1 + epsilon)             # (N, T)
    A1_hat = diff_var_A1 / sqrt_var_A1[:, :, None]      # (N, T, D)
    A1 = g_A1 * A1_hat + b_A1                           # (N, T, D)
    Q1 = A1 @ Wq1                                       # (N, T, D)
    K1 = A1 @ Wk1                                       # (N, T, D)
    V1 = A1 @ Wv1                                       # (N, T, D)
    split_K1 = K1.reshape(N, T, H, E)                   # (N, T, H, E)
    split_Q1 = Q1.reshape(N, T, H, E)                   # (N, T, H, E)
    sum_S1 = split_Q1.transpose(0, 2, 1, 3) @ split_K1.transpose(0, 2, 3, 1)  # (N, H, T, T)
    S1 = np.where(mask, sum_S1 / E**0.5, -np.inf)       # (N, H, T, T)
    # log sum_s2 exp S1[n, h, t, s2] = T_S1 + log S_S1, shifted by the maxima T_S1 so that exp stays in range
    T_S1 = _finite(_row_maxima(S1))                     # (N, H, T)
    E_S1 = np.exp(S1 - T_S1[:, :, :, None])             # (N, H, T, T)
    S_S1 = _positive(E_S1.sum(axis=3))                  # (N, H, T)
    P1 = E_S1 / S_S1[:, :, :, None]                     # (N, H, T, T)
    split_V1 = V1.reshape(N, T, H, E)                   # (N, T, H, E)
    O1 = (P1 @ split_V1.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)  # (N, T, H, E)
    split_Wo1 = Wo1.reshape(H, E, D)                    # (H, E, D)
    R1 = O1.reshape(N, T, -1) @ split_Wo1.reshape(-1, D) + X0  # (N, T, D)
    mu_B1 = R1.mean(axis=2)                             # (N, T)
    diff_var_B1 = R1 - mu_B1[:, :, None]                # (N, T, D)
    var_B1 = np.einsum("ntd,ntd->nt", diff_var_B1, diff_var_B1) / D  # (N, T)
    sqrt_var_B1 = np.sqrt(var_B1 + epsilon)             # (N, T)
    B1_hat = diff_var_B1 / sqrt_var_B1[:, :, None]      # (N, T, D)
    B1 = g_B1 * B1_hat + b_B1                           # (N, T, D)
    pre_F1 = B1 @ W1 + b1                               # (N, T, M)
    tanh_pre_F1 = np.tanh((2 / np.pi)**0.5 * (0.044715 * (pre_F1**2 * pre_F1) + pre_F1))  # (N, T, M)
    F1 = pre_F1 * (tanh_pre_F1 + 1) / 2                 # (N, T, M)
    X1 = F1 @ U1 + R1 + c1                              # (N, T, D)
    mu_A2 = X1.mean(axis=2)                             # (N, T)
    diff_var_A2 = X1 - mu_A2[:, :, None]                # (N, T, D)
    var_A2 = np.einsum("ntd,ntd->nt", diff_var_A2, diff_var_A2) / D  # (N, T)
    sqrt_var_A2 = np.sqrt(var_A2 + epsilon)             # (N, T)
    A2_hat = diff_var_A2 / sqrt_var_A2[:, :, None]      # (N, T, D)
    A2 = g_A2 * A2_hat + b_A2                           # (N, T, D)
    Q2 = A2 @ Wq2                                       # (N, T, D)
    K2 = A2 @ Wk2                                       # (N, T, D)
    V2 = A2 @ Wv2                                       # (N, T, D)
    split_K2 = K2.reshape(N, T, H, E)                   # (N, T, H, E)
    split_Q2 = Q2.reshape(N, T, H, E)                   # (N, T, H, E)
    sum_S2 = split_Q2.transpose(0, 2, 1, 3) @ split_K2.transpose(0, 2, 3, 1)  # (N, H, T, T)
    S2 = np.where(mask, sum_S2 / E**0.5, -np.inf)       # (N, H, T, T)
    # log sum_s2 exp S2[n, h, t, s2] = T_S2 + log S_S2, shifted by the maxima T_S2 so that exp stays in range
    T_S2 = _finite(_row_maxima(S2))                     # (N, H, T)
    E_S2 = np.exp(S2 - T_S2[:, :, :, None])             # (N, H, T, T)
    S_S2 = _positive(E_S2.sum(axis=3))                  # (N, H, T)
    P2 = E_S2 / S_S2[:, :, :, None]                     # (N, H, T, T)
    split_V2 = V2.reshape(N, T, H, E)                   # (N, T, H, E)
    O2 = (P2 @ split_V2.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)  # (N, T, H, E)
    split_Wo2 = Wo2.reshape(H, E, D)                    # (H, E, D)
    R2 = O2.reshape(N, T, -1) @ split_Wo2.reshape(-1, D) + X1  # (N, T, D)
    mu_B2 = R2.mean(axis=2)                             # (N, T)
    diff_var_B2 = R2 - mu_B2[:, :, None]                # (N, T, D)
    var_B2 = np.einsum("ntd,ntd->nt", diff_var_B2, diff_var_B2) / D  # (N, T)
    sqrt_var_B2 = np.sqrt(var_B2 + epsilon)             # (N, T)
    B2_hat = diff_var_B2 / sqrt_var_B2[:, :, None]      # (N, T, D)
    B2 = g_B2 * B2_hat + b_B2                           # (N, T, D)
    pre_F2 = B2 @ W2 + b2                               # (N, T, M)
    tanh_pre_F2 = np.tanh((2 / np.pi)**0.5 * (0.044715 * (pre_F2**2 * pre_F2) + pre_F2))  # (N, T, M)
    F2 = pre_F2 * (tanh_pre_F2 + 1) / 2                 # (N, T, M)
    X2 = F2 @ U2 + R2 + c2                              # (N, T, D)
    mu_C = X2.mean(axis=2)                              # (N, T)
    diff_var_C = X2 - mu_C[:, :, None]                  # (N, T, D)
    var_C = np.einsum("ntd,ntd->nt", diff_var_C, diff_var_C) / D  # (N, T)
    sqrt_var_C = np.sqrt(var_C + epsilon)               # (N, T)
    C_hat = diff_var_C / sqrt_var_C[:, :, None]         # (N, T, D)
    C = g_C * C_hat + b_C                               # (N, T, D)
    Z = C @ We.T                                        # (N, T, V)
    # log sum_v exp Z[n, t, v] = T_Z + log S_Z, shifted by the maxima T_Z so that exp stays in range
    T_Z = _row_maxima(Z)                                # (N, T)
    E_Z = np.exp(Z - T_Z[:, :, None])                   # (N, T, V)
    S_Z = E_Z.sum(axis=2)                               # (N, T)
    loss = _mean(np.log(S_Z) + (T_Z - Z[np.arange(N)[:, None], np.arange(T), y]))
    return loss, (
        We, w, y, epsilon, Wq1, Wk1, Wv1, W1, U1, g_A1, var_A1, A1_hat, A1, P1, O1, g_B1, var_B1, B1_hat, B1, pre_F1,
        F1, Wq2, Wk2, Wv2, W2, U2, g_A2, var_A2, A2_hat, A2, P2, O2, g_B2, var_B2, B2_hat, B2, pre_F2, F2, g_C, var_C,
        C_hat, C, sqrt_var_A1, sqrt_var_B1, sqrt_var_A2, sqrt_var_B2, sqrt_var_C, tanh_pre_F1, tanh_pre_F2, diff_var_A1,
        diff_var_B1, diff_var_A2, diff_var_B2, diff_var_C, E_Z, S_Z, split_K1, split_Q1, split_V1, split_Wo1, split_K2,
        split_Q2, split_V2, split_Wo2,
    )


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    (
        We, w, y, epsilon, Wq1, Wk1, Wv1, W1, U1, g_A1, var_A1, A1_hat, A1, P1, O1, g_B1, var_B1, B1_hat, B1, pre_F1,
        F1, Wq2, Wk2, Wv2, W2, U2, g_A2, var_A2, A2_hat, A2, P2, O2, g_B2, var_B2, B2_hat, B2, pre_F2, F2, g_C, var_C,
        C_hat, C, sqrt_var_A1, sqrt_var_B1, sqrt_var_A2, sqrt_var_B2, sqrt_var_C, tanh_pre_F1, tanh_pre_F2, diff_var_A1,
        diff_var_B1, diff_var_A2, diff_var_B2, diff_var_C, E_Z, S_Z, split_K1, split_Q1, split_V1, split_Wo1, split_K2,
        split_Q2, split_V2, split_Wo2,
    ) = residuals
    N = len(w)
    T = w.shape[1]
    H = len(split_Wo1)
    E = split_Wo1.shape[1]
    M = len(U1)
    V = len(We)
    D = len(Wq1)

    # loss = 1/(N T) sum_{n, t} (log sum_v exp Z[n, t, v]) - Z[n, t, y[n, t]]
    dZ = E_Z / S_Z[:, :, None]                          # (N, T, V)
    dZ[np.arange(N)[:, None], np.arange(T), y] -= 1
    dZ /= N * T
    # Z[n, t, v] = sum_d C[n, t, d] * We[v, d]
    dC = dZ @ We                                        # (N, T, D)
    # C[n, t, d] = g_C[d] * C_hat[n, t, d] + b_C[d]
    dg_C = np.einsum("ntd,ntd->d", dC, C_hat)           # (D,)
    db_C = dC.sum(axis=(0, 1))                          # (D,)
    dC_hat = g_C * dC                                   # (N, T, D)
    # C_hat[n, t, d] = (X2[n, t, d] - mu_C[n, t]) / sqrt_var_C[n, t]
    dvar_C = -np.einsum("ntd,ntd->nt", dC_hat, C_hat) / (2 * (var_C + epsilon))  # (N, T)
    # var_C[n, t] = 1/D sum_d (X2[n, t, d] - mu_C[n, t])^2
    dmu_C = -dC_hat.sum(axis=2) / sqrt_var_C            # (N, T)
    # mu_C[n, t] = 1/D sum_d X2[n, t, d]
    dX2 = (
        dC_hat / sqrt_var_C[:, :, None] + 2 / D * dvar_C[:, :, None] * diff_var_C + (dmu_C / D)[:, :, None]
    )                                                   # (N, T, D)
    # X2[n, t, d] = (sum_m F2[n, t, m] * U2[m, d]) + R2[n, t, d] + c2[d]
    dU2 = F2.reshape(-1, M).T @ dX2.reshape(-1, D)      # (M, D)
    dc2 = dX2.sum(axis=(0, 1))                          # (D,)
    dF2 = dX2 @ U2.T                                    # (N, T, M)
    # F2[n, t, m] = 1/2 pre_F2[n, t, m] * (1 + tanh_pre_F2[n, t, m])
    dpre_F2 = dF2 * (
        (2 / np.pi)**0.5 * pre_F2 * (1 - tanh_pre_F2**2) * (0.134145 * pre_F2**2 + 1) + tanh_pre_F2 + 1
    ) / 2                                               # (N, T, M)
    # pre_F2[n, t, m] = (sum_d B2[n, t, d] * W2[d, m]) + b2[m]
    dW2 = B2.reshape(-1, D).T @ dpre_F2.reshape(-1, M)  # (D, M)
    db2 = dpre_F2.sum(axis=(0, 1))                      # (M,)
    dB2 = dpre_F2 @ W2.T                                # (N, T, D)
    # B2[n, t, d] = g_B2[d] * B2_hat[n, t, d] + b_B2[d]
    dg_B2 = np.einsum("ntd,ntd->d", dB2, B2_hat)        # (D,)
    db_B2 = dB2.sum(axis=(0, 1))                        # (D,)
    dB2_hat = g_B2 * dB2                                # (N, T, D)
    # B2_hat[n, t, d] = (R2[n, t, d] - mu_B2[n, t]) / sqrt_var_B2[n, t]
    dvar_B2 = -np.einsum("ntd,ntd->nt", dB2_hat, B2_hat) / (2 * (var_B2 + epsilon))  # (N, T)
    # var_B2[n, t] = 1/D sum_d (R2[n, t, d] - mu_B2[n, t])^2
    dmu_B2 = -dB2_hat.sum(axis=2) / sqrt_var_B2         # (N, T)
    # mu_B2[n, t] = 1/D sum_d R2[n, t, d]
    dR2 = (
        dB2_hat / sqrt_var_B2[:, :, None] + 2 / D * dvar_B2[:, :, None] * diff_var_B2 + dX2
        + (dmu_B2 / D)[:, :, None]
    )                                                   # (N, T, D)
    # R2[n, t, d] = (sum_{h, e} O2[n, t, h, e] * Wo2[E * h + e, d]) + X1[n, t, d]
    dsplit_Wo2 = (O2.reshape(-1, E * H).T @ dR2.reshape(-1, D)).reshape(H, E, D)  # (H, E, D)
    dWo2 = dsplit_Wo2.reshape(D, D)                     # (D, D)
    dO2 = (dR2 @ split_Wo2.reshape(-1, D).T).reshape(N, T, H, E)  # (N, T, H, E)
    # O2[n, t, h, e] = sum_s P2[n, h, t, s] * V2[n, s, E * h + e]
    dP2 = dO2.transpose(0, 2, 1, 3) @ split_V2.transpose(0, 2, 3, 1)  # (N, H, T, T)
    dsplit_V2 = (P2.mT @ dO2.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)  # (N, T, H, E)
    dV2 = dsplit_V2.reshape(N, T, D)                    # (N, T, D)
    # P2[n, h, t, s] = exp(S2[n, h, t, s] - lse_S2[n, h, t])
    dlse_S2 = -np.einsum("nhts,nhts->nht", dP2, P2)     # (N, H, T)
    # lse_S2[n, h, t] = log sum_s exp S2[n, h, t, s]
    dS2 = P2 * (dP2 + dlse_S2[:, :, :, None])           # (N, H, T, T)
    # S2[n, h, t, s] = (1/sqrt(E) sum_S2[n, h, t, s] if t >= s else -inf)
    dsum_S2 = dS2 / E**0.5                              # (N, H, T, T)
    # sum_S2[n, h, t, s] = sum_e Q2[n, t, E * h + e] * K2[n, s, E * h + e]
    dsplit_K2 = (dsum_S2.mT @ split_Q2.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)  # (N, T, H, E)
    dK2 = dsplit_K2.reshape(N, T, D)                    # (N, T, D)
    dsplit_Q2 = (dsum_S2 @ split_K2.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)  # (N, T, H, E)
    dQ2 = dsplit_Q2.reshape(N, T, D)                    # (N, T, D)
    # V2[n, t, d] = sum_d2 A2[n, t, d2] * Wv2[d2, d]
    dWv2 = A2.reshape(-1, D).T @ dV2.reshape(-1, D)     # (D, D)
    # K2[n, t, d] = sum_d2 A2[n, t, d2] * Wk2[d2, d]
    dWk2 = A2.reshape(-1, D).T @ dK2.reshape(-1, D)     # (D, D)
    # Q2[n, t, d] = sum_d2 A2[n, t, d2] * Wq2[d2, d]
    dWq2 = A2.reshape(-1, D).T @ dQ2.reshape(-1, D)     # (D, D)
    dA2 = dK2 @ Wk2.T + dQ2 @ Wq2.T + dV2 @ Wv2.T       # (N, T, D)
    # A2[n, t, d] = g_A2[d] * A2_hat[n, t, d] + b_A2[d]
    dg_A2 = np.einsum("ntd,ntd->d", dA2, A2_hat)        # (D,)
    db_A2 = dA2.sum(axis=(0, 1))                        # (D,)
    dA2_hat = g_A2 * dA2                                # (N, T, D)
    # A2_hat[n, t, d] = (X1[n, t, d] - mu_A2[n, t]) / sqrt_var_A2[n, t]
    dvar_A2 = -np.einsum("ntd,ntd->nt", dA2_hat, A2_hat) / (2 * (var_A2 + epsilon))  # (N, T)
    # var_A2[n, t] = 1/D sum_d (X1[n, t, d] - mu_A2[n, t])^2
    dmu_A2 = -dA2_hat.sum(axis=2) / sqrt_var_A2         # (N, T)
    # mu_A2[n, t] = 1/D sum_d X1[n, t, d]
    dX1 = (
        dA2_hat / sqrt_var_A2[:, :, None] + 2 / D * dvar_A2[:, :, None] * diff_var_A2 + dR2
        + (dmu_A2 / D)[:, :, None]
    )                                                   # (N, T, D)
    # X1[n, t, d] = (sum_m F1[n, t, m] * U1[m, d]) + R1[n, t, d] + c1[d]
    dU1 = F1.reshape(-1, M).T @ dX1.reshape(-1, D)      # (M, D)
    dc1 = dX1.sum(axis=(0, 1))                          # (D,)
    dF1 = dX1 @ U1.T                                    # (N, T, M)
    # F1[n, t, m] = 1/2 pre_F1[n, t, m] * (1 + tanh_pre_F1[n, t, m])
    dpre_F1 = dF1 * (
        (2 / np.pi)**0.5 * pre_F1 * (1 - tanh_pre_F1**2) * (0.134145 * pre_F1**2 + 1) + tanh_pre_F1 + 1
    ) / 2                                               # (N, T, M)
    # pre_F1[n, t, m] = (sum_d B1[n, t, d] * W1[d, m]) + b1[m]
    dW1 = B1.reshape(-1, D).T @ dpre_F1.reshape(-1, M)  # (D, M)
    db1 = dpre_F1.sum(axis=(0, 1))                      # (M,)
    dB1 = dpre_F1 @ W1.T                                # (N, T, D)
    # B1[n, t, d] = g_B1[d] * B1_hat[n, t, d] + b_B1[d]
    dg_B1 = np.einsum("ntd,ntd->d", dB1, B1_hat)        # (D,)
    db_B1 = dB1.sum(axis=(0, 1))                        # (D,)
    dB1_hat = g_B1 * dB1                                # (N, T, D)
    # B1_hat[n, t, d] = (R1[n, t, d] - mu_B1[n, t]) / sqrt_var_B1[n, t]
    dvar_B1 = -np.einsum("ntd,ntd->nt", dB1_hat, B1_hat) / (2 * (var_B1 + epsilon))  # (N, T)
    # var_B1[n, t] = 1/D sum_d (R1[n, t, d] - mu_B1[n, t])^2
    dmu_B1 = -dB1_hat.sum(axis=2) / sqrt_var_B1         # (N, T)
    # mu_B1[n, t] = 1/D sum_d R1[n, t, d]
    dR1 = (
        dB1_hat / sqrt_var_B1[:, :, None] + 2 / D * dvar_B1[:, :, None] * diff_var_B1 + dX1
        + (dmu_B1 / D)[:, :, None]
    )                                                   # (N, T, D)
    # R1[n, t, d] = (sum_{h, e} O1[n, t, h, e] * Wo1[E * h + e, d]) + X0[n, t, d]
    dsplit_Wo1 = (O1.reshape(-1, E * H).T @ dR1.reshape(-1, D)).reshape(H, E, D)  # (H, E, D)
    dWo1 = dsplit_Wo1.reshape(D, D)                     # (D, D)
    dO1 = (dR1 @ split_Wo1.reshape(-1, D).T).reshape(N, T, H, E)  # (N, T, H, E)
    # O1[n, t, h, e] = sum_s P1[n, h, t, s] * V1[n, s, E * h + e]
    dP1 = dO1.transpose(0, 2, 1, 3) @ split_V1.transpose(0, 2, 3, 1)  # (N, H, T, T)
    dsplit_V1 = (P1.mT @ dO1.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)  # (N, T, H, E)
    dV1 = dsplit_V1.reshape(N, T, D)                    # (N, T, D)
    # P1[n, h, t, s] = exp(S1[n, h, t, s] - lse_S1[n, h, t])
    dlse_S1 = -np.einsum("nhts,nhts->nht", dP1, P1)     # (N, H, T)
    # lse_S1[n, h, t] = log sum_s exp S1[n, h, t, s]
    dS1 = P1 * (dP1 + dlse_S1[:, :, :, None])           # (N, H, T, T)
    # S1[n, h, t, s] = (1/sqrt(E) sum_S1[n, h, t, s] if t >= s else -inf)
    dsum_S1 = dS1 / E**0.5                              # (N, H, T, T)
    # sum_S1[n, h, t, s] = sum_e Q1[n, t, E * h + e] * K1[n, s, E * h + e]
    dsplit_K1 = (dsum_S1.mT @ split_Q1.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)  # (N, T, H, E)
    dK1 = dsplit_K1.reshape(N, T, D)                    # (N, T, D)
    dsplit_Q1 = (dsum_S1 @ split_K1.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)  # (N, T, H, E)
    dQ1 = dsplit_Q1.reshape(N, T, D)                    # (N, T, D)
    # V1[n, t, d] = sum_d2 A1[n, t, d2] * Wv1[d2, d]
    dWv1 = A1.reshape(-1, D).T @ dV1.reshape(-1, D)     # (D, D)
    # K1[n, t, d] = sum_d2 A1[n, t, d2] * Wk1[d2, d]
    dWk1 = A1.reshape(-1, D).T @ dK1.reshape(-1, D)     # (D, D)
    # Q1[n, t, d] = sum_d2 A1[n, t, d2] * Wq1[d2, d]
    dWq1 = A1.reshape(-1, D).T @ dQ1.reshape(-1, D)     # (D, D)
    dA1 = dK1 @ Wk1.T + dQ1 @ Wq1.T + dV1 @ Wv1.T       # (N, T, D)
    # A1[n, t, d] = g_A1[d] * A1_hat[n, t, d] + b_A1[d]
    dg_A1 = np.einsum("ntd,ntd->d", dA1, A1_hat)        # (D,)
    db_A1 = dA1.sum(axis=(0, 1))                        # (D,)
    dA1_hat = g_A1 * dA1                                # (N, T, D)
    # A1_hat[n, t, d] = (X0[n, t, d] - mu_A1[n, t]) / sqrt_var_A1[n, t]
    dvar_A1 = -np.einsum("ntd,ntd->nt", dA1_hat, A1_hat) / (2 * (var_A1 + epsilon))  # (N, T)
    # var_A1[n, t] = 1/D sum_d (X0[n, t, d] - mu_A1[n, t])^2
    dmu_A1 = -dA1_hat.sum(axis=2) / sqrt_var_A1         # (N, T)
    # mu_A1[n, t] = 1/D sum_d X0[n, t, d]
    dX0 = (
        dA1_hat / sqrt_var_A1[:, :, None] + 2 / D * dvar_A1[:, :, None] * diff_var_A1 + dR1
        + (dmu_A1 / D)[:, :, None]
    )                                                   # (N, T, D)
    # X0[n, t, d] = We[w[n, t], d] + Wp[t, d]
    dWe = dZ.reshape(-1, V).T @ C.reshape(-1, D)        # (V, D)
    _add_rows(dWe, w, dX0)
    dWp = dX0.sum(axis=0)                               # (T, D)
    return Params(dWe, dWp, dWq1, dWk1, dWv1, dWo1, dW1, db1, dU1, dc1, dg_A1, db_A1, dg_B1, db_B1, dWq2, dWk2, dWv2,
        dWo2, dW2, db2, dU2, dc2, dg_A2, db_A2, dg_B2, db_B2, dg_C, db_C)


def loss_and_grads(
    We, Wp, Wq1, Wk1, Wv1, Wo1, W1, b1, U1, c1, g_A1, b_A1, g_B1, b_B1, Wq2, Wk2, Wv2, Wo2, W2, b2, U2, c2, g_A2, b_A2,
    g_B2, b_B2, g_C, b_C, w, y, epsilon, *, H, E
):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(
        We, Wp, Wq1, Wk1, Wv1, Wo1, W1, b1, U1, c1, g_A1, b_A1, g_B1, b_B1, Wq2, Wk2, Wv2, Wo2, W2, b2, U2, c2, g_A2,
        b_A2, g_B2, b_B2, g_C, b_C, w, y, epsilon, H=H, E=E
    )
    return loss, backward(residuals)


def predict(
    We, Wp, Wq1, Wk1, Wv1, Wo1, W1, b1, U1, c1, g_A1, b_A1, g_B1, b_B1, Wq2, Wk2, Wv2, Wo2, W2, b2, U2, c2, g_A2, b_A2,
    g_B2, b_B2, g_C, b_C, w, epsilon, *, H, E
):
    """Return the logits Z (N, T, V)."""
    (
        We, Wp, Wq1, Wk1, Wv1, Wo1, W1, b1, U1, c1, g_A1, b_A1, g_B1, b_B1, Wq2, Wk2, Wv2, Wo2, W2, b2, U2, c2, g_A2,
        b_A2, g_B2, b_B2, g_C, b_C, w, _, epsilon,
    ) = _checked(
        We, Wp, Wq1, Wk1, Wv1, Wo1, W1, b1, U1, c1, g_A1, b_A1, g_B1, b_B1, Wq2, Wk2, Wv2, Wo2, W2, b2, U2, c2, g_A2,
        b_A2, g_B2, b_B2, g_C, b_C, w, epsilon=epsilon, H=H, E=E,
    )
    H, E = int(H), int(E)
    N = len(w)
    T = len(Wp)
    D = len(Wq1)

    mask = np.arange(T) <= np.arange(T)[:, None]        # (T, T)
    X0 = We[w] + Wp                                     # (N, T, D)
    mu_A1 = X0.mean(axis=2)                             # (N, T)
    diff_var_A1 = X0 - mu_A1[:, :, None]                # (N, T, D)
    var_A1 = np.einsum("ntd,ntd->nt", diff_var_A1, diff_var_A1) / D  # (N, T)
    sqrt_var_A1 = np.sqrt(var_A1 + epsilon)             # (N, T)
    A1_hat = diff_var_A1 / sqrt_var_A1[:, :, None]      # (N, T, D)
    A1 = g_A1 * A1_hat + b_A1                           # (N, T, D)
    Q1 = A1 @ Wq1                                       # (N, T, D)
    K1 = A1 @ Wk1                                       # (N, T, D)
    V1 = A1 @ Wv1                                       # (N, T, D)
    split_K1 = K1.reshape(N, T, H, E)                   # (N, T, H, E)
    split_Q1 = Q1.reshape(N, T, H, E)                   # (N, T, H, E)
    sum_S1 = split_Q1.transpose(0, 2, 1, 3) @ split_K1.transpose(0, 2, 3, 1)  # (N, H, T, T)
    S1 = np.where(mask, sum_S1 / E**0.5, -np.inf)       # (N, H, T, T)
    # log sum_s2 exp S1[n, h, t, s2] = T_S1 + log S_S1, shifted by the maxima T_S1 so that exp stays in range
    T_S1 = _finite(_row_maxima(S1))                     # (N, H, T)
    E_S1 = np.exp(S1 - T_S1[:, :, :, None])             # (N, H, T, T)
    S_S1 = _positive(E_S1.sum(axis=3))                  # (N, H, T)
    P1 = E_S1 / S_S1[:, :, :, None]                     # (N, H, T, T)
    split_V1 = V1.reshape(N, T, H, E)                   # (N, T, H, E)
    O1 = (P1 @ split_V1.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)  # (N, T, H, E)
    split_Wo1 = Wo1.reshape(H, E, D)                    # (H, E, D)
    R1 = O1.reshape(N, T, -1) @ split_Wo1.reshape(-1, D) + X0  # (N, T, D)
    mu_B1 = R1.mean(axis=2)                             # (N, T)
    diff_var_B1 = R1 - mu_B1[:, :, None]                # (N, T, D)
    var_B1 = np.einsum("ntd,ntd->nt", diff_var_B1, diff_var_B1) / D  # (N, T)
    sqrt_var_B1 = np.sqrt(var_B1 + epsilon)             # (N, T)
    B1_hat = diff_var_B1 / sqrt_var_B1[:, :, None]      # (N, T, D)
    B1 = g_B1 * B1_hat + b_B1                           # (N, T, D)
    pre_F1 = B1 @ W1 + b1                               # (N, T, M)
    tanh_pre_F1 = np.tanh((2 / np.pi)**0.5 * (0.044715 * (pre_F1**2 * pre_F1) + pre_F1))  # (N, T, M)
    F1 = pre_F1 * (tanh_pre_F1 + 1) / 2                 # (N, T, M)
    X1 = F1 @ U1 + R1 + c1                              # (N, T, D)
    mu_A2 = X1.mean(axis=2)                             # (N, T)
    diff_var_A2 = X1 - mu_A2[:, :, None]                # (N, T, D)
    var_A2 = np.einsum("ntd,ntd->nt", diff_var_A2, diff_var_A2) / D  # (N, T)
    sqrt_var_A2 = np.sqrt(var_A2 + epsilon)             # (N, T)
    A2_hat = diff_var_A2 / sqrt_var_A2[:, :, None]      # (N, T, D)
    A2 = g_A2 * A2_hat + b_A2                           # (N, T, D)
    Q2 = A2 @ Wq2                                       # (N, T, D)
    K2 = A2 @ Wk2                                       # (N, T, D)
    V2 = A2 @ Wv2                                       # (N, T, D)
    split_K2 = K2.reshape(N, T, H, E)                   # (N, T, H, E)
    split_Q2 = Q2.reshape(N, T, H, E)                   # (N, T, H, E)
    sum_S2 = split_Q2.transpose(0, 2, 1, 3) @ split_K2.transpose(0, 2, 3, 1)  # (N, H, T, T)
    S2 = np.where(mask, sum_S2 / E**0.5, -np.inf)       # (N, H, T, T)
    # log sum_s2 exp S2[n, h, t, s2] = T_S2 + log S_S2, shifted by the maxima T_S2 so that exp stays in range
    T_S2 = _finite(_row_maxima(S2))                     # (N, H, T)
    E_S2 = np.exp(S2 - T_S2[:, :, :, None])             # (N, H, T, T)
    S_S2 = _positive(E_S2.sum(axis=3))                  # (N, H, T)
    P2 = E_S2 / S_S2[:, :, :, None]                     # (N, H, T, T)
    split_V2 = V2.reshape(N, T, H, E)                   # (N, T, H, E)
    O2 = (P2 @ split_V2.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)  # (N, T, H, E)
    split_Wo2 = Wo2.reshape(H, E, D)                    # (H, E, D)
    R2 = O2.reshape(N, T, -1) @ split_Wo2.reshape(-1, D) + X1  # (N, T, D)
    mu_B2 = R2.mean(axis=2)                             # (N, T)
    diff_var_B2 = R2 - mu_B2[:, :, None]                # (N, T, D)
    var_B2 = np.einsum("ntd,ntd->nt", diff_var_B2, diff_var_B2) / D  # (N, T)
    sqrt_var_B2 = np.sqrt(var_B2 + epsilon)             # (N, T)
    B2_hat = diff_var_B2 / sqrt_var_B2[:, :, None]      # (N, T, D)
    B2 = g_B2 * B2_hat + b_B2                           # (N, T, D)
    pre_F2 = B2 @ W2 + b2                               # (N, T, M)
    tanh_pre_F2 = np.tanh((2 / np.pi)**0.5 * (0.044715 * (pre_F2**2 * pre_F2) + pre_F2))  # (N, T, M)
    F2 = pre_F2 * (tanh_pre_F2 + 1) / 2                 # (N, T, M)
    X2 = F2 @ U2 + R2 + c2                              # (N, T, D)
    mu_C = X2.mean(axis=2)                              # (N, T)
    diff_var_C = X2 - mu_C[:, :, None]                  # (N, T, D)
    var_C = np.einsum("ntd,ntd->nt", diff_var_C, diff_var_C) / D  # (N, T)
    sqrt_var_C = np.sqrt(var_C + epsilon)               # (N, T)
    C_hat = diff_var_C / sqrt_var_C[:, :, None]         # (N, T, D)
    C = g_C * C_hat + b_C                               # (N, T, D)
    return C @ We.T


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _finite(x):
    """Return x with -inf, the maximum of a row that is masked everywhere, as a number of which multiples are finite."""
    return np.maximum(x, np.finfo(x.dtype).min / 16)


def _positive(x):
    """Return x with 0, the sum of a row that is masked everywhere, as 1: all other sums are at least 1."""
    return np.maximum(x, 1)


def _add_rows(total, rows, values):
    """Add each of the values to the row that it belongs to; rows may repeat, which `+=` would forget."""
    width = total[0].size
    if rows.size * width < 512:                         # few numbers: what follows takes longer to begin
        np.add.at(total, rows, values)
        return
    values = np.broadcast_to(values, (*rows.shape, *total.shape[1:]))
    places = (rows.reshape(-1, 1).astype(np.intp) * width + np.arange(width)).reshape(-1)  # of the numbers in all rows
    if total.size <= values.size and total.dtype in (np.float32, np.float64):
        total += np.bincount(places, values.reshape(-1), total.size).reshape(total.shape)  # which adds up in double
    elif total.flags.c_contiguous:
        np.add.at(total.reshape(-1), places, values.reshape(-1))                           # faster than row by row
    else:
        np.add.at(total, rows, values)


def _row_maxima(x):
    """Return the maxima over the last axis: of short rows as of columns, of others by their places, which is faster."""
    if x.size < 32 * x.shape[-1]:                       # few rows: NumPy starts each anew
        return x.max(axis=-1)
    rows = x.reshape(-1, x.shape[-1])
    if rows.shape[1] < 32:
        return np.ascontiguousarray(rows.T).max(axis=0).reshape(x.shape[:-1])
    return rows[np.arange(len(rows)), rows.argmax(axis=1)].reshape(x.shape[:-1])


def _mean(x):
    """Return the mean of all entries: np.mean takes three times as long on a few numbers."""
    return x.sum() / x.size


def _checked(
    We, Wp, Wq1, Wk1, Wv1, Wo1, W1, b1, U1, c1, g_A1, b_A1, g_B1, b_B1, Wq2, Wk2, Wv2, Wo2, W2, b2, U2, c2, g_A2, b_A2,
    g_B2, b_B2, g_C, b_C, w, y=None, epsilon=None, *, H, E
):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [
        np.asarray(p) for p in (
            We, Wp, Wq1, Wk1, Wv1, Wo1, W1, b1, U1, c1, g_A1, b_A1, g_B1, b_B1, Wq2, Wk2, Wv2, Wo2, W2, b2, U2, c2,
            g_A2, b_A2, g_B2, b_B2, g_C, b_C
        )
    ]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    (
        We, Wp, Wq1, Wk1, Wv1, Wo1, W1, b1, U1, c1, g_A1, b_A1, g_B1, b_B1, Wq2, Wk2, Wv2, Wo2, W2, b2, U2, c2, g_A2,
        b_A2, g_B2, b_B2, g_C, b_C,
    ) = [np.asarray(v, dtype) for v in floats]
    epsilon = None if epsilon is None else np.asarray(epsilon, dtype)
    w = np.asarray(w)
    y = None if y is None else np.asarray(y)
    for name, size, least in (("H", H, 1), ("E", E, 1)):
        if not isinstance(size, (int, np.integer)) or size < least:
            raise ValueError(f"{name} is {size!r}; expected an integer, at least {least}")
    sizes = _sizes(
        We.shape, Wp.shape, Wq1.shape, Wk1.shape, Wv1.shape, Wo1.shape, W1.shape, b1.shape, U1.shape, c1.shape,
        g_A1.shape, b_A1.shape, g_B1.shape, b_B1.shape, Wq2.shape, Wk2.shape, Wv2.shape, Wo2.shape, W2.shape, b2.shape,
        U2.shape, c2.shape, g_A2.shape, b_A2.shape, g_B2.shape, b_B2.shape, g_C.shape, b_C.shape, w.shape,
        getattr(y, "shape", None), getattr(epsilon, "shape", None), H=int(H), E=int(E)
    )
    if w.dtype.kind not in "iu":
        raise ValueError(f"w has dtype {w.dtype}; expected integers, the labels")
    w = w.astype(np.intp, copy=False)
    if w.view(np.uintp).max() >= sizes["V"]:  # negative ones are the largest of all
        raise ValueError(
            f"w holds labels from {w.min()} to {w.max()}; "
            f"expected 0 to V - 1 = {sizes['V'] - 1}"
        )
    if y is not None:
        if y.dtype.kind not in "iu":
            raise ValueError(f"y has dtype {y.dtype}; expected integers, the labels")
        y = y.astype(np.intp, copy=False)
        if y.view(np.uintp).max() >= sizes["V"]:  # negative ones are the largest of all
            raise ValueError(
                f"y holds labels from {y.min()} to {y.max()}; "
                f"expected 0 to V - 1 = {sizes['V'] - 1}"
            )
    return (
        We, Wp, Wq1, Wk1, Wv1, Wo1, W1, b1, U1, c1, g_A1, b_A1, g_B1, b_B1, Wq2, Wk2, Wv2, Wo2, W2, b2, U2, c2, g_A2,
        b_A2, g_B2, b_B2, g_C, b_C, w, y, epsilon,
    )


@lru_cache
def _sizes(
    We, Wp, Wq1, Wk1, Wv1, Wo1, W1, b1, U1, c1, g_A1, b_A1, g_B1, b_B1, Wq2, Wk2, Wv2, Wo2, W2, b2, U2, c2, g_A2, b_A2,
    g_B2, b_B2, g_C, b_C, w, y, epsilon, *, H, E
):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {"H": H, "E": E}
    for name, shape, axes in (
        ("We", We, "VD"), ("Wp", Wp, "TD"), ("Wq1", Wq1, "DD"), ("Wk1", Wk1, "DD"), ("Wv1", Wv1, "DD"),
        ("Wo1", Wo1, "DD"), ("W1", W1, "DM"), ("b1", b1, "M"), ("U1", U1, "MD"), ("c1", c1, "D"), ("g_A1", g_A1, "D"),
        ("b_A1", b_A1, "D"), ("g_B1", g_B1, "D"), ("b_B1", b_B1, "D"), ("Wq2", Wq2, "DD"), ("Wk2", Wk2, "DD"),
        ("Wv2", Wv2, "DD"), ("Wo2", Wo2, "DD"), ("W2", W2, "DM"), ("b2", b2, "M"), ("U2", U2, "MD"), ("c2", c2, "D"),
        ("g_A2", g_A2, "D"), ("b_A2", b_A2, "D"), ("g_B2", g_B2, "D"), ("b_B2", b_B2, "D"), ("g_C", g_C, "D"),
        ("b_C", b_C, "D"), ("w", w, "NT"), ("y", y, "NT"), ("epsilon", epsilon, ""),
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
