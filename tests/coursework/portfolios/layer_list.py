"""A library of layers in a list, as in many 'neural network from scratch' repositories."""

import numpy as np
from sympy import tanh

from derive import Network, cross_entropy, mean, relu


def network():
    net = Network("layer_list")
    N, D, H, K, C = net.sizes("N D H K C")
    W1, b1 = net.parameter("W1", D, H), net.parameter("b1", H)
    W2, b2 = net.parameter("W2", H, K), net.parameter("b2", K)
    W3, b3 = net.parameter("W3", K, C), net.parameter("b3", C)
    X, y = net.input("X", N, D), net.labels("y", N, classes=C)
    Z1 = net.define("Z1", X @ W1 + b1)
    A1 = net.define("A1", relu(Z1))
    Z2 = net.define("Z2", A1 @ W2 + b2)
    A2 = net.define("A2", tanh(Z2))
    Z3 = net.define("Z3", A2 @ W3 + b3)
    net.loss = mean(cross_entropy(Z3, y))
    return net


class Dense:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, grad):
        self.dW = self.x.T @ grad
        self.db = grad.sum(axis=0)
        return grad @ self.W.T


class ReLU:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, grad):
        grad[self.mask] = 0
        return grad


class Tanh:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out

    def backward(self, grad):
        return grad * (1 - self.out**2)


class SoftmaxWithLoss:
    def forward(self, x, t):
        x = x - x.max(axis=1, keepdims=True)
        self.probs = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
        self.t = t
        return -np.log(self.probs[np.arange(len(t)), t]).mean()

    def backward(self):
        grad = self.probs.copy()
        grad[np.arange(len(self.t)), self.t] -= 1
        return grad / len(self.t)


def train_step(W1, b1, W2, b2, W3, b3, X, y):
    layers = [Dense(W1, b1), ReLU(), Dense(W2, b2), Tanh(), Dense(W3, b3)]
    out = X
    for layer in layers:
        out = layer.forward(out)
    criterion = SoftmaxWithLoss()
    loss = criterion.forward(out, y)
    grad = criterion.backward()
    for layer in layers[::-1]:
        grad = layer.backward(grad)
    dense = layers[::2]
    return loss, {f"{kind}{i + 1}": getattr(layer, "d" + kind) for i, layer in enumerate(dense) for kind in "Wb"}


HANDED = train_step

RIGHT = {            # edits that change nothing
    "mask_strict": [
        ("self.mask = x <= 0",
         "self.mask = x < 0"),
    ],
    "tanh_factored": [
        ("(1 - self.out**2)",
         "((1 - self.out) * (1 + self.out))"),
    ],
}
WRONG = {            # what a right diagnosis says, and the edits
    "bias_mean": (
        "db of all three layers is 1/N of the right one: averaged over the batch although the loss is averaged",
        [("self.db = grad.sum(axis=0)",
          "self.db = grad.mean(axis=0)")]),
    "tanh_of_input": (
        "Tanh caches its input: 1 - z^2 in place of 1 - tanh(z)^2, layers 1 and 2 wrong",
        [("        self.out = np.tanh(x)\n        return self.out",
          "        self.out = x\n        return np.tanh(x)")]),
    "relu_masks_gradient": (
        "relu's backward masks where the incoming gradient is negative, not where the input was",
        [("grad[self.mask] = 0",
          "grad[grad <= 0] = 0")]),
    "no_mean_and_no_relu": (
        "loss gradient not divided by N; relu's mask forgotten in layer 1",
        [("return grad / len(self.t)",
          "return grad"),
         ("        grad[self.mask] = 0\n        return grad",
          "        return grad")]),
    "updated_before_passing_on": (
        "each layer updates W (a step of SGD) before it passes the gradient on: W2, W3 are no longer those of "
        "the forward pass; dW1, db1, dW2, db2 wrong",
        [("        return grad @ self.W.T",
          "        self.W = self.W - 0.1 * self.dW\n        return grad @ self.W.T")]),
}
