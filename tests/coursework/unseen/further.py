"""Exercises of books and later courses: basis functions, graphs, tagging, a gated cell, actor and critic, a counter."""

from sympy import Piecewise, Sum, exp, log, tanh

from derive import Network, cross_entropy, log_softmax, mean, relu, sigmoid, total

from .frame import Submission


def basis():
    net = Network("radial_basis")
    N, D, M = net.sizes("N D M")
    w, w0, c, s = net.parameter("w", M), net.parameter("w0"), net.parameter("c", M, D), net.parameter("s")
    X, t, lam = net.input("X", N, D), net.input("t", N), net.input("lam")
    n, d, m = net.indices(n=N, d=D, m=M)
    r = net.define("r", Sum((X[n, d] - c[m, d]) ** 2, d), over=(n, m))
    phi = net.define("phi", exp(-r / (2 * s**2)))
    net.loss = total((phi @ w + w0 - t) ** 2) / 2 + lam / 2 * total(w**2)
    return net


BASIS = Submission(basis, """
from collections import namedtuple

Gradients = namedtuple('Gradients', 'w w0 c s')

def rbf_error(w, w0, c, s, X, t, lam):
    diff = X[:, np.newaxis, :] - c[np.newaxis, :, :]
    sq = np.einsum('nmd,nmd->nm', diff, diff)
    phi = np.exp(-sq / (2 * s ** 2))
    e = phi.dot(w) + w0 - t
    E = 0.5 * e.dot(e) + 0.5 * lam * w.dot(w)
    back = e[:, np.newaxis] * w * phi
    return E, Gradients(w=phi.T.dot(e) + lam * w, w0=e.sum(),
                        c=np.einsum('nm,nmd->md', back, diff) / s ** 2, s=(back * sq).sum() / s ** 3)
""", "rbf_error")
BASIS.wrong(
    "c: the sign of the inner derivative",
    ("c=np.einsum('nm,nmd->md', back, diff)", "c=-np.einsum('nm,nmd->md', back, diff)"), named="dr.*sign is wrong")
BASIS.wrong("s: divided by s squared, not cubed", ("/ s ** 3", "/ s ** 2"), named="ds.*the factor 1 / s is missing")
BASIS.wrong(
    "two: the intercept is penalised (w0); c is not divided by s^2",
    ("w0=e.sum()", "w0=e.sum() + lam * w0"),
    ("diff) / s ** 2", "diff)"), named=r"dr.*the factor 1 / s\^2 is missing.*dw0.*a regulariser that")


def graph():
    net = Network("gcn_homework")
    N, D, H, C = net.sizes("N D H C")
    W0, W1 = net.parameter("W0", D, H), net.parameter("W1", H, C)
    A, X, y, mask = net.input("A", N, N), net.input("X", N, D), net.labels("y", N, classes=C), net.input("mask", N)
    H1 = net.define("H1", relu(A @ (X @ W0)))
    net.loss = total(mask * cross_entropy(A @ (H1 @ W1), y)) / total(mask)
    return net


GRAPH = Submission(graph, """
class GCNLayer:
    def __init__(self, W):
        self.W = W

    def __call__(self, A, H):
        self.A, self.AH = A, A @ H
        return self.AH @ self.W

    def backward(self, G):
        self.grad = self.AH.T @ G
        return self.A.T @ G @ self.W.T

def semi_supervised(W0, W1, A, X, y, mask):
    first, second = GCNLayer(W0), GCNLayer(W1)
    pre = first(A, X)
    hidden = np.maximum(pre, 0)
    z = second(A, hidden)
    z = z - z.max(axis=1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    onehot = np.eye(z.shape[1])[y]
    loss = -(mask * (onehot * logp).sum(axis=1)).sum() / mask.sum()
    G = (np.exp(logp) - onehot) * (mask / mask.sum())[:, None]
    first.backward(second.backward(G) * (pre > 0))
    return loss, {'W0': first.grad, 'W1': second.grad}
""", "semi_supervised")
GRAPH.wrong(
    "W0: the adjacency is not transposed (right for undirected graphs)",
    ("return self.A.T @ G", "return self.A @ G"), named="`A` should be `A.T`: it is not transposed")
