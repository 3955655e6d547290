"""Backprop as in labs, of dense networks: dictionaries, loops over examples, columns, layers, tapes, closures."""

import numpy as np
from sympy import Sum, exp, log

from derive import Network, relu, sigmoid
from tests.coursework.editing import shipped


def sigma(z):
    return 1 / (1 + np.exp(-z))


# ---- everything in one dictionary


def cached_two_layers(W1, b1, W2, b2, X, y):
    N, cache, grads = X.shape[0], {}, {}
    cache["Z1"] = X @ W1 + b1
    cache["A1"] = np.maximum(0, cache["Z1"])
    cache["Z2"] = cache["A1"] @ W2 + b2
    shifted = cache["Z2"] - cache["Z2"].max(axis=1, keepdims=True)
    cache["P"] = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    onehot = np.zeros_like(cache["P"])
    onehot[np.arange(N), y] = 1
    loss = -np.sum(onehot * np.log(cache["P"])) / N
    dZ2 = (cache["P"] - onehot) / N
    grads["W2"] = cache["A1"].T @ dZ2
    grads["b2"] = dZ2.sum(axis=0)
    dA1 = dZ2 @ W2.T
    dZ1 = dA1 * (cache["Z1"] > 0)
    grads["W1"] = X.T @ dZ1
    grads["b1"] = dZ1.sum(axis=0)
    return loss, grads


# ---- no arrays at all: loops over examples and units


def one_example_at_a_time(W1, b1, W2, b2, X, y):
    dW1, db1, dW2, db2 = (np.zeros(p.shape) for p in (W1, b1, W2, b2))
    n, D, H, C = len(X), len(W1), len(b1), len(b2)
    loss = 0.0
    for x, label in zip(X, y, strict=True):
        hidden = [max(0.0, sum(x[i] * W1[i, j] for i in range(D)) + b1[j]) for j in range(H)]
        scores = [sum(hidden[j] * W2[j, k] for j in range(H)) + b2[k] for k in range(C)]
        exps = [np.exp(score - max(scores)) for score in scores]
        probs = [e / sum(exps) for e in exps]
        loss -= np.log(probs[label])
        delta = [p - (k == label) for k, p in enumerate(probs)]
        for k in range(C):
            db2[k] += delta[k]
            for j in range(H):
                dW2[j, k] += hidden[j] * delta[k]
        for j in range(H):
            back = sum(W2[j, m] * delta[m] for m in range(C))
            if hidden[j] > 0:
                db1[j] += back
                for i in range(D):
                    dW1[i, j] += x[i] * back
    return loss / n, (dW1 / n, db1 / n, dW2 / n, db2 / n)


# ---- examples as columns, a cache for each layer, one function for each step


def columns_of_three_layers():
    net = Network("columns_of_three_layers")
    D, H, K, M = net.sizes("D H K M")
    W1, b1 = net.parameter("W1", H, D), net.parameter("b1", H, 1)
    W2, b2 = net.parameter("W2", K, H), net.parameter("b2", K, 1)
    W3, b3 = net.parameter("W3", 1, K), net.parameter("b3", 1, 1)
    X, Y = net.input("X", D, M), net.input("Y", 1, M, note="0 or 1")
    d, h, k, m = net.indices(d=D, h=H, k=K, m=M)
    A1 = net.define("A1", relu(Sum(W1[h, d] * X[d, m], d) + b1[h, 0]), over=(h, m))
    A2 = net.define("A2", relu(Sum(W2[k, h] * A1[h, m], h) + b2[k, 0]), over=(k, m))
    Z3 = net.define("Z3", Sum(W3[0, k] * A2[k, m], k) + b3[0, 0], over=m)
    net.loss = Sum(log(1 + exp(Z3[m])) - Y[0, m] * Z3[m], m) / M
    return net


