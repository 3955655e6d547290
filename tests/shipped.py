"""The networks that come with the toolkit, derived once for all tests."""

from functools import cache

from derive.networks import loading
from derive.program import Program

NAMES = loading.names()


@cache
def derived(name: str) -> Program:
    """Return a network's forward and backward equations."""
    return loading.named(name).backward()
