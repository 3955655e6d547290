"""Ridge regression: least squares with a penalty on the weights, none on the intercept.

Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2nd ed., equation 3.41, halved.
"""

from derive import Network, total

net = Network("ridge_regression", "Ridge regression")
N, D = net.sizes("N D")
w, b = net.parameter("w", D, note="weights"), net.parameter("b", note="intercept, not penalised")
X, y = net.input("X", N, D, note="inputs"), net.input("y", N, note="targets")
alpha = net.input("alpha", note="how much the weights are penalised")

f = net.define("f", X @ w + b, note="predictions")
net.output(f)
net.loss = (total((f - y) ** 2) + alpha * total(w**2)) / 2
