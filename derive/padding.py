"""Arrays with zeros all around."""

from sympy import S, expand

from .arrays import Array
from .conversion import symbolic
from .errors import DefinitionError
from .guards import guarded
from .ranges import index_range


def padded(array: Array) -> "Padded":
    """Return the array with zeros all around: `padded(X)[n, i - 1]` reads 0 outside X's range.

    Row -1 of a state is its initial value, and zeros begin before it.
    """
    if not isinstance(array, Array):
        raise DefinitionError(f"padded({array}): expected an array by name; define it first")
    return Padded(array)


class Padded:
    """An array that reads 0 outside its range."""

    def __init__(self, array: Array):
        self.array = array

    def __getitem__(self, indices):
        indices = indices if isinstance(indices, tuple) else (indices,)
        read = self.array[indices]
        conditions, first = [], self.array.first_row
        for index, size in zip(map(symbolic, indices), self.array.shape, strict=True):
            if index_range(index) != (0, size - 1):
                conditions += [index - first, size - 1 - index]
            first = 0
        left = [c for c in map(expand, conditions) if not c.is_nonnegative]
        return S.Zero if any(c.is_negative for c in left) else guarded(read, left)
