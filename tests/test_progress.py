"""Long calls tell how far they are where somebody looks; short ones, and those that nobody looks at, print nothing."""

import os
import select
import subprocess
import sys
import time

import numpy as np
import pytest

from codegen import check_gradient, progress
from codegen.progress import Progress

SLOW = """
import time
from codegen import check_gradient
def f(w):
    time.sleep({seconds})
    return float((w**2).sum())
import numpy as np
print(check_gradient(f, lambda w: 2*w, (np.arange(1.0, 5.0),), calls=200).verdict)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="terminals of Unix")
@pytest.mark.parametrize(("seconds", "appears"), [(0.01, True), (0, False)])
def test_a_bar_appears_in_a_terminal_where_a_call_is_long(seconds, appears):
    import pty
    ours, theirs = pty.openpty()
    done = subprocess.run([sys.executable, "-c", SLOW.format(seconds=seconds)], stderr=theirs, stdout=subprocess.PIPE,
                          text=True, check=True)
    seen = os.read(ours, 100_000).decode() if select.select([ours], [], [], 0)[0] else ""
    os.close(ours)
    os.close(theirs)
    assert done.stdout == "right\n"
    assert ("checking the gradient of w" in seen) is appears


@pytest.mark.slow
def test_a_notebook_shows_a_bar_of_its_own_and_nothing_is_left_of_it():
    nbclient = pytest.importorskip("nbclient", reason="nbclient is in an extra: pip install -e '.[notebook]'")
    pytest.importorskip("ipykernel", reason="ipykernel is in an extra: pip install -e '.[notebook]'")
    from nbformat.v4 import new_code_cell, new_notebook

    shown: list[str] = []

    class Client(nbclient.NotebookClient):
        def process_message(self, msg, cell, index):
            shown.extend([msg["content"]["data"].get("text/html", "")] if "display" in msg["msg_type"] else [])
            return super().process_message(msg, cell, index)

    made = new_notebook(cells=[new_code_cell(SLOW.format(seconds=s)) for s in (0.01, 0)])
    Client(made, timeout=100, kernel_name="python3").execute()
    assert shown[0].startswith("<progress") and "checking the gradient of w 0/1" in shown[0]
    assert shown[-1] == ""
    assert [[o.get("text") for o in cell.outputs] for cell in made.cells] == [[None, "right\n"], ["right\n"]]


class Seen:
    """A view that remembers."""

    def __init__(self):
        self.told, self.closed = [], False

    def show(self, bar):
        self.told.append((bar.words, bar.done))

    def close(self):
        self.closed = True


@pytest.mark.parametrize(("delay", "appears"), [(0.01, True), (1.0, False)])
def test_a_bar_waits_and_then_tells_the_step(delay, appears, monkeypatch):
    view = Seen()
    monkeypatch.setattr(progress, "_view", lambda: view)
    monkeypatch.setattr(progress, "DELAY", delay)
    with Progress(2) as bar:
        for name in ("a", "b"):
            bar.step(name)
        deadline = time.monotonic() + 20
        while appears and ("b", 1) not in view.told and time.monotonic() < deadline:
            time.sleep(0.01)
    assert (("b", 1) in view.told) is appears and view.closed


def test_nothing_is_printed_where_nobody_looks(capsys, monkeypatch):
    monkeypatch.setattr(progress, "DELAY", 0.0)
    report = check_gradient(lambda w: float((w**2).sum()), lambda w: 2 * w, (np.arange(1.0, 5.0),))
    assert report.passed and capsys.readouterr() == ("", "")
