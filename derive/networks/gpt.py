"""A language model of two transformer blocks with tied embeddings (Radford et al., GPT-2, 2019, section 2)."""

from sympy import Piecewise, Sum, oo, sqrt

from derive import Network, cross_entropy, gelu_tanh, mean, softmax

net = Network("gpt", "Language model of two transformer blocks with tied embeddings")
N, T, H, E, M, V = net.sizes("N T H E M V")
D = net.size("D", H * E)
We, Wp = net.parameter("We", V, D, note="embeddings of tokens"), net.parameter("Wp", T, D, note="of positions")
w, y = net.labels("w", N, T, classes=V, note="tokens"), net.labels("y", N, T, classes=V, note="tokens that follow")
epsilon = net.input("epsilon", note="small, positive")
n, t, s, h, e, d = net.indices(n=N, t=T, s=T, h=H, e=E, d=D)


def normalised(name, X):
    """Define and return X in units of its own standard deviation, scaled and shifted."""
    gain, bias = net.parameter(f"g_{name}", D, note="gain"), net.parameter(f"b_{name}", D, note="bias")
    mu = net.define(f"mu_{name}", Sum(X[n, t, d], d) / D, over=(n, t), note="mean")
    var = net.define(f"var_{name}", Sum((X[n, t, d] - mu[n, t]) ** 2, d) / D, over=(n, t), note="variance")
    Z = net.define(f"{name}_hat", (X[n, t, d] - mu[n, t]) / sqrt(var[n, t] + epsilon), over=(n, t, d))
    return net.define(name, gain * Z + bias, note="normalised")


def block(k, X):
    """Define and return what block k makes of X."""
    Wq, Wk, Wv, Wo = (net.parameter(f"W{x}{k}", D, D, note="attention") for x in "qkvo")
    W, b = net.parameter(f"W{k}", D, M, note="perceptron"), net.parameter(f"b{k}", M)
    U, c = net.parameter(f"U{k}", M, D, note="perceptron"), net.parameter(f"c{k}", D)
    A = normalised(f"A{k}", X)
    Q, K, V = net.define(f"Q{k}", A @ Wq), net.define(f"K{k}", A @ Wk), net.define(f"V{k}", A @ Wv)
    score = Sum(Q[n, t, h * E + e] * K[n, s, h * E + e], e) / sqrt(E)
    S = net.define(f"S{k}", Piecewise((score, s <= t), (-oo, True)), over=(n, h, t, s), note="scores")
    P = net.define(f"P{k}", softmax(S), note="attention")
    O = net.define(f"O{k}", Sum(P[n, h, t, s] * V[n, s, h * E + e], s), over=(n, t, h, e), note="outputs of the heads")
    R = net.define(f"R{k}", X[n, t, d] + Sum(O[n, t, h, e] * Wo[h * E + e, d], h, e), over=(n, t, d))
    F = net.define(f"F{k}", gelu_tanh(normalised(f"B{k}", R) @ W + b), note="hidden units")
    return net.define(f"X{k}", R + F @ U + c, note=f"after block {k}")


X = net.define("X0", We[w[n, t], d] + Wp[t, d], over=(n, t, d), note="embedded tokens")
Z = net.define("Z", normalised("C", block(2, block(1, X))) @ We.T, note="logits")
net.output(Z)
net.loss = mean(cross_entropy(Z, y))
