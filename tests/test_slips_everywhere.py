"""The doctor names slips that are made in several equations at once, and none that leave nothing of what is wrong."""

import math

import numpy as np
import pytest
from sympy import Ne, Piecewise, Rational, Sum, erf, log, sqrt, tanh

from codegen.doctor import diagnose
from derive import Network, mean, relu, sigmoid, total
from tests.coursework.editing import edited


def gru():
    net = Network("gru", "GRU, all gates in one array, the bias in its first row")
    T, N, D, H = net.sizes("T N D H")
    W, h0 = net.parameter("W", 1 + D + H, 3 * H), net.parameter("h0", N, H)
    X, G = net.input("X", T, N, D), net.input("G", T, N, H)
    t, n, d, k, j = net.indices(t=T, n=N, d=D, k=H, j=H)
    h = net.state("h", T, N, H, initial=h0)

    def pre(q, state):
        return W[0, q * H + k] + Sum(X[t, n, d] * W[1 + d, q * H + k], d) + Sum(state * W[1 + D + j, q * H + k], j)

    z = net.define("z", sigmoid(pre(0, h[t - 1, n, j])), over=(t, n, k))
    r = net.define("r", sigmoid(pre(1, h[t - 1, n, j])), over=(t, n, k))
    c = net.define("c", tanh(pre(2, r[t, n, j] * h[t - 1, n, j])), over=(t, n, k))
    net.define(h, (1 - z[t, n, k]) * h[t - 1, n, k] + z[t, n, k] * c[t, n, k], over=(t, n, k))
    net.loss = Sum(G[t, n, k] * h[t, n, k], t, n, k)
    return net


def by_hand(W, h0, X, G, at_argument=False, early=False, carried=True):
    """A GRU's backprop; its slopes taken at the arguments, its states' rows cut early, nothing carried back."""
    (T, N, D), H = X.shape, h0.shape[1]
    h, kept = h0, []
    for x in X:
        rows = np.hstack([np.ones((N, 1)), x, h])
        pz, pr = rows @ W[:, :H], rows @ W[:, H:2 * H]
        z, r = 1 / (1 + np.exp(-pz)), 1 / (1 + np.exp(-pr))
        reset = np.hstack([np.ones((N, 1)), x, r * h])
        pc = reset @ W[:, 2 * H:]
        kept.append((rows, reset, pz, pr, pc, z, r, np.tanh(pc), h))
        h = (1 - z) * h + z * np.tanh(pc)
    states = [k[-1] for k in kept[1:]] + [h]
    dW, dh = np.zeros_like(W), np.zeros_like(h0)
    first = D if early else D + 1
    t = T - 1
    while t >= 0:
        rows, reset, pz, pr, pc, z, r, c, h = kept[t]
        dh = dh + G[t]
        az, ar, ac = (pz, pr, pc) if at_argument else (z, r, c)
        dpc = dh * z * (1 - ac**2)
        dreset = (dpc @ W[:, 2 * H:].T)[:, first:first + H]
        dpr = dreset * h * ar * (1 - ar)
        dpz = dh * (c - h) * az * (1 - az)
        dW += np.hstack([rows.T @ dpz, rows.T @ dpr, reset.T @ dpc])
        drows = dpz @ W[:, :H].T + dpr @ W[:, H:2 * H].T
        dh = dh * (1 - z) + dreset * r + drows[:, D + 1:]
        if not carried and t > 0:
            dh = np.zeros_like(dh)
        t -= 1
    return float(np.sum(G * states)), {"W": dW, "h0": dh}


@pytest.mark.parametrize(("slip", "told"), [
    ({}, "right"),
    ({"at_argument": True}, "the derivative of each activation is taken at its argument"),
    ({"early": True}, "what begins at D + 1 is read one place early"),
    ({"carried": False}, "nothing is carried from one step to the step before"),
])  # fmt: skip
def test_slips_of_a_recurrence(slip, told):
    assert told in str(diagnose(gru(), lambda W, h0, X, G: by_hand(W, h0, X, G, **slip)))


def test_a_factor_lost_in_all_that_goes_back_through_a_product():
    net = Network("rmsnorm", "Rows divided by their root mean square, with a gain, before a layer")
    N, D, K = net.sizes("N D K")
    X, g, W = net.parameter("X", N, D), net.parameter("g", D), net.parameter("W", D, K)
    G = net.input("G", N, K)
    n, d = net.indices(n=N, d=D)
    r = net.define("r", sqrt(Sum(X[n, d] ** 2, d) / D + Rational(1, 1000)), over=n)
    Y = net.define("Y", g[d] * X[n, d] / r[n], over=(n, d))
    net.loss = total(G * tanh(Y @ W))

    def without_gain(X, g, W, G):
        r = np.sqrt(np.mean(X**2, axis=1, keepdims=True) + 0.001)
        U = X / r
        A = np.tanh((g * U) @ W)
        dA = G * (1 - A**2)
        dU = dA @ W.T
        dX = (dU - U * np.mean(dU * U, axis=1, keepdims=True)) / r
        return float(np.sum(G * A)), (dX, np.sum(dU * U, axis=0), (g * U).T @ dA)

    assert "the factor g[d] is missing in all that goes back through Y: dr, dX" in str(diagnose(net, without_gain))


