"""The functions of the styles that use arrays again: the one that is called, and what it calls on blocks of rows."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from sympy import Add, Expr, Mul, Symbol

from . import parts
from .arrays_at_hand import with_arrays_at_hand
from .blocks import Blocked
from .called import Called
from .checks import arguments
from .layout import COLUMN, WIDTH, assignment, signature, wrapped
from .module import Plan
from .sizes import Sizes, text
from .statements import Statement
from .workspace import ASKED

BUFFER = 2**10      # numbers of NumPy's buffer: what it broadcasts over rows that are as long, it reads where it is
ARRAY = 3 * 2**17   # bytes that an array of a block takes on average: a call of NumPy costs little beside what it does
FEWEST, MOST = 4, 16    # arrays that a block has room for, of which a few at a time are at work; more, as of many
BEYOND = 3              # layers, count a third: a block that held them all would be of few rows, and mostly calls


@dataclass(frozen=True)
class Inner:
    """The function `_computed`, which is called on all rows, or on a block of them after the other.

    `placed` are the results that a block fills where they are, `once` those whose zeros are written once, `passed` what
    it is given beside the arrays.
    """

    plan: Plan
    block: Blocked | None = None
    placed: Sequence[str] = ()
    once: Sequence[str] = ()
    passed: Sequence[str] = ()

    def given_sizes(self, plan: Plan) -> list[Symbol]:
        """Return the sizes that the arguments of a block do not tell."""
        return [*plan.keyword_sizes, *([self.block.whole] if self.block else [])]


def outer(plan: Plan, called: Called, inner: Inner, before: Sequence[str] = ()) -> str:
    """Return the text of the function that is called; `before` are lines after the checks."""
    names = arguments(plan.program)
    lines = [
        *signature(called.name, [*called.given, "workspace=None"], plan.keyword_sizes),
        *_docstring(called.told, _lasting(plan, called, inner)),
        *assignment(names, parts.call("_checked", called.checked, plan.keyword_sizes)),
        *parts.as_python(plan.keyword_sizes), *before,
        f"    array = (Workspace() if workspace is None else workspace).arrays({names[0]}.dtype)",
    ]
    if inner.block:
        return "\n".join([*lines, *_through_blocks(plan, called, inner, inner.block)])
    return "\n".join([*lines, *_whole(called, inner, parts.call(
        "_computed", [*names, "array", *inner.passed], plan.keyword_sizes))])


def _docstring(sentence, more="") -> list[str]:
    """Return the lines of a docstring, which ends on its first line if there is room and no more."""
    first, *rest = textwrap.wrap(f'"""{sentence}', WIDTH - 7, break_long_words=False, break_on_hyphens=False)
    if not rest and not more:
        return [f'    {first}"""']
    paragraph = textwrap.wrap(more, WIDTH - 4, break_long_words=False, break_on_hyphens=False)
    return [f"    {line}".rstrip() for line in (first, *rest, *([""] if more else []), *paragraph, '"""')]


def _lasting(plan, called, inner):
    """Say what becomes of the results in the next call."""
    arrays = [n for n in called.results if plan.program.variables[n].shape]
    if not arrays:
        return "With a `Workspace`, its arrays are used again."
    those = "the gradients are arrays" if called.name == "loss_and_grads" else \
        "the result is an array" if len(called.results) == 1 else "the results are arrays"
    is_, its = ("is", "its") if len(inner.once) == 1 else ("are", "their")
    when = "then" if not inner.block else "if one block has all rows"
    kept = f" {', '.join(inner.once)} {is_} read-only {when}: {its} zeros are written once." if inner.once else ""
    return f"With a `Workspace`, {those} of it, which the next call writes over.{kept}"


def _whole(called, inner, call, pad="    ") -> list[str]:
    """Return the lines that compute all rows at once."""
    if not inner.once:
        return wrapped(f"{pad}return {call}")
    result = "result" if called.part != called.results[inner.once[0]] else inner.once[0]
    held = [called.results[n].replace(called.part, result, 1) for n in inner.once]
    return [*wrapped(f"{pad}{result} = {call}"),
            *(f"{pad}{array}.flags.writeable = workspace is None" for array in held),
            f"{pad}return {result}"]


