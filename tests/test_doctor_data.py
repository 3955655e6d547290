"""Right code stays right, and wrong code wrong, on data where rounding, one example or a kind of data could hide it."""

from itertools import pairwise

import numpy as np
import pytest
from sympy import Abs, Eq, Max, Ne, Piecewise, Sum, exp, log, tanh

from codegen.doctor import diagnose, layered
from derive import FirstMaximum, Network, mean, sigmoid, softplus, total
from tests.coursework.editing import edited


def cox():
    net = Network("cox", "Cox's partial log-likelihood of six people, a mean over the events")
    D = net.size("D")
    beta, X, time = net.parameter("beta", D), net.input("X", 6, D), net.input("time", 6)
    event = net.labels("event", 6, classes=2)
    n, m = net.indices(n=6, m=6)
    s = net.define("s", X @ beta)
    R = net.define("R", Sum(Piecewise((exp(s[m]), time[m] >= time[n]), (0, True)), m), over=n)
    net.loss = -Sum(event[n] * (s[n] - log(R[n])), n) / Max(1, Sum(event[m], m))
    return net


def by_running_sums(beta, X, time, event):
    s = X @ beta
    loss, grad, below, above = 0.0, np.zeros_like(beta), 0.0, np.zeros_like(beta)
    for i in np.argsort(-time):
        below += np.exp(s[i])
        above += np.exp(s[i]) * X[i]
        if event[i]:
            loss -= s[i] - np.log(below)
            grad -= X[i] - above / below
    return loss / max(1, event.sum()), grad / max(1, event.sum())


def test_a_gradient_of_0_but_for_rounding_is_the_same_in_other_layouts():
    """The event of the one who lived longest alone sends 0, or 1e-17."""
    assert diagnose(cox(), by_running_sums).right


def neighbours():
    net = Network("neighbours", "A layout of points by their distances, each but itself")
    N, K = net.sizes("N K")
    Y, P = net.parameter("Y", N, K), net.input("P", N, N)
    i, j, k = net.indices(i=N, j=N, k=K)
    apart = Sum((Y[i, k] - Y[j, k]) ** 2, k)
    near, far = (Sum(Piecewise((term, (i > j) | (j > i)), (0, True)), i, j)
                 for term in (1 / (1 + apart), P[i, j] * log(1 + apart)))
    net.loss = far + near / 10
    return net


def by_pairs(Y, P):
    apart = ((Y[:, None] - Y) ** 2).sum(-1)
    others = 1 - np.eye(len(Y))
    w = (P + P.T) * others / (1 + apart) - 2 * others / (1 + apart) ** 2 / 10
    scale = others.sum() / others.sum()                         # nan for a single point
    return np.sum(P * others * np.log(1 + apart)) + np.sum(others / (1 + apart)) / 10, \
        2 * (w[:, :, None] * (Y[:, None] - Y)).sum(1) * scale


def test_one_example_where_code_divides_0_by_0_is_told_and_left_out():
    with np.errstate(invalid="ignore"):
        found = diagnose(neighbours(), by_pairs)
        assert found.right and "not finite at N = 1" in str(found)
        wrong = diagnose(neighbours(), edited(by_pairs, ("(P + P.T)", "P")))
        assert wrong.verdict == "wrong"


def logcosh():
    net = Network("logcosh", "The logarithm of the hyperbolic cosine of errors")
    M, D, K = net.sizes("M D K")
    W, X, Y = net.parameter("W", D, K), net.input("X", M, D), net.input("Y", M, K)
    r = Y - X @ W
    net.loss = mean(softplus(2 * r) - r)
    return net


def errors(W, X, Y):
    r = Y - X @ W
    return np.mean(np.logaddexp(0, 2 * r) - r), -(X.T @ np.tanh(r)) / r.size


def test_wrong_code_that_is_right_for_one_hot_features_is_wrong():
    assert diagnose(logcosh(), errors).right
    early = edited(errors, ("-(X.T @ np.tanh(r))", "-np.tanh(X.T @ r)"))
    assert diagnose(logcosh(), early).verdict == "wrong"


def forward(*arguments):
    W, b, x = arguments
    out = np.tanh(x @ W + b)
    return out, (x, out)


def backward(dout, cache):
    x, out = cache
    d = dout * (1 - out**2)
    return x.T @ d, d.sum(0)


