"""The systems of equations of a note: forward, backward, gradients, chains. Each is laid out to fit on the page."""

from sympy import Expr, Idx

from ..program import Equation
from .chain_rule import Chain, chains
from .differentials import Differentials
from .latex import Latex, plain
from .layout import GAP, PAGE, TAG, Row, broken, measured, system, widest
from .pieces import ADD
from .sheet import Sheet, name_of
from .standins import StandIn
from .writer import Writer

RELATION = 1.35             # ems: the width of `=` with its spaces
REFERENCE = 2.2             # of (12)
MOST_LINES = 2              # of one equation, with its shape beside it
BY, PLUS = "\x1f \\cdot ", "\x1f + "


class Systems:
    """Writes the systems of one sheet."""

    def __init__(self, sheet: Sheet, notation: str):
        self.sheet, self.program = sheet, sheet.program
        self.writer, self.differentials = Writer(sheet, Latex, notation), Differentials(sheet)
        self.names = self.writer.names

    # ---- words

    def formula(self, expr: Expr) -> str:
        """Return an expression in index notation."""
        return plain(self.writer.expression(expr).text)

    def is_introduced(self, stand_in: StandIn) -> bool:
        """Tell whether a stand-in has a symbol of its own, unlike softmax(Z), which says what it is."""
        return r"\operatorname" not in self.names.variable(name_of(stand_in.read))

    def shape(self, shape: tuple[Expr, ...]) -> str:
        """Return a shape as a formula."""
        sizes = [self.formula(s) for s in shape]
        return r"\times ".join(f"({s})" if s.count(" ") and len(sizes) > 1 else s for s in sizes) or r"\text{scalar}"

    def label(self, equation: Equation) -> str:
        """Return the label of a line: NAME:VARIABLE."""
        loss = "loss" if "L" in self.program.variables else "L"
        name = loss if equation.name == self.program.loss else equation.name
        initial = "" if all(isinstance(i, Idx) for i in equation.indices) else "-initial"
        return f"{self.program.name}:{name}{initial}"

    def reference(self, equation: Equation) -> str:
        """Return a reference to a line."""
        return rf"\eqref{{{self.label(equation)}}}"

    def _shape_of(self, equation):
        shape = self.program.variables[equation.name].shape
        return self.shape(tuple(s for s, i in zip(shape, equation.indices, strict=True) if isinstance(i, Idx)))

    def _label_of(self, equation):
        return rf" \label{{{self.label(equation)}}}"

    # ---- forward

    def forward(self) -> list[str]:
        """The lines of the forward pass, numbered, with shapes."""
        lines = [(*self.writer.sides(e), self._shape_of(e), self._label_of(e)) for e in self.sheet.lines]
        return system("align", _with_shapes(lines, TAG, r" \notag"))

    # ---- backward

    def backward(self) -> list[str]:
        """The differential of each line, last to first, and the adjoints read off it."""
        rows = [(row, self.differentials.of(row.line)) for row in self.sheet.rows]
        groups = [(self.reference(row.line), self.writer.sides(differential, True),
                   [self.writer.sides(a, True) for a in row.adjoints])
                  for row, differential in rows if differential.rhs != 0 or row.adjoints]
        if not groups:
            return []
        return self._side_by_side(groups) or self._stacked(groups)

    @staticmethod
    def _side_by_side(groups):
        """Differentials on the left, adjoints on the right; [] where that is too wide."""
        adjoints = [a for _, _, found in groups for a in found]
        total = REFERENCE + GAP + _width([d for _, d, _ in groups]) + (GAP + _width(adjoints) if adjoints else 0)
        if total > PAGE:
            return []
        rows = []
        for reference, (left, right), found in groups:
            beside = [plain(found[0][0]), f"= {plain(found[0][1])}"] if found else []
            rows.append(Row([reference, "", plain(left), f"= {plain(right)}", *beside]))
            rows += [Row(["", "", "", "", plain(a), f"= {plain(b)}"]) for a, b in found[1:]]
        return system("align*", rows)

    @staticmethod
    def _stacked(groups):
        """Each adjoint under the differential that it is read off."""
        sides = [side for _, differential, found in groups for side, _ in (differential, *found)]
        room = PAGE - REFERENCE - GAP - RELATION - widest(sides)
        rows = []
        for reference, differential, found in groups:
            cells = [c for left, right in (differential, *found) for c in _equated(left, broken(right, room))]
            rows += [Row([reference if k == 0 else "", "", *c], k == len(cells) - 1) for k, c in enumerate(cells)]
        return system("align*", rows)

    # ---- gradients

    def gradients(self) -> list[str]:
        """The adjoints of the parameters, two to a line where they fit."""
        cells = [(*self.writer.sides(e, True), self._shape_of(e)) for e in self.sheet.gradients]
        if not cells:
            return []
        return self._in_pairs(cells) or system("align*", _with_shapes([(*c, "") for c in cells]))

    def _in_pairs(self, cells):
        """Two gradients a line, those of one line of the forward pass side by side; [] where that is too wide."""
        counts = [len(row.gradients) for row in self.sheet.rows]
        pairs, start = [], 0
        for count in [*counts, *[1] * (len(cells) - sum(counts))]:
            group = cells[start:start + count]
            pairs += [group[k:k + 2] for k in range(0, len(group), 2)]
            start += count
        blocks = [[p[k] for p in pairs if len(p) > k] for k in (0, 1)]
        total = sum(_width([c[:2] for c in b]) + GAP + widest(c[2] for c in b) for b in blocks if b)
        if total + GAP > PAGE or not blocks[1]:
            return []
        rows = [[(plain(left), f"= {plain(right)}", "", shape) for left, right, shape in pair] for pair in pairs]
        return system("align*", [Row([cell for block in row for cell in block]) for row in rows])

    # ---- the chain rule

    def chains(self) -> list[str]:
        """The derivatives along chains of scalars, factor by factor; [] where there are none."""
        rows = []
        for chain in chains(self.sheet, self.differentials):
            left, *parts = self._chain(chain)
            if measured(left) + sum(RELATION + measured(p) for p in parts) <= PAGE:
                rows.append(Row([left, "= " + " = ".join(map(plain, parts))]))
                continue
            room = PAGE - measured(left) - RELATION
            cells = [c for k, part in enumerate(parts) for c in _equated(left if k == 0 else "", broken(part, room))]
            rows += [Row(c, k == len(cells) - 1) for k, c in enumerate(cells)]
        return system("align*", rows) if rows else []

    def _chain(self, chain: Chain):
        """Return dL/dx, its factors, their values and the product where it folds."""
        alone = len(chain.paths) == 1 and all(link.total for link in chain.paths[0])
        left = _derivative(self.names.loss, self.names.variable(chain.parameter), alone)
        factors = [BY.join(_derivative(self.names.variable(k.of), self.names.variable(k.by), k.total) for k in path)
                   for path in chain.paths]
        values = [BY.join(self._factor(link) for link in path) for path in chain.paths]
        result = [self._value(chain.result, chain.parameter).text] if chain.folds else []
        return [left, PLUS.join(factors), PLUS.join(values), *result]

    def _factor(self, link):
        piece = self._value(link.value, link.by)
        return f"({piece.text})" if piece.level == ADD else piece.text

    def _value(self, expr, name):
        """Return the value of a derivative by a variable, in the variable's shape."""
        lhs = self.differentials.tangents[name].at(*self.program.variables[name].indices)
        return self.writer.equation(Equation(lhs, expr), True)[1]


