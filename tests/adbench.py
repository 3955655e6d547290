"""The objectives of ADBench from its formulas: as networks, and once more in PyTorch for whole arrays.

Srajer, Kukelova and Fitzgibbon, A benchmark of selected algorithmic differentiation tools on some problems in computer
vision and machine learning, Optimization Methods and Software 33 (2018): a mixture of Gaussians (section 4.1), bundle
adjustment (4.2), hand tracking (4.3). The LSTM with diagonal weights was added in github.com/microsoft/ADBench.
"""

import math

import torch
from sympy import KroneckerDelta, Piecewise, Sum, cos, exp, log, loggamma, pi, sin, sqrt, tanh

from derive import Network, sigmoid, total


def mixture():
    """Return the log posterior of a mixture; exp(q) and the lower triangle of L are square roots of precisions."""
    net = Network("mixture", "Gaussian mixture with a Wishart prior")
    N, D, K = net.sizes("N D K")
    alpha, mu = net.parameter("alpha", K), net.parameter("mu", K, D)
    q, L = net.parameter("q", K, D), net.parameter("L", K, D, D)
    x, gamma, m = net.input("x", N, D), net.input("gamma"), net.input("m")
    n, d, e, k = net.indices(n=N, d=D, e=D, k=K)
    below = Sum(Piecewise((L[k, d, e] * (x[n, e] - mu[k, e]), d > e), (0, True)), e)
    z = net.define("z", exp(q[k, d]) * (x[n, d] - mu[k, d]) + below, over=(n, k, d))
    p = net.define("p", alpha[k] + Sum(q[k, d], d) - Sum(z[n, k, d] ** 2, d) / 2, over=(n, k))
    fit = -N * D * log(2 * pi) / 2 + Sum(log(Sum(exp(p[n, k]), k)), n) - N * log(Sum(exp(alpha[k]), k))
    lower = Sum(Piecewise((L[k, d, e] ** 2, d > e), (0, True)), d, e)
    prior = Sum(gamma**2 / 2 * (Sum(exp(2 * q[k, d]), d) + lower) - m * Sum(q[k, d], d), k)
    freedom = D + m + 1
    multigamma = D * (D - 1) * log(pi) / 4 + Sum(loggamma((freedom - d) / 2), d)
    net.loss = fit + prior - K * (freedom * D * log(gamma / sqrt(2)) - multigamma)
    return net


def mixture_in_torch(alpha, mu, q, L, x, gamma, m):
    N, (K, D) = len(x), mu.shape
    Q = torch.diag_embed(q.exp()) + torch.tril(L, -1)
    z = torch.einsum("kde,nke->nkd", Q, x[:, None] - mu)
    p = alpha + q.sum(1) - (z**2).sum(2) / 2
    fit = torch.logsumexp(p, 1).sum() - N * (D * math.log(2 * math.pi) / 2 + torch.logsumexp(alpha, 0))
    constant = (D + m + 1) * D * torch.log(gamma / math.sqrt(2)) - torch.special.multigammaln((D + m + 1) / 2, D)
    return fit + gamma**2 / 2 * (Q**2).sum() - m * q.sum() - K * constant


def adjustment():
    """Return half the squared reprojection errors, and weights that should be 1, of points seen by cameras."""
    net = Network("adjustment", "Bundle adjustment")
    C, P, N = net.sizes("C P N")
    r, t = net.parameter("r", C, 3, note="rotations"), net.parameter("t", C, 3, note="centres")
    f, u = net.parameter("f", C, note="focal lengths"), net.parameter("u", C, 2, note="principal points")
    k, X, w = net.parameter("k", C, 2, note="distortion"), net.parameter("X", P, 3), net.parameter("w", N)
    c, p, m = net.labels("c", N, classes=C), net.labels("p", N, classes=P), net.input("m", N, 2)
    i, a, b, s = net.indices(i=N, a=C, b=3, s=3)
    angle = net.define("angle", sqrt(Sum(r[a, b] ** 2, b)), over=a)
    v = net.define("v", r[a, b] / angle[a], over=(a, b))
    Y = net.define("Y", X[p[i], b] - t[c[i], b], over=(i, b))
    along = net.define("along", Sum(v[c[i], s] * Y[i, s], s) * (1 - cos(angle[c[i]])), over=i)
    turned = []
    for g, h, o in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):               # Rodrigues' formula, a component at a time
        cross = v[c[i], h] * Y[i, o] - v[c[i], o] * Y[i, h]
        turned.append(net.define(f"y{g}", Y[i, g] * cos(angle[c[i]]) + cross * sin(angle[c[i]]) + v[c[i], g] * along[i],
                                 over=i))
    A, B = (net.define(name, part[i] / turned[2][i], over=i) for name, part in zip("AB", turned, strict=False))
    square = A[i] ** 2 + B[i] ** 2
    bent = net.define("bent", f[c[i]] * (1 + k[c[i], 0] * square + k[c[i], 1] * square**2), over=i)
    e = net.define("e", w[i] * (bent[i] * A[i] + u[c[i], 0] - m[i, 0]), over=i)
    g = net.define("g", w[i] * (bent[i] * B[i] + u[c[i], 1] - m[i, 1]), over=i)
    net.loss = (total(e**2) + total(g**2) + total((1 - w**2) ** 2)) / 2
    return net


