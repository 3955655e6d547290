"""Planar-data classifier with examples in columns, tanh and a sigmoid output, computed in float32."""

import numpy as np
from sympy import tanh

from derive import Network, binary_cross_entropy, mean


def network():
    net = Network("columns_classifier")
    D, H, M = net.sizes("D H M")
    W1, b1 = net.parameter("W1", H, D), net.parameter("b1", H, 1)
    W2, b2 = net.parameter("W2", 1, H), net.parameter("b2", 1, 1)
    X, Y = net.input("X", D, M), net.input("Y", 1, M)
    A1 = net.define("A1", tanh(W1 @ X + b1))
    Z2 = net.define("Z2", W2 @ A1 + b2)
    net.loss = mean(binary_cross_entropy(Z2, Y))
    return net


def propagate(W1, b1, W2, b2, X, Y):
    W1, b1, W2, b2, X, Y = (np.asarray(a, dtype=np.float32) for a in (W1, b1, W2, b2, X, Y))
    m = X.shape[1]
    Z1 = np.dot(W1, X) + b1
    A1 = np.tanh(Z1)
    Z2 = np.dot(W2, A1) + b2
    A2 = 1 / (1 + np.exp(-Z2))
    cost = -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / m

    dZ2 = A2 - Y
    dW2 = np.dot(dZ2, A1.T) / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = np.dot(W2.T, dZ2) * (1 - np.power(A1, 2))
    dW1 = np.dot(dZ1, X.T) / m
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return cost, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


HANDED = propagate

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "tanh_of_tanh": (
        "tanh' as 1 - A1, the square forgotten",
        [("(1 - np.power(A1, 2))",
          "(1 - A1)")]),
    "wrong_layer_in_dW2": (
        "dW2 pairs dZ2 with Z1 in place of A1",
        [("dW2 = np.dot(dZ2, A1.T) / m",
          "dW2 = np.dot(dZ2, Z1.T) / m")]),
    "bias_all_summed": (
        "db1 summed over all units too (no axis): one number for all",
        [("db1 = np.sum(dZ1, axis=1, keepdims=True) / m",
          "db1 = np.sum(dZ1) / m * np.ones_like(b1)")]),
    "bce_over_a_and_m_twice": (
        "dZ2 as (A2 - Y)/(A2 (1 - A2)): the sigmoid's derivative not applied; dW1 divided by m twice",
        [("dZ2 = A2 - Y",
          "dZ2 = (A2 - Y) / (A2 * (1 - A2))"),
         ("dW1 = np.dot(dZ1, X.T) / m",
          "dW1 = np.dot(dZ1, X.T) / m**2")]),
}
