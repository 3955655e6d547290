r"""LaTeX formulas as MathML, in pieces between which a line may be broken.

docutils does the work; what it does not know of the LaTeX that notes use is put in other words first.
"""

import re

from derive.paper.latex import plain
from derive.paper.layout import Broken, breakable

from ..extras import extra

ACCENTED = r"\\(?:dot|hat|bar|tilde)(?: ?[A-Za-z](?![A-Za-z])|\{[^{}]*\}| ?\\[a-z]+)"
OTHERWISE_SAID = (              # subscripts of accents and of words stand beside them, not below
    (re.compile(r"\\operatorname\*\{arg\\,max\}"), r"\\operatorname{arg\\,max}"),
    (re.compile(r"\\(big|Big|bigg|Bigg)/"), r"\\\1l/"),
    (re.compile(rf"({ACCENTED}|\\mathrm\{{\w+\}})(?=[_^])"), r"\1{}"),
    (re.compile(r"('+)(?=_)"), lambda m: r"^{" + r"\prime" * len(m[1]) + "}"),
    (re.compile(r"\\mathdollar"), r"\\text{\$}"),
    (re.compile(r"\\tfrac ?(\w) ?(\w)"), r"\\tfrac{\1}{\2}"),
)
FORMS = {"⟨": "prefix", "⟩": "postfix"}          # which a row of its own would give them
CLOSES, OPENS = re.compile(r"\\[bB]igg?r\b"), re.compile(r"\\[bB]igg?l\b")


def mathml(tex: str) -> str:
    """Return a formula as one MathML element.

    Raises
    ------
    MissingExtra
        docutils is not installed.
    """
    converter = extra("docutils.utils.math.latex2mathml", "web pages", "html")
    tex = plain(tex)
    for pattern, said in OTHERWISE_SAID:
        tex = pattern.sub(said, tex)
    unopened = len(CLOSES.findall(tex)) - len(OPENS.findall(tex))
    text = re.sub(r">\s+<", "><", converter.tex2mathml(r"\bigl." * unopened + tex).strip())
    text = re.sub("(?:<mo>'</mo>)+", lambda m: f'<mi>{"′" * m[0].count("<mo>")}</mi>', text)
    text = re.sub("<mo>([⟨⟩])</mo>", lambda m: f'<mo form="{FORMS[m[1]]}" stretchy="false">{m[1]}</mo>', text)
    return re.sub(r'^<math xmlns="[^"]*"', "<math", text)


def in_pieces(tex: str) -> list[Broken]:
    """Return a formula as MathML elements: parts that go to a line of their own first, each in smaller ones."""
    return [part for k, piece in enumerate(breakable(tex)) if (part := _converted(piece, k == 0))]


def _converted(piece, first):
    """Return a piece, or what it may be broken into, as MathML; nothing of it is left empty."""
    if isinstance(piece, str):
        text = mathml(piece) if piece.strip() else ""
        return text if first else _continued(text)
    return [part for k, inner in enumerate(piece) if (part := _converted(inner, first and k == 0))]


def leaves(pieces: Broken) -> list[str]:
    """Return the smallest pieces of a formula, in order."""
    return [pieces] if isinstance(pieces, str) else [leaf for piece in pieces for leaf in leaves(piece)]


def _continued(piece):
    """Give an operator at the beginning of a piece the space that it has between two operands."""
    return re.sub(r"^(<math>(?:<mrow>)*)<mo>", r'\1<mo form="infix">', piece)
