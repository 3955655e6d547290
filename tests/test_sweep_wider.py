"""What sweeps of products with Hessians and of the wider stream found, each in the smallest program that has it."""

import pytest
from sympy import Abs, Max, Piecewise, Sum, floor, log, sqrt, tanh

from derive import FirstMaximum, Maximum, Network, Product, padded, sigmoid

pytest.importorskip("tests.torch_programs", reason="PyTorch is an extra", exc_type=ImportError)

from tests import sweep_judges

SIZES = {"A": 4, "B": 3, "C": 3}


def others_of_a_product():
    """The product of the others is a product, whose derivative needs the product of the others of those."""
    net = Network("others")
    A = net.size("A")
    w = net.parameter("w", A)
    [a] = net.indices(a=A)
    v = net.define("v", Product(Abs(w[A - 1 - a]) + w[a] ** 2, a), over=())
    net.loss = v**2
    return net


def a_read_in_a_choice():
    """Only the branch that reads it knows that a row is in its range; its tangent stands there too."""
    net = Network("choice")
    A = net.size("A")
    w, v = net.parameter("w", A), net.parameter("v", A)
    [a] = net.indices(a=A)
    value = Piecewise((padded(w)[a - 1] * v[0], a >= 1), (padded(v)[a + 1] ** 2, True))
    z = net.define("z", value, over=a)
    twice = (Piecewise((w[a + 1], a <= A - 2), (w[a], True)) + padded(w)[a + 1] * v[0]) * v[a]
    y = net.define("y", twice, over=a)
    x = net.define("x", tanh(value + w[a]), over=a)
    net.loss = Sum(tanh(z[a]) ** 2 + y[a] ** 3 + x[a] ** 2, a)
    return net


def a_choice_in_a_system():
    """The right-hand side of a system is a choice."""
    net = Network("system")
    A = net.size("A")
    w, v = net.parameter("w", A), net.parameter("v", A)
    a, a2 = net.indices(a=A, a2=A)
    y = net.unknown("y", A)
    given = Piecewise((2 * w[a], a >= 1), (w[floor(a / 2)], True))
    net.implicitly(y, y[a] - given - Sum(tanh(v[a2]) * y[a2], a2) / (2 * A), over=a)
    net.loss = Sum(y[a] ** 2, a)
    return net


def a_logarithm_of_an_index():
    """Halves are added up in pairs; the second of the last pair may not be there, and nor is its logarithm."""
    net = Network("logarithm")
    A = net.size("A")
    w, v = net.parameter("w", A), net.parameter("v", A)
    [a] = net.indices(a=A)
    z = net.define("z", (log(A - a) + sqrt(A - 1 - a) + 1 / (A - a) + v[a]) * w[floor(a / 2)], over=a)
    net.loss = Sum(z[a] ** 2, a)
    return net


def a_condition_on_labels():
    """What is not there has no label either, by which a branch is chosen."""
    net = Network("labels")
    A, B = net.sizes("A B")
    w, u, y = net.parameter("w", A), net.parameter("u", B), net.labels("y", A, classes=B)
    [a] = net.indices(a=A)
    v = net.define("v", w[a] ** 2, over=a)
    t = net.define("t", v[floor(a / 2)] * Piecewise((w[a] * u[0], y[a] >= 1), (u[B - 1], True)), over=a)
    s = net.define("s", v[floor(a / 2)] * Piecewise((w[a], y[a] >= 1), (0, True)), over=a)
    net.loss = Sum(t[a] ** 2 + s[a] ** 2, a)
    return net


def a_power_by_twice_a_size():
    """2 A - 2 and (2 w)^A are printed as they are: no end was found of the 2 before them."""
    net = Network("power")
    A = net.size("A")
    w = net.parameter("w")
    net.loss = (2 * w) ** A + (2 * A - 2) * w ** (2 * A) / A
    return net


