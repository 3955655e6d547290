"""Softmax regression: linear logits, mean cross-entropy of integer labels."""

from derive import Network, cross_entropy, mean

net = Network("softmax_regression", "Softmax regression")
N, D, C = net.sizes("N D C")
W, b = net.parameter("W", D, C, note="weights"), net.parameter("b", C, note="biases")
X, y = net.input("X", N, D, note="inputs"), net.labels("y", N, classes=C, note="labels")

Z = net.define("Z", X @ W + b, note="logits")
net.output(Z)
net.loss = mean(cross_entropy(Z, y))
