"""Kalman filter: half the sum of log det S[t] + v[t]' inv(S[t]) v[t] + M log 2 pi over the innovations v."""

import numpy as np


def loss_and_grads(A, C, q, r, y, m0, L0):
    """Return loss and gradients for A (D, D), C (M, D), log variances q (D,), r (M,); y (T, M), m0 (D,), L0 (D, D)."""
    T, M = y.shape
    m, P, loss, kept = m0, L0 @ L0.T, 0.0, []
    for t in range(T):
        mu, Q = A @ m, A @ P @ A.T + np.diag(np.exp(q))
        v, S = y[t] - C @ mu, C @ Q @ C.T + np.diag(np.exp(r))
        inverse = np.linalg.inv(S)
        gain = Q @ C.T @ inverse
        kept.append((m, P, mu, Q, v, inverse, gain))
        loss += (np.linalg.slogdet(S)[1] + v @ inverse @ v + M * np.log(2 * np.pi)) / 2
        m, P = mu + gain @ v, Q - gain @ C @ Q

    dA, dC, dq, dr = np.zeros_like(A), np.zeros_like(C), np.zeros_like(q), np.zeros_like(r)
    dm, dP = np.zeros_like(m), np.zeros_like(P)
    for m, P, mu, Q, v, inverse, gain in reversed(kept):
        dgain = np.outer(dm, v) - dP @ (C @ Q).T
        dQ = dP - (gain @ C).T @ dP + dgain @ inverse @ C
        dinverse = C @ Q.T @ dgain + np.outer(v, v) / 2
        dS = inverse / 2 - inverse.T @ dinverse @ inverse.T
        dv = inverse @ v + gain.T @ dm
        dmu = dm - C.T @ dv
        dC += -np.outer(dv, mu) + dS @ C @ Q.T + dS.T @ C @ Q + (Q.T @ dgain @ inverse.T).T - gain.T @ dP @ Q.T
        dQ += C.T @ dS @ C
        dr += np.exp(r) * np.diag(dS)
        dq += np.exp(q) * np.diag(dQ)
        dA += np.outer(dmu, m) + dQ @ A @ P.T + dQ.T @ A @ P
        dm, dP = A.T @ dmu, A.T @ dQ @ A
    return loss, {"A": dA, "C": dC, "q": dq, "r": dr}
