"""Places in a syntax tree where something else may stand, and what is written there."""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Slot:
    """A field of a node, or one entry of a field that is a list."""

    owner: ast.AST
    name: str
    place: int | None = None

    @property
    def node(self) -> ast.AST:
        held = getattr(self.owner, self.name)
        return held if self.place is None else held[self.place]

    @contextmanager
    def holding(self, new: ast.AST) -> Iterator[None]:
        """Let something else stand there for a while."""
        old = self.node
        self.put(new)
        try:
            yield
        finally:
            self.put(old)

    def put(self, node):
        if self.place is None:
            setattr(self.owner, self.name, node)
        else:
            getattr(self.owner, self.name)[self.place] = node


def places(owner: ast.AST) -> Iterator[Slot]:
    """Yield the places of the nodes that a node is made of."""
    for name, held in ast.iter_fields(owner):
        if isinstance(held, list):
            yield from (Slot(owner, name, k) for k, node in enumerate(held) if isinstance(node, ast.AST))
        elif isinstance(held, ast.AST):
            yield Slot(owner, name)


def parts(slot: Slot) -> Iterator[Slot]:
    """Yield the places of the parts of a tuple, list or dictionary, each for itself; of anything else its own."""
    if isinstance(slot.node, ast.Tuple | ast.List | ast.Dict):
        for inner in places(slot.node):
            if inner.name in ("elts", "values"):
                yield from parts(inner)
    else:
        yield slot


def expressions(slot: Slot) -> Iterator[Slot]:
    """Yield a place and those inside it where expressions stand that are read, the outer ones first."""
    if isinstance(slot.node, ast.expr) and not isinstance(getattr(slot.node, "ctx", None), ast.Store):
        yield slot
    for inner in places(slot.node):
        if not isinstance(inner.node, ast.arguments):
            yield from expressions(inner)


def text(node: ast.AST) -> str:
    """Return what a node is written as, in one line."""
    return " ".join(ast.unparse(node).split())
