"""Backprop as in projects: regressions, factorisations, embeddings, mixtures, flows, tags, policies."""

import numpy as np
from sympy import Sum, exp, log, tanh

from derive import Network, log_softmax, mean, relu, total
from tests.coursework.editing import shipped


def sigma(z):
    return 1 / (1 + np.exp(-z))


def log_sum_exp(a, axis=None):
    top = a.max(axis=axis, keepdims=True)
    return (top + np.log(np.exp(a - top).sum(axis=axis, keepdims=True))).squeeze(axis)


# ---- regressions


def logistic_loops(w, b, X, y):
    m, n = X.shape
    J, db, dw = 0.0, 0.0, np.zeros(n)
    for i in range(m):
        z = b + sum(w[j] * X[i, j] for j in range(n))
        a = 1 / (1 + np.exp(-z))
        J -= y[i] * np.log(a) + (1 - y[i]) * np.log(1 - a)
        dz = a - y[i]
        for k in range(n):
            dw[k] += X[i, k] * dz
        db += dz
    return J / m, {"dw": dw / m, "db": db / m}


def poisson():
    net = Network("poisson")
    N, D = net.sizes("N D")
    w, b, alpha = net.parameter("w", D), net.parameter("b"), net.input("alpha")
    X, y = net.input("X", N, D), net.input("y", N)
    eta = net.define("eta", X @ w + b)
    net.loss = mean(exp(eta) - y * eta) + alpha / 2 * total(w**2)
    return net


def poisson_closures(w, b, X, y, alpha):
    def linear(w, b):
        return X.dot(w) + b

    def objective(w, b):
        return np.mean(np.exp(linear(w, b)) - y * linear(w, b)) + 0.5 * alpha * np.sum(w**2)

    def gradient(w, b):
        rate = np.exp(linear(w, b))
        return X.T.dot(rate - y) / len(y) + alpha * w, np.mean(rate - y)

    return objective(w, b), gradient(w, b)


def vector_machine():
    net = Network("vector_machine")
    N, D = net.sizes("N D")
    w, b, C = net.parameter("w", D), net.parameter("b"), net.input("C")
    X, t = net.input("X", N, D), net.input("t", N, note="-1 or 1")
    net.loss = total(w**2) / 2 + C * total(relu(1 - t * (X @ w + b)))
    return net


def subgradient(w, b, X, t, C):
    loss, dw, db = 0.5 * np.dot(w, w), 1.0 * w, 0.0
    for row, sign in zip(X, t, strict=True):
        margin = 1 - sign * (np.dot(row, w) + b)
        loss += C * max(0, margin)
        if margin > 0:
            dw -= C * sign * row
            db -= C * sign
    return loss, dw, db


def augmented_ridge(w, b, X, y, alpha):
    A, theta = np.c_[X, np.ones(len(X))], np.append(w, b)
    penalty = alpha * np.eye(len(theta))
    penalty[-1, -1] = 0
    residual = A @ theta - y
    grad = A.T @ A @ theta - A.T @ y + penalty @ theta
    return (residual @ residual + theta @ penalty @ theta) / 2, grad[:-1], grad[-1]


# ---- ratings, one after the other


def ratings_one_by_one(P, b, Q, c, mu, who, what, r, penalty):
    dP, db, dQ, dc = 2 * penalty * P, 2 * penalty * b, 2 * penalty * Q, 2 * penalty * c
    dmu, loss = 0.0, penalty * sum(np.sum(a**2) for a in (P, b, Q, c))
    for user, item, rating in zip(who, what, r, strict=True):
        e = rating - (mu + b[user] + c[item] + np.dot(P[user], Q[item]))
        loss += e * e
        dmu -= 2 * e
        db[user] -= 2 * e
        dc[item] -= 2 * e
        dP[user] -= 2 * e * Q[item]
        dQ[item] -= 2 * e * P[user]
    return loss, (dP, db, dQ, dc, dmu)


