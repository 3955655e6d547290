"""Sums up to an index: binders whose limits have indices in them, and running sums as one pass over an array."""

import numpy as np
import pytest
from sympy import Piecewise, Sum, Symbol

import codegen
import derive
from derive import DefinitionError, LogSumExp, Maximum, Network, sigmoid
from derive.notes import note

torch = pytest.importorskip("torch", reason="PyTorch is an extra")


def _before_and_after(x, i, j, k, I):
    return Sum(Sum(x[k, j], (j, 0, i)) ** 2 * Sum(x[k, j], (j, i + 1, I - 1)), i, k)


def _pairs(x, i, j, k, I):
    return Sum(x[k, j] * x[k, i] ** 2, (j, 0, i - 1), i, k)


def _largest_so_far(x, i, j, k, I):
    return Sum(LogSumExp(x[k, j], (j, 0, i)) * Maximum(x[k, j], (j, i, I - 1)), i, k)


def _products(x, i, j, k, I):
    return Sum(derive.Product(x[k, j], (j, 0, i)) * x[k, i], i, k)


def _convolution(x, i, j, k, I):
    return Sum(Sum(x[k, i - j] * x[k, j], (j, 0, i)) ** 2, i, k)


def _onwards(x, i, j, k, I):
    return Sum(x[k, i] * Sum(x[k, j] ** 2, (j, i, I - 1)), i, k)


def _of_a_function(x, i, j, k, I):
    return Sum(Sum(sigmoid(x[k, j]) * (1 - x[k, j] ** 2), (j, 0, i)) ** 2, i, k)


def _by_torch(name, x):
    n = x.shape[1]
    return {
        "_before_and_after": lambda: sum((x[:, :i + 1].sum(1) ** 2 * x[:, i + 1:].sum(1)).sum() for i in range(n)),
        "_pairs": lambda: sum((x[:, :i].sum(1) * x[:, i] ** 2).sum() for i in range(n)),
        "_largest_so_far": lambda: sum(
            (x[:, :i + 1].logsumexp(1) * x[:, i:].max(1).values).sum() for i in range(n)),
        "_products": lambda: sum((x[:, :i + 1].prod(1) * x[:, i]).sum() for i in range(n)),
        "_convolution": lambda: sum((sum(x[:, i - j] * x[:, j] for j in range(i + 1)) ** 2).sum() for i in range(n)),
        "_onwards": lambda: sum((x[:, i] * (x[:, i:] ** 2).sum(1)).sum() for i in range(n)),
        "_of_a_function": lambda: ((x.sigmoid() * (1 - x**2)).cumsum(1) ** 2).sum(),
    }[name]()


def _network(loss):
    net = Network("up_to", "Sums up to an index")
    I, J = net.sizes("I J")
    x = net.parameter("x", J, I)
    i, j, k = net.indices(i=I, j=I, k=J)
    net.loss = loss(x, i, j, k, I)
    return net


LOSSES = [_before_and_after, _pairs, _largest_so_far, _products, _convolution, _onwards, _of_a_function]


