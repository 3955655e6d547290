"""Slips in backprop of many kinds of parts: activations mixed up, reused names, wrong ends, scales, axes."""

import numpy as np
from sympy import Sum, exp, log, sqrt, tanh

from derive import Network, cross_entropy, mean, relu, sigmoid, softmax, total


def sigma(z):
    return 1 / (1 + np.exp(-z))


# ---- activations side by side: gelu, elu, leaky relu, swish, sigmoid


def activations():
    net = Network("activations")
    N, D, H, K = net.sizes("N D H K")
    W1, b1, W2, b2, W3 = net.parameter("W1", D, H), net.parameter("b1", H), net.parameter("W2", H, K), \
        net.parameter("b2", K), net.parameter("W3", K, D)
    x, y = net.input("x", N, D), net.input("y", N, D)
    z1 = net.define("z1", x @ W1 + b1)
    a1 = net.define("a1", z1 / 2 * (1 + tanh(sqrt(2 / np.pi) * (z1 + 0.044715 * z1**3))))
    z2 = net.define("z2", a1 @ W2 + b2)
    a2 = net.define("a2", relu(z2) - 0.01 * relu(-z2))
    z3 = net.define("z3", a2 @ W3)
    net.loss = total((sigmoid(z3) - y) ** 2) / (2 * N)
    return net


def activations_gradient(W1, b1, W2, b2, W3, x, y):
    N = len(x)
    k = np.sqrt(2 / np.pi)
    z1 = x @ W1 + b1
    t = np.tanh(k * (z1 + 0.044715 * z1**3))
    a1 = 0.5 * z1 * (1 + t)
    z2 = a1 @ W2 + b2
    a2 = np.where(z2 > 0, z2, 0.01 * z2)
    z3 = a2 @ W3
    out = sigma(z3)
    loss = 0.5 * np.sum((out - y) ** 2) / N
    dz3 = (out - y) / N * out * (1 - out)
    dW3 = a2.T @ dz3
    da2 = dz3 @ W3.T
    dz2 = da2 * np.where(z2 > 0, 1, 0.01)
    dW2, db2 = a1.T @ dz2, dz2.sum(0)
    da1 = dz2 @ W2.T
    dz1 = da1 * (0.5 * (1 + t) + 0.5 * z1 * (1 - t**2) * k * (1 + 3 * 0.044715 * z1**2))
    dW1, db1 = x.T @ dz1, dz1.sum(0)
    return loss, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "W3": dW3}


# ---- one block: dropout, layer norm, residual, softmax at a temperature


def block():
    net = Network("block")
    N, D, C = net.sizes("N D C")
    W, g, b, V = net.parameter("W", D, D), net.parameter("g", D), net.parameter("b", D), net.parameter("V", D, C)
    x, y = net.input("x", N, D), net.labels("y", N, classes=C)
    keep, tau = net.input("keep", note="probability"), net.input("tau", note="positive")
    M = net.input("M", N, D, note="1 where a unit is kept, else 0")
    n, d = net.indices(n=N, d=D)
    h = net.define("h", tanh(x @ W))
    u = net.define("u", x + h * M / keep)
    mu = net.define("mu", Sum(u[n, d], d) / D, over=n)
    v = net.define("v", Sum((u[n, d] - mu[n]) ** 2, d) / D, over=n)
    xh = net.define("xh", (u[n, d] - mu[n]) / sqrt(v[n] + 1e-3), over=(n, d))
    z = net.define("z", (xh * g + b) @ V / tau)
    net.loss = mean(cross_entropy(z, y))
    return net


def block_gradient(W, g, b, V, x, y, keep, tau, M):
    N, D = x.shape
    h = np.tanh(x @ W)
    u = x + h * M / keep
    mu, var = u.mean(1, keepdims=True), u.var(1, keepdims=True)
    istd = 1 / np.sqrt(var + 1e-3)
    xh = (u - mu) * istd
    o = xh * g + b
    z = o @ V / tau
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).mean()
    dz = p.copy()
    dz[np.arange(N), y] -= 1
    dz /= N
    do = dz @ V.T / tau
    dV = o.T @ dz / tau
    dg, db = (do * xh).sum(0), do.sum(0)
    dxh = do * g
    du = istd * (dxh - dxh.mean(1, keepdims=True) - xh * (dxh * xh).mean(1, keepdims=True))
    dh = du * M / keep
    dW = x.T @ (dh * (1 - h**2))
    return loss, dW, dg, db, dV


