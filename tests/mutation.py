"""Every generated gradient sabotaged in its text: the differences must catch it, and the doctor name it.

    python -m tests.mutation [NAME ...] [--each K]      all mutants, or K a network

Mutants are made from the syntax tree of the generated `backward`, knowing nothing of the doctor's hypotheses: a term or
a factor dropped, a sign or an axis changed, another array of the same shape, an update made an assignment, ...
"""

import argparse
import ast
import copy
import random
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from codegen.differences import compare, derivative_estimate
from codegen.doctor import diagnose, is_examinable
from codegen.doctor.trials import points
from codegen.memory import module_from
from codegen.module import source
from derive.networks import loading

SAME = 1e-9             # a mutant that changes no gradient by more, at any point, is equivalent
SECONDS = 10.0          # that the doctor may search
SEEN = 1e-6             # of its largest entry, by which a gradient must differ for differences to catch it


@dataclass(frozen=True)
class Mutant:
    """One sabotage: the line, what was done, and the text of the module with it."""

    words: str
    line: str
    text: str


# ---- making them


def mutants(text: str, shapes: dict[str, tuple]) -> Iterator[Mutant]:
    """Yield the mutants of a module's `backward`; `shapes` has those of the arrays in it."""
    tree = ast.parse(text)
    place = next(k for k, n in enumerate(tree.body) if isinstance(n, ast.FunctionDef) and n.name == "backward")
    function = tree.body[place]
    for k, original in enumerate(ast.walk(function)):
        if not hasattr(original, "lineno") or _is_docstring(original):
            continue
        line = text.splitlines()[original.lineno - 1].split("#")[0].strip()
        if line.startswith(("return", "def ")) or "= residuals" in line or ".shape[" in line or "len(" in line:
            continue
        for words, change in CHANGES:
            for variant in range(40):
                replacement = change(original, variant, shapes)
                if replacement is None:
                    break
                new = copy.deepcopy(tree)
                node = list(ast.walk(new.body[place]))[k]
                if _put(new.body[place], node, replacement):
                    yield Mutant(f"{words}: {ast.unparse(node)} -> {_unparsed(replacement)}", line,
                                 ast.unparse(ast.fix_missing_locations(new)))


