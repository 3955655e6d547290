"""From the textbook's formula to the one that can be computed: equal by algebra, and never an overflow.

    log(Sum(exp(f)))            log-sum-exp                 exp(g)/Sum(exp(f))      exp(g - log-sum-exp)
    1/(1 + exp(-x))             sigmoid(x)                  log(1 + exp(x))         softplus(x)
    log(sigmoid(x))             -softplus(-x)               log(1 - sigmoid(x))     -softplus(x)
    log(sigmoid(x) - sigmoid(y))    log(1 - exp(y - x)) - softplus(-x) - softplus(y)
    log(exp(x) + 2 exp(y))      x + softplus(y + log(2) - x)
    log(exp(x) + Sum(exp(f)))   x + softplus(log-sum-exp - x)
    log(exp(x) + [c] exp(y))    [c] (x + softplus(y - x)) + [not c] x
    [c] exp(f)                  exp(f where c, -infinity elsewhere), as all of an equation
    log(Sum([c] exp(f)))        log-sum-exp of f where c, -infinity elsewhere; so is [c] exp(f)/Sum([c] exp(f))
    log(cosh(x))                softplus(2x) - x - log(2)
    sigmoid(x)**(1/4)           exp(-softplus(-x)/4)        exp(x)**g               exp(g x), g being no whole number
    frac(x), factorial(x)       Mod(x, 1), gamma(x + 1)     (and others that `other_functions` lists)
    beta(x, y)                  exp(log-gamma(x) + log-gamma(y) - log-gamma(x + y))
    (exp(x) - exp(-x))/(exp(x) + exp(-x))       tanh(x)     Max(0, x)               relu(x)
    exp(2x)/(1 + exp(x))**2     sigmoid(x)**2               exp(x)/(1 + exp(x))**2  sigmoid(x) sigmoid(-x)
    1/(exp(x) + exp(y))         exp(-x - softplus(y - x))
    exp(g)/(1 + Sum(exp(f)))    exp(g - softplus(log-sum-exp))
    Sum(a exp(g))/Sum(exp(f))   Sum(a exp(g - log-sum-exp))

Logarithms and quotients look through names: log(p[n]), where p[n] = sigmoid(z[n]), is -softplus(-z[n]); p[n]/m[n],
where m[n] = p[n] + q[n] and both are exponentials, is a sigmoid.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sympy import (
    Add,
    And,
    Expr,
    Indexed,
    KroneckerDelta,
    Max,
    Mul,
    Ne,
    Piecewise,
    Pow,
    S,
    Sum,
    beta,
    cancel,
    cosh,
    erf,
    erfc,
    exp,
    expand_mul,
    log,
    loggamma,
    tanh,
)

from .binders import Binder, LogSumExp
from .functions import relu, sigmoid, softplus
from .guards import is_guard
from .masked_exponentials import is_everywhere
from .other_functions import by_others
from .program import Equation, Program
from .running_products import with_running_products
from .terms import apart, bottom_up, free_indices, index_names, instantiated, read_name, subterms


def recognised(program: Program, kept: Collection[str] = ()) -> Program:
    """Return the program with the textbook's formulas recognised; names that are `kept` are not looked through."""
    known = _Known({v.name for v in (*program.inputs, *program.kind("labels"))})
    equations = []
    program = with_running_products(program)
    for e in program.equations:
        rhs = bottom_up(bottom_up(e.rhs, lambda term: _changed(term, known)), _divided)
        e = e.with_rhs(exp(_exponent(rhs)) if isinstance(rhs, Piecewise) and _exponent(rhs) is not None else rhs)
        equations.append(e)
        seen = not e.implicit and e.name not in kept and _is_whole(e)
        if seen and not any(read_name(t) == e.name for t in subterms(e.rhs)):
            known[e.name] = e
    return program.with_equations(equations)


class _Known(dict[str, Equation]):
    """Equations by the variables that they define, and the names of `data`, which are not differentiated."""

    def __init__(self, data):
        super().__init__()
        self.data = data


def _is_whole(e):
    """Tell whether an equation holds for all places of its variable."""
    return all(i in e.free for i in e.indices)


