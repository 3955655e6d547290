"""Whatever network is written, its adjoints agree with the referee."""

import pytest

from derive.explicit import evaluate, point
from derive.referee import TOLERANCE, disagreement
from tests.random_networks import SIZES, network


def sizes_of(program, k):
    return {s: SIZES[k][s.name] for s in program.sizes}


@pytest.mark.parametrize("seed", range(60))
def test_adjoints_agree_with_the_referee(seed):
    net = network(seed)
    forward, derived = net.program(), net.backward()
    for k in range(len(SIZES)):
        found = disagreement(forward, derived, sizes_of(forward, k), seed=seed)
        assert {name: d for name, d in found.items() if d > TOLERANCE} == {}


@pytest.mark.parametrize("seed", range(60, 120))
def test_renaming_indices_changes_no_value(seed, monkeypatch):
    def loss(program):
        sizes = sizes_of(program, 0)
        return evaluate(program, sizes, point(program, sizes, seed), 60)["loss"][()]

    renamed = loss(network(seed).program())
    monkeypatch.setattr("derive.network.apart", lambda expr, taken: expr)
    assert abs(loss(network(seed).program()) - renamed) <= abs(renamed) / 10**50
