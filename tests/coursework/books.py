"""Backprop as in textbooks: objects that are layers, scalars with a tape, lists of weights, examples as columns."""

import numpy as np
from sympy import Sum, exp, log, sqrt, tanh

from derive import Network, binary_cross_entropy, cross_entropy, mean, relu, sigmoid, total


def sigma(z):
    return 1 / (1 + np.exp(-z))


# ---- layers as objects: affine, relu, softmax with loss; one-hot targets


def layers_network():
    net = Network("layers_network")
    N, D, H, C = net.sizes("N D H C")
    W1, b1 = net.parameter("W1", D, H), net.parameter("b1", H)
    W2, b2 = net.parameter("W2", H, C), net.parameter("b2", C)
    x, t = net.input("x", N, D), net.labels("t", N, classes=C)
    net.loss = mean(cross_entropy(relu(x @ W1 + b1) @ W2 + b2, t))
    return net


def layers_of_objects(W1, b1, W2, b2, x, t):
    class Affine:
        def __init__(self, W, b):
            self.W, self.b = W, b

        def forward(self, x):
            self.original = x.shape
            self.x = x.reshape(x.shape[0], -1)
            return np.dot(self.x, self.W) + self.b

        def backward(self, dout):
            dx = np.dot(dout, self.W.T)
            self.dW = np.dot(self.x.T, dout)
            self.db = np.sum(dout, axis=0)
            return dx.reshape(*self.original)

    class Relu:
        def forward(self, x):
            self.mask = (x <= 0)
            out = x.copy()
            out[self.mask] = 0
            return out

        def backward(self, dout):
            dout[self.mask] = 0
            return dout

    class SoftmaxWithLoss:
        def forward(self, x, t):
            self.t = np.eye(x.shape[1])[t]
            x = x - np.max(x, axis=-1, keepdims=True)
            self.y = np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True)
            return -np.sum(self.t * np.log(self.y + 1e-300)) / len(x)

        def backward(self, dout=1):
            return dout * (self.y - self.t) / self.t.shape[0]

    chain, last = [Affine(W1, b1), Relu(), Affine(W2, b2)], SoftmaxWithLoss()
    for layer in chain:
        x = layer.forward(x)
    loss = last.forward(x, t)
    dout = last.backward()
    for layer in reversed(chain):
        dout = layer.backward(dout)
    return loss, {"W1": chain[0].dW, "b1": chain[0].db, "W2": chain[2].dW, "b2": chain[2].db}


# ---- batch normalisation as an object, standard deviations in the way


def normalised_layer():
    net = Network("normalised_layer")
    N, D = net.sizes("N D")
    x, gamma, beta, dout = net.parameter("x", N, D), net.parameter("gamma", D), net.parameter("beta", D), \
        net.input("dout", N, D)
    mu = net.define("mu", mean(x, axis=0))
    var = net.define("var", mean((x - mu) ** 2, axis=0))
    net.loss = total(dout * (gamma * (x - mu) / sqrt(var + 1e-3) + beta))
    return net


def normalised_by_deviation(x, gamma, beta, dout):
    batch = x.shape[0]
    xc = x - x.mean(axis=0)
    std = np.sqrt(np.mean(xc**2, axis=0) + 1e-3)
    xn = xc / std
    loss = np.sum(dout * (gamma * xn + beta))
    dbeta = dout.sum(axis=0)
    dgamma = np.sum(xn * dout, axis=0)
    dxn = gamma * dout
    dxc = dxn / std
    dstd = -np.sum((dxn * xc) / (std * std), axis=0)
    dvar = 0.5 * dstd / std
    dxc += (2.0 / batch) * xc * dvar
    dmu = np.sum(dxc, axis=0)
    dx = dxc - dmu / batch
    return loss, dx, dgamma, dbeta


# ---- a scalar engine with closures


