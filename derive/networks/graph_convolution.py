"""A two-layer graph convolutional network (Kipf and Welling, 2017, equations 2, 9 and 10), the adjacency dense."""

from sympy import KroneckerDelta, Sum, sqrt

from derive import Network, cross_entropy, relu, total

net = Network("graph_convolution", "Graph convolutional network of two layers")
N, D, H, C = net.sizes("N D H C")
W1, W2 = net.parameter("W1", D, H, note="first layer"), net.parameter("W2", H, C, note="second layer")
X, A = net.input("X", N, D, note="features of the nodes"), net.input("A", N, N, note="adjacency, symmetric")
y, known = net.labels("y", N, classes=C, note="labels"), net.input("known", N, note="1 where a label is known, else 0")
i, j = net.indices(i=N, j=N)

degree = net.define("degree", 1 + Sum(A[i, j], j), over=i, note="neighbours, the node itself among them")
S = net.define("S", (A[i, j] + KroneckerDelta(i, j)) / sqrt(degree[i] * degree[j]), over=(i, j), note="normalised")
A1 = net.define("A1", relu(S @ X @ W1), note="hidden units")
Z = net.define("Z", S @ A1 @ W2, note="logits")
net.output(Z)
net.loss = total(known * cross_entropy(Z, y))
