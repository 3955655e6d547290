"""The layout of a module in the style scalar: the contract of every generated module, on tuples of floats."""

import textwrap
from collections.abc import Mapping

from sympy import Symbol

from derive.arrays import shape_text
from derive.kinks import conventions
from derive.program import Program, Variable
from derive.text import Texts
from derive.wording import quoted

from .layout import WIDTH, rows, signature
from .parts import _table, command
from .scalar import Cell, Scalars, shared, symbol
from .scalar_text import HELPERS, NEEDS, ScalarPrinter


def source(program: Program, sizes: Mapping[str, int] | None = None) -> str:
    """Return the text of the module of a derived program, straight-line Python on floats.

    Raises
    ------
    DerivationError
        A size that is not a number, too many entries, or what scalars cannot say; the message names it.
    """
    module = _Module(program, sizes or {})
    body = [module.forward(), module.backward(), module.loss_and_grads()]
    body += [module.predict(), SGD_STEP] if program.outputs else [SGD_STEP]
    helpers = [HELPERS[h].strip() for h in HELPERS if h in module.printer.helpers]
    head = f"{module.docstring()}\n\n{module.imports()}"
    return "\n\n\n".join([head, module.params(), *body, *helpers, MISSHAPEN]) + "\n"


SGD_STEP = '''def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    def moved(p, g):
        return tuple(map(moved, p, g)) if isinstance(g, tuple) else p - learning_rate * g

    return Params(*map(moved, params, grads))'''

MISSHAPEN = '''def _misshapen(arguments):
    """Return a ValueError that names the first argument whose shape is wrong."""
    def shape(value):
        return (len(value), *(shape(value[0]) if len(value) else ())) if hasattr(value, "__len__") else ()

    for name, value, expected in arguments:
        if shape(value) != expected:
            return ValueError(f"{name} has shape {shape(value)}; expected {expected}")
    return ValueError("the rows of an argument differ in length")'''


