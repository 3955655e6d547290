"""What sigmoids leave of 1, by the exponentials that they are made of: 1 - s is 1/(1 + E), where s = E/(1 + E).

    s = sigmoid(z)                      E_s = capped_exp(z), s = E_s/(E_s + 1)
    dz = ds*slope(z)                    dz = ds*s/(E_s + 1)
    h = c*sigmoid(-z)                   h = c/(E_s + 1)

That loses as few digits at either end as exponentials of their own would, and takes none.
"""

from dataclasses import replace

from sympy import Expr, Indexed

from derive.functions import sigmoid
from derive.program import Equation, Variable
from derive.terms import free_indices, read_name, runs_over

from .lowering import Lowered, grouped, slope
from .products_named import introduced
from .shared_exponentials import capped_exp


def with_complements(low: Lowered) -> Lowered:
    """Return a lowered program in which what sigmoids with a name leave of 1, and their derivatives, read them."""
    known = _Sigmoids(low)
    lines = [e.with_rhs(e.rhs.replace(slope, known.derivative).replace(sigmoid, known.complement))
             if e.rhs.has(slope, sigmoid) else e for e in low.program.equations]
    lines = [line for e in lines for line in known.defined(e)]
    made = {v.name for name, v in known.exponentials.items() if name in low.backward}
    return replace(low, program=low.program.with_equations(lines, variables=known.all_variables()),
                   backward=low.backward | made)


class _Sigmoids:
    """The sigmoids of a program that have a name, and the exponentials that have been asked of them."""

    def __init__(self, low):
        self.old, self.variables = low.program.variables, dict(low.program.variables)
        self.exponentials: dict[str, Variable] = {}
        self.named: dict[tuple | None, Equation] = {}
        found = [e for e in low.program.equations if isinstance(e.rhs, sigmoid) and _is_of_all(e)]
        for e in found:
            if _place(-e.rhs.args[0]) not in self.named:
                self.named[_place(e.rhs.args[0])] = e

    def derivative(self, x):
        """Return slope(x), which is the same at -x."""
        s, exponential = self._beside(x) or self._beside(-x) or (None, None)
        return slope(x) if s is None else s / (1 + exponential)

    def complement(self, x):
        """Return sigmoid(x)."""
        _, exponential = self._beside(-x) or (None, None)
        return sigmoid(x) if exponential is None else 1 / (1 + exponential)

    def all_variables(self):
        """Return the variables, each exponential ahead of its sigmoid."""
        result = {}
        for name, variable in self.old.items():
            if name in self.exponentials:
                result[self.exponentials[name].name] = self.exponentials[name]
            result[name] = variable
        return result

    def _beside(self, x):
        """Return what sigmoid(x) is called, and its exponential; None where it has no name."""
        read = _read(x)
        e = self.named.get(_place(x))
        if read is None or e is None or not all(map(_is_from_0, read.indices)):
            return None
        if e.name not in self.exponentials:
            stem = f"E_{e.name.removeprefix('sigmoid_')}"
            self.exponentials[e.name] = introduced(stem, e.indices, self.variables)
        at = _varying(read)
        return e.lhs.base[at], self.exponentials[e.name].at(*at)

    def defined(self, e):
        """Return the two lines of a sigmoid whose exponential was asked for; any other equation by itself."""
        if e.name not in self.exponentials:
            return [e.with_rhs(e.rhs.args[0]) if isinstance(e.rhs, grouped) else e]
        exponential = self.exponentials[e.name].at(*e.indices)
        return [Equation(exponential, capped_exp(e.rhs.args[0])), e.with_rhs(exponential / (1 + exponential))]


def _is_of_all(equation: Equation) -> bool:
    """Tell whether an equation is about all entries of the array, or of the block, that it reads, each at its place."""
    x = _read(equation.rhs.args[0])
    return x is not None and _varying(x) == equation.free == equation.indices != () and all(
        i.is_Integer or runs_over(i, size) for i, size in zip(x.indices, x.base.shape, strict=True))


def _is_from_0(position: Expr) -> bool:
    """Tell whether a position is never that of the row before the first, which states alone have."""
    return bool(position.xreplace({i: i.lower for i in free_indices(position)}).is_nonnegative)


def _read(x: Expr) -> Indexed | None:
    """Return the array that is read as it is, or with the other sign."""
    return next((f for f in (x, -x) if isinstance(f, Indexed)), None)


def _varying(read: Indexed) -> tuple[Expr, ...]:
    return tuple(p for p in read.indices if not p.is_Integer)


def _place(x: Expr) -> tuple | None:
    """Return what is the same in all reads of one block of an array: its sign, its name, the numbers among its indices.

    None for what is no read.
    """
    read = _read(x)
    return None if read is None else (x == read, read_name(read), *(p if p.is_Integer else None for p in read.indices))
