"""What a note says of tangents, of Jacobians and of matrices of second derivatives, where a program has them."""

from ..program import Program
from .names import Names

MATRICES = {"H": "the second derivatives", "G": "the Gauss-Newton matrix", "F": "the Fisher information"}


def sentences(program: Program, names: Names, letter: str) -> list[str]:
    """Return a sentence for each kind of derivative in a program of one function; `letter` stands for any variable."""
    defined = {e.name for e in program.equations}
    told = []
    if any(v.tangent_of for v in program.variables.values()):
        told.append(rf"The \emph{{tangent}} $\dot {letter}$ is the derivative of ${letter}$ in the direction.")
    if any(name.startswith("J_") for name in defined):
        told.append(rf"$J_{letter}$ is what the derivative of ${letter}$ by a parameter needs, without the factors "
                    "that it shares with others.")
    for head in dict.fromkeys(n.partition("_")[0] for n in program.results.values() if n.count("_") > 1):
        if head == "H":
            told.append(rf"$H_{{V,W}}$ holds the second derivatives $\partial^2 {names.loss}/\partial V\,\partial W$.")
        elif head in MATRICES:
            told.append(rf"${head}_{{V,W}}$ is {MATRICES[head]}, in its block of $V$ and $W$.")
    return told
