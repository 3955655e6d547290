"""What people write wrong in an expression, undone: it as it may have been meant.

Signs, operands, brackets, indices, axes, transposes, another name. Each is one change of a syntax tree; which of them
makes a gradient right is for others to find.
"""

import ast
import copy
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import cast

from .arrangements import cut, laid_out, replaced
from .beginnings import copied
from .bracketing import bracketed
from .edits import FAR, OTHER, PARTS, SLIP, Edit, Surroundings, is_own, made, once, parsed, with_names
from .numbered import relabelled, renumbered
from .quoting import cut_short, quoted
from .reading import moved, subscripts
from .reductions import AXES, REDUCTIONS, other_norms, other_slopes_of_norms, over_axes
from .slots import Slot, expressions, text
from .subscripts import are_subscripts, off_diagonal, relettered

COUNTED = 4                 # axes of which several may be counted
MOST_PARTS = 16             # of an expression that are exchanged two by two
READ = ast.Attribute | ast.Subscript
SUMMING = ("sum", "mean", "dot")        # methods: what they are called of may be another expression
OPERATORS: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub, ast.Mult), ast.Sub: (ast.Add,), ast.Mult: (ast.Div, ast.MatMult, ast.Add),
    ast.Div: (ast.Mult,), ast.FloorDiv: (ast.Div,), ast.MatMult: (ast.Mult,), ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,),
}  # fmt: skip
SIGNS: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//",
                          ast.MatMult: "@", ast.Pow: "**", ast.BitAnd: "&", ast.BitOr: "|"}
RELATIONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt, ast.GtE), ast.LtE: (ast.Lt, ast.GtE, ast.Gt), ast.Gt: (ast.GtE, ast.Lt, ast.LtE),
    ast.GtE: (ast.Gt, ast.LtE, ast.Lt), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}  # fmt: skip
ALIKE = [{"sum", "mean", "max"}, {"max", "min"}, {"maximum", "minimum"}, {"amax", "amin"}, {"exp", "log", "expm1"},
         {"log", "log1p"}, {"var", "std"}, {"zeros_like", "ones_like", "empty_like"}, {"zeros", "ones", "empty"},
         {"sqrt", "square", "abs"}, {"argmax", "argmin"}, {"sin", "cos"}, {"tanh", "sinh", "cosh"}, {"sign", "abs"},
         {"outer", "dot", "inner", "multiply"}, {"dot", "matmul"}, {"add", "subtract"}, {"multiply", "divide"},
         {"greater", "greater_equal", "less", "less_equal"}, {"cumsum", "cumprod"}, {"hstack", "vstack"},
         {"reshape", "transpose"}, {"repeat", "tile"}, {"triu", "tril"}, {"floor", "ceil", "round"}]


def of_expression(slot: Slot, around: Surroundings, called: bool = False) -> Iterator[Edit]:
    """Yield what else an expression may have been meant to be."""
    old = slot.node
    for kind, makers in MAKERS.items():
        for make in makers if isinstance(old, kind) else ():
            for new, words, rank in make(old, around):
                yield made(slot, new, words, rank)
    if called or not isinstance(old, ast.expr):
        return
    for make in ANYWHERE:
        for new, words, rank in make(old, around):
            yield made(slot, new, words, rank)


def everywhere(slot: Slot, around: Surroundings) -> Iterator[Edit]:
    """Yield what else an expression, and all that it is made of, may have been meant to be."""
    calls = [n.func for n in ast.walk(slot.node) if isinstance(n, ast.Call)]
    summed = {id(f.value) for f in calls if isinstance(f, ast.Attribute) and f.attr in SUMMING
              and not (isinstance(f.value, ast.Name) and f.value.id not in around.names)}
    heads = {id(n.value) for n in ast.walk(slot.node) if isinstance(n, ast.Attribute)} - summed | set(map(id, calls))
    for inner in list(expressions(slot)):
        yield from of_expression(inner, around, called=id(inner.node) in heads)
    yield from throughout(slot, around)
    yield from _in_a_part(slot, around)


