"""Pictures: the computational graph, loss curves, the sparsity of a Hessian, errors of differences against the step.

SVG, the same bytes for the same input.
They need the extra `plot`: matplotlib, and for graphs the graphviz package with Graphviz's own `dot`.
"""

from .curves import loss_curves
from .network import network_graph
from .spy import sparsity
from .steps import error_against_step

__all__ = ["error_against_step", "loss_curves", "network_graph", "sparsity"]
