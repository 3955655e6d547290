"""Slips in loops, and those of several places or things at once: told by what should stand there."""

import numpy as np
import pytest
from sympy import Max, Min, Rational, Sum, exp, sqrt, tanh

from codegen.doctor import diagnose, leaves
from codegen.doctor.evidence import Evidence, Seen
from codegen.doctor.patient import Answer
from codegen.doctor.trials import Point, points
from derive import FirstMaximum, Network, mean, total
from tests.coursework.editing import edited
from tests.test_repairs import classifier, examined, mine, tanh_units


def pooling():
    net = Network("pooling", "The largest of each 2 by 2 entries, weighted")
    N, A, B = net.size("N"), 3, 2
    x, G = net.parameter("x", N, 2 * A, 2 * B), net.input("G", N, A, B)
    n, a, b, p, q = net.indices(n=N, a=A, b=B, p=2, q=2)
    net.loss = total(net.define("P", FirstMaximum(x[n, 2 * a + p, 2 * b + q], p, q), over=(n, a, b)) * G)
    return net


def pooled(x, G):
    step, size, P, dx = 2, 2, np.zeros(G.shape), np.zeros_like(x)
    for n in range(G.shape[0]):
        for a in range(G.shape[1]):
            for b in range(G.shape[2]):
                P[n, a, b] = x[n, a * step:a * step + size, b * step:b * step + size].max()
    for n in range(G.shape[0]):
        for a in range(G.shape[1]):
            for b in range(G.shape[2]):
                top = a * step
                left = b * step
                window = x[n, top:top + size, left:left + size]
                dx[n, top:top + size, left:left + size] += (window == window.max()) * G[n, a, b]
    return np.sum(P * G), dx


FORGOTTEN = [("top = a * step", "top = a"), ("left = b * step", "left = b")]
IN_SLICES = [("                top = a * step\n                left = b * step\n", ""),
             ("window = x[n, top:top + size, left:left + size]", "window = x[n, a:a + size, b:b + size]"),
             ("dx[n, top:top + size, left:left + size] +=", "dx[n, a:a + size, b:b + size] +=")]

AT_ONE = [("dx[n, top:top + size, left:left + size] += (window == window.max()) * G[n, a, b]",
           "p, q = np.unravel_index(window.argmax(), window.shape)\n                dx[n, a + p, b + q] += G[n, a, b]")]


@pytest.mark.parametrize(("edits", "told"), [
    (AT_ONE, "`dx[n, a + p, b + q]` should be `dx[n, "),
    (FORGOTTEN, "`left = b` should be `left = b * "), (IN_SLICES, "`b:b + size` should be `b * "),
])
def test_a_stride_that_is_forgotten_on_the_way_back(edits, told):
    [found], _ = examined(pooling(), edited(pooled, *edits))
    assert "is forgotten" in found.words and told in found.words, found


def by_entries(x, G):
    P, dx = np.zeros(G.shape), np.zeros_like(x)
    for a, b in np.ndindex(G.shape[1:]):
        window = x[:, 2 * a:2 * a + 2, 2 * b:2 * b + 2]
        P[:, a, b] = window.max(axis=(1, 2))
        for p in range(2):
            for q in range(2):
                for n in range(len(x)):
                    if x[n, 2 * a + p, 2 * b + q] == P[n, a, b]:
                        dx[n, 2 * a + p, 2 * b + q] = G[n, a, b]
    return np.sum(P * G), dx


def test_a_loop_that_is_left_too_early():
    assert diagnose(pooling(), by_entries).right
    line = "dx[n, 2 * a + p, 2 * b + q] = G[n, a, b]\n"
    [found], _ = examined(pooling(), edited(by_entries, (line, f"{line}                        break\n")))
    assert "`break` does not belong there" in found.words


def units():
    net = Network("units", "Two layers of tanh units, one example, half the squared error")
    D, H, C = net.sizes("D H C")
    U, V, x, y = net.parameter("U", H, D), net.parameter("V", C, H), net.input("x", D), net.input("y", C)
    net.loss = total((tanh(V @ tanh(U @ x)) - y) ** 2) / 2
    return net


def test_a_sum_that_is_not_begun_anew_at_each_turn():
    slipped = edited(tanh_units, ("error = 0.0\n", "error = 0.0\n            rows = V\n"), ("zip(V, ", "zip(rows, "))
    [found], _ = examined(units(), slipped)
    assert "`error = 0.0` is missing at the beginning of each turn of the loop" in found.words, found


