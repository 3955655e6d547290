"""Slips in a user's file end in one line: what was written, and what to write instead."""

import numpy as np
import pytest
from sympy import Piecewise, Sum

import codegen
from derive import DefinitionError, DerivationError, Network, mean, padded, total
from derive.networks import loading
from derive.notes import note

FILE = """
import math

import numpy as np
from sympy import *

from derive import *
from derive import Network, maximum

net = Network("slip")
N, D, C = net.sizes("N D C")
X, y, W, s = net.input("X", N, D), net.labels("y", N, classes=C), net.parameter("W", D, C), net.parameter("s")
n, d = net.indices(n=N, d=D)
Z = net.define("Z", X @ W)
"""
SLIPS = {
    "mean(-log(softmax(Z)[y]))": "cross_entropy(Z, y)",
    "mean((Z + 1).T)": "transpose(...)",
    "mean((Z + 1)[0])": 'A = net.define("A", ...), then A[...]',
    "Sum((X @ W)[n, 0] ** 2, n)": "A = net.define(...), and read A",
    "sum((Z @ Z.T)**2)": "total(...)",
    "mean(max(Z, 0))": "Max(a, b)",
    "mean(maximum(Z, 0))": "relu(Z)",
    "mean(np.exp(Z))": "write exp(Z)",
    "mean(np.maximum(Z, 0))": "relu(Z) for Max(Z, 0)",
    "np.mean(Z)": "write mean(Z)",
    "mean(np.where(Z.T, Z, 0))": "Piecewise",
    "mean(np.sqrt(s) * Z)": "SymPy's function",
    "mean(math.exp(s) * Z)": "SymPy's function",
    "mean(Z @ np.ones((3, 3)))": "net.input(...)",
    "mean(Z.exp())": "write exp(Z)",
    "mean((X @ W).unsqueeze(0))": "write Z[:, None]",
    "Z.mean()": "write mean(Z)",
    "mean(Z.view(-1))": "arrays keep their axes",
    "mean(Z.shape)": "mean of (N, C)",
    "mean(Z == 0)": "mean of False",
    "mean(Z[Z > 0])": "Piecewise((Z, Z > 0), (0, True))",
    "mean((Z > 0) * Z)": "(Z > 0)*Z: a comparison is no number; write relu(Z), or Piecewise((Z, Z > 0), (0, True))",
    "mean(Z * (X @ W <= 1))": "write Piecewise((Z, X @ W <= 1), (0, True))",
    "mean((Z > 0) * (Z + 1))": "Piecewise((x, condition), (0, True)) for condition * x",
    "mean(-(Z > 0) * Z)": "relu(x) for (x > 0) * x",
    "mean(ITE(Z > 0, Z, -Z))": "Piecewise((a, condition), (b, True))",
    "trace(W)": "total(diagonal(W))",
    "mean(X @ W.inv())": "write inverse(W)",
    "mean(Z + ones(N, 1))": "a number broadcasts by itself",
    "mean(X @ MatrixSymbol('A', D, D))": 'as an array declare A = net.input("A", D, D)',
    "mean(W[net.labels('t', N, 2, classes=D)[:, 0]])": "read at indices, E[y[n, 0], d]",
    "net.define('P', X) and P": 'P = net.define("P", ...)',
    "mean(relu(Z) @ exp(Z.T))": "matmul(A, B)",
    "mean(Z * ~X)": "1 - M is 1",
    "mean(Z & X)": "And(p, q)",
    "mean(round(s) * Z)": "net.input(...)",
    "mean(var(Z, 0))": "mean((Z - mean(Z, axis=0))**2, axis=0)",
    "mean(Max(Z, axis=1))": "write derive's maximum(Z, axis=1)",
    "mean(Min(Z, axis=1))": "write derive's -maximum(-Z, axis=1)",
    "mean(Piecewise((Z, Z == 1), (0, True)))": "write Eq(Z, 1)",
    "Sum(Piecewise((X[n, d], And(d > 0, n != d)), (0, True)), n, d)": "write Ne(n, d)",
    "Sum((X @ W[:, 0] - y)**2, n)": "loss mixes whole arrays with the index n",
    "mean(cross_entropy(y, Z))": "labels come second, cross_entropy(logits, labels)",
    "mean(Z / sqrt(total(Z**2, axis=1)))": "Z/sqrt(sum(Z**2)): shapes (N,) and (N, C)",
    "mean(Z[:, [0, 2]])": "concatenate(Z[:, 0:1], Z[:, 2:3], axis=1)",
    "((Z - 1)**2).mean()": "write mean(Z)",
    "mean((2*Z).softmax(dim=-1))": "write softmax(Z)",
    "mean(sqrt(s + mean(Z, axis=1))[:, None] * Z)": "keepdims=True",
    "mean(sqrt(Z).detach())": "net.input(...)",
    "mean((Z - Z.mean(axis=0)))": "write mean(Z)",
    "mean(X.argmax(axis=1))": "write maximum(X, axis=1)",
    "sum(cross_entropy(Z[i], y[i]) for i in range(N))": "a loop goes over a number",
    "total(Z) / len(X)": "X.shape[0]",
    "mean(Z[np.arange(N), y])": "Sum(Z[n, y[n]], n)",
    "mean(Z + np.ones((N, 1)))": 'net.input("ones", N, 1)',
    "mean(max(Z, axis=1))": "derive's maximum(Z, axis=1)",
    "mean(sum(Z, axis=1))": "derive's total(Z, axis=1)",
    "mean(std(Z))": "sqrt(mean((Z - mean(Z))**2))",
    "mean(stop_gradient(Z))": "net.input(...)",
    "mean(Piecewise((Z, Z > 0), (exp(Z) - 1)))": "(value, True)",
    "mean(Piecewise((Z, 0 < Z < 1), (0, True)))": "And(a > 0, a < 1)",
    "mean(Z.masked_fill(Z == 0, -1e9))": "Eq(M, 1)",
    "mean(Z**2).backward()": "write net.backward()",
    "mean(sqrt(Z)).backward()": "write net.backward()",
    "mean(net.parameter('V', shape=(D, C)))": "sizes follow the name",
    "net.indices(N, D)": "n, d = net.indices(n=N, d=D)",
    "net.labels('t', N)": "classes=C",
    "net.define(Z)": 'Z = net.define("Z", ...)',
    "net.loss(mean(Z))": "net.loss = ...",
    "Network('my net')": "Network(name, title)",
    "Network()": 'Network("mlp")',
    "mean(Z, dim=1)": "axis=...",
    "mean(relu)": "relu(Z)",
    "mean(Q * Z)": "SymPy's own",
    "Sum(X[n, d], (n, 0, N), d)": "from 0 to N - 1",
    "Sum(X[n, d] * W[d, 0])": "what a sum is over",
    "mean(Z^2)": "a power is Z**2",
    "mean(transpose(Z, (1, 0)))": "Z.mT",
    "mean(Z.transpose(0, 1))": "Z.mT",
    "mean(sofmax(Z))": "is softmax meant?",
    "mean(Z) * K": 'K = net.size("K")',
    "mean(Z @ weights)": 'net.parameter("weights", ...)',
    "mean(nn(Z))": "net.input",
    "mean(cross_entropy(Z, y, reduction='sum'))": "take its mean(...)",
    "total(solve(X[:, :, None] * X[:, None] + eye(D), X))": "solve(A, B[..., None])[..., 0]",
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_told_in_one_line_with_the_remedy(slip, tmp_path):
    path = tmp_path / "slip.py"
    path.write_text(f"{FILE}net.loss = {slip}\n")
    with pytest.raises(DefinitionError) as raised:
        loading.read(path)
    assert SLIPS[slip] in str(raised.value)
    assert f"line {len(FILE.splitlines()) + 1}: " in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_name_that_is_not_exported_is_told_with_what_to_write(tmp_path):
    for name, words in {"layer_norm": "layers are written as formulas", "exp": "from sympy import exp",
                        "sofmax": "is softmax meant?", "stack": "concatenate(Z[None]"}.items():
        path = tmp_path / "slip.py"
        path.write_text(f"from derive import {name}\n")
        with pytest.raises(DefinitionError, match="line 1: ") as raised:
            loading.read(path)
        assert words in str(raised.value)


def test_what_reads_itself_is_told_to_be_a_state(tmp_path):
    path = tmp_path / "slip.py"
    path.write_text(f"{FILE}h = net.define('h', h[n - 1] + X[n, 0], over=n)\n")
    with pytest.raises(DefinitionError, match=r'what reads itself is a state: h = net.state\("h", T'):
        loading.read(path)


def test_numbers_of_loops_are_compared_as_they_are(tmp_path):
    path = tmp_path / "loops.py"
    path.write_text(f"{FILE}net.loss = sum(mean(Piecewise((Z, k == 1), (s * Z, True))) for k in range(3))\n")
    [net] = loading.read(path)
    assert str(net.program().equations[-1].rhs).count("Sum") >= 1


def test_a_loss_that_is_a_number_is_told():
    net, _, w = _network()
    net.loss = 0 * w[0]
    with pytest.raises(DefinitionError, match="the loss of numbers is 0, whatever the parameters are; in a condition"):
        net.backward()


def test_a_network_without_a_parameter_is_told():
    net = Network("given")
    net.loss = mean(net.input("X", net.size("N")))
    with pytest.raises(DefinitionError, match=r"given has no parameter; declare by net\.parameter"):
        net.backward()


def _network():
    net = Network("numbers")
    N, D = net.sizes("N D")
    return net, net.input("X", N, D), net.parameter("w", D)


def test_numbers_of_numpy_stand_on_either_side_of_any_array():
    net, X, w = _network()
    net.loss = total(np.float64(2) * (X @ w) - np.int64(3) * w[0]) + total(np.sqrt(4) * X.T)
    X0, w0 = np.arange(6.0).reshape(2, 3), np.array([1.0, -2.0, 0.5])
    loss, grads = codegen.lambdify(net.backward())(w0, X0)
    assert loss == pytest.approx(np.sum(2 * X0 @ w0 - 3 * w0[0]) + 2 * X0.sum())
    np.testing.assert_allclose(grads.w, 2 * X0.sum(axis=0) - np.array([6, 0, 0]))


def test_a_recurrence_that_is_read_at_any_distance_is_told_by_its_own_name():
    net = Network("moving_average")
    T, Q = net.sizes("T Q")
    y, theta, e = net.input("y", T), net.parameter("theta", Q), net.state("e", T)
    t, q = net.indices(t=T, q=Q)
    net.define(e, y[t] - Sum(padded(e)[t - 1 - q] * theta[q], q), over=t)
    net.loss = total(e**2)
    with pytest.raises(DerivationError, match=r"e is read at no fixed distance \(e\[-q \+ t - 1\]\); write e\[t - 1\]"):
        codegen.source(net.backward())


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
def test_the_last_rows_of_a_recurrence_are_kept_in_a_state(style):
    """The same moving average, beside NumPy and complex steps."""
    net = Network("moving_average")
    T, Q = net.sizes("T Q")
    y, theta, t, q = net.input("y", T), net.parameter("theta", Q), *net.indices(t=T, q=Q)
    s = net.state("s", T, Q)
    e = net.define("e", y[t] - Sum(s[t - 1, q] * theta[q], q), over=t)
    net.define(s, Piecewise((e[t], q < 1), (s[t - 1, q - 1], True)), over=(t, q))
    net.loss = total(e**2)
    f = codegen.lambdify(net.backward(), style=style)

    def by_hand(y, theta):
        last, squares = np.zeros_like(theta), 0
        for value in y:
            error = value - last @ theta
            last, squares = np.array([error, *last[:-1]]), squares + error**2
        return squares

    for T, Q in ((6, 3), (2, 4), (3, 1)):
        y0, theta0 = np.cos(np.arange(T)), np.linspace(-0.7, 0.9, Q)
        loss, grads = f(theta0, y0)
        steps = [by_hand(y0, theta0 + 1e-30j * row).imag / 1e-30 for row in np.eye(Q)]
        np.testing.assert_allclose([loss, *grads.theta], [by_hand(y0, theta0), *steps], rtol=1e-12)


def test_a_network_is_no_program():
    net, X, w = _network()
    net.loss = mean(X @ w)
    for use in (codegen.lambdify, codegen.source, note):
        with pytest.raises(DefinitionError, match=r"a Network is no program; expected what net\.backward\(\)"):
            use(net)
    with pytest.raises(DefinitionError, match="'v' is not a parameter; expected one of w"):
        net.backward().gradients["v"]
    assert net.backward().gradients[w] == net.backward().gradients["w"]
