"""Skip-gram with negative sampling for one centre word at a time, gradients by np.add.at."""

import numpy as np
from sympy import Sum

from derive import Network, softplus


def network():
    net = Network("sgns")
    N, K, V, D = net.sizes("N K V D")
    Vc, Uo = net.parameter("Vc", V, D), net.parameter("Uo", V, D)
    c, o = net.labels("c", N, classes=V), net.labels("o", N, classes=V)
    neg = net.labels("neg", N, K, classes=V)
    n, k, d = net.indices(n=N, k=K, d=D)
    s = net.define("s", Sum(Vc[c[n], d] * Uo[o[n], d], d), over=n)
    q = net.define("q", Sum(Vc[c[n], d] * Uo[neg[n, k], d], d), over=(n, k))
    net.loss = Sum(softplus(-s[n]) + Sum(softplus(q[n, k]), k), n)
    return net


def sig(x):
    return 1 / (1 + np.exp(-x))


def negSamplingLoss(Vc, Uo, c, o, neg):
    v, uo, un = Vc[c], Uo[o], Uo[neg]
    pos = sig(np.sum(v * uo, axis=1))
    nega = sig(-np.einsum("nd,nkd->nk", v, un))
    loss = -np.log(pos).sum() - np.log(nega).sum()
    dpos = pos - 1
    dneg = 1 - nega
    dv = dpos[:, None] * uo + np.einsum("nk,nkd->nd", dneg, un)
    gVc, gUo = np.zeros_like(Vc), np.zeros_like(Uo)
    np.add.at(gVc, c, dv)
    np.add.at(gUo, o, dpos[:, None] * v)
    np.add.at(gUo, neg, dneg[:, :, None] * v[:, None, :])
    return loss, dict(Vc=gVc, Uo=gUo)


HANDED = negSamplingLoss

RIGHT = {            # edits that change nothing
    "one_hot_products": [
        ("    np.add.at(gUo, neg, dneg[:, :, None] * v[:, None, :])",
         "    one = np.eye(len(Uo))[neg]\n    gUo += np.einsum('nkv,nk,nd->vd', one, dneg, v)"),
    ],
}
WRONG = {            # what a right diagnosis says, and the edits
    "negatives_buffered": (
        "repeated negative words counted once: fancy += in place of np.add.at",
        [("    np.add.at(gUo, neg, dneg[:, :, None] * v[:, None, :])",
          "    gUo[neg] += dneg[:, :, None] * v[:, None, :]")]),
    "negative_sign": (
        "the negatives' coefficient has the wrong sign (nega - 1)",
        [("dneg = 1 - nega",
          "dneg = nega - 1")]),
    "negatives_not_in_centre": (
        "dVc lacks the negative samples' term",
        [(' + np.einsum("nk,nkd->nd", dneg, un)',
          "")]),
    "nega_itself_and_outside_averaged": (
        "dneg = sigma(-q), in place of sigma(q); the outside words' term divided by N",
        [("dneg = 1 - nega",
          "dneg = nega"),
         ("np.add.at(gUo, o, dpos[:, None] * v)",
          "np.add.at(gUo, o, dpos[:, None] * v / len(c))")]),
}
