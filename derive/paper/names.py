"""How names look: `W_xh` has the subscript xh on paper, `alpha` is Greek, the adjoint `dZ1` a delta, the loss L."""

import re
from collections.abc import Iterable, Mapping
from itertools import chain, count
from types import MappingProxyType

from sympy import Expr, Idx, Indexed, Integer

from ..errors import DerivationError
from ..notations import Notation
from ..program import Program
from ..terms import subterms

SMALL = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi " \
    "psi omega"
LARGE = "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
GREEK = frozenset(SMALL.split() + LARGE.split())
SHORT = {"eps": "epsilon", "lam": "lambda", "lamb": "lambda", "lambd": "lambda"}     # Python keeps lambda for itself
ACCENTS = ("hat", "bar", "tilde")
REDUCTIONS = frozenset(["pre", "part", "mean", "sum", "max", "lse", "ties"])         # `mean_W_xh` is the mean of W_xh
TANGENT_OF = "tangent "             # the name of the tangent of V is "tangent V"
LONGEST = 18                                                        # letters; a longer name is abbreviated


def letters(name: str, known: Iterable[str] = ()) -> str:
    """Return an identifier as a LaTeX symbol: a head, and what follows it as its subscript."""
    head, _, rest = name.partition("_")
    if rest and (head in REDUCTIONS or rest in known):
        symbol, subscripts = _head(head)
        return subscripted(symbol, [*subscripts, letters(rest, known)])
    parts = [p for p in name.split("_") if p]
    if len(parts) > 1 and parts[-1] in ACCENTS:
        parts = [parts[0] + parts[-1], *parts[1:-1]]
    if len(parts) > 2 and any(len(p) > 2 and p.isalpha() for p in parts[1:]):
        return rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}"          # a phrase: number_of_examples
    symbol, subscripts = _head(parts[0])
    return subscripted(symbol, subscripts + [_subscript(p) for p in parts[1:]])


def subscripted(symbol: str, subscripts: list[str]) -> str:
    """Return a symbol with subscripts, commas between them."""
    return f"{symbol}_{braced(','.join(subscripts))}" if subscripts else symbol


def braced(text: str, before: str = "") -> str:
    """Return a TeX argument: one letter or digit as it is (after `before`), all else in braces."""
    if re.fullmatch(r"[0-9]", text):
        return text
    return before + text if re.fullmatch(r"[A-Za-z]", text) else f"{{{text}}}"


def dotted(symbol: str) -> str:
    r"""Return a symbol with a dot over its head: W_1 becomes \dot W_1."""
    head, _, rest = symbol.partition("_")
    return rf"\dot{braced(head, ' ')}{'_' if rest else ''}{rest}"


def _head(word):
    """Split a word into its symbol and the subscripts that are written without an underscore: Z1, Wq, bias2."""
    accent = next((a for a in ACCENTS if word.endswith(a) and len(word) > len(a)), None)
    if accent:                                              # Zhat, Z1hat, mubar
        symbol, subscripts = _head(word.removesuffix(accent))
        return f"\\{accent}{braced(symbol, ' ')}", subscripts
    stem = word.rstrip("0123456789")
    number = [word[len(stem):]] if stem != word and stem else []
    if not stem:
        return rf"\mathrm{{{word}}}", []
    if SHORT.get(stem, stem) in GREEK:
        return f"\\{SHORT.get(stem, stem)}", number
    if len(stem) == 1:
        return r"\ell" if stem == "l" else stem, number
    if re.fullmatch(r"[A-Z][a-z]|[WUV][a-z]{2}|b[a-z]", stem):      # Wq, Wxh, bq: what it is, and where it stands
        return stem[0], [stem[1:] + "".join(number)]
    return rf"\mathrm{{{stem}}}", number


def _subscript(word):
    if re.fullmatch(r"\d+|[A-Za-z]|[a-z]{2}", word):
        return word
    symbol, subscripts = _head(word)
    return subscripted(symbol, subscripts)


