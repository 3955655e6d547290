"""From a derived program to one that NumPy can run safely: equal by algebra, never an overflow. Never differentiated.

A log-sum-exp becomes three lines, T (the maxima), E = exp(z - T) and S = sum E, all kept for the backward pass, where
exp(z - lse) is E/S. What loses digits by cancellation is written so that it does not: 1 - sigmoid(z) as sigmoid(-z),
exp(x) - 1 as expm1(x), log(1 + x) as log1p(x).
"""

from dataclasses import dataclass

from sympy import (
    Abs,
    Add,
    And,
    Eq,
    Expr,
    Function,
    Ge,
    Idx,
    Indexed,
    KroneckerDelta,
    Le,
    Min,
    Mul,
    Piecewise,
    Pow,
    S,
    Sum,
    Symbol,
    Wild,
    erf,
    erfc,
    exp,
    log,
    sech,
    sign,
    tanh,
    true,
)
from sympy.codegen.cfunctions import expm1, log1p
from sympy.core.relational import Relational

from derive.arrays import Array
from derive.binders import LogSumExp, Maximum
from derive.cases import by_place
from derive.functions import half_step, relu, sigmoid, step
from derive.numbers_before_sums import with_numbers_before_sums
from derive.program import Equation, Program, Variable
from derive.sharing import with_named, with_named_invariants
from derive.terms import bottom_up, holds, index_over, instantiated, read_name, reads, subterms

from .chosen_places import with_places_chosen
from .functions_written_out import with_functions_written_out
from .gram import with_weighted
from .log_sums import with_sums_of_two
from .normal_tails import log_of_tail, tail, with_scaled_tails
from .pairs import with_pairs
from .products_named import still_read
from .products_of_others import with_products_of_others
from .running_sums import with_running_sums
from .shared_sums import with_shared_sums
from .squares import with_squares
from .systems import systems_solved
from .vanishing import with_zeros_known
from .vanishing_powers import with_vanishing_powers
from .windows import windowed


class grouped(Function):
    """Its argument, added up by itself before what stands beside it."""


class finite(Function):
    """Its argument, or a number of which multiples are finite where it is -infinity."""


class positive(Function):
    """Its argument, a sum of at least 1, or 1 where it is 0: all terms are masked."""


class slope(Function):
    """The derivative of sigmoid, sigmoid(x) sigmoid(-x)."""


@dataclass(frozen=True)
class Parts:
    """The lines of a log-sum-exp: what is exponentiated, where it has a name, maxima, shifted exponentials, sums."""

    equation: Equation
    exponents: Variable | None
    maxima: Variable
    exponentials: Variable
    sums: Variable

    @property
    def names(self) -> tuple[str, str, str]:
        return self.maxima.name, self.exponentials.name, self.sums.name


@dataclass(frozen=True)
class Lowered:
    """A lowered program, and for each log-sum-exp in it the three lines that it became."""

    program: Program
    parts: dict[str, Parts]
    backward: frozenset[str]            # what is computed in the backward pass: adjoints, and what they need
    taps: dict[str, tuple[Idx, ...]]    # the indices that arrays of windows are looped over


def lowered(
    program: Program, arrays: bool = True, whole_rows: bool = False, kept_windows: bool = False
) -> Lowered:
    """Return the program with log-sum-exps split and cancellations avoided.

    For `arrays`, running sums are told; for `whole_rows`, the adjoints of windows are added up in them; for
    `kept_windows`, all windows are arrays, also those that NumPy adds up faster place by place.
    """
    program = with_functions_written_out(program)
    program = with_sums_of_two(systems_solved(program.with_equations([_from_zero(e) for e in program.equations])))
    parts = _all_parts(program)
    known = _Exponentials(program, parts)
    variables = dict(program.variables)
    lines: list[Equation] = []
    for e in program.equations:
        part = parts.get(e.name)
        if part and part.equation is e:         # the row -1 of a state has its own equation
            variables |= {v.name: v for v in (part.exponents, part.maxima, part.exponentials, part.sums) if v}
            lines += _lines(part, _may_be_masked(e, program))
            if not _is_inlined(program, e.name):
                lines.append(Equation(e.lhs, _value(part, e.indices)))
        else:
            rhs = _without_lse(by_place(e.rhs) if e.free == e.indices else e.rhs, parts, program)
            lines.append(e.with_rhs(bottom_up(rhs, lambda t: _stable(t, known), enters=_is_no_comparison)))
    program = with_vanishing_powers(program.with_equations(still_read(lines, program), variables=variables))
    program = with_named(program, lambda term: isinstance(term, exp | expm1 | tail | sech | tanh))
    program = with_zeros_known(program, {p.exponentials.name for p in parts.values()},
                               {p.sums.name for p in parts.values()})
    program = with_products_of_others(with_running_sums(program)) if arrays else program
    program = with_shared_sums(with_pairs(with_weighted(with_squares(program), slope)))
    program, backward, taps = windowed(
        with_named_invariants(with_places_chosen(program)), whole_rows, kept_windows)
    return Lowered(_with_parts_added_first(program), parts, backward, taps)