def _changed(term: Expr, known: _Known) -> Expr:
    if isinstance(term, log):
        return _logarithm(term.args[0], known)
    if isinstance(term, Pow) and not term.exp.is_integer:
        return _power(term, known)
    if _is_divisor(term):
        return _reciprocal(term, known)
    if isinstance(term, Mul):
        return _quotient(term, known)
    if (other := by_others(term)) is not None:
        return bottom_up(other, lambda part: part if part == term else _changed(part, known))
    if isinstance(term, beta):
        a, b = term.args
        return exp(loggamma(a) + loggamma(b) - loggamma(a + b))
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
    branches = _branches_of_exponents(x, known)
    if branches:
        return Piecewise(*((_log_of_sum(*exponents), condition) for exponents, condition in branches))
    of_sigmoid = _log_of_sigmoid(x, known)
    if of_sigmoid is not None:
        return of_sigmoid
    of_difference = _log_of_difference(x, known)
    if of_difference is not None:
        return of_difference
    weighted = _weighted(x, known)
    if weighted is not None:
        return weighted.scale + log(weighted.rest)
    seen = _seen_through(x, known)
    if isinstance(seen, exp):
        return seen.args[0]
    if (of_normal := _normal_seen_through(x, known)) is not None:
        return log(of_normal)
    return _of_factors(x, known)


def _log_of_sigmoid(x, known):
    """Return log(x) where x is a sigmoid, or 1 less one; else None."""
    if isinstance(x, Add) and len(x.args) == 2 and S.One in x.args:
        [other] = [-a for a in x.args if a != 1] or [S.Zero]
        other = _seen_through(other, known)
        return -softplus(other.args[0]) if isinstance(other, sigmoid) else None
    seen = _seen_through(x, known)
    return -softplus(-seen.args[0]) if isinstance(seen, sigmoid) else None


def _log_of_difference(x, known):
    """Return log(x) where x is a sigmoid less another one, which are alike where both are 0, or 1; else None."""
    total = _sum_seen_through(x, known)
    if not isinstance(total, Add) or len(total.args) != 2:
        return None
    first, second = total.args
    for signed in ((first, -second), (second, -first)):
        plus, minus = (_seen_through(part, known) for part in signed)
        if isinstance(plus, sigmoid) and isinstance(minus, sigmoid):
            a, b = plus.args[0], minus.args[0]
            apart = min(b - a, expand_mul(b - a), key=lambda e: e.count_ops())
            return log(1 - exp(apart)) - softplus(-a) - softplus(b)
    return None


def _power(term, known):
    """Return a power of a sigmoid or of an exponential by its logarithm: where they are 0, the power may be more."""
    seen = _seen_through(term.base, known)
    is_plain = isinstance(seen, exp) and not seen.has(S.NegativeInfinity)
    logarithm = seen.args[0] if is_plain else _log_of_sigmoid(term.base, known)
    if logarithm is not None:
        return exp(term.exp * logarithm)
    return _reciprocal(term, known) if _is_divisor(term) else term


def _of_factors(x, known):
    """Return the logarithm of a product, or of a power, by those of its factors where these have a stable form.

    Exponentials and sigmoids are positive: what is beside them keeps a logarithm of its own.
    """
    number, rest = _product_seen_through(x, known).as_coeff_Mul()
    if x.is_number or not number.is_positive or not isinstance(rest, Mul | Pow):
        return log(x)
    factors = [(f, S.One) if isinstance(f, exp) else f.as_base_exp() for f in Mul.make_args(rest)]
    terms = [(power * term, base**power) for base, power in factors if (term := _logarithm(base, known)) != log(base)]
    if len(terms) < len(factors):
        terms = [(power * term, base**power) for base, power in factors
                 if (term := _log_of_exponentials(base, known, sigmoids=True)) is not None]
    others = rest / Mul(*(factor for _, factor in terms))
    return Add(*(term for term, _ in terms), log(number * others)) if terms else log(x)


