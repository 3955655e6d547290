"""One slip in several lines, lines that another loop lacks, and sizes counted along too few axes."""

import numpy as np
from sympy import Sum, cos, sin, tanh

from codegen.doctor import diagnose, layered
from derive import Network, cross_entropy, sigmoid, softplus, total
from tests.coursework.editing import edited


def arm():
    net = Network("arm", "The end of a planar arm, and where it should be")
    J = net.size("J")
    angle, length, goal = net.parameter("angle", J), net.parameter("length", J), net.input("goal", 2)
    i, b = net.indices(i=J, b=J)
    turned = net.define("turned", Sum(angle[b], (b, 0, i)), over=i)
    x = net.define("x", Sum(length[i] * cos(turned[i]), i) - goal[0])
    y = net.define("y", Sum(length[i] * sin(turned[i]), i) - goal[1])
    net.loss = (x**2 + y**2) / 2
    return net


def reaching(angle, length, goal):
    turned = np.cumsum(angle)
    end = np.zeros(2)
    for i in range(len(angle)):
        end[0] += length[i] * np.cos(turned[i])
        end[1] += length[i] * np.sin(turned[i])
    error = end - goal
    dlength = np.cos(turned) * error[0] + np.sin(turned) * error[1]
    pull = length * (np.cos(turned) * error[1] - np.sin(turned) * error[0])
    return 0.5 * error @ error, {"angle": np.cumsum(pull[::-1])[::-1], "length": dlength}


def test_one_name_in_several_lines_is_one_slip():
    assert diagnose(arm(), reaching).right
    wrong = edited(reaching, ("np.cos(turned[i])", "np.cos(angle[i])"), ("np.sin(turned[i])", "np.sin(angle[i])"))
    found = str(diagnose(arm(), wrong))
    assert "`angle[i]` should be `turned[i]`, in lines 5 and 6; so edited, dangle, dlength, the loss are right" in found


def pairs_of_scores():
    net = Network("pairs", "Two rankings by one vector")
    N, D = net.sizes("N D")
    w, A, B = net.parameter("w", D), net.input("A", N, D), net.input("B", N, D)
    net.loss = total(softplus(A @ w)) + total(softplus(-(B @ w)))
    return net


def logistic(w, A, B):
    p = 1 / (1 + np.exp(-(A @ w)))
    q = 1 / (1 + np.exp(-(B @ w)))
    first = A.T @ p
    second = B.T @ (1 - q)
    return -np.sum(np.log(1 - p)) - np.sum(np.log(q)), {"w": first - second}


def test_one_function_of_several_arrays_is_one_slip():
    assert diagnose(pairs_of_scores(), logistic).right
    wrong = edited(logistic, ("A.T @ p", "A.T @ (1 / (1 + np.exp(-p)))"),
                   ("B.T @ (1 - q)", "B.T @ (1 - 1 / (1 + np.exp(-q)))"))
    found = diagnose(pairs_of_scores(), wrong)
    assert "`1 / (1 + np.exp(-x))` should be `x`, for each x, in lines 4 and 5; so edited, dw is right" in str(found)


def language():
    net = Network("language", "A recurrence over words, a vector added at every step")
    T, V, K = net.sizes("T V K")
    H, U, L, c = net.parameter("H", K, K), net.parameter("U", V, K), net.parameter("L", V, K), net.parameter("c", K)
    xs, ys = net.labels("xs", T, classes=V), net.labels("ys", T, classes=V)
    t, k, j, v = net.indices(t=T, k=K, j=K, v=V)
    h = net.state("h", T, K, initial=0)
    net.define(h, sigmoid(Sum(H[k, j] * h[t - 1, j], j) + L[xs[t], k] + c[k]), over=(t, k))
    net.loss = total(cross_entropy(net.define("s", Sum(U[v, k] * h[t, k], k), over=(t, v)), ys))
    return net


