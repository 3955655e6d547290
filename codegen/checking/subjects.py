"""What is checked: somebody's function, its arguments, the gradients claimed; called without ever being trusted."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SAME = 2.0**-44                 # sums may be added in another order where arrays lie otherwise in memory


class Subject:
    """A function of named arguments, the loss it has at them, and what is odd about it.

    Arguments of real numbers are float64 here, whatever they were; each call gets copies.
    """

    def __init__(self, f: Callable, args: Sequence[Any] | Mapping[str, Any], names: Sequence[str]):
        self.f, self.by_name = f, isinstance(args, Mapping)
        self.given = dict(args) if isinstance(args, Mapping) else dict(zip(names, args, strict=True))
        self.arguments = {name: _double(name, value) for name, value in self.given.items()}
        self.remarks: list[str] = []
        self.is_spoilt = False
        self.calls = 0
        self.remembered: list[Any] = []         # of some calls, what was asked and what was answered
        with np.errstate(all="ignore"):
            self.loss = self._first_call()
            values = self._values_nearby()
            self.computes_in_single = self._computes_in_single(values)
            self.quantum = quantum([self.loss, *values])

    def _first_call(self):
        copies = {n: np.copy(v) if isinstance(v, np.ndarray) else v for n, v in self.arguments.items()}
        first = self._call(copies)
        for name, copy in copies.items():
            if isinstance(copy, np.ndarray) and not _same(copy, self.arguments[name]):
                self.remarks.append(f"f modifies its argument {name} in place")
                self.is_spoilt = True
        if not np.isfinite(first):
            raise ValueError(f"f(...) is {first}; expected a finite loss where its gradient is checked")
        self.is_random = self._call(self._copies()) != first
        if self.is_random:
            self.remarks.append("f gives another value each time; fix its random numbers")
        return first

    def _copies(self, **changed):
        return {n: np.copy(v) if isinstance(v, np.ndarray) else v for n, v in {**self.arguments, **changed}.items()}

    def _call(self, arguments) -> float:
        arguments = {n: _scalar(v) for n, v in arguments.items()}
        value = self.f(**arguments) if self.by_name else self.f(*arguments.values())
        loss = np.asarray(_loss_of(value))
        if loss.size != 1 or loss.dtype.kind not in "iuf":
            raise ValueError(f"f returned dtype {loss.dtype} and shape {loss.shape}; expected one real number")
        self.is_single = loss.dtype.itemsize < 8 and loss.dtype.kind == "f"
        self.epsilon = float(np.finfo(loss.dtype).eps) if loss.dtype.kind == "f" else 0.0
        return float(loss.reshape(()))

    def at(self, **changed: Any) -> float:
        """Return the loss with some arguments changed; nan where f refuses them, by an exception of any kind."""
        self.calls += 1
        kept = {n: np.copy(v) for n, v in changed.items()} if self._is_kept(changed) else None
        try:
            with np.errstate(all="ignore"):
                value = self._call(self._copies(**changed) if self.is_spoilt else {**self.arguments, **changed})
        except Exception as error:
            if not isinstance(error, ArithmeticError | ValueError | IndexError):
                remark = f"f raises {type(error).__name__} at points nearby: {error}"
                self.remarks = [*dict.fromkeys([*self.remarks, remark])][:10]
            return np.nan
        value = value if np.isfinite(value) else np.nan
        if kept is not None:
            self.remembered.append((kept, value))
        return value

    def _is_kept(self, changed):
        """Remember the calls 1, 2, 4, 8, ... where the arguments are not too large."""
        return self.calls & (self.calls - 1) == 0 and sum(np.size(v) for v in changed.values()) <= 100_000

    def has_changed(self) -> bool:
        """Tell whether f now answers otherwise than before: it depends on more than its arguments."""
        held = []                               # so that no array has the place in memory that another had
        asked = [({}, self.loss), *self.remembered]
        for changes, before in [*asked, *asked[::-1]]:
            held.append({n: np.copy(v) for n, v in changes.items()})
            self.is_spoilt, spoilt = True, self.is_spoilt
            now = self.at(**held[-1])
            self.is_spoilt = spoilt
            if np.isnan(now) != np.isnan(before) or abs(now - before) > SAME * max(abs(before), abs(self.loss)):
                return True
        return False

    def complex_slope(self, name: str, direction: Array, h: float = 1e-30) -> float:
        """Return the derivative along a direction by a complex step; nan where f does not do complex numbers."""
        moved = self.arguments[name] + 1j * h * direction
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("error")          # of imaginary parts that get lost
                arguments = {n: _scalar(v) for n, v in {**self._copies(), name: moved}.items()}
                value = self.f(**arguments) if self.by_name else self.f(*arguments.values())
                value = np.asarray(_loss_of(value))
        except Exception:
            return np.nan
        return float(value.imag.reshape(()) / h) if value.dtype.kind == "c" and value.size == 1 else np.nan

    def _values_nearby(self) -> list[float]:
        """Return the losses at a few points nearby."""
        steps = 1e-3 * np.sqrt(np.arange(24))       # no two of them in a ratio of whole numbers, but for squares
        moved = ({n: v * (1 + k) if isinstance(v, np.ndarray) and v.dtype.kind == "f" else v
                  for n, v in self.arguments.items()} for k in steps)
        return [v for arguments in moved if np.isfinite(v := self.at(**arguments))]

    def _computes_in_single(self, values) -> bool:
        """Tell whether f gives nothing but numbers of single precision, however it returns them."""
        with np.errstate(all="ignore"):
            return self.is_single or (len(set(values)) > 4 and all(float(np.float32(v)) == v for v in values))


def quantum(values: Sequence[float]) -> float:
    """Return the number whose multiples the differences of all values are, 0 where there is none but rounding's own."""
    apart, rounding = np.sort(np.diff(np.unique(values))), 64 * np.finfo(float).eps * float(np.abs(values).max())
    if len(apart) < 4:
        return 0.0
    divisor = 0.0
    for a in apart:                             # Euclid's algorithm, up to rounding
        b = divisor
        while b > max(apart[0] / 10_000, rounding):
            a, b = b, abs(a - round(a / b) * b)
        divisor = a
    turns = apart / divisor
    whole = (np.abs(turns - np.round(turns)) <= 0.05).all()
    return float(divisor) if whole and divisor > 100 * rounding else 0.0


