"""Dropout with its mask as an input (Srivastava et al., 2014, section 4), scaled in training rather than testing."""

from derive import Network, cross_entropy, mean, relu

net = Network("dropout", "Classifier with dropout of hidden units")
N, D, H, C = net.sizes("N D H C")
W1, b1 = net.parameter("W1", D, H, note="first layer"), net.parameter("b1", H, note="first layer")
W2, b2 = net.parameter("W2", H, C, note="second layer"), net.parameter("b2", C, note="second layer")
X, y = net.input("X", N, D, note="inputs"), net.labels("y", N, classes=C, note="labels")
mask, keep = net.input("mask", N, H, note="1 with the probability keep, else 0"), net.input("keep", note="probability")

Z1 = net.define("Z1", X @ W1 + b1, note="pre-activation")
A1 = net.define("A1", relu(Z1) * mask / keep, note="hidden units, thinned")
Z2 = net.define("Z2", A1 @ W2 + b2, note="logits")
net.output(Z2)
net.loss = mean(cross_entropy(Z2, y))
