"""The one rule.

For an equation y[i] = F and every read x[g(i, r)] in it, r being the indices bound by sums in F,

    xbar[k]  +=  Sum over i, r of   ybar[i] * dF/dx[g(i, r)] * [k = g(i, r)]        reverse: adjoints
    ydot[i]   =  Sum over r of      dF/dx[g(i, r)] * xdot[g(i, r)]                  forward: tangents

dF/dx[...] is SymPy's scalar derivative of F by a placeholder for that read. All contributions are collected before any
adjoint equation is written, so an equation may read itself at another index.

An implicit equation, 0 = F for all i, takes part with ybar[i] = -lambda[i], its multiplier; and what it sends to the
variable y that it defines is no part of ybar: the two together vanish, which defines lambda, implicitly again.

    0  =  Sum over i, r of   lambda[i] * dF/dy[g(i, r)] * [k = g(i, r)]   -  ybar[k]
"""

from collections.abc import Collection
from dataclasses import replace
from itertools import chain

from sympy import Add, Expr, Idx, Mul, Piecewise, S, Sum

from .binders import has_binder, is_binder
from .bracket import Summand, eliminated
from .derivatives import Partial, partials
from .guards import guarded, is_guard, unguarded
from .implicit import resolved
from .naming import named
from .order import between, reverse_order
from .program import Equation, Program, Variable, base_of
from .terms import free_indices, fresh, index_names, like, read_name, rename, subterms


def backward(program: Program, known: Collection[str] = ()) -> Program:
    """Return the forward equations, then one adjoint equation for each variable between parameters and loss.

    The adjoints of `known` variables have their places in the order, and 0 for a right-hand side: nothing is derived.
    All reductions have names first.

    Raises
    ------
    DerivationError
        A function without a derivative; the message names the expression.
    """
    return adjoined(named(program), known)


def adjoined(program: Program, known: Collection[str] = ()) -> Program:
    """Return what `backward` returns of a program whose reductions have names already."""
    active = between(program)
    terms: dict[str, list[Expr]] = {name: [] for name in active}
    adjoints = {name: _adjoint(program.variables[name], program.variables) for name in active}
    multipliers = {e.name: _multiplier(e, program) for e in program.equations if e.implicit and e.name in active}
    own: dict[str, list[Expr]] = {name: [] for name in multipliers}
    wanted = {name for name in active if name not in known}
    for equation in program.equations:
        if equation.name in terms:
            for partial in partials(equation, wanted):
                target = program.variables[read_name(partial.read)]
                collected = own if equation.implicit and target.name == equation.name else terms
                ybar = (multipliers if equation.implicit else adjoints)[equation.name].at(*equation.indices)
                if equation.implicit:
                    partial = replace(partial, coefficient=-partial.coefficient)
                collected[target.name].append(_transposed(equation, partial, ybar, target, program))
    if program.loss in terms:
        terms[program.loss].append(S.One)
    adjoints |= {p.name: _adjoint(p, program.variables) for p in program.parameters}
    lines = []
    for name in reverse_order(program, adjoints):
        lines.append(_emit(adjoints[name], terms.get(name, [])))
        if name in multipliers:
            lines.append(_vanishing(multipliers[name], adjoints[name], own[name]))
    added = {a.name: a for a in (*adjoints.values(), *multipliers.values())}
    return resolved(program.with_equations(
        (*program.equations, *lines), variables={**program.variables, **added},
        adjoints={a.primal: a.name for a in adjoints.values()},
    ), {m.name for m in multipliers.values()})


def differential(equation: Equation, tangents: dict[str, Variable], reuse: bool = True) -> Expr:
    """Return the tangent of an equation's left-hand side, in those of what it reads: the rule read forward.

    Without `reuse`, derivatives are left as they are, rather than written in terms of the left-hand side.
    """
    return Add(*(
        carried(p, tangents[read_name(p.read)].at(*_indices(p.read))) for p in partials(equation, tangents, reuse)
    ))


def carried(partial: Partial, tangent: Expr) -> Expr:
    """Return what the tangent of one read contributes to that of the left-hand side, read only where that counts."""
    read_anywhere = all(isinstance(i, Idx) for i in _indices(tangent))
    term, conditions = unguarded(partial.coefficient * tangent if read_anywhere else
                                 _inside(partial.coefficient, tangent))
    return _summed(guarded(term, conditions), partial.limits)