def _with_parts_added_first(program):
    """Add up first what a number is multiplied with, where it would swallow the other terms of a sum."""
    def change(term):
        return with_numbers_before_sums(term, grouped) if isinstance(term, Add) and not term.is_integer else term

    return program.with_equations(e.with_rhs(bottom_up(e.rhs, change)) for e in program.equations)


def _from_zero(equation):
    """Return an equation whose log-sum-exp counts its terms from 0, as the arrays that are made of it do."""
    if not isinstance(equation.rhs, LogSumExp):
        return equation
    function, limits = equation.rhs.function, []
    for index, low, high in equation.rhs.limits:
        if (low, high) == (index.lower, index.upper):
            limits.append(index)
        else:
            limits.append(index_over(index.name, high - low + 1))
            function = instantiated(function, {index: limits[-1] + low})
    return equation.with_rhs(LogSumExp(function, *limits))


class _Exponentials:
    """The equations of sigmoids, exponentials, erf and erfc, and of a number times what one of these is called."""

    def __init__(self, program, parts):
        self.variables, self.prover = program.variables, program.prover
        self.equations: dict[str, Equation] = {}
        for e in program.equations:
            inner = e.rhs.as_coeff_Mul()[1]
            if (isinstance(inner, sigmoid | exp | erf | erfc) or read_name(inner) in self.equations) \
                    and e.free == e.indices and not reads(e.rhs, parts):
                self.equations[e.name] = e

    def value(self, read):
        """Return what a read stands for, None where that is not known: the row -1 of a state has its own equation."""
        e = self.equations.get(read_name(read))
        if e is None:
            return None
        places = dict(zip(e.indices, getattr(read, "indices", ()), strict=True))
        if self.variables[e.name].state and not all(
                self.prover.within(place, i.lower, i.upper) for i, place in places.items()):
            return None
        return instantiated(e.rhs, places)


def _all_parts(program):
    """Choose names: T, E, S where there is one log-sum-exp and they are free, else T_Z, E_Z, S_Z."""
    equations = [e for e in program.equations if isinstance(e.rhs, LogSumExp)]
    taken = set(program.variables) | {s.name for s in program.sizes}
    plain = len(equations) == 1 and not taken & {"T", "E", "S"}
    parts = {}
    for e in equations:
        suffix = "" if plain else "_" + e.name.removeprefix("lse_")
        while not plain and taken & {f"{letter}{suffix}" for letter in "TES"}:
            suffix += "_"
        indices = e.free
        bound = tuple(limit[0] for limit in e.rhs.limits)
        exponents = None
        if _is_computed(e.rhs.function):
            stem = f"pre_{e.name.removeprefix('lse_')}"
            name = next(n for n in (stem, *(f"{stem}_{k}" for k in range(2, len(taken) + 3))) if n not in taken)
            exponents = _variable(name, indices + bound)
        rows = _variable(f"T{suffix}", indices), _variable(f"S{suffix}", indices)
        parts[e.name] = Parts(e, exponents, rows[0], _variable(f"E{suffix}", indices + bound), rows[1])
        taken |= {*parts[e.name].names, *([exponents.name] if exponents else [])}
    return parts


def _is_computed(exponent):
    """Tell whether what is exponentiated is more than a number times a read: two lines need it."""
    return not read_name(exponent.as_coeff_Mul()[1])


