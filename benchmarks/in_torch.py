"""The workloads in PyTorch, as its users write them: losses from torch.nn.functional, gradients from autograd.

A recurrence is the fused `torch.lstm` or `torch.rnn_tanh` that nn.LSTM and nn.RNN call; torch.compile leaves it alone.
"""

import numpy as np
import torch
from torch.nn import functional as nnf


def _perceptron(p, data):
    depth, A = len(p) // 2, data["X"]
    for k in range(1, depth + 1):
        A = A @ p[f"W{k}"] + p[f"b{k}"]
        A = torch.relu(A) if k < depth else A
    return nnf.cross_entropy(A, data["y"])


def _attention(p, data):
    X, D = data["X"], data["X"].shape[-1]
    B = nnf.layer_norm(X, (D,), p["g1"], p["b1"]) @ p["Wa"].reshape(D, 3 * D) + p["ba"].reshape(-1)
    Q, K, V = B.split(D, dim=-1)
    R = X + nnf.scaled_dot_product_attention(Q, K, V, is_causal=True) @ p["Wo"] + p["bo"]
    F = nnf.gelu(nnf.layer_norm(R, (D,), p["g2"], p["b2"]) @ p["W3"] + p["b3"], approximate="tanh")
    return nnf.mse_loss(R + F @ p["W4"] + p["b4"], data["Y"]) / 2


def _recurrent(kind, gates):
    def loss(p, data):
        X, K = data["X"], data["Y"].shape[-1]
        flat = [p["W"].reshape(-1, gates * K).T, p["U"].reshape(K, gates * K).T, p["b"].reshape(-1)]
        flat.append(torch.zeros_like(flat[2]))
        zero = X.new_zeros(1, X.shape[1], K)
        state = (zero, zero) if gates == 4 else zero
        h = kind(X, state, flat, True, 1, 0.0, True, False, False)[0]
        return nnf.mse_loss(h, data["Y"]) / 2
    loss.fused = True
    return loss


def _convolution(p, data):
    x = data["x"].to(memory_format=torch.channels_last)
    M = nnf.max_pool2d(torch.relu(nnf.conv2d(x, p["w"].to(memory_format=torch.channels_last), p["b"], padding=1)), 2)
    return nnf.cross_entropy(M.flatten(1) @ p["W"].flatten(0, 2) + p["c2"], data["y"])


def _logistic(p, data):
    return nnf.binary_cross_entropy_with_logits(data["X"] @ p["w"], data["y"])


def _elementwise(p, data):
    g = nnf.softplus(nnf.gelu(p["x"] * p["s"] + p["b"], approximate="tanh"))
    return nnf.mse_loss(nnf.layer_norm(g, g.shape[-1:], p["gamma"], p["beta"]), data["Y"]) / 2


def _tiny(p, data):
    r1 = torch.relu(data["x"] @ p["W1"] + p["b1"])
    return ((torch.relu(r1 @ p["W2"] + p["b2"]) - data["y"]) ** 2).sum() / 2


def _factorisation(p, data):
    return (data["Omega"] * (p["U"] @ data["V"].T - data["T"]) ** 2).sum() / 2


def _deep(p, data):
    A = data["X"]
    for k in range(1, sum(name.startswith("V") for name in data) + 1):
        A = torch.relu(A @ data[f"V{k}"])
    return nnf.cross_entropy(A @ p["W"], data["y"])


LOSSES = {
    "mlp": _perceptron, "mlp_large": _perceptron, "attention": _attention, "rnn": _recurrent(torch.rnn_tanh, 1),
    "lstm": _recurrent(torch.lstm, 4), "convolution": _convolution, "logistic": _logistic,
    "logistic_hessian": _logistic, "elementwise": _elementwise, "tiny": _tiny, "laue_logistic": _logistic,
    "laue_factorisation": _factorisation, "laue_deep": _deep,
}


def prepared(workload, arguments, names, compiled=False):
    """Return a function that gives the loss and the gradients, or the Hessian, as NumPy arrays."""
    loss = LOSSES[workload.name]
    given = {n: torch.from_numpy(np.ascontiguousarray(a)) for n, a in arguments.items()}
    data = {n: given[n] for n in given if n not in names}
    if workload.wanted == "hessian":
        [name] = names
        hessian = torch.func.hessian(lambda value: loss({name: value}, data))
        hessian = torch.compile(hessian) if compiled else hessian
        return lambda: (hessian(given[name]).numpy(), {})
    p = {n: given[n].requires_grad_() for n in names}
    forward = torch.compile(loss) if compiled else loss
    leaves = [p[n] for n in names]

    def run():
        value = forward(p, data)
        grads = torch.autograd.grad(value, leaves)
        return value.detach().numpy(), dict(zip(names, [g.numpy() for g in grads], strict=True))

    return run
