"""Networks made at random in array notation: layers, broadcasting, reductions, attention, losses by name.

`network(random)` draws from a source of random choices: `random.Random(seed)`, or Hypothesis's, which shrinks.
"""

from sympy import Abs, Integer, Max, Min, Piecewise, Rational, cos, exp, log, oo, sin, sqrt, tanh

import derive
from derive import Network, activations, concatenate, losses, matmul, maximum, mean, product, softmax, total

ACTIVATIONS = [
    tanh, derive.relu, derive.sigmoid, derive.softplus, activations.leaky_relu, activations.relu6, activations.elu,
    activations.celu, activations.selu, activations.silu, activations.gelu, activations.gelu_tanh, activations.mish,
    activations.softsign, activations.tanhshrink, activations.softshrink, activations.hardshrink,
    activations.hardtanh, activations.hardsigmoid, activations.hardswish, activations.logsigmoid, Abs, sin, cos,
    lambda z: activations.threshold(z, Rational(1, 3), 2), lambda z: z**2, lambda z: z**3 / 4, lambda z: exp(-(z**2)),
    lambda z: sqrt(1 + z**2), lambda z: 1 / (1 + exp(-z)), lambda z: log(1 + exp(z)), lambda z: z / (1 + exp(-z)),
    lambda z: log(1 + z**2), lambda z: Max(z, Rational(1, 2)), lambda z: Min(z, 1), lambda z: 1 / (2 + sin(z)),
    lambda z: Max(z, 2 * z), lambda z: exp(tanh(z)), lambda z: 1 - derive.sigmoid(z), lambda z: log(derive.sigmoid(z)),
]  # fmt: skip
EXAMPLE_LOSSES = [
    losses.squared_error, losses.absolute_error, losses.huber, losses.smooth_l1, losses.hinge, losses.soft_margin,
    losses.poisson_nll, derive.binary_cross_entropy, lambda p, t: losses.gaussian_nll(p, 1 + t**2, 0),
    lambda p, t: losses.gaussian_nll(t, 1 + p**2, 1), lambda p, t: losses.margin_ranking(p, t, 1, Rational(1, 2)),
    lambda p, t: losses.kl_divergence(derive.log_softmax(p), 1 + t**2),
]  # fmt: skip
REDUCTIONS = [total, mean, maximum, derive.logsumexp, lambda a, **axis: product(1 + tanh(a) / 2, **axis)]
SIZES = {"N": 3, "D": 4, "H": 2, "C": 5, "T": 3}


def network(random, name="random_layers") -> Network:
    """Return a random network in array notation."""
    return _Writer(random, name).net


