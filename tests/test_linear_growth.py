"""Deriving and printing take work in proportion to depth: counted in function calls, since time is noisy."""

import cProfile
import pstats

import pytest
from sympy.core.cache import clear_cache

import codegen
from benchmarks import networks
from derive.cost import leading
from derive.networks import named
from derive.text import Texts

DEPTHS = (12, 24, 36)


def calls(work) -> int:
    """Return how many functions are called, SymPy's caches being empty at first."""
    clear_cache()
    profile = cProfile.Profile()
    profile.runcall(work)
    return pstats.Stats(profile).total_calls


@pytest.fixture(scope="module")
def programs():
    return {depth: networks.perceptron(depth).backward() for depth in DEPTHS}


def is_linear(counts) -> bool:
    """Tell whether as many layers more take the same again, to a tenth."""
    few, middle, many = counts
    return many - middle < 1.1 * (middle - few)


def test_derivation_is_linear_in_depth():
    assert is_linear([calls(networks.perceptron(depth).backward) for depth in DEPTHS])


def test_generation_is_linear_in_depth(programs):
    assert is_linear([calls(lambda p=p: codegen.source(p)) for p in programs.values()])


def test_the_text_of_a_program_is_linear_in_depth(programs):
    assert is_linear([calls(lambda p=p: Texts(p).listing()) for p in programs.values()])


def test_a_module_is_linear_in_depth(programs):
    few, middle, many = (len(codegen.source(p)) for p in programs.values())
    assert many - middle < 1.1 * (middle - few)


def test_the_count_can_tell_what_is_quadratic():
    def pairs(n):
        return [abs(i - j) for i in range(n) for j in range(n)]

    assert not is_linear([calls(lambda n=n: pairs(n)) for n in DEPTHS])


def test_leading_terms_are_those_of_highest_degree():
    operations = named("mlp").backward().cost().forward.operations     # 2 C H N + 2 D H N + lower terms
    assert leading(operations) == "2CHN + 2DHN"