class Unit:
    """A tanh layer that adds up errors and slopes until it is cleared."""

    def __init__(self, W):
        self.W, self.dW, self.loss = W, np.zeros_like(W), 0.0
        self.clear()

    def clear(self):
        self.errors, self.slopes = np.zeros(len(self.W)), np.zeros(len(self.W))

    def forward(self, x, y):
        self.x, out = x, np.tanh(self.W @ x)
        self.loss += np.sum((out - y) ** 2)
        self.errors += 2 * (out - y)
        self.slopes += 1 - out**2

    def backward(self):
        self.dW += np.outer(self.errors * self.slopes, self.x)


def by_examples(W, X, Y):
    layer = Unit(W)
    for x, y in zip(X, Y, strict=True):
        layer.clear()
        layer.forward(x, y)
        layer.backward()
    return layer.loss, layer.dW


def test_what_is_not_set_back_between_examples():
    net = Network("layer", "A tanh layer, the sum of the squared errors")
    N, D, H = net.sizes("N D H")
    W, X, Y = net.parameter("W", H, D), net.input("X", N, D), net.input("Y", N, H)
    net.loss = total((tanh(X @ W.T) - Y) ** 2)
    assert diagnose(net, by_examples).right
    [found], _ = examined(net, edited(by_examples, ("        layer.clear()\n", "")))
    assert "`layer.clear()` is missing at the beginning of each turn of the loop" in found.words, found


def steps(c, y, g):
    loss, dc = np.sum(g * (c[y + 2] - c[y + 1]) ** 2), np.zeros_like(c)
    for n, k in enumerate(y):
        lower = k + 1
        upper = k + 2
        slope = 2 * g[n] * (c[k + 2] - c[k + 1])
        dc[upper] += slope
        dc[lower] -= slope
    return loss, dc


def test_two_indices_that_are_both_off():
    net = Network("steps", "Differences of neighbours, squared")
    N, K = net.sizes("N K")
    c, y, g = net.parameter("c", K + 3), net.labels("y", N, classes=K), net.input("g", N)
    [n] = net.indices(n=N)
    net.loss = Sum(g[n] * (c[y[n] + 2] - c[y[n] + 1]) ** 2, n)
    [found], _ = examined(net, edited(steps, ("lower = k + 1", "lower = k"), ("upper = k + 2", "upper = k + 3")))
    assert "two indices are off: `lower = k` should be `lower = k + 1`" in found.words, found


def unpacked(x, g):
    cache = (x, (2.0, 3.0))
    (kept, (a, b)) = cache
    first = a * g
    second = 2 * b * g * kept
    return np.sum(g * (2 * x + 3 * x**2)), first + second


def turned(J, W, S, V):
    loss = np.sum(V * (J @ W @ S @ W.T @ J.T))
    return loss, V @ J @ (W @ S.T @ W.T) + V.T @ J @ (W @ S @ W.T)


def normalised(x, g):
    columns = x.shape[1]
    sd = x.std(axis=1, keepdims=True)
    u = (x - x.mean(axis=1, keepdims=True)) / sd
    first, second = g.sum(axis=1, keepdims=True), (g * u).sum(axis=1, keepdims=True)
    return np.sum(g * u), (g - first / columns - u * second / columns) / sd


def scaled(x, gamma, g):
    c = x - x.mean(axis=1, keepdims=True)
    s = np.sqrt(np.mean(c * c, axis=1, keepdims=True))
    kept, dkept = c / s, g * gamma
    dx = (dkept - dkept.mean(axis=1, keepdims=True) - kept * (dkept * kept).mean(axis=1, keepdims=True)) / s
    return np.sum(dkept * c / s), dx, np.sum(g * kept, axis=0)


def by_turns(w, X, g):
    kept, loss, dw = [], 0.0, np.zeros_like(w)
    for n in range(len(X)):
        a = np.tanh(X[n] @ w)
        kept.append((n, a))
        loss += g[n] * a
    for n in range(len(X)):
        dw += g[n] * (1 - kept[n][1] ** 2) * X[n]
    return loss, dw


def of_a_norm(w, g, rate):
    return rate * np.sum(w**2) / 2 + np.sum(g * w), g + rate * w


def softmax_of_all(x, g):
    p = np.exp(x) / np.exp(x).sum()
    return np.sum(p * g), p * (g - np.sum(p * g))


def clamped(t, g):
    inside = np.abs(t) <= 0.5
    return np.sum(g * t * np.clip(t, -0.5, 0.5)), g * (1 + inside) * np.clip(t, -0.5, 0.5)


