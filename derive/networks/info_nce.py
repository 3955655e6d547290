"""Contrastive learning with InfoNCE (van den Oord, Li and Vinyals, 2018, equation 4), scores as in SimCLR."""

from sympy import Sum, exp, log, sqrt

from derive import Network

net = Network("info_nce", "InfoNCE of two linear encoders")
N, D, F, K = net.sizes("N D F K")
V, W = net.parameter("V", D, K, note="encoder of the anchors"), net.parameter("W", F, K, note="encoder of the others")
X, Y = net.input("X", N, D, note="anchors"), net.input("Y", N, F, note="others; each belongs to the anchor of its row")
tau = net.input("tau", note="temperature")
n, m, k = net.indices(n=N, m=N, k=K)

A, B = net.define("A", X @ V, note="codes"), net.define("B", Y @ W, note="codes")
a = net.define("a", sqrt(Sum(A[n, k] ** 2, k)), over=n, note="lengths")
b = net.define("b", sqrt(Sum(B[m, k] ** 2, k)), over=m, note="lengths")
S = net.define("S", Sum(A[n, k] * B[m, k], k) / (tau * a[n] * b[m]), over=(n, m), note="cosines over the temperature")
net.output(S)
net.loss = Sum(log(Sum(exp(S[n, m]), m)) - S[n, n], n) / N
