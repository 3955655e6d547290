"""Deriving is linear in depth, and the same every time."""

import cProfile
import os
import subprocess
import sys
from functools import cache
from itertools import pairwise

import pytest

from derive import Network, cross_entropy, mean, relu
from tests.rule_zoo import ZOO


def perceptron(layers):
    """Return a perceptron of so many layers, each with sizes of its own, which no other depth has: nothing is known."""
    net = Network("deep")
    N, D, C = net.sizes("N D C")
    X, y = net.input("X", N, D), net.labels("y", N, classes=C)
    widths = [D, *(net.size(f"H{layers:03}_{k:03}") for k in range(1, layers)), C]
    A = X
    for k, (before, after) in enumerate(pairwise(widths), 1):
        W, b = net.parameter(f"W{k}", before, after), net.parameter(f"b{k}", after)
        Z = net.define(f"Z{k}", A @ W + b)
        A = net.define(f"A{k}", relu(Z)) if k < layers else Z
    net.loss = mean(cross_entropy(A, y))
    return net


@cache
def derived(layers):
    """Return a deep perceptron with its adjoints, and how many calls of functions it took to derive them."""
    net, profile = perceptron(layers), cProfile.Profile()
    program = profile.runcall(net.backward)
    return program, sum(entry.callcount for entry in profile.getstats())


def test_a_hundred_layers_have_twice_the_equations_of_fifty():
    assert [len(derived(layers)[0].equations) for layers in (50, 100)] == [6 * 50, 6 * 100]


def test_a_hundred_layers_take_twice_the_work_of_fifty():
    fifty, hundred = derived(50)[1], derived(100)[1]
    assert 1.8 < hundred / fifty < 2.3


def test_no_equation_grows_with_the_depth():
    longest = [max(len(str(e)) for e in derived(layers)[0].equations) for layers in (50, 100)]
    assert longest[1] <= longest[0] + 20        # names with one more digit


@pytest.mark.parametrize("depth", [2, 3])
def test_two_and_three_layers_are_what_a_person_writes(depth):
    program = derived(depth)[0]
    names = [e.name for e in program.backward]
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