def test_a_layer_whose_forward_pass_takes_any_number_of_arguments():
    net = Network("layer", "A tanh layer under an upstream gradient")
    N, D, H = net.sizes("N D H")
    W, b, x, dout = net.parameter("W", D, H), net.parameter("b", H), net.input("x", N, D), net.input("dout", N, H)
    net.loss = total(dout * tanh(x @ W + b))
    assert diagnose(net, layered(forward, backward)).right
    assert diagnose(net, layered(forward, edited(backward, ("d.sum(0)", "d.mean(0)")))).verdict == "wrong"


def responses(x, dout):
    """Local responses over channels, in single precision, after Krizhevsky, Sutskever and Hinton (2012)."""
    x, dout = x.astype(np.float32), dout.astype(np.float32)
    s = np.float32(1) + np.float32(1e-3) * np.sum(x**2, axis=1, keepdims=True)
    d = dout / s - np.float32(2e-3) * x * np.sum(dout * x, axis=1, keepdims=True) / s**2
    return np.sum(dout * x / s), d


def test_a_small_term_left_out_in_single_precision_is_wrong():
    """With small parameters it is below what float32 rounds, at others it is not: no range is left."""
    net = Network("responses", "Responses over those of all channels")
    x = net.parameter("x", *net.sizes("N C"))
    dout = net.input("dout", *x.shape)
    net.loss = total(dout * x / (1 + total(x**2, axis=1, keepdims=True) / 1000))
    assert diagnose(net, responses).right
    found = diagnose(net, edited(responses, ("np.float32(2e-3)", "np.float32(1e-3)")))
    assert found.verdict == "wrong"


def margins(W, X, y):
    """Hinge losses of all wrong classes, a mean over examples, by hand."""
    rows = np.arange(len(X))
    Z = X @ W
    M = np.maximum(0, 1 + Z - Z[rows, y][:, None])
    M[rows, y] = 0
    d = (M > 0).astype(float)
    d[rows, y] = -d.sum(1)
    return M.sum() / len(X), X.T @ d / len(X)


@pytest.mark.slow
def test_margins_that_all_count_for_small_parameters_excuse_nothing():
    """Divided by how many count, or with no maximum at all, code is right where parameters are small, and wrong."""
    net = Network("margins", "Hinge losses of all wrong classes")
    N, D, C = net.sizes("N D C")
    W, X, y = net.parameter("W", D, C), net.input("X", N, D), net.labels("y", N, classes=C)
    n, c = net.indices(n=N, c=C)
    Z = net.define("Z", X @ W)
    net.loss = Sum(Piecewise((Max(0, 1 + Z[n, c] - Z[n, y[n]]), Ne(c, y[n])), (0, True)), n, c) / N
    assert diagnose(net, margins).right
    by_active = edited(margins, ("X.T @ d / len(X)", "X.T @ d / max(1, (M > 0).sum()) * (M.shape[1] - 1)"))
    never = edited(margins, ("np.maximum(0, 1 + Z - Z[rows, y][:, None])", "1 + Z - Z[rows, y][:, None]"),
                   ("(M > 0).astype(float)", "(np.arange(W.shape[1]) != y[:, None]).astype(float)"))
    assert diagnose(net, by_active).verdict == diagnose(net, never).verdict == "wrong"


def weighted(w, X, e):
    """Losses of those that are counted, a mean over as many, by hand."""
    z, count = X @ w, max(1, np.sum(e > 0))
    return np.sum(e * np.logaddexp(0, z)) / count, X.T @ (e / (1 + np.exp(-z))) / count


def test_counts_that_are_all_for_positive_data_excuse_nothing():
    net = Network("weighted", "A mean over the examples whose weight is above 0")
    N, D = net.sizes("N D")
    w, X, e = net.parameter("w", D), net.input("X", N, D), net.input("e", N)
    (n,) = net.indices(n=N)
    net.loss = total(e * softplus(X @ w)) / Max(1, Sum(Piecewise((1, e[n] > 0), (0, True)), n))
    assert diagnose(net, weighted).right
    by_all = edited(weighted, ("+ np.exp(-z))) / count", "+ np.exp(-z))) / len(e)"))
    assert diagnose(net, by_all).verdict == "wrong"


