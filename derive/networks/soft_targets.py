"""Softmax regression on soft targets: each row of Y is a distribution over the classes, a teacher's or smoothed labels.

Hinton, Vinyals and Dean, Distilling the knowledge in a neural network (2015), at temperature 1. That the rows sum to
one makes the adjoint of the logits the softmax minus the targets.
"""

from derive import Network, log_softmax, total

net = Network("soft_targets", "Softmax regression on soft targets")
N, D, C = net.sizes("N D C")
W, b = net.parameter("W", D, C, note="weights"), net.parameter("b", C, note="biases")
X, Y = net.input("X", N, D, note="inputs"), net.input("Y", N, C, note="targets, a distribution a row")
net.assume("each row of Y sums to one", total(Y, axis=1), 1)

Z = net.define("Z", X @ W + b, note="logits")
net.output(Z)
net.loss = -total(Y * log_softmax(Z)) / N
