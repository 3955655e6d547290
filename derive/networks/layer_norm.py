"""Layer normalisation in a small regressor (Ba, Kiros and Hinton, Layer Normalization, 2016, equations 3 and 4)."""

from sympy import sqrt

from derive import Network, mean, relu

net = Network("layer_norm", "Regression with layer normalisation")
N, D, H, K = net.sizes("N D H K")
W1, b1 = net.parameter("W1", D, H, note="first layer"), net.parameter("b1", H, note="first layer")
gamma, beta = net.parameter("gamma", H, note="gain"), net.parameter("beta", H, note="bias")
W2, b2 = net.parameter("W2", H, K, note="second layer"), net.parameter("b2", K, note="second layer")
X, T = net.input("X", N, D, note="inputs"), net.input("T", N, K, note="targets")
epsilon = net.input("epsilon", note="small, positive")
n, h = net.indices(n=N, h=H)

Z = net.define("Z", X @ W1 + b1, note="pre-activation")
m = net.define("m", mean(Z, axis=1), note="mean of the layer")
R = net.define("R", Z[n, h] - m[n], over=(n, h), note="centred")
v = net.define("v", mean(R**2, axis=1), note="variance of the layer")
U = net.define("U", R[n, h] / sqrt(v[n] + epsilon), over=(n, h), note="normalised")
B = net.define("B", gamma * U + beta, note="scaled and shifted")
A = net.define("A", relu(B), note="hidden units")
Y = net.define("Y", A @ W2 + b2, note="predictions")
net.output(Y)
net.loss = mean((Y - T) ** 2) / 2
