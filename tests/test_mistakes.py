"""Right code with a line edited as people get it wrong: never accused before, always caught after, the mistake named.

All of it was written before the doctor saw it.
"""

import re

import pytest

from codegen.doctor import diagnose
from tests.coursework import books, courses, exams, labs, modern, projects, seminars, slips, solved, studios
from tests.coursework.editing import edited

CORPORA = (books, courses, modern, solved, labs, projects, seminars, studios, exams)
RIGHT = [row for corpus in (*CORPORA, slips) for row in corpus.RIGHT]
WRONG = [row for corpus in CORPORA for row in corpus.WRONG]
UNKNOWN = [row for corpus in CORPORA for row in corpus.UNKNOWN]
QUICK = {"newton_logistic", "hinge_loops_network", "bag_of_words", "robust", "triplets", "tied_words", "kept",
         "process", "normalised_layer", "validation", "components", "soft_targets", "coupling", "radial"}


def marked(rows):
    """Return the rows as parameters, those of larger networks marked slow."""
    marks = [() if row[0].__name__ in QUICK else (pytest.mark.slow,) for row in rows]
    return [pytest.param(row, id=f"{k}-{row[0].__name__}", marks=m)
            for k, (row, m) in enumerate(zip(rows, marks, strict=True))]


@pytest.mark.parametrize("row", marked(RIGHT))
def test_right_code_is_never_accused(row):
    network, function = row
    diagnosis = diagnose(network(), function)
    assert diagnosis.right and not diagnosis.findings, str(diagnosis)


@pytest.mark.parametrize("row", marked(WRONG))
def test_an_edit_is_caught_and_named(row):
    network, function, edits, words = row
    diagnosis = diagnose(network(), edited(function, *edits))
    assert diagnosis.verdict == "wrong", str(diagnosis)
    assert "unknown" not in diagnosis.kinds, str(diagnosis)
    assert re.search(words, " ".join(map(str, diagnosis.findings))), str(diagnosis)


@pytest.mark.parametrize("row", marked(UNKNOWN))
def test_an_unknown_edit_is_caught_and_placed(row):
    network, function, edits, words = row
    diagnosis = diagnose(network(), edited(function, *edits))
    assert diagnosis.verdict == "wrong", str(diagnosis)
    assert re.search(words, " ".join(map(str, diagnosis.findings))), str(diagnosis)


@pytest.mark.slow
@pytest.mark.parametrize("row", slips.EDITS, ids=range(len(slips.EDITS)))
def test_a_slip_is_caught(row):
    network, function, edits = row
    assert diagnose(network(), edited(function, *edits)).verdict == "wrong"


def test_nine_in_ten_are_named():
    assert len(WRONG) + len(UNKNOWN) >= 100 and len(UNKNOWN) <= 0.1 * (len(WRONG) + len(UNKNOWN))
