"""The pieces of a generated module, each a function from a plan to text."""

import textwrap

from sympy import Integer, Max, Symbol, sympify

from derive.kinks import conventions
from derive.program import Variable

from .folding import folded
from .sizes import Sizes, text

WIDTH = 120
COLUMN = 56                 # where the shapes stand beside the code

HELPERS = {
    "_sigmoid": '''
def _sigmoid(x):
    """Return 1 / (1 + exp(-x)), exact to the last digits at both ends."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)
''',
    "_softplus": '''
def _softplus(x):
    """Return log(1 + exp(x)) without an overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
''',
    "_step": '''
def _step(x):
    """Return 1 where x > 0, else 0, in the dtype of x."""
    return (x > 0).astype(x.dtype)
''',
    "_at_zero": '''
def _at_zero(x):
    """Return 1 where x = 0, else 0, in the dtype of x."""
    return (x == 0).astype(x.dtype)
''',
    "_finite": '''
def _finite(x):
    """Return x with -inf, the maximum of a row that is masked everywhere, as the lowest finite number."""
    return np.maximum(x, np.finfo(x.dtype).min)
''',
    "_positive": '''
def _positive(x):
    """Return x with 0, the sum of a row that is masked everywhere, as the least positive number."""
    return np.maximum(x, np.finfo(x.dtype).tiny)
''',
}
FOLLOWS = '''


def _follows(name, value, formula, sizes):
    """Note a size that follows from others; raise ValueError where it is no size, or an argument has another."""
    if value < 1:
        raise ValueError(f"{name} = {formula} is {value}; expected at least 1")
    if sizes.setdefault(name, value) != value:
        raise ValueError(f"{name} is {sizes[name]}; expected {formula} = {value}")'''
HELPERS["_add_rows"] = '''
def _add_rows(total, rows, values):
    """Add each of the values to the row of a matrix that it belongs to; rows may repeat, which `+=` would forget."""
    width = total.shape[1]
    if not total.flags.c_contiguous:
        np.add.at(total, rows, values)
    else:                                               # entry by entry: five times faster
        np.add.at(total.reshape(-1), rows.astype(np.intp)[..., None] * width + np.arange(width), values)
'''
HELPER_OF = {
    "add_rows": "_add_rows",
    "sigmoid": "_sigmoid",
    "softplus": "_softplus",
    "step": "_step",
    "at_zero": "_at_zero",
    "finite": "_finite",
    "positive": "_positive",
}


# ---- the head


def docstring(plan) -> str:
    """What the module computes, in the paper's names: the system, the arguments, the conventions, the source."""
    program = plan.program
    lines = [f'"""{program.title}: loss and gradients.', ""]
    lines += _table([(line, _shape(v), v.note) for line, v in plan.texts.system()])
    lines.append("")
    facts = []
    if program.parameters:
        facts.append(("Parameters", f"{_listed(program.parameters)}; their dtype is the result's."))
    if program.inputs:
        facts.append(("Inputs", f"{_inputs_listed(program)}."))
    if plan.keyword_sizes:
        facts.append(("Sizes", f"{', '.join(s.name for s in plan.keyword_sizes)}, given by keyword."))
    if program.derived:
        facts.append(("where", "; ".join(f"{s} = {e}" for s, e in program.derived.items()) + "."))
    if program.outputs:
        facts.append(("Outputs", f"{_listed([program.variables[n] for n in program.outputs])}, by `predict`."))
    facts += [("Convention", f"{c}.") for c in conventions(program)]
    width = max((len(word) for word, _ in facts), default=0) + 2
    for word, sentence in facts:
        lines += textwrap.wrap(
            word.ljust(width) + sentence, WIDTH, subsequent_indent=" " * width, break_long_words=False)
    lines += ["", "dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape."]
    lines += [f"Generated from {program.source or 'a script'} by `{command(program)}`; do not edit."]
    if program.source:
        lines += [f"The derivation is typeset in {program.name}.tex."]
    return "\n".join([*lines, '"""'])


