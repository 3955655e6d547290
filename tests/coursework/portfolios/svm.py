"""Multiclass hinge loss (Weston and Watkins), vectorised, penalty without the half."""

import numpy as np
from sympy import KroneckerDelta

from derive import Network, relu, total


def network():
    net = Network("multiclass_svm")
    N, D, C = net.sizes("N D C")
    W, X = net.parameter("W", D, C), net.input("X", N, D)
    y, reg = net.labels("y", N, classes=C), net.input("reg")
    n, c = net.indices(n=N, c=C)
    S = net.define("S", X @ W)
    M = net.define("M", relu(S[n, c] - S[n, y[n]] + 1) * (1 - KroneckerDelta(c, y[n])), over=(n, c))
    net.loss = total(M) / N + reg * total(W**2)
    return net


def svm_loss_vectorized(W, X, y, reg):
    n = X.shape[0]
    scores = X.dot(W)
    correct = scores[np.arange(n), y].reshape(-1, 1)
    margins = np.maximum(0, scores - correct + 1)
    margins[np.arange(n), y] = 0
    loss = np.sum(margins) / n + reg * np.sum(W * W)

    binary = np.zeros(margins.shape)
    binary[margins > 0] = 1
    count = np.sum(binary, axis=1)
    binary[np.arange(n), y] -= count
    dW = X.T.dot(binary) / n
    dW += 2 * reg * W
    return loss, dW


HANDED = svm_loss_vectorized

RIGHT = {            # edits that change nothing
    "margins_outer": [
        ("    dW = X.T.dot(binary) / n\n",
         "    dW = sum(np.outer(X[i], binary[i]) for i in range(n)) / n\n"),
    ],
}
WRONG = {            # what a right diagnosis says, and the edits
    "right_class_minus_one": (
        "the right class gets -1 in place of -(number of violated margins)",
        [("binary[np.arange(n), y] -= count",
          "binary[np.arange(n), y] -= 1")]),
    "squared_hinge": (
        "the gradient is that of the squared hinge (margins in place of their 0/1), half of it",
        [("    binary = np.zeros(margins.shape)\n    binary[margins > 0] = 1\n",
          "    binary = margins.copy()\n")]),
    "own_margin_kept": (
        "the right class's own margin (1) is not removed: the loss is 1 too large, the gradient is right",
        [("    margins[np.arange(n), y] = 0\n",
          "")]),
    "no_mean_and_reg_half": (
        "reg*W where the loss has no half (2 missing); 1/N missing in the data term",
        [("dW = X.T.dot(binary) / n",
          "dW = X.T.dot(binary)"),
         ("dW += 2 * reg * W",
          "dW += reg * W")]),
}
