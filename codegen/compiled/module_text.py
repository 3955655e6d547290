"""The pieces of a module in the style compiled that the plain one does not have."""

from collections.abc import Sequence
from dataclasses import replace

from derive.program import Program, is_cyclic
from derive.simplify import without_outputs
from derive.terms import read_name, reads

from .. import called, newton_text, parts, workspace
from ..block_text import Inner, computed, outer
from ..blocks import blocked
from ..checks import arguments
from ..fast import in_place
from ..inplace import InPlacePrinter
from ..layout import as_tuple, wrapped
from ..loop_arrays import WorkspaceArrays
from ..lowering import Lowered, lowered
from ..maxima import with_relus_after_maxima
from ..module import Plan
from ..numpy_text import NumpyPrinter
from ..shared_exponentials import with_shared_exponentials
from ..slots import in_slots
from ..statements import Statement, statement
from ..surroundings import around
from . import functions_text
from .half_exponentials import MADE, half_exp, without_them
from .products import with_named_products
from .reductions import Split
from .runs import Run, in_order, plain_names
from .turns import CompiledLoop
from .writing import Function, function


def pieces(plan: Plan) -> tuple[list[str], str] | None:
    """Return what the style has in place of `loss_and_grads`, and its C; None where there is nothing to compile.

    Rows go through in blocks where NumPy computes something between the functions in C, each of which goes by rows.
    """
    program = with_relus_after_maxima(without_outputs(plan.program))
    block = None if program.checked else blocked(program)
    own, made, alone = _planned(block.program if block else program)
    if not made:
        return None
    if block and alone:
        block, (own, made, _) = None, _planned(program)
    plan.printers["compiled"] = printer = own.printers["forward"]
    printer.helpers["zeroed"] = None                            # left out of the module where nothing calls it
    first = program.parameters[0].name if program.parameters else arguments(program)[0]
    before = [
        f"    compiled = _compiled({first}.dtype)",
        "    if compiled is None:",
        *wrapped(f"        loss, residuals = {parts.call('forward', arguments(program), plan.keyword_sizes)}"),
        "        return loss, backward(residuals)",
    ]
    whole = called.loss_and_grads(program)
    whole = replace(whole, told=f"{whole.told.removesuffix('.')}; compiled, or in NumPy where there is no C compiler.")
    inner = Inner(own, block, passed=["compiled"])
    code = computed(plan, whole, inner, ", by compiled functions")
    return [workspace.definition(code), outer(plan, whole, inner, before), code], _source(made)


def _planned(program: Program) -> tuple[Plan, list[Function], bool]:
    """Return the statements of a program, the functions in C that they call, and whether they do nothing else."""
    low = lowered(program, kept_windows=True)
    low = replace(low, program=with_shared_exponentials(low.program, half_exp, MADE, even=True))
    known = around(program, low)
    plain = NumpyPrinter(**known, joined=True)
    fast = InPlacePrinter(**known, joined=True, sizes=plain.sizes, helpers=plain.helpers, scipy=plain.scipy)
    names = plain_names(low.program, NumpyPrinter(**known))
    low = with_named_products(low, names)
    split = Split(low.program.variables, {s.name for s in low.program.sizes})
    sorted_parts = in_order(low.program, names, split)
    wanted = _wanted(program, sorted_parts)
    lines: list[Statement] = []
    made: list[Function] = []
    for part in sorted_parts:
        if isinstance(part, Run):
            made.append(function(_called(part), part.assignments, split.variables, wanted & set(part.names)))
            lines += _call(made[-1], low, plain)
        else:
            lines += _numpy(part, low, plain, fast, split, made)
    lines = in_slots(lines, low.program, {program.loss, *(program.adjoints[p.name] for p in program.parameters)})
    own = Plan(program, low, [], lines, [], {"forward": plain, "backward": plain, "predict": plain})
    return own, made, all(isinstance(part, Run) for part in sorted_parts)


def _wanted(program, sorted_parts):
    """Return what is read outside the run that computes it, and what the module returns."""
    made = {n for part in sorted_parts for n in (part.names if isinstance(part, Run) else [e.name for e in part])}
    wanted = {program.loss, *(program.adjoints[p.name] for p in program.parameters)}
    for part in sorted_parts:
        if isinstance(part, Run):
            wanted |= {read_name(r) for a in part.assignments for r in reads(a.value, made)} - set(part.names)
        else:
            wanted |= {read_name(r) for e in part for side in (e.rhs, e.start) for r in reads(side, made)}
    return wanted


def _called(run):
    """Return the name of a C function: the first variable that it computes, and the last."""
    return f"{run.names[0]}_to_{run.names[-1]}" if len(run.names) > 1 else f"only_{run.names[0]}"


def _numpy(group, low: Lowered, plain, fast, split, made) -> list[Statement]:
    """Return the statements of equations that NumPy computes, and C in the turns of recurrences."""
    group = [e.with_rhs(without_them(e.rhs)) for e in group]
    if any(e.implicit for e in group) and not any(low.program.variables[e.name].state for e in group):
        return newton_text.statements(group, lambda e: statement(e, low.program, plain), plain, low.program,
                                      low.program.equations, set())
    if is_cyclic(group):
        *before, loop = CompiledLoop(group, low.program, plain, WorkspaceArrays(plain, fast), split, made).statements()
        return [*before, replace(loop, reads=(*loop.reads, *dict.fromkeys(e.name for e in group)))]
    return [in_place(group[0], low, plain, fast)]


def _call(of: Function, low: Lowered, printer: NumpyPrinter) -> list[Statement]:
    """Return the statements that make the arrays of a function, and call it."""
    def array(name, shape):
        return f'array("{name}"{"".join(f", {printer.size(s).code}" for s in shape)})'

    shapes = {name: low.program.variables[name].shape for name in of.made}
    statements = [Statement(name, (f"{name} = {array(name, shape)}",), (), marks=()) for name, shape in shapes.items()]
    buffers = [array(name, shape) for name, shape in of.buffers.items()]
    arrays, sizes = as_tuple([*of.given, *of.made, *buffers]), as_tuple([printer.size(s).code for s in of.sizes])
    call = f"_call(compiled.{of.name}, {arrays}, {sizes})"
    numbers = [f"{n} = {n}[()]" for n in of.made if not low.program.variables[n].shape]
    read = tuple(dict.fromkeys([*of.given, *of.made]))
    return [*statements, Statement(of.made[-1], (call, *numbers), read, shown=False, marks=())]


def _source(made: Sequence[Function]) -> str:
    """Return the C text as a constant of the module."""
    used = dict.fromkeys(name for of in made for name in of.used)
    text = "\n\n".join([functions_text.PRELUDE, functions_text.definitions(used), *(of.text for of in made)])
    return f"SOURCE = r'''\n{text}\n'''"
