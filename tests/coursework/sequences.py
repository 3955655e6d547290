"""Recurrent networks, an LSTM's step, attention, and embeddings."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def rnn_forward(x, h0, Wx, Wh, b):
    _N, T, _ = x.shape
    h, states = h0, []
    for t in range(T):
        h = np.tanh(x[:, t] @ Wx + h @ Wh + b)
        states.append(h)
    return np.stack(states, axis=1), (x, h0, Wx, Wh, states)


def rnn_backward(dh, cache, future=True, first=True):
    x, h0, Wx, Wh, states = cache
    dx, dWx, dWh, db = np.zeros_like(x), np.zeros_like(Wx), np.zeros_like(Wh), np.zeros(Wx.shape[1])
    dprev = np.zeros_like(h0)
    for t in reversed(range(x.shape[1])):
        da = (dh[:, t] + (dprev if future else 0)) * (1 - states[t] ** 2)
        before = states[t - 1] if t > 0 else h0
        dx[:, t] = da @ Wx.T
        dWx += x[:, t].T @ da
        dWh += before.T @ da
        db += da.sum(axis=0)
        dprev = da @ Wh.T
    return dx, dprev, dWx, dWh, db


def rnn_backward_no_future(dh, cache):
    return rnn_backward(dh, cache, future=False)


def rnn_backward_state_now(dh, cache):
    """dWh from the state of the same step rather than of the one before."""
    x, h0, _Wx, Wh, states = cache
    dx, _, dWx, _, db = rnn_backward(dh, cache)
    dWh, dprev = np.zeros_like(Wh), np.zeros_like(h0)
    for t in reversed(range(x.shape[1])):
        da = (dh[:, t] + dprev) * (1 - states[t] ** 2)
        dWh += states[t].T @ da
        dprev = da @ Wh.T
    return dx, dprev, dWx, dWh, db


def rnn_backward_untransposed(dh, cache):
    """The recurrent weights are square: nothing complains that they are not transposed."""
    x, h0, Wx, Wh, states = cache
    dx, dWx, dWh, db = np.zeros_like(x), np.zeros_like(Wx), np.zeros_like(Wh), np.zeros(Wx.shape[1])
    dprev = np.zeros_like(h0)
    for t in reversed(range(x.shape[1])):
        da = (dh[:, t] + dprev) * (1 - states[t] ** 2)
        dx[:, t] = da @ Wx.T
        dWx += x[:, t].T @ da
        dWh += (states[t - 1] if t > 0 else h0).T @ da
        db += da.sum(axis=0)
        dprev = da @ Wh
    return dx, dprev, dWx, dWh, db


def character_model(Wxh, Whh, Why, bh, by, inputs, targets, h0, clip=5.0):
    """One pass over a sequence, gradients clipped as a matter of course."""
    xs, hs, ps, loss = {}, {-1: h0}, {}, 0.0
    for t in range(len(inputs)):
        xs[t] = np.zeros(Why.shape[0])
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t - 1]) + bh)
        y = np.dot(Why, hs[t]) + by
        ps[t] = np.exp(y) / np.sum(np.exp(y))
        loss += -np.log(ps[t][targets[t]])
    grads = [np.zeros_like(v) for v in (Wxh, Whh, Why, bh, by)]
    dWxh, dWhh, dWhy, dbh, dby = grads
    dhnext = np.zeros_like(h0)
    for t in reversed(range(len(inputs))):
        dy = np.copy(ps[t])
        dy[targets[t]] -= 1
        dWhy += np.outer(dy, hs[t])
        dby += dy
        dh = np.dot(Why.T, dy) + dhnext
        dhraw = (1 - hs[t] * hs[t]) * dh
        dbh += dhraw
        dWxh += np.outer(dhraw, xs[t])
        dWhh += np.outer(dhraw, hs[t - 1])
        dhnext = np.dot(Whh.T, dhraw)
    for g in grads:
        np.clip(g, -clip, clip, out=g)
    return loss, dWxh, dWhh, dWhy, dbh, dby


def character_model_clipped(*arguments):
    return character_model(*arguments, clip=0.5)


def lstm_step(x, h0, c0, Wx, Wh, b, dnext_h, dnext_c, forget="c0", squash=True):
    a = np.einsum("nd,dqk->nqk", x, Wx) + np.einsum("nj,jqk->nqk", h0, Wh) + b
    i, f, o, g = sigmoid(a[:, 0]), sigmoid(a[:, 1]), sigmoid(a[:, 2]), np.tanh(a[:, 3])
    c = f * c0 + i * g
    tc = np.tanh(c)
    h = o * tc
    loss = np.sum(dnext_h * h) + np.sum(dnext_c * c)
    dc = dnext_c + dnext_h * o * (1 - tc**2 if squash else 1)
    df = dc * (c0 if forget == "c0" else c)
    da = np.stack([dc * g * i * (1 - i), df * f * (1 - f), dnext_h * tc * o * (1 - o), dc * i * (1 - g**2)], axis=1)
    grads = {
        "x": np.einsum("nqk,dqk->nd", da, Wx), "h0": np.einsum("nqk,jqk->nj", da, Wh), "c0": dc * f,
        "Wx": np.einsum("nd,nqk->dqk", x, da), "Wh": np.einsum("nj,nqk->jqk", h0, da), "b": da.sum(axis=0)}
    return loss, grads


def lstm_step_wrong_memory(x, h0, c0, Wx, Wh, b, dnext_h, dnext_c):
    return lstm_step(x, h0, c0, Wx, Wh, b, dnext_h, dnext_c, forget="c")


def lstm_step_no_squash(x, h0, c0, Wx, Wh, b, dnext_h, dnext_c):
    return lstm_step(x, h0, c0, Wx, Wh, b, dnext_h, dnext_c, squash=False)


def attention(Wq, Wk, Wv, X, dout, diagonal=False, scale=True):
    Q, K, V = X @ Wq, X @ Wk, X @ Wv
    root = np.sqrt(Wq.shape[1])
    S = Q @ K.T / root
    A = np.exp(S - S.max(axis=1, keepdims=True))
    A /= A.sum(axis=1, keepdims=True)
    dV, dA = A.T @ dout, dout @ V.T
    dS = A * (1 - A) * dA if diagonal else A * (dA - (dA * A).sum(axis=1, keepdims=True))
    dS = dS / root if scale else dS
    return {"Wq": X.T @ (dS @ K), "Wk": X.T @ (dS.T @ Q), "Wv": X.T @ dV}


def attention_diagonal(Wq, Wk, Wv, X, dout):
    return attention(Wq, Wk, Wv, X, dout, diagonal=True)


def attention_unscaled(Wq, Wk, Wv, X, dout):
    return attention(Wq, Wk, Wv, X, dout, scale=False)


def embedding_forward(W, x):
    return W[x], (x, W.shape)


def embedding_backward(dout, cache):
    x, shape = cache
    dW = np.zeros(shape)
    np.add.at(dW, x, dout)
    return dW


def embedding_backward_assigned(dout, cache):
    x, shape = cache
    dW = np.zeros(shape)
    dW[x] += dout                       # words that come twice count once
    return dW
