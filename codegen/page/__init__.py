"""A network's note as one web page: the derivation beside the generated code, the graph, and what verified it.

The page needs no network and no script. Making one needs the extra `html`: docutils, which turns LaTeX into MathML, and
Jinja.
"""

from .rendering import html, steps_figure

__all__ = ["html", "steps_figure"]