def _with_shapes(lines, tag=0.0, unnumbered=""):
    """Lay out (left, right, shape, end): shapes in a column, or behind the formulas where those are long."""
    room = PAGE - tag - widest(x[0] for x in lines) - RELATION
    beside = room - widest(x[2] for x in lines) - (2 if tag else 1) * GAP
    apart = all(len(broken(right, beside)) <= MOST_LINES for _, right, _, _ in lines)
    rows = []
    for left, right, shape, end in lines:
        *above, last = _equated(left, broken(right, beside if apart else room))
        if apart:
            last = [*last, "", shape + end]
        elif measured(last[-1]) + 2 + measured(shape) <= room:
            last[-1] += rf" \qquad {shape}{end}"
        else:
            above, last = [*above, last], ["", rf"\qquad {shape}{end}"]
        rows += [*(Row([*c[:-1], c[-1] + unnumbered]) for c in above), Row(last, not apart)]
    return rows


def _equated(left, lines):
    """Return the cells of an equation over one or more lines."""
    return [[plain(left) if k == 0 else "", f"= {line}" if k == 0 else line] for k, line in enumerate(lines)]


def _width(equations):
    """Return the width of equations under each other, aligned at their equals signs."""
    return widest(left for left, _ in equations) + RELATION + widest(right for _, right in equations)


def _derivative(of, by, total):
    d = r"\mathrm d" if total else r"\partial "
    return rf"\frac{{{d}{of}}}{{{d}{by}}}"
