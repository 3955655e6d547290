"""Group normalisation of an image's channels in a small classifier (Wu and He, Group Normalization, 2018, equations 1 to 7)."""

from sympy import Sum, sqrt

from derive import Network, cross_entropy, mean, relu

net = Network("group_norm", "Classifier of images with group normalisation")
N, D, G, M, U, V, K = net.sizes("N D G M U V K")
C = net.size("C", G * M)
W1 = net.parameter("W1", C, D, note="a convolution of width 1")
gamma, beta = net.parameter("gamma", C, note="scale"), net.parameter("beta", C, note="shift")
W2, b2 = net.parameter("W2", C, K, note="last layer"), net.parameter("b2", K, note="last layer")
X, y = net.input("X", N, D, U, V, note="images"), net.labels("y", N, classes=K, note="labels")
epsilon = net.input("epsilon", note="small, positive")
n, c, d, g, m, u, v, k = net.indices(n=N, c=C, d=D, g=G, m=M, u=U, v=V, k=K)

Z1 = net.define("Z1", Sum(W1[c, d] * X[n, d, u, v], d), over=(n, c, u, v), note="G groups of M channels each")
mu = net.define("mu", Sum(Z1[n, g * M + m, u, v], m, u, v) / (M * U * V), over=(n, g), note="mean of a group")
var = net.define("var", Sum((Z1[n, g * M + m, u, v] - mu[n, g]) ** 2, m, u, v) / (M * U * V), over=(n, g))
Z1hat = net.define("Z1hat", (Z1[n, g * M + m, u, v] - mu[n, g]) / sqrt(var[n, g] + epsilon), over=(n, g, m, u, v))
A1 = net.define("A1", relu(gamma[g * M + m] * Z1hat[n, g, m, u, v] + beta[g * M + m]), over=(n, g, m, u, v))
P = net.define("P", Sum(A1[n, g, m, u, v], u, v)/(U*V), over=(n, g, m))
Z2 = net.define("Z2", Sum(P[n, g, m] * W2[g*M+m, k], g, m) + b2[k], over=(n, k), note="logits")
net.output(Z2)
net.loss = mean(cross_entropy(Z2, y))
