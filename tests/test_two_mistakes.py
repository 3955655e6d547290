"""Two mistakes of which each hides the other are told one by one; a chance match elsewhere is none."""

import numpy as np
import pytest
from sympy import Rational, Sum, exp, sqrt, tanh

from codegen.doctor import diagnose
from codegen.doctor.diagnosis import Finding
from codegen.doctor.evidence import Evidence, Seen
from codegen.doctor.judge import Judge
from codegen.doctor.pairs import adding_up, candidates
from codegen.doctor.patient import Patient
from codegen.doctor.repairs import Repairs
from codegen.doctor.subjects import subject
from codegen.doctor.trials import points
from derive import FirstMaximum, Network, mean, relu, sigmoid, softmax, total
from tests.coursework.editing import edited
from tests.test_repairs import examined


def network():
    net = Network("penalised")
    N, D = net.sizes("N D")
    w, X, y, lam = net.parameter("w", D), net.input("X", N, D), net.input("y", N), net.input("lam")
    net.loss = mean((net.define("a", tanh(X @ w)) - y) ** 2) + lam * total(w**2)
    return net


def by_hand(w, X, y, lam):
    a = np.tanh(X @ w)
    loss = np.mean((a - y) ** 2) + lam * np.sum(w * w)
    e = 2 * (a - y) / len(y)
    dz = e * (1 - a**2)
    return loss, X.T @ dz + 2 * lam * w


def test_the_code_is_right_as_it_is():
    assert diagnose(network(), by_hand).right


@pytest.mark.parametrize(("edits", "told"), [
    ([("(a - y) / len(y)", "(a - y)"), ("2 * lam * w", "lam * w")], ("mean", "factor 2")),
    pytest.param([("e * (1 - a**2)", "e * (1 - a)"), ("(a - y) / len(y)", "(a + y) / len(y)")],
                 ("square|1 - a", "`-y`|a - y"), marks=pytest.mark.slow),
    pytest.param([("X.T @ dz + 2", "X.T @ dz - 2"), ("e * (1 - a**2)", "e")],
                 ("sign|- where +", "slope|tanh|1 - a"), marks=pytest.mark.slow),
], ids=["terms", "factors", "a term and a factor"])
def test_two_are_told_one_by_one(edits, told):
    diagnosis = diagnose(network(), edited(by_hand, *edits))
    assert len(diagnosis.findings) == 2 and "unknown" not in diagnosis.kinds, str(diagnosis)
    for words in told:
        assert any(w in str(diagnosis) for w in words.split("|")), f"{words}: {diagnosis}"


def test_a_mistake_of_one_gradient_alone_does_not_hide_another():
    net = Network("two")
    N, D, H, C = net.sizes("N D H C")
    W, V = net.parameter("W", D, H), net.parameter("V", H, C)
    X, G = net.input("X", N, D), net.input("G", N, C)
    net.loss = total(G * (net.define("A", tanh(X @ W)) @ V))

    def grads(W, V, X, G):
        A = np.tanh(X @ W)
        dZ = G @ V.T * (1 - A * A)
        return np.sum(G * (A @ V)), (-X.T @ dZ / len(X), (A * A).T @ G)

    diagnosis = diagnose(net, grads)
    assert "unknown" not in diagnosis.kinds, str(diagnosis)
    assert {n for f in diagnosis.findings for n in f.explains} == {"W", "V"}, str(diagnosis)


