"""GRU with the reset gate behind the matrix product, last state to a logistic output."""

import numpy as np
from sympy import Sum, tanh

from derive import Network, binary_cross_entropy, mean, sigmoid


def network():
    net = Network("gru_classifier")
    T, N, D, H = net.sizes("T N D H")
    Wz, Uz, bz = net.parameter("Wz", D, H), net.parameter("Uz", H, H), net.parameter("bz", H)
    Wr, Ur, br = net.parameter("Wr", D, H), net.parameter("Ur", H, H), net.parameter("br", H)
    Wn, Un, bn = net.parameter("Wn", D, H), net.parameter("Un", H, H), net.parameter("bn", H)
    v, c = net.parameter("v", H), net.parameter("c")
    x, y = net.input("x", N, T, D), net.input("y", N)
    t, n, d, k, j = net.indices(t=T, n=N, d=D, k=H, j=H)
    h = net.state("h", T, N, H, initial=0)
    az = Sum(x[n, t, d] * Wz[d, k], d) + Sum(h[t - 1, n, j] * Uz[j, k], j) + bz[k]
    z = net.define("z", sigmoid(az), over=(t, n, k))
    ar = Sum(x[n, t, d] * Wr[d, k], d) + Sum(h[t - 1, n, j] * Ur[j, k], j) + br[k]
    r = net.define("r", sigmoid(ar), over=(t, n, k))
    q = net.define("q", Sum(h[t - 1, n, j] * Un[j, k], j), over=(t, n, k))
    m = net.define("m", tanh(Sum(x[n, t, d] * Wn[d, k], d) + r[t, n, k] * q[t, n, k] + bn[k]), over=(t, n, k))
    net.define(h, (1 - z[t, n, k]) * m[t, n, k] + z[t, n, k] * h[t - 1, n, k], over=(t, n, k))
    s = net.define("s", Sum(h[T - 1, n, k] * v[k], k) + c, over=n)
    net.loss = mean(binary_cross_entropy(s, y))
    return net


def sigm(a):
    return 1 / (1 + np.exp(-a))


class GRUCell:
    def __init__(self, Wz, Uz, bz, Wr, Ur, br, Wn, Un, bn):
        self.p = dict(Wz=Wz, Uz=Uz, bz=bz, Wr=Wr, Ur=Ur, br=br, Wn=Wn, Un=Un, bn=bn)
        self.g = {k: np.zeros_like(a) for k, a in self.p.items()}
        self.cache = []

    def step(self, x, h):
        p = self.p
        z = sigm(x @ p["Wz"] + h @ p["Uz"] + p["bz"])
        r = sigm(x @ p["Wr"] + h @ p["Ur"] + p["br"])
        hu = h @ p["Un"]
        n = np.tanh(x @ p["Wn"] + r * hu + p["bn"])
        self.cache.append((x, h, z, r, hu, n))
        return (1 - z) * n + z * h

    def step_back(self, dh):
        p, g = self.p, self.g
        x, h, z, r, hu, n = self.cache.pop()
        dn = dh * (1 - z) * (1 - n**2)
        dz = dh * (h - n) * z * (1 - z)
        dhu = dn * r
        dr = dn * hu * r * (1 - r)
        g["Wn"] += x.T @ dn
        g["bn"] += dn.sum(axis=0)
        g["Un"] += h.T @ dhu
        g["Wz"] += x.T @ dz
        g["bz"] += dz.sum(axis=0)
        g["Uz"] += h.T @ dz
        g["Wr"] += x.T @ dr
        g["br"] += dr.sum(axis=0)
        g["Ur"] += h.T @ dr
        dh_prev = dh * z
        dh_prev = dh_prev + dhu @ p["Un"].T
        dh_prev = dh_prev + dz @ p["Uz"].T
        dh_prev = dh_prev + dr @ p["Ur"].T
        return dh_prev


def gru_loss(Wz, Uz, bz, Wr, Ur, br, Wn, Un, bn, v, c, x, y):
    cell = GRUCell(Wz, Uz, bz, Wr, Ur, br, Wn, Un, bn)
    h = np.zeros((x.shape[0], len(v)))
    for t in range(x.shape[1]):
        h = cell.step(x[:, t], h)
    logit = h @ v + c
    p = sigm(logit)
    loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    d = (p - y) / len(y)
    cell.g["v"], cell.g["c"] = h.T @ d, d.sum()
    dh = np.outer(d, v)
    while cell.cache:
        dh = cell.step_back(dh)
    return loss, cell.g


HANDED = gru_loss

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "update_sign": (
        "dz has the wrong sign: (n - h) in place of (h - n)",
        [("dz = dh * (h - n) * z * (1 - z)",
          "dz = dh * (n - h) * z * (1 - z)")]),
    "reset_outside": (
        "dUn lacks the reset gate: dn in place of dhu",
        [('g["Un"] += h.T @ dhu',
          'g["Un"] += h.T @ dn')]),
    "direct_path_lost": (
        "the direct path h(t-1) -> h(t) (dh*z) is missing",
        [("dh_prev = dh * z\n        dh_prev = dh_prev + dhu",
          "dh_prev = dhu")]),
    "reset_gate_path_lost": (
        "the path to h(t-1) through the reset gate is missing",
        [('        dh_prev = dh_prev + dr @ p["Ur"].T\n',
          "")]),
    "dr_of_h_and_one_minus_z": (
        "dr multiplies by h in place of h @ Un; the direct path takes (1 - z)",
        [("dr = dn * hu * r * (1 - r)",
          "dr = dn * h * r * (1 - r)"),
         ("dh_prev = dh * z\n",
          "dh_prev = dh * (1 - z)\n")]),
    "only_last_step": (
        "only the last time step is differentiated (if for while)",
        [("    while cell.cache:",
          "    if cell.cache:")]),
    "reset_from_update": (
        "copy-paste: Ur's gradient accumulates dz in place of dr",
        [('g["Ur"] += h.T @ dr',
          'g["Ur"] += h.T @ dz')]),
}
