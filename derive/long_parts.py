"""Long expressions in array notation: what stands in several places of one gets a name, and is written out once.

An attention reads its argument five times, a layer norm four times: nested without names they would be written out 5^k
and 4^k times. Each part is looked at once, so what this takes grows with the number of layers.
"""

from collections import Counter
from collections.abc import Callable

from sympy import Add, Basic, Expr

from .arrays import Array, ArrayNode, Sliced, Transposed, is_array
from .joins import Cut, Joined
from .linear_algebra import Unknown
from .terms import innermost_first

VIEWS = (Transposed, Sliced, Cut, Joined)
LONG = 30           # operations and reads; what is shorter is written out where it stands


def with_long_parts_named(value, known: dict[Expr, Expr], name: Callable[[Expr], Expr]):
    """Return an expression in array notation that reads a name wherever something long stands again; else what it is.

    Parameters
    ----------
    known : the names that parts of other expressions have, to which those of this one are added.
    name : defines a part, and returns what stands for it.
    """
    if not isinstance(value, Basic) or not is_array(value) or isinstance(value, Array):
        return value
    parts = list(innermost_first(value, _array_parts))
    places = Counter(a for part in parts for a in part.args)
    pieces = {a for part in parts if isinstance(part, Joined) for a in part.args if _is_computed(a)}
    shorter: dict[Basic, Basic] = {}
    length: dict[Basic, int] = {}
    for part in parts:
        args = [shorter.get(a, a) for a in part.args]
        new = _with_known_terms(part if args == list(part.args) else part.func(*args), known)
        length[part] = 1 if isinstance(part, Unknown) else 1 + sum(length.get(a) or _length(a) for a in part.args)
        again = length[part] > LONG and places[part] > 1
        if (again or part in pieces) and isinstance(new, Expr) and new not in known:
            known[new] = name(new)
        shorter[part] = known.get(new, new)
        if new in known:
            length[part] = _length(known[new])
    return shorter[value]


def _with_known_terms(part, known):
    """Return a sum with a name for those of its terms that a known part adds up: SymPy does not keep sums in sums."""
    for total in (t for t in known if isinstance(part, Add) and isinstance(t, Add) and t != part):
        if set(total.args) <= set(part.args):
            part = Add(known[total], *(t for t in part.args if t not in total.args))
    return part


def _array_parts(part):
    """Return what a part is made of that holds whole arrays and is none itself."""
    return [a for a in part.args if is_array(a) and not isinstance(a, Array)]


def _is_computed(part):
    """Tell whether a part takes more than elementwise operations: as one case of several, it would be guarded."""
    return is_array(part) and any(isinstance(t, ArrayNode) and not isinstance(t, VIEWS) for t in
                                  innermost_first(part, _array_parts))


def _length(leaf):
    return 1 + len(leaf.shape) if isinstance(leaf, Array) else 1