@pytest.mark.slow
def test_two_slips_whose_changes_neither_add_nor_multiply_are_told():
    net = Network("biases_last")
    D, H, C = net.sizes("D H C")
    W, V = net.parameter("W", H, D), net.parameter("V", C, H + 1)
    x, y = net.input("x", D), net.input("y", C)
    h, c = net.indices(h=H, c=C)
    a = net.define("a", sigmoid(W @ x))
    s = net.define("s", sigmoid(Sum(V[c, h] * a[h], h) + V[c, H]), over=(c,))
    net.loss = Sum((s[c] - y[c]) ** 2, c) / 2

    def grads(W, V, x, y):
        V = V.copy()
        a = 1 / (1 + np.exp(-W @ x))
        s = 1 / (1 + np.exp(-V @ np.append(a, 1)))
        ds = s * (1 - s) * (s - y)
        dV = np.outer(ds, np.append(a, 1))
        V -= 0.1 * dV                                           # too early
        da = a * (1 - a) * (np.delete(V, 0, 1).T @ ds)          # not the column of the biases
        return np.outer(da, x), dV

    diagnosis = diagnose(net, grads)
    assert len(diagnosis.findings) == 2 and "unknown" not in diagnosis.kinds, str(diagnosis)
    assert "`V -= 0.1 * dV` does not belong there" in str(diagnosis)
    assert "np.delete(V, 0, 1)" in str(diagnosis) or "`0` should be" in str(diagnosis), str(diagnosis)


@pytest.mark.slow
def test_a_number_lost_on_the_same_way_as_a_slope():
    """Any number that stands in an equation may be the one that is lost, not the usual factors alone."""
    net = Network("pooled", "A third of two entries of a stretched tanh")
    N, D, H = net.sizes("N D H")
    W, X, G = net.parameter("W", D, 2 * H), net.input("X", N, D), net.input("G", N, H)
    n, h, r = net.indices(n=N, h=H, r=2)
    a = net.define("a", Rational(17, 10) * tanh(X @ W))
    p = net.define("p", Sum(a[n, 2 * h + r], r) / 3, over=(n, h))
    net.loss = Sum(G[n, h] * exp(p[n, h]), n, h)

    def grads(W, X, G):
        a = 1.7 * np.tanh(X @ W)
        p = (a[:, ::2] + a[:, 1::2]) / 3                        # a third of both
        da = np.repeat(G * np.exp(p), 2, axis=1)                 # and nothing of that here
        return X.T @ (da * 1.7 * (1 - np.tanh(a)**2))           # a tanh of a tanh

    found = diagnose(net, grads)
    assert len(found.findings) == 2 and "the factor 1/3 is missing" in str(found), str(found)


@pytest.mark.slow
def test_two_mistakes_in_two_ways_from_one_place_are_told():
    """What goes to four parameters right after a place is not what a mistake there explains; to two more it is."""
    net = Network("attention", "Scores of queries and keys, their softmax")
    N, D, E = net.sizes("N D E")
    P, b, Q, c = net.parameter("P", D, E), net.parameter("b", E), net.parameter("Q", D, E), net.parameter("c", E)
    X, G = net.parameter("X", N, D), net.input("G", N, N)
    Y = net.input("Y", N, D)
    k = net.define("k", X @ P + b)
    q = net.define("q", Y @ Q + c)
    net.loss = total(G * softmax(net.define("S", q @ k.T / sqrt(E))))

    def grads(P, b, Q, c, X, G, Y):
        k, q = X @ P + b, Y @ Q + c
        s = np.exp(q @ k.T / np.sqrt(k.shape[1]))
        s /= s.sum(axis=1, keepdims=True)
        dS = G * s * (1 - s)                                    # the diagonal only
        dq, dk = dS @ k / np.sqrt(k.shape[1]), dS.T @ q         # the scale is missing
        return np.sum(G * s), (X.T @ dk, dk.sum(axis=0), Y.T @ dq, dq.sum(axis=0), dk @ P.T)

    found = str(diagnose(net, grads))
    assert "its diagonal only" in found and "sqrt(E)" in found, found


def test_what_is_mended_is_no_change_afterwards():
    """Where the next mistake may be is seen by what changes beside the code as it is then."""
    known, factor = subject(network()), [2.0]

    def grads(w, X, y, lam):
        loss, dw = by_hand(w, X, y, lam)
        return loss, factor[0] * dw

    patient = Patient(known.program, grads)
    evidence = Evidence(known.program, [Seen(p, patient.answer(p)) for p in known.points])
    judge = Judge(patient, evidence, frozenset(evidence.wrong()))
    assert judge.wrong == {"w"} and judge.changed() == frozenset()
    factor[0] = 1.0
    assert judge.changed() == {"w"} == judge.mended()
    judge.go_on(judge.mended())
    assert judge.changed() == frozenset() == judge.wrong