def command(program) -> str:
    """Return the command that generates a program's files."""
    if program.source.startswith("derive/networks/"):
        return f"derive build {program.name}"
    return f"derive build {program.source}" if program.source else "codegen.source"


def _table(rows):
    """Lay out (equation, shape, note) in columns; long equations go on, indented, and so does a note without room."""
    left = min(max((len(line) for line, shape, _ in rows if shape), default=0), 72)
    middle = max((len(shape) for _, shape, _ in rows), default=0)
    lines = []
    for line, shape, note in rows:
        room = min(100, WIDTH - 7 - len(shape))
        first, *more = textwrap.wrap(line, room, break_long_words=False, break_on_hyphens=False)
        whole = f"    {first.ljust(left)}   {shape.ljust(middle)}   {note}".rstrip()
        if len(whole) > WIDTH:
            whole, more = f"    {first.ljust(left)}   {shape}".rstrip(), [*more, f"({note})"]
        lines += [whole, *(f"        {rest}" for rest in more)]
    return lines


def _shape(variable: Variable) -> str:
    return shape_text(variable.shape) if variable.shape else ""


def shape_text(shape) -> str:
    """Return a shape the way Python writes one."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _listed(variables):
    return ", ".join(f"{v.name} {shape_text(v.shape)}" if v.shape else f"{v.name}, a scalar" for v in variables)


def _inputs_listed(program):
    real = [v for v in program.inputs if v.kind == "input"]
    labels = [f"labels {v.name} {shape_text(v.shape)}, integers in [0, {v.classes})" if v.shape
              else f"label {v.name}, an integer in [0, {v.classes})" for v in program.kind("labels")]
    return "; ".join(([_listed(real)] if real else []) + labels)


def imports(plan) -> str:
    """The imports: NumPy, and SciPy only for functions that NumPy lacks."""
    special = sorted({name for p in plan.printers.values() for name in p.scipy})
    lines = ["from typing import NamedTuple", "", "import numpy as np"]
    if special:
        lines.append(
            f"from scipy.special import {', '.join(special)}  # NumPy lacks {'it' if len(special) == 1 else 'them'}"
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
    names = _arguments(program)
    given = [s.name for s in plan.keyword_sizes]
    body = _body(plan, plan.forward, "forward", [*program.parameters, *program.inputs], given=given)
    result = _returned(program.loss, _residual_names(plan))
    return "\n".join([
        *_signature("forward", names, plan.keyword_sizes),
        '    """Return the loss and the residuals that `backward` reads."""',
        *_assignment(names, _call("_checked", names, plan.keyword_sizes)),
        *body, *result,
    ])


def _returned(loss, names):
    """A line, or several in parentheses, that return the loss and the residuals."""
    line = f"    return {loss}, {_tuple(names)}"
    return [line] if len(line) <= WIDTH else [f"    return {loss}, (", *_rows(names), "    )"]


def _returned_names(names):
    line = f"    return {', '.join(names) if len(names) > 1 else _tuple(names)}"
    return [line] if len(line) <= WIDTH else ["    return (", *_rows(names), "    )"]


def _rows(names):
    """Lines of names inside parentheses."""
    return [f"        {row}" for row in textwrap.wrap(f"{', '.join(names)},", WIDTH - 8, break_long_words=False)]


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
        lines += _assignment(names, "residuals")
    lines += _body(plan, plan.backward, "backward", variables, plan.texts.quotes(), names)
    gradients = ", ".join(program.adjoints[p.name] for p in program.parameters)
    result = textwrap.wrap(
        f"    return Params({gradients})", WIDTH, subsequent_indent="        ", break_long_words=False
    )
    return "\n".join(lines + result)


def _body(plan, statements, part, variables, quoted=None, given=()):
    """The sizes that are needed, then the statements, each with its shape beside it."""
    needed = set(plan.printers[part].sizes.values())
    if part == "forward":                   # and those that the residuals hand on
        kept = _residual_names(plan)
        needed |= {s for s in plan.program.sizes if s.name in kept}
    lines = [f"    {line}" for line in Sizes(plan.program, variables, given).lines(needed)]
    lines += [""] if statements else []
    for s, quotes in zip(statements, _quotes(statements, quoted or {}), strict=True):
        if 0 in quotes:
            lines += _comment(quotes[0])
        part = next((p for p in plan.lowered.parts.values() if p.maxima.name == s.name), None)
        if part is not None:
            lines += _comment(_shift_comment(part, plan))
        pad = "        " if s.risky else "    "
        if s.risky:
            lines.append('    with np.errstate(all="ignore"):'.ljust(COLUMN) + "# np.where computes all branches")
        variable = plan.lowered.program.variables[s.name]
        shape = tuple(map(sympify, variable.shape))
        shape = (shape[0] + 1, *shape[1:]) if variable.state else shape
        for k, line in enumerate(s.lines):
            if k > 0 and k in quotes:
                lines += _comment(quotes[k], " " * (len(line) - len(line.lstrip())))
            beside = (
                f"# {shape_text(shape)}" if shape and k == 0 and s.shown and not any(n.has(Max) for n in shape) else ""
            )
            lines += _with_comment(folded(f"{pad}{line}", WIDTH), beside)
    return lines


def _quotes(statements, quoted):
    """Return for each statement the quotes that stand over its lines, none twice in a row."""
    marks: list[tuple[tuple[int, str], ...]] = []
    for s in reversed(statements):
        own = ((0, s.name),) if s.marks is None else s.marks
        if s.marks is None and s.name not in quoted and marks and marks[0][:1]:     # a step towards the next one
            own = ((0, marks[0][0][1]),)
        marks.insert(0, own)
    result: list[dict[int, str]] = []
    last = None
    for own in marks:
        result.append({})
        for line, name in own:
            if name in quoted and quoted[name] != last:
                result[-1][line] = last = quoted[name]
    return result


def _comment(words, indent=""):
    return textwrap.wrap(
        f"# {words}",
        WIDTH - 4,
        initial_indent=f"    {indent}",
        subsequent_indent=f"    {indent}#     ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _with_comment(lines, comment):
    """Return a statement's lines with a comment beside the last, on the next line where there is no room."""
    *before, last = lines
    if not comment:
        return lines
    last = last.ljust(COLUMN) if len(last) < COLUMN - 1 else f"{last}  "
    if len(last + comment) <= WIDTH:
        return [*before, last + comment]
    [*before, last] = folded(lines[0], WIDTH - len(comment) - 2)
    return [*before, f"{last}  {comment}"]


