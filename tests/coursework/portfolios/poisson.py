"""Poisson regression with exposure, an elastic-net penalty."""

import numpy as np
from sympy import Abs, exp

from derive import Network, mean, total


def network():
    net = Network("poisson_regression")
    N, D = net.sizes("N D")
    w, b, X = net.parameter("w", D), net.parameter("b"), net.input("X", N, D)
    y, e = net.input("y", N), net.input("e", N)
    l1, l2 = net.input("l1"), net.input("l2")
    eta = net.define("eta", X @ w + b + e)
    net.loss = mean(exp(eta) - y * eta) + l1 * total(Abs(w)) + l2 * total(w**2) / 2
    return net


def poisson_objective(w, b, X, y, e, l1, l2):
    """e is the log of the exposure."""
    eta = X @ w + b + e
    mu = np.exp(eta)
    nll = np.mean(mu - y * eta)
    penalty = l1 * np.abs(w).sum() + 0.5 * l2 * (w @ w)
    residual = mu - y
    grad_w = X.T @ residual / len(y) + l1 * np.sign(w) + l2 * w
    grad_b = residual.mean()
    return nll + penalty, dict(w=grad_w, b=grad_b)


HANDED = poisson_objective

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "exposure_forgotten": (
        "the offset e is left out of the rate in the gradient (mu = exp(Xw + b))",
        [("    mu = np.exp(eta)\n    nll = np.mean(mu - y * eta)",
          "    mu = np.exp(X @ w + b)\n    nll = np.mean(np.exp(eta) - y * eta)")]),
    "identity_link": (
        "the residual is eta - y in place of exp(eta) - y (linear regression's)",
        [("residual = mu - y",
          "residual = eta - y")]),
    "penalty_on_bias": (
        "db has l2*b in it: the bias is penalised in the gradient, not in the loss",
        [("grad_b = residual.mean()",
          "grad_b = residual.mean() + l2 * b")]),
    "abs_for_sign_and_sum": (
        "L1's derivative as l1*|w| in place of l1*sign(w); db summed, not averaged",
        [("l1 * np.sign(w)",
          "l1 * np.abs(w)"),
         ("grad_b = residual.mean()",
          "grad_b = residual.sum()")]),
    "penalty_norm": (
        "L2's gradient is l2 times the norm of w (a number added to every entry) in place of l2*w",
        [("+ l2 * w\n",
          "+ l2 * np.linalg.norm(w)\n")]),
}
