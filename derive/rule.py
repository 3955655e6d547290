"""The one rule. For an equation y[i] = F and every read x[g(i, r)] in it, r being the indices bound by sums in F,

    xbar[k]  +=  Sum over i, r of   ybar[i] * dF/dx[g(i, r)] * [k = g(i, r)]        reverse: adjoints
    ydot[i]   =  Sum over r of      dF/dx[g(i, r)] * xdot[g(i, r)]                  forward: tangents

dF/dx[...] is SymPy's scalar derivative of F by a placeholder for that read. All contributions are collected before any
adjoint equation is written, so an equation may read itself at another index.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from sympy import Add, Derivative, DiracDelta, Dummy, Expr, Heaviside, Mul, S, Subs, Sum, Symbol, Tuple

from .arrays import Array
from .binders import FirstMaximum, LogSumExp, Maximum, has_binder, is_binder
from .bracket import Summand, eliminated
from .errors import DerivationError
from .functions import half_step
from .naming import named
from .program import Equation, Program, Variable, base_of, companion_name
from .terms import fresh, index_names, reads, rename, subterms


@dataclass(frozen=True)
class Partial:
    """One read in a right-hand side, the derivative by it, and the indices that are bound around it."""

    read: Expr
    coefficient: Expr
    limits: tuple[Tuple, ...] = ()


def backward(program: Program) -> Program:
    """Return the forward equations, then one adjoint equation for each variable between parameters and loss.

    Raises
    ------
    DerivationError
        A function without a derivative; the message names the expression.
    """
    program = named(program)
    active = _between(program)
    terms: dict[str, list[Expr]] = {name: [] for name in active}
    adjoints = {name: _adjoint(program.variables[name]) for name in active}
    for equation in program.equations:
        if equation.name in active:
            for partial in partials(equation, active):
                target = program.variables[_name(partial.read)]
                terms[target.name].append(_transposed(equation, partial, adjoints, target, program))
    if program.loss in terms:
        terms[program.loss].append(S.One)
    adjoints |= {p.name: _adjoint(p) for p in program.parameters}
    lines = [_emit(adjoints[n], terms.get(n, [])) for n in _reverse_order(program, adjoints)]
    added = {a.name: a for a in adjoints.values()}
    return program.with_equations(
        (*program.equations, *lines), variables={**program.variables, **added},
        adjoints={a.primal: a.name for a in added.values()},
    )


def partials(equation: Equation, names: Collection[str]) -> list[Partial]:
    """Return the partial derivatives of an equation by its reads of the variables `names`, forward values reused."""
    found = _partials(equation.rhs, equation, names, (), S.One)
    reused = {equation.rhs: equation.lhs}
    return [replace(p, coefficient=p.coefficient.xreplace(reused)) for p in found if p.coefficient != 0]


def differential(equation: Equation, tangents: dict[str, Variable]) -> Expr:
    """Return the tangent of an equation's left-hand side, in those of what it reads: the rule read forward."""
    return Add(*(
        _summed(p.coefficient * tangents[_name(p.read)].at(*_indices(p.read)), p.limits)
        for p in partials(equation, tangents)
    ))


def _partials(expr, equation, names, limits, factor) -> Iterator[Partial]:
    """Walk down to the reads: sums are linear, the other binders say their derivative by one term."""
    if not has_binder(expr):
        for read in reads(expr, names):
            yield Partial(read, factor * derivative(expr, read), limits)
    elif isinstance(expr, Add):
        plain = Add(*(a for a in expr.args if not has_binder(a)))
        for part in (*(a for a in expr.args if has_binder(a)), plain):
            yield from _partials(part, equation, names, limits, factor)
    elif isinstance(expr, Mul):
        [inside] = [a for a in expr.args if has_binder(a)]
        others = Mul(*(a for a in expr.args if a != inside))
        yield from _partials(inside, equation, names, limits, factor * others)
    elif is_binder(expr):
        expr = _apart(expr, {i.name for i in equation.free} | {limit[0].name for limit in limits})
        factor = factor * _by_term(expr, equation)
        yield from _partials(expr.function, equation, names, limits + expr.limits, factor)
    else:
        raise DerivationError(f"{equation.name}: a reduction inside {expr} was not named first")


def _by_term(binder, equation):
    """Return the derivative of a binder's value by one of its terms."""
    if isinstance(binder, LogSumExp):
        return binder.partial(equation.lhs)
    if isinstance(binder, Maximum):
        shape = equation.lhs.base.shape if equation.indices else ()
        companion = base_of(companion_name(equation), shape, isinstance(binder, FirstMaximum))
        return binder.partial(equation.lhs, companion[equation.indices] if shape else companion)
    return S.One


