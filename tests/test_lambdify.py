"""Networks of the users' own: their gradients agree with differences and with PyTorch, in either notation."""

import numpy as np
import pytest

import codegen
from codegen.differences import compare, derivative_estimate
from tests.zoo import ZOO

every_network = pytest.mark.parametrize("name", ZOO)
CALLABLES = {}


def derived(name):
    """Return the case, its callable, and random arguments for it."""
    if name not in CALLABLES:
        case = ZOO[name]()
        program = case.net.backward()
        CALLABLES[name] = case, codegen.lambdify(program), drawn(program, case)
    return CALLABLES[name]


def drawn(program, case):
    random, sizes = np.random.default_rng(0), {s: case.sizes[s.name] for s in program.sizes}

    def value(v):
        shape = tuple(int(s.subs(sizes)) for s in v.shape)
        if v.kind == "labels":
            return random.integers(0, int(v.classes.subs(sizes)), shape)
        return random.uniform(0.5, 2, shape) if v.name in case.positive else random.normal(size=shape)

    arguments = {v.name: value(v) for v in (*program.parameters, *program.inputs)}
    shown = {s for v in (*program.parameters, *program.inputs) for s in v.shape}
    return arguments | {s.name: n for s, n in sizes.items() if s not in shown}


@every_network
def test_agrees_with_differences(name):
    _, f, arguments = derived(name)
    _, grads = f(**arguments)
    for parameter, gradient in grads._asdict().items():
        def loss(value, parameter=parameter):
            return f.module.forward(**{**arguments, parameter: value})[0]
        comparison = compare(derivative_estimate(loss, arguments[parameter]), gradient)
        assert comparison.agrees, f"{parameter}: {comparison}"


@every_network
def test_agrees_with_pytorch(name):
    torch = pytest.importorskip("torch", reason="PyTorch is an extra: pip install -e '.[peers]'")
    case, f, arguments = derived(name)
    loss, grads = f(**arguments)
    tensors = {n: torch.as_tensor(v) for n, v in arguments.items() if n not in case.sizes}
    parameters = {n: tensors[n].clone().requires_grad_() for n in grads._fields}
    theirs = case.torch_loss(torch, **{**tensors, **parameters})
    theirs.backward()
    assert loss == pytest.approx(theirs.item(), rel=1e-13)
    for n, tensor in parameters.items():
        expected = np.zeros_like(arguments[n]) if tensor.grad is None else tensor.grad.numpy()
        assert getattr(grads, n) == pytest.approx(expected, rel=1e-9, abs=1e-12), n


@every_network
def test_float32_stays_float32(name):
    _, f, arguments = derived(name)
    single = {n: np.float32(v) if np.asarray(v).dtype.kind == "f" else v for n, v in arguments.items()}
    loss, residuals = f.module.forward(**single)
    grads = f.module.backward(residuals)
    assert loss.dtype == np.float32
    assert {np.asarray(r).dtype for r in residuals if np.asarray(r).dtype.kind == "f"} <= {np.dtype(np.float32)}
    assert {n: (g.dtype, g.shape) for n, g in grads._asdict().items()} == {
        n: (np.float32, np.shape(arguments[n])) for n in grads._fields}
    for n, g in f(**arguments)[1]._asdict().items():
        assert getattr(grads, n) == pytest.approx(g, rel=1e-3, abs=1e-3), n
