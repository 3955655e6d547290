"""From the textbook's formula to the one that can be computed: equal by algebra, and never an overflow.

    log(Sum(exp(f)))            log-sum-exp                 exp(g)/Sum(exp(f))      exp(g - log-sum-exp)
    1/(1 + exp(-x))             sigmoid(x)                  log(1 + exp(x))         softplus(x)
    log(sigmoid(x))             -softplus(-x)               log(1 - sigmoid(x))     -softplus(x)
    log(exp(x) + 2 exp(y))      x + softplus(y + log(2) - x)
    log(exp(x) + [c] exp(y))    [c] (x + softplus(y - x)) + [not c] x
    log(Sum([c] exp(f)))        log-sum-exp of f where c, -infinity elsewhere; so is [c] exp(f)/Sum([c] exp(f))
    log(cosh(x))                softplus(2x) - x - log(2)
    (exp(x) - exp(-x))/(exp(x) + exp(-x))       tanh(x)     Max(0, x)               relu(x)

Logarithms and quotients look through names: log(p[n]), where p[n] = sigmoid(z[n]), is -softplus(-z[n]).
"""

from sympy import Add, Expr, Idx, Indexed, Max, Mul, Piecewise, Pow, S, Sum, cosh, exp, log, tanh

from .binders import LogSumExp
from .functions import relu, sigmoid, softplus
from .guards import is_guard
from .program import Equation, Program
from .terms import bottom_up, free_indices, instantiated, read_name, subterms


def recognised(program: Program) -> Program:
    """Return the program with the textbook's formulas recognised."""
    known: dict[str, Equation] = {}
    equations = []
    for e in program.equations:
        e = e.with_rhs(bottom_up(e.rhs, lambda term: _changed(term, known)))
        equations.append(e)
        if not e.implicit and _is_whole(e) and not any(read_name(t) == e.name for t in subterms(e.rhs)):
            known[e.name] = e
    return program.with_equations(equations)


def _is_whole(e):
    """Tell whether an equation holds for all places of its variable."""
    return all(i in e.free for i in e.indices)


def _changed(term: Expr, known: dict[str, Equation]) -> Expr:
    if isinstance(term, log):
        return _logarithm(term.args[0], known)
    if isinstance(term, Pow) and term.exp == -1:
        return _reciprocal(term)
    if isinstance(term, Mul):
        return _quotient(term, known)
    if isinstance(term, Max) and S.Zero in term.args:
        return relu(Max(*(a for a in term.args if a != 0)))
    return term


def _logarithm(x, known):
    """Return log(x) in its stable form."""
    total = _sum_of_exp(x, known)
    if total is not None:
        return total
    if isinstance(x, cosh):
        return softplus(2 * x.args[0]) - x.args[0] - log(2)
    branches = _branches_of_exponents(x)
    if branches:
        return Piecewise(*((_log_of_sum(*exponents), condition) for exponents, condition in branches))
    if isinstance(x, Add) and len(x.args) == 2 and S.One in x.args:
        [other] = [-a for a in x.args if a != 1] or [S.Zero]
        other = _seen_through(other, known)
        if isinstance(other, sigmoid):
            return -softplus(other.args[0])
    seen = _seen_through(x, known)
    if isinstance(seen, sigmoid):
        return -softplus(-seen.args[0])
    if isinstance(seen, exp):
        return seen.args[0]
    return log(x)


def _log_of_sum(first, *others):
    """Return log(exp(a) + exp(b) + ...) in the form that never overflows."""
    if not others:
        return first
    rest = _log_of_sum(*others)
    return (first + softplus(rest - first)) if first == 0 or rest != 0 else softplus(first)


def _seen_through(x, known):
    """Return what a read stands for, where that is a sigmoid, an exponential or a sum; else the read."""
    definition = known.get(read_name(x))
    if definition is None or (not isinstance(definition.rhs, sigmoid | Sum) and _exponent(definition.rhs) is None):
        return x
    indices = x.indices if x.is_Indexed else ()
    return instantiated(definition.rhs, dict(zip(definition.indices, indices, strict=True)))


