"""The layout of a generated module: docstring, Params, forward, backward, loss_and_grads, predict, sgd_step, checks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from sympy import Symbol

from derive.collecting import uncollected
from derive.errors import DerivationError
from derive.program import Equation, Program, checked_program, is_cyclic, ordered
from derive.text import Texts

from . import assumptions, checks, helpers, newton_text, parts
from .complements import with_complements
from .loops import looped
from .lowering import Lowered, lowered
from .numpy_text import NumpyPrinter
from .shared_exponentials import with_shared_exponentials
from .shared_values import with_shared_values
from .sizes import Sizes
from .statements import Statement, statement
from .surroundings import around

STYLES = ("plain", "fast", "compiled", "scalar")


@dataclass
class Plan:
    """A program's statements, forward and backward, and what stands between them."""

    program: Program
    lowered: Lowered
    forward: list[Statement]
    backward: list[Statement]
    predict: list[Statement]
    printers: dict[str, NumpyPrinter] = field(default_factory=dict)

    @cached_property
    def texts(self) -> Texts:
        """The program's equations as text."""
        return Texts(self.program)

    @property
    def residuals(self) -> list[str]:
        """The names that `backward` reads from `forward`, in the order declared."""
        made = {s.name for s in self.backward}
        needed = {n for s in self.backward for n in s.reads} - made
        return [n for n in self.lowered.program.variables if n in needed]

    @property
    def keyword_sizes(self) -> list[Symbol]:
        """The sizes that the arguments do not tell."""
        needed = [s for part in ("forward", "backward") for s in self.printers[part].sizes.values()]
        needed += [s for v in self.program.kind("labels") if v.classes is not None for s in v.classes.free_symbols]
        return Sizes(self.program, [*self.program.parameters, *self.program.inputs]).missing(needed)


def planned(program: Program) -> Plan:
    """Return the statements of a derived program.

    Raises
    ------
    DerivationError
        What cannot be printed as NumPy; the message names the equation.
    """
    low = with_complements(lowered(with_shared_values(program)))
    low = replace(low, program=with_shared_exponentials(low.program))
    printers = {part: NumpyPrinter(**around(program, low)) for part in ("forward", "backward", "predict")}
    ahead = [e for e in low.program.equations if e.name not in low.backward]
    back = [e for e in low.program.equations if e.name in low.backward]
    backward = statements_of(back, low, printers["backward"])
    made = {s.name for s in backward}
    needed = {program.loss, *program.checked} | {n for s in backward for n in s.reads if n not in made}
    forward = statements_of(_needed(ahead, needed), low, printers["forward"])
    forward = assumptions.beside(forward, program, printers["forward"])
    outputs = set(program.outputs)
    predict = statements_of(_needed(ahead, outputs), low, printers["predict"], outputs) if outputs else []
    return Plan(program, low, forward, backward, predict, printers)


def statements_of(equations, low: Lowered, printer: NumpyPrinter, outputs: set[str] | None = None
                  ) -> list[Statement]:
    """Return the statements of equations, each after all that it reads.

    `outputs` are all that is wanted of them; where they are not told, whatever the program reads is.
    """
    readers = low.program.equations if outputs is None else equations
    result = []
    for group in ordered(equations):
        if any(e.implicit for e in group) and not any(low.program.variables[e.name].state for e in group):
            result += newton_text.statements(group, lambda e: _statement(e, low, printer), printer, low.program,
                                             readers, outputs or set())
            continue
        if is_cyclic(group):
            result += looped(group, low.program, printer)
            continue
        result.append(_statement(group[0], low, printer))
    return result


def _statement(equation, low, printer):
    try:
        return statement(equation, low.program, printer)
    except (ValueError, NotImplementedError) as error:
        raise DerivationError(f"{equation.name}: {error}") from error


def _needed(equations: list[Equation], wanted: set[str]) -> list[Equation]:
    """Return the equations that the wanted variables need."""
    from derive.terms import read_name, reads

    lines: dict[str, list[Equation]] = {}
    for e in equations:
        lines.setdefault(e.name, []).append(e)
    live: set[str] = set()
    todo = [n for n in lines if n in wanted]
    while todo:
        name = todo.pop()
        if name not in live:
            live.add(name)
            todo += [read_name(r) for e in lines[name] for side in (e.rhs, e.start) for r in reads(side, lines)]
    return [e for e in equations if e.name in live]


@uncollected()
def source(program: Program, style: str = "plain", sizes: Mapping[str, int] | None = None) -> str:
    """Return the text of the NumPy module of a derived program.

    `style` is "plain", as an expert writes it to be read, or "fast", where `loss_and_grads`, or the one function of a
    program such as a Hessian, goes through blocks of rows that stay in cache, in arrays that are used again. Of loss
    and gradients there are two more: "compiled", where C does what stands between matrix products (any other function
    is that of "fast"), and "scalar", straight-line Python on floats for a program whose sizes are small numbers;
    `sizes` gives those that are symbolic: {"D": 2}.

    Raises
    ------
    DerivationError
        What cannot be printed as NumPy; the message names the equation.
    ValueError
        There is no such style.
    """
    checked_program(program)
    if style not in STYLES:
        raise ValueError(f"style is {style!r}; expected one of {', '.join(STYLES)}")
    if style == "scalar" and program.results:
        raise DerivationError(f"the style scalar is for losses and gradients, and {program.name} computes the "
                              f"{program.subject}; take plain or fast")
    if style == "scalar":
        from .scalar_module import source as of_scalars

        return of_scalars(program, sizes)
    if sizes:
        raise ValueError(f"sizes are given, for which the style {style} has no use; leave them out, or use scalar")
    if program.results:
        from .functions import source as of_one_function

        return of_one_function(program, style)
    plan = planned(program)
    own = _of_style(plan, style)
    functions = [parts.forward(plan), parts.backward(plan), *own.functions, parts.predict(plan)]
    pieces = [
        parts.docstring(plan, own.told), parts.imports(plan, own.imports), parts.params_class(plan),
        *functions, parts.sgd_step(), helpers.definitions(plan, "".join(functions), style),
        checks.checked(plan), checks.match(plan), *own.last,
    ]
    head = "\n\n".join(pieces[:2])
    return "\n\n\n".join([head, *(p for p in pieces[2:] if p)]) + "\n"


@dataclass(frozen=True)
class Own:
    """What is a style's own: `loss_and_grads`, its imports, what stands at the end, what the docstring tells."""

    functions: list[str]
    imports: Sequence[str] = ()
    last: Sequence[str] = ()
    told: str = ""


def _of_style(plan: Plan, style: str) -> Own:
    if style == "plain":
        return Own([parts.loss_and_grads(plan)])
    from . import called
    from .fast import pieces as fast

    whole = called.loss_and_grads(plan.program)
    if style == "fast":
        return Own(fast(plan, whole))
    from .compiled import library_text
    from .compiled.module_text import pieces as compiled

    found = compiled(plan)
    if found is None:
        return Own(fast(plan, whole), told=library_text.NOTHING)
    functions, text = found
    bound = [library_text.BOUND] if any("_bound(" in f for f in functions) else []
    return Own(functions, library_text.IMPORTS, [text, library_text.LIBRARY, *bound])
