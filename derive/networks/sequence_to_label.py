"""A recurrent classifier of sequences: an Elman network (1990) whose last state gives the label."""

from sympy import Sum, tanh

from derive import Network, cross_entropy, mean

net = Network("sequence_to_label", "Recurrent classifier of sequences of words")
T, N, D, K, C, M = net.sizes("T N D K C M")
E = net.parameter("E", M, D, note="embeddings")
W, U, b = net.parameter("W", D, K, note="input"), net.parameter("U", K, K, note="recurrence"), net.parameter("b", K)
V, c = net.parameter("V", K, C, note="output"), net.parameter("c", C, note="output")
w, y = net.labels("w", T, N, classes=M, note="words"), net.labels("y", N, classes=C, note="labels")
t, n, d, k, j, m = net.indices(t=T, n=N, d=D, k=K, j=K, m=C)

x = net.define("x", E[w[t, n], d], over=(t, n, d), note="embedded words")
h = net.state("h", T, N, K, initial=0, note="state")
net.define(h, tanh(Sum(x[t, n, d] * W[d, k], d) + Sum(h[t - 1, n, j] * U[j, k], j) + b[k]), over=(t, n, k))
z = net.define("z", Sum(h[T - 1, n, k] * V[k, m], k) + c[m], over=(n, m), note="logits")
net.output(z)
net.loss = mean(cross_entropy(z, y))
