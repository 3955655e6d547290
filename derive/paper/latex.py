"""LaTeX: formulas for paper."""

from collections.abc import Sequence

from .names import TANGENT_OF, braced
from .pieces import (
    ADD,
    ATOM,
    BIG,
    BRACKET,
    FUNCTION,
    HADAMARD,
    NUMBER,
    POWER,
    READ,
    TANGENT,
    TIMES,
    TOTAL,
    Piece,
)
from .styles import Style
from .width import width

MARK, SOFT = "\x1f", "\x1e"         # where a long formula may be broken; where it may be if it must
COMMANDS = frozenset(["exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "max", "min"])
RELATIONS = {"=": "=", "!=": r"\ne", ">": ">", "<": "<", ">=": r"\ge", "<=": r"\le"}
OPERATORS = {"sum": r"\sum", "max": r"\max", "argmax": r"\operatorname*{arg\,max}"}
WIDEST, WIDEST_EXPONENT = 16.0, 9.0         # ems: of what cannot be broken, a fraction or a root; of an exponent
OTHERWISE = r"\text{otherwise}"
SIZES = ["", "big", "Big", "bigg", "Bigg"]


class Latex(Style):
    """Formulas for paper."""

    break_mark = MARK

    # ---- names

    def variable(self, name: str) -> Piece:
        """Return the symbol of a whole variable."""
        if name.startswith(TANGENT_OF):
            return Piece(rf"\mathrm d{self.names.variable(name.removeprefix(TANGENT_OF))}", rank=TANGENT)
        text = self.names.variable(name)
        return Piece(text, rank=self.rank(name), raised="^" in text)

    def entry(self, name: str, indices: Sequence[Piece]) -> Piece:
        """Return one entry of a variable: Z_{1,nh}, h_{t-1,nk}."""
        symbol = self.variable(name)
        text = "".join(
            ("," if k and (i.level < ATOM or _ends_low(indices[k - 1])) else "") + i.text for k, i in enumerate(indices))
        stem, _, subscript = _split_subscript(symbol.text)
        inner = f"{subscript},{text}" if subscript else text
        return symbol.but(text=f"{stem}_{braced(inner)}")

    def index(self, name: str) -> Piece:
        """Return the symbol of an index."""
        return Piece(self.names.index(name))

    def size(self, name: str) -> Piece:
        """Return the symbol of a size."""
        return Piece(self.names.size(name), rank=NUMBER)

    def word(self, name: str) -> str:
        """Return the name of a function: a TeX command where there is one."""
        return f"\\{name}" if name in COMMANDS else rf"\operatorname{{{name}}}"

    def constant(self, name: str) -> Piece:
        """Return pi, e or infinity."""
        return Piece({"pi": r"\pi", "inf": r"\infty"}.get(name, r"\mathrm e"), rank=NUMBER)

    def number(self, digits: str) -> Piece:
        """Return a number without a sign, given as Python writes it: 3, 0.5, 1e-05."""
        mantissa, _, exponent = digits.partition("e")
        if not exponent:
            return Piece(digits, rank=NUMBER)
        power = f"10^{braced(str(int(exponent)))}"
        return Piece(power if mantissa == "1" else rf"{mantissa}\cdot {power}", ATOM if mantissa == "1" else TIMES, NUMBER,
                     raised=True)

    # ---- joining

    def enclosed(self, piece: Piece) -> str:
        inside = max((k for k, s in enumerate(SIZES) if (rf"\{s}l(" if s else "(") in piece.text), default=-1)
        size = SIZES[min(max(inside + 1, 2 if piece.deep else 0), 4)]
        return rf"\{size}l({piece.text}\{size}r)" if size else f"({piece.text})"

    def times(self, factors: Sequence[Piece]) -> Piece:
        """Join factors by writing them side by side: scalars, matrices, numbers."""
        if len(factors) == 1:
            return factors[0]
        text = ""
        for k, piece in enumerate(factors):
            body = self.inside(piece, TIMES, last=k == len(factors) - 1)
            text += _between(factors[k - 1], piece, text, body) + body if k else body
        level = BIG if factors[-1].level == BIG else TIMES
        return Piece(text, level, max(p.rank for p in factors), deep=any(p.deep for p in factors))

    scalar_times = times

    def position(self, x: Piece) -> Piece:
        """Return an expression as the position of a read."""
        return x.but(text=x.text.replace(" + ", "+").replace(" - ", "-"))

    def scaled(self, coefficient: Piece, x: Piece) -> Piece:
        """Put a coefficient before a product of any kind."""
        if x.level != HADAMARD:
            return self.times([coefficient, x])
        return x.but(text=f"{coefficient.text} {x.text}")

    def hadamard(self, factors: Sequence[Piece]) -> Piece:
        """Join factors elementwise."""
        if len(factors) == 1:
            return factors[0]
        text = rf"{MARK} \odot ".join(self.inside(p, POWER) for p in factors)
        return Piece(text, HADAMARD, FUNCTION, deep=any(p.deep for p in factors))

    def divided(self, top: Piece, bottom: Piece) -> Piece:
        """Return an elementwise quotient of arrays."""
        return Piece(rf"{self.inside(top, POWER)}{MARK} \oslash {self.inside(bottom, POWER)}", HADAMARD, FUNCTION,
                     deep=top.deep or bottom.deep)

    def fraction(self, top: Piece, bottom: Piece, small: bool = False) -> Piece:
        """Return a quotient of scalars; a small one for coefficients."""
        rank = max(top.rank, bottom.rank)
        first, second = braced(plain(top.text)), braced(plain(bottom.text))
        if small:
            space = " " if first[0].isalpha() else ""
            return Piece(rf"\tfrac{space}{first}{'' if second[0] in '{0123456789' or first[0] == '{' or second.isalpha() else ' '}"
                         rf"{second}", ATOM, rank)
        if max(width(plain(top.text)), width(plain(bottom.text))) > WIDEST:
            return Piece(rf"{self.inside(top, POWER)}{MARK} \big/ {self.inside(bottom, POWER)}", TIMES, max(rank, FUNCTION))
        return Piece(rf"\frac{{{plain(top.text)}}}{{{plain(bottom.text)}}}", ATOM, max(rank, FUNCTION), deep=True)

    def solidus(self, top: Piece, bottom: Piece) -> Piece:
        """Return a quotient in one line."""
        return Piece(f"{self.inside(top, TIMES)}/{self.inside(bottom, POWER)}", TIMES)

    def power(self, base: Piece, exponent: Piece) -> Piece:
        """Return a power."""
        body = base.text if base.level == ATOM and not base.raised else self.enclosed(base)
        return Piece(f"{body}^{braced(plain(exponent.text))}", ATOM, base.rank, raised=True, deep=base.deep)

    def root(self, x: Piece) -> Piece:
        """Return a square root."""
        if width(plain(x.text)) > WIDEST:
            return self.power(x.but(level=ADD), Piece("1/2"))
        return Piece(rf"\sqrt{braced(plain(x.text), ' ')}", ATOM, max(x.rank, READ) if x.rank else NUMBER, deep=x.deep)

    def exponential(self, x: Piece) -> Piece:
        """Return e to the x, written as a function where x is tall."""
        if x.deep or width(plain(x.text)) > WIDEST_EXPONENT:
            return self.call("exp", [x])
        return Piece(f"e^{braced(plain(x.text))}", ATOM, FUNCTION, raised=True)

    def call(self, name: str, args: Sequence[Piece]) -> Piece:
        """Return a function of its arguments."""
        joined = Piece(", ".join(a.text for a in args), ADD, deep=any(a.deep for a in args))
        return Piece(f"{self.word(name)}{self.enclosed(joined)}", ATOM, FUNCTION, deep=joined.deep)

    def prefix(self, name: str, x: Piece) -> Piece:
        """Return a function written before its argument: log sum_c ..., log p."""
        if x.level == BIG:
            return Piece(f"{self.word(name)}{x.text}", BIG, TOTAL, deep=x.deep)
        if x.level == ATOM and x.rank != FUNCTION:
            return Piece(f"{self.word(name)} {x.text}", TIMES, FUNCTION)
        return self.call(name, [x])

    def absolute(self, x: Piece) -> Piece:
        """Return |x|."""
        return Piece(rf"\lvert {x.text}\rvert", ATOM, FUNCTION, deep=x.deep)

    def floor(self, x: Piece, word: str = "floor") -> Piece:
        """Return x rounded down, or up for the word `ceil`."""
        return Piece(rf"\l{word} {x.text}\r{word}", ATOM, FUNCTION, deep=x.deep)

    # ---- binders and brackets

    def total(self, word: str, ranges: Sequence[tuple[str, str, str] | str], body: Piece) -> Piece:
        """Return a sum, maximum, ... over indices: names of whole axes, or (name, first, last)."""
        word = OPERATORS[word]
        whole = [r for r in ranges if isinstance(r, str)]
        text = f"{word}_{braced(','.join(whole))}" if whole else ""
        for name, first, last in (r for r in ranges if not isinstance(r, str)):
            bounds = f"_{{{name}={first}}}^{braced(last)}" if word == r"\sum" else rf"_{{{first} \le {name} \le {last}}}"
            text += f"{word}{bounds}"
        inner = self.inside(body, BIG)
        return Piece(f"{text} {inner}", BIG, TOTAL, deep=True)

    def relation(self, symbol: str, left: Piece, right: Piece, *more: tuple[str, Piece]) -> Piece:
        """Return a comparison: left symbol right, and so on."""
        text = f"{left.text} {RELATIONS[symbol]} {right.text}"
        text += "".join(f" {RELATIONS[s]} {p.text}" for s, p in more)
        return Piece(plain(text), ADD, BRACKET)

    def logic(self, word: str, conditions: Sequence[Piece]) -> Piece:
        """Return conditions joined by `and`, `or`, or `not` one of them."""
        texts = [c.text for c in conditions]
        if word == "not":
            return Piece(rf"\neg({texts[0]})", ADD, BRACKET)
        return Piece({"and": f",{MARK}\\ ", "or": rf"{MARK}\text{{ or }}"}[word].join(texts), ADD, BRACKET)

    def bracket(self, condition: Piece) -> Piece:
        """Return [condition]: 1 where it holds, 0 elsewhere."""
        return Piece(f"[{condition.text}]", ATOM, BRACKET)

    def fits_in_cases(self, branches: Sequence[tuple[Piece, Piece | None]]) -> bool:
        """Tell whether a choice is narrow enough to be written as cases."""
        return all(width(plain(v.text + (c.text if c else OTHERWISE))) < WIDEST for v, c in branches)

    def cases(self, branches: Sequence[tuple[Piece, Piece | None]]) -> Piece:
        """Return a choice by conditions; None is `otherwise`."""
        rows = [f"{v.text} & {c.text if c else OTHERWISE}" for v, c in branches]
        return Piece(plain(r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"), ATOM, FUNCTION, deep=True)

    # ---- matrices

    def transposed(self, x: Piece) -> Piece:
        """Return the transpose."""
        body = x.text if x.level == ATOM and not x.raised else self.enclosed(x)
        return Piece(rf"{body}^\top", ATOM, x.rank, raised=True, deep=x.deep)

    def ones(self, size: Piece) -> Piece:
        """Return the column of ones."""
        return Piece(rf"\mathbf 1_{braced(size.text)}", ATOM, FUNCTION)

    def diagonal(self, x: Piece) -> Piece:
        """Return the diagonal matrix of a vector."""
        return self.call("diag", [x])

    def inner(self, x: Piece, y: Piece) -> Piece:
        """Return the inner product."""
        deep = x.deep or y.deep
        left, right = (r"\Bigl\langle ", r"\Bigr\rangle") if deep else (r"\langle ", r"\rangle")
        return Piece(f"{left}{x.text}, {y.text}{right}", ATOM, TOTAL, deep=deep)


def plain(text: str) -> str:
    """Return LaTeX without the marks of where it may be broken."""
    return text.replace(MARK, "").replace(SOFT, "")


def _ends_low(index):
    """Tell whether what follows an index would seem to belong to it: t - 1, y_n."""
    return index.level < ATOM or "_" in index.text


def _split_subscript(symbol):
    """Split a symbol at its own subscript into what is before it and what is in it: \\delta_{Z_1} into \\delta and Z_1."""
    depth = 0
    for k, c in enumerate(symbol):
        depth += {"{": 1, "}": -1}.get(c, 0)
        if c == "_" and depth == 0 and symbol[k - 1] != "\\":
            subscript = symbol[k + 1:]
            return symbol[:k], "_", subscript[1:-1] if subscript.startswith("{") else subscript
    return symbol, "", ""


def _between(left, right, before, after):
    """Return the space between two factors: a thin one beside tangents and words, a dot between numbers."""
    if after[:1].isdigit() and left.rank == NUMBER:
        return r" \cdot "
    if TANGENT in (left.rank, right.rank) or r"\mathrm" in (before[-1:], after[:7]) or _is_word(before, after):
        return rf"{SOFT}\,"
    return f"{SOFT} "


def _is_word(before, after):
    return after.startswith((r"\mathrm", r"\mathtt", r"\operatorname", r"\log", r"\exp", r"\begin")) or (
        r"\mathrm{" in before.rsplit(" ", 1)[-1])
