"""Simplification, program to program: each pass is one function, and `simplified` runs them in turn."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import repeat

from sympy import Add, Expr, Function, Idx, Indexed, KroneckerDelta, Mul, Ne, Piecewise, S, Sum, expand_mul

from .binders import has_binder
from .bracket import at_the_end, collapsed, read_where_chosen
from .cases import added_up
from .consequences import with_assumptions
from .deviations import without_deviations
from .functions import half_step, relu, step
from .guards import disjoint, guarded, is_guard, proven_away, unguarded, with_possible_cases
from .inverses import with_known_inverses, with_shared_solutions
from .like_terms import gathered
from .partial_sums import is_always_finite, is_whole, running_inside
from .program import Equation, Program
from .ranges import Prover, is_conjunction
from .shared_factors import with_shared_factors
from .sharing import with_shared_functions
from .symmetry import with_symmetric_lines
from .terms import bottom_up, canonical, count, divided, free_indices, instantiated, read_name, reads, subterms
from .triangles import with_known_factors
from .unit_axes import with_units_read_at_0


def simplified(program: Program) -> Program:
    """Return an equal program with less in it."""
    for change in (with_units_read_at_0, tidied, assumed, without_constants, with_known_inverses, with_known_factors,
                   symmetric, with_shared_solutions, tidied, with_shared_factors, tidied, without_deviations,
                   with_shared_functions, tidied, with_shared_lines, without_dead):
        program = change(program)
    return program


def assumed(program: Program) -> Program:
    """Use the assumptions of a program where they make it shorter."""
    return with_assumptions(program, tidied)


def symmetric(program: Program) -> Program:
    """Read matrices that are symmetric by what they are made of in the shorter order."""
    return with_symmetric_lines(program, tidied)


def tidied(program: Program) -> Program:
    """Simplify each right-hand side by itself."""
    return program.with_equations(e.with_rhs(tidied_rhs(e.rhs, program.prover)) for e in program.equations)


@lru_cache(maxsize=1 << 14)
def tidied_rhs(rhs: Expr, prover: Prover) -> Expr:
    """Simplify a right-hand side; what a pass before has left as it was is known."""
    return bottom_up(rhs, lambda term: _tidy(term, prover))


def _tidy(term: Expr, prover: Prover) -> Expr:
    if isinstance(term, Piecewise):
        term = with_possible_cases(term, prover)
    if isinstance(term, Piecewise) and is_guard(term):
        inner, conditions = unguarded(term)
        return guarded(inner, proven_away(conditions, prover, {}))
    if isinstance(term, Piecewise) and term.args[0][0] == 0:
        return _on_diagonal(term) or _guarded_once(term)
    if isinstance(term, Piecewise) and isinstance(masked := _with_one_factor_masked(term), Mul):
        return masked
    if isinstance(term, Piecewise) and len(term.args) == 2 and term.args[1][0] == 0:
        number, rest = term.args[0][0].as_coeff_Mul()
        kept = Piecewise((rest, term.args[0][1]), (S.Zero, True), evaluate=False)
        return number * kept if abs(number) != 1 and rest != 1 else term
    if isinstance(term, Sum):
        term = at_the_end(collapsed(term, prover), prover)
        term = added_up(term) if isinstance(term, Sum) else term
        return _tidy_sum(term) if isinstance(term, Sum) else term
    if isinstance(term, Add):
        term = gathered(term)
    if isinstance(term, Add):
        term = _one_sum_a_bracket(_without_both_sides(_by_difference(term)))
    if isinstance(term, Add):
        return _common_factor(_together_by_place(term))
    if isinstance(term, Mul):
        term = _at_its_place(read_where_chosen(term, prover))
    if isinstance(term, Mul):
        return _common_number(_without_idle_steps(term / term.args[0] if term.args[0] == 1 else term))
    if isinstance(term, step) and isinstance(term.args[0], relu):
        return step(term.args[0].args[0])
    return term


def _on_diagonal(choice: Piecewise) -> Expr | None:
    """Return a choice that is 0 where two indices differ as a bracket: (0 if i != j else x) is [i = j] x."""
    (_, condition), *others = choice.args
    if len(others) != 1 or others[0][1] != S.true or not isinstance(condition, Ne):
        return None
    return KroneckerDelta(*condition.args) * others[0][0] if all(isinstance(i, Idx) for i in condition.args) else None


def _guarded_once(choice: Piecewise) -> Expr:
    """Return a choice by indices that is 0 but in one case as a guard: (0 if t < 1 else x) is x where t >= 1."""
    if not all(is_conjunction(condition) for _, condition in choice.args):
        return choice
    cases = [case for case in disjoint(choice) if case[0] != 0]
    return guarded(*cases[0]) if len(cases) == 1 else choice


def _with_one_factor_masked(choice: Piecewise) -> Expr:
    """Return a product that counts at some indices alone as one with a masked factor: [c] w x is ([c] w) x.

    That is said of conditions which are no inequalities together, as guards are, and of factors that are always finite.
    """
    (value, condition), *others = choice.args
    if others != [(S.Zero, S.true)] or is_guard(choice) or condition.has(Indexed):
        return choice
    factors, asked = Mul.make_args(value), set(free_indices(condition))
    found = (f for f in factors if isinstance(f, Indexed) and is_whole(f))
    masked = next((r for r in found if asked <= set(free_indices(r))), None)
    rest = [f for f in factors if f is not masked]
    if masked is None or not all(is_always_finite(unguarded(f)[0]) or _is_read_in_range(f) for f in rest):
        return choice
    return Mul(Piecewise((masked, condition), (S.Zero, True), evaluate=False), *rest)


def _is_read_in_range(factor):
    """Tell whether a factor is a read behind a guard, which says where it is in its range."""
    return is_guard(factor) and isinstance(factor.args[0][0], Indexed)


def _without_idle_steps(product: Mul) -> Expr:
    """Leave out a step that a relu beside it says already: relu(x)*step(x) is relu(x)."""
    idle = {step(base.args[0]) for base, power in map(Expr.as_base_exp, product.args)
            if isinstance(base, relu) and power.is_positive}
    kept = [f for f in product.args if f not in idle]
    return Mul(*kept) if len(kept) < len(product.args) else product


def _without_both_sides(total: Add) -> Expr:
    """Return f where a sum is f on one side of a step and what f is there on the other, as exp(min(x, 0)) is 1.

        exp(x - relu(x))*(1 - step(x)) + step(x)        is exp(x - relu(x))
    """
    for term in total.args:
        for side in (f for f in Mul.make_args(term) if isinstance(1 - f, step)):
            x, rest = (1 - side).args[0], term / side
            beyond = rest.xreplace({relu(x): x}) * (1 - side)
            if rest.has(relu(x)) and beyond in total.args:
                return total - term - beyond + rest
    return total


def _by_difference(total: Add) -> Expr:
    """Return b + (a - b) [x > 0] where a sum is a on one side of a comparison, b on the other, and a - b is one term.

        u (tau - 1) (1 - [x > 0]) + u tau [x > 0]       is u (tau - 1) + u [x > 0]
    """
    for term in total.args:
        for side in (f for f in Mul.make_args(term) if isinstance(1 - f, half_step)):
            one = next((t for t in total.args if 1 - side in Mul.make_args(t)), None)
            if one is None:
                continue
            above, below = one / (1 - side), term / side
            difference = expand_mul(above - below)
            if not isinstance(difference, Add):
                return total - term - one + below + difference * (1 - side)
    return total


def _tidy_sum(total: Sum) -> Expr:
    """Count what does not vary, and put what does not depend on the bound indices before the sum."""
    total = _without_diagonals(total)
    if not isinstance(total, Sum):
        return total
    whole = running_inside(total)
    if whole is not total:
        return whole
    body = _before_guard(total)
    varying = set(free_indices(body))
    limits = [limit for limit in total.limits if limit[0] in varying]
    idle = count([limit for limit in total.limits if limit[0] not in varying])
    bound = {limit[0] for limit in limits}
    outside = [f for f in Mul.make_args(body) if not bound & set(free_indices(f))]
    inside = [f for f in Mul.make_args(body) if bound & set(free_indices(f))]
    if len(limits) == len(total.limits) and not outside and not isinstance(body, Add):
        return total
    summed = Mul(*inside)
    if limits and isinstance(summed, Add) and all(map(_is_narrower, summed.args, repeat(set(free_indices(summed))))):
        return Mul(idle, *outside, Add(*(_tidy_sum(Sum(t, *limits)) for t in summed.args)))
    if limits and isinstance(summed, Add) and all(_coefficient(t).is_negative for t in summed.args):
        return Mul(-idle, *outside, Sum(-summed, *limits))
    return Mul(idle, *outside, Sum(summed, *limits) if limits else summed)


def _is_narrower(term: Expr, indices: set[Idx]) -> bool:
    """Tell whether a term is a product whose factors have fewer indices each, as those of a product of matrices."""
    return not any(indices <= set(free_indices(f)) for f in Mul.make_args(term)) and not term.has(
        KroneckerDelta, Piecewise)


def _before_guard(total: Sum) -> Expr:
    """Return what a sum is of, what does not vary before its guard: [i <= t]*a[i]*h[t] is h[t]*([i <= t]*a[i]).

    What is not finite for some values stays behind the guard. A read at whole indices is in its range wherever it
    stands, but where the guard is about these alone: a state has a row before the first.
    """
    bound = {limit[0] for limit in total.limits}
    if not is_guard(total.function):
        return _before_choice(total.function, bound)
    inner, conditions = unguarded(total.function)
    kept = {i for c in conditions if not bound & set(free_indices(c)) for i in free_indices(c)}
    whole = [f for f in Mul.make_args(inner) if is_always_finite(f) and not (bound | kept) & set(free_indices(f))]
    rest = Mul(*(f for f in Mul.make_args(inner) if f not in whole))
    return Mul(*whole, guarded(rest, conditions)) if whole else total.function


def _before_choice(body: Expr, bound: set[Idx]) -> Expr:
    """Return what a sum is of, brackets that do not vary before a choice by labels: [c = y[n]]*([k != y[n]]*a[k])."""
    if not isinstance(body, Piecewise) or len(body.args) != 2 or body.args[1] != (S.Zero, S.true):
        return body
    value, condition = body.args[0]
    whole = [f for f in Mul.make_args(value) if isinstance(f, KroneckerDelta) and not bound & set(free_indices(f))
             and f.has(Indexed) and all(map(is_whole, f.atoms(Indexed)))]
    rest = Mul(*(f for f in Mul.make_args(value) if f not in whole))
    return Mul(*whole, Piecewise((rest, condition), (S.Zero, True), evaluate=False)) if whole else body


def _without_diagonals(total: Sum) -> Expr:
    """Sum along a diagonal: of Sum([i = j]*a[i, j], i, j), where both run over the same range, make Sum(a[i, i], i)."""
    ranges = {limit[0]: tuple(limit[1:]) for limit in total.limits}
    for f in Mul.make_args(total.function):
        if isinstance(f, KroneckerDelta) and set(f.args) <= set(ranges) and len({ranges[i] for i in f.args}) == 1:
            kept, gone = sorted(f.args, key=lambda i: list(ranges).index(i))
            limits = [limit for limit in total.limits if limit[0] != gone]
            body = Mul(*(g for g in Mul.make_args(total.function) if g != f)).xreplace({gone: kept})
            return _without_diagonals(Sum(body, *limits))
    return total


def _one_sum_a_bracket(total: Add) -> Expr:
    """Add up first what goes to one place: Sum([v = w[n]]*a[n], n) + Sum([v = w[n]]*b[n], n) is one sum, of a + b.

    Parts of it, [i = 0] Sum([v = w[n]]*a[n], n) and the same of [i = 1], are places of their own.
    """
    groups: dict[Expr | tuple, list[tuple[Expr, ...]]] = {}
    for term in total.args:
        placed = _placed(term)
        key = (canonical(placed[0]), _places(Mul.make_args(term))) if placed else term
        groups.setdefault(key, []).append((term, *placed))
    if len(groups) == len(total.args):
        return total
    return Add(*(_in_one_sum(group) if len(group) > 1 else group[0][0] for group in groups.values()))


def _in_one_sum(group):
    """Return one sum for terms that choose the same places, in the index names of the first."""
    place = group[0][1]
    indices = [limit[0] for limit in place.limits]
    brought = [instantiated(b, dict(zip((limit[0] for limit in p.limits), indices, strict=True))) for _, p, b in group]
    return Mul(*_places(Mul.make_args(group[0][0])), Sum(place.function * Add(*brought), *place.limits))


def _placed(term):
    """Split a sum over brackets: the sum of the brackets alone, and what they bring there; () for another term."""
    sums = [f for f in Mul.make_args(term) if isinstance(f, Sum)]
    if len(sums) != 1 or any(free_indices(low + high) for _, low, high in sums[0].limits):
        return ()
    factors = Mul.make_args(sums[0].function)
    brackets = Mul(*(f for f in factors if isinstance(f, KroneckerDelta)))
    chosen = free_indices(brackets)
    outer = sorted((limit for limit in sums[0].limits if limit[0] in chosen), key=lambda limit: chosen.index(limit[0]))
    inner = [limit for limit in sums[0].limits if limit[0] not in chosen]
    if not outer:
        return ()
    brought = Mul(*(f for f in factors if not isinstance(f, KroneckerDelta)))
    constant = Mul(*(f for f in Mul.make_args(term) if f != sums[0] and f not in _places(Mul.make_args(term))))
    return Sum(brackets, *outer), Mul(constant, Sum(brought, *inner) if inner else brought)


def _common_factor(total: Add) -> Expr:
    """Put factors that all terms have before the sum of the terms: a/N - b/N = (a - b)/N."""
    terms = [list(Mul.make_args(t)) for t in total.args]
    common = [f for f in terms[0] if not f.is_number and all(f in t for t in terms[1:])]
    if not common or len(set(map(_conditions, terms))) > 1:        # what counts at different places stays apart
        return total
    rest = [Mul(*(f for f in t if f not in common)) for t in terms]
    if any(map(_is_diagonal, rest)):            # diag(p) - p p' is read better than p*(I - p')
        return total
    number = next((r for r in (_coefficient(t) for t in rest) if abs(r) != 1), S.One)
    if number != 1 and all(abs(_coefficient(t)) == abs(number) for t in rest):
        rest, common = divided(rest, number), [number, *common]
    return Mul(*common, Add(*rest), evaluate=number == 1)


def _is_diagonal(term):
    return isinstance(term, KroneckerDelta) and all(isinstance(a, Idx) for a in term.args)


def _conditions(factors):
    """Return where a product counts: its conditions, and the brackets that choose one place."""
    return _places(factors) | {f.args[0][1] for f in factors if is_guard(f)}


def _places(factors):
    """Return the brackets among factors that choose one place, [t = T - 1]."""
    return frozenset(f for f in factors if isinstance(f, KroneckerDelta) and not all(map(free_indices, f.args)))


def _at_its_place(product: Mul) -> Expr:
    """Read what stands beside a bracket at the place that it chooses: [i = 2] tanh(x[i]) is [i = 2] tanh(x[2])."""
    for bracket in _places(product.args):
        here = {i: place for i, place in (bracket.args, bracket.args[::-1]) if isinstance(i, Idx)}
        product = Mul(bracket, *(instantiated(f, here) for f in product.args if f != bracket))
        if not isinstance(product, Mul):
            break
    return product


def _together_by_place(total: Add) -> Expr:
    """Put a factor that all terms at one place have before their sum: [i = 0] a b + [i = 0] a c + [i = 1] d."""
    groups: dict[frozenset, list[Expr]] = {}
    for term in total.args:
        groups.setdefault(_places(Mul.make_args(term)), []).append(term)
    if len(groups) == 1:
        return total
    return Add(*(_common_factor(Add(*terms)) if place and len(terms) > 1 else Add(*terms)
                 for place, terms in groups.items()))


def _common_number(product: Mul) -> Expr:
    """Put a number that all terms of a factor have with the product's own: (2*a - 2*b)/(2*N) = (a - b)/N."""
    factors = []
    for f in product.args:
        numbers = {abs(_coefficient(t)) for t in f.args} if isinstance(f, Add) else set()
        if len(numbers) == 1 and numbers != {S.One}:
            [number] = numbers
            factors += [number, Add(*divided(f.args, number))]
        else:
            factors.append(f)
    return Mul(*factors) if len(factors) > len(product.args) else product


