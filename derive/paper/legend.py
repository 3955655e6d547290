"""The legend of a note: the symbols that it uses, and the table of inputs and parameters."""

import re
from string import ascii_lowercase, ascii_uppercase

from ..program import Variable
from ..triangles import factor
from .document import Code, Display, Entry, Formula, Table, Text, Words
from .latex import plain

LETTERS = "V" + ascii_uppercase + ascii_lowercase
FUNCTION = re.compile(r"\\(operatorname\{(?!diag|tr|softmax)|exp|log(?!\\sum)|(tan|sin|cos)h?|sqrt)|\^[2-9{]")
INVERSE = re.compile(r"\\operatorname\{diag\}(?:\([^()]*\)|\\[bB]igg?l\(.*?\\[bB]igg?r\))\^\{-1\}")
BRACKET = re.compile(r"(?<!\\)\[(?!1ex|-1)")


class Legend:
    """Explains what the displays of a note use; `composer` knows the program, its names and the language."""

    def __init__(self, composer, displays: list[Display], stand_ins: Text):
        self.composer, self.program, self.names = composer, composer.program, composer.names
        self.say, self.language = composer.language.say, composer.language
        formulas = [plain(f"{line.left} = {line.right}") for d in displays for line in d.lines]
        self.body = "\n".join([*formulas, *(s.text for s in stand_ins if isinstance(s, Formula))])
        self.any = next((c for c in LETTERS if not self.names.is_taken(c)), LETTERS[0])     # stands for any variable
        self.has_arrays = any(v.shape for v in self.program.variables.values())

    def sentences(self) -> list[Text]:
        """The symbols, one sentence each."""
        told = [self._sizes(), self._indices(), self._symbols(), self._states(), self._adjoint(), self._multipliers(),
                self._triangular(), *self._higher(), self._abbreviations()]
        return [t for t in told if t]

    def _sizes(self):
        free = [self.names.size(s.name) for s in self.program.sizes if s not in self.program.derived]
        derived = [f"{self.names.size(s.name)} = {self.composer.formula(e)}" for s, e in self.program.derived.items()]
        if not free:
            return self.say("sizes", sizes=self.language.formulas(derived)) if derived else ()
        key = "size" if len(free) == 1 else "sizes"
        if not derived:
            return self.say(key, sizes=self.language.formulas(free))
        told = self.language.formulas(derived)
        return self.say(f"{key} and derived", sizes=self.language.formulas(free), derived=told)

    def _indices(self):
        """Say where indices start, in index notation."""
        ranges = {n: sizes[0] for n, sizes in self.names.ranges.items() if len(sizes) == 1 and not n[-1].isdigit()}
        by_index = self.composer.notation.form == "index" or self.composer.notation.level == "every-step"
        if not by_index or not ranges:
            return ()
        told = [f"{self.names.index(n)} < {self.composer.formula(s)}" for n, s in sorted(ranges.items())]
        key = "indices and sums" if r"\sum" in self.body else "indices"
        return self.say(key, ranges=self.language.formulas(told))

    def _symbols(self):
        """Say what 1, the products and the brackets are, those that occur."""
        matrix = self.composer.notation.form == "matrix"
        own = [v for v in self.program.variables.values() if not v.primal]
        functions = any(v.shape and v.kind == "variable" for v in own)
        columns = self.composer.notation.batch == "columns" and any(len(v.shape) == 2 for v in own)
        identity = self.names.unused("I", r"\mathbb I")
        told = [self.say(key, **parts) for occurs, key, *more in (
            (columns, "batch in columns"),
            (matrix and any(len(v.shape) == 1 for v in self.program.variables.values()), "columns"),
            (r"\mathbf 1_" in self.body, "ones"),
            (re.search(rf"(?<![A-Za-z]){re.escape(identity)}_", self.body), "identity", Formula(f"{identity}_r")),
            (r"\odot" in self.body, "hadamard"),
            (r"\oslash" in self.body, "quotient"),
            (r"\operatorname{diag}" in self.body, "diagonal" if not INVERSE.search(self.body) else "diagonal, inverse"),
            (r"\langle" in self.body, "inner"),
            (r"\operatorname*{arg\,max}" in self.body, "place"),
            (matrix and functions and FUNCTION.search(self.body), "elementwise"),
            (BRACKET.search(self.body), "bracket"),
        ) if occurs for parts in [{"symbol": more[0]} if more else {}]]
        return self.language.facts(told)

    def _states(self):
        states = [v for v in self.program.variables.values() if v.state and not v.primal]
        if not states:
            return ()
        names = self.language.formulas([self.names.whole(v.name) for v in states])
        return self.say("state" if len(states) == 1 else "states", names=names)

    def pairing(self) -> str:
        """Return how the adjoint of a variable and its differential make that of the loss."""
        adjoint = self.names.adjoint_of(self.any)
        pair = rf"\langle{_spaced(adjoint)}, \mathrm d{self.any}\rangle" if self.has_arrays \
            else rf"{adjoint}\,\mathrm d{self.any}"
        return rf"\mathrm d{self.names.loss} = {pair}"

    def _multipliers(self):
        found = [v for v in self.program.variables.values() if v.multiplier and v.primal and not v.tangent_of]
        if not found:
            return ()
        letter = self.names.whole(found[0].primal or "")
        return self.say("multiplier", variable=Formula(letter), symbol=Formula(self.names.whole(found[0].name)))

    def _triangular(self):
        found = [self.names.whole(e.name) for e in self.program.equations if factor(e)]
        return self.say("triangular", factors=self.language.formulas(found)) if found else ()

    def _higher(self):
        """Say what tangents, Jacobians and matrices of second derivatives are, where a program has them."""
        if not self.program.results:
            return []
        defined = {e.name for e in self.program.equations}
        variable = Formula(self.any)
        told = []
        if any(v.tangent_of for v in self.program.variables.values()):
            told.append(self.say("tangent", symbol=Formula(rf"\dot {self.any}"), variable=variable))
        if any(name.startswith("J_") for name in defined):
            told.append(self.say("jacobian", symbol=Formula(f"J_{self.any}"), variable=variable))
        for head in dict.fromkeys(n.partition("_")[0] for n in self.program.results.values() if n.count("_") > 1):
            if head in "HGF":
                derivatives = Formula(rf"\partial^2 {self.names.loss}/\partial V\,\partial W")
                told.append(self.say(f"block {head}", symbol=Formula(f"{head}_{{V,W}}"), derivatives=derivatives))
        return told

    def _adjoint(self):
        if self.program.results and not any(self.program.variables[e.name].primal for e in self.program.equations):
            return ()
        shipped = self.program.source.startswith("derive/networks/")
        module = Code(f"{'generated/' if shipped else ''}{self.program.name}.py")
        derivative = rf"\partial {self.names.loss}/\partial {self.any}"
        symbol = self.names.adjoint_of(self.any)
        meaning = derivative if symbol.startswith(r"\frac") else f"{symbol} = {derivative}"
        key = "adjoint and shape" if self.has_arrays else "adjoint"
        return self.say(key, variable=Formula(self.any), meaning=Formula(meaning), pairing=Formula(self.pairing()),
                        module=module, code=Code(f"d{self.any}"))

    def _abbreviations(self):
        told = [self.say("abbreviation", symbol=Formula(symbol), code=Code(name))
                for name, symbol in self.names.abbreviated().items()]
        return self.say("abbreviated", names=self.language.listed(told)) if told else ()

    # ---- the table

    def table(self) -> Table:
        """The inputs and the parameters, neighbours of one note on one line."""
        return Table(*(tuple(map(self._entry, _grouped(v))) for v in (self.program.inputs, self.program.parameters)))

    def _entry(self, group: list[Variable]):
        symbols = r",\ ".join(self.names.whole(v.name) for v in group)
        shapes = [self.composer.shape(v.shape) for v in group]
        shape = r",\ ".join(shapes) if len(set(shapes)) > 1 else shapes[0]
        note = self.language.translated(group[0].note)
        meaning: Text = (Words(note),) if note else ()
        if group[0].kind == "labels":
            v = group[0]
            read, classes = self.composer.formula(v.at(*v.indices)), self.composer.formula(v.classes)
            meaning = (*(meaning or self.say("labels")), Words(" "), Formula(rf"0 \le {read} < {classes}"))
        return Entry(symbols, shape, meaning, tuple(v.name for v in group))


def _spaced(adjoint):
    return adjoint if adjoint.startswith("\\") else f" {adjoint}"


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
