"""The pieces of a generated module, each a function from a plan to text."""

import re
import textwrap

from sympy import Max, sympify

from derive.arrays import shape_text
from derive.cost import leading_grouped, moved, operations_told, residuals
from derive.kinks import conventions
from derive.program import Variable
from derive.wording import quoted

from .called import handed_back
from .checks import arguments, predict_inputs, required_arguments
from .folding import broken, folded
from .layout import COLUMN, WIDTH, as_tuple, assignment, rows, signature, with_comment, wrapped
from .named_masks import with_masks_named
from .sizes import Sizes

POWER, INVERSE = re.compile(r"\w\^[\w(]|\)\^(?!\(-1\))"), re.compile(r"diag\(\w+\)\^\(-1\)")
UNBROKEN = "\N{NO-BREAK SPACE}"


# ---- the head


def docstring(plan, told="") -> str:
    """What the module computes, in the paper's names: the system, the arguments, the conventions, the source."""
    program = plan.program
    subject = _together(program.subject or "loss and gradients")
    lines = [*_sentence(f"{program.title}{';' if ':' in program.title else ':'} {subject}.", WIDTH - len('"""')), ""]
    lines += _table([(line, _shape(v), v.note) for line, v in plan.texts.system()])
    lines.append("")
    facts = []
    if program.parameters:
        facts.append(("Parameters", f"{_listed(program.parameters)}; their dtype is the result's."))
    if _inputs_listed(program):
        facts.append(("Inputs", f"{_inputs_listed(program)}."))
    if plan.keyword_sizes:
        facts.append(("Sizes", f"{', '.join(s.name for s in plan.keyword_sizes)}, given by keyword."))
    if program.derived:
        relations = (f"{s} = {_together(plan.texts.expression(e))}" for s, e in program.derived.items())
        facts.append(("where", f"{'; '.join(relations)}."))
    if program.outputs:
        facts.append(("Outputs", f"{_listed([program.variables[n] for n in program.outputs])}, by `predict`."))
    facts += [("Assumes", f"{a}.") for a in plan.texts.assumptions()]
    work, iterated = operations_told(program)
    amounts = [work, moved(program), *([residuals(program)] if program.backward else [])]
    units = ("operations", "bytes read and written", "bytes kept for `backward`")
    costs = [f"{leading_grouped(a, program.derived)} {unit}" for a, unit in zip(amounts, units, strict=False)]
    order = ", to leading order" if any(a.free_symbols for a in amounts) else ""
    steps = f"; one step of Newton's method for {', '.join(iterated)} is counted" if iterated else ""
    facts.append(("Cost", f"{', '.join(costs)}{order}{steps}."))
    facts += [("Convention", f"{c}.") for c in conventions(program)]
    width = max((len(word) for word, _ in facts), default=0) + 2
    for word, sentence in facts:
        lines += _sentence(word.ljust(width) + sentence, subsequent_indent=" " * width)
    lines += ["", *_powers_told(plan), *_names_told(program), *([told] if told else [])]
    by = f"`{_together(command(program))}`; {_together('do not edit.')}"
    lines += _sentence(f"Generated from {program.source or 'a script'} by {by}")
    if program.source:
        lines += [f"The derivation is typeset in {program.name}.tex."]
    return quoted("\n".join([*lines, ""]))


def _sentence(words, width=WIDTH, **indents):
    """Return a sentence as lines; words that are kept together stay on one line."""
    wrapped = textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False, **indents)
    return [line.replace(UNBROKEN, " ") for line in wrapped]


def _together(words):
    return words.replace(" ", UNBROKEN)


def _powers_told(plan):
    """Say what a power of a whole array is, and that of a diagonal matrix."""
    whole = [line for line, v in plan.texts.system() if v.shape and "[" not in line]
    if any(POWER.search(line) for line in whole):
        inverse = "; diag(v)^(-1) is an inverse matrix" if any(INVERSE.search(line) for line in whole) else ""
        yield f"Powers, * and / act entry by entry{inverse}."