def a_zero_beside_a_read():
    """The adjoint of z is 0 where z is, but u is not to be read there."""
    net = Network("zero")
    A = net.size("A")
    w, u = net.parameter("w", A), net.parameter("u", A)
    [a] = net.indices(a=A)
    v = net.define("v", w[a] ** 2, over=a)
    z = net.define("z", padded(u)[a + 1] * v[a], over=a)
    net.loss = Sum(z[a] ** 2, a)
    return net


def a_power_by_an_index():
    """What is not there has no power either: 0 to the power -1."""
    net = Network("index")
    A = net.size("A")
    w = net.parameter("w", A)
    [a] = net.indices(a=A)
    net.loss = Sum(Max(0, w[floor(a / 2)]) ** (A - a), a)
    return net


def a_choice_of_one_value():
    """Both branches are one read: the maximum is over an index that it has no more."""
    net = Network("one")
    A, C = net.sizes("A C")
    w = net.parameter("w")
    a, c = net.indices(a=A, c=C)
    v = net.define("v", w * Maximum(Piecewise((w, c >= 1), (w, True)), c), over=a)
    net.loss = Sum(v[a] ** 2, a)
    return net


def a_sum_in_the_adjoint_of_a_state():
    """The adjoint of h is a product with a sum, in the row -1 too."""
    net = Network("state")
    A, C = net.sizes("A C")
    w, v = net.parameter("w"), net.parameter("v", A, C)
    a, c = net.indices(a=A, c=C)
    h = net.state("h", A, initial=w**2)
    net.define(h, tanh(h[a - 1] + v[a, 0]), over=a)
    z = net.define("z", w * h[floor(a / 2)] * v[a, c], over=(a, c))
    net.loss = Sum(z[a, c] ** 2, a, c) + h[A - 1]
    return net


def rows_backwards_beside_halves():
    """Rows from the last to the first, down to one that may be the first, of columns that floors tell."""
    net = Network("backwards")
    A = net.size("A")
    w, v = net.parameter("w", A, A), net.parameter("v", A)
    [a] = net.indices(a=A)
    z = net.define("z", w[A - 1 - a, floor(a / 2)] * v[floor(a / 2)], over=a)
    net.loss = Sum(z[a] ** 2 * (a + 1), a)
    return net


def labels_in_a_loop():
    """In a turn one label chooses the row, and each column has its half."""
    net = Network("loop")
    A, B, C = net.sizes("A B C")
    w, y = net.parameter("w", B, C), net.labels("y", A, classes=B)
    a, c = net.indices(a=A, c=C)
    h = net.state("h", A, C, initial=w[0, c])
    net.define(h, tanh(h[a - 1, c] + w[y[a], floor(c / 2)]), over=(a, c))
    net.loss = Sum(h[a, c] ** 2, a, c)
    return net


def a_row_after_the_largest():
    """The place of a maximum tells a row, and the next may not be there."""
    net = Network("largest")
    A, C = net.sizes("A C")
    w, u = net.parameter("w", C), net.parameter("u")
    a, c = net.indices(a=A, c=C)
    v = net.define("v", w[c] * u, over=(a, c))
    m = net.define("m", FirstMaximum(padded(v)[A - 1, c + 1], c), over=())
    net.loss = m**2
    return net


def rows_under_two_conditions():
    """The row -1 of a recurrence is another, and where the last row ends is told too: both bound what is added."""
    net = Network("bounded")
    A, C = net.sizes("A C")
    w, u = net.parameter("w", A), net.parameter("u")
    [c] = net.indices(c=C)
    v = net.define("v", u * w[A - 1], over=())
    h = net.state("h", C, initial=1 / (w[0] ** 2 + 1))
    net.define(h, (v**2 + Piecewise((v, c >= 1), (u, True))) * h[c - 1] / 2 + 1, over=c)
    net.loss = Sum(h[c] ** 2, c)
    return net


def halves_that_end_early():
    """Twice as many halves as there are entries, and some more: floor(b/2) < A is a condition on whole numbers."""
    net = Network("halves")
    A, B = net.sizes("A B")
    w, u = net.parameter("w", A), net.parameter("u", 3 * B)
    [b] = net.indices(b=3 * B)
    cubes = Piecewise((w[floor(b / 2)] ** 3, floor(b / 2) < A), (u[b] ** 2, True))
    net.loss = Sum(u[b] * padded(w)[floor(b / 2)] ** 2 + cubes, b)
    return net