def _sum_of_exp(x, known):
    """Return log(x) as a log-sum-exp, where x is a sum of exponentials over an index, or such a mean; else None."""
    if isinstance(x, Mul) and len(x.args) == 2 and x.args[0].is_positive and not x.args[0].has(Indexed):
        inside = _sum_of_exp(x.args[1], known)
        return None if inside is None else inside + log(x.args[0])
    total = _seen_through(x, known)
    exponent = _exponent(_seen_through(total.function, known)) if isinstance(total, Sum) else None
    return None if exponent is None else LogSumExp(exponent, *total.limits)


def _exponent(x):
    """Return f where x is exp(f), -infinity being that of 0 where x is by cases; else None."""
    if isinstance(x, exp):
        return x.args[0]
    if not isinstance(x, Piecewise) or not all(e == 0 or isinstance(e, exp) for e, _ in x.args) or (
            is_guard(x) and not _is_everywhere(*x.args[0])):
        return None
    return Piecewise(*((S.NegativeInfinity if e == 0 else e.args[0], c) for e, c in x.args), evaluate=False)


def _is_everywhere(value, condition):
    """Tell whether a value is there, and another one, wherever a condition on indices is asked: no part of a sum."""
    read = [t for t in subterms(value) if isinstance(t, Indexed)]
    return all(isinstance(i, Idx) for t in read for i in t.indices) and set(free_indices(condition)) <= set(
        free_indices(value))


def _reciprocal(term):
    exponents = _exponents(term.base)
    return sigmoid(-max(exponents, key=lambda u: u != 0)) if len(exponents) == 2 and S.Zero in exponents else term


def _exponents(x):
    """Return [a, b, ...] where x is exp(a) + exp(b) + ..., a positive number c being exp(log(c)); else []."""
    terms = [t.as_coeff_Mul() for t in Add.make_args(x)]
    if not all(c.is_positive and (t == 1 or isinstance(t, exp)) for c, t in terms) or all(t == 1 for _, t in terms):
        return []
    return [(S.Zero if t == 1 else t.args[0]) + log(c) for c, t in terms]


def _branches_of_exponents(x):
    """Return ([a, b, ...], condition) for each case in which x is exp(a) + exp(b) + ...; else [].

    One term of x may be by cases. Its exponents come last, so that the others' are in front in all of them.
    """
    choice = next((t for t in Add.make_args(x) if isinstance(t, Piecewise)), None)
    if choice is None:
        return [(_exponents(x), True)] if _exponents(x) else []
    common = _exponents(x - choice)
    if not common or not all(value == 0 or _exponents(value) for value, _ in choice.args):
        return []
    return [(common + (_exponents(value) if value != 0 else []), condition) for value, condition in choice.args]


def _quotient(term, known):
    """Return exp(g)/Sum(exp(f)) as exp(g - lse(f)), and quotients of two exponentials as sigmoid and tanh."""
    factors = list(term.args)
    for bottom in [f for f in factors if isinstance(f, Pow) and f.exp == -1]:
        total, exponents = _sum_of_exp(bottom.base, known), _exponents(bottom.base)
        if total is not None:
            top = next((f for f in factors if _exponent(_seen_through(f, known)) is not None), None)
            exponent = (S.Zero if top is None else _exponent(_seen_through(top, known))) - total
            factors = [f for f in factors if f not in (bottom, top)] + [exp(exponent)]
        elif len(exponents) == 2:
            factors = _of_two(factors, bottom, *exponents)
    for logistic in [f for f in factors if isinstance(f, sigmoid)]:
        factors = _of_two(factors, logistic, S.Zero, -logistic.args[0])
    return Mul(*factors)


def _of_two(factors, bottom, a, b):
    """Change the factor that makes a quotient of 1/(exp(a) + exp(b)) a sigmoid or a tanh."""
    for top, value in ((exp(a), sigmoid(a - b)), (exp(b), sigmoid(b - a)),
                       (exp(a) - exp(b), tanh((a - b) / 2)), (exp(b) - exp(a), tanh((b - a) / 2))):
        if top != 1 and top in factors:
            return [f for f in factors if f not in (bottom, top)] + [value]
    return factors
