"""Recurrent networks, in the styles of short scripts, course assignments and books written from scratch."""

from sympy import Sum, tanh

from derive import Network, cross_entropy, mean, sigmoid, total

from .frame import Submission


def char_rnn():
    net = Network("char_rnn")
    T, V, H = net.sizes("T V H")
    Wxh, Whh, Why = net.parameter("Wxh", H, V), net.parameter("Whh", H, H), net.parameter("Why", V, H)
    bh, by = net.parameter("bh", H, 1), net.parameter("by", V, 1)
    inputs, targets = net.labels("inputs", T, classes=V), net.labels("targets", T, classes=V)
    hprev = net.input("hprev", H, 1)
    t, i, j, v = net.indices(t=T, i=H, j=H, v=V)
    h = net.state("h", T, H, initial=hprev[i, 0])
    net.define(h, tanh(Wxh[i, inputs[t]] + Sum(Whh[i, j] * h[t - 1, j], j) + bh[i, 0]), over=(t, i))
    y = net.define("y", Sum(Why[v, i] * h[t, i], i) + by[v, 0], over=(t, v))
    net.loss = total(cross_entropy(y, targets))
    return net


CHAR_RNN = Submission(char_rnn, """
def lossFun(Wxh, Whh, Why, bh, by, inputs, targets, hprev):
    xs, hs, ys, ps = {}, {}, {}, {}
    hs[-1] = np.copy(hprev)
    loss = 0
    for t in range(len(inputs)):
        xs[t] = np.zeros((Wxh.shape[1], 1))
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(Wxh @ xs[t] + Whh @ hs[t-1] + bh)
        ys[t] = Why @ hs[t] + by
        ps[t] = np.exp(ys[t]) / np.sum(np.exp(ys[t]))
        loss += -np.log(ps[t][targets[t], 0])
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    dhnext = np.zeros_like(hs[0])
    for t in reversed(range(len(inputs))):
        dy = np.copy(ps[t])
        dy[targets[t]] -= 1
        dWhy += dy @ hs[t].T
        dby += dy
        dh = Why.T @ dy + dhnext
        dhraw = (1 - hs[t] * hs[t]) * dh
        dbh += dhraw
        dWxh += dhraw @ xs[t].T
        dWhh += dhraw @ hs[t-1].T
        dhnext = Whh.T @ dhraw
    return loss, (dWxh, dWhh, dWhy, dbh, dby)
""", "lossFun")
CHAR_RNN.wrong("Wxh, Whh, bh: nothing comes from the steps after, dhnext is never carried",
               ("dh = Why.T @ dy + dhnext", "dh = Why.T @ dy"), named="dh.*the term .*is missing")
CHAR_RNN.wrong("Whh: multiplied with the state of the same step, not of the one before",
               ("dhraw @ hs[t-1].T", "dhraw @ hs[t].T"), named="dWhh.*is read at the next step")
CHAR_RNN.wrong("Wxh, Whh, bh: what is carried back is not multiplied by tanh's slope",
               ("dhnext = Whh.T @ dhraw", "dhnext = Whh.T @ dh"))
CHAR_RNN.wrong("everything: the loop over time ends before the first step",
               ("reversed(range(len(inputs)))", "reversed(range(1, len(inputs)))"),
               named="dWhy.*the first t is left out of the sum")
CHAR_RNN.wrong(
    "two: gradients clipped to [-0.1, 0.1] before they are returned; Whh not transposed on the way back",
    ("    return loss, (dWxh",
     "    for d in (dWxh, dWhh, dWhy, dbh, dby):\n        np.clip(d, -0.1, 0.1, out=d)\n    return loss, (dWxh"),
    ("dhnext = Whh.T @ dhraw", "dhnext = Whh @ dhraw"))


