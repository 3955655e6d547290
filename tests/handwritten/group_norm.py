"""Group normalisation of images: a convolution of width 1, G groups of M channels normalised, relu, means, softmax."""

import numpy as np


def loss_and_grads(W1, gamma, beta, W2, b2, X, y, epsilon, *, G, M):
    """Return the loss and its gradients for W1 (C, D), gamma and beta (C,), W2 (C, K), b2 (K,), images X (N, D, H, W).

    C = G*M channels; the labels y (N,) are integers.
    """
    N, _, H, W = X.shape
    C = G * M
    Z = np.einsum("cd,ndhw->nchw", W1, X).reshape(N, G, M, H, W)
    within = (2, 3, 4)                                  # the axes of a group
    spread = np.sqrt(Z.var(axis=within, keepdims=True) + epsilon)
    U = (Z - Z.mean(axis=within, keepdims=True)) / spread
    scale, shift = gamma.reshape(G, M, 1, 1), beta.reshape(G, M, 1, 1)
    A = np.maximum(scale * U + shift, 0)
    P = A.mean(axis=(3, 4)).reshape(N, C)
    Y = P @ W2 + b2
    Y = Y - Y.max(axis=1, keepdims=True)                # the softmax does not see it, and exp stays in range
    E = np.exp(Y)
    total = E.sum(axis=1)
    loss = np.mean(np.log(total) - Y[np.arange(N), y])

    dY = E / total[:, None]
    dY[np.arange(N), y] -= 1
    dY /= N
    dB = (dY @ W2.T).reshape(N, G, M, 1, 1) / (H * W) * (A > 0)
    dU = dB * scale
    dZ = (dU - dU.mean(axis=within, keepdims=True) - U * (dU * U).mean(axis=within, keepdims=True)) / spread
    return loss, {
        "W1": np.einsum("nchw,ndhw->cd", dZ.reshape(N, C, H, W), X),
        "gamma": (dB * U).sum(axis=(0, 3, 4)).reshape(C), "beta": dB.sum(axis=(0, 3, 4)).reshape(C),
        "W2": P.T @ dY, "b2": dY.sum(axis=0),
    }
