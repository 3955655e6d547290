"""A mixture density network for one target (Bishop, Mixture Density Networks, 1994, equations 22 to 29)."""

from sympy import exp, log, pi, tanh

from derive import Network, log_softmax, logsumexp, mean

net = Network("mixture_density_network", "Mixture density network: the mean negative log likelihood of its targets")
N, D, H, K = net.sizes("N D H K")
W1, b1 = net.parameter("W1", D, H), net.parameter("b1", H)
Wa, ba = net.parameter("Wa", H, K, note="logits of the weights"), net.parameter("ba", K)
Wm, bm = net.parameter("Wm", H, K, note="means"), net.parameter("bm", K)
Ws, bs = net.parameter("Ws", H, K, note="log standard deviations"), net.parameter("bs", K)
X, y = net.input("X", N, D, note="inputs"), net.input("y", N, 1, note="targets")

A = net.define("A", tanh(X @ W1 + b1), note="hidden units")
a = net.define("a", A @ Wa + ba, note="logits of the weights")
m = net.define("m", A @ Wm + bm, note="means")
s = net.define("s", A @ Ws + bs, note="log standard deviations")
q = net.define("q", log_softmax(a) - s - ((y - m) * exp(-s)) ** 2 / 2, note="log joint densities, up to a constant")
net.output(a, m, s)
net.loss = log(2 * pi) / 2 - mean(logsumexp(q, axis=-1))
