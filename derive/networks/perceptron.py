"""Multilayer perceptrons of any depth (Goodfellow, Bengio and Courville, Deep Learning, chapter 6)."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from sympy import tanh

from derive import Network, cross_entropy, mean, relu, silu


def from_widths(widths: Sequence[str | int], activations: Sequence[Callable]) -> Network:
    """Return a perceptron: widths of the input, each hidden layer and the logits; activations of the hidden layers."""
    net = Network("perceptron", f"Perceptron of {len(widths) - 1} layers with softmax cross-entropy")
    N = net.size("N")
    D, *_, C = sizes = [net.size(w) if isinstance(w, str) else w for w in widths]
    weights = [
        (net.parameter(f"W{k}", fan_in, fan_out, note=f"layer {k}"), net.parameter(f"b{k}", fan_out, note=f"layer {k}"))
        for k, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1)
    ]
    A, y = net.input("X", N, D, note="inputs"), net.labels("y", N, classes=C, note="labels")

    for k, ((W, b), activation) in enumerate(zip(weights[:-1], activations, strict=True), start=1):
        Z = net.define(f"Z{k}", A @ W + b, note="pre-activation")
        A = net.define(f"A{k}", activation(Z), note="hidden units")
    W, b = weights[-1]
    Z = net.define(f"Z{len(weights)}", A @ W + b, note="logits")
    net.output(Z)
    net.loss = mean(cross_entropy(Z, y))
    return net


net = from_widths(["D", "H", "K", "M", "C"], [relu, tanh, silu])
