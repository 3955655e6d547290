"""What somebody's function returned, taken apart: a loss, if there is one, and gradients by parameter."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .nesting import containers, holds_arrays, leaves, named_fields, opened
from .nesting import names as names_on_the_way

LOSS_NAMES = ("loss", "l", "j", "cost", "e", "error", "value")
BEFORE = ("d", "grad", "gradient", "g", "delta", "nabla", "dloss_d", "diff",
          *(f"d{loss}_d" for loss in "ljecf"), *(f"d{loss}d" for loss in "ljecf"))
AFTER = ("grad", "g", "gradient")
NOWHERE, FIRST, LAST, INSIDE = "nowhere", "first", "last", "beside them"        # of a loss, where it is returned
Form = tuple[str, int, tuple[int, ...]]         # the loss's place, whether lists in lists are opened, gradients' order


@dataclass
class Taker:
    """Takes apart what one function returns, the same way each time.

    `own` are the arguments of the function that are parameters or real inputs of the network, in its order.
    """

    parameters: Sequence[str]
    inputs: Sequence[str] = ()
    own: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.form: Form | None = None           # as it was at first, whatever is returned when the code is edited

    def __call__(self, given: Any, shapes: Mapping[str, tuple] | None = None) -> tuple[Any, dict[str, Any]]:
        """Return (loss or None, gradients by parameter) from whatever shape somebody's function returns them in.

        Gradients may be a dictionary, a NamedTuple, or an object (by name, or as dNAME, NAME_grad, ...), or a tuple or
        list in the order of the parameters, those of inputs after them; each may be in parts: a list of weights and one
        of biases, a dictionary or a pair for each layer. The loss may come before or after, or be left out. Where
        `shapes` (of the parameters) fit another order than the parameters' alone, that is taken.

        Raises
        ------
        ValueError
            The gradients are missing or too few; the message says what was found and what is expected.
        """
        given = opened(given)
        if named_fields(given) is not None:
            return self._by_name(given)
        if not isinstance(given, tuple | list):
            return None, self._cut(given, shapes) if len(self.parameters) > 1 else {self.parameters[0]: given}
        named = [k for k, part in enumerate(given) if self._names(part)]
        if len(named) == 1:
            loss, gradients = self._by_name(given[named[0]])
            rest = [part for k, part in enumerate(given) if k != named[0]]
            return (_first_scalar(rest) if loss is None else loss), gradients
        if any(True for _ in containers(given)):
            try:
                return _first_scalar(given), self._by_name(given)[1]
            except ValueError:
                pass
        return self._by_order(list(given), shapes or {})

    # ---- by name

    def _names(self, part):
        """Tell whether something is a dictionary of gradients, and not of what is told beside them."""
        return (fields := named_fields(part)) is not None and (
            holds_arrays(fields) or any(_value(fields, p) is not None for p in self.parameters))

    def _by_name(self, given):
        """Return the loss and the gradients from a dictionary, or from several in a list."""
        named = named_fields(given) or {}
        found: dict[str, Any] = dict.fromkeys(self.parameters)
        for fields in (named, *containers(given)):
            found = {p: _value(fields, p) if v is None else v for p, v in found.items()}
        if missing := [p for p, v in found.items() if v is None]:
            found |= self._by_parts(given, missing)
        if missing := [p for p, v in found.items() if v is None]:
            raise ValueError(f"the gradients are called {', '.join(map(str, named)) or 'nothing'}; "
                             f"there is none for {', '.join(missing)}")
        loss = next((v for k, v in named.items() if str(k).lower() in LOSS_NAMES and k not in self.parameters), None)
        return loss, found

    def _by_parts(self, given, missing):
        """Return gradients whose names are in several parts, layer1 and W, or W and then 1; else by their order."""
        parts = list(leaves(given))
        whole = {p: [v for path, v in parts if _is_called("".join(names_on_the_way(path)), p)] for p in missing}
        if all(len(v) == 1 for v in whole.values()):
            return {p: v[0] for p, v in whole.items()}
        found = {}
        for p in missing:
            alike = [q for q in missing if _bare(q) == _bare(p)]
            here = [v for path, v in parts if any(_is_called(_bare(name), _bare(p)) for name in path
                                                  if isinstance(name, str))]
            if len(here) == len(alike):
                found[p] = here[alike.index(p)]
        return found

    # ---- by order

    def _by_order(self, parts, shapes):
        seen, counts = [], []           # the loss, gradients one by one, the form that they are in
        for place, (loss, rest) in self._without_loss(parts):
            while len(rest) == 1 and isinstance(rest[0], tuple | list) and holds_arrays(rest):
                rest = list(rest[0])
            most = len(rest) if place == INSIDE else len(self.parameters) + len(self.inputs)
            single = [v for _, v in leaves(rest)]
            for inside, flat in enumerate((rest, single)):
                if len(self.parameters) <= len(flat) <= most:
                    seen += [(loss, flat, (place, inside, tuple(order))) for order in self._orders(rest, flat)
                             if max(order) < len(flat)]
            counts.append(max(len(rest), len(single)))
            if not seen and len(single) == 1 < len(self.parameters) and isinstance(single[0], np.ndarray):
                return loss, self._cut(single[0], shapes)
        if not seen:
            raise ValueError(f"{counts[0]} gradients were returned; expected {len(self.parameters)}: "
                             f"{', '.join(self.parameters)}")
        known = [s for s in seen if s[2] == self.form]
        fitting = [s for s in seen if shapes and self._fits(s[2][2], s[1], shapes)]
        loss, flat, form = (*known, *fitting, *seen)[0]
        if fitting and self.form is None:
            self.form = form
        return loss, {p: flat[k] for p, k in zip(self.parameters, form[2], strict=True)}

    def _without_loss(self, parts):
        """Yield the places where the loss may stand, the likely one first, with it and with what else there is."""
        count, inner = len(self.parameters), [p for p in parts if isinstance(p, tuple | list)]
        if len(inner) == 1 and len(parts) > 1 and len(inner[0]) >= count:
            yield INSIDE, (_first_scalar([p for p in parts if p is not inner[0]]), list(inner[0]))
        first = parts and _is_scalar(parts[0])
        nested = any(isinstance(p, tuple | list) and holds_arrays(p) for p in parts)
        ways = {NOWHERE: (None, parts)}
        if first:
            ways[FIRST] = parts[0], parts[1:]
        if parts and _is_scalar(parts[-1]):
            ways[LAST] = parts[-1], parts[:-1]
        likely = NOWHERE if not parts or (len(parts) == count and not (first and nested)) else next(
            (w for w in (FIRST, LAST) if w in ways), NOWHERE)
        yield likely, ways.pop(likely)
        yield from ways.items()

    def _orders(self, rest, flat) -> Iterator[Sequence[int]]:
        """Yield the orders in which gradients may stand, the likely ones first: the place of each parameter's."""
        count, more = len(self.parameters), len(flat) - len(self.parameters)
        yield range(count)
        if set(self.parameters) <= set(self.own) and len(flat) == len(self.own):
            yield [self.own.index(p) for p in self.parameters]
        some = [n for n in self.own if n in self.parameters]
        if len(some) == count:
            yield from ([start + some.index(p) for p in self.parameters] for start in dict.fromkeys((0, more)))
        yield range(more, len(flat))
        real = [k for k, v in enumerate(flat) if v is not None]
        if len(real) == count:
            yield real
        sizes = {len(p) if isinstance(p, tuple | list) else 0 for p in rest}
        if len(sizes) == 1 and len(rest) > 1 and (each := sizes.pop()):
            for groups in (range(len(rest)), range(len(rest))[::-1]):           # weights and biases, or the other way
                yield [each * g + k for k in range(each) for g in groups]
                yield [each * g + k for g in groups for k in range(each)]

    def _fits(self, order, flat, shapes):
        return len(order) >= len(self.parameters) and all(
            _shape(flat[k]) == shapes[p] for p, k in zip(self.parameters, order, strict=False))

    def _cut(self, vector, shapes):
        """Return the gradients that one vector has, end to end in the order of the parameters."""
        sizes = [int(np.prod(shapes[p], dtype=int)) for p in self.parameters] if shapes else []
        if not isinstance(vector, np.ndarray) or vector.size != sum(sizes) or not sizes:
            raise ValueError(f"one {type(vector).__name__} was returned; expected {len(self.parameters)} gradients: "
                             f"{', '.join(self.parameters)}")
        cut = np.split(np.ravel(vector), np.cumsum(sizes)[:-1])
        return {p: part.reshape(shapes[p]) for p, part in zip(self.parameters, cut, strict=True)}


