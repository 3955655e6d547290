"""Backprop as in take-home exams: recursion, index arithmetic, running sums, objects of data, expert by expert."""

from dataclasses import dataclass, field

import numpy as np
from sympy import Piecewise, Sum, exp, log, tanh

from derive import Network, mean, total
from tests.coursework.editing import shipped


def sigma(z):
    return 1 / (1 + np.exp(-z))


# ---- a factorisation machine: pairs of features by the square of the sum


def machine():
    net = Network("machine")
    N, D, K = net.sizes("N D K")
    w0, w, V = net.parameter("w0"), net.parameter("w", D), net.parameter("V", D, K)
    X, y = net.input("X", N, D), net.input("y", N)
    n, d, k = net.indices(n=N, d=D, k=K)
    s = net.define("s", X @ V)
    q = net.define("q", Sum(X[n, d] ** 2 * V[d, k] ** 2, d), over=(n, k))
    f = net.define("f", w0 + Sum(X[n, d] * w[d], d) + Sum(s[n, k] ** 2 - q[n, k], k) / 2, over=n)
    net.loss = mean((f - y) ** 2)
    return net


def pairs_of_features(w0, w, V, X, y):
    g0, gw, gV, loss = 0.0, np.zeros(len(w)), np.zeros(V.shape), 0.0
    for row, target in zip(X, y, strict=True):
        s = row @ V
        guess = w0 + row @ w + 0.5 * (s @ s - row**2 @ (V * V).sum(axis=1))
        err = 2 * (guess - target) / len(y)
        loss += (guess - target)**2 / len(y)
        g0 += err
        gw += err * row
        gV += err * (np.outer(row, s) - V * (row**2)[:, None])
    return loss, g0, gw, gV


# ---- radial basis functions with centres and widths that are learnt


def radial():
    net = Network("radial")
    N, D, K = net.sizes("N D K")
    c, r, v = net.parameter("c", K, D), net.parameter("r", K), net.parameter("v", K)
    X, y = net.input("X", N, D), net.input("y", N)
    n, d, k = net.indices(n=N, d=D, k=K)
    q = net.define("q", Sum((X[n, d] - c[k, d]) ** 2, d), over=(n, k))
    p = net.define("p", exp(-exp(r[k]) * q[n, k]), over=(n, k))
    f = net.define("f", Sum(p[n, k] * v[k], k), over=n)
    net.loss = total((f - y) ** 2) / 2
    return net


def bumps(c, r, v, X, y):
    diff = X[:, None, :] - c[None, :, :]
    dist, beta = np.square(diff).sum(2), np.exp(r)
    phi = np.exp(-beta * dist)
    res = phi.dot(v) - y
    gv = phi.T.dot(res)
    gphi = np.multiply.outer(res, v)
    gr = -(gphi * phi * dist).sum(0) * beta
    gc = 2 * beta[:, None] * np.einsum("nk,nkd->kd", gphi * phi, diff)
    return 0.5 * res.dot(res), dict(c=gc, r=gr, v=gv)


# ---- Euler's steps through time, the same weights at each; recursion instead of a loop


def steps_of_euler():
    net = Network("steps_of_euler")
    T, N, D = net.sizes("T N D")
    A, b = net.parameter("A", D, D), net.parameter("b", D)
    x0, y, step = net.input("x0", N, D), net.input("y", N, D), net.input("step")
    t, n, i, j = net.indices(t=T, n=N, i=D, j=D)
    x = net.state("x", T, N, D, initial=x0)
    net.define(x, x[t - 1, n, j] + step * tanh(Sum(x[t - 1, n, i] * A[i, j], i) + b[j]), over=(t, n, j))
    net.loss = Sum((x[T - 1, n, j] - y[n, j]) ** 2, n, j) / (2 * N)
    return net


