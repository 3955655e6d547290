"""The Kalman filter: the negative log-likelihood of a linear Gaussian state-space model, by its innovations.

Särkkä, Bayesian Filtering and Smoothing, 2013, theorem 4.2 and equation 12.17.
"""

from sympy import Eq, KroneckerDelta, Sum, exp, log, pi

from derive import LogDeterminant, Network

net = Network("kalman_filter", "Kalman filter: negative log-likelihood of a linear Gaussian state-space model")
T, D, M = net.sizes("T D M")
A, C = net.parameter("A", D, D, note="transition"), net.parameter("C", M, D, note="observation")
q, r = net.parameter("q", D, note="log process variances"), net.parameter("r", M, note="log observation variances")
y = net.input("y", T, M, note="observations")
m0, L0 = net.input("m0", D, note="initial mean"), net.input("L0", D, D, note="initial covariance is L0 L0'")
t, i, j, k, a, b = net.indices(t=T, i=D, j=D, k=D, a=M, b=M)

m = net.state("m", T, D, initial=m0, note="filtered mean")
P = net.state("P", T, D, D, initial=L0 @ L0.T, note="filtered covariance")
mu = net.define("mu", Sum(A[i, k] * m[t - 1, k], k), over=(t, i), note="predicted mean")
AP = net.define("AP", Sum(A[i, k] * P[t - 1, k, j], k), over=(t, i, j))
Q = net.define("Q", Sum(AP[t, i, k] * A[j, k], k) + exp(q[i]) * KroneckerDelta(i, j), over=(t, i, j),
               note="predicted covariance")
v = net.define("v", y[t, a] - Sum(C[a, i] * mu[t, i], i), over=(t, a), note="innovation")
B = net.define("B", Sum(C[a, k] * Q[t, k, j], k), over=(t, a, j))
S = net.define("S", Sum(B[t, a, k] * C[b, k], k) + exp(r[a]) * KroneckerDelta(a, b), over=(t, a, b),
               note="covariance of the innovation")
net.positive_definite(S)
G, w = net.unknown("G", T, M, D, note="gain, transposed"), net.unknown("w", T, M, note="innovation, whitened twice")
net.implicitly(G, Eq(Sum(S[t, a, b] * G[t, b, j], b), B[t, a, j]), over=(t, a, j))
net.implicitly(w, Eq(Sum(S[t, a, b] * w[t, b], b), v[t, a]), over=(t, a))
net.define(m, mu[t, i] + Sum(G[t, a, i] * v[t, a], a), over=(t, i))
net.define(P, Q[t, i, j] - Sum(B[t, a, i] * G[t, a, j], a), over=(t, i, j))
net.output(m)
logdet = net.define("logdet", LogDeterminant(S[t, a, b], a, b), over=t)
net.loss = Sum(logdet[t] + Sum(v[t, a] * w[t, a], a) + M * log(2 * pi), t) / 2
