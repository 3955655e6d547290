"""The workloads in JAX (jitted) and in HIPS autograd: one loss for both, in the NumPy that each brings along.

Where the two need different code, a recurrence (`lax.scan` against a loop) and a convolution (`lax.conv` against
slices), each has what its users write.
"""

import numpy as np


class Losses:
    """The losses of all workloads in one library's NumPy."""

    def __init__(self, xp, scan=None, convolved=None):
        self.xp, self.scan, self.convolved = xp, scan or self._loop, convolved or self._slices

    def cross_entropy(self, Z, y):
        xp = self.xp
        top = xp.max(Z, axis=1, keepdims=True)
        lse = xp.log(xp.sum(xp.exp(Z - top), axis=1)) + top[:, 0]
        return xp.mean(lse - Z[xp.arange(len(y)), y])

    def perceptron(self, p, data):
        xp, depth, A = self.xp, len(p) // 2, data["X"]
        for k in range(1, depth + 1):
            A = xp.dot(A, p[f"W{k}"]) + p[f"b{k}"]
            A = xp.maximum(A, 0) if k < depth else A
        return self.cross_entropy(A, data["y"])

    def normalised(self, x, g, b):
        xp = self.xp
        centred = x - xp.mean(x, axis=-1, keepdims=True)
        return g * centred / xp.sqrt(xp.mean(centred * centred, axis=-1, keepdims=True) + 1e-5) + b

    def gelu(self, u):
        return 0.5 * u * (1 + self.xp.tanh(0.7978845608028654 * (u + 0.044715 * u * u * u)))

    def attention(self, p, data):
        xp, X = self.xp, data["X"]
        _, T, D = X.shape
        B = xp.matmul(self.normalised(X, p["g1"], p["b1"]), xp.reshape(p["Wa"], (D, 3 * D))) + xp.reshape(p["ba"], -1)
        Q, K, V = B[..., :D], B[..., D:2 * D], B[..., 2 * D:]
        S = xp.matmul(Q, xp.swapaxes(K, 1, 2)) * D**-0.5
        S = xp.where(xp.tril(xp.ones((T, T), bool)), S, np.asarray(-1e9, X.dtype))
        E = xp.exp(S - xp.max(S, axis=-1, keepdims=True))
        R = X + xp.matmul(xp.matmul(E / xp.sum(E, axis=-1, keepdims=True), V), p["Wo"]) + p["bo"]
        F = self.gelu(xp.matmul(self.normalised(R, p["g2"], p["b2"]), p["W3"]) + p["b3"])
        return xp.mean((R + xp.matmul(F, p["W4"]) + p["b4"] - data["Y"]) ** 2) / 2

    def _loop(self, step, state, steps):
        rows = []
        for t in range(len(steps)):
            state, out = step(state, steps[t])
            rows.append(out)
        return state, self.xp.stack(rows)

    def rnn(self, p, data):
        xp, (_, N, K) = self.xp, data["Y"].shape
        inputs = xp.matmul(data["X"], p["W"]) + p["b"]

        def step(h, row):
            h = xp.tanh(row + xp.dot(h, p["U"]))
            return h, h

        _, h = self.scan(step, xp.zeros((N, K), data["X"].dtype), inputs)
        return xp.mean((h - data["Y"]) ** 2) / 2

    def lstm(self, p, data):
        xp, (_, N, K) = self.xp, data["Y"].shape
        inputs = xp.matmul(data["X"], xp.reshape(p["W"], (-1, 4 * K))) + xp.reshape(p["b"], -1)
        U = xp.reshape(p["U"], (K, 4 * K))

        def sigmoid(z):
            return 0.5 * xp.tanh(0.5 * z) + 0.5

        def step(state, row):
            h, c = state
            z = row + xp.dot(h, U)
            c = sigmoid(z[:, K:2 * K]) * c + sigmoid(z[:, :K]) * xp.tanh(z[:, 2 * K:3 * K])
            h = sigmoid(z[:, 3 * K:]) * xp.tanh(c)
            return (h, c), h

        zero = xp.zeros((N, K), data["X"].dtype)
        _, h = self.scan(step, (zero, zero), inputs)
        return xp.mean((h - data["Y"]) ** 2) / 2

    def _slices(self, x, w):
        xp, (F, C, _, _), (N, _, U, V) = self.xp, w.shape, x.shape
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        taps = np.stack([padded[:, :, p:p + U, q:q + V] for p in range(3) for q in range(3)], axis=2)
        return xp.reshape(xp.matmul(xp.reshape(w, (F, -1)), taps.reshape(N, C * 9, U * V)), (N, F, U, V))

    def convolution(self, p, data):
        xp = self.xp
        N, _, U, V = data["x"].shape
        R = xp.maximum(self.convolved(data["x"], p["w"]) + xp.reshape(p["b"], (-1, 1, 1)), 0)
        M = xp.max(xp.reshape(R, (N, -1, U // 2, 2, V // 2, 2)), axis=(3, 5))
        classes = len(p["c2"])
        z = xp.dot(xp.reshape(M, (N, -1)), xp.reshape(p["W"], (-1, classes))) + p["c2"]
        return self.cross_entropy(z, data["y"])

    def logistic(self, p, data):
        xp = self.xp
        z = xp.dot(data["X"], p["w"])
        return xp.mean(xp.logaddexp(0 * z, z) - z * data["y"])

    def elementwise(self, p, data):
        xp = self.xp
        g = self.gelu(p["x"] * p["s"] + p["b"])
        q = xp.maximum(g, 0) + xp.log1p(xp.exp(-xp.abs(g)))
        return xp.mean((self.normalised(q, p["gamma"], p["beta"]) - data["Y"]) ** 2) / 2

    def tiny(self, p, data):
        xp = self.xp
        r1 = xp.maximum(xp.dot(data["x"], p["W1"]) + p["b1"], 0)
        return xp.sum((xp.maximum(xp.dot(r1, p["W2"]) + p["b2"], 0) - data["y"]) ** 2) / 2

    def factorisation(self, p, data):
        return self.xp.sum(data["Omega"] * (self.xp.dot(p["U"], data["V"].T) - data["T"]) ** 2) / 2

    def deep(self, p, data):
        A = data["X"]
        for k in range(1, sum(name.startswith("V") for name in data) + 1):
            A = self.xp.maximum(self.xp.dot(A, data[f"V{k}"]), 0)
        return self.cross_entropy(self.xp.dot(A, p["W"]), data["y"])

    def of(self, workload):
        """Return the loss of a workload."""
        names = {"mlp": "perceptron", "mlp_large": "perceptron", "logistic_hessian": "logistic",
                 "laue_logistic": "logistic", "laue_factorisation": "factorisation", "laue_deep": "deep"}
        return getattr(self, names.get(workload.name, workload.name))


def prepared_jax(workload, arguments, names):
    """Return a jitted function that gives the loss and the gradients, or the Hessian."""
    import jax

    def convolved(x, w):
        return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME")

    loss = Losses(jax.numpy, jax.lax.scan, convolved).of(workload)
    given = {n: jax.numpy.asarray(a) for n, a in arguments.items()}
    p = {n: given[n] for n in names}
    data = {n: given[n] for n in given if n not in names}
    if workload.wanted == "hessian":
        [name] = names
        hessian = jax.jit(jax.hessian(lambda value, data: loss({name: value}, data)))
        return lambda: (np.asarray(hessian(p[name], data).block_until_ready()), {})
    both = jax.jit(jax.value_and_grad(loss))

    def run():
        value, grads = jax.block_until_ready(both(p, data))
        return np.asarray(value), {n: np.asarray(g) for n, g in grads.items()}

    return run


def prepared_autograd(workload, arguments, names):
    """Return a function that gives the loss and the gradients, or the Hessian."""
    import autograd
    import autograd.numpy as anp

    loss = Losses(anp).of(workload)
    p = {n: arguments[n] for n in names}
    data = {n: arguments[n] for n in arguments if n not in names}
    if workload.wanted == "hessian":
        [name] = names
        hessian = autograd.hessian(lambda value: loss({name: value}, data))
        return lambda: (hessian(p[name]), {})
    both = autograd.value_and_grad(loss)
    return lambda: both(p, data)
