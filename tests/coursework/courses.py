"""Backprop as in courses: columns of examples, caches in tuples and dictionaries, captions, images as columns."""

import numpy as np
from sympy import Max, Sum, exp, log, sqrt, tanh

from derive import Network, cross_entropy, mean, padded, relu, total


def sigma(z):
    return 1.0 / (1.0 + np.exp(-z))


# ---- three layers with examples as columns, caches, an L2 penalty and dropout by given masks


def deep_columns():
    net = Network("deep_columns")
    D, H, K, m = net.sizes("D H K m")
    W1, b1, W2, b2, W3, b3 = (net.parameter(n, *s) for n, s in (
        ("W1", (H, D)), ("b1", (H, 1)), ("W2", (K, H)), ("b2", (K, 1)), ("W3", (1, K)), ("b3", (1, 1))))
    X, Y = net.input("X", D, m), net.input("Y", 1, m, note="0 or 1")
    D1 = net.input("D1", H, m, note="1 where a unit is kept, else 0")
    keep, lambd = net.input("keep_prob", note="probability"), net.input("lambd")
    d, h, k, i = net.indices(d=D, h=H, k=K, i=m)
    A1 = net.define("A1", relu(Sum(W1[h, d] * X[d, i], d) + b1[h, 0]) * D1[h, i] / keep, over=(h, i))
    A2 = net.define("A2", relu(Sum(W2[k, h] * A1[h, i], h) + b2[k, 0]), over=(k, i))
    Z3 = net.define("Z3", Sum(W3[0, k] * A2[k, i], k) + b3[0, 0], over=i)
    net.loss = Sum(log(1 + exp(Z3[i])) - Y[0, i] * Z3[i], i) / m \
        + lambd / (2 * m) * (total(W1**2) + total(W2**2) + total(W3**2))
    return net


def deep_columns_model(W1, b1, W2, b2, W3, b3, X, Y, D1, keep_prob, lambd):
    def linear_backward(dZ, cache):
        A_prev, W = cache
        m = A_prev.shape[1]
        dW = 1. / m * np.dot(dZ, A_prev.T) + lambd / m * W
        db = 1. / m * np.sum(dZ, axis=1, keepdims=True)
        dA_prev = np.dot(W.T, dZ)
        return dA_prev, dW, db

    def relu_backward(dA, Z):
        dZ = np.array(dA, copy=True)
        dZ[Z <= 0] = 0
        return dZ

    Z1 = np.dot(W1, X) + b1
    A1 = np.maximum(0, Z1)
    A1 = A1 * D1
    A1 /= keep_prob
    Z2 = np.dot(W2, A1) + b2
    A2 = np.maximum(0, Z2)
    Z3 = np.dot(W3, A2) + b3
    A3 = sigma(Z3)
    cost = -np.mean(Y * np.log(A3) + (1 - Y) * np.log(1 - A3))
    cost += lambd / (2 * X.shape[1]) * sum(np.sum(np.square(W)) for W in (W1, W2, W3))
    grads = {}
    dAL = -(np.divide(Y, A3) - np.divide(1 - Y, 1 - A3))
    dZ3 = dAL * A3 * (1 - A3)
    dA2, grads["dW3"], grads["db3"] = linear_backward(dZ3, (A2, W3))
    dA1, grads["dW2"], grads["db2"] = linear_backward(relu_backward(dA2, Z2), (A1, W2))
    dA1 = dA1 * D1
    dA1 /= keep_prob
    _, grads["dW1"], grads["db1"] = linear_backward(relu_backward(dA1, Z1), (X, W1))
    return cost, grads


# ---- softmax regression with a penalty, one-hot by comparison, theta as columns


def penalised_softmax():
    net = Network("penalised_softmax")
    N, D, K = net.sizes("N D K")
    theta, X = net.parameter("theta", D, K), net.input("X", N, D)
    y, lam = net.labels("y", N, classes=K), net.input("lam")
    net.loss = mean(cross_entropy(X @ theta, y)) + lam / 2 * total(theta**2)
    return net


