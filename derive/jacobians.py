"""Jacobians with free indices: the rule read forward with a Kronecker delta for the direction, all brackets solved.

    J_y[i; k] = Sum over r of  dF/dx[g(i, r)] * J_x[g(i, r); k],        J_x[j; k] = [j = k] for the x that moves

What remains of most lines is a product of few factors (X[n, k] [h = j]), put in place where it is read; only sums are
named, without the factors that do not depend on what is summed. So each named array has the fewest axes that it can
have, and a Hessian costs what its closed form costs.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from sympy import Add, Expr, Idx, Indexed, KroneckerDelta, Mul, Piecewise, S, Sum

from .bracket import collapsed
from .derivatives import partials_of_parts
from .guards import drawn_out, guarded, is_guard, unguarded
from .naming import named
from .order import moved
from .program import Equation, Program, Variable, base_of, is_cyclic
from .tangents import Parts, whole
from .terms import anonymous, count, free_indices, fresh, index_names, instantiated, read_name, reads, rename

MOST_TERMS = 4              # of a Jacobian that is put in place; more are named together


class Jacobians:
    """Extends a program by Jacobians. `stem` says what the sums are called that the Jacobian of a variable needs."""

    def __init__(self, program: Program, stem: Callable[[str], str] = lambda name: f"J_{name}"):
        self.program, self.stem = named(program), stem
        self.variables = dict(self.program.variables)
        self.taken = {*self.variables, *(s.name for s in program.sizes)}
        self.lines: list[Equation] = []
        self.known: dict[Expr, tuple[Variable, list[int]]] = {}     # a sum -> its variable, the order of its indices
        self.index_names = {n for e in self.program.equations for side in (e.lhs, e.rhs) for n in index_names(side)}

    def extended(self) -> Program:
        """Return the program with the lines that the Jacobians asked for need."""
        lines = placed(self.lines, {e.name for e in self.lines})
        return self.program.with_equations((*self.program.equations, *lines), variables=self.variables)

    def slots(self, name: str) -> tuple[Idx, ...]:
        """Return one index for each axis of a variable that moves, by names that no equation has."""
        result: list[Idx] = []
        for i in self.program.variables[name].indices:
            taken = self.index_names | {s.name for s in result} | {i.name}
            result.append(fresh(i, taken))
        return tuple(result)

    def by(self, name: str, slots: Sequence[Idx], through: Parts = whole) -> dict[str, Expr]:
        """Return the Jacobian of every variable by one that moves, at the variable's own indices and the slots.

        `through` tells the parts of an equation that are differentiated (Gauss-Newton holds the network).
        """
        own = self.program.variables[name].indices
        found: dict[str, Expr] = {name: Mul(*(KroneckerDelta(i, k) for i, k in zip(own, slots, strict=True)))}
        active = moved(self.program, [name])
        for group in self.program.groups():
            group = [e for e in group if e.name in active]
            waiting = is_cyclic(group) or any(e.implicit for e in group)
            partials = [partials_of_parts(e, active, through(e)) for e in group]
            if waiting and not any(read_name(p.read) in found for ps in partials for p in ps):
                continue                                    # nothing that they read moves, so neither do they
            if waiting:
                found |= self._recurrent(group, name, slots)
            for e, ps in zip(group, partials, strict=True):
                terms = [t for p in ps if read_name(p.read) in found
                         for t in self._carried(e, self._with_factors_named(p, e.name), found[read_name(p.read)])]
                if waiting:
                    self._define(found[e.name], e, terms)
                elif terms:
                    found[e.name] = self._settled(e.name, terms, slots)
        return {n: j for n, j in found.items() if j != 0}

    # ---- one line

    def _with_factors_named(self, partial, of):
        """Return a partial derivative whose long factors have names: each is computed once, for all that is carried.

        Choices by data are long, as in a sum they are factors like others, and so are sums of products.
        """
        factors = Mul.make_args(partial.coefficient)
        long = [f for f in factors if _is_choice_by_data(f) or _is_long_sum(f)]
        if not long:
            return partial
        named_ones = [self._name(f, of) if f in long else f for f in factors]
        return replace(partial, coefficient=Mul(*named_ones))

    def _carried(self, e, partial, jacobian) -> Iterable[Expr]:
        """Yield the terms that one read contributes, sums collapsed at the brackets inside them."""
        target = self.program.variables[read_name(partial.read)]
        places = dict(zip(target.indices, getattr(partial.read, "indices", ()), strict=True))
        for term in Add.make_args(rename(jacobian, places)):
            for opened in _apart_from_sum(_opened(term), _other_row(e, partial.limits)):
                product = guarded(*unguarded(partial.coefficient * opened))         # read only where it counts
                yield collapsed(Sum(product, *partial.limits), self.program.prover) if partial.limits else product

    def _settled(self, name, terms, slots):
        """Return a Jacobian as few terms without sums: factors that all have in common, then what is left of each."""
        products = [self._without_sum(name, t) for t in terms if t != 0]
        common, rest = _common([list(Mul.make_args(p)) for p in _merged(products)])
        plain = [r for r in rest if not r.has(KroneckerDelta)]
        alike = len({frozenset(free_indices(r)) for r in plain}) == 1
        if len(plain) > 1 and (alike or len(rest) > MOST_TERMS) and not self._is_of_pairs(name, plain):
            rest = [*(r for r in rest if r not in plain), self._name(Add(*plain), name)]
        total = Add(*rest)
        small = isinstance(total, Add) and common and _is_small(total) and not self._is_of_pairs(name, total.args)
        if small and set(free_indices(total)) & set(slots):
            inside = [f for f in common if set(free_indices(f)) <= set(free_indices(total))]
            total = self._name(Add(*(Mul(*inside, t) for t in total.args)), name)
            common = [f for f in common if f not in inside]
        return Mul(*self._scaled(name, common), total)

    def _is_of_pairs(self, name, terms):
        """Tell whether a variable is of pairs of rows, times what is of one row: what reads it sums over rows."""
        own = self.program.variables[name].indices
        return len(own) == 2 and own[0].upper == own[1].upper and not any(
            set(own) < set(free_indices(f)) for t in terms for f in Mul.make_args(unguarded(t)[0]))

    def _scaled(self, name, factors):
        """Return factors with a large array named together with what scales it: so it is scaled once."""
        large = next((f for f in factors if len(free_indices(f)) > 2 and isinstance(f, Indexed)), None)
        inside = [f for f in factors if f is not large and large is not None and free_indices(f)
                  and set(free_indices(f)) <= set(free_indices(large)) and not f.has(KroneckerDelta)]
        if not inside or any(f.has(KroneckerDelta) and set(free_indices(f)) <= set(free_indices(large))
                             for f in factors):         # on a diagonal of it alone
            return factors
        return [self._name(Mul(large, *inside), name), *(f for f in factors if f is not large and f not in inside)]

    def _without_sum(self, name, term):
        """Return a term with its sums named. Where a condition fails a sum is 0 by its name, and is not computed."""
        if not term.has(Sum):
            return term
        inner, conditions = drawn_out(term)
        named = [self._named_sum(name, f, conditions) if isinstance(f, Sum) else f for f in Mul.make_args(inner)]
        return guarded(*unguarded(Mul(*named, guarded(S.One, conditions))))

    def _named_sum(self, name, total, conditions):
        """Return a sum named, where conditions hold, factors apart that do not depend on what is summed."""
        varying = set(free_indices(total.function))
        limits = [limit for limit in total.limits if limit[0] in varying]
        idle = count([limit for limit in total.limits if limit[0] not in varying])
        bound = {limit[0] for limit in limits}
        factors = Mul.make_args(total.function)
        outside = [f for f in factors if not bound & set(free_indices(f))]
        inside = Mul(*(f for f in factors if bound & set(free_indices(f))))
        if not limits:
            return Mul(idle, *outside, inside)
        part = Sum(inside, *limits)
        own = [c for c in conditions if set(free_indices(c)) <= set(free_indices(part))]
        return Mul(idle, *outside, self._name(guarded(part, own), name))

    # ---- recurrences

    def _recurrent(self, group, name, slots):
        """Return reads of the Jacobians of variables that wait for each other: each is a variable of its own."""
        found = {}
        for e in group:
            v = self.program.variables[e.name]
            new = self._variable(self.stem(e.name), v.indices + tuple(slots), v.state, v.primal)
            found[e.name] = new.at(*v.indices, *slots)
        return found

    def _define(self, jacobian, e, terms):
        """Write the equation of a Jacobian in a recurrence, or that of an unknown, whose residual goes on vanishing."""
        own = self.program.variables[e.name].indices
        here = dict(zip(own, e.indices, strict=True))
        self.lines.append(Equation(jacobian.xreplace(here), Add(*terms), e.implicit))

    # ---- names

    def _name(self, rhs: Expr, of: str) -> Expr:
        """Return a read of the variable that is defined as `rhs`, defining it where it is new."""
        free = free_indices(rhs)
        key = anonymous(rhs)
        own = self.program.variables[of].indices
        if key not in self.known:
            order = [*(i for i in own if i in free), *(i for i in free if i not in own)]
            variable = self._variable(self.stem(of), order)
            self.known[key] = variable, [free.index(i) for i in order]
            self.lines.append(Equation(variable.at(*order), rhs))
        variable, places = self.known[key]
        return variable.at(*(free[k] for k in places))

    def _variable(self, stem, indices, state=False, primal=None):
        name = next(n for k in range(1, len(self.taken) + 3) if (n := f"{stem}{f'_{k}' if k > 1 else ''}")
                    not in self.taken)
        self.taken.add(name)
        shape = tuple(i.upper + 1 for i in indices)
        variable = Variable(name, base_of(name, shape), shape, state=state, primal=primal,
                            index_names=tuple(i.name for i in indices))
        self.variables[name] = variable
        return variable

    def result(self, name: str, rhs: Expr, indices: Sequence[Idx]) -> str:
        """Add a result by a name, or the next that is free, and return the name."""
        variable = self._variable(name, tuple(indices))
        self.lines.append(Equation(variable.at(*indices), rhs))
        return variable.name


def placed(lines: list[Equation], names: Collection[str]) -> list[Equation]:
    """Return lines with those of some names put in place that one line reads alone, times constants: H = J/N."""
    while True:
        readers: dict[str, list[Equation]] = {}
        for e in lines:
            for r in reads(e.rhs, names):
                readers.setdefault(read_name(r), []).append(e)
        found = next((e for e in lines if e.name in names and not e.implicit and len(readers.get(e.name, ())) == 1
                      and _is_read_as_it_is(readers[e.name][0], e)), None)
        if found is None:
            return lines
        [reader] = readers[found.name]
        [read] = reads(reader.rhs, {found.name})
        here = dict(zip(found.indices, getattr(read, "indices", ()), strict=True))
        new = reader.with_rhs(reader.rhs.xreplace({read: instantiated(found.rhs, here)}))
        lines = [new if e is reader else e for e in lines if e is not found]


def _is_read_as_it_is(reader, definition):
    """Tell whether a line is, or adds, a constant times one read of another, entry by entry."""
    factors = next((Mul.make_args(t) for t in Add.make_args(reader.rhs) if reads(t, {definition.name})), ())
    others = [f for f in factors if read_name(f) != definition.name]
    whole = len(definition.free) == len(reader.free) and len(others) == len(factors) - 1
    return whole and not any(free_indices(f) or f.has(Indexed) for f in others)


def _is_small(total):
    """Tell whether a sum of terms has hardly more axes than what it reads: diag(p) - p p' for each row of p."""
    largest = max((len(r.indices) for r in total.atoms(Indexed)), default=0)
    return len(free_indices(total)) <= max(3, largest)


