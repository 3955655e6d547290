"""Softmax regression with naive loops, L2 penalty with factor 1/2."""

import numpy as np

from derive import Network, cross_entropy, mean, total


def network():
    net = Network("softmax_loops")
    N, D, C = net.sizes("N D C")
    W, b, X = net.parameter("W", D, C), net.parameter("b", C), net.input("X", N, D)
    y, reg = net.labels("y", N, classes=C), net.input("reg")
    Z = net.define("Z", X @ W + b)
    net.loss = mean(cross_entropy(Z, y)) + reg * total(W**2) / 2
    return net


def softmax_loss_naive(W, b, X, y, reg):
    loss = 0.0
    dW = np.zeros_like(W)
    db = np.zeros_like(b)
    num_train, num_classes = X.shape[0], W.shape[1]
    for i in range(num_train):
        scores = X[i] @ W + b
        scores -= np.max(scores)
        p = np.exp(scores) / np.sum(np.exp(scores))
        loss += -np.log(p[y[i]])
        for j in range(num_classes):
            if j == y[i]:
                dW[:, j] += (p[j] - 1) * X[i]
                db[j] += p[j] - 1
            else:
                dW[:, j] += p[j] * X[i]
                db[j] += p[j]
    loss /= num_train
    dW /= num_train
    db /= num_train
    loss += 0.5 * reg * np.sum(W * W)
    dW += reg * W
    return loss, (dW, db)


HANDED = softmax_loss_naive

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "reg_before_division": (
        "the penalty's gradient is divided by N as well (1/N of reg*W)",
        [("    dW /= num_train\n    db /= num_train\n",
          "    dW += reg * W\n    dW /= num_train\n    db /= num_train\n"),
         ("    loss += 0.5 * reg * np.sum(W * W)\n    dW += reg * W\n",
          "    loss += 0.5 * reg * np.sum(W * W)\n")]),
    "reg_factor": (
        "the penalty's gradient is 2*reg*W although the loss has the half",
        [("    dW += reg * W",
          "    dW += 2 * reg * W")]),
    "else_indent": (
        "only the right class gets the bias gradient: db lacks p_j of the other classes",
        [("                dW[:, j] += p[j] * X[i]\n                db[j] += p[j]\n",
          "                dW[:, j] += p[j] * X[i]\n")]),
    "right_class_assigned": (
        "assignment in place of accumulation for the right class in dW",
        [("dW[:, j] += (p[j] - 1) * X[i]",
          "dW[:, j] = (p[j] - 1) * X[i]")]),
    "reg_l1_and_bias_undivided": (
        "penalty's gradient is reg*sign(W) (that of L1); db not divided by N",
        [("    dW += reg * W",
          "    dW += reg * np.sign(W)"),
         ("    db /= num_train\n",
          "")]),
}
