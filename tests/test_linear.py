"""Deriving and printing take work in proportion to depth, and give the same every time.

Work is counted in function calls, since time is noisy.
"""

import cProfile
import os
import pstats
import subprocess
import sys
from functools import cache
from itertools import pairwise

import pytest
from sympy.core.cache import clear_cache

import codegen
from derive import Network, cross_entropy, mean, relu
from derive.text import Texts
from tests.rule_zoo import ZOO

DEPTHS = (12, 24, 36)


@cache
def perceptron(layers, letter="H"):
    """Return a perceptron of so many layers, with sizes that no other depth or letter has: nothing of it is known."""
    net = Network("deep")
    N, D, C = net.sizes("N D C")
    X, y = net.input("X", N, D), net.labels("y", N, classes=C)
    widths = [D, *(net.size(f"{letter}{layers:03}_{k:03}") for k in range(1, layers)), C]
    A = X
    for k, (before, after) in enumerate(pairwise(widths), 1):
        W, b = net.parameter(f"W{k}", before, after), net.parameter(f"b{k}", after)
        Z = net.define(f"Z{k}", A @ W + b)
        A = net.define(f"A{k}", relu(Z)) if k < layers else Z
    net.loss = mean(cross_entropy(A, y))
    return net


@cache
def derived(layers, letter="H"):
    return perceptron(layers, letter).backward()


def calls(work) -> int:
    """Return how many functions are called, SymPy's caches being empty at first."""
    clear_cache()
    profile = cProfile.Profile()
    profile.runcall(work)
    return pstats.Stats(profile).total_calls


def is_linear(counts) -> bool:
    """Tell whether as many layers more take the same again, to a tenth."""
    few, middle, many = counts
    return many - middle < 1.1 * (middle - few)


WORK = {
    "writing": (lambda layers: layers, lambda layers: perceptron(layers, "A")),
    "derivation": (lambda layers: perceptron(layers, "B"), lambda net: net.backward()),
    "generation": (lambda layers: derived(layers, "U"), codegen.source),
    "text": (lambda layers: derived(layers, "V"), lambda program: Texts(program).listing()),
}


@pytest.mark.parametrize("work", WORK)
def test_work_is_linear_in_depth(work):
    before, measured = WORK[work]
    given = [before(layers) for layers in DEPTHS]
    measured(before(2))                         # what is made but once is there
    assert is_linear([calls(lambda g=g: measured(g)) for g in given])


def test_the_count_can_tell_what_is_quadratic():
    def pairs(n):
        return [abs(i - j) for i in range(n) for j in range(n)]

    assert not is_linear([calls(lambda n=n: pairs(n)) for n in DEPTHS])


def test_a_module_is_linear_in_depth():
    assert is_linear([len(codegen.source(derived(layers))) for layers in DEPTHS])


def test_each_layer_has_six_equations_none_longer_than_before():
    assert [len(derived(layers).equations) for layers in DEPTHS] == [6 * layers for layers in DEPTHS]
    longest = [max(len(str(e)) for e in derived(layers).equations) for layers in DEPTHS]
    assert longest[0] == longest[1] == longest[2]


@pytest.mark.parametrize("depth", [2, 3])
def test_two_and_three_layers_are_what_a_person_writes(depth):
    names = [e.name for e in derived(depth).backward]
    expected = [f"{v}{k}" for k in range(depth, 0, -1) for v in (["dA", "dZ"] if k < depth else ["dZ"])]
    assert [n for n in names if n[1] in "AZ"] == expected


PRINT = """
import sys
from derive import networks
from tests.rule_zoo import ZOO
programs = {name: build().backward() for name, build in (list(ZOO.items())[::int(sys.argv[1])])}
programs["mlp"] = networks.named("mlp").backward()
for name in sorted(programs):
    print(name, programs[name], list(programs[name].variables), sep="\\n")
"""


def test_the_same_program_comes_out_under_every_hash_seed_and_in_any_order():
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", PRINT, order], env={**os.environ, "PYTHONHASHSEED": seed}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for seed, order in (("0", "1"), ("1", "-1"), ("2", "1"))
    ]  # fmt: skip
    texts = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert len(texts[0]) > 100 * len(ZOO)
    assert texts[0] == texts[1] == texts[2]
