"""Ten losses with derivatives in them, as the papers write them: values, gradients, products with the Hessian."""

import numpy as np
import pytest

import codegen
from codegen import verify

residual_zoo = pytest.importorskip("tests.residual_zoo", reason="PyTorch is an extra", exc_type=ImportError)
torch = pytest.importorskip("torch")
CLOSE = 1e-11


@pytest.mark.parametrize("made", residual_zoo.ZOO, ids=lambda made: made.__name__)
def test_value_gradient_and_hessian_product_are_pytorchs(made):
    net = made()
    program = net.backward()
    function = codegen.lambdify(program)
    given = verify.sample(program, function.module)
    tensors = {n: torch.tensor(np.asarray(v)).requires_grad_() for n, v in given.items()}
    value = residual_zoo.JUDGES[made.__name__](**tensors)
    parameters = [tensors[p.name] for p in program.parameters]
    slopes = torch.autograd.grad(value, parameters, create_graph=True)
    loss, gradients = function(**given)
    np.testing.assert_allclose(loss, value.item(), rtol=CLOSE)
    direction = [np.random.default_rng(k).normal(size=p.shape) for k, p in enumerate(parameters)]
    inner = sum((g * torch.tensor(d)).sum() for g, d in zip(slopes, direction, strict=True))
    curved = torch.autograd.grad(inner, parameters)
    products = codegen.lambdify(net.hessian_vector_product())(**given, direction=direction)
    for ours, theirs in ((gradients, slopes), (products, curved)):
        largest = max(float(t.detach().abs().max()) for t in theirs)
        for p, a, b in zip(program.parameters, ours, theirs, strict=True):
            np.testing.assert_allclose(a, b.detach().numpy(), rtol=CLOSE, atol=CLOSE * largest, err_msg=p.name)


def test_the_gradient_of_a_trace_is_not_of_a_matrix_with_one_diagonal():
    """What only a diagonal is passed on to is put in place: the divergence of a score costs D K N to reverse."""
    net = residual_zoo.score_matching()
    assert "dscore_X" not in net.backward().variables
    D = net.program().sizes[1]
    assert net.backward().cost().backward.operations.coeff(D, 2) == 0
