"""Laying out equations in columns of amsmath's align, so that nothing is wider than the page."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .latex import MARK, SOFT, plain
from .metrics import width

PAGE = 34.2                 # ems: the text width of LaTeX's article, less a little
GAP, TAG = 1.0, 3.0         # the least space between columns, an equation's number
INDENT, FEWEST = 2.0, 6.0   # what a broken formula's further lines are moved in; no line is narrower
LONG = 14                   # rows; longer systems may be broken over pages
SOURCE, WIDEST_CELL = 118, 60           # letters: lines of the source; cells that others are padded to
DEEPER, IN_PRODUCT, BEFORE_ELEMENTWISE = 0.6, 0.5, 0.3      # what a break costs, in parts of a line left empty
ELEMENTWISE = (r"\odot", r"\oslash", r"\big/")
LONG_FACTOR = 13.0          # ems
THIN = "\\,"
Broken = str | list["Broken"]            # a formula, or what it may be broken into, each part further
OPEN, CLOSE = re.compile(r"\\[bB]igg?l[(\[]|\\langle|[(\[]"), re.compile(r"\\[bB]igg?r[)\]]|\\rangle|[)\]]")


@dataclass(frozen=True)
class Row:
    """The cells of one row; what follows a row that ends a group is set apart a little."""

    cells: list[str]
    ends_group: bool = False


def broken(tex: str, room: float) -> list[str]:
    """Break a formula into lines that fit into `room` ems, at its outermost operators where that is possible."""
    if measured(tex) <= room:
        return [plain(tex)]
    pieces = _pieces(tex)
    starts = _starts(pieces, room)
    texts = ["".join(p.text for p in pieces[i:j]).strip() for i, j in zip(starts, [*starts[1:], None], strict=True)]
    return [texts[0], *(_continued(t, pieces[k].soft) for k, t in zip(starts[1:], texts[1:], strict=True))]


def _continued(text, product):
    """A further line: moved in, with a dot where a product goes on."""
    return rf"\qquad {{}}\cdot {text.removeprefix(THIN).strip()}" if product else rf"\qquad {{}}{text}"


def measured(tex: str) -> float:
    """Return the width of a formula, on the safe side."""
    return 1.03 * width(plain(tex))


@dataclass(frozen=True)
class _Part:
    """A part of a formula, the price of a break before it, and whether the break is inside a product."""

    text: str
    price: float = 0.0
    soft: bool = False


def _starts(pieces, room):
    """Return where lines begin such that breaks cost least in all: full lines, broken at loose operators."""
    best: dict[int, tuple[float, list[int]]] = {len(pieces): (0.0, [])}     # what it costs from a piece on
    for start in reversed(range(len(pieces))):
        best[start] = min(_ways(pieces, start, room - INDENT * (start > 0), best), key=lambda way: way[0])
    return best[0][1]


def _ways(pieces, start, room, best):
    """Yield the lines that may begin at a piece, longest last, with what is best after them."""
    text = ""
    for end in range(start + 1, len(pieces) + 1):
        text += pieces[end - 1].text
        used = measured(text)
        if used > room and end > start + 1:
            return
        cost, starts = best[end]
        yield cost + _price(pieces[end:], used / room), [start, *starts]


def _price(rest, filled):
    """Return what a break costs before what is left of a formula, after a line that is filled so far."""
    if not rest:
        return 0.0
    return rest[0].price + BEFORE_ELEMENTWISE * rest[0].text.lstrip().startswith(ELEMENTWISE) + (1 - filled) ** 2


def _pieces(tex) -> list[_Part]:
    """Split at the marks that stand in no TeX group; breaks inside parentheses and products cost more."""
    pieces, current, braces, depth, k = [], _Part(""), 0, 0, 0
    while k < len(tex):
        if tex[k] in MARK + SOFT:
            if braces == 0:
                pieces.append(current)
                soft = tex[k] == SOFT
                current = _Part("", DEEPER * depth + IN_PRODUCT * soft, soft)
            k += 1
            continue
        token = next((m[0] for m in (OPEN.match(tex, k), CLOSE.match(tex, k)) if m), tex[k])
        braces += {"{": 1, "}": -1}.get(token, 0) if tex[k - 1: k] != "\\" else 0
        depth += (bool(OPEN.fullmatch(token)) - bool(CLOSE.fullmatch(token))) * (braces == 0)
        current = replace(current, text=current.text + token)
        k += len(token)
    return [*pieces, current]


def breakable(tex: str) -> list[Broken]:
    """Split a formula where a line may end: at its outermost operators, each part at those inside it, and so on."""
    pieces = _pieces(tex)
    return [_further(group) for group in _split(pieces, 0.0)]


def _further(pieces) -> Broken:
    """Split at the breaks that cost least, what is between them further; a long factor is better broken inside."""
    if len(pieces) == 1:
        return pieces[0].text
    soft = {piece.price: piece.soft for piece in pieces[1:]}
    splits = [(soft[price], _split(pieces, price)) for price in sorted(soft)]
    groups = next((groups for is_soft, groups in splits if not (is_soft and _has_long(groups))), splits[0][1])
    return [_further(group) for group in groups]


def _has_long(factors):
    """Tell whether a factor that may be broken inside is long."""
    return any(len(f) > 1 and measured("".join(piece.text for piece in f)) > LONG_FACTOR for f in factors)


def _split(pieces, price):
    """Group pieces between the breaks of a price."""
    starts = [k for k, piece in enumerate(pieces) if k == 0 or piece.price == price]
    return [pieces[i:j] for i, j in zip(starts, [*starts[1:], None], strict=True)]


def columns(rows: Sequence[Row]) -> list[str]:
    """Join cells by `&` and end the rows, the columns padded so that the source is a table too."""
    widths: dict[int, int] = {}
    for row in rows:
        for k, cell in enumerate(row.cells[:-1]):
            widths[k] = max(widths.get(k, 0), len(cell) if len(cell) <= WIDEST_CELL else 0)
    lines = []
    for row in rows:
        text = " & ".join([*(c.ljust(widths[k]) for k, c in enumerate(row.cells[:-1])), *row.cells[-1:]])
        text = text.replace(" &  & ", " && ").replace("& = ", "&= ").strip()
        end = "" if row is rows[-1] else r" \\[1ex]" if row.ends_group else r" \\"
        lines += _wrapped(text + end)
    return lines


def _wrapped(line):
    """Go on in another line of the source before a `&` where a line is long."""
    lines = []
    while len(line) > SOURCE:
        place = max(line.rfind(" & ", 40, SOURCE), line.rfind(" &&", 40, SOURCE))       # between equations, not in one
        if place < 0:
            break
        lines.append(line[:place].rstrip())
        line = " " * 15 + line[place + 1:]
    return [*lines, line]


def system(environment: str, rows: Sequence[Row]) -> list[str]:
    """Return the lines of an align environment; a long one may be broken over pages."""
    body = [rf"\begin{{{environment}}}", *columns(rows), rf"\end{{{environment}}}"]
    return [r"\begingroup\allowdisplaybreaks", *body, r"\endgroup"] if len(rows) > LONG else body


def text_width(text: str) -> float:
    """Return the width of prose with formulas between dollars."""
    parts = text.split("$")
    prose = (rf"\text{{{re.sub('[^A-Za-z0-9]', _as_wide, p)}}}" for p in parts[::2] if p)
    return sum(measured(p) for p in (*prose, *parts[1::2]))


def _as_wide(letter):
    """Return a Latin letter about as wide as another sign; a Korean one is a square."""
    return "W" if unicodedata.east_asian_width(letter[0]) in "WF" else "x"


def widest(cells) -> float:
    """Return the width of the widest of some formulas."""
    return max((measured(c) for c in cells), default=0.0)