def _in_a_part(slot, around):
    """Yield a value with a name replaced wherever it stands in a part, but not in the rest."""
    whole = _names_in(slot.node)
    for part in expressions(slot):
        used = _names_in(part.node) if isinstance(part.node, ast.BinOp | ast.Call) else []
        for old in dict.fromkeys(n for n in used if n in around.names and 1 < used.count(n) < whole.count(n)):
            for new in around.names:
                if new != old:
                    words = f"{old} is read where {new} should be, in {quoted(part.node)}"
                    yield made(part, with_names(part.node, {old: new}), words, FAR)


def _names_in(node):
    return [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]


def throughout(slot: Slot, around: Surroundings) -> Iterator[Edit]:
    """Yield a value with a name, or what stands in it twice, replaced everywhere, or two names exchanged."""
    used = _names_in(slot.node)
    own = [n for n in dict.fromkeys(used) if n in around.names]
    for a, b in combinations(own, 2):
        yield made(slot, with_names(slot.node, {a: b, b: a}), f"{a} and {b} are exchanged", SLIP)
    yield from _exchanged(slot)
    for old in (n for n in own if used.count(n) > 1):
        for new in around.names:
            if new != old:
                yield made(slot, with_names(slot.node, {old: new}), f"{old} is read where {new} should be", OTHER)
    said = [text(part.node) for part in expressions(slot) if isinstance(part.node, ast.BinOp | ast.Call | READ)]
    others = {n: ast.Name(n, ast.Load()) for n in around.names} | {
        t: n for t, n in around.parts.items() if isinstance(n, READ)}
    for old in dict.fromkeys(s for s in said if said.count(s) > 1):
        for new in (n for n in others if n != old):
            whole = replaced(cast(ast.expr, slot.node), old, others[new])
            yield made(slot, whole, f"{old} is read where {new} should be", OTHER)


def _exchanged(slot):
    """Yield a value with two of its parts exchanged."""
    parts = [inner for inner in expressions(slot) if isinstance(inner.node, PARTS)][1:MOST_PARTS]
    for a, b in combinations(parts, 2):
        first, second = a.node, b.node
        if not any(n is first for n in ast.walk(second)) and not any(n is second for n in ast.walk(first)):
            with a.holding(second), b.holding(first):
                whole = copy.deepcopy(slot.node)
            yield made(slot, whole, f"{quoted(first)} and {quoted(second)} are exchanged", OTHER)


# ---- operations


def _operations(node, around):
    left, op, right = node.left, type(node.op), node.right
    for other in OPERATORS.get(op, ()) if "1" not in (text(left), text(right)) or op is ast.Sub else ():
        rank = SLIP if other not in (ast.Add, ast.MatMult) or op is ast.Sub else OTHER
        yield ast.BinOp(left, other(), right), f"{SIGNS[op]} where {SIGNS[other]} should be", rank
    if op is ast.Add and isinstance(left, ast.BinOp) and type(left.op) is op:
        yield ast.BinOp(left.left, left.op, ast.BinOp(left.right, ast.Mult(), right)), "+ where * should be", SLIP
    yield left, f"{_part(op)} {quoted(right)} does not belong there", SLIP
    yield right, f"{quoted(left)} {SIGNS.get(op, '')} does not belong there", SLIP
    if op is ast.Mult and _is_product(left):        # a slope is two factors: d * h * (1 - h)
        yield left.left, f"the factors {quoted(left.right)} and {quoted(right)} do not belong there", SLIP
    joins = op is ast.Add and any(isinstance(a, ast.List | ast.Tuple) for a in (left, right))
    if op in (ast.Sub, ast.Div, ast.FloorDiv, ast.MatMult, ast.Pow) or joins:
        yield ast.BinOp(right, node.op, left), "the operands are exchanged", SLIP
    if op is ast.MatMult:
        for a, b in ((_transposed(left), right), (left, _transposed(right)), (_transposed(left), _transposed(right))):
            yield ast.BinOp(a, node.op, b), "transposed where it should not be, or not where it should", SLIP
            yield ast.BinOp(b, node.op, a), "transposed and exchanged", SLIP
    for one in (right, left) if op is ast.Mult and "2" in (text(left), text(right)) else ():
        if text(one) != "2":
            turned = parsed("np.swapaxes(x, -1, -2)")
            turned.args[0] = one
            for other in (_transposed(one), turned):
                yield ast.BinOp(one, ast.Add(), other), "one of the two is transposed", OTHER
    if op is ast.Mult and text(left) == "2":
        for name in around.names:
            new = ast.BinOp(right, ast.Add(), ast.Name(name, ast.Load()))
            yield new, f"one of the two is {name}", OTHER
    if isinstance(right, ast.BinOp):
        turned = ast.BinOp(ast.BinOp(left, node.op, right.left), right.op, right.right)
        yield turned, "brackets are in the wrong place", SLIP
    if op in (ast.Add, ast.Sub):
        yield from ((new, "brackets are in the wrong place", SLIP) for new in _taken_in(left, node.op, right))
        for name in around.names:
            flipped = ast.Add() if op is ast.Sub else ast.Sub()
            yield ast.BinOp(left, flipped, ast.Name(name, ast.Load())), \
                f"{_part(op)} {quoted(right)} stands where {_part(type(flipped))} {name} should", FAR
    if isinstance(left, ast.BinOp):
        turned = ast.BinOp(left.left, left.op, ast.BinOp(left.right, node.op, right))
        yield turned, "brackets are in the wrong place", SLIP
    yield from ((new, "brackets are in the wrong place", OTHER) for new in bracketed(node))
    yield from ((new, "the factor stands on the other side of the product", OTHER) for new in _across(node))