GRAPH.wrong(
    "W0, W1: the mask is left out in the backward pass, all nodes count",
    ("* (mask / mask.sum())[:, None]", "/ mask.sum()"))
GRAPH.wrong(
    "W0, W1: aggregated features are not kept: the layer's input H stands for A H",
    ("self.A, self.AH = A, A @ H", "self.A, self.AH, self.H = A, A @ H, H"),
    ("self.grad = self.AH.T @ G", "self.grad = self.H.T @ G"),
    named="`H` should be `A @ H`")
GRAPH.wrong(
    "two: W0's path lacks the aggregation (adjacency missing); W1 averaged over all nodes once more",
    ("return self.A.T @ G @ self.W.T", "return G @ self.W.T"),
    ("'W1': second.grad", "'W1': second.grad / len(X)"))


def tagging():
    net = Network("linear_chain_crf")
    T, D, K = net.sizes("T D K")
    W, A, x, y = net.parameter("W", D, K), net.parameter("A", K, K), net.input("x", T, D), net.labels("y", T, classes=K)
    t, d, k, j = net.indices(t=T, d=D, k=K, j=K)
    U = net.define("U", x @ W)
    a = net.state("a", T, K, initial=0)
    net.define(a, log(Sum(exp(a[t - 1, j] + A[j, k]), j)) + U[t, k], over=(t, k))
    score = Sum(U[t, y[t]], t)
    s = net.state("s", T, initial=0)
    net.define(s, s[t - 1] + Piecewise((A[y[t - 1], y[t]], t >= 1), (0, True)), over=t)
    net.loss = log(Sum(exp(a[T - 1, k]), k)) - score - s[T - 1]
    return net


TAGGING = Submission(tagging, """
def logsumexp(v, axis):
    m = v.max(axis=axis, keepdims=True)
    return (m + np.log(np.exp(v - m).sum(axis=axis, keepdims=True))).squeeze(axis)

def crf_nll(W, A, x, y):
    T, K = len(x), A.shape[0]
    U = x @ W
    alpha = np.zeros((T, K))
    alpha[0] = U[0] + logsumexp(A, axis=0)
    for t in range(1, T):
        alpha[t] = logsumexp(alpha[t - 1][:, None] + A, axis=0) + U[t]
    beta = np.zeros((T, K))
    for t in range(T - 2, -1, -1):
        beta[t] = logsumexp(A + (U[t + 1] + beta[t + 1])[None, :], axis=1)
    logZ = logsumexp(alpha[-1], axis=0)
    gold = U[np.arange(T), y].sum() + A[y[:-1], y[1:]].sum()
    node = np.exp(alpha + beta - logZ)
    dU = node.copy()
    dU[np.arange(T), y] -= 1
    start = np.exp(A - logsumexp(A, axis=0)) * node[0]
    dA = start.copy()
    for t in range(1, T):
        dA += np.exp(alpha[t - 1][:, None] + A + (U[t] + beta[t])[None, :] - logZ)
        dA[y[t - 1], y[t]] -= 1
    return logZ - gold, (x.T @ dU, dA)
""", "crf_nll")
TAGGING.wrong("A: the gold transitions are not subtracted", ("        dA[y[t - 1], y[t]] -= 1\n", ""),
              named="ds.*(missing|nothing is sent back)")
TAGGING.wrong("W: no expectation over taggings: marginals from the forward scores only (beta missing), future missing",
              ("node = np.exp(alpha + beta - logZ)", "node = np.exp(alpha - logsumexp(alpha, axis=1)[:, None])"))
TAGGING.wrong("A: transposed", ("return logZ - gold, (x.T @ dU, dA)", "return logZ - gold, (x.T @ dU, dA.T)"),
              named="dA.*entries in another order")


