"""Arrays laid out otherwise: axes in another order before a reshape or after it, cut at other places, not added up."""

import ast
import copy
from collections.abc import Iterator, Sequence
from itertools import combinations, permutations, product
from typing import Any

from .edits import OTHER, SLIP, Surroundings
from .slots import text

RANKS = (2, 3, 4)           # of arrays whose number of axes is not written
TRANSPOSING = ("transpose", "swapaxes", "moveaxis")
MOST_LOOPS = 3              # of a function, with which a slice may move
MOST_AXES = 4               # that are permuted in every way; of more, one is moved or two are exchanged
Made = Iterator[tuple[ast.expr, str, int]]
REORDERED, TORN = "the axes are in another order", "entries are reshaped where axes should be exchanged"


def laid_out(node: ast.Call, around: Surroundings) -> Made:
    """Yield a transposition or a reshape with the axes in another order, before it or after it."""
    name, array, sizes = _parts(node)
    if name == "transpose" and len(sizes) > 1:
        axes = [_number(s) for s in sizes]
        if None not in axes:
            yield from ((_transposed(array, p), REORDERED, SLIP) for p in orders(len(axes)) if list(p) != axes)
    elif name in TRANSPOSING:
        yield from ((_transposed(array, p), REORDERED, SLIP) for n in RANKS for p in orders(n))
    if name not in ("reshape", "ravel", "flatten"):
        return
    for n in RANKS if not (isinstance(array, ast.Call) and _parts(array)[0] in TRANSPOSING) else ():
        for p in orders(n):
            yield _with_array(node, _transposed(array, p)), TORN, SLIP
    if len(sizes) > 1:
        for p in orders(len(sizes)):
            before = _call(array, "reshape", [sizes[k] for k in p])
            yield _transposed(before, [p.index(k) for k in range(len(p))]), TORN, SLIP
    elif sizes and not isinstance(sizes[0], ast.Constant | ast.UnaryOp):
        for p in (p for n in RANKS for p in orders(n)):
            parts = [ast.Subscript(sizes[0], ast.Constant(k), ast.Load()) for k in p]
            yield _transposed(_call(array, "reshape", parts), [p.index(k) for k in range(len(p))]), TORN, SLIP
    if not any(k.arg == "order" for k in node.keywords):
        yield ast.Call(node.func, node.args, [*node.keywords, ast.keyword("order", ast.Constant("F"))]), \
            "entries are in the other order", OTHER


def orders(count: int) -> list[tuple[int, ...]]:
    """Return the orders of so many axes, but for the one that they are in."""
    same = tuple(range(count))
    if count <= MOST_AXES:
        return [p for p in permutations(same) if p != same]
    found = []
    for a in same:
        rest = [k for k in same if k != a]
        found += [(*rest[:b], a, *rest[b:]) for b in same]                                  # one moved
        found += [tuple(b if k == a else a if k == b else k for k in same) for b in same]   # two exchanged
    return [p for p in dict.fromkeys(found) if p != same]


def _parts(call):
    """Return what a call does to which array, with the sizes or the axes that it names."""
    func = call.func
    if not isinstance(func, ast.Attribute):
        return "", None, []
    if isinstance(func.value, ast.Name) and func.value.id in ("np", "numpy"):
        array, rest = call.args[0] if call.args else None, call.args[1:]
    else:
        array, rest = func.value, call.args
    if len(rest) == 1 and isinstance(rest[0], ast.Tuple | ast.List):
        rest = rest[0].elts
    return (func.attr if array is not None else ""), array, list(rest)


def _with_array(call, array):
    if isinstance(call.func.value, ast.Name) and call.func.value.id in ("np", "numpy"):
        return ast.Call(call.func, [array, *call.args[1:]], call.keywords)
    return ast.Call(ast.Attribute(array, call.func.attr, ast.Load()), call.args, call.keywords)


def _call(array, name, arguments):
    return ast.Call(ast.Attribute(array, name, ast.Load()), list(arguments), [])


def _transposed(array, axes):
    return _call(array, "transpose", [ast.Constant(k) for k in axes])


def _number(node):
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


# ---- slices


