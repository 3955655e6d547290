"""Optimisers take PyTorch's steps, keep float32 and modify nothing."""

from typing import NamedTuple

import numpy as np
import pytest

from generated import optimisers

KNOWN = {
    "sgd": ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    "rmsprop": ("RMSprop", {"lr": 0.01, "alpha": 0.9, "weight_decay": 0.1}),
    "adam": ("Adam", {"lr": 0.01, "betas": (0.8, 0.95), "weight_decay": 0.1}),
    "adamw": ("AdamW", {"lr": 0.01, "weight_decay": 0.1}),
}


class Params(NamedTuple):
    """A matrix and a vector."""

    W: np.ndarray
    b: np.ndarray


def drawn(random, dtype=np.float64):
    return Params(random.normal(size=(3, 2)).astype(dtype), random.normal(size=4).astype(dtype))


def in_our_words(settings):
    settings = {("learning_rate" if k == "lr" else k): v for k, v in settings.items()}
    betas = settings.pop("betas", None)
    return settings | ({"beta1": betas[0], "beta2": betas[1]} if betas else {})


@pytest.mark.parametrize("name", KNOWN)
def test_steps_are_pytorchs(name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    random = np.random.default_rng(0)
    params, state = drawn(random), None
    theirs = [torch.tensor(p, requires_grad=True) for p in params]
    optimiser, settings = KNOWN[name]
    stepper = getattr(torch.optim, optimiser)(theirs, **settings)
    for _ in range(7):
        grads = drawn(random)
        for t, g in zip(theirs, grads, strict=True):
            t.grad = torch.tensor(g)
        stepper.step()
        params, state = getattr(optimisers, name)(params, grads, state, **in_our_words(settings))
    for ours, t in zip(params, theirs, strict=True):
        np.testing.assert_allclose(ours, t.detach().numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", KNOWN)
def test_arguments_stay_as_they_are_and_float32_stays_float32(name):
    random = np.random.default_rng(1)
    params, grads = drawn(random, np.float32), drawn(random, np.float32)
    before = [a.copy() for a in (*params, *grads)]
    step = getattr(optimisers, name)
    stepped, state = step(params, grads)
    again, _ = step(stepped, grads, state)
    assert type(stepped) is Params
    assert all(a.dtype == np.float32 for a in (*stepped, *again))
    assert all(np.array_equal(a, b) for a, b in zip((*params, *grads), before, strict=True))
