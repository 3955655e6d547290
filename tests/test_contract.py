"""What every generated module promises: see the contract in the README, and `codegen.module`."""

import ast
import re
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from random import Random

import numpy as np
import pytest
from sympy import Integer

from codegen import verify
from codegen.complements import with_complements
from codegen.lowering import lowered
from derive.networks import loading

GENERATED = Path(__file__).parents[1] / "generated"
NAMES = loading.names()
every_module = pytest.mark.parametrize("name", NAMES)


# ---- arguments for any network


@cache
def program(name):
    return loading.named(name).program()


def module(name):
    return import_module(f"generated.{name}")


def text(name):
    return (GENERATED / f"{name}.py").read_text(encoding="utf-8")


def sizes(name, seed=0):
    """Return a value for each size: distinct, and such that derived sizes and facts hold."""
    p, random = program(name), Random(seed)
    free = [s for s in p.sizes if s not in p.derived]
    while True:
        drawn = random.sample(range(2, 3 + 2 * len(free)), len(free))
        values = dict(zip(free, map(Integer, drawn), strict=True))
        for s, value in p.derived.items():
            values[s] = value.xreplace(values)
        if all(values[s] >= p.least.get(s, 1) for s in p.derived) and all(f.xreplace(values) >= 0 for f in p.facts):
            return values


def shape(variable, values):
    return tuple(int(s.xreplace(values)) for s in variable.shape)


def keyword_sizes(name, values):
    """Return the sizes that no argument shows, which the module takes by keyword."""
    code = module(name).forward.__code__
    taken = code.co_varnames[code.co_argcount:code.co_argcount + code.co_kwonlyargcount]
    return {str(s): int(n) for s, n in values.items() if str(s) in taken}


DRAWS = {
    "normal": lambda random, shape: random.normal(size=shape),
    "positive": lambda random, shape: random.uniform(0.2, 1, shape),
    "±1e4": lambda random, shape: 1e4 * random.choice([-1, 1], shape),
    "1e-20": lambda random, shape: np.full(shape, 1e-20),
    "±1e4 and 1e-20": lambda random, shape: random.choice([-1e4, 1e-20, 1e4], shape),
    "0": lambda random, shape: np.zeros(shape),
    "1 and 2": lambda random, shape: random.integers(1, 3, shape),
}
POSITIVE = ("graph_convolution",)       # networks with roots or logarithms of their inputs


def arguments(name, seed=0, dtype=np.float64, draw=None):
    """Return random arguments by name, all of them arrays; scalar inputs (rates, epsilons) are between 0 and 1."""
    p, values, random = program(name), sizes(name, seed), np.random.default_rng(seed)
    draw = DRAWS[draw or ("positive" if name in POSITIVE else "normal")]
    result = {}
    for v in (*p.parameters, *p.inputs):
        if v.kind == "labels":
            result[v.name] = random.integers(0, int(v.classes.xreplace(values)), shape(v, values))
        elif v.kind == "input" and not v.shape:
            result[v.name] = np.asarray(random.uniform(0.1, 0.9), dtype)
        else:
            result[v.name] = np.asarray(draw(random, shape(v, values)), dtype)
    held = {n: np.asarray(v, dtype) for n, v in verify.assumed(p, result, values).items()}
    return result | held, keyword_sizes(name, values)


def run(name, given, **extra):
    return module(name).loss_and_grads(**given, **extra)


# ---- what it needs


@every_module
def test_needs_numpy_alone(name):
    told = re.search(r"^from scipy\.\w+ import .*# NumPy lacks", text(name), re.MULTILINE)
    allowed = {"numpy", "typing", "functools"} | ({"scipy"} if told else set())
    imported = {
        node.module if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(ast.parse(text(name))) if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert {i.partition(".")[0] for i in imported} <= allowed


def test_importing_them_imports_none_of_what_derived_them():
    code = f"import sys\nfor name in {NAMES}: __import__('generated.' + name)\nprint(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=GENERATED.parent, check=True,
                            capture_output=True, text=True).stdout.split()
    assert "numpy" in loaded and not {"sympy", "mpmath", "derive", "codegen", "typer", "rich"} & set(loaded)


# ---- what it takes and gives