# ---- an LSTM with a classifier at the last step


def classifier():
    net = Network("classifier")
    T, N, D, H, C = net.sizes("T N D H C")
    Wi, Wf, Wo, Wg = (net.parameter(n, D, H) for n in ("Wi", "Wf", "Wo", "Wg"))
    Ui, Uf, Uo, Ug = (net.parameter(n, H, H) for n in ("Ui", "Uf", "Uo", "Ug"))
    V, x, y = net.parameter("V", H, C), net.input("x", T, N, D), net.labels("y", N, classes=C)
    t, n, d, j, k, m = net.indices(t=T, n=N, d=D, j=H, k=H, m=C)
    h, c = net.state("h", T, N, H, initial=0), net.state("c", T, N, H, initial=0)
    i, f, o, g = (net.define(name, F(Sum(x[t, n, d] * W[d, k], d) + Sum(h[t - 1, n, j] * U[j, k], j)), over=(t, n, k))
                  for name, F, W, U in (("i", sigmoid, Wi, Ui), ("f", sigmoid, Wf, Uf), ("o", sigmoid, Wo, Uo),
                                        ("g", tanh, Wg, Ug)))
    net.define(c, f[t, n, k] * c[t - 1, n, k] + i[t, n, k] * g[t, n, k], over=(t, n, k))
    net.define(h, o[t, n, k] * tanh(c[t, n, k]), over=(t, n, k))
    z = net.define("z", Sum(h[T - 1, n, k] * V[k, m], k), over=(n, m))
    net.loss = mean(cross_entropy(z, y))
    return net


def classifier_gradient(Wi, Wf, Wo, Wg, Ui, Uf, Uo, Ug, V, x, y):
    T, N, D = x.shape
    H = V.shape[0]
    hs, cs, gates = [np.zeros((N, H))], [np.zeros((N, H))], []
    for t in range(T):
        i, f, o = (sigma(x[t] @ W + hs[-1] @ U) for W, U in ((Wi, Ui), (Wf, Uf), (Wo, Uo)))
        g = np.tanh(x[t] @ Wg + hs[-1] @ Ug)
        cs.append(f * cs[-1] + i * g)
        hs.append(o * np.tanh(cs[-1]))
        gates.append((i, f, o, g))
    z = hs[-1] @ V
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).mean()
    p[np.arange(N), y] -= 1
    dz = p / N
    grads = {n: np.zeros((D, H)) for n in ("Wi", "Wf", "Wo", "Wg")}
    grads.update({n: np.zeros((H, H)) for n in ("Ui", "Uf", "Uo", "Ug")})
    grads["V"] = hs[-1].T @ dz
    dh, dc = dz @ V.T, np.zeros((N, H))
    for t in reversed(range(T)):
        i, f, o, g = gates[t]
        tc = np.tanh(cs[t + 1])
        do = dh * tc * o * (1 - o)
        dc = dc + dh * o * (1 - tc**2)
        di = dc * g * i * (1 - i)
        dg = dc * i * (1 - g**2)
        df = dc * cs[t] * f * (1 - f)
        dh = np.zeros((N, H))
        for name, d, U in (("i", di, Ui), ("f", df, Uf), ("o", do, Uo), ("g", dg, Ug)):
            grads["W" + name] += x[t].T @ d
            grads["U" + name] += hs[t].T @ d
            dh += d @ U.T
        dc = dc * f
    return loss, grads


# ---- self-attention with a scale, cross-entropy at each position, weights tied to nothing


def reader():
    net = Network("reader")
    B, T, D, K, C = net.sizes("B T D K C")
    Wq, Wk, Wv, Wc, bc = net.parameter("Wq", D, K), net.parameter("Wk", D, K), net.parameter("Wv", D, D), \
        net.parameter("Wc", D, C), net.parameter("bc", C)
    x, y = net.input("x", B, T, D), net.labels("y", B, T, classes=C)
    b, t, s, d, k, c = net.indices(b=B, t=T, s=T, d=D, k=K, c=C)
    q, key, v = x @ Wq, x @ Wk, x @ Wv
    q, key, v = net.define("q", q), net.define("k", key), net.define("v", v)
    S = net.define("S", Sum(q[b, t, k] * key[b, s, k], k) / sqrt(K), over=(b, t, s))
    A = net.define("A", softmax(S))
    r = net.define("r", Sum(A[b, t, s] * v[b, s, d], s) + x[b, t, d], over=(b, t, d))
    z = net.define("z", r @ Wc + bc)
    net.loss = Sum(log(Sum(exp(z[b, t, c]), c)) - z[b, t, y[b, t]], b, t) / (B * T)
    return net