def scalar_network():
    net = Network("scalar_network")
    N, D, H = net.sizes("N D H")
    W, b, v, c = net.parameter("W", D, H), net.parameter("b", H), net.parameter("v", H), net.parameter("c")
    x, y = net.input("x", N, D), net.input("y", N)
    n, d, h = net.indices(n=N, d=D, h=H)
    a = net.define("a", tanh(x @ W + b))
    p = net.define("p", tanh(Sum(a[n, h] * v[h], h) + c), over=n)
    net.loss = Sum((p[n] - y[n]) ** 2, n)
    return net


def scalar_engine(W, b, v, c, x, y):
    class Value:
        def __init__(self, data, parents=()):
            self.data, self.parents, self.grad, self.push = float(data), parents, 0.0, lambda: None

        def __add__(self, other):
            out = Value(self.data + other.data, (self, other))

            def push():
                self.grad += out.grad
                other.grad += out.grad

            out.push = push
            return out

        def __mul__(self, other):
            out = Value(self.data * other.data, (self, other))

            def push():
                self.grad += other.data * out.grad
                other.grad += self.data * out.grad

            out.push = push
            return out

        def tanh(self):
            t = np.tanh(self.data)
            out = Value(t, (self,))

            def push():
                self.grad += (1 - t**2) * out.grad

            out.push = push
            return out

        def backward(self):
            order, seen = [], set()

            def build(node):
                if node not in seen:
                    seen.add(node)
                    for parent in node.parents:
                        build(parent)
                    order.append(node)

            build(self)
            self.grad = 1.0
            for node in reversed(order):
                node.push()

    wrap = np.vectorize(Value, otypes=[object])
    Wv, bv, vv, cv = wrap(W), wrap(b), wrap(v), Value(c)
    loss = Value(0.0)
    for row, target in zip(x, y, strict=True):
        hidden = []
        for h in range(len(b)):
            z = bv[h]
            for d in range(len(row)):
                z = z + Wv[d, h] * Value(row[d])
            hidden.append(z.tanh())
        z = cv
        for h, unit in enumerate(hidden):
            z = z + unit * vv[h]
        apart = z.tanh() + Value(-target)
        loss = loss + apart * apart
    loss.backward()
    grad = np.vectorize(lambda value: value.grad, otypes=[float])
    return loss.data, (grad(Wv), grad(bv), grad(vv), cv.grad)


# ---- lists of weights, one column an example, nablas added up over a mini-batch, weight decay


def three_sigmoids():
    net = Network("three_sigmoids")
    N, A, B, C, E = net.sizes("N A B C E")
    w1, b1, w2, b2, w3, b3 = (net.parameter(n, *s) for n, s in (
        ("w1", (B, A)), ("b1", (B, 1)), ("w2", (C, B)), ("b2", (C, 1)), ("w3", (E, C)), ("b3", (E, 1))))
    X, Y, lmbda = net.input("X", N, A), net.input("Y", N, E, note="0 or 1"), net.input("lmbda")
    n, a, b, c, e = net.indices(n=N, a=A, b=B, c=C, e=E)
    h = net.define("h", sigmoid(Sum(w1[b, a] * X[n, a], a) + b1[b, 0]), over=(n, b))
    g = net.define("g", sigmoid(Sum(w2[c, b] * h[n, b], b) + b2[c, 0]), over=(n, c))
    z = net.define("z", Sum(w3[e, c] * g[n, c], c) + b3[e, 0], over=(n, e))
    net.loss = Sum(log(1 + exp(z[n, e])) - Y[n, e] * z[n, e], n, e) / N \
        + lmbda / (2 * N) * (total(w1**2) + total(w2**2) + total(w3**2))
    return net