# ---- words and words drawn at random, one pair at a time


def word_pairs(E, F, w, c, r):
    dE, dF, loss = np.zeros(E.shape), np.zeros(F.shape), 0.0
    for n in range(len(w)):
        centre = E[w[n]]
        score = sigma(F[c[n]] @ centre)
        loss -= np.log(score)
        g = (score - 1) * F[c[n]]
        dF[c[n]] += (score - 1) * centre
        for k in r[n]:
            s = sigma(-F[k] @ centre)
            loss -= np.log(s)
            g += (1 - s) * F[k]
            dF[k] += (1 - s) * centre
        dE[w[n]] += g
    return loss / len(w), dE / len(w), dF / len(w)


# ---- a restricted Boltzmann machine, its negative particles given


def boltzmann():
    net = Network("boltzmann")
    N, M, V, H = net.sizes("N M V H")
    W, a, c = net.parameter("W", V, H), net.parameter("a", V), net.parameter("c", H)
    v, u = net.input("v", N, V), net.input("u", M, V)
    n, m, i, j = net.indices(n=N, m=M, i=V, j=H)
    p = net.define("p", v @ W + c)
    q = net.define("q", u @ W + c)
    data = Sum(Sum(v[n, i] * a[i], i) + Sum(log(1 + exp(p[n, j])), j), n) / N
    net.loss = (Sum(Sum(u[m, i] * a[i], i) + Sum(log(1 + exp(q[m, j])), j), m) / M) - data
    return net


def contrastive_divergence(W, a, c, v, u):
    def free_energy(x):
        return -x @ a - np.log1p(np.exp(x @ W + c)).sum(axis=1)

    ph, qh = sigma(v @ W + c), sigma(u @ W + c)
    dW = u.T @ qh / len(u) - v.T @ ph / len(v)
    da = u.mean(axis=0) - v.mean(axis=0)
    dc = qh.mean(axis=0) - ph.mean(axis=0)
    return free_energy(v).mean() - free_energy(u).mean(), (dW, da, dc)


# ---- a variational autoencoder


def autoencoding(W1, b1, W2, b2, W3, b3, W4, b4, W5, b5, X, noise):
    n = X.shape[0]
    h = np.tanh(X @ W1 + b1)
    mu, logvar = h @ W2 + b2, h @ W3 + b3
    std = np.exp(0.5 * logvar)
    z = mu + std * noise
    p = np.tanh(z @ W4 + b4)
    logits = p @ W5 + b5
    recon = np.sum(np.logaddexp(0, logits) - X * logits)
    kl = -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar))
    dlogits = (sigma(logits) - X) / n
    dp = (dlogits @ W5.T) * (1 - p**2)
    dz = dp @ W4.T
    dmu = dz + mu / n
    dlogvar = dz * noise * 0.5 * std + 0.5 * (np.exp(logvar) - 1) / n
    dh = (dmu @ W2.T + dlogvar @ W3.T) * (1 - h**2)
    pairs = [(X, dh), (h, dmu), (h, dlogvar), (z, dp), (p, dlogits)]
    return (recon + kl) / n, [g for x, d in pairs for g in (x.T @ d, d.sum(0))]


# ---- a mixture of Gaussians by its responsibilities


def responsibilities(a, mu, s, X):
    N, D = X.shape
    pi, var = np.exp(a - a.max()) / np.exp(a - a.max()).sum(), np.exp(2 * s)
    diff = X[:, None, :] - mu[None]
    joint = np.log(pi) - 0.5 * np.sum(diff**2 / var + np.log(2 * np.pi * var), axis=2)
    top = joint.max(axis=1, keepdims=True)
    evidence = top[:, 0] + np.log(np.exp(joint - top).sum(axis=1))
    gamma = np.exp(joint - evidence[:, None])
    da = pi - gamma.mean(axis=0)
    dmu = -np.einsum("nk,nkd->kd", gamma, diff / var) / N
    ds = np.einsum("nk,nkd->kd", gamma, 1 - diff**2 / var) / N
    return -evidence.mean(), {"a": da, "mu": dmu, "s": ds}


