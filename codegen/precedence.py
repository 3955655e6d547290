"""Pieces of code that know how tightly they bind."""

from dataclasses import dataclass

SUM, TERM, SIGN, POWER, ATOM = range(1, 6)          # Python's precedence, loosest first


@dataclass
class Text:
    """A piece of code and how tightly it binds."""

    code: str
    level: int = ATOM
    unsigned: bool = False      # whether a minus goes before all of it: True and False have none, X.T may be large

    def inside(self, level: int) -> str:
        """Return the code, in parentheses where it binds less tightly than its place asks for."""
        return self.code if self.level >= level else f"({self.code})"
