"""Verifying a network: three judges, each told with its largest disagreement.

    explicit SymPy        the referee: the adjoint equations against SymPy's own scalar derivatives
    finite differences    the generated module's gradients against differences of its own loss
    hand-written          the generated module against a person's backprop, where there is one

Disagreements are relative to the largest entry of the gradient in question, so they do not depend on units.
"""

import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from sympy import Integer, Rational

from derive.explicit import sizes_for
from derive.feasible import satisfying
from derive.network import Network
from derive.networks import loading
from derive.program import Program
from derive.referee import TOLERANCE, disagreement

from .checking.along import rounding_of_gradients
from .differences import compare, derivative_estimate
from .scalar import all_sizes

HERE = Path(__file__).parents[1]
DIFFERENCES, HANDWRITTEN = 1e-6, 1e-10                       # the largest disagreement that passes
LEAST_POINTS, POINTS = 3, 20                                 # tried, until no gradient is near 0 at one of them
LIVELY = 1e-3                                                # of the largest that a gradient is at any of them
JUDGES = ("explicit SymPy", "finite differences", "hand-written")


@dataclass(frozen=True)
class Verdict:
    """What one judge says of each parameter: the disagreement, and what is wrong where it is too large."""

    judge: str
    tolerance: float
    disagreements: Mapping[str, float] = field(default_factory=dict)
    complaints: tuple[str, ...] = ()
    skipped: str = ""
    notes: tuple[str, ...] = ()

    @property
    def largest(self) -> float:
        """The largest disagreement; nan where there was nothing to compare."""
        return max(self.disagreements.values(), default=float("nan"))

    @property
    def passed(self) -> bool:
        return not self.complaints


def by_parameter(
    program: Program, verdicts: Sequence[Verdict]
) -> Iterator[tuple[str, list[float | None], bool]]:
    """Yield for each parameter what each judge found, None where it did not judge, and whether all that did agree."""
    for p in program.parameters:
        found = [v.disagreements.get(program.adjoints.get(p.name, p.name), v.disagreements.get(p.name))
                 for v in verdicts]
        yield p.name, found, all(v.skipped or (d is not None and d <= v.tolerance)
                                 for d, v in zip(found, verdicts, strict=True))


def referee(net: Network, program: Program) -> Verdict:
    """Judge the adjoint equations by SymPy's scalar derivatives, at small sizes and random rational points."""
    found = disagreement(net.program(), program)
    wrong = tuple(f"{n} is off by {d:.1e}" for n, d in found.items() if not d <= TOLERANCE)
    return Verdict(JUDGES[0], TOLERANCE, found, wrong)


def finite_differences(
    program: Program, module: ModuleType, seed: int = 0, sizes: Mapping[str, int] | None = None
) -> Verdict:
    """Judge a module's gradients by differences of its own loss, for every entry of every parameter."""
    try:
        arguments = lively_sample(program, module, seed, sizes)
        _, gradients = module.loss_and_grads(**arguments)
        _without_assumptions(program, module)
    except Exception as error:
        return Verdict(JUDGES[1], DIFFERENCES, {}, (f"the module fails: {type(error).__name__}: {error}",))
    found, wrong, notes = {}, [], []
    for parameter in program.parameters:
        gradient = getattr(gradients, parameter.name)
        result = compare(
            derivative_estimate(_loss_of(module, arguments, parameter.name), arguments[parameter.name]), gradient
        )
        if not result.agrees and _is_rounding(gradient, result, module, arguments, parameter.name):
            notes.append(f"the gradient of {parameter.name} is 0 but for the rounding of the terms that cancel in it")
            continue
        found[parameter.name] = result.disagreement
        if not result.agrees:
            wrong.append(f"the gradient of {parameter.name}: {result}")
        elif not np.any(gradient):
            notes.append(f"the gradient of {parameter.name} is 0 at all {POINTS} points tried, "
                         "where differences say nothing of it")
        if result.kinks:
            notes.append(
                f"{parameter.name} has {result.kinks} entries at a kink, judged by their one-sided derivatives"
            )
    return Verdict(JUDGES[1], DIFFERENCES, found, tuple(wrong), notes=tuple(notes))


