"""Max-pooling with windows that may overlap (Krizhevsky, Sutskever and Hinton, 2012, section 3.4)."""

from derive import FirstMaximum, Network, mean

net = Network("max_pooling", "Max-pooling of images, windows overlapping or not")
N, C, U, V, K, S = net.sizes("N C U V K S")
A, B = net.size("A", (U - K) // S + 1), net.size("B", (V - K) // S + 1)
x = net.parameter("x", N, C, U, V, note="images; a layer below would take dx on")
Y = net.input("Y", N, C, A, B, note="targets")
n, c, i, k, p, q = net.indices(n=N, c=C, i=A, k=B, p=K, q=K)

y = net.define("y", FirstMaximum(x[n, c, S * i + p, S * k + q], p, q), over=(n, c, i, k), note="pooled")
net.output(y)
net.loss = mean((y - Y) ** 2) / 2
