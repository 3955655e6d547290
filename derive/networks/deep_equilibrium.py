"""A deep equilibrium network: one layer iterated for ever, its fixed point read out with softmax cross-entropy.

Bai, Kolter and Koltun, Deep Equilibrium Models, 2019; W as in Winston and Kolter, Monotone Operator Equilibrium
Networks, 2020, equation 10, with m = 1/2, so that there is one fixed point.
"""

from sympy import Eq, tanh

from derive import Network, cross_entropy, eye, mean

net = Network("deep_equilibrium", "Deep equilibrium network with softmax cross-entropy")
N, D, H, C = net.sizes("N D H C")
A, B = net.parameter("A", H, H), net.parameter("B", H, H)
U, b = net.parameter("U", D, H), net.parameter("b", H)
V, c = net.parameter("V", H, C, note="output"), net.parameter("c", C, note="output")
X, y = net.input("X", N, D, note="inputs"), net.labels("y", N, classes=C, note="labels")

W = net.define("W", eye(H) / 2 - A.T @ A + B - B.T)
Z = net.unknown("Z", N, H, note="equilibrium")
net.implicitly(Z, Eq(Z, tanh(Z @ W + X @ U + b)))
F = net.define("F", Z @ V + c, note="logits")
net.output(F)
net.loss = mean(cross_entropy(F, y))
