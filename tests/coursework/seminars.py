"""Backprop as in seminars: normalisations, attention, recurrences."""

import numpy as np

from tests.coursework.editing import shipped


def sigma(z):
    return 1 / (1 + np.exp(-z))


# ---- batch normalisation in one line, inside a classifier


def one_line_normalised(W1, gamma, beta, W2, b2, X, y, running_m, running_v, momentum, epsilon):
    N = X.shape[0]
    Z = X @ W1
    mu, var = Z.mean(axis=0), Z.var(axis=0)
    inv = 1.0 / np.sqrt(var + epsilon)
    xhat = (Z - mu) * inv
    out = gamma * xhat + beta
    A = np.maximum(out, 0)
    scores = A @ W2 + b2
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).mean()
    p[np.arange(N), y] -= 1
    dscores = p / N
    dout = (dscores @ W2.T) * (out > 0)
    dgamma, dbeta = (dout * xhat).sum(axis=0), dout.sum(axis=0)
    dZ = gamma * inv / N * (N * dout - dbeta - xhat * dgamma)
    return loss, X.T @ dZ, dgamma, dbeta, A.T @ dscores, dscores.sum(axis=0)


# ---- layer normalisation in single precision


def single_precision(W1, b1, gamma, beta, W2, b2, X, T, epsilon):
    W1, b1, gamma, beta, W2, b2, X, T = (np.asarray(a, dtype=np.float32) for a in (W1, b1, gamma, beta, W2, b2, X, T))
    Z = X @ W1 + b1
    R = Z - Z.mean(axis=-1, keepdims=True)
    rstd = 1 / np.sqrt((R * R).mean(axis=-1, keepdims=True) + np.float32(epsilon))
    U = R * rstd
    B = U * gamma + beta
    A = B * (B > 0)
    E = A @ W2 + b2 - T
    dY = E / np.float32(E.size)
    dA = dY @ W2.T
    dB = dA * (B > 0)
    dgamma, dbeta = np.einsum("nh,nh->h", dB, U), np.einsum("nh->h", dB)
    dU = dB * gamma
    dZ = rstd * (dU - dU.mean(axis=-1, keepdims=True) - U * (dU * U).mean(axis=-1, keepdims=True))
    return 0.5 * np.mean(E * E), (X.T @ dZ, dZ.sum(axis=0), dgamma, dbeta, A.T @ dY, dY.sum(axis=0))


# ---- causal attention, one sequence after the other


def causal_by_example(Wq, Wk, Wv, X, Y):
    N, T, D = X.shape
    E = Wq.shape[1]
    future = np.triu(np.ones((T, T), dtype=bool), 1)
    dWq, dWk, dWv, loss = np.zeros(Wq.shape), np.zeros(Wk.shape), np.zeros(Wv.shape), 0.0
    for x, target in zip(X, Y, strict=True):
        q, k, v = x @ Wq, x @ Wk, x @ Wv
        scores = q @ k.T / np.sqrt(E)
        scores[future] = -1e9
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        diff = p @ v - target
        loss += 0.5 * np.sum(diff**2) / Y.size
        do = diff / (N * T * E)
        dv = p.T @ do
        dp = do @ v.T
        ds = p * (dp - np.sum(dp * p, axis=1, keepdims=True)) / np.sqrt(E)
        dq = ds @ k
        dk = ds.T @ q
        dWq += x.T @ dq
        dWk += x.T @ dk
        dWv += x.T @ dv
    return loss, {"Wq": dWq, "Wk": dWk, "Wv": dWv}


# ---- attention of several heads in Einstein's notation