def _names_told(program):
    """Say what the names of derivatives stand for."""
    if not program.results or any(program.variables[e.name].primal for e in program.equations):
        yield "dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape."
    if program.directions:
        yield "Vdot is the tangent of V: its derivative in the direction, which has an array for each parameter."
    if any(e.name.startswith("J_") for e in program.equations):
        yield "J_V is what the derivative of V by a parameter needs, without the factors that it shares with others."


def command(program) -> str:
    """Return the command that generates a program's files."""
    if not program.source:
        return "codegen.source"
    of = f" --of {program.function}" if program.function else ""
    return f"derive build {program.network if program.source.startswith('derive/networks/') else program.source}{of}"


def _table(rows):
    """Lay out (equation, shape, note) in columns; long equations go on, indented, and so does a note without room."""
    left = min(max((len(line) for line, shape, _ in rows if shape), default=0), 72)
    middle = max((len(shape) for _, shape, _ in rows), default=0)
    lines = []
    for line, shape, note in rows:
        room = min(100, WIDTH - 7 - len(shape))
        first, *more = broken(line, room, room)
        whole = f"    {first.ljust(left)}   {shape.ljust(middle)}   {note}".rstrip()
        if len(whole) > WIDTH:
            whole, more = f"    {first.ljust(left)}   {shape}".rstrip(), [*more, f"({note})"]
        lines += [whole, *(f"        {rest}" for rest in more)]
    return lines


def _shape(variable: Variable) -> str:
    return shape_text(variable.shape) if variable.shape else ""


def _listed(variables):
    """Return names with their shapes, which stay on one line."""
    listed = (f"{v.name} {shape_text(v.shape)}" if v.shape else f"{v.name}, a scalar" for v in variables)
    return ", ".join(map(_together, listed))


def _inputs_listed(program):
    real = [v for v in program.inputs if v.kind == "input" and not v.tangent_of]
    ranges = {v: _together(f"[0, {v.classes})") for v in program.kind("labels")}
    labels = [f"labels {_listed([v])}, integers in {within}" if v.shape else f"label {v.name}, an integer in {within}"
              for v, within in ranges.items()]
    return "; ".join(([_listed(real)] if real else []) + labels)


def imports(plan, standard=()) -> str:
    """The imports: what a style takes of the standard library, NumPy, and SciPy only for functions that NumPy lacks."""
    special = sorted({name for p in plan.printers.values() for name in p.scipy})
    own = [*standard, "from functools import lru_cache", "from typing import NamedTuple"]
    lines = [*sorted(own, key=lambda line: (line.startswith("from"), line)), "", "import numpy as np"]
    solvers = sorted({name for p in plan.printers.values() for name in p.linalg})
    for room, names in (("linalg", solvers), ("special", special)):
        if names:
            lines.append(
                f"from scipy.{room} import {', '.join(names)}  # NumPy lacks {'it' if len(names) == 1 else 'them'}"
            )
    return "\n".join(lines)


def params_class(plan) -> str:
    """The NamedTuple of parameters."""
    lines = [
        "class Params(NamedTuple):",
        '    """The parameters, or anything with one entry for each of them: gradients, updates."""',
        "",
    ]
    return "\n".join(lines + [f"    {p.name}: np.ndarray" for p in plan.program.parameters])


# ---- forward and backward


def forward(plan) -> str:
    """The function `forward`."""
    program = plan.program
    names = arguments(program)
    given = [s.name for s in plan.keyword_sizes]
    statements = body(plan, plan.forward, "forward", [*program.parameters, *program.inputs], given=given)
    result = _returned(program.loss, _residual_names(plan))
    return "\n".join([
        *signature("forward", names, plan.keyword_sizes),
        '    """Return the loss and the residuals that `backward` reads."""',
        *assignment(names, call("_checked", names, plan.keyword_sizes)), *as_python(plan.keyword_sizes),
        *statements, *result,
    ])


def _returned(loss, names):
    """A line, or several in parentheses, that return the loss and the residuals."""
    line = f"    return {loss}, {as_tuple(names)}"
    return [line] if len(line) <= WIDTH else [f"    return {loss}, (", *rows(names), "    )"]


