"""Triplet loss of squared distances, shared linear embedding, margin 1/2."""

import numpy as np
from sympy import Rational, Sum

from derive import Network, relu


def network():
    net = Network("triplet_squared")
    N, D, K = net.sizes("N D K")
    W = net.parameter("W", D, K)
    A, P, M = net.input("A", N, D), net.input("P", N, D), net.input("M", N, D)
    n, k = net.indices(n=N, k=K)
    a, p, m = net.define("a", A @ W), net.define("p", P @ W), net.define("m", M @ W)
    near = net.define("near", Sum((a[n, k] - p[n, k]) ** 2, k), over=n)
    far = net.define("far", Sum((a[n, k] - m[n, k]) ** 2, k), over=n)
    net.loss = Sum(relu(near[n] - far[n] + Rational(1, 2)), n) / N
    return net


def triplet_loss(W, A, P, M, alpha=0.5):
    """A, P, M: anchors, positives, negatives."""
    a, p, m = A @ W, P @ W, M @ W
    pos_dist = np.sum((a - p) ** 2, axis=1)
    neg_dist = np.sum((a - m) ** 2, axis=1)
    basic = pos_dist - neg_dist + alpha
    loss = np.mean(np.maximum(basic, 0))
    active = (basic > 0)[:, None] / len(A)
    da = 2 * (m - p) * active
    dp = -2 * (a - p) * active
    dm = 2 * (a - m) * active
    return loss, A.T @ da + P.T @ dp + M.T @ dm


HANDED = triplet_loss

RIGHT = {            # edits that change nothing
    "mask_not_strict": [
        ("active = (basic > 0)",
         "active = (basic >= 0)"),
    ],
}
WRONG = {            # what a right diagnosis says, and the edits
    "anchor_missing": (
        "the anchor's contribution is missing",
        [("return loss, A.T @ da + P.T @ dp + M.T @ dm",
          "return loss, P.T @ dp + M.T @ dm")]),
    "hinge_ignored": (
        "all triplets count: the hinge's mask is missing",
        [("active = (basic > 0)[:, None] / len(A)",
          "active = 1 / len(A)")]),
    "anchor_sign": (
        "da has the wrong sign (p - m)",
        [("da = 2 * (m - p) * active",
          "da = 2 * (p - m) * active")]),
    "anchor_half_and_no_margin": (
        "the mask ignores the margin; da lacks its 2",
        [("active = (basic > 0)",
          "active = (pos_dist > neg_dist)"),
         ("da = 2 * (m - p) * active",
          "da = (m - p) * active")]),
}
