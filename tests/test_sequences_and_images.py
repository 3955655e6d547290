"""Recurrences, convolutions, pooling and attention against PyTorch, a person, differences and the referee."""

from functools import cache
from itertools import product

import numpy as np
import pytest
from sympy import Sum, tanh

import codegen
from codegen.memory import lambdify
from codegen.verify import finite_differences, handwritten_function, referee, relative
from derive import FirstMaximum, Network, padded, total
from derive.networks import named

CLOSE = 1e-10
RECURRENT = ["elman_rnn", "gru", "lstm", "bidirectional", "sequence_to_label", "sequence_to_sequence"]
WINDOWED = ["convolution_1d", "convolution_2d", "max_pooling", "average_pooling", "lenet"]
ATTENTIVE = ["attention", "multi_head_attention", "transformer_block", "gpt"]
NETWORKS = [*RECURRENT, *WINDOWED, *ATTENTIVE]

SIZES = {
    **{name: {"S": 4, "T": 5, "N": 3, "D": 4, "K": 6, "M": 7, "C": 5} for name in RECURRENT},
    **{name: {"N": 2, "T": 5, "D": 6, "H": 2, "E": 3, "M": 8, "V": 9} for name in ATTENTIVE},
    "convolution_1d": {"N": 2, "G": 2, "M": 3, "J": 2, "U": 12, "K": 3, "S": 2, "L": 2, "P": 1},
    "convolution_2d": {"N": 2, "G": 2, "M": 2, "J": 2, "U": 9, "V": 8, "K": 3, "S": 2, "L": 1, "P": 1},
    "max_pooling": {"N": 2, "C": 3, "U": 9, "V": 8, "K": 3, "S": 2},
    "average_pooling": {"N": 2, "C": 3, "U": 9, "V": 8, "K": 3, "S": 2},
    "lenet": {"N": 3, "C": 2, "U": 16, "V": 15, "F": 3, "G": 4, "K": 3, "D": 5},
}


@cache
def made(name):
    """Return a network, its derived program and its generated module."""
    net = named(name)
    derived = net.backward()
    return net, derived, lambdify(derived).module


def arguments(name, seed=0, **changed):
    """Return random arguments of a network at its sizes, and the sizes that it takes by keyword."""
    _, program, module = made(name)
    sizes = {s: {**SIZES[name], **changed}[s.name] for s in program.sizes if s not in program.derived}
    for s, value in program.derived.items():
        sizes[s] = int(value.xreplace(sizes))
    random = np.random.default_rng(seed)

    def value(v):
        shape = tuple(int(s.xreplace(sizes)) for s in v.shape)
        if v.kind == "labels":
            return random.integers(0, int(v.classes.xreplace(sizes)), shape)
        return random.normal(size=shape) if shape else float(random.uniform(0.1, 1))

    code = module.forward.__code__
    keywords = code.co_varnames[code.co_argcount:code.co_argcount + code.co_kwonlyargcount]
    given = {s.name: n for s, n in sizes.items() if s.name in keywords}
    return {v.name: value(v) for v in (*program.parameters, *program.inputs)}, given


def check(name, theirs, found):
    """Compare the loss and the gradients with those of a judge."""
    loss, grads = found
    assert np.isclose(theirs[0], loss, rtol=CLOSE, atol=0)
    wrong = {n: d for n, g in theirs[1].items() if not (d := relative(g, getattr(grads, n))) <= CLOSE}
    assert wrong == {}, name


def against_torch(name, **changed):
    torch = pytest.importorskip("torch", reason="PyTorch is an extra: pip install -e '.[peers]'")
    from tests import sequences_torch

    _, program, module = made(name)
    values, given = arguments(name, **changed)
    tensors = {n: torch.tensor(v, dtype=None if np.issubdtype(np.asarray(v).dtype, np.integer) else torch.float64)
               for n, v in values.items()}
    for p in program.parameters:
        tensors[p.name].requires_grad_()
    loss = getattr(sequences_torch, name)(*tensors.values(), **given)
    loss.backward()
    grads = {p.name: tensors[p.name].grad.numpy() for p in program.parameters}
    check(name, (loss.item(), grads), module.loss_and_grads(**values, **given))


@pytest.mark.parametrize("name", NETWORKS)
def test_agrees_with_pytorch(name):
    against_torch(name)


@pytest.mark.parametrize("name", NETWORKS)
def test_agrees_with_a_person(name):
    values, given = arguments(name)
    theirs = handwritten_function(name)(*(np.array(v) for v in values.values()), **given)
    check(name, theirs, made(name)[2].loss_and_grads(**values, **given))


@pytest.mark.parametrize("name", NETWORKS)
def test_agrees_with_differences(name):
    _, program, module = made(name)
    assert finite_differences(program, module).complaints == ()


@pytest.mark.parametrize("name", NETWORKS)
def test_agrees_with_the_referee(name):
    net, program, _ = made(name)
    assert referee(net, program).complaints == ()


@pytest.mark.parametrize("T", [1, 2, 200])
@pytest.mark.parametrize("name", RECURRENT)
def test_recurrences_of_any_length(name, T):
    against_torch(name, T=T, S=T)


def fits(U, K, S, L, P):
    return (U + 2 * P - L * (K - 1) - 1) // S + 1 > 0


GRID = [dict(zip("SPLK", c, strict=True)) for c in product((1, 2, 3), (0, 1, 2), (1, 2), (1, 2, 3, 4, 5))]


