"""Two objectives of ADBench (Srajer, Kukelova and Fitzgibbon, 2018), from its formulas: values, gradients, products.

The mixture of Gaussians with full covariances and a Wishart prior (section 4.1), and bundle adjustment with radial
distortion (section 4.2). PyTorch judges, on the same formulas written for whole arrays.
"""

import math

import numpy as np
import pytest
from sympy import Piecewise, Sum, cos, exp, log, pi, sin, sqrt

import codegen
from derive import Network, total

torch = pytest.importorskip("torch", reason="PyTorch is an extra: pip install -e '.[peers]'")
GAMMA, M = 0.7, 2               # of the Wishart prior
CLOSE = 1e-12


def mixture():
    """Return the log posterior of a mixture; exp(q) and the lower triangle of L are square roots of precisions."""
    net = Network("mixture", "Gaussian mixture with a Wishart prior")
    N, D, K = net.sizes("N D K")
    alpha, mu = net.parameter("alpha", K), net.parameter("mu", K, D)
    q, L = net.parameter("q", K, D), net.parameter("L", K, D, D)
    x = net.input("x", N, D)
    n, d, e, k = net.indices(n=N, d=D, e=D, k=K)
    below = Sum(Piecewise((L[k, d, e] * (x[n, e] - mu[k, e]), d > e), (0, True)), e)
    z = net.define("z", exp(q[k, d]) * (x[n, d] - mu[k, d]) + below, over=(n, k, d))
    p = net.define("p", alpha[k] + Sum(q[k, d], d) - Sum(z[n, k, d] ** 2, d) / 2, over=(n, k))
    fit = -N * D * log(2 * pi) / 2 + Sum(log(Sum(exp(p[n, k]), k)), n) - N * log(Sum(exp(alpha[k]), k))
    lower = Sum(Piecewise((L[k, d, e] ** 2, d > e), (0, True)), d, e)
    prior = Sum(GAMMA**2 / 2 * (Sum(exp(2 * q[k, d]), d) + lower) - M * Sum(q[k, d], d), k)
    net.loss = fit - prior
    return net


def mixture_in_torch(alpha, mu, q, L, x):
    D = mu.shape[1]
    Q = torch.diag_embed(q.exp()) + torch.tril(L, -1)
    z = torch.einsum("kde,nke->nkd", Q, x[:, None] - mu)
    p = alpha + q.sum(1) - (z**2).sum(2) / 2
    fit = torch.logsumexp(p, 1).sum() - len(x) * (D * math.log(2 * math.pi) / 2 + torch.logsumexp(alpha, 0))
    return fit - (GAMMA**2 / 2 * (Q**2).sum() - M * q.sum())


def adjustment():
    """Return half the squared reprojection errors, and weights that should be 1, of points seen by cameras."""
    net = Network("adjustment", "Bundle adjustment")
    C, P, N = net.sizes("C P N")
    r, t = net.parameter("r", C, 3, note="rotations"), net.parameter("t", C, 3, note="centres")
    f, u = net.parameter("f", C, note="focal lengths"), net.parameter("u", C, 2, note="principal points")
    k, X, w = net.parameter("k", C, 2, note="distortion"), net.parameter("X", P, 3), net.parameter("w", N)
    c, p, m = net.labels("c", N, classes=C), net.labels("p", N, classes=P), net.input("m", N, 2)
    i, a, b, s = net.indices(i=N, a=C, b=3, s=3)
    angle = net.define("angle", sqrt(Sum(r[a, b] ** 2, b)), over=a)
    v = net.define("v", r[a, b] / angle[a], over=(a, b))
    Y = net.define("Y", X[p[i], b] - t[c[i], b], over=(i, b))
    along = net.define("along", Sum(v[c[i], s] * Y[i, s], s) * (1 - cos(angle[c[i]])), over=i)
    turned = []
    for g, h, o in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):               # Rodrigues' formula, a component at a time
        cross = v[c[i], h] * Y[i, o] - v[c[i], o] * Y[i, h]
        turned.append(net.define(f"y{g}", Y[i, g] * cos(angle[c[i]]) + cross * sin(angle[c[i]]) + v[c[i], g] * along[i],
                                 over=i))
    A, B = (net.define(name, part[i] / turned[2][i], over=i) for name, part in zip("AB", turned, strict=False))
    square = A[i] ** 2 + B[i] ** 2
    bent = net.define("bent", f[c[i]] * (1 + k[c[i], 0] * square + k[c[i], 1] * square**2), over=i)
    e = net.define("e", w[i] * (bent[i] * A[i] + u[c[i], 0] - m[i, 0]), over=i)
    g = net.define("g", w[i] * (bent[i] * B[i] + u[c[i], 1] - m[i, 1]), over=i)
    net.loss = (total(e**2) + total(g**2) + total((1 - w**2) ** 2)) / 2
    return net