@every_module
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_parameters_decide_the_dtype_of_all_that_is_computed(name, dtype):
    given, extra = arguments(name)
    given |= {p.name: given[p.name].astype(dtype) for p in program(name).parameters}
    loss, residuals = module(name).forward(**given, **extra)
    grads = module(name).backward(residuals)
    assert np.ndim(loss) == 0 and loss.dtype == dtype
    assert all(np.asarray(r).dtype == dtype for r in residuals if np.asarray(r).dtype.kind == "f")
    assert [(g.dtype, g.shape) for g in grads] == [(dtype, given[p.name].shape) for p in program(name).parameters]
    stepped = module(name).sgd_step(module(name).Params(*(given[n] for n in grads._fields)), grads, np.float64(0.1))
    assert [s.dtype for s in stepped] == [dtype] * len(grads)
    if program(name).outputs:
        assert np.asarray(predicted(name, given, extra)[0]).dtype == dtype
    numbers = {p.name: float(given[p.name]) for p in program(name).parameters if not p.shape}
    if 0 < len(numbers) < len(grads):                           # Python's are of any dtype
        assert run(name, given | numbers, **extra)[0].dtype == dtype


@every_module
def test_integer_parameters_and_lists_become_float64(name):
    given, extra = arguments(name, draw="1 and 2")
    integers = given | {v.name: given[v.name].astype(int) for v in program(name).parameters}
    lists = {n: v.tolist() for n, v in given.items()}
    loss, grads = run(name, given, **extra)
    for same in (integers, lists):
        other_loss, others = run(name, same, **extra)
        assert other_loss == loss and all(map(np.array_equal, others, grads))
        assert {other_loss.dtype, *(g.dtype for g in others)} == {np.dtype(float)}


@every_module
def test_arguments_are_never_modified_and_never_shared(name):
    given, extra = arguments(name)
    before = {n: v.tobytes() for n, v in given.items()}
    for v in given.values():
        v.flags.writeable = False
    _, grads = run(name, given, **extra)
    params = module(name).Params(*(given[n] for n in grads._fields))
    module(name).sgd_step(params, grads, 0.1)
    if program(name).outputs:
        predicted(name, given, extra)
    assert {n: v.tobytes() for n, v in given.items()} == before
    apart = [*given.values(), *map(np.asarray, grads)]
    assert not any(np.shares_memory(a, b) for k, a in enumerate(apart) for b in apart[:k])
    assert all(np.asarray(g).flags.writeable for g in grads if np.ndim(g))


@every_module
def test_arguments_are_taken_by_position_parameters_first_and_by_keyword(name):
    p = program(name)
    given, extra = arguments(name)
    assert module(name).Params._fields == tuple(v.name for v in p.parameters)
    loss, grads = module(name).loss_and_grads(*(given[v.name] for v in (*p.parameters, *p.inputs)), **extra)
    other_loss, others = module(name).loss_and_grads(**dict(reversed(given.items())), **extra)
    assert isinstance(grads, module(name).Params) and loss == other_loss and all(map(np.array_equal, grads, others))


def predicted(name, given, extra):
    """Return the outputs of `predict`, always as a tuple; it takes what they depend on."""
    predict = module(name).predict
    code = predict.__code__
    taken = code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]
    result = predict(**{n: v for n, v in (given | extra).items() if n in taken})
    return result if len(program(name).outputs) > 1 else (result,)


@every_module
def test_predict_is_what_forward_computes(name):
    outputs = program(name).outputs
    assert hasattr(module(name), "predict") == bool(outputs)
    if outputs:
        given, extra = arguments(name)
        found = {n: value for n, _, value in traced(name, given, extra)["forward"]}
        found |= given
        for output, value in zip(outputs, predicted(name, given, extra), strict=True):
            state = program(name).variables[output].state
            assert output not in found or np.array_equal(value, found[output][1:] if state else found[output])


@every_module
def test_sgd_step_moves_against_the_gradient(name):
    given, extra = arguments(name)
    _, grads = run(name, given, **extra)
    params = module(name).Params(*(given[n] for n in grads._fields))
    stepped = module(name).sgd_step(params, grads, 0.25)
    assert isinstance(stepped, module(name).Params)
    assert all(np.array_equal(s, p - 0.25 * g) for s, p, g in zip(stepped, params, grads, strict=True))


# ---- what it refuses


@every_module
def test_a_wrong_shape_is_named(name):
    given, extra = arguments(name)
    for n, value in given.items():
        wrong = {f"{value.ndim + 1} axes": value[None], "an empty axis": value[..., None][..., :0]}
        if value.ndim:
            wrong |= {"no axes": value.flat[0], "an empty first axis": value[:0]}
        for what, bad in wrong.items():
            with pytest.raises(ValueError, match=rf"^{n} has shape {re.escape(str(bad.shape))}; expected \(") as caught:
                run(name, given | {n: bad}, **extra)
            assert "\n" not in str(caught.value), what