def gru_cell():
    net = Network("gru_cell")
    H, D = net.sizes("H D")
    p = {k: net.parameter(k, H, D if k[2] == "x" else H) for k in ("Wrx", "Wzx", "Wnx", "Wrh", "Wzh", "Wnh")}
    b = {k: net.parameter(k, H) for k in ("brx", "bzx", "bnx", "brh", "bzh", "bnh")}
    x, h = net.parameter("x", D), net.parameter("h", H)
    delta = net.input("delta", H)
    r = net.define("r", sigmoid(p["Wrx"] @ x + b["brx"] + p["Wrh"] @ h + b["brh"]))
    z = net.define("z", sigmoid(p["Wzx"] @ x + b["bzx"] + p["Wzh"] @ h + b["bzh"]))
    m = net.define("n", tanh(p["Wnx"] @ x + b["bnx"] + r * (p["Wnh"] @ h + b["bnh"])))
    net.loss = total(delta * ((1 - z) * m + z * h))
    return net


GRU_CELL = Submission(gru_cell, """
class GRUCell:
    def __init__(self, **weights):
        self.__dict__.update(weights)

    def forward(self, x, h):
        sig = lambda v: 1 / (1 + np.exp(-v))
        self.x, self.hidden = x, h
        self.r = sig(self.Wrx @ x + self.brx + self.Wrh @ h + self.brh)
        self.z = sig(self.Wzx @ x + self.bzx + self.Wzh @ h + self.bzh)
        self.nh = self.Wnh @ h + self.bnh
        self.n = np.tanh(self.Wnx @ x + self.bnx + self.r * self.nh)
        return (1 - self.z) * self.n + self.z * h

    def backward(self, delta):
        dz = delta * (self.hidden - self.n)
        dn = delta * (1 - self.z)
        dn_pre = dn * (1 - self.n ** 2)
        dr = dn_pre * self.nh
        dz_pre = dz * self.z * (1 - self.z)
        dr_pre = dr * self.r * (1 - self.r)
        dnh = dn_pre * self.r
        self.dWnx, self.dbnx = np.outer(dn_pre, self.x), dn_pre
        self.dWnh, self.dbnh = np.outer(dnh, self.hidden), dnh
        self.dWzx, self.dbzx = np.outer(dz_pre, self.x), dz_pre
        self.dWzh, self.dbzh = np.outer(dz_pre, self.hidden), dz_pre
        self.dWrx, self.dbrx = np.outer(dr_pre, self.x), dr_pre
        self.dWrh, self.dbrh = np.outer(dr_pre, self.hidden), dr_pre
        self.dx = self.Wnx.T @ dn_pre + self.Wzx.T @ dz_pre + self.Wrx.T @ dr_pre
        self.dh = delta * self.z + self.Wnh.T @ dnh + self.Wzh.T @ dz_pre + self.Wrh.T @ dr_pre

NAMES = 'Wrx Wzx Wnx Wrh Wzh Wnh brx bzx bnx brh bzh bnh'.split()

def cell_test(Wrx, Wzx, Wnx, Wrh, Wzh, Wnh, brx, bzx, bnx, brh, bzh, bnh, x, h, delta):
    cell = GRUCell(**dict(zip(NAMES, (Wrx, Wzx, Wnx, Wrh, Wzh, Wnh, brx, bzx, bnx, brh, bzh, bnh))))
    loss = cell.forward(x, h) @ delta
    cell.backward(delta)
    return loss, {k: getattr(cell, 'd' + k) for k in NAMES + ['x', 'h']}
""", "cell_test")
GRU_CELL.wrong(
    "h: the direct path, delta times z, is missing",
    ("self.dh = delta * self.z + self.Wnh.T", "self.dh = self.Wnh.T"),
    named=r"dh.*the term delta\[h\] \* z\[h\] is missing")
GRU_CELL.wrong("Wrx, Wrh, brx, brh, x, h: the reset gate's part forgets the bias inside: W h for W h + b",
               ("dr = dn_pre * self.nh", "dr = dn_pre * (self.nh - self.bnh)"),
               named=r"dr: the term dpre_n\[h\] \* bnh\[h\] is missing")
GRU_CELL.wrong(
    "bnh, Wnh, h: the reset gate is left out of the inner product's adjoint",
    ("dnh = dn_pre * self.r", "dnh = dn_pre"))
GRU_CELL.wrong("two: x lacks the reset gate's path; z's gate has lost its sigmoid's slope",
               (" + self.Wrx.T @ dr_pre\n", "\n"), ("dz_pre = dz * self.z * (1 - self.z)", "dz_pre = dz"),
               named="dpre_z.*the derivative is taken to be 1: it is missing.*dx.*the term .*is missing")