def _multiplied(node):
    """Return the two that a matrix product is of, M @ v, M.dot(v) or np.dot(M, v); None for anything else."""
    if isinstance(node, ast.BinOp):
        return (node.left, node.right) if isinstance(node.op, ast.MatMult) else None
    if not isinstance(node, ast.Call) or called(node) not in ("dot", "matmul") or node.keywords:
        return None
    operands = [*node.args] if len(node.args) == 2 else [getattr(node.func, "value", None), *node.args]
    return operands if len(operands) == 2 and operands[0] is not None else None


def _across(node):
    """Yield a * (M @ v) as M @ (a * v), M.T @ (a * v) and (M * a) @ v, and either of those as the others."""
    left, right = node.left, node.right
    times, product = ast.Mult(), ast.MatMult()
    if isinstance(node.op, ast.Mult):
        for a, whole in ((left, right), (right, left)):
            if (pair := _multiplied(whole)) is not None:
                matrix, vector = pair
                yield ast.BinOp(matrix, product, ast.BinOp(a, times, vector))
                yield ast.BinOp(ast.Attribute(matrix, "T", ast.Load()), product, ast.BinOp(a, times, vector))
                yield ast.BinOp(ast.BinOp(matrix, times, a), product, vector)
    elif isinstance(node.op, ast.MatMult):
        for k, side in enumerate((left, right)):
            for a, rest in ((side.left, side.right), (side.right, side.left)) if _is_product(side) else ():
                yield ast.BinOp(a, times, ast.BinOp(rest, product, right) if k == 0 else ast.BinOp(left, product, rest))
                moved_in = (rest, ast.BinOp(a, times, right)) if k == 0 else (ast.BinOp(left, times, a), rest)
                yield ast.BinOp(moved_in[0], product, moved_in[1])


def _is_product(node):
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)


def _taken_in(product, op, term):
    """Yield a*b*c + d as (a + d)*b*c and (a*b + d)*c."""
    if isinstance(product, ast.BinOp) and isinstance(product.op, ast.Mult):
        yield ast.BinOp(ast.BinOp(product.left, op, term), ast.Mult(), product.right)
        for inner in _taken_in(product.left, op, term):
            yield ast.BinOp(inner, ast.Mult(), product.right)


def _part(op):
    return {ast.Div: "the division by", ast.Mult: "the factor", ast.Add: "the term", ast.Sub: "the term -",
            ast.Pow: "the power", ast.MatMult: "the product with"}.get(op, "the operand")


def _transposed(node):
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return node.value
    return ast.Attribute(node, "T", ast.Load())


def _negated(node, around):
    yield node.operand, "the sign is wrong" if isinstance(node.op, ast.USub) else "negated where it should not be", SLIP


