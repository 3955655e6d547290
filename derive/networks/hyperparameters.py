"""Penalties chosen by validation: weights that minimise a penalised logistic loss, judged on examples held out.

Bengio, Gradient-based optimization of hyperparameters, 2000, section 3; Pedregosa, Hyperparameter optimization with
approximate gradient, 2016, equation 2. The weights are defined by their stationarity, their adjoint is one solve with
the Hessian of the inner loss.
"""

from sympy import exp

from derive import Network, mean, softplus, total

net = Network("hyperparameters", "Penalties of logistic regression, by the loss on examples held out")
N, M, D = net.sizes("N M D")
rho = net.parameter("rho", D, note="log penalties")
X, y = net.input("X", N, D, note="training inputs"), net.input("y", N, note="0 or 1")
V, t = net.input("V", M, D, note="inputs held out"), net.input("t", M, note="0 or 1")

w = net.unknown("w", D, note="weights that minimise the penalised loss")
s = net.define("s", X @ w, note="training scores")
net.argmin(w, mean(softplus(s) - y * s) + total(exp(rho) * w**2) / 2)
z = net.define("z", V @ w, note="scores held out")
net.output(w)
net.loss = mean(softplus(z) - t * z)