# ---- nodes of a graph


def graph_layers(W1, W2, X, A, y, known):
    tilde = A + np.eye(len(A))
    root = 1 / np.sqrt(1 + A.sum(axis=1))
    S = root[:, None] * tilde * root[None, :]
    SX = S @ X
    H = np.maximum(SX @ W1, 0)
    SH = S @ H
    Z = SH @ W2
    log_p = Z - log_sum_exp(Z, axis=1)[:, None]
    dZ = np.exp(log_p)
    dZ[np.arange(len(y)), y] -= 1
    dZ *= known[:, None]
    dH = S.T @ (dZ @ W2.T)
    dH[H <= 0] = 0
    return -np.sum(known * log_p[np.arange(len(y)), y]), [SX.T @ dH, SH.T @ dZ]


# ---- a flow: half of the variables scaled and shifted by the other half


def coupling():
    net = Network("coupling")
    N, D = net.sizes("N D")
    U, c, V = net.parameter("U", D, D), net.parameter("c", D), net.parameter("V", D, D)
    x1, x2 = net.input("x1", N, D), net.input("x2", N, D)
    s = net.define("s", tanh(x1 @ U + c))
    z = net.define("z", x2 * exp(s) + x1 @ V)
    net.loss = (total(z**2) / 2 - total(s)) / N
    return net


def affine_coupling(U, c, V, x1, x2):
    n = len(x1)
    s = np.tanh(np.dot(x1, U) + c)
    scale = np.exp(s)
    z = x2 * scale + np.dot(x1, V)
    loss = np.sum(0.5 * z**2 - s) / n
    dz = z / n
    ds = dz * x2 * scale - np.ones_like(s) / n
    dpre = ds * (1 - s**2)
    return loss, {"dU": np.dot(x1.T, dpre), "dc": dpre.sum(axis=0), "dV": np.dot(x1.T, dz)}


# ---- tags of a sentence: marginals by a pass each way


def tags():
    net = Network("tags")
    T, D, K = net.sizes("T D K")
    M = net.size("M", T + 1)
    W, A, s = net.parameter("W", D, K), net.parameter("A", K, K), net.parameter("s", K)
    x, y = net.input("x", T, D), net.labels("y", M, classes=K)
    t, k, j, d = net.indices(t=T, k=K, j=K, d=D)
    e = net.define("e", Sum(x[t, d] * W[d, k], d), over=(t, k))
    alpha = net.state("alpha", T, K, initial=s)
    net.define(alpha, e[t, k] + log(Sum(exp(alpha[t - 1, j] + A[j, k]), j)), over=(t, k))
    score = s[y[0]] + Sum(A[y[t], y[t + 1]] + e[t, y[t + 1]], t)
    net.loss = log(Sum(exp(alpha[T - 1, k]), k)) - score
    return net


def forward_backward(W, A, s, x, y):
    T, K = len(x), len(s)
    e, alpha, beta = x @ W, np.zeros((T + 1, K)), np.zeros((T + 1, K))
    alpha[0] = s
    for t in range(T):
        alpha[t + 1] = e[t] + log_sum_exp(alpha[t][:, None] + A, axis=0)
    for t in range(T - 1, -1, -1):
        beta[t] = log_sum_exp(A + e[t] + beta[t + 1], axis=1)
    log_z, dA = log_sum_exp(alpha[T], axis=0), np.zeros((K, K))
    score = s[y[0]]
    for t in range(T):
        score += A[y[t], y[t + 1]] + e[t, y[t + 1]]
        dA += np.exp(alpha[t][:, None] + A + e[t] + beta[t + 1] - log_z)
        dA[y[t], y[t + 1]] -= 1
    marginals = np.exp(alpha + beta - log_z)
    marginals[np.arange(T + 1), y] -= 1
    return log_z - score, x.T @ marginals[1:], dA, marginals[0]


