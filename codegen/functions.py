"""The module of a program of one function: Hessians, their products, Jacobians. No loss and no residuals."""

from dataclasses import dataclass
from functools import cached_property

from sympy import Symbol

from derive.arrays import shape_text
from derive.program import Program
from derive.text import Texts

from . import checks, helpers, parts
from .layout import WIDTH, assignment, rows, signature
from .lowering import lowered
from .module import Plan, statements_of
from .numpy_text import NumpyPrinter
from .sizes import Sizes


@dataclass
class FunctionPlan(Plan):
    """The statements of one function, kept where `Plan` has those of `predict`."""

    @cached_property
    def texts(self) -> Texts:
        return Texts(self.program)

    @property
    def keyword_sizes(self) -> list[Symbol]:
        """The sizes that the arguments do not tell."""
        needed = list(self.printers["predict"].sizes.values())
        needed += [s for v in self.program.kind("labels") if v.classes is not None for s in v.classes.free_symbols]
        return Sizes(self.program, [*self.program.parameters, *self.program.inputs]).missing(needed)


def planned(program: Program) -> FunctionPlan:
    """Return the statements of a program of one function."""
    low = lowered(program)
    states = frozenset(v.name for v in low.program.variables.values() if v.state)
    adjoint = frozenset(n for n, v in program.variables.items() if v.primal)
    labels = frozenset(v.name for v in program.kind("labels"))
    printer = NumpyPrinter(states, adjoint, labels=labels, taps=low.taps)
    return FunctionPlan(program, low, [], [], statements_of(low.program.equations, low, printer), {"predict": printer})


def source(program: Program) -> str:
    """Return the text of the module of a program of one function."""
    plan = planned(program)
    code = function(plan)
    pieces = [parts.imports(plan), _params_class(plan), _result_class(plan), code, helpers.definitions(plan, code),
              checks.checked(plan), checks.match(plan)]
    head = f"{parts.docstring(plan)}\n\n{pieces[0]}"
    return "\n\n\n".join([head, *(p for p in pieces[1:] if p)]) + "\n"


def function(plan: FunctionPlan) -> str:
    """The function itself."""
    program = plan.program
    names = checks.arguments(program)
    directions = [v.name for v in program.directions]
    given = [n for n in names if n not in directions]
    outer, inner = (given, given) if not directions else ([*given, "direction"], [*given, "*direction"])
    sizes = [s.name for s in plan.keyword_sizes]
    body = parts.body(plan, plan.predict, "predict", [*program.parameters, *program.inputs], given=sizes)
    return "\n".join([
        *signature(program.function, outer, plan.keyword_sizes), f'    """{_told(program)}"""',
        *assignment(names, parts.call("_checked", inner, plan.keyword_sizes)), *body, *_returned(program),
    ])


def _told(program):
    """Say what the function returns."""
    entries = ", ".join(f"{n} {shape_text(program.variables[n].shape)}" for n in program.results.values())
    if _is_by_parameter(program):
        return f"Return the {program.subject}: an array for each parameter."
    if len(program.results) == 1 and len(entries) < 80:
        return f"Return the {program.subject}, {entries}."
    return f"Return the {program.subject}."


def _is_by_parameter(program):
    """Tell whether there is one result for each parameter."""
    return list(program.results) == [p.name for p in program.parameters]


def _result_name(program):
    return "".join(w.capitalize() for w in program.function.split("_"))


def _returned(program):
    names = list(program.results.values())
    if _is_by_parameter(program):
        call = "Params"
    elif len(names) == 1:
        return [f"    return {names[0]}"]
    else:
        call = _result_name(program)
    line = f"    return {call}({', '.join(names)})"
    return [line] if len(line) <= WIDTH else [f"    return {call}(", *rows(names), "    )"]


def _params_class(plan):
    """The NamedTuple of parameters, where a direction or a result has one entry for each."""
    program = plan.program
    return parts.params_class(plan) if program.directions or _is_by_parameter(program) else ""


def _result_class(plan):
    """The NamedTuple of the results, where there are several that are not one for each parameter."""
    program = plan.program
    if _is_by_parameter(program) or len(program.results) == 1:
        return ""
    lines = [f"class {_result_name(program)}(NamedTuple):", f'    """The {program.subject}, block by block."""', ""]
    return "\n".join(lines + [f"    {entry}: np.ndarray" for entry in program.results])
