"""What can be seen of one gradient by itself: zero, another parameter's gradient, clipping, a regulariser, rows."""

from collections.abc import Sequence
from itertools import chain, combinations, permutations
from math import prod

import numpy as np
from sympy import Add, Mul, Symbol

from derive.program import Program
from derive.terms import read_name, reads

from .evidence import Evidence, largest, near
from .scales import named_ratio, ratio_of, times, value_at
from .wording import Wording


def relation(evidence: Evidence, name: str) -> str:
    """Say what a gradient is that no changed equation gives, "" where nothing is known."""
    tests = (_no_number, _zero, _constant, _another, _with_another, _never_cleared, _regulariser, _regulariser_of_rows,
             _clipped, _to_a_norm, _reordered, _whole)
    return next((words for test in tests if (words := test(evidence, name))), "")


def _all(evidence, name, test):
    return all(test(s, s.answer.gradients[name], evidence.gradients(k)[name]) for k, s in enumerate(evidence.seen))


def _no_number(evidence, name):
    found = [(g, ~np.isfinite(g)) for s in evidence.seen for g in (np.asarray(s.answer.gradients[name], float),)]
    if not all(lost.any() for _, lost in found):
        return ""
    g, lost = found[0]
    whole = all(everywhere.all() for _, everywhere in found)
    where = "everywhere" if whole else f"in {np.count_nonzero(lost)} of {lost.size} entries"
    return f"is {g[lost][0]:g} {where}: 0/0, an overflow, or a logarithm or root of what has none"


def _zero(evidence, name):
    if _all(evidence, name, lambda s, g, o: largest(g) == 0 and np.isfinite(g).all()):
        return ("is zero everywhere: it was made, and never filled (a view or a copy was written to instead, or a name "
                "was bound anew)")
    return ""


def all_zero(evidence: Evidence, names: Sequence[str]) -> frozenset[str]:
    """Return the parameters whose gradients are 0 everywhere."""
    return frozenset(n for n in names if _zero(evidence, n))


def _constant(evidence, name):
    if _all(evidence, name, lambda s, g, o: np.size(g) > 0 and np.ptp(g) <= s.tolerance * largest(g)) and any(
            np.size(s.answer.gradients[name]) > 1 for s in evidence.seen):
        mean = _all(evidence, name, lambda s, g, o: abs(np.mean(g) - np.mean(o)) <= s.tolerance * largest(g))
        total = _all(evidence, name, lambda s, g, o: abs(np.mean(g) - np.sum(o)) <= s.tolerance * largest(g))
        what = "the mean of the derived one" if mean else "the sum of the derived one" if total else "one number"
        return f"has the same number in all entries, {what}: it was summed or averaged over an axis too many"
    return ""


def _another(evidence, name):
    for other in evidence.usual:
        if other != name and _all(evidence, name, lambda s, g, o, other=other: near(
                s, g, s.point.ours.gradients()[other])):
            return f"is the derived gradient of {other}: gradients are returned in another order, or under another name"
    return ""


def _exchanged(evidence, name):
    """Another one's gradient, where that one is wrong too."""
    words = _another(evidence, name)
    return words if any(words.startswith(f"is the derived gradient of {n}:") for n in evidence.wrong()) else ""


def _with_another(evidence, name):
    for other in evidence.usual:
        if other != name and _all(evidence, name, lambda s, g, o, other=other: near(
                s, g - o, s.point.ours.gradients()[other]) and largest(o) > 0):
            return f"has the derived gradient of {other} added: what belongs to d{other} goes to d{name} too"
    return ""


def _never_cleared(evidence, name):
    """An argument's values where nothing is sent back to: an array that was made as a copy, not of zeros."""
    def kept(s, g, o, other):
        value, apart = np.asarray(s.point.arguments[other], float), _apart(s, g, o)
        return np.all(np.isfinite(g)) and np.shape(value) == np.shape(g) and not np.any(o[apart]) and near(
            s, g[apart], value[apart])

    for other in dict.fromkeys((name, *(v.name for v in evidence.program.inputs), *evidence.usual)):
        if _all(evidence, name, lambda s, g, o, other=other: kept(s, g, o, other)):
            return f"has the values of {other} where nothing is sent back to: it was made as a copy of it, not of zeros"
    return ""


def _never_reached(evidence, name):
    """The same where these places do not depend on the data: there no mask is missing."""
    places: dict[str, list] = {}
    for k, s in enumerate(evidence.seen):
        here = places.setdefault(str(s.point.sizes), [])
        here.append(_apart(s, s.answer.gradients[name], evidence.gradients(k)[name]))
    same = all(np.array_equal(found[0], other) for found in places.values() for other in found[1:])
    return _never_cleared(evidence, name) if same and any(len(found) > 1 for found in places.values()) else ""


def _apart(s, g, o):
    return np.abs(g - o) > s.tolerance * max(largest(g), largest(o))