def lists_of_weights(w1, b1, w2, b2, w3, b3, X, Y, lmbda):
    weights, biases, n = [w1, w2, w3], [b1, b2, b3], len(X)
    nabla_b = [np.zeros(b.shape) for b in biases]
    nabla_w = [np.zeros(w.shape) for w in weights]
    for x, y in zip(X, Y, strict=True):
        activation = x.reshape(-1, 1)
        activations, zs = [activation], []
        for b, w in zip(biases, weights, strict=True):
            z = np.dot(w, activation) + b
            zs.append(z)
            activation = sigma(z)
            activations.append(activation)
        delta = activations[-1] - y.reshape(-1, 1)
        nabla_b[-1] += delta
        nabla_w[-1] += np.dot(delta, activations[-2].transpose())
        for k in range(2, 4):
            sp = sigma(zs[-k]) * (1 - sigma(zs[-k]))
            delta = np.dot(weights[-k + 1].transpose(), delta) * sp
            nabla_b[-k] += delta
            nabla_w[-k] += np.dot(delta, activations[-k - 1].transpose())
    gw = [w_ / n + lmbda / n * w for w_, w in zip(nabla_w, weights, strict=True)]
    gb = [b_ / n for b_ in nabla_b]
    return gw[0], gb[0], gw[1], gb[1], gw[2], gb[2]


# ---- continuous bag of words, and its negative sampling with add.at


def bag_of_words():
    net = Network("bag_of_words")
    N, K, V, H, S = net.sizes("N K V H S")
    win, wout = net.parameter("win", V, H), net.parameter("wout", V, H)
    contexts, target = net.labels("contexts", N, K, classes=V), net.labels("target", N, classes=V)
    noise = net.labels("noise", N, S, classes=V)
    n, k, h, s = net.indices(n=N, k=K, h=H, s=S)
    c = net.define("c", Sum(win[contexts[n, k], h], k) / K, over=(n, h))
    p = net.define("p", Sum(c[n, h] * wout[target[n], h], h), over=n)
    q = net.define("q", Sum(c[n, h] * wout[noise[n, s], h], h), over=(n, s))
    net.loss = -Sum(log(sigmoid(p[n])) + Sum(log(sigmoid(-q[n, s])), s), n) / N
    return net


def negative_sampling(win, wout, contexts, target, noise):
    N, K = contexts.shape
    h = np.zeros((N, win.shape[1]))
    for k in range(K):
        h += win[contexts[:, k]]
    h *= 1 / K
    dwin, dwout, dh, loss = np.zeros_like(win), np.zeros_like(wout), np.zeros_like(h), 0.0
    for index, label in [(target, 1)] + [(noise[:, s], 0) for s in range(noise.shape[1])]:
        rows = wout[index]
        y = sigma(np.sum(h * rows, axis=1))
        loss -= np.sum(np.log(y if label else 1 - y)) / N
        dout = ((y - label) / N).reshape(-1, 1)
        np.add.at(dwout, index, dout * h)
        dh += dout * rows
    dh *= 1 / K
    for k in range(K):
        np.add.at(dwin, contexts[:, k], dh)
    return loss, [dwin, dwout]


# ---- an LSTM over time, gates side by side, state in an object


def long_memory():
    net = Network("long_memory")
    N, T, D, H = net.sizes("N T D H")
    Wx, Wh, b = net.parameter("Wx", D, 4, H), net.parameter("Wh", H, 4, H), net.parameter("b", 4, H)
    xs, dhs = net.input("xs", N, T, D), net.input("dhs", N, T, H)
    n, t, d, q, j, k = net.indices(n=N, t=T, d=D, q=4, j=H, k=H)
    h, c = net.state("h", T, N, H, initial=0), net.state("c", T, N, H, initial=0)
    A = net.define("A", Sum(xs[n, t, d] * Wx[d, q, k], d) + Sum(h[t - 1, n, j] * Wh[j, q, k], j) + b[q, k],
                   over=(t, n, q, k))
    net.define(c, sigmoid(A[t, n, 0, k]) * c[t - 1, n, k] + tanh(A[t, n, 1, k]) * sigmoid(A[t, n, 2, k]),
               over=(t, n, k))
    net.define(h, sigmoid(A[t, n, 3, k]) * tanh(c[t, n, k]), over=(t, n, k))
    net.loss = Sum(dhs[n, t, k] * h[t, n, k], n, t, k)
    return net