def _opened(term: Expr) -> Iterable[Expr]:
    """Yield the terms of a product, a sum opened where brackets are among its terms."""
    total = next((f for f in Mul.make_args(term) if isinstance(f, Add) and f.has(KroneckerDelta)), None)
    if total is None:
        yield term
        return
    rest = Mul(*(f for f in Mul.make_args(term) if f is not total))
    for t in total.args:
        yield from _opened(rest * t)


def _is_choice_by_data(factor):
    """Tell whether a factor is chosen by what is read, and not by indices alone."""
    return isinstance(factor, Piecewise) and factor.has(Indexed) and not is_guard(factor) and any(
        condition.has(Indexed) for _, condition in factor.args)


def _is_long_sum(factor):
    """Tell whether a factor is a sum with a product of reads in it, as the slope of an activation is."""
    if not isinstance(factor, Add) or factor.has(KroneckerDelta, Piecewise, Sum):
        return False
    free = set(free_indices(factor))
    return len(free) > 1 and any(set(free_indices(r)) == free for r in factor.atoms(Indexed)) and any(
        sum(f.has(Indexed) for f in Mul.make_args(t)) > 1 for t in factor.args)


def _other_row(e, limits):
    """Return the index that a row of an equation sums over, if it is that of another row: of all pairs of rows."""
    if len(e.free) == len(limits) == 1 and limits[0][0].upper == e.free[0].upper:
        return limits[0][0]
    return None


