"""PyTorch differentiates the forward equations itself: every network shipped has the gradients that it has there."""

import numpy as np
import pytest

from codegen.memory import lambdify
from codegen.verify import relative, sample
from derive.explicit import sizes_for
from derive.networks import loading

torch_programs = pytest.importorskip("tests.torch_programs", reason="PyTorch is an extra", exc_type=ImportError)

QUICK = ("alignment", "average_pooling", "elman_rnn", "max_pooling", "mlp", "skip_gram")    # the others take seconds


@pytest.mark.parametrize("name", [
    n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in loading.names()])
def test_gradients_agree_with_pytorch_on_the_equations(name):
    net = loading.named(name)
    program, derived = net.program(), net.backward()
    module = lambdify(derived).module
    arguments = sample(derived, module)
    sizes = sizes_for(derived)
    loss, grads = module.loss_and_grads(**arguments)
    their_loss, theirs = torch_programs.loss_and_grads(program, {s: sizes[s] for s in program.sizes}, arguments)
    assert np.isclose(loss, their_loss, rtol=1e-12)
    assert {n: d for n, g in theirs.items() if (d := relative(g, getattr(grads, n))) > 1e-10} == {}
