"""Skip-gram with negative sampling (Mikolov et al., Distributed Representations of Words, 2013, equation 4)."""

from sympy import Sum, log

from derive import Network, sigmoid

net = Network("skip_gram", "Skip-gram with negative sampling")
V, D, N, K = net.sizes("V D N K")
E = net.parameter("E", V, D, note="embeddings of words")
F = net.parameter("F", V, D, note="embeddings of contexts")
w, c = net.labels("w", N, classes=V, note="words"), net.labels("c", N, classes=V, note="their contexts")
r = net.labels("r", N, K, classes=V, note="words drawn at random")
n, k, d = net.indices(n=N, k=K, d=D)

s = net.define("s", Sum(E[w[n], d] * F[c[n], d], d), over=n, note="scores of the contexts")
q = net.define("q", Sum(E[w[n], d] * F[r[n, k], d], d), over=(n, k), note="scores of the random words")
net.loss = -Sum(log(sigmoid(s[n])) + Sum(log(sigmoid(-q[n, k])), k), n) / N
