"""Binary logistic regression.

Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2nd ed., section 4.4.
"""

from derive import Network, binary_cross_entropy, mean

net = Network("logistic_regression", "Logistic regression of two classes")
N, D = net.sizes("N D")
w, b = net.parameter("w", D, note="weights"), net.parameter("b", note="intercept")
X, y = net.input("X", N, D, note="inputs"), net.input("y", N, note="targets, 0 or 1")

z = net.define("z", X @ w + b, note="logits")
net.output(z)
net.loss = mean(binary_cross_entropy(z, y))
