"""The fast style: the same lines as in the plain one, a block of rows at a time, into arrays that are used again."""

import re
from dataclasses import replace

from derive.forms import form
from derive.nodes import Apply, Gather, Node, Product, Read, Reduction, Scalar, Spread, Transpose
from derive.program import Equation, Program, is_cyclic, ordered
from derive.simplify import without_outputs
from derive.terms import reads

from . import assumptions, newton_text, taps, workspace
from .block_text import Inner, computed, outer
from .blocks import Blocked, blocked
from .called import Called
from .complements import with_complements
from .factors_written_over import with_factors_written_over
from .inplace import InPlacePrinter
from .known_factors import with_known_factors_ahead
from .loop_arrays import NewArrays, WorkspaceArrays
from .loops import looped
from .lowering import Lowered, lowered
from .maxima import with_relus_after_maxima
from .module import Plan
from .numpy_text import NumpyPrinter
from .operand_layouts import layouts
from .polynomials import with_numbers_inside
from .row_windows import with_windows_along_rows
from .shared_exponentials import with_shared_exponentials
from .shared_values import with_shared_values
from .slots import in_slots
from .statements import Statement, fresh_first, is_tiled, scaled, split, statement
from .surroundings import around
from .unstacked import with_gates_apart
from .updates_in_place import tile, updated, zeros


def pieces(plan: Plan, called: Called) -> list[str]:
    """Return the text of what the fast style has in place of the function that is called."""
    inner = scheduled(plan.program, called)
    plan.printers["fast"] = inner.plan.printers["forward"]
    code = computed(plan, called, inner)
    return [workspace.definition(code), outer(plan, called, inner), code]


def scheduled(program: Program, called: Called) -> Inner:
    """Return the statements of a program, in place, over a block of its rows where they do not depend on each other."""
    program = with_gates_apart(with_relus_after_maxima(without_outputs(program)))
    block = None if program.checked else blocked(program)       # what is assumed of a variable is about all its rows
    own = block.program if block else program
    shared = with_shared_values(with_numbers_inside(own))
    low = with_windows_along_rows(with_complements(lowered(shared, whole_rows=True)))
    low = replace(low, program=with_shared_exponentials(low.program))
    low = with_known_factors_ahead(low)
    known = around(own, low)
    plain = NumpyPrinter(**known, joined=True)
    fast = InPlacePrinter(**known, joined=True, layouts=layouts(low.program), sizes=plain.sizes, helpers=plain.helpers,
                          scipy=plain.scipy)
    groups = ordered(low.program.equations)
    if not own.results:
        groups = sorted(groups, key=lambda group: group[0].name in low.backward)
    lines = [s for group in groups for s in _filled(group, low, plain, fast)]
    lines = in_slots(assumptions.beside(lines, own, plain), low.program, set(called.results))
    lines, placed = _in_their_place(lines, block, called, fast) if block else (lines, ())
    ahead = [s for s in lines if own.results or s.name not in low.backward]
    back = [s for s in lines if s not in ahead]
    plain.helpers["zeroed"] = None                              # left out of the module where nothing calls it
    once = [s.name for s in lines if any(workspace.ASKED_FOR_ZEROS in line for line in s.lines)]
    return Inner(Plan(own, low, ahead, back, [], {"forward": plain, "backward": plain, "predict": plain}),
                 block, placed, once)


def _filled(group: list[Equation], low: Lowered, plain: NumpyPrinter, fast: InPlacePrinter) -> list[Statement]:
    """Return the statements of equations that wait for each other, or of one alone."""
    if any(e.implicit for e in group) and not plain.states & {e.name for e in group}:
        return newton_text.statements(group, lambda e: statement(e, low.program, plain), plain, low.program,
                                      low.program.equations, set(low.program.results.values()))
    if is_cyclic(group):
        *made, loop = looped(group, low.program, plain, WorkspaceArrays(plain, fast))
        loop = replace(loop, reads=(*loop.reads, *dict.fromkeys(e.name for e in group)))
        return with_factors_written_over(made, loop, low.program)
    return [in_place(group[0], low, plain, fast)]


