"""An autoencoder (Goodfellow, Bengio and Courville, Deep Learning, chapter 14)."""

from sympy import tanh

from derive import Network, mean

net = Network("autoencoder", "Autoencoder of one hidden layer")
N, D, K = net.sizes("N D K")
W1, b1 = net.parameter("W1", D, K, note="encoder"), net.parameter("b1", K, note="encoder")
W2, b2 = net.parameter("W2", K, D, note="decoder"), net.parameter("b2", D, note="decoder")
X = net.input("X", N, D, note="inputs")

H = net.define("H", tanh(X @ W1 + b1), note="codes")
R = net.define("R", H @ W2 + b2, note="reconstructions")
net.output(H, R)
net.loss = mean((R - X) ** 2)
