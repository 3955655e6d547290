"""Root mean square normalisation in a small regressor (Zhang and Sennrich, 2019, equation 4)."""

from sympy import Sum, sqrt

from derive import Network, mean, silu

net = Network("rms_norm", "Regression with root mean square normalisation")
N, D, H, K = net.sizes("N D H K")
W1 = net.parameter("W1", D, H, note="first layer")
gamma = net.parameter("gamma", H, note="gain")
W2 = net.parameter("W2", H, K, note="second layer")
X, T = net.input("X", N, D, note="inputs"), net.input("T", N, K, note="targets")
epsilon = net.input("epsilon", note="small, positive")
n, h = net.indices(n=N, h=H)

Z = net.define("Z", X @ W1, note="pre-activation")
r = net.define("r", sqrt(Sum(Z[n, h] ** 2, h) / H + epsilon), over=n, note="root mean square of the layer")
U = net.define("U", Z[n, h] / r[n], over=(n, h), note="normalised")
A = net.define("A", silu(gamma * U), note="hidden units")
Y = net.define("Y", A @ W2, note="predictions")
net.output(Y)
net.loss = mean((Y - T) ** 2) / 2