def test_columns_beside_a_bias_in_the_wrong_place():
    """np.c_ is to be read at places; as an array it has no end."""
    net = Network("columns", "Two layers, the bias in the first column of each")
    M, D, H = net.sizes("M D H")
    B, W, b, v = net.parameter("B", H), net.parameter("W", H, D), net.parameter("b"), net.parameter("v", H)
    X, y = net.input("X", M, D), net.input("y", M)
    Z = net.define("Z", tanh(X @ W.T + B))
    net.loss = mean((Z @ v + b - y) ** 2)

    def code(B, W, b, v, X, y):
        A, second = np.c_[np.ones(len(X)), X], np.r_[b, v]
        Z = np.tanh(A @ np.c_[B, W].T)
        Z1 = np.c_[np.ones(len(X)), Z]
        error = Z1 @ second - y
        dpre = np.outer(error, second[:-1]) * (1 - Z**2)
        first, last = 2 / len(X) * dpre.T @ A, 2 / len(X) * Z1.T @ error
        return np.mean(error**2), (first[:, 0], first[:, 1:], last[0], last[1:])

    assert "`second[:-1]` should be `second[1:]`" in str(diagnose(net, code))


def test_a_number_that_is_added_to_all_gradients():
    net = Network("ridge", "A straight line, its slope penalised")
    M = net.size("M")
    intercept, slope = net.parameter("intercept"), net.parameter("slope")
    x, y, alpha = net.input("x", M), net.input("y", M), net.input("alpha")
    net.loss = mean((intercept + slope * x - y) ** 2) + alpha * slope**2 / 2

    def code(intercept, slope, x, y, alpha):
        A = np.stack([np.ones(len(x)), x], axis=1)
        error = A @ np.array([intercept, slope]) - y
        return np.mean(error**2) + alpha * slope**2 / 2, 2 / len(x) * A.T @ error + alpha * slope

    def handed(*arguments):
        loss, gradients = code(*arguments)
        return loss, tuple(map(float, gradients))

    assert "alpha * slope is added, which belongs to dslope alone" in str(diagnose(net, handed))


def test_norms_of_several_vectors_taken_for_constants():
    net = Network("directions", "Directions of three rows, embedded by one matrix")
    D, K = net.sizes("D K")
    E, x, y, z = net.parameter("E", D, K), net.input("x", D), net.input("y", D), net.input("z", D)
    u, v, w = (net.define(n, a / sqrt(total(a**2))) for n, a in (("u", x @ E), ("v", y @ E), ("w", z @ E)))
    net.loss = total(u * v) - total(v * w * w)

    def by_hand(E, x, y, z, projected=1):
        units, norms = zip(*((a @ E / (r := np.linalg.norm(a @ E)), r) for a in (x, y, z)), strict=True)
        u, v, w = units
        dE = np.zeros_like(E)
        for a, n, r, d in zip((x, y, z), units, norms, (v, u - w * w, -2 * v * w), strict=True):
            dE += np.outer(a, d - projected * n * (n @ d)) / r
        return u @ v - np.sum(v * w * w), dE

    assert diagnose(net, by_hand).right
    diagnosis = diagnose(net, lambda E, x, y, z: by_hand(E, x, y, z, projected=0))
    assert len(diagnosis.findings) == 1 and "and likewise in" in str(diagnosis), str(diagnosis)


