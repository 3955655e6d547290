"""The prover proves what networks need, and nothing that is false."""

from itertools import product
from random import Random

import pytest
from sympy import Dummy, Expr, Indexed, Integer, Symbol, expand, lambdify

from derive import Network
from derive.arrays import Array
from derive.ranges import Prover, conjuncts, index_atoms, index_range
from derive.terms import index_over

net = Network("ranges")
U, K, S, L = net.sizes("U K S L")
P = net.size("P", least=0)
OUT = net.size("OUT", (U + 2 * P - L * (K - 1) - 1) // S + 1)
FLAT = net.size("FLAT", U * K)
i, p, u, o, q = net.indices(i=OUT, p=K, u=U, o=OUT, q=3)
net.loss = net.parameter("w")
FORWARD = net.program()
y, z = Array("y", (U,), integer=True), Symbol("z", integer=True)
SIZES = (U, K, S, L, P, OUT, FLAT)
PROVER = Prover(FORWARD.least, FORWARD.facts, {"y": K, "z": U})


@pytest.mark.parametrize(("e", "high"), [
    (u, U - 1),
    (U - 1 - u, U - 1),
    (u + P, U + P - 1),
    (S * i + L * p, U + 2 * P - 1),                 # a padded convolution reads inside its padding
    (S * i, U + 2 * P - 1),
    (u * K + p, U * K - 1),                         # two axes flattened into one
    (u * K + p, FLAT - 1),
    (p * U + u, FLAT - 1),
    (q * U + u, 3 * U - 1),
    (Integer(0), U - 1),
    (U - 1, U + P - 1),
    (y[u], K - 1),
    (y[u] + p, 2 * K - 2),
    (z, U - 1),
    (U - 1 - z + P, U + P - 1),
], ids=str)  # fmt: skip
def test_is_proven_to_stay_between_0_and(e, high):
    assert PROVER.within(e, Integer(0), high)


@pytest.mark.parametrize(("e", "high"), [
    (u + 1, U - 1), (u - 1, U - 1), (S * i + L * p - P, U - 1), (u, K - 1), (Integer(1), U - 1), (U, U - 1),
    (y[u], U - 1), (u * p, U - 1), (u**2, U - 1), (p * U + u, U - 1),
    (Symbol("unknown", integer=True), U - 1), (Array("x", (U,))[u], U - 1),
], ids=str)  # fmt: skip
def test_is_not_proven_to_stay_between_0_and(e, high):
    assert not PROVER.within(e, Integer(0), high)


@pytest.mark.parametrize(("ranges", "e", "proven"), [
    ({u: (Integer(1), U - 1)}, u - 1, True),
    ({u: (Integer(0), p)}, p - u, True),            # a sum over u up to p
    ({u: (Integer(0), p)}, u - p, False),
    ({u: (p, K - 1)}, u - p, True),
    ({u: (Integer(0), p - 1)}, p - u - 1, True),
], ids=str)  # fmt: skip
def test_ranges_that_are_given_replace_those_of_the_indices(ranges, e, proven):
    assert PROVER.nonnegative(e, ranges) is proven


def test_what_a_guard_says_is_used():
    guards = conjuncts((u >= 2) & (u < U - 1))
    guarded = Prover(FORWARD.least, (*FORWARD.facts, *guards))
    assert guarded.within(u - 2, Integer(0), U - 1) and guarded.within(u + 1, Integer(0), U - 1)
    assert not guarded.within(u - 3, Integer(0), U - 1)


def test_conditions_on_indices_are_taken_apart():
    assert set(conjuncts((u > 1) & (p <= u))) == {u - 2, u - p}
    assert conjuncts(u < K) == [K - u - 1]
    assert index_atoms(2 * u + y[p] - K) == {u, y[p]}
    assert (index_range(u), index_range(u + 1)) == ((0, U - 1), (None, None))


# ---- nothing false


def everywhere(e: Expr) -> bool:
    """Tell by brute force whether e >= 0 at all small sizes, for all values of its indices and labels."""
    atoms = sorted(index_atoms(e, {"z"}), key=str)
    places = {a: Dummy() for a in atoms}
    value = lambdify([*places.values(), *SIZES], e.xreplace(places))
    return all(
        value(*at, *sizes.values()) >= 0
        for sizes in small_sizes() for at in product(*(range(number_of(a, sizes)) for a in atoms))
    )


def number_of(atom, sizes):
    """Return how many values an index or a label takes, from 0."""
    if isinstance(atom, Indexed):
        return sizes[K]
    return sizes[U] if atom == z else {i: sizes[OUT], o: sizes[OUT], p: sizes[K], u: sizes[U], q: 3}[atom]


def small_sizes(largest=3):
    for values in product(*(range(0 if s == P else 1, largest + 1) for s in (U, K, S, L, P))):
        sizes = dict(zip((U, K, S, L, P), values, strict=True))
        sizes[OUT] = (sizes[U] + 2 * sizes[P] - sizes[L] * (sizes[K] - 1) - 1) // sizes[S] + 1
        sizes[FLAT] = sizes[U] * sizes[K]
        if sizes[OUT] >= 1:
            yield sizes


def random_expression(random):
    """Return a small random expression in indices, labels and sizes, often on the border of being nonnegative."""
    terms = [i, p, u, q, y[u], z, U, K, S, P, OUT, S * i, L * p, K * u, U * p, S * OUT, FLAT, Integer(1)]
    chosen = (random.choice((-2, -1, -1, 1, 1, 2)) * random.choice(terms) for _ in range(random.randint(2, 4)))
    return expand(sum(chosen))


def test_what_is_proven_is_true():
    random = Random(0)
    tried = sorted({random_expression(random) for _ in range(3000)}, key=str)
    proven = [e for e in tried if min(e.as_coefficients_dict().values(), default=0) < 0 and PROVER.nonnegative(e)]
    assert len(proven) > 100
    assert [e for e in proven if not everywhere(e)] == []


def test_the_prover_asks_for_no_more_than_it_knows():
    assert not Prover().nonnegative(Symbol("N", integer=True))
    assert not Prover().nonnegative(Symbol("x", real=True))
    assert Prover().nonnegative(Symbol("N", integer=True, positive=True) - 1)
    assert not Prover({P: 0}).nonnegative(P - 1)
    other = index_over("m", Symbol("M", integer=True, positive=True))
    assert not Prover().nonnegative(Symbol("N", integer=True, positive=True) - other)
