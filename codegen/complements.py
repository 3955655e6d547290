"""What sigmoids leave of 1, by the exponentials that they are made of: 1 - s is 1/(1 + E), where s = E/(1 + E).

    s = sigmoid(z)                      E_s = capped_exp(z), s = E_s/(E_s + 1)
    dz = ds*slope(z)                    dz = ds*s/(E_s + 1)
    h = c*sigmoid(-z)                   h = c/(E_s + 1)

That loses as few digits at either end as exponentials of their own would, and takes none.
"""

from dataclasses import replace

from sympy import Add, Expr, Indexed, Mul, Pow, expand

from derive.functions import sigmoid
from derive.guards import guarded, is_guard
from derive.program import Equation, Variable
from derive.ranges import Prover, conjuncts
from derive.terms import free_indices, read_name, reads

from .lowering import Lowered, grouped, slope
from .products_named import introduced
from .shared_exponentials import capped_exp


def with_complements(low: Lowered) -> Lowered:
    """Return a lowered program in which what sigmoids with a name leave of 1, and their derivatives, read them."""
    known = _Sigmoids(low)
    lines = [known.read_in(e) for e in low.program.equations]
    lines = [line for e in lines for line in known.defined(e)]
    made = {v.name for name, v in known.exponentials.items() if name in low.backward}
    return replace(low, program=low.program.with_equations(lines, variables=known.all_variables()),
                   backward=low.backward | made)


class _Sigmoids:
    """The sigmoids of a program that have a name, and the exponentials that have been asked of them."""

    def __init__(self, low):
        self.old, self.variables, self.prover = low.program.variables, dict(low.program.variables), low.program.prover
        self.exponentials: dict[str, Variable] = {}
        self.named: dict[tuple[bool, str | None], list[Equation]] = {}
        for e in low.program.equations:
            if isinstance(e.rhs, sigmoid) and _is_of_all(e) and not self._found(-e.rhs.args[0], self.prover):
                self.named.setdefault(_kind(e.rhs.args[0]), []).append(e)

    def read_in(self, e):
        """Return an equation that reads the sigmoids and their exponentials where it may."""
        return e.with_rhs(self._replaced(e.rhs, self.prover)) if self.named and e.rhs.has(slope, sigmoid) else e

    def _replaced(self, expr, knowing):
        """Return an expression for places that are in the ranges which the prover knows of."""
        if not expr.has(slope, sigmoid):
            return expr
        if is_guard(expr):
            conditions = conjuncts(expr.args[0][1])
            return guarded(self._replaced(expr.args[0][0], knowing.knowing(conditions)), conditions)
        if isinstance(expr, slope):
            found = self._beside(expr.args[0], knowing) or self._beside(-expr.args[0], knowing)
            return found[0] / (1 + found[1]) if found else expr
        if isinstance(expr, sigmoid):
            found = self._beside(-expr.args[0], knowing)
            return 1 / (1 + found[1]) if found else expr
        replaced = expr.func(*(self._replaced(a, knowing) for a in expr.args))
        if isinstance(replaced, Mul):
            replaced = self._divided_by_sizes_first(replaced)
        return expr if isinstance(expr, Mul | Pow) and self._may_overflow(replaced) else replaced

    def _divided_by_sizes_first(self, product):
        """Return a product that divides by sizes before it does by 1 + E, which sizes may carry out of range."""
        divisors = [f for f in product.args if isinstance(f, Pow) and f.exp == -1 and self._reads_exponentials(f.base)]
        rest = Mul(*(f for f in product.args if f not in divisors))
        sizes = [f for f in Mul.make_args(rest) if not free_indices(f) and f.as_base_exp()[1].is_negative]
        if not (divisors and sizes and free_indices(rest)):
            return product
        return Mul(-grouped(-rest) if rest.could_extract_minus_sign() else grouped(rest), *divisors)

    def _reads_exponentials(self, expr):
        return bool(reads(expr, {v.name for v in self.exponentials.values()}))

    def _may_overflow(self, expr):
        """Tell whether a product divides by the square, or a higher power, of 1 + E."""
        powers = (f.as_base_exp() for f in Mul.make_args(expr))
        return any(p < -1 and self._reads_exponentials(base) for base, p in powers if p.is_number)

    def all_variables(self):
        """Return the variables, each exponential ahead of its sigmoid."""
        result = {}
        for name, variable in self.old.items():
            if name in self.exponentials:
                result[self.exponentials[name].name] = self.exponentials[name]
            result[name] = variable
        return result

    def _found(self, x, knowing):
        """Return the equation of sigmoid(x), and where x is in it."""
        for e in self.named.get(_kind(x), ()):
            at = _place(_read(x), _read(e.rhs.args[0]), knowing)
            if at:
                return e, at
        return None

    def _beside(self, x, knowing):
        """Return what sigmoid(x) is called, and its exponential; None where it has no name."""
        found = self._found(x, knowing)
        if not found:
            return None
        e, at = found
        if e.name not in self.exponentials:
            stem = f"E_{e.name.removeprefix('sigmoid_')}"
            self.exponentials[e.name] = introduced(stem, e.indices, self.variables)
        return e.lhs.base[at], self.exponentials[e.name].at(*at)

    def defined(self, e):
        """Return the two lines of a sigmoid whose exponential was asked for; any other equation by itself.

        Another one may define the same array: the row before the first of a state.
        """
        if e.name not in self.exponentials or e.free != e.indices:
            return [e]
        exponential = self.exponentials[e.name].at(*e.indices)
        return [Equation(exponential, capped_exp(e.rhs.args[0])), e.with_rhs(exponential / (1 + exponential))]


def _is_of_all(equation: Equation) -> bool:
    """Tell whether an equation is about all entries of the array, or of the block, that it reads, each at its place."""
    x = _read(equation.rhs.args[0])
    if x is None or equation.free != equation.indices:
        return False
    inside = tuple(p - _start(p) for p in x.indices if not p.is_Integer)
    return inside == equation.indices != () and all(i.lower == 0 for i in inside)


def _start(position: Expr) -> Expr:
    """Return where the block of an axis begins that a position is in: 2 K of 2 K + k."""
    return Add(*(a for a in Add.make_args(position) if not free_indices(a)))


def _place(read: Indexed, own: Indexed, knowing: Prover) -> tuple[Expr, ...]:
    """Return where a read is in the block that another one is of, along its varying axes; () where it is in no such."""
    at = []
    for p, q in zip(read.indices, own.indices, strict=True):
        if p.is_Integer or q.is_Integer:
            if p != q:
                return ()
            continue
        start = _start(q)
        inside, index = expand(p - start), q - start
        if not knowing.within(inside, index.lower, index.upper):
            return ()
        at.append(inside)
    return tuple(at)


def _read(x: Expr) -> Indexed | None:
    """Return the array that is read as it is, or with the other sign."""
    return next((f for f in (x, -x) if isinstance(f, Indexed)), None)


def _kind(x: Expr) -> tuple[bool, str | None]:
    """Return which array is read, and whether with its own sign; no array where x is no read."""
    read = _read(x)
    return x == read, None if read is None else read_name(read)