def step_by_step(H, U, L, c, xs, ys):
    T, K = len(xs), len(H)
    hs, loss = np.zeros((T + 1, K)), 0.0
    dH, dU, dL, dc = np.zeros_like(H), np.zeros_like(U), np.zeros_like(L), np.zeros_like(c)
    for t in range(T):
        hs[t] = 1 / (1 + np.exp(-(H @ hs[t - 1] + L[xs[t]] + c)))
    for t in reversed(range(T)):
        delta = np.zeros((T, K))
        p = np.exp(U @ hs[t])
        p /= p.sum()
        loss -= np.log(p[ys[t]])
        p[ys[t]] -= 1
        dU += np.outer(p, hs[t])
        delta[t] = hs[t] * (1 - hs[t]) * (U.T @ p)
        dL[xs[t]] += delta[t]
        dc += delta[t]
        dH += np.outer(delta[t], hs[t - 1])
        for i in range(1, T):
            j = t - i
            if j < 0:
                continue
            delta[j] = hs[j] * (1 - hs[j]) * (H.T @ delta[j + 1])
            dL[xs[j]] += delta[j]
            dH += np.outer(delta[j], hs[j - 1])
            dc += delta[j]
    return loss, {"H": dH, "U": dU, "L": dL, "c": dc}


def test_a_line_that_one_loop_has_and_another_lacks():
    assert diagnose(language(), step_by_step).right
    found = str(diagnose(language(), edited(step_by_step, ("            dc += delta[j]\n", ""))))
    assert "`dc += delta[j]` is missing: `dc += delta[t]` stands in line 16 alone; so edited, dc is right" in found


def test_what_is_overwritten_in_two_loops_is_added_up_in_both():
    wrong = edited(step_by_step, ("dL[xs[t]] += delta[t]", "dL[xs[t]] = delta[t]"),
                   ("dL[xs[j]] += delta[j]", "dL[xs[j]] = delta[j]"))
    found = str(diagnose(language(), wrong))
    assert "dL is assigned (=) where it should be added up (+=): what was there is overwritten, in lines" in found


def forward(A, g, b):
    N, _, W = A.shape
    count = N * W
    mean = A.sum(axis=(0, 2), keepdims=True) / (N * W)
    std = np.sqrt(((A - mean) ** 2).sum(axis=(0, 2), keepdims=True) / (N * W) + 1e-5)
    X = (A - mean) / std
    return g[:, None] * X + b[:, None], (X, std, g, count)


def backward(dout, cache):
    X, std, g, count = cache
    dX = dout * g[:, None]
    whole = dX.sum(axis=(0, 2), keepdims=True) + X * (dX * X).sum(axis=(0, 2), keepdims=True)
    return {"A": (dX - whole / count) / std, "g": (dout * X).sum(axis=(0, 2)), "b": dout.sum(axis=(0, 2))}


def test_the_entries_of_two_axes_are_counted():
    net = Network("channels", "Batch normalisation of channels along a line")
    N, C, W = net.sizes("N C W")
    A, dout = net.parameter("A", N, C, W), net.input("dout", N, C, W)
    g, b = net.parameter("g", C), net.parameter("b", C)
    n, c, w = net.indices(n=N, c=C, w=W)
    m = net.define("m", Sum(A[n, c, w], n, w) / (N * W), over=c)
    v = net.define("v", Sum((A[n, c, w] - m[c]) ** 2, n, w) / (N * W), over=c)
    Y = net.define("Y", g[c] * (A[n, c, w] - m[c]) / (v[c] + 10**-5) ** 0.5 + b[c], over=(n, c, w))
    net.loss = Sum(dout[n, c, w] * Y[n, c, w], n, c, w)
    assert diagnose(net, layered(forward, backward)).right
    found = str(diagnose(net, layered(edited(forward, ("count = N * W", "count = N")), backward)))
    assert "`N` should be `N * W`: the entries of 2 axes are to be counted; so edited, dA is right" in found


def test_the_loss_itself_sent_back_is_told():
    net = Network("sent", "A layer and a scalar loss")
    D, K = net.sizes("D K")
    W, x = net.parameter("W", K, D), net.input("x", D)
    y = net.define("y", tanh(W @ x))
    net.loss = softplus(total(y))

    def mine(W, x):
        y = np.tanh(W @ x)
        loss = np.log(1 + np.exp(y.sum()))
        above = loss                            # where 1 / (1 + exp(-y.sum())) belongs
        return loss, {"W": np.outer(above * (1 - y**2), x)}

    found = diagnose(net, mine)
    assert found.verdict == "wrong" and "unknown" not in found.kinds and "loss" in str(found.findings[0].words), found


