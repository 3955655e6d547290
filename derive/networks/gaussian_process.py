"""Gaussian process regression: the negative log marginal likelihood of a squared-exponential kernel's parameters.

Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, equations 2.30, 5.1 and 5.8.
"""

from sympy import KroneckerDelta, Sum, exp, log, pi

from derive import Network, logdet, solve

net = Network("gaussian_process", "Gaussian process: negative log marginal likelihood")
N, D = net.sizes("N D")
length = net.parameter("length", D, note="log length scales")
signal, noise = net.parameter("signal", note="log signal deviation"), net.parameter("noise", note="log noise deviation")
X, y = net.input("X", N, D, note="inputs"), net.input("y", N, note="targets")
n, m, d = net.indices(n=N, m=N, d=D)

r = net.define("r", Sum(exp(-2 * length[d]) * (X[n, d] - X[m, d]) ** 2, d), over=(n, m), note="squared distances")
k = net.define("k", exp(2 * signal - r / 2), note="kernel")
K = net.define("K", k[n, m] + exp(2 * noise) * KroneckerDelta(n, m), over=(n, m), note="covariance of the targets")
alpha = net.define("alpha", solve(net.positive_definite(K), y), note="weights of the predictive mean")
net.output(alpha)
net.loss = (y @ alpha + logdet(K) + N * log(2 * pi)) / 2
