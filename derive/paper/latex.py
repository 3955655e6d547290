r"""LaTeX: formulas for paper, with marks where a long one may be broken (see `layout`)."""

import re

from .metrics import OPERATORS, width
from .names import TANGENT_OF, braced
from .pieces import ADD, ATOM, BIG, BRACKET, FUNCTION, HADAMARD, NUMBER, POWER, READ, TANGENT, TIMES, TOTAL, Piece
from .styles import Style

MARK, SOFT = "\x1f", "\x1e"         # where a long formula may be broken; where it may be if it must
RELATIONS = {"=": "=", "!=": r"\ne", ">": ">", "<": "<", ">=": r"\ge", "<=": r"\le"}
BINDERS = {"sum": r"\sum", "max": r"\max", "prod": r"\prod", "argmax": r"\operatorname*{arg\,max}"}
CONSTANTS = {"pi": r"\pi", "inf": r"\infty", "e": r"\mathrm e", "gamma": r"\gamma"}
CONJUNCTIONS = {"and": f",{MARK}\\ ", "or": rf"{MARK}\text{{ or }}"}
OTHERWISE = r"\text{otherwise}"
SIZES = ["", "big", "Big", "bigg", "Bigg"]
WIDEST, WIDEST_EXPONENT = 16.0, 9.0         # ems: of what cannot be broken, a fraction or a root; of an exponent
WORDS = (r"\mathrm", r"\mathtt", r"\operatorname", r"\log", r"\exp", r"\begin")


