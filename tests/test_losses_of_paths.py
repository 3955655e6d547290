"""Losses that add up all paths, with -1e30 for what cannot be reached, as one writes them; PyTorch is the judge."""

import numpy as np
import pytest
from sympy import Piecewise, Sum, exp, log

from codegen import lambdify
from derive import LogSumExp, Network, log_softmax, mean, total

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


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
@pytest.mark.parametrize("network", [ctc, soft_dtw, sinkhorn, logs_of_two])
def test_paths_add_up_as_in_pytorch(network, style):
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
