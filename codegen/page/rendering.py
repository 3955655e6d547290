"""From a built network to its page: the document's blocks as HTML, filled into the template."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from derive.notations import Notation
from derive.notes import document
from derive.paper.displays import WIDE
from derive.paper.document import Display, Line, Paragraph, Table, Text
from derive.paper.layout import measured
from derive.paper.spans import Spans
from derive.program import Program

from ..checking import Report
from ..extras import extra
from ..module import source
from ..pictures import error_against_step, network_graph
from ..verify import Verdict, by_parameter
from .formulas import in_pieces, leaves, mathml
from .lines import listing
from .words import WORDS

HERE = Path(__file__).parent
EQUALS = '<math><mo form="infix">=</mo></math>'


def html(program: Program, notation: str | Notation | None = None, verdicts: Sequence[Verdict] = (),
         figures: Mapping[str, str] | None = None, **changes) -> str:
    """Return the note of a derived program as a web page that needs nothing beside it.

    Parameters
    ----------
    notation, changes : as for `derive.notes.note`: the form, the adjoints' symbol, the language, the level, ...
    verdicts : what verified it, shown as a table.
    figures : SVG pictures by their captions, shown after the table.

    Raises
    ------
    MissingExtra
        docutils or Jinja is not installed, or what draws the graph.
    DerivationError
        What cannot be derived or printed.
    """
    jinja = extra("jinja2", "web pages", "html")
    page = Page(program, document(program, notation, **changes))
    words = page.words
    environment = jinja.Environment(loader=jinja.FileSystemLoader(HERE), autoescape=True, trim_blocks=True,
                                    lstrip_blocks=True, undefined=jinja.StrictUndefined)
    return environment.get_template("page.html.jinja").render(
        page=page, document=page.document, words=words, graph=_picture(network_graph(program), words["graph"]),
        code=listing(source(program), page.names), variables=page.names, table=_verification(program, verdicts, page),
        figures={caption: _picture(svg, caption) for caption, svg in (figures or {}).items()},
    ) + "\n"


class Page(Spans):
    """Prints the blocks of one document."""

    def __init__(self, program: Program, note):
        self.document = note
        self.names = [*program.variables]
        self.numbers = note.numbers
        self.words = WORDS[note.language]

    def is_display(self, block) -> bool:
        return isinstance(block, Display)

    def is_table(self, block) -> bool:
        return isinstance(block, Table)

    def text(self, block: Paragraph | Text) -> str:
        """Return sentences as HTML."""
        return super().text(block.text if isinstance(block, Paragraph) else block)

    def formula(self, tex: str) -> str:
        """Return a formula in a sentence, a line may end between its pieces."""
        return "<wbr>".join(leaves(in_pieces(tex)))

    def reference(self, label: str) -> str:
        """Return a link to a line."""
        number = self.numbers[label]
        return f'<a class="reference" href="#equation-{number}">({number})</a>'

    def code(self, text: str) -> str:
        """Return an identifier."""
        return f"<code>{self.prose(text)}</code>"

    def term(self, text: str) -> str:
        """Return a word where it is defined."""
        return f"<dfn>{self.prose(text)}</dfn>"

    def prose(self, text: str) -> str:
        """Return free text."""
        return escape(text, quote=False)

    def math(self, tex: str) -> str:
        """Return a formula that is not broken."""
        return mathml(tex)

    def right(self, line: Line) -> str:
        """Return the right-hand side of a line with its relation, broken where there is no room for it."""
        return _broken(in_pieces(line.right), "" if line.kind == "route" else EQUALS) if line.right else ""

    def left(self, line: Line) -> str:
        """Return the left-hand side of a line, broken where it stands apart and there is no room for it."""
        if not line.left:
            return ""
        return _broken(in_pieces(line.left)) if self.apart(line) else mathml(line.left)

    def apart(self, line: Line) -> bool:
        """Tell whether a left-hand side is so wide that it stands on a line of its own."""
        return not line.continues and measured(line.left) > WIDE

    def number(self, line: Line) -> str:
        """Return the number of a line of the forward pass; of another line, that of the line it belongs to."""
        return str(self.numbers[line.label]) if line.label else ""

    def of(self, line: Line) -> str:
        """Return the number of the line of the forward pass that a line belongs to."""
        return str(self.numbers.get(line.of, ""))

    def reason(self, line: Line) -> str:
        return self.text(line.reason)


def _broken(parts, before=""):
    """Return the pieces of a formula as boxes in boxes, the inner ones broken where these have too little room."""
    first, *others = map(_boxed, parts)
    return "<wbr>".join(f'<span class="part">{part}</span>' for part in (_after(before, first), *others))


def _boxed(piece):
    return piece if isinstance(piece, str) else "".join(f"<span>{_boxed(inner)}</span>" for inner in piece)


def _after(before, text):
    """Put a relation into the innermost box that a formula begins with."""
    return re.sub("^((?:<span>)*)", lambda boxes: boxes[1] + before, text)


def steps_figure(report: Report, language: str = "en") -> dict[str, str]:
    """Return the figure of the error of differences against their step by its caption; none if all are 0."""
    words = WORDS[language]
    try:
        return {words["numerical"]: error_against_step(report, words["step"], words["error"])}
    except ValueError:
        return {}


def _picture(svg, title):
    """Return an SVG's element alone, with what it shows for those who do not see it."""
    svg = re.sub("<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    start, inside = svg.index("<svg"), svg.index(">", svg.index("<svg")) + 1
    return f'<svg role="img"{svg[start + 4:inside]}<title>{escape(title, quote=False)}</title>{svg[inside:]}'


def _verification(program, verdicts, page):
    """Return the heads and the rows of the table of verdicts."""
    words = page.words
    heads = [(words.get(v.judge, v.judge), words["at most"].format(f"{v.tolerance:.0e}")) for v in verdicts]
    rows = []
    for name, disagreements, fine in by_parameter(program, verdicts):
        cells = [words["none"] if d is None else words["exact"] if d == 0 else f"{d:.1e}" for d in disagreements]
        rows.append((name, cells, words["agrees" if fine else "differs"], fine))
    return heads, rows