class Names:
    """The LaTeX of a program's variables, sizes and indices: no two variables or sizes look alike."""

    def __init__(self, program: Program, adjoints: Mapping[str, str] = MappingProxyType({}),
                 notation: Notation | None = None):
        self.program, self.notation = program, notation or Notation()
        self._primals = {**{v.name: v.primal for v in program.variables.values() if v.primal}, **adjoints}
        self._multipliers = {v.name for v in program.variables.values() if v.multiplier and v.primal}
        self._tangents = {v.name: v.tangent_of for v in program.variables.values() if v.tangent_of}
        self.ranges = _ranges(program)
        self._read_at_numbers = _read_at_numbers(program)
        self._known = {v.primal or n for n, v in program.variables.items()}
        self._symbols: dict[str, str] = {}
        self._taken: set[str] = set()               # the symbols of all names
        primals = [n for n, v in program.variables.items()
                   if v.primal is None and v.tangent_of is None and n != program.loss]
        for name, symbol in self._own([*(s.name for s in program.sizes), *primals, program.loss]).items():
            self._call(name, symbol)
        for name in [*(s.name for s in program.sizes), *primals]:
            if name not in self._symbols:
                self._claim(name)
        self._texts: dict[str, str] = {}
        self._place = {name: k for k, name in enumerate([*(s.name for s in program.sizes), *program.variables])}
        self.loss = self._symbols.get(program.loss) or self.unused("L", r"\mathcal L", r"\mathcal{J}")
        self._call(program.loss, self.loss)

    def _own(self, known):
        """Return the symbols that the reader chose; no two of them are the same."""
        chosen = self.notation.names
        for name, symbol in chosen.items():
            if name not in known:
                raise DerivationError(f"notation names {name!r}, no variable or size; there are {', '.join(known)}")
            double = next((n for n in chosen if n != name and chosen[n] == symbol), None)
            if double:
                raise DerivationError(f"notation calls both {name} and {double} {symbol}; give them different symbols")
        return dict(chosen)

    def _claim(self, name):
        """Choose the first way to write a name that nothing else looks like."""
        stem = name.rstrip("0123456789")
        entries = stem != name and stem in self._read_at_numbers    # h0 beside h_0, the first row of h
        plain = f"{letters(stem, self._known)}^{{({name[len(stem):]})}}" if entries else letters(name, self._known)
        verbatim = rf"\mathtt{{{name.replace('_', chr(92) + '_')}}}"
        ways = [plain, verbatim] if len(name) <= LONGEST else _initials(name)
        self._call(name, self.unused(*ways))

    def _call(self, name, symbol):
        self._symbols[name] = symbol
        self._taken.add(symbol)

    def unused(self, *candidates: str) -> str:
        """Return the first symbol that nothing in the program looks like; with primes where all are taken."""
        primed = (f"{candidates[0]}^{{{k * chr(39)}}}" for k in count(1))
        return next(c for c in chain(candidates, primed) if c not in self._taken)

    def variable(self, name: str) -> str:
        """Return the symbol of a variable, adjoints included."""
        if name in self._tangents:
            return dotted(self._moving(name))
        if name in self._multipliers:
            return rf"\lambda_{braced(self.variable(self._primals[name]))}"
        if name in self._primals:
            return self.adjoint_of(self.variable(self._primals[name]))
        return self._symbols.get(name) or letters(name, self._known)

    def whole(self, name: str) -> str:
        """Return the symbol of a variable as a whole: bold for an array where asked for; its entries' are not."""
        primal = self.primal(name)
        if primal is not None and self.notation.bold:
            return self.adjoint_of(self.whole(primal))
        symbol = self.variable(name)
        return _bold(symbol) if self.notation.bold and self.has_axes(name) else symbol

    def _moving(self, name):
        """Return the symbol of what a tangent is the tangent of; of an adjoint too that nothing reads any more."""
        of, primal = self._tangents[name], self.program.variables[name].primal
        if primal is not None and of not in self.program.variables:
            return self.adjoint_of(self.variable(primal))
        return self.variable(of)

    def adjoint_of(self, symbol: str) -> str:
        """Return the symbol of the adjoint of what a symbol stands for."""
        if self.notation.adjoint == "partial":
            return rf"\frac{{\partial {self.loss}}}{{\partial {symbol}}}"
        if self.notation.adjoint == "bar":
            stem, rest = _stem(symbol)
            return rf"\bar{braced(stem, ' ')}{rest}"
        return rf"\delta_{braced(symbol)}"

    def primal(self, name: str) -> str | None:
        """Return the variable whose adjoint this is, None for another variable."""
        return self._primals.get(name)

    def is_adjoint(self, name: str) -> bool:
        """Tell whether a name is that of an adjoint."""
        return name in self._primals

    def has_axes(self, name: str) -> bool:
        """Tell whether a name is that of a vector or a matrix."""
        variable = self.program.variables.get(name)
        return bool(variable.shape) if variable is not None else name in self._texts

    def introduce(self, name: str, symbol: str, text: str) -> None:
        """Add a symbol that stands for an expression."""
        self._call(name, symbol)
        self._texts[name] = text

    def spelled(self, name: str) -> str:
        """Return a variable's name in text: as in code."""
        return self._texts.get(name, name)

    def size(self, name: str) -> str:
        """Return the symbol of a size."""
        return self._symbols.get(name) or letters(name)

    def is_taken(self, letter: str) -> bool:
        """Tell whether a letter is an index, or looks like a variable or a size."""
        return letter in self.ranges or letter in self._taken

    def index(self, name: str) -> str:
        """Return the symbol of an index; `n2`, of the same range as `n`, is n'."""
        match = re.fullmatch(r"([a-z]+)([2-9])", name)
        if match and match[1] in self.ranges and f"{match[1]}1" not in self.ranges:
            return letters(match[1]) + "'" * (int(match[2]) - 1)
        return letters(name)

    def places(self, names: Iterable[str | None]) -> list[int]:
        """Return where names stand among the sizes and variables of the program, in the order declared."""
        return [self._place[n] for n in (n and n.removeprefix(TANGENT_OF) for n in names) if n in self._place]

    def is_whole(self, index: Idx) -> bool:
        """Tell whether an index runs over the only range that its name has, primed or not, from 0 to a size."""
        known = {*self.ranges.get(index.name, ()), *self.ranges.get(index.name.rstrip("0123456789"), ())}
        size = index.upper + 1
        return index.lower == 0 and (len(known) == 1 or size.is_Symbol) and known <= {size} and not size.is_number

    def abbreviated(self) -> dict[str, str]:
        """Return the names that are too long for a formula, with the symbols that stand for them."""
        return {name: s for name, s in self._symbols.items() if len(name) > LONGEST and " " not in name}


