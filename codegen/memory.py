"""Generated modules in memory, for scripts and notebooks."""

import linecache
from collections.abc import Callable
from types import ModuleType

from derive.program import Program

from .module import source


def module(program: Program) -> ModuleType:
    """Return the generated module of a derived program, imported from memory; its text is its `__source__`."""
    text = source(program)
    name = f"generated_{program.name}"
    filename = f"<derived {program.name} {abs(hash(text)):x}>"
    result = ModuleType(name)
    result.__dict__["__source__"] = text
    result.__dict__["__file__"] = filename
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)    # for tracebacks
    exec(compile(text, filename, "exec"), result.__dict__)     # text of our own printing, never a user's
    return result


def lambdify(program: Program) -> Callable:
    """Return `loss_and_grads` of a derived program, ready to call.

    Takes the parameters, then the inputs, by position or keyword; returns the loss and a NamedTuple of gradients.
    The module that it comes from is its attribute `module`.

    Raises
    ------
    DerivationError
        What cannot be printed as NumPy.
    """
    made = module(program)
    made.loss_and_grads.module = made
    return made.loss_and_grads