def adjustment_in_torch(r, t, f, u, k, X, w, c, p, m):
    angle = r[c].norm(dim=1, keepdim=True)
    v, Y = r[c] / angle, X[p] - t[c]
    y = Y * angle.cos() + torch.linalg.cross(v, Y) * angle.sin() + v * (v * Y).sum(1, keepdim=True) * (1 - angle.cos())
    ray = y[:, :2] / y[:, 2:]
    square = (ray**2).sum(1, keepdim=True)
    e = w[:, None] * (f[c][:, None] * (1 + k[c][:, :1] * square + k[c][:, 1:] * square**2) * ray + u[c] - m)
    return ((e**2).sum() + ((1 - w**2) ** 2).sum()) / 2


def hand(complicated):
    """Return half the squared distances of points from a skinned hand, whose fingers are chains of joints.

    Each joint is turned by a flexion (and by an abduction, 0 but at the first) after its transform at rest, which goes
    before it from its parent. Points correspond to vertices; where it is complicated, to points of triangles, given by
    two barycentric coordinates that are found too.
    """
    net = Network("hand", "Hand tracking")
    F, J, V, P = net.sizes("F J V P")
    flex, spread = net.parameter("flex", J, F), net.parameter("spread", F)
    turn, move = net.parameter("turn", 3, note="axis times angle"), net.parameter("move", 3)
    coordinates = net.parameter("uv", P, 2) if complicated else None
    root, rest = net.input("root", F, 4, 4), net.input("rest", J, F, 4, 4)
    inverse, base = net.input("inverse", J, F, 4, 4), net.input("base", V, 4)
    weight, points = net.input("weight", V, J, F), net.input("points", P, 3)
    j, f, v, p = net.indices(j=J, f=F, v=V, p=P)
    a, b, c, d = net.indices(a=4, b=4, c=4, d=4)

    def at(row, column):
        return KroneckerDelta(b, row) * KroneckerDelta(c, column)

    z = net.define("z", Piecewise((spread[f], j < 1), (0, True)), over=(j, f))
    x = flex[j, f]
    about_x = at(0, 0) + at(3, 3) + cos(x) * (at(1, 1) + at(2, 2)) + sin(x) * (at(2, 1) - at(1, 2))
    about_z = at(2, 2) + at(3, 3) + cos(z[j, f]) * (at(0, 0) + at(1, 1)) + sin(z[j, f]) * (at(1, 0) - at(0, 1))
    Rx, Rz = net.define("Rx", about_x, over=(j, f, b, c)), net.define("Rz", about_z, over=(j, f, b, c))
    R = net.define("R", Sum(Rz[j, f, b, d] * Rx[j, f, d, c], d), over=(j, f, b, c))
    step = net.define("step", Sum(rest[j, f, b, d] * R[j, f, d, c], d), over=(j, f, b, c))
    A = net.state("A", J, F, 4, 4, initial=root)
    net.define(A, Sum(A[j - 1, f, a, b] * step[j, f, b, c], b), over=(j, f, a, c))
    T = net.define("T", Sum(A[j, f, a, b] * inverse[j, f, b, c], b), over=(j, f, a, c))
    s, t = net.indices(s=3, t=3)
    skin = net.define("skin", Sum(weight[v, j, f] * Sum(T[j, f, s, c] * base[v, c], c), j, f), over=(v, s))
    angle = net.define("angle", sqrt(Sum(turn[s] ** 2, s)))
    axis = net.define("n", turn[s] / angle, over=s)
    along = net.define("along", Sum(axis[t] * skin[v, t], t) * (1 - cos(angle)), over=v)
    cross = sum(KroneckerDelta(s, g) * (axis[h] * skin[v, o] - axis[o] * skin[v, h])
                for g, h, o in ((0, 1, 2), (1, 2, 0), (2, 0, 1)))
    Y = net.define("Y", skin[v, s] * cos(angle) + cross * sin(angle) + axis[s] * along[v] + move[s], over=(v, s))
    if complicated:
        corner = [net.labels(f"corner{k}", P, classes=V) for k in range(3)]
        left = 1 - coordinates[p, 0] - coordinates[p, 1]
        there = sum(u * Y[k[p], s] for u, k in zip((coordinates[p, 0], coordinates[p, 1], left), corner, strict=True))
    else:
        there = Y[net.labels("which", P, classes=V)[p], s]
    e = net.define("e", points[p, s] - there, over=(p, s))
    net.loss = total(e**2) / 2
    return net