def test_a_term_that_is_added_when_it_has_been_read():
    net = Network("cell", "A cell that its own output gate looks at")
    T, H = net.sizes("T H")
    f, p = net.parameter("f", H), net.parameter("p", H)
    x, G = net.input("x", T, H), net.input("G", T, H)
    t, h = net.indices(t=T, h=H)
    c = net.state("c", T, H, initial=0)
    i = net.define("i", sigmoid(f[h] * c[t - 1, h] + x[t, h]), over=(t, h))
    net.define(c, c[t - 1, h] / 2 + i[t, h] * x[t, h], over=(t, h))
    o = net.define("o", sigmoid(p[h] * c[t, h]), over=(t, h))
    net.loss = Sum(G[t, h] * o[t, h] * tanh(c[t, h]), t, h)

    def by_hand(f, p, x, G, late=False):
        T = len(x)
        c, i, o = np.zeros((T + 1, *f.shape)), np.zeros_like(x), np.zeros_like(x)
        for t in range(T):
            i[t] = 1 / (1 + np.exp(-f * c[t - 1] - x[t]))
            c[t] = c[t - 1] / 2 + i[t] * x[t]
            o[t] = 1 / (1 + np.exp(-p * c[t]))
        df, dp, carried = np.zeros_like(f), np.zeros_like(p), np.zeros_like(f)
        for t in reversed(range(T)):
            a = np.tanh(c[t])
            do = G[t] * a * o[t] * (1 - o[t])
            dc = carried + G[t] * o[t] * (1 - a**2) + (0 if late else do * p)
            di = dc * x[t] * i[t] * (1 - i[t])
            dc = dc + do * p if late else dc
            dp += do * c[t]
            df += di * c[t - 1]
            carried = dc / 2 + di * f
        return np.sum(G * o * np.tanh(c[:-1])), (df, dp)

    assert diagnose(net, by_hand).right
    assert "is added too late: di" in str(diagnose(net, lambda f, p, x, G: by_hand(f, p, x, G, late=True)))


def test_a_value_that_is_computed_anew_without_a_term():
    net = Network("counts", "Counts with a mean and a weight, both learnt, and an exposure")
    N, D = net.sizes("N D")
    w, a = net.parameter("w", D), net.parameter("a")
    X, e, y = net.input("X", N, D), net.input("e", N), net.input("y", N)
    z = net.define("z", X @ w + e)
    net.loss = total((a * tanh(z) - y) ** 2 + a * sigmoid(z))

    def by_hand(w, a, X, e, y, anew=1):
        z = X @ w + e
        loss = np.sum((a * np.tanh(z) - y) ** 2 + a / (1 + np.exp(-z)))
        z = X @ w + anew * e
        t, s = np.tanh(z), 1 / (1 + np.exp(-z))
        dz = 2 * (a * t - y) * a * (1 - t**2) + a * s * (1 - s)
        return loss, (X.T @ dz, np.sum(2 * (a * t - y) * t + s))

    assert diagnose(net, by_hand).right
    diagnosis = diagnose(net, lambda w, a, X, e, y: by_hand(w, a, X, e, y, anew=0))
    assert "z: the term e[n] is missing in the value that the gradients are computed from" in str(diagnosis)


def test_the_error_of_a_sigmoid_for_a_probit():
    net = Network("probit", "Probit regression")
    N, D = net.sizes("N D")
    w, X, t = net.parameter("w", D), net.input("X", N, D), net.input("t", N)
    a = net.define("a", X @ w)
    y = net.define("y", (1 + erf(a / sqrt(2))) / 2)
    net.loss = -total(t * log(y) + (1 - t) * log(1 - y))

    def by_hand(w, X, t, density):
        a = X @ w
        y = np.array([(1 + math.erf(v / math.sqrt(2))) / 2 for v in a])
        return X.T @ ((y - t) * density(a, y) / (y * (1 - y)))

    assert diagnose(net, lambda w, X, t: by_hand(w, X, t, lambda a, y: np.exp(-a**2 / 2) / np.sqrt(2 * np.pi))).right
    found = str(diagnose(net, lambda w, X, t: by_hand(w, X, t, lambda a, y: y * (1 - y))))
    assert "the derivative is taken to be y (1 - y)" in found


def normalised():
    net = Network("normalised", "Rows without means, over deviations, scaled; hinges of all classes")
    N, D, C = net.sizes("N D C")
    x, gamma, W = net.parameter("x", N, D), net.parameter("gamma", D), net.parameter("W", D, C)
    y, T = net.labels("y", N, classes=C), net.input("T", note="temperature")
    n, c = net.indices(n=N, c=C)
    mu = net.define("mu", mean(x, axis=0))
    var = net.define("var", mean((x - mu) ** 2, axis=0))
    s = net.define("s", gamma * (x - mu) / sqrt(var + 1) + 2)
    f = net.define("f", 2 * (s @ W) / T)
    margins = Piecewise((relu(1 + f[n, c] - f[n, y[n]]), Ne(c, y[n])), (0, True))
    net.loss = Sum(margins, n, c) / N
    return net


