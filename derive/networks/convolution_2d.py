"""A convolution of images, with stride, padding, dilation and groups (Dumoulin and Visin, 2016)."""

from sympy import Sum

from derive import Network, mean, padded

net = Network("convolution_2d", "Convolution of images, with stride, padding, dilation and groups")
N, G, M, J, U, V, K, S, L = net.sizes("N G M J U V K S L")
C, F = net.size("C", G * J), net.size("F", G * M)
P = net.size("P", least=0)
A, B = net.size("A", (U + 2 * P - L * (K - 1) - 1) // S + 1), net.size("B", (V + 2 * P - L * (K - 1) - 1) // S + 1)
x = net.parameter("x", N, C, U, V, note="images; a layer below would take dx on")
w, b = net.parameter("w", F, J, K, K, note="kernels"), net.parameter("b", F, note="biases")
Y = net.input("Y", N, G, M, A, B, note="targets")
n, g, m, j, i, k, p, q = net.indices(n=N, g=G, m=M, j=J, i=A, k=B, p=K, q=K)

tap = padded(x)[n, g * J + j, S * i + L * p - P, S * k + L * q - P]
kernel = w[g * M + m, j, p, q]
y = net.define("y", Sum(kernel * tap, j, p, q) + b[g * M + m], over=(n, g, m, i, k), note="G groups of M channels")
net.output(y)
net.loss = mean((y - Y) ** 2) / 2
