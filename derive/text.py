"""Equations as plain text, for docstrings, comments and the terminal: `Z1 = X W1 + 1 b1'`."""

from sympy import Expr

from .arrays import shape_text
from .cost import operations_told
from .paper.derivation import Derivation
from .paper.language import Language
from .paper.sheet import Row, Sheet
from .paper.text import Plain
from .paper.writer import Writer
from .program import Equation, Program, Variable
from .triangles import factor


class Texts:
    """The equations of one derived program, as text in matrix or in index notation."""

    def __init__(self, program: Program, notation: str = "matrix"):
        self.program, self.sheet = program, Sheet(program)
        self.writer = Writer(self.sheet, Plain, notation)
        self._lines: dict[tuple[Equation, bool], str] = {}

    def system(self) -> list[tuple[str, Variable]]:
        """Return the forward equations as they are presented, each with the variable that it defines."""
        return [(self._line(e), self.program.variables[e.name]) for e in self.sheet.lines]

    def quotes(self) -> dict[str, str]:
        """Return for each adjoint the forward equation under which it stands: the first that reads its variable."""
        found: dict[str, str] = {}
        for row in self.sheet.rows:
            quote = self._line(row.line)
            found |= {a.name: f"{quote}{self._since(a.name, '; ')}" for a in (*row.adjoints, *row.gradients)}
        return found

    def comments(self) -> dict[str, str]:
        """Return what `quotes` returns, one equation a line, after those of which no line of code stands before it.

        What an equation alone sends back is under "sent by" its variable.
        """
        quotes, computed = self.quotes(), {e.name for e in self.program.backward}
        found: dict[str, str] = {}
        passed: list[Row] = []
        for row in self.sheet.rows:
            found.setdefault(f"sent by {row.line.name}", self._line(row.line))
            names = [a.name for a in (*row.adjoints, *row.gradients) if a.name in computed]
            shown = [other for n in names for other in self._senders(n, row, passed)]
            for n in names:
                found[n] = "\n".join([*(self._line(other.line) for other in self._senders(n, row, passed)), quotes[n]])
            passed = [other for other in passed if other not in shown] if names else [*passed, row]
        return found

    def _senders(self, adjoint, row, passed):
        """Return which of the rows before send something to an adjoint: directly, or by what has no adjoint in code."""
        read = {self.program.variables[adjoint].primal}
        read |= set() if row.line.name in self.program.adjoints else {row.line.name}
        found: list[Row] = []
        for other in reversed(passed):
            if read & self.sheet.needs(other.line):
                found.insert(0, other)
                read |= set() if other.line.name in self.program.adjoints else {other.line.name}
        return found

    def assumptions(self) -> list[str]:
        """Return each assumption, in words and as equations."""
        return [f"{a.fact}: {' and '.join(self._equality(*sides) for sides in a.equalities)}"
                for a in self.program.assumptions]

    def _equality(self, left, right):
        return f"{self.expression(left)} = {self.expression(right)}"

    def _since(self, name, mark):
        facts = self.program.since.get(name, ())
        return f"{mark}since {' and '.join(facts)}" if facts else ""

    def expression(self, expr: Expr) -> str:
        """Return an expression in index notation."""
        return self.writer.expression(expr).text

    def listing(self) -> str:
        """Return the forward and backward equations with their shapes, as a page of text."""
        forward = self.system()
        backward = [(self._line(e, reverse=True), self.program.variables[e.name]) for e in self.program.backward]
        width = max(len(text) for text, _ in [*forward, *backward])
        if self.program.results:
            backward, heads = [], [f"{self.program.title}: {self.program.subject}", "", "Equations"]
        else:
            heads = [self.program.title, "", "Forward"]
        work, iterated = operations_told(self.program)
        cost = str(work).replace("**", "^").replace("*", " ")
        cost += f", one step of Newton's method for {', '.join(iterated)} counted" if iterated else ""
        return "\n".join([
            *heads, *_shaped(forward, width), *(["", "Backward", *self._backward(backward, width)] if backward else []),
            *(["", "Assumes", *(f"    {a}" for a in self.assumptions())] if self.program.assumptions else []),
            "", f"Operations  {cost}",
        ])

    def _backward(self, lines, width):
        """Return the adjoint equations with their shapes, and the facts that made them shorter."""
        return [f"{text}{self._since(variable.name, '   ')}"
                for text, (_, variable) in zip(_shaped(lines, width), lines, strict=True)]

    def derivation(self, level: str = "backprop") -> str:
        """Return the steps of the derivation as a page of text, each with its reason at the level "every-step"."""
        language = Language("en", {})
        derivation = Derivation(self.program, level)
        numbers = {e: k for k, e in enumerate(derivation.forward, 1)}
        lines = [self.program.title, ""]
        lines += [f"({k}) {self._line(e)}" for e, k in numbers.items()]
        for passage in derivation.passages:
            lines += ["", f"({numbers[passage.line]}) {self._line(passage.line)}"]
            last, indent = "", 0
            for step in passage.steps:
                left, right = self.writer.step(step.left, step.right, step.whole, step.implicit)
                reason = self._reason(language, step.reason, numbers) if level == "every-step" and step.reason else ""
                if not (step.continues and right.text == last):
                    indent = indent if step.continues else len(left.text)
                    lines.append(f"    {' ' * indent if step.continues else left.text} = {right.text}"
                                 + (f"        {reason}" if reason else ""))
                last = right.text
        if level != "every-step" and derivation.gradients:
            lines += ["", *(f"    {self._line(s.equation, reverse=True)}" for s in derivation.gradients)]
        return "\n".join(lines)

    def _reason(self, language, reason, numbers):
        """Return a reason in words."""
        parts = {}
        for key, value in reason.about.items():
            values = value if isinstance(value, tuple) else (value,)
            parts[key] = ", ".join(self._told(key, v, numbers) for v in values)
        return "".join(getattr(span, "text", "") for span in language.say(reason.key, **parts))

    def _told(self, key, value, numbers):
        if key == "lines":
            return f"({numbers[value]})"
        if key == "fact":
            return value.fact
        if isinstance(value, Equation):
            return f"{self.expression(value.lhs)} = {self.expression(value.rhs)}"
        return self.expression(value)

    def _line(self, equation, reverse=False):
        if (equation, reverse) not in self._lines:
            left, right = self.writer.equation(equation, reverse)
            shape = f", {equation.name} lower triangular" if factor(equation) else ""
            self._lines[equation, reverse] = f"{left.text} = {right.text}{shape}"
        return self._lines[equation, reverse]


def _shaped(lines, width):
    return [f"    {text.ljust(width)}   {_shape(variable)}".rstrip() for text, variable in lines]


def _shape(variable):
    return shape_text(variable.shape) if variable.shape else ""
