"""Gaussian process classification in whitened variables.

The latent function is the Cholesky factor of its covariance times standard normal variables, so that kernel and
function are learnt together.

Murray and Adams, Slice sampling covariance hyperparameters of latent Gaussian models, 2010, section 2.1; the kernel of
Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, equation 5.1.
"""

from sympy import KroneckerDelta, Sum, exp

from derive import Network, cholesky, softplus, total

net = Network("whitened_process", "Gaussian process classification, whitened: negative log joint density")
N, D = net.sizes("N D")
length = net.parameter("length", D, note="log length scales")
signal, noise = net.parameter("signal", note="log signal deviation"), net.parameter("noise", note="log noise deviation")
u = net.parameter("u", N, note="whitened function values")
X, y = net.input("X", N, D, note="inputs"), net.input("y", N, note="0 or 1")
n, m, d = net.indices(n=N, m=N, d=D)

r = net.define("r", Sum(exp(-2 * length[d]) * (X[n, d] - X[m, d]) ** 2, d), over=(n, m), note="squared distances")
k = net.define("k", exp(2 * signal - r / 2), note="kernel")
K = net.define("K", k[n, m] + exp(2 * noise) * KroneckerDelta(n, m), over=(n, m), note="covariance of the function")
L = net.define("L", cholesky(net.positive_definite(K)))
f = net.define("f", L @ u, note="function values")
net.output(f)
net.loss = total(softplus(f) - y * f) + total(u**2) / 2
