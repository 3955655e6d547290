"""Layer normalisation over the last axis of (N, T, D), as a layer."""

from sympy import Rational, Sum, sqrt

from derive import Network, total


def network():
    net = Network("layernorm_layer")
    N, T, D = net.sizes("N T D")
    x, g, b = net.parameter("x", N, T, D), net.parameter("g", D), net.parameter("b", D)
    dout = net.input("dout", N, T, D)
    n, t, d = net.indices(n=N, t=T, d=D)
    mu = net.define("mu", Sum(x[n, t, d], d) / D, over=(n, t))
    var = net.define("var", Sum((x[n, t, d] - mu[n, t]) ** 2, d) / D, over=(n, t))
    U = net.define("U", (x[n, t, d] - mu[n, t]) / sqrt(var[n, t] + Rational(1, 100000)), over=(n, t, d))
    Y = net.define("Y", g * U + b)
    net.loss = total(dout * Y)
    return net


def layernorm_forward(x, g, b, eps=1e-5):
    mean = x.mean(-1, keepdims=True)
    xc = x - mean
    var = (xc**2).mean(-1, keepdims=True)
    rstd = (var + eps) ** -0.5
    norm = xc * rstd
    return norm * g + b, (x, g, mean, rstd)


def layernorm_backward(dout, cache):
    x, g, mean, rstd = cache
    norm = (x - mean) * rstd
    db = dout.sum((0, 1))
    dg = (dout * norm).sum((0, 1))
    dnorm = dout * g
    dx = dnorm - dnorm.mean(-1, keepdims=True) - norm * (dnorm * norm).mean(-1, keepdims=True)
    dx *= rstd
    return dx, dg, db


HANDED = (layernorm_forward, layernorm_backward)

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "last_term_without_norm": (
        "the last term of dx lacks the factor norm (x-hat)",
        [("- norm * (dnorm * norm).mean(-1, keepdims=True)",
          "- (dnorm * norm).mean(-1, keepdims=True)")]),
    "batch_axis": (
        "means of the backward pass run over the batch (axis 0), not over the features",
        [("dnorm.mean(-1, keepdims=True) - norm * (dnorm * norm).mean(-1, keepdims=True)",
          "dnorm.mean(0, keepdims=True) - norm * (dnorm * norm).mean(0, keepdims=True)")]),
    "dout_for_dnorm": (
        "the gain g is left out of the last term (dout * norm averaged)",
        [("norm * (dnorm * norm).mean",
          "norm * (dout * norm).mean")]),
    "std_unbiased": (
        "the forward pass divides the variance by D - 1 (ddof=1): the forward differs",
        [("    var = (xc**2).mean(-1, keepdims=True)",
          "    var = (xc**2).sum(-1, keepdims=True) / (x.shape[-1] - 1)")]),
    "no_rstd_and_bias_one_axis": (
        "dx not multiplied by rstd; dg lacks the normalised x (it is db)",
        [("    dx *= rstd\n",
          ""),
         ("dg = (dout * norm).sum((0, 1))",
          "dg = dout.sum((0, 1))")]),
}
