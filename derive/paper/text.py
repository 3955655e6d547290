"""Plain text: formulas for the terminal and for docstrings, in the names of the code."""

from .pieces import ADD, ATOM, BIG, BRACKET, FUNCTION, HADAMARD, NUMBER, POWER, TIMES, TOTAL, Piece
from .styles import Style


class Plain(Style):
    """Formulas in text: names as in code, `'` for the transpose, `1` for a column of ones."""

    reaches_over_sums = True

    def variable(self, name):
        """Return a variable's name."""
        return Piece(self.names.spelled(name), rank=self.rank(name))

    def entry(self, name, indices):
        """Return one entry of a variable: Z1[n, h]."""
        return Piece(f"{self.names.spelled(name)}[{', '.join(i.text for i in indices)}]", rank=self.rank(name))

    def index(self, name):
        """Return an index's name."""
        return Piece(name)

    def size(self, name):
        """Return a size's name."""
        return Piece(name, rank=NUMBER)

    def constant(self, name):
        """Return pi, e or inf."""
        return Piece(name, rank=NUMBER)

    def number(self, digits):
        """Return a number without a sign."""
        return Piece(digits, rank=NUMBER)

    def enclosed(self, piece):
        return f"({piece.text})"

    def times(self, factors):
        """Join matrices, or a coefficient and what it multiplies."""
        return self._joined(" ", TIMES, factors)

    def scalar_times(self, factors):
        """Join scalars; a number before the others needs no sign."""
        if all(p.rank == NUMBER for p in factors):
            return self._joined(" ", TIMES, factors)
        numbers = [p for p in factors if p.rank == NUMBER and (p.text[0].isdigit() or "/" in p.text)]
        others = [p for p in factors if p not in numbers]
        product = [self._joined(" * ", TIMES, others)] if others else []
        return self._joined(" ", TIMES, [*numbers, *product])

    def scaled(self, coefficient, x):
        """Put a coefficient before a product of any kind."""
        return self.times([coefficient, x]) if x.level != HADAMARD else x.but(text=f"{coefficient.text} {x.text}")

    def position(self, x):
        """Return an expression as the position of a read."""
        return x

    def hadamard(self, factors):
        """Join factors elementwise."""
        if len(factors) == 1:
            return factors[0]
        text = " * ".join(self.inside(p, POWER) for p in factors)
        return Piece(text, HADAMARD, FUNCTION)

    def _joined(self, sign, level, factors):
        if len(factors) == 1:
            return factors[0]
        last = len(factors) - 1
        text = sign.join(self.inside(p, level, last=k == last) for k, p in enumerate(factors))
        if factors[-1].level == BIG:
            level = BIG
        return Piece(text, level, max(p.rank for p in factors))

    def divided(self, top, bottom):
        """Return an elementwise quotient."""
        return Piece(f"{self.inside(top, POWER)} / {self.inside(bottom, POWER)}", HADAMARD, FUNCTION)

    def fraction(self, top, bottom, small=False):
        """Return a quotient."""
        sign = "/" if small else " / "
        return Piece(f"{self.inside(top, TIMES, last=False)}{sign}{self.inside(bottom, POWER)}", TIMES, max(top.rank, bottom.rank))

    def solidus(self, top, bottom):
        """Return a quotient in one line."""
        return self.fraction(top, bottom, small=True)

    def power(self, base, exponent):
        """Return a power."""
        return Piece(f"{self.inside(base, ATOM)}^{self.inside(exponent, ATOM)}", POWER, base.rank)

    def root(self, x):
        """Return a square root."""
        return Piece(f"sqrt({x.text})", ATOM, x.rank)

    def exponential(self, x):
        """Return exp of x."""
        return self.prefix("exp", x)

    def call(self, name, args):
        """Return a function of its arguments."""
        return Piece(f"{name}({', '.join(a.text for a in args)})", ATOM, FUNCTION)

    def prefix(self, name, x):
        """Return a function written before its argument."""
        if x.level == BIG:
            return Piece(f"{name} {x.text}", BIG, TOTAL)
        if x.level == ATOM and x.rank != FUNCTION:
            return Piece(f"{name} {x.text}", POWER, FUNCTION)
        return self.call(name, [x])

    def absolute(self, x):
        """Return |x|."""
        return Piece(f"|{x.text}|", ATOM, FUNCTION)

    def floor(self, x, word="floor"):
        """Return x rounded down, or up for the word `ceil`."""
        return self.call(word, [x])

    def total(self, word, ranges, body):
        """Return a sum, maximum, ... over indices; it reaches as far to the right as it can."""
        whole = [r for r in ranges if isinstance(r, str)]
        text = [f"{word}_{whole[0]}" if len(whole) == 1 else f"{word}_{{{', '.join(whole)}}}"] if whole else []
        text += [f"{word}_{{{name}={first}..{last}}}" for name, first, last in (r for r in ranges if not isinstance(r, str))]
        return Piece(f"{' '.join(text)} {body.text}", BIG, TOTAL)

    def relation(self, symbol, left, right, *more):
        """Return a comparison."""
        text = f"{left.text} {symbol} {right.text}" + "".join(f" {s} {p.text}" for s, p in more)
        return Piece(text, ADD, BRACKET)

    def logic(self, word, conditions):
        """Return conditions joined by `and`, `or`, or `not` one of them."""
        texts = [c.text for c in conditions]
        return Piece(f"not ({texts[0]})" if word == "not" else f" {word} ".join(texts), ADD, BRACKET)

    def bracket(self, condition):
        """Return [condition]."""
        return Piece(f"[{condition.text}]", ATOM, BRACKET)

    def fits_in_cases(self, branches):
        """Tell whether a choice is narrow enough to be written as cases: always."""
        return True

    def cases(self, branches):
        """Return a choice by conditions."""
        text = " else ".join(f"{v.text} if {c.text}" if c else v.text for v, c in branches)
        return Piece(f"({text})", ATOM, FUNCTION)

    def transposed(self, x):
        """Return the transpose."""
        return Piece(f"{self.inside(x, ATOM)}'", ATOM, x.rank)

    def ones(self, size):
        """Return the column of ones."""
        return Piece("1", ATOM, FUNCTION)

    def diagonal(self, x):
        """Return the diagonal matrix of a vector."""
        return self.call("diag", [x])

    def inner(self, x, y):
        """Return the inner product."""
        return Piece(f"<{x.text}, {y.text}>", ATOM, TOTAL)
