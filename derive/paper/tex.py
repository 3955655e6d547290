"""A document as LaTeX: a section to be put into notes, or a document of its own."""

from .displays import display
from .document import Display, Document, Entry, Paragraph, Table
from .layout import PAGE, Row, columns, text_width
from .prose import wrapped
from .spans import LatexSpans

TOLERANT = r"\begingroup\tolerance=3000 \emergencystretch=4em \hbadness=10000 % for formulas in prose"
HEADING = 1.8               # how much wider a section's number and title are than text of the same letters
MOST_ROWS = 30              # of one table; a longer one is continued in another, so that a page can end between them
ENGLISH = r"""\documentclass{article}
\usepackage{amsmath}
\begin{document}
%s
\end{document}
"""
KOREAN = r"""\documentclass{article}
\usepackage{amsmath}
\PassOptionsToPackage{no-math}{fontspec}
\usepackage{fontspec}           %% xelatex or lualatex, with one of the fonts below
\IfFileExists{kotex.sty}{\usepackage{kotex}}{\let\setmainhangulfont\setmainfont\let\setsanshangulfont\setsansfont}
\IfFontExistsTF{Noto Serif CJK KR}{\setmainhangulfont{Noto Serif CJK KR}\setsanshangulfont{Noto Sans CJK KR}}{%%
  \IfFontExistsTF{NanumMyeongjo}{\setmainhangulfont{NanumMyeongjo}\setsanshangulfont{NanumGothic}}{%%
    \IfFontExistsTF{UnBatang}{\setmainhangulfont{UnBatang}\setsanshangulfont{UnDotum}}{}}}
\begin{document}
%s
\end{document}
"""
PREAMBLES = {"en": ENGLISH, "ko": KOREAN}


def latex(document: Document, standalone: bool = False) -> str:
    """Return a document as LaTeX; `standalone` makes it more than a section."""
    printer = Printer(document)
    text = "\n\n".join("\n".join(part) for part in printer.parts() if part) + "\n\\par\\endgroup\n"
    return PREAMBLES[document.language] % text.rstrip("\n") if standalone else text


class Printer(LatexSpans):
    """Prints one document."""

    def __init__(self, document: Document):
        super().__init__(foreign=document.language != "en")
        self.document = document

    def parts(self) -> list[list[str]]:
        """Return the parts of the note, each as lines."""
        head = [f"% Generated from {self.document.source}; do not edit.", TOLERANT, self._heading()]
        introduction = wrapped(self.free(self.document.introduction)) if self.document.introduction else []
        return [head, introduction, *(self._section(s) for s in self.document.sections)]

    def _heading(self):
        """A section; a title of more than one line is not justified."""
        text = self.free(self.document.title)
        wide = HEADING * text_width(text) >= PAGE
        return rf"\section[{text}]{{\raggedright {text}}}" if wide else rf"\section{{{text}}}"

    def _section(self, section):
        stop = "" if self.foreign else "."
        lines = [rf"\paragraph{{{self.text(section.heading)}{stop}}}"]
        for block in section.blocks:
            lines += self._block(block)
        return lines

    def _block(self, block):
        if isinstance(block, Paragraph):
            return wrapped(self.text(block.text))
        return display(block, self) if isinstance(block, Display) else self._table(block)

    # ---- the table

    def _table(self, table: Table):
        """The inputs beside the parameters; under each other where that is too wide."""
        inputs, parameters = ([self._cells(e) for e in entries] for entries in (table.inputs, table.parameters))
        if not inputs or not parameters or max(len(inputs), len(parameters)) > MOST_ROWS \
                or _table_width(inputs) + _table_width(parameters) + 2 > PAGE:
            cells = [*inputs, *parameters]
            return [line for k in range(0, len(cells), MOST_ROWS) for line in _tabular(cells[k:k + MOST_ROWS])]
        height = max(len(inputs), len(parameters))
        left, right = ([*rows, *[["", "", ""]] * (height - len(rows))] for rows in (inputs, parameters))
        return _tabular([[*a, *b] for a, b in zip(left, right, strict=True)])

    def _cells(self, entry: Entry):
        scalar = {"en": "scalar", "ko": "스칼라"}[self.document.language]
        return [f"${entry.symbols}$", f"${entry.shapes}$" if entry.shapes.strip(r",\ ") else scalar,
                self.text(entry.meaning)]


def _table_width(rows):
    return sum(_column_widths(rows)) + 2 * 1.2


def _column_widths(rows):
    return [max((text_width(c[k]) for c in rows), default=0) for k in range(3)]


def _tabular(rows):
    blocks = len(rows[0]) // 3
    columns_of = "lll"
    if blocks == 1 and _table_width(rows) > PAGE:           # long notes go on in further lines
        symbols, shapes, _ = _column_widths(rows)
        columns_of = rf"llp{{{max(PAGE - symbols - shapes - 3, 8):.0f}em}}"
    form = r"@{\qquad}".join([columns_of] * blocks)
    return [rf"\begin{{center}}\begin{{tabular}}{{@{{}}{form}@{{}}}}", *columns([Row(r) for r in rows]),
            r"\end{tabular}\end{center}"]