def loss_and_grads(plan) -> str:
    """The function `loss_and_grads`."""
    names = _arguments(plan.program)
    return "\n".join([
        *_signature("loss_and_grads", names, plan.keyword_sizes),
        '    """Return the loss and its gradients, a `Params`."""',
        *wrapped(f"    loss, residuals = {_call('forward', names, plan.keyword_sizes)}"),
        "    return loss, backward(residuals)",
    ])


def _call(function, arguments, sizes):
    """A call that passes the sizes that only keywords tell."""
    return f"{function}({', '.join([*arguments, *(f'{s}={s}' for s in sizes)])})"


def predict(plan) -> str:
    """The function `predict`, for a network with outputs beside its loss."""
    program = plan.program
    if not program.outputs:
        return ""
    names = _arguments(program)
    wanted = _predict_inputs(plan)
    variables = [program.variables[n] for n in wanted]
    outputs = [program.variables[n] for n in program.outputs]
    what = ", ".join(f"{f'the {v.note} ' if v.note else ''}{v.name} {_shape(v)}".strip() for v in outputs)
    given = [*plan.keyword_sizes, *Sizes(program, variables, [s.name for s in plan.keyword_sizes]).missing(
        plan.printers["predict"].sizes.values())]
    body = _body(plan, plan.predict, "predict", variables, given=[s.name for s in given])
    calls = [n if n in _required(plan) else f"{n}={n}" for n in wanted]
    received = [n if n in wanted else "_" for n in names]
    told = textwrap.wrap(f'"""Return {what}."""', WIDTH - 4, break_long_words=False, break_on_hyphens=False)
    if len(told) > 1:
        told[-1:] = [told[-1].removesuffix('"""'), '"""']
    return "\n".join([
        *_signature("predict", wanted, given), *(f"    {line}" for line in told),
        *_assignment(received, _call("_checked", calls, plan.keyword_sizes)), *_ended(body, outputs),
    ])


