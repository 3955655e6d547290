"""The collector of cycles is paused while a program is derived or printed.

Python looks for unreachable cycles whenever many objects have been made. A derivation makes many that stay, and hardly
a cycle, so that of a deep network a fifth of the time would go into looking at the same objects again.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the collector of cycles; as a decorator, while a function runs."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