def lstm_gist():
    net = Network("lstm_script")
    T, N, X, D = net.sizes("T N X D")
    M, G = net.size("M", 1 + X + D), net.size("G", 4 * D)
    W, x = net.parameter("WLSTM", M, G), net.input("X0", T, N, X)
    h0, c0, R = net.input("h0", N, D), net.input("c0", N, D), net.input("R", T, N, D)
    t, n, i, d, e, q = net.indices(t=T, n=N, i=X, d=D, e=D, q=4)
    h, c = net.state("h", T, N, D, initial=h0), net.state("c", T, N, D, initial=c0)
    z = net.define("z", W[0, q * D + d] + Sum(x[t, n, i] * W[1 + i, q * D + d], i)
                   + Sum(h[t - 1, n, e] * W[1 + X + e, q * D + d], e), over=(t, n, q, d))
    inner = sigmoid(z[t, n, 1, d]) * c[t - 1, n, d] + sigmoid(z[t, n, 0, d]) * tanh(z[t, n, 3, d])
    net.define(c, inner, over=(t, n, d))
    net.define(h, sigmoid(z[t, n, 2, d]) * tanh(c[t, n, d]), over=(t, n, d))
    net.loss = total(R * h)
    return net


LSTM_GIST = Submission(lstm_gist, """
class LSTM:
    @staticmethod
    def forward(X, WLSTM, c0, h0):
        n, b, input_size = X.shape
        d = WLSTM.shape[1] // 4
        Hin = np.zeros((n, b, WLSTM.shape[0]))
        Hout, C, Ct = np.zeros((n, b, d)), np.zeros((n, b, d)), np.zeros((n, b, d))
        IFOG, IFOGf = np.zeros((n, b, d * 4)), np.zeros((n, b, d * 4))
        for t in range(n):
            prevh = Hout[t-1] if t > 0 else h0
            Hin[t, :, 0] = 1
            Hin[t, :, 1:1 + input_size] = X[t]
            Hin[t, :, 1 + input_size:] = prevh
            IFOG[t] = Hin[t].dot(WLSTM)
            IFOGf[t, :, :3*d] = 1.0 / (1.0 + np.exp(-IFOG[t, :, :3*d]))
            IFOGf[t, :, 3*d:] = np.tanh(IFOG[t, :, 3*d:])
            prevc = C[t-1] if t > 0 else c0
            C[t] = IFOGf[t, :, :d] * IFOGf[t, :, 3*d:] + IFOGf[t, :, d:2*d] * prevc
            Ct[t] = np.tanh(C[t])
            Hout[t] = IFOGf[t, :, 2*d:3*d] * Ct[t]
        return Hout, dict(WLSTM=WLSTM, IFOGf=IFOGf, C=C, Ct=Ct, Hin=Hin, c0=c0, input_size=input_size)

    @staticmethod
    def backward(dHout_in, cache):
        WLSTM, IFOGf, C, Ct, Hin = (cache[k] for k in ('WLSTM', 'IFOGf', 'C', 'Ct', 'Hin'))
        n, b, d = dHout_in.shape
        dIFOG, dIFOGf = np.zeros(IFOGf.shape), np.zeros(IFOGf.shape)
        dWLSTM, dHin, dC = np.zeros(WLSTM.shape), np.zeros(Hin.shape), np.zeros(C.shape)
        dHout = dHout_in.copy()
        for t in reversed(range(n)):
            tanhCt = Ct[t]
            dIFOGf[t, :, 2*d:3*d] = tanhCt * dHout[t]
            dC[t] += (1 - tanhCt**2) * (IFOGf[t, :, 2*d:3*d] * dHout[t])
            prevc = C[t-1] if t > 0 else cache['c0']
            dIFOGf[t, :, d:2*d] = prevc * dC[t]
            if t > 0:
                dC[t-1] += IFOGf[t, :, d:2*d] * dC[t]
            dIFOGf[t, :, :d] = IFOGf[t, :, 3*d:] * dC[t]
            dIFOGf[t, :, 3*d:] = IFOGf[t, :, :d] * dC[t]
            dIFOG[t, :, 3*d:] = (1 - IFOGf[t, :, 3*d:]**2) * dIFOGf[t, :, 3*d:]
            y = IFOGf[t, :, :3*d]
            dIFOG[t, :, :3*d] = y * (1.0 - y) * dIFOGf[t, :, :3*d]
            dWLSTM += np.dot(Hin[t].T, dIFOG[t])
            dHin[t] = dIFOG[t].dot(WLSTM.T)
            if t > 0:
                dHout[t-1] += dHin[t, :, 1 + cache['input_size']:]
        return dWLSTM

def run(WLSTM, X0, h0, c0, R):
    H, cache = LSTM.forward(X0, WLSTM, c0, h0)
    return np.sum(H * R), {'WLSTM': LSTM.backward(R, cache)}
""", "run")
LSTM_GIST.wrong("WLSTM: the memory's gradient is not carried to the step before (forget gate's path)",
                ("                dC[t-1] += IFOGf[t, :, d:2*d] * dC[t]", "                pass"),
                named="dc.*the term .*is missing")
