"""Losses and cells of papers, as one writes them down from there; PyTorch is the judge."""

import numpy as np
import pytest
from sympy import Abs, Max, Min, Piecewise, Sum, exp, log, tanh

from codegen import lambdify, source
from derive import LogSumExp, Network, log_softmax, mean, sigmoid, softmax, total

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

random = np.random.default_rng(0)


def ctc():
    """Connectionist temporal classification (Graves et al., 2006): labels with blanks between them, 0 the blank."""
    net = Network("ctc", "Connectionist temporal classification")
    T, D, C, K = net.sizes("T D C K")
    L = 2 * K + 1
    W, X = net.parameter("W", D, C), net.input("X", T, D)
    word, skip, first = net.labels("word", L, classes=C), net.input("skip", L), net.input("first", L)
    t, k = net.indices(t=T, k=L)
    logp = net.define("logp", log_softmax(X @ W))
    alpha = net.state("alpha", T, L, initial=first)
    one = Piecewise((alpha[t - 1, k - 1], k >= 1), (-1e30, True))
    two = Piecewise((alpha[t - 1, k - 2] + skip[k], k >= 2), (-1e30, True))
    net.define(alpha, log(exp(alpha[t - 1, k]) + exp(one) + exp(two)) + logp[t, word[k]], over=(t, k))
    net.loss = -log(exp(alpha[T - 1, L - 1]) + exp(alpha[T - 1, L - 2]))

    labels, unreached = np.array([1, 2, 2]), np.full(7, -1e30)
    given = {"W": random.normal(size=(4, 5)), "X": random.normal(size=(9, 4)), "word": np.array([0, 1, 0, 2, 0, 2, 0]),
             "skip": np.where(np.arange(7) == 3, 0, unreached), "first": np.where(np.arange(7) == 0, 0, unreached)}
    return net, given, lambda W, X, **_: torch.nn.functional.ctc_loss(
        torch.log_softmax(X @ W, -1), torch.tensor(labels), [len(X)], [len(labels)], reduction="sum")


def soft_dtw():
    """Soft dynamic time warping (Cuturi and Blondel, 2017)."""
    net = Network("soft_dtw", "Soft dynamic time warping")
    I, J, D = net.sizes("I J D")
    X, Y, top, g = net.parameter("X", I, D), net.input("Y", J, D), net.input("top", J + 1), net.input("g")
    i, j, d, k = net.indices(i=I, j=J, d=D, k=J + 1)
    C = net.define("C", Sum((X[i, d] - Y[j, d]) ** 2, d), over=(i, j))
    R = net.state("R", I, J + 1, initial=top)
    least = -g * log(exp(-R[i - 1, k - 1] / g) + exp(-R[i - 1, k] / g) + exp(-R[i, k - 1] / g))
    net.define(R, Piecewise((1e10, k < 1), (C[i, k - 1] + least, True)), over=(i, k))
    net.loss = R[I - 1, J]

    def by_torch(X, Y, top, g):
        C, rows = ((X[:, None] - Y) ** 2).sum(-1), [list(top)]
        for costs in C:
            rows.append([top.new_tensor(1e10)])
            for j, cost in enumerate(costs):
                before = torch.stack([rows[-2][j], rows[-2][j + 1], rows[-1][j]])
                rows[-1].append(cost - g * torch.logsumexp(-before / g, 0))
        return rows[-1][-1]

    given = {"X": random.normal(size=(4, 2)), "Y": random.normal(size=(5, 2)), "top": np.array([0.0, *[1e10] * 5]),
             "g": np.array(0.7)}
    return net, given, by_torch


def sinkhorn():
    """Entropic optimal transport, as many iterations as one likes (Cuturi, 2013)."""
    net = Network("sinkhorn", "Entropic optimal transport by Sinkhorn's iterations")
    N, M, D, K = net.sizes("N M D K")
    X, Y, eps = net.parameter("X", N, D), net.input("Y", M, D), net.input("eps")
    i, j, k, d = net.indices(i=N, j=M, k=K, d=D)
    C = net.define("C", Sum((X[i, d] - Y[j, d]) ** 2, d), over=(i, j))
    g = net.state("g", K, M)
    f = net.define("f", -eps * (log(N) + LogSumExp((g[k - 1, j] - C[i, j]) / eps, j)), over=(k, i))
    net.define(g, -eps * (log(M) + LogSumExp((f[k, i] - C[i, j]) / eps, i)), over=(k, j))
    P = net.define("P", exp((f[K - 1, i] + g[K - 1, j] - C[i, j]) / eps), over=(i, j))
    net.loss = total(P * C)

    def by_torch(X, Y, eps, K):
        C, g = ((X[:, None] - Y) ** 2).sum(-1), Y.new_zeros(len(Y))
        for _ in range(K):
            f = -eps * (np.log(len(X)) + torch.logsumexp((g - C) / eps, 1))
            g = -eps * (np.log(len(Y)) + torch.logsumexp((f[:, None] - C) / eps, 0))
        return (torch.exp((f[:, None] + g - C) / eps) * C).sum()

    given = {"X": random.normal(size=(4, 2)), "Y": random.normal(size=(5, 2)), "eps": np.array(0.5), "K": 6}
    return net, given, by_torch


