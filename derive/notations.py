"""The reader's notation: how the equations of a network look on paper. Set it by `net.notation(...)`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType

from .errors import DerivationError
from .wording import words

CHOICES = {
    "form": ("matrix", "index"),
    "adjoint": ("delta", "bar", "partial"),
    "batch": ("rows", "columns"),
    "language": ("en", "ko"),
    "level": ("gradients", "backprop", "every-step"),
}
COMMANDS = (
    "input|include|openin|openout|read|readline|write|immediate|special|message|shipout|output|directlua|latelua|"
    "[egx]?def|let|futurelet|newcommand|renewcommand|providecommand|DeclareMathOperator|catcode|lccode|uccode|csname|"
    "expandafter|noexpand|scantokens|usepackage|RequirePackage|documentclass|begin|end|loop|verb|href|url|html[A-Z]?[a-z]*"
)
LONGEST = 100               # letters of a symbol
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Notation:
    r"""How equations are written.

    form : "matrix" where an equation has matrix notation, or "index" everywhere.
    adjoint : the gradient of the loss by Z is "delta", \delta_Z; "bar", \bar Z; or "partial", \partial L/\partial Z.
    batch : the examples of a batch are the "rows" of a matrix, Z = X W + 1 b'; or its "columns", Z = W X + b 1'.
    bold : vectors and matrices are bold.
    names : symbols of one's own in LaTeX, by the names of variables and sizes: {"W1": "W^{(1)}"}.
    language : of headings, sentences and explanations, "en" or "ko".
    phrases : translations of one's own, of titles and notes: {"first layer": "..."}.
    level : "gradients" gives the formulas alone, "backprop" differentials and adjoints, "every-step" all in between.
    paths : variables whose way to the loss is drawn out in full.

    Raises
    ------
    DerivationError
        A value that is not among those of its option, or names without the shape of a symbol.
    """

    form: str = "matrix"
    adjoint: str = "delta"
    batch: str = "rows"
    bold: bool = False
    names: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    language: str = "en"
    phrases: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    level: str = "backprop"
    paths: tuple[str, ...] = ()

    def __post_init__(self):
        for option, choices in CHOICES.items():
            value = getattr(self, option)
            if value not in choices:
                word = {"form": "notation"}.get(option, option)
                raise DerivationError(f"the {word} {value!r} is not known; expected one of {', '.join(choices)}")
        for name, symbol in self.names.items():
            if len(words(symbol, f"symbol of {name}", LONGEST)) != len(symbol) or not _is_balanced(symbol):
                raise DerivationError(f"the symbol {symbol!r} of {name} is no formula; expected balanced braces, no $")
            if (command := _forbidden(symbol)):
                raise DerivationError(f"the symbol {symbol!r} of {name} has {command}; expected mathematics alone")
        for given, phrase in self.phrases.items():
            words(given, "phrase")
            words(phrase, f"translation of {given!r}")

    def but(self, **changes) -> "Notation":
        """Return the notation with some options changed.

        Raises
        ------
        DerivationError
            An option that is not known.
        """
        known = [f.name for f in fields(self)]
        for option in changes:
            if option not in known:
                raise DerivationError(f"notation has no option {option!r}; expected one of {', '.join(known)}")
        paths = changes.get("paths")
        return replace(self, **changes | ({"paths": (paths,)} if isinstance(paths, str) else {}))


def _forbidden(symbol):
    """Return a command of TeX that reads, writes, defines or runs, None where there is none."""
    found = re.search(rf"\\({COMMANDS})(?![A-Za-z])|\^\^", symbol)
    return found and found.group()


def _is_balanced(symbol):
    depth = 0
    for k, c in enumerate(symbol):
        depth += {"{": 1, "}": -1}.get(c, 0) if symbol[k - 1: k] != "\\" else 0
        if depth < 0 or c in "$&#%~\n":
            return False
    return depth == 0 and bool(symbol.strip())