def model_with_caches(W1, b1, W2, b2, W3, b3, X, Y):
    def activation_forward(A_prev, W, b, activation):
        Z = np.dot(W, A_prev) + b
        A = sigma(Z) if activation == "sigmoid" else np.maximum(0, Z)
        return A, ((A_prev, W, b), Z)

    def linear_backward(dZ, cache):
        A_prev, W, b = cache
        m = A_prev.shape[1]
        dW = np.dot(dZ, A_prev.T) / m
        db = np.sum(dZ, axis=1, keepdims=True) / m
        dA_prev = np.dot(W.T, dZ)
        return dA_prev, dW, db

    def activation_backward(dA, cache, activation):
        linear_cache, Z = cache
        if activation == "relu":
            dZ = np.array(dA, copy=True)
            dZ[Z <= 0] = 0
        else:
            s = sigma(Z)
            dZ = dA * s * (1 - s)
        return linear_backward(dZ, linear_cache)

    A, caches, grads, names = X, [], {}, ["relu", "relu", "sigmoid"]
    for W, b, name in zip((W1, W2, W3), (b1, b2, b3), names, strict=True):
        A, cache = activation_forward(A, W, b, name)
        caches.append(cache)
    cost = -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)) / Y.shape[1]
    dA = -(np.divide(Y, A) - np.divide(1 - Y, 1 - A))
    for k in reversed(range(3)):
        dA, grads[f"dW{k + 1}"], grads[f"db{k + 1}"] = activation_backward(dA, caches[k], names[k])
    return cost, grads


# ---- layers that hold their parameters and gradients in lists


def stacked_layers(W1, b1, W2, b2, X):
    class Linear:
        def __init__(self, W, b):
            self.params, self.grads = [W, b], [np.zeros(W.shape), np.zeros(b.shape)]

        def forward(self, x):
            self.x = x
            return np.matmul(x, self.params[0]) + self.params[1]

        def backward(self, dout):
            self.grads[0][...] = np.matmul(self.x.T, dout)
            self.grads[1][...] = np.sum(dout, axis=0)
            return np.matmul(dout, self.params[0].T)

    class Tanh:
        params, grads = [], []

        def forward(self, x):
            self.out = np.tanh(x)
            return self.out

        def backward(self, dout):
            return dout * (1 - self.out**2)

    class MeanSquare:
        def forward(self, x, t):
            self.diff = x - t
            return np.mean(self.diff**2)

        def backward(self, dout=1.0):
            return dout * 2 * self.diff / self.diff.size

    layers, last = [Linear(W1, b1), Tanh(), Linear(W2, b2)], MeanSquare()
    x, grads = X, []
    for layer in layers:
        x = layer.forward(x)
    value = last.forward(x, X)
    dout = last.backward()
    for layer in reversed(layers):
        dout = layer.backward(dout)
        grads = layer.grads + grads
    return value, grads


# ---- each function gives its value and how to pull a gradient back


def pullbacks(W1, b1, W2, b2, W3, b3, W4, b4, X, y):
    def dense(x, W, b):
        return x @ W + b, lambda g: (g @ W.T, x.T @ g, g.sum(0))

    def rectified(x):
        return x * (x > 0), lambda g: g * (x > 0)

    def squashed(x):
        t = np.tanh(x)
        return t, lambda g: g * (1 - t * t)

    def swish(x):
        s = sigma(x)
        return x * s, lambda g: g * (s + x * s * (1 - s))

    def softmax_loss(x):
        q = np.exp(x - x.max(1, keepdims=True))
        q = q / q.sum(1, keepdims=True)
        return -np.log(q[range(len(y)), y]).mean(), lambda: (q - np.eye(x.shape[1])[y]) / len(y)

    a1, p1 = dense(X, W1, b1)
    r, pr = rectified(a1)
    a2, p2 = dense(r, W2, b2)
    t, pt = squashed(a2)
    a3, p3 = dense(t, W3, b3)
    s, ps = swish(a3)
    a4, p4 = dense(s, W4, b4)
    loss, pull = softmax_loss(a4)
    g, dW4, db4 = p4(pull())
    g, dW3, db3 = p3(ps(g))
    g, dW2, db2 = p2(pt(g))
    g, dW1, db1 = p1(pr(g))
    return loss, dict(W1=dW1, b1=db1, W2=dW2, b2=db2, W3=dW3, b3=db3, W4=dW4, b4=db4)


# ---- a tape of functions, vectors instead of batches