def _is_rounding(gradient, result, module, arguments, name):
    """Tell whether a gradient is lost in its own rounding, and so are differences: of a bias before a normalisation."""
    reals = {n for n, v in arguments.items() if np.asarray(v).dtype.kind == "f"}

    def gradients(factor):
        moved = {n: v * factor if n in reals else v for n, v in arguments.items()}
        return {name: getattr(module.loss_and_grads(**moved)[1], name)}

    noise = rounding_of_gradients(gradients)[name]
    return bool(np.max(np.abs(gradient)) <= noise and abs(result.estimate) <= noise + result.error)


def _without_assumptions(program, module):
    """Let a module take parameters that leave what is assumed of them, as each does when an entry of its moves."""
    if any(program.variables[n].kind in ("parameter", "variable") for a in program.assumptions for n in a.about):
        for name in ("_assume", "_assume_positive"):
            setattr(module, name, lambda *_: None)


def _loss_of(module, arguments, name):
    return lambda value: float(module.forward(**{**arguments, name: value})[0])


def handwritten(
    program: Program, module: ModuleType, function: Callable, seed: int = 0, sizes: Mapping[str, int] | None = None
) -> Verdict:
    """Judge by a person's `loss_and_grads`, which takes parameters and then inputs by position, sizes by keyword.

    It may return (loss, gradients) or the gradients alone, and these as a dictionary by parameter name (or by dNAME),
    or in the order of the parameters.
    """
    arguments = sample(program, module, seed, sizes)
    loss, gradients = module.loss_and_grads(**arguments)
    sizes = {name: arguments[name] for name in _keyword_only(module.forward)}
    given = function(*(np.array(v) for name, v in arguments.items() if name not in sizes), **sizes)
    their_loss, theirs = taken_apart(given, [p.name for p in program.parameters])
    found, wrong = {}, []
    if their_loss is not None and not np.allclose(their_loss, loss, rtol=HANDWRITTEN, atol=0):
        wrong.append(f"the losses differ: theirs is {float(their_loss):.17g}, the network's {float(loss):.17g}")
    for name, ours in zip([p.name for p in program.parameters], gradients, strict=True):
        value = np.asarray(theirs[name], float)
        if value.shape != np.shape(ours):
            wrong.append(f"the gradient of {name} has shape {value.shape}; expected {np.shape(ours)}")
            found[name] = float("inf")
            continue
        found[name] = relative(value, ours)
        if not found[name] <= HANDWRITTEN:
            wrong.append(f"the gradient of {name} differs by {found[name]:.1e} of its largest entry")
    return Verdict(JUDGES[2], HANDWRITTEN, found, tuple(wrong))


def relative(theirs: Any, ours: Any) -> float:
    """Return the largest difference relative to the largest entry of `ours`."""
    theirs, ours = np.asarray(theirs, float), np.asarray(ours, float)
    scale = float(np.max(np.abs(ours), initial=0.0)) or 1.0
    difference = float(np.max(np.abs(theirs - ours), initial=0.0))
    return difference / scale if np.isfinite(difference) else float("inf")


def taken_apart(given: Any, names: list[str]) -> tuple[Any, dict[str, Any]]:
    """Return (loss or None, gradients by parameter name) from what somebody's function returned.

    Raises
    ------
    ValueError
        The gradients are missing or too many; the message says what was found and what is expected.
    """
    loss = None
    if isinstance(given, tuple) and len(given) == 2 and np.ndim(given[0]) == 0 and (
            isinstance(given[1], Mapping | tuple | list) or len(names) == 1):
        loss, given = given
    if isinstance(given, Mapping):
        by_name = {n: given.get(n, given.get(f"d{n}")) for n in names}
        missing = [n for n, v in by_name.items() if v is None]
        if missing:
            raise ValueError(f"the gradients are called {', '.join(map(str, given))}; expected {', '.join(names)}")
        return loss, by_name
    parts = list(given) if isinstance(given, tuple | list) else [given]
    if len(parts) != len(names):
        raise ValueError(f"{len(parts)} gradients were returned; expected {len(names)}: {', '.join(names)}")
    return loss, dict(zip(names, parts, strict=True))


