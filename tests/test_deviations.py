"""Sums of deviations from a mean are dropped where they are 0, and nowhere else: PyTorch's gradients say so."""

import numpy as np
import pytest
from sympy import Sum, sqrt, tanh

import codegen
from derive import Network, mean
from derive.paper.derivation import Derivation


def normalised(centre):
    """Return a network of columns and rows in which a spread is taken about a centre, a mean of one kind or another."""
    net = Network("spread", "A spread about a centre")
    N, D = net.sizes("N D")
    x, Y = net.parameter("x", N, D), net.input("Y", N, D)
    n, d = net.indices(n=N, d=D)
    p = net.define("p", tanh(x))
    m = net.define("m", centre(p, x, n, d, N, D), over=n)
    v = net.define("v", Sum((p[n, d] - m[n]) ** 2, d) / D, over=n)
    h = net.define("h", (p[n, d] - m[n]) / sqrt(v[n] + 0.1), over=(n, d))
    net.loss = mean((h - Y) ** 2)
    return net


CENTRES = {
    "its mean": lambda p, x, n, d, N, D: Sum(p[n, d], d) / D,
    "half its mean": lambda p, x, n, d, N, D: Sum(p[n, d], d) / (2 * D),
    "another's mean": lambda p, x, n, d, N, D: Sum(x[n, d], d) / D,
    "a mean over rows": lambda p, x, n, d, N, D: Sum(p[n, d], d) / N,
    "a sum of squares": lambda p, x, n, d, N, D: Sum(p[n, d] ** 2, d) / D,
}
IN_TORCH = {
    "its mean": lambda p, x: p.mean(1),
    "half its mean": lambda p, x: p.mean(1) / 2,
    "another's mean": lambda p, x: x.mean(1),
    "a mean over rows": lambda p, x: p.sum(1) / len(p),
    "a sum of squares": lambda p, x: (p**2).mean(1),
}


@pytest.mark.parametrize("style", ["plain", "fast"])
@pytest.mark.parametrize("kind", CENTRES)
def test_gradients_are_those_of_pytorch(kind, style):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    x, Y = rng.normal(size=(4, 7)), rng.normal(size=(4, 7))
    loss, grads = codegen.lambdify(normalised(CENTRES[kind]).backward(), style=style)(x=x, Y=Y)
    t = torch.tensor(x, requires_grad=True)
    p = torch.tanh(t)
    m = IN_TORCH[kind](p, t)[:, None]
    h = (p - m) / torch.sqrt(((p - m) ** 2).mean(1, keepdim=True) + 0.1)
    want = ((h - torch.tensor(Y)) ** 2).mean()
    want.backward()
    assert np.isclose(loss, want.item(), rtol=1e-12)
    assert np.allclose(grads.x, t.grad.numpy(), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("kind", CENTRES)
def test_the_variance_sends_nothing_to_the_mean_that_it_is_taken_about(kind):
    program = normalised(CENTRES[kind]).backward()
    [dm] = [e for e in program.backward if e.name == program.adjoints["m"]]
    assert ("dv[" in str(dm.rhs)) is (kind != "its mean")


def test_the_note_says_why_a_term_is_gone():
    passages = Derivation(normalised(CENTRES["its mean"]).backward(), "every-step").passages
    reasons = [s.reason.key for p in passages for s in p.of("reading")]
    assert reasons.count("deviations") == 1