def penalised_softmax_gradient(theta, X, y, lam):
    scores = X @ theta
    scores -= scores.max(axis=1)[:, np.newaxis]
    P = np.exp(scores)
    P /= P.sum(axis=1)[:, np.newaxis]
    indicator = (y[:, None] == np.arange(theta.shape[1])[None, :])
    J = -np.mean(np.sum(indicator * np.log(P), axis=1)) + lam / 2 * np.sum(theta * theta)
    grad = -1.0 / len(X) * X.T @ (indicator - P) + lam * theta
    return J, grad


# ---- the hinge loss, loops over examples and classes


def hinge_loops_network():
    net = Network("hinge_loops")
    N, D, C = net.sizes("N D C")
    W, X, y, reg = net.parameter("W", D, C), net.input("X", N, D), net.labels("y", N, classes=C), net.input("reg")
    n, c = net.indices(n=N, c=C)
    S = net.define("S", X @ W)
    margin = net.define("margin", S[n, c] - S[n, y[n]] + 1, over=(n, c))
    net.loss = (Sum(relu(margin[n, c]), n, c) - N) / N + reg * total(W**2)
    return net


def hinge_loops(W, X, y, reg):
    dW, loss = np.zeros(W.shape), 0.0
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        correct = scores[y[i]]
        for j in range(W.shape[1]):
            if j == y[i]:
                continue
            margin = scores[j] - correct + 1
            if margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    loss = loss / X.shape[0] + reg * np.sum(W * W)
    dW = dW / X.shape[0] + 2 * reg * W
    return loss, dW


# ---- captions: features start a recurrence, words are embedded, padding words do not count


def captions():
    net = Network("captions")
    N, T, F, E, H, V = net.sizes("N T F E H V")
    Wp, bp, We = net.parameter("W_proj", F, H), net.parameter("b_proj", H), net.parameter("W_embed", V, E)
    Wx, Wh, b = net.parameter("Wx", E, H), net.parameter("Wh", H, H), net.parameter("b", H)
    Wv, bv = net.parameter("W_vocab", H, V), net.parameter("b_vocab", V)
    features, words = net.input("features", N, F), net.labels("words", N, T, classes=V)
    target, mask = net.labels("target", N, T, classes=V), net.input("mask", N, T, note="1 or else 0")
    n, t, e, j, k, v, f = net.indices(n=N, t=T, e=E, j=H, k=H, v=V, f=F)
    start = net.define("start", Sum(features[n, f] * Wp[f, k], f) + bp[k], over=(n, k))
    x = net.define("x", We[words[n, t], e], over=(n, t, e))
    h = net.state("h", T, N, H, initial=start)
    net.define(h, tanh(Sum(x[n, t, e] * Wx[e, k], e) + Sum(h[t - 1, n, j] * Wh[j, k], j) + b[k]), over=(t, n, k))
    s = net.define("s", Sum(h[t, n, k] * Wv[k, v], k) + bv[v], over=(n, t, v))
    net.loss = Sum(mask[n, t] * (log(Sum(exp(s[n, t, v]), v)) - s[n, t, target[n, t]]), n, t) / N
    return net