def _value(named, parameter):
    """Return what a dictionary has for a parameter, by its name or a usual one for its gradient; None for nothing."""
    exact = {str(k): v for k, v in named.items() if named_fields(v) is None}
    known = {_plain(k): v for k, v in exact.items()}
    usual = _usual(parameter)
    value = next((exact[n] for n in usual if n in exact), None)
    return next((known[_plain(n)] for n in usual if _plain(n) in known), None) if value is None else value


def _usual(parameter):
    """Return the names under which people return the gradient of a parameter, its own first."""
    before = [f"{b}{s}{parameter}" for b in BEFORE for s in ("", "_")]
    return [parameter, *before, *(f"{parameter}_{a}" for a in AFTER)]


def _is_called(name, parameter):
    return _plain(name) in map(_plain, _usual(parameter))


def _plain(name):
    return str(name).replace("_", "").lower()


def _shape(gradient):
    """Return the shape of an array, or of what may be one, None of arrays that are no array together."""
    try:
        return np.shape(gradient)
    except ValueError:
        return None


def _bare(name):
    """Return a name without its number: W for W1."""
    return name.rstrip("0123456789").rstrip("_") or name


def _first_scalar(parts):
    return next((p for p in parts if _is_scalar(p)), None)


def _is_scalar(part):
    return part is not None and not isinstance(part, str) and named_fields(part) is None and \
        not holds_arrays(part) and _shape(part) in ((), (1,))