def in_numpy(x, gamma, W, y, T):
    rows = np.arange(len(x))
    c, v = x - x.mean(axis=0), x.var(axis=0) + 1
    u = c / np.sqrt(v)
    s = gamma * u + 2
    f = 2 * s @ W / T
    margins = np.maximum(0, 1 + f - f[rows, y][:, None])
    margins[rows, y] = 0
    loss = margins.sum() / len(x)
    df = (margins > 0) / len(x)
    df[rows, y] = -df.sum(axis=1)
    ds = 2 * df @ W.T / T
    dgamma = np.sum(ds * u, axis=0)
    du = ds * gamma
    dx = (du - du.mean(axis=0) - u * (du * u).mean(axis=0)) / np.sqrt(v)
    return loss, {"x": dx, "gamma": dgamma, "W": 2 * s.T @ df / T}


def test_what_slips_are_made_in_is_right():
    assert diagnose(normalised(), in_numpy).right


@pytest.mark.parametrize(("slip", "told"), [
    (("np.sum(ds * u,", "np.sum(ds * s,"), "dgamma: s[n, d] stands where (x[n, d] - mu[d]) / sqrt_var[d] should"),
    (("-df.sum(axis=1)", "-1 / len(x)"), "the true class is counted once, whether any margin is positive or not"),
    (("ds = 2 * df", "ds = df"), "ds: the factor 2 is missing"),
])
def test_slips_that_are_told_as_they_were_made(slip, told):
    assert told in str(diagnose(normalised(), edited(in_numpy, slip)))


@pytest.mark.parametrize(("split", "told"), [
    (lambda d, slope: d.sum(axis=0) * slope.sum(axis=0),
     "the product of sums over n stands where the sum of the products should"),
    (lambda d, slope: len(d) * d.mean(axis=0) * slope.mean(axis=0),
     "the product of means over n stands where the mean of the products should"),
])
def test_sums_of_products_that_are_split(split, told):
    net = Network("units", "Units of tanh, weighted")
    N, D, H = net.sizes("N D H")
    X, W, b, g = net.input("X", N, D), net.parameter("W", D, H), net.parameter("b", H), net.input("g", N, H)
    net.loss = total(g * tanh(X @ W + b))

    def by_hand(X, W, b, g):
        slope = 1 - np.tanh(X @ W + b) ** 2
        return {"W": X.T @ (g * slope), "b": split(g, slope)}

    assert told in str(diagnose(net, by_hand))


def with_a_bias_before_it(w, b, gamma, X, y, power):
    z = X @ w + b
    c, v = z - z.mean(axis=0), z.var(axis=0) + 0.01
    r = (gamma * c / np.sqrt(v)).sum(axis=1) - y
    du = 2 * r[:, None] * gamma / len(r)
    dv = np.sum(du * c, axis=0) * -0.5 * v ** power
    dc = du / np.sqrt(v) + 2 * dv * c / len(r)
    dz = dc - dc.mean(axis=0)
    dgamma = 2 * np.mean(r[:, None] * c / np.sqrt(v), axis=0)
    return np.mean(r**2), {"w": X.T @ dz, "b": dz.sum(axis=0), "gamma": dgamma}


@pytest.mark.parametrize("power", [-1.5, -0.5])
def test_a_bias_before_a_normalisation_tells_nothing(power):
    """Its gradient is 0 whatever is wrong with the variance's, which it is made of as the weights' gradient is."""
    net = Network("biased", "Linear units, normalised over examples, scaled and added up, squared error")
    N, D, H = net.sizes("N D H")
    w, b, gamma = net.parameter("w", D, H), net.parameter("b", H), net.parameter("gamma", H)
    X, y = net.input("X", N, D), net.input("y", N)
    z = net.define("z", X @ w + b)
    c = net.define("c", z - mean(z, axis=0))
    v = net.define("v", mean(c**2, axis=0) + Rational(1, 100))
    net.loss = mean((total(gamma * c / sqrt(v), axis=1) - y) ** 2)
    found = diagnose(net, lambda w, b, gamma, X, y: with_a_bias_before_it(w, b, gamma, X, y, power))
    if power == -1.5:
        assert found.right
    else:
        [finding] = found.findings
        assert set(finding.explains) == {"w"} and str(finding).startswith("dv: the factor 1 / v[h] is missing")


def test_the_factor_of_a_powers_derivative_beside_a_number():
    net = Network("inner", "A tanh of a cubic polynomial, as inside a gelu")
    N, D = net.sizes("N D")
    x, G = net.parameter("x", N, D), net.input("G", N, D)
    net.loss = total(G * tanh(x + Rational(44715, 1000000) * x**3))

    def grads(x, G):
        t = np.tanh(x + 0.044715 * x**3)
        return np.sum(G * t), G * (1 - t**2) * (1 + 0.044715 * x**2)

    assert "the factor 3 of 0.134145 x[n, d]^2 is missing" in str(diagnose(net, grads))
