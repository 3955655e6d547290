"""Binders over a part of an axis, as in Maximum(x[k, t], (t, 1, T - 2)): in code, in notes, in the doctor."""

import numpy as np
import pytest
from sympy import Sum, exp, log

import codegen
from codegen import doctor
from derive import FirstMaximum, LogSumExp, Maximum, Network, Product, logsumexp, maximum, total
from derive.notes import note

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

CASES = {
    "sum": (lambda x, k, t, K, T: Sum(x[k, t] * x[k, t - 1], (t, 1, T - 1), k),
            lambda x: (x[:, 1:] * x[:, :-1]).sum()),
    "max": (lambda x, k, t, K, T: Sum(Maximum(x[k, t], (t, 1, T - 2)) ** 2, (k, 1, K - 1)),
            lambda x: (x[1:, 1:-1].amax(1) ** 2).sum()),
    "first max": (lambda x, k, t, K, T: Sum(FirstMaximum(x[k, t], (t, 1, T - 1)), k), lambda x: x[:, 1:].amax(1).sum()),
    "product": (lambda x, k, t, K, T: Sum(Product(x[k, t] / 30, (t, 1, T - 2)), k),
                lambda x: (x[:, 1:-1] / 30).prod(1).sum()),
    "lse": (lambda x, k, t, K, T: Sum(LogSumExp(x[k, t], (t, 1, T - 2)), k), lambda x: x[:, 1:-1].logsumexp(1).sum()),
    "log sum exp": (lambda x, k, t, K, T: Sum(log(Sum(exp(x[k, t] ** 2), (t, 0, T - 2))), k),
                    lambda x: (x[:, :-1] ** 2).logsumexp(1).sum()),
    "two axes": (lambda x, k, t, K, T: LogSumExp(x[k, t], (k, 1, K - 1), (t, 0, T - 2)),
                 lambda x: x[1:, :-1].logsumexp((0, 1))),
}


def _network(loss):
    net = Network("parts", "Parts of an axis")
    K, T = net.sizes("K T")
    x = net.parameter("x", K, T)
    k, t = net.indices(k=K, t=T)
    net.loss = loss(x, k, t, K, T)
    return net


@pytest.mark.parametrize("style", ["plain", "fast"])
@pytest.mark.parametrize("name", CASES)
def test_pytorch_agrees_also_where_the_largest_are_left_out(name, style):
    ours, true = CASES[name]
    x = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x[:, [0, -1]] += 1000
    x[0] += 3000
    x.requires_grad_()
    expected = true(x)
    expected.backward()
    value, grads = codegen.lambdify(_network(ours).backward(), style=style)(x.detach().numpy())
    assert value == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(grads.x, x.grad.numpy(), rtol=1e-11, atol=1e-13)


def test_notes_show_the_limits():
    text = {name: note(_network(loss).backward()) for name, (loss, _) in CASES.items()}
    assert r"\sum_{t=1}^{T-1} x_{k,t-1} x_{kt}" in text["sum"]
    assert r"\max_{1 \le t \le T-2} x_{kt}" in text["max"]
    assert r"\log\sum_{t=1}^{T-2} e^{x_{kt}}" in text["lse"]


def test_a_log_sum_exp_up_to_an_index_is_over_another_one_than_it_is_read_at():
    net = Network("running", "A running log-sum-exp")
    T = net.size("T")
    x = net.parameter("x", T)
    t, s = net.indices(t=T, s=T)
    net.loss = Sum(LogSumExp(x[s], (s, 0, t)), t)
    assert r"\exp\Bigl(x_s - \log\sum_{s' \le t} e^{x_{s'}}\Bigr)" in note(net.backward())


def test_indices_of_slices_have_their_limits():
    net = Network("slices", "Sums over slices")
    K, T = net.sizes("K T")
    x = net.parameter("x", K, T)
    net.loss = total(maximum(x[:, 1:-1], axis=1)) + total(logsumexp(x[:, 1:], axis=1))
    assert r"P_{ki} = e^{x_{k,i+1}} / \sum_{j=0}^{T-2} e^{x_{k,j+1}}" in note(net.backward())


def test_the_doctor_reads_them():
    net = _network(CASES["sum"][0])

    def gradient(x):
        g = np.zeros_like(x)
        g[:, 1:] += x[:, :-1]
        g[:, :-1] += x[:, 1:]
        return (x[:, 1:] * x[:, :-1]).sum(), (g,)

    assert doctor.diagnose(net, gradient).verdict == "right"


def test_a_limit_has_the_index_around_the_sum_not_the_one_inside():
    """In Sum(f(i), (i, 0, N - 1), (j, i, N - 1)) the first i is bound, the second is not."""
    net = Network("scopes")
    N = net.size("N")
    w, u = net.parameter("w", N), net.input("u", N)
    i, j = net.indices(i=N, j=N)
    v = net.define("v", Sum(w[i] ** 2 * u[j], (i, 0, N - 1), (j, i, N - 1)), over=i)
    counted = net.define("counted", Sum(w[0], (i, 0, N - 1), (j, i, N - 1)), over=i)        # N (N - i) times w[0]
    net.loss = Sum(v[i] ** 2 + u[i] * counted[i], i)
    W, U = np.array([1.0, 2, 3]), np.array([0.5, -1, 2])
    rest = np.array([U[k:].sum() for k in range(3)])
    loss, grads = codegen.lambdify(net.backward())(W, U)
    times = 3 * (U @ [3, 2, 1])
    assert np.isclose(loss, ((W @ W * rest) ** 2).sum() + times * W[0])
    assert np.allclose(grads.w, 4 * (W @ W) * (rest @ rest) * W + [times, 0, 0])
