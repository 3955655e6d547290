"""Guess a number: loss = (g - target)^2 / 2."""


def loss_and_grads(g, target):
    """Return the loss and its gradient."""
    return (g - target) ** 2 / 2, {"g": g - target}
