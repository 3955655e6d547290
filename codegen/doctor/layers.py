"""Single layers: a forward that returns (output, cache) and a backward that takes (dout, cache), as one function."""

import inspect
from collections.abc import Callable

import numpy as np


def layered(forward: Callable, backward: Callable) -> Callable:
    """Return `loss_and_grads` of a layer under an upstream gradient: the loss is Sum(dout * output).

    `forward(arguments...)` returns (output, cache), or the output alone, which then is the cache; the gradients are
    what `backward(dout, cache)` returns. The result takes the arguments of `forward` and then `dout`, by their names;
    those of `forward` that have a default value may be left out, all of them; after `*arguments`, `dout` is named.
    Compare it with a network whose loss is `total(dout * Y)`, with `dout` an input.
    """
    taken = inspect.signature(forward)
    plain = [p for p in taken.parameters.values() if p.kind == p.POSITIONAL_OR_KEYWORD]
    required, given = [p for p in plain if p.default is p.empty], [p for p in plain if p.default is not p.empty]
    starred = [p for p in taken.parameters.values() if p.kind == p.VAR_POSITIONAL]
    last = inspect.Parameter("dout", inspect.Parameter.POSITIONAL_OR_KEYWORD)

    def judged(dout, result):
        output, cache = result if isinstance(result, tuple) and len(result) == 2 else (result, result)
        return float(np.sum(dout * output)), backward(dout, cache)

    def of_any_number(*values, dout):
        return judged(dout, forward(*values))

    def loss_and_grads(*values, **named):
        names = [p.name for p in (plain if len(values) > len(plain) else required)]
        arguments = dict(zip([*names, "dout"], values, strict=False)) | named
        if "dout" not in arguments or len(values) > len(names) + 1:
            raise TypeError(f"{len(values)} arguments; expected {', '.join([*names, 'dout'])}")
        return judged(arguments.pop("dout"), forward(**arguments))

    if starred:
        return of_any_number
    loss_and_grads.__signature__ = taken.replace(parameters=[*required, last, *given])     # type: ignore[attr-defined]
    return loss_and_grads