def resampled(offset=1):
    net = Network("resampled", "Points between -1 and 1 in an image of its own size each")
    H, W, N = net.sizes("H W N")
    at, image, goal = net.parameter("at", N, 2), net.input("image", H, W), net.input("goal", N)
    n, = net.indices(n=N)
    u = net.define("u", (W - 1) / 2 * (at[n, 0] + 1) + offset * image[0, 0], over=n)
    v = net.define("v", (H - 1) / 2 * (at[n, 1] + 1), over=n)
    net.loss = Sum(sin(u[n]) * cos(v[n]) * goal[n], n)
    return net


def sampling(at, image, goal):
    H, W = image.shape
    u = (W - 1) / 2 * (at[:, 0] + 1) + image[0, 0]
    v = (H - 1) / 2 * (at[:, 1] + 1)
    across = np.cos(u) * np.cos(v) * goal
    down = -np.sin(u) * np.sin(v) * goal
    across = across * (W - 1) / 2
    down = down * (H - 1) / 2
    return np.sum(np.sin(u) * np.cos(v) * goal), {"at": np.stack((across, down), axis=1)}


def test_one_slip_in_twin_lines_with_names_of_their_own_is_one():
    assert diagnose(resampled(), sampling).right
    wrong = edited(sampling, ("across * (W - 1) / 2", "across * ((W - 1) / 2) ** 2"),
                   ("down * (H - 1) / 2", "down * ((H - 1) / 2) ** 2"))
    found = str(diagnose(resampled(), wrong))
    assert "the power 2 does not belong there" in found or "2 where 1 should be" in found
    assert "in lines 7 and 8; so edited, dat is right" in found


def test_one_slip_in_twin_lines_of_the_forward_pass_is_one():
    wrong = edited(sampling, ("u = (W - 1) / 2 * (at[:, 0] + 1) + image[0, 0]", "u = (W - 1) * (at[:, 0] + 1)"),
                   ("v = (H - 1) / 2 *", "v = (H - 1) *"))
    found = str(diagnose(resampled(offset=0), wrong))
    assert "the loss is not the network's" in found
    assert "`W - 1` should be `(W - 1) / 2` and `H - 1` should be `(H - 1) / 2`" in found
    assert "in lines 3 and 4; so edited, dat and the loss are right" in found


def test_an_adjoint_that_two_equations_are_wrong_for_is_named_once():
    wrong = edited(sampling, ("across * (W - 1)", "across * (W - 2)"), ("down * (H - 1)", "down * (H - 2)"))
    found = str(diagnose(resampled(), wrong))
    assert "dat: the term -1 is doubled" in found and "dat, dat" not in found


def gains():
    net = Network("gains", "Each channel of each image times a gain, and a shift")
    N, C, L = net.sizes("N C L")
    gamma, beta = net.parameter("gamma", C), net.parameter("beta", C)
    x, G = net.input("x", N, C, L), net.input("G", N, C, L)
    n, c, m = net.indices(n=N, c=C, m=L)
    y = net.define("y", sin(gamma[c] * x[n, c, m] + beta[c]), over=(n, c, m))
    net.loss = Sum(y[n, c, m] * G[n, c, m], n, c, m)
    return net


def one_image(gamma, beta, x, G):
    N, C, L = x.shape
    rows, weights = x.reshape(N * C, L), G.reshape(N * C, L)
    gain = np.tile(gamma, N)[:, None]
    shift = np.tile(beta, N)[:, None]
    y = np.sin(rows * gain + shift)
    slope = np.cos(rows * gain + shift) * weights
    dgamma = (slope * rows).sum(axis=1).reshape(N, C).sum(axis=0)
    dbeta = slope.sum(axis=1).reshape(N, C).sum(axis=0)
    return np.sum(y * weights), {"gamma": dgamma, "beta": dbeta}


def test_one_function_for_another_in_several_lines_is_one_slip():
    assert diagnose(gains(), one_image).right
    wrong = edited(one_image, ("np.tile(gamma, N)", "np.repeat(gamma, N)"), ("np.tile(beta, N)", "np.repeat(beta, N)"))
    found = str(diagnose(gains(), wrong))
    assert "repeat where tile should be, in lines 4 and 5; so edited, dbeta, dgamma, the loss are right" in found
