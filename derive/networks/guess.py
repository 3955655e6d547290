"""Guess a number by gradient descent."""

from derive import Network

net = Network("guess", "Guessing a number by gradient descent")
g = net.parameter("g", note="the guess")
target = net.input("target", note="the number")

net.loss = (g - target) ** 2 / 2