class Latex(Style):
    """LaTeX, of amsmath's commands at most."""

    break_mark = MARK
    transpose_mark = r"^\top"

    # ---- names and numbers

    def variable(self, name):
        r"""Z_1, \delta_{Z_1}, \mathrm dZ_1."""
        if name.startswith(TANGENT_OF):
            return Piece(_differential(self.names.whole(name.removeprefix(TANGENT_OF))), rank=TANGENT)
        text = self.names.whole(name)
        return Piece(text, rank=self.rank(name), raised="^" in text or text.startswith(r"\frac"))

    def entry(self, name, indices):
        """Z_{1,nh}, h_{t-1,nk}, E_{y_n,d}."""
        if self.notation.adjoint == "partial" and self.names.primal(name) is not None:
            below = self.entry(self.names.primal(name), indices)
            return Piece(self.names.adjoint_of(below.text), rank=self.rank(name), raised=True)
        if self.in_columns and len(indices) == 2:
            indices = indices[::-1]
        text = ""
        for k, index in enumerate(indices):
            apart = k and (index.level < ATOM or _ends_low(indices[k - 1]))
            text = f"{text},{index.text}" if apart else _beside(text, index.text)
        symbol = self.names.variable(name.removeprefix(TANGENT_OF))
        symbol = _differential(symbol) if name.startswith(TANGENT_OF) else symbol
        stem, subscript = _split_subscript(symbol)
        text = f"{stem}_{braced(f'{subscript},{text}' if subscript else text)}"
        return Piece(text, rank=self.rank(name), raised="^" in symbol)

    def position(self, x):
        """t-1, without the spaces."""
        return x.but(text=x.text.replace(" + ", "+").replace(" - ", "-"))

    def index(self, name):
        """n, n'."""
        return Piece(self.names.index(name))

    def size(self, name):
        """N."""
        return Piece(self.names.size(name), rank=NUMBER)

    def constant(self, name):
        r"""\pi."""
        return Piece(CONSTANTS[name], rank=NUMBER)

    def number(self, digits):
        r"""3, 0.5, 10^{-5}, 2.5\cdot 10^{-7}."""
        mantissa, _, exponent = digits.partition("e")
        if not exponent:
            return Piece(digits, rank=NUMBER)
        power = f"10^{braced(str(int(exponent)))}"
        if mantissa == "1":
            return Piece(power, ATOM, NUMBER, raised=True)
        return Piece(rf"{mantissa}\cdot {power}", TIMES, NUMBER)

    # ---- joining

    def enclosed(self, piece):
        r"""(x), \bigl((x)\bigr), \Bigl(\sum_n x_n\Bigr)."""
        inside = max((k for k, s in enumerate(SIZES) if (rf"\{s}l(" if s else "(") in piece.text), default=-1)
        size = SIZES[min(max(inside + 1, 2 if piece.deep else 0), len(SIZES) - 1)]
        return rf"\{size}l({piece.text}\{size}r)" if size else f"({piece.text})"

    def times(self, factors):
        r"""A B, \mathrm dA\,B."""
        if len(factors) == 1:
            return factors[0]
        text = ""
        for k, piece in enumerate(factors):
            body = self.inside(piece, TIMES, last=k == len(factors) - 1)
            text += _between(factors[k - 1], piece, text, body) + body if k else body
        level = BIG if factors[-1].level == BIG else TIMES
        return Piece(text, level, max(p.rank for p in factors), deep=any(p.deep for p in factors))

    def scalar_times(self, factors):
        """2 a b."""
        return self.times(factors)

    def hadamard(self, factors):
        r"""A \odot B."""
        if len(factors) == 1:
            return factors[0]
        text = rf"{MARK} \odot ".join(self.inside(p, POWER) for p in factors)
        return Piece(text, HADAMARD, FUNCTION, deep=any(p.deep for p in factors))

    def divided(self, top, bottom):
        r"""A \oslash B."""
        text = rf"{self.inside(top, POWER)}{MARK} \oslash {self.inside(bottom, POWER)}"
        return Piece(text, HADAMARD, FUNCTION, deep=top.deep or bottom.deep)

    def fraction(self, top, bottom, small=False):
        r"""\tfrac1N for coefficients, \frac{a}{b} elsewhere, a \big/ b where that is too wide."""
        above, below, rank = plain(top.text), plain(bottom.text), max(top.rank, bottom.rank)
        if small:
            return Piece(rf"\tfrac{braced(above, ' ')}{braced(below, ' ' if above.isalpha() else '')}", ATOM, rank)
        if max(width(above), width(below)) > WIDEST:
            text = rf"{self.inside(top, POWER)}{MARK} \big/ {self.inside(bottom, POWER)}"
            return Piece(text, TIMES, max(rank, FUNCTION))
        return Piece(rf"\frac{{{above}}}{{{below}}}", ATOM, max(rank, FUNCTION), deep=True)

    def solidus(self, top, bottom):
        """a/b."""
        return Piece(f"{self.inside(top, TIMES)}/{self.inside(bottom, POWER)}", TIMES)

    def power(self, base, exponent):
        """x^2, (a + b)^2."""
        body = base.text if base.level == ATOM and not base.raised else self.enclosed(base)
        return Piece(f"{body}^{braced(plain(exponent.text))}", ATOM, base.rank, raised=True, deep=base.deep)

    # ---- functions

    def root(self, x):
        r"""\sqrt x."""
        if width(plain(x.text)) > WIDEST:
            return self.power(x.but(level=ADD), Piece("1/2"))
        rank = NUMBER if x.rank == NUMBER else max(x.rank, READ)
        return Piece(rf"\sqrt{braced(plain(x.text), ' ')}", ATOM, rank, deep=x.deep)

    def exponential(self, x):
        r"""e^x, \exp(x) where x is tall or wide."""
        if x.deep or width(plain(x.text)) > WIDEST_EXPONENT:
            return self.call("exp", [x])
        return Piece(f"e^{braced(plain(x.text))}", ATOM, FUNCTION, raised=True)

    def call(self, name, args):
        r"""\operatorname{relu}(x), \tanh(x)."""
        joined = Piece(", ".join(a.text for a in args), ADD, deep=any(a.deep for a in args))
        return Piece(f"{_function(name)}{self.enclosed(joined)}", ATOM, FUNCTION, deep=joined.deep)

    def prefix(self, name, x):
        r"""\log\sum_c p_c, \log p, \log(1 - p)."""
        if x.level == BIG:
            return Piece(f"{_function(name)}{x.text}", BIG, TOTAL, deep=x.deep)
        if x.level == ATOM and x.rank != FUNCTION:
            return Piece(f"{_function(name)} {x.text}", TIMES, FUNCTION)
        return self.call(name, [x])

    def absolute(self, x):
        r"""\lvert x\rvert."""
        return Piece(rf"\lvert {x.text}\rvert", ATOM, FUNCTION, deep=x.deep)

    def floor(self, x, word="floor"):
        r"""\lfloor x\rfloor."""
        return Piece(rf"\l{word} {x.text}\r{word}", ATOM, FUNCTION, deep=x.deep)

    # ---- binders, brackets, cases

    def total(self, word, ranges, body):
        r"""\sum_n x, \sum_{n,d} x, \sum_{k=0}^2 x."""
        word = BINDERS[word]
        whole = [r for r in ranges if isinstance(r, str)]
        text = f"{word}_{braced(','.join(whole))}" if whole else ""
        for name, first, last in (r for r in ranges if not isinstance(r, str)):
            between = f"{{{name}={first}}}^{braced(last)}" if word == r"\sum" else rf"{{{first} \le {name} \le {last}}}"
            text += f"{word}_{between}"
        return Piece(f"{text} {self.inside(body, BIG)}", BIG, TOTAL, deep=True)

    def relation(self, symbol, left, right, *more):
        r"""0 \le i < N."""
        text = f"{left.text} {RELATIONS[symbol]} {right.text}" + "".join(f" {RELATIONS[s]} {p.text}" for s, p in more)
        return Piece(plain(text), ADD, BRACKET)

    def logic(self, word, conditions):
        r"""a,\ b; a \text{ or } b; \neg(a)."""
        texts = [c.text for c in conditions]
        return Piece(rf"\neg({texts[0]})" if word == "not" else CONJUNCTIONS[word].join(texts), ADD, BRACKET)

    def bracket(self, condition):
        """[x > 0]."""
        return Piece(f"[{condition.text}]", ATOM, BRACKET)

    def fits_in_cases(self, branches):
        """Up to half a line."""
        return all(width(plain(v.text + (c.text if c else OTHERWISE))) < WIDEST for v, c in branches)

    def cases(self, branches):
        r"""\begin{cases} a & x > 0 \\ b & \text{otherwise} \end{cases}."""
        rows = r" \\ ".join(f"{v.text} & {c.text if c else OTHERWISE}" for v, c in branches)
        return Piece(plain(rf"\begin{{cases}} {rows} \end{{cases}}"), ATOM, FUNCTION, deep=True)

    # ---- matrices

    def transposed(self, x):
        r"""A^\top."""
        body = x.text if x.level == ATOM and not x.raised else self.enclosed(x)
        return Piece(rf"{body}^\top", ATOM, x.rank, raised=True, deep=x.deep)

    def ones(self, size):
        r"""\mathbf 1_N."""
        return Piece(rf"\mathbf 1_{braced(size.text)}", ATOM, FUNCTION)

    def identity(self, size):
        r"""I_N."""
        return Piece(f"{self.symbol_of_identity}_{braced(size.text)}", ATOM, FUNCTION)

    def inner(self, x, y):
        r"""\langle A, B\rangle."""
        deep = x.deep or y.deep
        left, right = (r"\Bigl\langle", r"\Bigr\rangle") if deep else (r"\langle", r"\rangle")
        return Piece(f"{left} {x.text}, {y.text}{right}", ATOM, TOTAL, deep=deep)


