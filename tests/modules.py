"""Generated modules and arguments for them: whatever the network, whatever the sizes."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from sympy import Expr, Integer

from codegen.verify import _keyword_only
from derive.program import Program
