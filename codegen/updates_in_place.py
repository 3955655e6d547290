"""Entries that deltas pick, added to arrays of a workspace or set in them.

    H = array("H", M, K, M, K, zeros=True)                  the zeros beside the diagonal are written once
    np.einsum("mkml->mkl", H)[...] = J                      a view of the diagonal: no places are gathered
"""

from sympy import Idx, Integer

from derive.forms import form
from derive.nodes import Node, Product, Reduction
from derive.program import Equation, Program
from derive.terms import runs_over

from .contractions import letters
from .inplace import InPlacePrinter
from .loop_arrays import WorkspaceArrays
from .numpy_text import NumpyPrinter
from .precedence import Text
from .statements import Update, added, along, signed
from .workspace import ASKED_FOR_ZEROS


def zeros(equation: Equation, updates: list[Update], program: Program, where: str) -> str:
    """Return the line that asks for the array `where` with 0 at all places that the updates leave out.

    A result that is set at the same places in every call with the same sizes keeps them.
    """
    if equation.name in program.results.values() and len(updates) == 1 and _is_at_fixed_places(updates[0]):
        return f"{equation.name} = {where.removesuffix(')')}{ASKED_FOR_ZEROS}"
    return f"{equation.name} = _zeroed({where})"


def _is_at_fixed_places(update):
    return not update.over and not update.along and all(isinstance(p, Idx | Integer) for p in update.positions.values())


def updated(equation: Equation, update: Update, fresh: bool, program: Program, plain: NumpyPrinter,
            fast: InPlacePrinter) -> list[str]:
    """Return the lines that add an update, or set what is `fresh`."""
    name = "diagonal" if "diagonal" not in program.variables else f"diagonal_{equation.name}"
    negative, term = (False, update.term) if fresh else signed(update.term)
    sign = "=" if fresh else "-=" if negative else "+="
    if update.along:
        where, axes = along(equation, update, plain)
        return WorkspaceArrays(plain, fast).assigned(where, sign, form(term, axes), axes)
    diagonal, axes = _diagonal(equation, update)
    if diagonal and fresh:
        before, value = fast.operand(form(term, axes), axes)
        return [*before, f"{diagonal}[...] = {value}"]
    if diagonal:
        return [f"{name} = {diagonal}", *fast.increased(name, form(term, axes), axes, negative)]
    before = []

    def computed(node: Node) -> Text:
        lines, value = fast.operand(node, node.axes) if node.axes else ([], "")
        before.extend(lines)
        return Text(value) if lines else plain.text(node)

    line = added(equation, update, plain, fresh, computed)
    return [*before, line]


def _diagonal(equation, update):
    """Return the code of the view of the entries that an update picks, and its axes; "" where it picks others."""
    places = [update.positions.get(i, i) for i in equation.free]
    axes = tuple(dict.fromkeys(places))
    shape = equation.lhs.base.shape
    if update.over or not all(isinstance(p, Idx) and p in equation.free for p in places) \
            or not all(map(runs_over, places, shape)):
        return "", axes
    given = letters(axes)
    have, want = ("".join(map(given.__getitem__, those)) for those in (places, axes))
    return f'np.einsum("{have}->{want}", {equation.name})', axes


def tile(equation: Equation, update: Update, program: Program, plain: NumpyPrinter, fast: InPlacePrinter) -> list[str]:
    """Return the lines that set the entries at one place along an axis, products of matrices where they stand."""
    if update.along:
        return updated(equation, update, True, program, plain, fast)
    axes = tuple(i for i in equation.free if i not in update.positions)
    node = form(update.term, axes)
    line = added(equation, update, plain, fresh=True)
    target = line.partition(" = ")[0]
    if isinstance(node, Reduction):
        before, code = fast.expression(node)
        return [*before, f"{target} = {code}"]
    filled = axes and isinstance(node, Product) and node.axes == axes       # one entry is no array to be filled
    return fast.filled(target, node, target) if filled else [line]