def _through_blocks(plan, called, inner, block) -> list[str]:
    program, names = plan.program, arguments(plan.program)
    per_row, common = _per_row(inner, block), _common(called, inner, block)
    shapes = {n: program.variables[n].shape for n in called.results}
    needed = {s for e in (*per_row, common, block.whole, *(s for shape in shapes.values() for s in shape))
              for s in e.free_symbols}
    every = [*program.parameters, *program.inputs]
    sizes = Sizes(program, every, [s.name for s in plan.keyword_sizes])
    first = "n" if "n" not in names else "first_row"
    here = f"[{first}:{first} + rows]"
    some = [f"{v.name}{here}" if v.name in block.rows else v.name for v in every]
    new = [_array(n, n, shapes) for n in inner.placed]
    there = [f"{n}{here}" for n in inner.placed]
    whole, part = (
        parts.call("_computed", [*given, "array", *inner.passed], [*plan.keyword_sizes, block.whole])
        for given in ([*names, *new], [*some, *there]))
    return [
        *(f"    {line}" for line in sizes.lines(needed)),
        "",
        *wrapped(f"    size = {_at_once(names[0], per_row, common)}  # a block stays in cache"),
        *wrapped(f"    rows = size / {_in_brackets(Add(*per_row), Add | Mul)}"),
        f"    rows = -(-{block.whole} // max(1, round({block.whole} / rows)))".ljust(COLUMN)
        + "# and is as large as the others",
        f"    if rows >= {block.whole}:",
        *_whole(called, inner, whole, "        "),
        *(line for n in called.results for line in wrapped(f"    {n} = {_made(n, shapes, inner, block)}")),
        f"    buffer = np.setbufsize({BUFFER})".ljust(COLUMN)
        + "# NumPy copies rows to a longer one again and again",
        "    try:",
        f"        for {first} in range(0, {block.whole}, rows):",
        *(line for code in _added(called, inner, block, part, here) for line in wrapped(f"            {code}")),
        "    finally:",
        "        np.setbufsize(buffer)",
        *wrapped(f"    return {called.returned}"),
    ]


def _at_once(first, per_row, common):
    """Return how many numbers a block may take: more where there are many that all blocks add to."""
    arrays = max(sum(numbers != 1 for numbers in per_row), FEWEST)
    arrays = min(arrays, MOST + (arrays - MOST) // BEYOND)
    numbers = f"{arrays * ARRAY >> 17} * 2**17 // {first}.itemsize"
    if common == 0:
        return numbers
    return f"max({numbers}, 4 * {_in_brackets(common, Add)})"


def _in_brackets(expr, kinds):
    """Return the text of an expression, in brackets if it is of these kinds."""
    return f"({text(expr)})" if isinstance(expr, kinds) else text(expr)


def _array(name, result, shapes):
    return f'array("{name}", {", ".join(map(text, shapes[result]))})'


def _made(name, shapes, inner, block):
    """Return what a result of all rows begins as: an array whose rows are filled in turn, or zeros to add to."""
    if not shapes[name]:
        return "0"
    new = _array(name if name in inner.placed else f"{name} of all rows", name, shapes)
    return new if name in block.rows else f"_zeroed({new})"


def _added(called, inner, block, call, here):
    """Return the lines that compute a block, and add to the results, or fill their rows."""
    targets = {n: f"{n}{here} =" if n in block.rows else f"{n} +=" for n in called.results if n not in inner.placed}
    if not targets:
        return [call]
    if list(called.results.values()) == [called.part]:
        return [f"{target} {call}" for target in targets.values()]
    return [f"{called.part} = {call}", *(f"{target} {called.results[n]}" for n, target in targets.items())]


def _per_row(inner: Inner, block: Blocked) -> list[Expr]:
    """Return how many numbers each array of a block has for a row, those without a name too that are wider.

    These count twice: they are made of others without a name.
    """
    own = inner.plan
    known = own.lowered.program.variables
    made = {*arguments(own.program), *(n for s in (*own.forward, *own.backward) for n in _arrays(s))}
    shapes = [v.shape for n, v in known.items() if n in made and v.shape[:1] == (block.part,)]
    sizes = {text(size): size for v in known.values() for size in v.shape}
    unnamed = (tuple(sizes[t] for t in asked.split(", ") if t in sizes)
               for s in (*own.forward, *own.backward) for line in s.lines for name, asked in re.findall(ASKED, line)
               if name not in known)
    wider = dict.fromkeys(shape for shape in unnamed if block.part in shape and shape not in shapes)
    return [Mul(*shape) / block.part for shape in (*shapes, *wider, *wider)]


def _common(called: Called, inner: Inner, block: Blocked) -> Expr:
    """Return how many numbers the results have that all rows have in common."""
    known = inner.plan.lowered.program.variables
    return Add(*(Mul(*known[n].shape) for n in called.results if n not in block.rows))


def _arrays(s: Statement) -> list[str]:
    """Return the arrays of a workspace that a statement fills, or what it makes anew."""
    return [name for line in s.lines for name, _ in re.findall(ASKED, line)] or [s.name]


def computed(plan: Plan, called: Called, inner: Inner, by: str = "") -> str:
    """Return the text of the function that computes all rows, or a block of them; `by` says by what means."""
    own, block = inner.plan, inner.block
    given = inner.given_sizes(plan)
    arrays = [*own.program.parameters, *own.program.inputs]
    lines = with_arrays_at_hand([*own.forward, *own.backward])
    ahead, back = lines[:len(own.forward)], lines[len(own.forward):]
    body = parts.body(own, ahead, "backward", arrays, given=[s.name for s in given])
    if back:
        known = [s.name for s in own.program.sizes]
        body += parts.body(own, back, "backward", arrays, own.texts.comments(), known)
    what = f"of some of the {block.whole} rows" if block else "into arrays of a workspace"
    told = f"fill {', '.join(inner.placed)}; " if inner.placed else ""
    return "\n".join([
        *signature("_computed", [*arguments(own.program), *inner.placed, "array", *inner.passed], given),
        *_docstring(f"Return {called.subject}, {what}{by}; {told}`array` hands out arrays."),
        *body, *wrapped(f"    return {called.returned}"),
    ])
