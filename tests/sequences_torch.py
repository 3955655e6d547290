"""The losses of networks for sequences and images once more, in PyTorch's own layers where it has them."""

import torch
from torch.nn import functional as F


def half_squares(y, Y):
    """Return half the mean squared error."""
    return ((y.reshape(Y.shape) - Y) ** 2).mean() / 2


def cross_entropy(z, y):
    """Return the mean cross-entropy of logits (..., C) and labels (...)."""
    return F.cross_entropy(z.flatten(0, -2), y.flatten())


def convolution_1d(x, w, b, Y, *, S, L, P):
    return half_squares(F.conv1d(x, w, b, S, P, L, groups=x.shape[1] // w.shape[1]), Y)


def convolution_2d(x, w, b, Y, *, S, L, P):
    return half_squares(F.conv2d(x, w, b, S, P, L, groups=x.shape[1] // w.shape[1]), Y)


def max_pooling(x, Y, *, K, S):
    return half_squares(F.max_pool2d(x, K, S), Y)


def average_pooling(x, Y, *, K, S):
    return half_squares(F.avg_pool2d(x, K, S), Y)


def lenet(w1, b1, w2, b2, W3, b3, x, y):
    m1 = F.max_pool2d(F.relu(F.conv2d(x, w1, b1)), 2)
    m2 = F.max_pool2d(F.relu(F.conv2d(m1, w2, b2)), 2)
    return cross_entropy(m2.flatten(1) @ W3.flatten(0, 2) + b3, y)


def elman(x, h0, *weights):
    """Return the states of one tanh recurrence (W, U, b), or of one in each direction, by torch.rnn_tanh."""
    parts = [weights[k:k + 3] for k in range(0, len(weights), 3)]
    flat = [v for W, U, b in parts for v in (W.T, U.T, b, torch.zeros_like(b))]
    states, _ = torch.rnn_tanh(x, h0.expand(len(parts), *h0.shape[-2:]).contiguous(), flat, True, 1, 0.0, False,
                               len(parts) == 2, False)
    return states


def nothing(x, U):
    """Return an initial state of zeros."""
    return torch.zeros(1, x.shape[1], len(U), dtype=U.dtype)


def elman_rnn(W, U, b, V, c, x, y, h0):
    return cross_entropy(elman(x, h0, W, U, b) @ V + c, y)


def bidirectional(W, U, b, Wr, Ur, br, V, Vr, c, x, y):
    return cross_entropy(elman(x, nothing(x, U), W, U, b, Wr, Ur, br) @ torch.cat([V, Vr]) + c, y)


def sequence_to_label(E, W, U, b, V, c, w, y):
    x = F.embedding(w, E)
    return cross_entropy(elman(x, nothing(x, U), W, U, b)[-1] @ V + c, y)


def sequence_to_sequence(E, F_, W, U, b, P, Q, q, V, c, w, u, y):
    x, v = F.embedding(w, E), F.embedding(u, F_)
    return cross_entropy(elman(v, elman(x, nothing(x, U), W, U, b)[-1:], P, Q, q) @ V + c, y)


def gru(Wr, Ur, br, Wz, Uz, bz, W, U, b, x, Y, h0):
    h, states = h0, []
    for row in x:                       # PyTorch's own resets after the product with U, not before it
        r, z = torch.sigmoid(row @ Wr + h @ Ur + br), torch.sigmoid(row @ Wz + h @ Uz + bz)
        h = z * h + (1 - z) * torch.tanh(row @ W + (r * h) @ U + b)
        states.append(h)
    return half_squares(torch.stack(states), Y)


def lstm(W, U, b, x, Y, h0, c0):
    weights = [W.flatten(1).T, U.flatten(1).T, b.flatten(), torch.zeros(b.numel(), dtype=b.dtype)]
    states, _, _ = torch.lstm(x, (h0[None], c0[None]), weights, True, 1, 0.0, False, False, False)
    return half_squares(states, Y)


def attention(Wq, Wk, Wv, X, Y):
    return half_squares(F.scaled_dot_product_attention(X @ Wq, X @ Wk, X @ Wv, is_causal=True), Y)


def causal(X, Wq, Wk, Wv, Wo, H):
    """Return attention of H heads, projected by matrices (D, D)."""
    N, T, D = X.shape
    Q, K, V = ((X @ W).view(N, T, H, D // H).transpose(1, 2) for W in (Wq, Wk, Wv))
    return F.scaled_dot_product_attention(Q, K, V, is_causal=True).transpose(1, 2).reshape(N, T, D) @ Wo


def multi_head_attention(Wq, Wk, Wv, Wo, X, Y):
    return half_squares(causal(X, Wq.flatten(1), Wk.flatten(1), Wv.flatten(1), Wo.flatten(0, 1), Wq.shape[1]), Y)


def norm(X, gain, bias, epsilon):
    return F.layer_norm(X, X.shape[-1:], gain, bias, float(epsilon))


def transformer_block(g1, b1, Wq, Wk, Wv, Wo, g2, b2, W3, b3, W4, b4, X, Y, epsilon, *, H, E):
    R = X + causal(norm(X, g1, b1, epsilon), Wq, Wk, Wv, Wo, H)
    return half_squares(R + F.gelu(norm(R, g2, b2, epsilon) @ W3 + b3, approximate="tanh") @ W4 + b4, Y)


def gpt(We, Wp, *rest, H, E):
    *weights, g_C, b_C, w, y, epsilon = rest
    X = F.embedding(w, We) + Wp
    for k in (0, 12):
        Wq, Wk, Wv, Wo, W, b, U, c, g1, b1, g2, b2 = weights[k:k + 12]
        X = X + causal(norm(X, g1, b1, epsilon), Wq, Wk, Wv, Wo, H)
        X = X + F.gelu(norm(X, g2, b2, epsilon) @ W + b, approximate="tanh") @ U + c
    return cross_entropy(norm(X, g_C, b_C, epsilon) @ We.T, y)
