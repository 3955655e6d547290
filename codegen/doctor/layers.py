"""Single layers: a forward that returns (output, cache) and a backward that takes (dout, cache), as one function."""

import inspect
from collections.abc import Callable

import numpy as np


def layered(forward: Callable, backward: Callable) -> Callable:
    """Return `loss_and_grads` of a layer under an upstream gradient: the loss is Sum(dout * output).

    `forward(arguments...)` returns (output, cache), or the output alone, which then is the cache; the gradients are
    what `backward(dout, cache)` returns. The result takes the arguments of `forward` and then `dout`, by their names.
    Compare it with a network whose loss is `total(dout * Y)`, with `dout` an input.
    """
    taken = inspect.signature(forward)

    def loss_and_grads(*values, **named):
        given = dict(loss_and_grads.__signature__.bind(*values, **named).arguments)     # type: ignore[attr-defined]
        dout = given.pop("dout")
        result = forward(**given)
        output, cache = result if isinstance(result, tuple) and len(result) == 2 else (result, result)
        loss = float(np.sum(dout * output))
        return loss, backward(dout, cache)

    last = inspect.Parameter("dout", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    plain = [p.replace(default=p.empty) for p in taken.parameters.values() if p.kind == p.POSITIONAL_OR_KEYWORD]
    loss_and_grads.__signature__ = taken.replace(parameters=[*plain, last])     # type: ignore[attr-defined]
    return loss_and_grads
