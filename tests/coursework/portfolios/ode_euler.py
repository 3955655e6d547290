"""A residual chain with shared weights: Euler steps h += dt tanh(h W + b), the end compared with a target."""

import numpy as np
from sympy import Sum, tanh

from derive import Network, mean


def network():
    net = Network("euler_chain")
    T, N, D = net.sizes("T N D")
    W, b = net.parameter("W", D, D), net.parameter("b", D)
    h0, Y, dt = net.parameter("h0", N, D), net.input("Y", N, D), net.input("step")
    u = net.input("u", T)
    t, n, d, k = net.indices(t=T, n=N, d=D, k=D)
    h = net.state("h", T, N, D, initial=h0)
    net.define(h, h[t - 1, n, d] + dt * u[t] * tanh(Sum(h[t - 1, n, k] * W[k, d], k) + b[d]), over=(t, n, d))
    e = net.define("e", h[T - 1, n, d] - Y[n, d], over=(n, d))
    net.loss = mean(e**2) / 2
    return net


def odenet(W, b, h0, Y, step, u):
    states, slopes = [h0], []
    for control in u:
        k = np.tanh(states[-1] @ W + b)
        slopes.append(k)
        states.append(states[-1] + step * control * k)
    loss = 0.5 * np.mean((states[-1] - Y) ** 2)

    adj = (states[-1] - Y) / Y.size
    dW, db = np.zeros_like(W), np.zeros_like(b)
    for i in range(len(u) - 1, -1, -1):
        dpre = step * u[i] * adj * (1 - slopes[i] ** 2)
        dW += states[i].T @ dpre
        db += dpre.sum(axis=0)
        adj = adj + dpre @ W.T
    return loss, dict(W=dW, b=db, h0=adj)


HANDED = odenet

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "identity_path_lost": (
        "the identity path is lost: adj = dpre W' (no residual)",
        [("adj = adj + dpre @ W.T",
          "adj = dpre @ W.T")]),
    "next_state": (
        "dW pairs dpre with the state after the step (states[i + 1])",
        [("dW += states[i].T @ dpre",
          "dW += states[i + 1].T @ dpre")]),
    "constant_adjoint": (
        "adj is not propagated at all: the gradient of the last state is used at every step",
        [("        adj = adj + dpre @ W.T\n",
          "")]),
    "slope_index_and_w_transposed": (
        "tanh' from the slopes of the step before (i - 1); W in place of W' on the way back",
        [("(1 - slopes[i] ** 2)",
          "(1 - slopes[i - 1] ** 2)"),
         ("dpre @ W.T",
          "dpre @ W")]),
    "states_aliased": (
        "the state is updated in place: all stored states are the last one (dW pairs with it)",
        [("states, slopes = [h0], []",
          "states, slopes = [h0.copy()], []"),
         ("        states.append(states[-1] + step * control * k)\n",
          "        h = states[-1]\n        h += step * control * k\n        states.append(h)\n")]),
}
