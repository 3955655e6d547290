"""A sample of the sabotaged gradients, drawn with a fixed seed; all of them by `python -m tests.mutation`."""

import pytest

from tests import mutation_table
from tests.mutation import judged

SAMPLE = {"mlp": 3, "logistic_regression": 3, "batch_norm": 2, "elman_rnn": 1, "ridge_regression": 3, "attention": 1}


def test_sabotage_is_caught_and_named():
    outcomes = [judged(name, each, seed=1) for name, each in SAMPLE.items()]
    asked = sum(o.total("asked") for o in outcomes)
    assert asked >= 10
    assert [line for o in outcomes for line in o.missed] == []
    assert sum(o.total("named") for o in outcomes) >= 0.9 * asked, [line for o in outcomes for line in o.unnamed]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp", "layer_norm", "lstm", "max_pooling", "vae"])
def test_most_sabotage_of_a_network_is_named(name):
    o = judged(name, each=40)
    assert o.missed == []
    assert o.total("named") >= 0.9 * o.total("asked"), o.unnamed


def test_the_table_told_is_of_the_counts_kept():
    rows, page = mutation_table.kept(), mutation_table.PAGE.read_text(encoding="utf-8")
    assert mutation_table.renewed(page, rows) == page
    total = mutation_table.summed(rows)
    assert mutation_table.sentence(total) in " ".join(page.split())
    assert total["caught"] == mutation_table.real(total)
    assert total["named"] >= 0.9 * total["asked"]