def _residual_names(plan):
    """The residuals, and the sizes that none of them shows."""
    variables = [plan.lowered.program.variables[n] for n in plan.residuals]
    needed = [s for n, s in plan.printers["backward"].sizes.items() if n not in plan.residuals]
    return [*plan.residuals, *(s.name for s in Sizes(plan.program, variables).missing(needed))]


def backward(plan) -> str:
    """The function `backward`: each adjoint under the line of the forward pass that it reverses."""
    program = plan.program
    variables = [plan.lowered.program.variables[n] for n in plan.residuals]
    names = _residual_names(plan)
    lines = ["def backward(residuals):", '    """Return the gradients: each line of `forward` reversed in turn."""']
    if names:
        lines += assignment(names, "residuals")
    lines += body(plan, plan.backward, "backward", variables, plan.texts.comments(), names)
    gradients = ", ".join(program.adjoints[p.name] for p in program.parameters)
    result = textwrap.wrap(
        f"    return Params({gradients})", WIDTH, subsequent_indent="        ", break_long_words=False
    )
    return "\n".join(lines + result)


def body(plan, statements, part, variables, quoted=None, given=()):
    """The sizes that are needed, then the statements, each with its shape beside it."""
    needed = set(plan.printers[part].sizes.values())
    if part == "forward":                   # and those that the residuals hand on
        kept = _residual_names(plan)
        needed |= {s for s in plan.program.sizes if s.name in kept}
    lines = [f"    {line}" for line in Sizes(plan.program, variables, given).lines(needed)]
    known = {v.name: v.shape for v in variables} | {s.name: () for s in plan.program.sizes}
    masks, statements = with_masks_named(statements, known, [*known, *plan.lowered.program.variables])
    lines += [""] if statements else []
    for mask, shape in masks:
        lines += with_comment(folded(f"    {mask}", WIDTH), f"# {shape_text(shape)}" if shape else "")
    for s, quotes in zip(statements, _quotes(statements, quoted or {}), strict=True):
        lines += [""] if lines[-1] and s.lines[0].startswith("def ") else []
        if 0 in quotes:
            lines += _quoted_over(quotes[0])
        part = next((p for p in plan.lowered.parts.values() if p.maxima.name == s.name), None)
        if part is not None:
            lines += _comment(_shift_comment(part, plan))
        pad = "        " if s.risky else "    "
        if s.risky:
            lines.append('    with np.errstate(all="ignore"):'.ljust(COLUMN) + "# np.where computes all branches")
        variable = plan.lowered.program.variables[s.name]
        shape = tuple(map(sympify, variable.shape))
        shape = (shape[0] + 1, *shape[1:]) if variable.state else shape
        told = _told_at(s) if shape and s.shown and not any(n.has(Max) for n in shape) else None
        for k, line in enumerate(s.lines):
            if k > 0 and k in quotes:
                lines += _quoted_over(quotes[k], pad[4:] + " " * (len(line) - len(line.lstrip())))
            beside = f"# {shape_text(shape)}" if k == told else ""
            lines += with_comment(folded(f"{pad}{line}", WIDTH), beside)
    return lines


def _told_at(s):
    """Return the line of a statement that its shape stands beside: the one that makes the array, or turns it round."""
    made = [k for k, line in enumerate(s.lines) if line.startswith(f"{s.name} = ")]
    turned = [k for k in made if s.lines[k].startswith(f"{s.name} = {s.name}.")]
    return next(iter((*turned, *made)), 0)


def _quotes(statements, quoted):
    """Return for each statement the quotes that stand over its lines, none twice in a row."""
    marks: list[tuple[tuple, ...]] = []
    for s in reversed(statements):
        own = ((0, s.name),) if s.marks is None else s.marks
        if s.marks is None and s.name not in quoted and marks and marks[0][:1]:     # a step towards the next one
            own = ((0, *marks[0][0][1:]),)
        marks.insert(0, own)
    result: list[dict[int, str]] = []
    last = None
    for s, own in zip(statements, marks, strict=True):
        result.append({})
        for line, *names in own:
            quote = next((quoted[n] for n in names if n in quoted), "")
            [*_, own_line] = quote.splitlines() or [last]
            if own_line != last:
                result[-1][line] = own_line if s.lines[line].startswith(" ") else quote
                last = own_line
        if s.marks and any(line.startswith("for ") for line in s.lines):        # what follows a loop is told anew
            last = None
    return result


