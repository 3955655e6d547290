"""Two relu layers on one example, in index notation."""

from sympy import Sum

from derive import Network, relu

net = Network("relu_network", "Two relu layers, one example, half the squared error")
D, H, K = net.sizes("D H K")
W1, b1 = net.parameter("W1", D, H, note="first layer"), net.parameter("b1", H, note="first layer")
W2, b2 = net.parameter("W2", H, K, note="second layer"), net.parameter("b2", K, note="second layer")
x, y = net.input("x", D, note="inputs"), net.input("y", K, note="targets")
d, h, k = net.indices(d=D, h=H, k=K)

z1 = net.define("z1", Sum(x[d] * W1[d, h], d) + b1[h], over=h)
r1 = net.define("r1", relu(z1[h]), over=h)
z2 = net.define("z2", Sum(r1[h] * W2[h, k], h) + b2[k], over=k)
r2 = net.define("r2", relu(z2[k]), over=k)
net.output(r2)
net.loss = Sum((r2[k] - y[k]) ** 2, k) / 2
