"""Ridge regression: f = X w + b, loss = (|f - y|^2 + alpha |w|^2) / 2."""


def loss_and_grads(w, b, X, y, alpha):
    """Return the loss and its gradients for w (D,), a number b, examples X (N, D), targets y (N,), a number alpha."""
    residual = X @ w + b - y
    loss = (residual @ residual + alpha * (w @ w)) / 2
    return loss, {"w": residual @ X + alpha * w, "b": residual.sum()}