def _variable(name, indices):
    shape = tuple(i.upper + 1 for i in indices)
    base = Array(name, shape) if shape else Symbol(name, real=True)
    return Variable(name, base, shape, index_names=tuple(i.name for i in indices))


def _may_be_masked(equation, program):
    """Tell whether all terms of a log-sum-exp may be -infinity."""
    inside = [equation.rhs, *(e.rhs for e in program.equations if e.name in
                              {read_name(r) for r in reads(equation.rhs, program.variables)})]
    return any(rhs.has(S.NegativeInfinity) for rhs in inside)


def _lines(part, masked):
    e, first = part.equation, []
    bound = tuple(limit[0] for limit in e.rhs.limits)
    if part.exponents:
        first = [Equation(part.exponents.at(*e.free, *bound), e.rhs.function)]
        e = e.with_rhs(LogSumExp(first[0].lhs, *e.rhs.limits))
    top, total = part.maxima.at(*e.free), part.sums.at(*e.free)
    shifted = part.exponentials.at(*e.free, *bound)
    largest, together = Maximum(e.rhs.function, *e.rhs.limits), Sum(shifted, *e.rhs.limits)
    return [
        *first,
        Equation(top, finite(largest) if masked else largest),
        Equation(shifted, exp(e.rhs.function - top)),
        Equation(total, positive(together) if masked else together),
    ]


def _value(part, indices, rest: Expr = S.Zero):
    """Return log-sum-exp + rest, the rest added to the maximum first: the two are of one size, and may cancel."""
    top = part.maxima.at(*indices)
    return log(part.sums.at(*indices)) + (grouped(top + rest) if rest != 0 else top)


def _is_inlined(program, name):
    """Tell whether no line needs the log-sum-exp by its name: it is our own, read in a sum once, in no other one."""
    readers = [e.rhs for e in program.equations if reads(e.rhs, {name})]
    own = name.startswith("lse_") and name not in program.outputs and not any(
        isinstance(rhs, LogSumExp) for rhs in readers)
    return own and sum(_plain_reads(rhs, name) for rhs in readers) <= 1


def _plain_reads(expr, name):
    """Count the reads of a log-sum-exp other than inside exp(z - lse)."""
    if isinstance(expr, exp) and any(read_name(-t) == name for t in Add.make_args(expr.args[0])):
        return 0
    if read_name(expr) == name:
        return 1
    if isinstance(expr, Piecewise):
        sides = (side for _, c in expr.args for r in c.atoms(Relational) for side in r.args)
        return sum(_plain_reads(e, name) for e in (*(branch for branch, _ in expr.args), *sides))
    return sum(
        _plain_reads(a, name) for a in getattr(expr, "args", ()) if isinstance(a, Expr) and not isinstance(a, Idx)
    )


def _without_lse(rhs, parts, program):
    if not parts or not reads(rhs, parts):
        return rhs

    def change(term):
        if isinstance(term, exp):
            return _ratio(term, parts) or term
        if isinstance(term, Piecewise):
            return _masked_ratio(term, parts)
        if isinstance(term, Add):
            return _opened(term, parts, program)
        name = read_name(term)
        if name in parts and _is_inlined(program, name):
            return _value(parts[name], getattr(term, "indices", ()))
        return term

    return _top_down(rhs, change)


def _top_down(expr, change):
    """Return `expr` changed from the root, going on below what did not change."""
    changed = change(expr)
    if changed != expr or not expr.args or expr.is_Indexed or isinstance(expr, Idx):
        return changed
    if isinstance(expr, Piecewise):
        return Piecewise(*((_top_down(branch, change), _in_condition(c, change)) for branch, c in expr.args),
                         evaluate=False)
    args = [a if not isinstance(a, Expr) or a.is_Indexed else _top_down(a, change) for a in expr.args]
    args = [change(a) if a.is_Indexed else a for a in args]
    return expr if tuple(args) == expr.args else expr.func(*args)


def _in_condition(condition, change):
    if isinstance(condition, Relational) and not condition.lhs.is_integer:
        return condition.func(*(_top_down(side, change) for side in condition.args))
    return condition.func(*(_in_condition(c, change) for c in condition.args)) if condition.args else condition