def _relations(node, around):
    for other in RELATIONS.get(type(node.ops[0]), ()) if len(node.ops) == 1 else ():
        yield ast.Compare(node.left, [other()], node.comparators), "another comparison", SLIP
    yield node.left, "the comparison does not belong there", SLIP
    for name in around.names:
        mask = ast.Compare(ast.Name(name, ast.Load()), [ast.Gt()], [ast.Constant(0)])
        yield mask, f"the mask is that of {name}", SLIP


def _chosen(node, around):
    yield ast.IfExp(node.test, node.orelse, node.body), "the two cases are exchanged", SLIP
    yield node.body, "the first case is the one, always", SLIP
    yield node.orelse, "the second case is the one, always", SLIP


# ---- constants and names


def _constants(node, around):
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value), f"{value} where {not value} should be", SLIP
    elif isinstance(value, int | float):
        others = (value + 1, value - 1, -value, 2 * value, value / 2, 0, 1, 1 - value, 1 / value if value else 2)
        for other in dict.fromkeys(o for o in others if o != value):
            number = int(other) if other == int(other) else other
            new = ast.UnaryOp(ast.USub(), ast.Constant(-number)) if number < 0 else ast.Constant(number)
            yield new, f"{value} where {number} should be", SLIP
        for name in around.loops:
            yield ast.Name(name, ast.Load()), f"{value} where {name} should be", SLIP
        for name in around.names if value == 2 else ():
            yield ast.BinOp(ast.Constant(1), ast.Add(), ast.Name(name, ast.Load())), f"one of the two is {name}", OTHER
    elif are_subscripts(value):
        yield from ((ast.Constant(s), "indices are exchanged", SLIP) for s in relettered(value))
        yield from ((ast.Constant(s), "a diagonal is read where all should be", OTHER)
                    for s in off_diagonal(value, around.strings))
        yield from ((ast.Constant(s), f"{s!r} is the one", OTHER) for s in around.strings
                    if are_subscripts(s) and s != value)
    elif isinstance(value, str):
        yield from ((ast.Constant(s), f"{s!r} is the one", OTHER) for s in around.strings if s != value)


def names(node: ast.Name, around: Surroundings) -> Iterator[tuple[ast.expr, str, int]]:
    """Yield other names, what a name was at the turn of a loop that is meant, and one less or more of a size."""
    if any(node.id in axes for axes in around.lengths):
        for sign, words in ((ast.Sub(), "one less"), (ast.Add(), "one more")):
            yield ast.BinOp(node, sign, ast.Constant(1)), f"{node.id} is read where {words} should be", SLIP
    for kept in around.turns.get(node.id, ()):
        yield kept, f"{node.id} is what the last turn of a loop left, where {text(kept)} should be", SLIP
    for name in around.names:
        if name != node.id:
            yield ast.Name(name, ast.Load()), f"{node.id} is read where {name} should be", OTHER


def _attributes(node, around):
    if node.attr == "T":
        yield node.value, "transposed where it should not be", SLIP
    for name in once((*around.attributes, *(around.kept if is_own(node) else ()))):
        if name != node.attr:
            yield ast.Attribute(node.value, name, ast.Load()), f"{node.attr} is read where {name} should be", OTHER


# ---- calls