def _product_seen_through(x, known):
    """Return the product that a read stands for, where an exponential or a sigmoid is among plain factors of it."""
    definition = known.get(read_name(x))
    if definition is None or not isinstance(definition.rhs, Mul):
        return x
    product = _defined(definition, x)
    plain = [f for f in product.args if _log_of_exponentials(f, known, sigmoids=True) is None]
    return product if len(plain) < len(product.args) and not any(f.has(Sum, Binder) for f in plain) else x


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
    return _defined(definition, x)


def _sum_seen_through(x, known):
    """Return what a read stands for, where that is a sum of terms; else the read."""
    definition = known.get(read_name(x))
    if definition is None or not isinstance(expand_mul(definition.rhs, deep=False), Add):
        return x
    return expand_mul(_defined(definition, x), deep=False)


def _normal_seen_through(x, known):
    """Return what a normal distribution function by its name stands for, or 1 less it; None for others."""
    one = [a for a in Add.make_args(x) if a == 1]
    rest = 1 - x if one else x
    definition = known.get(read_name(rest))
    if definition is None or not definition.rhs.has(erf, erfc):
        return None
    terms = [t for t in Add.make_args(expand_mul(definition.rhs, deep=False)) if not t.is_number]
    if len(terms) != 1 or not isinstance(terms[0].as_coeff_Mul()[1], erf | erfc):
        return None
    value = expand_mul(_defined(definition, rest), deep=False)
    return 1 - value if one else value


def _defined(definition, read):
    """Return the right-hand side of an equation where it is read."""
    return instantiated(definition.rhs, dict(zip(definition.indices, getattr(read, "indices", ()), strict=True)))


def _sum_of_exp(x, known):
    """Return log(x) as a log-sum-exp, where x is a sum of exponentials over an index, or such a mean; else None."""
    if isinstance(x, Mul) and len(x.args) == 2 and _is_number(x.args[0]):
        inside = _sum_of_exp(x.args[1], known)
        return None if inside is None else inside + log(x.args[0])
    total = _seen_through(x, known)
    if not isinstance(total, Sum):
        return None
    exponent = _exponent(_seen_through(total.function, known))
    exponent = _log_of_exponentials(total.function, known) if exponent is None else exponent
    return None if exponent is None else LogSumExp(exponent, *total.limits)


@dataclass(frozen=True)
class _Weighted:
    """A sum of exponentials with weights as exp(scale) rest: the scale is the log-sum-exp of those that count."""

    scale: Expr
    rest: Expr


def _weighted(x, known):
    """Return a sum w exp(f) over an index, or a number times it, in a form that never overflows; else None."""
    number = Mul(*filter(_is_number, Mul.make_args(x)))
    total = _seen_through(x / number, known)
    if not isinstance(total, Sum) or isinstance(total.function, Piecewise):
        return None
    factors = _factors_seen_through(total.function, known)
    exponents = [f.args[0] for f in factors if isinstance(f, exp)]
    weights = [f for f in factors if not isinstance(f, exp)]
    if not weights or not set(free_indices(Add(*exponents))) & {limit[0] for limit in total.limits} \
            or any(w.has(KroneckerDelta) for w in weights):
        return None
    exponent = _where(Add(*exponents), weights, known)
    scale = LogSumExp(exponent, *total.limits)
    inner = exp(exponent - apart(scale, index_names(total)))
    return _Weighted(scale, number * Sum(Mul(*weights, inner), *total.limits))


def _where(exponent, weights, known):
    """Return an exponent where the weights that are data are not 0, -infinity elsewhere."""
    data = [w for w in weights if all(read_name(t) in known.data for t in subterms(w) if isinstance(t, Indexed))
            and w.has(Indexed)]
    if not data:
        return exponent
    return Piecewise((exponent, And(*(Ne(w, 0) for w in data))), (S.NegativeInfinity, True), evaluate=False)


def _where_weights_count(value, factors, scale, known):
    """Return exp(g + scale), beside factors, with 0 for what it is where these are: it may overflow there."""
    if not isinstance(value, exp) or value.args[0] == scale:
        return value
    return exp(_where(value.args[0] - scale, [f for f in factors if read_name(f)], known) + scale)


def _factors_seen_through(x, known):
    """Return the factors of a product, where one is a read of an exponential, or of such a product, those of that."""
    found: list[Expr] = []
    for f in Mul.make_args(x):
        definition = known.get(read_name(f))
        inner = () if definition is None else Mul.make_args(_defined(definition, f))
        found += inner if any(isinstance(i, exp) for i in inner) else (f,)
    return found