def logs_of_two():
    """log(exp(a) + exp(b)) of numbers of any size."""
    net = Network("logs_of_two", "The logarithm of two exponentials")
    N = net.size("N")
    a, b = net.parameter("a", N), net.parameter("b", N)
    net.loss = mean(log(exp(a) + exp(b)))
    given = {"a": np.array([-1e30, 0.3, 2, -1e30, 700]), "b": np.array([0.3, -1e30, 1, -1e30, 710])}
    return net, given, lambda a, b: torch.logaddexp(a, b).mean()


def cox(scale=1):
    """The partial likelihood of who dies when (Cox, 1972), ties as Breslow has them."""
    net = Network("cox", "Cox's partial likelihood")
    N = net.size("N")
    eta, time, event = net.parameter("eta", N), net.input("time", N), net.input("event", N)
    i, j = net.indices(i=N, j=N)
    at_risk = Sum(Piecewise((exp(eta[j]), time[j] >= time[i]), (0, True)), j)
    net.loss = -Sum(event[i] * (eta[i] - log(at_risk)), i)

    def by_torch(eta, time, event):
        at_risk = torch.where(time >= time[:, None], eta, -torch.inf)
        return -(event * (eta - torch.logsumexp(at_risk, 1))).sum()

    given = {"eta": scale * random.normal(size=6), "time": np.array([3.0, 1, 2, 2, 5, 1]),
             "event": np.array([1.0, 0, 1, 1, 0, 1])}
    return net, given, by_torch


def cox_far_out():
    """Scores whose exponentials overflow."""
    return cox(scale=900)


def slstm():
    """The cell of xLSTM with exponential gates and a stabiliser (Beck et al., 2024), its gates in one array."""
    net = Network("slstm", "Exponential gates with a stabiliser")
    T, N, K = net.sizes("T N K")
    R, b = net.parameter("R", K, 4, K), net.parameter("b", 4, K)
    X, Y = net.input("X", T, N, 4, K), net.input("Y", T, N, K)
    t, n, k, j, a = net.indices(t=T, n=N, k=K, j=K, a=4)
    h, c, q, m = (net.state(name, T, N, K) for name in "hcqm")
    pre = net.define("pre", X[t, n, a, k] + Sum(h[t - 1, n, j] * R[j, a, k], j) + b[a, k], over=(t, n, a, k))
    net.define(m, Max(pre[t, n, 1, k] + m[t - 1, n, k], pre[t, n, 0, k]), over=(t, n, k))
    i = net.define("i", exp(pre[t, n, 0, k] - m[t, n, k]), over=(t, n, k))
    f = net.define("f", exp(pre[t, n, 1, k] + m[t - 1, n, k] - m[t, n, k]), over=(t, n, k))
    net.define(c, f[t, n, k] * c[t - 1, n, k] + i[t, n, k] * tanh(pre[t, n, 2, k]), over=(t, n, k))
    net.define(q, f[t, n, k] * q[t - 1, n, k] + i[t, n, k], over=(t, n, k))
    net.define(h, sigmoid(pre[t, n, 3, k]) * c[t, n, k] / q[t, n, k], over=(t, n, k))
    net.loss = mean((h - Y) ** 2)

    def by_torch(R, b, X, Y):
        h = c = q = m = torch.zeros_like(Y[0])
        loss = 0
        for x, y in zip(X, Y, strict=True):
            pre = x + torch.einsum("nj,jak->nak", h, R) + b
            before, m = m, torch.maximum(pre[:, 1] + m, pre[:, 0])
            i, f = torch.exp(pre[:, 0] - m), torch.exp(pre[:, 1] + before - m)
            c, q = f * c + i * torch.tanh(pre[:, 2]), f * q + i
            h = torch.sigmoid(pre[:, 3]) * c / q
            loss = loss + ((h - y) ** 2).sum()
        return loss / Y.numel()

    given = {"R": random.normal(size=(3, 4, 3)), "b": random.normal(size=(4, 3)),
             "X": random.normal(size=(5, 2, 4, 3)), "Y": random.normal(size=(5, 2, 3))}
    return net, given, by_torch