def _in_their_place(lines: list[Statement], block: Blocked, called: Called, fast: InPlacePrinter
                    ) -> tuple[list[Statement], list[str]]:
    """Return the lines, results that have rows filled where the caller has them, and which these are."""
    placed, result = [], []
    for s in lines:
        if s.name in called.results and s.name in block.rows:
            where = fast.array(s.name, block.program.variables[s.name].indices)
            kept = where.removesuffix(")") + workspace.ASKED_FOR_ZEROS
            filled = (line.replace(kept, f"_zeroed({s.name})").replace(where, s.name) for line in s.lines)
            changed = tuple(line for line in filled if line != f"{s.name} = {s.name}")
            placed += [s.name] if changed != s.lines else []
            s = replace(s, lines=changed)
        result.append(s)
    return result, placed


def in_place(equation: Equation, low: Lowered, plain: NumpyPrinter, fast: InPlacePrinter) -> Statement:
    """Return the statement of an equation, filling an array where it can."""
    usual = statement(equation, low.program, plain)
    fast.like, fast.risky = plain.like, False
    outer, dense, updates = split(equation, low.program)
    integer = equation.lhs.is_integer
    special = taps.lines(equation, low.program, plain, NewArrays(plain) if integer else WorkspaceArrays(plain, fast))
    if special:
        return replace(usual, lines=tuple(special))
    if usual.risky or equation.free != equation.indices or low.program.variables[equation.name].state:
        return usual
    node = form(dense if updates else equation.rhs, equation.free)
    where = fast.array(equation.name, equation.free) if equation.free else ""
    wanted = equation.name in low.program.wanted and not integer
    if not updates and not node.axes and not reads(equation.rhs, low.program.variables):
        filled = [f"{equation.name} = {where}", f"{equation.name}.fill({plain.code(node)})"]
        return replace(usual, lines=tuple(filled), reads=()) if wanted and where else usual
    if not equation.free and isinstance(node, Scalar):
        return usual                                            # a copy, where it is handed back
    if not equation.free:
        before, code = fast.expression(node)
        return replace(usual, lines=(*before, f"{equation.name} = {code}"))
    if isinstance(node, Reduction):
        before, code = fast.expression(node)
        return usual if updates else replace(usual, lines=(*before, f"{equation.name} = {code}"))
    if is_tiled(equation, dense, updates):
        tiles = (line for u in updates for line in tile(equation, u, low.program, plain, fast))
        lines = [f"{equation.name} = {where}", *tiles]
        return replace(usual, lines=(*lines, *scaled(equation.name, outer, equation, plain)))
    lines = _dense(equation, node, where, wanted or bool(updates), fast)
    if updates and dense == 0 and not integer:
        lines = [zeros(equation, updates, low.program, where)]
    if not lines:
        return usual
    for u, fresh in fresh_first(dense, updates):
        lines += updated(equation, u, fresh, low.program, plain, fast)
    if updates:
        lines += scaled(equation.name, outer, equation, plain)
    return replace(usual, lines=tuple(lines), risky=fast.risky)


def _dense(equation: Equation, node: Node, where: str, own: bool, fast: InPlacePrinter) -> list[str]:
    """Return the lines that fill the array `where`, what is read as it is where it has to be an array of its `own`."""
    if isinstance(node, Apply | Product) and node.axes == equation.free:
        return fast.filled(equation.name, node, where)
    if equation.lhs.is_integer:
        return []
    rows = re.fullmatch(r"(\w+)(\.take\(\w+, axis=0)\)", fast.code(node)) if isinstance(node, Gather) else None
    if rows and rows[1] not in fast.counted:                    # labels are in range: nothing is clipped
        return [f'{equation.name} = {rows[1]}{rows[2]}, mode="clip", out={where})']
    if not own or not isinstance(node, Read | Gather | Transpose | Spread):
        return []
    before, code = fast.expression(node)
    if isinstance(node, Spread):
        return [*before, f"{equation.name} = {where}", f"{equation.name}[...] = {code}"]
    return [*before, f"{equation.name} = np.positive({code}, out={where})"]