def in_windows(x, b, g):
    loss, dx, db = 0.0, np.zeros_like(x), 0.0
    for k in range(len(g)):
        window = x[2 * k:2 * (k + 1)] + b
        at = np.argmax(window)
        loss += g[k] * window[at]
        dx[2 * k + at] += g[k]
        db += g[k]
    return loss, dx, np.sum(dx)


def of_windows():
    net = Network("of_windows", "The largest of each pair, moved by a number")
    M = net.size("M")
    x, b, g = net.parameter("x", 2 * M), net.parameter("b"), net.input("g", M)
    k, i = net.indices(k=M, i=2)
    U = net.define("U", x[2 * k + i] + b, over=(k, i))
    net.loss = Sum(g[k] * FirstMaximum(U[k, i], i), k)
    return net


def of_two_numbers():
    net = Network("of_two_numbers")
    N = net.size("N")
    x, g = net.parameter("x", N), net.input("g", N)
    net.loss = total(g * (2 * x + 3 * x**2))
    return net


def by_sets(W, X, g):
    logits = np.tanh(X @ W)
    cache = {"Z": X @ W, "A": logits}
    dW = np.zeros_like(W)
    rows = X[0]
    for n in range(len(X)):
        rows = X[n]
        dW += rows.T @ (g[n] * (1 - cache["A"][n] * cache["A"][n]))
    return np.sum(g * np.tanh(cache["Z"])), dW


def in_other_axes():
    net = Network("in_other_axes", "A covariance turned to other axes, projected")
    J, W, S, V = net.parameter("J", 2, 3), net.input("W", 3, 3), net.input("S", 3, 3), net.input("V", 2, 2)
    net.loss = total(V * (J @ (W @ S @ W.T) @ J.T))
    return net


def of_sets():
    net = Network("of_sets", "Units of sets of examples, weighted")
    N, M, D, H = net.sizes("N M D H")
    W, X, g = net.parameter("W", D, H), net.input("X", N, M, D), net.input("g", N, M, H)
    n, m, d, h = net.indices(n=N, m=M, d=D, h=H)
    Z = net.define("Z", Sum(X[n, m, d] * W[d, h], d), over=(n, m, h))
    net.loss = total(g * tanh(Z))
    return net


def by_rows():
    net = Network("by_rows", "Rows without their means, over their deviations")
    N, D = net.sizes("N D")
    x, g = net.parameter("x", N, D), net.input("g", N, D)
    c = net.define("c", x - mean(x, axis=1, keepdims=True))
    net.loss = total(g * c / sqrt(mean(c**2, axis=1, keepdims=True)))
    return net


def of_scaled_rows():
    net = Network("of_scaled_rows", "Rows without their means, over their deviations, scaled")
    N, D = net.sizes("N D")
    x, gamma, g = net.parameter("x", N, D), net.parameter("gamma", D), net.input("g", N, D)
    c = net.define("c", x - mean(x, axis=1, keepdims=True))
    u = net.define("u", c / sqrt(mean(c**2, axis=1, keepdims=True)))
    net.loss = total(g * gamma * u)
    return net


def of_turns():
    net = Network("of_turns")
    N, D = net.sizes("N D")
    w, X, g = net.parameter("w", D), net.input("X", N, D), net.input("g", N)
    net.loss = total(g * tanh(X @ w))
    return net


def penalised():
    net = Network("penalised")
    N = net.size("N")
    w, g, rate = net.parameter("w", N), net.input("g", N), net.input("rate")
    net.loss = rate * total(w**2) / 2 + total(g * w)
    return net


def of_a_softmax():
    net = Network("of_a_softmax", "The softmax of a whole array, weighted")
    N, D = net.sizes("N D")
    x, g = net.parameter("x", N, D), net.input("g", N, D)
    e = net.define("e", exp(x))
    net.loss = total(e / total(e) * g)
    return net


def of_a_clamp():
    net = Network("of_a_clamp", "A number times itself, clamped")
    N, most = net.size("N"), Rational(1, 2)
    t, g = net.parameter("t", N), net.input("g", N)
    [n] = net.indices(n=N)
    net.loss = Sum(g[n] * t[n] * Max(Min(t[n], most), -most), n)
    return net


