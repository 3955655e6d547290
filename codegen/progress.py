"""How far long work is: a bar in a terminal or a notebook once a second has passed, nothing anywhere else."""

import contextvars
import html
import sys
import threading
import time
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from .extras import extra

DELAY, EVERY = 1.0, 0.25        # seconds: before a bar appears, and between its changes


class View(Protocol):
    """Where a bar is seen."""

    def show(self, progress: "Progress") -> None:
        """Show the bar, or change it."""

    def close(self) -> None:
        """Take it away."""


class Progress:
    """The steps of some work, `total` of them if that is known: call `step` as each begins, inside a `with`."""

    def __init__(self, total: int | None = None):
        self.total, self.done, self.words = total, 0, ""
        self.start = time.monotonic()
        self._begun = False
        self._view = _view()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def step(self, words: str) -> None:
        """Say that a step begins, and that the one before is done."""
        self.done += self._begun
        self._begun, self.words = True, words

    def __enter__(self) -> "Progress":
        if self._view is not None:                      # in the context of the cell, which knows where output goes
            run = contextvars.copy_context().run
            self._thread = threading.Thread(target=run, args=(self._watch, self._view), daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        if self._view is not None and self._thread is not None:
            self._thread.join()
            self._view.close()

    def _watch(self, view):
        wait = DELAY
        while not self._over.wait(wait):
            view.show(self)
            wait = EVERY


def _view() -> View | None:
    """Return where a bar would be seen, None where nobody looks."""
    if _in_notebook():
        return _Notebook()
    return _Terminal() if sys.stderr.isatty() else None


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


class _Terminal:
    """A line on standard error that vanishes when all is done."""

    def __init__(self):
        self.bar: Bar | None = None

    def show(self, progress):
        if self.bar is None:
            columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
            counted = (MofNCompleteColumn(),) if progress.total else ()
            self.bar = Bar(*columns[:2], *counted, columns[2], console=Console(stderr=True), transient=True)
            self.task = self.bar.add_task(progress.words, total=progress.total)
            self.bar.start()
        self.bar.update(self.task, description=progress.words, completed=progress.done)

    def close(self):
        if self.bar is not None:
            self.bar.stop()


class _Notebook:
    """The notebook's own bar, an element of its page; nothing is left of it when all is done."""

    def __init__(self):
        self.notebook = extra("IPython.display", "bars in notebooks", "notebook")
        self.handle: Any = None

    def show(self, progress):
        known = f' max="{progress.total}" value="{progress.done}"' if progress.total else ""
        count = f" {progress.done}/{progress.total}" if progress.total else ""
        words, seconds = html.escape(progress.words), round(time.monotonic() - progress.start)
        shown = self.notebook.HTML(f'<progress aria-label="{words}"{known}></progress> {words}{count}, {seconds} s')
        if self.handle is None:
            self.handle = self.notebook.display(shown, display_id=True)
        else:
            self.handle.update(shown)

    def close(self):
        if self.handle is not None:
            self.handle.update(self.notebook.HTML(""))
