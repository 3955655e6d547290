"""From equations to assignments: sums and maxima inside them get a name, and accumulate."""

from collections.abc import Collection, Mapping

from sympy import Expr, Idx, Indexed, Sum, Symbol

from derive.binders import Maximum, is_binder
from derive.program import Equation, Variable, base_of
from derive.terms import free_indices, read_name, subterms

from .expressions import Expressions, NotInC
from .nests import Assignment


class Split:
    """Takes equations apart into assignments; `variables` are those of the program and the ones named on the way."""

    def __init__(self, variables: Mapping[str, Variable], taken: Collection[str]):
        self.variables, self.taken = dict(variables), set(taken) | set(variables)

    def of(self, e: Equation, how: str = "=") -> list[Assignment]:
        """Return the assignments of an equation, or ("+=") those that add its right-hand side to what is there.

        Raises
        ------
        NotInC
            It binds an index in a way that this style leaves to NumPy.
        """
        lines: list[Assignment] = []
        value = self._replaced(e.rhs, e, lines)
        if how == "=" and lines and value == lines[-1].target and self._stands_for(lines[-1], e):
            last = lines.pop()
            del self.variables[last.name]
            return [*lines, Assignment(e.lhs, last.how, last.value, last.loops)]
        return [*lines, Assignment(e.lhs, how, value, e.free)]

    def _stands_for(self, a, e):
        """Tell whether an accumulation may be the equation's own: entry by entry, not of a number."""
        return getattr(a.target, "indices", ()) == e.indices and a.loops[-1] in e.free

    def _replaced(self, expr: Expr, e, lines):
        if is_binder(expr):
            return self._reduced(expr, e, lines)
        if not expr.args or isinstance(expr, Indexed | Idx) or not any(map(is_binder, subterms(expr))):
            return expr
        args = [self._replaced(a, e, lines) for a in expr.args]
        return expr.func(*args)

    def _reduced(self, binder, e, lines):
        how = {Sum: "+=", Maximum: "max"}.get(type(binder))
        if how is None:
            raise NotInC(type(binder).__name__)
        if any(map(is_binder, subterms(binder.function))):
            raise NotInC(f"{binder}, one inside another")
        over = tuple(limit[0] for limit in binder.limits)
        for i, low, high in binder.limits:
            if (low, high) != (i.lower, i.upper) or free_indices(low + high):
                raise NotInC(f"the range of {i}")
        kept = tuple(i for i in e.free if i in free_indices(binder))
        order = _stored_order(binder.function, (*kept, *over))
        inner = len(order)
        while inner and order[inner - 1] in over:
            inner -= 1
        outer, term = order[:inner], binder.function
        if inner < len(order):
            number = self._named(f"{'sum' if how == '+=' else 'max'}_{e.name}", outer)
            lines.append(Assignment(number, how, term, order))
            term = number
        if len(outer) > len(kept):
            total = self._named(f"{'total' if how == '+=' else 'top'}_{e.name}", kept)
            lines.append(Assignment(total, how, term, outer))
            term = total
        return term

    def _named(self, stem, indices):
        name = next(n for n in (stem, *(f"{stem}_{k}" for k in range(2, 99))) if n not in self.taken)
        self.taken.add(name)
        base = base_of(name, tuple(i.upper + 1 for i in indices))
        self.variables[name] = Variable(name, base, tuple(i.upper + 1 for i in indices),
                                        index_names=tuple(i.name for i in indices))
        return base[indices] if indices else Symbol(name, real=True)


def in_c(e: Equation, split: Split, how: str = "=", variables: Mapping[str, Variable] | None = None
         ) -> list[Assignment]:
    """Return the assignments of an equation, none where C cannot compute it; it may read other `variables` too."""
    before = dict(split.variables)
    names = {**split.variables, **(variables or {})}

    def read(term):
        for index in getattr(term, "indices", ()):
            trial.whole(index)
        return read_name(term)

    trial = Expressions(names, read, lambda symbol: symbol.name)
    try:
        lines = split.of(e, how)
        for a in lines:
            trial.of(a.value)
    except NotInC:
        split.variables = before
        return []
    return lines


def _stored_order(expr, axes):
    """Return the axes in the order in which the largest array in `expr` stores them, as far as it has them."""
    found = [t.indices for t in subterms(expr) if isinstance(t, Indexed) and all(isinstance(i, Idx) for i in t.indices)]
    largest = max(found, key=len, default=())
    stored = iter(dict.fromkeys(i for i in largest if i in axes))
    return tuple(next(stored) if i in largest else i for i in axes)
