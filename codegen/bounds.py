"""What verifying a network can take: judges expand every entry, so fixed sizes have to be small."""

from math import prod

from sympy import Pow

from derive.errors import DefinitionError
from derive.program import Program
from derive.terms import subterms

ENTRIES, EXPONENT = 10_000, 1000


def check(program: Program) -> None:
    """Refuse to verify a network whose fixed sizes or powers nobody can expand.

    Raises
    ------
    DefinitionError
    """
    indices = [i for e in program.equations for t in subterms(e.rhs) for i, *_ in getattr(t, "limits", ())]
    extents = [(f"the index {i}", [i.upper + 1]) for i in indices if i.upper is not None]
    extents += [(v.name, list(v.shape)) for v in program.variables.values()]
    for what, shape in extents:
        entries = prod(int(s) for s in shape if s.is_Integer)
        if entries > ENTRIES:
            raise DefinitionError(
                f"{what} has {entries} entries at the least, and judges expand each; expected at most {ENTRIES}: "
                "declare its sizes by name, net.sizes(...), and any numbers will do for them in the module")
    for e in program.equations:
        for t in subterms(e.rhs):
            if isinstance(t, Pow) and t.exp.is_Integer and abs(t.exp) > EXPONENT:
                raise DefinitionError(f"{e.name} has a power with the exponent {t.exp}, more than {EXPONENT}, which no "
                                      "float holds and judges compute exactly; expected one that is less")
