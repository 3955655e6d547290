"""LSTM with weights of the concatenated [h, x], one matrix a gate, last state to a linear output."""

import numpy as np
from sympy import Sum, tanh

import derive
from derive import Network, mean


def network():
    net = Network("lstm_concat")
    T, N, D, H = net.sizes("T N D H")
    Wf, Wi, Wc, Wo = (net.parameter("W" + g, H + D, H) for g in "fico")
    bf, bi, bc, bo = (net.parameter("b" + g, H) for g in "fico")
    v = net.parameter("v", H)
    x, y = net.input("x", T, N, D), net.input("y", N)
    t, n, d, k, j = net.indices(t=T, n=N, d=D, k=H, j=H)
    h, c = net.state("h", T, N, H, initial=0), net.state("c", T, N, H, initial=0)
    def pre(W, b):
        return Sum(h[t - 1, n, j] * W[j, k], j) + Sum(x[t, n, d] * W[H + d, k], d) + b[k]
    f = net.define("f", derive.sigmoid(pre(Wf, bf)), over=(t, n, k))
    i = net.define("i", derive.sigmoid(pre(Wi, bi)), over=(t, n, k))
    g = net.define("g", tanh(pre(Wc, bc)), over=(t, n, k))
    o = net.define("o", derive.sigmoid(pre(Wo, bo)), over=(t, n, k))
    net.define(c, f[t, n, k] * c[t - 1, n, k] + i[t, n, k] * g[t, n, k], over=(t, n, k))
    net.define(h, o[t, n, k] * tanh(c[t, n, k]), over=(t, n, k))
    s = net.define("s", Sum(h[T - 1, n, k] * v[k], k), over=n)
    net.loss = mean((s - y) ** 2)
    return net


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def lstm(Wf, Wi, Wc, Wo, bf, bi, bc, bo, v, x, y):
    T, N, D = x.shape
    H = len(v)
    h, c = np.zeros((N, H)), np.zeros((N, H))
    store = []
    for t in range(T):
        z = np.concatenate([h, x[t]], axis=1)
        f = sigmoid(z @ Wf + bf)
        i = sigmoid(z @ Wi + bi)
        cbar = np.tanh(z @ Wc + bc)
        o = sigmoid(z @ Wo + bo)
        c_prev = c
        c = f * c_prev + i * cbar
        h = o * np.tanh(c)
        store.append((z, f, i, cbar, o, c_prev, c))
    s = h @ v
    loss = ((s - y) ** 2).mean()

    g = {key: 0 for key in ("Wf", "Wi", "Wc", "Wo", "bf", "bi", "bc", "bo")}
    ds = 2 * (s - y) / N
    g["v"] = h.T @ ds
    dh = ds[:, None] * v
    dc = np.zeros((N, H))
    for t in range(T - 1, -1, -1):
        z, f, i, cbar, o, c_prev, c = store[t]
        do = dh * np.tanh(c)
        da_o = do * o * (1 - o)
        dc = dc + dh * o * (1 - np.tanh(c) ** 2)
        dcbar = dc * i
        da_c = dcbar * (1 - cbar**2)
        di = dc * cbar
        da_i = di * i * (1 - i)
        df = dc * c_prev
        da_f = df * f * (1 - f)
        g["Wf"] += z.T @ da_f
        g["Wi"] += z.T @ da_i
        g["Wc"] += z.T @ da_c
        g["Wo"] += z.T @ da_o
        g["bf"] += da_f.sum(0)
        g["bi"] += da_i.sum(0)
        g["bc"] += da_c.sum(0)
        g["bo"] += da_o.sum(0)
        dz = da_f @ Wf.T + da_i @ Wi.T + da_c @ Wc.T + da_o @ Wo.T
        dh = dz[:, :H]
        dc = dc * f
    return loss, g


HANDED = lstm

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "cell_not_passed_on": (
        "dc is not carried back in time through the forget gate (dc = 0 at each step)",
        [("        dc = dc * f\n",
          "        dc = np.zeros((N, H))\n")]),
    "forget_times_input_gate": (
        "dc carried back times i in place of f",
        [("        dc = dc * f\n",
          "        dc = dc * i\n")]),
    "current_cell_in_forget": (
        "df takes the new cell c in place of c_prev",
        [("df = dc * c_prev",
          "df = dc * c")]),
    "gate_copy_paste": (
        "copy-paste: da_i uses f(1-f), the forget gate's derivative",
        [("da_i = di * i * (1 - i)",
          "da_i = di * f * (1 - f)")]),
    "wrong_slice": (
        "dh is the slice of x (dz[:, -H:]) in place of dz[:, :H]",
        [("dh = dz[:, :H]",
          "dh = dz[:, -H:]")]),
    "no_tanh_and_output_gate_lost": (
        "tanh' left out between h and c; the output gate left out of dz",
        [("dc = dc + dh * o * (1 - np.tanh(c) ** 2)",
          "dc = dc + dh * o"),
         (" + da_o @ Wo.T\n",
          "\n")]),
    "loop_forwards": (
        "the backward loop runs forwards in time",
        [("for t in range(T - 1, -1, -1):",
          "for t in range(T):")]),
}