def taped(W1, b1, W2, b2, x, y):
    tape = []

    class Var:
        def __init__(self, value):
            self.value, self.grad = value, np.zeros(np.shape(value))

    def linear(x, W, b):
        out = Var(x.value @ W.value + b.value)

        def back():
            x.grad += W.value @ out.grad
            W.grad += np.outer(x.value, out.grad)
            b.grad += out.grad

        tape.append(back)
        return out

    def rectify(x):
        out = Var(np.maximum(x.value, 0))

        def back():
            x.grad += out.grad * (out.value > 0)

        tape.append(back)
        return out

    inputs = [Var(v) for v in (W1, b1, W2, b2, x)]
    w1, c1, w2, c2, v = inputs
    out = rectify(linear(rectify(linear(v, w1, c1)), w2, c2))
    out.grad = out.value - y
    for back in reversed(tape):
        back()
    return 0.5 * np.sum((out.value - y) ** 2), [p.grad for p in inputs[:4]]


# ---- softmax by its Jacobian, a row at a time


def by_jacobians(W, b, X, Y):
    Z = X @ W + b
    P = np.exp(Z - Z.max(axis=1)[:, None])
    P /= P.sum(axis=1)[:, None]
    loss = -np.mean(np.sum(Y * np.log(P), axis=1))
    dP, dZ = -Y / P / len(X), np.empty_like(Z)
    for n in range(len(X)):
        p = P[n].reshape(-1, 1)
        jacobian = np.diagflat(p) - np.dot(p, p.T)
        dZ[n] = np.dot(jacobian, dP[n])
    return loss, dict(dW=np.dot(X.T, dZ), db=dZ.sum(axis=0))


# ---- dropout with a mask given, arrays used again


def thinned(W1, b1, W2, b2, X, y, mask, keep):
    rows = np.arange(len(X))
    z = X @ W1 + b1
    a = np.maximum(z, 0)
    a *= mask
    a /= keep
    d = a @ W2 + b2
    d -= d.max(axis=1, keepdims=True)
    np.exp(d, out=d)
    d /= d.sum(axis=1, keepdims=True)
    loss = -np.log(d[rows, y]).sum() / len(X)
    d[rows, y] -= 1
    d /= len(X)
    da = d @ W2.T
    da = da * mask / keep
    dz = np.where(z > 0, da, 0)
    return loss, (X.T @ dz, dz.sum(0), a.T @ d, d.sum(0))


# ---- deep and narrow: weights in a list, sigmoid all along, each error from the one above, targets as rows


def equal_sigmoids():
    net = Network("equal_sigmoids")
    N, D, H, K = net.sizes("N D H K")
    U, V, W = net.parameter("U", D, H), net.parameter("V", H, H), net.parameter("W", H, K)
    X, T = net.input("X", N, D), net.input("T", N, K)
    A = net.define("A", sigmoid(X @ U))
    B = net.define("B", sigmoid(A @ V))
    C = net.define("C", sigmoid(B @ W))
    n, k = net.indices(n=N, k=K)
    net.loss = Sum((C[n, k] - T[n, k]) ** 2, n, k) / (2 * N)
    return net


def errors_layer_by_layer(U, V, W, X, T):
    theta = [U, V, W]
    acts = [X]
    for weights in theta:
        acts.append(sigma(acts[-1].dot(weights)))
    error = acts[-1] - T
    slopes = [a * (1 - a) for a in acts[1:]]
    deltas = [error * slopes[-1]]
    for k in (2, 1):
        deltas.insert(0, deltas[0].dot(theta[k].T) * slopes[k - 1])
    m = T.shape[0]
    return np.sum(error**2) / (2 * m), [a.T.dot(d) / m for a, d in zip(acts[:-1], deltas, strict=True)]


mlp, autoencoder, perceptron = shipped("mlp"), shipped("autoencoder"), shipped("perceptron")
relu_network, soft_targets, dropout = shipped("relu_network"), shipped("soft_targets"), shipped("dropout")

