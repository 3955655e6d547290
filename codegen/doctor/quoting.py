"""How code is quoted in a sentence: cut where it is long, around what differs."""

import ast

from .slots import text

MOST_WORDS = 60             # letters of what is quoted
CONTEXT = 12                # of them, that stand before where two quotes differ


def quoted(node: ast.AST) -> str:
    """Return what a node is written as, cut where it is long: of a line, either side of its sign."""
    said = text(node)
    if isinstance(node, ast.Assign | ast.AugAssign) and len(said) > MOST_WORDS:
        value = text(node.value)
        target, sign = said[:len(said) - len(value)].rstrip().rsplit(" ", 1)
        return f"{cut_short(target, MOST_WORDS // 2)} {sign} {cut_short(value, MOST_WORDS // 2)}"
    return cut_short(said)


def apart(old: str, new: str, all_old: str, all_new: str) -> tuple[str, ...]:
    """Return two quotes, from a little before where the texts differ if that is not seen in them."""
    k = next((k for k, (a, b) in enumerate(zip(all_old, all_new, strict=False)) if a != b), len(all_old))
    if (old, new) == (all_old, all_new) or k < MOST_WORDS // 2:
        return old, new
    begin = all_old.rfind(" ", 0, k - CONTEXT) + 1
    return tuple(cut_short(f"...{said[begin:]}", MOST_WORDS) for said in (all_old, all_new))


def cut_short(said: str, most: int = MOST_WORDS) -> str:
    """Return what is written somewhere, cut where it is long."""
    return said if len(said) <= most else f"{said[:most - 3]}..."
