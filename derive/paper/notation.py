"""The Notation paragraph of a note: the symbols that it uses, and the table of inputs and parameters."""

import re
from string import ascii_lowercase, ascii_uppercase

from ..program import Variable
from . import higher_words
from .layout import PAGE, Row, columns, text_width
from .prose import code, escaped, listed
from .systems import Systems

LETTERS = "V" + ascii_uppercase + ascii_lowercase
MOST_ROWS = 30              # of one table; a longer one is continued in another, so that a page can end between them
FUNCTION = re.compile(r"\\(operatorname\{(?!diag|tr|softmax)|exp|log(?!\\sum)|(tan|sin|cos)h?|sqrt)|\^[2-9{]")
BRACKET = re.compile(r"(?<!\\)\[(?!1ex|-1)")
ARG_MAX = r"\operatorname*{arg\,max}"


class Notation:
    """Explains what the equations of some systems use; `body` is the text of the note."""

    def __init__(self, systems: Systems, body: str, notation: str):
        self.systems, self.body, self.notation = systems, body, notation
        self.program, self.names = systems.program, systems.names
        self.any = next((c for c in LETTERS if not self.names.is_taken(c)), LETTERS[0])     # stands for any variable
        self.has_arrays = any(v.shape for v in self.program.variables.values())

    def sentences(self) -> list[str]:
        """The symbols, one sentence each."""
        paragraphs = (self._sizes, self._indices, self._symbols, self._states, self._adjoint, self._higher,
                      self._abbreviations)
        return [sentence for tell in paragraphs for sentence in tell()]

    def _sizes(self):
        free = [f"${self.names.size(s.name)}$" for s in self.program.sizes if s not in self.program.derived]
        derived = [f"${self.names.size(s.name)} = {self.systems.formula(e)}$" for s, e in self.program.derived.items()]
        if not free:
            return [f"The sizes are {listed(derived)}."] if derived else []
        text = f"The sizes are {listed(free)}" if len(free) > 1 else f"The size is {free[0]}"
        return [f"{text}, and {listed(derived)}." if derived else f"{text}."]

    def _indices(self):
        """Say where indices start, in index notation."""
        ranges = {n: sizes[0] for n, sizes in self.names.ranges.items() if len(sizes) == 1 and not n[-1].isdigit()}
        if self.notation != "index" or not ranges:
            return []
        told = [f"${self.names.index(n)} < {self.systems.formula(s)}$" for n, s in sorted(ranges.items())]
        sums = "; a sum without bounds runs over all values of its index" if r"\sum" in self.body else ""
        return [f"Indices count from $0$: {listed(told)}{sums}."]

    def _symbols(self):
        """Say what 1, the products and the brackets are, those that occur."""
        matrix = self.notation == "matrix"
        functions = any(v.shape and v.kind == "variable" and not v.primal for v in self.program.variables.values())
        told = [meaning for occurs, meaning in (
            (matrix and any(len(v.shape) == 1 for v in self.program.variables.values()), "vectors are columns"),
            (r"\mathbf 1_" in self.body, r"$\mathbf 1_r$ is the column of $r$ ones"),
            (r"\odot" in self.body, r"$\odot$ is the elementwise product"),
            (r"\oslash" in self.body, r"$\oslash$ is the elementwise quotient"),
            (r"\langle" in self.body, r"$\langle A, B\rangle = \operatorname{tr}(A^\top B)$"),
            (ARG_MAX in self.body, f"${ARG_MAX}$ is the place of the first of the largest, row by row from $0$"),
            (matrix and functions and FUNCTION.search(self.body), "functions and powers act elementwise"),
            (BRACKET.search(self.body), r"$[\,\cdot\,]$ is $1$ where its condition holds and $0$ elsewhere"),
        ) if occurs]
        text = ", and ".join([*([", ".join(told[:-1])] if told[:-1] else []), *told[-1:]])
        return [f"{text[0].upper()}{text[1:]}."] if told else []

    def _states(self):
        states = [v for v in self.program.variables.values() if v.state and not v.primal]
        if not states:
            return []
        names = listed([f"${self.names.variable(v.name)}$" for v in states])
        rows = "Row $-1$ of {} is its initial value" if len(states) == 1 else "Rows $-1$ of {} are their initial values"
        return [rows.format(names) + "; a term whose bracket is $0$ is $0$, whatever it would read."]

    def pairing(self) -> str:
        """Return how the adjoint of a variable and its differential make that of the loss."""
        pair = rf"\langle\delta_{self.any}, \mathrm d{self.any}\rangle" if self.has_arrays \
            else rf"\delta_{self.any}\,\mathrm d{self.any}"
        return rf"\mathrm d{self.names.loss} = {pair}"

    def _higher(self):
        return higher_words.sentences(self.program, self.names, self.any) if self.program.results else []

    def _adjoint(self):
        if self.program.results and not any(self.program.variables[e.name].primal for e in self.program.equations):
            return []
        shipped = self.program.source.startswith("derive/networks/")
        module = code(f"{'generated/' if shipped else ''}{self.program.name}.py")
        shape = f". It has the shape of ${self.any}$, and" if self.has_arrays else ", and"
        meaning = rf"$\delta_{self.any} = \partial {self.names.loss}/\partial {self.any}$"
        return [rf"The \emph{{adjoint}} of ${self.any}$ is {meaning}{shape} ${self.pairing()}$; "
                rf"in \texttt{{{module}}} it is \texttt{{d{self.any}}}."]

    def _abbreviations(self):
        told = [rf"${symbol}$ is \texttt{{{code(name)}}}" for name, symbol in self.names.abbreviated().items()]
        return [f"Long names are abbreviated: {listed(told)}."] if told else []

    # ---- the table

    def table(self) -> list[str]:
        """The inputs beside the parameters, those of one note on one line; under each other where that is too wide."""
        inputs = [self._cells(g) for g in _grouped(self.program.inputs)]
        parameters = [self._cells(g) for g in _grouped(self.program.parameters)]
        if not inputs or not parameters or max(len(inputs), len(parameters)) > MOST_ROWS \
                or _table_width(inputs) + _table_width(parameters) + 2 > PAGE:
            cells = [*inputs, *parameters]
            return [line for k in range(0, len(cells), MOST_ROWS) for line in _tabular(cells[k:k + MOST_ROWS])]
        height = max(len(inputs), len(parameters))
        left, right = ([*rows, *[["", "", ""]] * (height - len(rows))] for rows in (inputs, parameters))
        return _tabular([[*a, *b] for a, b in zip(left, right, strict=True)])

    def _cells(self, group: list[Variable]):
        symbols = r",\ ".join(self.names.variable(v.name) for v in group)
        shapes = list(dict.fromkeys(self.systems.shape(v.shape) for v in group))
        shape = r",\ ".join(self.systems.shape(v.shape) for v in group) if len(shapes) > 1 else shapes[0]
        note = escaped(group[0].note)
        if group[0].kind == "labels":
            v = group[0]
            read, classes = self.systems.formula(v.at(*v.indices)), self.systems.formula(v.classes)
            note = f"{note or 'labels'} $0 \\le {read} < {classes}$"
        return [f"${symbols}$", f"${shape}$".replace(r"$\text{scalar}$", "scalar"), note]


def _grouped(variables):
    """Put neighbours that have the same note on one line: a few, more of them where all have one shape."""
    groups: list[list[Variable]] = []
    for v in variables:
        last = groups[-1] if groups else []
        alike = last and v.note and last[0].note == v.note and v.kind != "labels"
        if alike and len(last) < (4 if all(o.shape == v.shape for o in last) else 2):
            last.append(v)
        else:
            groups.append([v])
    return groups


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
