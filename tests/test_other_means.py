"""A network that normalises over other axes than it should, in its forward pass too, is recognised as that."""

import numpy as np
import pytest

from codegen.doctor import diagnose, layered
from codegen.doctor.averaging import other_means
from codegen.doctor.evaluate import Evaluated
from codegen.doctor.trials import points
from derive import Network, mean, total


def layer_norm():
    net = Network("layer_norm", "A layer normalisation")
    N, D = net.sizes("N D")
    X, gamma, beta = net.parameter("X", N, D), net.parameter("gamma", D), net.parameter("beta", D)
    dout = net.input("dout", N, D)
    mu = net.define("mu", mean(X, axis=1, keepdims=True))
    var = net.define("var", mean((X - mu) ** 2, axis=1, keepdims=True))
    std = net.define("std", (var + 1e-5) ** 0.5)
    net.loss = total(dout * (gamma * net.define("xhat", (X - mu) / std) + beta))
    return net


def images():
    net = Network("images", "Batch normalisation of images, channel by channel")
    N, C, H, W = net.sizes("N C H W")
    X, gamma = net.parameter("X", N, C, H, W), net.parameter("gamma", C)
    dout = net.input("dout", N, C, H, W)
    mu = net.define("mu", mean(X, axis=(0, 2, 3), keepdims=True))
    var = net.define("var", mean((X - mu) ** 2, axis=(0, 2, 3), keepdims=True))
    xhat = net.define("xhat", (X - mu) / (var + 1e-5) ** 0.5)
    net.loss = total(dout * gamma[:, None, None] * xhat)
    return net


def normalised(axis, gains):
    """Return forward and backward of a normalisation over some axes, with gains of some shape."""
    def forward(X, *parameters):
        std = np.sqrt(X.var(axis=axis, keepdims=True) + 1e-5)
        xhat = (X - X.mean(axis=axis, keepdims=True)) / std
        gamma = parameters[0].reshape(gains)
        return gamma * xhat + (parameters[1] if len(parameters) > 1 else 0), (xhat, std, gamma)

    def backward(dout, cache, over=axis):
        xhat, std, gamma = cache
        d = dout * gamma
        inner = d.mean(axis=over, keepdims=True) + xhat * (d * xhat).mean(axis=over, keepdims=True)
        rest = tuple(k for k, n in enumerate(np.broadcast_shapes(gamma.shape, (1,) * xhat.ndim)) if n == 1)
        sums = [(dout * xhat).sum(axis=rest), dout.sum(axis=rest)]
        return (d - inner) / std, *(sums if xhat.ndim == 2 else sums[:1])

    return forward, backward


def test_over_examples_where_it_should_be_over_features():
    told = diagnose(layer_norm(), layered(*normalised(0, (1, -1))))
    assert told.verdict == "wrong" and "mu and var are over n, not over d" in str(told), str(told)
    assert "those of the loss returned" in str(told)


def test_the_forward_pass_alone():
    forward, backward = normalised(0, (1, -1))
    told = diagnose(layer_norm(), layered(forward, lambda dout, cache: backward(dout, cache, over=1)))
    assert "mu and var are over n, not over d" in str(told) and "mend it, and they are right" in str(told), str(told)


@pytest.mark.parametrize(("axis", "words"), [((2, 3), "over h, w, not over n, h, w"), (0, "over n, not over n, h, w")])
def test_axes_of_images(axis, words):
    told = diagnose(images(), layered(*normalised(axis, (1, -1, 1, 1))))
    assert told.verdict == "wrong" and words in str(told), str(told)


def test_all_choices_are_what_numpy_gives():
    program = images().backward()
    point = points(program)[0]
    values, found = point.arguments, {}
    ours = Evaluated(program, point.sizes, values)
    for mutant in other_means(program):
        names = mutant.words.split(" are over ")[1].split(", not")[0]
        found[names] = float(ours.changed(mutant.equations)[program.loss])
    assert len(found) == 14
    for names, loss in found.items():
        axis = tuple("nchw".index(n) for n in names.split(", "))
        forward, _ = normalised(axis, (1, -1, 1, 1))
        assert loss == pytest.approx(float((values["dout"] * forward(values["X"], values["gamma"])[0]).sum()), rel=1e-9)
