"""A generated module as lines for a page: each with its indentation, its colours, and the variable that it computes."""

import html
import io
import keyword
import re
import tokenize
from collections.abc import Collection
from dataclasses import dataclass

COMPUTES = re.compile(r"\s+(?:np\.\w+\.at\(|_add_rows\()?(\w+)(?:\[[^=]*\])?(?: [-+*/@]?= |, )")
QUOTES = re.compile(r"\s+# (\w+)(?:\[[^=]*\])? = ")


@dataclass(frozen=True)
class CodeLine:
    """One line of code: its text as HTML, how many letters it is moved in, and the variable that it is about."""

    html: str
    indent: int
    variable: str = ""


def listing(text: str, variables: Collection[str]) -> list[CodeLine]:
    """Return the lines of a module; those that compute one of the variables, or quote its equation, say so."""
    coloured = _coloured(text)
    lines, last = [], ""
    inside = False                  # of a function: what is named before it is not computed
    for source, line in zip(text.splitlines(), coloured, strict=True):
        inside = inside or source.startswith("def ")
        indent = len(source) - len(source.lstrip())
        match = (COMPUTES.match(source) or QUOTES.match(source)) if inside else None
        if match and match[1] in variables:
            last = match[1]
        elif not (indent > 8 and last):     # a statement goes on, or another begins
            last = ""
        lines.append(CodeLine(line.lstrip(" "), indent, last))
    return lines


def _coloured(text):
    """Return the lines as HTML with comments, texts and words of the language marked."""
    rows = [list(line) for line in text.splitlines()]
    marks: list[dict[int, str]] = [{} for _ in rows]
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = _kind(token)
        if kind:
            (first, start), (last, end) = token.start, token.end
            for k in range(first, last + 1):
                begin = start if k == first else next((i for i, c in enumerate(rows[k - 1]) if c != " "), 0)
                stop = end if k == last else len(rows[k - 1])
                if stop > begin:
                    marks[k - 1][begin] = f'<span class="{kind}">'
                    marks[k - 1][stop] = "</span>" + marks[k - 1].get(stop, "")
    return ["".join(mark.get(k, "") + html.escape(c, quote=False) for k, c in enumerate([*row, ""]))
            for row, mark in zip(rows, marks, strict=True)]


def _kind(token):
    if token.type == tokenize.COMMENT:
        return "comment"
    if token.type == tokenize.STRING:
        return "text"
    return "word" if token.type == tokenize.NAME and keyword.iskeyword(token.string) else ""
