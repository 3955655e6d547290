"""Recurrences: in each turn of a loop, NumPy multiplies matrices, and C does what stands between the products.

    step = _bound(compiled.step, (z, product_z, i, f, ...), (K, N))
    for t in range(T):
        np.matmul(h[t], U_blocks, out=product_z)
        step(t)
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from sympy import Idx

from derive.arrays import Array
from derive.binders import has_binder
from derive.forms import form
from derive.program import Equation, Program, Variable, base_of
from derive.terms import read_name

from ..layout import as_tuple
from ..loop_arrays import NewArrays, WorkspaceArrays
from ..loops import Line, Looped
from ..numpy_text import NumpyPrinter
from .nests import Assignment
from .products import in_blocks, is_nothing_but_a_product, without_products
from .reductions import Split, in_c
from .writing import Function, function

MARK = re.compile(r"( *)@(\d+)")


class CompiledLoop(Looped):
    """A loop whose turns call C functions; `made` receives them."""

    def __init__(self, group: Sequence[Equation], program: Program, printer: NumpyPrinter, arrays: WorkspaceArrays,
                 split: Split, made: list[Function], around: "CompiledLoop | None" = None):
        self.split, self.made = split, made
        self.puts: list[list[Assignment]] = around.puts if around else []
        self.products: dict[str, Variable] = around.products if around else {}
        self.workspace, self.filling = arrays, arrays.filling
        super().__init__(group, program, printer, around, arrays)
        self.rowless: dict[str, int] = around.rowless if around else {}     # the local ones of loops inside, too
        self.rowless |= self.local

    def within(self, equations):
        return CompiledLoop(equations, self.program, self.printer, self.workspace, self.split, self.made, self)

    def _sorted_terms(self, equation):
        """Leave to the turns what is no sum: that is added there in passing."""
        row = super()._sorted_terms(equation)
        if row.pulled and not row.pushed and not self.program.variables[equation.name].state:
            late = [t for t in row.before if not has_binder(t.expr) and not t.conditions]
            row.before, row.pulled = [t for t in row.before if t not in late], [*late, *row.pulled]
        return row

    def put(self, equation, target, sign, value, axes):
        if not self.outer and isinstance(equation.indices[0], Idx):         # in all turns at once, before the loop
            return super().put(equation, target, sign, value, axes)
        plain = NewArrays(self.printer).assigned(self.printer.code(form(target, axes)), sign, form(value, axes), axes)
        if self.unknowns or (sign == "=" and is_nothing_but_a_product(value)):
            return plain
        name = read_name(target)
        added, taken = -value if sign == "-=" else value, {*self.split.taken, *self.products}
        rhs, products = without_products(name, added, axes, taken, in_blocks)
        named = {v.name: v for v, _ in products.values()}
        lines = in_c(Equation(target, rhs), self.split, "=" if sign == "=" else "+=", {**self.products, **named})
        if not lines:
            return plain
        self.products |= named
        self.puts.append(lines)
        multiplied = [line for read, (v, product) in products.items() for line in self._multiplied(v, product, read)]
        return [*multiplied, f"@{len(self.puts) - 1}"]

    def _variables(self):
        """Return the variables as a turn sees them: without the rows that they do not have."""
        variables = {**self.split.variables, **self.products}
        for name, depth in self.rowless.items():
            v = variables[name]
            shape = v.shape[depth:]
            variables[name] = replace(v, shape=shape, base=Array(name, shape) if shape else base_of(name, ()),
                                      index_names=v.index_names[depth:])
        return variables

    def _multiplied(self, v, product, read):
        self.filling.like, self.filling.counters = self.printer.like, self.printer.counters
        return self.filling.filled(v.name, form(product, getattr(read, "indices", ())), v.name)

    # ---- the calls

    def gathered(self, lines, made):
        if self.outer or not self.puts:
            return [], lines
        calls = list(self._calls(lines))
        text = "\n".join(line.code for line in calls if not isinstance(line, _Call))
        variables, ahead = self._variables(), []
        done: dict[str, None] = {}
        for call in (c for c in calls if isinstance(c, _Call)):
            others = [c for c in calls if isinstance(c, _Call) and c is not call]
            ahead += self._bound(call, text, others, variables, done)
        arrays = [n for n in done if n in self.rowless or n in self.products]
        own = [f"{n} = {self._array(n, variables[n].shape)}" for n in arrays]
        own += [f"{n} = np.ascontiguousarray({n})" for n in done if n in self.names and n not in self.rowless
                and not any(f'{n} = array("' in line or f"{n} = _zeroed(" in line for s in made for line in s.lines)]
        kept = [c.line if isinstance(c, _Call) else self._kept(c, arrays) for c in calls]
        return [*own, *ahead], kept

    def _kept(self, line, arrays):
        """Return a line of NumPy, which fills an array that C functions know, where it made a new one."""
        code = re.sub(rf"^( *)({'|'.join(arrays)}) = ", r"\1\2[...] = ", line.code) if arrays else line.code
        return line._replace(code=code)

    def _calls(self, lines):
        """Yield the lines with those that stand for C brought together to calls."""
        call = None
        for line in lines:
            mark = MARK.fullmatch(line.code)
            if mark and call and call.pad == mark[1]:
                call.assignments += self.puts[int(mark[2])]
                continue
            if call:
                yield call
                call = None
            if mark:
                call = _Call(mark[1], line.names, list(self.puts[int(mark[2])]))
            else:
                yield line
        if call:
            yield call

    def _bound(self, call, text, others, variables, done):
        """Return the line that binds a function to its arrays; note which arrays these are."""
        written = dict.fromkeys(a.name for a in call.assignments)
        read_elsewhere = {n for n in written if re.search(rf"\b{n}\b", text) or any(o.mentions(n) for o in others)}
        rows = {n for n in written if n in self.program.variables and n not in self.rowless}
        wanted = rows | read_elsewhere
        names = [a.name for a in call.assignments if a.name in self.program.variables]
        stem = f"{names[0]}_to_{names[-1]}" if len(set(names)) > 1 else f"only_{names[0]}"
        taken = {f.name for f in self.made}
        name = next(n for n in (stem, *(f"{stem}_{k}" for k in range(2, 99))) if n not in taken)
        turns = [s.name for s in self._counters()]
        f = function(name, call.assignments, variables, wanted, turns)
        self.made.append(f)
        done |= dict.fromkeys([*f.given, *f.made])
        buffers = [self._array(n, shape) for n, shape in f.buffers.items()]
        sizes = as_tuple([self.printer.size(s).code for s in f.sizes])
        call.line = Line(f"{call.pad}{name}({', '.join(f.turns)})", call.names)
        return [f"{name} = _bound(compiled.{name}, {as_tuple([*f.given, *f.made, *buffers])}, {sizes})"]

    def _counters(self):
        return sorted(self.printer.counters, key=str)

    def _array(self, name, shape):
        return f'array("{name}"{"".join(f", {self.printer.size(s).code}" for s in shape)})'


class _Call:
    """A run of assignments that one C function computes in a turn."""

    def __init__(self, pad: str, names: tuple[str, ...], assignments: list[Assignment]):
        self.pad, self.names, self.assignments = pad, names, assignments
        self.line: Line | None = None

    def mentions(self, name):
        return any(name in str(a.target) or name in str(a.value) for a in self.assignments)
