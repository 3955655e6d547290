"""Backprop of newer parts: attention with a mask, gated units, norms in loops, contrastive and robust losses."""

import numpy as np
from sympy import Abs, Piecewise, Sum, exp, log, sqrt, tanh

from derive import Network, mean, relu, sigmoid, softmax, total


def sigma(z):
    return 1 / (1 + np.exp(-z))


# ---- causal attention with heads, then an output projection and a residual path


def causal():
    net = Network("causal")
    B, T, H, E, D = net.sizes("B T H E D")
    Wq, Wk, Wv = (net.parameter(n, D, H, E) for n in ("Wq", "Wk", "Wv"))
    Wo, x, dout = net.parameter("Wo", H, E, D), net.parameter("x", B, T, D), net.input("dout", B, T, D)
    b, t, s, h, e, d = net.indices(b=B, t=T, s=T, h=H, e=E, d=D)
    q, k, v = (net.define(n, Sum(x[b, t, d] * W[d, h, e], d), over=(b, h, t, e)) for n, W in (
        ("q", Wq), ("k", Wk), ("v", Wv)))
    S = net.define("S", Piecewise((Sum(q[b, h, t, e] * k[b, h, s, e], e) / sqrt(E), s <= t), (-100, True)),
                   over=(b, h, t, s))
    a = net.define("a", softmax(S))
    o = net.define("o", Sum(a[b, h, t, s] * v[b, h, s, e], s), over=(b, h, t, e))
    y = net.define("y", Sum(o[b, h, t, e] * Wo[h, e, d], h, e) + x[b, t, d], over=(b, t, d))
    net.loss = Sum(dout[b, t, d] * y[b, t, d], b, t, d)
    return net


def causal_attention(Wq, Wk, Wv, Wo, x, dout):
    E, T = Wq.shape[2], x.shape[1]
    q, k, v = (np.einsum("btd,dhe->bhte", x, W) for W in (Wq, Wk, Wv))
    scores = np.where(np.tril(np.ones((T, T))) > 0, q @ k.transpose(0, 1, 3, 2) / np.sqrt(E), -100)
    a = np.exp(scores - scores.max(-1, keepdims=True))
    a /= a.sum(-1, keepdims=True)
    o = a @ v
    y = np.einsum("bhte,hed->btd", o, Wo) + x
    do = np.einsum("btd,hed->bhte", dout, Wo)
    dWo = np.einsum("bhte,btd->hed", o, dout)
    da = do @ v.swapaxes(-1, -2)
    dv = a.swapaxes(-1, -2) @ do
    ds = a * (da - (da * a).sum(-1, keepdims=True))
    ds = np.where(np.tril(np.ones((T, T))) > 0, ds, 0) / np.sqrt(E)
    dq = ds @ k
    dk = ds.swapaxes(-1, -2) @ q
    dx = dout.copy()
    for d, W in ((dq, Wq), (dk, Wk), (dv, Wv)):
        dx += np.einsum("bhte,dhe->btd", d, W)
    dWq, dWk, dWv = (np.einsum("btd,bhte->dhe", x, d) for d in (dq, dk, dv))
    return np.sum(y * dout), (dWq, dWk, dWv, dWo, dx)


# ---- layer normalisation in loops, as in C


def normalised_rows():
    net = Network("normalised_rows")
    B, C = net.sizes("B C")
    inp, weight, bias = net.parameter("inp", B, C), net.parameter("weight", C), net.parameter("bias", C)
    dout = net.input("dout", B, C)
    b, c = net.indices(b=B, c=C)
    m = net.define("m", Sum(inp[b, c], c) / C, over=b)
    v = net.define("v", Sum((inp[b, c] - m[b]) ** 2, c) / C, over=b)
    n = net.define("norm", (inp[b, c] - m[b]) / sqrt(v[b] + 1e-5), over=(b, c))
    net.loss = total(dout * net.define("Y", weight * n + bias))
    return net


