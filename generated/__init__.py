"""Derived modules, one network each; every one needs NumPy alone. Written by `derive build`; do not edit."""

import numpy as np

np.empty(4_000_000)         # 32 MB, freed untouched: glibc then keeps what arrays free for the next ones
