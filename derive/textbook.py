"""From the textbook's formula to the one that can be computed: equal by algebra, and never an overflow.

    log(Sum(exp(f)))            log-sum-exp                 exp(g)/Sum(exp(f))      exp(g - log-sum-exp)
    1/(1 + exp(-x))             sigmoid(x)                  log(1 + exp(x))         softplus(x)
    log(sigmoid(x))             -softplus(-x)               log(1 - sigmoid(x))     -softplus(x)
    Max(0, x)                   relu(x)

A logarithm looks through a name: log(p[n]), where p[n] = sigmoid(z[n]) has been defined, is -softplus(-z[n]).
"""

from sympy import Add, Expr, Max, Mul, Pow, S, Sum, exp, log

from .binders import LogSumExp
from .functions import relu, sigmoid, softplus
from .program import Equation, Program
from .terms import bottom_up, instantiated, read_name, subterms


def recognised(program: Program) -> Program:
    """Return the program with the textbook's formulas recognised."""
    known: dict[str, Equation] = {}
    equations = []
    for e in program.equations:
        e = Equation(e.lhs, bottom_up(e.rhs, lambda term: _changed(term, known)))
        equations.append(e)
        if all(i in e.free for i in e.indices) and not any(read_name(t) == e.name for t in subterms(e.rhs)):
            known[e.name] = e
    return program.with_equations(equations)


def _changed(term: Expr, known: dict[str, Equation]) -> Expr:
    if isinstance(term, log):
        return _logarithm(term.args[0], known)
    if isinstance(term, Pow) and term.exp == -1:
        return _reciprocal(term)
    if isinstance(term, Mul):
        return _quotient(term)
    if isinstance(term, Max) and S.Zero in term.args:
        return relu(Max(*(a for a in term.args if a != 0)))
    return term


def _logarithm(x, known):
    """Return log(x) in its stable form."""
    if isinstance(x, Sum) and isinstance(x.function, exp):
        return LogSumExp(x.function.args[0], *x.limits)
    inner = _one_plus_exp(x)
    if inner is not None:
        return softplus(inner)
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


def _seen_through(x, known):
    """Return what a read stands for, where that is a sigmoid or an exponential; else the read."""
    definition = known.get(read_name(x))
    if definition is None or not isinstance(definition.rhs, sigmoid | exp):
        return x
    indices = x.indices if x.is_Indexed else ()
    return instantiated(definition.rhs, dict(zip(definition.indices, indices, strict=True)))


def _reciprocal(term):
    inner = _one_plus_exp(term.base)
    return sigmoid(-inner) if inner is not None else term


def _one_plus_exp(x):
    """Return u where x is 1 + exp(u), else None."""
    if isinstance(x, Add) and len(x.args) == 2 and S.One in x.args:
        [other] = [a for a in x.args if a != 1] or [S.Zero]
        return other.args[0] if isinstance(other, exp) else None
    return None


def _quotient(term):
    """Return exp(g)/Sum(exp(f)) as exp(g - lse(f)), and exp(u)*sigmoid(-u) as sigmoid(u)."""
    factors = list(term.args)
    for bottom in [f for f in factors if isinstance(f, Pow) and f.exp == -1 and isinstance(f.base, Sum)]:
        total = bottom.base
        if isinstance(total.function, exp):
            top = next((f for f in factors if isinstance(f, exp)), S.One)
            exponent = (top.args[0] if top != 1 else S.Zero) - LogSumExp(total.function.args[0], *total.limits)
            factors = [f for f in factors if f not in (bottom, top)] + [exp(exponent)]
    for logistic in [f for f in factors if isinstance(f, sigmoid)]:
        top = next((f for f in factors if isinstance(f, exp) and f.args[0] == -logistic.args[0]), None)
        if top is not None:
            factors = [f for f in factors if f not in (logistic, top)] + [sigmoid(-logistic.args[0])]
    return Mul(*factors)