def _ratio(term, parts, condition=true):
    """Return exp(z - lse) as E/S where z is what the log-sum-exp is taken of under a condition; else None."""
    for read in Add.make_args(term.args[0]):
        part = parts.get(read_name(-read))
        if part is not None:
            indices = getattr(-read, "indices", ())
            picked = _matched(part, indices, term.args[0] - read, condition)
            if picked is not None:
                return part.exponentials.at(*indices, *picked) / part.sums.at(*indices)
    return None


def _masked_ratio(choice, parts):
    """Return (exp(f - lse) a if c else 0) as a E/S where the log-sum-exp is taken of f where c: elsewhere E is 0."""
    (value, condition), *others = choice.args
    if len(others) != 1 or others[0][0] != 0:
        return choice
    factors = Mul.make_args(value)
    for factor in (f for f in factors if isinstance(f, exp)):
        ratio = _ratio(factor, parts, condition)
        if ratio is not None:
            rest = [f for f in factors if f is not factor]
            product = Mul(*rest, ratio)
            return product if all(map(_is_everywhere, rest)) else Piecewise(
                (product, condition), (0, True), evaluate=False)
    return choice


def _is_everywhere(factor):
    """Tell whether a factor is a number, also of sizes, or an entry that is there whatever the indices are."""
    whole = read_name(factor) and all(isinstance(i, Idx) for i in getattr(factor, "indices", ()))
    return bool(whole) or (not factor.has(Indexed, Function) and all(s.is_integer for s in factor.free_symbols))


def _matched(part, indices, z, condition):
    """Return the values of the bound indices at which the exponentiated term is `z` under a condition, else None."""
    e = part.equation
    bound = [limit[0] for limit in e.rhs.limits]
    wild = [Wild(f"w{k}") for k in range(len(bound))]
    of_any = e.rhs.function.xreplace(dict(zip(bound, wild, strict=True)))
    pattern, under = instantiated(of_any, dict(zip(e.free, indices, strict=True))), true
    if condition != True:
        if not isinstance(pattern, Piecewise) or [v for v, _ in pattern.args[1:]] != [S.NegativeInfinity]:
            return None
        pattern, under = pattern.args[0]
    found = z.match(pattern)
    picked = [found[w] for w in wild] if found is not None and len(found) == len(wild) else None
    return picked if picked and under.xreplace(dict(zip(wild, picked, strict=True))) == condition else None


def _opened(total, parts, program):
    """Return lse + rest as log S + (T + rest), and rest - lse as (rest - T) - log S."""
    inside = [(sign, t) for t in total.args for sign in (1, -1)
              if (name := read_name(sign * t)) in parts and _is_inlined(program, name)]
    if len(inside) != 1:
        return total
    [(sign, t)] = inside
    rest = _without_lse(total - t, parts, program)
    if sign == 1:
        return _value(parts[read_name(t)], getattr(t, "indices", ()), rest)
    part, indices = parts[read_name(-t)], getattr(-t, "indices", ())
    return grouped(rest - part.maxima.at(*indices)) - log(part.sums.at(*indices))


def _is_no_comparison(term):
    """Tell whether a term is more than a comparison, which is of the values that the forward pass has compared."""
    return not isinstance(term, step | half_step)


def _stable(term, known):
    if isinstance(term, Add):
        return _lesser(_without_cancellation(term, known))
    if isinstance(term, log) and (rest := _by_erfc(term.args[0], known)) is not None:
        number, inside = rest.as_coeff_Mul()
        return log_of_tail(number, inside.args[0]) if isinstance(inside, tail) else log(rest)
    if isinstance(term, Pow) and term.exp.is_negative and (rest := _by_erfc(term.base, known)) is not None:
        return rest**term.exp
    if isinstance(term, log) and isinstance(term.args[0], Add) and S.One in term.args[0].args:
        return log1p(term.args[0] - 1)
    if isinstance(term, Mul):
        return with_scaled_tails(_sloped(term, known), lambda factor: known.value(factor) or factor)
    return _kept_between(_put_there_alone(term)) if isinstance(term, Piecewise) else term


