"""What several lines need is named, and made once: differences, slopes, powers and longer sums, in this order."""

from derive.program import Program

from .shared_differences import with_shared_differences
from .shared_powers import with_shared_powers
from .shared_slopes import with_shared_slopes
from .shared_terms import with_shared_terms


def with_shared_values(program: Program) -> Program:
    """Return a program, not lowered yet, in which these have names."""
    return with_shared_terms(with_shared_powers(with_shared_slopes(with_shared_differences(program))))