# ---- a policy, with a bonus for entropy


def policy():
    net = Network("policy")
    N, D, C = net.sizes("N D C")
    W, b = net.parameter("W", D, C), net.parameter("b", C)
    X, action, advantage = net.input("X", N, D), net.labels("action", N, classes=C), net.input("advantage", N)
    bonus = net.input("bonus")
    n, c = net.indices(n=N, c=C)
    L = net.define("L", log_softmax(net.define("Z", X @ W + b)))
    H = net.define("H", -Sum(exp(L[n, c]) * L[n, c], c), over=n)
    net.loss = -Sum(advantage[n] * L[n, action[n]] + bonus * H[n], n) / N
    return net


def policy_gradient(W, b, X, action, advantage, bonus):
    N, logits = len(X), X @ W + b
    log_p = logits - log_sum_exp(logits, axis=1)[:, None]
    p = np.exp(log_p)
    entropy = -(p * log_p).sum(axis=1)
    taken = np.zeros_like(p)
    taken[np.arange(N), action] = 1
    d = advantage[:, None] * (p - taken) + bonus * p * (log_p + entropy[:, None])
    loss = -np.mean(advantage * log_p[np.arange(N), action] + bonus * entropy)
    return loss, X.T @ d / N, d.mean(axis=0)


logistic_regression, ridge_regression = shipped("logistic_regression"), shipped("ridge_regression")
matrix_factorisation, skip_gram, vae = shipped("matrix_factorisation"), shipped("skip_gram"), shipped("vae")
gaussian_mixture, graph_convolution = shipped("gaussian_mixture"), shipped("graph_convolution")

