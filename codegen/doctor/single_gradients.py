"""Mistakes in single gradients: one that was seen upstream explains what it does there, and hides the next.

Where -dW and half of db are returned, the sign may be looked for in dZ, which both are made of; with dZ's sign turned
db is not half of anything.
"""

from collections.abc import Sequence
from dataclasses import replace

from .evidence import Evidence, Seen
from .search import Hit, Search, explaining


def alone(search: Search, left: Sequence[str], seconds: float) -> list[Hit]:
    """Return mistakes that explain all that is left as if nothing else were wrong, [] where there are none."""
    seen = [Seen(s.point, replace(s.answer, gradients={n: s.answer.gradients[n] if n in left else g
                                                       for n, g in s.point.ours.gradients().items()}))
            for s in search.evidence.seen]
    return explaining(search.hypotheses, Evidence(search.program, seen), seconds)


def lower(search: Search, hit: Hit, left: Sequence[str]) -> Hit:
    """Return a mistake from which what is left would come too as one further down, from which it does not."""
    own = [m for m in hit.also if search.reached[m.name] <= set(hit.explained)]
    return replace(hit, mutant=own[0]) if own and search.reached[hit.mutant.name] & set(left) else hit
