"""Matrix factorisation of a table with a mask of known ratings, biases, L2 penalty."""

import numpy as np

from derive import Network, total


def network():
    net = Network("mf_masked")
    U, I, K = net.sizes("U I K")
    P, Q = net.parameter("P", U, K), net.parameter("Q", I, K)
    bu, bi = net.parameter("bu", U, 1), net.parameter("bi", I)
    R, M, lam = net.input("R", U, I), net.input("M", U, I), net.input("lam")
    E = net.define("E", M * (P @ Q.T + bu + bi - R))
    net.loss = total(E**2) / 2 + lam * (total(P**2) + total(Q**2)) / 2
    return net


def cofi_cost(P, Q, bu, bi, R, M, lam):
    pred = P @ Q.T + bu + bi
    E = (pred - R) * M
    J = 0.5 * np.sum(E**2) + lam / 2 * (np.sum(P**2) + np.sum(Q**2))
    E = E * M
    dP = E @ Q + lam * P
    dQ = E.T @ P + lam * Q
    return J, (dP, dQ, E.sum(axis=1, keepdims=True), E.sum(axis=0))


HANDED = cofi_cost

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "unmasked_in_dQ": (
        "dQ uses the unmasked error: unknown ratings count",
        [("dQ = E.T @ P + lam * Q",
          "dQ = (pred - R).T @ P + lam * Q")]),
    "penalty_doubled": (
        "dP's penalty is 2 lam P although the loss has the half",
        [("dP = E @ Q + lam * P",
          "dP = E @ Q + 2 * lam * P")]),
    "penalty_missing": (
        "dQ lacks the penalty",
        [("dQ = E.T @ P + lam * Q",
          "dQ = E.T @ P")]),
    "bias_axes_mean_and_sign": (
        "bu's gradient averaged over the items; bi's has the wrong sign",
        [("E.sum(axis=1, keepdims=True), E.sum(axis=0)",
          "E.mean(axis=1, keepdims=True), -E.sum(axis=0)")]),
}