def _log_of_exponentials(x, known, sigmoids=False):
    """Return log(x) where x is an exponential, a sum of such over an index, or a product of these; else None.

    With `sigmoids`, these are taken too.
    """
    seen = _seen_through(x, known)
    if isinstance(seen, exp):
        return seen.args[0]
    if sigmoids and (found := _log_of_sigmoid(x, known)) is not None:
        return found
    if not isinstance(x, Mul):
        return _sum_of_exp(x, known)
    numbers = Mul(*filter(_is_number, x.args))
    logarithms = [_log_of_exponentials(f, known, sigmoids) for f in x.args if not _is_number(f)]
    return None if None in logarithms or not logarithms else log(numbers) + Add(*logarithms)


def _is_number(factor):
    """Tell whether a factor is a positive number, maybe of sizes, and no exponential."""
    return bool(factor.is_positive) and not factor.has(Indexed, exp)


def _exponent(x):
    """Return f where x is exp(f), -infinity being that of 0 where x is by cases; else None."""
    if isinstance(x, exp):
        return x.args[0]
    if not isinstance(x, Piecewise) or not all(e == 0 or isinstance(e, exp) for e, _ in x.args) or (
            is_guard(x) and not is_everywhere(*x.args[0])):
        return None
    return Piecewise(*((S.NegativeInfinity if e == 0 else e.args[0], c) for e, c in x.args), evaluate=False)


def _is_divisor(term):
    return isinstance(term, Pow) and term.exp.is_number and term.exp.is_negative


def _reciprocal(term, known):
    """Return 1/(1 + exp(x)), and whole powers of it, by the sigmoid."""
    exponents = _exponents(term.base, known)
    if len(exponents) != 2 or S.Zero not in exponents or not term.exp.is_Integer:
        return term
    return sigmoid(-max(exponents, key=lambda u: u != 0)) ** -term.exp


def _divided(term):
    """Return the power of a sum of exponentials that nothing made a sigmoid or a softmax as an exponential."""
    if not isinstance(term, Pow) or not (_is_divisor(term) or term.exp.free_symbols):
        return term
    if isinstance(term.base, cosh):
        x = term.base.args[0]
        return 2**-term.exp * _divided(Pow(exp(x) + exp(-x), term.exp))
    exponents = _exponents(term.base, {})
    if len(exponents) == 2 and (found := _of_sigmoids(S.Zero, -term.exp, *exponents)) is not None:
        return found
    total = _log_of_sum(*exponents) if len(exponents) > 1 else _sum_of_exp(term.base, {})
    return term if total is None else exp(expand_mul(term.exp * total))


def _exponents(x, known):
    """Return [a, b, ...] where x is exp(a) + exp(b) + ..., a positive number c being exp(log(c)); else [].

    Sums of exponentials over an index are exponentials of their log-sum-exps, and come last.
    """
    terms = [inner for t in Add.make_args(x) for inner in Add.make_args(_sum_seen_through(t, known))]
    numbers = [t for t in terms if _is_number(t)]       # beside which a sigmoid may vanish
    logarithms = [log(t) if t in numbers else _log_of_exponentials(t, known, sigmoids=not numbers and len(terms) > 1)
                  for t in terms]
    if None in logarithms or len(numbers) == len(terms):
        return []
    return sorted(logarithms, key=lambda exponent: exponent.has(LogSumExp))


def _branches_of_exponents(x, known):
    """Return ([a, b, ...], condition) for each case in which x is exp(a) + exp(b) + ...; else [].

    One term of x may be by cases. Its exponents come last, so that the others' are in front in all of them.
    """
    choice = next((t for t in Add.make_args(x) if isinstance(t, Piecewise)), None)
    if choice is None:
        return [(found, True)] if (found := _exponents(x, known)) else []
    common = _exponents(x - choice, known)
    if not common or not all(value == 0 or _exponents(value, known) for value, _ in choice.args):
        return []
    return [(common + (_exponents(value, known) if value != 0 else []), condition) for value, condition in choice.args]


