"""From a derivation to a document: its steps as lines, its sentences in the reader's language and notation."""

import re

from sympy import Add, Expr, Idx, Mul

from ..cost import cost_of, grouped, in_named_sizes
from ..kinks import conventions
from ..notations import Notation
from ..program import Equation, Program
from .chain_rule import Chain, chains
from .derivation import Derivation, Reason, Step
from .document import (
    Display,
    Document,
    Formula,
    Line,
    Paragraph,
    Section,
    Table,
    Text,
    Words,
    joined,
    paragraph,
    sentence,
)
from .drawing import path_section
from .language import Language
from .latex import MARK, Latex, plain
from .legend import Legend
from .pieces import ADD
from .sheet import name_of
from .writer import Writer

MOST_REFERENCES = 6         # to lines, in one sentence
FEW_TERMS, MOST_TERMS = 3, 12       # of a cost: few are shown as they are, of more those of the highest degree
MANY_TERMS = 100        # whose order SymPy takes long to find: it looks at every symbol of every term
BY, PLUS = f"{MARK} \\cdot ", f"{MARK} + "


def composed(program: Program, notation: Notation) -> Document:
    """Return the note of a derived program as a document.

    Raises
    ------
    DerivationError
        An expression without a notation, or a path from what is no variable before the loss.
    """
    return Composer(program, notation).document()


