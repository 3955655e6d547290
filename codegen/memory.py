"""Generated modules in memory, for scripts and notebooks."""

import linecache
import zlib
from collections.abc import Callable, Mapping
from types import ModuleType

from derive.program import Program, checked_program

from .module import source


def module_from(name: str, text: str) -> ModuleType:
    """Return the module that a generated text is, without a file; the text is its `__source__`."""
    filename = f"<derived {name} {zlib.crc32(text.encode()):08x}>"
    result = ModuleType(f"generated_{name}")
    result.__dict__["__source__"] = text
    result.__dict__["__file__"] = filename
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)    # for tracebacks
    exec(compile(text, filename, "exec"), result.__dict__)     # text of our own printing, never a user's
    return result


def lambdify(program: Program, style: str = "plain", sizes: Mapping[str, int] | None = None) -> Callable:
    """Return `loss_and_grads` of a derived program, ready to call; of a program of one function, that function.

    Takes the parameters, then the inputs, by position or keyword; returns the loss and a NamedTuple of gradients.
    The module that it comes from is its attribute `module`.

    Raises
    ------
    DerivationError
        What cannot be printed as NumPy.
    """
    made = module_from(checked_program(program).name, source(program, style, sizes))
    function = getattr(made, program.function or "loss_and_grads")
    function.module = made
    return function