def _quotient(term, known):
    """Return exp(g)/Sum(exp(f)) as exp(g - lse(f)), and quotients of two exponentials as sigmoid and tanh.

    Divisors may be to any power.
    """
    factors = list(term.args)
    for bottom in filter(_is_divisor, term.args):
        total, exponents = _sum_of_exp(bottom.base, known), _exponents(bottom.base, known)
        if total is not None:
            top, value = _times_exponential(factors, bottom.exp * total, known)
            factors = [f for f in factors if f not in (bottom, top)] + [value]
        elif len(exponents) == 2:
            factors = _of_two(factors, bottom, -bottom.exp, *exponents)
        elif len(exponents) > 2:
            top, value = _times_exponential(factors, bottom.exp * _log_of_sum(*exponents), known)
            factors = factors if top is None else [f for f in factors if f not in (bottom, top)] + [value]
        elif (weighted := _weighted(bottom.base, known)) is not None:
            factors = [inner for f in factors for inner in _factors_seen_through(f, known)]
            top, value = _times_exponential(factors, bottom.exp * weighted.scale, known)
            value = _where_weights_count(value, factors, bottom.exp * weighted.scale, known)
            factors = [f for f in factors if f not in (bottom, top)] + [value, weighted.rest**bottom.exp]
    for logistic in [f for f in factors if isinstance(f.as_base_exp()[0], sigmoid)]:
        base, power = logistic.as_base_exp()
        if power.is_positive:
            factors = _of_two(factors, logistic, power, S.Zero, -base.args[0])
    return Mul(*factors)


def _times_exponential(factors, rest, known):
    """Return the factor that is an exponential, or a sum of such with weights, and it times exp(rest)."""
    top, exponent = _exponential(factors, known)
    if top is not None:
        return top, exp(exponent + rest)
    for f in factors:
        total = _seen_through(f, known)
        if not isinstance(total, Sum):
            continue
        guarded = isinstance(total.function, Piecewise) and total.function.args[1:] == ((S.Zero, S.true),)
        value, condition = total.function.args[0] if guarded else (total.function, S.true)
        terms = Mul.make_args(value)
        inner, exponent = _exponential(terms, known)
        if inner is not None and not isinstance(exponent, Piecewise):
            value = Mul(*(t for t in terms if t is not inner), exp(exponent + apart(rest, index_names(total))))
            return f, Sum(Piecewise((value, condition), (0, True), evaluate=False) if guarded else value, *total.limits)
    return None, exp(rest)


def _exponential(factors, known):
    """Return the factor that is an exponential, by a name or to a power too, and its exponent; None, 0 without one."""
    for f in factors:
        base, power = (f, S.One) if isinstance(f, exp | Piecewise) else f.as_base_exp()
        exponent = _exponent(_seen_through(base, known))
        if exponent is not None:
            return f, power * exponent
    return None, S.Zero


def _of_two(factors, bottom, power, a, b):
    """Change the factors that make a quotient of 1/(exp(a) + exp(b)) to powers of sigmoids or tanh, or a softmax."""
    for top, value in ((exp(a) - exp(b), tanh((a - b) / 2)), (exp(b) - exp(a), tanh((b - a) / 2))):
        if top**power in factors:
            return [f for f in factors if f not in (bottom, top**power)] + [value**power]
    top = next((f for f in factors if isinstance(f, exp)), None)
    found = None if top is None else _of_sigmoids(top.args[0], power, a, b)
    if found is None and top is not None and (a.has(LogSumExp) or b.has(LogSumExp)):    # a class whose score is 0
        found = exp(top.args[0] - power * _log_of_sum(a, b))
    return factors if found is None else [f for f in factors if f not in (bottom, top)] + [found]


def _of_sigmoids(exponent, power, a, b):
    """Return exp(c)/(exp(a) + exp(b))**k by whole powers of sigmoids, where c = i a + j b and i + j = k; else None."""
    j = cancel((power * a - exponent) / (a - b))
    if not (j.is_Integer and (power - j).is_Integer and 0 <= j <= power):
        return None
    return sigmoid(a - b) ** (power - j) * sigmoid(b - a) ** j