def test_an_array_that_was_made_as_a_copy():
    """Entries that no window has keep what they were before."""
    net = Network("windows", "The largest of each three numbers, one number left over")
    N, M = net.sizes("N M")
    L = net.size("L", 3 * M + 1)
    x, dout = net.parameter("x", N, L), net.input("dout", N, M)
    n, m, p = net.indices(n=N, m=M, p=3)
    net.loss = Sum(dout[n, m] * FirstMaximum(x[n, 3 * m + p], p), n, m)

    def by_hand(x, dout, made=np.zeros_like):
        windows, dx = x[:, :-1].reshape(len(x), -1, 3), made(x)
        first = windows.argmax(axis=2)
        dx[:, :-1] = (dout[..., None] * (np.arange(3) == first[..., None])).reshape(len(x), -1)
        return np.sum(dout * windows.max(axis=2)), dx

    assert diagnose(net, lambda x, dout: by_hand(x, dout)).right
    wrong = diagnose(net, lambda x, dout: by_hand(x, dout, np.copy))
    assert "dx has the values of x where nothing is sent back to" in str(wrong)


def test_labels_of_one_column_are_0_or_1_and_not_one_hot():
    """The whole error weighted as positive examples are is right only where all of them are positive."""
    net = Network("weighted", "Logistic regression, its two classes weighted")
    N, D = net.sizes("N D")
    w, X, y = net.parameter("w", D, 1), net.input("X", N, D), net.input("y", N, 1)
    of_0, of_1 = net.input("of_0"), net.input("of_1")
    P = net.define("P", sigmoid(X @ w))
    net.loss = -mean(of_1 * y * log(P) + of_0 * (1 - y) * log(1 - P))

    def grads(w, X, y, of_0, of_1, right=False):
        P = 1 / (1 + np.exp(-X @ w))
        loss = -np.mean(of_1 * y * np.log(P) + of_0 * (1 - y) * np.log(1 - P))
        return loss, X.T @ (P * (of_1 * y + of_0 * (1 - y)) - of_1 * y if right else of_1 * (P - y)) / len(X)

    assert diagnose(net, grads).verdict == "wrong"
    assert diagnose(net, lambda *arguments: grads(*arguments, right=True)).right


def transitions():
    net = Network("transitions", "A weight for each label and the next one")
    T, K = net.sizes("T K")
    A, s = net.parameter("A", K, K), net.labels("s", T, classes=K)
    [t] = net.indices(t=T)
    net.loss = Sum(A[s[t], s[t + 1]] ** 2, (t, 0, T - 2)) / 2
    return net


def by_pairs_of_labels(A, s):
    dA, loss = np.zeros_like(A), 0.0
    for first, second in pairwise(s):
        loss += A[first, second] ** 2 / 2
        dA[first, second] += A[first, second]
    return loss, dA


def test_a_sum_over_fewer_steps_than_its_index_has():
    assert diagnose(transitions(), by_pairs_of_labels).right
    found = diagnose(transitions(), edited(by_pairs_of_labels, ("dA[first, second] +=", "dA[second, first] +=")))
    assert found.verdict == "wrong" and "unknown" not in found.kinds, str(found)


def robust():
    net = Network("robust", "Huber's loss with a scale of its own, each example with a weight")
    N = net.size("N")
    m, sigma = net.parameter("m"), net.parameter("sigma")
    y, weight = net.input("y", N), net.input("weight", N)
    [n] = net.indices(n=N)
    r = net.define("r", y[n] - m, over=n)
    far = 2 * Abs(r[n]) - sigma
    net.loss = Sum(weight[n] * (sigma + Piecewise((r[n] ** 2 / sigma, Abs(r[n]) <= sigma), (far, True))), n)
    return net


@pytest.mark.parametrize(("power", "right"), [(2, True), (1, False)])
def test_weights_of_0_do_not_hide_a_mistake(power, right):
    def code(m, sigma, y, weight):
        r = y - m
        near = np.abs(r) <= sigma
        dm = -np.sum(weight * np.where(near, 2 * r / sigma, 2 * np.sign(r)))
        return dm, np.sum(weight) - np.sum(weight[~near]) - np.sum((weight * r**2)[near]) / sigma**power

    found = diagnose(robust(), code)
    assert found.right == right and found.where == ""
    assert right or ("lost its power" in str(found) and len(found.findings) == 1)


