"""A small convolutional network with explicit loops: conv, relu, 2x2 max pool, dense, softmax."""

import numpy as np
from sympy import Sum

from derive import FirstMaximum, Network, cross_entropy, mean, relu


def network():
    net = Network("convnet_loops")
    N, C, U, V, F, K, M = net.sizes("N C U V F K M")
    A, B = net.size("A", U - K + 1), net.size("B", V - K + 1)
    I, J = net.size("I", A // 2), net.size("J", B // 2)
    k, kb = net.parameter("k", F, C, K, K), net.parameter("kb", F)
    W, b = net.parameter("W", F, I, J, M), net.parameter("b", M)
    x, y = net.input("x", N, C, U, V), net.labels("y", N, classes=M)
    n, f, c, p, q, u, v, i, j, r, s, m = net.indices(n=N, f=F, c=C, p=K, q=K, u=A, v=B, i=I, j=J, r=2, s=2, m=M)
    h = net.define("h", relu(Sum(k[f, c, p, q] * x[n, c, u + p, v + q], c, p, q) + kb[f]), over=(n, f, u, v))
    g = net.define("g", FirstMaximum(h[n, f, 2 * i + r, 2 * j + s], r, s), over=(n, f, i, j))
    z = net.define("z", Sum(g[n, f, i, j] * W[f, i, j, m], f, i, j) + b[m], over=(n, m))
    net.loss = mean(cross_entropy(z, y))
    return net


def conv_forward(x, k, kb):
    N, C, H, W = x.shape
    F, _, KH, KW = k.shape
    out = np.zeros((N, F, H - KH + 1, W - KW + 1))
    for n in range(N):
        for f in range(F):
            for i in range(out.shape[2]):
                for j in range(out.shape[3]):
                    out[n, f, i, j] = np.sum(x[n, :, i:i + KH, j:j + KW] * k[f]) + kb[f]
    return out


def pool_forward(x):
    N, C, H, W = x.shape
    out = np.zeros((N, C, H // 2, W // 2))
    for i in range(H // 2):
        for j in range(W // 2):
            out[:, :, i, j] = x[:, :, 2 * i:2 * i + 2, 2 * j:2 * j + 2].max(axis=(2, 3))
    return out


def pool_backward(d_out, x):
    N, C, H, W = d_out.shape
    dx = np.zeros_like(x)
    for n in range(N):
        for c in range(C):
            for i in range(H):
                for j in range(W):
                    window = x[n, c, 2 * i:2 * i + 2, 2 * j:2 * j + 2]
                    a, b = np.unravel_index(np.argmax(window), window.shape)
                    dx[n, c, 2 * i + a, 2 * j + b] = d_out[n, c, i, j]
    return dx


def conv_backward(d_out, x, k):
    N, F, H, W = d_out.shape
    KH, KW = k.shape[2:]
    dk, dkb = np.zeros_like(k), np.zeros(F)
    for n in range(N):
        for f in range(F):
            for i in range(H):
                for j in range(W):
                    dk[f] += d_out[n, f, i, j] * x[n, :, i:i + KH, j:j + KW]
                    dkb[f] += d_out[n, f, i, j]
    return dk, dkb


def loss_and_grads(k, kb, W, b, x, y):
    conv = conv_forward(x, k, kb)
    act = np.maximum(conv, 0)
    pooled = pool_forward(act)
    flat = pooled.reshape(len(x), -1)
    W_flat = W.reshape(-1, W.shape[-1])
    logits = flat @ W_flat + b
    e = np.exp(logits - logits.max(1, keepdims=True))
    probs = e / e.sum(1, keepdims=True)
    loss = -np.mean(np.log(probs[range(len(y)), y]))

    d_logits = (probs - np.eye(W.shape[-1])[y]) / len(y)
    dW = (flat.T @ d_logits).reshape(W.shape)
    db = d_logits.sum(0)
    d_pooled = (d_logits @ W_flat.T).reshape(pooled.shape)
    d_act = pool_backward(d_pooled, act)
    d_conv = d_act * (conv > 0)
    dk, dkb = conv_backward(d_conv, x, k)
    return loss, (dk, dkb, dW, db)


HANDED = loss_and_grads

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "pool_argmax_of_conv_mask": (
        "relu's mask is of the pooled gradient (d_act > 0) in place of conv > 0",
        [("d_conv = d_act * (conv > 0)",
          "d_conv = d_act * (d_act > 0)")]),
    "kernel_assigned": (
        "dk overwritten in place of accumulated: only the last example's last window counts",
        [("dk[f] += d_out",
          "dk[f] = d_out")]),
    "pool_mean_backward": (
        "max-pooling's gradient spread evenly over the window (average pooling's backward)",
        [("                    dx[n, c, 2 * i + a, 2 * j + b] = d_out[n, c, i, j]",
          "                    dx[n, c, 2 * i:2 * i + 2, 2 * j:2 * j + 2] = d_out[n, c, i, j] / 4")]),
    "argmax_swapped": (
        "row and column of the argmax swapped: routed to the transposed place of the window",
        [("a, b = np.unravel_index(np.argmax(window), window.shape)",
          "b, a = np.unravel_index(np.argmax(window), window.shape)")]),
    "bias_last_example_and_true_conv": (
        "dkb only of the last position; kernel gradient flipped (true convolution)",
        [("dkb[f] += d_out[n, f, i, j]",
          "dkb[f] = d_out[n, f, i, j]"),
         ("    return dk, dkb\n",
          "    return dk[:, :, ::-1, ::-1], dkb\n")]),
    "flat_transposed": (
        "the flattened gradient is transposed (features x examples) when reshaped: examples scrambled",
        [("(d_logits @ W_flat.T).reshape(pooled.shape)",
          "(W_flat @ d_logits.T).reshape(pooled.shape)")]),
}
