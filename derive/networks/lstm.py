"""Long short-term memory (Hochreiter and Schmidhuber, 1997, with the forget gate of Gers et al., 2000, equations 1 to 6)."""

from sympy import Sum, tanh

from derive import Network, mean, sigmoid

net = Network("lstm", "Long short-term memory, half the squared error of its states")
T, N, D, K = net.sizes("T N D K")
Wi, Ui, bi = net.parameter("Wi", D, K, note="input gate"), net.parameter("Ui", K, K), net.parameter("bi", K)
Wf, Uf, bf = net.parameter("Wf", D, K, note="forget gate"), net.parameter("Uf", K, K), net.parameter("bf", K)
Wo, Uo, bo = net.parameter("Wo", D, K, note="output gate"), net.parameter("Uo", K, K), net.parameter("bo", K)
Wg, Ug, bg = net.parameter("Wg", D, K, note="candidate"), net.parameter("Ug", K, K), net.parameter("bg", K)
x, Y = net.input("x", T, N, D, note="inputs"), net.input("Y", T, N, K, note="targets")
h0, c0 = net.input("h0", N, K, note="initial state"), net.input("c0", N, K, note="initial memory")
t, n, d, k, j = net.indices(t=T, n=N, d=D, k=K, j=K)

h, c = net.state("h", T, N, K, initial=h0, note="state"), net.state("c", T, N, K, initial=c0, note="memory")


def pre(W, U, b):
    """Return what a gate is a function of."""
    return Sum(x[t, n, d] * W[d, k], d) + Sum(h[t - 1, n, j] * U[j, k], j) + b[k]


i = net.define("i", sigmoid(pre(Wi, Ui, bi)), over=(t, n, k), note="input gate")
f = net.define("f", sigmoid(pre(Wf, Uf, bf)), over=(t, n, k), note="forget gate")
o = net.define("o", sigmoid(pre(Wo, Uo, bo)), over=(t, n, k), note="output gate")
g = net.define("g", tanh(pre(Wg, Ug, bg)), over=(t, n, k), note="candidate")
net.define(c, f[t, n, k] * c[t - 1, n, k] + i[t, n, k] * g[t, n, k], over=(t, n, k))
net.define(h, o[t, n, k] * tanh(c[t, n, k]), over=(t, n, k))
net.output(h)
net.loss = mean((h - Y) ** 2) / 2