def _apart_from_sum(terms: Iterable[Expr], bound: Idx | None) -> Iterable[Expr]:
    """Yield products, in which the terms of a sum that do not vary with an index have a product of their own.

    Sum(p[n, m]*(X[n, d] - Y[m, d]), m) is Sum(p[n, m], m)*X[n, d] less a product of matrices; there is no (N, N, D).
    """
    for term in terms:
        total = next((f for f in Mul.make_args(term) if isinstance(f, Add)
                      and len({bound in free_indices(t) for t in f.args}) == 2), None)
        if total is None:
            yield term
            continue
        rest = Mul(*(f for f in Mul.make_args(term) if f is not total))
        for varies in (True, False):
            yield rest * Add(*(t for t in total.args if (bound in free_indices(t)) == varies))


def _merged(products: list[Expr]) -> list[Expr]:
    """Return the terms of a sum of products, equal ones added up."""
    return list(Add.make_args(Add(*products)))


def _common(terms: list[list[Expr]]) -> tuple[list[Expr], list[Expr]]:
    """Return the factors that all terms have, and what is left of each; those of a single term stay together."""
    if len(terms) == 1:
        return [f for f in terms[0] if not isinstance(f, Add)], [Mul(*(f for f in terms[0] if isinstance(f, Add)))]
    common = [f for f in terms[0] if not f.is_Number and all(f in t for t in terms[1:])]
    return common, [Mul(*(f for f in t if f not in common)) for t in terms]

