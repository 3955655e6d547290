"""Model-agnostic meta-learning, one inner step of a regression (Finn, Abbeel and Levine, 2017, equation 1)."""

from sympy import tanh

from derive import Network, derivative, mean

net = Network("maml", "Meta-learning: the loss after one inner step of gradient descent")
N, M, D, H = net.sizes("N M D H")
W, v = net.parameter("W", D, H), net.parameter("v", H)
X, y = net.input("X", N, D, note="to adapt to"), net.input("y", N)
U, z = net.input("U", M, D, note="to be judged by"), net.input("z", M)
alpha = net.input("alpha", note="inner learning rate")

inner = net.define("inner", mean((tanh(X @ W) @ v - y) ** 2) / 2, note="inner loss")
W1 = net.define("W1", W - alpha * derivative(inner, W), note="adapted")
v1 = net.define("v1", v - alpha * derivative(inner, v), note="adapted")
net.loss = mean((tanh(U @ W1) @ v1 - z) ** 2) / 2
