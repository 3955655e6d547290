"""Stacked products lie in memory as those want them who read several of their axes as one."""

import numpy as np
import pytest
from sympy import Sum

from codegen import lambdify, source
from derive import Network, total

SIZES = {"N": 2, "T": 3, "R": 4, "H": 5, "E": 6, "D": 7}


def heads(order, read_by_entry=False):
    """Return a network of stacked products O, defined over axes in this order, that are read as (n, t) by (h, e)."""
    net = Network("heads")
    N, T, R, H, E, D = net.sizes("N T R H E D")
    A, V, W = net.parameter("A", N, H, T, R), net.parameter("V", N, H, R, E), net.parameter("W", H, E, D)
    X, Y = net.input("X", N, T, D), net.input("Y", *({"n": N, "h": H, "t": T, "e": E}[i] for i in order))
    i = net.indices(n=N, h=H, t=T, e=E, r=R, d=D)
    n, h, t, e, r, d = i
    over = tuple(dict(zip("nhte", i[:4], strict=True))[k] for k in order)
    O = net.define("O", Sum(A[n, h, t, r] * V[n, h, r, e], r), over=over)
    Z = net.define("Z", Sum(O[over] * W[h, e, d], h, e), over=(n, t, d))
    net.loss = total(Z**2 * X) + total(O**2 * Y if read_by_entry else Y)
    return net


@pytest.mark.parametrize("read_by_entry", [False, True])
@pytest.mark.parametrize("order", ["nhte", "hnte", "nthe", "nhet", "tnhe"])
def test_gradients_are_the_same_however_arrays_lie(order, read_by_entry):
    random = np.random.default_rng(0)
    net = heads(order, read_by_entry)
    axes = {"A": "NHTR", "V": "NHRE", "W": "HED", "X": "NTD", "Y": order.upper()}
    drawn = {name: random.normal(size=[SIZES[i] for i in letters]) for name, letters in axes.items()}
    A, V, W, X, Y = (drawn[name] for name in "AVWXY")
    O = np.einsum(f"nhtr,nhre->{order}", A, V)
    dZ = 2 * X * np.einsum(f"{order},hed->ntd", O, W)
    dO = np.einsum(f"ntd,hed->{order}", dZ, W) + 2 * O * Y * read_by_entry
    wanted = (np.einsum(f"{order},nhre->nhtr", dO, V), np.einsum(f"{order},nhtr->nhre", dO, A),
              np.einsum(f"{order},ntd->hed", O, dZ))
    for style in ("plain", "fast"):
        f = lambdify(net.backward(), style=style)
        workspace = {"workspace": f.module.Workspace()} if style == "fast" else {}
        for _ in range(2):
            for mine, true in zip(f(**drawn, **workspace)[1], wanted, strict=True):
                assert np.allclose(mine, true, rtol=1e-12, atol=1e-12)


def test_nothing_is_copied_where_one_order_serves_all():
    one, several = (source(heads("nhte", read_by_entry).backward(), style="fast") for read_by_entry in (False, True))
    assert 'O = np.matmul(A, V, out=array("O", N_part, T, H, E).transpose(0, 2, 1, 3))' in one
    assert 'O = np.matmul(A, V, out=array("O", N_part, H, T, E))' in several