@pytest.mark.parametrize("style", ["plain", "fast", "scalar"])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda f: f.__name__.strip("_"))
def test_pytorch_agrees(loss, style):
    x = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    true = _by_torch(loss.__name__, x)
    true.backward()
    given = x.detach().numpy()
    sizes = {"sizes": {"I": 5, "J": 3}} if style == "scalar" else {}
    ours = codegen.lambdify(_network(loss).backward(), style=style, **sizes)
    value, grads = ours(given.tolist() if style == "scalar" else given)
    assert value == pytest.approx(true.item(), rel=1e-12)
    np.testing.assert_allclose(np.array(grads.x), x.grad.numpy(), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("loss", [_before_and_after, _onwards, _of_a_function], ids=lambda f: f.__name__.strip("_"))
def test_running_sums_are_one_pass(loss):
    """No array has two axes of I, and operations grow with I, not with its square."""
    program = _network(loss).backward()
    source = codegen.source(program)
    assert "cumsum" in source and "np.where" not in source
    I = next(s for s in program.sizes if s.name == "I")
    assert program.cost().together.operations.as_poly(I).degree() == 1
    single = np.random.default_rng(0).normal(size=(2, 4000)).astype(np.float32)
    value, grads = codegen.lambdify(program)(single)
    assert value.dtype == grads.x.dtype == np.float32
    exact = codegen.lambdify(program)(single.astype(float))[1].x
    assert np.max(np.abs(grads.x - exact)) <= 1e-4 * np.max(np.abs(exact))


def test_a_guard_written_by_hand_is_the_same_sum():
    net = Network("up_to", "Sums up to an index")
    I, J = net.sizes("I J")
    x = net.parameter("x", J, I)
    i, j, k = net.indices(i=I, j=I, k=J)
    net.loss = Sum(x[k, i] * Sum(Piecewise((x[k, j] ** 2, j >= i), (0, True)), j), i, k)
    assert str(net.backward()) == str(_network(_onwards).backward())


def test_notes_say_how_far():
    assert r"\sum_{j \le i} x_{kj}" in note(_network(_before_and_after).backward())
    assert r"\max_j" in note(_network(_largest_so_far).backward())
    assert "sum_{j > i} x[k, j]" in codegen.source(_network(_before_and_after).backward())


def test_limits_outside_of_a_declared_range_are_refused():
    net = Network("too_far", "Sums beyond an axis")
    I, T = net.sizes("I T")
    x = net.parameter("x", I)
    i, j, t = net.indices(i=I, j=I, t=T)
    for limits, over in (((j, 0, i + 1), i), ((j, i - 1, I - 1), i), ((j, 0, t), t)):
        with pytest.raises(DefinitionError, match="j was declared from 0 to I - 1"):
            net.define("c", Sum(x[j], limits), over=over)
    m = Symbol("m", integer=True)
    with pytest.raises(DefinitionError, match="m was declared without a range"):
        net.define("c", Sum(x[m], (m, 0, i)), over=i)


def test_linear_attention_takes_time_linear_in_its_length():
    """Of Katharopoulos, Vyas, Pappas and Fleuret (2020), causal; the masked product of PyTorch agrees."""
    net = Network("linear_attention", "Causal linear attention, its features squared")
    T, K = net.sizes("T K")
    q, p, v = (net.parameter(name, T, K) for name in ("q", "p", "v"))
    t, s, k, m = net.indices(t=T, s=T, k=K, m=K)
    S = net.define("S", Sum(p[s, k] ** 2 * v[s, m], (s, 0, t)), over=(t, k, m))
    z = net.define("z", Sum(p[s, k] ** 2, (s, 0, t)), over=(t, k))
    O = net.define("O", Sum(q[t, k] ** 2 * S[t, k, m], k) / Sum(q[t, k] ** 2 * z[t, k], k), over=(t, m))
    net.loss = Sum(O[t, m] ** 3, t, m)
    program = net.backward()
    assert program.cost().together.operations.as_poly(T).degree() == 1
    source = codegen.source(program)
    assert "np.where" not in source and source.count("np.cumsum(dS") == 1          # which two gradients read
    random = np.random.default_rng(0)
    values = [random.normal(size=(6, 3)) for _ in range(3)]
    Q, P, V = (torch.tensor(x, requires_grad=True) for x in values)
    weights = torch.tril(Q ** 2 @ (P ** 2).T)
    loss = ((weights / weights.sum(1, keepdim=True) @ V) ** 3).sum()
    loss.backward()
    value, grads = codegen.lambdify(program)(*values)
    assert value == pytest.approx(loss.item(), rel=1e-12)
    for ours, theirs in zip(grads, (Q, P, V), strict=True):
        np.testing.assert_allclose(ours, theirs.grad.numpy(), rtol=1e-10, atol=1e-13)
