"""Linear regression by least squares.

Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2nd ed., section 3.2.
"""

from derive import Network, mean

net = Network("linear_regression", "Linear regression by least squares")
N, D = net.sizes("N D")
w, b = net.parameter("w", D, note="weights"), net.parameter("b", note="intercept")
X, y = net.input("X", N, D, note="inputs"), net.input("y", N, note="targets")

f = net.define("f", X @ w + b, note="predictions")
net.output(f)
net.loss = mean((f - y) ** 2) / 2
