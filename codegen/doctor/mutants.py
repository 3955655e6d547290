"""Wrong derivations: an equation with one thing changed, each a hypothesis with a name.

A term dropped or with another sign, a factor forgotten or used twice, a sum that became a mean or one of its terms, an
array read transposed, at another step, or another array in its place. What a changed equation gives downstream is then
evaluated, so a mistake upstream explains all parameters beneath it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations

from sympy import (
    Add,
    Eq,
    Expr,
    Gt,
    Idx,
    Indexed,
    KroneckerDelta,
    Max,
    Min,
    Mul,
    Piecewise,
    Pow,
    Rational,
    S,
    Sum,
    Symbol,
    exp,
)
from sympy.core.relational import Relational

from derive.binders import is_binder
from derive.functions import step
from derive.program import Equation, Program
from derive.terms import free_indices, instantiated, read_name, reads, subterms

from .masks import of_mask, of_some_cases, wrapped
from .positions import ignored_sizes
from .scales import words_of
from .slips import FARFETCHED, LIKELY, POSSIBLE, RARE, Found, Mutant, instead
from .sources import Sources
from .wording import Wording

Change = Callable[[Expr], Expr]
MOST_TERMS = 6          # of a sum that several are left out of


class Mutator:
    """Makes the mutants of the equations of one program."""

    def __init__(self, program: Program):
        self.program = program
        self.variables = program.variables
        self.wording = Wording(program)
        self.sizes = set(program.sizes)
        self.adjoints = set(program.adjoints.values())
        self.inputs = {v.name for v in program.kind("input")}
        self.exponentials = {e.name for e in program.forward if isinstance(e.rhs, exp)}
        self.places = {e.name: k for k, e in enumerate(program.equations)}
        self.sources = Sources(program)

    def of(self, equation: Equation) -> Iterator[Mutant]:
        """Yield the mutants of one equation; a sign and a factor two for the whole of it come first."""
        changes: dict[Expr, Found] = {}
        for found in self._changes(equation):
            same = changes.get(found.expr)
            if same and found.kind == "term" and same.kind != "factor":     # the plainest words for one and the same
                changes[found.expr] = replace(found, rank=min(found.rank, same.rank))
            changes.setdefault(found.expr, found)
        for found in changes.values():
            if found.expr != equation.rhs:
                yield Mutant(equation.name, instead(self.program, equation, found.expr), found.words, found.kind,
                             found.rank, found.square)

    def scaled(self, equation: Equation, factor: Expr, words: str, rank: int = RARE) -> Mutant:
        """Return the mutant that has the whole of an equation times a factor."""
        rhs = factor * equation.rhs
        if equation.implicit:           # F(x) = 0 has x times the factor where F(x / factor) = 0
            rhs = equation.rhs.xreplace({r: r / factor for r in reads(equation.rhs, {equation.name})})
        return Mutant(equation.name, instead(self.program, equation, rhs), words, "scale", rank)

    def _changes(self, equation):
        rhs, name = equation.rhs, equation.name
        yield Found(-rhs, "the sign is wrong", "sign", LIKELY)
        yield Found(S.Zero, "nothing is sent back through it: it is 0", "detached", RARE)
        yield Found(2 * rhs, "a factor 2 too many", "scale", RARE)
        yield Found(rhs / 2, words_of(S.Half), "scale", RARE)
        yield from self._walk(rhs, equation)
        yield from self._exchanged(equation)
        for read in reads(rhs, self.variables):
            yield from self._other_reads(read, rhs, name)
            yield from self._reversed(read, rhs)
        yield from ignored_sizes(self.program, self.wording, rhs)
        yield from of_some_cases(self.wording, rhs, equation.free)
        yield from wrapped(rhs)

    def _exchanged(self, equation):
        """A term with two indices of one range exchanged: a sum of several, one of them transposed."""
        for a, b in combinations((i for i in equation.indices if isinstance(i, Idx)), 2):
            if (a.lower, a.upper) != (b.lower, b.upper):
                continue
            for term in Add.make_args(equation.rhs):
                other = instantiated(term, {a: b, b: a})
                whole = "it" if term == equation.rhs else f"the term {self.wording.text(term)}"
                yield Found(equation.rhs - term + other, f"{whole} is transposed: {a.name} and {b.name} are exchanged",
                            "transpose", POSSIBLE)

    def _walk(self, expr: Expr, equation: Equation, around: Change = lambda e: e) -> Iterator[Found]:
        """Yield the changes of an expression and of all that it is made of."""
        for found in self._here(expr, equation):
            yield replace(found, expr=around(found.expr))
        if isinstance(expr, Indexed | Idx | Relational) or not expr.args:
            return
        if isinstance(expr, Piecewise):
            for k, (value, condition) in enumerate(expr.args):
                if (value.args and condition is not S.true) or value != 0:
                    yield from self._walk(value, equation, inside_branch(expr, k, around))
        elif is_binder(expr):
            yield from self._walk(expr.function, equation, _inside_binder(expr, around))
        elif not isinstance(expr, KroneckerDelta):
            for k, arg in enumerate(expr.args):
                yield from self._walk(arg, equation, _inside(expr, k, around))

    def _here(self, expr, equation):
        if isinstance(expr, Add):
            yield from self._terms(expr)
        elif isinstance(expr, Mul):
            yield from self._factors(expr, "" if expr == equation.rhs else "of")
        elif isinstance(expr, Pow):
            yield from self._powers(expr)
        elif isinstance(expr, Sum):
            yield from self._sums(expr)
        elif isinstance(expr, Piecewise | step):
            yield from of_mask(self.wording, expr)
        elif isinstance(expr, Max | Min):
            for arg in expr.args:
                yield Found(arg, f"{self.wording.text(expr)} is taken to be {self.wording.text(arg)}, always", "choice",
                            POSSIBLE)
        elif isinstance(expr, exp) or read_name(expr) in self.exponentials:
            yield from self._exponentials(expr)

    def _exponentials(self, power):
        """A variance for a standard deviation, or the other way round, where both are exponentials."""
        words = self.wording.text(power)
        yield Found(power ** Rational(1, 2), f"the root of {words} stands where {words} should", "power", RARE)
        yield Found(power**2, f"the square of {words} stands where {words} should", "power", RARE)

    # ---- terms and factors

    def _terms(self, total):
        for k, term in enumerate(total.args):
            words, rest = self.wording.term(term, total), total.args[:k] + total.args[k + 1:]
            yield Found(Add(*rest), f"{words} is missing", "term", POSSIBLE)
            yield from self._but_at_first(term, rest, words)
            yield Found(Add(*rest, -term), f"{words} has the wrong sign", "sign", POSSIBLE)
            yield Found(Add(*rest, 2 * term), f"{words} is doubled", "scale", RARE)
            if len(total.args) > 2:
                yield Found(term, f"only {words} counts: assigned (=) where it should be added (+=)", "overwritten",
                            RARE)
            for part in (f for f in Mul.make_args(term) if isinstance(f, Sum) and len(f.limits) == 1):
                [(index, low, high)] = part.limits
                for end, value in (("last", high), ("first", low)):
                    yield Found(term.xreplace({part: instantiated(part.function, {index: value})}),
                                f"only {words} counts, and of it the {end} {self.wording.index(index)}: assigned (=) "
                                "where it should be added (+=)", "overwritten", RARE)

        if 3 < len(total.args) <= MOST_TERMS:
            for lost in (some for n in range(2, len(total.args) - 1) for some in combinations(total.args, n)):
                told = ", ".join(self.wording.text(t) for t in lost)
                yield Found(Add(*(t for t in total.args if t not in lost)), f"the terms {told} are missing", "term",
                            FARFETCHED)

    def _but_at_first(self, term, rest, words):
        """A term from another step that only the initial row of a state's adjoint has kept."""
        first = [i for i in free_indices(term) if i.lower == -1]
        shifted = [r for r in reads(term, self.adjoints) if r.is_Indexed and not isinstance(r.indices[0], Idx)]
        if first and shifted:
            yield Found(Add(*rest, term * KroneckerDelta(first[0], -1)), f"{words} is missing", "term", POSSIBLE)

    def _factors(self, product, around=""):
        factors = product.args
        sizes = [f for f in factors if f.is_Pow and f.exp == -1 and f.base in self.sizes]
        if len(sizes) > 1:
            rest = Mul(*(f for f in factors if f not in sizes))
            yield Found(rest, self.wording.lost(Mul(*sizes)), "mean", LIKELY)
        given = [f for f in factors if reads(f, self.inputs) and not reads(f, set(self.variables) - self.inputs)]
        if len(given) > 1:
            rest = Mul(*(f for f in factors if f not in given))
            yield Found(rest, self.wording.lost(Mul(*given)), "factor", POSSIBLE)
        numbers = Mul(*(f for f in factors if f.is_number))
        for power in (f.exp for f in factors if isinstance(f, Pow) and f.exp.is_Integer and f.exp > 0):
            if numbers not in (1, -1, power + 1):       # 3 c of 3 c x^2, from c x^3: one number, and c may stand there
                text = self.wording.text(product)
                yield Found(product / (power + 1), f"the factor {power + 1} of {text} is missing", "scale", RARE)
        for k, factor in enumerate(factors):
            rest = Mul(*factors[:k], *factors[k + 1:])
            words, kind, rank = self.wording.factor(factor)
            words += f" of {self.wording.text(product)}" if kind in ("scale", "mean", "sign") and around else ""
            yield Found(rest, self.wording.lost(factor, words), kind, rank)
            if not free_indices(factor) and factor != -1:
                yield Found(rest * factor**2, f"{words} is there twice", kind, POSSIBLE)
            if factor != -1 and not reads(factor, self.adjoints) and not factor.has(step, KroneckerDelta):
                yield Found(rest / factor, f"{words} divides where it should multiply" if not _divides(factor)
                            else f"{self.wording.text(1 / factor)} multiplies where it should divide", kind, POSSIBLE)
            if isinstance(factor, Add) and reads(factor, self.adjoints):
                yield from self._in_one_term(factor, factors[:k] + factors[k + 1:])
            if isinstance(factor, Add) and len(factor.args) == 2:
                yield Found(rest * (-factor), f"the sign of {words}", "sign", FARFETCHED)
            if isinstance(factor, step) and reads(rest, self.adjoints) and not read_name(rest):
                yield Found(rest * step(rest), f"{words} is of what comes from above, [{self.wording.text(rest)} > 0], "
                            "not of what went forward", "mask", RARE)

    def _in_one_term(self, total, others):
        """A factor of a bracket that one of its terms has not got: a s + b for (a + b) s."""
        for j, factor in enumerate(others):
            if reads(factor, self.variables) and not reads(factor, self.adjoints):
                rest = Mul(*others[:j], *others[j + 1:])
                for term in total.args:
                    words = f"the factor {self.wording.text(factor)} is missing in the term {self.wording.text(term)}"
                    yield Found(rest * (factor * (total - term) + term), words, "factor", RARE)

    def _powers(self, power):
        base, exponent = power.base, power.exp
        words = self.wording.text(power)
        if exponent.is_Integer and exponent not in (-1,):
            less, more = exponent - 1 if exponent > 0 else exponent + 1, exponent + 1 if exponent > 0 else exponent - 1
            rank = POSSIBLE if exponent < 0 else RARE
            yield Found(base**less, f"{words} lost its power", "power", rank)
            yield Found(base**more, f"{words} has a power too many", "power", RARE)
            if abs(exponent) == 3:      # (v + eps)**(-1/2), not (v + eps)**(-3/2): of the root it is two
                near = base ** (exponent / 3)
                yield Found(near, f"{self.wording.text(near)} stands where {words} should", "power", rank)
        elif exponent.is_Rational and exponent.q == 2:
            yield Found(base ** (2 * exponent), f"the square root of {self.wording.text(base)} is missing", "power",
                        POSSIBLE)
        elif exponent == -1 and reads(base, self.variables):
            yield Found(base**-2, f"{self.wording.text(base)} divides twice", "power", RARE)
            yield Found(base ** Rational(-1, 2), f"{self.wording.text(base)} divides by its root only", "power", RARE)

    def _sums(self, total):
        body = total.function
        nested = {limit[0] for t in subterms(body) if is_binder(t) for limit in t.limits}
        for k, (index, low, high) in enumerate(total.limits):
            if index in nested:
                continue
            rest = [tuple(limit) for j, limit in enumerate(total.limits) if j != k]

            def kept(expr, rest=rest):
                return Sum(expr, *rest) if rest else expr

            words, count = self.wording.index(index), high - low + 1
            yield Found(total / count, f"the sum over {words} is a mean: divided by {count}", "mean", LIKELY)
            ones = {"last": high, "first": low, "middle": (low + high) / 2}
            for place, one in ones.items() if ones["middle"].is_Integer else list(ones.items())[:2]:
                yield Found(kept(body.xreplace({index: one})), f"only the {place} {words} counts, not the sum over all",
                            "sum", POSSIBLE)
            for limit, missing in (((index, low + 1, high), "first"), ((index, low, high - 1), "last")):
                limits = [tuple(x) if j != k else limit for j, x in enumerate(total.limits)]
                yield Found(Sum(_ranged(body, index, limit[1:]), *_ranged_limits(limits, index)),
                            f"the {missing} {words} is left out of the sum", "sum", RARE)
        if len(total.limits) > 1:
            number = Mul(*(high - low + 1 for _, low, high in total.limits))
            yield Found(total / number, f"the sum is a mean: divided by {number}", "mean", POSSIBLE)

    # ---- reads

    def _other_reads(self, read, rhs, name):
        variable = self.variables[read_name(read)]
        yield from self._transposed(read, rhs, variable)
        yield from self._shifted(read, rhs, variable)
        if not variable.shape and variable.kind == "input":
            for value in (S.Zero, S.One):
                yield Found(rhs.xreplace({read: value}), f"{variable.name} is taken to be {value}", "lost", POSSIBLE)
        yield from self._broadcast(read, rhs)
        for other in self.variables.values():
            if other.name == variable.name or len(other.shape) != len(variable.shape) or other.kind == "labels":
                continue
            place: tuple = read.indices if read.is_Indexed else ()
            later = bool(place) and any(place[0] == i + 1 for i in place[0].atoms(Idx))
            if variable.kind == "labels" or self._too_late(other, name, later):
                continue
            within = other.state == variable.state or (not variable.state and (later or isinstance(place[0], Idx)))
            same = other.shape == variable.shape and within
            if not variable.shape and not other.shape and other.name == self.program.loss:
                continue
            if same or (len(other.shape) >= 1 and within):
                rank = POSSIBLE if same and (other.name in self.adjoints) == (variable.name in self.adjoints) else RARE
                yield Found(rhs.xreplace({read: other.at(*place)}),
                            f"{other.name} is read where {variable.name} should be", "array",
                            rank if same else FARFETCHED, not same)

    def _too_late(self, other, name, later):
        """Tell whether a variable is not known yet where an equation is computed; of later steps all is known."""
        if other.name in self.adjoints:
            return self.places.get(other.name, 0) >= self.places[name] and not (later and self.variables[name].state)
        return name not in self.adjoints and self.places.get(other.name, -1) >= self.places[name]

    def _transposed(self, read, rhs, variable):
        if not read.is_Indexed or variable.kind == "labels":
            return
        for a, b in combinations(range(len(read.indices)), 2):
            indices = list(read.indices)
            indices[a], indices[b] = indices[b], indices[a]
            same = variable.shape[a] == variable.shape[b]
            if indices != list(read.indices):
                words = "transposed" if len(indices) == 2 else f"read with its axes {a} and {b} exchanged"
                yield Found(rhs.xreplace({read: read.base[tuple(indices)]}), f"{variable.name} is {words}", "transpose",
                            LIKELY, not same)

    def _broadcast(self, read, rhs):
        """An array of fewer axes than what it is broadcast to, along another axis: a keepdims that is missing."""
        indices: tuple = getattr(read, "indices", ())
        others = [i for i in free_indices(rhs) if i not in indices and isinstance(i, Idx)]
        if len(indices) == 1 and isinstance(indices[0], Idx) and others:
            for other in others:
                there = read.base[(other,)]
                words = f"{read_name(read)} is broadcast along the wrong axis: {self.wording.text(there)} for "
                words += f"{self.wording.text(read)} (keepdims is missing)"
                yield Found(rhs.xreplace({read: there}), words, "axis", POSSIBLE, True)

    def _shifted(self, read, rhs, variable):
        if not read.is_Indexed or variable.kind in ("parameter", "labels"):
            return
        first = read.indices[0]
        moves = {1: "the next", -1: "the previous"}
        related = variable.state or any(v.state and v.shape[0] == variable.shape[0] for v in self.variables.values())
        if not related:
            return
        for by, words in moves.items():
            moved = read.base[(first + by, *read.indices[1:])]
            yield Found(rhs.xreplace({read: moved}),
                        f"{variable.name} is read at {words} step: {self.wording.text(moved)} for "
                        f"{self.wording.text(read)}", "step", POSSIBLE)
        if variable.name not in self.adjoints and any(isinstance(i, Idx) for i in read.indices):
            last = read.base[(variable.shape[0] - 1, *read.indices[1:])]
            words = f"{variable.name} is that of the last step, {self.wording.text(last)} for {self.wording.text(read)}"
            yield Found(rhs.xreplace({read: last}), f"{words}: what is kept is written over at each", "step", RARE)
        yield from self._at_the_first_step(read, rhs, variable)

    def _at_the_first_step(self, read, rhs, variable):
        """The row before the first of a state: by an index of -1, which is the last in an array, or taken to be 0."""
        first, rest = read.indices[0], read.indices[1:]
        for t in (i for i in first.atoms(Idx) if variable.state and first == i - 1 and i.lower == 0):
            for value, words in ((read.base[(variable.shape[0] - 1, *rest)], "the last (an index of -1 wraps around)"),
                                 (S.Zero, "taken to be 0")):
                chosen = Piecewise((value, Eq(t, 0, evaluate=False)), (read, True), evaluate=False)
                yield Found(rhs.xreplace({read: chosen}), f"the initial row of {variable.name} is {words}", "step",
                            RARE)
        for t in (i for i in first.atoms(Idx) if variable.name in self.adjoints and first == i + 1):
            later = Idx(Symbol("later", integer=True), (0, t.upper))
            below = Piecewise((read.base[(later, *rest)], Gt(later, t, evaluate=False)), (S.Zero, True), evaluate=False)
            yield Found(rhs.xreplace({read: Sum(below, (later, 0, t.upper))}), f"{variable.name} of all later steps is "
                        "added up (+=), where that of the next step alone should be carried (=)", "step", RARE)

    def _reversed(self, read, rhs):
        """An array read from its other end: a kernel that is flipped, or is not, a sequence backwards."""
        bound = {limit[0] for t in subterms(rhs) if is_binder(t) for limit in t.limits}
        for group in ([i] for i in getattr(read, "indices", ()) if i in bound):
            back = {i: i.lower + i.upper - i for i in group}
            flipped = read.base[tuple(back.get(i, i) for i in read.indices)]
            yield Found(rhs.xreplace({read: flipped}), f"{read_name(read)} is read backwards along {group[0].name}",
                        "reversed", RARE)
        taps = [i for i in getattr(read, "indices", ()) if i in bound and len(read.indices) > 2][-2:]
        if len(taps) == 2:
            back = {i: i.lower + i.upper - i for i in taps}
            flipped = read.base[tuple(back.get(i, i) for i in read.indices)]
            words = f"{read_name(read)} is read backwards along {taps[0].name} and {taps[1].name}: a kernel flipped"
            yield Found(rhs.xreplace({read: flipped}), words, "reversed", RARE)


def _inside(expr, k, around):
    """Return what puts a changed argument back."""
    def change(e):
        args = list(expr.args)
        args[k] = e
        return around(expr.func(*args))

    return change


def _inside_binder(binder, around):
    return lambda e: around(binder.func(e, *binder.limits) if e != 0 else S.Zero)


def inside_branch(expr: Piecewise, k: int, around: Change) -> Change:
    """Return what puts another value into one case of several."""
    def change(e):
        branches = [(e if j == k else v, c) for j, (v, c) in enumerate(expr.args)]
        return around(Piecewise(*branches, evaluate=False))

    return change


def _divides(factor):
    return factor.is_Pow and factor.exp.is_negative


def _ranged(body, index, ends):
    """Return an expression with an index over another range."""
    return body.xreplace({index: Idx(Symbol(index.name, integer=True), ends)})


def _ranged_limits(limits, index):
    return [(Idx(Symbol(i.name, integer=True), (low, high)) if i == index else i, low, high) for i, low, high in limits]