def called(call: ast.Call) -> str:
    """Return the name of what is called, "" where it has none."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def like(name: str) -> list[str]:
    """Return functions that are taken for one."""
    return [other for some in ALIKE if name in some for other in sorted(some - {name})]


def _calls(node, around):
    name = called(node)
    for other in like(name):
        yield renamed(node, other), f"{name} where {other} should be", SLIP
    for argument in node.args[:3]:
        if not isinstance(argument, ast.Starred):
            yield argument, f"{name} does not belong there", SLIP
    if isinstance(node.func, ast.Attribute):
        yield node.func.value, f"{name} does not belong there", SLIP
    for a, b in combinations(range(len(node.args)), 2):
        arguments = list(node.args)
        arguments[a], arguments[b] = arguments[b], arguments[a]
        yield ast.Call(node.func, arguments, node.keywords), "arguments are exchanged", SLIP
    for k in range(len(node.keywords)):
        rest = node.keywords[:k] + node.keywords[k + 1:]
        yield ast.Call(node.func, node.args, rest), f"{node.keywords[k].arg} does not belong there", SLIP
    if name in REDUCTIONS or any(k.arg == "axis" for k in node.keywords):
        yield from over_axes(node, name)
    if name in ("cumsum", "cumprod") and node.args:
        yield _reversed(ast.Call(node.func, [_reversed(node.args[0]), *node.args[1:]], node.keywords)), \
            "accumulated from the wrong end", SLIP
    if name == "range":
        yield from _ranges(node)
    if name != "reversed" and name in ("range", "zip", "list", "enumerate"):
        yield ast.Call(ast.Name("reversed", ast.Load()), [node], []), "the order is the wrong way round", SLIP
    if isinstance(node.func, ast.Name):
        for other in around.functions:
            if other != name:
                yield renamed(node, other), f"{name} where {other} should be", OTHER


def renamed(call: ast.Call, name: str) -> ast.Call:
    """Return the call of another function, with the same arguments."""
    func = ast.Attribute(call.func.value, name, ast.Load()) if isinstance(call.func, ast.Attribute) else \
        ast.Name(name, ast.Load())
    return ast.Call(func, call.args, call.keywords)


def _ranges(node):
    ends = [ast.Constant(0), *node.args] if len(node.args) == 1 else list(node.args)
    for k, end in reversed([*enumerate(ends[:2])]):
        for by in (1, -1):
            others = [*ends[:k], moved(end, by), *ends[k + 1:]]
            others = others[1:] if k and len(node.args) == 1 else others
            yield ast.Call(node.func, others, []), f"the range {('begins', 'ends')[k]} at the wrong place", SLIP


# ---- subscripts, and what is counted


def counted(node: ast.expr, around: Surroundings) -> Iterator[tuple[ast.expr, str, int]]:
    """Yield what else there may be to count, where the length of one axis is read: several axes, or all entries."""
    read = text(node)
    array = read[:read.rindex(".shape[")] if re.fullmatch(r".*\.shape\[-?\d\]", read) else \
        read[4:-1] if read.startswith("len(") and read.count("(") == 1 else ""
    if not array:
        return
    axes = [f"{array}.shape[{k}]" for k in range(COUNTED)]
    for several in (s for n in (2, 3) for s in combinations(axes, n)):
        yield parsed(" * ".join(several)), f"the entries of {len(several)} axes are to be counted", OTHER
    yield parsed(f"{array}.size"), "all entries are to be counted", OTHER


def counted_by_name(node: ast.Name, around: Surroundings) -> Iterator[tuple[ast.expr, str, int]]:
    """Yield the product of several lengths of an array where one of them is read: N * H * W for N."""
    for axes in (a for a in around.lengths if node.id in a and isinstance(node.ctx, ast.Load)):
        for count in range(2, len(axes) + 1):
            for several in (s for s in combinations(axes, count) if node.id in s):
                yield parsed(" * ".join(several)), f"the entries of {count} axes are to be counted", OTHER


def mirrored(node: ast.Name, around: Surroundings) -> Iterator[tuple[ast.expr, str, int]]:
    """Yield an index of a loop counted from the other end: T - 1 - t."""
    if node.id in around.loops and isinstance(node.ctx, ast.Load):
        for size in (size for said, size in around.sizes.items() if said not in around.loops):
            last = ast.BinOp(size, ast.Sub(), ast.Constant(1))
            yield ast.BinOp(last, ast.Sub(), node), f"{node.id} is counted from the other end", OTHER


def _reversed(node, axes=1, last=False):
    back: list[ast.expr] = [ast.Constant(...)] if last else []
    back += [ast.Slice(None, None, ast.UnaryOp(ast.USub(), ast.Constant(1))) for _ in range(axes)]
    return ast.Subscript(node, back[0] if len(back) == 1 else ast.Tuple(back, ast.Load()), ast.Load())


# ---- anywhere


def _around(node, around):
    """A transpose, a reversal or a small change of a value that is missing."""
    if isinstance(node, ast.Constant | ast.Slice | ast.Tuple | ast.List | ast.Dict | ast.Starred | ast.Lambda):
        return
    one = ast.Constant(1)
    yield _reversed(node), "it is the wrong way round: [::-1] is missing", SLIP
    yield _reversed(node, 2), "it is not turned round along both axes: [::-1, ::-1] is missing", SLIP
    yield _reversed(node, 2, last=True), \
        "it is not turned round along its last two axes: [..., ::-1, ::-1] is missing", OTHER
    if not (isinstance(node, ast.Attribute) and node.attr == "T"):
        yield _transposed(node), "it is not transposed", SLIP
    yield ast.UnaryOp(ast.USub(), node), "the sign is wrong", SLIP
    for new in (ast.BinOp(one, ast.Sub(), node), ast.BinOp(node, ast.Sub(), one), ast.BinOp(node, ast.Add(), one)):
        yield new, "1 is missing", OTHER
    yield ast.BinOp(node, ast.Pow(), ast.Constant(2)), "a square is missing", OTHER
    yield ast.BinOp(ast.Constant(2), ast.Mult(), node), "a factor 2 is missing", OTHER
    yield ast.BinOp(node, ast.Div(), ast.Constant(2)), "a factor 1/2 is missing", OTHER
    for axis in AXES[:5]:
        for kept in ("", "keepdims=True"):
            inside = ", ".join(s for s in ((f"axis={axis}" if axis != "None" else ""), kept) if s)
            new = parsed(f"x.sum({inside})")
            new.func.value = node
            yield new, "a sum is missing", OTHER
    for function in ("exp", "log", "sqrt", "tanh", "abs"):
        new = parsed(f"np.{function}(x)")
        new.args = [node]
        yield new, f"{function} is missing", FAR


def _elsewhere(node, around):
    """Another short expression of the function: in its place, or added, subtracted, multiplied, divided by."""
    if isinstance(node, ast.Slice | ast.Tuple | ast.List | ast.Dict | ast.Starred | ast.Lambda):
        return
    here = text(node)
    short = cut_short(here)
    for said, part in around.parts.items():
        if said != here and not (isinstance(node, ast.Name) and isinstance(part, ast.Name)):
            rank = OTHER if isinstance(part, ast.Name) or isinstance(node, ast.Subscript | ast.Name) else FAR
            yield part, f"{short} is read where {cut_short(said)} should be", rank
    for name, slopes in around.slopes.items() if not isinstance(node, ast.Constant) else ():
        for said, slope in slopes.items():
            yield ast.BinOp(node, ast.Mult(), slope), f"the slope {said} is missing", FAR
        yield from ((new, f"the product with {name} is missing", FAR)
                    for new in _turned(node, ast.Name(name, ast.Load())))
    for said, part in around.parts.items() if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) else ():
        if isinstance(part, ast.Attribute):
            yield from ((new, f"the product with {cut_short(said)} is missing", FAR) for new in _turned(node, part))
    for said, other in around.operands.items() if not isinstance(node, ast.Constant) else ():
        for op in (ast.Mult, ast.Div, ast.Add, ast.Sub):
            yield ast.BinOp(node, op(), other), f"{_part(op)} {cut_short(said)} is missing", FAR


def _turned(node, matrix):
    """Yield what stands in a place times a matrix: A x, x A, and A x A' or A' x A as for other axes."""
    for a, b in ((matrix, _transposed(matrix)), (_transposed(matrix), matrix)):
        left = ast.BinOp(a, ast.MatMult(), node)
        yield from (left, ast.BinOp(node, ast.MatMult(), a), ast.BinOp(left, ast.MatMult(), b))


MAKERS: dict[type, tuple[Callable, ...]] = {
    ast.BinOp: (_operations, other_slopes_of_norms), ast.UnaryOp: (_negated,), ast.Compare: (_relations,),
    ast.IfExp: (_chosen,), ast.Constant: (_constants,), ast.Name: (names, mirrored, counted_by_name),
    ast.Attribute: (_attributes,),
    ast.Call: (_calls, other_norms, laid_out, copied, counted), ast.Subscript: (subscripts, cut, counted),
}  # fmt: skip
ANYWHERE: tuple[Callable, ...] = (_around, _elsewhere, renumbered, relabelled)
