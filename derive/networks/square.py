"""The smallest network: one parameter, squared."""

from derive import Network

net = Network("square", "The square of one parameter")
x = net.parameter("x")

net.loss = x**2
