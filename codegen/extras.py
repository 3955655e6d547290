"""Packages that only some users need: imported where they are used, and told in one line where they are missing."""

import importlib
from types import ModuleType


class MissingExtra(ImportError):
    """An optional package is not installed; the message says which, what for, and how to get it."""


def extra(module: str, purpose: str, name: str) -> ModuleType:
    """Return an optional module; `name` is the extra of this package that brings it.

    Raises
    ------
    MissingExtra
        It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        remedy = f"pip install 'derive-nn[{name}]'"
        raise MissingExtra(f"{purpose} need {package}, which is not installed; {remedy}") from None
