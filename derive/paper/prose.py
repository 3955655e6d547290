"""Free text in LaTeX: whatever a title or a note holds, it prints, and does nothing else."""

import re
import textwrap
import unicodedata

from .names import GREEK

SPECIAL = {
    "\\": r"$\backslash$", "{": r"$\{$", "}": r"$\}$", "$": r"$\mathdollar$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "^": r"\symbol{94}", "~": r"\symbol{126}", "<": "$<$", ">": "$>$", "|": "$|$", '"': "''", "`": "`{}",
    "\N{EN DASH}": "--", "\N{EM DASH}": "---", "\N{MULTIPLICATION SIGN}": r"$\times$", "\N{MIDDLE DOT}": r"$\cdot$",
    "\N{LEFT SINGLE QUOTATION MARK}": "`", "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``", "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}", "\N{MINUS SIGN}": "$-$", "\N{SUPERSCRIPT TWO}": "$^2$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$", "\N{LESS-THAN OR EQUAL TO}": r"$\le$", "\N{GREATER-THAN OR EQUAL TO}": r"$\ge$",
    "\N{RIGHTWARDS ARROW}": r"$\to$", "\N{INFINITY}": r"$\infty$",
}
LATIN = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿčćěńňőřšśůűžźż")
LONG_WORD, PART = 30, 10


def escaped(text: str, keep: bool = False) -> str:
    """Return free text as LaTeX that prints it; what pdflatex has no letters for is `?` there, itself in xelatex.

    With `keep`, such letters stand as they are, for xelatex and lualatex alone.
    """
    return " ".join(_word(w, keep) for w in text.split())


def _word(word, keep):
    pieces: list[str] = []
    foreign = ""
    for c in word:
        known = _character(c)
        if known is None and keep and c.isprintable():
            pieces.append(c)
        elif known is None:
            foreign += c if c.isprintable() else ""
        else:
            dash = known == "-" and pieces[-1:] == ["-"]    # no ligature
            pieces += [*_foreign(foreign), "{}-" if dash else known]
            foreign = ""
    pieces += _foreign(foreign)
    if len(pieces) > LONG_WORD:                             # may be broken, with a hyphen
        return r"\-".join("".join(pieces[k:k + PART]) for k in range(0, len(pieces), PART))
    return "".join(pieces)


def _foreign(run):
    return [rf"\ifx\Umathchar\undefined?\else {run}\fi{{}}"] if run else []


def _character(c):
    """Return what prints one character in pdflatex, None where nothing does."""
    if c in SPECIAL:
        return SPECIAL[c]
    if c.isascii():
        return c if c.isprintable() else ""
    if "GREEK" in unicodedata.name(c, "") and unicodedata.name(c).count(" ") == 3:
        return _greek(*unicodedata.name(c).split()[1::2])
    return c if c in LATIN else None


def _greek(case, name):
    name = {"LAMDA": "LAMBDA"}.get(name, name).lower()
    name = name.capitalize() if case == "CAPITAL" else name
    return rf"$\{name}$" if name in GREEK else None


def code(text: str) -> str:
    """Return an identifier or a file's name as the inside of a texttt; a long one may be broken at _ and /."""
    return text.replace("_", r"\_\allowbreak ").replace("/", r"/\allowbreak ") if len(text) > 30 \
        else text.replace("_", r"\_")


def wrapped(prose: str) -> list[str]:
    """Return LaTeX prose as lines of source; no line ends inside a formula."""
    text = re.sub(r"\$[^$]*\$", lambda m: m[0].replace(" ", "\0"), prose)
    lines = textwrap.wrap(text, 116, break_long_words=False, break_on_hyphens=False)
    return [line.replace("\0", " ") for line in lines]
