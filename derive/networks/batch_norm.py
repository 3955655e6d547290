"""Batch normalisation in a small classifier (Ioffe and Szegedy, Batch Normalization, 2015, algorithm 1).

The running statistics are what a network at test time normalises by; their variance is that of the batch, not N/(N - 1)
times that, so that a batch of one example is fine.
"""

from sympy import sqrt

from derive import Network, cross_entropy, mean, relu

net = Network("batch_norm", "Classifier with batch normalisation")
N, D, H, C = net.sizes("N D H C")
W1 = net.parameter("W1", D, H, note="first layer")
gamma, beta = net.parameter("gamma", H, note="scale"), net.parameter("beta", H, note="shift")
W2, b2 = net.parameter("W2", H, C, note="second layer"), net.parameter("b2", C, note="second layer")
X, y = net.input("X", N, D, note="inputs"), net.labels("y", N, classes=C, note="labels")
running_m, running_v = net.input("running_m", H, note="mean so far"), net.input("running_v", H, note="variance so far")
momentum, epsilon = net.input("momentum", note="weight of this batch"), net.input("epsilon", note="small, positive")

Z = net.define("Z", X @ W1, note="pre-activation")
m = net.define("m", mean(Z, axis=0), note="mean of the batch")
R = net.define("R", Z - m, note="centred")
v = net.define("v", mean(R**2, axis=0), note="variance of the batch")
U = net.define("U", R / sqrt(v + epsilon), note="normalised")
B = net.define("B", gamma * U + beta, note="scaled and shifted")
A = net.define("A", relu(B), note="hidden units")
Y = net.define("Y", A @ W2 + b2, note="logits")
next_m = net.define("next_m", (1 - momentum) * running_m + momentum * m, note="running mean after this batch")
next_v = net.define("next_v", (1 - momentum) * running_v + momentum * v, note="running variance after this batch")
net.output(Y, next_m, next_v)
net.loss = mean(cross_entropy(Y, y))