def sample(
    program: Program, module: ModuleType, seed: int = 0, fixed: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Return random arguments at which the loss is finite: normal, or positive or above 1 where that is needed."""
    sizes = all_sizes(program, fixed) if fixed else {s: Integer(n) for s, n in sizes_for(program).items()}
    extra = {name: int(sizes[s]) for s in program.sizes if (name := s.name) in _keyword_only(module.forward)}
    for least in (None, 0, 1):
        arguments = {**_random(program, sizes, seed, least), **extra}
        with np.errstate(all="ignore"):
            loss, gradients = module.loss_and_grads(**arguments)
        if np.isfinite(loss) and all(np.all(np.isfinite(g)) for g in gradients):
            return arguments
    return arguments


def lively_sample(
    program: Program, module: ModuleType, first: int = 0, fixed: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Return random arguments at which every gradient is far from zero, or those of twenty that come nearest to that.

    A gradient is measured by the largest that it is at any of the points: where a single example is saturated, all are
    1e-20 of what they are elsewhere, and the loss is flat to the last digit.
    """
    points: list[dict[str, Any]] = []
    largest: list[list[float]] = []
    for seed in range(first, first + POINTS):
        points.append(sample(program, module, seed, fixed))
        largest.append([float(np.max(np.abs(g), initial=0.0)) for g in module.loss_and_grads(**points[-1])[1]])
        scale = np.max(largest, axis=0)
        lively = np.min(np.divide(largest, scale, out=np.zeros_like(largest), where=scale > 0), axis=1, initial=1.0)
        best = int(np.argmax(lively))
        if len(points) >= LEAST_POINTS and lively[best] > LIVELY:
            break
    return points[best]


def _keyword_only(function):
    code = function.__code__
    return code.co_varnames[code.co_argcount:code.co_argcount + code.co_kwonlyargcount]


def _random(program, sizes, seed, least):
    random = np.random.default_rng(seed)

    def value(variable):
        shape = tuple(int(s.xreplace(sizes)) for s in variable.shape)
        if variable.kind == "labels":
            return random.integers(0, int(variable.classes.xreplace(sizes)), shape)
        drawn = random.normal(size=shape) if least is None else least + random.uniform(0.2, 1.0, shape)
        return drawn if shape else float(drawn)

    drawn = {v.name: value(v) for v in (*program.parameters, *program.inputs)}
    return drawn | assumed(program, drawn, sizes)


def assumed(program, drawn, sizes):
    """Return the values of what assumptions are about, changed so that they hold."""
    names = {n for a in program.assumptions for n in a.about if n in drawn}
    if not names:
        return {}
    entries = {n: {at: Rational(float(drawn[n][at])) for at in np.ndindex(np.shape(drawn[n]))} for n in names}
    made = satisfying(program, entries, {s: int(n) for s, n in sizes.items()})
    return {n: np.array([float(v) for _, v in sorted(made[n].items())]).reshape(np.shape(drawn[n])) for n in names}


def handwritten_function(name: str, folder: Path = HERE / "tests" / "handwritten") -> Callable | None:
    """Return the hand-written `loss_and_grads` of a network shipped, None where there is none."""
    path = folder / f"{name}.py"
    return function_in(path, "loss_and_grads") if path.is_file() else None


def function_in(path: Path, name: str) -> Callable:
    """Run a Python file and return a function in it.

    Raises
    ------
    ValueError
        The file is missing, fails as it runs, or has no such function.
    """
    path = loading.checked(path, "FILE.py:FUNCTION")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    os.environ.setdefault("MPLBACKEND", "Agg")      # a window that waits to be closed would stop everything
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{path} fails as it runs: {type(error).__name__}: {error}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ValueError(f"{path} has no function {name}; expected FILE.py:FUNCTION")
    return function
