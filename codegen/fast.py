"""The fast style: the same lines as in the plain one, a block of rows at a time, into arrays that are used again."""

from dataclasses import replace

from derive.forms import form
from derive.nodes import Apply, Product, Reduction, Scalar, Spread
from derive.program import Equation, Program, is_cyclic, ordered
from derive.terms import reads

from . import assumptions, newton_text, parts, taps
from .block_text import given_sizes, loss_and_grads
from .blocks import Blocked, blocked
from .checks import arguments
from .factors_written_over import with_factors_written_over
from .inplace import InPlacePrinter
from .known_factors import with_known_factors_ahead
from .layout import signature, wrapped
from .loop_arrays import NewArrays, WorkspaceArrays
from .loops import looped
from .lowering import Lowered, lowered
from .maxima import with_relus_after_maxima
from .module import Plan
from .numpy_text import NumpyPrinter
from .polynomials import with_numbers_inside
from .shared_differences import with_shared_differences
from .shared_exponentials import with_shared_exponentials
from .sigmoid_slopes import with_slopes_of_values
from .slots import in_slots
from .statements import Statement, added, along, is_tiled, scaled, signed, split, statement
from .unstacked import with_gates_apart

WORKSPACE = '''class Workspace:
    """Arrays that are there already when they are needed again: by name, as large as they ever had to be."""

    def __init__(self):
        self.dtype, self.flat, self.shaped = None, {}, {}

    def arrays(self, dtype):
        """Return the function that hands out arrays of a dtype, by name and sizes."""
        if dtype != self.dtype:
            self.dtype, self.flat, self.shaped = dtype, {}, {}
        return self.array

    def array(self, name, *shape):
        """Return the array of a name; what it holds is what was last written to it."""
        found = self.shaped.get((name, shape))
        if found is None:
            size = int(np.prod(shape))
            if name not in self.flat or self.flat[name].size < size:
                room = np.empty(size + 64, self.dtype)
                start = -room.ctypes.data % 64 // room.itemsize     # where a line of the cache begins
                self.flat[name] = room[start:start + size]
                self.shaped = {key: a for key, a in self.shaped.items() if key[0] != name}
            found = self.shaped[name, shape] = self.flat[name][:size].reshape(shape)
        return found'''


def pieces(program: Program, plan: Plan) -> list[str]:
    """Return the text of what the fast style has in place of `loss_and_grads`."""
    program = with_gates_apart(with_relus_after_maxima(program))
    block = None if program.checked else blocked(program)       # what is assumed of a variable is about all its rows
    inner = block.program if block else program
    low = lowered(with_shared_differences(with_numbers_inside(inner)))
    low = replace(low, program=with_shared_exponentials(with_slopes_of_values(low.program)))
    low = with_known_factors_ahead(low)
    labels = frozenset(v.name for v in inner.kind("labels"))
    states = frozenset(v.name for v in low.program.variables.values() if v.state)
    plain = NumpyPrinter(states, frozenset(inner.adjoints.values()), labels=labels, taps=low.taps,
                         joined=True)
    fast = InPlacePrinter(states, frozenset(inner.adjoints.values()), labels=labels, taps=low.taps,
                          joined=True, sizes=plain.sizes, helpers=plain.helpers, scipy=plain.scipy)
    lines: list[Statement] = []
    groups = ordered(low.program.equations)
    for group in sorted(groups, key=lambda group: group[0].name in low.backward):
        if any(e.implicit for e in group) and not states & {e.name for e in group}:
            lines += newton_text.statements(group, lambda e: statement(e, low.program, plain), plain, low.program,
                                            low.program.equations, set())
        elif is_cyclic(group):
            *made, loop = looped(group, low.program, plain, WorkspaceArrays(plain, fast))
            loop = replace(loop, reads=(*loop.reads, *dict.fromkeys(e.name for e in group)))
            lines += with_factors_written_over(made, loop, low.program)
        else:
            lines.append(in_place(group[0], low, plain, fast))
    gradients = [inner.adjoints[p.name] for p in inner.parameters]
    lines = in_slots(assumptions.beside(lines, inner, plain), low.program, {inner.loss, *gradients})
    placed: list[str] = []
    if block:
        lines, placed = _in_their_place(lines, block, fast)
    forward = [s for s in lines if s.name not in low.backward]
    backward = [s for s in lines if s.name in low.backward]
    own = Plan(inner, low, forward, backward, [], {"forward": plain, "backward": plain, "predict": plain})
    plan.printers["fast"] = plain
    if block and not block.rows.issuperset(p.name for p in inner.parameters):
        plain.helpers["zeroed"] = None
    return [WORKSPACE, loss_and_grads(plan, own, block, placed), _computed(plan, own, block, placed)]