def heads_by_einsum(Wq, Wk, Wv, Wo, X, Y):
    E, T = Wq.shape[2], X.shape[1]
    Q, K, V = (np.einsum("ntd,dhe->nthe", X, W) for W in (Wq, Wk, Wv))
    S = np.einsum("nthe,nshe->nhts", Q, K) / np.sqrt(E) + np.where(np.tri(T), 0, -np.inf)
    A = np.exp(S - S.max(-1, keepdims=True))
    A = A / A.sum(-1, keepdims=True)
    O = np.einsum("nhts,nshe->nthe", A, V)
    diff = np.einsum("nthe,hed->ntd", O, Wo) - Y
    dZ = diff / diff.size
    dWo = np.einsum("nthe,ntd->hed", O, dZ)
    dO = np.einsum("ntd,hed->nthe", dZ, Wo)
    dA = np.einsum("nthe,nshe->nhts", dO, V)
    dV = np.einsum("nhts,nthe->nshe", A, dO)
    dS = A * (dA - np.einsum("nhts,nhts->nht", dA, A)[..., None])
    dQ = np.einsum("nhts,nshe->nthe", dS, K) / np.sqrt(E)
    dK = np.einsum("nhts,nthe->nshe", dS, Q) / np.sqrt(E)
    dWq, dWk, dWv = (np.einsum("ntd,nthe->dhe", X, G) for G in (dQ, dK, dV))
    return 0.5 * np.mean(diff**2), (dWq, dWk, dWv, dWo)


# ---- a character model's loops; the state before the first step at index -1, the last of T + 1 rows


def unrolled(W, U, b, V, c, x, y, h0):
    T, N, K = len(x), x.shape[1], len(b)
    h, p = np.zeros((T + 1, N, K)), {}
    h[-1] = h0
    loss = 0
    for t in range(T):
        h[t] = np.tanh(x[t] @ W + h[t - 1] @ U + b)
        s = np.exp(h[t] @ V + c)
        p[t] = s / s.sum(axis=1, keepdims=True)
        loss += -np.log(p[t][range(N), y[t]]).sum()
    dW, dU, db, dV, dc = (np.zeros(a.shape) for a in (W, U, b, V, c))
    dhnext = np.zeros((N, K))
    for t in reversed(range(T)):
        ds = p[t].copy()
        ds[range(N), y[t]] -= 1
        dV += h[t].T @ ds
        dc += ds.sum(axis=0)
        dh = ds @ V.T + dhnext
        dhraw = (1 - h[t] * h[t]) * dh
        db += dhraw.sum(axis=0)
        dW += x[t].T @ dhraw
        dU += h[t - 1].T @ dhraw
        dhnext = dhraw @ U.T
    return loss / (T * N), [g / (T * N) for g in (dW, dU, db, dV, dc)]


# ---- long short-term memory, its gates side by side


def four_gates(W, U, b, x, Y, h0, c0):
    T, N, D = x.shape
    K = len(U)
    Wx, Wh, bias = W.reshape(D, -1), U.reshape(K, -1), b.reshape(-1)
    h, c, loss, steps = h0, c0, 0.0, []
    for t in range(T):
        a = x[t] @ Wx + h @ Wh + bias
        i, f, g, o = sigma(a[:, :K]), sigma(a[:, K:2 * K]), np.tanh(a[:, 2 * K:3 * K]), sigma(a[:, 3 * K:])
        c_next = f * c + i * g
        steps.append((h, c, i, f, g, o, np.tanh(c_next)))
        h, c = o * steps[-1][-1], c_next
        loss += 0.5 * np.sum((h - Y[t])**2) / Y.size
    dWx, dWh, db = np.zeros(Wx.shape), np.zeros(Wh.shape), np.zeros(bias.shape)
    dh_next, dc_next = np.zeros(h0.shape), np.zeros(c0.shape)
    for t in range(T - 1, -1, -1):
        h_prev, c_prev, i, f, g, o, tanh_c = steps[t]
        dh = (o * tanh_c - Y[t]) / Y.size + dh_next
        dc = dh * o * (1 - tanh_c**2) + dc_next
        di, df, dg, do = dc * g, dc * c_prev, dc * i, dh * tanh_c
        da = np.concatenate([di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)], axis=1)
        dWx += x[t].T @ da
        dWh += h_prev.T @ da
        db += da.sum(axis=0)
        dh_next = da @ Wh.T
        dc_next = dc * f
    return loss, (dWx.reshape(W.shape), dWh.reshape(U.shape), db.reshape(b.shape))


