"""Forward equations with one mistake: another activation, a small number elsewhere, N - 1 for N, another axis."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain

from sympy import Add, Expr, Max, Pow, Rational, log, sqrt, tanh

from derive.binders import LogSumExp, Maximum
from derive.functions import relu, sigmoid, softplus
from derive.program import Equation, Program
from derive.terms import free_indices, subterms

from .averaging import other_means
from .axes import softmax_axes
from .inlining import inlined
from .mutants import Mutator
from .slips import LIKELY, POSSIBLE, RARE, Mutant
from .windows import other_poolings


def mutants(program: Program) -> Iterator[Mutant]:
    """Yield the changed forward equations of a program, the likeliest first, and of those the loss's."""
    mutator, own = Mutator(program), {e.name for e in program.equations}
    makers = (other_functions, other_poolings, _hard, _epsilons, _roots, partial(spreads, program), softmax_axes,
              mutator.of, partial(_sized, program, mutator))
    lines, right = program.equations[::-1], set(program.equations)
    few = (m for e in lines for make in makers for m in make(e) if m.kind != "kink")
    far = chain(other_means(program), *(inlined(program, mutator, own, e) for e in lines))
    for mutant in chain(sorted(few, key=lambda m: m.rank), far):
        if not right.issuperset(mutant.equations):
            yield _whole(program, mutant)


def _whole(program, mutant):
    """Return a mutant with the other equations of its variable, a state's initial value for one."""
    changed = {e.lhs for e in mutant.equations}
    rest = (e for e in program.defining(mutant.name) if e.lhs not in changed)
    return replace(mutant, equations=(*rest, *mutant.equations))


def other_functions(equation: Equation) -> Iterator[Mutant]:
    """Yield the changes of an activation into another one, or into none."""
    found = {t for t in subterms(equation.rhs) if isinstance(t, relu | sigmoid | tanh | softplus)}
    for old in sorted(found, key=str):
        yield made(equation, equation.rhs.xreplace({old: old.args[0]}), f"{type(old).__name__} is missing", LIKELY)
        for new in (relu, sigmoid, tanh, softplus):
            if not isinstance(old, new):
                rhs = equation.rhs.xreplace({old: new(old.args[0])})
                yield made(equation, rhs, f"{new.__name__} stands where {type(old).__name__} should", POSSIBLE)
        leaky = old.args[0]
        if isinstance(old, relu):
            for slope in (0.01, 0.1, 0.2):
                rhs = equation.rhs.xreplace({old: relu(leaky) - slope * relu(-leaky)})
                yield made(equation, rhs, f"a leaky relu of slope {slope} stands where relu should", POSSIBLE)


def _hard(equation):
    """Yield the largest of what a log-sum-exp is of in its place, a hard maximum for a soft one, and the other way."""
    for old in sorted({t for t in subterms(equation.rhs) if isinstance(t, LogSumExp | Maximum)}, key=str):
        new, said = (Maximum, "hard") if isinstance(old, LogSumExp) else (LogSumExp, "soft")
        rhs = equation.rhs.xreplace({old: new(old.function, *old.limits)})
        yield made(equation, rhs, f"a {said} maximum stands where a {'soft' if said == 'hard' else 'hard'} one should",
                   POSSIBLE)


def _epsilons(equation):
    """A small number inside a logarithm: of a probability where that is a softmax's."""
    for old in sorted((t for t in set(subterms(equation.rhs)) if isinstance(t, log)), key=str):
        for k in range(3, 16):
            rhs = equation.rhs.xreplace({old: log(old.args[0] + 10.0**-k)})
            yield made(equation, rhs, f"1e-{k} is added inside a logarithm", RARE)


def _roots(equation):
    """A small number that stands outside the root that it should be in; a root taken of what is one already."""
    for old in sorted((t for t in set(subterms(equation.rhs)) if isinstance(t, Pow) and abs(t.exp) == Rational(1, 2)
                       and isinstance(t.base, Add)), key=str):
        small = Add(*(a for a in old.base.args if not free_indices(a)))
        rest = old.base - small
        if small != 0 and rest != 0:
            outside, twice = (sqrt(rest) + small) ** (2 * old.exp), sqrt(sqrt(rest) + small) ** (2 * old.exp)
            yield made(equation, equation.rhs.xreplace({old: outside}), f"{small} is added to the root, not inside it",
                        RARE)
            yield made(equation, equation.rhs.xreplace({old: twice}), "the root is taken twice: a standard deviation "
                        "where the variance should be", RARE)


def spreads(program: Program, equation: Equation) -> Iterator[Mutant]:
    """Yield the changes that divide a sum by N - 1 rather than N, by 1 at least where somebody took care of that."""
    for size in sorted((s for s in equation.rhs.free_symbols if s in set(program.sizes)), key=str):
        for divisor in (size - 1, Max(size - 1, 1)):
            rhs = equation.rhs.xreplace({1 / size: 1 / divisor})
            yield made(equation, rhs, f"{size} - 1 divides where {size} should", POSSIBLE)


def _sized(program, mutator, equation):
    """The whole of an equation times a size, or the root of one, that it should not have."""
    for size in (s for s in program.sizes if s not in program.derived):
        for factor in (sqrt(size), 1 / sqrt(size), size, 1 / size):
            yield mutator.scaled(equation, factor, f"a factor {factor} too many", RARE)


def made(equation: Equation, rhs: Expr, words: str, rank: int) -> Mutant:
    """Return the mutant that has another right-hand side."""
    return Mutant(equation.name, (equation.with_rhs(rhs),), words, "forward", rank)
