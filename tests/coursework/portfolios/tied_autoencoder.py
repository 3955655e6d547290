"""Autoencoder with tied weights, sigmoid code and sigmoid output, cross-entropy of pixels."""

import numpy as np

from derive import Network, binary_cross_entropy, sigmoid, total


def network():
    net = Network("tied_autoencoder")
    N, D, K = net.sizes("N D K")
    W, b, c = net.parameter("W", D, K), net.parameter("b", K), net.parameter("c", D)
    X = net.input("X", N, D)
    H = net.define("H", sigmoid(X @ W + b))
    Z = net.define("Z", H @ W.T + c)
    net.loss = total(binary_cross_entropy(Z, X)) / N
    return net


def tied_autoencoder(W, b, c, X):
    n = X.shape[0]
    pre = X.dot(W) + b
    H = 1 / (1 + np.exp(-pre))
    out = H.dot(W.T) + c
    R = 1 / (1 + np.exp(-out))
    loss = -np.sum(X * np.log(R) + (1 - X) * np.log(1 - R)) / n

    d_out = (R - X) / n
    dc = d_out.sum(0)
    dH = d_out.dot(W)
    d_pre = dH * H * (1 - H)
    db = d_pre.sum(0)
    dW_dec = d_out.T.dot(H)
    dW_enc = X.T.dot(d_pre)
    dW = dW_enc + dW_dec
    return loss, {"W": dW, "b": db, "c": dc}


HANDED = tied_autoencoder

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "decoder_forgotten": (
        "dW lacks the decoder's path (only the encoder's contribution)",
        [("dW = dW_enc + dW_dec",
          "dW = dW_enc")]),
    "averaged_paths": (
        "dW is half: the two paths are averaged in place of added",
        [("dW = dW_enc + dW_dec",
          "dW = (dW_enc + dW_dec) / 2")]),
    "mse_habit": (
        "the gradient is of the squared error: d_out multiplied by R(1-R)",
        [("d_out = (R - X) / n",
          "d_out = (R - X) * R * (1 - R) / n")]),
    "decoder_uses_input": (
        "decoder's part of dW multiplies by the pre-activation in place of the code H",
        [("dW_dec = d_out.T.dot(H)",
          "dW_dec = d_out.T.dot(pre)")]),
    "bias_mean_and_half_sigma": (
        "db averaged over the batch again; sigma' of the code is (1 - H), a factor H missing",
        [("db = d_pre.sum(0)",
          "db = d_pre.mean(0)"),
         ("d_pre = dH * H * (1 - H)",
          "d_pre = dH * (1 - H)")]),
}
