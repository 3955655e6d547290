"""A note as data: sections of sentences, tables and displays, in one language and notation, for any printer to print.

    Document    name, title and language; its sections
    Section     key ("notation", "forward", "backward", ...), heading, blocks
    blocks      Paragraph (of spans), Table (symbols, shapes, meanings), Display (lines of formulas)
    spans       Words (free text, not escaped), Formula (LaTeX), Term (a word defined), Code, Reference (a label)

Formulas are LaTeX with marks where a long one may be broken; `latex.plain` takes them out. A Line knows the variable
that it is about (`name`, as in the generated code), the label that others refer to, and the reason why it holds.
"""

import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Words:
    """Free text, as it was written: nothing in it is markup."""

    text: str


@dataclass(frozen=True)
class Formula:
    """A formula in LaTeX."""

    text: str


@dataclass(frozen=True)
class Term:
    """A word where it is defined."""

    text: str


@dataclass(frozen=True)
class Code:
    """An identifier or the name of a file."""

    text: str


@dataclass(frozen=True)
class Reference:
    """The number of a line, by its label."""

    label: str


Span = Words | Formula | Term | Code | Reference
Text = tuple[Span, ...]


@dataclass(frozen=True)
class Paragraph:
    """Sentences."""

    text: Text


@dataclass(frozen=True)
class Entry:
    """A row of the table: symbols, their shapes, what they are; `names` are theirs in code."""

    symbols: str
    shapes: str
    meaning: Text
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """The inputs, and the parameters."""

    inputs: tuple[Entry, ...]
    parameters: tuple[Entry, ...]


@dataclass(frozen=True)
class Line:
    """left = right. One that `continues` goes on from the line above: its left-hand side is not written again."""

    left: str
    right: str
    name: str = ""              # the variable that it defines, as in code; of a differential, the variable itself
    kind: str = ""              # "forward", "differential", "pairing", "reading", "gradient", "chain", "path", "route"
    shape: str = ""
    label: str = ""             # of a numbered line
    of: str = ""                # the label of the line of the forward pass that this belongs to
    reason: Text = ()
    continues: bool = False


@dataclass(frozen=True)
class Display:
    """Lines of formulas in groups; kind is "forward", "backward", "gradients", "chain", "steps" or "routes".

    The lines of "routes" are no equations: what stands on the left is a heading.
    """

    kind: str
    groups: tuple[tuple[Line, ...], ...]

    @property
    def lines(self) -> list[Line]:
        """All lines."""
        return [line for group in self.groups for line in group]


Block = Paragraph | Table | Display


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    key: str
    heading: Text
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """The note of one network."""

    name: str
    title: str
    language: str
    source: str
    introduction: str = ""
    sections: tuple[Section, ...] = field(default_factory=tuple)

    def section(self, key: str) -> Section | None:
        """Return the section of a key, None where the note has none."""
        return next((s for s in self.sections if s.key == key), None)

    @property
    def numbers(self) -> dict[str, int]:
        """The numbers of the lines that have labels, by their labels."""
        labels = [line.label for d in self.displays for line in d.lines if line.label]
        return {label: k for k, label in enumerate(labels, 1)}

    @property
    def displays(self) -> list[Display]:
        """All displays, in order."""
        return [b for s in self.sections for b in s.blocks if isinstance(b, Display)]


MARKUP = re.compile(r"\$([^$]*)\$|\*([^*]+)\*|`([^`]+)`|\{(\w+)\}")


def phrase(template: str, **parts: Text | Span | str) -> Text:
    """Return a sentence from its template: $formula$, *term*, `code`, and {part} for what is put in."""
    spans: list[Span] = []
    end = 0
    for m in MARKUP.finditer(template):
        spans += [Words(template[end:m.start()])] if m.start() > end else []
        formula, term, code, part = m.groups()
        if part is not None:
            value = parts[part]
            spans += value if isinstance(value, tuple) else [Words(value) if isinstance(value, str) else value]
        else:
            spans.append(Formula(formula) if formula is not None else Term(term) if term is not None else Code(code))
        end = m.end()
    return (*spans, *([Words(template[end:])] if end < len(template) else []))


def joined(texts: list[Text], comma: str, last: str) -> Text:
    """Return texts as a list in prose: a, b and c."""
    result: list[Span] = []
    for k, text in enumerate(texts):
        result += [Words(last if k == len(texts) - 1 else comma)] if k else []
        result += text
    return tuple(result)


def sentence(text: Text) -> Text:
    """Return a text with a capital letter at its beginning."""
    if text and isinstance(text[0], Words):
        return (Words(text[0].text[:1].upper() + text[0].text[1:]), *text[1:])
    return text


def paragraph(*texts: Text) -> Paragraph:
    """Return sentences as a paragraph, a space between them."""
    spans: list[Span] = []
    for text in (t for t in texts if t):
        spans += [Words(" ")] if spans else []
        spans += text
    return Paragraph(tuple(spans))
