"""The critic of a Wasserstein GAN with gradient penalty (Gulrajani et al., 2017, equation 3)."""

from sympy import sqrt, tanh

from derive import Network, derivative, mean, total

net = Network("gradient_penalty", "Critic of a Wasserstein GAN with a gradient penalty")
N, D, H = net.sizes("N D H")
W, b, v = net.parameter("W", D, H), net.parameter("b", H), net.parameter("v", H)
X, Y = net.input("X", N, D, note="real"), net.input("Y", N, D, note="generated")
M, penalty = net.input("M", N, D, note="in between, at random"), net.input("penalty")

p = net.define("p", tanh(X @ W + b) @ v, note="scores of what is real")
q = net.define("q", tanh(Y @ W + b) @ v, note="scores of what is generated")
f = net.define("f", tanh(M @ W + b) @ v, note="scores in between")
S = net.define("S", derivative(f, M), note="slopes in between")
r = net.define("r", sqrt(total(S**2, axis=1)), note="their lengths")
net.loss = mean(q) - mean(p) + penalty * mean((r - 1) ** 2)
