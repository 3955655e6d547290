"""The doctor: somebody's hand-written backprop, diffed against the derived one, its mistake named."""

from collections.abc import Callable, Mapping
from typing import Any

from derive.differentiable import Differentiable
from derive.program import Program

from ..progress import Progress
from .diagnosis import UNKNOWN, Diagnosis, Finding
from .examination import SECONDS, Examination
from .layers import layered
from .second_order import HessianProduct, Judged

__all__ = ["UNKNOWN", "Diagnosis", "Finding", "HessianProduct", "diagnose", "layered"]


def diagnose(
    net: Judged | Program, function: Callable, seconds: float = SECONDS, at: Mapping[str, Any] | None = None
) -> Diagnosis:
    """Name what is wrong with somebody's backprop of a network, or pronounce it right.

    Parameters
    ----------
    net : the network that it should be the gradient of, or `HessianProduct(network)` for products with its Hessian.
    function : takes the parameters and then the inputs, by position or by the network's names, sizes by name; returns
        (loss, gradients) or the gradients alone, as a dictionary, a NamedTuple, or in the order of the parameters.
    seconds : how long to search, of processor time; where nothing is found in it, twice as long again in the lines.
    at : arguments of a check of your own, by name (and sizes that no array shows): one more point to compare at, and
        told if they make a bad check (integers, float32, gradients that are all 0).

    Raises
    ------
    TypeError
        `net` is no network (a derived program, a Hessian for one), or `function` is none.
    """
    if isinstance(net, Program):
        raise TypeError(f"{net.name} is a program{f' of the {net.subject}' if net.subject else ''}; the doctor judges "
                        "gradients: give it the network, or HessianProduct(network) for products with a Hessian")
    if not isinstance(net, Differentiable | HessianProduct):
        raise TypeError(f"{net!r} is no network; expected a Network, or HessianProduct(network), and then the function")
    if not callable(function):
        raise TypeError(f"{function!r} is no function; expected one of the parameters and inputs of {net.name}")
    with Progress() as bar:
        bar.step(f"examining {getattr(function, '__name__', 'the function')}")
        return Examination(net, function, seconds, at).done()
