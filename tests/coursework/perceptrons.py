"""Whole small networks: functions, a class, loops over examples, examples as columns."""

import numpy as np


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def two_layer_net(W1, b1, W2, b2, X, y, reg):
    """A classifier's loss with regularisation; gradients in a dictionary."""
    N = X.shape[0]
    hidden = np.maximum(0, X.dot(W1) + b1)
    scores = hidden.dot(W2) + b2
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    probs = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(probs[range(N), y]).sum() / N + 0.5 * reg * (np.sum(W1 * W1) + np.sum(W2 * W2))
    dscores = probs
    dscores[range(N), y] -= 1
    dscores /= N
    grads = {"W2": hidden.T.dot(dscores) + reg * W2, "b2": dscores.sum(axis=0)}
    dhidden = dscores.dot(W2.T)
    dhidden[hidden <= 0] = 0
    grads["W1"] = X.T.dot(dhidden) + reg * W1
    grads["b1"] = dhidden.sum(axis=0)
    return loss, grads


def two_layer_net_twice_reg(W1, b1, W2, b2, X, y, reg):
    loss, grads = two_layer_net(W1, b1, W2, b2, X, y, reg)
    grads["W1"] += reg * W1
    grads["W2"] += reg * W2
    return loss, grads


def two_layer_net_no_mask(W1, b1, W2, b2, X, y, reg):
    N = X.shape[0]
    hidden = np.maximum(0, X.dot(W1) + b1)
    scores = hidden.dot(W2) + b2
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    probs = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(probs[range(N), y]).sum() / N + 0.5 * reg * (np.sum(W1 * W1) + np.sum(W2 * W2))
    probs[range(N), y] -= 1
    probs /= N
    dhidden = probs.dot(W2.T)
    return loss, {"W1": X.T.dot(dhidden) + reg * W1, "b1": dhidden.sum(axis=0),
                  "W2": hidden.T.dot(probs) + reg * W2, "b2": probs.sum(axis=0)}


def two_layer_net_two_mistakes(W1, b1, W2, b2, X, y, reg):
    """No mean over the batch in the gradient, and the first bias averaged."""
    N = X.shape[0]
    hidden = np.maximum(0, X.dot(W1) + b1)
    scores = hidden.dot(W2) + b2
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    probs = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(probs[range(N), y]).sum() / N + 0.5 * reg * (np.sum(W1 * W1) + np.sum(W2 * W2))
    probs[range(N), y] -= 1
    dhidden = probs.dot(W2.T) * (hidden > 0)
    return loss, {"W1": X.T.dot(dhidden) + reg * W1, "b1": dhidden.mean(axis=0),
                  "W2": hidden.T.dot(probs) + reg * W2, "b2": probs.sum(axis=0)}


