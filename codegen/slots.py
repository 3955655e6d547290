"""Lifetimes: a variable that nobody reads any more leaves its array to the next one of its shape.

So does one that is read for the last time by the very call that fills the next one, entry by entry.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from derive.program import Program

from .statements import Statement

INTO = dict.fromkeys(("_sigmoid_into", "_capped_exp_into", "_erf_into", "_softplus_at_into"), 0)  # what may be replaced
SUMS = re.compile(r"\w+ = _(column_sums|row_sums|middle_sums|row_maxima|dots)\(")


def in_slots(statements: Sequence[Statement], program: Program, kept: Collection[str]) -> list[Statement]:
    """Return the statements with dead arrays written over; those of `kept` last to the end."""
    last, views = _last_uses(statements, program, kept), _views(statements, program)
    waiting: dict[tuple, list[str]] = {}
    slot: dict[str, str] = {}
    result = []
    for k, s in enumerate(statements):
        if _fills(s):
            free = waiting.setdefault(program.variables[s.name].shape, [])
            dying = [n for n in _written_over(s, program, views) if n in slot and last.get(n) == k and n not in kept]
            left = {n: slot.pop(n) for n in dying}
            free += left.values()
            slot[s.name] = free.pop() if free and s.name not in kept else s.name
            mark, new = f'array("{s.name}"', f'array("{slot[s.name]}"'
            here = [n for n in left if left[n] == slot[s.name]]
            s = replace(s, lines=tuple(_uncopied(line.replace(mark, new), s.name, here) for line in s.lines))
        result.append(s)
        for name in [n for n in slot if last.get(n, k) <= k and n not in kept]:
            waiting.setdefault(program.variables[name].shape, []).append(slot.pop(name))
    return result


def _uncopied(line, name, here):
    """Return a line, without the copy that it makes of an array to where it is."""
    copied = re.match(rf"{name} = np\.positive\((\w+), out=array\(", line)
    return f"{name} = {copied[1]}" if copied and copied[1] in here else line


def _fills(s):
    return any(f'array("{s.name}"' in line for line in s.lines)


def _views(statements, program):
    """Return for each variable those that may be views of it, and of one another."""
    views: dict[str, set[str]] = {}
    for s in statements:
        for name in () if _is_new(s, program) else s.reads:
            for of in {name, *(n for n, known in views.items() if name in known)}:
                views.setdefault(of, set()).add(s.name)
    return views


def _written_over(s, program, views):
    """Return the variables of the same shape that only the first call of a statement reads, entry by entry.

    The first operand comes last, so that it is taken first: of two it is never the mask, which is read in a copy. Signs
    take NumPy nine times as long where their argument is.
    """
    call = re.match(rf"{s.name} = np\.(?!matmul|einsum|sign)\w+\((\w+).*, out=array\(", s.lines[0])
    later = " ".join(s.lines[1:])
    if not call:
        return _argument_written_over(s, program)
    over = [n for n in s.reads if program.variables[n].shape == program.variables[s.name].shape
            and not any(re.search(rf"\b{m}\b", later) for m in {n, *views.get(n, ())})]
    return sorted(over, key=lambda n: n == call[1])


def _argument_written_over(s, program):
    """Return the variable that a helper reads before it fills the next one with it, entry by entry."""
    call = re.match(rf"{s.name} = (\w+)\(([\w, ]+), array\(", s.lines[0])
    if not call or call[1] not in INTO:
        return []
    names = call[2].split(", ")
    name = names[INTO[call[1]]]
    alone = name in program.variables and names.count(name) == 1 and len(s.lines) == 1
    return [name] if alone and program.variables[name].shape == program.variables[s.name].shape else []


def _is_new(s, program):
    """Tell whether what a statement makes is certainly no view of what it reads."""
    loops = any(line.startswith("for ") for line in s.lines)        # a loop fills rows of arrays that are there
    return loops or _fills(s) or not program.variables[s.name].shape or bool(SUMS.match(s.lines[-1]))


def _last_uses(statements, program, kept):
    """Return where each variable is read last: what may be a view of it counts too."""
    last: dict[str, int] = dict.fromkeys(kept, len(statements))
    for k in reversed(range(len(statements))):
        s = statements[k]
        until = k if _is_new(s, program) else max(k, last.get(s.name, k))
        for name in s.reads:
            last[name] = max(last.get(name, 0), until)
    return last
