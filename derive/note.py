"""The note of a derived program: its derivation as a section of LaTeX (amsmath) that stands in lecture notes as it is."""

from sympy import Expr, Idx

from .conventions import conventions
from .paper.chains import Chain, chains
from .paper.differentials import Differentials
from .paper.latex import Latex, plain
from .paper.layout import GAP, PAGE, TAG, broken, columns, measured, system, widest
from .paper.names import braced
from .paper.prose import escaped
from .paper.sheet import Row, Sheet
from .paper.writer import Writer
from .program import Equation, Program, Variable

DOCUMENT = r"""\documentclass{article}
\usepackage{amsmath}
\begin{document}
%s
\end{document}
"""
MOST_ROWS = 24              # of one table of symbols; a longer one is continued in another, so that a page can break


def note(program: Program, notation: str = "matrix", standalone: bool = False) -> str:
    """Return the LaTeX note of a derived program; `standalone` makes it a document of its own.

    Raises
    ------
    DerivationError
        A notation other than "matrix" and "index", or an expression without a notation.
    """
    text = _Note(program, notation).text()
    return DOCUMENT % text.rstrip("\n") if standalone else text


class _Note:
    """The paragraphs of a note. What they introduce depends on what the equations use, so those are written first."""

    def __init__(self, program, notation):
        self.program, self.notation = program, notation
        self.sheet = Sheet(program)
        self.differentials = Differentials(self.sheet)
        self.writer = Writer(self.sheet, Latex, notation)
        self.names = self.writer.names

    def text(self) -> str:
        """Return the whole note."""
        forward, backward, gradients = self.forward(), self.backward(), self.gradients()
        rest = [*self.chain_rule(), *self.update(), *self.kinks()]
        introduction = self.introduction([*backward, *gradients, *rest])
        head = [f"% Generated from {_source(self.program)}; do not edit.", rf"\section{{{escaped(self.program.title)}}}"]
        notation = self.notation_paragraph([*forward, *introduction, *backward, *gradients, *rest])
        parts = [head, notation, forward, [*introduction, *backward], gradients, rest]
        return "\n\n".join("\n".join(p) for p in parts if p) + "\n"

    def label(self, equation: Equation) -> str:
        """Return the label of a line: NAME:VARIABLE, with the row where a state has more than one line."""
        row = next((f"@{i}" for i in equation.indices if not isinstance(i, Idx)), "")
        name = "L" if equation.name == self.program.loss else equation.name
        return f"{self.program.name}:{name}{row}"

    def reference(self, equation: Equation) -> str:
        """Return a reference to a line."""
        return rf"\eqref{{{self.label(equation)}}}"

    def shape(self, shape: tuple[Expr, ...]) -> str:
        """Return a shape, in a formula."""
        sizes = [plain(self.writer.expression(s).text) for s in shape]
        return r"\times ".join(f"({s})" if "+" in s or "-" in s else s for s in sizes) or r"\text{scalar}"

    # ---- forward

    def forward(self) -> list[str]:
        """The lines of the forward pass, numbered, with shapes."""
        rows = [(*self.writer.sides(e), self.shape(self.program.variables[e.name].shape), self.label(e))
                for e in self.sheet.lines]
        room = PAGE - widest(r[0] for r in rows) - 1 - widest(r[2] for r in rows) - 2 * GAP - TAG
        cells = []
        for left, right, shape, label in rows:
            *above, last = broken(right, room)
            for k, part in enumerate(above):
                cells.append([plain(left) if k == 0 else "", ("= " if k == 0 else "") + part + r" \notag"])
            equals = "" if above else "= "
            cells.append(["" if above else plain(left), equals + last, "", rf"{shape} \label{{{label}}}"])
        return [r"\paragraph{Forward.}", *system("align", _joined(cells))]

    # ---- backward

    def backward(self) -> list[str]:
        """The differential of each line, last to first, and the adjoints read off it."""
        rows = [(self.reference(row.line), self.writer.sides(self.differentials.of(row.line), True),
                 [self.writer.sides(a, True) for a in row.adjoints]) for row in self.sheet.rows]
        return self._side_by_side(rows) or self._stacked(rows)

    def _side_by_side(self, rows):
        """Differentials on the left, adjoints on the right; [] where that is too wide."""
        left, right = widest(r[1][0] for r in rows), widest(r[1][1] for r in rows)
        adjoints = [a for r in rows for a in r[2]]
        total = 2.2 + GAP + left + 1 + right + GAP + widest(a[0] for a in adjoints) + 1 + widest(a[1] for a in adjoints)
        if total > PAGE:
            return []
        cells = []
        for reference, (lhs, rhs), found in rows:
            cells.append([reference, "", lhs, f"= {rhs}", *([found[0][0], f"= {found[0][1]}"] if found else [])])
            cells += [["", "", "", "", a, f"= {b}"] for a, b in found[1:]]
        return system("align*", _joined(cells))

    def _stacked(self, rows):
        """Each adjoint under the differential that it is read off."""
        room = PAGE - 2.2 - GAP - 1 - widest(side for r in rows for side in (r[1][0], *(a for a, _ in r[2])))
        cells = []
        for k, (reference, differential, found) in enumerate(rows):
            for m, (lhs, rhs) in enumerate([differential, *found]):
                first, *more = broken(rhs, room)
                cells.append([reference if m == 0 else "", "", lhs, f"= {first}"])
                cells += [["", "", "", part] for part in more]
            if k < len(rows) - 1:
                cells[-1][-1] += GROUP_END
        return system("align*", _joined(cells))

    def introduction(self, body: list[str]) -> list[str]:
        """What is done on the way back, and the symbols that are introduced for it."""
        text = "Take the differential of each line, last to first, "
        text += f"substitute it in ${self._pairing()}$, and read off the adjoints."
        readers: dict[str, int] = {}
        for row in self.sheet.rows:
            for name in self.sheet.needs(row.line):
                readers[name] = readers.get(name, 0) + 1
        if any(count > 1 for count in readers.values()):
            text += " What several lines read has the sum of what each sends back as its adjoint."
        text += "".join(f" {s}" for s in self._stand_ins())
        return [r"\paragraph{Backward.}", text]

    def _pairing(self):
        """Return how the adjoint of V pairs with its differential."""
        scalar = all(not v.shape for v in self.program.variables.values())
        return r"\mathrm dL = \delta_V\,\mathrm dV" if scalar else r"\mathrm dL = \langle\delta_V, \mathrm dV\rangle"

    def _stand_ins(self):
        """Say what P and Y stand for."""
        told = []
        for name, stand_in in self.writer.used.items():
            if name.startswith("softmax of"):
                continue
            left, right = (plain(self.writer.expression(e).text) for e in (stand_in.read, stand_in.meaning))
            what = "the labels" if name.startswith("one-hot") else "the class probabilities" if True else ""
            told.append(f"${left} = {right}$ for {what}")
        return [f"Write {' and '.join(told)}."] if told else []

    # ---- gradients

    def gradients(self) -> list[str]:
        """The adjoints of the parameters, two to a line where they fit."""
        groups = [(row.line, row.gradients) for row in self.sheet.rows if row.gradients]
        equations = self.sheet.gradients
        if not equations:
            return []
        cells = [(*self.writer.sides(e, True), self.shape(self.program.variables[e.name].shape)) for e in equations]
        lines = [self.reference(line) for line, _ in groups]
        where = f", read off from {_listed(lines)}" if 0 < len(lines) <= 6 else ""
        head = rf"\paragraph{{Gradients.}} The {'parameter' if len(cells) == 1 else 'parameters'}' adjoints{where}:"
        if len(cells) == 1:
            head = rf"\paragraph{{Gradient.}} The parameter's adjoint{where}:"
        return [head, *(self._in_pairs(cells, [len(g) for _, g in groups]) or self._one_a_line(cells))]

    def _in_pairs(self, cells, counts):
        """Two gradients a line, those of one line of the forward pass side by side; [] where that is too wide."""
        pairs, start = [], 0
        for count in [*counts, *[1] * (len(cells) - sum(counts))]:
            group = cells[start:start + count]
            pairs += [group[k:k + 2] for k in range(0, len(group), 2)]
            start += count
        blocks = [[p[k] for p in pairs if len(p) > k] for k in (0, 1)]
        total = sum(widest(c[0] for c in b) + 1 + widest(c[1] for c in b) + GAP + widest(c[2] for c in b) for b in blocks if b)
        if total + GAP > PAGE:
            return []
        return system("align*", _joined([[x for c in p for x in (c[0], f"= {c[1]}", "", c[2])] for p in pairs]))

    def _one_a_line(self, cells):
        room = PAGE - widest(c[0] for c in cells) - 1 - GAP - widest(c[2] for c in cells)
        rows = []
        for left, right, shape in cells:
            first, *more = broken(right, room)
            rows.append([left, f"= {first}", "", shape])
            rows += [["", part] for part in more]
        return system("align*", _joined(rows))

    # ---- the chain rule, the update, conventions

    def chain_rule(self) -> list[str]:
        """The derivatives along each chain of scalars, factor by factor."""
        found = chains(self.sheet, self.differentials)
        if not found:
            return []
        rows = []
        for chain in found:
            left, *parts = self._chain(chain)
            if measured(left) + sum(1.35 + measured(p) for p in parts) <= PAGE:
                rows.append([left, "= " + " = ".join(map(plain, parts))])
                continue
            for k, part in enumerate(parts):
                first, *more = broken(part, PAGE - measured(left) - 2)
                rows.append([left if k == 0 else "", f"= {first}"])
                rows += [["", m] for m in more]
        return [r"\paragraph{Chain rule.} The same, factor by factor:", *system("align*", rows)]

    def _chain(self, chain: Chain):
        names = self.names.variable
        single = len(chain.paths) == 1 and all(link.total for link in chain.paths[0])
        paths = []
        for path in chain.paths:
            paths.append(BY.join(_derivative(names(k.of), names(k.by), k.total) for k in path))
        values = [BY.join(self._factor(k) for k in path) for path in chain.paths]
        left = _derivative(self.names.loss, names(chain.parameter), single)
        result = [self._value(chain.result, chain.parameter)] if chain.folds else []
        return [left, PLUS.join(paths), PLUS.join(values), *result]

    def _factor(self, link):
        piece = self._written(link.value, link.by)
        return f"({piece.text})" if piece.level == 0 else piece.text

    def _value(self, expr, parameter):
        return self._written(expr, parameter).text

    def _written(self, expr, name):
        """Return the value of a derivative by a variable, in its shape."""
        variable = self.program.variables[name]
        lhs = self.differentials.tangents[name].at(*variable.indices)
        return self.writer.equation(Equation(lhs, expr), True)[1]

    def update(self) -> list[str]:
        """One step of gradient descent."""
        parameters = [self.names.variable(p.name) for p in self.program.parameters]
        if not parameters:
            return []
        rate = self.names.unused(r"\eta", r"\lambda", r"\epsilon")
        first = parameters[0]
        step = rf"{first} \leftarrow {first} - {rate}\,\delta_{braced(first)}"
        rest = "" if len(parameters) == 1 else ", and likewise for the other parameters"
        return ["", rf"\paragraph{{Update.}} A step of gradient descent at the learning rate ${rate}$ is ${step}${rest}."]

    def kinks(self) -> list[str]:
        """The conventions at kinks."""
        told = conventions(self.program)
        if not told:
            return []
        word = "Convention" if len(told) == 1 else "Conventions"
        return [f"{word}: {'; '.join(map(_convention, told))}."]

    # ---- notation

    def notation_paragraph(self, body: list[str]) -> list[str]:
        """The symbols that the note uses, then the table of parameters and inputs."""
        sentences = [*self._sizes(), *self._symbols("\n".join(body)), *self._indices("\n".join(body))]
        sentences += self._adjoints() + self._abbreviations()
        return [r"\paragraph{Notation.}", *sentences, *self._table()]

    def _sizes(self):
        free = [s for s in self.program.sizes if s not in self.program.derived]
        symbols = [f"${self.names.size(s.name)}$" for s in free]
        told = [f"The {'size' if len(free) == 1 else 'sizes'} {_listed(symbols)} may be any."] if free else []
        for size, value in self.program.derived.items():
            told.append(f"${self.names.size(size.name)} = {plain(self.writer.expression(value).text)}$.")
        return told

    def _symbols(self, body):
        told = []
        if r"\mathbf 1_" in body:
            told.append(r"$\mathbf 1_r$ is the column of $r$ ones")
        if r"\odot" in body:
            told.append(r"$\odot$ the elementwise product")
        if r"\oslash" in body:
            told.append(r"$\oslash$ the elementwise quotient")
        if r"\langle" in body:
            told.append(r"$\langle A, B\rangle = \operatorname{tr}(A^\top B)$")
        sentence = [", ".join(told) + "."] if told else []
        return sentence

    def _indices(self, body):
        return []

    def _adjoints(self):
        module = f"generated/{self.program.name}.py" if self.program.source.startswith("derive/networks/") \
            else f"{self.program.name}.py"
        return [
            r"The \emph{adjoint} of $V$ is $\delta_V = \partial L/\partial V$. It has the shape of $V$, and",
            rf"${self._pairing()}$; in \texttt{{{_code(module)}}} it is \texttt{{dV}}.",
        ]

    def _abbreviations(self):
        return [rf"${symbol}$ is \texttt{{{_code(name)}}}." for name, symbol in self.names.abbreviated().items()]

    def _table(self):
        """The inputs and the parameters with their shapes; those of one note on one line."""
        inputs, parameters = _grouped(self.program.inputs), _grouped(self.program.parameters)
        rows = [self._table_row(g) for g in [*inputs, *parameters]]
        lines = columns(rows)
        body = [f"{line} \\\\" for line in lines[:-1]] + lines[-1:]
        return [r"\begin{center}\begin{tabular}{@{}lll@{}}", *body, r"\end{tabular}\end{center}"]

    def _table_row(self, group: list[Variable]):
        symbols = r",\ ".join(self.names.variable(v.name) for v in group)
        shapes = r",\ ".join(self.shape(v.shape) for v in group)
        note = escaped(group[0].note)
        if group[0].kind == "labels":
            v = group[0]
            entry = plain(self.writer.expression(v.at(*v.indices)).text)
            note = f"{note or 'labels'} $0 \\le {entry} < {plain(self.writer.expression(v.classes).text)}$"
        return [f"${symbols}$", f"${shapes}$", note]


BY = "\x1f \\cdot "
PLUS = "\x1f + "
GROUP_END = "%group"


def _derivative(of, by, total):
    d = r"\mathrm d" if total else r"\partial "
    return rf"\frac{{{d}{of}}}{{{d}{by}}}"


def _joined(rows):
    """Drop empty cells at the end of rows, and put `=` next to its `&`."""
    return [[plain(c) for c in row] for row in rows]


def _grouped(variables):
    groups: list[list[Variable]] = []
    for v in variables:
        if groups and v.note and groups[-1][0].note == v.note and v.kind != "labels" and len(groups[-1]) < 3:
            groups[-1].append(v)
        else:
            groups.append([v])
    return groups


def _listed(words):
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _source(program):
    if program.source.startswith("derive/networks/"):
        return f"{program.source} by `derive build {program.name}`"
    return f"{program.source} by `derive build {program.source}`" if program.source else "a script by derive.note"


def _code(text):
    return text.replace("_", r"\_")


def _convention(text):
    return text