def claimed(grads: Any, f: Callable, args: Sequence[Any] | Mapping[str, Any],
            names: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the gradients claimed, by the names of the arguments, and what is odd about them.

    Raises
    ------
    ValueError
        There are more gradients than arguments, or gradients of what is no argument.
    """
    remarks: list[str] = []
    if callable(grads) or grads is None:
        given = dict(args) if isinstance(args, Mapping) else dict(zip(names, args, strict=True))
        given = {n: _double(n, v) for n, v in given.items()}
        copies = {n: np.copy(v) if isinstance(v, np.ndarray) else v for n, v in given.items()}
        call = grads or f
        grads = call(**copies) if isinstance(args, Mapping) else call(*copies.values())
        grads = list(grads) if isinstance(grads, Iterator) else grads
        remarks = [f"the gradient's function modifies its argument {n} in place" for n, v in copies.items()
                   if isinstance(v, np.ndarray) and not _same(v, given[n])]
        grads = _without_loss(grads, call is f, given)
    if hasattr(grads, "_asdict"):
        grads = grads._asdict()
    if not isinstance(grads, Mapping):
        parts = list(grads) if isinstance(grads, tuple | list) else [grads]
        if len(parts) > len(names):
            raise ValueError(f"there are {len(parts)} gradients of {len(names)} arguments: {', '.join(names)}")
        grads = dict(zip(names, parts, strict=False))
    found = {_meant(n, names): _own(g) for n, g in grads.items()}
    if len(found) < len(grads):
        raise ValueError(f"there are several gradients of one argument among {', '.join(grads)}; expected one of each")
    if not found:
        remarks.append("there is no gradient to be checked")
    unknown = [n for n in found if n not in names]
    if unknown:
        raise ValueError(f"there is a gradient of {unknown[0]}, which is no argument; expected {', '.join(names)}")
    return found, remarks


def _loss_of(value):
    """Return the loss of what a function returns: it, or the first of several, gradients behind it."""
    several = isinstance(value, tuple) or (isinstance(value, list) and len(value) > 1 and _is_part(value[1]))
    return value[0] if several else value


def _without_loss(grads, is_own, given):
    """Return the gradients of what a function returns; those of the loss's own function come after the loss."""
    if not isinstance(grads, tuple | list) or len(grads) < 2 or hasattr(grads, "_fields"):
        return grads
    if isinstance(grads[0], Mapping | tuple | list) or np.ndim(grads[0]) != 0:
        return grads
    if len(grads) > 2:
        one_more = len(grads) == len(given) + 1 and np.ndim(next(iter(given.values()))) > 0
        return grads[1:] if is_own or one_more else grads
    return grads[1] if is_own or isinstance(grads[1], Mapping | tuple | list) else grads


def _is_part(value):
    """Tell whether something that is returned is more than a number: an array, or several."""
    return isinstance(value, Mapping | tuple | list) or np.ndim(value) > 0


def _meant(name, names):
    """Return the argument of which a gradient is by its name: W, or dW, d_W, grad_W, W_grad."""
    called = {form.format(n): n for n in names for form in ("d{}", "d_{}", "grad_{}", "{}_grad")}
    return name if name in names else called.get(name, name)


def _own(gradient):
    """Return a copy of an array, which the function that returned it may write to when it is called again."""
    return np.array(gradient) if isinstance(gradient, np.ndarray) else gradient


def _double(name, value):
    try:
        array = np.asarray(value)
    except ValueError:                      # of rows, or arrays, of several shapes
        raise ValueError(f"the argument {name} is no array, but a {type(value).__name__} of several shapes; expected "
                         "arrays: pass each by itself, as an argument of its own") from None
    return array.astype(float) if array.dtype.kind == "f" else value


def _scalar(value):
    return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _same(a, b):
    return a.shape == np.shape(b) and bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))
