"""The chain rule at its smallest: a square, then twice that."""

from derive import Network

net = Network("chain", "Two links of a chain")
x = net.parameter("x")

y = net.define("y", x**2)
z = net.define("z", 2 * y)
net.loss = z
