"""Long short-term memory (Hochreiter and Schmidhuber, 1997; forget gate: Gers, Schmidhuber and Cummins, 2000)."""

from sympy import Sum, tanh

from derive import Network, mean, sigmoid

net = Network("lstm", "Long short-term memory, half the squared error of its states")
T, N, D, K = net.sizes("T N D K")
W, U = net.parameter("W", D, 4, K, note="input, for four gates"), net.parameter("U", K, 4, K, note="recurrence")
b = net.parameter("b", 4, K)
x, Y = net.input("x", T, N, D, note="inputs"), net.input("Y", T, N, K, note="targets")
h0, c0 = net.input("h0", N, K, note="initial state"), net.input("c0", N, K, note="initial memory")
t, n, d, k, j, q = net.indices(t=T, n=N, d=D, k=K, j=K, q=4)

h, c = net.state("h", T, N, K, initial=h0, note="state"), net.state("c", T, N, K, initial=c0, note="memory")
pre = Sum(x[t, n, d] * W[d, q, k], d) + Sum(h[t - 1, n, j] * U[j, q, k], j) + b[q, k]
z = net.define("z", pre, over=(t, n, q, k), note="what the gates are functions of")
i = net.define("i", sigmoid(z[t, n, 0, k]), over=(t, n, k), note="input gate")
f = net.define("f", sigmoid(z[t, n, 1, k]), over=(t, n, k), note="forget gate")
g = net.define("g", tanh(z[t, n, 2, k]), over=(t, n, k), note="candidate")
o = net.define("o", sigmoid(z[t, n, 3, k]), over=(t, n, k), note="output gate")
net.define(c, f[t, n, k] * c[t - 1, n, k] + i[t, n, k] * g[t, n, k], over=(t, n, k))
net.define(h, o[t, n, k] * tanh(c[t, n, k]), over=(t, n, k))
net.output(h)
net.loss = mean((h - Y) ** 2) / 2