def _put_there_alone(choice):
    """Write [k = y] a/b in a branch as a/b where k = y, and 0 elsewhere: there b may be 0."""
    if not holds(choice, KroneckerDelta):
        return choice
    branches = ((Add(*map(_quotient_there_alone, Add.make_args(value))), condition) for value, condition in choice.args)
    return choice.func(*branches, evaluate=False)


def _quotient_there_alone(term):
    brackets = [f for f in Mul.make_args(term) if isinstance(f, KroneckerDelta)]
    rest = Mul(*(f for f in Mul.make_args(term) if f not in brackets))
    if not brackets or not any(isinstance(f, Pow) and f.exp.is_negative and holds(f, Indexed) for f in subterms(rest)):
        return term
    there = And(*(Eq(*b.args, evaluate=False) for b in brackets))
    return Piecewise((rest, there), (S.Zero, True), evaluate=False)


def _kept_between(choice):
    """Write x where |x| <= d, and d sign(x) beyond, as x kept between -d and d: Huber's slope."""
    if len(choice.args) != 2 or not isinstance(choice.args[0][1], Le | Ge):
        return choice
    (inside, near), (beyond, _) = choice.args
    distance, end = near.args if isinstance(near, Le) else reversed(near.args)
    if not isinstance(distance, Abs) or not (end.is_number and end.is_positive):
        return choice
    for x in (distance.args[0], -distance.args[0]):
        scale = inside / x
        slopes = scale * end * sign(x), -scale * end * sign(-x)
        if not scale.has(x, -x) and not scale.could_extract_minus_sign() and beyond in slopes:
            return scale * Piecewise((-end, Le(x, -end)), (end, Ge(x, end)), (x, True), evaluate=False)
    return choice


def _sloped(product, known):
    """Write s sigmoid(-z), where s = sigmoid(z), as the derivative of sigmoid at z: one exponential for both."""
    for f in product.args:
        if isinstance(f, sigmoid):
            for other in product.args:
                if _definition(other, known) == (1, sigmoid(-f.args[0])):
                    x = f.args[0]
                    return product / f / other * slope(-x if x.could_extract_minus_sign() else x)
    return product


def _by_erfc(total, known):
    """Return c + c erf(x) as c erfc(-x), c - c erf(x) as c erfc(x), 2 c - c erfc(x) as c erfc(-x); None for others.

    So is c erfc(x), with its name looked through.
    """
    coefficient, inner = _definition(total, known)
    if isinstance(inner, erfc) and coefficient.is_positive:
        return coefficient * tail(inner.args[0])
    if not isinstance(total, Add) or len(total.args) != 2:
        return None
    for t, other in (total.args, total.args[::-1]):
        coefficient, inner = _definition(t, known)
        if isinstance(inner, erf) and abs(coefficient) == other:
            return other * tail(-inner.args[0] if coefficient == other else inner.args[0])
        if isinstance(inner, erfc) and -2 * coefficient == other:
            return -coefficient * tail(-inner.args[0])
        if isinstance(inner, erfc) and -coefficient == other:
            return other * erf(inner.args[0])
    return None


def _definition(term, known):
    """Return a term as a number times what it stands for, seen through names of functions."""
    coefficient, inner = term.as_coeff_Mul()
    while (value := known.value(inner)) is not None:
        factor, inner = value.as_coeff_Mul()
        coefficient *= factor
    return coefficient, inner


def _lesser(total):
    """Write x - relu(x) as min(x, 0)."""
    for t in total.args:
        if isinstance(-t, relu) and (-t).args[0] in total.args:
            return total - t - (-t).args[0] + Min((-t).args[0], 0)
    return total


def _without_cancellation(total, known):
    """Write c - c sigmoid(z) as c sigmoid(-z), and c exp(x) - c as c expm1(x)."""
    for t in total.args:
        coefficient, inner = _definition(t, known)
        if not isinstance(inner, sigmoid | exp) or -coefficient not in total.args:
            continue
        if isinstance(inner, sigmoid):
            return total - t + coefficient - coefficient * sigmoid(-inner.args[0])
        return total - t + coefficient + coefficient * expm1(_lesser(inner.args[0]))
    return total
