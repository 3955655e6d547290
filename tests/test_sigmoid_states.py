"""States that are sigmoids, exponentials or log-sum-exps themselves, beside PyTorch; their row -1 is not."""

import numpy as np
import pytest
from sympy import Sum, exp, tanh

import codegen
from derive import LogSumExp, Network, sigmoid

torch = pytest.importorskip("torch", reason="PyTorch is in the peers extra: pip install -e '.[peers]'")


def vectors(own=sigmoid):
    net = Network("sigmoid_state", "A state that is a sigmoid")
    T, D, H = net.sizes("T D H")
    Wx, W, h0 = net.parameter("Wx", D, H), net.parameter("W", H, H), net.parameter("h0", H)
    x, y = net.input("x", T, D), net.input("y", T, H)
    t, k, j, d = net.indices(t=T, k=H, j=H, d=D)
    h = net.state("h", T, H, initial=h0)
    net.define(h, own(Sum(x[t, d] * Wx[d, k], d) + Sum(h[t - 1, j] * W[j, k], j)), over=(t, k))
    net.loss = Sum((y[t, k] - h[t, k]) ** 2, t, k) / 2
    return net


def vectors_in_torch(Wx, W, h0, x, y):
    h, loss = h0, 0
    for t in range(len(x)):
        h = torch.sigmoid(x[t] @ Wx + h @ W)
        loss = loss + ((y[t] - h) ** 2).sum() / 2
    return loss


def numbers():
    net = Network("sigmoid_number", "A number that is a sigmoid of the number before, and what it lets through")
    T = net.size("T")
    a, b = net.parameter("a"), net.parameter("b")
    x = net.input("x", T)
    t, = net.indices(t=T)
    p, h, q = net.state("p", T, initial=sigmoid(b)), net.state("h", T), net.state("q", T)
    net.define(q, exp(-(a * x[t]) ** 2 - q[t - 1]), over=(t,))
    net.define(p, sigmoid(a * p[t - 1] + x[t]), over=(t,))
    net.define(h, (1 - p[t]) * h[t - 1] + p[t] * tanh(b * x[t] + p[t - 1]), over=(t,))
    net.loss = Sum(h[t] ** 2 * (1 - p[t]) + (1 - p[t - 1]) * (q[t - 1] - 1) * x[t], t)
    return net


def numbers_in_torch(a, b, x):
    p, h, q, loss = torch.sigmoid(b), torch.zeros((), dtype=x.dtype), torch.zeros((), dtype=x.dtype), 0
    for t in range(len(x)):
        loss = loss + (1 - p) * (q - 1) * x[t]
        q = torch.exp(-(a * x[t]) ** 2 - q)
        before, p = p, torch.sigmoid(a * p + x[t])
        h = (1 - p) * h + p * torch.tanh(b * x[t] + before)
        loss = loss + h ** 2 * (1 - p)
    return loss


def soft_values(initial):
    net = Network("soft_values", "Values of states, the soft maximum over actions of what is to come")
    T, S, A = net.sizes("T S A")
    r, x, P = net.parameter("r", S), net.input("x", T, S), net.input("P", S, S, A)
    t, s, k, a = net.indices(t=T, s=S, k=S, a=A)
    V = net.state("V", T, S, initial=LogSumExp(P[s, k, 0] * r[k], k) if initial else 0)
    Q = net.define("Q", r[s] * x[t, s] + Sum(P[s, k, a] * V[t - 1, k], k), over=(t, s, a))
    net.define(V, LogSumExp(Q[t, s, a], a), over=(t, s))
    net.loss = Sum(V[t, s] * P[s, s, 0], t, s)
    return net


def soft_values_in_torch(initial):
    def loss(r, x, P):
        V = torch.logsumexp(P[:, :, 0] * r, 1) if initial else torch.zeros_like(r)
        total = 0
        for now in x:
            V = torch.logsumexp((r * now)[:, None] + torch.einsum("ska,k->sa", P, V), 1)
            total = total + V @ torch.diagonal(P[:, :, 0])
        return total

    return loss


NETWORKS = {
    "log-sum-exps": (lambda: soft_values(False), soft_values_in_torch(False), {"T": 4, "S": 3, "A": 2}),
    "log-sum-exps from one": (lambda: soft_values(True), soft_values_in_torch(True), {"T": 3, "S": 4, "A": 3}),
    "vectors": (vectors, vectors_in_torch, {"T": 5, "D": 3, "H": 4}),
    "by exp": (lambda: vectors(lambda z: 1 / (1 + exp(-z))), vectors_in_torch, {"T": 1, "D": 2, "H": 3}),
    "numbers": (numbers, numbers_in_torch, {"T": 6}),
}


@pytest.mark.parametrize("scale", [1, 400])
@pytest.mark.parametrize(("make", "in_torch", "sizes"), NETWORKS.values(), ids=NETWORKS)
def test_gradients_are_pytorchs(make, in_torch, sizes, scale):
    program, random = make().backward(), np.random.default_rng(3)
    shapes = {v.name: [sizes[str(s)] for s in v.shape] for v in
              (*program.parameters, *program.inputs)}
    given = {n: scale * random.normal(size=shape) for n, shape in shapes.items()}
    leaves = {n: torch.tensor(v, requires_grad=True) for n, v in given.items()}
    loss = in_torch(**leaves)
    loss.backward()
    for style in ("plain", "fast", "compiled"):
        found, grads = codegen.lambdify(program, style=style)(**given)
        assert np.isclose(found, loss.item(), rtol=1e-12)
        for p in program.parameters:
            np.testing.assert_allclose(getattr(grads, p.name), leaves[p.name].grad, rtol=1e-9, atol=1e-12)
