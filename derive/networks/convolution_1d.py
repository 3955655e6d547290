"""A convolution over time, with stride, padding, dilation and groups (Dumoulin and Visin, 2016)."""

from sympy import Sum

from derive import Network, mean, padded

net = Network("convolution_1d", "Convolution of signals, with stride, padding, dilation and groups")
N, G, M, J, U, K, S, L = net.sizes("N G M J U K S L")
C, F = net.size("C", G * J), net.size("F", G * M)
P = net.size("P", least=0)
I = net.size("I", (U + 2 * P - L * (K - 1) - 1) // S + 1)
x = net.parameter("x", N, C, U, note="signals; a layer below would take dx on")
w, b = net.parameter("w", F, J, K, note="kernels"), net.parameter("b", F, note="biases")
Y = net.input("Y", N, G, M, I, note="targets")
n, g, m, j, i, p = net.indices(n=N, g=G, m=M, j=J, i=I, p=K)

tap = padded(x)[n, g * J + j, S * i + L * p - P]
y = net.define(
    "y", Sum(w[g * M + m, j, p] * tap, j, p) + b[g * M + m], over=(n, g, m, i), note="G groups of M channels"
)
net.output(y)
net.loss = mean((y - Y) ** 2) / 2