def layernorm_loops(inp, weight, bias, dout):
    B, C = inp.shape
    dinp, dweight, dbias, loss = np.zeros((B, C)), np.zeros(C), np.zeros(C), 0.0
    for b in range(B):
        mean_b = sum(inp[b]) / C
        rstd = 1.0 / np.sqrt(sum((inp[b] - mean_b) ** 2) / C + 1e-5)
        dnorm_mean, dnorm_norm_mean = 0.0, 0.0
        for i in range(C):
            norm = (inp[b, i] - mean_b) * rstd
            loss += dout[b, i] * (norm * weight[i] + bias[i])
            dnorm = weight[i] * dout[b, i]
            dnorm_mean += dnorm
            dnorm_norm_mean += dnorm * norm
        dnorm_mean /= C
        dnorm_norm_mean /= C
        for i in range(C):
            norm = (inp[b, i] - mean_b) * rstd
            dnorm = weight[i] * dout[b, i]
            dbias[i] += dout[b, i]
            dweight[i] += norm * dout[b, i]
            dinp[b, i] += (dnorm - dnorm_mean - norm * dnorm_norm_mean) * rstd
    return loss, dinp, dweight, dbias


# ---- RMS norm and a gated feed-forward layer


def gated():
    net = Network("gated")
    N, D, H = net.sizes("N D H")
    x, g = net.parameter("x", N, D), net.parameter("g", D)
    W, V, U = net.parameter("W", D, H), net.parameter("V", D, H), net.parameter("U", H, D)
    dout = net.input("dout", N, D)
    n, d = net.indices(n=N, d=D)
    r = net.define("r", sqrt(Sum(x[n, d] ** 2, d) / D + 1e-6), over=n)
    y = net.define("y", x[n, d] * g[d] / r[n], over=(n, d))
    a, b = net.define("a", y @ W), net.define("b", y @ V)
    net.loss = total(dout * (net.define("s", a * sigmoid(a) * b) @ U + x))
    return net


def gated_layer(x, g, W, V, U, dout):
    D = x.shape[-1]
    rms = np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)
    xn = x / rms
    y = xn * g
    a, b = y @ W, y @ V
    silu = a * sigma(a)
    out = (silu * b) @ U + x
    ds = dout @ U.T
    dU = (silu * b).T @ dout
    db = ds * silu
    da = ds * b * (sigma(a) + silu * (1 - sigma(a)))
    dy = da @ W.T + db @ V.T
    dg = (dy * xn).sum(0)
    dxn = dy * g
    dx = (dxn - xn * (dxn * xn).sum(-1, keepdims=True) / D) / rms + dout
    return np.sum(out * dout), {"x": dx, "g": dg, "W": y.T @ da, "V": y.T @ db, "U": dU}


# ---- a GRU over time, one sequence, rows as vectors


def gated_recurrence():
    net = Network("gated_recurrence")
    T, D, H = net.sizes("T D H")
    Wz, Wr, Wh = (net.parameter(n, H, D) for n in ("Wz", "Wr", "Wh"))
    Uz, Ur, Uh = (net.parameter(n, H, H) for n in ("Uz", "Ur", "Uh"))
    x, y = net.input("x", T, D), net.input("y", T, H)
    t, d, k, j = net.indices(t=T, d=D, k=H, j=H)
    s = net.state("s", T, H, initial=0)
    z = net.define("z", sigmoid(Sum(Wz[k, d] * x[t, d], d) + Sum(Uz[k, j] * s[t - 1, j], j)), over=(t, k))
    r = net.define("r", sigmoid(Sum(Wr[k, d] * x[t, d], d) + Sum(Ur[k, j] * s[t - 1, j], j)), over=(t, k))
    h = net.define("h", tanh(Sum(Wh[k, d] * x[t, d], d) + Sum(Uh[k, j] * r[t, j] * s[t - 1, j], j)), over=(t, k))
    net.define(s, (1 - z[t, k]) * h[t, k] + z[t, k] * s[t - 1, k], over=(t, k))
    net.loss = Sum((s[t, k] - y[t, k]) ** 2, t, k) / 2
    return net


