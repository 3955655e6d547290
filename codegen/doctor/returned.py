"""What somebody's function returned, taken apart: a loss, if there is one, and gradients by parameter."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LOSS_NAMES = ("loss", "l", "j", "cost", "e", "error", "value")


def taken_apart(given: Any, parameters: Sequence[str], inputs: Sequence[str] = ()) -> tuple[Any, dict[str, Any]]:
    """Return (loss or None, gradients by parameter) from whatever shape somebody's function returns them in.

    Gradients may be a dictionary, a NamedTuple, or an object (by name, or as dNAME, NAME_grad, ...), or a tuple or list
    in the order of the parameters, those of inputs after them; the loss may come before or after, or be left out.

    Raises
    ------
    ValueError
        The gradients are missing or too few; the message says what was found and what is expected.
    """
    named = _fields(given)
    if named is not None:
        return _by_name(named, parameters)
    if not isinstance(given, tuple | list):
        if len(parameters) == 1:
            return None, {parameters[0]: given}
        raise ValueError(f"one {type(given).__name__} was returned; expected {len(parameters)} gradients: "
                         f"{', '.join(parameters)}")
    for k, part in enumerate(given):
        named = _fields(part)
        if named is not None:
            loss, gradients = _by_name(named, parameters)
            return (_first_scalar([*given[:k], *given[k + 1:]]) if loss is None else loss), gradients
    return _by_order(list(given), parameters, inputs)


def _fields(given):
    """Return the named parts of a dictionary, a NamedTuple or a simple object, None where there are none."""
    if isinstance(given, Mapping):
        return given
    if hasattr(given, "_asdict"):
        return given._asdict()
    if isinstance(given, tuple | list | np.ndarray | float | int | np.generic) or given is None:
        return None
    return vars(given) if hasattr(given, "__dict__") and vars(given) else None


def _by_name(named, parameters):
    known = {_plain(k): v for k, v in named.items()}
    exact = {str(k): v for k, v in named.items()}
    found = {}
    for p in parameters:
        names = [p, f"d{p}", f"d_{p}", f"grad_{p}", f"{p}_grad", f"g{p}", f"dl_d{p}", f"dloss_d{p}", f"nabla_{p}"]
        value = next((exact[n] for n in names if n in exact), None)
        if value is None:
            value = next((known[_plain(n)] for n in names if _plain(n) in known), None)
        found[p] = value
    missing = [p for p, v in found.items() if v is None]
    if missing:
        raise ValueError(f"the gradients are called {', '.join(map(str, named)) or 'nothing'}; "
                         f"there is none for {', '.join(missing)}")
    loss = next((v for k, v in named.items() if str(k).lower() in LOSS_NAMES and k not in parameters), None)
    return loss, found


def _plain(name):
    return str(name).replace("_", "").lower()


def _by_order(parts, parameters, inputs):
    inner = [p for p in parts if isinstance(p, tuple | list)]
    if len(inner) == 1 and len(parts) > 1 and len(inner[0]) >= len(parameters):
        return _first_scalar([p for p in parts if p is not inner[0]]), dict(zip(parameters, inner[0], strict=False))
    fitting = (len(parameters), *range(len(parameters) + 1, len(parameters) + len(inputs) + 1))
    if len(parts) == len(parameters) or not parts:
        loss, rest = None, parts
    elif _is_scalar(parts[0]):
        loss, rest = parts[0], parts[1:]
    elif _is_scalar(parts[-1]):
        loss, rest = parts[-1], parts[:-1]
    else:
        loss, rest = None, parts
    if len(rest) not in fitting:
        raise ValueError(f"{len(rest)} gradients were returned; expected {len(parameters)}: {', '.join(parameters)}")
    return loss, dict(zip(parameters, rest, strict=False))


def _first_scalar(parts):
    return next((p for p in parts if _is_scalar(p)), None)


def _is_scalar(part):
    return part is not None and not isinstance(part, str) and np.size(part) == 1 and np.ndim(part) <= 1