def long_memory_steps(Wx, Wh, b, xs, dhs):
    N, T, D = xs.shape
    H = Wh.shape[0]
    wx, wh, bias = Wx.reshape(D, 4 * H), Wh.reshape(H, 4 * H), b.reshape(4 * H)
    h, c, caches, loss = np.zeros((N, H)), np.zeros((N, H)), [], 0.0
    for t in range(T):
        A = xs[:, t] @ wx + h @ wh + bias
        f, g, i, o = sigma(A[:, :H]), np.tanh(A[:, H:2 * H]), sigma(A[:, 2 * H:3 * H]), sigma(A[:, 3 * H:])
        c_next = f * c + g * i
        caches.append((xs[:, t], h, c, i, f, g, o, c_next))
        h, c = o * np.tanh(c_next), c_next
        loss += np.sum(h * dhs[:, t])
    dwx, dwh, db = np.zeros_like(wx), np.zeros_like(wh), np.zeros_like(bias)
    dh, dc = 0, 0
    for t in reversed(range(T)):
        x, h_prev, c_prev, i, f, g, o, c_next = caches[t]
        dh_next = dhs[:, t] + dh
        tanh_c = np.tanh(c_next)
        ds = dc + (dh_next * o) * (1 - tanh_c**2)
        dc = ds * f
        di, df, do, dg = ds * g, ds * c_prev, dh_next * tanh_c, ds * i
        di *= i * (1 - i)
        df *= f * (1 - f)
        do *= o * (1 - o)
        dg *= (1 - g**2)
        dA = np.hstack((df, dg, di, do))
        dwh += h_prev.T @ dA
        dwx += x.T @ dA
        db += dA.sum(axis=0)
        dh = dA @ wh.T
    return loss, (dwx.reshape(D, 4, H), dwh.reshape(H, 4, H), db.reshape(4, H))


# ---- binary logistic regression in one class, theta with a column of ones


def newton_logistic():
    net = Network("theta")
    m, n = net.sizes("m n")
    theta, x, y = net.parameter("theta", n), net.input("x", m, n), net.input("y", m, note="0 or 1")
    net.loss = mean(binary_cross_entropy(x @ theta, y))
    return net


class LogisticRegression:
    """Fits theta; its gradient is what counts here."""

    def __init__(self, theta):
        self.theta = theta

    def predict(self, x):
        return 1 / (1 + np.exp(-(x @ self.theta)))

    def loss(self, x, y):
        h = self.predict(x)
        return -np.mean(y * np.log(h) + (1 - y) * np.log(1 - h))

    def gradient(self, x, y):
        m = x.shape[0]
        h = self.predict(x)
        return 1 / m * x.T.dot(h - y)


def fitted(theta, x, y, model=LogisticRegression):
    found = model(theta)
    return found.loss(x, y), found.gradient(x, y)