RIGHT = [
    (mlp, cached_two_layers), (mlp, one_example_at_a_time), (columns_of_three_layers, model_with_caches),
    (autoencoder, stacked_layers), (perceptron, pullbacks), (relu_network, taped), (soft_targets, by_jacobians),
    (dropout, thinned), (equal_sigmoids, errors_layer_by_layer),
]
WRONG = [           # network, function, edits, what a good diagnosis says
    (mlp, cached_two_layers, [('cache["A1"].T @ dZ2', 'cache["Z1"].T @ dZ2')], "Z1 is read|A1"),
    (mlp, cached_two_layers, [("return loss, grads", "return loss, {k: 0.1 * g for k, g in grads.items()}")],
     r"0\.1|1/10|10 times"),
    (mlp, cached_two_layers, [('["b1"] = dZ1.sum', '["b1"] = dA1.sum')], r"db1.*(dA1|mask)"),
    (mlp, cached_two_layers, [(".max(axis=1, keepdims=True)", ".max(axis=0, keepdims=True)")],
     r"maximum over n|max\(axis=0"),
    (mlp, cached_two_layers, [(".sum(axis=1, keepdims=True)", ".sum(axis=0, keepdims=True)")],
     "loss.*(softmax|axis|over)"),
    (mlp, cached_two_layers, [("dA1 = dZ2 @ W2.T", 'dA1 = cache["P"] @ W2.T / N')], "dA1.*missing|missing.*dA1"),
    (mlp, one_example_at_a_time, [("db1[j] += back", "db1[j] = back")], "db1.*(last|overwritten)"),
    (mlp, one_example_at_a_time, [("(dW1 / n, db1 / n, dW2 / n, db2 / n)", "(dW1 / n, db1, dW2 / n, db2)")],
     r"db[12].*(1/N is missing|N times)"),
    (mlp, one_example_at_a_time, [("for m in range(C)", "for m in range(C - 1)")], "dA1.*last|last.*dA1|last c"),
    (mlp, one_example_at_a_time, [("back = sum(W2[j, m] * delta[m] for m in range(C))",
                                   "back = max(0, sum(W2[j, m] * delta[m] for m in range(C)))")], "> 0.*from above"),
    (mlp, one_example_at_a_time, [("if hidden[j] > 0:", "if hidden[j] >= 0:")], "mask.*missing"),
    (columns_of_three_layers, model_with_caches, [
        ("np.sum(dZ, axis=1, keepdims=True) / m", "np.sum(dZ, axis=1, keepdims=True)")],
     r"db\d.*(1/M is missing|M times)"),
    (columns_of_three_layers, model_with_caches, [("dZ[Z <= 0] = 0", "dZ[dA <= 0] = 0")],
     "negative|positive|rectified|mask|dA1 is read where A1 should be"),
    (columns_of_three_layers, model_with_caches, [("dA_prev = np.dot(W.T, dZ)", "dA_prev = np.dot(W.T, dZ) / m")],
     "1/M|M times"),
    (columns_of_three_layers, model_with_caches, [("np.sum(dZ, axis=1, keepdims=True) / m", "np.sum(dZ) / m")],
     "b1 (is summed over h, m|has shape)"),
    (columns_of_three_layers, model_with_caches, [("dA * s * (1 - s)", "dA * Z * (1 - Z)")],
     r"derivative.*z \(1 - z\)"),
    (columns_of_three_layers, model_with_caches, [("np.divide(Y, A) - np.divide", "np.divide(Y, A) + np.divide")],
     "sign"),
    (columns_of_three_layers, model_with_caches, [("caches[k], names[k])", 'caches[k], "relu")')],
     r"relu|mask|slope|sigmoid"),
    (autoencoder, stacked_layers, [("self.diff / self.diff.size", "self.diff / len(self.diff)")], "1/D|D times"),
    (autoencoder, stacked_layers, [("dout * 2 * self.diff", "dout * self.diff")], "2|half"),
    (autoencoder, stacked_layers, [("(1 - self.out**2)", "(1 - self.out)**2")], r"1 - H|power|slope"),
    (autoencoder, stacked_layers, [("grads = layer.grads + grads", "grads = grads + layer.grads")], "order"),
    (autoencoder, stacked_layers, [("self.grads[1][...] = np.sum(dout, axis=0)", "self.grads[1][...] = dout[0]")],
     "first n|sum"),
    (autoencoder, stacked_layers, [
        ("def stacked_layers(W1, b1, W2, b2, X):", "def stacked_layers(W1, b1, W2, b2, X, kept={}):"),
        ("return value, grads", "grads = [g + k for g, k in zip(grads, kept.get(X.shape, [0] * 4))]\n"
         "    kept[X.shape] = grads\n    return value, grads")], "call|accumulat"),
    (perceptron, pullbacks, [("g * (s + x * s * (1 - s))", "g * s * (1 - s)")],
     r"dZ3.*(sigmoid|silu|missing|slope|\w+ is)"),
    (perceptron, pullbacks, [("g * (s + x * s * (1 - s))", "g * (s + x * (1 - s))")],
     "dZ3.*(missing|factor|sigmoid|1 - )"),
    (perceptron, pullbacks, [("(1 - t * t)", "(1 - t)")], r"dZ2.*1 - "),
    (perceptron, pullbacks, [("lambda g: g * (x > 0)", "lambda g: g * np.maximum(x, 0)")], r"dZ1.*(A1|Z1|relu|mask)"),
    (perceptron, pullbacks, [("x.T @ g, g.sum(0))", "x.T @ g / len(x), g.sum(0) / len(x))")], "1/N|N times"),
    (relu_network, taped, [("for back in reversed(tape)", "for back in tape")], "zero"),
    (relu_network, taped, [("np.outer(x.value, out.grad)", "np.outer(out.grad, x.value).reshape(W.value.shape)")],
     "reshaped|transposed"),
    (relu_network, taped, [("out.grad * (out.value > 0)", "out.grad")], "derivative of each activation is missing"),
    (soft_targets, by_jacobians, [("np.diagflat(p) - np.dot(p, p.T)", "np.diagflat(p * (1 - p))")], "diagonal"),
    (soft_targets, by_jacobians, [("np.diagflat(p) - np.dot(p, p.T)", "np.diagflat(p)")], "missing"),
    (soft_targets, by_jacobians, [("np.diagflat(p) - np.dot(p, p.T)", "np.diagflat(p) + np.dot(p, p.T)")], "sign"),
    (soft_targets, by_jacobians, [("np.diagflat(p) - np.dot(p, p.T)", "p * (np.eye(len(p)) - p)")],
     "Jacobian.*wrong axis"),
    (soft_targets, by_jacobians, [("-Y / P / len(X)", "-Y / P")], "1/N is missing|N times"),
    (dropout, thinned, [("da = da * mask / keep", "da = da / keep")], "mask.*missing|missing.*mask"),
    (dropout, thinned, [("da = da * mask / keep", "da = da * mask")], "keep"),
    (dropout, thinned, [("    da = da * mask / keep\n", "")], "mask.*missing|missing.*mask|keep"),
    (dropout, thinned, [("a.T @ d,", "np.maximum(z, 0).T @ d,")], "dW2.*(mask|A1)"),
    (dropout, thinned, [("    a /= keep\n", "")], "loss.*keep"),
    (equal_sigmoids, errors_layer_by_layer, [("slopes[k - 1]", "slopes[k]")], "is read"),
    (equal_sigmoids, errors_layer_by_layer, [("theta[k].T", "theta[k - 1].T")], "V|W|shape|fail"),
    (equal_sigmoids, errors_layer_by_layer, [("deltas = [error * slopes[-1]]", "deltas = [error]")],
     r"dZ|pre_C|sigmoid|slope|1 - C"),
    (equal_sigmoids, errors_layer_by_layer, [("a.T.dot(d) / m for", "a.T.dot(d) for")], "1/N is missing|N times"),
    (equal_sigmoids, errors_layer_by_layer, [("deltas[0].dot(theta[k].T)", "deltas[-1].dot(theta[2].T)")],
     "dV|dU|dA|missing|fail"),
    (relu_network, taped, [("x.grad += W.value @ out.grad", "x.grad += W.grad @ out.grad")],
     "dr1: nothing is sent back"),
]
UNKNOWN: list = []        # every edit is named
