"""Modules of the programs that the rule is tested on: their gradients against differences of their own loss."""

from itertools import pairwise

import numpy as np
import pytest
from sympy import Eq, KroneckerDelta, Piecewise, Sum, exp, sqrt, tanh

from codegen import lambdify, source, verify
from codegen.memory import module_from
from derive import Network, mean, padded, sigmoid, total
from tests.rule_zoo import ZOO


@pytest.mark.parametrize("name", ZOO)
def test_differences_agree(name):
    program = ZOO[name]().backward()
    verdict = verify.finite_differences(program, module_from(name, source(program)))
    assert verdict.passed, verdict.complaints


def test_conditions_are_counted_as_numbers_in_sums_and_products():
    net = Network("pairs", "How often two labels meet; NumPy's own sum of True and True is True")
    N, M, K, S = net.sizes("N M K S")
    a, b = net.labels("a", N, classes=M), net.labels("b", N, classes=M)
    w, v, u = net.parameter("w", M, M), net.parameter("v", M), net.parameter("u", N, M)
    n, m, k, p = net.indices(n=N, m=M, k=M, p=K)
    met = net.define("met", Sum(KroneckerDelta(a[n], m) * KroneckerDelta(b[n], k), n), over=(m, k))
    first = net.define("first", KroneckerDelta(a[0], k) + KroneckerDelta(m, k), over=(m, k))
    steps = net.define("steps", Sum(KroneckerDelta(S * m, p), p), over=m)
    twice = net.define("twice", KroneckerDelta(a[n], m) + KroneckerDelta(b[n], m), over=(n, m))
    net.loss = (Sum(w[m, k] * (met[m, k] + first[m, k]), m, k) + Sum(v[m] * steps[m], m)
                + Sum(u[n, m] * twice[n, m], n, m))
    one = np.ones((3, 3), np.float32)
    labels = np.array([0, 0, 0, 1]), np.array([1, 0, 0, 2])
    _, grads = lambdify(net.backward())(one, one[0], np.ones((4, 3), np.float32), *labels, K=5, S=2)
    assert np.array_equal(grads.w, [[4, 1, 0], [1, 1, 1], [1, 0, 1]])
    assert np.array_equal(grads.v, [1, 1, 1])
    assert np.array_equal(grads.u, [[1, 1, 0], [2, 0, 0], [2, 0, 0], [0, 1, 1]])
    assert all(g.dtype == np.float32 for g in grads)


def test_labels_are_turned_round_where_their_second_index_is_kept():
    net = Network("words", "How often a word stands at a place, weighted")
    N, T, M = net.sizes("N T M")
    a, u, w = net.labels("a", N, T, classes=M), net.input("u", N, T), net.parameter("w", T, M)
    n, t, m = net.indices(n=N, t=T, m=M)
    C = net.define("C", Sum(KroneckerDelta(a[n, t], m) * u[n, t], n), over=(t, m))
    net.loss = Sum(w[t, m] * C[t, m], t, m)
    labels, weights = np.array([[0, 1], [0, 2], [1, 1]]), np.array([[1.0, 2.0], [4.0, 8.0], [16.0, 32.0]])
    _, grads = lambdify(net.backward())(np.ones((2, 3)), labels, weights)
    assert np.array_equal(grads.w, [[5, 16, 0], [0, 34, 8]])


def test_a_sum_along_a_diagonal_and_another_axis_is_one_number():
    net = Network("block", "The sum of a block's diagonals, and a trace")
    N, D = net.sizes("N D")
    A, B = net.parameter("A", N, D, N), net.parameter("B", N, N)
    n, d = net.indices(n=N, d=D)
    net.loss = Sum(A[n, d, n], n, d) + Sum(B[n, n], n)
    values = np.arange(12.0).reshape(2, 3, 2), np.arange(4.0).reshape(2, 2)
    loss, _ = lambdify(net.backward())(*values)
    assert loss == np.einsum("ndn->", values[0]) + np.trace(values[1])


