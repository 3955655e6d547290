"""Skip-gram with negative sampling (Mikolov et al., Distributed Representations of Words, 2013, equation 4)."""

from sympy import Sum, log

from derive import Network, sigmoid

net = Network("skip_gram", "Skip-gram with negative sampling")
V, D, N, K = net.sizes("V D N K")
E, F = net.parameter("E", V, D, note="embeddings of words"), net.parameter("F", V, D, note="embeddings of contexts")
w, c = net.labels("w", N, classes=V, note="words"), net.labels("c", N, classes=V, note="their contexts")
r = net.labels("r", N, K, classes=V, note="words drawn at random")
n, k, d = net.indices(n=N, k=K, d=D)

A = net.define("A", E[w[n], d], over=(n, d), note="words, embedded")
B = net.define("B", F[c[n], d], over=(n, d), note="their contexts, embedded")
R = net.define("R", F[r[n, k], d], over=(n, k, d), note="random words, embedded")
s = net.define("s", Sum(A[n, d] * B[n, d], d), over=n, note="scores of the contexts")
q = net.define("q", Sum(A[n, d] * R[n, k, d], d), over=(n, k), note="scores of the random words")
net.loss = -Sum(log(sigmoid(s[n])) + Sum(log(sigmoid(-q[n, k])), k), n) / N
