"""A transformer block, normalising first (Xiong et al., On Layer Normalization, 2020)."""

from sympy import Piecewise, Sum, oo, sqrt

from derive import Network, gelu_tanh, mean, softmax

net = Network("transformer_block", "Transformer block: attention and a perceptron, each after a normalisation")
N, T, H, E, M = net.sizes("N T H E M")
D = net.size("D", H * E)
g1, b1 = net.parameter("g1", D, note="first normalisation"), net.parameter("b1", D)
Wq, Wk = net.parameter("Wq", D, D, note="queries"), net.parameter("Wk", D, D, note="keys")
Wv, Wo = net.parameter("Wv", D, D, note="values"), net.parameter("Wo", D, D, note="outputs")
g2, b2 = net.parameter("g2", D, note="second normalisation"), net.parameter("b2", D)
W3, b3 = net.parameter("W3", D, M, note="perceptron"), net.parameter("b3", M)
W4, b4 = net.parameter("W4", M, D, note="perceptron"), net.parameter("b4", D)
X, Y = net.input("X", N, T, D, note="inputs"), net.input("Y", N, T, D, note="targets")
epsilon = net.input("epsilon", note="small, positive")
n, t, s, h, e, d = net.indices(n=N, t=T, s=T, h=H, e=E, d=D)


def normalised(name, X, gain, bias):
    """Define and return X in units of its own standard deviation, scaled and shifted."""
    mu = net.define(f"mu_{name}", Sum(X[n, t, d], d) / D, over=(n, t), note="mean")
    var = net.define(f"var_{name}", Sum((X[n, t, d] - mu[n, t]) ** 2, d) / D, over=(n, t), note="variance")
    Z = net.define(f"{name}_hat", (X[n, t, d] - mu[n, t]) / sqrt(var[n, t] + epsilon), over=(n, t, d))
    return net.define(name, gain * Z + bias, note="normalised")


A1 = normalised("A1", X, g1, b1)
Q, K, V = net.define("Q", A1 @ Wq), net.define("K", A1 @ Wk), net.define("V", A1 @ Wv)
score = Sum(Q[n, t, h * E + e] * K[n, s, h * E + e], e) / sqrt(E)
S = net.define("S", Piecewise((score, s <= t), (-oo, True)), over=(n, h, t, s), note="scores of what is not to come")
P = net.define("P", softmax(S), note="attention")
O = net.define("O", Sum(P[n, h, t, s] * V[n, s, h * E + e], s), over=(n, t, h, e), note="outputs of the heads")
R = net.define("R", X[n, t, d] + Sum(O[n, t, h, e] * Wo[h * E + e, d], h, e), over=(n, t, d), note="first residual")
A2 = normalised("A2", R, g2, b2)
F = net.define("F", gelu_tanh(A2 @ W3 + b3), note="hidden units")
Z = net.define("Z", R + F @ W4 + b4, note="second residual")
net.output(Z)
net.loss = mean((Z - Y) ** 2) / 2