def cut_elsewhere(evidence: Evidence) -> bool:
    """Tell whether all gradients are one vector, cut into parameters at other places, or in another order of them."""
    names = list(evidence.usual)

    def vectors(k, s):
        theirs = np.concatenate([np.ravel(s.answer.gradients[n]) for n in names])
        return theirs, [np.ravel(evidence.gradients(k)[n]) for n in names]

    found = [(s, *vectors(k, s)) for k, s in enumerate(evidence.seen)]
    orders = [o for o in permutations(range(len(names))) if list(o) != sorted(o)] if 1 < len(names) < 5 else []
    ways = [lambda parts, o=o: np.concatenate([parts[k] for k in o]) for o in orders]
    ways += [lambda parts, by=by: np.roll(np.concatenate(parts), by) for by in (1, -1) if len(names) > 1]
    return any(all(near(s, theirs, way(parts)) for s, theirs, parts in found) for way in ways)


def _whole(evidence, name):
    for what, change in (("down to", np.floor), ("towards 0 to", np.trunc), ("to", np.round)):
        if _all(evidence, name, lambda s, g, o, change=change: np.array_equal(g, change(o))):
            return f"is rounded {what} whole numbers: // where / should be, or an array of integers"
    return ""


def _regulariser(evidence, name):
    rates, norms = [], []
    for k, s in enumerate(evidence.seen):
        value = np.asarray(s.point.arguments[name], float)
        more = s.answer.gradients[name] - evidence.gradients(k)[name]
        size = float(np.sum(value * value))
        rate = float(np.sum(more * value)) / size if size else 0.0
        if not np.all(np.isfinite(more)) or largest(more - rate * value) > s.tolerance * 10 * largest(more) or not rate:
            return ""
        rates.append(rate)
        norms.append(np.sqrt(size))
    points = [s.point for s in evidence.seen]
    named = named_ratio(evidence.program, points, rates, evidence.exact)
    roots = [rate / (1 / norm - 1) for rate, norm in zip(rates, norms, strict=True)]
    if named is None and (root := named_ratio(evidence.program, points, roots, evidence.exact)):
        words = f"{'' if root[0] == 1 else f'{root[0]} '}{name}"
        return f"has {words}/|{name}| where {words} should be: of the penalty, the norm is not squared"
    if named is None and np.size(evidence.seen[0].point.arguments[name]) == 1:
        return ""               # any number is a multiple of another
    if named is None and (told := _of_the_penalty(evidence, name, rates)):
        return told
    share = "a multiple of" if named is None else f"{float(named[0]):.6g}" if named[0].is_number else str(named[0])
    return f"has {share} {name} added{regulariser(evidence.program, name)}"


def _of_the_penalty(evidence, name, rates):
    """Say what the code's part of a regulariser is of what it should be, where that is a number with a name."""
    program = evidence.program
    own = [t for t in Add.make_args(program.gradients[name].rhs) if any(read_name(f) == name for f in Mul.make_args(t))]
    if len(own) != 1:
        return ""
    factor = Mul(*(f for f in Mul.make_args(own[0]) if read_name(f) != name))
    points = [s.point for s in evidence.seen]
    should = [value_at(factor, p) for p in points]
    shares = [1 + rate / value for rate, value in zip(rates, should, strict=True)] if np.all(should) else []
    for sign in (1, -1) if np.all(np.isfinite(shares)) and shares else ():
        if share := named_ratio(program, points, [sign * s for s in shares], evidence.exact):
            term = Wording(program).text(own[0])
            return f"has {times(sign * share[0])} the term {term} of the regulariser, not that itself"
    return ""


def regulariser(program: Program, name: str) -> str:
    """Say what a multiple of a parameter is, added to its gradient: of a regulariser that is there, or is not."""
    if any(read_name(r) == name for r in reads(program.gradients[name].rhs, program.variables)):
        return ": its regulariser is there more than once, or of another size"
    return ": a regulariser that the network's loss does not have"


def _regulariser_of_rows(evidence, name):
    """A regulariser that is added for each time that a row is looked up."""
    for labels in evidence.program.kind("labels"):
        rates = []
        for k, s in enumerate(evidence.seen):
            value, given = np.asarray(s.point.arguments[name], float), np.ravel(s.point.arguments[labels.name])
            if value.ndim == 0 or len(value) <= np.max(given, initial=0):
                break
            times = np.bincount(given, minlength=len(value)).reshape(-1, *[1] * (value.ndim - 1)) * value
            more, size = s.answer.gradients[name] - evidence.gradients(k)[name], float(np.sum(times * times))
            rate = float(np.sum(more * times)) / size if size else 0.0
            if not rate or not largest(more - rate * times) <= s.tolerance * 10 * largest(more):
                break
            rates.append(rate)
        if len(rates) == len(evidence.seen):
            return (f"has a multiple of {name} added to a row for each time that {labels.name} names it: a regulariser "
                    "that belongs there once, or not at all")
    return ""


