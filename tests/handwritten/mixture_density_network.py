"""A mixture density network for one target: Bishop's derivatives by the posteriors of the components."""

import numpy as np


def loss_and_grads(W1, b1, Wa, ba, Wm, bm, Ws, bs, X, y):
    """Return the mean negative log likelihood of targets y (N, 1) and its gradients."""
    N = len(X)
    A = np.tanh(X @ W1 + b1)
    a, m, s = A @ Wa + ba, A @ Wm + bm, A @ Ws + bs
    scaled = (y - m) / np.exp(s)
    prior = np.exp(a - a.max(axis=1, keepdims=True))
    prior /= prior.sum(axis=1, keepdims=True)
    joint = np.log(prior) - s - scaled**2 / 2
    top = joint.max(axis=1, keepdims=True)
    evidence = np.log(np.sum(np.exp(joint - top), axis=1, keepdims=True)) + top
    posterior = np.exp(joint - evidence)

    da = (prior - posterior) / N
    dm = -posterior * scaled / np.exp(s) / N
    ds = -posterior * (scaled**2 - 1) / N
    dZ = (da @ Wa.T + dm @ Wm.T + ds @ Ws.T) * (1 - A**2)
    return np.log(2 * np.pi) / 2 - evidence.mean(), {
        "W1": X.T @ dZ, "b1": dZ.sum(axis=0), "Wa": A.T @ da, "ba": da.sum(axis=0), "Wm": A.T @ dm,
        "bm": dm.sum(axis=0), "Ws": A.T @ ds, "bs": ds.sum(axis=0),
    }
