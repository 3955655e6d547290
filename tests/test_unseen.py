"""Backprop by somebody who had not seen the doctor: right code is not accused, mistakes are caught, most are named."""

import re

import pytest

from codegen.doctor import diagnose
from tests.coursework.unseen import SUBMISSIONS

QUICK = {"cosine", "counting", "smoothing"}


def marked(rows):
    """Return the rows as parameters, those of larger networks marked slow."""
    names = [row[0].network.__name__ for row in rows]
    return [pytest.param(*row, id=f"{k}-{name}", marks=() if name in QUICK else pytest.mark.slow)
            for k, (row, name) in enumerate(zip(rows, names, strict=True))]


@pytest.mark.parametrize("submission", marked([(s,) for s in SUBMISSIONS]))
def test_right_code_is_not_accused(submission):
    diagnosis = diagnose(submission.network(), submission.handed_in())
    assert diagnosis.right and not diagnosis.findings, str(diagnosis)


@pytest.mark.parametrize(("submission", "wrong"), marked([(s, wrong) for s in SUBMISSIONS for wrong in s.wrongs]))
def test_a_mistake_is_caught_and_named(submission, wrong):
    diagnosis = diagnose(submission.network(), submission.handed_in(*wrong.edits))
    if wrong.named is None and diagnosis.right:
        pytest.xfail(f"taken for right: {wrong.says}")
    assert diagnosis.verdict == "wrong", str(diagnosis)
    if wrong.named:
        assert "unknown" not in diagnosis.kinds, str(diagnosis)
        assert re.search(wrong.named, " ".join(map(str, diagnosis.findings))), f"{wrong.says}: {diagnosis}"