def _ended(body, outputs):
    """Return the outputs; a single one, computed in the last line, as it is computed."""
    start = f"    {outputs[0].name} = "
    first = next((k for k, line in enumerate(body) if line.startswith(start)), len(body))
    rest = [line for line in body[first + 1:] if not line.startswith(("        ", "    )", "    ]"))]
    if len(outputs) == 1 and first < len(body) and not rest:
        lines = [body[first].replace(start, "    return ", 1), *body[first + 1:]]
        return [*body[:first], *lines[:-1], lines[-1].split("  #")[0].rstrip()]
    return [*body, f"    return {', '.join(v.name for v in outputs)}"]


def _predict_inputs(plan):
    """The parameters, and the inputs that the outputs need."""
    read = {n for s in plan.predict for n in s.reads}
    outputs = set(plan.program.outputs)
    return [v.name for v in (*plan.program.parameters, *plan.program.inputs)
            if v.kind == "parameter" or v.name in read or v.name in outputs]


def sgd_step() -> str:
    """The update of the notes."""
    return '''def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))'''


def helpers(plan) -> str:
    """Elementwise functions that NumPy lacks, written so that they stay in range."""
    used = {HELPER_OF[h] for p in plan.printers.values() for h in p.helpers}
    return "\n\n\n".join(HELPERS[name].strip() for name in HELPERS if name in used)


# ---- checks


def _arguments(program):
    return [v.name for v in (*program.parameters, *program.inputs)]


def _required(plan):
    """The arguments that `predict` needs too, and those before the first that it does not."""
    names = _arguments(plan.program)
    if not plan.program.outputs:
        return names
    wanted = _predict_inputs(plan)
    first = next((k for k, n in enumerate(names) if n not in wanted), len(names))
    return names[:first]


def checked(plan) -> str:
    """The function that turns arguments into arrays and refuses what does not fit."""
    program = plan.program
    names, required = _arguments(program), _required(plan)
    optional = [n for n in names if n not in required]
    given = [*required, *(f"{n}=None" for n in optional)]
    signature = ", ".join([*given, *(["*", *map(str, plan.keyword_sizes)] if plan.keyword_sizes else [])])
    lines = [
        *wrapped(f"def _checked({signature}):"),
        '    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""',
        *_converted(program, optional), "", *_shape_checks(plan, optional), *_label_checks(program, optional),
        *_returned_names(names),
    ]
    return "\n".join(lines)


def _converted(program, optional):
    """The parameters decide the dtype, the inputs follow."""
    parameters = [p.name for p in program.parameters]
    real = [v.name for v in program.inputs if v.kind == "input"]
    now = [n for n in real if n not in optional]
    lines = [
        *wrapped(f"    floats = [np.asarray(p) for p in {_tuple(parameters)}]"),
        "    dtype = np.result_type(*floats)",
        "    if not np.issubdtype(dtype, np.inexact):",
        "        dtype = np.float64",
        *_assignment(
            parameters + now, f"(np.asarray(v, dtype) for v in {_tuple(['*floats', *now]) if now else 'floats'})"
        ),
    ]
    lines += [f"    {n} = None if {n} is None else np.asarray({n}, dtype)" for n in real if n in optional]
    lines += [
        f"    {v.name} = {'None if ' + v.name + ' is None else ' if v.name in optional else ''}np.asarray({v.name})"
        for v in program.kind("labels")
    ]
    return lines


