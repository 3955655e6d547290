"""From programs to Python: NumPy modules, callables in memory, files, checks, and the command line."""

from .files import write
from .memory import lambdify
from .module import source

__all__ = ["lambdify", "source", "write"]
