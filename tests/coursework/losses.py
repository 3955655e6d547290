"""Losses on scores, as they are handed in: (loss, dx)."""

import numpy as np


def softmax_loss(x, y):
    shifted = x - np.max(x, axis=1, keepdims=True)
    Z = np.sum(np.exp(shifted), axis=1, keepdims=True)
    log_probs = shifted - np.log(Z)
    probs = np.exp(log_probs)
    N = x.shape[0]
    loss = -np.sum(log_probs[np.arange(N), y]) / N
    dx = probs.copy()
    dx[np.arange(N), y] -= 1
    dx /= N
    return loss, dx


def softmax_loss_not_divided(x, y):
    p = np.exp(x - x.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    N = len(x)
    loss = -np.log(p[range(N), y]).mean()
    p[range(N), y] -= 1
    return loss, p


def softmax_loss_true_class_only(x, y):
    """As if the probability of the true class depended on its own score alone."""
    p = np.exp(x - x.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    N = len(x)
    dx = np.zeros_like(x)
    dx[range(N), y] = (p[range(N), y] - 1) / N
    return -np.log(p[range(N), y]).mean(), dx


def softmax_loss_epsilon(x, y, eps=1e-3):
    """The gradient of -log(p + eps), the loss without."""
    p = np.exp(x - x.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    N = len(x)
    loss = -np.log(p[range(N), y]).mean()
    dp = np.zeros_like(p)
    dp[range(N), y] = -1 / (p[range(N), y] + eps) / N
    return loss, p * (dp - (dp * p).sum(axis=1, keepdims=True))


def softmax_loss_jacobian_twice(x, y):
    """The gradient of the scores is sent through the softmax once more."""
    loss, dx = softmax_loss(x, y)
    p = np.exp(x - x.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return loss, p * (dx - (dx * p).sum(axis=1, keepdims=True))


def softmax_loss_summed(x, y):
    """Loss and gradient are sums over examples: right for each other."""
    p = np.exp(x - x.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[range(len(x)), y]).sum()
    p[range(len(x)), y] -= 1
    return loss, p


def svm_loss(x, y):
    N = x.shape[0]
    correct = x[np.arange(N), y]
    margins = np.maximum(0, x - correct[:, None] + 1.0)
    margins[np.arange(N), y] = 0
    loss = np.sum(margins) / N
    positive = np.sum(margins > 0, axis=1)
    dx = np.zeros_like(x)
    dx[margins > 0] = 1
    dx[np.arange(N), y] -= positive
    dx /= N
    return loss, dx


def svm_loss_true_class_once(x, y):
    """The true class loses 1, whatever the number of margins that are violated."""
    N = x.shape[0]
    margins = np.maximum(0, x - x[np.arange(N), y][:, None] + 1.0)
    margins[np.arange(N), y] = 0
    dx = (margins > 0).astype(float)
    dx[np.arange(N), y] = -1
    return np.sum(margins) / N, dx / N
