"""A language model of two transformer blocks, its output layer the transpose of its embeddings."""

import numpy as np

ROOT = np.sqrt(2 / np.pi)


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


def block(X, Wq, Wk, Wv, Wo, W, b, U, c, g1, b1, g2, b2, epsilon, H):
    """Return what a block makes of X, and what its gradient needs."""
    A, kept_A = norm(X, g1, b1, epsilon)
    Q, K, V = (heads_of(A @ M, H) for M in (Wq, Wk, Wv))
    S = np.where(np.tri(X.shape[1], dtype=bool), Q @ K.swapaxes(2, 3) / np.sqrt(Q.shape[3]), -np.inf)
    P = np.exp(S - S.max(axis=3, keepdims=True))
    P /= P.sum(axis=3, keepdims=True)
    O = joined(P @ V)
    R = X + O @ Wo
    B, kept_B = norm(R, g2, b2, epsilon)
    pre = B @ W + b
    squashed = np.tanh(ROOT * (pre + 0.044715 * pre**3))
    F = pre * (1 + squashed) / 2
    return R + F @ U + c, (A, kept_A, Q, K, V, P, O, B, kept_B, pre, squashed, F)


def block_back(dX, kept, Wq, Wk, Wv, Wo, W, U, H):
    """Return the gradient for what goes into a block, and those of its parameters in their order."""
    A, kept_A, Q, K, V, P, O, B, kept_B, pre, squashed, F = kept
    slope = (1 + squashed + pre * (1 - squashed**2) * ROOT * (1 + 3 * 0.044715 * pre**2)) / 2
    dpre = dX @ U.T * slope
    dB, dg2, db2 = norm_back(dpre @ W.T, kept_B)
    dR = dX + dB
    dO = heads_of(dR @ Wo.T, H)
    dP, dV = dO @ V.swapaxes(2, 3), joined(P.swapaxes(2, 3) @ dO)
    dS = P * (dP - np.sum(dP * P, axis=3, keepdims=True)) / np.sqrt(Q.shape[3])
    dQ, dK = joined(dS @ K), joined(dS.swapaxes(2, 3) @ Q)
    dA, dg1, db1 = norm_back(dQ @ Wq.T + dK @ Wk.T + dV @ Wv.T, kept_A)
    return dR + dA, [
        weights(A, dQ), weights(A, dK), weights(A, dV), weights(O, dR), weights(B, dpre), dpre.sum(axis=(0, 1)),
        weights(F, dX), dX.sum(axis=(0, 1)), dg1, db1, dg2, db2,
    ]


def loss_and_grads(
    We, Wp, Wq1, Wk1, Wv1, Wo1, W1, b1, U1, c1, g_A1, b_A1, g_B1, b_B1,
    Wq2, Wk2, Wv2, Wo2, W2, b2, U2, c2, g_A2, b_A2, g_B2, b_B2, g_C, b_C, w, y, epsilon, *, H, E,
):  # fmt: skip
    """Return loss and gradients for embeddings We (V, D) and Wp (T, D), tokens w and those that follow y (N, T)."""
    N, T = w.shape
    X, kept1 = block(We[w] + Wp, Wq1, Wk1, Wv1, Wo1, W1, b1, U1, c1, g_A1, b_A1, g_B1, b_B1, epsilon, H)
    X, kept2 = block(X, Wq2, Wk2, Wv2, Wo2, W2, b2, U2, c2, g_A2, b_A2, g_B2, b_B2, epsilon, H)
    C, kept_C = norm(X, g_C, b_C, epsilon)
    Z = C @ We.T
    Z = Z - Z.max(axis=2, keepdims=True)                # the softmax does not see it, and exp stays in range
    p = np.exp(Z)
    total = p.sum(axis=2, keepdims=True)
    p /= total
    here = np.arange(N)[:, None], np.arange(T), y
    loss = np.mean(np.log(total[..., 0]) - Z[here])

    dZ = p
    dZ[here] -= 1
    dZ /= N * T
    dX, dg_C, db_C = norm_back(dZ @ We, kept_C)
    dX, grads2 = block_back(dX, kept2, Wq2, Wk2, Wv2, Wo2, W2, U2, H)
    dX, grads1 = block_back(dX, kept1, Wq1, Wk1, Wv1, Wo1, W1, U1, H)
    dWe = weights(dZ, C)
    np.add.at(dWe, w, dX)
    names = ["Wq{}", "Wk{}", "Wv{}", "Wo{}", "W{}", "b{}", "U{}", "c{}", "g_A{}", "b_A{}", "g_B{}", "b_B{}"]
    named = {n.format(k): d for k, grads in ((1, grads1), (2, grads2)) for n, d in zip(names, grads, strict=True)}
    return loss, {"We": dWe, "Wp": dX.sum(axis=0), **named, "g_C": dg_C, "b_C": db_C}