def _comment(words, indent=""):
    """Return the lines of a comment."""
    first, rest = f"    {indent}# ", f"    {indent}#     "
    return textwrap.wrap(words, WIDTH - 4, initial_indent=first, subsequent_indent=rest, break_long_words=False,
                         break_on_hyphens=False)


def _quoted_over(quote, indent=""):
    """Return comments that quote equations, one or more lines for each."""
    first, rest = f"    {indent}# ", f"    {indent}#     "
    return [(rest if k else first) + line for equation in quote.splitlines()
            for k, line in enumerate(broken(equation, WIDTH - 4 - len(first), WIDTH - 4 - len(rest)))]


def loss_and_grads(plan) -> str:
    """The function `loss_and_grads`."""
    names = arguments(plan.program)
    return "\n".join([
        *signature("loss_and_grads", names, plan.keyword_sizes),
        '    """Return the loss and its gradients, a `Params`."""',
        *wrapped(f"    loss, residuals = {call('forward', names, plan.keyword_sizes)}"),
        "    return loss, backward(residuals)",
    ])


def as_python(sizes):
    """A line that makes Python's integers of sizes: with one of NumPy's, float32 would become float64."""
    names = list(map(str, sizes))
    return wrapped(f"    {', '.join(names)} = {', '.join(f'int({n})' for n in names)}") if names else []


def call(function, arguments, sizes):
    """A call that passes the sizes that only keywords tell."""
    return f"{function}({', '.join([*arguments, *(f'{s}={s}' for s in sizes)])})"


def predict(plan) -> str:
    """The function `predict`, for a network with outputs beside its loss."""
    program = plan.program
    if not program.outputs:
        return ""
    names = arguments(program)
    wanted = predict_inputs(plan)
    variables = [program.variables[n] for n in wanted]
    outputs = [program.variables[n] for n in program.outputs]
    what = ", ".join(f"{f'the {v.note} ' if v.note else ''}{v.name} {_shape(v)}".strip() for v in outputs)
    given = [*plan.keyword_sizes, *Sizes(program, variables, [s.name for s in plan.keyword_sizes]).missing(
        plan.printers["predict"].sizes.values())]
    statements = body(plan, plan.predict, "predict", variables, given=[s.name for s in given])
    calls = [n if n in required_arguments(plan) else f"{n}={n}" for n in wanted]
    received = [n if n in wanted else "_" for n in names]
    told = textwrap.wrap(f'"""Return {what}."""', WIDTH - 4, break_long_words=False, break_on_hyphens=False)
    if len(told) > 1:
        told[-1:] = [told[-1].removesuffix('"""'), '"""']
    return "\n".join([
        *signature("predict", wanted, given), *(f"    {line}" for line in told),
        *assignment(received, call("_checked", calls, plan.keyword_sizes)), *as_python(given),
        *_ended(statements, outputs),
    ])


def _ended(body, outputs):
    """Return the outputs; a single one, computed in the last line, as it is computed."""
    start = f"    {outputs[0].name} = "
    first = next((k for k, line in enumerate(body) if line.startswith(start)), len(body))
    rest = [line for line in body[first + 1:] if not line.startswith(("        ", "    )", "    ]"))]
    if len(outputs) == 1 and first < len(body) and not rest:
        lines = [body[first].replace(start, "    return ", 1), *body[first + 1:]]
        return [*body[:first], *lines[:-1], lines[-1].split("  #")[0].rstrip()]
    return [*body, f"    return {', '.join(map(handed_back, outputs))}"]


def sgd_step() -> str:
    """The update of the notes."""
    return '''def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))'''


def _shift_comment(part, plan):
    """Explain the lines of a log-sum-exp."""
    top, _, total = part.names
    bound = ", ".join(limit[0].name for limit in part.equation.rhs.limits)
    inner = plan.texts.expression(part.equation.rhs.function)
    return f"log sum_{bound} exp {inner} = {top} + log {total}, shifted by the maxima {top} so that exp stays in range"
