"""Two habits that SymPy takes without a word for something else: `==` in a condition, and Max along an axis."""

import ast
from collections.abc import Iterator

AXES = ("axis", "dim", "keepdims")
LARGEST = {"Max": "maximum(Z, axis=1)", "Min": "-maximum(-Z, axis=1)"}


def silent_slips(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line, and what to say of it, of each such slip in a file; none where Python itself will refuse it."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    targets = [n.target for n in ast.walk(tree) if isinstance(n, ast.For | ast.comprehension)]
    counted = {name for target in targets for name in _names(target)}
    for call in ast.walk(tree):
        if isinstance(call, ast.Call):
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            if name in LARGEST and any(k.arg in AXES for k in call.keywords):
                yield call.lineno, (f"{ast.unparse(call)[:60]}: SymPy's {name} ignores an axis, and compares its "
                                    f"arguments; write derive's {LARGEST[name]}")
            for branch in call.args if name == "Piecewise" else ():
                yield from _equalities(branch, counted)


def _equalities(branch, counted):
    """Yield comparisons in the condition of a branch, but those of numbers that a loop counts."""
    if not isinstance(branch, ast.Tuple) or len(branch.elts) != 2:
        return
    for found in ast.walk(branch.elts[1]):
        if isinstance(found, ast.Compare) and len(found.ops) == 1 and isinstance(found.ops[0], ast.Eq | ast.NotEq):
            if counted & set(_names(found)):
                continue
            word, sides = "Eq" if isinstance(found.ops[0], ast.Eq) else "Ne", (found.left, found.comparators[0])
            yield found.lineno, (f"{ast.unparse(found)[:60]} compares what is written, not its values; "
                                 f"write {word}({', '.join(map(ast.unparse, sides))})")


def _names(node):
    return (n.id for n in ast.walk(node) if isinstance(n, ast.Name))
