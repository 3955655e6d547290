"""Newton's method as NumPy: a function that gives residual and step, and the call that iterates it."""

from collections.abc import Callable, Sequence

from sympy import Expr, Idx, KroneckerDelta

from derive.forms import form
from derive.program import Equation, Program, ordered
from derive.terms import read_name, reads

from .statements import Statement

COLUMN = 56                 # where the shapes stand beside the code
HELPERS = {
    "_newton": '''
def _newton(name, system, start):
    """Return where a residual vanishes, by Newton's method with each step halved until the residual falls.

    It ends with a step that changes no entry by more than eps^(2/3) of the largest: the next would be lost in rounding.
    Where the system gives its matrix too, that is returned as well, once it is that of the point: the steps are lost.
    """
    value, (residual, step, *matrix) = start, system(start)
    eps, last = np.finfo(step.dtype).eps, np.inf
    for _ in range(100):
        moved, scale = np.abs(step).max(), max(1, np.abs(value).max())
        near = moved <= eps ** (2 / 3) * scale
        if near and (not matrix or moved <= 100 * eps * scale or moved > last / 4):
            return (value - step, *matrix) if matrix else value - step
        size, part, last = np.abs(residual).max(), 1.0, moved
        while True:
            trial = value - part * step
            with np.errstate(all="ignore"):             # a trial may leave the domain: it is halved then
                residual, following, *matrix = system(trial)
            if np.abs(residual).max() < size or part < 1e-3 or near:
                break
            part /= 2
        value, step = trial, following
    raise ArithmeticError(f"{name}: Newton's method does not converge in 100 steps; its equation is off by {size:.1e}")
''',
}


def statements(group: Sequence[Equation], statement_of: Callable, printer, program: Program,
               readers: Sequence[Equation], outputs: set[str]) -> list[Statement]:
    """Return the statements that solve for an unknown, and those of what `readers` or callers need beside it."""
    [unknown] = [e for e in group if e.implicit]
    inner = ordered(e for e in group if not e.implicit)
    made = [statement_of(g[0]) for g in inner]
    name = unknown.name
    names = {name, *(s.name for s in made)}
    needed = list(dict.fromkeys(n for s in made for n in s.reads if n not in names))
    needed += [read_name(r) for r in reads(unknown.start, program.variables) if read_name(r) not in needed]
    printer.like = next((n for n in needed if program.variables[n].kind not in ("labels", "factor")),
                        program.parameters[0].name)
    printer.helpers["newton"] = None
    residual = next(s.name for s in made if s.name.startswith(f"residual_{name}"))
    step = read_name(unknown.rhs)
    wanted = outputs | {read_name(r) for e in readers if e not in group for r in reads(e.rhs, names)}
    kept = [s.name for s in made if s.name in wanted and s.name.startswith(f"matrix_{name}")]
    call = f'{", ".join([name, *kept])} = _newton("{name}", newton_{name}, {start(unknown, printer)})'
    shapes = [program.variables[n].shape for n in (name, *kept)]
    lines = [*function(name, name, made, [residual, step, *kept]), _beside(call, shapes)]
    solved = Statement(name, tuple(lines), tuple(dict.fromkeys([*needed, printer.like])), shown=False,
                       risky=any(s.risky for s in made))
    wanted = _wanted(wanted - set(kept), made)
    return [solved, *(s for s in made if s.name in wanted)]


def function(name: str, argument: str, made: Sequence[Statement], results: Sequence[str]) -> list[str]:
    """Return the lines of the function that gives the residual and the step of an unknown, and its matrix if asked."""
    return [f"def newton_{name}({argument}):", *(f"    {line}" for s in made for line in s.lines),
            f"    return {', '.join(results)}"]


def _beside(line, shapes):
    """Put the shapes of what a line computes beside it."""
    texts = [f"({', '.join(map(str, s))}{',' if len(s) == 1 else ''})" for s in shapes if s]
    return f"{line.ljust(COLUMN - 6)}  # {', '.join(texts)}" if texts else line


def _wanted(names, made):
    """Return names, and those of all that they read in turn; `made` come each after what it reads."""
    wanted = set(names)
    for s in reversed(made):
        wanted |= set(s.reads) if s.name in wanted else set()
    return wanted


def start(unknown: Equation, printer) -> str:
    """Print where the iteration starts: an array of the unknown's shape."""
    axes: tuple[Idx, ...] = unknown.free
    node = form(unknown.start, axes)
    shape = ", ".join(printer.size(i.upper + 1).code for i in axes)
    shape = f"({shape}{',' if len(axes) == 1 else ''})"
    value: Expr = unknown.start
    if value == 0:
        return f"np.zeros({shape}, {printer.like}.dtype)"
    if not node.axes:
        return f"np.full({shape}, {printer.code(node)}, {printer.like}.dtype)"
    if len(axes) == 2 and value == KroneckerDelta(*axes):
        return f"np.eye({printer.size(axes[0].upper + 1).code}, dtype={printer.like}.dtype)"
    return f"np.array(np.broadcast_to({printer.code(node)}, {shape}), {printer.like}.dtype)"