def adjustment_in_torch(r, t, f, u, k, X, w, c, p, m):
    angle = r[c].norm(dim=1, keepdim=True)
    v, Y = r[c] / angle, X[p] - t[c]
    y = Y * angle.cos() + torch.linalg.cross(v, Y) * angle.sin() + v * (v * Y).sum(1, keepdim=True) * (1 - angle.cos())
    ray = y[:, :2] / y[:, 2:]
    square = (ray**2).sum(1, keepdim=True)
    e = w[:, None] * (f[c][:, None] * (1 + k[c][:, :1] * square + k[c][:, 1:] * square**2) * ray + u[c] - m)
    return ((e**2).sum() + ((1 - w**2) ** 2).sum()) / 2


def points(name):
    random = np.random.default_rng(3)
    if name == "mixture":
        N, D, K = 7, 3, 4
        return {"alpha": random.normal(size=K), "mu": random.normal(size=(K, D)), "q": random.normal(size=(K, D)),
                "L": random.normal(size=(K, D, D)), "x": random.normal(size=(N, D))}
    C, P, N = 2, 4, 6
    return {"r": random.normal(size=(C, 3)), "t": random.normal(size=(C, 3)), "f": random.uniform(1, 2, C),
            "u": random.normal(size=(C, 2)), "k": 0.1 * random.normal(size=(C, 2)), "X": random.normal(size=(P, 3)),
            "w": random.uniform(0.5, 1.5, N), "c": random.integers(0, C, N), "p": random.integers(0, P, N),
            "m": random.normal(size=(N, 2))}


@pytest.mark.parametrize(("network", "judge"), [(mixture, mixture_in_torch), (adjustment, adjustment_in_torch)])
def test_value_gradient_and_hessian_product(network, judge):
    net = network()
    given = points(net.name)
    program = net.backward()
    tensors = {n: torch.tensor(v) for n, v in given.items()}
    parameters = [tensors[p.name].requires_grad_() for p in program.parameters]
    value = judge(**tensors)
    slopes = torch.autograd.grad(value, parameters, create_graph=True)
    loss, gradients = codegen.lambdify(program)(**given)
    np.testing.assert_allclose(loss, value.item(), rtol=CLOSE)
    random = np.random.default_rng(0)
    direction = [random.normal(size=p.shape) for p in parameters]
    inner = sum((g * torch.tensor(d)).sum() for g, d in zip(slopes, direction, strict=True))
    curved = torch.autograd.grad(inner, parameters)
    products = codegen.lambdify(net.hessian_vector_product())(**given, direction=direction)
    for ours, theirs in ((gradients, slopes), (products, curved)):
        largest = max(float(t.detach().abs().max()) for t in theirs)
        for p, a, b in zip(program.parameters, ours, theirs, strict=True):
            np.testing.assert_allclose(a, b.detach().numpy(), rtol=CLOSE, atol=CLOSE * largest, err_msg=p.name)
