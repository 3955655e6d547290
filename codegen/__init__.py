"""From programs to Python: NumPy modules, callables in memory, files, checks, and the command line."""

import numpy as np

from .checking import check_gradient
from .files import write
from .memory import lambdify
from .module import source

__all__ = ["check_gradient", "lambdify", "source", "write"]

np.empty(4_000_000)         # 32 MB, freed untouched: glibc then keeps what arrays free for the next ones
