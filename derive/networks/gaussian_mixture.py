"""A mixture of Gaussians with diagonal covariances (Bishop, Pattern Recognition and Machine Learning, eq. 9.14)."""

from sympy import Sum, exp, log, pi

from derive import Network

net = Network("gaussian_mixture", "Mixture of Gaussians: the mean negative log likelihood")
N, D, K = net.sizes("N D K")
a, mu = net.parameter("a", K, note="logits of the weights"), net.parameter("mu", K, D, note="means")
s = net.parameter("s", K, D, note="log standard deviations")
X = net.input("X", N, D, note="data")
n, d, k = net.indices(n=N, d=D, k=K)

distance = Sum(((X[n, d] - mu[k, d]) * exp(-s[k, d])) ** 2 / 2 + s[k, d], d)
q = net.define("q", a[k] - distance, over=(n, k), note="log joint densities, up to constants")
net.loss = log(Sum(exp(a[k]), k)) + D * log(2 * pi) / 2 - Sum(log(Sum(exp(q[n, k]), k)), n) / N
