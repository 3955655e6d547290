"""Multi-head attention with a causal mask (Vaswani et al., Attention Is All You Need, 2017, section 3.2.2)."""

from sympy import Piecewise, Sum, oo, sqrt

from derive import Network, mean, softmax

net = Network("multi_head_attention", "Causal attention of several heads")
N, T, H, E = net.sizes("N T H E")
D = net.size("D", H * E)
Wq, Wk = net.parameter("Wq", D, D, note="queries"), net.parameter("Wk", D, D, note="keys")
Wv, Wo = net.parameter("Wv", D, D, note="values"), net.parameter("Wo", D, D, note="outputs")
X, Y = net.input("X", N, T, D, note="inputs"), net.input("Y", N, T, D, note="targets")
n, t, s, h, e, d = net.indices(n=N, t=T, s=T, h=H, e=E, d=D)

Q, K = net.define("Q", X @ Wq, note="queries"), net.define("K", X @ Wk, note="keys")
V = net.define("V", X @ Wv, note="values")
score = Sum(Q[n, t, h * E + e] * K[n, s, h * E + e], e) / sqrt(E)
S = net.define("S", Piecewise((score, s <= t), (-oo, True)), over=(n, h, t, s), note="scores of what is not to come")
A = net.define("A", softmax(S), note="attention")
O = net.define("O", Sum(A[n, h, t, s] * V[n, s, h * E + e], s), over=(n, t, h, e), note="outputs of the heads")
Z = net.define("Z", Sum(O[n, t, h, e] * Wo[h * E + e, d], h, e), over=(n, t, d), note="outputs")
net.output(Z, A)
net.loss = mean((Z - Y) ** 2) / 2
