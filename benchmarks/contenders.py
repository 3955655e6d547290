"""Who takes part: ours in each style, NumPy by hand, and the peers that are installed."""

import inspect
from collections.abc import Callable
from importlib.util import find_spec

import codegen
from derive.hessians import hessian

from . import expert, naive
from .workloads import Arrays, Workload

Run = Callable[[], tuple]           # returns the loss, or the Hessian, and the gradients by name

STYLES = ("plain", "fast", "compiled", "scalar")
PEERS = {"PyTorch eager": "torch", "torch.compile": "torch", "JAX jit": "jax", "HIPS autograd": "autograd"}
NAMES = (*(f"ours, {style}" for style in STYLES), "naive NumPy", "expert NumPy", *PEERS)


class Absent(Exception):
    """A contender that cannot take part; the message says why."""


def ours(workload: Workload, arguments: Arrays, style: str) -> Run:
    """Return our generated module at work, its checks of arguments included."""
    if style == "scalar" and workload.name != "tiny":
        raise Absent("sizes too large for straight-line code")
    program = workload.network().program()
    names = [p.name for p in program.parameters]
    derived = hessian(program, names) if workload.wanted == "hessian" else workload.network().backward()
    if style == "scalar":
        function = codegen.lambdify(derived, style="scalar", sizes=workload.sizes)
        values = [a.tolist() for a in arguments.values()]
        return lambda: _by_name(function(*values))
    if style != "plain":
        try:
            function = codegen.lambdify(derived, style=style)
        except (TypeError, ValueError) as error:
            raise Absent(f"{error}") from error
    else:
        function = codegen.lambdify(derived)
    if "workspace" in inspect.signature(function).parameters:
        arguments = {**arguments, "workspace": function.module.Workspace()}
    if workload.wanted == "hessian":
        return lambda: (_first(function(**arguments)), {})
    return lambda: _by_name(function(**arguments))


def _first(result):
    return result[0] if isinstance(result, tuple) else result


def _by_name(result):
    loss, grads = result
    return loss, grads._asdict()


def by_hand(workload: Workload, arguments: Arrays) -> Run:
    """Return the naive NumPy of a workload."""
    function = naive.FUNCTIONS[workload.name]
    return lambda: function(**arguments)


def by_an_expert(workload: Workload, arguments: Arrays) -> Run:
    """Return the expert's NumPy of a workload, its buffers made beforehand."""
    if workload.name not in expert.FACTORIES:
        raise Absent("not written")
    return expert.FACTORIES[workload.name](arguments)


def peer(workload: Workload, arguments: Arrays, name: str) -> Run:
    """Return a peer's program for a workload."""
    if find_spec(PEERS[name]) is None:
        raise Absent(f"{PEERS[name]} is not installed")
    names = [p.name for p in workload.network().program().parameters]
    if PEERS[name] == "torch":
        from .in_torch import LOSSES, prepared

        if name == "torch.compile" and hasattr(LOSSES[workload.name], "fused"):
            raise Absent("a fused recurrence, which torch.compile leaves as it is")
        if name == "torch.compile" and workload.wanted == "hessian":
            raise Absent("left out: PyTorch 2.13 reported errors as it traced torch.func.hessian")
        return prepared(workload, arguments, names, compiled=name == "torch.compile")
    from . import in_jax_and_autograd as clones

    prepare = clones.prepared_jax if name == "JAX jit" else clones.prepared_autograd
    return prepare(workload, arguments, names)


def prepared(name: str, workload: Workload, arguments: Arrays) -> Run:
    """Return a contender ready to run on a workload.

    Raises
    ------
    Absent
        It cannot take part.
    """
    arguments = {n: a.copy() for n, a in arguments.items()}
    if name.startswith("ours, "):
        return ours(workload, arguments, name.removeprefix("ours, "))
    if name == "naive NumPy":
        return by_hand(workload, arguments)
    if name == "expert NumPy":
        return by_an_expert(workload, arguments)
    return peer(workload, arguments, name)
