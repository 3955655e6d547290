"""Variational autoencoder with relu layers and a squared reconstruction error, beta-weighted KL."""

import numpy as np
from sympy import exp

from derive import Network, relu, total


def network():
    net = Network("vae_mse")
    N, D, H, K = net.sizes("N D H K")
    We, be = net.parameter("We", D, H), net.parameter("be", H)
    Wm, bm = net.parameter("Wm", H, K), net.parameter("bm", K)
    Ws, bs = net.parameter("Ws", H, K), net.parameter("bs", K)
    Wd, bd = net.parameter("Wd", K, D), net.parameter("bd", D)
    X, eps, beta = net.input("X", N, D), net.input("eps", N, K), net.input("beta")
    A = net.define("A", relu(X @ We + be))
    mu, lv = net.define("mu", A @ Wm + bm), net.define("lv", A @ Ws + bs)
    z = net.define("z", mu + exp(lv / 2) * eps)
    R = net.define("R", z @ Wd + bd)
    net.loss = (total((R - X) ** 2) + beta * total(exp(lv) + mu**2 - 1 - lv) / 2) / N
    return net


def vae(We, be, Wm, bm, Ws, bs, Wd, bd, X, eps, beta):
    N = X.shape[0]
    pre = X @ We + be
    a = np.maximum(pre, 0)
    mu = a @ Wm + bm
    logvar = a @ Ws + bs
    std = np.exp(0.5 * logvar)
    z = mu + std * eps
    recon = z @ Wd + bd
    rec_loss = np.sum((recon - X) ** 2) / N
    kl = -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar)) / N
    loss = rec_loss + beta * kl

    d_recon = 2 * (recon - X) / N
    dWd, dbd = z.T @ d_recon, d_recon.sum(0)
    dz = d_recon @ Wd.T
    d_mu = dz + beta * mu / N
    d_logvar = dz * eps * 0.5 * std + beta * 0.5 * (np.exp(logvar) - 1) / N
    dWm, dbm = a.T @ d_mu, d_mu.sum(0)
    dWs, dbs = a.T @ d_logvar, d_logvar.sum(0)
    da = d_mu @ Wm.T + d_logvar @ Ws.T
    dpre = da * (pre > 0)
    dWe, dbe = X.T @ dpre, dpre.sum(0)
    return loss, (dWe, dbe, dWm, dbm, dWs, dbs, dWd, dbd)


HANDED = vae

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "half_forgotten": (
        "the 1/2 of std = exp(logvar/2) is missing in d_logvar's reconstruction part",
        [("d_logvar = dz * eps * 0.5 * std",
          "d_logvar = dz * eps * std")]),
    "kl_sign_in_logvar": (
        "the KL's gradient by logvar has the wrong sign",
        [("beta * 0.5 * (np.exp(logvar) - 1) / N",
          "beta * 0.5 * (1 - np.exp(logvar)) / N")]),
    "eps_forgotten": (
        "d_logvar's reconstruction part lacks the noise eps",
        [("d_logvar = dz * eps * 0.5 * std",
          "d_logvar = dz * 0.5 * std")]),
    "beta_dropped": (
        "the KL's weight beta is missing from the gradient by mu",
        [("d_mu = dz + beta * mu / N",
          "d_mu = dz + mu / N")]),
    "kl_of_std_and_single_path": (
        "KL by logvar with std for exp(logvar); da lacks the log variance's path",
        [("beta * 0.5 * (np.exp(logvar) - 1) / N",
          "beta * 0.5 * (std - 1) / N"),
         (" + d_logvar @ Ws.T",
          "")]),
}
