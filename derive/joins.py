"""Joining arrays end to end, and cutting pieces out: nothing but guarded reads at shifted indices."""

from sympy import Expr, Integer

from .arrays import ArrayNode, at, shape_of
from .conversion import symbolic
from .errors import DefinitionError
from .guards import guarded


class Joined(ArrayNode):
    """Arrays one after the other along an axis; the axis is the first argument."""

    @property
    def shape(self):
        axis, *parts = self.args
        shapes = [shape_of(p) for p in parts]
        others = {s[:axis] + s[axis + 1:] for s in map(tuple, shapes)}
        if len(others) != 1 or any(len(s) <= axis for s in shapes):
            raise DefinitionError(
                f"concatenate along axis {axis}: the shapes {', '.join(map(str, shapes))} should differ there alone"
            )
        [rest] = others
        return (*rest[:axis], sum((s[axis] for s in shapes), Integer(0)), *rest[axis:])

    def at(self, indices, name_index):
        axis, *parts = self.args
        axis = int(axis)
        total, offset = sum(shape_of(p)[axis] for p in parts), Integer(0)
        value = Integer(0)
        for part in parts:
            size = shape_of(part)[axis]
            place = (indices[axis] - offset).expand()
            read = at(part, (*indices[:axis], place, *indices[axis + 1:]), name_index)
            inside = [place] if offset != 0 else []
            inside += [(size - 1 - place).expand()] if (offset + size - total).expand() != 0 else []
            value += guarded(read, inside)
            offset += size
        return value


class Cut(ArrayNode):
    """Entries start ... start + size - 1 along an axis."""

    @property
    def shape(self):
        a, _, size, axis = self.args
        return tuple(size if k == axis else s for k, s in enumerate(shape_of(a)))

    def at(self, indices, name_index):
        a, start, _, axis = self.args
        return at(a, tuple(i + start if k == axis else i for k, i in enumerate(indices)), name_index)


def concatenate(*arrays, axis: int = 0) -> Expr:
    """Return the arrays one after the other along an axis; one list of arrays will do, as in NumPy.

    Raises
    ------
    DefinitionError
        No arrays, a number among them, an axis that they lack, or shapes that differ in another axis.
    """
    [*listed] = arrays[0] if len(arrays) == 1 and isinstance(arrays[0], list | tuple) else arrays
    if not listed:
        raise DefinitionError("concatenate has no arrays to join; expected one at least")
    parts = tuple(map(symbolic, listed))
    for k, part in enumerate(parts):
        if not shape_of(part):
            raise DefinitionError(
                f"concatenate: array {k + 1} of {len(parts)} is {part}, a number without axes (`0*X` is 0 for any X); "
                f"expected arrays: give it one, net.define(name, {part}, over=k) with k from net.indices"
            )
    joined = Joined(_axis(axis, parts[0], "concatenate along"), *parts)
    _ = joined.shape
    return joined


def cut(array, start, size, axis: int = 0) -> Expr:
    """Return `size` entries of an array along an axis, from `start` on; it must be provable that they are in range."""
    a = symbolic(array)
    return Cut(a, symbolic(start), symbolic(size), _axis(axis, a, "cut along"))


def _axis(axis, array, what):
    """Return which axis of an array is meant, counted from the front."""
    rank = len(shape_of(array))
    if not -rank <= axis < rank:
        longer = f"; write {array}[{':, ' * rank}None]" if axis == rank else ""
        raise DefinitionError(f"{what} axis {axis}: {array} has {rank} {'axis' if rank == 1 else 'axes'}; expected "
                              f"{-rank} to {rank - 1}{longer}")
    return Integer(axis % rank)
