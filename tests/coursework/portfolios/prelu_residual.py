"""Residual block with PReLU (one slope a channel), Huber loss."""

import numpy as np

from derive import Network, huber, mean, relu


def network():
    net = Network("prelu_residual")
    N, D, H = net.sizes("N D H")
    W1, b1, a = net.parameter("W1", D, H), net.parameter("b1", H), net.parameter("a", H)
    W2, b2 = net.parameter("W2", H, D), net.parameter("b2", D)
    X, Y = net.input("X", N, D), net.input("Y", N, D)
    Z = net.define("Z", X @ W1 + b1)
    A = net.define("A", relu(Z) - a * relu(-Z))
    O = net.define("O", X + A @ W2 + b2)
    net.loss = mean(huber(O, Y))
    return net


class ResidualBlock:
    def __init__(self, W1, b1, a, W2, b2):
        self.W1, self.b1, self.a, self.W2, self.b2 = W1, b1, a, W2, b2

    def __call__(self, x):
        self.x = x
        self.z = x @ self.W1 + self.b1
        self.h = np.where(self.z > 0, self.z, self.a * self.z)
        return x + self.h @ self.W2 + self.b2

    def backward(self, g):
        dW2 = self.h.T @ g
        db2 = g.sum(axis=0)
        dh = g @ self.W2.T
        da = (dh * np.minimum(self.z, 0)).sum(axis=0)
        dz = dh * np.where(self.z > 0, 1, self.a)
        dW1 = self.x.T @ dz
        db1 = dz.sum(axis=0)
        self.grads = {"W1": dW1, "b1": db1, "a": da, "W2": dW2, "b2": db2}


def huber_step(W1, b1, a, W2, b2, X, Y):
    block = ResidualBlock(W1, b1, a, W2, b2)
    e = block(X) - Y
    small = np.abs(e) <= 1
    loss = np.mean(np.where(small, 0.5 * e**2, np.abs(e) - 0.5))
    g = np.where(small, e, np.sign(e)) / e.size
    block.backward(g)
    return loss, block.grads


HANDED = huber_step

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "slope_of_output": (
        "da multiplies the gradient by min(h, 0) = a*z, the activation, in place of z",
        [("np.minimum(self.z, 0)",
          "np.minimum(self.h, 0)")]),
    "slope_averaged": (
        "da averaged over the batch in place of summed",
        [("da = (dh * np.minimum(self.z, 0)).sum(axis=0)",
          "da = (dh * np.minimum(self.z, 0)).mean(axis=0)")]),
    "huber_unclipped": (
        "Huber's gradient not clipped: e everywhere (squared error's)",
        [("g = np.where(small, e, np.sign(e)) / e.size",
          "g = e / e.size")]),
    "slope_positive_side_and_len": (
        "PReLU's slope put on the wrong side; divided by N, not by N*D",
        [("dz = dh * np.where(self.z > 0, 1, self.a)",
          "dz = dh * np.where(self.z > 0, self.a, 1)"),
         ("/ e.size",
          "/ len(e)")]),
}
