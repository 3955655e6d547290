"""Backprop as in students' repositories, right and with edits: all of it written before the doctor saw any.

    python -m tests.test_portfolios [SEED]

asks about every edit, in a random order, and prints what was made, what a right diagnosis says, and what was said.
"""

import inspect
import random
import sys
from importlib import import_module
from pkgutil import iter_modules

import pytest

from codegen.doctor import diagnose
from tests.coursework import portfolios
from tests.coursework.unseen.frame import Submission

PIECES = {name: import_module(f"{portfolios.__name__}.{name}") for _, name, _ in iter_modules(portfolios.__path__)}
QUICK = {"svm", "glove", "mf_masked", "logreg_theta", "columns_float32"}
RIGHT = [(name, "", []) for name in PIECES]
RIGHT += [(name, tag, edits) for name, piece in PIECES.items() for tag, edits in piece.RIGHT.items()]
WRONG = [(name, tag, edits) for name, piece in PIECES.items() for tag, (_, edits) in piece.WRONG.items()]


def handed_in(piece, edits):
    """Return the function, edited, that a module's `HANDED` names; a (forward, backward) is made one."""
    code = inspect.getsource(piece).split("    return net\n", 1)[1].split("HANDED = ")[0]
    names = [f.__name__ for f in (piece.HANDED if isinstance(piece.HANDED, tuple) else (piece.HANDED,))]
    submission = Submission(piece.network, code, names[0] if len(names) == 1 else tuple(names))
    submission.wrong("", *edits)
    return submission.handed_in(*edits)


@pytest.mark.parametrize(("name", "edits"), [
    pytest.param(name, edits, id=f"{name}-{tag or 'as it was'}", marks=() if name in QUICK else pytest.mark.slow)
    for name, tag, edits in RIGHT])
def test_right_code_is_never_accused(name, edits):
    diagnosis = diagnose(PIECES[name].network(), handed_in(PIECES[name], edits))
    assert diagnosis.right and not diagnosis.findings, str(diagnosis)


def main(seed=0):
    """Ask about every edit and print the answers, then how many were pronounced wrong and how many named."""
    caught = named = 0
    for asked, (name, tag, edits) in enumerate(random.Random(seed).sample(WRONG, len(WRONG)), start=1):
        found = diagnose(PIECES[name].network(), handed_in(PIECES[name], edits))
        caught += found.verdict == "wrong"
        named += found.verdict == "wrong" and "unknown" not in found.kinds
        print(f"---- {name} {tag}: {PIECES[name].WRONG[tag][0]}\n{found}")
        print(f"({asked} asked, {caught} wrong, {named} named)", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
