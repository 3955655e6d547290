"""Sigmoid network with the quadratic cost, one example at a time in columns, mini-batch sums."""

import numpy as np

import derive
from derive import Network, total


def network():
    net = Network("quadratic_cost")
    N, D, H, K = net.sizes("N D H K")
    W1, b1 = net.parameter("W1", H, D), net.parameter("b1", H)
    W2, b2 = net.parameter("W2", K, H), net.parameter("b2", K)
    X, Y = net.input("X", N, D), net.input("Y", N, K)
    A1 = net.define("A1", derive.sigmoid(X @ W1.T + b1))
    A2 = net.define("A2", derive.sigmoid(A1 @ W2.T + b2))
    net.loss = total((A2 - Y) ** 2) / (2 * N)
    return net


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))


def backprop(weights, biases, x, y):
    nabla_b = [np.zeros(b.shape) for b in biases]
    nabla_w = [np.zeros(w.shape) for w in weights]
    activation = x
    activations = [x]
    zs = []
    for b, w in zip(biases, weights):
        z = np.dot(w, activation) + b
        zs.append(z)
        activation = sigmoid(z)
        activations.append(activation)
    cost = 0.5 * np.sum((activations[-1] - y) ** 2)
    delta = (activations[-1] - y) * sigmoid_prime(zs[-1])
    nabla_b[-1] = delta
    nabla_w[-1] = np.dot(delta, activations[-2].T)
    for l in range(2, len(weights) + 1):
        sp = sigmoid_prime(zs[-l])
        delta = np.dot(weights[-l + 1].T, delta) * sp
        nabla_b[-l] = delta
        nabla_w[-l] = np.dot(delta, activations[-l - 1].T)
    return cost, nabla_b, nabla_w


def update_mini_batch(W1, b1, W2, b2, X, Y):
    weights = [W1, W2]
    biases = [b1[:, None], b2[:, None]]
    sum_b = [np.zeros(b.shape) for b in biases]
    sum_w = [np.zeros(w.shape) for w in weights]
    cost = 0.0
    for x, y in zip(X, Y):
        c, delta_b, delta_w = backprop(weights, biases, x[:, None], y[:, None])
        cost += c
        sum_b = [nb + dnb for nb, dnb in zip(sum_b, delta_b)]
        sum_w = [nw + dnw for nw, dnw in zip(sum_w, delta_w)]
    n = len(X)
    return cost / n, (sum_w[0] / n, sum_b[0][:, 0] / n, sum_w[1] / n, sum_b[1][:, 0] / n)


HANDED = update_mini_batch

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "no_output_sigma": (
        "sigma'(z2) left out of the output's delta (as if the cost were cross-entropy)",
        [("delta = (activations[-1] - y) * sigmoid_prime(zs[-1])",
          "delta = activations[-1] - y")]),
    "prime_of_activation": (
        "sigma' evaluated at the activation sigma(z1) in place of z1 in the hidden layer",
        [("sp = sigmoid_prime(zs[-l])",
          "sp = sigmoid_prime(activations[-l])")]),
    "biases_not_accumulated": (
        "the biases' gradients are those of the last example alone (over N): not accumulated over the batch",
        [("sum_b = [nb + dnb for nb, dnb in zip(sum_b, delta_b)]",
          "sum_b = [dnb for nb, dnb in zip(sum_b, delta_b)]")]),
    "weights_not_divided": (
        "dW1 and dW2 are N times too large: the weights' sums are not divided by n (the biases' are)",
        [("(sum_w[0] / n, sum_b[0][:, 0] / n, sum_w[1] / n,",
          "(sum_w[0], sum_b[0][:, 0] / n, sum_w[1],")]),
    "sign_and_sigma": (
        "delta is y - a: every gradient's sign is flipped; sigma(z) in place of sigma'(z) in the hidden layer",
        [("delta = (activations[-1] - y) *",
          "delta = (y - activations[-1]) *"),
         ("sp = sigmoid_prime(zs[-l])",
          "sp = sigmoid(zs[-l])")]),
}