def recursive(A, b, x0, y, step, T):
    grads = [np.zeros(A.shape), np.zeros(b.shape)]

    def onwards(x, left):
        if left == 0:
            return np.sum((x - y)**2) / (2 * len(y)), (x - y) / len(y)
        slope = np.tanh(x @ A + b)
        loss, above = onwards(x + step * slope, left - 1)
        inner = step * above * (1 - slope**2)
        grads[0] += x.T @ inner
        grads[1] += inner.sum(axis=0)
        return loss, above + inner @ A.T

    loss, _ = onwards(x0, T)
    return loss, grads


# ---- Cox's partial likelihood, times sorted so that those still at risk come before


def survival():
    net = Network("survival")
    N, D = net.sizes("N D")
    w, X, died = net.parameter("w", D), net.input("X", N, D), net.input("died", N, note="0 or 1")
    n, m = net.indices(n=N, m=N)
    eta = net.define("eta", X @ w)
    risk = net.define("risk", Sum(Piecewise((exp(eta[m]), m <= n), (0, True)), m), over=n)
    net.loss = -Sum(died[n] * (eta[n] - log(risk[n])), n) / N
    return net


def partial_likelihood(w, X, died):
    eta = X @ w
    hazard = np.exp(eta)
    at_risk = np.cumsum(hazard)
    share = died / at_risk
    after = np.cumsum(share[::-1])[::-1]
    loss = -np.mean(died * (eta - np.log(at_risk)))
    return loss, X.T @ (hazard * after - died) / len(died)


# ---- root mean squares, objects of data with fields for gradients


def rms_objects(W1, gamma, W2, X, T, epsilon):
    @dataclass
    class Tensor:
        data: np.ndarray
        grad: np.ndarray = field(init=False)

        def __post_init__(self):
            self.grad = np.zeros(np.shape(self.data))

    w1, g, w2 = Tensor(W1), Tensor(gamma), Tensor(W2)
    z = Tensor(X @ w1.data)
    r = np.sqrt(np.mean(z.data**2, axis=1, keepdims=True) + epsilon)
    u = Tensor(z.data / r)
    s = Tensor(u.data * g.data)
    gate = sigma(s.data)
    a = Tensor(s.data * gate)
    y = Tensor(a.data @ w2.data)
    y.grad += (y.data - T) / T.size
    w2.grad += a.data.T @ y.grad
    a.grad += y.grad @ w2.data.T
    s.grad += a.grad * gate * (1 + s.data * (1 - gate))
    g.grad += (s.grad * u.data).sum(axis=0)
    u.grad += s.grad * g.data
    z.grad += u.grad / r - z.data * np.mean(u.grad * z.data, axis=1, keepdims=True) / r**3
    w1.grad += X.T @ z.grad
    return 0.5 * np.mean((y.data - T)**2), (w1.grad, g.grad, w2.grad)


# ---- a mixture of experts, one expert at a time


def expert_by_expert(Wg, W1, b1, W2, b2, X, T):
    logits = X @ Wg
    gates = np.exp(logits - logits.max(axis=1, keepdims=True))
    gates /= gates.sum(axis=1, keepdims=True)
    hidden = [np.maximum(X @ w + b, 0) for w, b in zip(W1, b1, strict=True)]
    said = [h @ w + b for h, w, b in zip(hidden, W2, b2, strict=True)]
    Y = sum(gates[:, [e]] * said[e] for e in range(len(said)))
    dY = (Y - T) / Y.size
    dgates = np.stack([(dY * f).sum(axis=1) for f in said], axis=1)
    dlogits = gates * (dgates - (dgates * gates).sum(axis=1, keepdims=True))
    grads = {"Wg": X.T @ dlogits, "W1": [], "b1": [], "W2": [], "b2": []}
    for e, h in enumerate(hidden):
        df = dY * gates[:, e:e + 1]
        dh = np.where(h > 0, df @ W2[e].T, 0)
        for name, value in (("W2", h.T @ df), ("b2", df.sum(0)), ("W1", X.T @ dh), ("b1", dh.sum(0))):
            grads[name].append(value)
    return np.mean((Y - T)**2) / 2, {name: np.array(value) for name, value in grads.items()}


