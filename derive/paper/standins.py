"""What equations read on paper in place of what they read in code: P for a softmax, Y for labels, [Z > 0]."""

from dataclasses import dataclass

from sympy import Add, Expr, Idx, Indexed, KroneckerDelta, Min, S, Sum, exp

from ..arrays import Array
from ..binders import LogSumExp, has_binder, is_binder
from ..functions import relu, step
from ..terms import apart, bottom_up, free_indices, instantiated, like, read_name, reads, rename
from .names import Names
from .sheet import Sheet, name_of, written_out

LETTERS = "kjilm"           # of an index that is introduced


def lesser(term: Expr) -> Expr:
    """Write x - relu(x) as min(x, 0), among other terms too."""
    for t in term.args if isinstance(term, Add) else ():
        if isinstance(-t, relu) and (-t).args[0] in term.args:
            return term - t - (-t).args[0] + Min((-t).args[0], 0)
    return term


@dataclass(frozen=True)
class StandIn:
    """A symbol that stands for an expression, top/bottom; `what` is the key of what that is, `of` its variable."""

    read: Expr
    what: str
    top: Expr
    bottom: Expr = S.One
    of: str = ""


@dataclass(frozen=True)
class Softmax:
    """exp(f - lse) where lse is the log-sum-exp of f, hidden under `name`."""

    name: str
    lse: LogSumExp
    exponent: Expr

    @property
    def is_plain(self) -> bool:
        """Whether it is the softmax of a whole array along its last axis."""
        bound = self.lse.limits[0][0]
        return isinstance(self.exponent, Indexed) and bool(free_indices(self.exponent)) \
            and self.exponent == self.lse.function.xreplace({bound: self.exponent.indices[-1]})


