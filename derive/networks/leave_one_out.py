"""Ridge regression with a penalty for each weight: its leave-one-out error, differentiated by the penalties.

Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2nd ed., equations 3.44 and 7.52.
"""

from sympy import KroneckerDelta, Sum, exp

from derive import Network, mean, solve

net = Network("leave_one_out", "Ridge regression: leave-one-out error")
N, D = net.sizes("N D")
penalty = net.parameter("penalty", D, note="log penalties")
X, y = net.input("X", N, D, note="inputs"), net.input("y", N, note="targets")
n, d, k = net.indices(n=N, d=D, k=D)

M = net.define("M", Sum(X[n, d] * X[n, k], n) + exp(penalty[d]) * KroneckerDelta(d, k), over=(d, k))
B = net.define("B", solve(net.positive_definite(M), X.T), note="weights are B y")
f = net.define("f", X @ (B @ y), note="predictions")
h = net.define("h", Sum(X[n, d] * B[d, n], d), over=n, note="leverages")
e = net.define("e", (y - f) / (1 - h), note="leave-one-out residuals")
net.output(e)
net.loss = mean(e**2)