def hand_in_torch(flex, spread, turn, move, *more, uv=None, **given):
    vertices = _skinned(flex, spread, turn, move, given)
    if uv is None:
        there = vertices[given["which"]]
    else:
        u, v = uv[:, :1], uv[:, 1:]
        there = sum(w * vertices[given[f"corner{k}"]] for k, w in enumerate((u, v, 1 - u - v)))
    return ((given["points"] - there) ** 2).sum() / 2


def _skinned(flex, spread, turn, move, given):
    """Return the vertices of a posed hand, one bone at a time."""
    J, F = flex.shape
    skin = torch.zeros(len(given["base"]), 3, dtype=flex.dtype)
    for f in range(F):
        reached = given["root"][f]
        for j in range(J):
            abduction = spread[f] if j == 0 else torch.zeros_like(spread[f])
            rotation = torch.block_diag(_rotation(abduction, 2) @ _rotation(flex[j, f], 0), torch.ones(1, 1))
            reached = reached @ given["rest"][j, f] @ rotation
            moved = given["base"] @ (reached @ given["inverse"][j, f]).T
            skin = skin + given["weight"][:, j, f, None] * moved[:, :3]
    K = torch.linalg.cross(turn.expand(3, 3), torch.eye(3, dtype=turn.dtype))       # its exponential is the rotation
    return skin @ torch.linalg.matrix_exp(K) + move


def _rotation(angle, axis):
    generator = torch.zeros(3, 3, dtype=angle.dtype)
    g, h = [k for k in range(3) if k != axis]
    generator[h, g], generator[g, h] = 1, -1
    return torch.linalg.matrix_exp(angle * generator)


def lstm():
    """Return the loss of bits predicted one by one: two layers of an LSTM whose weights are all diagonal."""
    net = Network("diagonal_lstm", "LSTM with diagonal weights")
    T, B = net.sizes("T B")
    weights = [(net.parameter(f"W{k}", 4, B), net.parameter(f"b{k}", 4, B)) for k in (1, 2)]
    E, X, G = net.parameter("E", 3, B), net.input("X", T, B), net.input("G", T, B)
    start = [(net.input(f"h{k}0", B), net.input(f"c{k}0", B)) for k in (1, 2)]
    t, b, k = net.indices(t=T, b=B, k=B)
    states = [(net.state(f"h{n}", T, B, initial=h0), net.state(f"c{n}", T, B, initial=c0))
              for n, (h0, c0) in enumerate(start, 1)]
    x = net.define("x", X[t, b] * E[0, b], over=(t, b))
    for (W, bias), (h, c) in zip(weights, states, strict=True):
        before = h[t - 1, b]
        forget, out = (sigmoid(x[t, b] * W[g, b] + bias[g, b]) for g in (0, 2))
        into, change = sigmoid(before * W[1, b] + bias[1, b]), tanh(before * W[3, b] + bias[3, b])
        net.define(c, c[t - 1, b] * forget + into * change, over=(t, b))
        net.define(h, out * tanh(c[t, b]), over=(t, b))
        x = h
    y = net.define("y", x[t, b] * E[1, b] + E[2, b], over=(t, b))
    net.loss = -Sum(G[t, b] * (y[t, b] - log(2 + Sum(exp(y[t, k]), k))), t, b) / (T * B)
    return net


def lstm_in_torch(W1, b1, W2, b2, E, X, G, h10, c10, h20, c20):
    h, c, loss = [h10, h20], [c10, c20], 0
    for x, gold in zip(X, G, strict=True):
        x = x * E[0]
        for k, (W, b) in enumerate(((W1, b1), (W2, b2))):
            forget, into, out, change = torch.stack((x, h[k], x, h[k])) * W + b
            c[k] = c[k] * forget.sigmoid() + into.sigmoid() * change.tanh()
            x = h[k] = out.sigmoid() * c[k].tanh()
        y = x * E[1] + E[2]
        loss = loss - (gold * (y - torch.log(2 + y.exp().sum()))).sum()
    return loss / X.numel()