@pytest.mark.slow
def test_beside_an_edited_line_another_mistake_is_told():
    """The bias is the first row of each matrix."""
    net = Network("bias_rows", "Sigmoids, the bias in the first row")
    N, D, H, K, C = net.sizes("N D H K C")
    shapes = [(D + 1, H), (H + 1, K), (K + 1, C)]
    X, Y = net.input("X", N, D), net.input("Y", N, C)
    n, d, h, k, c = net.indices(n=N, d=D, h=H, k=K, c=C)
    a, under = X, d
    for layer, (rows, i) in enumerate(zip(shapes, (h, k, c), strict=True)):
        W = net.parameter(f"W{layer}", *rows)
        a = net.define(f"a{layer}", sigmoid(W[0, i] + Sum(a[n, under] * W[under + 1, i], under)), over=(n, i))
        under = i
    net.loss = Sum((a[n, c] - Y[n, c]) ** 2, n, c) / 2

    def grads(W0, W1, W2, X, Y):
        def slope(z):
            return 1 / (1 + np.exp(-z)) * (1 - 1 / (1 + np.exp(-z)))

        def read(x):
            return np.hstack((x, np.ones((len(x), 1))))         # for 1 and then x

        kept, back = [X], []
        for W in (W0, W1, W2):
            kept.append(1 / (1 + np.exp(-W[0] - kept[-1] @ W[1:])))
        d = (kept[-1] - Y) * kept[-1] * (1 - kept[-1])
        for W, x in ((W2, kept[2]), (W1, kept[1]), (W0, kept[0])):
            back.append(read(x).T @ d)
            d = d @ W[1:].T * slope(x)                          # x is a sigmoid already
        return back[::-1]

    found = diagnose(net, grads)
    assert found.kinds[0] == "line" and "np.hstack((np.ones" in str(found.findings[0]), str(found)
    assert "should be `z * (1 - z)`" in str(found) or "sigmoid'(a1)" in str(found), str(found)


def test_changes_that_add_up_are_found():
    random = np.random.default_rng(0)
    changes = random.normal(size=(40, 6))
    assert list(adding_up(changes, changes[7] + changes[31])) == [(7, 31)]
    assert not list(adding_up(changes, random.normal(size=6)))


def test_changes_that_multiply_are_found_through_what_they_go_into():
    random = np.random.default_rng(1)
    reach, first, second = random.normal(size=(9, 4)), random.uniform(1, 2, 4), random.uniform(1, 2, 4)
    now = random.normal(size=4)
    tried = np.stack([reach @ (now * f) for f in (first, random.uniform(1, 2, 4), second)])
    right = now * first * second
    assert (0, 2) in list(candidates(tried, reach @ now, reach @ right, [(reach, right)]))


def test_a_line_too_many_is_told_by_its_own_number():
    diagnosis = diagnose(network(), edited(by_hand, ("    return", "    dz -= dz.mean()\n    return")))
    assert str(diagnosis).count("`dz -= dz.mean()` does not belong there") == 1, str(diagnosis)
    assert diagnosis.findings[0].words.startswith("line 6:"), str(diagnosis)


def test_a_wrong_loss_and_the_line_that_makes_it_so_are_one_mistake():
    diagnosis = diagnose(network(), edited(by_hand, ("np.tanh(X @ w)", "np.tanh(X @ w) + w[0] * y[0]")))
    assert len(diagnosis.findings) == 1 and "the loss is not the network's" in str(diagnosis), str(diagnosis)
    assert "line 2: " in str(diagnosis) and "dw and the loss are right" in str(diagnosis), str(diagnosis)


