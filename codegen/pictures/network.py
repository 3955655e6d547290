"""The computational graph of a network, laid out by Graphviz."""

import re

from derive.graphs import graph
from derive.program import Program

from ..extras import MissingExtra, extra

NOISE = re.compile(r"<\?xml.*?\?>\s*|<!DOCTYPE.*?>\s*|<!--.*?-->\s*|<title>.*?</title>\s*", re.DOTALL)


def network_graph(program: Program) -> str:
    """Return the computational graph of a derived program as SVG: shapes of values and adjoints on its edges.

    Raises
    ------
    MissingExtra
        The graphviz package or Graphviz's command `dot` is not installed.
    """
    graphviz = extra("graphviz", "graphs", "plot")
    try:
        text = graphviz.Source(graph(program).dot()).pipe(format="svg", encoding="utf-8")
    except graphviz.ExecutableNotFound:
        raise MissingExtra("graphs need Graphviz's command `dot`; install Graphviz (apt install graphviz)") from None
    return NOISE.sub("", text)