def test_what_is_the_same_in_all_turns_is_computed_before_the_loop():
    net = Network("average", "A learned exponential moving average")
    T, D = net.sizes("T D")
    x, start, a = net.input("x", T, D), net.input("start", D), net.parameter("a", D)
    t, d = net.indices(t=T, d=D)
    m = net.state("m", T, D, initial=start)
    net.define(m, sigmoid(a[d]) * m[t - 1, d] + (1 - sigmoid(a[d])) * x[t, d], over=(t, d))
    net.loss = Sum((m[t - 1, d] - x[t, d]) ** 2, t, d) / T
    text = source(net.backward())
    loops = [line for line in text.splitlines() if line.startswith("        ") and "[t" in line]
    assert loops and not any("_sigmoid(" in line for line in loops)


def test_comments_stand_above_the_lines_they_are_about():
    net = Network("cases", "A recurrence by cases, whose branches are all computed")
    T, K = net.sizes("T K")
    t, k = net.indices(t=T, k=K)
    w, start = net.parameter("w", K), net.input("start", K)
    a = net.state("a", T, K, initial=start)
    below = Piecewise((exp(a[t - 1, k - 1]) / (1 + a[t - 1, k] ** 2), k > 0), (0, True))
    net.define(a, w[k] * below + a[t - 1, k] / 2, over=(t, k))
    net.loss = total(a**2)
    lines = source(net.backward()).splitlines()
    assert any("np.errstate" in line for line in lines)
    for line, following in pairwise(lines):
        if line.lstrip().startswith("# ") and not following.lstrip().startswith("#"):
            assert len(line) - len(line.lstrip()) == len(following) - len(following.lstrip()), (line, following)


def test_constants_under_one_root_are_printed_so():
    net = Network("scaled", "SymPy takes sqrt(2 K) apart")
    N, K = net.sizes("N K")
    X, w = net.input("X", N, K), net.parameter("w", K)
    net.loss = mean(sigmoid(X @ w / sqrt(2 * K)))
    program = net.backward()
    assert "(2 * K)**0.5" in source(program) and "2**0.5" not in source(program)
    assert verify.finite_differences(program, module_from("scaled", source(program))).passed


def test_a_rotation_by_cases_fills_slices():
    net = Network("rotation", "Pairs of numbers turned by an angle a row: a choice by which of the two")
    T, K = net.sizes("T K")
    q, c, s = net.parameter("q", T, 2, K), net.input("c", T, K), net.input("s", T, K)
    t, b, k = net.indices(t=T, b=2, k=K)
    turned = Piecewise(
        (c[t, k] * q[t, 0, k] - s[t, k] * q[t, 1, k], Eq(b, 0)), (s[t, k] * q[t, 0, k] + c[t, k] * q[t, 1, k], True)
    )
    y = net.define("y", turned, over=(t, b, k))
    net.loss = total(y**4) / 4
    program = net.backward()
    text = source(program)
    assert "np.where" not in text
    random = np.random.default_rng(0)
    q0, angle = random.normal(size=(5, 2, 3)), random.normal(size=(5, 3))
    loss, grads = module_from("rotation", text).loss_and_grads(q0, np.cos(angle), np.sin(angle))
    z = (q0[:, 0] + 1j * q0[:, 1]) * np.exp(1j * angle)                     # the rotation, by hand
    assert np.isclose(loss, np.sum(z.real**4 + z.imag**4) / 4, rtol=1e-14)
    back = (z.real**3 + 1j * z.imag**3) * np.exp(-1j * angle)
    assert np.allclose(grads.q, np.stack([back.real, back.imag], axis=1), rtol=1e-12)