class StandIns:
    """Puts symbols in place of expressions, and remembers which it has put."""

    def __init__(self, sheet: Sheet, names: Names, on_paper: bool):
        self.sheet, self.names, self.on_paper = sheet, names, on_paper
        self.known: dict[str, StandIn] = {}
        self.used: dict[str, StandIn] = {}

    def put(self, expr: Expr, reverse: bool, matrix: bool, outer: set[str]) -> Expr:
        """Return an expression as it is written: backward with stand-ins, in matrix notation with one-hot labels."""
        def change(term):
            softmax = self._softmax_in(term)
            if softmax:
                return self._softmax(softmax, reverse, matrix)
            return self._one_hot(term) if matrix and _is_one_hot(term) else lesser(self._through_relu(term))
        expr = self.sheet.inlined(bottom_up(expr, change), self.sheet.hidden)
        taken = {i.name for i in free_indices(expr)} | outer
        return self._calm(apart(expr, taken), taken)

    def remember(self, expr: Expr) -> None:
        """Take note of the stand-ins in an expression that was written."""
        for read in reads(expr, self.known):
            self.used.setdefault(name_of(read), self.known[name_of(read)])

    def _through_relu(self, term):
        """Write step(A) as step(Z) where A = relu(Z)."""
        definition = self.sheet.definitions.get(read_name(term.args[0])) if isinstance(term, step) else None
        if definition is None or not isinstance(definition.rhs, relu):
            return term
        return step(written_out(term.args[0], definition).args[0])

    # ---- the softmax

    def _softmax_in(self, term) -> Softmax | None:
        for read in reads(term.args[0], self.sheet.hidden) if isinstance(term, exp) else ():
            lse = written_out(read, self.sheet.hidden[name_of(read)])
            softmax = Softmax(name_of(read), lse, term.args[0] + read)
            if not reads(softmax.exponent, [softmax.name]) and _is_a_term(softmax.exponent, lse):
                return softmax
        return None

    def _softmax(self, softmax, reverse, matrix):
        """Return a read of P on the way back; forward the quotient, or softmax(Z)."""
        by_name = softmax.is_plain and (matrix or not self.on_paper)
        if not by_name and not (reverse and self.on_paper):
            return exp(softmax.exponent) / self._denominator(softmax)
        key = f"softmax {softmax.name}" + (" forward" if self.on_paper and not reverse else "")
        if key not in self.known:
            self.names.introduce(key, *self._symbols(softmax, reverse))
            self.known[key] = self._meaning(key, softmax)
        return _read(key, _indices_of(softmax.exponent))

    def _meaning(self, key, softmax):
        read = _read(key, _indices_of(softmax.exponent))
        over = softmax.lse.limits[0][2] + 1
        classes = any(v.classes == over for v in self.sheet.program.variables.values())
        what, of = "class probabilities" if classes else "softmax", read_name(softmax.exponent) or softmax.name
        return StandIn(read, what, exp(softmax.exponent), self._denominator(softmax), of)

    def _symbols(self, softmax, reverse):
        of = read_name(softmax.exponent) or softmax.name.removeprefix(f"{LogSumExp.word}_")
        text = f"softmax({of})"
        if not reverse:
            return rf"\operatorname{{softmax}}({self.names.variable(of)})", text
        alone = len(self.sheet.hidden) == 1
        ways = ["P", "Q", r"\hat P", r"\hat Q"] if alone else [f"P_{{{self.names.variable(of)}}}"]
        return self.names.unused(*ways), text

    def _denominator(self, softmax):
        """Return the sum of the exponentials, over an index apart from those of the exponent."""
        [(index, low, high)] = softmax.lse.limits
        taken = {i.name for i in free_indices(softmax.exponent)}
        letters = [c for c in LETTERS if not self.names.is_taken(c)]
        other = like(index, next(n for n in (*letters, *(f"{index.name}{k}" for k in range(2, 9))) if n not in taken))
        return Sum(exp(softmax.lse.function.xreplace({index: other})), (other, low, high))

    # ---- labels

    def _one_hot(self, bracket):
        labels = next(a for a in bracket.args if a.is_Indexed)
        index = next(a for a in bracket.args if isinstance(a, Idx))
        name = labels.base.name
        key = f"one-hot {name} {index.upper}"
        read = _read(key, (*labels.indices, index))
        if key not in self.known:
            ways = [name.upper()] if len(name) == 1 and name.islower() else []
            self.names.introduce(key, self.names.unused(*ways, "Y", r"\hat Y", "E"), f"onehot({name})")
            self.known[key] = StandIn(read, "the labels", bracket)
        return read

    # ---- bound indices

    def _calm(self, expr, taken):
        """Give bound indices the first free name of their kind: h' rather than h''."""
        if not has_binder(expr):
            return expr
        if is_binder(expr):
            changes, taken = {}, set(taken)
            for index, *_ in expr.limits:
                changes[index] = self._calmer(index, taken)
                taken.add(changes[index].name)
            body = self._calm(instantiated(expr.function, changes), taken)
            limits = [rename(limit, changes) for limit in expr.limits]
            return expr if (body, *limits) == (expr.function, *expr.limits) else expr.func(body, *limits)
        args = [self._calm(a, taken) for a in expr.args]
        return expr if all(a is b for a, b in zip(args, expr.args, strict=True)) else expr.func(*args)

    def _calmer(self, index, taken):
        stem = index.name.rstrip("0123456789")
        if stem == index.name or self.names.ranges.get(stem) != (index.upper + 1,):
            return index
        return like(index, next(n for n in (stem, *(f"{stem}{k}" for k in range(2, len(taken) + 3))) if n not in taken))


def _is_a_term(exponent, lse):
    """Tell whether `exponent` is the term of `lse` at some value of its only bound index."""
    bound = lse.limits[0][0]
    return len(lse.limits) == 1 and any(lse.function.xreplace({bound: i}) == exponent for i in free_indices(exponent))


def _is_one_hot(term):
    """Tell whether a term is [c = y[n]], at distinct indices."""
    return isinstance(term, KroneckerDelta) and any(isinstance(a, Idx) for a in term.args) and any(
        a.is_Indexed and all(isinstance(i, Idx) for i in a.indices) for a in term.args)


def _indices_of(exponent):
    """Return the free indices in the order of the first array that has them all."""
    whole = [r for r in exponent.atoms(Indexed) if set(free_indices(r)) == set(free_indices(exponent))]
    return tuple(free_indices(min(whole, key=str) if whole else exponent))


def _read(name, indices):
    return Array(name, tuple(i.upper + 1 for i in indices))[indices]
