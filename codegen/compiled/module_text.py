"""The pieces of a module in the style compiled that the plain one does not have."""

from collections.abc import Sequence
from dataclasses import replace

from derive.program import is_cyclic
from derive.terms import read_name, reads

from .. import newton_text, parts
from ..checks import arguments
from ..fast import WORKSPACE, in_place
from ..inplace import InPlacePrinter
from ..layout import as_tuple, assignment, signature, wrapped
from ..loop_arrays import WorkspaceArrays
from ..lowering import Lowered, lowered
from ..maxima import with_relus_after_maxima
from ..module import Plan
from ..numpy_text import NumpyPrinter
from ..slots import in_slots
from ..statements import Statement, statement
from . import functions_text
from .products import with_named_products
from .reductions import Split
from .runs import Run, in_order, plain_names
from .turns import CompiledLoop
from .writing import Function, function


def pieces(plan: Plan) -> tuple[list[str], str] | None:
    """Return what the style has in place of `loss_and_grads`, and its C; None where there is nothing to compile."""
    program = plan.program
    low = lowered(with_relus_after_maxima(program))
    labels = frozenset(v.name for v in program.kind("labels"))
    states = frozenset(v.name for v in low.program.variables.values() if v.state)
    adjoints = frozenset(program.adjoints.values())
    plain = NumpyPrinter(states, adjoints, labels=labels, taps=low.taps, joined=True)
    fast = InPlacePrinter(states, adjoints, labels=labels, taps=low.taps, joined=True, sizes=plain.sizes,
                          helpers=plain.helpers, scipy=plain.scipy)
    names = plain_names(low.program, NumpyPrinter(states, adjoints, labels=labels, taps=low.taps))
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
    if not made:
        return None
    lines = in_slots(lines, low.program, {program.loss, *(program.adjoints[p.name] for p in program.parameters)})
    own = Plan(program, low, lines, [], [], {"forward": plain, "backward": plain, "predict": plain})
    plan.printers["compiled"] = plain
    return [WORKSPACE, _loss_and_grads(plan), _computed(plan, own)], _source(made)


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


def _computed(plan, own) -> str:
    program = own.program
    names = arguments(program)
    gradients = ", ".join(program.adjoints[p.name] for p in program.parameters)
    arrays = [*program.parameters, *program.inputs]
    body = parts.body(own, own.forward, "backward", arrays, own.texts.quotes(), [s.name for s in plan.keyword_sizes])
    return "\n".join([
        *signature("_computed", [*names, "array", "compiled"], plan.keyword_sizes),
        '    """Return the loss and its gradients, by compiled functions, into arrays that `array` hands out."""',
        *body, *wrapped(f"    return {program.loss}, Params({gradients})"),
    ])


def _loss_and_grads(plan) -> str:
    program, names = plan.program, arguments(plan.program)
    first = program.parameters[0].name if program.parameters else names[0]
    return "\n".join([
        *signature("loss_and_grads", [*names, "workspace=None"], plan.keyword_sizes),
        '    """Return the loss and its gradients, a `Params`; compiled, or in NumPy where there is no C compiler.',
        "",
        "    With a `Workspace`, the gradients are arrays of it, which the next call writes over.",
        '    """',
        *assignment(names, parts.call("_checked", names, plan.keyword_sizes)),
        f"    compiled = _compiled({first}.dtype)",
        "    if compiled is None:",
        *wrapped(f"        loss, residuals = {parts.call('forward', names, plan.keyword_sizes)}"),
        "        return loss, backward(residuals)",
        f"    array = (Workspace() if workspace is None else workspace).arrays({first}.dtype)",
        *wrapped(f"    return {parts.call('_computed', [*names, 'array', 'compiled'], plan.keyword_sizes)}"),
    ])


def _source(made: Sequence[Function]) -> str:
    """Return the C text as a constant of the module."""
    used = dict.fromkeys(name for of in made for name in of.used)
    text = "\n\n".join([functions_text.PRELUDE, functions_text.definitions(used), *(of.text for of in made)])
    return f"SOURCE = r'''\n{text}\n'''"
