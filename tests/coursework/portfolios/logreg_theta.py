"""Regularised logistic regression with the intercept as theta[0], not penalised."""

import numpy as np
from sympy import Sum

from derive import Network, binary_cross_entropy, mean


def network():
    net = Network("logreg_theta")
    N, D = net.sizes("N D")
    theta = net.parameter("theta", D + 1)
    X, y, lam = net.input("X", N, D), net.input("y", N), net.input("lam")
    n, d = net.indices(n=N, d=D)
    z = net.define("z", theta[0] + Sum(X[n, d] * theta[d + 1], d), over=n)
    net.loss = mean(binary_cross_entropy(z, y)) + lam * Sum(theta[d + 1] ** 2, d) / (2 * N)
    return net


def cost_function_reg(theta, X, y, lam):
    m = y.size
    X = np.hstack([np.ones((m, 1)), X])
    h = 1 / (1 + np.exp(-X.dot(theta)))
    J = (-y @ np.log(h) - (1 - y) @ np.log(1 - h)) / m + lam / (2 * m) * np.sum(theta[1:] ** 2)
    grad = X.T @ (h - y) / m
    grad[1:] = grad[1:] + lam / m * theta[1:]
    return J, grad


HANDED = cost_function_reg

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "intercept_penalised": (
        "theta[0] is penalised in the gradient (the loss leaves it out)",
        [("grad[1:] = grad[1:] + lam / m * theta[1:]",
          "grad = grad + lam / m * theta")]),
    "penalty_not_divided": (
        "the penalty's gradient lacks the 1/m",
        [("lam / m * theta[1:]",
          "lam * theta[1:]")]),
    "shifted_penalty": (
        "penalty off by one: theta[:-1] in place of theta[1:]",
        [("lam / m * theta[1:]",
          "lam / m * theta[:-1]")]),
    "mse_gradient_and_no_m": (
        "gradient of the squared error (h(1-h) too much); 1/m missing",
        [("grad = X.T @ (h - y) / m",
          "grad = X.T @ ((h - y) * h * (1 - h))")]),
}