LSTM_GIST.wrong("WLSTM: the output gate gets the memory, not its tanh",
                ("dIFOGf[t, :, 2*d:3*d] = tanhCt * dHout[t]", "dIFOGf[t, :, 2*d:3*d] = C[t] * dHout[t]"))
LSTM_GIST.wrong("WLSTM: the memory's gradient is overwritten where it should be added to",
                ("dC[t] += (1 - tanhCt**2)", "dC[t] = (1 - tanhCt**2)"), named="dc.*the term .*is missing")
LSTM_GIST.wrong("WLSTM: the candidate's slope is a sigmoid's, not a tanh's",
                ("dIFOG[t, :, 3*d:] = (1 - IFOGf[t, :, 3*d:]**2)",
                 "dIFOG[t, :, 3*d:] = IFOGf[t, :, 3*d:] * (1 - IFOGf[t, :, 3*d:])"),
                named="dz.*the derivative is taken to be tanh_z")
LSTM_GIST.wrong("WLSTM: the forget gate is given the memory of its own step, not of the one before",
                ("prevc = C[t-1] if t > 0 else cache['c0']", "prevc = C[t]"), named="dz.*is read at the next step")


def caption_rnn():
    net = Network("caption_rnn")
    N, T, F, E, H, V = net.sizes("N T F E H V")
    Wp, bp, We = net.parameter("W_proj", F, H), net.parameter("b_proj", H), net.parameter("W_embed", V, E)
    Wx, Wh, b = net.parameter("Wx", E, H), net.parameter("Wh", H, H), net.parameter("b", H)
    Wv, bv = net.parameter("W_vocab", H, V), net.parameter("b_vocab", V)
    features, mask = net.input("features", N, F), net.input("mask", N, T)
    words, targets = net.labels("words", N, T, classes=V), net.labels("targets", N, T, classes=V)
    t, n, e, k, j, v = net.indices(t=T, n=N, e=E, k=H, j=H, v=V)
    h0 = net.define("h0", features @ Wp + bp)
    x = net.define("x", We[words[n, t], e], over=(n, t, e))
    h = net.state("h", T, N, H, initial=h0)
    net.define(h, tanh(Sum(x[n, t, e] * Wx[e, k], e) + Sum(h[t - 1, n, j] * Wh[j, k], j) + b[k]), over=(t, n, k))
    s = net.define("s", Sum(h[t, n, k] * Wv[k, v], k) + bv[v], over=(n, t, v))
    net.loss = total(mask * cross_entropy(s, targets)) / N
    return net