def _is_docstring(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _unparsed(node):
    return "nothing" if isinstance(node, ast.Pass) else ast.unparse(ast.fix_missing_locations(copy.deepcopy(node)))


def _put(root, old, new):
    for parent in ast.walk(root):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
                return True
            if isinstance(value, list) and any(v is old for v in value):
                value[next(k for k, v in enumerate(value) if v is old)] = new
                return True
    return False


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


# ---- judging them


@dataclass
class Outcome:
    """What became of the mutants of one network."""

    network: str
    total: int = 0
    failing: int = 0                                        # raise at every point
    equivalent: int = 0
    caught: int = 0
    named: int = 0
    missed: list[str] = field(default_factory=list)         # by the differences
    unnamed: list[str] = field(default_factory=list)        # by the doctor
    seconds: float = 0.0


def judged(name: str, each: int | None, seed: int = 0) -> Outcome:
    """Sabotage one network's module, all mutants or so many drawn at random."""
    net, start = loading.named(name), time.perf_counter()
    program = net.backward()
    text, tried = source(program), [p for p in points(program) if not p.kinked]
    module = module_from(name, text)
    shapes = _shapes(module, tried[0])
    found = list({m.text: m for m in mutants(text, shapes)}.values())
    if each is not None:
        found = random.Random(f"{seed} {name}").sample(found, min(each, len(found)))
    outcome = Outcome(name, len(found))
    rights = [_gradients(module, p) for p in tried]
    estimates = _estimates(module, tried[0], [p.name for p in program.parameters])
    for mutant in found:
        _judge(mutant, net, outcome, tried, rights, estimates)
    outcome.seconds = time.perf_counter() - start
    return outcome


def _judge(mutant, net, outcome, tried, rights, estimates):
    try:
        sabotaged = module_from(net.name, mutant.text)
        answers = [_gradients(sabotaged, p) for p in tried]
    except Exception:
        outcome.failing += 1
        return
    if all(a is None for a in answers):
        outcome.failing += 1
        return
    pairs = [(a, r) for a, r in zip(answers, rights, strict=True) if a is not None]
    if all(_apart(a[n], r[n]) <= SAME for a, r in pairs for n in r) and len(pairs) == len(tried):
        outcome.equivalent += 1
        return
    told = f"{outcome.network}: {mutant.line}    {mutant.words}"
    if answers[0] is None or any(not _agrees(estimates[n], g) for n, g in answers[0].items()):
        outcome.caught += 1
    else:
        others = [k for k, a in enumerate(answers) if a is None or any(_apart(a[n], rights[k][n]) > SEEN for n in a)]
        outcome.caught += bool(others)                      # right at the first point, wrong at another one
        if not others:
            outcome.missed.append(told)
    diagnosis = diagnose(net, sabotaged.loss_and_grads, SECONDS)
    if diagnosis.verdict == "wrong" and "unknown" not in diagnosis.kinds:
        outcome.named += 1
    else:
        outcome.unnamed.append(f"{told}\n        {diagnosis}")


def _estimates(module, point, names):
    sizes = _keywords(module, point)

    def loss_of(name):
        return lambda value: float(module.forward(**{**point.arguments, **sizes, name: value})[0])

    return {n: derivative_estimate(loss_of(n), point.arguments[n]) for n in names}


def _agrees(estimate, gradient):
    if np.shape(gradient) != np.shape(estimate.value) or not np.all(np.isfinite(gradient)):
        return False
    return compare(estimate, gradient, SEEN).agrees


def _keywords(module, point):
    code = module.forward.__code__
    wanted = code.co_varnames[code.co_argcount:code.co_argcount + code.co_kwonlyargcount]
    return {s.name: n for s, n in point.sizes.items() if s.name in wanted}


def _gradients(module, point):
    """Return the gradients at a point by name, None where the module raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = module.loss_and_grads(**point.arguments, **_keywords(module, point))[1]._asdict()
    except Exception:
        return None
    return {n: np.asarray(g, float) for n, g in found.items()}


def _apart(a, b):
    if np.shape(a) != np.shape(b) or not np.all(np.isfinite(a)):
        return np.inf
    scale = max(np.max(np.abs(a), initial=0), np.max(np.abs(b), initial=0)) or 1.0
    return float(np.max(np.abs(a - b), initial=0)) / max(scale, 1e-12)


def _shapes(module, point):
    """Return the shapes of the arrays of numbers in `backward`, by name, as it ran at a point."""
    found = {}

    def seen(frame, event, argument):
        if event == "return" and frame.f_code is module.backward.__code__:
            found.update({n: v.shape for n, v in frame.f_locals.items()
                          if isinstance(v, np.ndarray) and v.dtype.kind == "f"})
        return seen

    before = sys.gettrace()
    sys.settrace(seen)
    try:
        module.loss_and_grads(**point.arguments, **_keywords(module, point))
    finally:
        sys.settrace(before)
    return found


def main(arguments=None) -> int:
    """Judge networks, print a table; exit status 1 where a mutant escapes, or less than nine in ten are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks; all of them by default")
    parser.add_argument("--each", type=int, help="so many mutants a network, drawn at random; all by default")
    parser.add_argument("--show", action="store_true", help="print what was missed")
    options = parser.parse_args(arguments)
    total = Counter()
    print(f"{'network':24}{'mutants':>8}{'failing':>8}{'equal':>8}{'caught':>8}{'named':>8}{'seconds':>9}")
    for name in options.names or [n for n in loading.names() if is_examinable(loading.named(n).program())]:
        o = judged(name, options.each)
        real = o.total - o.failing - o.equivalent
        print(f"{name:24}{o.total:8}{o.failing:8}{o.equivalent:8}{o.caught:8}{o.named:8}{o.seconds:9.1f}", flush=True)
        total.update(mutants=o.total, failing=o.failing, equal=o.equivalent, real=real, caught=o.caught, named=o.named)
        for line in [*(f"    missed  {m}" for m in o.missed), *(f"    unnamed {m}" for m in o.unnamed)]:
            if options.show:
                print(line)
    print(f"{total['mutants']} mutants: {total['failing']} raise, {total['equal']} change nothing; of {total['real']} "
          f"the differences catch {total['caught']}, the doctor names {total['named']}")
    return 0 if total["caught"] == total["real"] and total["named"] >= 0.9 * total["real"] else 1


if __name__ == "__main__":
    sys.exit(main())
