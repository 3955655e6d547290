"""Maxima over rows, however many rows and however long: the helper agrees with NumPy's own maximum."""

import numpy as np
import pytest

import codegen
from derive.networks import named

HELPER = codegen.lambdify(named("softmax_regression").backward()).module._row_maxima


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [
    (1, 1), (31, 3), (32, 3), (31, 40), (32, 40), (40,), (2, 3, 4), (4, 8, 31), (4, 8, 32), (2, 3, 500),
])
def test_agrees_with_numpy(shape, dtype):
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    x[..., -1:] = np.where(x[..., -1:] > 0, np.inf, x[..., -1:])
    x[0, ...] = -np.inf
    x[-1] = np.nan
    for given in (x, x.T, x[::-1]):
        assert np.array_equal(HELPER(given), given.max(axis=-1), equal_nan=True)
        assert HELPER(given).dtype == dtype
