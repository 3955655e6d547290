"""Networks made at random beyond those of random_networks: equations that are solved, sums up to an index, floors.

`network(seed)` gives the same network every time; sizes and reads are those of `random_networks`.
"""

from random import Random

from sympy import Add, Eq, Sum, floor, tanh

from derive import LogSumExp, Maximum, Network, Product

from .random_networks import SIZES, Writer

__all__ = ["SIZES", "network"]


def network(seed: int, random=None) -> Network:
    """Return the random network of a seed; its choices may come from elsewhere."""
    return _Wider(seed, random or Random(seed)).net


class _Wider(Writer):
    def define(self, k):
        kind = self.random.random()
        if kind < 0.35:
            self.solve(k)
        elif kind < 0.65:
            self.run(k)
        else:
            super().define(k)

    def solve(self, k):
        """Define an unknown by an equation whose matrix is the identity and less than one half of one."""
        over = [self.index[s] for s in self.random.sample([self.A, self.C], self.random.randint(1, 2))]
        y = self.net.unknown(f"v{k}", *(i.upper + 1 for i in over))
        i, rest, inner = over[0], over[1:], self.other[over[0].upper + 1]
        others = Sum(tanh(self.expression([i, inner], 1, 0)) * y[(inner, *rest)], inner) / (2 * (i.upper + 1))
        given = self.expression(over, 2) + Add(*(k * i for k, i in enumerate(over, 1))) / 7     # no two are the same
        here = y[tuple(over)]
        right = self.random.choice([others + given, tanh(others + given), given - here**3, others + tanh(given)])
        self.net.implicitly(y, Eq(here, right), over=over)
        self.arrays += [(y, [i.upper + 1 for i in over])] * 2

    def run(self, k):
        """Define a reduction up to an index, or from it on."""
        over = [self.index[s] for s in self.random.sample([self.A, self.C], self.random.randint(1, 2))]
        end, inner = over[0], self.other[over[0].upper + 1]
        limits = self.random.choice([(0, end), (end, end.upper), (0, end - 1)])
        full = limits != (0, end - 1)                   # a maximum of nothing is no number
        binder = self.random.choice([Sum, Sum, Product, LogSumExp, Maximum] if full else [Sum, Sum, Product])
        free = [i for i in over[1:] if self.chance(0.7)] + [inner]
        value = binder(self.expression(free, 2, 1), (inner, *limits))
        value = self.net.define(f"v{k}", value * self.expression(over, 1, 0), over=over)
        self.arrays += [(value, [i.upper + 1 for i in over])] * 2

    def place(self, size, by_size):
        if size in by_size and self.chance(0.2):
            return floor(by_size[size] / 2), True
        return super().place(size, by_size)
