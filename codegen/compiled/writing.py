"""A C function from loop nests: where each variable lives, then the text.

A variable that is written and read within one turn of a loop has no axis for that loop: with none left it is a local
number, else a buffer. What others need beside the function has all of its axes.
"""

import re
import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sympy import Expr, Symbol

from derive.program import Variable
from derive.terms import read_name

from ..layout import WIDTH
from .expressions import Expressions
from .nests import Access, Assignment, Loop, accesses, is_summed, nested

RESERVED = frozenset(re.findall(r"\w+", """
    auto break case char const continue default do double else enum extern float for goto if inline int long register
    restrict return short signed sizeof static struct switch typedef union unsigned void volatile while asm typeof
    bool true false nullptr main linux unix real whole bits from_bits power_of_2 reduced_expm1 artanh_2 mantissa
    absolute cubed larger root sign smaller squared
    MAGIC DIGITS BIAS SINGLE OF_REAL LOG2_HIGH LOG2_LOW NAN INFINITY"""))


@dataclass(frozen=True)
class Place:
    """Where a variable lives: the axes that are left of it, and how many rows lie before its row 0."""

    axes: tuple[int, ...]
    shape: tuple[Expr, ...] = ()
    before: int = 0
    kind: str = "given"             # or "made" (all of it, for others), "buffer", "local"
    wide: bool = False              # a local number in double precision: a sum


@dataclass
class Function:
    """A C function: its name and text, and what it is called with, in order."""

    name: str
    text: str
    given: list[str]
    made: list[str]
    buffers: dict[str, tuple[Expr, ...]]
    sizes: list[Symbol]
    turns: list[str] = field(default_factory=list)
    used: dict[str, None] = field(default_factory=dict)


def function(name: str, assignments: Sequence[Assignment], variables: Mapping[str, Variable],
             wanted: Collection[str], turns: Collection[str] = ()) -> Function:
    """Return the function that computes assignments; `wanted` are needed outside, `turns` count loops around the call.

    Raises
    ------
    NotInC
        An expression that this style leaves to NumPy.
    """
    return _Writer(name, assignments, variables, wanted, turns).function()