def ranked():
    net = Network("ranked", "What stands behind an item, itself included, and where it counts")
    N = net.size("N")
    w, X, count = net.parameter("w", N), net.input("X", N), net.labels("count", N, classes=3)
    i, j = net.indices(i=N, j=N)
    s = net.define("s", Sum(Piecewise((exp(w[j]), j >= i), (0, True)), j), over=i)
    z = net.define("z", w[i] * Piecewise((X[i], Eq(count[i], 0)), (1, True)), over=i)
    net.loss = Sum(X[i] * log(s[i]), i) + Sum(z[i] ** 3, i)
    return net


@pytest.mark.parametrize(("slip", "words"), [
    ("none", ""),
    ("behind", "the other way round"),
    ("zeros alone", "it is 0 but where [count[i] = 0]"),
])
def test_conditions_the_other_way_round_and_cases_that_are_left_out(slip, words):
    def code(w, X, count):
        e, i = np.exp(w), np.arange(len(w))
        behind = i[:, None] <= i                                    # j >= i
        s = behind @ e
        dz = 3 * (w * np.where(count == 0, X, 1.0)) ** 2 * np.where(count == 0, X, 1.0)
        if slip == "zeros alone":
            dz *= count == 0
        return dz + e * ((behind if slip == "behind" else behind.T) @ (X / s))

    found = diagnose(ranked(), code)
    assert found.right == (slip == "none") and words in str(found)
    assert len(found.findings) == (slip != "none")


def test_scores_that_are_small_do_not_hide_a_mistake():
    """Labels of 0 and 1 for those of -1 and 1: a margin of the other class shows it where the score is below -1."""
    net = Network("margins")
    N, D = net.sizes("N D")
    w, X, y = net.parameter("w", D), net.input("X", N, D), net.labels("y", N, classes=2)
    [n] = net.indices(n=N)
    s = net.define("s", X @ w)
    net.loss = Sum(Max(0, 1 - Piecewise((s[n], Eq(y[n], 1)), (-s[n], True))), n)

    def grads(w, X, y, signs):
        inside = signs * (X @ w) < 1
        return -((2 * y - 1) * inside) @ X

    assert diagnose(net, lambda w, X, y: grads(w, X, y, 2 * y - 1)).right
    assert diagnose(net, lambda w, X, y: grads(w, X, y, y)).verdict == "wrong"


def test_lists_of_lists_are_gradients():
    net = Network("in_lists")
    D, H, C = net.sizes("D H C")
    V, W, x = net.parameter("V", H, D), net.parameter("W", C, H), net.input("x", D)
    net.loss = total(net.define("a", V @ x) ** 2) + total(W**2)

    def listed(V, W, x):
        return [[[2 * float(v @ x) * u for u in x] for v in V], [[2 * w for w in row] for row in W]]

    found = diagnose(net, lambda V, W, x: (float(np.sum((V @ x) ** 2) + np.sum(W**2)), listed(V, W, x)))
    assert found.right, str(found)


def hinge():
    net = Network("hinge", "Half the squared weights and the hinge losses")
    N, D = net.sizes("N D")
    w, b = net.parameter("w", D), net.parameter("b")
    X, t, C = net.input("X", N, D), net.input("t", N), net.input("C")
    net.loss = total(w**2) / 2 + C * total(Max(0, 1 - t * (X @ w + b)))
    return net


def of_support_vectors(w, b, X, t, C):
    Z = X * t[:, None]
    some = Z @ w + b * t < 1
    loss = np.sum(w * w) / 2 + C * (np.sum(1 - Z[some] @ w) - b * np.sum(t[some]))
    return loss, {"w": w - C * Z[some].sum(axis=0), "b": -C * np.sum(t[some])}


def test_data_on_which_a_mistake_in_the_loss_spares_the_gradients_are_not_what_code_is_made_for():
    assert diagnose(hinge(), of_support_vectors).right
    found = diagnose(hinge(), edited(of_support_vectors, ("Z @ w + b * t < 1", "Z @ w + b < 1")), seconds=4)
    assert found.verdict == "wrong" and "the loss is not the network's" in str(found)
    assert "another network" not in str(found) and "judged on data" not in str(found)