def _shape_checks(plan, optional):
    """Match every argument: those that bring sizes first, then those that have a formula for one."""
    program = plan.program
    arguments = [*program.parameters, *program.inputs]
    later = [v for v in arguments if not all(isinstance(s, Integer | Symbol) for s in v.shape)]
    first = [v for v in arguments if v not in later]
    return [*_size_checks(plan), *_matched(first, optional), *_followed(plan, first, later, optional),
            *_matched(later, optional)]


def _followed(plan, first, later, optional):
    """Lines that compare the sizes that follow from others with those that arguments have."""
    program = plan.program
    known = {s for v in first if v.name not in optional for s in v.shape} | set(plan.keyword_sizes)
    maybe = known | {s for v in first for s in v.shape}
    wanted = {s for v in first for s in v.shape} | {t for v in later for s in v.shape for t in s.free_symbols}
    lines = []
    for size, formula in program.derived.items():
        if not formula.free_symbols <= maybe:
            continue
        maybe.add(size)
        line = f'_follows("{size}", {_in_sizes(formula)}, "{text(formula)}", sizes)'
        absent = sorted(s.name for s in formula.free_symbols - known)
        if not absent:
            known.add(size)
        if size in wanted or any(size in f.free_symbols for f in program.derived.values()):
            if absent:
                lines.append(f"    if {' and '.join(chr(34) + n + chr(34) + ' in sizes' for n in absent)}:")
            lines += wrapped(f"{'        ' if absent else '    '}{line}")
    return lines


def _size_checks(plan):
    """Begin the table of sizes with those given by keyword."""
    if not plan.keyword_sizes:
        return ["    sizes = {}"]
    pairs = ", ".join(f'"{s}": {s}' for s in plan.keyword_sizes)
    least = [plan.program.least.get(s, 1) for s in plan.keyword_sizes]
    bounds = ", ".join(f'("{s}", {s}, {n})' for s, n in zip(plan.keyword_sizes, least, strict=True))
    return [
        f"    sizes = {{{pairs}}}",
        *wrapped(f"    for name, size, least in ({bounds}{',' if len(least) == 1 else ''}):"),
        "        if not isinstance(size, (int, np.integer)) or size < least:",
        '            raise ValueError(f"{name} is {size!r}; expected an integer, at least {least}")',
    ]


def _in_sizes(expr):
    """Print an expression in sizes with each looked up in the table."""
    return text(expr.xreplace({s: Symbol(f'sizes["{s}"]', integer=True) for s in expr.free_symbols}))


def _matched(arguments, optional):
    if not arguments:
        return []
    if len(arguments) == 1 and arguments[0].name not in optional:
        [v] = arguments
        return [f'    _match("{v.name}", {v.name}, {_axes(v)}, sizes)']
    entries = [f'("{v.name}", {v.name}, {_axes(v)})' for v in arguments]
    joined = f"    for name, value, axes in ({', '.join(entries)}{',' if len(entries) == 1 else ''}):"
    lines = [joined]
    if len(joined) > WIDTH - 24:
        rows = [r.replace("\xa0", " ") for r in textwrap.wrap(
            ", ".join(e.replace(" ", "\xa0") for e in entries) + ",", WIDTH - 8, break_long_words=False)]
        lines = ["    for name, value, axes in (", *(f"        {row}" for row in rows), "    ):"]
    if any(v.name in optional for v in arguments):
        return [*lines, "        if value is not None:", "            _match(name, value, axes, sizes)"]
    return [*lines, "        _match(name, value, axes, sizes)"]


