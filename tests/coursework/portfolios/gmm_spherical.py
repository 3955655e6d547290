"""Mixture of spherical Gaussians: negative log-likelihood by responsibilities."""

import numpy as np
from sympy import Sum, exp, log, pi

from derive import Network, log_softmax, logsumexp, mean


def network():
    net = Network("gmm_spherical")
    N, D, K = net.sizes("N D K")
    logits, mu, logvar = net.parameter("logits", K), net.parameter("mu", K, D), net.parameter("logvar", K)
    X = net.input("X", N, D)
    n, d, k = net.indices(n=N, d=D, k=K)
    dist = net.define("dist", Sum((X[n, d] - mu[k, d]) ** 2, d), over=(n, k))
    q = net.define("q", log_softmax(logits) - D * (log(2 * pi) + logvar) / 2 - dist * exp(-logvar) / 2)
    net.loss = -mean(logsumexp(q, axis=1))
    return net


def gmm_nll(logits, mu, logvar, X):
    N, D = X.shape
    pi = np.exp(logits - logits.max())
    pi /= pi.sum()
    var = np.exp(logvar)
    diff = X[:, None, :] - mu
    sq = (diff**2).sum(-1)
    logp = np.log(pi) - 0.5 * D * np.log(2 * np.pi * var) - 0.5 * sq / var
    top = logp.max(1, keepdims=True)
    lse = top[:, 0] + np.log(np.exp(logp - top).sum(1))
    gamma = np.exp(logp - lse[:, None])
    g_logits = pi - gamma.mean(0)
    g_mu = -(gamma[:, :, None] * diff / var[:, None]).mean(0)
    g_logvar = (gamma * (D / 2 - sq / (2 * var))).mean(0)
    return -lse.mean(), {"logits": g_logits, "mu": g_mu, "logvar": g_logvar}


HANDED = gmm_nll

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "dimension_forgotten": (
        "d logvar: the dimension D is missing (1/2 in place of D/2)",
        [("(D / 2 - sq / (2 * var))",
          "(1 / 2 - sq / (2 * var))")]),
    "prior_subtracted_wrong": (
        "responsibilities minus 1/K in place of minus the weights pi",
        [("g_logits = pi - gamma.mean(0)",
          "g_logits = 1 / len(pi) - gamma.mean(0)")]),
    "by_var_not_logvar": (
        "the gradient is by the variance, not by its logarithm (a factor var missing)",
        [("g_logvar = (gamma * (D / 2 - sq / (2 * var))).mean(0)",
          "g_logvar = (gamma * (D / 2 - sq / (2 * var)) / var).mean(0)")]),
    "responsibility_unnormalised_and_std": (
        "means divided by the standard deviation in place of the variance; weights' gradient sign",
        [("diff / var[:, None]",
          "diff / np.sqrt(var)[:, None]"),
         ("g_logits = pi - gamma.mean(0)",
          "g_logits = gamma.mean(0) - pi")]),
}