def _in_their_place(lines: list[Statement], block: Blocked, fast: InPlacePrinter) -> tuple[list[Statement], list[str]]:
    """Return the lines, gradients that have rows filled where the caller has them, and which these are."""
    program, placed, result = block.program, [], []
    gradients = {program.adjoints[p.name] for p in program.parameters if p.name in block.rows}
    for s in lines:
        if s.name in gradients:
            where = fast.array(s.name, program.variables[s.name].indices)
            filled = (line.replace(where, s.name) for line in s.lines)
            changed = tuple(line for line in filled if line != f"{s.name} = {s.name}")
            placed += [s.name] if changed != s.lines else []
            s = replace(s, lines=changed)
        result.append(s)
    return result, placed


def in_place(equation: Equation, low: Lowered, plain: NumpyPrinter, fast: InPlacePrinter) -> Statement:
    """Return the statement of an equation, filling an array where it can."""
    usual = statement(equation, low.program, plain)
    fast.like, fast.risky = plain.like, False
    outer, dense, updates = split(equation, low.program)
    integer = equation.lhs.is_integer
    special = taps.lines(equation, low.program, plain, NewArrays(plain) if integer else WorkspaceArrays(plain, fast))
    if special:
        return replace(usual, lines=tuple(special))
    if usual.risky or equation.free != equation.indices or low.program.variables[equation.name].state:
        return usual
    node = form(dense if updates else equation.rhs, equation.free)
    if not node.axes and not reads(equation.rhs, low.program.variables):
        return usual
    if not equation.free:
        before, code = fast.expression(node)
        return replace(usual, lines=(*before, f"{equation.name} = {code}"))
    where = fast.array(equation.name, equation.free)
    if isinstance(node, Reduction):
        before, code = fast.expression(node)
        return usual if updates else replace(usual, lines=(*before, f"{equation.name} = {code}"))
    if is_tiled(equation, dense, updates):
        lines = [f"{equation.name} = {where}", *(line for u in updates for line in _tile(equation, u, plain, fast))]
        return replace(usual, lines=(*lines, *scaled(equation.name, outer, equation, plain)))
    if not isinstance(node, Apply | Product) or isinstance(node, Spread | Scalar) or node.axes != equation.free:
        return usual
    lines = fast.filled(equation.name, node, where)
    if updates:
        lines = [*lines, *(line for u in updates for line in _increased(equation, u, plain, fast)),
                 *scaled(equation.name, outer, equation, plain)]
    return replace(usual, lines=tuple(lines), risky=fast.risky)


def _increased(equation, update, plain, fast):
    """Return the lines that add an update, in place along a stretch."""
    if not update.along:
        return [added(equation, update, plain)]
    where, axes = along(equation, update, plain)
    negative, term = signed(update.term)
    return WorkspaceArrays(plain, fast).assigned(where, "-=" if negative else "+=", form(term, axes), axes)


def _tile(equation, update, plain, fast):
    """Return the lines that set the entries at one place along an axis, products of matrices where they stand."""
    if update.along:
        where, axes = along(equation, update, plain)
        return WorkspaceArrays(plain, fast).assigned(where, "=", form(update.term, axes), axes)
    axes = tuple(i for i in equation.free if i not in update.positions)
    node = form(update.term, axes)
    line = added(equation, update, plain, fresh=True)
    target = line.partition(" = ")[0]
    if isinstance(node, Reduction):
        before, code = fast.expression(node)
        return [*before, f"{target} = {code}"]
    return fast.filled(target, node, target) if isinstance(node, Product) and node.axes == axes else [line]


def _computed(plan, own, block, placed) -> str:
    """The function that computes loss and gradients, of a block of rows or of all."""
    program, names = own.program, arguments(own.program)
    given = given_sizes(plan, block)
    gradients = ", ".join(program.adjoints[p.name] for p in program.parameters)
    arrays = [*program.parameters, *program.inputs]
    body = parts.body(own, own.forward, "backward", arrays, given=[s.name for s in given])
    body += parts.body(own, own.backward, "backward", arrays, own.texts.quotes(), [s.name for s in program.sizes])
    what = f"of some of the {block.whole} rows" if block else "into arrays of a workspace"
    told = f"fill {', '.join(placed)}; " if placed else ""
    return "\n".join([
        *signature("_computed", [*names, *placed, "array"], given),
        *wrapped(f'    """Return the loss and its gradients, {what}; {told}`array` hands out arrays."""'),
        *body, *wrapped(f"    return {program.loss}, Params({gradients})"),
    ])
