"""How a function behaves: where it fails, what it writes into, whether it gives the same twice."""

from collections.abc import Callable, Collection, Sequence

import numpy as np

from derive.program import Program

from . import forward
from .diagnosis import Diagnosis
from .evidence import Evidence, Seen, near
from .judge import LOSS
from .patient import Answer, Patient
from .trials import ONCE_MORE, Point, drawn, is_shown


def failures(program: Program, diagnosis: Diagnosis, answers: Sequence[tuple[Point, Answer]]) -> None:
    """Tell where the function fails, and what that means."""
    failed = [(p, a) for p, a in answers if a.failure]
    if not failed:
        return
    plain = [p for p, a in answers if not a.failure and not p.square and p.least is None]
    point, answer = failed[0]
    told = f"{answer.failure} {point.words} ({point.told})"
    if not plain and any(p.square for p, a in answers if not a.failure):
        diagnosis.find("shapes", f"the function runs only where sizes are alike, and fails otherwise: {told}")
        return
    whole = any(not p.ragged for p in plain)        # then what refuses other sizes is no mistake
    plain_failed = [(p, a) for p, a in failed if not (p.ragged and whole) and (
        not p.kinked if p.least is None else not is_shown(program, p.least))]
    empty = [(p, a) for p, a in failed if p.least is not None and program.least.get(p.least, 1) == 0]
    if plain_failed:
        count = f"it fails at {len(failed)} of {len(answers)} points tried"
        diagnosis.find("shapes", f"{_fails(*plain_failed[0])}; {count}")
    elif empty:
        diagnosis.find("padding", f"{_fails(*empty[0])}; a slice [p:-p] is empty at p = 0: write [p:p + size]")
    else:
        diagnosis.remarks += [_fails(p, a) for p, a in failed]


def without_degenerate(diagnosis: Diagnosis, answered: Sequence[Seen]) -> list[Seen]:
    """Leave out the points with a size of 1 where the code alone gives no finite numbers, 0/0 of a single example."""
    odd = [s for s in answered if s.point.least is not None and not _is_finite(s.answer)
           and all(np.isfinite(g).all() for g in s.point.ours.gradients().values())]
    if not odd or len(odd) == len(answered) or not all(_is_finite(s.answer) for s in answered if s not in odd):
        return list(answered)
    diagnosis.remarks += [f"its results are not finite {s.point.words}, where derived ones are: left out" for s in odd]
    return [s for s in answered if s not in odd]


def without_wrong_ones(
    program: Program, diagnosis: Diagnosis, answered: Sequence[Seen],
    is_wrong: Callable[[Evidence, float], Collection[str]],
) -> list[Seen]:
    """Leave out the points with a size of 1 where the code alone goes wrong: an axis of one entry is dropped there.

    `is_wrong` tells which gradients are, by their shapes, or by their numbers and the loss, given its usual size.
    """
    ones = [s for s in answered if s.point.of_one]
    others = [s for s in answered if s not in ones and not s.point.kinked]
    evidence, usual = Evidence(program, others), forward.usual(answered)
    odd = [s for s in ones if others and not is_wrong(evidence, usual) and is_wrong(evidence.beside(s), usual)]
    diagnosis.remarks += [f"it computes another thing {s.point.words} ({s.point.told}) alone: left out, as where "
                          "squeeze() drops an axis of one entry" for s in odd]
    return [s for s in answered if s not in odd]


def of_other_shapes(evidence: Evidence, usual: float) -> list[str]:
    """Return the gradients whose shape is not the parameter's somewhere."""
    return [n for n in evidence.usual if any(
        np.shape(s.answer.gradients[n]) != np.shape(s.point.ours.gradients()[n]) for s in evidence.seen)]


def of_another_loss(evidence: Evidence, usual: float) -> list[str]:
    """Return "loss" where the loss returned is another one somewhere; of one that is usually so large."""
    return [LOSS] if forward.differs(evidence.seen, usual) else []


def of_other_numbers(evidence: Evidence, usual: float) -> list[str]:
    """Return what is another thing somewhere, of the gradients and the loss."""
    return [*evidence.wrong(), *of_another_loss(evidence, usual)]


def _is_finite(answer):
    return all(np.isfinite(g).all() for g in answer.gradients.values()) and (
        answer.loss is None or np.isfinite(answer.loss))


def _fails(point, answer):
    return f"the function fails {point.words} ({point.told}): {' '.join(answer.failure.split())}"


def behaviour(patient: Patient, diagnosis: Diagnosis, seen: Sequence[Seen]) -> None:
    """Tell what the function does to its arguments, and whether it gives the same twice."""
    modified = list(dict.fromkeys(n for s in seen for n in s.answer.modified))
    if modified:
        words = f"the function writes into its arguments: {', '.join(modified)} changed in the call"
        line = patient.writing(seen[0].point)
        words += f" ({line})" if line else ""
        diagnosis.find("in place", f"{words}, so what is computed from them later is wrong; copy before writing")
    for s in seen:
        again = s.answer.again
        if again is None or again.failure:
            continue
        other = [n for n, g in s.answer.gradients.items() if not (
            np.array_equal(g, again.gradients[n], equal_nan=True) or near(s, g, again.gradients[n]))]
        if other:
            twice = all(np.allclose(2 * s.answer.gradients[n], again.gradients[n]) for n in other)
            diagnosis.find("state", f"a second call with the same arguments gives other gradients of {', '.join(other)}"
                       + (", twice the first: they are added to what is there, and never set back to zero" if twice
                          else ": something is kept from call to call, or drawn at random"), "", other)
    aliased = list(dict.fromkeys(n for s in seen for n in s.answer.aliased))
    if aliased:
        diagnosis.remarks.append(f"the gradient of {', '.join(aliased)} shares memory with an argument: "
                                      "whoever changes one changes the other")


def is_stale(program: Program, diagnosis: Diagnosis, seen: Sequence[Seen], patient: Patient) -> bool:
    """Tell whether the function is right but for later calls at the same sizes, and say so."""
    wrong = _wrong_once_more(program, seen)
    if not wrong or _right_again(program, wrong[0], patient):
        return False
    names = Evidence(program, wrong).wrong()
    told = f"the gradient of {', '.join(names)} is" if names else "the loss is"
    diagnosis.find("state", f"{told} right in the first call and wrong in a later one, with other arguments of "
                   "the same sizes: something is kept from call to call, a cache that is stale", "", names)
    return True


def _wrong_once_more(program, seen):
    """Return the point of other arguments at the same sizes, where it is the only one that is wrong."""
    wrong = [s for s in seen if Evidence(program, [s]).wrong() or forward.differs([s])]
    return wrong if len(seen) > 1 and [s.point.words for s in wrong] == [ONCE_MORE] else []


def _right_again(program, wrong, patient):
    """Tell whether the function is right at yet other arguments of the same sizes: so nothing is kept by size."""
    sizes = wrong.point.sizes
    points = [Point(ONCE_MORE, program, sizes, drawn(program, sizes, seed)) for seed in (7, 8)]
    found = [Seen(p, a) for p in points if not (a := patient.answer(p)).failure]
    return any(not Evidence(program, [s]).wrong() and not forward.differs([s]) for s in found)
