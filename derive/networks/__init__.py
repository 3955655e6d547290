"""The networks shipped, one a file; `networks.load()` finds them all, `networks.read(path)` a user's own."""

from .loading import load, named, read

__all__ = ["load", "named", "read"]