def _coefficient(term):
    return term.as_coeff_Mul()[0]


def without_constants(program: Program) -> Program:
    """Put adjoints that are constants (1, 1/N), data, the same along an axis or those of others where they are read."""
    times = Counter(read_name(t) for e in program.equations for t in subterms(e.rhs))
    together = [{read_name(t) for t in subterms(e.rhs)} for e in program.equations]
    adjoints = set(program.adjoints.values())
    known: dict[str, Equation] = {}
    lines, since = [], dict(program.since)
    for e in program.equations:
        for r in reads(e.rhs, known):
            since[e.name] = tuple(dict.fromkeys([*since.get(e.name, ()), *since.get(read_name(r), ())]))
        e = e.with_rhs(e.rhs.xreplace({r: _at(known[read_name(r)], r) for r in reads(e.rhs, known)}))
        inner = e.name in adjoints and not _is_gradient(program, e.name) and not e.implicit
        beside = {read_name(r) for r in reads(e.rhs, adjoints)}         # a line that reads both keeps two terms
        apart = not any(e.name in names and beside & names for names in together)
        if inner and apart and e.free == e.indices and all(i.lower == 0 for i in e.free) and _is_given(
                e, program, times[e.name]):
            known[e.name] = e
        else:
            lines.append(e)
    lines = [e.with_rhs(without_reads(e.rhs, known)) for e in lines]    # in a loop, others are read before their line
    return _dropped(program, known).with_equations(lines, since={n: facts for n, facts in since.items() if facts})


