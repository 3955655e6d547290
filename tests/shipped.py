"""The networks that come with the toolkit, derived once for all tests, and arguments for them."""

from functools import cache

import numpy as np
from sympy import Integer

from codegen.verify import assumed
from derive.explicit import sizes_for
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


def arguments(program, seed=0, positive=False):
    """Return small sizes, and values for parameters and inputs, by name."""
    sizes = sizes_for(program)
    random = np.random.default_rng(seed)

    def value(v):
        shape = tuple(int(s.xreplace(sizes)) for s in v.shape)
        if v.kind == "labels":
            return random.integers(0, int(v.classes.xreplace(sizes)), shape)
        return np.asarray(random.uniform(0.2, 1.0, shape) if positive else random.normal(size=shape))

    drawn = {v.name: value(v) for v in (*program.parameters, *program.inputs)}
    return sizes, drawn | assumed(program, drawn, sizes)


def with_sizes(function, sizes):
    """Return the sizes that a function takes by keyword."""
    code = function.__code__
    names = code.co_varnames[code.co_argcount:code.co_argcount + code.co_kwonlyargcount]
    return {s.name: int(v) for s, v in sizes.items() if s.name in names}
