"""The data of a narrower kind that somebody's code is made for: one-hot rows, weights of 0 or 1, small parameters."""

from collections.abc import Sequence

import numpy as np

from . import domains, forward
from .adapting import how_many_wrong
from .elsewhere import further, wrong_elsewhere
from .evidence import Evidence, Seen
from .patient import Patient
from .precision import mark_rounded

SOME_DIGITS = 1e-2      # of a loss, that rounding may take where code leaves its range: log(1 - p) at p = 1 - 1e-15


def own_data(patient: Patient, seen: Sequence[Seen], evidence: Evidence) -> tuple[str, Evidence] | None:
    """Return what data are like on which the code is right, or its loss is, and the answers there; None for others."""
    most = how_many_wrong(evidence)
    if not most:
        return None
    best, loss_differs, lost = None, bool(forward.differs(seen)), are_lost(evidence.seen)
    for words, moved in domains.narrower(patient.program, [s.point for s in seen], loss_differs, lost):
        few = _answered(patient, moved[:2])
        if len(few) < len(moved[:2]) or how_many_wrong(Evidence(patient.program, few)) >= most:
            continue
        narrow = Evidence(patient.program, _answered(patient, moved))
        better = _leaves_its_range(evidence) if words == domains.IN_RANGE else \
            words == domains.ABOVE_ZERO or not how_many_wrong(narrow) or (
                loss_differs and not forward.differs(narrow.seen))
        if better and how_many_wrong(narrow) < most:
            best, most = (words, narrow), how_many_wrong(narrow)
    return None if best is None or (not most and _hides(patient, *best, loss_differs)) else best


def _answered(patient, points):
    """Return what is answered at some points, but where the code fails, and with what rounding makes of it."""
    found = [s for s in (Seen(p, patient.answer(p)) for p in points) if not s.answer.failure]
    if found:
        mark_rounded(patient, patient.program, found)
    return found


def _hides(patient, words, narrow, loss_differs):
    """Tell whether data of a narrower kind only hid a mistake, which shows at further points of that kind."""
    kinds = domains.narrower(patient.program, list(further(patient.program)), loss_differs, words == domains.ABOVE_ZERO)
    return bool(wrong_elsewhere(patient, narrow, (p for told, moved in kinds if told == words for p in moved)))


def are_lost(seen: Sequence[Seen]) -> bool:
    """Tell whether some gradients are no finite numbers."""
    return not all(np.isfinite(g).all() for s in seen for g in s.answer.gradients.values())


def _leaves_its_range(evidence: Evidence) -> bool:
    """Tell whether code leaves its range, so that small parameters excuse it: not where less is active for them.

    It gives numbers that are not finite; or gradients are right, and losses have lost some digits, as those of
    log(1 - p) do where p is nearly 1, or are smaller by what keeps them in range.
    """
    if are_lost(evidence.seen):
        return True
    answers = [s.answer for s in evidence.seen]
    losses = [(a.loss, float(evidence.base(k)[evidence.program.loss])) for k, a in enumerate(answers)
              if a.loss is not None]
    return not evidence.wrong() and all(
        not np.isfinite(own) or abs(own) <= abs(true) * (1 + SOME_DIGITS) for own, true in losses)
