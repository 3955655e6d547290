"""Two-layer classifier with inverted dropout after both hidden activations, gradients in a dictionary."""

import numpy as np

from derive import Network, cross_entropy, mean, relu


def network():
    net = Network("dropout_mlp")
    N, D, H, K, C = net.sizes("N D H K C")
    W1, b1 = net.parameter("W1", D, H), net.parameter("b1", H)
    W2, b2 = net.parameter("W2", H, K), net.parameter("b2", K)
    W3, b3 = net.parameter("W3", K, C), net.parameter("b3", C)
    X, y = net.input("X", N, D), net.labels("y", N, classes=C)
    m1, m2 = net.input("m1", N, H), net.input("m2", N, K)
    keep = net.input("keep")
    H1 = net.define("H1", relu(X @ W1 + b1) * m1 / keep)
    H2 = net.define("H2", relu(H1 @ W2 + b2) * m2 / keep)
    net.loss = mean(cross_entropy(H2 @ W3 + b3, y))
    return net


def forward_backward(params, X, y, m1, m2, keep):
    p, cache, grads = params, {}, {}
    cache["z1"] = X @ p["W1"] + p["b1"]
    cache["a1"] = np.maximum(0, cache["z1"])
    cache["d1"] = cache["a1"] * m1 / keep
    cache["z2"] = cache["d1"] @ p["W2"] + p["b2"]
    cache["a2"] = np.maximum(0, cache["z2"])
    cache["d2"] = cache["a2"] * m2 / keep
    scores = cache["d2"] @ p["W3"] + p["b3"]

    scores = scores - scores.max(1)[:, None]
    logp = scores - np.log(np.exp(scores).sum(1))[:, None]
    N = len(y)
    loss = -logp[np.arange(N), y].sum() / N

    dscores = np.exp(logp)
    dscores[np.arange(N), y] -= 1
    dscores /= N
    grads["W3"] = cache["d2"].T @ dscores
    grads["b3"] = dscores.sum(0)
    dd2 = dscores @ p["W3"].T
    da2 = dd2 * m2 / keep
    dz2 = da2 * (cache["z2"] > 0)
    grads["W2"] = cache["d1"].T @ dz2
    grads["b2"] = dz2.sum(0)
    dd1 = dz2 @ p["W2"].T
    da1 = dd1 * m1 / keep
    dz1 = da1 * (cache["z1"] > 0)
    grads["W1"] = X.T @ dz1
    grads["b1"] = dz1.sum(0)
    return loss, grads


def run(W1, b1, W2, b2, W3, b3, X, y, m1, m2, keep):
    return forward_backward(dict(W1=W1, b1=b1, W2=W2, b2=b2, W3=W3, b3=b3), X, y, m1, m2, keep)


HANDED = run

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "mask_not_applied_back": (
        "first dropout's mask and 1/keep not applied in the backward pass: dW1, db1",
        [("da1 = dd1 * m1 / keep",
          "da1 = dd1")]),
    "keep_forgotten": (
        "1/keep missing in the second dropout's backward",
        [("da2 = dd2 * m2 / keep",
          "da2 = dd2 * m2")]),
    "undropped_activation": (
        "dW2 uses the activation before dropout (a1) in place of d1",
        [('grads["W2"] = cache["d1"].T @ dz2',
          'grads["W2"] = cache["a1"].T @ dz2')]),
    "times_keep_and_bias_copy": (
        "multiplied by keep in place of divided (first dropout); db2 from da2: relu mask forgotten for the bias",
        [("da1 = dd1 * m1 / keep",
          "da1 = dd1 * m1 * keep"),
         ('grads["b2"] = dz2.sum(0)',
          'grads["b2"] = da2.sum(0)')]),
}
