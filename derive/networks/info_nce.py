"""Contrastive learning with InfoNCE (van den Oord, Li and Vinyals, 2018, equation 4), scores as in SimCLR."""

from sympy import Sum, exp, log, sqrt

from derive import Network

net = Network("info_nce", "InfoNCE of two linear encoders")
N, D, F, K = net.sizes("N D F K")
V, W = net.parameter("V", D, K, note="encoder of the anchors"), net.parameter("W", F, K, note="encoder of the others")
X, Y = net.input("X", N, D, note="anchors"), net.input("Y", N, F, note="others; each belongs to the anchor of its row")
tau = net.input("tau", note="temperature")
n, m, k = net.indices(n=N, m=N, k=K)

P, Q = net.define("P", X @ V, note="codes"), net.define("Q", Y @ W, note="codes")
p, q = net.define("p", sqrt(Sum(P[n, k] ** 2, k)), over=n), net.define("q", sqrt(Sum(Q[n, k] ** 2, k)), over=n)
A = net.define("A", P[n, k] / p[n], over=(n, k), note="codes of length 1")
B = net.define("B", Q[n, k] / q[n], over=(n, k), note="codes of length 1")
S = net.define("S", A @ B.T / tau, note="cosines over the temperature")
net.output(S)
net.loss = Sum(log(Sum(exp(S[n, m]), m)) - S[n, n], n) / N
