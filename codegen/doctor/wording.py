"""What things are called when a mistake is told: terms, factors, indices, equations and their numbers."""

from collections.abc import Sequence
from functools import cached_property

from sympy import Add, Expr, Idx, KroneckerDelta, Mul, Piecewise

from derive.errors import DerivationError
from derive.functions import step
from derive.program import Equation, Program
from derive.terms import free_indices, read_name, reads
from derive.text import Texts

LONGEST = 72            # of a quoted formula


class Wording:
    """Words for the parts of one program's equations."""

    def __init__(self, program: Program):
        self.program = program
        self.adjoints = set(program.adjoints.values())
        self.sizes = set(program.sizes)

    @cached_property
    def texts(self) -> Texts:
        return Texts(self.program)

    @cached_property
    def numbers(self) -> dict[str, tuple[int, str]]:
        """The number and the text of each forward equation, by the variable that it defines."""
        return {v.name: (k, text) for k, (text, v) in self._lines.items()}

    @cached_property
    def _lines(self):
        return dict(enumerate(self.texts.system(), 1))

    @cached_property
    def _under(self) -> dict[str, str]:
        return self.texts.quotes()

    def equation(self, name: str, changed: Sequence[Equation] = ()) -> str:
        """Return which equation an adjoint (or a variable) comes from: equation 4, loss = ...

        Where equations in its place are given, in which what one of several sends back is changed, that one.
        """
        sender = self._sender(name, changed)
        quote = self._under.get(name) if not sender else ""
        quote = quote or self.numbers.get(sender or name, (0, ""))[1]
        if not quote:
            return f"the equation of {name}"
        number = next((k for k, (text, _) in self._lines.items() if quote.split("; since")[0] == text), "?")
        return f"equation {number}, {_short(quote)}"

    def _sender(self, name, changed):
        """Return the variable that sends back the terms which are changed, where one does, and others do too."""
        now = {e.lhs: e.rhs for e in changed}
        terms = {t: now[e.lhs] for e in self.program.defining(name) if e.lhs in now for t in Add.make_args(e.rhs)}
        other = [t for t, rhs in terms.items() if t not in Add.make_args(rhs)]
        senders, some = self._senders(terms), self._senders(other)
        return some[0] if len(some) == 1 < len(senders) else ""

    def _senders(self, terms):
        found = [[self.program.variables[read_name(r)].primal for r in reads(t, self.adjoints)] or [self.program.loss]
                 for t in terms]
        return list(dict.fromkeys(n for names in found for n in names))

    def text(self, expr: Expr) -> str:
        """Return an expression as short text."""
        try:
            text = self.texts.expression(expr)
        except (DerivationError, ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError,
                RecursionError):
            text = str(expr)
        return _short(" ".join(text.split()))

    def index(self, index: Idx) -> str:
        """Return what an index counts."""
        return str(index.name)

    def term(self, term: Expr, total: Expr) -> str:
        """Return what a term of a sum is called."""
        shifted = [r for r in reads(term, self.adjoints) if r.is_Indexed and not isinstance(r.indices[0], Idx)]
        if shifted:
            return f"the term from another step, {self.text(term)}"
        return f"the term {self.text(term)}"

    def lost(self, factor: Expr, words: str = "") -> str:
        """Say that a factor is missing."""
        words = words or self.factor(factor)[0]
        return f"{words} is {'wrong' if factor == -1 else 'missing'}"

    def factor(self, factor: Expr) -> tuple[str, str, int]:
        """Return what a factor is called, the class of mistake that loses it, and how likely that is."""
        if factor == -1:
            return "the sign", "sign", 1
        if factor.is_number:
            return f"the factor {self.text(factor)}", "scale", 2
        if factor.free_symbols <= self.sizes and not free_indices(factor):
            bottom = (1 / factor)
            if all(f.is_Pow and f.exp == -1 for f in Mul.make_args(factor)):
                return f"the mean's 1/{bottom if bottom.is_Symbol else f'({bottom})'.replace('*', ' ')}", "mean", 1
            return f"the factor {self.text(factor)}", "scale", 1
        if isinstance(factor, step) or (isinstance(factor, Piecewise) and {v for v, _ in factor.args} == {0, 1}):
            return f"the mask {self.text(factor)}", "mask", 1
        if isinstance(factor, KroneckerDelta):
            return f"the bracket {self.text(factor)}", "place", 2
        if reads(factor, self.adjoints):
            return f"the upstream gradient {self.text(factor)}", "upstream", 3
        return f"the factor {self.text(factor)}", "factor", 1


def _short(text):
    return text if len(text) <= LONGEST else f"{text[:LONGEST - 3]}..."