def columns(W1, b1, W2, b2, X, Y):
    """Examples are columns; gradients called dW1, db1, ..."""
    m = X.shape[1]
    A1 = np.tanh(np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    cost = -np.sum(np.multiply(np.log(A2), Y) + np.multiply(np.log(1 - A2), 1 - Y)) / m
    dZ2 = A2 - Y
    dW2 = np.dot(dZ2, A1.T) / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = np.multiply(np.dot(W2.T, dZ2), 1 - np.power(A1, 2))
    return float(np.squeeze(cost)), {
        "dW1": np.dot(dZ1, X.T) / m, "db1": np.sum(dZ1, axis=1, keepdims=True) / m, "dW2": dW2, "db2": db2}


def columns_not_squared(W1, b1, W2, b2, X, Y):
    """1 - A1 where 1 - A1^2 should be."""
    m = X.shape[1]
    A1 = np.tanh(np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    cost = -np.sum(np.log(A2) * Y + np.log(1 - A2) * (1 - Y)) / m
    dZ2 = A2 - Y
    dZ1 = np.dot(W2.T, dZ2) * (1 - A1)
    return cost, {"dW1": np.dot(dZ1, X.T) / m, "db1": np.sum(dZ1, axis=1, keepdims=True) / m,
                  "dW2": np.dot(dZ2, A1.T) / m, "db2": np.sum(dZ2, axis=1, keepdims=True) / m}


def columns_bias_not_divided(W1, b1, W2, b2, X, Y):
    m = X.shape[1]
    A1 = np.tanh(np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    cost = -np.sum(np.log(A2) * Y + np.log(1 - A2) * (1 - Y)) / m
    dZ2 = A2 - Y
    dZ1 = np.dot(W2.T, dZ2) * (1 - A1**2)
    return cost, {"dW1": np.dot(dZ1, X.T) / m, "db1": np.sum(dZ1, axis=1, keepdims=True),
                  "dW2": np.dot(dZ2, A1.T) / m, "db2": np.sum(dZ2, axis=1, keepdims=True) / m}


class Network:
    """Layers as lists of weights; backprop one example at a time."""

    def __init__(self, W1, b1, W2, b2):
        self.weights, self.biases = [W1, W2], [b1, b2]

    def prime(self, z, a):
        return sigmoid(z) * (1 - sigmoid(z))

    def backprop(self, x, y):
        activations, zs = [x], []
        for w, b in zip(self.weights, self.biases, strict=True):
            zs.append(activations[-1] @ w + b)
            activations.append(sigmoid(zs[-1]))
        delta = (activations[-1] - y) * self.prime(zs[-1], activations[-1])
        nabla_b, nabla_w = [None, delta], [None, np.outer(activations[-2], delta)]
        delta = (self.weights[-1] @ delta) * self.prime(zs[-2], activations[-2])
        nabla_b[0], nabla_w[0] = delta, np.outer(activations[-3], delta)
        return nabla_b, nabla_w

    def gradients(self, X, Y):
        total_b, total_w = [np.zeros_like(b) for b in self.biases], [np.zeros_like(w) for w in self.weights]
        for x, y in zip(X, Y, strict=True):
            nabla_b, nabla_w = self.backprop(x, y)
            total_b = [a + b for a, b in zip(total_b, nabla_b, strict=True)]
            total_w = [a + b for a, b in zip(total_w, nabla_w, strict=True)]
        return [total_w[0], total_b[0], total_w[1], total_b[1]]


class DoubleSigmoid(Network):
    """Takes the derivative's formula at the activation: sigmoid is applied twice."""

    def prime(self, z, a):
        return sigmoid(a) * (1 - sigmoid(a))


class LastExample(Network):
    """Keeps the last example's gradients only."""

    def gradients(self, X, Y):
        for x, y in zip(X, Y, strict=True):
            b, w = self.backprop(x, y)
        return [w[0], b[0], w[1], b[1]]


class NoOuterPrime(Network):
    """Leaves out the derivative at the output, as if the loss were a cross-entropy."""

    def backprop(self, x, y):
        a1 = sigmoid(x @ self.weights[0] + self.biases[0])
        a2 = sigmoid(a1 @ self.weights[1] + self.biases[1])
        delta = a2 - y
        hidden = (self.weights[1] @ delta) * a1 * (1 - a1)
        return [hidden, delta], [np.outer(x, hidden), np.outer(a1, delta)]


def class_based(kind):
    """Return a function of a network class."""
    return lambda W1, b1, W2, b2, X, Y: kind(W1, b1, W2, b2).gradients(X, Y)


def logistic(w, b, X, y):
    """With a floor inside the logarithms of the loss, which no one sees at these numbers."""
    a = sigmoid(X @ w + b)
    cost = -np.mean(y * np.log(a + 1e-15) + (1 - y) * np.log(1 - a + 1e-15))
    dz = a - y
    return {"w": X.T @ dz / len(y), "b": dz.mean()}, cost


def logistic_squared(w, b, X, y):
    """The gradient of half the squared error instead."""
    a = sigmoid(X @ w + b)
    cost = -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a))
    dz = (a - y) * a * (1 - a)
    return cost, (X.T @ dz / len(y), np.mean(dz))


def logistic_flipped(w, b, X, y):
    a = sigmoid(X @ w + b)
    cost = -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a))
    dz = y - a
    return cost, (X.T @ dz / len(y), np.mean(dz))


def logistic_single(w, b, X, y):
    """All in float32."""
    w, b, X, y = (np.asarray(v, np.float32) for v in (w, b, X, y))
    a = 1 / (1 + np.exp(-(X @ w + b)))
    dz = (a - y) / np.float32(len(y))
    return X.T @ dz, dz.sum(dtype=np.float32)


def ridge(w, b, X, y, lam):
    r = X @ w + b - y
    return np.mean(r**2) + lam * w @ w, {"w": 2 * X.T @ r / len(y) + 2 * lam * w, "b": 2 * np.mean(r)}


def ridge_half_penalty(w, b, X, y, lam):
    r = X @ w + b - y
    return np.mean(r**2) + lam * w @ w, {"w": 2 * X.T @ r / len(y) + lam * w, "b": 2 * np.mean(r)}


def ridge_on_bias(w, b, X, y, lam):
    r = X @ w + b - y
    return np.mean(r**2) + lam * w @ w, {"w": 2 * X.T @ r / len(y) + 2 * lam * w, "b": 2 * np.mean(r) + 0.02 * b}


def ridge_no_two(w, b, X, y, lam):
    """Loss and gradient of half the mean, the penalty as it should be."""
    r = X @ w + b - y
    return np.mean(r**2) / 2 + lam * w @ w, {"w": X.T @ r / len(y) + 2 * lam * w, "b": np.mean(r)}


def leaky_as_relu(W, X, Y):
    Z = X @ W
    A = np.where(Z > 0, Z, 0.1 * Z)
    dA = (A - Y) / Y.size
    return np.mean((A - Y) ** 2) / 2, X.T @ (dA * (Z > 0))