def without_reads(rhs: Expr, known: Mapping[str, Equation]) -> Expr:
    """Return an expression without reads of what is known, put in place."""
    while found := reads(rhs, known):
        rhs = rhs.xreplace({r: _at(known[read_name(r)], r) for r in found})
    return rhs


def _at(equation, read):
    """Return the right-hand side of an equation at the indices of a read."""
    return instantiated(equation.rhs, dict(zip(equation.indices, getattr(read, "indices", ()), strict=True)))


def _is_given(equation, program, times):
    """Tell whether a right-hand side is a constant, also on a diagonal, times data or what has fewer axes.

    It is no dearer to read elsewhere: what is multiplied with the second before it is spread along an axis is smaller.
    """
    if is_another(equation.rhs, equation.indices) and program.variables[read_name(equation.rhs)].primal:
        return True
    varying = _varying_factors(equation.rhs, program.variables)
    read = program.variables.get(read_name(varying[0])) if len(varying) == 1 else None
    spread = is_spread(equation.rhs, equation.indices, program.variables)
    if varying and (spread or (read is not None and read.kind == "input")):
        return times == 1 or varying[0] == equation.rhs or not free_indices(equation.rhs)
    return not varying


def is_another(rhs: Expr, indices: Sequence[Expr]) -> bool:
    """Tell whether an array is another one, entry by entry."""
    return isinstance(rhs, Indexed) and tuple(rhs.indices) == tuple(indices)