def gated_through_time(Wz, Wr, Wh, Uz, Ur, Uh, x, y):
    T, H = y.shape
    s, tape, loss = np.zeros(H), [], 0.0
    for t in range(T):
        z, r = sigma(Wz @ x[t] + Uz @ s), sigma(Wr @ x[t] + Ur @ s)
        h = np.tanh(Wh @ x[t] + Uh @ (r * s))
        tape.append((s, z, r, h))
        s = (1 - z) * h + z * s
        tape[-1] += (s,)
        loss += 0.5 * np.sum((s - y[t]) ** 2)
    g = {n: np.zeros_like(w) for n, w in (("Wz", Wz), ("Wr", Wr), ("Wh", Wh), ("Uz", Uz), ("Ur", Ur), ("Uh", Uh))}
    carry = np.zeros(H)
    for t in range(T - 1, -1, -1):
        before, z, r, h, after = tape[t]
        ds = after - y[t] + carry
        dh = ds * (1 - z) * (1 - h**2)
        dz = ds * (before - h) * z * (1 - z)
        drs = Uh.T @ dh
        dr = drs * before * r * (1 - r)
        for n, d in (("z", dz), ("r", dr), ("h", dh)):
            g["W" + n] += np.outer(d, x[t])
        g["Uz"] += np.outer(dz, before)
        g["Ur"] += np.outer(dr, before)
        g["Uh"] += np.outer(dh, r * before)
        carry = ds * z + Uz.T @ dz + Ur.T @ dr + drs * r
    return loss, g


# ---- a variational autoencoder, small


def bound():
    net = Network("bound")
    N, D, K = net.sizes("N D K")
    Wm, Ws, V, c = net.parameter("Wm", D, K), net.parameter("Ws", D, K), net.parameter("V", K, D), net.parameter("c", D)
    x, e = net.input("x", N, D), net.input("e", N, K)
    m, s = net.define("m", x @ Wm), net.define("s", x @ Ws)
    z = net.define("z", m + exp(s / 2) * e)
    r = net.define("rec", tanh(z) @ V + c)
    net.loss = (total((r - x) ** 2) / 2 + total(exp(s) + m**2 - 1 - s) / 2) / N
    return net


def bound_gradient(Wm, Ws, V, c, x, e):
    N = len(x)
    m, logvar = x @ Wm, x @ Ws
    std = np.exp(0.5 * logvar)
    z = m + std * e
    t = np.tanh(z)
    r = t @ V + c
    loss = (0.5 * np.sum((r - x) ** 2) + 0.5 * np.sum(np.exp(logvar) + m**2 - 1 - logvar)) / N
    dr = (r - x) / N
    dV, dc = t.T @ dr, dr.sum(0)
    dz = (dr @ V.T) * (1 - t**2)
    dm = dz + m / N
    dlogvar = dz * e * std * 0.5 + 0.5 * (np.exp(logvar) - 1) / N
    return loss, (x.T @ dm, x.T @ dlogvar, dV, dc)


# ---- an autoencoder whose mean activations should be rho


def sparse():
    net = Network("sparse")
    N, D, H = net.sizes("N D H")
    W1, b1 = net.parameter("W1", H, D), net.parameter("b1", H)
    W2, b2 = net.parameter("W2", D, H), net.parameter("b2", D)
    X, rho, beta = net.input("X", D, N), net.input("rho", note="probability"), net.input("beta")
    n, d, h = net.indices(n=N, d=D, h=H)
    a = net.define("a", sigmoid(Sum(W1[h, d] * X[d, n], d) + b1[h]), over=(h, n))
    p = net.define("p", Sum(a[h, n], n) / N, over=h)
    y = net.define("y", Sum(W2[d, h] * a[h, n], h) + b2[d], over=(d, n))
    net.loss = Sum((y[d, n] - X[d, n]) ** 2, d, n) / (2 * N) \
        + beta * Sum(rho * log(rho / p[h]) + (1 - rho) * log((1 - rho) / (1 - p[h])), h)
    return net