# ---- densities of a mixture, a network for its parameters


def densities(W1, b1, Wa, ba, Wm, bm, Ws, bs, X, y):
    N = len(X)
    H = np.tanh(X @ W1 + b1)
    a, m, s = H @ Wa + ba, H @ Wm + bm, H @ Ws + bs
    pi = np.exp(a - a.max(1, keepdims=True))
    pi /= pi.sum(1, keepdims=True)
    sd = np.exp(s)
    phi = pi * np.exp(-0.5 * ((y - m) / sd)**2) / (sd * np.sqrt(2 * np.pi))
    total = phi.sum(1, keepdims=True)
    post = phi / total
    da = (pi - post) / N
    dm = post * (m - y) / sd**2 / N
    ds = post * (1 - (y - m)**2 / sd**2) / N
    dH = da @ Wa.T + dm @ Wm.T + ds @ Ws.T
    dz = dH * (1 - H * H)
    out = [X.T @ dz, dz.sum(0)]
    for d in (da, dm, ds):
        out += [H.T @ d, d.sum(0)]
    return -np.log(total).mean(), out


# ---- average pooling and a convolution over time, by index arithmetic


def pooled(x, Y, K, S):
    A, B = Y.shape[2:]
    y = np.zeros(Y.shape)
    for p in range(K):
        for q in range(K):
            y += x[:, :, p:p + S * (A - 1) + 1:S, q:q + S * (B - 1) + 1:S]
    y /= K * K
    d = (y - Y) / y.size
    dx = np.zeros(x.shape)
    for i in range(A):
        for j in range(B):
            dx[:, :, i * S:i * S + K, j * S:j * S + K] += d[:, :, i, j, None, None] / (K * K)
    return 0.5 * np.mean((y - Y)**2), dx


def taps(x, w, b, Y, S, L, P):
    N, C, U = x.shape
    F, J, K = w.shape
    M, I = Y.shape[2:]
    out, dx, dw, db = np.zeros((N, F, I)), np.zeros(x.shape), np.zeros(w.shape), np.zeros(F)

    def each():
        for f in range(F):
            for i in range(I):
                for j in range(J):
                    for p in range(K):
                        u = S * i + L * p - P
                        if 0 <= u < U:
                            yield f, i, f // M * J + j, j, p, u

    for f, i, c, j, p, u in each():
        out[:, f, i] += w[f, j, p] * x[:, c, u]
    out += b[:, None]
    diff = out - Y.reshape(out.shape)
    d = diff / diff.size
    for f, i, c, j, p, u in each():
        dx[:, c, u] += w[f, j, p] * d[:, f, i]
        dw[f, j, p] += np.dot(x[:, c, u], d[:, f, i])
    return np.mean(diff**2) / 2, (dx, dw, d.sum(axis=(0, 2)))


# ---- both directions, the same function for each


