"""Hessian-vector products of every network against PyTorch's double backward, and against their own symmetry."""

from dataclasses import replace

import numpy as np
import pytest

import codegen
from derive.explicit import sizes_for
from derive.hessians import hessian, hessian_trace, hessian_vector_product
from derive.networks import loading

from . import torch_programs

torch = pytest.importorskip("torch")
QUICK = ("logistic_regression", "mlp", "elman_rnn", "max_pooling", "layer_norm", "convolution_1d")
TOLERANCE = 1e-9
SOME = {"gpt": ("W1", "g_B2", "g_C")}


def arguments(program, seed=0, positive=False):
    """Return small sizes, and values for parameters and inputs, by name."""
    sizes = sizes_for(program)
    random = np.random.default_rng(seed)

    def value(v):
        shape = tuple(int(s.xreplace(sizes)) for s in v.shape)
        if v.kind == "labels":
            return random.integers(0, int(v.classes.xreplace(sizes)), shape)
        return random.uniform(0.2, 1.0, shape) if positive else random.normal(size=shape)

    return sizes, {v.name: value(v) for v in (*program.parameters, *program.inputs)}


def with_sizes(function, sizes):
    """Return the sizes that a function takes by keyword."""
    code = function.__code__
    names = code.co_varnames[code.co_argcount:code.co_argcount + code.co_kwonlyargcount]
    return {s.name: int(v) for s, v in sizes.items() if s.name in names}


def torch_products(program, sizes, given, directions):
    """Return PyTorch's products of the Hessian with a direction."""
    tensors = {n: torch.tensor(v) for n, v in given.items()}
    parameters = [tensors[p.name].requires_grad_() for p in program.parameters]
    loss = torch_programs.loss(program, sizes, tensors)
    gradients = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True)
    inner = sum((g * torch.tensor(d)).sum() for g, d in zip(gradients, directions, strict=True) if g is not None)
    if not inner.requires_grad:
        return [np.zeros(d.shape) for d in directions]
    found = torch.autograd.grad(inner, parameters, allow_unused=True)
    return [np.zeros(d.shape) if f is None else f.numpy() for f, d in zip(found, directions, strict=True)]


def check_products(name, seed=0):
    program = loading.named(name).program()
    for positive in (False, True):
        sizes, given = arguments(program, seed, positive)
        random = np.random.default_rng(seed + 1)
        u, v = ([np.asarray(random.normal(size=given[p.name].shape)) for p in program.parameters] for _ in range(2))
        theirs = torch_products(program, sizes, given, v)
        if all(np.isfinite(t).all() for t in theirs):
            break
    product = codegen.lambdify(hessian_vector_product(program))
    extra = with_sizes(product, sizes)
    ours, other = (product(*given.values(), direction, **extra) for direction in (v, u))
    scale = max(np.abs(t).max() for t in theirs) or 1
    for p, a, b in zip(program.parameters, ours, theirs, strict=True):
        assert np.shape(a) == np.shape(b), p.name
        np.testing.assert_allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE * scale, err_msg=p.name)
    left = sum(np.sum(x * y) for x, y in zip(u, ours, strict=True))
    right = sum(np.sum(x * y) for x, y in zip(v, other, strict=True))
    assert abs(left - right) <= TOLERANCE * max(abs(left), scale)


def torch_hessian(program, sizes, given):
    """Return PyTorch's Hessian by two parameters' names, a block of second derivatives for each."""
    tensors = {n: torch.tensor(v) for n, v in given.items()}
    parameters = [tensors[p.name].requires_grad_() for p in program.parameters]
    loss = torch_programs.loss(program, sizes, tensors)
    gradients = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True)
    blocks = {}
    for p, g in zip(program.parameters, gradients, strict=True):
        rows = [None] * len(parameters)
        if g is not None and g.requires_grad:
            rows = torch.autograd.grad(g.reshape(-1), parameters, torch.eye(g.numel(), dtype=g.dtype),
                                       is_grads_batched=True, retain_graph=True, allow_unused=True)
        for q, r in zip(program.parameters, rows, strict=True):
            shape = given[p.name].shape + given[q.name].shape
            blocks[p.name, q.name] = np.zeros(shape) if r is None else r.numpy().reshape(shape)
    return blocks


def check_hessian(name, seed=0):
    program = loading.named(name).program()
    if name in SOME:                                    # as parameters, the others as inputs: the Hessian is enormous
        kinds = {p.name: replace(p, kind="input") for p in program.parameters if p.name not in SOME[name]}
        program = program.with_equations(program.equations, variables={**program.variables, **kinds})
    for positive in (False, True):
        sizes, given = arguments(program, seed, positive)
        theirs = torch_hessian(program, sizes, given)
        if all(np.isfinite(t).all() for t in theirs.values()):
            break
    function = codegen.lambdify(hessian(program))
    found = function(*given.values(), **with_sizes(function, sizes))
    ours = found._asdict() if hasattr(found, "_asdict") else {f"{p.name}_{p.name}": found for p in program.parameters}
    scale = max(np.abs(t).max() for t in theirs.values()) or 1
    for (a, b), want in theirs.items():
        if f"{a}_{b}" in ours:
            have = ours[f"{a}_{b}"]
            assert np.shape(have) == want.shape, (a, b)
            np.testing.assert_allclose(have, want, rtol=TOLERANCE, atol=TOLERANCE * scale, err_msg=f"{a}, {b}")
    own = [np.asarray(ours[f"{p.name}_{p.name}"]).reshape(given[p.name].size, -1) for p in program.parameters]
    for block in own:
        np.testing.assert_allclose(block, block.T, rtol=0, atol=1e-12 * scale)
    trace = codegen.lambdify(hessian_trace(program))
    np.testing.assert_allclose(trace(*given.values(), **with_sizes(trace, sizes)), sum(map(np.trace, own)),
                               rtol=TOLERANCE, atol=TOLERANCE * scale)


@pytest.mark.parametrize("name", ["logistic_regression", "softmax_regression", "mlp"])
def test_hessians_agree_with_pytorch(name):
    check_hessian(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", loading.names())
def test_hessians_of_every_network_agree_with_pytorch(name):
    check_hessian(name)


@pytest.mark.parametrize("name", QUICK)
def test_products_with_the_hessian_agree_with_pytorch(name):
    check_products(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in loading.names() if n not in QUICK])
def test_products_of_every_network_agree_with_pytorch(name):
    check_products(name)
