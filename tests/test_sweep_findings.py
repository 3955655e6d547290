"""What sweeps of random programs found, each fault in the smallest program that has it; PyTorch is the judge."""

import numpy as np
import pytest
from sympy import Abs, Max, Piecewise, Rational, Sum, exp, log, sqrt, tanh

import codegen
from derive import (
    FirstMaximum,
    Maximum,
    Network,
    concatenate,
    logsumexp,
    mean,
    padded,
    relu,
    sigmoid,
    softmax,
    softplus,
    total,
)
from derive.activations import hardsigmoid, hardswish, relu6, softshrink
from derive.hessians import hessian_vector_product
from derive.losses import huber

pytest.importorskip("tests.torch_programs", reason="PyTorch is an extra", exc_type=ImportError)

from tests import sweep, sweep_judges


def _first_row_shifted(shift):
    """The first row of a state reads an array at shifted places."""
    net = Network("first_row")
    A, C = net.sizes("A C")
    a, c = net.indices(a=A, c=C)
    w, v = net.parameter("w", C), net.parameter("v", A)
    h = net.state("h", A, C, initial=padded(w)[c + shift])
    net.define(h, tanh(h[a - 1, c] + v[a]), over=(a, c))
    net.loss = Sum(h[a, c] ** 2, a, c)
    return net


def _last_row_unset():
    """What counts at all turns but the last is known before the loop; the last row holds nothing then."""
    net = Network("last_row")
    A = net.size("A")
    (a,) = net.indices(a=A)
    w, v = net.parameter("w", A), net.parameter("v")
    h = net.state("h", A, initial=v)
    net.define(h, padded(w)[a + 1] * Sum(w[a], a) + sigmoid(h[a - 1]) * h[a - 1], over=a)
    net.loss = Sum(h[a] ** 2, a)
    return net


def _another_recurrence():
    """A recurrence reads another one, finished before, at shifted places inside a function."""
    net = Network("another")
    A, C = net.sizes("A C")
    a, c = net.indices(a=A, c=C)
    w = net.parameter("w", A, C)
    g = net.state("g", A, C, initial=w[0, c])
    net.define(g, tanh(g[a - 1, c] + w[a, c]), over=(a, c))
    h = net.state("h", A, C, initial=w[A - 1, c])
    net.define(h, tanh(relu(padded(g)[a - 1, c - 1]) + h[a - 1, c]), over=(a, c))
    net.loss = Sum(h[a, c] ** 2, a, c)
    return net


def _function_of_a_scalar(function):
    """A function of a parameter without axes is a factor of what is summed."""
    net = Network("scalar")
    A = net.size("A")
    (a,) = net.indices(a=A)
    w, u, x = net.parameter("w"), net.parameter("u"), net.input("x", A)
    v = net.define("v", padded(x)[a + 1] * x[a] * u * function(w), over=a)
    net.loss = Sum(v[a] ** 2, a)
    return net