class Composer:
    """Composes the document of one program."""

    def __init__(self, program: Program, notation: Notation):
        self.program, self.notation = program, notation
        self.derivation = Derivation(program, notation.level)
        self.sheet = self.derivation.sheet
        self.language = Language(notation.language, notation.phrases)
        self.writer = Writer(self.sheet, Latex, notation)
        self.names = self.writer.names

    def document(self) -> Document:
        """Return the document."""
        forward = Display("forward", tuple((self._forward(e),) for e in self.derivation.forward))
        back = self._backward()
        gradients = self._gradients()
        chain = self._chains()
        paths = [path_section(self, name) for name in self.notation.paths]
        drawn = (block for section in paths for block in section.blocks if isinstance(block, Display))
        displays = [forward, *back, *gradients, *chain, *drawn]
        stand_ins = self._stand_ins()
        legend = Legend(self, displays, stand_ins)
        sections = [
            self.section("notation", paragraph(*legend.sentences()), legend.table()),
            self.section("equations" if self.program.results else "forward", forward),
            *self._assumptions(),
            *self._backward_section(back, paragraph(*self._method(legend, stand_ins))),
            *self._gradients_section(gradients),
            *([self.section("chain", paragraph(self.language.say("chain")), *chain)] if chain else []),
            *paths,
            *self._closing(),
        ]
        title, note = self.language.translated(self.program.title), self.language.translated(self.program.note)
        if self.program.results:
            title = f"{title}: {self.language.translated(self.program.subject)}"
        return Document(self.program.name, title, self.notation.language, _origin(self.program), note, tuple(sections))

    def section(self, key: str, *blocks: Paragraph | Table | Display, **parts) -> Section:
        """Return a section; what there is nothing to say in is left out."""
        return Section(key, self.language.heading(key, **parts), tuple(b for b in blocks if b != Paragraph(())))

    def _assumptions(self):
        """What is assumed, or shown from the lines, and the adjoints that are shorter for it."""
        told = []
        for a in (*self.program.assumptions, *self.program.follows):
            equations = self.language.formulas([f"{self.formula(x)} = {self.formula(y)}" for x, y in a.equalities])
            shorter = [self.names.whole(n) for n, facts in self.program.since.items()
                       if a.fact in facts and n in self.program.variables]
            key = "assumption" + ("" if not shorter else " for one" if len(shorter) == 1 else " for several")
            parts = {"adjoints": self.language.formulas(shorter)} if shorter else {}
            told.append(sentence(self.language.say(key, fact=self._fact(a), equations=equations, **parts)))
        key = "assumptions" if len(told) > 1 else "assumption"
        return [self.section(key, paragraph(*told))] if told else []

    def _fact(self, assumption) -> Text:
        """Return an assumption in words, its variables as symbols; a particle may follow one without a space."""
        texts: list[Text] = []
        for word in self.language.translated(assumption.fact).split():
            name = next((n for n in assumption.about if re.fullmatch(rf"{n}[^A-Za-z_0-9]*", word)), None)
            symbol: Text = (Formula(self.names.whole(name)),) if name else ()
            texts.append((*symbol, *([Words(word[len(name or ""):])] if word != name else [])))
        return joined(texts, " ", " ")

    def _backward_section(self, displays, told):
        key = "steps" if self.notation.level == "every-step" else "backward"
        return [self.section(key, told, *displays)] if displays else []

    def _gradients_section(self, displays):
        key = "gradients" if len(self.sheet.gradients) > 1 else "gradient"
        told = () if self.notation.level == "every-step" else self._gradients_head()
        return [self.section(key, paragraph(told), *displays)] if displays else []

    # ---- lines

    def label(self, equation: Equation) -> str:
        """Return the label of a line of the forward pass: NAME:VARIABLE."""
        loss = "loss" if "L" in self.program.variables else "L"
        name = loss if equation.name == self.program.loss else equation.name
        initial = "" if all(isinstance(i, Idx) for i in equation.indices) else "-initial"
        return f"{self.program.name}:{name}{initial}"

    def formula(self, expr: Expr) -> str:
        """Return an expression in index notation."""
        return plain(self.writer.expression(expr).text)

    def shape(self, shape: tuple[Expr, ...]) -> str:
        """Return a shape as a formula; of a matrix, as it stands on paper."""
        shape = shape[::-1] if self.notation.batch == "columns" and len(shape) == 2 else shape
        sizes = [self.formula(s) for s in shape]
        return r"\times ".join(f"({s})" if s.count(" ") and len(sizes) > 1 else s for s in sizes)

    def shape_of(self, equation: Equation) -> str:
        """Return the shape of what an equation defines, "scalar" in words."""
        shape = self.program.variables[equation.name].shape
        sizes = tuple(s for s, i in zip(shape, equation.indices, strict=True) if isinstance(i, Idx))
        return self.shape(sizes) or rf"\text{{{self.language.words.WORDS['scalar']}}}"

    def _forward(self, equation):
        left, right = self.writer.sides(equation)
        return Line(left, right, equation.name, "forward", self.shape_of(equation), self.label(equation))

    def line(self, step: Step, of: Equation | None = None, explained: bool = False) -> Line:
        """Return a step as a line, with its reason if it is to be explained."""
        left, right = self.writer.step(step.left, step.right, step.whole, step.implicit)
        reason = self.reason(step.reason) if explained and step.reason else ()
        self.writer.stand_ins.remember(step.right)
        name = getattr(step.left, "name", "") if not step.left.is_Indexed else step.left.base.name
        return Line(left.text, right.text, str(name).removeprefix("tangent "), step.kind, "",
                    "", self.label(of) if of is not None else "", reason, step.continues)

    def reason(self, reason: Reason) -> Text:
        """Return a reason in words."""
        parts = {}
        for key, value in reason.about.items():
            values = value if isinstance(value, tuple) else (value,)
            if key == "fact":
                parts[key] = self.language.listed([self._fact(a) for a in values])
            elif key == "lines":
                parts[key] = self.language.references([self.label(e) for e in values])
            else:
                parts[key] = self.language.formulas([self._shown(v) for v in values])
        return self.language.say(reason.key, **parts)

    def _shown(self, value):
        """Return an expression, or an equation, as a formula."""
        if not isinstance(value, Equation):
            return self.formula(value)
        return f"{self.formula(value.lhs)} = {self.formula(value.rhs)}"

    # ---- sections

    def _backward(self) -> list[Display]:
        if self.notation.level == "every-step":
            return [Display("steps", (lines,)) for lines in map(self._explained, self.derivation.passages) if lines]
        groups = tuple(tuple(self.line(s, p.line) for s in p.steps) for p in self.derivation.passages)
        return [Display("backward", groups)] if groups else []

    def _explained(self, passage):
        """The line itself, then every step that prints otherwise than the one before."""
        left, right = self.writer.equation(passage.line)
        reason = self.language.say("line", lines=self.language.references([self.label(passage.line)]))
        lines = [Line(left.text, right.text, passage.line.name, "line", of=self.label(passage.line), reason=reason)]
        for step in passage.steps:
            line = self.line(step, passage.line, explained=True)
            if not (step.continues and line.right == lines[-1].right):
                lines.append(line)
        return tuple(lines) if len(lines) > 1 else ()

    def _gradients(self) -> list[Display]:
        counts = [len(row.gradients) for row in self.sheet.rows]
        lines = []
        for step, equation in zip(self.derivation.gradients, self.sheet.gradients, strict=True):
            left, right = self.writer.sides(equation, True)
            lines.append(Line(left, right, equation.name, step.kind, self.shape_of(equation)))
        groups, start = [], 0
        for count in [*counts, *[1] * (len(lines) - sum(counts))]:
            groups += [tuple(lines[start:start + count])] if count else []
            start += count
        return [Display("gradients", tuple(groups))] if lines else []

    def _gradients_head(self):
        lines = [self.label(row.line) for row in self.sheet.rows if row.gradients]
        key = "gradient" if len(self.sheet.gradients) == 1 else "gradients"
        if 0 < len(lines) <= MOST_REFERENCES and self.notation.level == "backprop":
            return self.language.say(f"{key} from", lines=self.language.references(lines))
        return self.language.say(key)

    def _method(self, legend, stand_ins):
        """Say what is done on the way back."""
        if self.notation.level == "gradients":
            return [stand_ins, self.language.say("formulas alone")]
        readers = [n for row in self.sheet.rows for n in self.sheet.needs(row.line)]
        key = "steps" if self.notation.level == "every-step" else "method"
        return [self.language.say(key, pairing=Formula(legend.pairing())),
                self.language.say("shared") if len(readers) > len(set(readers)) else (), stand_ins]

    def _stand_ins(self) -> Text:
        """Say what P and Y stand for."""
        used = sorted(self.writer.stand_ins.used.values(), key=lambda s: s.bottom == 1)
        told = []
        for s in used:
            symbol = self.names.whole(name_of(s.read))
            if r"\operatorname" in symbol:                      # softmax(Z) says what it is
                continue
            below = f" / {self.formula(s.bottom)}" if s.bottom != 1 else ""
            formula = Formula(f"{self.formula(s.read)} = {self.formula(s.top)}{below}")
            of = Formula(self.names.whole(s.of) if s.of else "")
            told.append(self.language.say("stand-in", formula=formula, what=self.language.say(s.what, variable=of)))
        return self.language.say("stand-ins", meanings=self.language.listed(told)) if told else ()

    def _closing(self):
        """The update, the cost, and the conventions at kinks."""
        kinks = self._kinks()
        found = [("update", self._update()), ("cost", self._cost()),
                 ("convention" if len(conventions(self.program)) < 2 else "conventions", kinks)]
        return [self.section(key, Paragraph(text)) for key, text in found if text]

    def _update(self):
        """One step of gradient descent."""
        parameters = [self.names.whole(p.name) for p in self.program.parameters]
        if not parameters or self.program.results:
            return ()
        rate = self.names.unused(r"\eta", r"\lambda", r"\epsilon")
        adjoint = self.names.whole(f"d{self.program.parameters[0].name}")
        step = Formula(rf"{parameters[0]} \leftarrow {parameters[0]} - {rate}\,{adjoint}")
        key = "update" if len(parameters) == 1 else "update of several"
        return self.language.say(key, rate=Formula(rate), step=step)

    def _cost(self) -> Text:
        """Operations, bytes moved, and bytes kept: the terms of the highest degree where there are many."""
        costs = cost_of(self.program)
        amounts = [in_named_sizes(amount, self.program.derived) for amount in (
            costs.forward.operations, costs.backward.operations,
            costs.forward.bytes, costs.backward.bytes, costs.residuals)]
        shown = [_leading(amount) for amount in amounts]
        whole = all(len(terms) == len(_by_degree(a)) for terms, a in zip(shown, amounts, strict=True))
        if max(map(len, shown)) > MOST_TERMS:
            return ()
        parts = ("forward", "backward", "moved", "moved_back", "kept")
        formulas = (Formula(self._amount(terms)) for terms in shown)
        key = "cost" if self.program.backward else "cost of equations"
        told = self.language.say(key, **dict(zip(parts, formulas, strict=True)))
        if costs.iterated:
            unknowns = self.language.formulas([self.writer.names.whole(n) for n in costs.iterated])
            told = (*told, Words(" "), *self.language.say("one step", unknowns=unknowns))
        return told if whole else (*told, Words(" "), *self.language.say("leading terms"))

    def _amount(self, terms):
        """Return a sum with what its terms have in common before it."""
        if len(terms) < 2:
            return self.formula(terms[0]) if terms else "0"
        common, left = grouped(terms)
        text = f"{MARK} + ".join(map(self.formula, left)).replace(" + -", " - ")
        return text if common == 1 else f"{self.formula(common)} ({text})"

    def _kinks(self) -> Text:
        """The conventions at kinks."""
        told: list = []
        for convention in conventions(self.program):
            text = self.language.translated(convention)
            formulas = re.split(r"(\w+'?\(\w\) = \w|\|x\|)", text)
            told += [Words("; ")] if told else []
            for k, part in enumerate(formulas):
                if k % 2:
                    part = re.sub(r"^(\w+)('?)", r"\\operatorname{\1}\2", part).replace("|x|", r"\lvert x\rvert")
                told += [(Formula if k % 2 else Words)(part)] if part else []
        return sentence((*told, Words("."))) if told else ()

    # ---- the chain rule

    def _chains(self) -> list[Display]:
        """The derivatives along chains of scalars, factor by factor."""
        if self.notation.level == "gradients":
            return []
        groups = []
        for chain in chains(self.sheet, self.derivation.differentials):
            left, *parts = self._chain(chain)
            groups.append(tuple(Line(left, part, f"d{chain.parameter}", "chain", continues=k > 0)
                                for k, part in enumerate(parts)))
        return [Display("chain", tuple(groups))] if groups else []

    def _chain(self, chain: Chain):
        """Return dL/dx, its factors, their values and the product where it folds."""
        alone = len(chain.paths) == 1 and all(link.total for link in chain.paths[0])
        left = _derivative(self.names.loss, self.names.whole(chain.parameter), alone)
        factors = [BY.join(_derivative(self.names.whole(k.of), self.names.whole(k.by), k.total) for k in path)
                   for path in chain.paths]
        values = [BY.join(self._factor(link) for link in path) for path in chain.paths]
        result = [self._value(chain.result, chain.parameter).text] if chain.folds else []
        return [left, PLUS.join(factors), PLUS.join(values), *result]

    def _factor(self, link):
        piece = self._value(link.value, link.by)
        return f"({piece.text})" if piece.level == ADD else piece.text

    def _value(self, expr, name):
        """Return the value of a derivative by a variable, in the variable's shape."""
        lhs = self.derivation.differentials.tangents[name].at(*self.program.variables[name].indices)
        return self.writer.equation(Equation(lhs, expr), True)[1]


def _origin(program):
    """Return where a note comes from, and the command that makes it."""
    of = f" --of {program.function}" if program.function else ""
    if program.source.startswith("derive/networks/"):
        return f"{program.source} by `derive build {program.network}{of}`"
    return f"{program.source} by `derive build {program.source}{of}`" if program.source else "a script"


def _leading(cost: Expr) -> list[Expr]:
    """Return the terms of a cost, those of the highest degree alone where there are many."""
    terms = _by_degree(cost)
    return terms if len(terms) <= FEW_TERMS else [t for t in terms if _degree(t) == _degree(terms[0])]


def _by_degree(cost):
    terms = Add.make_args(cost)
    ordered = cost.as_ordered_terms() if len(terms) <= MANY_TERMS else sorted(terms, key=str)
    return sorted((t for t in ordered if t != 0), key=lambda t: -_degree(t))


def _degree(term):
    """Return the degree of a term in the sizes."""
    return sum(f.as_base_exp()[1] for f in Mul.make_args(term) if f.free_symbols)


def _derivative(of, by, total):
    d = r"\mathrm d" if total else r"\partial "
    return rf"\frac{{{d}{of}}}{{{d}{by}}}"