def zeros_beside_an_adjoint_of_nothing():
    """What is linear is not computed for the product with a Hessian, and its adjoint has a shape all the same."""
    net = Network("linear")
    A, C = net.sizes("A C")
    w, u = net.parameter("w", A), net.parameter("u")
    a, c = net.indices(a=A, c=C)
    v = net.define("v", w[A - 1] * (c + 1), over=(a, c))
    z = net.define("z", u + v[0, floor(c / 2)], over=c)
    net.loss = Sum(z[c] ** 2, c)
    return net


def a_gradient_that_is_another():
    """What is linear is not computed, and a gradient that is its adjoint is a copy."""
    net = Network("copied")
    A = net.size("A")
    w, u = net.parameter("w", A), net.parameter("u")
    [a] = net.indices(a=A)
    v = net.define("v", u + w[0], over=())
    net.loss = 2 * v**2 + Sum(w[a] ** 2, a)
    return net


def a_function_of_a_state_and_its_row():
    """The adjoint of h begins at the row -1, and what it reads by name, and the row that is in it too, at 0."""
    net = Network("row")
    A = net.size("A")
    w, u = net.parameter("w", A), net.parameter("u")
    a, a2 = net.indices(a=A, a2=A)
    h = net.state("h", A, initial=u)
    net.define(h, tanh(w[a] + h[a - 1]), over=a)
    v = net.unknown("v", A)
    net.implicitly(v, v[a] - tanh(a / 7 + sigmoid(h[a]) ** 2) - Sum(tanh(u) * v[a2], a2) / (2 * A), over=a)
    net.loss = Sum(v[a] ** 2, a)
    return net


def a_read_in_two_choices():
    """Both factors choose; that whose derivative is 0 in some cases tells where the tangent of the read is there."""
    net = Network("twice")
    C = net.size("C")
    w = net.parameter("w", C)
    [c] = net.indices(c=C)
    v = net.define("v", w[c] ** 2, over=c)
    last = Piecewise((v[C - 1 - c], c >= 1), (padded(v)[c + 1], True))
    z = net.define("z", (padded(v)[c + 1] - v[floor(c / 2)]) * last, over=c)
    net.loss = Sum(z[c] ** 2, c)
    return net


def a_root_read_from_the_last_row():
    """What has the name of the root has its own indices, c and c2, where c stands in the other place of the read."""
    net = Network("root")
    C = net.size("C")
    w, u = net.parameter("w", C, C), net.parameter("u")
    [c] = net.indices(c=C)
    h = net.state("h", C, initial=u)
    net.define(h, tanh(sqrt(w[C - 1 - c, c]**2 + 1) * w[C - 1 - c, C - 1 - c] + h[c - 1]), over=c)
    net.loss = Sum(h[c]**2, c)
    return net


FOUND = (others_of_a_product, a_read_in_a_choice, a_choice_in_a_system, a_logarithm_of_an_index, a_condition_on_labels,
         a_power_by_twice_a_size, a_zero_beside_a_read, a_choice_of_one_value,
         a_sum_in_the_adjoint_of_a_state, rows_backwards_beside_halves, labels_in_a_loop,
         a_row_after_the_largest, rows_under_two_conditions, halves_that_end_early, zeros_beside_an_adjoint_of_nothing,
         a_gradient_that_is_another, a_function_of_a_state_and_its_row,
         a_read_in_two_choices, a_root_read_from_the_last_row)


@pytest.mark.parametrize("network", FOUND, ids=lambda f: f.__name__)
def test_what_a_sweep_found_stays_mended(network):
    sweep_judges.judge(network(), SIZES, judges=("torch", "products"))


def test_a_power_by_an_index_counts_where_it_is():
    sweep_judges.judge(a_power_by_an_index(), SIZES, judges=("torch",))
