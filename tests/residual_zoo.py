"""Losses with derivatives in them, as networks and in PyTorch: residuals of equations, penalties of slopes, scores."""

import torch
from sympy import Sum, exp, sqrt, tanh
from torch.autograd import grad

from derive import Network, derivative, mean, total


def _body(net, X, K, name="u"):
    """Return a tanh network of one layer with a value for each row of X."""
    D = X.shape[1]
    W, b, v = net.parameter("W", D, K), net.parameter("b", K), net.parameter("v", K)
    return net.define(name, tanh(X @ W + b) @ v)


def _torch_body(X, W, b, v):
    return torch.tanh(X @ W + b) @ v


def _slope(u, X):
    return grad(u.sum(), X, create_graph=True)[0]


def biharmonic():
    net = Network("biharmonic", "u'''' = f, a beam under load")
    N, K = net.sizes("N K")
    w, b, v = net.parameter("w", K), net.parameter("b", K), net.parameter("v", K)
    x, f = net.input("x", N), net.input("f", N)
    n, k = net.indices(n=N, k=K)
    u = net.define("u", Sum(v[k] * tanh(w[k] * x[n] + b[k]), k), over=n)
    for order in ("u1", "u2", "u3", "u4"):
        u = net.define(order, derivative(u, x))
    net.loss = mean((u - f) ** 2)
    return net


def biharmonic_in_torch(w, b, v, x, f):
    u = torch.tanh(torch.outer(x, w) + b) @ v
    for _ in range(4):
        u = _slope(u, x)
    return ((u - f) ** 2).mean()


def burgers():
    net = Network("burgers", "u_t + u u_x = nu u_xx")
    N, K = net.sizes("N K")
    p, q, b, v = (net.parameter(name, K) for name in "pqbv")
    t, x, nu = net.input("t", N), net.input("x", N), net.input("nu")
    n, k = net.indices(n=N, k=K)
    u = net.define("u", Sum(v[k] * tanh(p[k] * t[n] + q[k] * x[n] + b[k]), k), over=n)
    u_t, u_x = net.define("u_t", derivative(u, t)), net.define("u_x", derivative(u, x))
    u_xx = net.define("u_xx", derivative(u_x, x))
    net.loss = mean((u_t + u * u_x - nu * u_xx) ** 2)
    return net


def burgers_in_torch(p, q, b, v, t, x, nu):
    u = torch.tanh(torch.outer(t, p) + torch.outer(x, q) + b) @ v
    u_t, u_x = _slope(u, t), _slope(u, x)
    return ((u_t + u * u_x - nu * _slope(u_x, x)) ** 2).mean()


def two_penalties():
    net = Network("two_penalties", "A critic of pairs, whose slopes by both are held at 1")
    N, D, E, K = net.sizes("N D E K")
    V, W, b, v = net.parameter("V", D, K), net.parameter("W", E, K), net.parameter("b", K), net.parameter("v", K)
    X, Y = net.input("X", N, D), net.input("Y", N, E)
    u = net.define("u", tanh(X @ V + Y @ W + b) @ v)
    G, H = net.define("G", derivative(u, X)), net.define("H", derivative(u, Y))
    net.loss = mean(u) + sum(mean((sqrt(total(S**2, axis=1)) - 1) ** 2) for S in (G, H))
    return net


def two_penalties_in_torch(V, W, b, v, X, Y):
    u = torch.tanh(X @ V + Y @ W + b) @ v
    return u.mean() + sum(((_slope(u, S).norm(dim=1) - 1) ** 2).mean() for S in (X, Y))


def sobolev():
    net = Network("sobolev", "Values and slopes are both fitted (Czarnecki et al., 2017)")
    N, D, K = net.sizes("N D K")
    X, y, S = net.input("X", N, D), net.input("y", N), net.input("S", N, D)
    u = _body(net, X, K)
    net.loss = mean((u - y) ** 2) + total((derivative(u, X) - S) ** 2) / N
    return net


def sobolev_in_torch(W, b, v, X, y, S):
    u = _torch_body(X, W, b, v)
    return ((u - y) ** 2).mean() + ((_slope(u, X) - S) ** 2).sum() / len(X)


def score_matching():
    net = Network("score_matching", "Half the squared score and its divergence (Hyvarinen, 2005)")
    N, D, K = net.sizes("N D K")
    X = net.input("X", N, D)
    u = _body(net, X, K)
    n, d = net.indices(n=N, d=D)
    score = net.define("score", derivative(u, X))
    divergence = net.define("divergence", Sum(derivative(score[n, d], X[n, d]), d), over=n)
    net.loss = mean(divergence + total(score**2, axis=1) / 2)
    return net


def score_matching_in_torch(W, b, v, X):
    score = _slope(_torch_body(X, W, b, v), X)
    divergence = sum(_slope(score[:, d], X)[:, d] for d in range(X.shape[1]))
    return (divergence + (score**2).sum(1) / 2).mean()