def actor_critic():
    net = Network("actor_critic")
    N, D, H, K = net.sizes("N D H K")
    W, Wp, wv = net.parameter("W", D, H), net.parameter("Wp", H, K), net.parameter("wv", H)
    S, a, G, adv = net.input("S", N, D), net.labels("a", N, classes=K), net.input("G", N), net.input("adv", N)
    F = net.define("F", tanh(S @ W))
    Z = net.define("Z", F @ Wp)
    v = net.define("v", F @ wv)
    lp = net.define("lp", log_softmax(Z))
    entropy = -total(exp(lp) * lp) / N
    net.loss = mean(adv * cross_entropy(Z, a)) + mean((v - G) ** 2) / 2 - entropy / 100
    return net


ACTOR_CRITIC = Submission(actor_critic, """
BETA = 0.01

class Gradients:
    pass

def a2c_loss(W, Wp, wv, S, a, G, adv):
    n = len(S)
    f = np.tanh(S @ W)
    z = f @ Wp
    lp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    p = np.exp(lp)
    v = f @ wv
    H = -(p * lp).sum(axis=1)
    loss = -(adv * lp[np.arange(n), a]).mean() + 0.5 * ((v - G) ** 2).mean() - BETA * H.mean()
    onehot = np.zeros_like(p)
    onehot[np.arange(n), a] = 1
    dz = adv[:, None] * (p - onehot) + BETA * p * (lp + H[:, None])
    dz /= n
    dv = (v - G) / n
    df = dz @ Wp.T + np.outer(dv, wv)
    g = Gradients()
    g.W = S.T @ (df * (1 - f * f))
    g.Wp = f.T @ dz
    g.wv = f.T @ dv
    return loss, g
""", "a2c_loss")
ACTOR_CRITIC.wrong(
    "W, Wp: the entropy's gradient lacks the + H, i.e. the mean of log p",
    ("BETA * p * (lp + H[:, None])", "BETA * p * lp"))
ACTOR_CRITIC.wrong("W, Wp: the entropy bonus has the wrong sign", ("+ BETA * p * (lp", "- BETA * p * (lp"),
                   named="dlp.*sign is wrong")
ACTOR_CRITIC.wrong(
    "W: the critic's path into the shared layer is missing",
    ("df = dz @ Wp.T + np.outer(dv, wv)", "df = dz @ Wp.T"), named=r"dF.*the term dv\[n\] \* wv\[h\] is missing")
ACTOR_CRITIC.wrong(
    "two: wv has a factor 2 too many (no half); W lacks tanh's slope",
    ("dv = (v - G) / n\n    df = dz @ Wp.T + np.outer(dv, wv)",
     "dv = (v - G) / n\n    df = dz @ Wp.T + np.outer(dv, wv)\n    dv = 2 * dv"),
    ("(df * (1 - f * f))", "df"), named=r"dpre_F.*the factor 1 - F\[n, h\]\^2 is missing.*dwv.*a factor 2 too many")


def excitation():
    net = Network("squeeze_excitation")
    N, C, U, V, R = net.sizes("N C U V R")
    x, W1, W2 = net.parameter("x", N, C, U, V), net.parameter("W1", C, R), net.parameter("W2", R, C)
    dout = net.input("dout", N, C, U, V)
    n, c, i, k = net.indices(n=N, c=C, i=U, k=V)
    q = net.define("q", Sum(x[n, c, i, k], i, k) / (U * V), over=(n, c))
    s = net.define("s", sigmoid(net.define("e", relu(q @ W1)) @ W2))
    Y = net.define("Y", x[n, c, i, k] * s[n, c], over=(n, c, i, k))
    net.loss = total(dout * Y)
    return net