RIGHT = [
    (layers_network, layers_of_objects), (normalised_layer, normalised_by_deviation), (scalar_network, scalar_engine),
    (three_sigmoids, lists_of_weights), (bag_of_words, negative_sampling), (long_memory, long_memory_steps),
    (newton_logistic, fitted),
]
WRONG = [           # network, function, edits, what a good diagnosis says
    (layers_network, layers_of_objects, [("np.sum(dout, axis=0)", "np.mean(dout, axis=0)")], "mean"),
    (layers_network, layers_of_objects, [(" / self.t.shape[0]", "")], "1/N is missing"),
    (layers_network, layers_of_objects, [("(self.y - self.t) / self.t.shape[0]",
                                  "(self.t - self.y) / self.t.shape[0]")],
     "sign"),
    (layers_network, layers_of_objects, [("self.mask = (x <= 0)", "self.mask = (x >= 0)")], "loss"),
    (layers_network, layers_of_objects, [("dout[self.mask] = 0", "dout = dout * self.mask")], "mask.*upside down"),
    (normalised_layer, normalised_by_deviation, [("0.5 * dstd / std", "dstd / std")], "2 times|factor"),
    (normalised_layer, normalised_by_deviation, [("dx = dxc - dmu / batch", "dx = dxc")], "missing"),
    (normalised_layer, normalised_by_deviation, [("dstd = -np.sum", "dstd = np.sum")], "sign"),
    (normalised_layer, normalised_by_deviation, [("np.sum(xn * dout, axis=0)", "np.sum(xc * dout, axis=0)")], "dgamma"),
    (normalised_layer, normalised_by_deviation, [("dx = dxc - dmu / batch", "dx = dxc - dmu")], "N times|1/N"),
    (normalised_layer, normalised_by_deviation, [("(dxn * xc) / (std * std)", "(dxn * xc) / std")],
     "power|factor|divi"),
    (scalar_network, scalar_engine, [("self.grad += other.data * out.grad", "self.grad = other.data * out.grad")],
     "overwritten|last|missing|only the first n"),
    (scalar_network, scalar_engine, [("(1 - t**2) * out.grad", "(1 - t) * out.grad")], r"1 - "),
    (scalar_network, scalar_engine, [("(1 - t**2) * out.grad", "(1 - self.data**2) * out.grad")],
     "each activation is taken at its argument"),
    (three_sigmoids, lists_of_weights, [("sp = sigma(zs[-k]) * (1 - sigma(zs[-k]))", "sp = sigma(zs[-k])")],
     "sigmoid|1 -"),
    (three_sigmoids, lists_of_weights, [("lmbda / n * w ", "lmbda * w ")], "lmbda|N times"),
    (three_sigmoids, lists_of_weights, [("b_ / n for b_ in nabla_b", "b_ / n + lmbda / n * b for b_, b in zip(nabla_b, "
                                         "biases)")],
     r"regulariser|lmbda / n \* b does not belong there"),
    (three_sigmoids, lists_of_weights, [("delta = activations[-1] - y.reshape(-1, 1)", "delta = (activations[-1] - "
                                         "y.reshape(-1, 1)) * activation * (1 - activation)")], "squared error"),
    (three_sigmoids, lists_of_weights, [("nabla_w[-k] +=", "nabla_w[-k] =")], "only the last|overwritten"),
    (bag_of_words, negative_sampling, [("    dh *= 1 / K\n", "")], "K"),
    (bag_of_words, negative_sampling, [("np.add.at(dwin, contexts[:, k], dh)", "dwin[contexts[:, k]] += dh")],
     "overwritten"),
    (bag_of_words, negative_sampling, [("np.add.at(dwout, index, dout * h)", "dwout[index] = dout * h")],
     "overwritten"),
    (bag_of_words, negative_sampling, [("dh += dout * rows", "dh = dout * rows")], "missing|last|overwritten"),
    (long_memory, long_memory_steps, [("dc = ds * f\n", "dc = ds\n")], r"dc"),
    (long_memory, long_memory_steps, [("np.hstack((df, dg, di, do))", "np.hstack((di, df, do, dg))")], "order"),
    (long_memory, long_memory_steps, [("dg *= (1 - g**2)", "dg *= g * (1 - g)")], r"\(1 - "),
    (long_memory, long_memory_steps, [("ds = dc + (dh_next * o)", "ds = (dh_next * o)")], "missing"),
    (long_memory, long_memory_steps, [("range(T)):\n        x, h_prev", "range(1, T)):\n        x, h_prev")],
     r"first t|left out|should be `range\(0, T\)`"),
    (long_memory, long_memory_steps, [("ds * c_prev", "ds * c_next")], "c is read"),
    (newton_logistic, fitted, [("return found.loss(x, y), found.gradient(x, y)",
                                "return found.loss(x, y), x.T @ (y - found.predict(x)) / len(y)")], "sign"),
    (newton_logistic, fitted, [("found.gradient(x, y)", "found.gradient(x, y) + 0.01 * theta")], "regulariser"),
    (layers_network, layers_of_objects, [("np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True)",
                                          "np.exp(x) / np.sum(np.exp(x))")], "not over all axes"),
]
UNKNOWN: list = []        # every edit is named