def _clipped(evidence, name):
    tops: list[tuple[float, dict[Symbol, int]]] = []
    free = held = 0
    for k, s in enumerate(evidence.seen):
        g, o = np.asarray(s.answer.gradients[name]), np.asarray(evidence.gradients(k)[name])
        top = largest(g)
        cut = np.abs(g) >= top * (1 - 1e-12)
        if top < largest(o) * (1 - 1e-9):
            tops.append((top, s.point.sizes))
        else:
            cut = np.zeros(g.shape, bool)
        free, held = free + int(np.count_nonzero(g[~cut])), held + int(np.count_nonzero(cut))
        if largest((g - o)[~cut]) > s.tolerance * largest(o):
            return ""
        if np.any(np.abs(o[cut]) < top) or np.any((g * o)[cut] < 0):
            return ""
    bound = _bound(tops) if tops and free >= 3 and held > 1 else ""     # one entry at a bound may be anything
    return bound and f"is clipped at {bound}: larger entries are cut off, the others are as derived"


def _bound(tops: Sequence[tuple[float, dict[Symbol, int]]]) -> str:
    """Return one bound for all points, a number or a number over sizes where a mean is taken afterwards."""
    sizes = list(tops[0][1])
    for chosen in chain.from_iterable(combinations(sizes, count) for count in range(4)):
        numbers = [top * prod(at[s] for s in chosen) for top, at in tops]
        if max(numbers) - min(numbers) <= 1e-9 * max(numbers) and (not chosen or len({n for n, _ in tops}) > 1):
            return f"{numbers[0]:.6g}" + (f"/({' '.join(map(str, chosen))})" if chosen else "")
    return ""


def _to_a_norm(evidence, name):
    """A gradient that is shortened wherever its norm, or that of all gradients together, is above a bound."""
    for together in (False, True):
        bounds, kept = [], []
        for k, s in enumerate(evidence.seen):
            ours = evidence.gradients(k)
            ratio = ratio_of(s.answer.gradients[name], ours[name], s.tolerance)
            if ratio is None or ratio > 1 + s.tolerance or ratio < 0:
                return ""
            size = _norm([ours[n] for n in ours] if together else [ours[name]])
            if ratio < 1 - s.tolerance:
                bounds.append(size * ratio)
            elif not np.isnan(ratio):
                kept.append(size)
        if len(bounds) > 1 and max(bounds) - min(bounds) <= 1e-6 * max(bounds) and max(kept, default=0) <= max(bounds):
            what = "the norm of all gradients together" if together else "its norm"
            return f"is clipped inside the function: it is shortened so that {what} is at most {bounds[0]:.6g}"
    return ""


def _norm(arrays):
    return float(np.sqrt(sum(np.sum(np.square(a)) for a in arrays)))


def _reordered(evidence, name):
    """The derived entries in another order: reshaped where it should be transposed, or turned round along an axis."""
    axes = np.ndim(evidence.seen[0].answer.gradients[name])
    if not 2 <= axes <= 5:
        return ""
    for order in permutations(range(axes)):
        if list(order) != sorted(order) and _all(evidence, name, lambda s, g, o, order=order: near(
                s, g, np.reshape(np.transpose(o, order), o.shape))):
            told = ", ".join(map(str, order))
            return f"has the derived entries in another order: reshaped as if its axes were ({told}); transpose first"
    for some in chain.from_iterable(combinations(range(axes), count) for count in (1, 2)):
        if _all(evidence, name, lambda s, g, o, some=some: near(s, g, np.flip(o, some))):
            return f"has the derived entries turned round along axis {' and '.join(map(str, some))}"
    return ""


def partly(evidence: Evidence, name: str) -> str:
    """Say which entries differ, where these are some rows or columns only."""
    for axis in range(evidence.seen[0].answer.gradients[name].ndim):
        found = []
        for k, s in enumerate(evidence.seen):
            g, o = s.answer.gradients[name], evidence.gradients(k)[name]
            apart = np.abs(g - o) > s.tolerance * max(largest(o), largest(g))
            other = tuple(a for a in range(apart.ndim) if a != axis)
            found.append((np.flatnonzero(apart.any(axis=other)), apart.shape[axis]))
        found = [(rows, count) for rows, count in found if count > 1 and len(rows)]
        if not found:
            return ""
        for words, place in (("first", 0), ("last", -1)):
            if all(list(rows) == [place % n] for rows, n in found):
                return f"differs in the {words} entry of axis {axis} only"
        if all(0 < len(rows) < n for rows, n in found):
            rows, n = found[0]
            return f"differs in some entries of axis {axis} only ({', '.join(map(str, rows[:6]))} of {n})"
    return ""


PLAIN = (_zero, _exchanged, _clipped, _never_reached)