def reader_gradient(Wq, Wk, Wv, Wc, bc, x, y):
    B, T, D = x.shape
    K = Wq.shape[1]
    q, k, v = x @ Wq, x @ Wk, x @ Wv
    s = np.einsum("btk,bsk->bts", q, k) / np.sqrt(K)
    a = np.exp(s - s.max(-1, keepdims=True))
    a = a / a.sum(-1, keepdims=True)
    r = a @ v + x
    z = r @ Wc + bc
    p = np.exp(z - z.max(-1, keepdims=True))
    p = p / p.sum(-1, keepdims=True)
    onehot = np.eye(len(bc))[y]
    loss = -np.sum(onehot * np.log(p)) / (B * T)
    dz = (p - onehot) / (B * T)
    dWc, dbc = np.einsum("btd,btc->dc", r, dz), dz.sum((0, 1))
    dr = dz @ Wc.T
    da = np.einsum("btd,bsd->bts", dr, v)
    dv = np.einsum("bts,btd->bsd", a, dr)
    ds = a * (da - np.sum(a * da, axis=-1, keepdims=True))
    ds = ds / np.sqrt(K)
    dq = np.einsum("bts,bsk->btk", ds, k)
    dk = np.einsum("bts,btk->bsk", ds, q)
    dWq, dWk, dWv = (np.einsum("btd,btk->dk", x, d) for d in (dq, dk, dv))
    return loss, dWq, dWk, dWv, dWc, dbc


# ---- regularised softmax regression on soft labels, with momentum outside


def soft_regression():
    net = Network("soft_regression")
    N, D, C = net.sizes("N D C")
    W, b, X, Q, lam = net.parameter("W", D, C), net.parameter("b", C), net.input("X", N, D), \
        net.input("Q", N, C, note="probabilities"), net.input("lam")
    n, c = net.indices(n=N, c=C)
    Z = net.define("Z", X @ W + b)
    P = net.define("P", softmax(Z))
    net.loss = Sum(P[n, c] * (log(P[n, c]) - log(Q[n, c])), n, c) / N + lam * total(W**2) / 2
    return net


def soft_regression_gradient(W, b, X, Q, lam):
    N = len(X)
    Z = X @ W + b
    e = np.exp(Z - Z.max(1, keepdims=True))
    P = e / e.sum(1, keepdims=True)
    ratio = np.log(P) - np.log(Q)
    kl = (P * ratio).sum(1, keepdims=True)
    loss = kl.sum() / N + 0.5 * lam * np.sum(W**2)
    dZ = P * (ratio - kl) / N
    return loss, X.T @ dZ + lam * W, dZ.sum(0)


# ---- batch normalisation in a network, momentum statistics aside


def normalised():
    net = Network("normalised")
    N, D, H = net.sizes("N D H")
    W, gamma, beta, v, c = net.parameter("W", D, H), net.parameter("gamma", H), net.parameter("beta", H), \
        net.parameter("v", H), net.parameter("c")
    X, y = net.input("X", N, D), net.input("y", N, note="0 or 1")
    n, h = net.indices(n=N, h=H)
    Z = net.define("Z", X @ W)
    mu = net.define("mu", Sum(Z[n, h], n) / N, over=h)
    var = net.define("var", Sum((Z[n, h] - mu[h]) ** 2, n) / N, over=h)
    Zh = net.define("Zh", (Z[n, h] - mu[h]) / sqrt(var[h] + 1e-2), over=(n, h))
    A = net.define("A", relu(gamma * Zh + beta))
    s = net.define("s", A @ v + c)
    net.loss = Sum(log(1 + exp(s[n])) - y[n] * s[n], n) / N
    return net