def cut(node: ast.Subscript, around: Surroundings) -> Made:
    """Yield slices that begin or end elsewhere: as another does, at a size, from the other end, or moved a little."""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    slices = {k: p for k, p in enumerate(parts) if isinstance(p, ast.Slice) and (p.lower or p.upper)}
    sizes = [*around.sizes.values(), ast.Constant(2), ast.Constant(1)]
    for k, part in slices.items():
        for new in (n for said, n in around.slices.items() if said != text(part)):
            yield _at(node, [*parts[:k], new, *parts[k + 1:]]), f"elsewhere it is [{text(new)}]", OTHER
        for new in other_slices(part, sizes):
            yield _at(node, [*parts[:k], new, *parts[k + 1:]]), "it is cut at another place", OTHER
        for new in _strided(part, around.loops, sizes):
            yield _at(node, [*parts[:k], new, *parts[k + 1:]]), "the stride is forgotten, or is none", OTHER
        for new in _in_blocks(node.value, part, k - len(parts) if _has_ellipsis(parts) else k):
            yield _at(node, [*parts[:k], new, *parts[k + 1:]]), "parts that lie one after another, or in turns", OTHER
    for other, stride in _strided_together(parts, around):
        yield _at(node, other), f"the stride {text(stride)} is forgotten in both places", OTHER
    for k, begin in _begun(parts, around):
        counted = ast.BinOp(begin, ast.Add(), parts[k])
        yield _at(node, [*parts[:k], counted, *parts[k + 1:]]), f"it is counted from {text(begin)}", OTHER
    for k, new in _paired(parts, sizes):
        yield _at(node, [*parts[:k], new, *parts[k + 1:]]), "each row has one index of its own, not all of them", OTHER
    ends = [k for k, part in slices.items() if part.upper is not None]
    loops = [ast.Name(name, ast.Load()) for name in around.loops[:MOST_LOOPS]]
    for chosen in product((None, *loops), repeat=len(ends)) if len(ends) <= MOST_LOOPS else ():
        moving = {k: loop for k, loop in zip(ends, chosen, strict=True) if loop is not None}
        other = [_shifted(slices[k], moving[k]) if k in moving else p for k, p in enumerate(parts)]
        yield _at(node, other), "it is to move with the loop", OTHER
    for by in sizes if slices else ():
        if ends:
            moved = [_shifted(slices[k], by) if k in ends else p for k, p in enumerate(parts)]
            yield _at(node, moved), f"it is cut {text(by)} places off", OTHER
        moved = [ast.Slice(by, _negative(by), slices[k].step) if k in slices else p for k, p in enumerate(parts)]
        yield _at(node, moved), "it is cut at another place", OTHER


def other_slices(part: ast.Slice, sizes: Sequence[ast.expr]) -> Iterator[ast.Slice]:
    """Yield a slice from or to another place, the plain ones first."""
    yield from (ast.Slice(None, size, part.step) for size in sizes)
    yield from (ast.Slice(size, None, part.step) for size in sizes)
    if part.lower and part.upper:
        yield from (ast.Slice(size, part.upper, part.step) for size in sizes)
        yield from (ast.Slice(part.lower, size, part.step) for size in sizes)
    if part.upper and not part.lower:       # as long, further on
        inside = {text(n): n for n in ast.walk(part.upper) if isinstance(n, ast.Name | ast.Attribute)}
        yield from (ast.Slice(n, ast.BinOp(part.upper, ast.Add(), n), part.step) for n in inside.values())
    yield from (ast.Slice(_negative(size), None, part.step) for size in sizes)
    yield from (ast.Slice(None, _negative(size), part.step) for size in sizes)


def _strided(part, loops, sizes):
    """Yield a slice that follows a loop, a:a + 3, with a stride in it, or without the one that it has."""
    low, high = part.lower, part.upper
    for name in loops:
        if low and high and all(any(text(n) == name for n in ast.walk(b)) for b in (low, high)):
            here = ast.Name(name, ast.Load())
            for far in (ast.BinOp(size, ast.Mult(), here) for size in sizes):
                yield ast.Slice(replaced(low, name, far), replaced(high, name, far), part.step)
                yield ast.Slice(replaced(low, text(far), here), replaced(high, text(far), here), part.step)


def _has_ellipsis(parts):
    return any(isinstance(p, ast.Constant) and p.value is Ellipsis for p in parts)


