"""Optimisers as programs: what a step makes of a parameter W, its gradient dW and what earlier steps left.

The equations hold entry by entry, so they are written for one entry; in code they act on whole arrays.
"""

from dataclasses import dataclass

from sympy import Expr, Symbol, sqrt, symbols

from .program import Equation


@dataclass(frozen=True)
class Optimiser:
    """One step: equations in order; the last gives the new W. A remembered name is 0 before the first step."""

    name: str
    title: str
    source: str
    equations: tuple[Equation, ...]
    remembered: tuple[str, ...] = ()
    counts: bool = False                        # whether the equations read t, the number of this step
    settings: tuple[tuple[str, float], ...] = ()


W, dW, g, b, m, v = symbols("W dW g b m v", real=True)
t = Symbol("t", integer=True, positive=True)
learning_rate, momentum, weight_decay = symbols("learning_rate momentum weight_decay", real=True)
alpha, beta1, beta2, eps = symbols("alpha beta1 beta2 eps", positive=True)


def _lines(*pairs: tuple[Expr, Expr]) -> tuple[Equation, ...]:
    return tuple(Equation(name, rhs) for name, rhs in pairs)


SGD = Optimiser(
    "sgd", "gradient descent with momentum",
    "Sutskever et al., 2013, in the form without dampening",
    _lines((g, dW + weight_decay * W), (b, momentum * b + g), (W, W - learning_rate * b)),
    ("b",), settings=(("learning_rate", 0.01), ("momentum", 0.9), ("weight_decay", 0.0)),
)

RMSPROP = Optimiser(
    "rmsprop",
    "RMSProp",
    "Tieleman and Hinton, 2012, lecture 6.5",
    _lines(
        (g, dW + weight_decay * W), (v, alpha * v + (1 - alpha) * g**2), (W, W - learning_rate * g / (sqrt(v) + eps))
    ),
    ("v",),
    settings=(("learning_rate", 0.01), ("alpha", 0.99), ("eps", 1e-8), ("weight_decay", 0.0)),
)

_MOMENTS = (
    (m, beta1 * m + (1 - beta1) * g), (v, beta2 * v + (1 - beta2) * g**2),
    (W, W - learning_rate * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)),
)
_ADAM = (("learning_rate", 0.001), ("beta1", 0.9), ("beta2", 0.999), ("eps", 1e-8))

ADAM = Optimiser(
    "adam", "Adam", "Kingma and Ba, 2015, algorithm 1",
    _lines((g, dW + weight_decay * W), *_MOMENTS), ("m", "v"), True, (*_ADAM, ("weight_decay", 0.0)),
)

ADAMW = Optimiser(
    "adamw", "Adam with decoupled weight decay", "Loshchilov and Hutter, 2019, algorithm 2",
    _lines((W, W - learning_rate * weight_decay * W), *((x, rhs.xreplace({g: dW})) for x, rhs in _MOMENTS)),
    ("m", "v"), True, (*_ADAM, ("weight_decay", 0.01)),
)

OPTIMISERS = (SGD, RMSPROP, ADAM, ADAMW)
