"""Displays of a document as amsmath's align: every line laid out so that nothing is wider than the page."""

from .document import Display, Formula, Line, Reference, Text, Words
from .latex import plain
from .layout import GAP, INDENT, PAGE, TAG, Row, broken, measured, system, text_width, widest
from .spans import LatexSpans

RELATION = 1.35             # ems: the width of `=` with its spaces
REFERENCE = 2.2             # of (12)
MOST_LINES = 2              # of one equation, with its shape beside it
WIDE = 7.0                  # a left-hand side beside which a long formula has too little room
CLOSE_BELOW = r"\begingroup\belowdisplayskip=3pt plus 2pt \belowdisplayshortskip=\belowdisplayskip"
CLOSE_ABOVE = r"\abovedisplayskip=\belowdisplayskip \abovedisplayshortskip=\belowdisplayskip"
AT_MARGIN = r"\hbox to 0pt{\hss\small "
SMALL = 0.92                # the size of reasons beside formulas, against that of text


def display(block: Display, spans: LatexSpans) -> list[str]:
    """Return a display as lines of LaTeX; `spans` prints the reasons in it."""
    if block.kind in ("steps", "routes"):
        return {"steps": _steps, "routes": _routes}[block.kind](block, spans)
    return {"forward": _forward, "backward": _backward, "gradients": _gradients, "chain": _chain}[block.kind](block)


def _forward(block):
    """Numbered lines, with shapes."""
    lines = [(x.left, x.right, x.shape, rf" \label{{{x.label}}}") for x in block.lines]
    return system("align", _with_shapes(lines, TAG, r" \notag"))


def _with_shapes(lines, tag=0.0, unnumbered=""):
    """Lay out (left, right, shape, end): shapes in a column, or behind the formulas where those are long."""
    room = PAGE - tag - widest(x[0] for x in lines if not _is_wide(x[0])) - RELATION
    beside = room - widest(x[2] for x in lines) - (2 if tag else 1) * GAP
    apart = all(len(_under(left, right, beside)) <= MOST_LINES for left, right, _, _ in lines)
    rows = []
    for left, right, shape, end in lines:
        *above, last = _under(left, right, beside if apart else room)
        if apart:
            last = [*last, "", shape + end]
        elif measured(last[-1]) + 2 + measured(shape) <= room:
            last[-1] += rf" \qquad {shape}{end}"
        else:
            above, last = [*above, last], ["", rf"\qquad {shape}{end}"]
        rows += [*(Row([*c[:-1], c[-1] + unnumbered]) for c in above), Row(last, not apart)]
    return rows


def _backward(block):
    """Differentials and the adjoints read off them."""
    groups = [(rf"\eqref{{{g[0].of}}}", g) for g in block.groups]
    if any(g[0].kind != "differential" for _, g in groups):
        return _listed(block)
    return _side_by_side(groups) or _stacked(groups)


def _side_by_side(groups):
    """Differentials on the left, adjoints on the right; [] where that is too wide."""
    adjoints = [(x.left, x.right) for _, g in groups for x in g[1:]]
    total = REFERENCE + GAP + _width([(g[0].left, g[0].right) for _, g in groups])
    if total + (GAP + _width(adjoints) if adjoints else 0) > PAGE:
        return []
    rows = []
    for reference, (differential, *found) in groups:
        beside = [plain(found[0].left), f"= {plain(found[0].right)}"] if found else []
        rows.append(Row([reference, "", plain(differential.left), f"= {plain(differential.right)}", *beside]))
        rows += [Row(["", "", "", "", plain(a.left), f"= {plain(a.right)}"]) for a in found[1:]]
    return system("align*", rows)


def _stacked(groups):
    """Each adjoint under the differential that it is read off."""
    room = PAGE - REFERENCE - GAP - RELATION - widest(x.left for _, g in groups for x in g if not _is_wide(x.left))
    rows = []
    for reference, lines in groups:
        cells = [c for x in lines for c in _under(x.left, x.right, room)]
        rows += [Row([reference if k == 0 else "", "", *c], k == len(cells) - 1) for k, c in enumerate(cells)]
    return system("align*", rows)


def _listed(block):
    """Formulas alone, under each other."""
    room = PAGE - RELATION - widest(x.left for x in block.lines if not _is_wide(x.left))
    return system("align*", [Row(c) for x in block.lines for c in _under(x.left, x.right, room)])


def _is_wide(left):
    """Tell whether a left-hand side is too wide to share a column with others: that of an implicit equation may be."""
    return measured(left) > PAGE / 3


def _under(left, right, room):
    """Return the cells of an equation in a column, what follows a wide left-hand side under it if it must."""
    if not _is_wide(left):
        return _equated(left, broken(right, room))
    whole = f"{plain(left)} = {plain(right)}"
    if measured(whole) <= room:
        return [["", whole]]
    below = (rf"\qquad {{}}{part}" for _, part in _equated("", broken(right, room - INDENT)))
    return [["", part] for part in (*broken(left, room), *below)]


def _gradients(block):
    """The adjoints of the parameters, two to a line where they fit."""
    return _in_pairs(block) or system("align*", _with_shapes([(x.left, x.right, x.shape, "") for x in block.lines]))


