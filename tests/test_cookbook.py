"""The Matrix Cookbook's derivatives: ours equal theirs at random points and finite differences, and are no longer."""

import zlib

import numpy as np
import pytest
from sympy import MatrixSymbol, Symbol

from derive.matrix_calculus import matrix_gradient
from derive.matrix_length import length

from . import cookbook
from .matrix_values import central_gradient, value

SIZES = {"N": 4, "M": 3, "K": 2}
ROWS = [*cookbook.INVERSES, *cookbook.VECTORS_AND_MATRICES, *cookbook.TRACES, *cookbook.NORMS]


def point(row):
    """Random values for all symbols of a row, symmetric where the row says so."""
    random = np.random.default_rng(zlib.crc32(row.equation.encode()))
    values = dict(SIZES)
    for m in sorted({*row.of.atoms(MatrixSymbol), *row.theirs.atoms(MatrixSymbol)}, key=str):
        entries = random.normal(size=[SIZES.get(str(s), s) for s in m.shape]).astype(float)
        values[m.name] = entries + entries.T if m.name in row.symmetric else entries
    return values | {s.name: random.normal() for s in row.of.atoms(Symbol) if s.name not in SIZES}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.equation)
def test_ours_equals_theirs_and_finite_differences(row):
    symmetric = [m for m in sorted(row.of.atoms(MatrixSymbol), key=str) if m.name in row.symmetric]
    ours, values = matrix_gradient(row.of, row.by, symmetric), point(row)
    numeric = central_gradient(lambda x: value(row.of, values | {row.by.name: x}), values[row.by.name])
    scale = np.abs(numeric).max()
    assert np.allclose(value(ours, values), numeric, rtol=0, atol=1e-7 * scale)
    assert np.allclose(value(ours, values), value(row.theirs, values), rtol=0, atol=1e-12 * scale)
    if row.as_printed is not None:
        assert not np.allclose(value(row.as_printed, values), numeric, rtol=0, atol=1e-2 * scale)
    assert length(ours) <= length(row.theirs), f"{ours} is longer than {row.theirs}"
