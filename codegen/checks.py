"""The functions of a module that turn arguments into arrays and refuse what does not fit."""

import re
import textwrap

from sympy import Integer, Mul, Symbol

from . import assumptions
from .folding import folded
from .layout import WIDTH, as_tuple, assignment, rows, wrapped
from .sizes import quotient, solved, text

FOLLOWS = '''


def _follows(name, value, formula, sizes):
    """Note a size that follows from others; raise ValueError where it is no size, or an argument has another."""
    if value < 1:
        raise ValueError(f"{name} = {formula} is {value}; expected at least 1")
    if sizes.setdefault(name, value) != value:
        raise ValueError(f"{name} is {sizes[name]}; expected {formula} = {value}")'''


def arguments(program) -> list[str]:
    """Return the names of all arguments: the parameters, then the inputs."""
    return [v.name for v in (*program.parameters, *program.inputs)]


def predict_inputs(plan):
    """The parameters, and the inputs that the outputs need."""
    read = {n for s in plan.predict for n in s.reads}
    outputs = set(plan.program.outputs)
    return [v.name for v in (*plan.program.parameters, *plan.program.inputs)
            if v.kind == "parameter" or v.name in read or v.name in outputs]


def required_arguments(plan):
    """The arguments that `predict` needs too, and those before the first that it does not."""
    names = arguments(plan.program)
    if not plan.program.outputs:
        return names
    wanted = predict_inputs(plan)
    first = next((k for k, n in enumerate(names) if n not in wanted), len(names))
    return names[:first]


def checked(plan) -> str:
    """The function that turns arguments into arrays and refuses what does not fit."""
    program = plan.program
    names, required = arguments(program), required_arguments(plan)
    optional = [n for n in names if n not in required]
    given = [*required, *(f"{n}=None" for n in optional)]
    signature = ", ".join([*given, *(["*", *map(str, plan.keyword_sizes)] if plan.keyword_sizes else [])])
    later = [
        *_label_checks(program, optional),
        *(part for line in assumptions.calls(program, optional) for part in folded(line, WIDTH)),
    ]
    read = any(re.search(r"\bsizes\b", line) for line in later)
    lines = [
        *wrapped(f"def _checked({signature}):"),
        '    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""',
        *_converted(program, optional), *_sizes_asked(plan, optional, "sizes = " if read else ""), *later,
        *_returned_names(names),
    ]
    return "\n\n\n".join(["\n".join(lines), *assumptions.definitions(program), _sizes(plan, optional)])


def _sizes_asked(plan, optional, told) -> list[str]:
    """Lines that check the sizes given by keyword, and ask for all by the shapes."""
    shapes = [f'getattr({n}, "shape", None)' if n in optional else f"{n}.shape" for n in arguments(plan.program)]
    given = [f"{s}=int({s})" for s in plan.keyword_sizes]
    return [*_given_checks(plan), *wrapped(f"    {told}_sizes({', '.join([*shapes, *given])})")]


def _sizes(plan, optional) -> str:
    """The function that finds the sizes; for shapes that it has seen it knows them."""
    given = ", ".join([*arguments(plan.program), *(["*", *map(str, plan.keyword_sizes)] if plan.keyword_sizes else [])])
    return "\n".join([
        "@lru_cache", *wrapped(f"def _sizes({given}):"),
        '    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""',
        *_shape_checks(plan, optional), "    return sizes",
    ])


