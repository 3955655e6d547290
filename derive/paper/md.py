r"""A document as Markdown with formulas between dollars, as GitHub and notebooks show it; equations numbered in place.

What LaTeX's `align` numbers, and `\eqref` refers to, has its number written out: `(3)`.
"""

import re

from .displays import AT_MARGIN, display
from .document import Display, Document, Entry, Paragraph, Section, Table
from .latex import plain
from .spans import LatexSpans, Spans

LABEL = re.compile(r"\s*\\label\{([^}]*)\}")
REFERENCE = re.compile(r"\\eqref\{([^}]*)\}")
NOISE = re.compile(r"\\(begin|end)group.*\n?|\s*\\notag")
BLOCK = re.compile(r"\\begin\{(?:fl)?align\*?\}\n(.*?)\n\\end\{(?:fl)?align\*?\}", re.DOTALL)
SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|$])")
HEADS = {"en": "| symbol | shape | meaning |", "ko": "| 기호 | 모양 | 뜻 |"}


def markdown(document: Document) -> str:
    """Return the whole note."""
    printer = Printer(document)
    introduction = [printer.free(document.introduction)] if document.introduction else []
    parts = [f"# {printer.free(document.title)}", *introduction, *map(printer.section, document.sections)]
    return "\n\n".join(parts) + "\n"


def equations(document: Document) -> str:
    """Return the displays of a note alone, under their headings."""
    printer = Printer(document)
    found = [(s, [b for b in s.blocks if isinstance(b, Display)]) for s in document.sections]
    parts = [(f"**{printer.text(s.heading)}**", *map(printer.block, blocks)) for s, blocks in found if blocks]
    return "\n\n".join(part for group in parts for part in group)


class Printer(Spans):
    """Prints one document."""

    def __init__(self, document: Document):
        self.document = document
        self.numbers = document.numbers

    def section(self, section: Section) -> str:
        """Return a heading and what stands under it."""
        return "\n\n".join([f"## {self.text(section.heading)}", *map(self.block, section.blocks)])

    def block(self, block: Paragraph | Table | Display) -> str:
        """Return one block."""
        if isinstance(block, Paragraph):
            return self.text(block.text)
        return self.formulas(block) if isinstance(block, Display) else self._table(block)

    def formulas(self, block: Display) -> str:
        """Return a display as formulas between double dollars, laid out as LaTeX lays it out."""
        tex = NOISE.sub("", "\n".join(display(block, LatexSpans(foreign=True)))).replace(AT_MARGIN, r"\text{")
        tex = LABEL.sub(lambda m: rf" && ({self.numbers[m[1]]})", tex)
        tex = REFERENCE.sub(lambda m: f"({self.numbers[m[1]]})", tex)
        found = (re.sub(r"\\\\\[1ex\]", r"\\\\", body) for body in BLOCK.findall(tex))
        return "\n\n".join(f"$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$$" for body in found)

    def _table(self, table):
        rows = [f"| {' | '.join(self._cells(e))} |" for e in (*table.inputs, *table.parameters)]
        return "\n".join([HEADS[self.document.language], "|---|---|---|", *rows])

    def _cells(self, entry: Entry):
        shapes = f"${plain(entry.shapes)}$" if entry.shapes.strip(r",\ ") else ""
        return [f"${plain(entry.symbols)}$", shapes, self.text(entry.meaning)]

    def formula(self, tex):
        """$x$."""
        return f"${plain(tex)}$"

    def reference(self, label):
        """(3)."""
        return f"({self.numbers[label]})"

    def code(self, text):
        """`x`."""
        return f"`{text}`"

    def term(self, text):
        """*x*."""
        return f"*{self.free(text)}*"

    def prose(self, text):
        """Escaped."""
        return self.free(text)

    @staticmethod
    def free(text: str) -> str:
        """Return free text, nothing in it markup."""
        return SPECIAL.sub(r"\\\1", text)
