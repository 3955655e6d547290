"""Limits for somebody's code that runs with something in it written otherwise: it may ask for anything.

An edit may make an array of n**n entries, or a loop of as many turns. Neither may take the machine with it.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import resource
except ImportError:                     # there is none on Windows: memory is not limited there
    resource = None                     # type: ignore[assignment]

MORE = 2**30                            # bytes that an edited function may take beside those that are taken already
STATM = Path("/proc/self/statm")        # memory is limited where the system tells how much there is
AGAIN = 0.05                            # seconds between an alarm that did nothing and the next


@contextmanager
def memory_limited(more: int = MORE) -> Iterator[None]:
    """Let the process take only so many bytes more; what asks for more gets a MemoryError."""
    if resource is None or not STATM.exists():
        yield
        return
    before, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = int(STATM.read_text().split()[0]) * resource.getpagesize() + more
    if before != resource.RLIM_INFINITY:
        limit = min(limit, before)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, most))


def can_stop() -> bool:
    """Tell whether code that does not end can be stopped: in the main thread, where the system has alarms."""
    return threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")


@contextmanager
def time_limited(seconds: float) -> Iterator[None]:
    """Raise a TimeoutError after so many seconds of processor time; without a limit unless `can_stop`.

    Alarms come again, for one may do nothing: `except Exception` swallows it, and so does Python where it tidies up (in
    `__del__`), of which it tells nothing here; where the system gives it to a thread of NumPy's, Python may not look at
    it for as long as a loop runs.
    """
    if not can_stop():
        yield
        return
    before, told = signal.signal(signal.SIGVTALRM, _stopped), sys.unraisablehook
    sys.unraisablehook = lambda ignored: None if isinstance(ignored.exc_value, Alarm) else told(ignored)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, AGAIN)
    try:
        yield
    finally:
        try:                                # the next alarm may come right here
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)
            sys.unraisablehook = told


class Alarm(TimeoutError):
    """What stops code that takes too long."""


def _stopped(*_):
    raise Alarm("it takes longer than its like")
