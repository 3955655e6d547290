"""Multi-head attention with a causal mask (Vaswani et al., Attention Is All You Need, 2017, section 3.2.2)."""

from sympy import Piecewise, Sum, oo, sqrt

from derive import Network, mean, softmax

net = Network("multi_head_attention", "Causal attention of several heads")
N, T, D, H, E = net.sizes("N T D H E")
Wq, Wk = net.parameter("Wq", D, H, E, note="queries"), net.parameter("Wk", D, H, E, note="keys")
Wv, Wo = net.parameter("Wv", D, H, E, note="values"), net.parameter("Wo", H, E, D, note="outputs")
X, Y = net.input("X", N, T, D, note="inputs"), net.input("Y", N, T, D, note="targets")
n, t, s, h, e, d = net.indices(n=N, t=T, s=T, h=H, e=E, d=D)

Q = net.define("Q", Sum(X[n, t, d] * Wq[d, h, e], d), over=(n, h, t, e), note="queries")
K = net.define("K", Sum(X[n, t, d] * Wk[d, h, e], d), over=(n, h, t, e), note="keys")
V = net.define("V", Sum(X[n, t, d] * Wv[d, h, e], d), over=(n, h, t, e), note="values")
score = Sum(Q[n, h, t, e] * K[n, h, s, e], e) / sqrt(E)
S = net.define("S", Piecewise((score, s <= t), (-oo, True)), over=(n, h, t, s), note="scores of what is not to come")
A = net.define("A", softmax(S), note="attention")
O = net.define("O", A @ V, note="outputs of the heads")
Z = net.define("Z", Sum(O[n, h, t, e] * Wo[h, e, d], h, e), over=(n, t, d), note="outputs")
net.output(Z, A)
net.loss = mean((Z - Y) ** 2) / 2
