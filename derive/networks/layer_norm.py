"""Layer normalisation in a small regressor (Ba, Kiros and Hinton, Layer Normalization, 2016, equations 3 and 4)."""

from sympy import Sum, sqrt

from derive import Network, mean, relu

net = Network("layer_norm", "Regression with layer normalisation")
N, D, H, K = net.sizes("N D H K")
W1, b1 = net.parameter("W1", D, H, note="first layer"), net.parameter("b1", H, note="first layer")
gamma, beta = net.parameter("gamma", H, note="gain"), net.parameter("beta", H, note="bias")
W2, b2 = net.parameter("W2", H, K, note="second layer"), net.parameter("b2", K, note="second layer")
X, Y = net.input("X", N, D, note="inputs"), net.input("Y", N, K, note="targets")
epsilon = net.input("epsilon", note="small, positive")
n, h = net.indices(n=N, h=H)

Z1 = net.define("Z1", X @ W1 + b1, note="pre-activation")
m = net.define("m", Sum(Z1[n, h], h) / H, over=n, note="mean of the layer")
v = net.define("v", Sum((Z1[n, h] - m[n]) ** 2, h) / H, over=n, note="variance of the layer")
Z1hat = net.define("Z1hat", (Z1[n, h] - m[n]) / sqrt(v[n] + epsilon), over=(n, h), note="normalised")
A1 = net.define("A1", relu(gamma * Z1hat + beta), note="hidden units")
Z2 = net.define("Z2", A1 @ W2 + b2, note="predictions")
net.output(Z2)
net.loss = mean((Z2 - Y) ** 2) / 2
