"""Batch normalisation in a small classifier (Ioffe and Szegedy, Batch Normalization, 2015, algorithms 1 and 2)."""

from sympy import sqrt

from derive import Network, cross_entropy, mean, relu

net = Network("batch_norm", "Classifier with batch normalisation")
N, D, H, C = net.sizes("N D H C")
W1 = net.parameter("W1", D, H, note="first layer")
gamma, beta = net.parameter("gamma", H, note="scale"), net.parameter("beta", H, note="shift")
W2, b2 = net.parameter("W2", H, C, note="second layer"), net.parameter("b2", C, note="second layer")
X, y = net.input("X", N, D, note="inputs"), net.labels("y", N, classes=C, note="labels")
running_mean = net.input("running_mean", H, note="mean over batches so far")
running_variance = net.input("running_variance", H, note="variance over batches so far")
momentum, epsilon = net.input("momentum", note="of the running statistics"), net.input("epsilon", note="small, positive")

Z1 = net.define("Z1", X @ W1, note="pre-activation")
m = net.define("m", mean(Z1, axis=0), note="mean of the batch")
v = net.define("v", mean((Z1 - m) ** 2, axis=0), note="variance of the batch")
Z1hat = net.define("Z1hat", (Z1 - m) / sqrt(v + epsilon), note="normalised")
A1 = net.define("A1", relu(gamma * Z1hat + beta), note="hidden units")
Z2 = net.define("Z2", A1 @ W2 + b2, note="logits")
new_mean = net.define("new_mean", (1 - momentum) * running_mean + momentum * m)
new_variance = net.define("new_variance", (1 - momentum) * running_variance + momentum * v)
net.output(Z2, new_mean, new_variance)
net.loss = mean(cross_entropy(Z2, y))
