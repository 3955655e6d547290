"""The doctor: somebody's hand-written backprop, diffed against the derived one, its mistake named."""

from collections.abc import Callable, Mapping
from typing import Any

from derive.network import Network

from ..progress import Progress
from .diagnosis import UNKNOWN, Diagnosis, Finding
from .examination import SECONDS, Examination
from .layers import layered

__all__ = ["UNKNOWN", "Diagnosis", "Finding", "diagnose", "layered"]


def diagnose(
    net: Network, function: Callable, seconds: float = SECONDS, at: Mapping[str, Any] | None = None
) -> Diagnosis:
    """Name what is wrong with somebody's backprop of a network, or pronounce it right.

    Parameters
    ----------
    net : the network that it should be the gradient of.
    function : takes the parameters and then the inputs, by position or by the network's names, sizes by name; returns
        (loss, gradients) or the gradients alone, as a dictionary, a NamedTuple, or in the order of the parameters.
    seconds : how long to search at most.
    at : arguments of a check of your own, by name (and sizes that no array shows): one more point to compare at, and
        told if they make a bad check (integers, float32, gradients that are all 0).
    """
    with Progress() as bar:
        bar.step(f"examining {getattr(function, '__name__', 'the function')}")
        return Examination(net, function, seconds, at).done()
