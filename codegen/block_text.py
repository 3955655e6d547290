"""The function `loss_and_grads` of the styles that go through blocks of rows."""

import re
from collections.abc import Sequence

from sympy import Add, Expr, Integer, Mul, Symbol

from . import parts
from .blocks import Blocked
from .checks import arguments
from .layout import assignment, signature, wrapped
from .loop_arrays import ASKED
from .module import Plan
from .sizes import Sizes, text
from .statements import Statement

BUFFER = 2**10      # numbers of NumPy's buffer: what it broadcasts over rows that are as long, it reads where it is
BLOCK = 2**22       # bytes that all arrays of a block take together, of which a few at a time are at work


def given_sizes(plan: Plan, block: Blocked | None) -> list[Symbol]:
    """Return the sizes that the arguments of a block do not tell."""
    return [*plan.keyword_sizes, *([block.whole] if block else [])]


def loss_and_grads(plan: Plan, own: Plan, block: Blocked | None, placed: Sequence[str] = (), told: str = "",
                   before: Sequence[str] = (), passed: Sequence[str] = ()) -> str:
    """Return the text of the function, which calls `_computed` on a block of rows after the other, or on all.

    `placed` are the gradients that a block fills where they are, `told` what the docstring says of the result beside
    what it is, `before` lines after the checks, `passed` what `_computed` is given beside the arrays.
    """
    names = arguments(plan.program)
    head = [
        *signature("loss_and_grads", [*names, "workspace=None"], plan.keyword_sizes),
        f'    """Return the loss and its gradients, a `Params`{told}.',
        "",
        "    With a `Workspace`, the gradients are arrays of it, which the next call writes over.",
        '    """',
        *assignment(names, parts.call("_checked", names, plan.keyword_sizes)),
        *before,
        f"    array = (Workspace() if workspace is None else workspace).arrays({names[0]}.dtype)",
    ]
    if block:
        return "\n".join([*head, *_through_blocks(plan, own, block, placed, ["array", *passed])])
    call = parts.call("_computed", [*names, "array", *passed], plan.keyword_sizes)
    return "\n".join([*head, *wrapped(f"    return {call}")])


def _through_blocks(plan, own, block, placed, passed) -> list[str]:
    program, names = plan.program, arguments(plan.program)
    per_row, common = _numbers(own, block)
    needed = {s for e in (per_row, common, block.whole) for s in e.free_symbols}
    sizes = Sizes(program, [*program.parameters, *program.inputs], [s.name for s in plan.keyword_sizes])
    every = [*program.parameters, *program.inputs]
    some = [f"{v.name}[n:n + rows]" if v.name in block.rows else v.name for v in every]
    gradient = {program.adjoints[p.name]: p.name for p in program.parameters}
    new = [f'array("{g}", *{gradient[g]}.shape)' for g in placed]
    there = [f"grads.{gradient[g]}[n:n + rows]" for g in placed]
    whole = parts.call("_computed", [*names, *new, *passed], plan.keyword_sizes).removesuffix(")")
    part = parts.call("_computed", [*some, *there, *passed], plan.keyword_sizes).removesuffix(")")
    made = [_made(p, program.adjoints[p.name], block, placed) for p in program.parameters]
    lines = [
        *(f"    {line}" for line in sizes.lines(needed)),
        "",
        *wrapped(f"    rows = max(1, max({_power(BLOCK)} // {names[0]}.itemsize, {text(4 * common)})"
                 f" // ({text(per_row)}))  # a block stays in cache"),
        f"    if rows >= {block.whole}:",
        *wrapped(f"        return {whole}, {block.whole}={block.whole})"),
        *wrapped(f"    grads = Params({', '.join(made)})"),
        "    loss = 0",
        f"    buffer = np.setbufsize({BUFFER})                     # NumPy copies rows to a longer one again and again",
        "    try:",
        f"        for n in range(0, {block.whole}, rows):",
        *wrapped(f"            part, of_part = {part}, {block.whole}={block.whole})"),
        "            loss += part",
    ]
    for p in program.parameters:
        if program.adjoints[p.name] not in placed:
            lines.append(f"            grads.{p.name}[n:n + rows] = of_part.{p.name}" if p.name in block.rows else
                         f"            grads.{p.name}[...] += of_part.{p.name}")
    return [*lines, "    finally:", "        np.setbufsize(buffer)", "    return loss, grads"]


def _power(number):
    return f"2**{number.bit_length() - 1}"


def _made(p, gradient, block, placed):
    """Return the array of a gradient of all rows: one whose rows are filled in turn, or zeros to add to."""
    if gradient in placed:
        return f'array("{gradient}", *{p.name}.shape)'
    new = f'array("sum_{gradient}", *{p.name}.shape)'
    return new if p.name in block.rows else f"_zeroed({new})"


def _numbers(own: Plan, block: Blocked) -> tuple[Expr, Expr]:
    """Return how many numbers a block takes for each row, and how many gradients all rows have in common."""
    known = own.lowered.program.variables
    made = {*arguments(own.program), *(n for s in (*own.forward, *own.backward) for n in _arrays(s))}
    per_row = Add(*(Mul(*v.shape[1:]) for n, v in known.items() if n in made and v.shape[:1] == (block.part,)))
    common = Add(*(Mul(*v.shape) for v in own.program.parameters if v.name not in block.rows), Integer(1))
    return per_row, common



def _arrays(s: Statement) -> list[str]:
    """Return the arrays of a workspace that a statement fills, or what it makes anew."""
    return [name for line in s.lines for name, _ in re.findall(ASKED, line)] or [s.name]
