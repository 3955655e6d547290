"""Products that share a factor are brought together, and the gradient is still PyTorch's."""

import numpy as np
import pytest
from sympy import Sum

import codegen
from derive import Network, mean, total


def kernel():
    net = Network("kernel", "Inner products of all rows")
    N, D = net.sizes("N D")
    X, Y = net.parameter("X", N, D), net.input("Y", N, N)
    net.loss = total((net.define("K", X @ X.T) - Y) ** 2)
    return net, "dX = (dK + dK.T) @ X", lambda X, Y: ((X @ X.T - Y) ** 2).sum()


def covariance():
    net = Network("covariance", "Covariances of features")
    N, D = net.sizes("N D")
    X, Y = net.parameter("X", N, D), net.input("Y", D, D)
    n, d, e = net.indices(n=N, d=D, e=D)
    m = net.define("m", mean(X, axis=0))
    C = net.define("C", Sum((X[n, d] - m[d]) * (X[n, e] - m[e]), n) / N, over=(d, e))
    net.loss = total((C - Y) ** 2)
    return net, "dfactor_C = factor_C @ (dC + dC.T) / N", lambda X, Y: (
        ((X - X.mean(0)).T @ (X - X.mean(0)) / len(X) - Y) ** 2).sum()


def weighted():
    net = Network("weighted", "A form of two sides, by sums over indices")
    N, D = net.sizes("N D")
    X, Y, A = net.parameter("X", N, D), net.input("Y", N, N), net.input("A", D, D)
    net.loss = total((net.define("K", X @ A @ X.T - 3 * X @ A.T @ X.T) - Y) ** 2)
    return net, "dK.T @ (sum_K_2 - 3 * sum_K)", lambda X, Y, A: ((X @ A @ X.T - 3 * X @ A.T @ X.T - Y) ** 2).sum()


def orthogonal():
    net = Network("orthogonal", "Newton and Schulz's iterations, in turns of a loop")
    N, D = net.sizes("N D")
    X, Y = net.parameter("X", N, D), net.input("Y", N, D)
    t, n, d, e = net.indices(t=3, n=N, d=D, e=D)
    A = net.state("A", 3, N, D, initial=X)
    G = net.define("G", Sum(A[t - 1, n, d] * A[t - 1, n, e], n), over=(t, d, e))
    net.define(A, 3 * A[t - 1, n, d] / 2 - Sum(A[t - 1, n, e] * G[t, e, d], e) / 2, over=(t, n, d))
    net.loss = total(A[2, :, :] * Y)

    def loss(X, Y):
        for _ in range(3):
            X = 1.5 * X - X @ (X.T @ X) / 2
        return (X * Y).sum()

    return net, "dA[t] += A[t] @ (dG + dG.T) + 1.5 * dA[t + 1] - dA[t + 1] @ G[t].T / 2", loss


@pytest.mark.parametrize("made", [kernel, covariance, weighted, orthogonal])
def test_products_that_share_a_factor_are_one(made):
    torch = pytest.importorskip("torch")
    net, line, loss = made()
    program = net.backward()
    assert line in codegen.source(program)
    sizes = {"N": 5, "D": 3}
    rng = np.random.default_rng(0)
    values = {v.name: rng.normal(size=[sizes[str(s)] for s in v.shape]) for v in (*program.parameters, *program.inputs)}
    given = {n: torch.tensor(v, requires_grad=n == "X") for n, v in values.items()}
    loss(**given).backward()
    _, grads = codegen.lambdify(program)(**values)
    assert np.allclose(grads.X, given["X"].grad, rtol=1e-12, atol=1e-12)


def test_lines_stay_as_they_were_written():
    net = Network("written", "Two products of one array")
    N, D = net.sizes("N D")
    X, V, W = net.input("X", N, D), net.parameter("V", D, D), net.parameter("W", D, D)
    net.loss = total(net.define("Z", X @ V + X @ W) ** 2)
    assert "Z = X @ V + X @ W" in codegen.source(net.backward())
