"""A gated recurrent unit (Cho et al., Learning Phrase Representations, 2014, equations 5 to 8)."""

from sympy import Sum, tanh

from derive import Network, mean, sigmoid

net = Network("gru", "Gated recurrent unit, half the squared error of its states")
T, N, D, K = net.sizes("T N D K")
Wr, Ur, br = net.parameter("Wr", D, K, note="reset gate"), net.parameter("Ur", K, K), net.parameter("br", K)
Wz, Uz, bz = net.parameter("Wz", D, K, note="update gate"), net.parameter("Uz", K, K), net.parameter("bz", K)
W, U, b = net.parameter("W", D, K, note="candidate"), net.parameter("U", K, K), net.parameter("b", K)
x, Y = net.input("x", T, N, D, note="inputs"), net.input("Y", T, N, K, note="targets")
h0 = net.input("h0", N, K, note="initial state")
t, n, d, k, j = net.indices(t=T, n=N, d=D, k=K, j=K)

h = net.state("h", T, N, K, initial=h0, note="state")
r = net.define("r", sigmoid(Sum(x[t, n, d] * Wr[d, k], d) + Sum(h[t - 1, n, j] * Ur[j, k], j) + br[k]), over=(t, n, k))
z = net.define("z", sigmoid(Sum(x[t, n, d] * Wz[d, k], d) + Sum(h[t - 1, n, j] * Uz[j, k], j) + bz[k]), over=(t, n, k))
a = Sum(x[t, n, d] * W[d, k], d) + Sum(r[t, n, j] * h[t - 1, n, j] * U[j, k], j) + b[k]
c = net.define("c", tanh(a), over=(t, n, k), note="candidate")
net.define(h, z[t, n, k] * h[t - 1, n, k] + (1 - z[t, n, k]) * c[t, n, k], over=(t, n, k))
net.output(h)
net.loss = mean((h - Y) ** 2) / 2