CAPTION_RNN = Submission(caption_rnn, """
def rnn_step_backward(dnext_h, cache):
    x, prev_h, Wx, Wh, next_h = cache
    da = dnext_h * (1 - next_h ** 2)
    return da.dot(Wx.T), da.dot(Wh.T), x.T.dot(da), prev_h.T.dot(da), da.sum(axis=0)

def captioning_loss(W_proj, b_proj, W_embed, Wx, Wh, b, W_vocab, b_vocab, features, mask, words, targets):
    N, T = words.shape
    h0 = features.dot(W_proj) + b_proj
    x = W_embed[words]
    h = np.zeros((N, T, Wh.shape[0]))
    prev, caches = h0, []
    for t in range(T):
        nxt = np.tanh(x[:, t].dot(Wx) + prev.dot(Wh) + b)
        caches.append((x[:, t], prev, Wx, Wh, nxt))
        h[:, t] = prev = nxt
    flat = h.reshape(N * T, -1)
    scores = flat.dot(W_vocab) + b_vocab
    probs = np.exp(scores - scores.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    y, m = targets.reshape(N * T), mask.reshape(N * T)
    loss = -np.sum(m * np.log(probs[np.arange(N * T), y])) / N

    dscores = probs
    dscores[np.arange(N * T), y] -= 1
    dscores /= N
    dscores *= m[:, None]
    g = {'W_vocab': flat.T.dot(dscores), 'b_vocab': dscores.sum(axis=0)}
    dh = dscores.dot(W_vocab.T).reshape(h.shape)
    g['Wx'], g['Wh'], g['b'] = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    dx = np.zeros_like(x)
    dprev = np.zeros_like(h0)
    for t in reversed(range(T)):
        dx[:, t], dprev, dWx, dWh, db = rnn_step_backward(dh[:, t] + dprev, caches[t])
        g['Wx'] += dWx
        g['Wh'] += dWh
        g['b'] += db
    g['W_embed'] = np.zeros_like(W_embed)
    np.add.at(g['W_embed'], words, dx)
    g['W_proj'] = features.T.dot(dprev)
    g['b_proj'] = dprev.sum(axis=0)
    return loss, g
""", "captioning_loss")
CAPTION_RNN.wrong("W_embed: a word that comes twice is counted once, overwritten not accumulated",
                  ("np.add.at(g['W_embed'], words, dx)", "g['W_embed'][words] += dx"), named="dW_embed.*is overwritten")
CAPTION_RNN.wrong("everything: the mask of the padding is left out in the backward pass",
                  ("    dscores *= m[:, None]\n", ""), named=r"ds.*the factor mask\[n, t\] is missing")
CAPTION_RNN.wrong(
    "b: only the first step's bias gradient is kept (assigned, not added)",
    ("g['b'] += db", "g['b'] = db"), named="db.*only the first t")
CAPTION_RNN.wrong("W_proj, b_proj: the initial state gets the direct gradient of step 0, not what the step hands back",
                  ("    g['W_proj'] =", "    dprev = dh[:, 0]\n    g['W_proj'] ="))
CAPTION_RNN.wrong("two: divided by N T not N; the embedding's gradient is overwritten for words that repeat",
                  ("dscores /= N\n", "dscores /= N * T\n"),
                  ("np.add.at(g['W_embed'], words, dx)", "g['W_embed'][words] = dx"),
                  named="ds.*division by T too many.*dW_embed.*is overwritten")


def d2l_gru():
    net = Network("gru_scratch")
    T, N, D, H = net.sizes("T N D H")
    p = {f"W_x{g}": net.parameter(f"W_x{g}", D, H) for g in "zrh"}
    p |= {f"W_h{g}": net.parameter(f"W_h{g}", H, H) for g in "zrh"}
    p |= {f"b_{g}": net.parameter(f"b_{g}", H) for g in "zrh"}
    X, H0, Y = net.input("X", T, N, D), net.input("H0", N, H), net.input("Y", T, N, H)
    t, n, d, k, j = net.indices(t=T, n=N, d=D, k=H, j=H)
    h = net.state("h", T, N, H, initial=H0)

    def gate(g, state):
        return Sum(X[t, n, d] * p[f"W_x{g}"][d, k], d) + Sum(state * p[f"W_h{g}"][j, k], j) + p[f"b_{g}"][k]

    Z = net.define("Z", sigmoid(gate("z", h[t - 1, n, j])), over=(t, n, k))
    R = net.define("R", sigmoid(gate("r", h[t - 1, n, j])), over=(t, n, k))
    C = net.define("C", tanh(gate("h", R[t, n, j] * h[t - 1, n, j])), over=(t, n, k))
    net.define(h, Z[t, n, k] * h[t - 1, n, k] + (1 - Z[t, n, k]) * C[t, n, k], over=(t, n, k))
    net.loss = total((h - Y) ** 2) / 2
    return net


