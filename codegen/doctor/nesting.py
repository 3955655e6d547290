"""Dictionaries, lists and objects in one another, as somebody's function returns its gradients in them."""

import dataclasses
import re
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

PLAIN = tuple | list | np.ndarray | float | int | complex | str | np.generic | type | ModuleType | FunctionType
Path = tuple[Any, ...]


def opened(given: Any, above: tuple[int, ...] = ()) -> Any:
    """Return what is given in dictionaries, lists and tuples: those for objects, generators, views, arrays of arrays.

    Pairs with names are a dictionary. What has itself in it, directly or not, has None there.
    """
    if id(given) in above:
        return None
    above = (*above, id(given))
    if isinstance(given, Iterator | ValuesView) or (
            isinstance(given, np.ndarray) and given.dtype == object and given.ndim == 1):
        given = list(given)
    elif isinstance(given, ItemsView):
        given = dict(given)
    fields = named_fields(given)
    if fields is not None:
        return {key: opened(part, above) for key, part in fields.items()}
    if not isinstance(given, tuple | list):
        return given
    parts = [opened(part, above) for part in given]
    named = {k: p for k, p in enumerate(parts) if isinstance(p, tuple | list) and len(p) == 2 and isinstance(p[0], str)}
    others = [p for k, p in enumerate(parts) if k not in named]
    if named:
        fields = {p[0]: p[1] for p in named.values()}
        return [*others, fields] if others else fields
    return parts if isinstance(given, list) else tuple(parts)


def named_fields(given: Any) -> Mapping | None:
    """Return the named parts of a dictionary, a NamedTuple or a simple object, None where there are none."""
    if isinstance(given, Mapping):
        return given
    if hasattr(given, "_asdict"):
        return given._asdict()
    if isinstance(given, PLAIN) or given is None:
        return None
    if dataclasses.is_dataclass(given):
        return {f.name: getattr(given, f.name) for f in dataclasses.fields(given)}
    return vars(given) if hasattr(given, "__dict__") and vars(given) else None


def holds_arrays(given: Any) -> bool:
    """Tell whether some parts of a dictionary or list are arrays, or have such parts; not those of numbers alone."""
    fields = named_fields(given)
    parts = list(fields.values()) if fields is not None else given if isinstance(given, tuple | list) else []
    return any((isinstance(p, np.ndarray) and p.ndim > 0) or holds_arrays(p) for p in parts)


def containers(given: Any) -> Iterator[Mapping]:
    """Yield the dictionaries inside a dictionary or list."""
    fields = named_fields(given)
    for part in fields.values() if fields is not None else given if isinstance(given, tuple | list) else ():
        if (inner := named_fields(part)) is not None:
            yield inner
        if inner is not None or isinstance(part, tuple | list):
            yield from containers(part)


def leaves(given: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the arrays and numbers in dictionaries and lists, with the keys and places that lead to each."""
    fields = named_fields(given)
    if fields is not None:
        for key, part in fields.items():
            yield from leaves(part, (*path, *(key if isinstance(key, tuple) else (key,))))
    elif isinstance(given, tuple | list) and (holds_arrays(given) or any(p is None for p in given)):
        for k, part in enumerate(given):
            yield from leaves(part, (*path, _Place(k)))
    else:
        yield path, given


class _Place(int):
    """A place in a list, which is no number of a layer."""


def names(path: Path) -> list[str]:
    """Return the last name on a way, and the numbers on it: W, 1 for layer1, W."""
    keys = [k for k in path if not isinstance(k, _Place)]
    words = [k for k in keys if isinstance(k, str) and re.search("[A-Za-z]", k)]
    if not words:
        return []
    last = words[-1]
    numbers = [n for k in keys if k is not last for n in re.findall(r"\d+", str(k))]
    return [last, *numbers]