def caption_loss(W_proj, b_proj, W_embed, Wx, Wh, b, W_vocab, b_vocab, features, words, target, mask):
    (N, T), H = words.shape, Wh.shape[0]
    h0 = features @ W_proj + b_proj
    x = W_embed[words]
    h, prev = np.zeros((N, T, H)), h0
    for t in range(T):
        prev = np.tanh(x[:, t] @ Wx + prev @ Wh + b)
        h[:, t] = prev
    flat = (h.reshape(N * T, H) @ W_vocab + b_vocab)
    probs = np.exp(flat - flat.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    weights = mask.reshape(N * T)
    loss = -np.sum(weights * np.log(probs[np.arange(N * T), target.reshape(N * T)])) / N
    dflat = probs.copy()
    dflat[np.arange(N * T), target.reshape(N * T)] -= 1
    dflat /= N
    dflat *= weights[:, None]
    grads = {"W_vocab": h.reshape(N * T, H).T @ dflat, "b_vocab": dflat.sum(axis=0)}
    dh = (dflat @ W_vocab.T).reshape(N, T, H)
    dx, dWx, dWh, db = np.zeros_like(x), np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    dprev = np.zeros((N, H))
    for t in range(T - 1, -1, -1):
        da = (dh[:, t] + dprev) * (1 - h[:, t] ** 2)
        before = h[:, t - 1] if t > 0 else h0
        dWx += x[:, t].T @ da
        dWh += before.T @ da
        db += da.sum(axis=0)
        dx[:, t] = da @ Wx.T
        dprev = da @ Wh.T
    grads["Wx"], grads["Wh"], grads["b"] = dWx, dWh, db
    grads["W_proj"], grads["b_proj"] = features.T @ dprev, dprev.sum(axis=0)
    grads["W_embed"] = np.zeros_like(W_embed)
    np.add.at(grads["W_embed"], words, dx)
    return loss, grads


# ---- a convolution by columns, dilated and strided


def dilated():
    net = Network("dilated")
    N, C, H, W, F, K, S, L = net.sizes("N C H W F K S L")
    P = net.size("P", least=0)
    A, B = (net.size(n, (s + 2 * P - L * (K - 1) - 1) // S + 1) for n, s in (("A", H), ("B", W)))
    x, w, b, dout = net.parameter("x", N, C, H, W), net.parameter("w", F, C, K, K), net.parameter("b", F), \
        net.input("dout", N, F, A, B)
    n, f, c, i, j, p, q = net.indices(n=N, f=F, c=C, i=A, j=B, p=K, q=K)
    tap = padded(x)[n, c, S * i + L * p - P, S * j + L * q - P]
    Y = net.define("Y", Sum(tap * w[f, c, p, q], c, p, q) + b[f], over=(n, f, i, j))
    net.loss = total(dout * Y)
    return net


def columns_of_images(x, w, b, dout, S, L, P):
    N, C, H, W = x.shape
    F, _, K, _ = w.shape
    A, B = dout.shape[2:]
    padded_x = np.pad(x, ((0, 0), (0, 0), (P, P), (P, P)))
    col = np.zeros((N, C, K, K, A, B))
    for p in range(K):
        for q in range(K):
            col[:, :, p, q] = padded_x[:, :, p * L:p * L + S * A:S, q * L:q * L + S * B:S]
    col = col.transpose(0, 4, 5, 1, 2, 3).reshape(N * A * B, -1)
    out = (col @ w.reshape(F, -1).T + b).reshape(N, A, B, F).transpose(0, 3, 1, 2)
    loss = np.sum(out * dout)
    d = dout.transpose(0, 2, 3, 1).reshape(-1, F)
    db = d.sum(axis=0)
    dw = (col.T @ d).transpose(1, 0).reshape(F, C, K, K)
    dcol = (d @ w.reshape(F, -1)).reshape(N, A, B, C, K, K).transpose(0, 3, 4, 5, 1, 2)
    dx = np.zeros_like(padded_x)
    for p in range(K):
        for q in range(K):
            dx[:, :, p * L:p * L + S * A:S, q * L:q * L + S * B:S] += dcol[:, :, p, q]
    return loss, dx[:, :, P:P + H, P:P + W], dw, db


# ---- group normalisation of images


def grouped():
    net = Network("grouped")
    N, G, M, H, W = net.sizes("N G M H W")
    C = net.size("C", G * M)
    x, gamma, beta = net.parameter("x", N, C, H, W), net.parameter("gamma", C), net.parameter("beta", C)
    dout = net.input("dout", N, C, H, W)
    n, g, m, h, w = net.indices(n=N, g=G, m=M, h=H, w=W)
    mu = net.define("mu", Sum(x[n, g * M + m, h, w], m, h, w) / (M * H * W), over=(n, g))
    v = net.define("v", Sum((x[n, g * M + m, h, w] - mu[n, g]) ** 2, m, h, w) / (M * H * W), over=(n, g))
    u = net.define("u", (x[n, g * M + m, h, w] - mu[n, g]) / sqrt(v[n, g] + 1e-3), over=(n, g, m, h, w))
    y = net.define("y", gamma[g * M + m] * u[n, g, m, h, w] + beta[g * M + m], over=(n, g, m, h, w))
    net.loss = Sum(dout[n, g * M + m, h, w] * y[n, g, m, h, w], n, g, m, h, w)
    return net


def grouped_norm(x, gamma, beta, dout, G):
    N, C, H, W = x.shape
    groups = x.reshape(N, G, -1)
    mu, v = groups.mean(axis=2, keepdims=True), groups.var(axis=2, keepdims=True)
    inv = 1 / np.sqrt(v + 1e-3)
    xhat = ((groups - mu) * inv).reshape(x.shape)
    dbeta, dgamma = dout.sum(axis=(0, 2, 3)), (dout * xhat).sum(axis=(0, 2, 3))
    dxhat = (dout * gamma.reshape(1, C, 1, 1)).reshape(N, G, -1)
    xhat = xhat.reshape(N, G, -1)
    M = groups.shape[2]
    dx = inv / M * (M * dxhat - dxhat.sum(axis=2, keepdims=True) - xhat * (dxhat * xhat).sum(axis=2, keepdims=True))
    return {"x": dx.reshape(x.shape), "gamma": dgamma, "beta": dbeta}


# ---- maxout of two affine maps, naive


def maxout():
    net = Network("maxout")
    N, D, M = net.sizes("N D M")
    U, V, X, dout = net.parameter("U", D, M), net.parameter("V", D, M), net.input("X", N, D), net.input("dout", N, M)
    n, m = net.indices(n=N, m=M)
    P, Q = net.define("P", X @ U), net.define("Q", X @ V)
    net.loss = Sum(dout[n, m] * Max(P[n, m], Q[n, m]), n, m)
    return net


def maxout_of_two(U, V, X, dout):
    P, Q = X @ U, X @ V
    first = P >= Q
    return float(np.sum(dout * np.where(first, P, Q))), (X.T @ (dout * first), X.T @ (dout * ~first))


RIGHT = [
    (deep_columns, deep_columns_model), (penalised_softmax, penalised_softmax_gradient),
    (hinge_loops_network, hinge_loops), (captions, caption_loss), (dilated, columns_of_images), (grouped, grouped_norm),
    (maxout, maxout_of_two),
]
WRONG = [
    (deep_columns, deep_columns_model, [("m = A_prev.shape[1]", "m = A_prev.shape[0]")], "m"),
    (deep_columns, deep_columns_model, [("    dA1 /= keep_prob\n    _", "    _")], "keep_prob"),
    (deep_columns, deep_columns_model, [("    dA1 = dA1 * D1\n", "")], "D1.* missing"),
    (deep_columns, deep_columns_model, [("dZ[Z <= 0] = 0", "dZ[dA <= 0] = 0")], "read where|mask"),
    (deep_columns, deep_columns_model, [("dAL = -(", "dAL = (")], "sign"),
    (deep_columns, deep_columns_model, [("1. / m * np.sum(dZ", "np.sum(dZ")], "1/m is missing|m times"),
    (deep_columns, deep_columns_model, [("+ lambd / m * W", "+ lambd * W")], "lambd"),
    (deep_columns, deep_columns_model, [("np.dot(W.T, dZ)", "np.dot(W.T, dZ) / m")], "m"),
    (deep_columns, deep_columns_model, [(" + lambd / m * W", "")], "lambd.*missing|missing.*lambd|lambd"),
    (deep_columns, deep_columns_model, [("linear_backward(dZ3, (A2, W3))", "linear_backward(dAL, (A2, W3))")],
     "missing|1:"),
    (deep_columns, deep_columns_model, [("relu_backward(dA2, Z2), (A1, W2)", "relu_backward(dA2, Z2), (A1 * keep_prob, "
                                         "W2)")], "dW2.*keep_prob"),
    (penalised_softmax, penalised_softmax_gradient, [("-1.0 / len(X)", "-1.0 / X.shape[1]")], "N|D"),
    (penalised_softmax, penalised_softmax_gradient, [("+ lam * theta", "+ lam / len(X) * theta")], "lam"),
    (penalised_softmax, penalised_softmax_gradient, [("(indicator - P)", "(indicator - P * indicator)")],
     "true class|missing|softmax"),
    (hinge_loops_network, hinge_loops, [("                dW[:, y[i]] -= X[i]\n", "")], "true class is left at 0"),
    (hinge_loops_network, hinge_loops, [("dW / X.shape[0] + 2 * reg * W", "dW / X.shape[0] + reg * W")], "factor 2"),
    (hinge_loops_network, hinge_loops, [("            if margin > 0:\n                loss += margin\n",
                                         "            if True:\n                loss += max(margin, 0)\n")],
     "mask|step|> 0"),
    (hinge_loops_network, hinge_loops, [("dW = dW / X.shape[0] + 2", "dW = dW + 2")], "1/N is missing|N times"),
    (captions, caption_loss, [("before = h[:, t - 1] if t > 0 else h0", "before = h[:, t - 1]")],
     "first|step|previous|Wh"),
    (captions, caption_loss, [("(dh[:, t] + dprev) *", "dh[:, t] *")], "another step.*missing|missing"),
    (captions, caption_loss, [("        dprev = da @ Wh.T\n", "        dprev += da @ Wh.T\n")], "dh|adds"),
    (captions, caption_loss, [("np.add.at(grads[\"W_embed\"], words, dx)", "grads[\"W_embed\"][words] += dx")],
     "overwritten"),
    (captions, caption_loss, [("    dflat *= weights[:, None]\n", "")], "mask.* missing"),
    (captions, caption_loss, [("(1 - h[:, t] ** 2)", "h[:, t] * (1 - h[:, t])")], r"h \(1 - h\)"),
    (dilated, columns_of_images, [("dx[:, :, p * L:p * L + S * A:S, q * L:q * L + S * B:S] +=",
                                   "dx[:, :, p:p + S * A:S, q:q + S * B:S] +=")], "L is ignored"),
    (dilated, columns_of_images, [("dx[:, :, p * L:p * L + S * A:S, q * L:q * L + S * B:S] +=",
                                   "dx[:, :, p * L:p * L + S * A:S, q * L:q * L + S * B:S] =")], "overwritten"),
    (dilated, columns_of_images, [("dx[:, :, P:P + H, P:P + W]", "dx[:, :, P:-P, P:-P]")], r"\[p:-p\]"),
    (dilated, columns_of_images, [("(col.T @ d).transpose(1, 0).reshape(F, C, K, K)",
                                  "(col.T @ d).reshape(F, C, K, K)")],
     "dw"),
    (dilated, columns_of_images, [(".reshape(N, A, B, C, K, K).transpose(0, 3, 4, 5, 1, 2)",
                                   ".reshape(N, A, B, C, K, K).transpose(0, 3, 5, 4, 1, 2)")], "exchanged|axes"),
    (grouped, grouped_norm, [("dxhat.sum(axis=2, keepdims=True) - ", "")], "missing"),
    (grouped, grouped_norm, [("(dout * gamma.reshape(1, C, 1, 1)).reshape", "dout.reshape")], "gamma.*missing"),
    (grouped, grouped_norm, [("(dout * xhat).sum(axis=(0, 2, 3))", "(dout * xhat).sum(axis=(2, 3)).mean(axis=0)")],
     "mean"),
    (maxout, maxout_of_two, [("first = P >= Q", "first = P >= 0")], "dU|loss"),
    (maxout, maxout_of_two, [("(dout * ~first)", "dout")], "mask|missing"),
    (penalised_softmax, penalised_softmax_gradient, [("P.sum(axis=1)[:, np.newaxis]", "P.sum(axis=0)")],
     "over axis 1, not over axis 0"),
    (grouped, grouped_norm, [("(dxhat * xhat).sum(axis=2, keepdims=True)", "(dxhat * xhat)")], "a sum is missing"),
    (captions, caption_loss, [("    dflat /= N\n", "    dflat /= weights.sum()\n")],
     "weights.sum.*is read where N should be"),
]
UNKNOWN = [               # caught, and where it shows is told, not what it is
    (captions, caption_loss, [("features.T @ dprev, dprev.sum(axis=0)", "features.T @ dh[:, 0], dh[:, 0].sum(axis=0)")],
     "dW_proj|start"),
]
