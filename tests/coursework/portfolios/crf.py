"""Linear-chain conditional random field: forward algorithm, gradient by forward-backward marginals."""

import numpy as np
from sympy import Sum, exp, log

from derive import Network


def network():
    net = Network("chain_crf")
    T, D, K = net.sizes("T D K")
    W, A, s = net.parameter("W", D, K), net.parameter("A", K, K), net.parameter("s", K)
    X, y = net.input("X", T, D), net.labels("y", T + 1, classes=K)
    t, k, j, d = net.indices(t=T, k=K, j=K, d=D)
    em = net.define("em", X @ W)
    a = net.state("a", T, K, initial=s)
    net.define(a, log(Sum(exp(a[t - 1, j] + A[j, k]), j)) + em[t, k], over=(t, k))
    path = s[y[0]] + Sum(A[y[t], y[t + 1]] + em[t, y[t + 1]], t)
    net.loss = log(Sum(exp(a[T - 1, k]), k)) - path
    return net


def lse(x, axis):
    top = x.max(axis=axis)
    return top + np.log(np.exp(x - np.expand_dims(top, axis)).sum(axis=axis))


def crf_nll(W, A, s, X, y):
    """y[0] is the tag before the first word, scored by s."""
    T, K = len(X), len(s)
    em = X @ W
    alpha, beta = np.zeros((T + 1, K)), np.zeros((T + 1, K))
    alpha[0] = s
    for t in range(T):
        alpha[t + 1] = lse(alpha[t][:, None] + A, 0) + em[t]
    for t in range(T - 1, -1, -1):
        beta[t] = lse(A + (em[t] + beta[t + 1])[None, :], 1)
    logZ = lse(alpha[T], 0)
    score = s[y[0]] + sum(A[y[t], y[t + 1]] + em[t, y[t + 1]] for t in range(T))

    ds = np.exp(alpha[0] + beta[0] - logZ)
    ds[y[0]] -= 1
    dA = np.zeros_like(A)
    dem = np.exp(alpha[1:] + beta[1:] - logZ)
    for t in range(T):
        dA += np.exp(alpha[t][:, None] + A + em[t] + beta[t + 1] - logZ)
        dA[y[t], y[t + 1]] -= 1
        dem[t, y[t + 1]] -= 1
    return logZ - score, (X.T @ dem, dA, ds)


HANDED = crf_nll

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "transition_swapped": (
        "the gold transition is counted transposed: dA[y[t+1], y[t]]",
        [("dA[y[t], y[t + 1]] -= 1",
          "dA[y[t + 1], y[t]] -= 1")]),
    "emission_missing_in_pairs": (
        "the pairwise marginals lack the emission em[t]",
        [("alpha[t][:, None] + A + em[t] + beta[t + 1] - logZ",
          "alpha[t][:, None] + A + beta[t + 1] - logZ")]),
    "no_backward_messages": (
        "marginals from the forward messages only: beta left out of dem",
        [("dem = np.exp(alpha[1:] + beta[1:] - logZ)",
          "dem = np.exp(alpha[1:] - lse(alpha[1:], 1)[:, None])")]),
    "tag_off_by_one_and_no_start": (
        "gold emissions at y[t] in place of y[t+1]; the gold start tag not subtracted",
        [("dem[t, y[t + 1]] -= 1",
          "dem[t, y[t]] -= 1"),
         ("    ds[y[0]] -= 1\n",
          "")]),
}