@every_module
def test_sizes_that_do_not_fit_are_named(name):
    """Whichever array is one longer along an axis that another shares, both shapes are told."""
    given, extra = arguments(name)
    variables = [*program(name).parameters, *program(name).inputs]
    for v in variables:
        for axis, size in enumerate(v.shape):
            shared = size.is_Integer or sum(w.shape.count(size) for w in variables) > 1
            if not shared:
                continue
            longer = np.concatenate([given[v.name]] * 2, axis)
            with pytest.raises(ValueError, match=r"^\w+ has shape \(.*\); expected \(.*\), each size at least 1$"):
                run(name, given | {v.name: longer}, **extra)


@every_module
def test_wrong_labels_are_named(name):
    given, extra = arguments(name)
    for v in program(name).kind("labels"):
        labels, classes = given[v.name], int(v.classes.xreplace(sizes(name)))
        last = labels.size - 1
        for bad in (classes, -1):
            wrong = np.where(np.arange(labels.size).reshape(labels.shape) == last, bad, labels)
            told = rf"^{v.name} holds labels from .* to .*; expected 0 to .*{classes - 1}"
            with pytest.raises(ValueError, match=told):
                run(name, given | {v.name: wrong}, **extra)
        with pytest.raises(ValueError, match=rf"^{v.name} has dtype float64; expected integers"):
            run(name, given | {v.name: labels.astype(float)}, **extra)
        for kind in (np.int8, np.uint8, np.int32, np.uint64):
            assert run(name, given | {v.name: labels.astype(kind)}, **extra)[0] == run(name, given, **extra)[0]


# ---- what it computes


BEYOND = {                              # where the mathematics itself has no finite value, or none that fits a float
    "info_nce": ("0", "1e-20", "±1e4 and 1e-20"),       # vectors of length 0 have no direction; 1e-20 squared is 0
    "vae": ("±1e4", "±1e4 and 1e-20"),                  # variances of exp(1e4)
    "gaussian_mixture": ("±1e4", "±1e4 and 1e-20"),     # densities of standard deviation exp(-1e4)
    "mixture_density_network": ("±1e4", "±1e4 and 1e-20"),
    "gradient_penalty": ("0", "1e-20", "±1e4", "±1e4 and 1e-20"),       # slopes of length 0 have no direction
    "graph_convolution": ("±1e4", "±1e4 and 1e-20"),    # roots of negative degrees
    "gaussian_process": ("±1e4", "±1e4 and 1e-20"),     # covariances of exp(2e4)
    "kalman_filter": ("±1e4", "±1e4 and 1e-20"),        # variances of exp(1e4)
    "leave_one_out": ("±1e4", "±1e4 and 1e-20"),        # penalties of exp(1e4), or no matrix of full rank without one
    "deep_equilibrium": ("±1e4", "±1e4 and 1e-20"),     # a fixed point with weights of 1e8, which Newton does not find
    "hyperparameters": ("±1e4", "±1e4 and 1e-20"),      # penalties of exp(±1e4)
    "whitened_process": ("±1e4", "±1e4 and 1e-20"),     # covariances of exp(2e4)
    "probabilistic_pca": ("±1e4", "±1e4 and 1e-20"),    # a variance of exp(1e4)
    "soft_targets": ("±1e4", "±1e4 and 1e-20"),         # rows of ±1e4 that sum to one, which float32 does not hold
    "gpt": ("±1e4", "±1e4 and 1e-20"),                  # cubes of 1e13, which float32 does not hold
    "transformer_block": ("±1e4", "±1e4 and 1e-20"),
}


