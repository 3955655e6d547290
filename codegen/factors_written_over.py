"""Rows of an adjoint take the place of the factor that they alone are made of, turn by turn of a loop.

    np.multiply(dh[t + 1], slope_z[t], out=dz[t])       dz = slope_z before the loop, where nothing else reads slope_z
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from derive.program import Program
from derive.terms import reads

from .statements import Statement

MADE = r"{0} = array\(.*\)"
FILLED = r"\s+np\.(?!matmul)\w+\(.*\b(slope_\w+)\[(\w+)\].*, out={0}\[(\w+)\]\)"


def with_factors_written_over(made: Sequence[Statement], loop: Statement, program: Program) -> list[Statement]:
    """Return the statements of a loop, `made` what stands before it, with adjoints in the arrays of such factors."""
    result = []
    for s in made:
        factor = _factor(s, loop, program)
        result.append(replace(s, lines=(f"{s.name} = {factor}",), reads=(factor,)) if factor else s)
    return [*result, loop]


def _factor(s: Statement, loop: Statement, program: Program) -> str:
    """Return the factor whose rows the loop reads once, to fill those of the array that a statement makes; else ""."""
    own = [line for line in loop.lines if re.search(rf"\b{s.name}\b", line)]
    call = re.fullmatch(FILLED.format(s.name), own[0]) if own else None
    if not call or call[2] != call[3] or not re.fullmatch(MADE.format(s.name), "\n".join(s.lines)):
        return ""
    factor = call[1]
    once = sum(len(re.findall(rf"\b{factor}\b", line)) for line in loop.lines) == 1
    alone = [e.name for e in program.equations if reads(e.rhs, {factor})] == [s.name]
    alike = program.variables[factor].shape == program.variables[s.name].shape
    return factor if once and alone and alike else ""
