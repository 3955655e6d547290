"""The computational graph of a derived program, as data and in Graphviz's DOT language.

One node a named line, parameter or input; one edge from each variable to each line that reads it. Along an edge the
value goes forward in its shape, and the adjoint, where there is one, comes back in the same shape.
"""

from dataclasses import dataclass

from .paper.sheet import Sheet, name_of
from .program import Equation, Program, Variable
from .terms import reads

FONT = 'fontname="Helvetica,Arial,sans-serif"'
LOOKS = {                       # kind -> how its node looks
    "parameter": 'shape=box style="rounded,filled" fillcolor="#fff3d6" color="#b07d12"',
    "input": 'shape=box style="filled" fillcolor="#eef1f5" color="#5d6b7e"',
    "labels": 'shape=box style="filled" fillcolor="#eef1f5" color="#5d6b7e"',
    "variable": 'shape=ellipse style="filled" fillcolor="#ffffff" color="#2b5b9e"',
    "loss": 'shape=ellipse peripheries=2 style="filled" fillcolor="#ffffff" color="#2b5b9e"',
}
ADJOINT = "#b3261e"


@dataclass(frozen=True)
class Edge:
    """One read: a variable, the line that reads it, and the adjoint that comes back along it ("" for none)."""

    source: Variable
    target: Variable
    adjoint: str = ""


@dataclass(frozen=True)
class Graph:
    """The nodes and edges of a program, in the order declared."""

    name: str
    loss: str
    nodes: tuple[Variable, ...]
    edges: tuple[Edge, ...]

    def dot(self) -> str:
        """Return the graph in DOT, top to bottom, shapes on its edges: values forward, adjoints back in red."""
        lines = [
            f'digraph "{self.name}" {{',
            f"  graph [rankdir=TB nodesep=0.35 ranksep=0.45 pad=\"0.3,0.05\" bgcolor=transparent {FONT}];",
            f"  node [{FONT} fontsize=12 height=0.35 margin=\"0.12,0.05\"];",
            f'  edge [{FONT} fontsize=10 color="#5d6b7e" arrowsize=0.7];',
        ]
        lines += [f'  "{v.name}" [id="node-{v.name}" {LOOKS[self._kind(v)]}];' for v in self.nodes]
        lines += [f'  "{e.source.name}" -> "{e.target.name}" [{_label(e)}];' for e in self.edges]
        return "\n".join([*lines, "}"]) + "\n"

    def _kind(self, variable):
        return "loss" if variable.name == self.loss else variable.kind


def graph(program: Program) -> Graph:
    """Return the computational graph of a derived program, of the lines that a note shows."""
    sheet = Sheet(program)
    edges: dict[tuple[str, str], Edge] = {}
    for line in sheet.lines:
        for name in _sources(line, sheet):
            adjoint = program.adjoints.get(name, f"d{name}" if f"d{name}" in sheet.constants else "")
            edges.setdefault((name, line.name), Edge(program.variables[name], program.variables[line.name], adjoint))
    shown = {n for pair in edges for n in pair} | {e.name for e in sheet.lines}
    nodes = tuple(v for n, v in program.variables.items() if n in shown)
    return Graph(program.name, program.loss, nodes, tuple(edges.values()))


def _sources(line: Equation, sheet: Sheet) -> list[str]:
    """Return the variables that a line reads, also through lines that are written out where they are read."""
    found: dict[str, None] = {}
    todo = [line]
    while todo:
        for read in reads(todo.pop().rhs, sheet.program.variables):
            name = name_of(read)
            if name in sheet.hidden:
                todo.append(sheet.hidden[name])
            else:
                found.setdefault(name)
    return list(found)


def _label(edge):
    shape = _shape(edge.source)
    value = shape or "scalar"
    if not edge.adjoint:
        return f'label=" {value} "'
    back = f'<font color="{ADJOINT}">{edge.adjoint}{f": {shape}" if shape else ""}</font>'
    return f"label=< {value}<br/>{back} >"


def _shape(variable):
    return " × ".join(map(str, variable.shape))
