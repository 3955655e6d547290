"""Two functions composed: y = x^2, z = 2 y, loss = z."""


def loss_and_grads(x):
    """Return the loss and its gradient, dz/dy dy/dx."""
    y = x * x
    z = 2 * y

    dy = 2
    dx = dy * 2 * x
    return z, {"x": dx}