def plain(text: str) -> str:
    """Return LaTeX without the marks of where it may be broken."""
    return text.replace(MARK, "").replace(SOFT, "")


def _differential(symbol):
    r"""Return \mathrm dZ; a space before a word, whose first letter the d would seem to be."""
    return (r"\mathrm d\," if symbol.startswith(WORDS) else r"\mathrm d") + symbol


def _beside(left, right):
    r"""Return two symbols side by side: \ell n, not \elln."""
    return f"{left} {right}" if re.search(r"\\[A-Za-z]+$", left) and right[:1].isalpha() else left + right


def _function(name):
    """Return the name of a function: a TeX command where there is one; a prime stands after it."""
    if name.endswith("'"):
        return f"{_function(name[:-1])}'"
    return f"\\{name}" if name in OPERATORS else rf"\operatorname{{{name}}}"


def _ends_low(index):
    """Tell whether what follows an index would seem to belong to it: t - 1, y_n."""
    return index.level < ATOM or "_" in index.text


def _split_subscript(symbol):
    r"""Split a symbol at its own subscript: \delta_{Z_1} into \delta and Z_1."""
    depth = 0
    for k, c in enumerate(symbol):
        depth += {"{": 1, "}": -1}.get(c, 0)
        if c == "_" and depth == 0 and symbol[k - 1] != "\\":
            subscript = symbol[k + 1:]
            return symbol[:k], subscript[1:-1] if subscript.startswith("{") else subscript
    return symbol, ""


def _between(left, right, before, after):
    """Return the space between two factors: a thin one beside tangents and words, a dot between numbers."""
    if after[:1].isdigit() and left.rank == NUMBER:
        return r" \cdot "
    word = after.startswith(WORDS) or r"\mathrm{" in before.rsplit(" ", 1)[-1]
    return rf"{SOFT}\," if word or TANGENT in (left.rank, right.rank) else f"{SOFT} "