def ppo():
    """Proximal policy optimisation with an entropy bonus (Schulman et al., 2017)."""
    net = Network("ppo", "The clipped surrogate and an entropy bonus")
    N, D, A = net.sizes("N D A")
    W, X, act = net.parameter("W", D, A), net.input("X", N, D), net.labels("act", N, classes=A)
    old, gain, eps = net.input("old", N), net.input("gain", N), net.input("eps")
    (n,) = net.indices(n=N)
    logp = net.define("logp", log_softmax(X @ W))
    ratio = net.define("ratio", exp(logp[n, act[n]] - old[n]), over=n)
    clipped = Min(Max(ratio, 1 - eps), 1 + eps)
    net.loss = -mean(Min(ratio * gain, clipped * gain)) + mean(total(exp(logp) * logp, axis=1)) / 100

    def by_torch(W, X, act, old, gain, eps):
        policy = torch.distributions.Categorical(logits=X @ W)
        ratio = torch.exp(policy.log_prob(act) - old)
        clipped = torch.clip(ratio, 1 - eps, 1 + eps)
        return -torch.minimum(ratio * gain, clipped * gain).mean() - policy.entropy().mean() / 100

    given = {"W": random.normal(size=(3, 4)), "X": random.normal(size=(9, 3)), "act": random.integers(0, 4, 9),
             "old": -1 + random.normal(size=9), "gain": random.normal(size=9), "eps": np.array(0.2)}
    return net, given, by_torch


def rendering():
    """The colour of a ray through a volume (Mildenhall et al., 2020)."""
    net = Network("rendering", "Colours of rays")
    R, S = net.sizes("R S")
    sigma, c, y = net.parameter("sigma", R, S), net.parameter("c", R, S), net.input("y", R)
    r, s, u = net.indices(r=R, s=S, u=S)
    left = net.define("left", exp(-Sum(sigma[r, u], (u, 0, s - 1))), over=(r, s))
    net.loss = mean((total(left * (1 - exp(-sigma)) * c, axis=1) - y) ** 2)

    def by_torch(sigma, c, y):
        left = torch.exp(-(torch.cumsum(sigma, 1) - sigma))
        return (((left * (1 - torch.exp(-sigma)) * c).sum(1) - y) ** 2).mean()

    return net, {"sigma": random.random((3, 5)), "c": random.random((3, 5)), "y": random.random(3)}, by_torch


def soft_sort():
    """Sorting as a softmax of distances (Prillo and Eisenschlos, 2020)."""
    net = Network("soft_sort", "Scores next to those of an order")
    N, M = net.sizes("N M")
    s, order, tau = net.parameter("s", N, M), net.input("order", N, M), net.input("tau")
    P = net.define("P", softmax(-Abs(order[:, :, None] - s[:, None, :]) / tau, axis=2))
    n, i, j = net.indices(n=N, i=M, j=M)
    net.loss = mean(net.define("sorted", Sum(P[n, i, j] * s[n, j], j), over=(n, i)) ** 2)

    def by_torch(s, order, tau):
        P = torch.softmax(-torch.abs(order[:, :, None] - s[:, None, :]) / tau, 2)
        return (torch.einsum("nij,nj->ni", P, s) ** 2).mean()

    return net, {"s": random.normal(size=(3, 4)), "order": random.normal(size=(3, 4)), "tau": np.array(0.7)}, by_torch


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
@pytest.mark.parametrize("network", [
    ctc, soft_dtw, sinkhorn, logs_of_two, cox, cox_far_out, slstm, ppo, rendering, soft_sort])
def test_loss_and_gradients_are_pytorchs(network, style):
    net, given, by_torch = network()
    tensors = {n: v if isinstance(v, int) else torch.tensor(v) for n, v in given.items()}
    program = net.backward()
    for name in program.gradients:
        tensors[name].requires_grad_()
    expected = by_torch(**tensors)
    expected.backward()
    loss, grads = lambdify(program, style=style)(**given)
    assert np.isclose(loss, expected.item(), rtol=1e-12)
    for name in program.gradients:
        assert np.allclose(getattr(grads, name), tensors[name].grad, rtol=1e-10, atol=1e-12), name


@pytest.mark.parametrize(("network", "function", "times"), [
    (cox, "np.exp(", 1), (slstm, "np.tanh(", 1), (ppo, "np.maximum(1 - eps", 2), (ppo, "np.exp(logp)", 1),
    (rendering, "np.expm1(", 1), (soft_sort, "np.abs(", 1)])
def test_a_function_is_computed_once(network, function, times):
    assert source(network()[0].backward()).count(function) == times
