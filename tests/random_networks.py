"""Networks made at random: they read at shifted, reversed, strided and looked-up places, they reduce and recur.

`network(seed)` gives the same network every time. Their sizes are A, B, C, a padding P that may be 0, and
I = (A + 2P - B)//2 + 1, the length of a strided convolution.
"""

from random import Random

from sympy import Abs, Add, Integer, Max, Piecewise, Rational, Sum, exp, log, sqrt, tanh

from derive import FirstMaximum, LogSumExp, Maximum, Network, Product, padded, relu, sigmoid, softplus

FUNCTIONS = [
    tanh, relu, sigmoid, softplus, Abs,
    lambda x: x**2, lambda x: 1 / (1 + x**2), lambda x: sqrt(1 + x**2), lambda x: exp(-(x**2)), lambda x: log(1 + x**2),
    lambda x: Max(x, Rational(1, 3)), lambda x: Max(x, 0),
]  # fmt: skip
SIZES = [{"A": 3, "B": 2, "C": 4, "P": 1, "I": 2}, {"A": 4, "B": 3, "C": 2, "P": 0, "I": 1}]


def network(seed: int, random=None) -> Network:
    """Return the random network of a seed; its choices may come from elsewhere."""
    return Writer(seed, random or Random(seed)).net


class Writer:
    """Writes one network, choice by choice."""

    def __init__(self, seed, random):
        self.random = random
        self.net = Network(f"random_{seed}")
        self.A, self.B, self.C = self.net.sizes("A B C")
        self.P = self.net.size("P", least=0)
        self.I = self.net.size("I", (self.A + 2 * self.P - self.B) // 2 + 1)
        self.sizes = [self.A, self.B, self.C, self.I]
        self.index = dict(zip(self.sizes, self.net.indices(a=self.A, b=self.B, c=self.C, i=self.I), strict=True))
        self.other = dict(zip(self.sizes, self.net.indices(a2=self.A, b2=self.B, c2=self.C, i2=self.I), strict=True))
        self.arrays = []
        self.declare()
        for k in range(self.random.randint(1, 4)):
            self.define_state(k) if self.chance(0.3) else self.define(k)
        self.net.loss = Add(*(self.sum_of_squares(*array) for array in self.arrays[-3:]))

    def chance(self, probability):
        return self.random.random() < probability

    def declare(self):
        for k in range(self.random.randint(2, 4)):
            shape = [self.random.choice(self.sizes[:3]) for _ in range(self.random.randint(0, 2))]
            kind = self.net.parameter if k % 2 == 0 else self.net.input
            self.arrays.append((kind(f"w{k}", *shape), shape))
        self.labels = self.net.labels("y", self.A, classes=self.B)

    def define(self, k):
        sizes = self.random.sample(self.sizes, self.random.randint(0, 2))
        over = [self.random.choice([self.index, self.other])[s] for s in sizes]
        value = self.net.define(f"v{k}", self.expression(over, 3), over=over)
        self.arrays += [(value, [i.upper + 1 for i in over])] * 2       # newer arrays are read more often

    def define_state(self, k):
        over = [self.index[s] for s in self.random.sample([self.A, self.C], self.random.randint(1, 2))]
        h = self.net.state(f"h{k}", *(i.upper + 1 for i in over), initial=self.expression(over[1:], 1))
        before, new = h[(over[0] - 1, *over[1:])], self.expression(over, 2)
        steps = tanh(new + before), new * before / 2 + 1, new + sigmoid(before) * before, new + before
        self.net.define(h, self.random.choice(steps), over=over)
        self.arrays += [(h, [i.upper + 1 for i in over])] * 2

    def expression(self, free, depth, reductions=2):
        """Return a random expression in the free indices."""
        kind = self.random.random() if depth else 0
        again = depth - 1, reductions
        if kind < 0.15:
            return self.read(free)
        if kind < 0.35 and reductions:
            return self.reduction(free, depth, reductions)
        if kind < 0.55:
            return self.expression(free, *again) + self.random.choice([1, -1, 2]) * self.expression(free, *again)
        if kind < 0.75:
            return self.expression(free, *again) * self.expression(free, *again)
        if kind < 0.8:
            return self.expression(free, *again) / self.random.choice(self.sizes[:3])
        if kind < 0.83 and free:
            condition = self.random.choice(free) >= 1
            return Piecewise((self.expression(free, *again), condition), (self.expression(free, *again), True))
        return self.random.choice(FUNCTIONS)(self.expression(free, *again))

    def reduction(self, free, depth, reductions):
        index = self.random.choice([self.index, self.other])[self.random.choice(self.sizes)]
        inner = [i for i in free if i != index] + [index]
        binder = self.random.choice([Sum, Sum, Sum, LogSumExp, Maximum, Product, FirstMaximum])
        return binder(self.expression(inner, depth - 1, reductions - 1), index)

    def read(self, free):
        array, shape = self.random.choice(self.arrays)
        if not shape:
            return array
        by_size = {i.upper + 1: i for i in free}
        found = [self.place(size, by_size) for size in shape]
        indices, inside = zip(*found, strict=True)
        return array[indices] if all(inside) else padded(array)[indices]

    def place(self, size, by_size):
        """Return a random index expression for an axis, and whether it stays in range."""
        if size == self.B and self.A in by_size and self.chance(0.2):
            return self.labels[by_size[self.A]], True
        if size == self.A and {self.I, self.B} <= set(by_size) and self.chance(0.4):
            return 2 * by_size[self.I] + by_size[self.B] - self.P, False
        if size not in by_size:
            return self.random.choice([Integer(0), size - 1]), True
        i = by_size[size]
        return self.random.choice([(size - 1 - i, True), (i + 1, False), (i - 1, False), (i, True), (i, True)])

    def sum_of_squares(self, array, shape):
        first = [self.index[s] for s in shape]
        indices = [self.other[s] if i in first[:k] else i for k, (s, i) in enumerate(zip(shape, first, strict=True))]
        return Sum(array[tuple(indices)] ** 2, *indices) if shape else array**2