# ---- gated recurrent units, a class that keeps its steps


def gated_steps(Wr, Ur, br, Wz, Uz, bz, W, U, b, x, Y, h0):
    class Cell:
        def __init__(self):
            self.steps, self.grads = [], {}

        def add(self, name, grad):
            self.grads[name] = self.grads.get(name, 0) + grad

        def forward(self, x, h):
            r = sigma(x @ Wr + h @ Ur + br)
            z = sigma(x @ Wz + h @ Uz + bz)
            c = np.tanh(x @ W + (r * h) @ U + b)
            self.steps.append((x, h, r, z, c))
            return z * h + (1 - z) * c

        def backward(self, dh):
            x, h, r, z, c = self.steps.pop()
            dac = dh * (1 - z) * (1 - c * c)
            daz = dh * (h - c) * z * (1 - z)
            drh = dac @ U.T
            dar = drh * h * r * (1 - r)
            self.add("U", (r * h).T @ dac)
            for name, d in (("W", dac), ("Wz", daz), ("Wr", dar)):
                self.add(name, x.T @ d)
            for name, d in (("Uz", daz), ("Ur", dar)):
                self.add(name, h.T @ d)
            for name, d in (("b", dac), ("bz", daz), ("br", dar)):
                self.add(name, d.sum(axis=0))
            return dh * z + drh * r + daz @ Uz.T + dar @ Ur.T

    cell, h, errors = Cell(), h0, []
    for t in range(len(x)):
        h = cell.forward(x[t], h)
        errors.append((h - Y[t]) / Y.size)
    dh = 0
    for t in reversed(range(len(x))):
        dh = cell.backward(dh + errors[t])
    return 0.5 * sum(np.sum(e**2) for e in errors) * Y.size, cell.grads


# ---- words in, a label out


def last_state_decides(E, W, U, b, V, c, w, y):
    T, N = w.shape
    states = [np.zeros((N, len(b)))]
    for t in range(T):
        states.append(np.tanh(E[w[t]] @ W + states[-1] @ U + b))
    logits = states[-1] @ V + c
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.mean(np.log(p[np.arange(N), y]))
    p[np.arange(N), y] -= 1
    d = p / N
    grads = {"V": states[-1].T @ d, "c": d.sum(axis=0), "E": np.zeros(E.shape), "W": 0, "U": 0, "b": 0}
    dh = d @ V.T
    for t in range(T - 1, -1, -1):
        da = dh * (1 - states[t + 1]**2)
        grads["W"] += E[w[t]].T @ da
        grads["U"] += states[t].T @ da
        grads["b"] += da.sum(axis=0)
        np.add.at(grads["E"], w[t], da @ W.T)
        dh = da @ U.T
    return loss, grads


batch_norm, layer_norm, attention = shipped("batch_norm"), shipped("layer_norm"), shipped("attention")
multi_head_attention, elman_rnn, lstm = shipped("multi_head_attention"), shipped("elman_rnn"), shipped("lstm")
gru, sequence_to_label = shipped("gru"), shipped("sequence_to_label")