D2L_GRU = Submission(d2l_gru, """
def sigmoid(x):
    return 1 / (1 + np.exp(-x))

def gru_train_step(W_xz, W_xr, W_xh, W_hz, W_hr, W_hh, b_z, b_r, b_h, X, H0, Y):
    H, steps = H0, []
    loss = 0.
    for x, y in zip(X, Y):
        Z = sigmoid(x @ W_xz + H @ W_hz + b_z)
        R = sigmoid(x @ W_xr + H @ W_hr + b_r)
        H_tilda = np.tanh(x @ W_xh + (R * H) @ W_hh + b_h)
        new_H = Z * H + (1 - Z) * H_tilda
        loss += 0.5 * ((new_H - y) ** 2).sum()
        steps.append((x, H, Z, R, H_tilda, new_H - y))
        H = new_H
    params = [W_xz, W_xr, W_xh, W_hz, W_hr, W_hh, b_z, b_r, b_h]
    grads = [np.zeros_like(p) for p in params]
    dH = np.zeros_like(H0)
    for x, H, Z, R, H_tilda, err in steps[::-1]:
        dH = dH + err
        dZ = dH * (H - H_tilda) * Z * (1 - Z)
        dC = dH * (1 - Z) * (1 - H_tilda ** 2)
        dRH = dC @ W_hh.T
        dR = dRH * H * R * (1 - R)
        step = [x.T @ dZ, x.T @ dR, x.T @ dC, H.T @ dZ, H.T @ dR, (R * H).T @ dC, dZ.sum(0), dR.sum(0), dC.sum(0)]
        for g, s in zip(grads, step):
            g += s
        dH = dH * Z + dRH * R + dZ @ W_hz.T + dR @ W_hr.T
    return loss, tuple(grads)
""", "gru_train_step")
D2L_GRU.wrong("the update gate's adjoint has the wrong sign (W_xz, W_hz, b_z; through the state all others)",
              ("dH * (H - H_tilda) * Z", "dH * (H_tilda - H) * Z"), named="dZ.*sign is wrong")
D2L_GRU.wrong("W_hh: the reset gate is left out of the state it multiplies", ("(R * H).T @ dC", "H.T @ dC"),
              named=r"dW_hh.*the factor R\[t, n, j\] is missing")
D2L_GRU.wrong("everything but the last step: the state's path through the candidate (reset) is missing",
              ("dH * Z + dRH * R + dZ", "dH * Z + dZ"), named="dh.*the term .*is missing")
D2L_GRU.wrong("two: the direct path to the state before has 1 - Z for Z; the reset gate's slope is missing",
              ("dH = dH * Z + dRH", "dH = dH * (1 - Z) + dRH"), ("dR = dRH * H * R * (1 - R)", "dR = dRH * H"))


def rnn_cell():
    net = Network("rnn_classifier")
    T, N, D, H, C = net.sizes("T N D H C")
    W_ih, W_hh = net.parameter("W_ih", H, D), net.parameter("W_hh", H, H)
    b_ih, b_hh = net.parameter("b_ih", H), net.parameter("b_hh", H)
    W, c = net.parameter("W", C, H), net.parameter("c", C)
    x, y = net.input("x", N, T, D), net.labels("y", N, classes=C)
    t, n, d, k, j, m = net.indices(t=T, n=N, d=D, k=H, j=H, m=C)
    h = net.state("h", T, N, H, initial=0)
    pre = Sum(x[n, t, d] * W_ih[k, d], d) + b_ih[k] + Sum(h[t - 1, n, j] * W_hh[k, j], j) + b_hh[k]
    net.define(h, tanh(pre), over=(t, n, k))
    z = net.define("z", Sum(h[T - 1, n, k] * W[m, k], k) + c[m], over=(n, m))
    net.loss = mean(cross_entropy(z, y))
    return net