def normalised_gradient(W, gamma, beta, v, c, X, y):
    N = X.shape[0]
    Z = X @ W
    mu, var = Z.mean(0), Z.var(0)
    std = np.sqrt(var + 1e-2)
    Zh = (Z - mu) / std
    U = gamma * Zh + beta
    A = np.maximum(U, 0)
    s = A @ v + c
    p = sigma(s)
    loss = np.mean(np.log1p(np.exp(s)) - y * s)
    ds = (p - y) / N
    dv, dc = A.T @ ds, ds.sum()
    dA = np.outer(ds, v)
    dU = dA * (U > 0)
    dgamma, dbeta = (dU * Zh).sum(0), dU.sum(0)
    dZh = dU * gamma
    dvar = np.sum(dZh * (Z - mu), axis=0) * -0.5 * std**-3
    dmu = -np.sum(dZh / std, axis=0) + dvar * np.mean(-2 * (Z - mu), axis=0)
    dZ = dZh / std + dvar * 2 * (Z - mu) / N + dmu / N
    return loss, X.T @ dZ, dgamma, dbeta, dv, dc


RIGHT = [
    (activations, activations_gradient), (block, block_gradient), (classifier, classifier_gradient),
    (reader, reader_gradient), (soft_regression, soft_regression_gradient), (normalised, normalised_gradient),
]
A, F = (activations, activations_gradient), (block, block_gradient)
L, R = (classifier, classifier_gradient), (reader, reader_gradient)
S, B = (soft_regression, soft_regression_gradient), (normalised, normalised_gradient)
EDITS = [
    # activations
    (*A, [("* out * (1 - out)", "* z3 * (1 - z3)")]),
    (*A, [("* out * (1 - out)", "* (1 - out)")]),
    (*A, [("* out * (1 - out)", "* (1 - out**2)")]),
    (*A, [("np.where(z2 > 0, 1, 0.01)", "np.where(z2 > 0, 1, 0)")]),
    (*A, [("np.where(z2 > 0, 1, 0.01)", "np.where(z2 > 0, 1, 0.1)")]),
    (*A, [("np.where(z2 > 0, 1, 0.01)", "np.where(z2 > 0, 1, -0.01)")]),
    (*A, [("np.where(z2 > 0, 1, 0.01)", "np.where(da2 > 0, 1, 0.01)")]),
    (*A, [("(1 - t**2) * k", "(1 - t) * k")]),
    (*A, [("(1 - t**2) * k", "(1 - t**2)")]),
    (*A, [("0.5 * (1 + t) + 0.5 * z1 * (1 - t**2) * k * (1 + 3 * 0.044715 * z1**2)", "0.5 * (1 + t)")]),
    (*A, [("3 * 0.044715 * z1**2", "0.044715 * z1**2")]),
    (*A, [("0.5 * (1 + t) + 0.5 * z1 * (1 - t**2) * k * (1 + 3 * 0.044715 * z1**2)",
           "sigma(1.702 * z1) + 1.702 * z1 * sigma(1.702 * z1) * (1 - sigma(1.702 * z1))")]),
    (*A, [("dW2, db2 = a1.T @ dz2", "dW2, db2 = z1.T @ dz2")]),
    (*A, [("dW3 = a2.T @ dz3", "dW3 = z2.T @ dz3")]),
    (*A, [("da1 = dz2 @ W2.T", "da1 = da2 @ W2.T")]),
    (*A, [("    da2 = dz3 @ W3.T", "    W3 = W3 - 0.1 * dW3\n    da2 = dz3 @ W3.T")]),
    (*A, [("(out - y) / N", "(out - y) / y.size")]),
    (*A, [("dW3 = a2.T @ dz3", "dW3 = a2.T @ ((out - y) / N)")]),
    (*A, [("return loss, {", "db1, db2 = db1 + 0.01 * b1, db2 + 0.01 * b2\n    return loss, {")]),
    (*A, [("dz1.sum(0)", "dz1.sum(0) / N")]),
    (*A, [("dz1 = da1 * (", "dz1 = da2 @ W2.T * (")]),
    # block
    (*F, [("dh = du * M / keep", "dh = du * M")]),
    (*F, [("dh = du * M / keep", "dh = du / keep")]),
    (*F, [("dh = du * M / keep", "dh = du * M * keep")]),
    (*F, [("do = dz @ V.T / tau", "do = dz @ V.T")]),
    (*F, [("dV = o.T @ dz / tau", "dV = o.T @ dz")]),
    (*F, [("dV = o.T @ dz / tau", "dV = xh.T @ dz / tau")]),
    (*F, [("dV = o.T @ dz / tau", "dV = u.T @ dz / tau")]),
    (*F, [("(1 - h**2)", "(1 - u**2)")]),
    (*F, [("(1 - h**2)", "(1 - (h * M / keep) ** 2)")]),
    (*F, [("(1 - h**2)", "(1 - h)**2")]),
    (*F, [("- dxh.mean(1, keepdims=True) ", "")]),
    (*F, [("xh * (dxh * xh).mean(1, keepdims=True)", "xh * (dxh * u).mean(1, keepdims=True)")]),
    (*F, [("xh * (dxh * xh).mean(1, keepdims=True)", "(dxh * xh).mean(1, keepdims=True)")]),
    (*F, [("du = istd * (dxh", "du = istd**2 * (dxh")]),
    (*F, [("du = istd * (dxh - dxh.mean(1, keepdims=True) - xh * (dxh * xh).mean(1, keepdims=True))",
           "du = istd * dxh")]),
    (*F, [("dxh.mean(1, keepdims=True)", "do.mean(1, keepdims=True)")]),
    (*F, [("dg, db = (do * xh).sum(0)", "dg, db = (do * o).sum(0)")]),
    (*F, [("dxh = do * g", "dxh = do * g + b")]),
    (*F, [("dz /= N", "dz /= z.size")]),
    (*F, [("u.var(1, keepdims=True)", "u.var(1, keepdims=True, ddof=1)")]),
    (*F, [("- xh * (dxh * xh).mean(1, keepdims=True)", "- xh * (dxh * xh).sum(1, keepdims=True) / (D - 1)")]),
    # lstm
    (*L, [("dc = dc * f\n", "dc = dc\n")]),
    (*L, [("        dc = dc * f\n", "        dc = np.zeros((N, H))\n")]),
    (*L, [("dc = dc + dh * o * (1 - tc**2)", "dc = dh * o * (1 - tc**2)")]),
    (*L, [("dc = dc + dh * o * (1 - tc**2)", "dc = dc + dh * o * (1 - tc)")]),
    (*L, [("dc = dc + dh * o * (1 - tc**2)", "dc = dc + dh * o")]),
    (*L, [("dc = dc + dh * o * (1 - tc**2)", "dc = dc + dh * o * (1 - cs[t + 1] ** 2)")]),
    (*L, [("df = dc * cs[t] *", "df = dc * cs[t + 1] *")]),
    (*L, [("do = dh * tc * o", "do = dh * cs[t + 1] * o")]),
    (*L, [("+= hs[t].T @ d", "+= hs[t + 1].T @ d")]),
    (*L, [("            dh += d @ U.T", "            dh = d @ U.T")]),
    (*L, [("dg = dc * i * (1 - g**2)", "dg = dc * i * g * (1 - g)")]),
    (*L, [("reversed(range(T))", "reversed(range(1, T))")]),
    (*L, [("reversed(range(T))", "range(T)")]),
    (*L, [("            dh += d @ U.T", "            dh += d @ U")]),
    (*L, [("        dh = np.zeros((N, H))\n        for", "        for")]),
    (*L, [("do = dh * tc * o * (1 - o)", "do = dh * o * (1 - o)")]),
    (*L, [("di = dc * g *", "di = dc * f *")]),
    # attention
    (*R, [("    ds = ds / np.sqrt(K)\n", "")]),
    (*R, [("ds = ds / np.sqrt(K)", "ds = ds / np.sqrt(D)")]),
    (*R, [("ds = ds / np.sqrt(K)", "ds = ds / K")]),
    (*R, [("np.sum(a * da, axis=-1, keepdims=True)", "np.sum(a * da, axis=1, keepdims=True)")]),
    (*R, [("np.sum(a * da, axis=-1, keepdims=True)", "np.sum(da, axis=-1, keepdims=True)")]),
    (*R, [("a * (da - np.sum(a * da, axis=-1, keepdims=True))", "da - np.sum(a * da, axis=-1, keepdims=True)")]),
    (*R, [('da = np.einsum("btd,bsd->bts", dr, v)', 'da = np.einsum("btd,bsd->bts", r, v)')]),
    (*R, [('dv = np.einsum("bts,btd->bsd", a, dr)', 'dv = np.einsum("bts,btd->bsd", s, dr)')]),
    (*R, [('dv = np.einsum("bts,btd->bsd", a, dr)', 'dv = np.einsum("bts,bsd->btd", a, dr)')]),
    (*R, [('dk = np.einsum("bts,btk->bsk", ds, q)', 'dk = np.einsum("bts,btk->bsk", ds, k)')]),
    (*R, [("dz = (p - onehot) / (B * T)", "dz = (p - onehot) / B")]),
    (*R, [("dz = (p - onehot) / (B * T)", "dz = (p - onehot) / T")]),
    (*R, [("dr = dz @ Wc.T", "dr = (p - onehot) @ Wc.T")]),
    (*R, [('np.einsum("btd,btc->dc", r, dz)', 'np.einsum("btd,btc->dc", r - x, dz)')]),
    (*R, [('np.einsum("btd,btc->dc", r, dz)', 'np.einsum("btd,btc->dc", x, dz)')]),
    (*R, [("for d in (dq, dk, dv))", "for d in (dk, dq, dv))")]),
    (*R, [("dz.sum((0, 1))", "dz.mean((0, 1))")]),
    (*R, [("dz.sum((0, 1))", "dz.mean(0).sum(0)")]),
    # soft labels
    (*S, [("dZ = P * (ratio - kl) / N", "dZ = P * ratio / N")]),
    (*S, [("dZ = P * (ratio - kl) / N", "dZ = (P - Q) / N")]),
    (*S, [("dZ = P * (ratio - kl) / N", "dZ = P * (ratio + 1) / N")]),
    (*S, [("dZ = P * (ratio - kl) / N", "dZ = Q * (ratio - kl) / N")]),
    (*S, [("dZ = P * (ratio - kl) / N", "dZ = P * (1 - P) * (ratio - kl) / N")]),
    (*S, [("kl = (P * ratio).sum(1, keepdims=True)", "kl = (P * ratio).sum(0, keepdims=True)")]),
    (*S, [("dZ = P * (ratio - kl) / N", "dZ = P * (ratio - kl.mean()) / N")]),
    (*S, [("X.T @ dZ + lam * W", "X.T @ dZ + lam * np.sign(W)")]),
    (*S, [("X.T @ dZ + lam * W", "X.T @ dZ + 2 * lam * W")]),
    (*S, [("X.T @ dZ + lam * W", "(X.T @ dZ + lam * W) / N")]),
    (*S, [("dZ.sum(0)", "dZ.sum(0) + lam * b")]),
    (*S, [("dZ.sum(0)", "dZ.sum()")]),
    (*S, [("X.T @ dZ + lam * W", "0.1 * (X.T @ dZ + lam * W) + 0.9 * W")]),
    # batch normalisation
    (*B, [("dvar * 2 * (Z - mu) / N + ", "")]),
    (*B, [("Z.var(0)", "Z.var(0, ddof=1)")]),
    (*B, [("std**-3", "std**-2")]),
    (*B, [("std**-3", "var**-1.5")]),
    (*B, [(" + dmu / N", "")]),
    (*B, [(" + dmu / N", " + dmu")]),
    (*B, [("dZ = dZh / std + dvar", "dZ = dZh + dvar")]),
    (*B, [("dZ = dZh / std + dvar * 2 * (Z - mu) / N + dmu / N", "dZ = dZh / std")]),
    (*B, [("dvar * 2 * (Z - mu) / N", "dvar * 2 * Zh / N")]),
    (*B, [("dvar = np.sum(dZh * (Z - mu), axis=0)", "dvar = np.sum(dZh * Z, axis=0)")]),
    (*B, [("dU = dA * (U > 0)", "dU = dA * (Zh > 0)")]),
    (*B, [("dU = dA * (U > 0)", "dU = dA * (Z > 0)")]),
    (*B, [("dU = dA * (U > 0)", "dU = dA * U")]),
    (*B, [("(dU * Zh).sum(0)", "(dU * Z).sum(0)")]),
    (*B, [("(dU * Zh).sum(0)", "(dA * Zh).sum(0)")]),
    (*B, [("ds = (p - y) / N", "ds = (p - y) * p * (1 - p) / N")]),
    (*B, [("ds = (p - y) / N", "ds = (s - y) / N")]),
    (*B, [("ds = (p - y) / N", "ds = (p > 0.5) - y\n    ds = ds / N")]),
    (*B, [("dA = np.outer(ds, v)", "dA = np.outer(ds, np.abs(v))")]),
    (*B, [("dv, dc = A.T @ ds", "dv, dc = U.T @ ds")]),
]