class _Writer:
    def __init__(self, name, assignments, variables, wanted, turns):
        self.name, self.variables, self.turns = name, variables, turns
        self.items = nested(assignments, frozenset(variables), long=not turns)
        self.places = self._placed(wanted)
        self.indices = {loop.index.label for loop in self._loops(self.items)}
        self.sizes: dict[Symbol, None] = {}
        self.print = Expressions(variables, self._read, self._index)

    # ---- where variables live

    def _placed(self, wanted):
        found: dict[str, list[Access]] = {}
        for access in accesses(self.items, frozenset(self.variables)):
            found.setdefault(access.name, []).append(access)
        return {name: self._place(name, of, wanted) for name, of in found.items()}

    def _place(self, name, of: list[Access], wanted):
        v = self.variables[name]
        shape, axes = tuple(s + 1 if v.state and k == 0 else s for k, s in enumerate(v.shape)), range(len(v.shape))
        if name in wanted or not any(a.writes for a in of):
            kind = "made" if any(a.writes for a in of) else "given"
            return Place(tuple(axes), shape, int(v.state), kind)
        common = _common([a.path for a in of])
        left = tuple(k for k in axes if not any(all(a.indices[k] == loop.index for a in of) for loop in common))
        summed = any(a.how == "+=" for a in self._writes(name))
        return Place(left, tuple(shape[k] for k in left), int(v.state), "buffer" if left else "local",
                     wide=summed and not left)

    def _writes(self, name, items=None):
        for item in self.items if items is None else items:
            if isinstance(item, Loop):
                yield from self._writes(name, item.body)
            elif item.name == name:
                yield item

    # ---- text

    def function(self) -> Function:
        body = [row for line in self._lines(self.items, 1) for row in _wrapped(line)]
        given, made, buffers = ([n for n, p in self.places.items() if p.kind == kind]
                                for kind in ("given", "made", "buffer"))
        arguments = [f"const {'int64_t' if self._is_whole(n) else 'real'} *restrict {_safe(n)}" for n in given]
        arguments += [f"real *restrict {_safe(n)}" for n in (*made, *buffers)]
        sizes = sorted((s for s in self.sizes if s.name not in self.turns), key=str)
        counters = sorted((s for s in self.sizes if s.name in self.turns), key=str)
        arguments += [f"int64_t {self._index(s)}" for s in (*sizes, *counters)]
        head = _folded(f"void {self.name}(", arguments)
        return Function(self.name, "\n".join([*head, "{", *body, "}"]), given, made,
                        {n: self.places[n].shape for n in buffers}, sizes, [s.name for s in counters], self.print.used)

    def _is_whole(self, name):
        base = self.variables[name].base
        return bool(getattr(base, "label", base).is_integer)

    def _lines(self, items, depth, begun=frozenset()):
        """Return the lines of items; what is accumulated in a loop around has `begun`."""
        lines = []
        for item in items:
            if isinstance(item, Loop):
                lines += self._loop(item, depth, begun)
            else:
                lines.append(f"{'    ' * depth}{self._assigned(item)}")
        return lines

    def _loop(self, loop, depth, begun):
        pad = "    " * depth
        sums = [a for a in _inside(loop) if is_summed(a, loop.index)]
        fresh = {a.name: a for a in sums if a.name not in begun}
        lines = [line for a in fresh.values() for line in self._begun(a, loop, depth)]
        if not any(isinstance(i, Loop) for i in loop.body) and all(
                self.places[a.name].kind == "local" for a in sums):
            lines.append(pad + self._pragma(sums))
        low, high = (self._size(e) for e in (loop.index.lower, loop.index.upper + 1))
        i = self._index(loop.index.label)
        body = self._lines(loop.body, depth + 1, begun | set(fresh))
        head = f"{pad}for (int64_t {i} = {low}; {i} < {high}; {i}++)"
        return [*lines, head, *body] if len(body) == 1 else [*lines, f"{head} {{", *body, f"{pad}}}"]

    def _loops(self, items):
        for item in items:
            if isinstance(item, Loop):
                yield item
                yield from self._loops(item.body)

    def _pragma(self, sums):
        clauses = []
        for how, operator in (("+=", "+"), ("max", "largest")):
            names = dict.fromkeys(_safe(a.name) for a in sums if a.how == how)
            clauses += [f" reduction({operator} : {', '.join(names)})"] if names else []
            if names and how == "max":
                self.print.used["largest"] = None
        return "#pragma omp simd" + "".join(clauses)

    def _begun(self, a, loop, depth):
        """Return what an accumulation over a loop begins with."""
        place, pad = self.places[a.name], "    " * depth
        value = "0" if a.how == "+=" else "-(real)INFINITY"
        if place.kind == "local":
            return [f"{pad}{'double' if place.wide else 'real'} {_safe(a.name)} = {value};"]
        inner = a.loops[a.loops.index(loop.index) + 1:]
        rest = [i for i in inner if i in getattr(a.target, "indices", ())]
        lines = []
        for k, i in enumerate(rest):
            name = self._index(i.label)
            low, high = (self._size(e) for e in (i.lower, i.upper + 1))
            lines.append(f"{pad}{'    ' * k}for (int64_t {name} = {low}; {name} < {high}; {name}++)")
        return [*lines, f"{pad}{'    ' * len(rest)}{self._target(a.target)} = {value};"]

    def _assigned(self, a):
        place, value = self.places[a.name], self.print.of(a.value)
        target = self._target(a.target)
        if a.how == "max":
            self.print.used["larger"] = None
            return f"{target} = larger({target}, {value});"
        if a.how == "=" and place.kind == "local":
            return f"const real {target} = {value};"
        return f"{target} {a.how} {value};"

    def _target(self, target):
        place = self.places[read_name(target)]
        return _safe(read_name(target)) + self._where(target, place)

    def _read(self, read):
        name = read_name(read)
        place = self.places[name]
        text = _safe(name) + self._where(read, place)
        return f"(real){text}" if place.wide else text

    def _where(self, read, place):
        if place.kind == "local":
            return ""
        if not place.axes:
            return "[0]"
        code = ""
        for k, size in zip(place.axes, place.shape, strict=True):
            index = self.print.whole(read.indices[k] + (place.before if k == 0 else 0))
            code = f"{_grouped(code)}*{_grouped(self._size(size))} + {index}" if code else index
        return f"[{code}]"

    def _size(self, expr):
        return self.print.whole(expr)

    def _index(self, symbol):
        """Return the name of an index or a size; an index that is called like a variable gets another one."""
        if symbol not in self.indices:
            self.sizes[symbol] = None
        return f"{symbol.name}_" if symbol.name in self.places or symbol.name in RESERVED else symbol.name


def _grouped(code):
    return code if code.replace("_", "").isalnum() else f"({code})"


def _inside(item):
    for i in item.body if isinstance(item, Loop) else [item]:
        if isinstance(i, Loop):
            yield from _inside(i)
        else:
            yield i


def _common(paths):
    """Return the loops that all paths share, by identity."""
    shared = []
    for loops in zip(*paths, strict=False):
        if any(loop is not loops[0] for loop in loops):
            break
        shared.append(loops[0])
    return shared


def _wrapped(line):
    """Return the rows of a long line, a directive of the preprocessor with a backslash between them."""
    pad = line[:len(line) - len(line.lstrip())]
    rows = textwrap.wrap(line, WIDTH - 2, subsequent_indent=f"{pad}        ", break_long_words=False,
                         break_on_hyphens=False)
    return [f"{row} \\" for row in rows[:-1]] + rows[-1:] if "#pragma" in line else rows


def _safe(name):
    """Return a name that C allows."""
    return f"{name}_" if name in RESERVED else name


def _folded(head, arguments):
    lines, line = [], head
    for k, a in enumerate(arguments):
        piece = f"{a}{',' if k + 1 < len(arguments) else ')'}"
        if len(line) + len(piece) + 1 > WIDTH:
            lines.append(line.rstrip())
            line = "    "
        line += piece + " "
    return [*lines, line.rstrip()]
