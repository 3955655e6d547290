"""An encoder reads words and hands its last state to a decoder, which is told the word before at every step."""

import numpy as np


def run(words, E, W, U, b, h):
    """Return the states of h[t] = tanh(E[words[t]] W + h[t-1] U + b), the first one given."""
    states = [h]
    for row in words:
        states.append(np.tanh(E[row] @ W + states[-1] @ U + b))
    return np.array(states)


def run_back(dh, last, states, words, E, W, U):
    """Return the gradients for E, W, U, b and the first state, given those of all others and more for the last."""
    dE, dW, dU, db, carried = np.zeros_like(E), np.zeros_like(W), np.zeros_like(U), np.zeros(len(U)), last
    for t in reversed(range(len(words))):
        dpre = (dh[t] + carried) * (1 - states[t + 1] ** 2)
        dW += E[words[t]].T @ dpre
        dU += states[t].T @ dpre
        db += dpre.sum(axis=0)
        np.add.at(dE, words[t], dpre @ W.T)
        carried = dpre @ U.T
    return dE, dW, dU, db, carried


def loss_and_grads(E, F, W, U, b, P, Q, q, V, c, w, u, y):
    """Return loss and gradients for words of the source w (S, N), words before u (T, N), words to say y (T, N)."""
    (S, _), (T, N), K = w.shape, u.shape, len(U)
    h = run(w, E, W, U, b, np.zeros((N, K)))
    g = run(u, F, P, Q, q, h[-1])
    z = g[1:] @ V + c
    z = z - z.max(axis=2, keepdims=True)                # the softmax does not see it, and exp stays in range
    p = np.exp(z)
    total = p.sum(axis=2, keepdims=True)
    p /= total
    here = np.arange(T)[:, None], np.arange(N), y
    loss = np.mean(np.log(total[..., 0]) - z[here])

    dz = p
    dz[here] -= 1
    dz /= T * N
    dF, dP, dQ, dq, dlast = run_back(dz @ V.T, np.zeros((N, K)), g, u, F, P, Q)
    dE, dW, dU, db, _ = run_back(np.zeros((S, N, K)), dlast, h, w, E, W, U)
    return loss, {
        "E": dE, "F": dF, "W": dW, "U": dU, "b": db, "P": dP, "Q": dQ, "q": dq,
        "V": np.tensordot(g[1:], dz, ((0, 1), (0, 1))), "c": dz.sum(axis=(0, 1)),
    }