def _axes(variable):
    """The axes of an argument: a string where every size is one letter, else a tuple of names, numbers and formulas."""
    if all(isinstance(s, Symbol) and len(s.name) == 1 for s in variable.shape):
        return f'"{"".join(map(str, variable.shape))}"'
    parts = [str(s) if isinstance(s, Integer) else f'"{s}"' if isinstance(s, Symbol) else _in_sizes(s)
             for s in variable.shape]
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def _label_checks(program, optional):
    lines = []
    for v in program.kind("labels"):
        pad = "    "
        if v.name in optional:
            lines.append(f"    if {v.name} is not None:")
            pad = "        "
        top, shown = _classes(v)
        lines += [
            f"{pad}if not np.issubdtype({v.name}.dtype, np.integer):",
            f'{pad}    raise ValueError(f"{v.name} has dtype {{{v.name}.dtype}}; expected integers, the labels")',
            f"{pad}if {v.name}.min() < 0 or {v.name}.max() >= {top}:",
            f"{pad}    raise ValueError(",
            f'{pad}        f"{v.name} holds labels from {{{v.name}.min()}} to {{{v.name}.max()}}; "',
            f'{pad}        f"expected 0 to {shown}"',
            f"{pad}    )",
        ]
    return lines


def _classes(labels):
    """Return the code of the number of classes, and the words for the largest label."""
    classes = labels.classes
    if isinstance(classes, Integer):
        return str(classes), str(classes - 1)
    code = _in_sizes(classes)
    return code, f"{classes} - 1 = {{{code.replace(chr(34), chr(39))} - 1}}"


def match(plan) -> str:
    """The function that checks one shape."""
    follows = any("_follows(" in line for line in _shape_checks(plan, []))
    fixed = any(not isinstance(s, Symbol) for v in (*plan.program.parameters, *plan.program.inputs) for s in v.shape)
    shown = ('", ".join(f"{axis}={sizes[axis]}" if axis in sizes else str(axis) for axis in axes)' if fixed
             else '", ".join(f"{axis}={sizes[axis]}" if axis in sizes else axis for axis in axes)')
    keep = ("            if isinstance(axis, str):\n                sizes.setdefault(axis, size)" if fixed
            else "            sizes.setdefault(axis, size)")
    get = "sizes.get(axis, axis)" if fixed else "sizes.get(axis)"
    end = FOLLOWS if follows else ""
    return f'''def _match(name, value, axes, sizes):
    """Check one argument's shape against the sizes seen so far, and remember the sizes it brings."""
    expected = {shown}
    if value.ndim == len(axes) and 0 not in value.shape:
        for axis, size in zip(axes, value.shape, strict=True):
{keep}
    if value.shape != tuple({get} for axis in axes):
        raise ValueError(f"{{name}} has shape {{value.shape}}; expected ({{expected}}), each size at least 1"){end}'''


# ---- small


def _shift_comment(part, plan):
    """Explain the lines of a log-sum-exp."""
    top, _, total = part.names
    bound = ", ".join(limit[0].name for limit in part.equation.rhs.limits)
    inner = plan.texts.expression(part.equation.rhs.function)
    return f"log sum_{bound} exp {inner} = {top} + log {total}, shifted by the maxima {top} so that exp stays in range"


def _signature(name, arguments, sizes):
    given = [*arguments, *(["*", *map(str, sizes)] if sizes else [])]
    return wrapped(f"def {name}({', '.join(given)}):")


def wrapped(line: str) -> list[str]:
    """Fold a long line at its brackets."""
    return folded(line, WIDTH)


def _assignment(names, value):
    """Lines that unpack a value into names, in parentheses where they are many."""
    line = f"    {_unpacked(names) if len(names) > 1 else _tuple(names)} = {value}"
    if len(line) <= WIDTH:
        return [line]
    if len(value) < WIDTH - 12:
        return ["    (", *_rows(names), f"    ) = {value}"]
    opened = value.index("(")
    return ["    (", *_rows(names), f"    ) = {value[:opened]}(", *_rows(value[opened + 1:-1].split(", ")), "    )"]


def _tuple(names):
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def _unpacked(names):
    return f"{', '.join(names)}{',' if len(names) == 1 else ''}"
