"""Two convolutions, each with relu and max-pooling by 2, then a dense layer and the mean cross-entropy of labels."""

import numpy as np


def convolved(x, w, b):
    """Return the convolution of images x (N, C, U, V) with kernels w (F, C, K, K), without padding."""
    K = w.shape[2]
    A, B = x.shape[2] - K + 1, x.shape[3] - K + 1
    y = np.zeros((len(x), len(w), A, B)) + b[:, None, None]
    for p in range(K):
        for q in range(K):
            y += np.einsum("fc,ncij->nfij", w[:, :, p, q], x[:, :, p:p + A, q:q + B])
    return y


def convolution_backward(dy, x, w):
    """Return the gradients for x, w and b of what convolves them to y."""
    K = w.shape[2]
    A, B = dy.shape[2:]
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for p in range(K):
        for q in range(K):
            dw[:, :, p, q] = np.einsum("nfij,ncij->fc", dy, x[:, :, p:p + A, q:q + B])
            dx[:, :, p:p + A, q:q + B] += np.einsum("fc,nfij->ncij", w[:, :, p, q], dy)
    return dx, dw, dy.sum(axis=(0, 2, 3))


def pooled(h):
    """Return the maxima of 2 by 2 blocks, a last odd row or column left out, and the place of each in its block."""
    N, F, U, V = h.shape
    blocks = h[:, :, :U // 2 * 2, :V // 2 * 2].reshape(N, F, U // 2, 2, V // 2, 2)
    blocks = blocks.transpose(0, 1, 2, 4, 3, 5).reshape(N, F, U // 2, V // 2, 4)
    return blocks.max(axis=4), blocks.argmax(axis=4)


def pooling_backward(dm, place, shape):
    """Return the gradient for what was pooled, of the given shape."""
    dh = np.zeros(shape)
    n, f, i, k = np.indices(dm.shape)
    dh[n, f, 2 * i + place // 2, 2 * k + place % 2] = dm
    return dh


def loss_and_grads(w1, b1, w2, b2, W3, b3, x, y):
    """Return the loss and its gradients for w1 (F, C, K, K), w2 (G, F, K, K), W3 (G, A2, B2, D), images x, labels y."""
    N = len(x)
    h1 = np.maximum(convolved(x, w1, b1), 0)
    m1, place1 = pooled(h1)
    h2 = np.maximum(convolved(m1, w2, b2), 0)
    m2, place2 = pooled(h2)
    flat, dense = m2.reshape(N, -1), W3.reshape(-1, W3.shape[-1])
    z = flat @ dense + b3
    z = z - z.max(axis=1, keepdims=True)                # the softmax does not see it, and exp stays in range
    p = np.exp(z)
    total = p.sum(axis=1, keepdims=True)
    p /= total
    loss = np.mean(np.log(total[:, 0]) - z[np.arange(N), y])

    dz = p
    dz[np.arange(N), y] -= 1
    dz /= N
    dW3 = (flat.T @ dz).reshape(W3.shape)
    dh2 = pooling_backward((dz @ dense.T).reshape(m2.shape), place2, h2.shape) * (h2 > 0)
    dm1, dw2, db2 = convolution_backward(dh2, m1, w2)
    dh1 = pooling_backward(dm1, place1, h1.shape) * (h1 > 0)
    _, dw1, db1 = convolution_backward(dh1, x, w1)
    return loss, {"w1": dw1, "b1": db1, "w2": dw2, "b2": db2, "W3": dW3, "b3": dz.sum(axis=0)}
