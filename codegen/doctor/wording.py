"""What things are called when a mistake is told: terms, factors, indices, equations and their numbers."""

from functools import cached_property

from sympy import Expr, Idx, KroneckerDelta, Mul

from derive.errors import DerivationError
from derive.functions import step
from derive.program import Program
from derive.terms import free_indices, reads
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

    def equation(self, name: str) -> str:
        """Return which equation an adjoint (or a variable) comes from: equation 4, loss = ..."""
        numbers = {text: k for k, (text, _) in self._lines.items()}
        quote = self._under.get(name) or (self.numbers[name][1] if name in self.numbers else "")
        if not quote:
            return f"the equation of {name}"
        return f"equation {numbers.get(quote, '?')}, {_short(quote)}"

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

    def condition(self, guarded: Expr) -> str:
        """Return the condition of a guard: [t >= s]."""
        return f"[{self.text(guarded.args[0][1])}]"

    def term(self, term: Expr, total: Expr) -> str:
        """Return what a term of a sum is called."""
        shifted = [r for r in reads(term, self.adjoints) if r.is_Indexed and not isinstance(r.indices[0], Idx)]
        if shifted:
            return f"the term from another step, {self.text(term)}"
        return f"the term {self.text(term)}"

    def lost(self, factor: Expr, words: str = "") -> str:
        """Say that a factor is missing."""
        words = words or self.factor(factor)[0]
        return "the sign is wrong" if factor == -1 else f"{words} is missing"

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
        if isinstance(factor, step):
            return f"the mask {self.text(factor)}", "mask", 1
        if isinstance(factor, KroneckerDelta):
            return f"the bracket {self.text(factor)}", "place", 2
        if reads(factor, self.adjoints):
            return f"the upstream gradient {self.text(factor)}", "upstream", 3
        return f"the factor {self.text(factor)}", "factor", 1


def _short(text):
    return text if len(text) <= LONGEST else f"{text[:LONGEST - 3]}..."