class _Module:
    def __init__(self, program: Program, sizes: Mapping[str, int]):
        self.program, self.scalars, self.printer = program, Scalars(program, sizes), ScalarPrinter()
        self.arguments = [*program.parameters, *program.inputs]
        self.gradients = [program.variables[program.adjoints[p.name]] for p in program.parameters
                          if p.name in program.adjoints]
        gradient_names = [v.name for v in self.gradients]
        self.ahead = self.scalars.order([program.loss])
        after = self.scalars.order(gradient_names, frozenset(self.ahead))
        made = set(self.ahead)
        forward = {e.name for e in self.scalars.low.program.equations if e.name not in self.scalars.low.backward}
        more = [c for c in after if c[0] in forward]        # what only the gradients need: windows, places of maxima
        self.ahead += more
        self.after = [c for c in after if c not in set(more)]
        given = {symbol(v.name, ()) if not v.shape else s for v in self.arguments for s in self.scalars.entries(v)}
        read = {s for c in self.after for s in self.scalars.rhs(c).free_symbols}
        final = {s for v in self.gradients for s in self.scalars.entries(v)}
        ready = {symbol(*c) for c in (*made, *more)}
        self.residuals = sorted((read | final) & (given | ready), key=str)

    # ---- pieces

    def docstring(self) -> str:
        """The system of equations, the sizes, what arguments are."""
        program = self.program
        table = [(line, shape_text(v.shape) if v.shape else "", v.note) for line, v in Texts(program).system()]
        lines = [f"{program.title}: loss and gradients, on floats.", "", *_table(table), ""]
        sizes = ", ".join(f"{s} = {n}" for s, n in self.scalars.sizes.items())
        told = [f"Sizes: {sizes}." if sizes else "",
                "Arguments are nested tuples or lists of floats, and so are gradients; an entry Z1[0, 2] is called "
                "Z1_0_2. Arrays are taken too, at a tenth of the speed.",
                *(f"Convention: {c}." for c in conventions(program)),
                "dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.",
                f"Generated from {program.source or 'a script'} by `{self._command()}`; do not edit."]
        for sentence in filter(None, told):
            lines += textwrap.wrap(sentence, WIDTH, break_long_words=False)
        return quoted("\n".join([*lines, ""]))

    def _command(self):
        plain = command(self.program)
        if not plain.startswith("derive build"):
            return plain
        sizes = ",".join(f"{s}={n}" for s, n in self.scalars.sizes.items() if s not in self.program.derived)
        return f"{plain} --style scalar{' --sizes ' + sizes if sizes else ''}"

    def imports(self) -> str:
        functions = sorted(self.printer.functions.union(*(NEEDS[h] for h in self.printer.helpers)))
        lines = [f"from math import {', '.join(functions)}"] if functions else []
        lines.append("from typing import NamedTuple")
        if special := sorted(self.printer.special):
            lacking = "it" if len(special) == 1 else "them"
            lines += ["", f"from scipy.special import {', '.join(special)}  # math lacks {lacking}"]
        return "\n".join(lines)

    def params(self) -> str:
        lines = ["class Params(NamedTuple):",
                 '    """The parameters, or anything with one entry for each of them: gradients, updates."""', ""]
        return "\n".join(lines + [f"    {p.name}: {'tuple' if p.shape else 'float'}" for p in self.program.parameters])

    def forward(self) -> str:
        returned = f"    return loss, {self._tuple(map(str, self.residuals))}"
        return self._function("forward", "Return the loss and the residuals that `backward` reads.", self.arguments,
                              [*self._assignments(self.ahead), *_folded(returned)])

    def backward(self) -> str:
        lines = ["def backward(residuals):", '    """Return the gradients: each line of `forward` reversed in turn."""']
        lines += _folded(f"    {self._tuple(map(str, self.residuals))} = residuals") if self.residuals else []
        return "\n".join([*lines, *self._assignments(self.after), *_folded(f"    return {self._grads()}")])

    def loss_and_grads(self) -> str:
        return self._function("loss_and_grads", "Return the loss and its gradients, a `Params`.", self.arguments, [
            *self._assignments(self.ahead), *self._assignments(self.after),
            *_folded(f"    return loss, {self._grads()}")])

    def predict(self) -> str:
        outputs = [self.program.variables[n] for n in self.program.outputs]
        cells = self.scalars.order(list(self.program.outputs))
        needed = {s for c in cells for s in self.scalars.rhs(c).free_symbols}
        arguments = [v for v in self.arguments if v.kind == "parameter" or needed & set(self.scalars.entries(v))]
        text = ", ".join(self._nested(v) for v in outputs)
        told = ", ".join(f"{v.name} {shape_text(v.shape)}" if v.shape else v.name for v in outputs)
        return self._function("predict", f"Return {told}.", arguments,
                              [*self._assignments(cells), *_folded(f"    return {text}")])

    # ---- lines

    def _function(self, name, told, arguments, body):
        lines = [*signature(name, [v.name for v in arguments], []), f'    """{told}"""']
        return "\n".join([*lines, *self._unpacked(arguments), *body])

    def _unpacked(self, arguments):
        arrays = [v for v in arguments if v.shape]
        lines = []
        if arrays:
            lines.append("    try:")
            lines += [line for v in arrays for line in _folded(f"        {self._nested(v)} = {v.name}")]
            checks = [f'("{v.name}", {v.name}, {self.scalars.shape(v)})' for v in arrays]
            lines += ["    except (TypeError, ValueError):", "        raise _misshapen((",
                      *(f"    {row}" for row in rows(checks)), "        )) from None"]
        for v in arguments:
            if v.kind == "labels":
                top = int(v.classes.xreplace(self.scalars.sizes))
                for entry in self.scalars.entries(v):
                    told = f"{v.name} holds the label {{{entry}}}; expected 0 to {top - 1}"
                    lines += [f"    if not 0 <= {entry} < {top} or {entry} % 1:",
                              f'        raise ValueError(f"{told}")',
                              f"    {entry} = int({entry})"]                     # sums of uint8 would wrap around
        return lines

    def _nested(self, variable: Variable) -> str:
        """Return the entries of a variable as nested tuples."""
        def nested(shape, index):
            if not shape:
                return str(symbol(variable.name, index))
            inner = [nested(shape[1:], (*index, k)) for k in range(shape[0])]
            return self._tuple(inner)
        return nested(self.scalars.shape(variable), ())

    def _tuple(self, items):
        items = list(items)
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"

    def _grads(self):
        return f"Params({', '.join(self._nested(v) for v in self.gradients)})"

    def _assignments(self, cells: list[Cell]):
        """Return assignments, the entries of one equation together where none waits for another equation."""
        lines: list[str] = []
        for run in _runs(cells):
            pairs = [(symbol(*cell), self.scalars.rhs(cell)) for cell in run]
            inside = {lhs for lhs, _ in pairs}
            if any(rhs.free_symbols & inside for _, rhs in pairs):
                named: list[tuple[Symbol, object]] = list(pairs)
            else:
                named = list(shared(pairs, run[0][0]))
            for lhs, rhs in named:
                lines += _folded(f"    {lhs} = {_bare(self.printer.of(rhs))}")
        return lines


def _runs(cells):
    """Return the cells in runs of one variable."""
    runs: list[list[Cell]] = []
    for cell in cells:
        if runs and runs[-1][0][0] == cell[0]:
            runs[-1].append(cell)
        else:
            runs.append([cell])
    return runs


def _bare(text):
    """Return a conditional without the parentheses around the whole of it."""
    return text[1:-1] if text.startswith("(") and text.endswith(" else 0.0)") and text.count("(") == 1 else text


def _folded(line):
    """Break a long assignment or return inside brackets, of its own where it needs some."""
    if len(line) <= WIDTH:
        return [line]
    pad = line[:len(line) - len(line.lstrip())]
    head, joint, value = line.strip().partition(" " if line.strip().startswith("return ") else " = ")
    opened, body, closed = f"{head}{joint}(", value, ")"
    if head.startswith("("):
        opened, body, closed = "(", head[1:-1], f"){joint}{value}"
    inside = textwrap.wrap(body, WIDTH - len(pad) - 4, break_long_words=False, break_on_hyphens=False)
    return [pad + opened, *(f"{pad}    {row}" for row in inside), pad + closed]