RIGHT = [
    (batch_norm, one_line_normalised), (layer_norm, single_precision),
    (attention, causal_by_example), (multi_head_attention, heads_by_einsum), (elman_rnn, unrolled), (lstm, four_gates),
    (gru, gated_steps), (sequence_to_label, last_state_decides),
]
WRONG = [           # network, function, edits, what a good diagnosis says
    (batch_norm, one_line_normalised, [("Z.var(axis=0)", "Z.var(axis=0) * N / max(N - 1, 1)")], "loss.*N - 1"),
    (batch_norm, one_line_normalised, [("xhat = (Z - mu)", "xhat = (Z - running_m)")], "loss.*running_m"),
    (batch_norm, one_line_normalised, [("- xhat * dgamma)", "- dgamma)")], "U.*missing|missing.*U|dR|dv|dU"),
    (batch_norm, one_line_normalised, [("N * dout - dbeta", "dout - dbeta")], "1/N|N times|dR"),
    (batch_norm, one_line_normalised, [("gamma * inv / N *", "inv / N *")], "gamma.*missing|missing.*gamma"),
    (batch_norm, one_line_normalised, [("- xhat * dgamma)", "- out * dgamma)")], "B is read where U|dZ"),
    (batch_norm, one_line_normalised, [("gamma * inv / N * (N * dout - dbeta - xhat * dgamma)", "gamma * inv * dout")],
     "constants.*missing"),
    (batch_norm, one_line_normalised, [("1.0 / np.sqrt(var + epsilon)", "1.0 / (np.sqrt(var) + epsilon)")],
     "loss.*epsilon"),
    (layer_norm, single_precision, [("dU.mean(axis=-1, keepdims=True)", "dU.mean(axis=0, keepdims=True)")],
     "axis|over|mean"),
    (layer_norm, single_precision, [("dU = dB * gamma", "dU = dB")], "gamma.*missing|missing.*gamma"),
    (layer_norm, single_precision, [("dB = dA * (B > 0)", "dB = dA * (U > 0)")], "R is read where A"),
    (layer_norm, single_precision, [("U * (dU * U).mean", "R * (dU * U).mean")], "R is read|dv"),
    (layer_norm, single_precision, [('np.einsum("nh->h", dB)', 'np.einsum("nh->h", dA)')], "dbeta.*(mask|dA)"),
    (layer_norm, single_precision, [("(R * R).mean(axis=-1, keepdims=True)", "R.std(axis=-1, keepdims=True)")],
     "root is taken twice"),
    (attention, causal_by_example, [("dp * p, axis=1", "dp * p, axis=0")], "axis|over"),
    (attention, causal_by_example, [("keepdims=True)) / np.sqrt(E)", "keepdims=True))")],
     "sqrt.*missing|missing.*sqrt"),
    (attention, causal_by_example, [("np.sum(dp * p, axis=1", "np.sum(dp, axis=1")], "A.*missing|missing.*A|factor"),
    (attention, causal_by_example, [("dk = ds.T @ q", "dk = ds.T @ k")], "dK.*K is read|K is read"),
    (attention, causal_by_example, [("x.T @ dk", "x.T @ dq")],
     "dWk is the derived gradient of Wq|dWk: dQ is read where dK should be"),
    (attention, causal_by_example, [("dtype=bool), 1)", "dtype=bool), 2)")], "loss.*(s|mask)"),
    (attention, causal_by_example, [("diff / (N * T * E)", "diff / N")], "T|E"),
    (attention, causal_by_example, [("dWv += x.T @ dv", "dWv = x.T @ dv")], "dWv.*(last|overwritten)"),
    (multi_head_attention, heads_by_einsum, [("S, K) / np.sqrt(E)", "S, K) * np.sqrt(E)")], "dQ.*(E|divi|sqrt)"),
    (multi_head_attention, heads_by_einsum, [('dV = np.einsum("nhts,nthe->nshe"', 'dV = np.einsum("nhst,nthe->nshe"')],
     "dV.*(transposed|exchanged)"),
    (multi_head_attention, heads_by_einsum, [("Q, K) / np.sqrt(E)", "Q, K) / np.sqrt(E * Q.shape[2])")], r"sqrt\(H\)"),
    (multi_head_attention, heads_by_einsum, [("    return 0.5 * np.mean(diff**2)", "    dWq[:, 1:] = 0\n"
        "    return 0.5 * np.mean(diff**2)")], r"first h|`dWq\[:, 1:\] = 0` (should|does not belong)"),
    (elman_rnn, unrolled, [("dh = ds @ V.T + dhnext", "dh = ds @ V.T")], "missing|later"),
    (elman_rnn, unrolled, [("h[t - 1].T @ dhraw", "h[t].T @ dhraw")], r"dU.*(step|h\[t)"),
    (elman_rnn, unrolled, [("for g in (dW, dU, db, dV, dc)]", "for g in (np.clip(d, -0.05, 0.05) for d in "
                            "(dW, dU, db, dV, dc))]")], "clip"),
    (elman_rnn, unrolled, [("[g / (T * N) for g", "[g / N for g")], "1/T|T times"),
    (elman_rnn, unrolled, [("1 - h[t] * h[t])", "1 - h[t - 1] * h[t - 1])")], "step|h"),
    (elman_rnn, unrolled, [("for t in reversed(range(T))", "for t in reversed(range(1, T))")], "first t|left out"),
    (elman_rnn, unrolled, [("np.zeros((T + 1, N, K))", "np.zeros((T, N, K))")], "wraps|-1|last|first"),
    (elman_rnn, unrolled, [("dhnext = dhraw @ U.T", "dhnext = dhnext + dhraw @ U.T")], "added up|accumul|carried"),
    (lstm, four_gates, [("(1 - tanh_c**2) + dc_next", "(1 - tanh_c**2)")], "dc.*missing|missing|later"),
    (lstm, four_gates, [("dc_next = dc * f", "dc_next = dc")], "f.*missing|missing.*f"),
    (lstm, four_gates, [("dc * g, dc * c_prev, dc * i", "dc * g, dc * (f * c_prev + i * g), dc * i")], "df.*(step|c)"),
    (lstm, four_gates, [("df * f * (1 - f)", "df")], "slope|missing|f"),
    (lstm, four_gates, [("dh_next = da @ Wh.T", "dh_next = da[:, :K] @ Wh[:, :K].T")], "dh.*(only|first|missing)"),
    (lstm, four_gates, [("dh * o * (1 - tanh_c**2)", "dh * o")], r"slope|missing|1 - "),
    (gru, gated_steps, [("return dh * z + drh * r", "return drh * r")], "missing"),
    (gru, gated_steps, [("drh * r + daz", "drh + daz")], "r.*missing|missing.*r"),
    (gru, gated_steps, [("dh * (h - c) * z", "dh * (c - h) * z")], "sign"),
    (gru, gated_steps, [("dac = dh * (1 - z)", "dac = dh * z")], "1 - z|z"),
    (gru, gated_steps, [("(r * h).T @ dac", "h.T @ dac")], "dU.*r"),
    (gru, gated_steps, [("dh + errors[t]", "errors[t]")], "only the term|nothing is carried"),
    (sequence_to_label, last_state_decides, [
        ('np.add.at(grads["E"], w[t], da @ W.T)', 'grads["E"][w[t]] += da @ W.T')],
     "dE.*overwritten"),
    (sequence_to_label, last_state_decides, [("dh = da @ U.T", "dh = da @ U.T + d @ V.T")], "added|step|d@V|dh|twice"),
    (sequence_to_label, last_state_decides, [("dh = da @ U.T", "dh = da @ U")], "U is transposed|transposed"),
    (sequence_to_label, last_state_decides, [("da = dh * (1 - states[t + 1]**2)", "da = dh * (1 - states[t]**2)")],
     "step|h"),
    (multi_head_attention, heads_by_einsum, [
        ('dWo = np.einsum("nthe,ntd->hed", O, dZ)',
         'dWo = np.einsum("nthe,ntd->hed", O.swapaxes(1, 2).reshape(O.shape), dZ)')],
     "swapaxes.* (does not belong|should be)"),
    (elman_rnn, unrolled, [("dhnext = dhraw @ U.T", "dhnext = dh @ U.T")], "dh is read where (dhraw|dpre_h) should be"),
    (lstm, four_gates, [("dg * (1 - g**2)", "dg * (1 - g)**2")], r"\(1 - g\)\^2|brackets"),
    (lstm, four_gates, [("x[t].T @ da", "x[t - 1].T @ da")], r"`x\[t - 1\]` should be `x\[t\]`"),
    (gru, gated_steps, [("drh * h * r * (1 - r)", "drh * c * r * (1 - r)")], "`c` should be `h`"),
]
UNKNOWN: list = []        # every edit is named
