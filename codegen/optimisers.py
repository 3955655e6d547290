"""The module of optimisers: each step printed from its program."""

from collections.abc import Sequence

from derive.forms import form
from derive.optimisers import OPTIMISERS, Optimiser
from derive.program import Equation

from .layout import wrapped
from .numpy_text import NumpyPrinter

HEAD = '''"""Optimisers: steps for the parameters and gradients of any generated module.

{system}

A step takes the parameters, the gradients (NamedTuples of arrays, `Params`) and what the step before returned beside
the parameters (None at the first); it returns the new parameters and what to pass to the next. Arguments are never
modified, and float32 stays float32. t counts the steps from 1; b, m and v are 0 before the first.

Generated from derive/optimisers.py by `derive build`; do not edit.
"""

import numpy as np
'''


def source(optimisers: Sequence[Optimiser] = OPTIMISERS) -> str:
    """Return the text of the module."""
    width = max(len(o.name) for o in optimisers)
    system = "\n".join(
        f"    {(o.name if k == 0 else '').ljust(width)}   {_line(e, o)}"
        for o in optimisers
        for k, e in enumerate(o.equations)
    )
    return "\n\n".join([HEAD.format(system=system), *("\n".join(_step(o)) + "\n" for o in optimisers)])


def _line(equation: Equation, o: Optimiser) -> str:
    return f"{equation.name} = {_code(equation, o)}".replace("np.", "")


def _code(equation, o):
    settings = frozenset(name for name, _ in o.settings)
    printer = NumpyPrinter(settings=settings, counters=frozenset(equation.rhs.free_symbols))
    return printer.code(form(equation.rhs, ()))


def _step(o: Optimiser) -> list[str]:
    settings = ", ".join(f"{name}={value}" for name, value in o.settings)
    kept = [f"{n}s" for n in o.remembered]
    start = [*(["0"] if o.counts else []), *("zeros" for _ in kept)]
    names = [*(["t"] if o.counts else []), *kept]
    state = ", ".join([*(["t"] if o.counts else []), *(f"new_{n}s" for n in o.remembered)])
    made = ["W", *o.remembered]
    return [
        *wrapped(f"def {o.name}(params, grads, state=None, *, {settings}):"),
        f'    """Return the parameters after a step of {o.title}, and the state for the next.',
        "",
        f"    Source: {o.source}.",
        '    """',
        "    if state is None:",
        *(["        zeros = [np.zeros_like(dW) for dW in grads]"]),
        f"        state = ({', '.join(start)}{',' if len(start) == 1 else ''})",
        f"    {', '.join(names) if len(names) > 1 else f'({names[0]},)'} = state",
        *(["    t = t + 1"] if o.counts else []),
        f"    {', '.join(f'new_{n}s' for n in made)} = {', '.join('[]' for _ in made)}",
        f"    for W, dW, {', '.join(o.remembered)} in zip(params, grads, {', '.join(kept)}, strict=True):",
        *(f"        {e.name} = {_code(e, o)}" for e in o.equations),
        *(f"        new_{n}s.append({n})" for n in made),
        f"    return type(params)(*new_Ws), ({state}{',' if len(names) == 1 else ''})",
    ]