def test_labels_are_moved_on_inside_a_recurrence():
    net = Network("one_hot_below_the_state", "Weights of [h; one-hot word], as one matrix")
    T, V, H = net.sizes("T V H")
    W, x = net.parameter("W", H, H + V), net.labels("x", T, classes=V)
    t, k, j = net.indices(t=T, k=H, j=H)
    h = net.state("h", T, H, initial=0)
    net.define(h, tanh(Sum(W[k, j] * h[t - 1, j], j) + W[k, H + x[t]]), over=(t, k))
    net.loss = Sum(h[t, k] ** 2, t, k)
    program = net.backward()
    for style in ("plain", "fast"):
        module = module_from("one_hot", source(program, style=style))
        assert verify.finite_differences(program, module).passed
    W0, words, state, loss = np.random.default_rng(0).normal(size=(3, 5)), [1, 0, 0], np.zeros(3), 0.0
    for word in words:
        state = np.tanh(W0 @ np.concatenate([state, np.eye(2)[word]]))
        loss += np.sum(state**2)
    assert np.isclose(module.loss_and_grads(W0, words)[0], loss, rtol=1e-14)
    with pytest.raises(ValueError, match=r"V = W\.shape\[1\] - H is 0; expected at least 1"):
        module.loss_and_grads(W0[:, :3], words)


def test_a_size_that_follows_to_be_another_is_that_one():
    net = Network("same", "A convolution that keeps its size: as many places as rows")
    H = net.size("H")
    A = net.size("A", (H + 2 - 3) // 1 + 1)
    x, w, g = net.parameter("x", H), net.parameter("w", 3), net.input("g", A)
    i, p = net.indices(i=A, p=3)
    Y = net.define("Y", Sum(padded(x)[i + p - 1] * w[p], p), over=i)
    net.loss = total(g * (Y + x))
    x0, w0, g0 = np.random.default_rng(0).normal(size=(3, 4)), np.array([2.0, -1.0, 3.0]), np.arange(4.0)
    loss, grads = lambdify(net.backward())(x0[0], w0, g0)
    assert np.isclose(loss, g0 @ (np.convolve(x0[0], w0[::-1], "same") + x0[0]), rtol=1e-14)
    assert np.allclose(grads.x, np.convolve(g0, w0, "same") + g0, rtol=1e-14)


def test_a_size_that_a_number_of_times_is_shown_is_read_off():
    net = Network("halves", "The product of two halves of each row")
    N, E = net.sizes("N E")
    D = net.size("D", 2 * E)
    w = net.parameter("w", N, D)
    n, e = net.indices(n=N, e=E)
    net.loss = Sum(w[n, e] * w[n, E + e], n, e)
    run = lambdify(net.backward())
    w0 = np.random.default_rng(0).normal(size=(3, 4))
    loss, grads = run(w0)
    assert np.isclose(loss, np.sum(w0[:, :2] * w0[:, 2:]), rtol=1e-14)
    assert np.allclose(grads.w, np.roll(w0, 2, axis=1), rtol=1e-14)
    with pytest.raises(ValueError, match=r"D is 3; expected 2 \* E = 2"):
        run(w0[:, :3])


def test_names_of_modules_own_helpers_may_be_a_network_s():
    net = Network("names", "Attention's value, what is expected, and the like")
    N, D, K = net.sizes("N D K")
    value, params, case = net.parameter("value", D), net.input("params", N, D), net.labels("case", N, classes=D)
    match = net.define("match", params @ value)
    net.loss = total((match - net.input("expected", N)) ** 2) / K + total(value[case])
    for style in ("plain", "fast", "compiled"):
        module = lambdify(net.backward(), style).module
        rows, labels = np.arange(6.0).reshape(3, 2), np.array([0, 1, 1])
        loss, gradients = module.loss_and_grads(value=np.ones(2), params=rows, case=labels, expected=np.zeros(3), K=2)
        assert loss == (1 + 25 + 81) / 2 + 3 and np.array_equal(gradients.value, rows.T @ [1, 5, 9] + [1, 2])
