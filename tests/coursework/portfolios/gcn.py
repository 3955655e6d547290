"""Graph convolution by a directed, normalised adjacency, masked cross-entropy, weight decay on the first layer."""

import numpy as np

from derive import Network, cross_entropy, relu, total


def network():
    net = Network("gcn_directed")
    N, D, H, C = net.sizes("N D H C")
    W0, b0 = net.parameter("W0", D, H), net.parameter("b0", H)
    W1, b1 = net.parameter("W1", H, C), net.parameter("b1", C)
    X, S = net.input("X", N, D), net.input("S", N, N)
    y, known, decay = net.labels("y", N, classes=C), net.input("known", N), net.input("decay")
    A = net.define("A", relu(S @ X @ W0 + b0))
    Z = net.define("Z", S @ A @ W1 + b1)
    net.loss = total(known * cross_entropy(Z, y)) / total(known) + decay * total(W0**2) / 2
    return net


def gcn(W0, b0, W1, b1, X, S, y, known, decay):
    SX = S @ X
    pre = SX @ W0 + b0
    h = np.maximum(pre, 0)
    Sh = S @ h
    z = Sh @ W1 + b1
    z = z - z.max(1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    rows = np.arange(len(y))
    count = known.sum()
    loss = -(known * np.log(p[rows, y])).sum() / count + decay * (W0**2).sum() / 2

    dz = p.copy()
    dz[rows, y] -= 1
    dz *= known[:, None] / count
    dW1 = Sh.T @ dz
    db1 = dz.sum(0)
    dh = S.T @ (dz @ W1.T)
    dpre = dh * (pre > 0)
    dW0 = SX.T @ dpre + decay * W0
    db0 = dpre.sum(0)
    return loss, (dW0, db0, dW1, db1)


HANDED = gcn

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "adjacency_not_transposed": (
        "S in place of S' on the way back (right only for a symmetric S)",
        [("dh = S.T @ (dz @ W1.T)",
          "dh = S @ (dz @ W1.T)")]),
    "aggregation_forgotten": (
        "dW1 pairs dz with h in place of S h",
        [("dW1 = Sh.T @ dz",
          "dW1 = h.T @ dz")]),
    "divided_by_all_nodes": (
        "divided by all nodes N in place of the known ones, in the gradient",
        [("dz *= known[:, None] / count",
          "dz *= known[:, None] / len(y)")]),
    "mask_forgotten_and_decay_both": (
        "the mask of known labels is not applied; weight decay also on W1",
        [("dz *= known[:, None] / count",
          "dz /= count"),
         ("dW1 = Sh.T @ dz",
          "dW1 = Sh.T @ dz + decay * W1")]),
}
