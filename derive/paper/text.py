"""Plain text: formulas for the terminal and for docstrings, in the names of the code."""

from .pieces import ADD, ATOM, BIG, BRACKET, FUNCTION, HADAMARD, NUMBER, POWER, TIMES, TOTAL, Piece
from .styles import Style


class Plain(Style):
    """Text: `'` is the transpose, `1` a column of ones, `*` the elementwise product; a sum reaches to the right."""

    reaches_over_sums = True
    transpose_mark = "'"

    # ---- names and numbers

    def variable(self, name):
        """As in code: Z1."""
        return Piece(self.names.spelled(name), rank=self.rank(name))

    def entry(self, name, indices):
        """As in code: Z1[n, h]."""
        return Piece(f"{self.names.spelled(name)}[{', '.join(i.text for i in indices)}]", rank=self.rank(name))

    def position(self, x):
        """As it is: t - 1."""
        return x

    def index(self, name):
        """As in code."""
        return Piece(name)

    def size(self, name):
        """As in code."""
        return Piece(name, rank=NUMBER)

    def constant(self, name):
        """By name: pi."""
        return Piece(name, rank=NUMBER)

    def number(self, digits):
        """As Python writes it."""
        return Piece(digits, rank=NUMBER)

    # ---- joining

    def enclosed(self, piece):
        """(x)."""
        return f"({piece.text})"

    def times(self, factors):
        """A B."""
        return self._joined(" ", factors)

    def scalar_times(self, factors):
        """2 a * b: a number before the others needs no sign, and sizes alone neither."""
        if all(p.rank == NUMBER for p in factors):
            return self._joined(" ", factors)
        numbers = [p for p in factors if p.rank == NUMBER and (p.text[0].isdigit() or "/" in p.text)]
        others = [p for p in factors if p not in numbers]
        return self._joined(" ", [*numbers, self._joined(" * ", others)])

    def _joined(self, sign, factors):
        if len(factors) == 1:
            return factors[0]
        last = len(factors) - 1
        text = sign.join(self.inside(p, TIMES, last=k == last) for k, p in enumerate(factors))
        level = BIG if factors[-1].level == BIG else TIMES
        return Piece(text, level, max(p.rank for p in factors))

    def hadamard(self, factors):
        """A * B."""
        if len(factors) == 1:
            return factors[0]
        return Piece(" * ".join(self.inside(p, POWER) for p in factors), HADAMARD, FUNCTION)

    def divided(self, top, bottom):
        """A / B."""
        return Piece(f"{self.inside(top, POWER)} / {self.inside(bottom, POWER)}", HADAMARD, FUNCTION)

    def fraction(self, top, bottom, small=False):
        """1/N for coefficients, a / b elsewhere."""
        text = f"{self.inside(top, TIMES, last=False)}{'/' if small else ' / '}{self.inside(bottom, POWER)}"
        return Piece(text, TIMES, max(top.rank, bottom.rank))

    def solidus(self, top, bottom):
        """a/b."""
        return self.fraction(top, bottom, small=True)

    def power(self, base, exponent):
        """x^2."""
        return Piece(f"{self.inside(base, ATOM)}^{self.inside(exponent, ATOM)}", POWER, base.rank)

    # ---- functions

    def root(self, x):
        """sqrt(x)."""
        return Piece(f"sqrt({x.text})", ATOM, x.rank)

    def exponential(self, x):
        """exp(x)."""
        return self.prefix("exp", x)

    def call(self, name, args):
        """f(x)."""
        return Piece(f"{name}({', '.join(a.text for a in args)})", ATOM, FUNCTION)

    def prefix(self, name, x):
        """As in log sum_c p[c], log p, log(1 - p)."""
        if x.level == BIG:
            return Piece(f"{name} {x.text}", BIG, TOTAL)
        if x.level == ATOM and x.rank != FUNCTION:
            return Piece(f"{name} {x.text}", POWER, FUNCTION)
        return self.call(name, [x])

    def absolute(self, x):
        """|x|."""
        return Piece(f"|{x.text}|", ATOM, FUNCTION)

    def floor(self, x, word="floor"):
        """By name, like a function."""
        return self.call(word, [x])

    # ---- binders, brackets, cases

    def total(self, word, ranges, body):
        """sum_n x, sum_{n, d} x, sum_{k=0..2} x, sum_{j <= i} x."""
        whole = [r for r in ranges if isinstance(r, str)]
        plain = len(whole) == 1 and " " not in whole[0]         # an index, not j <= i
        text = [f"{word}_{whole[0]}" if plain else f"{word}_{{{', '.join(whole)}}}"] if whole else []
        bounded = [r for r in ranges if not isinstance(r, str)]
        text += [f"{word}_{{{name}={first}..{last}}}" for name, first, last in bounded]
        inner = f"({body.text})" if word == "prod" and body.level == ADD else body.text
        return Piece(f"{' '.join(text)} {inner}", BIG, TOTAL)

    def relation(self, symbol, left, right, *more):
        """0 <= i < N."""
        text = f"{left.text} {symbol} {right.text}" + "".join(f" {s} {p.text}" for s, p in more)
        return Piece(text, ADD, BRACKET)

    def logic(self, word, conditions):
        """As in a and b, a or b, not (a)."""
        texts = [c.text for c in conditions]
        return Piece(f"not ({texts[0]})" if word == "not" else f" {word} ".join(texts), ADD, BRACKET)

    def bracket(self, condition):
        """[x > 0]."""
        return Piece(f"[{condition.text}]", ATOM, BRACKET)

    def fits_in_cases(self, branches):
        """Always."""
        return True

    def cases(self, branches):
        """(a if x > 0 else b)."""
        text = " else ".join(f"{v.text} if {c.text}" if c else v.text for v, c in branches)
        return Piece(f"({text})", ATOM, FUNCTION)

    # ---- matrices

    def transposed(self, x):
        """A'."""
        return Piece(f"{self.inside(x, ATOM)}'", ATOM, x.rank)

    def ones(self, size):
        """1."""
        return Piece("1", ATOM, FUNCTION)

    def identity(self, size):
        """I."""
        return Piece("I", ATOM, FUNCTION)

    def inner(self, x, y):
        """<A, B>."""
        return Piece(f"<{x.text}, {y.text}>", ATOM, TOTAL)