class _Writer:
    def __init__(self, random, name):
        self.random, self.net = random, Network(name)
        self.N, self.D, self.H, self.C, self.T = self.net.sizes("N D H C T")
        self.features = [self.D, self.H, self.C]
        self.names = {"W": 0, "Z": 0, "X": 0, "y": 0}
        first = self.pick(self.features)
        shape = (self.N, first) if self.chance(0.7) else (self.N, self.T, first)
        self.value = self.declare(self.net.input, "X", *shape)
        self.shape = shape
        self.older = [(self.value, shape)]
        layers = [self.linear, self.linear, self.activation, self.activation, self.normalised, self.binary,
                  self.broadcast, self.joined, self.soft, self.attention, self.transposed, self.gathered, self.masked,
                  self.gated, self.rescaled]  # fmt: skip
        self.linear()
        for _ in range(self.random.randint(0, 5)):
            self.pick(layers)()
        self.net.loss = self.loss()

    def pick(self, options):
        return options[self.random.randint(0, len(options) - 1)]

    def chance(self, probability):
        return self.random.randint(0, 99) >= 100 - 100 * probability

    def declare(self, kind, letter, *shape, **details):
        self.names[letter] += 1
        return kind(f"{letter}{self.names[letter]}", *shape, **details)

    def weight(self, *shape):
        return self.declare(self.net.parameter, "W", *shape)

    def next(self, value, shape):
        """Go on with a value, named or not."""
        if self.chance(0.6):
            self.names["Z"] += 1
            value = self.net.define(f"Z{self.names['Z']}", value)
            self.older.append((value, tuple(shape)))
        self.value, self.shape = value, tuple(shape)

    def linear(self):
        out = self.pick(self.features)
        value = matmul(self.value, self.weight(self.shape[-1], out))
        if self.chance(0.6):
            value = value + self.weight(out)
        self.next(value, (*self.shape[:-1], out))

    def activation(self):
        self.next(self.pick(ACTIVATIONS)(self.value), self.shape)

    def normalised(self):
        axis = self.random.randint(0, len(self.shape) - 1)
        centred = self.value - mean(self.value, axis, True)
        if self.chance(0.5):
            self.names["Z"] += 1
            centred = self.net.define(f"Z{self.names['Z']}", centred)
        value = centred / sqrt(mean(centred**2, axis, True) + Rational(1, 10))
        self.next(value * self.weight(self.shape[-1]) if self.chance(0.5) else value, self.shape)

    def binary(self):
        same = [v for v, s in self.older if s == self.shape]
        other = self.pick(same) if same else self.weight(*self.shape[1:])
        value = self.pick([lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a - b / 2, Max, Min,
                           lambda a, b: a / (1 + b**2), lambda a, b: sqrt(1 + a**2 + b**2)])(self.value, other)
        self.next(value, self.shape)

    def broadcast(self):
        axis = self.random.randint(0, len(self.shape) - 1)
        row = self.pick(REDUCTIONS)(self.value, axis=axis, keepdims=True)
        self.next(self.pick([self.value - row, self.value * tanh(row), self.value / (1 + row**2)]), self.shape)

    def joined(self):
        axis = len(self.shape) - 1
        fits = [v for v, s in self.older if s[:-1] == self.shape[:-1]]
        if not fits:
            return
        self.names["Z"] += 1
        name = f"Z{self.names['Z']}"
        other = self.pick(fits)
        sizes = self.shape[axis] + dict(self.older)[other][axis]
        parts = [self.value, other] if self.chance(0.5) else [other, self.value]
        both = self.net.define(name, concatenate(*parts, axis=axis))
        out = self.pick(self.features)
        self.next(matmul(both, self.weight(sizes, out)), (*self.shape[:-1], out))

    def soft(self):
        axis = self.random.randint(0, len(self.shape) - 1)
        self.next(self.pick([softmax, derive.log_softmax])(self.value, axis), self.shape)

    def attention(self):
        rows = self.shape[-2]
        scores = matmul(self.value, derive.arrays.Transposed(self.value)) / sqrt(self.shape[-1])
        if self.chance(0.5):
            self.names["Z"] += 1
            scores = self.net.define(f"Z{self.names['Z']}", scores)
            if self.chance(0.5):
                scores = self.causal(scores, (*self.shape[:-1], rows))
        self.next(matmul(softmax(scores), self.value), self.shape)

    def causal(self, scores, shape):
        indices = self.fresh(shape)
        last, before = indices[-1], indices[-2]
        self.names["Z"] += 1
        value = Piecewise((scores[indices], last <= before), (-oo, True))
        return self.net.define(f"Z{self.names['Z']}", value, over=indices)

    def fresh(self, shape):
        return tuple(self.net.indices(**{f"{letter}": size})[0] for letter, size in zip("ijk", shape, strict=False))

    def transposed(self):
        if len(self.shape) == 2:
            rows, columns = self.shape
            mixed = matmul(self.weight(rows, rows), self.value)
            self.next(mixed, (rows, columns))
        else:
            self.next(derive.arrays.Transposed(self.value), (self.shape[0], self.shape[2], self.shape[1]))

    def gathered(self):
        shape = (self.N,)
        labels = self.declare(self.net.labels, "y", *shape, classes=self.C)
        table = self.weight(self.C, self.shape[-1])
        i, j = self.fresh((self.N, self.shape[-1]))
        self.names["Z"] += 1
        row = self.net.define(f"Z{self.names['Z']}", table[labels[i], j], over=(i, j))
        if len(self.shape) == 2 and self.shape[0] == self.N:
            self.next(self.value + row, self.shape)
        else:
            self.older.append((row, (self.N, self.shape[-1])))

    def masked(self):
        self.names["Z"] += 1
        whole = self.net.define(f"Z{self.names['Z']}", self.value)
        indices = self.fresh(self.shape)
        condition = self.pick([indices[-1] >= 1, indices[0] <= self.shape[0] - 2, indices[-1] <= 0])
        self.names["Z"] += 1
        other = self.pick([Integer(0), whole[indices] / 3, tanh(whole[indices])])
        value = Piecewise((whole[indices], condition), (other, True))
        self.value = self.net.define(f"Z{self.names['Z']}", value, over=indices)

    def gated(self):
        gate = derive.sigmoid(self.value * self.weight(self.shape[-1]))
        self.next(gate * self.value + (1 - gate) * self.pick([tanh, derive.relu])(self.value), self.shape)

    def rescaled(self):
        scalar = self.weight() if self.chance(0.7) else self.declare(self.net.input, "X")
        self.next(self.pick([self.value * scalar, self.value + scalar, self.value / (1 + scalar**2)]), self.shape)

    def loss(self):
        kind = self.random.randint(0, 3)
        if kind == 0:
            labels = self.declare(self.net.labels, "y", *self.shape[:-1], classes=self.shape[-1])
            losses_ = derive.cross_entropy(self.value, labels)
            if self.chance(0.3):
                losses_ = losses.smoothed_cross_entropy(self.value, labels, Rational(1, 10))
            return self.pick([mean, total])(losses_)
        if kind == 1:
            target = self.declare(self.net.input, "X", *self.shape)
            return self.pick([mean, total])(self.pick(EXAMPLE_LOSSES)(self.value, target))
        if kind == 2:
            target = self.declare(self.net.input, "X", *self.shape)
            pair = self.pick([losses.cosine_similarity, lambda a, b: losses.triplet(a, b, 2 * b + 1)])
            return mean(pair(self.value, target))
        axis = self.random.randint(0, len(self.shape) - 1)
        return self.pick([mean, total])(self.pick(REDUCTIONS)(self.value, axis=axis) ** 2) / 2
