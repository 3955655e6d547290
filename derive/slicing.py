"""NumPy's indexing in array notation: slices, new axes, one entry of an axis, and rows that labels name.

What stands in brackets becomes one entry for each axis: a number for one place, `(start, step, size)` for a slice, an
array of labels for the places that it names, and `()` for a new axis of size 1.
"""

from collections.abc import Sequence

from sympy import Expr, Idx, IndexedBase, Integer, Tuple, floor

from .conversion import symbolic
from .errors import DefinitionError

WORDS = "slices, whole numbers, None, ... and arrays of labels"


def is_slicing(indices: Sequence, rank: int) -> bool:
    """Tell whether what stands in brackets gives an array: slices, new axes, labels, or numbers for the first axes."""
    if any(isinstance(i, slice | IndexedBase) or i is None or i is Ellipsis for i in indices):
        return True
    return len(indices) < rank and all(isinstance(i, int | Integer) for i in indices)


def entries(name: str, shape: tuple[Expr, ...], indices: Sequence) -> Tuple:
    """Return what stands in brackets, as entries.

    Raises
    ------
    DefinitionError
        More indices than axes, a second `...` or array of labels, indices of sums among slices, other objects.
    """
    check_places(name, indices)
    written = f"{name}[{', '.join(map(_written, indices))}]"
    given = sum(i is not None and i is not Ellipsis for i in indices)
    if given > len(shape):
        raise DefinitionError(f"{written}: {name} has {len(shape)} axes; expected at most as many indices")
    if sum(i is Ellipsis for i in indices) > 1 or sum(isinstance(i, IndexedBase) for i in indices) > 1:
        raise DefinitionError(f"{written}: expected `...` at most once, and one array of labels")
    dots = next((k for k, i in enumerate(indices) if i is Ellipsis), len(indices))
    rest = [slice(None)] * (len(shape) - given)
    axes, found = iter(shape), []
    for index in (*indices[:dots], *rest, *indices[dots + 1:]):
        found.append(Tuple() if index is None else _entry(written, next(axes), index))
    return Tuple(*found)


def check_places(name: str, indices: Sequence) -> None:
    """Refuse lists of places, and NumPy's arrays of them.

    Raises
    ------
    DefinitionError
    """
    found = next(((k, i) for k, i in enumerate(indices)
                  if isinstance(i, list | range) or (hasattr(i, "__array__") and hasattr(i, "__len__"))), None)
    if found is None:
        return
    axis, index = found
    before, numbers = ":, " * axis, [k for k in index if type(k) is int and k >= 0]
    example = numbers if 0 < len(numbers) == len(index) <= 4 else (0, 2)
    pieces = ", ".join(f"{name}[{before}{k}:{k + 1}]" for k in example)
    pieces += f", axis={axis}" if axis else ""
    raise DefinitionError(f"{name} is read at {_written(index)}, a list of places; join pieces, concatenate({pieces}), "
                          "or declare the places as labels, net.labels(...)")


def shape_after(found: Tuple) -> tuple[Expr, ...]:
    """Return the shape that entries give."""
    shape: list[Expr] = []
    for entry in found:
        if isinstance(entry, IndexedBase):
            shape += entry.shape
        elif isinstance(entry, Tuple):
            shape.append(entry[2] if entry else Integer(1))
    return tuple(shape)


def places(found: Tuple, indices: tuple) -> tuple[Expr, ...]:
    """Return where an array is read, given the indices of what entries make of it."""
    rest, read = list(indices), []
    for entry in found:
        if isinstance(entry, IndexedBase):
            rank = len(entry.shape)
            read.append(entry[tuple(rest[:rank])])
            del rest[:rank]
        elif not isinstance(entry, Tuple):
            read.append(entry)
        else:
            i = rest.pop(0)
            if entry:
                start, step, _ = entry
                read.append((start + step * i).expand())
    return tuple(read)


def text(found: Tuple, shape: Sequence[Expr]) -> str:
    """Return entries the way they are written."""
    axes, parts = iter(shape), []
    for entry in found:
        size = None if entry == Tuple() else next(axes)
        parts.append("None" if size is None else _slice_text(entry, size) if isinstance(entry, Tuple) else str(entry))
    return ", ".join(parts)


def _entry(written, size, index):
    if isinstance(index, slice):
        return _slice(written, size, index)
    if isinstance(index, IndexedBase):
        if not index.label.is_integer:
            raise DefinitionError(f"{written}: {index} has no whole numbers; labels are declared by net.labels, "
                                  f"and a mask of 0 and 1 multiplies")
        return index
    return _place(written, size, index)


def _place(written, size, index):
    """Return a place on an axis; a negative one counts from the end."""
    value = symbolic(index)
    if isinstance(index, bool) or not isinstance(value, Expr) or value.is_integer is not True:
        raise DefinitionError(f"{written}: {_written(index)} is no place on an axis; expected {WORDS}")
    if value.atoms(Idx) and not written.rpartition("[")[0].isidentifier():
        raise DefinitionError(f"{written}: indices read what has a name; define it first, A = net.define(...), "
                              "and read A")
    if value.atoms(Idx):
        raise DefinitionError(f"{written} mixes indices and slices; read it at one index for each axis, "
                              "or write the whole in array notation")
    return size + value if value.is_negative else value


def _slice(written, size, given):
    step = 1 if given.step is None else given.step
    if not isinstance(step, int) or isinstance(step, bool) or step == 0 or (step < 0 and step != -1):
        raise DefinitionError(f"{written}: the step {step}; expected a whole number above 0, or -1")
    if step == -1:
        if given.start is not None or given.stop is not None:
            raise DefinitionError(f"{written}: backwards, a slice takes the whole axis; cut it first, then [::-1]")
        return Tuple(size - 1, -1, size)
    start = Integer(0) if given.start is None else _place(written, size, given.start)
    stop = size if given.stop is None else _place(written, size, given.stop)
    length = (stop - start).expand()
    if length.is_nonpositive:
        raise DefinitionError(f"{written}: from {start} to {stop} there is nothing")
    return Tuple(start, step, length if step == 1 else floor((length + step - 1) / step))


def _slice_text(entry, size):
    start, step, length = entry
    if step == -1:
        return "::-1"
    stop = (start + length).expand() if step == 1 else size
    return f"{start or ''}:{'' if stop == size else stop}{f':{step}' if step != 1 else ''}"


def _written(index):
    if isinstance(index, slice):
        parts = ("" if p is None else str(p) for p in (index.start, index.stop))
        return ":".join(parts) + ("" if index.step is None else f":{index.step}")
    return "..." if index is Ellipsis else str(index)[:40]
