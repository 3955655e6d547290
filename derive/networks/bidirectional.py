"""A bidirectional recurrent network (Schuster and Paliwal, Bidirectional Recurrent Neural Networks, 1997)."""

from sympy import Sum, tanh

from derive import Network, cross_entropy, mean

net = Network("bidirectional", "Bidirectional recurrent network with a label at every step")
T, N, D, K, C = net.sizes("T N D K C")
W, U, b = net.parameter("W", D, K, note="forwards in time"), net.parameter("U", K, K), net.parameter("b", K)
Wr, Ur, br = net.parameter("Wr", D, K, note="backwards in time"), net.parameter("Ur", K, K), net.parameter("br", K)
V, Vr, c = net.parameter("V", K, C, note="output"), net.parameter("Vr", K, C, note="output"), net.parameter("c", C)
x, y = net.input("x", T, N, D, note="inputs"), net.labels("y", T, N, classes=C, note="labels")
t, n, d, k, j, m = net.indices(t=T, n=N, d=D, k=K, j=K, m=C)

h = net.state("h", T, N, K, initial=0, note="what came before")
net.define(h, tanh(Sum(x[t, n, d] * W[d, k], d) + Sum(h[t - 1, n, j] * U[j, k], j) + b[k]), over=(t, n, k))
g = net.state("g", T, N, K, initial=0, note="what comes after, the last step first")
net.define(g, tanh(Sum(x[T - 1 - t, n, d] * Wr[d, k], d) + Sum(g[t - 1, n, j] * Ur[j, k], j) + br[k]), over=(t, n, k))
a = Sum(h[t, n, k] * V[k, m], k) + Sum(g[T - 1 - t, n, k] * Vr[k, m], k) + c[m]
z = net.define("z", a, over=(t, n, m), note="logits")
net.output(z)
net.loss = mean(cross_entropy(z, y))