def is_spread(rhs: Expr, indices: Sequence[Expr], variables: Collection[str]) -> bool:
    """Tell whether an entry is a constant, or times one read that is the same along an axis at least.

    What is the same along all axes may be of several scalars.
    """
    varying = _varying_factors(rhs, variables)
    if not varying or (indices and not free_indices(rhs) and not rhs.has(Function) and not has_binder(rhs)):
        return not free_indices(rhs)
    return len(varying) == 1 and bool(read_name(varying[0])) and set(free_indices(rhs)) < set(indices)


def _varying_factors(rhs, variables):
    """Return the factors of an entry that are neither numbers nor brackets of two indices."""
    found = [f for f in Mul.make_args(rhs) if free_indices(f) or reads(f, variables)]
    return [f for f in found if not (isinstance(f, KroneckerDelta) and all(isinstance(i, Idx) for i in f.args))]


def _is_gradient(program, name):
    return program.variables[program.variables[name].primal].kind == "parameter"


def _dropped(program, names):
    variables = {n: v for n, v in program.variables.items() if n not in names}
    adjoints = {p: a for p, a in program.adjoints.items() if a not in names}
    return program.with_equations(program.equations, variables=variables, adjoints=adjoints)


def with_shared_lines(program: Program) -> Program:
    """Where two equations have the same right-hand side, let the second read the first."""
    outlines = [(e.indices, frozenset(map(read_name, reads(e.rhs, program.variables)))) for e in program.equations]
    times = Counter(outlines)
    first: dict[tuple, Equation] = {}
    lines = []
    for e, outline in zip(program.equations, outlines, strict=True):
        key = (canonical(e.rhs), e.indices) if times[outline] > 1 else outline
        if e.implicit:
            pass
        elif key in first and isinstance(e.rhs, Expr) and not _is_simple(e.rhs):
            e = Equation(e.lhs, first[key].lhs)
        else:
            first[key] = e
        lines.append(e)
    return program.with_equations(lines)


def _is_simple(rhs):
    return not rhs.args or isinstance(rhs, Indexed)


def without_dead(program: Program) -> Program:
    """Drop equations that nothing which the program is for needs."""
    needs: dict[str, set[str]] = {}
    for e in program.equations:
        for side in (e.rhs, e.start):
            needs.setdefault(e.name, set()).update(map(read_name, reads(side, program.variables)))
    live, todo = set(), list(program.wanted)
    while todo:
        name = todo.pop()
        if name not in live:
            live.add(name)
            todo += needs.get(name, ())
    dead = {e.name for e in program.equations} - live
    since = {n: facts for n, facts in program.since.items() if n in live}
    return _dropped(program, dead).with_equations((e for e in program.equations if e.name in live), since=since)


def without_outputs(program: Program) -> Program:
    """Drop the outputs beside the loss, and what nothing but them needs."""
    return without_dead(replace(program, outputs=())) if program.outputs else program