def both_ways(W, U, b, Wr, Ur, br, V, Vr, c, x, y):
    T, N = y.shape

    def run(x, W, U, b):
        states = [np.zeros((N, len(b)))]
        for row in x:
            states.append(np.tanh(row @ W + states[-1] @ U + b))
        return np.array(states)

    def back(x, states, d, W, U, b):
        dW, dU, db, carry = np.zeros(W.shape), np.zeros(U.shape), np.zeros(b.shape), 0
        for t in range(T - 1, -1, -1):
            da = (d[t] + carry) * (1 - states[t + 1]**2)
            dW, dU, db = dW + x[t].T @ da, dU + states[t].T @ da, db + da.sum(axis=0)
            carry = da @ U.T
        return dW, dU, db

    h, g = run(x, W, U, b), run(x[::-1], Wr, Ur, br)
    left, right = h[1:], g[1:][::-1]
    z = left @ V + right @ Vr + c
    p = np.exp(z - z.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    hot = np.eye(len(c))[y]
    loss, d = -np.sum(hot * np.log(p)) / (T * N), (p - hot) / (T * N)
    first, second = back(x, h, d @ V.T, W, U, b), back(x[::-1], g, (d @ Vr.T)[::-1], Wr, Ur, br)
    dV, dVr = np.einsum("tnk,tnc->kc", left, d), np.einsum("tnk,tnc->kc", right, d)
    return loss, (*first, *second, dV, dVr, d.sum(axis=(0, 1)))


rms_norm, mixture_of_experts = shipped("rms_norm"), shipped("mixture_of_experts")
mixture_density_network, bidirectional = shipped("mixture_density_network"), shipped("bidirectional")
average_pooling, convolution_1d = shipped("average_pooling"), shipped("convolution_1d")

RIGHT = [
    (machine, pairs_of_features), (radial, bumps), (steps_of_euler, recursive), (survival, partial_likelihood),
    (rms_norm, rms_objects), (mixture_of_experts, expert_by_expert),
    (mixture_density_network, densities), (average_pooling, pooled), (convolution_1d, taps), (bidirectional, both_ways),
]
WRONG = [           # network, function, edits, what a good diagnosis says
    (machine, pairs_of_features, [(" - V * (row**2)[:, None])", ")")], "dV.*missing"),
    (machine, pairs_of_features, [("V * (row**2)[:, None]", "V * row[:, None]")], "dV.*X"),
    (machine, pairs_of_features, [("err = 2 * (guess - target)", "err = (guess - target)")], "2|half"),
    (machine, pairs_of_features, [("np.outer(row, s)", "0.5 * np.outer(row, s)")], "dV.*(2|half)|ds.*(2|half)"),
    (machine, pairs_of_features, [("gw += err * row", "gw += err")], "dw.*X"),
    (radial, bumps, [("gc = 2 * beta", "gc = -2 * beta")], "dq: the sign is wrong"),
    (radial, bumps, [("dist).sum(0) * beta", "dist).sum(0)")], "dr.*(exp|missing|slope)"),
    (radial, bumps, [("(gphi * phi * dist)", "(gphi * dist)")], "dr.*(p|exp)"),
    (radial, bumps, [("np.multiply.outer(res, v)", "np.multiply.outer(res, np.ones_like(v))")], "dp.*v|v.*missing"),
    (radial, bumps, [("2 * beta[:, None] * np.einsum", "beta[:, None] * np.einsum")], "dc.*(2|half)"),
    (steps_of_euler, recursive, [("return loss, above + inner @ A.T", "return loss, inner @ A.T")],
     "dx.*missing|missing"),
    (steps_of_euler, recursive, [("return loss, above + inner @ A.T", "return loss, above")], "missing"),
    (steps_of_euler, recursive, [("inner = step * above * (1 - slope**2)", "inner = above * (1 - slope**2)")], "step"),
    (steps_of_euler, recursive, [("inner @ A.T", "inner @ A")], "A is transposed|transposed"),
    (steps_of_euler, recursive, [("grads[0] += x.T", "grads[0] += (x + step * slope).T")], "dA.*(step|x)"),
    (survival, partial_likelihood, [("share = died / at_risk", "share = 1 / at_risk")], "died.*missing|missing.*died"),
    (survival, partial_likelihood, [("share = died / at_risk", "share = died / hazard.sum()")], "risk|mask|m <= n|sum"),
    (rms_norm, rms_objects, [(" - z.data * np.mean(u.grad * z.data, axis=1, keepdims=True) / r**3", "")], "missing"),
    (rms_norm, rms_objects, [("keepdims=True) / r**3", "keepdims=True) / r**2")], "r.*(power|missing)|1 / r|dr"),
    (rms_norm, rms_objects, [("np.mean(u.grad * z.data", "np.sum(u.grad * z.data")], "1/H|H times"),
    (rms_norm, rms_objects, [("gate * (1 + s.data * (1 - gate))", "gate * (1 + a.data * (1 - gate))")],
     "dA|A is|silu|slope|pre"),
    (rms_norm, rms_objects, [("u.grad += s.grad * g.data", "u.grad += s.grad")], "gamma.*missing|missing.*gamma"),
    (mixture_of_experts, expert_by_expert, [("dgates - (dgates * gates).sum(axis=1, keepdims=True)", "dgates")],
     "dL.*missing|missing"),
    (mixture_of_experts, expert_by_expert, [("df = dY * gates[:, e:e + 1]", "df = dY")], "G.*missing|missing.*G"),
    (mixture_of_experts, expert_by_expert, [("np.where(h > 0, df @ W2[e].T, 0)", "df @ W2[e].T")], "mask.*missing"),
    (mixture_of_experts, expert_by_expert, [("(dY * f).sum(axis=1)", "(dY * Y).sum(axis=1)")], "Y is read|F"),
    (mixture_density_network, densities, [("da = (pi - post) / N", "da = (post - pi) / N")], "da.*sign"),
    (mixture_density_network, densities, [("(m - y) / sd**2", "(m - y) / sd")], "dm.*(power|exp|missing|factor)"),
    (mixture_density_network, densities, [("post * (1 - (y - m)**2", "post * (-((y - m)**2)")], "ds.*missing"),
    (mixture_density_network, densities, [("post = phi / total", "post = phi / pi / (phi / pi).sum(1, keepdims=True)")],
     "dq|softmax|q|missing"),
    (mixture_density_network, densities, [(" + ds @ Ws.T", "")], "dA.*missing|missing"),
    (average_pooling, pooled, [("None, None] / (K * K)", "None, None] / K")], "K"),
    (average_pooling, pooled, [("j * S + K] += d", "j * S + K] = d")], "overwritten"),
    (average_pooling, pooled, [
        ("None, None] / (K * K)", "None, None] * (x[:, :, i * S:i * S + K, j * S:j * S + K] != 0)")],
     r"1/K|K\*\*2|K\^2"),
    (convolution_1d, taps, [("dx[:, c, u] += w[f, j, p]", "dx[:, c, u] += w[f, j, K - 1 - p]")],
     "w is read backwards along p|`K - 1 - p` should be `p`"),
    (convolution_1d, taps, [("d.sum(axis=(0, 2))", "d.sum(axis=2).mean(axis=0)")], "db.*(mean|1/N)"),
    (bidirectional, both_ways, [('"tnk,tnc->kc", right', '"tnk,tnc->kc", g[1:]')],
     "dVr.*(reversed|order|T - 1|step|flipped|g)"),
    (bidirectional, both_ways, [("g, (d @ Vr.T)[::-1]", "g, (d @ V.T)[::-1]")], "V is read|V.*Vr"),
    (bidirectional, both_ways, [("back(x[::-1], g", "back(x, g")], "dWr.*(reversed|x|step|T - 1|flipped)"),
    (bidirectional, both_ways, [("states[t + 1]**2", "states[t]**2")], "step|h"),
    (survival, partial_likelihood, [("hazard * after - died", "hazard * share - died")], "drisk.*stands where.*sum_"),
    (survival, partial_likelihood, [("np.cumsum(share[::-1])[::-1]", "np.cumsum(share)")],
     "accumulated from the wrong"),
    (mixture_of_experts, expert_by_expert, [("df = dY * gates[:, e:e + 1]", "df = dY * gates[:, :1]")],
     r"should be `gates\[:, e:e \+ 1\]`"),
    (convolution_1d, taps, [("dw[f, j, p] += np.dot(x[:, c, u]", "dw[f, j, p] += np.dot(x[:, j, u]")],
     r"should be `(c|x\[:, c, u\])`"),
    (convolution_1d, taps, [("dw[f, j, p] += ", "dw[f, j, p] = ")], "overwritten"),
    (bidirectional, both_ways, [("(d @ Vr.T)[::-1]", "d @ Vr.T")], "the wrong way round"),
]
UNKNOWN: list = []        # every edit is named