def _in_pairs(block):
    """Two gradients a line, those of one line of the forward pass side by side; [] where that is too wide."""
    pairs = [g[k:k + 2] for g in block.groups for k in range(0, len(g), 2)]
    columns = [[p[k] for p in pairs if len(p) > k] for k in (0, 1)]
    total = sum(_width([(x.left, x.right) for x in c]) + GAP + widest(x.shape for x in c) for c in columns if c)
    if total + GAP > PAGE or not columns[1]:
        return []
    rows = [[(plain(x.left), f"= {plain(x.right)}", "", x.shape) for x in pair] for pair in pairs]
    return system("align*", [Row([cell for cells in row for cell in cells]) for row in rows])


def _chain(block):
    """Products of derivatives: each chain on one line, or each of its forms on lines of its own."""
    rows = []
    for lines in block.groups:
        left, parts = lines[0].left, [x.right for x in lines]
        if measured(left) + sum(RELATION + measured(p) for p in parts) <= PAGE:
            rows.append(Row([left, "= " + " = ".join(map(plain, parts))]))
            continue
        room = PAGE - measured(left) - RELATION
        cells = [c for k, part in enumerate(parts) for c in _equated(left if k == 0 else "", broken(part, room))]
        rows += [Row(c, k == len(cells) - 1) for k, c in enumerate(cells)]
    return system("align*", rows)


def _steps(block, spans):
    """Steps with their reasons, each chain of equal expressions by itself, what begins a passage set apart."""
    chains: list[list[Line]] = []
    for line in block.lines:
        chains[-1:] = [[*chains[-1], line]] if chains and line.continues else [*chains[-1:], [line]]
    first, *others = (_chain_of_steps(chain, spans) for chain in chains)
    return [CLOSE_BELOW, *first, CLOSE_ABOVE, *(source for chain in others for source in chain), r"\endgroup"]


def _chain_of_steps(chain, spans):
    """Reasons at the margin, on a line of their own where there is no room beside the formula.

    A wide left-hand side, before a formula that has no room beside it, stands on a line of its own.
    """
    wide = widest(x.left for x in chain if not x.continues)
    alone = wide > WIDE and any(measured(x.right) > PAGE - RELATION - wide for x in chain)
    start = INDENT if alone else wide
    rows = []
    for x in chain:
        left, lines = "" if x.continues else x.left, broken(x.right, PAGE - RELATION - start)
        cells = _equated(left, lines)
        if alone:
            cells = [*([["", plain(left)]] if left else []), *(["", rf"\qquad {right}"] for _, right in cells)]
        used = RELATION + start + measured(lines[-1])
        if used + 2 * GAP + SMALL * _reason_width(x.reason) <= PAGE:
            cells[-1] = [*cells[-1], "", _reason(x.reason, spans)]
        else:
            cells += [["", "", "", part] for part in _reason_lines(x.reason, PAGE - 1, spans)]
        rows += [Row([*c, *[""] * (4 - len(c))]) for c in cells]
    return system("flalign*", rows)


def _routes(block, spans):
    """Ways under each other, before them what they are the ways of, behind them how many paths they are."""
    behind = {id(x): SMALL * _reason_width(x.reason) + GAP * bool(x.reason) for x in block.lines}
    start = widest(x.left for x in block.lines) + GAP
    rows = []
    for x in block.lines:
        first, *others = broken(x.right, PAGE - start - behind[id(x)])
        rows.append(Row(["" if x.continues else plain(x.left), rf"\quad {first}", "", _reason(x.reason, spans)]))
        rows += [Row(["", rf"\quad {line}", "", ""]) for line in others]
    return system("flalign*", rows)


def _reason(text: Text, spans: LatexSpans) -> str:
    """Return a reason as small text at the margin, over whatever room is left beside the formulas."""
    return rf"{AT_MARGIN}{spans.text(text)}}}" if text else ""


def _reason_lines(text, room, spans):
    """Return a reason on as many lines as it needs, broken at its spaces."""
    if SMALL * _reason_width(text) <= room:
        return [_reason(text, spans)]
    words: list[Text] = []
    for span in text:
        parts = [Words(w) for w in span.text.replace(" ", "\0 ").split("\0")] if isinstance(span, Words) else [span]
        for part in parts:
            glued = words and not (isinstance(part, Words) and part.text.startswith(" "))
            words[-1:] = [(*words[-1], part)] if glued else [*words[-1:], (part,)]
    lines: list[Text] = []
    for word in words:
        if lines and _reason_width((*lines[-1], *word)) <= room:
            lines[-1] = (*lines[-1], *word)
        else:
            lines.append(word)
    return [_reason(line, spans) for line in lines]


def _reason_width(text):
    wide = {Reference: lambda s: REFERENCE, Formula: lambda s: measured(s.text)}
    return sum(wide.get(type(s), lambda s: text_width(s.text))(s) for s in text)


def _equated(left, lines):
    """Return the cells of an equation over one or more lines."""
    return [[plain(left) if k == 0 else "", f"= {line}" if k == 0 else line] for k, line in enumerate(lines)]


def _width(equations):
    """Return the width of equations under each other, aligned at their equals signs."""
    return widest(left for left, _ in equations) + RELATION + widest(right for _, right in equations)
