"""Second derivatives of every network against PyTorch's, which differentiates twice, and against their own symmetry."""

import pytest

from derive.networks import loading

second_order = pytest.importorskip("tests.second_order", reason="PyTorch is an extra", exc_type=ImportError)

QUICK = ("elman_rnn", "gaussian_process", "logistic_regression", "matrix_factorisation", "mlp", "soft_targets",
         "softmax_regression")
PRODUCTS = (*QUICK, "convolution_1d", "kalman_filter", "layer_norm", "max_pooling")


@pytest.mark.parametrize("name", [
    n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in loading.names()])
def test_hessian_product_and_trace_agree_with_pytorch_and_are_symmetric(name):
    row = second_order.judged(name)
    assert row.passed, row


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_with_the_hessian_agree_with_pytorch(name):
    product, exchanged = second_order.Point(name).products()
    assert product <= second_order.TOLERANCE
    assert exchanged <= second_order.TOLERANCE


def test_the_table_on_paper_has_every_network_and_no_error_above_the_tolerance():
    rows = second_order.kept()
    assert list(rows) == loading.names()
    assert all(len(r) == len(second_order.COLUMNS) for r in rows.values())
    assert all(float(x) <= second_order.TOLERANCE for r in rows.values() for x in r[3:])
    assert all(float(r[2]) <= second_order.DEAREST for r in rows.values())
