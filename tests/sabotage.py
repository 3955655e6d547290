"""Sabotage: every mutant of the generated `backward` of a module, made from its syntax tree.

The mutants know nothing of the doctor's hypotheses: a term or a factor dropped, a sign or an axis changed, another
array of the same shape, an update made an assignment, ...
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial


@dataclass(frozen=True)
class Mutant:
    """One sabotage: its class, what was done, the line, and the text of the module with it."""

    kind: str           # its class, one of those of CHANGES
    words: str
    line: str
    text: str


def mutants(text: str, shapes: dict[str, tuple]) -> Iterator[Mutant]:
    """Yield the mutants of a module's `backward`; `shapes` has those of the arrays in it."""
    tree = ast.parse(text)
    function = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "backward")
    lines = text.splitlines(keepends=True)
    before, after = "".join(lines[:function.lineno - 1]), "".join(lines[function.end_lineno:])
    for original, put in list(_places(function)):
        if not hasattr(original, "lineno") or _is_docstring(original):
            continue
        line = lines[original.lineno - 1].split("#")[0].strip()
        if line.startswith(("return", "def ")) or "= residuals" in line or ".shape[" in line or "len(" in line:
            continue
        for words, change in CHANGES:
            for variant in range(40):
                replacement = change(original, variant, shapes)
                if replacement is None:
                    break
                put(replacement)
                changed = ast.unparse(ast.fix_missing_locations(function))
                put(original)
                yield Mutant(words, f"{words}: {ast.unparse(original)} -> {_unparsed(replacement)}", line,
                             f"{before}{changed}\n{after}")


def _places(root):
    """Yield the nodes beneath a root, each with what puts another one into its place."""
    for parent in ast.walk(root):
        for name, value in ast.iter_fields(parent):
            if isinstance(value, ast.AST):
                yield value, partial(setattr, parent, name)
            elif isinstance(value, list):
                yield from ((v, partial(value.__setitem__, k)) for k, v in enumerate(value) if isinstance(v, ast.AST))


def _is_docstring(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _unparsed(node):
    return "nothing" if isinstance(node, ast.Pass) else ast.unparse(ast.fix_missing_locations(copy.deepcopy(node)))


def one(function):
    """A change with one variant only."""
    return lambda node, variant, shapes: function(node) if variant == 0 else None


def chosen(function):
    """A change with several variants, given as a list."""
    def change(node, variant, shapes):
        options = function(node, shapes)
        return options[variant] if variant < len(options) else None

    return change


def _dropped_term(node, shapes):
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub) and not _is_index(node):
        left, right = copy.deepcopy(node.left), copy.deepcopy(node.right)
        return [left, right if isinstance(node.op, ast.Add) else ast.UnaryOp(ast.USub(), right)]
    return []


def _is_index(node):
    return all(isinstance(n, ast.Name | ast.Constant | ast.BinOp | ast.operator | ast.expr_context)
               and (not isinstance(n, ast.Name) or (len(n.id) == 1 and n.id.islower())) for n in ast.walk(node))


def _dropped_factor(node, shapes):
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div) and not _is_index(node):
        options = [copy.deepcopy(node.left)]
        if isinstance(node.op, ast.Mult):
            options.append(copy.deepcopy(node.right))
        return options
    return []


def _other_sign(node):
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub) and not _is_index(node):
        return ast.BinOp(copy.deepcopy(node.left), ast.Sub() if isinstance(node.op, ast.Add) else ast.Add(),
                         copy.deepcopy(node.right))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        return copy.deepcopy(node.operand)
    return None


def _negated(node):
    if isinstance(node, ast.Assign) and not isinstance(node.value, ast.Constant | ast.Tuple) and \
            not ast.unparse(node.value).startswith(("np.zeros", "np.empty")):
        return ast.Assign([copy.deepcopy(t) for t in node.targets], ast.UnaryOp(ast.USub(), copy.deepcopy(node.value)))
    return None


def _divided_for_multiplied(node):
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return ast.BinOp(copy.deepcopy(node.left), ast.Mult(), copy.deepcopy(node.right))
    return None


def _divided_twice(node):
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return ast.BinOp(copy.deepcopy(node), ast.Div(), copy.deepcopy(node.right))
    return None


def _power(node):
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return copy.deepcopy(node.left)
    return None


def _transposed(node, shapes):
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        return [copy.deepcopy(node.value)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        return [ast.BinOp(ast.Attribute(copy.deepcopy(node.left), "T", ast.Load()), ast.MatMult(),
                          copy.deepcopy(node.right)),
                ast.BinOp(copy.deepcopy(node.left), ast.MatMult(),
                          ast.Attribute(copy.deepcopy(node.right), "T", ast.Load()))]
    return []


def _is_sum(node):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sum"


def _mean_for_sum(node):
    if _is_sum(node):
        new = copy.deepcopy(node)
        new.func.attr = "mean"
        return new
    return None


def _other_axis(node, shapes):
    if not _is_sum(node):
        return []
    options = []
    for k, keyword in enumerate(node.keywords):
        if keyword.arg == "axis":
            for axis in (0, 1, 2):
                new = copy.deepcopy(node)
                new.keywords[k].value = ast.Constant(axis)
                if ast.unparse(new) != ast.unparse(node):
                    options.append(new)
    return options


def _assigned(node):
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
        return ast.Assign([copy.deepcopy(node.target)], copy.deepcopy(node.value))
    return None


def _left_out(node):
    return ast.Pass() if isinstance(node, ast.AugAssign) else None


def _other_update(node):
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
        return ast.AugAssign(copy.deepcopy(node.target), ast.Sub() if isinstance(node.op, ast.Add) else ast.Add(),
                             copy.deepcopy(node.value))
    return None


def _other_comparison(node, shapes):
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Gt):
        return [ast.Compare(copy.deepcopy(node.left), [op], copy.deepcopy(node.comparators))
                for op in (ast.GtE(), ast.Lt())]
    return []


def _other_constant(node, shapes):
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return [ast.Constant(node.value + 1), ast.Constant(node.value - 1)] if node.value in (1, 2, 0) else []
    return []


def _other_array(node, shapes):
    if not (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and len(shapes.get(node.id, ())) > 0):
        return []
    return [ast.Name(other, ast.Load()) for other, shape in shapes.items()
            if other != node.id and shape == shapes[node.id]][:4]


def _other_direction(node):
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "reversed":
        return copy.deepcopy(node.args[0])
    return None


CHANGES = [
    ("a term dropped", chosen(_dropped_term)), ("a factor dropped", chosen(_dropped_factor)),
    ("a sign changed", one(_other_sign)), ("a line negated", one(_negated)),
    ("multiplied for divided", one(_divided_for_multiplied)), ("divided twice", one(_divided_twice)),
    ("a power dropped", one(_power)), ("a transpose", chosen(_transposed)), ("a mean for a sum", one(_mean_for_sum)),
    ("another axis", chosen(_other_axis)), ("= for +=", one(_assigned)), ("an update left out", one(_left_out)),
    ("-= for +=", one(_other_update)), ("another comparison", chosen(_other_comparison)),
    ("a constant", chosen(_other_constant)), ("another array", chosen(_other_array)),
    ("the loop forwards", one(_other_direction)),
]  # fmt: skip