def embedded():
    net = Network("embedded", "Windows of words under filters, the largest value of each filter over time")
    N, P, V, D, F = net.sizes("N P V D F")
    E, W, b, u = net.parameter("E", V, D), net.parameter("W", F, 3, D), net.parameter("b", F), net.parameter("u", F)
    words, t = net.labels("words", N, P + 2, classes=V), net.input("t", N)
    n, s, f, d, i = net.indices(n=N, s=P, f=F, d=D, i=3)
    z = net.define("z", Sum(E[words[n, s + i], d] * W[f, i, d], i, d) + b[f], over=(n, f, s))
    h = net.define("h", relu(FirstMaximum(z[n, f, s], s)), over=(n, f))
    net.loss = Sum((Sum(h[n, f] * u[f], f) - t[n]) ** 2, n) / 2
    return net


def by_windows(E, W, b, u, words, t):
    x = E[words]
    N, L, D = x.shape
    F, k, _ = W.shape
    rows = np.arange(N)[:, None]
    windows = np.stack([x[:, s:s + k].reshape(N, k * D) for s in range(L - k + 1)], axis=1)
    z = windows @ W.reshape(F, -1).T + b
    where = z.argmax(axis=1)
    h = np.maximum(np.take_along_axis(z, where[:, None], axis=1)[:, 0], 0)
    error = h @ u - t
    dh = np.outer(error, u) * (h > 0)
    dz = np.zeros_like(z)
    dz[rows, where, np.arange(F)] = dh
    dW = np.einsum("nsf,nsc->fc", dz, windows).reshape(W.shape)
    dx = np.zeros_like(x)
    for i in range(k):
        dx[:, i:L - k + 1 + i] += dz @ W[:, i]
    dE = np.zeros_like(E)
    np.add.at(dE, words, dx)
    return np.sum(error**2) / 2, {"E": dE, "W": dW, "b": dz.sum(axis=(0, 1)), "u": error @ h}


def test_words_that_are_repeated_hide_no_other_mistake():
    assert diagnose(embedded(), by_windows).right
    slips = ("dz @ W[:, i]", "dz @ W[:, k - 1 - i]"), ("np.add.at(dE, words, dx)", "dE[words] += dx")
    wrong = edited(by_windows, *slips)
    found, _ = examined(embedded(), wrong)
    assert [r.how for r in found] == ["with both mended"] * 2, found
    assert "`dE[words] += dx` should be `np.add.at(dE, words, dx)`" in found[0].words, found
    assert "`k - 1 - i` should be `i`" in found[1].words, found


def pooled_threes():
    net = Network("pooled_threes", "A sigmoid, means of three, weighted")
    N, D, P = net.sizes("N D P")
    H = net.size("H", 3 * P)
    W, X, G = net.parameter("W", D, H), net.input("X", N, D), net.input("G", N, P)
    n, p = net.indices(n=N, p=P)
    A = net.define("A", sigmoid(X @ W))
    M = net.define("M", (A[n, 3 * p] + A[n, 3 * p + 1] + A[n, 3 * p + 2]) / 3, over=(n, p))
    net.loss = total(M**2 * G)
    return net


def in_threes(W, X, G):
    A = 1 / (1 + np.exp(-X @ W))
    M = A.reshape(len(X), -1, 3).mean(axis=2)
    dM = 2 * M * G
    dA = np.kron(dM, np.ones((1, 3))) / 3
    return np.sum(M**2 * G), X.T @ (dA * A * (1 - A))


def test_an_edit_that_leaves_a_factor_is_told_with_what_makes_that():
    wrong = edited(in_threes, ("dM = 2 * M * G", "dM = 2 * M * G * M * (1 - M)"), (" / 3\n", "\n"))
    program = pooled_threes().backward()
    patient = Patient(program, wrong)
    seen = [Seen(p, patient.answer(p)) for p in points(program) if not p.kinked]
    left = []

    def formulas(evidence):
        left.extend(s.answer.gradients["W"] / s.point.ours.gradients()["W"] for s in evidence.seen)
        return [Finding("scale", "the factor 1/3 is missing")]

    search = Repairs(patient, Evidence(program, seen), ["W"], 4.0, formulas=formulas)
    [found] = search.several()
    assert "the factors M and 1 - M do not belong there" in found.words and search.beside
    assert all(np.allclose(ratio, 3) for ratio in left)