EXCITATION = Submission(excitation, """
def se_forward(x, W1, W2):
    squeeze = x.mean(axis=(2, 3))
    hidden = np.maximum(squeeze @ W1, 0)
    scale = 1 / (1 + np.exp(-hidden @ W2))
    return x * scale[:, :, None, None], (x, W1, W2, squeeze, hidden, scale)

def se_backward(dout, cache):
    x, W1, W2, squeeze, hidden, scale = cache
    dx = dout * scale[:, :, None, None]
    dscale = (dout * x).sum(axis=(2, 3))
    dpre = dscale * scale * (1 - scale)
    dW2 = hidden.T @ dpre
    dhidden = dpre @ W2.T
    dhidden = dhidden * (hidden > 0)
    dW1 = squeeze.T @ dhidden
    dsqueeze = dhidden @ W1.T
    dx = dx + dsqueeze[:, :, None, None] / (x.shape[2] * x.shape[3])
    return dx, dW1, dW2
""", ("se_forward", "se_backward"))
EXCITATION.wrong(
    "x: the path through the gate (squeeze) is missing",
    ("    dx = dx + dsqueeze[:, :, None, None] / (x.shape[2] * x.shape[3])\n", ""),
    named=r"dx.*the term 1/\(U V\) dq\[n, c\] is missing")
EXCITATION.wrong(
    "x: the mean's 1/(H W) is missing on the gate's path",
    ("[:, :, None, None] / (x.shape[2] * x.shape[3])", "[:, :, None, None]"), named=r"dx.*mean's 1/\(U V\) is missing")
EXCITATION.wrong(
    "W1, W2, x: the gate's adjoint is averaged over the pixels, not summed",
    ("(dout * x).sum(axis=(2, 3))", "(dout * x).mean(axis=(2, 3))"), named=r"ds.*division by \(U V\) too many")
EXCITATION.wrong(
    "two: the sigmoid's slope is missing; x's direct path is not scaled",
    ("dpre = dscale * scale * (1 - scale)", "dpre = dscale"),
    ("dx = dout * scale[:, :, None, None]", "dx = dout"),
    named=r"dpre_s.*the derivative is taken to be 1: it is missing.*dx.*the factor s\[n, c\] is missing")


def counting():
    net = Network("linear_counter")
    N, T = net.sizes("N T")
    wx, wr = net.parameter("wx"), net.parameter("wr")
    X, t = net.input("X", N, T), net.input("t", N)
    k, n = net.indices(k=T, n=N)
    s = net.state("s", T, N, initial=0)
    net.define(s, X[n, k] * wx + s[k - 1, n] * wr, over=(k, n))
    net.loss = Sum((s[T - 1, n] - t[n]) ** 2, n) / N
    return net


COUNTING = Submission(counting, """
def forward_states(X, wx, wr):
    S = np.zeros((X.shape[0], X.shape[1] + 1))
    for k in range(X.shape[1]):
        S[:, k + 1] = X[:, k] * wx + S[:, k] * wr
    return S

def backward_gradient(wx, wr, X, t):
    S = forward_states(X, wx, wr)
    grad_over_time = np.zeros((X.shape[0], X.shape[1] + 1))
    grad_over_time[:, -1] = 2.0 * (S[:, -1] - t) / X.shape[0]
    wx_grad, wr_grad = 0, 0
    for k in range(X.shape[1], 0, -1):
        wx_grad += np.sum(grad_over_time[:, k] * X[:, k - 1])
        wr_grad += np.sum(grad_over_time[:, k] * S[:, k - 1])
        grad_over_time[:, k - 1] = grad_over_time[:, k] * wr
    return np.mean((S[:, -1] - t) ** 2), (wx_grad, wr_grad)
""", "backward_gradient")
COUNTING.wrong(
    "wr: the state of the same step, not of the one before",
    ("grad_over_time[:, k] * S[:, k - 1]", "grad_over_time[:, k] * S[:, k]"), named="dwr.*is read at the next step")
COUNTING.wrong(
    "wx: averaged over the examples once more",
    ("np.sum(grad_over_time[:, k] * X[:, k - 1])", "np.mean(grad_over_time[:, k] * X[:, k - 1])"),
    named="dwx.*the sum over n is a mean")
COUNTING.wrong(
    "wx, wr: what is carried back is not multiplied by wr",
    ("grad_over_time[:, k] * wr\n", "grad_over_time[:, k]\n"), named="ds.*the factor wr is missing")

SUBMISSIONS = [BASIS, GRAPH, TAGGING, GRU_CELL, ACTOR_CRITIC, EXCITATION, COUNTING]