def _apart(binder, taken):
    """Return a binder whose bound indices have names of their own."""
    changes = {}
    for index, *_ in binder.limits:
        if index.name in taken:
            changes[index] = fresh(index, taken | index_names(binder))
        taken = taken | {changes.get(index, index).name}
    return rename(binder, changes)


_PLACEHOLDERS = [Dummy(f"u{k}", real=True) for k in range(64)]


def derivative(expr: Expr, read: Expr) -> Expr:
    """Return SymPy's scalar derivative of an expression by one read in it."""
    everything = list(dict.fromkeys(t for t in subterms(expr) if _is_real_read(t)))
    while len(everything) > len(_PLACEHOLDERS):
        _PLACEHOLDERS.append(Dummy(f"u{len(_PLACEHOLDERS)}", real=True))
    there = dict(zip(everything, _PLACEHOLDERS, strict=False))
    back = {placeholder: t for t, placeholder in there.items()}
    result = _scalar_derivative(expr.xreplace(there), there[read])
    if result is None:
        raise DerivationError(f"no derivative is known of {expr} by {read}; use functions that SymPy can differentiate")
    return result.xreplace(back)


@lru_cache(maxsize=4096)
def _scalar_derivative(expr, variable):
    result = expr.diff(variable).replace(DiracDelta, lambda *_: S.Zero).replace(Heaviside, lambda x, *_: half_step(x))
    return None if result.has(Derivative, Subs) else result


def _is_real_read(term):
    return (term.is_Indexed and not term.is_integer) or (isinstance(term, Symbol) and not term.is_integer)


def _transposed(equation, partial, adjoints, target, program):
    """Return one contribution to the adjoint of `target`, at the indices of `_slots(target)`."""
    ybar = adjoints[equation.name].at(*equation.indices)
    slots = _slots(target)
    here = {partial.read: target.at(*slots)} if slots else {}
    ranges = [(i, i.lower, i.upper) for i in equation.free] + [tuple(limit) for limit in partial.limits]
    summand = Summand(ybar * partial.coefficient.xreplace(here), ranges)
    return eliminated(summand, slots, _indices(partial.read), program.prover)


def _emit(adjoint, terms):
    """Write the adjoint equation from all contributions, in the index names of its primal."""
    slots, indices = _slots(adjoint), adjoint.indices
    return Equation(adjoint.at(*indices), Add(*(_settled(t, slots, indices) for t in terms)))


def _settled(term, slots, indices):
    """Rename the slots to the adjoint's indices, and out of their way whatever is bound."""
    taken, inside = {i.name for i in indices}, index_names(term)
    changes = {}
    for t in subterms(term):
        if is_binder(t):
            for index, *_ in t.limits:
                if index not in changes and index.name in taken:
                    changes[index] = fresh(index, taken | inside)
                taken |= {changes.get(index, index).name}
    return rename(rename(term, changes), dict(zip(slots, indices, strict=True)))


def _slots(variable):
    """Return the indices k of the rule: one an axis, by names that no user can write."""
    return tuple(
        type(i)(Symbol(f"_{axis}", integer=True), (i.lower, i.upper)) for axis, i in enumerate(variable.indices)
    )


def _adjoint(variable):
    name = f"d{variable.name}"
    base = Array(name, variable.shape) if variable.shape else Symbol(name, real=True)
    return replace(variable, name=name, base=base, kind="variable", primal=variable.name, note="")


def _between(program):
    """Return the names of the variables that depend on a parameter and that the loss depends on."""
    lines = {}
    for e in program.equations:
        lines.setdefault(e.name, set()).update(_name(r) for r in reads(e.rhs, program.variables))
    readers = {}
    for name, needed in lines.items():
        for n in needed:
            readers.setdefault(n, set()).add(name)
    below = _reached([p.name for p in program.parameters], readers)
    above = _reached([program.loss], lines)
    return [n for n in program.variables if n in below and n in above]


def _reached(start, edges):
    seen, todo = set(start), list(start)
    while todo:
        for n in edges.get(todo.pop(), ()):
            if n not in seen:
                seen.add(n)
                todo.append(n)
    return seen


def _reverse_order(program, names):
    """Return the names last equation first, each parameter as soon as all that reads it is done."""
    waiting = {p.name: set() for p in program.parameters}
    for e in program.equations:
        for read in reads(e.rhs, waiting):
            waiting[_name(read)].add(e.name)
    order = []
    for group in reversed(program.groups()):
        done = list(dict.fromkeys(e.name for e in reversed(group)))
        order += [n for n in done if n in names]
        for parameter, readers in list(waiting.items()):
            readers -= set(done)
            if not readers:
                order.append(parameter)
                del waiting[parameter]
    return order


def _summed(expr, limits):
    return Sum(expr, *limits) if limits and expr != 0 else expr


def _indices(read):
    return read.indices if read.is_Indexed else ()


def _name(read):
    return read.base.name if read.is_Indexed else read.name


