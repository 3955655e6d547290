"""One neuron, in array notation: a weighted sum, a sigmoid, half the squared error."""

from derive import Network, sigmoid

net = Network("neuron", "One sigmoid neuron with half the squared error")
D = net.size("D")
W = net.parameter("W", D, note="weights")
X, y = net.input("X", D, note="inputs"), net.input("y", note="target")

z = net.define("z", X @ W)
r = net.define("r", sigmoid(z))
net.output(r)
net.loss = (y - r) ** 2 / 2
