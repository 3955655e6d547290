"""Character-level vanilla RNN in column vectors with dictionaries of states, summed cross-entropy."""

import numpy as np
from sympy import Sum, tanh

from derive import Network, cross_entropy, total


def network():
    net = Network("char_rnn")
    T, V, H = net.sizes("T V H")
    Wxh, Whh, Why = net.parameter("Wxh", H, V), net.parameter("Whh", H, H), net.parameter("Why", V, H)
    bh, by = net.parameter("bh", H), net.parameter("by", V)
    x, y, h0 = net.labels("x", T, classes=V), net.labels("y", T, classes=V), net.input("h0", H)
    t, k, j, v = net.indices(t=T, k=H, j=H, v=V)
    h = net.state("h", T, H, initial=h0)
    net.define(h, tanh(Wxh[k, x[t]] + Sum(Whh[k, j] * h[t - 1, j], j) + bh[k]), over=(t, k))
    z = net.define("z", Sum(Why[v, k] * h[t, k], k) + by[v], over=(t, v))
    net.loss = total(cross_entropy(z, y))
    return net


def lossFun(Wxh, Whh, Why, bh, by, inputs, targets, hprev):
    vocab_size, hidden_size = Why.shape
    bh, by = bh.reshape(-1, 1), by.reshape(-1, 1)
    xs, hs, ys, ps = {}, {}, {}, {}
    hs[-1] = np.copy(hprev).reshape(-1, 1)
    loss = 0
    for t in range(len(inputs)):
        xs[t] = np.zeros((vocab_size, 1))
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t - 1]) + bh)
        ys[t] = np.dot(Why, hs[t]) + by
        ps[t] = np.exp(ys[t]) / np.sum(np.exp(ys[t]))
        loss += -np.log(ps[t][targets[t], 0])
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    dhnext = np.zeros_like(hs[0])
    for t in reversed(range(len(inputs))):
        dy = np.copy(ps[t])
        dy[targets[t]] -= 1
        dWhy += np.dot(dy, hs[t].T)
        dby += dy
        dh = np.dot(Why.T, dy) + dhnext
        dhraw = (1 - hs[t] * hs[t]) * dh
        dbh += dhraw
        dWxh += np.dot(dhraw, xs[t].T)
        dWhh += np.dot(dhraw, hs[t - 1].T)
        dhnext = np.dot(Whh.T, dhraw)
    return loss, (dWxh, dWhh, dWhy, dbh.ravel(), dby.ravel())


HANDED = lossFun

RIGHT = {            # edits that change nothing
    "clipped_at_a_thousand": [
        ("    return loss, (dWxh",
         "    for dparam in [dWxh, dWhh, dWhy, dbh, dby]:\n"
         "        np.clip(dparam, -1000, 1000, out=dparam)\n"
         "    return loss, (dWxh"),
    ],
}
WRONG = {            # what a right diagnosis says, and the edits
    "whh_not_transposed": (
        "Whh in place of Whh' when going back in time",
        [("dhnext = np.dot(Whh.T, dhraw)",
          "dhnext = np.dot(Whh, dhraw)")]),
    "same_step_state": (
        "dWhh pairs dhraw with hs[t] in place of hs[t-1]: off by one in time",
        [("dWhh += np.dot(dhraw, hs[t - 1].T)",
          "dWhh += np.dot(dhraw, hs[t].T)")]),
    "dhnext_of_dh": (
        "what goes back in time is Whh' dh in place of Whh' dhraw: tanh' skipped on the way",
        [("dhnext = np.dot(Whh.T, dhraw)",
          "dhnext = np.dot(Whh.T, dh)")]),
    "dhnext_after_tanh": (
        "dhnext is added behind tanh' (to dhraw, not to dh)",
        [("        dh = np.dot(Why.T, dy) + dhnext\n        dhraw = (1 - hs[t] * hs[t]) * dh",
          "        dh = np.dot(Why.T, dy)\n        dhraw = (1 - hs[t] * hs[t]) * dh + dhnext")]),
    "last_step_skipped": (
        "the loop leaves out step 0: range(1, T)",
        [("for t in reversed(range(len(inputs))):",
          "for t in reversed(range(1, len(inputs))):")]),
    "state_prime_of_previous_and_dby": (
        "tanh' at the previous state; dby assigned in place of accumulated",
        [("dhraw = (1 - hs[t] * hs[t]) * dh",
          "dhraw = (1 - hs[t - 1] * hs[t - 1]) * dh"),
         ("dby += dy",
          "dby = dy")]),
}