@pytest.mark.parametrize(("network", "function", "edit", "told"), [
    (of_two_numbers, unpacked, ("(kept, (a, b)) =", "(kept, (b, a)) ="), "should be `(kept, (a, b))`"),
    (in_other_axes, turned, ("V.T @ J @ (W @ S @ W.T)", "V.T @ J @ S"), "the product with W is missing"),
    (of_a_clamp, clamped, ("(1 + inside)", "2"), "`2` should be `1 + inside`"),
    (of_windows, in_windows, ("dx[2 * k + at]", "dx[at]"), "`dx[2 * k + at]`: it is counted from 2 * k"),
    (of_turns, by_turns, ("kept[n][1]", "a"), "`a` should be `kept[n][1]`"),
    (of_sets, by_sets, ("        rows = X[n]\n", ""), "each has its own, `rows = X[n]`"),
    (of_sets, by_sets, ('cache["A"][n] * cache["A"][n]', 'cache["Z"][n] * cache["Z"][n]'),
     "cache['Z'] is read where logits should be"),
], ids=lambda value: getattr(value, "__name__", ""))
def test_one_line_that_was_edited_is_told(network, function, edit, told):
    assert diagnose(network(), function).right
    [found], _ = examined(network(), edited(function, edit))
    assert told in found.words, found


@pytest.mark.parametrize(("network", "function", "edit", "told"), [
    (by_rows, normalised,
     ("first / columns - u * second / columns", "first / (len(x) * columns) - u * second / (len(x) * columns)"),
     "len(x) * columns is read where columns should be"),
    (of_scaled_rows, scaled, ("kept, dkept = c / s,", "kept, dkept = c,"),
     "c is read where u should be, in dgamma and dx"),
    (penalised, of_a_norm, ("g + rate * w", "g + rate * w / np.sqrt(np.sum(w**2))"),
     "dw has rate w/|w| where rate w should be: of the penalty, the norm is not squared"),
    (penalised, of_a_norm, ("g + rate * w", "g - rate * w / (rate * len(w))"),
     "dw: rate * w[n] is -1 / (N * rate) times what it should be"),
    (of_a_softmax, softmax_of_all, ("p * (g - np.sum(p * g))", "p * g * (1 - p)"),
     "dx: the softmax's Jacobian is its diagonal only"),
], ids=lambda value: getattr(value, "__name__", ""))
def test_a_mistake_is_told_in_the_words_of_who_made_it(network, function, edit, told):
    assert diagnose(network(), function).right
    found = diagnose(network(), edited(function, edit), seconds=15)
    assert found.verdict == "wrong" and len(found.findings) == 1 and told in str(found), str(found)


def test_a_line_beside_a_gradient_that_is_told_by_itself():
    slipped = edited(mine, ('"b": db', '"b": 0 * db'), ("+= d *", "+= np.sin(5 * d + a.sum()) *"))
    told = str(diagnose(classifier(), slipped, seconds=8))
    assert "db is zero everywhere" in told and "np.sin(5 * d + a.sum())" in told


def test_a_faint_gradient_elsewhere_is_measured_against_its_usual_size():
    net = Network("faint")
    N = net.size("N")
    w, x = net.parameter("w", N), net.input("x", N)
    net.loss = total(w * x)
    first = points(net.backward())[0]
    evidence = Evidence(first.program, [Seen(first, Answer(0.0, {"w": first.arguments["x"]}))])
    faint = Point("elsewhere", first.program, first.sizes, {**first.arguments, "x": 1e-12 * first.arguments["x"]})
    for more, wrong in ((1e-16, []), (1e-6, ["w"])):
        seen = Seen(faint, Answer(0.0, {"w": faint.arguments["x"] + more}))
        assert evidence.beside(seen).wrong() == wrong


def test_more_of_a_regulariser_than_the_loss_has():
    for network, words in ((penalised, "its regulariser is there more than once, or of another size"),
                           (of_sets, "a regulariser that the network's loss does not have")):
        seen = []
        for point in points(network().backward())[:3]:
            [(name, own)] = point.ours.gradients().items()
            more = np.sqrt(own.size) * point.arguments[name]
            seen.append(Seen(point, Answer(0.0, {name: own + more})))
        assert words in leaves.relation(Evidence(seen[0].point.program, seen), name)


def test_what_is_there_of_a_regulariser_is_told_where_it_has_a_name():
    program, seen = penalised().backward(), []
    for point in points(program):
        rate, w = point.arguments["rate"], point.arguments["w"]
        given = point.ours.gradients()["w"] - rate * w - w / len(w)
        seen.append(Seen(point, Answer(gradients={"w": given})))
    told = leaves.relation(Evidence(program, seen), "w")
    assert told == "has -1/(N rate) times the term rate * w[n] of the regulariser, not that itself"
