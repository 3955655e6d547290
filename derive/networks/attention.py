"""Scaled dot-product attention with a causal mask (Vaswani et al., Attention Is All You Need, 2017, equation 1)."""

from sympy import Piecewise, Sum, oo, sqrt

from derive import Network, mean, softmax

net = Network("attention", "Causal scaled dot-product attention of one head")
N, T, D, E = net.sizes("N T D E")
Wq, Wk = net.parameter("Wq", D, E, note="queries"), net.parameter("Wk", D, E, note="keys")
Wv = net.parameter("Wv", D, E, note="values")
X, Y = net.input("X", N, T, D, note="inputs"), net.input("Y", N, T, E, note="targets")
n, t, s, e = net.indices(n=N, t=T, s=T, e=E)

Q, K = net.define("Q", X @ Wq, note="queries"), net.define("K", X @ Wk, note="keys")
V = net.define("V", X @ Wv, note="values")
score = Sum(Q[n, t, e] * K[n, s, e], e) / sqrt(E)
S = net.define("S", Piecewise((score, s <= t), (-oo, True)), over=(n, t, s), note="scores of what is not to come")
A = net.define("A", softmax(S), note="attention")
O = net.define("O", A @ V, note="outputs")
net.output(O, A)
net.loss = mean((O - Y) ** 2) / 2
