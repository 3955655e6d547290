"""What a function gives back beside its gradients: the parameters, each with its own, or all of them together."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .nesting import opened


def without(parameters: Sequence[Any], returned: Any) -> Any:
    """Return what is returned, opened, without the parameters, where as many other arrays of their shapes are in it.

    A pair of a parameter and its gradient is the gradient then. Otherwise nothing is left out: a parameter alone is
    taken for a gradient, which it is not.
    """
    returned = opened(returned)
    found, shapes = list(_parts(returned)), [np.shape(p) for p in parameters]
    if shapes == [()] or not all(any(_is_one(part, [p]) for part in found) for p in parameters):
        return returned
    others = [np.shape(part) for part in found if not _is_one(part, parameters)]
    if any(others.count(shape) < shapes.count(shape) for shape in shapes):
        return returned
    return opened(_stripped(returned, parameters))


def _parts(given: Any) -> Iterator[Any]:
    """Yield what is in dictionaries, lists and tuples, however deep."""
    if isinstance(given, Mapping | tuple | list):
        for part in given.values() if isinstance(given, Mapping) else given:
            yield from _parts(part)
    else:
        yield given


def _is_one(part, parameters):
    return isinstance(part, np.ndarray | float | int) and any(
        np.shape(part) == np.shape(p) and np.array_equal(part, p) for p in parameters)


def _stripped(given, parameters):
    """Return what is given without parameters; what they alone were beside stands for itself."""
    if isinstance(given, Mapping):
        return {k: kept for k, part in given.items() if (kept := _stripped(part, parameters)) is not None}
    if not isinstance(given, tuple | list):
        return None if _is_one(given, parameters) else given
    parts = [kept for part in given if (kept := _stripped(part, parameters)) is not None]
    if not parts and given:
        return None
    return parts[0] if len(parts) == 1 < len(given) else tuple(parts)
