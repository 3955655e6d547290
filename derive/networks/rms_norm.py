"""Root mean square normalisation in a small regressor (Zhang and Sennrich, 2019, equation 4)."""

from sympy import Sum, sqrt

from derive import Network, mean, silu

net = Network("rms_norm", "Regression with root mean square normalisation")
N, D, H, K = net.sizes("N D H K")
W1 = net.parameter("W1", D, H, note="first layer")
gamma = net.parameter("gamma", H, note="gain")
W2 = net.parameter("W2", H, K, note="second layer")
X, Y = net.input("X", N, D, note="inputs"), net.input("Y", N, K, note="targets")
epsilon = net.input("epsilon", note="small, positive")
n, h = net.indices(n=N, h=H)

Z1 = net.define("Z1", X @ W1, note="pre-activation")
r = net.define("r", sqrt(Sum(Z1[n, h] ** 2, h) / H + epsilon), over=n, note="root mean square of the layer")
B1 = net.define("B1", gamma[h] * Z1[n, h] / r[n], over=(n, h), note="normalised and scaled")
A1 = net.define("A1", silu(B1), note="hidden units")
Z2 = net.define("Z2", A1 @ W2, note="predictions")
net.output(Z2)
net.loss = mean((Z2 - Y) ** 2) / 2
