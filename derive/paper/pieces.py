"""Printed mathematics with what its surroundings must know of it, and how pieces are joined."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

# How tightly a piece binds, loosest first. A big operator (a sum, a logarithm of one) reaches to the right.
ADD, BIG, HADAMARD, TIMES, POWER, ATOM = range(6)

# Where a factor stands in a product: numbers, conditions on indices, adjoints before what they multiply, tangents last.
NUMBER, GUARD, ADJOINT, READ, FUNCTION, TOTAL, BRACKET, TANGENT = range(8)


@dataclass(frozen=True)
class Piece:
    """A printed expression: its text, how tightly it binds, where it stands in a product."""

    text: str
    level: int = ATOM
    rank: int = READ
    raised: bool = False        # ends in a superscript
    deep: bool = False          # parentheses around it are large

    def but(self, **changes) -> "Piece":
        """Return the piece with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Term:
    """A summand: its sign, the piece without it, and what decides its place."""

    negative: bool
    piece: Piece
    order: tuple = ()


def ordered_terms(terms: Iterable[Term]) -> list[Term]:
    """Return the summands as they are written: positive ones first."""
    return sorted(terms, key=lambda t: (t.negative, t.order))


def ordered_factors(factors: Iterable[Piece]) -> list[Piece]:
    """Return the factors of a product whose order is free as they are written."""
    return sorted(factors, key=lambda p: p.rank)