@pytest.mark.parametrize("sizes", [c for c in GRID if fits(7, **c)], ids=str)
def test_convolutions_over_time(sizes):
    against_torch("convolution_1d", U=7, **sizes)


@pytest.mark.parametrize("sizes", [c for c in GRID[::7] if fits(7, **c) and fits(6, **c)], ids=str)
def test_convolutions_of_images(sizes):
    against_torch("convolution_2d", U=7, V=6, **sizes)


@pytest.mark.slow
@pytest.mark.parametrize("U", range(1, 12))
@pytest.mark.parametrize("groups", [(1, 1, 1), (1, 3, 2), (3, 1, 1), (2, 2, 3)], ids=str)
def test_convolutions_over_time_at_every_length(U, groups):
    for sizes in GRID:
        if fits(U, **sizes):
            against_torch("convolution_1d", U=U, **sizes, **dict(zip("GMJ", groups, strict=True)))


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [c for c in GRID if fits(9, **c) and fits(7, **c)], ids=str)
def test_convolutions_of_images_at_every_setting(sizes):
    for groups in [(1, 1, 1), (1, 3, 2), (3, 1, 1), (2, 2, 3)]:
        against_torch("convolution_2d", U=9, V=7, **sizes, **dict(zip("GMJ", groups, strict=True)))


@pytest.mark.parametrize(("K", "S"), list(product((1, 2, 3), (1, 2, 3))))
@pytest.mark.parametrize("name", ["max_pooling", "average_pooling"])
def test_pooling_that_overlaps_and_that_leaves_out(name, K, S):
    against_torch(name, K=K, S=S)


def test_the_first_of_equal_pixels_takes_the_gradient_of_a_maximum():
    torch = pytest.importorskip("torch", reason="PyTorch is an extra: pip install -e '.[peers]'")
    x = np.random.default_rng(0).integers(0, 3, (2, 3, 9, 8)).astype(float)
    Y = np.zeros((2, 3, 4, 3))
    tensor = torch.tensor(x, requires_grad=True)
    (torch.nn.functional.max_pool2d(tensor, 3, 2) ** 2).mean().div(2).backward()
    _, grads = made("max_pooling")[2].loss_and_grads(x, Y, K=3, S=2)
    assert relative(tensor.grad.numpy(), grads.x) <= CLOSE


@pytest.mark.parametrize("style", ["plain", "fast"])
@pytest.mark.parametrize(("length", "step", "between"), [(2, 2, 1), (2, 3, 1), (3, 2, 1), (2, 4, 2), (2, 2, 2)])
def test_windows_that_are_apart_are_put_where_they_were(length, step, between, style):
    torch = pytest.importorskip("torch", reason="PyTorch is an extra: pip install -e '.[peers]'")
    net = Network("windows", "The first largest entry of each window, and what is left over")
    N, U = net.sizes("N U")
    A = net.size("A", (U - between * (length - 1) - 1) // step + 1)
    x, y = net.parameter("x", N, U), net.input("y", N, A)
    n, i, r = net.indices(n=N, i=A, r=length)
    m = net.define("m", FirstMaximum(x[n, step * i + between * r], r), over=(n, i))
    net.loss = total(m**2 * y)
    rng = np.random.default_rng(0)
    X, U = rng.integers(-2, 3, (3, 12)).astype(float), 12                   # ties
    Y = rng.normal(size=(3, (U - between * (length - 1) - 1) // step + 1))
    tensor = torch.tensor(X, requires_grad=True)
    pooled = torch.nn.functional.max_pool1d(tensor, length, step, dilation=between)
    (pooled**2 * torch.tensor(Y)).sum().backward()
    function = codegen.lambdify(net.backward(), style=style)
    for _ in range(2):
        assert np.allclose(function(x=X, y=Y)[1].x, tensor.grad)
    overlap = between * (length - 1) >= step
    assert ("] += d" in codegen.source(net.backward(), style=style)) == overlap


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
def test_a_dilated_convolution_padded_by_half_its_kernel_is_added_up_by_taps(style):
    torch = pytest.importorskip("torch", reason="PyTorch is an extra: pip install -e '.[peers]'")
    net = Network("same", "As many rows as before, by a kernel of any length, which K // 2 zeros come before")
    N, I, K = net.sizes("N I K")
    x, w = net.parameter("x", N, I), net.parameter("w", K)
    n, i, k = net.indices(n=N, i=I, k=K)
    a = net.define("a", tanh(x))
    y = net.define("y", Sum(padded(a)[n, i + 2 * k - 2 * (K // 2)] * w[k], k), over=(n, i))
    net.loss = total(y**3)
    source = codegen.source(net.backward(), style=style)
    assert "np.arange" not in source and "for k in range(K)" in source
    function = lambdify(net.backward(), style=style)
    rng = np.random.default_rng(0)
    for length in (3, 2, 1):
        given = [torch.tensor(rng.normal(size=shape), requires_grad=True) for shape in ((2, 6), (length,))]
        widths = (2 * (length // 2), 2 * (length - 1) - 2 * (length // 2))
        rows = torch.nn.functional.pad(torch.tanh(given[0]), widths)[:, None]
        (torch.nn.functional.conv1d(rows, given[1][None, None], dilation=2) ** 3).sum().backward()
        _, grads = function(*(tensor.detach().numpy() for tensor in given))
        assert all(np.allclose(g, tensor.grad, rtol=1e-12) for g, tensor in zip(grads, given, strict=True))