def sparse_autoencoder(W1, b1, W2, b2, X, rho, beta):
    m = X.shape[1]
    a2 = sigma(W1 @ X + b1[:, None])
    rho_hat = a2.mean(axis=1)
    a3 = W2 @ a2 + b2[:, None]
    cost = np.sum((a3 - X) ** 2) / (2 * m)
    cost += beta * np.sum(rho * np.log(rho / rho_hat) + (1 - rho) * np.log((1 - rho) / (1 - rho_hat)))
    delta3 = a3 - X
    sparsity = beta * (-rho / rho_hat + (1 - rho) / (1 - rho_hat))
    delta2 = (W2.T @ delta3 + sparsity[:, None]) * a2 * (1 - a2)
    return cost, {"W1": delta2 @ X.T / m, "b1": delta2.sum(1) / m, "W2": delta3 @ a2.T / m, "b2": delta3.sum(1) / m}


# ---- the focal loss


def focal():
    net = Network("focal")
    N, D = net.sizes("N D")
    w, X, t, gamma = net.parameter("w", D), net.input("X", N, D), net.input("t", N, note="0 or 1"), net.input("gamma")
    n, = net.indices(n=N)
    z = net.define("z", X @ w)
    p = net.define("p", sigmoid(z))
    net.loss = -Sum(t[n] * (1 - p[n]) ** 2 * log(p[n]) + (1 - t[n]) * gamma * p[n] ** 2 * log(1 - p[n]), n) / N
    return net


def focal_loss(w, X, t, gamma):
    p = sigma(X @ w)
    loss = -np.mean(t * (1 - p) ** 2 * np.log(p) + (1 - t) * gamma * p**2 * np.log(1 - p))
    positive = -(1 - p) ** 2 / p + 2 * (1 - p) * np.log(p)
    negative = gamma * (p**2 / (1 - p) - 2 * p * np.log(1 - p))
    dp = (t * positive + (1 - t) * negative) / len(t)
    dz = dp * p * (1 - p)
    return loss, X.T @ dz


# ---- Huber's loss


def robust():
    net = Network("robust")
    N, D = net.sizes("N D")
    w, b, X, y, delta = net.parameter("w", D), net.parameter("b"), net.input("X", N, D), net.input("y", N), \
        net.input("delta", note="positive")
    n, = net.indices(n=N)
    r = net.define("r", X @ w + b - y)
    net.loss = Sum(Piecewise((r[n] ** 2 / 2, Abs(r[n]) <= delta), (delta * (Abs(r[n]) - delta / 2), True)), n) / N
    return net


def huber_regression(w, b, X, y, delta):
    r = X @ w + b - y
    small = np.abs(r) <= delta
    loss = np.mean(np.where(small, 0.5 * r**2, delta * (np.abs(r) - 0.5 * delta)))
    g = np.where(small, r, delta * np.sign(r)) / len(r)
    return loss, X.T @ g, g.sum()


# ---- triplets of embeddings


def triplets():
    net = Network("triplets")
    N, D, K = net.sizes("N D K")
    W, A, P, M, margin = net.parameter("W", D, K), net.input("A", N, D), net.input("P", N, D), net.input("M", N, D), \
        net.input("margin", note="positive")
    n, k = net.indices(n=N, k=K)
    a, p, m = net.define("a", A @ W), net.define("p", P @ W), net.define("m", M @ W)
    gap = net.define("gap", Sum((a[n, k] - p[n, k]) ** 2 - (a[n, k] - m[n, k]) ** 2, k) + margin, over=n)
    net.loss = mean(relu(gap))
    return net


def triplet_loss(W, A, P, M, margin):
    a, p, m = A @ W, P @ W, M @ W
    gap = ((a - p) ** 2).sum(1) - ((a - m) ** 2).sum(1) + margin
    on = (gap > 0)[:, None] / len(A)
    da = 2 * (m - p) * on
    dp = -2 * (a - p) * on
    dm = 2 * (a - m) * on
    return np.maximum(gap, 0).mean(), A.T @ da + P.T @ dp + M.T @ dm


# ---- contrastive pairs, both ways