def _converted(program, optional):
    """The parameters decide the dtype, the inputs follow, and so do numbers of Python's beside arrays."""
    parameters = [p.name for p in program.parameters]
    real = [v.name for v in program.inputs if v.kind == "input"]
    now = [n for n in real if n not in optional]
    number = "" if all(p.shape for p in program.parameters) else "p if isinstance(p, int | float) else "
    lines = [
        *wrapped(f"    floats = [{number}np.asarray(p) for p in {as_tuple(parameters)}]"),
        "    dtype = np.result_type(*floats)",
        '    if dtype.kind not in "fc":',
        "        dtype = np.float64",
        *assignment(
            parameters + now, f"[np.asarray(v, dtype) for v in {as_tuple(['*floats', *now]) if now else 'floats'}]"
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
    pairs = ", ".join(f'"{s}": {s}' for s in plan.keyword_sizes)
    lines = [f"    sizes = {{{pairs}}}", *_matched(first, optional), *_followed(plan, first, later, optional)]
    known = {s for v in first for s in v.shape} | set(plan.keyword_sizes) | set(program.derived)
    while later:
        ready = [v for v in later if all(isinstance(s, Symbol) or s.free_symbols <= known for s in v.shape)]
        if not ready:
            brings = {v.name: _brought(v, known) for v in later}
            ready = [next((v for v in later if brings[v.name]), later[0])]
            lines += _tied(ready[0], brings[ready[0].name], optional)
            known |= {size for size, *_ in brings[ready[0].name].values()}
        else:
            lines += _matched(ready, optional)
        known |= {s for v in ready for s in v.shape}
        later = [v for v in later if v not in ready]
    return lines


def _brought(variable, known):
    """Return the sizes that the lengths of an argument's axes tell, and how, by the axis: Q + 1, 4*H, 2*O + R."""
    known, brought = known | {s for s in variable.shape if s.is_Symbol}, {}
    for k, length in enumerate(variable.shape):
        if found := solved(length, known):
            brought[k] = found
            known = known | {found[0]}
    return brought


def _tied(variable, brought, optional):
    """Match an argument that brings a size, by one of its axes or what another is made of, and compare the others."""
    name = variable.name
    places = {f"{name}.shape[{k}]": s for k, s in enumerate(variable.shape) if not isinstance(s, Integer | Symbol)}
    axes = [place if (place := f"{name}.shape[{k}]") in places else size for k, size in enumerate(variable.shape)]
    shown = ", ".join(str(a) if isinstance(a, Integer) else f'"{a}"' for a in axes)
    lines = [f'    _match("{name}", {name}, ({shown}{"," if len(axes) == 1 else ""}), sizes)']
    for k, (size, factor, start) in brought.items():
        place = f"{name}.shape[{k}]"
        inside = {s: Symbol(f'sizes["{s}"]', integer=True) for s in start.free_symbols}
        value = quotient(Symbol(f'sizes["{place}"]', integer=True), factor, start.xreplace(inside))
        told = quotient(Symbol(place, integer=True), factor, start)
        lines.append(f'    _follows("{size}", {value}, "{told}", sizes)')
    exact = {f"{name}.shape[{k}]" for k, (_, factor, _) in brought.items() if factor == 1}
    lines += [f'    _follows("{p}", {_in_sizes(s)}, "{text(s)}", sizes)' for p, s in places.items() if p not in exact]
    if name in optional:
        return [f"    if {name} is not None:", *(f"    {line}" for line in lines)]
    return lines


def _followed(plan, first, later, optional):
    """Lines that compare the sizes that follow from others with those that arguments have."""
    program = plan.program
    known = {s for v in first if v.name not in optional for s in v.shape} | set(plan.keyword_sizes)
    maybe = known | {s for v in first for s in v.shape}
    wanted = {s for v in first for s in v.shape} | {t for v in later for s in v.shape for t in s.free_symbols}
    lines = []
    for size, formula in program.derived.items():
        if not formula.free_symbols <= maybe:
            lines += _divided(size, formula, known)
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


def _divided(size, formula, known):
    """Lines that refuse a size that is no multiple of what it is divided by, for a size that it tells."""
    factors = Mul.make_args(formula)
    told = [f for f in factors if f.is_Symbol and f not in known]
    rest = Mul(*(f for f in factors if f not in told))
    if size not in known or len(told) != 1 or not rest.free_symbols <= known or not all(
            f.is_Symbol or f.is_Integer for f in factors):
        return []
    by = _in_sizes(rest)
    by = by if rest.is_Atom else f"({by})"
    return wrapped(f'    _follows("{size}", sizes["{size}"] // {by} * {by}, "{text(formula)}", sizes)')


def _given_checks(plan):
    """Refuse sizes given by keyword that are none."""
    if not plan.keyword_sizes:
        return []
    least = [plan.program.least.get(s, 1) for s in plan.keyword_sizes]
    bounds = ", ".join(f'("{s}", {s}, {n})' for s, n in zip(plan.keyword_sizes, least, strict=True))
    return [
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
    joined = f"    for name, shape, axes in ({', '.join(entries)}{',' if len(entries) == 1 else ''}):"
    lines = [joined]
    if len(joined) > WIDTH - 24:
        rows = [r.replace("\xa0", " ") for r in textwrap.wrap(
            ", ".join(e.replace(" ", "\xa0") for e in entries) + ",", WIDTH - 8, break_long_words=False)]
        lines = ["    for name, shape, axes in (", *(f"        {row}" for row in rows), "    ):"]
    if any(v.name in optional for v in arguments):
        return [*lines, "        if shape is not None:", "            _match(name, shape, axes, sizes)"]
    return [*lines, "        _match(name, shape, axes, sizes)"]


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
            f'{pad}if {v.name}.dtype.kind not in "iu":',
            f'{pad}    raise ValueError(f"{v.name} has dtype {{{v.name}.dtype}}; expected integers, the labels")',
            f"{pad}{v.name} = {v.name}.astype(np.intp, copy=False)",        # sums of uint8 would wrap around
            f"{pad}if {v.name}.view(np.uintp).max() >= {top}:  # negative ones are the largest of all",
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
    shown = "str(axis)" if fixed else "axis"
    found = "sizes.setdefault(axis, size) if isinstance(axis, str) else axis"
    here = f"[\n        {found} for axis, size in zip(axes, shape, strict=True)\n    ]" if fixed else \
        "map(sizes.setdefault, axes, shape)"
    end = FOLLOWS if follows else ""
    return f'''def _match(name, shape, axes, sizes):
    """Check one argument's shape against the sizes seen so far, and remember the sizes it brings."""
    before = len(sizes)
    fits = len(shape) == len(axes) and 0 not in shape
    if fits and shape == tuple({here}):
        return
    known = dict(list(sizes.items())[:before])
    expected = ", ".join(f"{{axis}}={{known[axis]}}" if axis in known else {shown} for axis in axes)
    raise ValueError(f"{{name}} has shape {{shape}}; expected ({{expected}}), each size at least 1"){end}'''


def _returned_names(names):
    line = f"    return {', '.join(names) if len(names) > 1 else as_tuple(names)}"
    return [line] if len(line) <= WIDTH else ["    return (", *rows(names), "    )"]
