"""Distillation: hard labels and a teacher's logits at temperature tau, weighted by alpha."""

import numpy as np

import derive
from derive import Network, cross_entropy, log_softmax, mean, relu, total


def network():
    net = Network("distillation")
    N, D, H, C = net.sizes("N D H C")
    W1, b1 = net.parameter("W1", D, H), net.parameter("b1", H)
    W2, b2 = net.parameter("W2", H, C), net.parameter("b2", C)
    X, y, G = net.input("X", N, D), net.labels("y", N, classes=C), net.input("G", N, C)
    tau, alpha = net.input("tau"), net.input("alpha")
    Z = net.define("Z", relu(X @ W1 + b1) @ W2 + b2)
    soft = net.define("soft", -total(derive.softmax(G / tau) * log_softmax(Z / tau), axis=1))
    net.loss = (1 - alpha) * mean(cross_entropy(Z, y)) + alpha * tau**2 * mean(soft)
    return net


def softmax(z):
    z = z - np.max(z, axis=1, keepdims=True)
    return np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True)


def distill(W1, b1, W2, b2, X, y, G, tau, alpha):
    n = X.shape[0]
    hidden = X @ W1 + b1
    act = hidden * (hidden > 0)
    logits = act @ W2 + b2
    p, p_tau, q = softmax(logits), softmax(logits / tau), softmax(G / tau)
    hard = -np.mean(np.log(p[np.arange(n), y]))
    soft = -np.mean(np.sum(q * np.log(p_tau), axis=1))
    loss = (1 - alpha) * hard + alpha * tau**2 * soft

    d_hard = p
    d_hard[np.arange(n), y] -= 1
    d_soft = tau * (p_tau - q)
    d_logits = ((1 - alpha) * d_hard + alpha * d_soft) / n
    dW2 = act.T @ d_logits
    db2 = d_logits.sum(axis=0)
    d_hidden = (d_logits @ W2.T) * (hidden > 0)
    return loss, (X.T @ d_hidden, d_hidden.sum(axis=0), dW2, db2)


HANDED = distill

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "tau_squared_kept": (
        "the 1/tau of the softened logits is forgotten: tau^2 in place of tau",
        [("d_soft = tau * (p_tau - q)",
          "d_soft = tau**2 * (p_tau - q)")]),
    "untempered_student": (
        "the soft term uses the untempered softmax p in place of p_tau",
        [("d_soft = tau * (p_tau - q)",
          "d_soft = tau * (softmax(logits) - q)")]),
    "weights_swapped_and_act_mask": (
        "alpha and 1 - alpha swapped in the gradient; relu's mask from the incoming gradient",
        [("((1 - alpha) * d_hard + alpha * d_soft)",
          "(alpha * d_hard + (1 - alpha) * d_soft)"),
         ("(d_logits @ W2.T) * (hidden > 0)",
          "np.maximum(d_logits @ W2.T, 0)")]),
}
