"""The module of a program of one function: Hessians, their products, Jacobians. No loss and no residuals."""

from dataclasses import dataclass

from sympy import Symbol

from derive.program import Program

from . import checks, fast, helpers, parts
from .called import Called, is_by_parameter, of_results, tuple_name
from .compiled import library_text
from .complements import with_complements
from .layout import WIDTH, assignment, rows, signature
from .lowering import lowered
from .module import Plan, statements_of
from .numpy_text import NumpyPrinter
from .sizes import Sizes
from .surroundings import around


@dataclass
class FunctionPlan(Plan):
    """The statements of one function, kept where `Plan` has those of `predict`."""

    @property
    def keyword_sizes(self) -> list[Symbol]:
        """The sizes that the arguments do not tell."""
        needed = list(self.printers["predict"].sizes.values())
        needed += [s for v in self.program.kind("labels") if v.classes is not None for s in v.classes.free_symbols]
        return Sizes(self.program, [*self.program.parameters, *self.program.inputs]).missing(needed)


def planned(program: Program) -> FunctionPlan:
    """Return the statements of a program of one function."""
    low = with_complements(lowered(program))
    printer = NumpyPrinter(**around(program, low))
    return FunctionPlan(program, low, [], [], statements_of(low.program.equations, low, printer), {"predict": printer})


def source(program: Program, style: str = "plain") -> str:
    """Return the text of the module of a program of one function, in the style plain or fast."""
    plan, called = planned(program), of_results(program)
    functions = [function(plan, called)] if style == "plain" else fast.pieces(plan, called)
    told = "" if style != "compiled" else library_text.GRADIENTS_ALONE
    pieces = [parts.imports(plan), _params_class(plan), _result_class(plan), *functions,
              helpers.definitions(plan, "".join(functions), style), checks.checked(plan), checks.match(plan)]
    head = f"{parts.docstring(plan, told)}\n\n{pieces[0]}"
    return "\n\n\n".join([head, *(p for p in pieces[1:] if p)]) + "\n"


def function(plan: FunctionPlan, called: Called) -> str:
    """The function itself."""
    program = plan.program
    sizes = [s.name for s in plan.keyword_sizes]
    body = parts.body(plan, plan.predict, "predict", [*program.parameters, *program.inputs], given=sizes)
    return "\n".join([
        *signature(program.function, called.given, plan.keyword_sizes), f'    """{called.told}"""',
        *assignment(checks.arguments(program), parts.call("_checked", called.checked, plan.keyword_sizes)),
        *parts.as_python(plan.keyword_sizes), *body, *_returned(called),
    ])


def _returned(called):
    line = f"    return {called.returned}"
    if len(line) <= WIDTH:
        return [line]
    opening, _, results = line.removesuffix(")").partition("(")
    return [f"{opening}(", *rows(results.split(", ")), "    )"]


def _params_class(plan):
    """The NamedTuple of parameters, where a direction or a result has one entry for each."""
    program = plan.program
    return parts.params_class(plan) if program.directions or is_by_parameter(program) else ""


def _result_class(plan):
    """The NamedTuple of the results, where there are several that are not one for each parameter."""
    program = plan.program
    if is_by_parameter(program) or len(program.results) == 1:
        return ""
    lines = [f"class {tuple_name(program)}(NamedTuple):", f'    """The {program.subject}, block by block."""', ""]
    return "\n".join(lines + [f"    {entry}: np.ndarray" for entry in program.results])