RNN_CELL = Submission(rnn_cell, """
class RNNCell:
    def __init__(self, W_ih, W_hh, b_ih, b_hh):
        self.W_ih, self.W_hh, self.b_ih, self.b_hh = W_ih, W_hh, b_ih, b_hh
        self.dW_ih, self.dW_hh = np.zeros(W_ih.shape), np.zeros(W_hh.shape)
        self.db_ih, self.db_hh = np.zeros(b_ih.shape), np.zeros(b_hh.shape)

    def forward(self, x, h):
        return np.tanh(np.dot(x, self.W_ih.T) + self.b_ih + np.dot(h, self.W_hh.T) + self.b_hh)

    def backward(self, delta, h, h_prev_t, x):
        dz = delta * (1 - h ** 2)
        self.dW_ih += np.dot(dz.T, x)
        self.dW_hh += np.dot(dz.T, h_prev_t)
        self.db_ih += dz.sum(axis=0)
        self.db_hh += dz.sum(axis=0)
        return np.dot(dz, self.W_ih), np.dot(dz, self.W_hh)

class SoftmaxCrossEntropy:
    def forward(self, logits, labels):
        m = logits.max(axis=1, keepdims=True)
        lse = m + np.log(np.exp(logits - m).sum(axis=1, keepdims=True))
        self.N, self.diff = len(labels), np.exp(logits - lse) - np.eye(logits.shape[1])[labels]
        return np.mean(lse[:, 0] - logits[np.arange(self.N), labels])

    def backward(self):
        return self.diff / self.N

def train(W_ih, W_hh, b_ih, b_hh, W, c, x, y):
    cell, criterion = RNNCell(W_ih, W_hh, b_ih, b_hh), SoftmaxCrossEntropy()
    hiddens = [np.zeros((x.shape[0], W_hh.shape[0]))]
    for t in range(x.shape[1]):
        hiddens.append(cell.forward(x[:, t], hiddens[-1]))
    loss = criterion.forward(hiddens[-1] @ W.T + c, y)
    delta = criterion.backward()
    dW, dc = delta.T @ hiddens[-1], delta.sum(axis=0)
    dh = delta @ W
    for t in range(x.shape[1] - 1, -1, -1):
        dx, dh = cell.backward(dh, hiddens[t + 1], hiddens[t], x[:, t])
    return loss, (cell.dW_ih, cell.dW_hh, cell.db_ih, cell.db_hh, dW, dc)
""", "train")
RNN_CELL.wrong("W_ih, W_hh, b_ih, b_hh: tanh's slope is that of the state before (off by one step)",
               ("dx, dh = cell.backward(dh, hiddens[t + 1], hiddens[t], x[:, t])",
                "dx, dh = cell.backward(dh, hiddens[t], hiddens[t], x[:, t])"),
               named="dpre_h.*is read at the previous step")
RNN_CELL.wrong(
    "W_ih, W_hh, b_ih, b_hh: only the last step's part is there, earlier ones are missing (truncated at one)",
    ("range(x.shape[1] - 1, -1, -1)", "range(x.shape[1] - 1, x.shape[1] - 2, -1)"), named="dh.*the term .*is missing")
RNN_CELL.wrong("b_hh: counted twice, since both biases' gradients were added to it",
               ("self.db_ih += dz.sum(axis=0)", "self.db_ih += dz.sum(axis=0)\n        self.db_hh += dz.sum(axis=0)"),
               named="db_hh.*a factor 2 too many")
RNN_CELL.wrong("two: W_hh transposed; c is averaged over the batch",
               ("self.dW_hh += np.dot(dz.T, h_prev_t)", "self.dW_hh += np.dot(h_prev_t.T, dz)"),
               ("delta.sum(axis=0)\n    dh", "delta.mean(axis=0)\n    dh"),
               named="dc.*the sum over n is a mean.*dW_hh.*is transposed")

SUBMISSIONS = [CHAR_RNN, LSTM_GIST, CAPTION_RNN, D2L_GRU, RNN_CELL]