def hamiltonian():
    net = Network("hamiltonian", "Motion by an energy that is learnt (Greydanus et al., 2019)")
    N, D, K = net.sizes("N D K")
    V, W, b, v = net.parameter("V", D, K), net.parameter("W", D, K), net.parameter("b", K), net.parameter("v", K)
    q, p = net.input("q", N, D), net.input("p", N, D)
    qt, pt = net.input("qt", N, D), net.input("pt", N, D)
    H = net.define("H", tanh(q @ V + p @ W + b) @ v)
    net.loss = (total((derivative(H, p) - qt) ** 2) + total((derivative(H, q) + pt) ** 2)) / N
    return net


def hamiltonian_in_torch(V, W, b, v, q, p, qt, pt):
    H = torch.tanh(q @ V + p @ W + b) @ v
    return (((_slope(H, p) - qt) ** 2).sum() + ((_slope(H, q) + pt) ** 2).sum()) / len(q)


def curl_free():
    net = Network("curl_free", "A field in the plane whose curl is held at 0")
    N, K = net.sizes("N K")
    W, b, V = net.parameter("W", 2, K), net.parameter("b", K), net.parameter("V", K, 2)
    X, T = net.input("X", N, 2), net.input("T", N, 2)
    n, = net.indices(n=N)
    F = net.define("F", tanh(X @ W + b) @ V)
    curl = net.define("curl", derivative(F[n, 1], X[n, 0]) - derivative(F[n, 0], X[n, 1]), over=n)
    net.loss = mean(total((F - T) ** 2, axis=1)) + mean(curl**2)
    return net


def curl_free_in_torch(W, b, V, X, T):
    F = torch.tanh(X @ W + b) @ V
    curl = _slope(F[:, 1], X)[:, 0] - _slope(F[:, 0], X)[:, 1]
    return ((F - T) ** 2).sum(1).mean() + (curl**2).mean()


def jacobian_regulariser():
    net = Network("jacobian_regulariser", "Logits whose whole Jacobian is held small (Hoffman et al., 2019)")
    N, D, K, C = net.sizes("N D K C")
    W, b, V = net.parameter("W", D, K), net.parameter("b", K), net.parameter("V", K, C)
    X, T = net.input("X", N, D), net.input("T", N, C)
    n, d, c = net.indices(n=N, d=D, c=C)
    Z = net.define("Z", tanh(X @ W + b) @ V)
    J = net.define("J", derivative(Z[n, c], X[n, d]), over=(n, c, d))
    net.loss = (total((Z - T) ** 2) + total(J**2)) / N
    return net


def jacobian_regulariser_in_torch(W, b, V, X, T):
    Z = torch.tanh(X @ W + b) @ V
    return (((Z - T) ** 2).sum() + sum((_slope(z, X) ** 2).sum() for z in Z.T)) / len(X)


def contractive():
    net = Network("contractive", "An autoencoder with a code that moves little (Rifai et al., 2011)")
    N, D, K = net.sizes("N D K")
    W, b, c = net.parameter("W", D, K), net.parameter("b", K), net.parameter("c", D)
    X = net.input("X", N, D)
    n, d, k = net.indices(n=N, d=D, k=K)
    h = net.define("h", 1 / (1 + exp(-(X @ W + b))))
    J = net.define("J", derivative(h[n, k], X[n, d]), over=(n, k, d))
    net.loss = (total((h @ W.T + c - X) ** 2) + total(J**2)) / N
    return net


def contractive_in_torch(W, b, c, X):
    h = torch.sigmoid(X @ W + b)
    return (((h @ W.T + c - X.detach()) ** 2).sum() + sum((_slope(a, X) ** 2).sum() for a in h.T)) / len(X)


def eikonal():
    net = Network("eikonal", "A distance: its gradient has length 1 (Gropp et al., 2020)")
    N, D, K = net.sizes("N D K")
    X, Y = net.input("X", N, D), net.input("Y", N, D)
    W, b, v = net.parameter("W", D, K), net.parameter("b", K), net.parameter("v", K)
    u, s = net.define("u", tanh(X @ W + b) @ v), net.define("s", tanh(Y @ W + b) @ v)
    net.loss = mean((sqrt(total(derivative(u, X) ** 2, axis=1)) - 1) ** 2) + mean(s**2)
    return net


def eikonal_in_torch(W, b, v, X, Y):
    return ((_slope(_torch_body(X, W, b, v), X).norm(dim=1) - 1) ** 2).mean() + (_torch_body(Y, W, b, v) ** 2).mean()


ZOO = (biharmonic, burgers, two_penalties, sobolev, score_matching, hamiltonian, curl_free, jacobian_regulariser,
       contractive, eikonal)
JUDGES = {f.__name__: globals()[f"{f.__name__}_in_torch"] for f in ZOO}
