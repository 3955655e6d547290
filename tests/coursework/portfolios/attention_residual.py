"""Single-head self-attention of one sequence with output projection and residual, squared error."""

import numpy as np
from sympy import sqrt

import derive
from derive import Network, mean


def network():
    net = Network("attention_residual")
    T, D, E = net.sizes("T D E")
    Wq, Wk, Wv = net.parameter("Wq", D, E), net.parameter("Wk", D, E), net.parameter("Wv", D, E)
    Wo = net.parameter("Wo", E, D)
    X, Y = net.input("X", T, D), net.input("Y", T, D)
    Q, K, V = net.define("Q", X @ Wq), net.define("K", X @ Wk), net.define("V", X @ Wv)
    A = net.define("A", derive.softmax(Q @ K.T / sqrt(E)))
    O = net.define("O", X + A @ V @ Wo)
    net.loss = mean((O - Y) ** 2)
    return net


def softmax(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def self_attention(Wq, Wk, Wv, Wo, X, Y):
    scale = np.sqrt(Wq.shape[1])
    Q, K, V = X @ Wq, X @ Wk, X @ Wv
    S = Q @ K.T / scale
    A = softmax(S)
    H = A @ V
    out = X + H @ Wo
    diff = out - Y
    loss = np.mean(diff**2)

    dout = 2 * diff / diff.size
    dWo = H.T @ dout
    dH = dout @ Wo.T
    dA = dH @ V.T
    dV = A.T @ dH
    dS = np.zeros_like(S)
    for i in range(len(X)):
        J = np.diag(A[i]) - np.outer(A[i], A[i])
        dS[i] = J @ dA[i]
    dS /= scale
    dQ = dS @ K
    dK = dS.T @ Q
    return loss, (X.T @ dQ, X.T @ dK, X.T @ dV, dWo)


HANDED = self_attention

RIGHT = {            # edits that change nothing
    "in_float32": [
        ("    scale = np.sqrt(Wq.shape[1])\n",
         "    Wq, Wk, Wv, Wo, X, Y = (a.astype(np.float32) for a in (Wq, Wk, Wv, Wo, X, Y))\n"
         "    scale = np.sqrt(Wq.shape[1])\n"),
    ],
}
WRONG = {            # what a right diagnosis says, and the edits
    "scale_forgotten": (
        "1/sqrt(E) missing in the backward pass: dWq, dWk",
        [("    dS /= scale\n",
          "")]),
    "softmax_diagonal": (
        "softmax backward by a(1-a) only: the off-diagonal terms missing",
        [("        J = np.diag(A[i]) - np.outer(A[i], A[i])\n",
          "        J = np.diag(A[i] * (1 - A[i]))\n")]),
    "dk_not_transposed": (
        "dK = dS Q in place of dS' Q",
        [("dK = dS.T @ Q",
          "dK = dS @ Q")]),
    "dv_not_transposed_and_rows": (
        "dV = A dH in place of A' dH; the mean is over rows only (D missing)",
        [("dV = A.T @ dH",
          "dV = A @ dH"),
         ("dout = 2 * diff / diff.size",
          "dout = 2 * diff / len(diff)")]),
    "dq_with_q": (
        "dQ multiplies dS with Q in place of K",
        [("dQ = dS @ K",
          "dQ = dS @ Q")]),
}
