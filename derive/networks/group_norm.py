"""Group normalisation of the channels of images in a classifier (Wu and He, Group Normalization, 2018, section 3)."""

from sympy import Sum, sqrt

from derive import Network, cross_entropy, mean, relu

net = Network("group_norm", "Classifier of images with group normalisation")
N, D, G, M, H, W, K = net.sizes("N D G M H W K")
C = net.size("C", G * M)
W1 = net.parameter("W1", C, D, note="a convolution of width 1")
gamma, beta = net.parameter("gamma", C, note="scale"), net.parameter("beta", C, note="shift")
W2, b2 = net.parameter("W2", C, K, note="last layer"), net.parameter("b2", K, note="last layer")
X, y = net.input("X", N, D, H, W, note="images"), net.labels("y", N, classes=K, note="labels")
epsilon = net.input("epsilon", note="small, positive")
n, c, d, g, m, h, w, k = net.indices(n=N, c=C, d=D, g=G, m=M, h=H, w=W, k=K)

Z = net.define("Z", Sum(W1[c, d] * X[n, d, h, w], d), over=(n, c, h, w), note="G groups of M channels each")
mu = net.define("mu", Sum(Z[n, g * M + m, h, w], m, h, w) / (M * H * W), over=(n, g), note="mean of a group")
R = net.define("R", Z[n, g * M + m, h, w] - mu[n, g], over=(n, g, m, h, w), note="centred")
v = net.define("v", Sum(R[n, g, m, h, w] ** 2, m, h, w) / (M * H * W), over=(n, g), note="variance of a group")
U = net.define("U", R[n, g, m, h, w] / sqrt(v[n, g] + epsilon), over=(n, g, m, h, w), note="normalised")
B = net.define("B", gamma[g * M + m] * U[n, g, m, h, w] + beta[g * M + m], over=(n, g, m, h, w), note="rescaled")
P = net.define("P", Sum(relu(B[n, g, m, h, w]), h, w) / (H * W), over=(n, g, m), note="means of channels")
Y = net.define("Y", Sum(P[n, g, m] * W2[g * M + m, k], g, m) + b2[k], over=(n, k), note="logits")
net.output(Y)
net.loss = mean(cross_entropy(Y, y))
