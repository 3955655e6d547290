"""Siamese network, shared tanh encoder, contrastive loss of distances with margin 1 (Hadsell et al.)."""

import numpy as np
from sympy import Rational, Sum, sqrt, tanh

from derive import Network, relu


def network():
    net = Network("siamese")
    N, D, K = net.sizes("N D K")
    W, b = net.parameter("W", D, K), net.parameter("b", K)
    X1, X2, s = net.input("X1", N, D), net.input("X2", N, D), net.input("s", N)
    n, k = net.indices(n=N, k=K)
    F1, F2 = net.define("F1", tanh(X1 @ W + b)), net.define("F2", tanh(X2 @ W + b))
    d = net.define("d", sqrt(Sum((F1[n, k] - F2[n, k]) ** 2, k) + Rational(1, 1000000)), over=n)
    net.loss = Sum(s[n] * d[n] ** 2 + (1 - s[n]) * relu(1 - d[n]) ** 2, n) / (2 * N)
    return net


def encode(W, b, X):
    return np.tanh(X @ W + b)


def encode_backward(dF, F, X):
    dZ = dF * (1 - F**2)
    return X.T @ dZ, dZ.sum(0)


def siamese_loss(W, b, X1, X2, s, margin=1.0):
    N = len(s)
    F1, F2 = encode(W, b, X1), encode(W, b, X2)
    diff = F1 - F2
    d = np.sqrt(np.sum(diff**2, axis=1) + 1e-6)
    gap = np.maximum(margin - d, 0)
    loss = np.sum(s * d**2 + (1 - s) * gap**2) / (2 * N)

    dd = (s * d - (1 - s) * gap) / N
    ddiff = (dd / d)[:, None] * diff
    dW1, db1 = encode_backward(ddiff, F1, X1)
    dW2, db2 = encode_backward(-ddiff, F2, X2)
    return loss, (dW1 + dW2, db1 + db2)


HANDED = siamese_loss

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "one_branch": (
        "only the first branch's contribution: dW2, db2 forgotten",
        [("return loss, (dW1 + dW2, db1 + db2)",
          "return loss, (dW1, db1)")]),
    "second_branch_sign": (
        "the second branch gets +ddiff in place of -ddiff",
        [("encode_backward(-ddiff, F2, X2)",
          "encode_backward(ddiff, F2, X2)")]),
    "first_branch_cache": (
        "the second branch multiplies with X1 in place of X2 (copy-paste)",
        [("encode_backward(-ddiff, F2, X2)",
          "encode_backward(-ddiff, F2, X1)")]),
    "distance_unnormalised_and_dissimilar_sign": (
        "d's derivative without 1/d; the dissimilar pairs' term with the wrong sign",
        [("ddiff = (dd / d)[:, None] * diff",
          "ddiff = dd[:, None] * diff"),
         ("dd = (s * d - (1 - s) * gap) / N",
          "dd = (s * d + (1 - s) * gap) / N")]),
}
