"""The networks that come with the toolkit, derived once for all tests."""

from functools import cache

from sympy import Integer

from derive.networks import loading
from derive.program import Program

NAMES = loading.names()


@cache
def derived(name: str) -> Program:
    """Return a network's forward and backward equations."""
    return loading.named(name).backward()


def large(program):
    """Return sizes at which leading terms lead, with derived ones as they follow."""
    small = {"K": 3, "S": 2, "L": 1, "P": 1, "U": 64, "V": 60}
    sizes = {s: Integer(small.get(s.name, 10 + k)) for k, s in enumerate(program.sizes) if s not in program.derived}
    for s, formula in program.derived.items():
        sizes[s] = formula.xreplace(sizes)
    return sizes