@every_module
@pytest.mark.parametrize("draw", ["±1e4", "1e-20", "±1e4 and 1e-20", "0"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_warning_and_no_nan_at_extremes(name, draw, dtype):
    if draw in BEYOND.get(name, ()):
        pytest.skip("the mathematics has no value there")
    given, extra = arguments(name, draw=draw, dtype=dtype)
    loss, grads = run(name, given, **extra)             # pytest makes warnings errors
    assert np.isfinite(loss) and all(np.isfinite(g).all() for g in grads)


@every_module
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_shape_comments_are_true(name, seed):
    given, extra = arguments(name, seed)
    for function, lines in traced(name, given, extra).items():
        told = set()
        for variable, comment, value in lines:
            expected = {str(s): int(n) for s, n in sizes(name, seed).items()}
            assert comment is None or eval(comment, expected) == np.shape(value), f"{function}: {variable}"
            told |= {variable} if comment else set()
            assert np.ndim(value) == 0 or variable in told, f"{function}: {variable} has no shape beside it"


def traced(name, given, extra):
    """Run forward, backward and predict; return every (variable, shape comment, value) assigned on the way."""
    tree, lines, seen = ast.parse(text(name)), text(name).splitlines(), {}
    wanted = ("forward", "backward", "predict")
    functions = [f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name in wanted]
    for function in functions:
        seen[function.name] = []
        function.body = _watched(function.body, function.name, lines)
    space = {"_seen": lambda function, variable, comment, value: seen[function].append((variable, comment, value))}
    exec(compile(ast.fix_missing_locations(tree), f"{name}.py", "exec"), space)
    _, residuals = space["forward"](**given, **extra)
    space["backward"](residuals)
    if "predict" in seen:
        code = space["predict"].__code__
        taken = code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]
        space["predict"](**{n: v for n, v in (given | extra).items() if n in taken})
    return seen


def _watched(body, function, lines, looped=False):
    """Return statements, each assignment of a computed array followed by a call that tells of it.

    Inside a loop only those with a shape beside them are told: the others are of one row.
    """
    result = []
    for statement in body:
        result.append(statement)
        if isinstance(statement, ast.For | ast.If | ast.With):
            statement.body = _watched(statement.body, function, lines, isinstance(statement, ast.For))
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            variable = statement.targets[0].id
            told = [re.search(r"# (\(.*,.*\))$", line) for line in lines[statement.lineno - 1:statement.end_lineno]]
            comment = next((m[1] for m in told if m), None)
            call = f"_seen({function!r}, {variable!r}, {comment!r}, {variable})"
            result += ast.parse(call).body if comment or not looped else []
    return result


# ---- how it reads


@every_module
def test_text_is_tidy(name):
    content = text(name)
    assert content.endswith("\n") and not content.endswith("\n\n")
    assert max(map(len, content.splitlines())) <= 120
    assert not re.search(r"\t| +$|_?te?mp\d*\b", content, re.MULTILINE)
    assert f"Generated from derive/networks/{name}.py by `derive build {name}`; do not edit." in content


@every_module
def test_names_are_the_papers(name):
    """Every name that a module assigns is a variable of its program, an index, a size, or made of a variable's name.

    U_T and U_blocks are U laid out for a loop, diff_v is a difference that v is made of, sum_v a sum, slope_h is
    1 - h**2, exp_z the exponential of z; mask is what lines choose by.
    """
    p = with_complements(lowered(loading.named(name).backward())).program
    known = {*p.variables, *map(str, p.sizes), *(i for v in p.variables.values() for i in v.index_names)}
    functions = [f for f in ast.parse(text(name)).body if isinstance(f, ast.FunctionDef)
                 and f.name in ("forward", "backward", "predict")]
    nodes = [n for f in functions for n in ast.walk(f)]
    assigned = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    counters = {n.target.id for n in nodes if isinstance(n, ast.For)}
    made = {f"{word}_{n}" for n in p.variables for word in ("diff", "sum", "slope", "exp")}
    made |= {f"{n}_{word}" for n in p.variables for word in ("T", "blocks")}
    assert assigned - counters <= known | made | {"_", "mask"} and all(len(c) == 1 for c in counters)


@every_module
def test_shapes_in_the_docstring_are_true(name):
    variables = loading.named(name).backward().variables
    lines = re.findall(r"^ {4}(\w+)(?:\[[^]]*\])? = .*?   (\([^()]*\))(?:   |$)", module(name).__doc__, re.MULTILINE)
    assert {n for n, _ in lines} >= {n for n, v in program(name).variables.items() if v.kind == "variable" and v.shape
                                     and n in variables and f"    {n} = " in module(name).__doc__}
    for n, told in lines:
        shown = ", ".join(map(str, variables[n].shape))
        assert told == f"({shown}{',' if len(variables[n].shape) == 1 else ''})", n


@every_module
def test_docstring_tells_every_argument_with_its_shape(name):
    told = " ".join((module(name).__doc__ or "").split())
    for v in (*program(name).parameters, *program(name).inputs):
        shown = ", ".join(map(str, v.shape))
        shown = f"({shown}{',' if len(v.shape) == 1 else ''})"
        assert re.search(rf"\b{v.name} {re.escape(shown)}" if v.shape else rf"\b{v.name}, an? (scalar|integer)", told)
    for function in ("forward", "backward", "loss_and_grads", "sgd_step"):
        assert getattr(module(name), function).__doc__.startswith("Return ")


def test_generated_text_has_no_lint():
    files = [str(GENERATED / f"{name}.py") for name in NAMES]
    options = ["--isolated", "--select", "E,F,W,I", "--ignore", "E741", "--line-length", "120"]    # a paper may say O
    command = [sys.executable, "-m", "ruff", "check", *options, *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