RIGHT = [
    (logistic_regression, logistic_loops), (poisson, poisson_closures), (vector_machine, subgradient),
    (ridge_regression, augmented_ridge), (matrix_factorisation, ratings_one_by_one), (skip_gram, word_pairs),

     (boltzmann, contrastive_divergence), (vae, autoencoding), (gaussian_mixture, responsibilities),
    (graph_convolution, graph_layers), (coupling, affine_coupling), (tags, forward_backward), (policy, policy_gradient),
]
WRONG = [           # network, function, edits, what a good diagnosis says
    (logistic_regression, logistic_loops, [("for k in range(n)", "for k in range(1, n)")],
     r"first d is left out|should be `range\(0, n\)`"),
    (logistic_regression, logistic_loops, [("dz = a - y[i]", "dz = a * (1 - a) * (a - y[i])")],
     "squared error|once more|sigmoid"),
    (logistic_regression, logistic_loops, [("dz = a - y[i]", "dz = (a > 0.5) - y[i]")],
     "relu stands where softplus|`a > 0.5` should be `a`"),
    (logistic_regression, logistic_loops, [('"dw": dw / m', '"dw": dw // m')], "whole numbers"),
    (logistic_regression, logistic_loops, [("        db += dz", "    db += dz")], "db.*(last|only)"),
    (poisson, poisson_closures, [("rate = np.exp(linear(w, b))", "rate = linear(w, b)")], "exp|eta"),
    (poisson, poisson_closures, [("+ alpha * w, ", "+ 2 * alpha * w, ")], "alpha.*doubled"),
    (poisson, poisson_closures, [("+ alpha * w, ", "+ alpha / len(y) * w, ")], "N"),
    (poisson, poisson_closures, [("np.mean(rate - y)\n", "np.mean(rate - y) + alpha * b\n")], "db.*regulariser"),
    (vector_machine, subgradient, [("if margin > 0", "if margin > 1")], r"mask|\[|> 1|> 0"),
    (vector_machine, subgradient, [("dw -= C * sign * row", "dw = w - C * sign * row")], "dw.*only the last n"),
    (vector_machine, subgradient, [("db -= C * sign", "db -= sign")], "db.*C"),
    (vector_machine, subgradient, [("1.0 * w, 0.0", "0.0 * w, 0.0")], "dw.*(missing|regulariser)"),
    (vector_machine, subgradient, [("            dw -= C * sign * row", "            dw += w - C * sign * row")],
     "dw.*(regulariser|w)"),
    (ridge_regression, augmented_ridge, [("penalty[-1, -1] = 0", "penalty[0, 0] = 0")], "loss"),
    (ridge_regression, augmented_ridge, [("grad[:-1], grad[-1]", "grad[1:], grad[0]")], "one vector"),
    (ridge_regression, augmented_ridge, [("- A.T @ y", "+ A.T @ y")], "sign"),
    (ridge_regression, augmented_ridge, [("A.T @ A @ theta", "A.T @ A * theta")], "shape"),
    (ridge_regression, augmented_ridge, [("penalty @ theta\n", "0.5 * penalty @ theta\n")], "dw.*(2|half)"),
    (matrix_factorisation, ratings_one_by_one, [("2 * e * Q[item]", "2 * (e * Q[item] - penalty * P[user])")],
     "dP.*(regulariser|penalty)"),
    (matrix_factorisation, ratings_one_by_one, [("dP[user] -= 2", "dP[user] = -2")], "dP.*(overwritten|last)"),
    (matrix_factorisation, ratings_one_by_one, [("dmu -= 2 * e", "dmu = -2 * e")], "dmu.*(overwritten|last)"),
    (matrix_factorisation, ratings_one_by_one, [("2 * penalty * b", "penalty * b")], "db.*(2|half|regulariser)"),
    (skip_gram, word_pairs, [("for k in r[n]", "for k in set(r[n])")], "loss"),
    (skip_gram, word_pairs, [("g += (1 - s)", "g -= (1 - s)")], "sign"),
    (skip_gram, word_pairs, [("dE[w[n]] += g", "dF[w[n]] += g")], "dE.*(zero|missing|no)"),
    (skip_gram, word_pairs, [("dF / len(w)", "dF")], "dF.*(1/N is missing|N times)"),
    (boltzmann, contrastive_divergence, [("dW = u.T @ qh / len(u) - v.T @ ph / len(v)",
                                          "dW = v.T @ ph / len(v) - u.T @ qh / len(u)")], "dW.*sign"),
    (boltzmann, contrastive_divergence, [("qh / len(u)", "qh / len(v)")], "1/[NM]|N|M"),
    (boltzmann, contrastive_divergence, [("(dW, da, dc)", "(dW, dc, da)")], "order"),
    (boltzmann, contrastive_divergence, [(" - v.T @ ph / len(v)", "")], "dW.*missing"),
    (boltzmann, contrastive_divergence, [("sigma(u @ W + c)", "sigma(u @ W)")], "(dq|dW|dc).*c"),
    (vae, autoencoding, [("dmu = dz + mu / n", "dmu = dz")], "dmu.*missing"),
    (vae, autoencoding, [("(np.exp(logvar) - 1) / n", "(1 - np.exp(logvar)) / n")], r"sign|\+ where - should be"),
    (vae, autoencoding, [("noise * 0.5 * std", "noise * 0.5")], "sigma.*missing|missing.*sigma|dv|dsigma"),
    (vae, autoencoding, [("dmu @ W2.T + dlogvar @ W3.T", "dmu @ W2.T")], "dQ.*missing|missing"),
    (vae, autoencoding, [("0.5 * (np.exp(logvar) - 1)", "0.5 * (std - 1)")], "dv|dsigma|sigma"),
    (vae, autoencoding, [("(sigma(logits) - X) / n", "(sigma(logits) - X) / X.size")], "1/D|D times"),
    (gaussian_mixture, responsibilities, [("da = pi - gamma", "da = -gamma")], "da.*missing"),
    (gaussian_mixture, responsibilities, [("diff / var)", "diff)")], "dmu.*(missing|exp|s)"),
    (gaussian_mixture, responsibilities, [("1 - diff**2 / var", "-(diff**2) / var")], "ds.*missing"),
    (gaussian_mixture, responsibilities, [("1 - diff**2 / var", "1 - diff**2 / np.sqrt(var)")], "ds.*root of exp_s"),
    (graph_convolution, graph_layers, [("dH = S.T @ (dZ @ W2.T)", "dH = dZ @ W2.T")], "S.*missing|missing.*S|dA1"),
    (graph_convolution, graph_layers, [("    dZ *= known[:, None]\n", "")], "known.*missing|missing.*known|mask"),
    (graph_convolution, graph_layers, [("SH.T @ dZ]", "H.T @ dZ]")], "A1 is read where sum_Z"),
    (coupling, affine_coupling, [(" - np.ones_like(s) / n", "")], "ds.*missing"),
    (coupling, affine_coupling, [("np.ones_like(s) / n", "np.ones_like(s)")], "1/N|N times"),
    (coupling, affine_coupling, [("dz * x2 * scale", "dz * z")], "ds.*z|z is"),
    (coupling, affine_coupling, [("ds * (1 - s**2)", "ds * (1 - scale**2)")], r"1 - |exp|slope"),
    (tags, forward_backward, [("dA[y[t], y[t + 1]] -= 1", "dA[y[t + 1], y[t]] -= 1")], "dA.*(transposed|exchanged)"),
    (policy, policy_gradient, [("bonus * p * (log_p + entropy[:, None])", "bonus * p * (log_p + 1)")],
     "H|entropy|missing|dL|dZ"),
    (policy, policy_gradient, [(" + bonus * p * (log_p + entropy[:, None])", "")], "missing"),
    (policy, policy_gradient, [("+ bonus * p * (log_p", "- bonus * p * (log_p")], "sign"),
    (policy, policy_gradient, [("d.mean(axis=0)", "d.sum(axis=0)")], "db.*(1/N is missing|N times)"),
    (poisson, poisson_closures, [("X.T.dot(rate - y)", "X.T.dot((rate - y) / rate)")],
     "division by rate does not belong|divided by exp_eta"),
    (matrix_factorisation, ratings_one_by_one, [("2 * e * P[user]", "2 * e * Q[item]")], r"should be `P\[user\]`"),
    (matrix_factorisation, ratings_one_by_one, [("2 * e * P[user]", "2 * e * (P[user] - 0.01 * dP[user])")],
     "does not belong there"),
    (skip_gram, word_pairs, [("dF[k] += (1 - s)", "dF[k] = (1 - s)")], "overwritten"),
    (skip_gram, word_pairs, [("(score - 1) * centre", "score * centre")],
     r"sigmoid\(s\[n\]\) stands where ds|1 is missing"),
    (boltzmann, contrastive_divergence, [("dc = qh.mean(axis=0)", "dc = (qh > 0.5).mean(axis=0)")],
     r"\[q\[m, j\] > 0\] stands where dq|comparison"),
    (gaussian_mixture, responsibilities, [("gamma = np.exp(joint - evidence[:, None])", "gamma = np.exp(joint)")],
     "evidence.* is missing"),
    (tags, forward_backward, [("beta[t] = log_sum_exp(A + e[t] + beta", "beta[t] = log_sum_exp(A + beta")],
     r"the term e\[t\] is missing|alpha is read where lse_alpha"),
    (tags, forward_backward, [("beta[t + 1], axis=1)", "beta[t + 1], axis=0)")], "over axis 1, not over axis 0"),
]
UNKNOWN = [               # caught, and where it shows is told, not what it is
    (tags, forward_backward, [("np.exp(alpha + beta - log_z)", "np.exp(alpha - log_sum_exp(alpha, axis=1)[:, None])")],
     "ds"),
    (policy, policy_gradient, [("advantage[:, None] * (p - taken)", "advantage[:, None] * taken * (p - 1)")], "dW"),
]