def _strided(name):
    """Return a network, its sizes A and B, where a strided convolution reads, and the indices of that place."""
    net = Network(name)
    A, B = net.sizes("A B")
    P = net.size("P", least=0)
    I = net.size("I", (A + 2 * P - B) // 2 + 1)
    b, i = net.indices(b=B, i=I)
    return net, A, B, 2 * i + b - P, (b, i)


def _labels_of_the_row_below():
    """The adjoint reads labels at the next place, which the last row does not have."""
    net = Network("labels")
    A, B = net.sizes("A B")
    (a,) = net.indices(a=A)
    u, w, y = net.parameter("u", A), net.parameter("w", B), net.labels("y", A, classes=B)
    v = net.define("v", padded(u)[a - 1] * w[y[a]], over=a)
    net.loss = Sum(v[a] ** 2, a)
    return net


def _diagonal_of_windows():
    """Both positions of a read are the same sum of indices."""
    net, A, _, place, (b, i) = _strided("diagonal")
    w = net.parameter("w", A, A)
    v = net.define("v", padded(w)[place, place], over=(b, i))
    net.loss = Sum(v[b, i] ** 2, b, i)
    return net


def _slope_of_windows():
    """One position is a sum of indices, another one of them reversed."""
    net, A, B, place, (b, i) = _strided("slope")
    w = net.parameter("w", A, B)
    v = net.define("v", padded(w)[place, B - 1 - b], over=(b, i))
    net.loss = Sum(v[b, i] ** 2, b, i)
    return net


def _sum_of_brackets():
    """Several entries of an array meet in one scalar: brackets are added to each other."""
    net = Network("brackets")
    C, B = net.sizes("C B")
    w, u = net.parameter("w", C, B), net.input("u", B)
    v = net.define("v", u[0] + w[0, 0] + 2 * w[0, B - 1])
    net.loss = v**2 + Max(v, 0) ** 2
    return net


def _windows_of_a_state():
    """A state has a row before the first, which windows of its adjoint leave out."""
    net, A, B, place, (b, i) = _strided("state_windows")
    (a,) = net.indices(a=A)
    w, k = net.parameter("w", A), net.input("k", B)
    h = net.state("h", A, initial=w[0])
    net.define(h, tanh(h[a - 1] + w[a]), over=a)
    v = net.define("v", Sum(padded(h)[place] * k[b], b), over=i)
    net.loss = Sum(v[i] ** 2, i)
    return net


def _two_conditions_on_a_row():
    """A term counts from row 1 on, and from row 0 on: the stronger condition holds."""
    net = Network("two_conditions")
    A = net.size("A")
    (a,) = net.indices(a=A)
    w, u = net.parameter("w", A), net.input("u", A)
    h = net.state("h", A, initial=u[0])
    net.define(h, tanh(h[a - 1] + w[a]), over=a)
    v = net.define("v", (h[a] * padded(h)[a - 1]) ** 2, over=a)
    net.loss = Sum(v[a] * u[a], a)
    return net


def _divided_by_what_is_padded():
    """0 divided by a row that is not there is no number."""
    net = Network("divided")
    A = net.size("A")
    (a,) = net.indices(a=A)
    w, u = net.parameter("w", A), net.input("u", A)
    v = net.define("v", padded(w)[a - 1] / u[a], over=a)
    net.loss = Sum(v[a] ** 2, a)
    return net


def _branches_that_read_outside():
    """Each branch of a choice reads rows that are there where it counts only."""
    net = Network("branches")
    A = net.size("A")
    (a,) = net.indices(a=A)
    w, u, x = net.parameter("w", A), net.parameter("u", A), net.input("x", A)
    h = net.state("h", A, initial=x[0])
    net.define(h, h[a - 1] * Piecewise((w[a], a >= 1), (u[A - 1 - a], True)) * padded(x)[a + 1] + x[a], over=a)
    net.loss = Sum(h[a] ** 2, a)
    return net


def _guard_in_a_branch():
    """The terms of a maximum count at some places, and the guard of one stands inside the choice of another."""
    net = Network("guard")
    A, C = net.sizes("A C")
    a, c = net.indices(a=A, c=C)
    w, u = net.parameter("w", A, C), net.parameter("u", A)
    v = net.define("v", Maximum(padded(u)[a + 1] + padded(w)[a, c - 1] * u[a], c), over=a)
    net.loss = Sum(v[a] ** 2, a)
    return net


def _mask_in_the_other_branch():
    """Where a condition does not hold, a masked sum reads the row before, which the first row has none of."""
    net = Network("other_branch")
    A, C = net.sizes("A C")
    a, c, k = net.indices(a=A, c=C, k=C)
    w = net.parameter("w", A, C)
    b = net.define("b", w**2, over=(a, c))
    v = net.state("v", A, C, initial=0)
    sums = Sum(Piecewise((exp(b[a - 1, k] - w[a, k] + v[a - 1, k]), k <= c), (0, True)), k)
    net.define(v, Piecewise((b[a, c], a < 1), (log(sums), True)), over=(a, c))
    net.loss = Sum(v[a, c] ** 2, a, c)
    return net


def _counted_down():
    """A semi-Markov chain: what is left of a stay goes down by one, and at its end all states send to each other."""
    net = Network("counted_down")
    A, B, C = net.sizes("A B C")
    a, b, c, k = net.indices(a=A, b=B, c=C, k=B)
    w, m = net.parameter("w", A, B), net.parameter("m", B, B)
    v = net.state("v", A, B, C, initial=0)
    g = net.define("g", Sum(tanh(v[a - 1, k, 0] + m[k, b]), k), over=(a, b))
    stay = log(exp(g[a, b] + m[b, 0]) + exp(v[a - 1, b, c + 1]))
    net.define(v, Piecewise((w[a, b], a < 1), (w[a, b] + g[a, b], c > C - 2), (w[a, b] + stay, True)), over=(a, b, c))
    net.loss = Sum(v[A - 1, b, c] ** 2, b, c)
    return net


def _labels_turned_round():
    """Labels of two axes lie along the axes of a sum the other way about."""
    net = Network("labels_turned")
    A, B, C = net.sizes("A B C")
    a, b, c = net.indices(a=A, b=B, c=C)
    w, y = net.parameter("w", A, B, C), net.labels("y", A, B, classes=C)
    (a2,) = net.indices(a2=A)
    v = net.define("v", Sum(w[a2, b, y[a, b]] ** 2, a2), over=(a, b))
    net.loss = Sum(v[a, b] * tanh(Sum(w[a, b, c], c)), a, b)
    return net


def _added_and_joined():
    """The adjoint of a joined array is one piece of it and another array, side by side."""
    net = Network("added")
    A, C = net.sizes("A C")
    w, v, u = net.parameter("w", A, C), net.parameter("v", C), net.parameter("u", 2 * C)
    z = net.define("z", w * 2)
    pre = net.define("pre", z + v)
    both = net.define("both", concatenate(z, pre * sigmoid(pre), axis=1))
    net.loss = total((both @ u) ** 2)
    return net


def _sides_of_a_maximum():
    """Where both sides of a maximum are one number but for rounding, one of them counts, not both and not none."""
    net = Network("sides")
    A = net.size("A")
    (a,) = net.indices(a=A)
    w, u = net.parameter("w", A), net.input("u", A)
    z = net.define("z", sigmoid(u[a]) * w[a] + (1 - sigmoid(u[a])) * relu(w[a]), over=a)
    net.loss = Sum(Max(w[a], z[a]), a) + Sum(Max(w[a], sigmoid(u[a]) * w[a] + (1 - sigmoid(u[a])) * relu(w[a])), a)
    return net


def _size_of_a_quotient():
    """SymPy cannot tell that a root is real, and writes the derivative of |x| with angles."""
    net = Network("size")
    A = net.size("A")
    w, u = net.parameter("w", A), net.parameter("u", A)
    net.loss = total(huber(w / sqrt(mean(w**2) + Rational(1, 10)), u))
    return net


def _condition_on_a_softmax():
    """A condition reads a log-sum-exp."""
    net = Network("condition")
    A = net.size("A")
    w, u = net.parameter("w", A), net.parameter("u", A)
    net.loss = total(hardsigmoid(softmax(w * 2)) * u)
    return net


def _difference_of_conditions():
    """NumPy subtracts no comparisons."""
    net = Network("difference")
    A, C = net.sizes("A C")
    w, u = net.parameter("w", A, C), net.parameter("u", A)
    v = net.define("v", w[0, 0] * u[0] - w[0, C - 1] * u[0])
    net.loss = v**2
    return net


def _rows_of_windows():
    """Labels choose the rows of windows."""
    net, A, B, place, (b, i) = _strided("rows")
    (a,) = net.indices(a=A)
    w, y = net.parameter("w", A, B), net.labels("y", A, classes=B)
    v = net.define("v", padded(w)[place, y[a]] ** 2, over=(a, b, i))
    net.loss = Sum(v[a, b, i], a, b, i)
    return net


def _joined_before_it_has_a_name():
    """What is joined is named at all rows of the whole, and reads its arrays at its own."""
    net = Network("joined")
    A, C = net.sizes("A C")
    x, w, u = net.input("x", A, C), net.parameter("w", C, C), net.parameter("u", 2 * C)
    both = net.define("both", concatenate(x, softmax(x @ w + u[0], 0), axis=1))
    net.loss = total((both @ u) ** 2)
    return net


def _windows_in_the_adjoint_of_a_state():
    """An adjoint has a row before the first, and so have the windows that it is made of."""
    net, A, B, place, (b, i) = _strided("adjoint_windows")
    C = net.size("C")
    a, c = net.indices(a=A, c=C)
    w, k = net.parameter("w", C, A), net.input("k", B)
    h = net.state("h", C, A, initial=w[0, a])
    net.define(h, tanh(h[c - 1, a] + w[c, a]), over=(c, a))
    v = net.define("v", sigmoid(padded(h)[0, place] + k[b]), over=(i, b))
    net.loss = Sum(v[i, b] ** 2, i, b)
    return net


def _state_that_does_not_wait():
    """All rows of a state but the first are one number."""
    net = Network("still")
    A = net.size("A")
    (a,) = net.indices(a=A)
    w = net.parameter("w")
    h = net.state("h", A, initial=w**2)
    net.define(h, 1 + 0 * h[a - 1], over=a)
    net.loss = Sum(h[a - 1] * w, a)
    return net


def _number_in_a_recurrence():
    """A variable that is a number has no dtype."""
    net = Network("number")
    A = net.size("A")
    (a,) = net.indices(a=A)
    w = net.parameter("w")
    v = net.define("v", Rational(1, 2))
    h = net.state("h", A, initial=v * w)
    net.define(h, tanh(v * w + h[a - 1]), over=a)
    net.loss = Sum(h[a] ** 2, a) + v
    return net


def _place_of_a_maximum():
    """Where the first maximum stands decides which branch has its gradient, and which row labels choose."""
    net = Network("place")
    A, B, C = net.sizes("A B C")
    a, a2, c = net.indices(a=A, a2=A, c=C)
    w, u, y = net.parameter("w", A), net.parameter("u", B), net.labels("y", A, classes=B)
    v = net.define("v", FirstMaximum(Piecewise((w[0], a >= 1), (w[a], True)), a) * w[0])
    z = net.define("z", FirstMaximum(u[y[a2]], a2) + w[0] * c, over=c)
    net.loss = v**2 + Sum(z[c] ** 2, c)
    return net


def _sum_that_vanishes():
    """What a sum adds is 0 once it is written stably."""
    net = Network("vanishes")
    A, C = net.sizes("A C")
    a, c = net.indices(a=A, c=C)
    w, u = net.parameter("w", C), net.parameter("u", A, C)
    s = net.define("s", sigmoid(u[a, c]), over=(a, c))
    t = net.define("t", w[c] * ((1 - s[a, c]) ** 2 - (1 - s[a, c]) * relu(1 - s[a, c])), over=(a, c))
    net.loss = Sum(t[a, c] + u[a, c] ** 2, a, c)
    return net


def _guard_times_a_read():
    """A branch multiplies what may leave its range by what is guarded."""
    net = Network("times")
    A, C = net.sizes("A C")
    a, c = net.indices(a=A, c=C)
    v, w = net.parameter("v", A), net.parameter("w", C)
    z = net.define("z", sqrt(1 + (exp(-v[a] ** 2) - padded(v)[a - 1] * padded(w)[c - 1]) ** 2), over=(a, c))
    net.loss = Sum(padded(z)[a + 1, c] ** 2, a, c)
    return net


def _size_of_a_read_backwards():
    """SymPy factors the sign out of a position inside |x|."""
    net = Network("backwards")
    A, C = net.sizes("A C")
    (a,) = net.indices(a=A)
    w = net.parameter("w", A, C)
    v = net.define("v", Abs(w[A - 1 - a, 0]) / C, over=a)
    net.loss = Sum(v[a] ** 2, a)
    return net


def _activation_of_an_activation():
    """SymPy makes conditions that are themselves choices: ITE."""
    net = Network("shrunk")
    A = net.size("A")
    Z = net.define("Z", 4 * net.parameter("w", A))
    Y = net.define("Y", hardswish(softshrink(Z)))
    net.loss = total((Y - logsumexp(Y)) ** 2)
    return net


def _padding_that_the_loop_asks_for_first():
    """The sigmoid is computed in the forward pass, and reads zeros around w that the adjoint's loop reads, too."""
    net = Network("both")
    C = net.size("C")
    w, v = net.parameter("w", C), net.input("v", C)
    [c] = net.indices(c=C)
    h = net.state("h", C, initial=w[0])
    net.define(h, padded(w)[c - 1] * padded(v)[c - 1] * sigmoid(padded(v)[c + 1]) * h[c - 1] + 1, over=c)
    net.loss = Sum(h[c] ** 2, c)
    return net


def _slices_added_to_the_row_before():
    """What a turn begins with is the row before, which is not to be changed."""
    net = Network("before")
    A, C = net.sizes("A C")
    v, w = net.parameter("v", A), net.parameter("w", A)
    a, c = net.indices(a=A, c=C)
    h = net.state("h", C, A, initial=w)
    net.define(h, tanh(padded(v)[a + 1] * w[A - 1 - a] * w[a] + h[c - 1, a]), over=(c, a))
    net.loss = Sum(h[c, a] ** 2, c, a)
    return net


def _shifted_by_one_backwards():
    """A read at one shifted index, and one that goes backwards, of windows with no taps."""
    net = Network("shifted")
    A, B = net.sizes("A B")
    (b,) = net.indices(b=B)
    u, w = net.parameter("u", A, B), net.parameter("w", B)
    v = net.define("v", Abs(padded(u)[0, b - 1] * w[-(b + 1 - B)]) + Sum(padded(w)[b - 1] - w[b], b), over=b)
    net.loss = Sum(v[b] ** 2, b)
    return net


NETWORKS = {
    "the row above": lambda: _first_row_shifted(-1),
    "the row below": lambda: _first_row_shifted(1),
    "the last row": _last_row_unset,
    "another recurrence": _another_recurrence,
    **{f.__name__: lambda f=f: _function_of_a_scalar(f) for f in (relu, sigmoid, softplus, exp)},
    **{f.__name__.strip("_"): f for f in (
        _labels_of_the_row_below, _diagonal_of_windows, _slope_of_windows, _sum_of_brackets, _windows_of_a_state,
        _two_conditions_on_a_row, _divided_by_what_is_padded, _branches_that_read_outside, _guard_in_a_branch,
        _mask_in_the_other_branch, _counted_down, _labels_turned_round, _added_and_joined, _sides_of_a_maximum,
        _size_of_a_quotient, _condition_on_a_softmax,
        _difference_of_conditions, _rows_of_windows, _joined_before_it_has_a_name,
        _windows_in_the_adjoint_of_a_state, _state_that_does_not_wait, _number_in_a_recurrence, _place_of_a_maximum,
        _sum_that_vanishes, _guard_times_a_read, _size_of_a_read_backwards, _activation_of_an_activation,
        _shifted_by_one_backwards, _padding_that_the_loop_asks_for_first,
        _slices_added_to_the_row_before)},
    "softplus of 0": lambda: _function_of_a_scalar(lambda w: w * softplus(0)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_a_sweep_found_stays_mended(name):
    sweep_judges.judge(NETWORKS[name](), {"A": 4, "B": 3, "C": 3, "P": 1, "I": 2}, judges=("torch", "differences"))
    sweep_judges.judge(NETWORKS[name](), {"A": 3, "B": 3, "C": 2, "P": 0, "I": 1}, judges=("torch",))


def test_a_product_with_the_hessian_of_a_recurrence_by_cases():
    sweep_judges.judge(_counted_down(), {"A": 3, "B": 2, "C": 2}, judges=("products",))


@pytest.mark.parametrize("rows", [1, 3])
def test_a_fast_product_with_the_hessian_where_rows_are_left_out(rows):
    """Of one row there are no others to add up; what is not counted in the first row is not divided by 0 there."""
    program = _mask_in_the_other_branch().program()
    sizes = {s: {"A": rows, "C": 2}[s.name] for s in program.sizes}
    given, along = (sweep_judges.arguments(program, sizes, seed)["w"] for seed in (0, 1))
    [product] = codegen.lambdify(hessian_vector_product(program), style="fast")(given, [along])
    theirs = sweep_judges.torch_programs.hessian_product(program, sizes, {"w": given}, {"w": along})["w"]
    assert np.allclose(product, theirs, rtol=1e-10)


def test_a_log_sum_exp_inside_another_has_a_name():
    """Seen in this program alone: smaller ones name what the outer one is taken of."""
    assert sweep.outcome(882)[:6] == "passed"


def test_the_referee_follows_a_place_through_labels():
    sweep_judges.judge(_place_of_a_maximum(), {"A": 3, "B": 2, "C": 2})


def test_the_referee_counts_a_term_as_often_as_it_is_read():
    """The maximum over the rows that labels choose, all of them equal: a row that is chosen twice has two shares."""
    net = Network("chosen")
    A, B = net.sizes("A B")
    (a,) = net.indices(a=A)
    (b,) = net.indices(b=B)
    w, y = net.parameter("w"), net.labels("y", A, classes=B)
    z = net.define("z", w**2, over=b)
    net.loss = Maximum(z[y[a]], a) ** 2
    for seed in range(4):
        sweep_judges.judge(net, {"A": 3, "B": 2}, seed=seed)


@pytest.mark.parametrize("rest", [True, False])
def test_conditions_have_their_own_indices_where_values_have(rest):
    """A piecewise function of what a mean over the batch normalises, read in a sum over it: naming had no end."""
    net = Network("clipped")
    A, B, C = net.sizes("A B C")
    X, w, V = net.input("X", A, B), net.parameter("w", B), net.parameter("V", B, C)
    Z = net.define("Z", X - mean(X, axis=0) + w)
    u = w * Z / sqrt(Rational(1, 10) + mean(Z**2, axis=0))
    Y = relu6(u) @ V
    net.loss = mean(abs(Y - 1)) if rest else mean(Y)
    for seed in range(3):
        sweep_judges.judge(net, {"A": 4, "B": 3, "C": 2}, seed=seed)


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_a_state_that_does_not_read_itself_is_read_at_its_last_row(style):
    """Its adjoint is filled outside a loop, at places of its own: the array lacked the initial row."""
    net = Network("shifted")
    A, C = net.sizes("A C")
    w, x, b = net.parameter("w"), net.parameter("x", A), net.parameter("b", C)
    c, a = net.indices(c=C, a=A)
    h = net.state("h", C, initial=w**2)
    net.define(h, tanh(b[c]), over=c)
    v = net.define("v", tanh(x[a] * h[C - 1]), over=a)
    net.loss = Sum(h[c] * h[c - 1], c) + Sum(v[a] ** 2, a)
    sweep_judges.judge(net, {"A": 4, "C": 3})
    given = {"w": 0.7, "x": np.linspace(-1, 1, 4), "b": np.array([0.3, -0.2, 0.5])}
    grads = codegen.lambdify(net.backward(), style=style)(*given.values())[1]
    h = np.concatenate([[0.49], np.tanh(given["b"])])
    v = np.tanh(given["x"] * h[3])
    dh = np.concatenate([h[1:], [0]]) + np.concatenate([[0], h[:-1]])
    dh[3] += 2 * v * (1 - v**2) @ given["x"]
    assert np.allclose(grads.b, dh[1:] * (1 - h[1:] ** 2)) and np.isclose(grads.w, dh[0] * 1.4)