def _in_blocks(array, part, axis):
    """Yield every n-th entry from the i-th, i::n, as the i-th of n blocks, i*w:(i + 1)*w, and the other way round."""
    whole = f"{text(array)}.shape[{axis}]"
    if part.step and part.lower and not part.upper:
        block = f"({whole} // {text(part.step)})"
        yield _slice_at(f"{text(part.lower)} * {block}", f"({text(part.lower)} + 1) * {block}")
    if isinstance(part.lower, ast.BinOp) and isinstance(part.lower.op, ast.Mult) and part.upper and not part.step:
        for place, width in ((part.lower.left, part.lower.right), (part.lower.right, part.lower.left)):
            yield _slice_at(text(place), "", f"{whole} // ({text(width)})")


def _slice_at(low, high, step=""):
    place: Any = _parsed(f"a[{low}:{high}:{step}]")
    return place.slice


def _strided_together(parts, around):
    """Yield places with a stride in two parts that follow loops: i + p, j + q, or i:i + 3, j:j + 3."""
    following = {k: [n for n in around.loops if _follows(part, n)] for k, part in enumerate(parts)}
    strides = [s for said, s in around.strides.items() if not isinstance(s, ast.Name) or said in around.sizes]
    for a, b in combinations((k for k in following if following[k]), 2):
        for names in product(following[a], following[b]):
            for stride in strides if names[0] != names[1] else ():
                far = {k: _times(parts[k], n, stride) for k, n in zip((a, b), names, strict=True)}
                yield [far.get(k, part) for k, part in enumerate(parts)], stride


def _follows(part, name):
    """Tell whether a place is a sum with an index in it, or a slice with it at both ends, and no product."""
    inside = [n for n in ast.walk(part) if isinstance(n, ast.BinOp)]
    ends = (part.lower, part.upper) if isinstance(part, ast.Slice) else (part,) if isinstance(part, ast.BinOp) else ()
    return bool(inside) and all(isinstance(n.op, ast.Add) for n in inside) and all(
        end is not None and any(text(n) == name for n in ast.walk(end)) for end in ends)


def _times(part, name, stride):
    far = ast.BinOp(stride, ast.Mult(), ast.Name(name, ast.Load()))
    if isinstance(part, ast.Slice):
        low, high = (end and replaced(end, name, far) for end in (part.lower, part.upper))
        return ast.Slice(low, high, part.step)
    return replaced(part, name, far)


def replaced(node: ast.expr, old: str, new: ast.expr) -> ast.expr:
    """Return an expression with something else wherever a part reads as given."""
    if text(node) == old:
        return new
    other = copy.copy(node)
    for field, value in ast.iter_fields(node):
        if isinstance(value, ast.expr):
            setattr(other, field, replaced(value, old, new))
    return other


def _begun(parts, around):
    """Yield the places of an index, and where a window begins that it may be counted from."""
    begins = {text(s.lower): s.lower for s in around.slices.values() if isinstance(s.lower, ast.Name | ast.BinOp)}
    for k in (k for k, p in enumerate(parts) if isinstance(p, ast.Name | ast.BinOp)):
        yield from ((k, begin) for said, begin in begins.items() if said != text(parts[k]))


def _paired(parts, sizes):
    """Yield places of a whole axis beside an array of indices, and numbers one by one for there."""
    listed = [k for k, p in enumerate(parts) if not isinstance(p, ast.Slice | ast.Constant)]
    whole = [k for k, p in enumerate(parts) if isinstance(p, ast.Slice) and not (p.lower or p.upper or p.step)]
    if listed:
        yield from ((k, _parsed(f"np.arange({text(size)})")) for k in whole for size in sizes[:-2])


def _parsed(source):
    return ast.parse(source, mode="eval").body


def _shifted(part, by):
    low = ast.BinOp(part.lower, ast.Add(), by) if part.lower else by
    return ast.Slice(low, ast.BinOp(part.upper, ast.Add(), by), part.step)


def _negative(node):
    return ast.UnaryOp(ast.USub(), node)


def _at(node, parts):
    return ast.Subscript(node.value, parts[0] if len(parts) == 1 else ast.Tuple(parts, ast.Load()), ast.Load())