def pairs():
    net = Network("pairs")
    N, D, F, K = net.sizes("N D F K")
    V, W, X, Y = net.parameter("V", D, K), net.parameter("W", F, K), net.input("X", N, D), net.input("Y", N, F)
    tau = net.input("tau", note="positive")
    n, m, k = net.indices(n=N, m=N, k=K)
    P, Q = net.define("P", X @ V), net.define("Q", Y @ W)
    S = net.define("S", Sum(P[n, k] * Q[m, k], k) / tau, over=(n, m))
    net.loss = Sum(log(Sum(exp(S[n, m]), m)) - S[n, n], n) / (2 * N) \
        + Sum(log(Sum(exp(S[n, m]), n)) - S[m, m], m) / (2 * N)
    return net


def contrastive(V, W, X, Y, tau):
    N = len(X)
    P, Q = X @ V, Y @ W
    S = P @ Q.T / tau
    rows = np.exp(S - S.max(1, keepdims=True))
    rows /= rows.sum(1, keepdims=True)
    cols = np.exp(S - S.max(0, keepdims=True))
    cols /= cols.sum(0, keepdims=True)
    loss = -(np.log(np.diag(rows)).mean() + np.log(np.diag(cols)).mean()) / 2
    dS = (rows + cols - 2 * np.eye(N)) / (2 * N)
    dP, dQ = dS @ Q / tau, dS.T @ P / tau
    return loss, {"V": X.T @ dP, "W": Y.T @ dQ}


# ---- a language model with tied embeddings, softmax of E h


def tied_words():
    net = Network("tied_words")
    N, V, D = net.sizes("N V D")
    E, W = net.parameter("E", V, D), net.parameter("W", D, D)
    x, y = net.labels("x", N, classes=V), net.labels("y", N, classes=V)
    n, v, d, k = net.indices(n=N, v=V, d=D, k=D)
    h = net.define("h", tanh(Sum(E[x[n], d] * W[d, k], d)), over=(n, k))
    s = net.define("s", Sum(h[n, k] * E[v, k], k), over=(n, v))
    net.loss = Sum(log(Sum(exp(s[n, v]), v)) - s[n, y[n]], n) / N
    return net


