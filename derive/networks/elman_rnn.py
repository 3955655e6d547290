"""A simple recurrent network that predicts the next symbol (Elman, Finding Structure in Time, 1990)."""

from sympy import Sum, tanh

from derive import Network, cross_entropy, mean

net = Network("elman_rnn", "Elman network with a label at every step")
T, N, D, K, C = net.sizes("T N D K C")
W, U, b = net.parameter("W", D, K, note="input"), net.parameter("U", K, K, note="recurrence"), net.parameter("b", K)
V, c = net.parameter("V", K, C, note="output"), net.parameter("c", C, note="output")
x, y = net.input("x", T, N, D, note="inputs"), net.labels("y", T, N, classes=C, note="labels")
h0 = net.input("h0", N, K, note="initial state")
t, n, d, k, j = net.indices(t=T, n=N, d=D, k=K, j=K)

h = net.state("h", T, N, K, initial=h0, note="hidden units")
net.define(h, tanh(Sum(x[t, n, d] * W[d, k], d) + Sum(h[t - 1, n, j] * U[j, k], j) + b[k]), over=(t, n, k))
z = net.define("z", h @ V + c, note="logits")
net.output(z)
net.loss = mean(cross_entropy(z, y))
