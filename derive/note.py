"""The function `note` of `notes`, by an older name of the module."""

from .notes import note

__all__ = ["note"]
