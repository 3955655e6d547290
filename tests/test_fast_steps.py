"""Each step of the fast style's planner, on programs of its kind: equal to the plain style, which it leaves alone."""

import numpy as np
import pytest

import codegen
from codegen.maxima import with_relus_after_maxima
from derive import FirstMaximum, Maximum, Network, relu, total


def same(program, sizes, rng, draw=None, rtol=1e-12):
    """Compare loss and gradients of the two styles, twice in one workspace."""
    draw = draw or rng.normal
    arguments = {v.name: np.asarray(draw(size=[int(s.xreplace({t: sizes[t.name] for t in s.free_symbols}))
                                               for s in v.shape]), float)
                 for v in (*program.parameters, *program.inputs)}
    plain, fast = codegen.lambdify(program), codegen.lambdify(program, style="fast")
    workspace = fast.module.Workspace()
    loss, grads = plain(**arguments)
    for _ in range(2):
        again, theirs = fast(**arguments, workspace=workspace)
        assert np.isclose(again, loss, rtol=rtol)
        for name, g in grads._asdict().items():
            assert np.allclose(getattr(theirs, name), g, rtol=rtol, atol=1e-14), name


def pooled(largest, also=False):
    """Return relus of which the largest of three is wanted."""
    net = Network("pooled", "The largest of three relus")
    N, I = net.sizes("N I")
    U = net.size("U", 3 * I)
    X, w = net.parameter("X", N, U), net.input("w", N, I)
    n, i, r = net.indices(n=N, i=I, r=3)
    Z = net.define("Z", X - 1)
    R = net.define("R", relu(Z))
    M = net.define("M", largest(R[n, 3 * i + r], r), over=(n, i))
    net.loss = total(M**3 * w) + (total(R**2) if also else 0)
    return net.backward()


@pytest.mark.parametrize("largest", [FirstMaximum, Maximum])
def test_relus_are_taken_of_maxima(largest):
    program = pooled(largest)
    turned = with_relus_after_maxima(program)
    assert "R" in {e.name for e in program.equations} and "R" not in {e.name for e in turned.equations}
    rng = np.random.default_rng(0)
    same(program, {"N": 40, "I": 5, "U": 15}, rng)
    same(program, {"N": 40, "I": 5, "U": 15}, rng, lambda size: rng.integers(-2, 3, size))      # ties, at 0 too


def test_relus_that_others_read_stay_where_they_are():
    program = pooled(FirstMaximum, also=True)
    assert with_relus_after_maxima(program) is program