def tied_language_model(E, W, x, y):
    N, V = len(x), len(E)
    e = E[x]
    h = np.tanh(e @ W)
    s = h @ E.T
    p = np.exp(s - s.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    loss = -np.log(p[range(N), y]).mean()
    ds = (p - np.eye(V)[y]) / N
    dE = ds.T @ h
    dpre = (ds @ E) * (1 - h * h)
    dW = e.T @ dpre
    np.add.at(dE, x, dpre @ W.T)
    return loss, (dE, dW)


# ---- a student of soft targets at a temperature


def distilled():
    net = Network("distilled")
    N, D, C = net.sizes("N D C")
    W, X = net.parameter("W", D, C), net.input("X", N, D)
    Q, tau = net.input("Q", N, C), net.input("tau", note="positive")
    n, c = net.indices(n=N, c=C)
    Z = net.define("Z", X @ W / tau)
    P = net.define("P", softmax(Q / tau))
    net.loss = tau**2 * Sum(P[n, c] * (log(Sum(exp(Z[n, c]), c)) - Z[n, c]), n, c) / N
    return net


def student(W, X, Q, tau):
    def soft(a):
        a = np.exp(a - a.max(1, keepdims=True))
        return a / a.sum(1, keepdims=True)

    p, q = soft(X @ W / tau), soft(Q / tau)
    loss = -tau**2 * np.sum(q * np.log(p)) / len(X)
    dZ = tau**2 * (p - q) / len(X)
    return loss, {"dW": X.T @ dZ / tau}


# ---- a perceptron kept in an object between calls


def kept():
    net = Network("kept")
    N, D, H = net.sizes("N D H")
    W, v, X, y = net.parameter("W", D, H), net.parameter("v", H), net.input("X", N, D), net.input("y", N)
    net.loss = mean((tanh(X @ W) @ v - y) ** 2)
    return net


MEMORY: dict = {}


def perceptron(W, v, X, y):
    MEMORY["H"] = np.tanh(X @ W)
    H = MEMORY["H"]
    r = H @ v - y
    dr = 2 * r / len(y)
    dW = X.T @ (np.outer(dr, v) * (1 - H**2))
    dv = H.T @ dr
    return np.mean(r**2), {"W": dW, "v": dv}


def perceptron_float32(W, v, X, y):
    W, v, X, y = (np.asarray(a, np.float32) for a in (W, v, X, y))
    loss, g = perceptron(W, v, X, y)
    return loss, {n: np.asarray(a, np.float32) for n, a in g.items()}


RIGHT = [
    (causal, causal_attention), (normalised_rows, layernorm_loops), (gated, gated_layer),
    (gated_recurrence, gated_through_time), (bound, bound_gradient), (sparse, sparse_autoencoder), (focal, focal_loss),
    (robust, huber_regression), (triplets, triplet_loss), (pairs, contrastive), (tied_words, tied_language_model),
    (distilled, student), (kept, perceptron), (kept, perceptron_float32),
]
WRONG = [
    (causal, causal_attention, [("ds = a * (da - (da * a).sum(-1, keepdims=True))", "ds = a * (1 - a) * da")],
     "diagonal"),
    (causal, causal_attention, [("dx = dout.copy()", "dx = np.zeros_like(dout)")], "dout.* missing"),
    (causal, causal_attention, [("ds, 0) / np.sqrt(E)", "ds, 0)")], "sqrt.* missing|E"),
    (causal, causal_attention, [("(da * a).sum(-1, keepdims=True)", "(da * a).sum(-2, keepdims=True)")], "axis|dS"),
    (causal, causal_attention, [("dk = ds.swapaxes(-1, -2) @ q", "dk = ds @ q")], "transposed|exchanged"),
    (causal, causal_attention, [("((dq, Wq), (dk, Wk), (dv, Wv)):", "((dq, Wq), (dv, Wv)):")], "missing"),
    (causal, causal_attention, [("dv = a.swapaxes(-1, -2) @ do", "dv = a @ do")], "transposed|exchanged"),
    (normalised_rows, layernorm_loops, [("        dnorm_norm_mean /= C\n", "")], "C times|1/C"),
    (normalised_rows, layernorm_loops, [("sum((inp[b] - mean_b) ** 2) / C", "sum((inp[b] - mean_b) ** 2) / (C - 1)")],
     "loss.*C - 1"),
    (normalised_rows, layernorm_loops, [("dinp[b, i] += (dnorm - dnorm_mean - norm * dnorm_norm_mean) * rstd",
                                         "dinp[b, i] += (dnorm - dnorm_mean - norm * dnorm_norm_mean)")],
     "rstd|factor"),
    (normalised_rows, layernorm_loops, [("dweight[i] += norm", "dweight[i] = norm")], "only the last|overwritten"),
    (gated, gated_layer, [("(sigma(a) + silu * (1 - sigma(a)))", "sigma(a) * (1 - sigma(a))")], "da|sigmoid"),
    (gated, gated_layer, [(" / D) / rms + dout", ") / rms + dout")], "D times|1/D"),
    (gated, gated_layer, [("dg = (dy * xn).sum(0)", "dg = (dy * x).sum(0)")], "dg"),
    (gated, gated_layer, [("dxn = dy * g", "dxn = dy")], "g.*missing"),
    (gated, gated_layer, [("da @ W.T + db @ V.T", "da @ W.T")], "missing"),
    (gated_recurrence, gated_through_time, [("range(T - 1, -1, -1)", "range(T - 1, 0, -1)")], "first t|left out|first"),
    (gated_recurrence, gated_through_time, [("ds * (before - h)", "ds * (h - before)")], "sign"),
    (gated_recurrence, gated_through_time, [("carry = ds * z + ", "carry = ")], "missing"),
    (gated_recurrence, gated_through_time, [("Uz.T @ dz + Ur.T @ dr", "Uz @ dz + Ur.T @ dr")], "Uz is transposed"),
    (bound, bound_gradient, [("dz * e * std * 0.5", "dz * e * std")], "2 times|factor|taken to be 2 e"),
    (bound, bound_gradient, [("dm = dz + m / N", "dm = dz + m")], "N times|1/N"),
    (bound, bound_gradient, [("dz * e * std * 0.5 + ", "")], "missing"),
    (bound, bound_gradient, [("(1 - t**2)", "(1 - z**2)")], r"1 - z|z is read where tanh_z should be"),
    (sparse, sparse_autoencoder, [("W2.T @ delta3 + sparsity[:, None]", "W2.T @ delta3 + sparsity[:, None] / m")], "N"),
    (sparse, sparse_autoencoder, [("-rho / rho_hat + (1", "rho / rho_hat + (1")], "sign"),
    (sparse, sparse_autoencoder, [("W2.T @ delta3 + sparsity[:, None]", "W2.T @ delta3")],
     "missing|beta is taken to be 0"),
    (focal, focal_loss, [("+ 2 * (1 - p) * np.log(p)", "- 2 * (1 - p) * np.log(p)")], "sign"),
    (focal, focal_loss, [(" + 2 * (1 - p) * np.log(p)", "")], "missing"),
    (robust, huber_regression, [("delta * np.sign(r)", "np.sign(r)")], "delta"),
    (robust, huber_regression, [("np.where(small, r, delta * np.sign(r))", "r")], "dw|squared|Piecewise"),
    (triplets, triplet_loss, [("dm = 2 * (a - m)", "dm = 2 * (m - a)")], "sign"),
    (triplets, triplet_loss, [("on = (gap > 0)[:, None]", "on = np.ones((len(A), 1))")], "mask.*missing|gap > 0"),
    (triplets, triplet_loss, [("da = 2 * (m - p) * on", "da = 2 * (a - p) * on")], "missing|sign|dW"),
    (triplets, triplet_loss, [("A.T @ da + P.T @ dp + M.T @ dm", "A.T @ da")], "missing|only the term"),
    (pairs, contrastive, [("dS.T @ P / tau", "dS.T @ P")], "tau"),
    (pairs, contrastive, [("dS.T @ P", "dS @ P")], "transposed"),
    (pairs, contrastive, [("2 * np.eye(N)", "np.eye(N)")], "factor|2|1/2"),
    (tied_words, tied_language_model, [("    np.add.at(dE, x, dpre @ W.T)\n", "")], "missing"),
    (tied_words, tied_language_model, [("np.add.at(dE, x, dpre @ W.T)", "dE[x] = dpre @ W.T")], "overwritten|dE"),
    (tied_words, tied_language_model, [("dE = ds.T @ h\n", "dE = np.zeros_like(E)\n")], "missing"),
    (distilled, student, [("X.T @ dZ / tau", "X.T @ dZ")], "tau"),
    (distilled, student, [("dZ = tau**2 * (p - q)", "dZ = (p - q)")], "tau"),
    (kept, perceptron, [("    MEMORY[\"H\"] = np.tanh(X @ W)\n", "    MEMORY.setdefault(X.shape, np.tanh(X @ W))\n"
                         "    MEMORY[\"H\"] = MEMORY[X.shape]\n")], "call"),
    (kept, perceptron, [("return np.mean(r**2), {", "MEMORY[W.shape] = dW = 0.9 * MEMORY.get(W.shape, 0) + dW\n"
                         "    return np.mean(r**2), {")], "call"),
    (kept, perceptron, [("return np.mean(r**2), {\"W\": dW,", "dW, dv = dW / max(1, np.linalg.norm(dW)), dv / max(1, "
                         "np.linalg.norm(dv))\n    return np.mean(r**2), {\"W\": dW,")], "clip|norm"),
    (kept, perceptron, [("np.outer(dr, v) * (1 - H**2)", "np.outer(dr, v * 0) * (1 - H**2)")], "zero"),
    (kept, perceptron, [("return np.mean(r**2)", "X -= X.mean(axis=0)\n    return np.mean(r**2)")], "writes into"),
    (sparse, sparse_autoencoder, [("sparsity[:, None]) * a2 * (1 - a2)", "sparsity[:, None] * a2) * (1 - a2)")],
     r"divided by a|brackets|factor a is missing"),
    (pairs, contrastive, [("(rows + cols - 2 * np.eye(N))", "(2 * rows - 2 * np.eye(N))")], "one of the two is cols"),
    (gated_recurrence, gated_through_time, [("np.outer(dh, r * before)", "np.outer(dh, r * after)")],
     "after is read where before should be"),
]
UNKNOWN: list = []        # every edit is named