def _inside(coefficient, read):
    """Return the product of a coefficient and a read, which stands in those branches of a choice where it counts."""
    if isinstance(coefficient, Add):
        return Add(*(_inside(term, read) for term in coefficient.args))
    if isinstance(coefficient, Piecewise) and not is_guard(coefficient):
        branches = ((_inside(value, read) if value != 0 else value, condition) for value, condition in coefficient.args)
        return Piecewise(*branches, evaluate=False)
    term, conditions = unguarded(coefficient)
    factors = list(Mul.make_args(term))
    chosen = next(chain(filter(_vanishes, factors), filter(_chooses, factors)), None)
    if chosen is not None:
        factors.remove(chosen)
        read = _inside(chosen, read)
    return guarded(Mul(*factors, read), conditions)


def _chooses(factor):
    """Tell whether a factor is a choice, or a sum that has one as a term or a factor of one."""
    return isinstance(factor, Piecewise) or (
        isinstance(factor, Add) and any(map(_chooses, (f for t in factor.args for f in Mul.make_args(t)))))


def _vanishes(factor):
    """Tell whether a factor is a choice that is 0 in some cases, or a sum of such: it says where a read counts."""
    if isinstance(factor, Piecewise):
        return any(value == 0 or _vanishes(value) for value, _ in factor.args)
    return isinstance(factor, Add) and all(any(map(_vanishes, Mul.make_args(t))) for t in factor.args)


def _transposed(equation, partial, ybar, target, program):
    """Return one contribution to the adjoint of `target`, at the indices of its own equations."""
    positions, term, own = _indices(partial.read), ybar * partial.coefficient, target.indices
    ranges = [(i, i.lower, i.upper) for i in equation.free] + [tuple(limit) for limit in partial.limits]
    inside = index_names(term) | {i.name for i, *_ in ranges}           # a sum may count by an index that no term has
    slots = own if _are_apart(own, positions, inside) else _slots(target)
    if positions != slots:
        term = ybar * partial.coefficient.xreplace({partial.read: target.at(*slots)})
    return _settled(eliminated(Summand(term, ranges), slots, positions, program.prover), slots, own)


def _are_apart(own, positions, inside):
    """Tell whether a term has no index of a variable but where that stands for itself: k = i needs no other name."""
    names = [i.name for p in positions for i in free_indices(p)]
    return all(
        (position == index and names.count(index.name) == 1) or index.name not in (*inside, *names)
        for index, position in zip(own, positions, strict=True))


def _emit(adjoint, terms):
    """Write the adjoint equation from all contributions."""
    return Equation(adjoint.at(*adjoint.indices), Add(*terms))


def _vanishing(multiplier, adjoint, terms):
    """Write the equation of a multiplier: the adjoint of the unknown and what its own equation sends it cancel."""
    line = _emit(adjoint, [-t for t in terms])
    return Equation(multiplier.at(*adjoint.indices), line.rhs - line.lhs, implicit=True)


def _settled(term, slots, indices):
    """Rename the slots to the adjoint's indices, and out of their way whatever is bound."""
    if slots == indices and not has_binder(term):
        return term
    taken, inside = {i.name for i in indices}, index_names(term)
    changes = {}
    for t in subterms(term):
        if is_binder(t):
            for index, *_ in t.limits:
                if index not in changes and index.name in taken:
                    changes[index] = fresh(index, taken | inside)
                taken |= {changes.get(index, index).name}
    return rename(term, changes | dict(zip(slots, indices, strict=True)))


def _slots(variable):
    """Return the indices k of the rule: one an axis, by names that no user can write."""
    return tuple(like(i, f"_{axis}") for axis, i in enumerate(variable.indices))


def _adjoint(variable, taken):
    """Return the adjoint of a variable, dV; d2V where a derivation before has made dV."""
    name = next(n for k in range(1, len(taken) + 3) if (n := f"d{k if k > 1 else ''}{variable.name}") not in taken)
    return replace(
        variable, name=name, base=base_of(name, variable.shape), kind="variable", primal=variable.name, note="",
        tangent_of=None,
    )


def _multiplier(equation, program):
    """Return the multiplier of an implicit equation, lam_y, of the same shape as the unknown."""
    variable, taken = program.variables[equation.name], {*program.variables, *map(str, program.sizes)}
    name = next(n for n in (f"lam_{equation.name}", *(f"lam{k}_{equation.name}" for k in range(2, len(taken) + 3)))
                if n not in taken)
    return replace(
        variable, name=name, base=base_of(name, variable.shape), kind="variable", primal=equation.name,
        multiplier=True, state=False, note="",
    )


def _summed(expr, limits):
    return Sum(expr, *limits) if limits and expr != 0 else expr


def _indices(read):
    return read.indices if read.is_Indexed else ()