def _stem(symbol):
    """Split a symbol before its subscript or superscript."""
    depth = 0
    for k, c in enumerate(symbol):
        depth += {"{": 1, "}": -1}.get(c, 0)
        if c in "_^" and depth == 0 and symbol[k - 1: k] != "\\":
            return symbol[:k], symbol[k:]
    return symbol, ""


def _initials(name):
    """Return short symbols for a long name: the initials of its words, numbered where those are taken."""
    words = [w for w in re.split(r"_+|(?<=[a-z])(?=[A-Z])", name) if w]
    short = rf"\mathrm{{{''.join(w if w.isdigit() else w[0] for w in words)[:LONGEST]}}}"
    return [short, *(f"{short}_{{{k}}}" for k in range(2, 1000))]


def _read_at_numbers(program) -> set[str]:
    """Return the names of the arrays that are read at a number: the row -1 of a state, a first row."""
    return {
        t.base.name for e in program.equations for side in (e.lhs, e.rhs) for t in subterms(side)
        if isinstance(t, Indexed) and any(isinstance(i, Integer) for i in t.indices)
    }


def _ranges(program) -> dict[str, tuple[Expr, ...]]:
    """Return the sizes that each index name runs over."""
    found: dict[str, dict] = {}
    for e in program.equations:
        for side in (e.lhs, e.rhs):
            for term in subterms(side):
                if isinstance(term, Idx):
                    found.setdefault(term.name, {}).setdefault(term.upper)
    return {name: tuple(upper + 1 for upper in ends) for name, ends in found.items()}


def _bold(symbol):
    r"""Return a symbol with a bold stem: \mathbf W_1, \boldsymbol\gamma."""
    stem = re.match(r"\\(?:hat|bar|tilde)(?: ?)(\{[^{}]*\}|\\?[A-Za-z]+)|\\?[A-Za-z]+", symbol)
    if stem is None or symbol.startswith(r"\math"):
        return symbol
    core = (stem[1] or stem[0]).strip("{}")
    bold = rf"\mathbf{braced(core, ' ')}" if core.isalpha() else rf"\boldsymbol{{{core}}}"
    return symbol[:stem.end()].replace(stem[1] or stem[0], f"{{{bold}}}" if stem[1] else bold) + symbol[stem.end():]
