"""The judges of random programs: PyTorch, differences, the referee, the fast style; and PyTorch's double backward."""

import re
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np

from codegen import check_gradient, lambdify
from codegen.checking import WRONG
from codegen.memory import module_from
from codegen.module import source
from codegen.verify import relative
from derive.hessians import hessian_vector_product
from derive.referee import TOLERANCE, disagreement

from . import torch_programs
from .shipped import with_sizes

GRADIENTS = ("torch", "differences", "referee", "fast")
ROWS = r"rows = -\(-(\w+) // .*"        # of a block of the fast style: here two, so that there are several blocks
TINY = 1e-20                    # of products of so many small factors that only rounding is left, a gradient of 0
CLOSE, NOISE = 1e-9, 1e-11      # of gradients with PyTorch's, relative to a parameter's largest entry, or to all


class Failure(Exception):
    """A judge is not content."""


def judge(net, sizes, small=None, seed=0, judges=GRADIENTS):
    """Derive and generate a network and judge it: its gradients, its products with a Hessian ("products"), or both.

    Raises
    ------
    Failure
        A judge is not content.
    """
    program = net.program()
    sizes = {s: sizes[s.name] for s in program.sizes}
    given = arguments(program, sizes, seed)
    if set(judges) & set(GRADIENTS):
        _judge_gradients(net, program, sizes, small, seed, judges, given)
    if "products" in judges:
        _by_double_backward(program, sizes, seed, given)


def _judge_gradients(net, program, sizes, small, seed, judges, given):
    derived = net.backward()
    module = lambdify(derived).module
    given = {**given, **with_sizes(module.forward, sizes)}
    with np.errstate(all="ignore"), _unset_entries_are_nan():
        loss, grads = module.loss_and_grads(**given)
    if "torch" in judges:
        _by_torch(program, sizes, given, loss, grads)
    if "fast" in judges and np.isfinite(loss):
        _by_the_fast_style(derived, given, loss, grads)
    if "differences" in judges and np.isfinite(loss):
        report = check_gradient(lambda **k: module.forward(**k)[0], lambda **k: module.loss_and_grads(**k)[1], given,
                                calls=400)
        if report.verdict == WRONG:
            raise Failure(f"differences: {report}")
    if "referee" in judges:
        at = {s: small[s.name] for s in program.sizes} if small else sizes
        found = disagreement(program, derived, at, seed=seed)
        wrong = {n: d for n, d in found.items() if d > TOLERANCE}
        if wrong:
            raise Failure(f"referee: {wrong}")


def arguments(program, sizes, seed):
    """Return random parameters and inputs by name."""
    random = np.random.default_rng(seed)

    def value(v):
        shape = tuple(int(s.xreplace(sizes)) for s in v.shape)
        if v.kind == "labels":
            return random.integers(0, int(v.classes.xreplace(sizes)), shape)
        return np.asarray(random.normal(size=shape))

    return {v.name: value(v) for v in (*program.parameters, *program.inputs)}


@contextmanager
def _unset_entries_are_nan():
    """Let np.empty hold what shows wherever it is read before it is written."""
    empty = np.empty

    def unset(shape, dtype=float, **rest):
        return np.full(shape, np.nan, dtype) if np.issubdtype(dtype, np.floating) else empty(shape, dtype, **rest)

    with patch.object(np, "empty", unset):
        yield


def _by_torch(program, sizes, given, loss, grads):
    their_loss, theirs = torch_programs.loss_and_grads(program, sizes, given)
    if not np.isclose(loss, their_loss, rtol=1e-10, atol=1e-12, equal_nan=True):
        raise Failure(f"PyTorch has the loss {their_loss}, the module {loss}")
    if np.isfinite(loss):
        _compare("PyTorch's gradient of", theirs, grads, loss)


def _by_the_fast_style(derived, given, loss, grads):
    """Compare the plain style with the fast one, in one block and in several, with a workspace that was used before."""
    text = source(derived, style="fast")
    for rows, code in (("all rows", text), ("two rows", re.sub(ROWS, "rows = 2", text))):
        module = module_from(derived.name, code)
        workspace = module.Workspace()
        with np.errstate(all="ignore"), _unset_entries_are_nan():
            for _ in range(2):
                own_loss, own = module.loss_and_grads(**given, workspace=workspace)
        if not np.isclose(own_loss, loss, rtol=1e-9, atol=1e-12):
            raise Failure(f"the fast style, {rows} at once, has the loss {own_loss}, the plain one {loss}")
        _compare(f"the fast style, {rows} at once: the plain gradient of", grads._asdict(), own, loss)


def _by_double_backward(program, sizes, seed, given):
    """Compare the product of the Hessian with a random direction; where PyTorch's is no number, nothing is said."""
    random = np.random.default_rng(seed + 1)
    direction = {p.name: np.asarray(random.normal(size=given[p.name].shape)) for p in program.parameters}
    theirs = torch_programs.hessian_product(program, sizes, given, direction)
    if not all(np.isfinite(g).all() for g in theirs.values()):
        return
    function = lambdify(hessian_vector_product(program))
    with np.errstate(all="ignore"), _unset_entries_are_nan():
        ours = function(*given.values(), list(direction.values()), **with_sizes(function, sizes))
    loss, _ = torch_programs.loss_and_grads(program, sizes, given)
    _compare("PyTorch's product with the Hessian of", theirs, ours, loss)


def _compare(what, theirs, ours, scale):
    """Compare arrays by the names of parameters: to their largest entry, or to rounding of the largest of all."""
    largest = max((float(np.max(np.abs(g), initial=0)) for g in theirs.values()), default=0)
    noise = max(NOISE * max(largest, abs(scale)), TINY)
    for name, g in theirs.items():
        own = getattr(ours, name)
        apart = float(np.max(np.abs(own - g), initial=0))
        if not (relative(g, own) <= CLOSE or apart <= noise):
            raise Failure(f"{what} {name} is {apart:.1e} away, of at most {np.max(np.abs(g)):.1e}")
