"""Losses of mixtures, of ratings, and of networks with derivatives in them, once more in PyTorch's own functions."""

import torch
from torch.autograd import grad
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
from torch.nn import functional as F


def gaussian_mixture(a, mu, s, X):
    parts = Independent(Normal(mu, s.exp()), 1)
    return -MixtureSameFamily(Categorical(logits=a), parts).log_prob(X).mean()


def mixture_density_network(W1, b1, Wa, ba, Wm, bm, Ws, bs, X, y):
    A = torch.tanh(X @ W1 + b1)
    parts = Normal(A @ Wm + bm, (A @ Ws + bs).exp())
    return -MixtureSameFamily(Categorical(logits=A @ Wa + ba), parts).log_prob(y[:, 0]).mean()


def matrix_factorisation(P, b, Q, c, mu, who, what, r, penalty):
    told = mu + F.embedding(who, b[:, None])[:, 0] + c[what] + (F.embedding(who, P) * F.embedding(what, Q)).sum(1)
    return F.mse_loss(told, r, reduction="sum") + penalty * sum(p.norm() ** 2 for p in (P, Q, b, c))


def physics_informed(w, b, v, x, f, z, g):
    x = x.clone().requires_grad_()
    u = torch.tanh(torch.outer(x, w) + b) @ v
    [u_x] = grad(u.sum(), x, create_graph=True)
    [u_xx] = grad(u_x.sum(), x, create_graph=True)
    return F.mse_loss(u_xx + u, f) + F.mse_loss(torch.tanh(torch.outer(z, w) + b) @ v, g)


def gradient_penalty(W, b, v, X, Y, M, penalty):
    M = M.clone().requires_grad_()
    [slopes] = grad((torch.tanh(M @ W + b) @ v).sum(), M, create_graph=True)
    scores = [(torch.tanh(Z @ W + b) @ v).mean() for Z in (X, Y)]
    return scores[1] - scores[0] + penalty * ((slopes.norm(dim=1) - 1) ** 2).mean()


def maml(W, v, X, y, U, z, alpha):
    inner = F.mse_loss(torch.tanh(X @ W) @ v, y) / 2
    slopes = grad(inner, (W, v), create_graph=True)
    W1, v1 = (p - alpha * g for p, g in zip((W, v), slopes, strict=True))
    return F.mse_loss(torch.tanh(U @ W1) @ v1, z) / 2
