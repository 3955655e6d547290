"""From programs to Python: NumPy modules, callables in memory, files, checks, and the command line."""

from .checking import check_gradient
from .files import write
from .memory import lambdify
from .module import source

__all__ = ["check_gradient", "lambdify", "source", "write"]
