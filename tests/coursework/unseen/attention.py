"""Attention: additive, of one head as a pair of functions, of several heads with a residual path."""

from sympy import Piecewise, Sum, oo, sqrt, tanh

from derive import Network, cross_entropy, mean, softmax, total

from .frame import Submission


def self_attention():
    net = Network("self_attention_layer")
    T, D = net.sizes("T D")
    x, Wq, Wk, Wv = (net.parameter("x", T, D), net.parameter("Wq", D, D), net.parameter("Wk", D, D),
                     net.parameter("Wv", D, D))
    dout = net.input("dout", T, D)
    Q, K, V = net.define("Q", x @ Wq), net.define("K", x @ Wk), net.define("V", x @ Wv)
    A = net.define("A", softmax(Q @ K.T / sqrt(D)))
    net.loss = total(dout * (A @ V))
    return net


SELF_ATTENTION = Submission(self_attention, """
def attention_forward(x, Wq, Wk, Wv):
    q, k, v = x @ Wq, x @ Wk, x @ Wv
    s = q @ k.T / np.sqrt(x.shape[1])
    e = np.exp(s - s.max(axis=1, keepdims=True))
    a = e / e.sum(axis=1, keepdims=True)
    return a @ v, (x, Wq, Wk, Wv, q, k, v, a)

def attention_backward(dout, cache):
    x, Wq, Wk, Wv, q, k, v, a = cache
    da = dout @ v.T
    dv = a.T @ dout
    ds = a * (da - np.sum(da * a, axis=1, keepdims=True))
    ds = ds / np.sqrt(x.shape[1])
    dq = ds @ k
    dk = ds.T @ q
    dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
    return dx, x.T @ dq, x.T @ dk, x.T @ dv
""", ("attention_forward", "attention_backward"))
SELF_ATTENTION.wrong("Wq, Wk, x: the softmax's Jacobian is only its diagonal, a (1 - a)",
                     ("ds = a * (da - np.sum(da * a, axis=1, keepdims=True))", "ds = da * a * (1 - a)"),
                     named="dpre_A.*Jacobian is its diagonal only")
SELF_ATTENTION.wrong("Wq, Wk, x: the 1/sqrt(D) of the scores is missing", ("    ds = ds / np.sqrt(x.shape[1])\n", ""),
                     named=r"dA.*a factor \(sqrt\(D\)\) too many")
SELF_ATTENTION.wrong("x: only the values' path; what comes through queries and keys is missing",
                     ("dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T", "dx = dv @ Wv.T"), named="dx.*only the term .*counts")
SELF_ATTENTION.wrong("two: Wk's scores are not transposed; Wv's attention is not transposed",
                     ("dk = ds.T @ q", "dk = ds @ q"), ("dv = a.T @ dout", "dv = a @ dout"),
                     named="dV.*is transposed.*dK.*is transposed")


def seq_attention():
    net = Network("attention_pooling")
    N, T, H, C = net.sizes("N T H C")
    Wa, v, Wo = net.parameter("Wa", H, H), net.parameter("v", H), net.parameter("Wo", H, C)
    S, y = net.input("S", N, T, H), net.labels("y", N, classes=C)
    n, t, h, k = net.indices(n=N, t=T, h=H, k=H)
    U = net.define("U", tanh(S @ Wa))
    e = net.define("e", U @ v)
    a = net.define("a", softmax(e))
    ctx = net.define("ctx", Sum(a[n, t] * S[n, t, h], t), over=(n, h))
    net.loss = mean(cross_entropy(ctx @ Wo, y))
    return net


SEQ_ATTENTION = Submission(seq_attention, """
def additive_attention_loss(Wa, v, Wo, S, y):
    N, T, H = S.shape
    U = np.tanh(np.einsum('nth,hk->ntk', S, Wa))
    e = np.einsum('ntk,k->nt', U, v)
    a = np.exp(e - e.max(1, keepdims=True))
    a = a / a.sum(1, keepdims=True)
    ctx = np.einsum('nt,nth->nh', a, S)
    o = ctx @ Wo
    p = np.exp(o) / np.exp(o).sum(1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).mean()
    do = p.copy()
    do[np.arange(N), y] -= 1
    do /= N
    dWo = ctx.T @ do
    dctx = do @ Wo.T
    da = np.einsum('nh,nth->nt', dctx, S)
    de = np.zeros_like(e)
    for n in range(N):
        J = np.diag(a[n]) - np.outer(a[n], a[n])
        de[n] = J @ da[n]
    dv = np.einsum('nt,ntk->k', de, U)
    dU = de[:, :, None] * v
    dWa = np.einsum('nth,ntk->hk', S, dU * (1 - U ** 2))
    return loss, {'Wa': dWa, 'v': dv, 'Wo': dWo}
""", "additive_attention_loss")
SEQ_ATTENTION.wrong("Wa, v: the softmax's Jacobian has lost its minus outer product (diagonal only, a)",
                    ("J = np.diag(a[n]) - np.outer(a[n], a[n])", "J = np.diag(a[n])"),
                    named=r"de.*the term dlse_e\[n\] is missing")
SEQ_ATTENTION.wrong("Wa, v: the softmax's Jacobian is only its diagonal, a (1 - a)",
                    ("J = np.diag(a[n]) - np.outer(a[n], a[n])", "J = np.diag(a[n] * (1 - a[n]))"),
                    named="de.*Jacobian is its diagonal only")
SEQ_ATTENTION.wrong("Wa: transposed", ("np.einsum('nth,ntk->hk', S, dU", "np.einsum('nth,ntk->kh', S, dU"),
                    named="dWa.*is transposed")
SEQ_ATTENTION.wrong("Wa: tanh's slope is taken of tanh of tanh (applied twice)",
                    ("dU * (1 - U ** 2)", "dU * (1 - np.tanh(U) ** 2)"),
                    named="dpre_U.*the derivative is taken to be tanh'")


def heads():
    net = Network("decoder_attention")
    N, T, H, E = net.sizes("N T H E")
    D = net.size("D", H * E)
    Wqkv, Wo, x = net.parameter("Wqkv", D, 3, H, E), net.parameter("Wo", D, D), net.parameter("x", N, T, D)
    dout = net.input("dout", N, T, D)
    n, t, s, h, e, d, g = net.indices(n=N, t=T, s=T, h=H, e=E, d=D, g=3)
    Z = net.define("Z", Sum(x[n, t, d] * Wqkv[d, g, h, e], d), over=(n, t, g, h, e))
    score = Sum(Z[n, t, 0, h, e] * Z[n, s, 1, h, e], e) / sqrt(E)
    S = net.define("S", Piecewise((score, s <= t), (-oo, True)), over=(n, h, t, s))
    P = net.define("P", softmax(S))
    O = net.define("O", Sum(P[n, h, t, s] * Z[n, s, 2, h, e], s), over=(n, t, h, e))
    y = Sum(O[n, t, h, e] * Wo[h * E + e, d], h, e)
    Y = net.define("Y", x[n, t, d] + y, over=(n, t, d))
    net.loss = total(dout * Y)
    return net


HEADS = Submission(heads, """
def loss(Wqkv, Wo, x, dout):
    B, T, D = x.shape
    _, _, H, hs = Wqkv.shape
    flat = Wqkv.reshape(D, 3 * D)
    qkv = (x @ flat).reshape(B, T, 3, H, hs)
    q, k, v = [qkv[:, :, i].transpose(0, 2, 1, 3) for i in range(3)]
    att = (q @ k.swapaxes(-1, -2)) * (1.0 / np.sqrt(hs))
    att = np.where(np.tril(np.ones((T, T))) == 0, -np.inf, att)
    att = np.exp(att - att.max(-1, keepdims=True))
    att = att / att.sum(-1, keepdims=True)
    y = (att @ v).transpose(0, 2, 1, 3).reshape(B, T, D)
    out = x + y @ Wo

    dy = dout @ Wo.T
    dWo = y.reshape(-1, D).T @ dout.reshape(-1, D)
    dyh = dy.reshape(B, T, H, hs).transpose(0, 2, 1, 3)
    datt = dyh @ v.swapaxes(-1, -2)
    dv = att.swapaxes(-1, -2) @ dyh
    dpre = att * (datt - (datt * att).sum(-1, keepdims=True)) / np.sqrt(hs)
    dq = dpre @ k
    dk = dpre.swapaxes(-1, -2) @ q
    dqkv = np.stack([g.transpose(0, 2, 1, 3) for g in (dq, dk, dv)], axis=2)
    dqkv = dqkv.reshape(B, T, 3 * D)
    dx = dout + dqkv @ flat.T
    dflat = x.reshape(-1, D).T @ dqkv.reshape(-1, 3 * D)
    return (out * dout).sum(), {'Wqkv': dflat.reshape(Wqkv.shape), 'Wo': dWo, 'x': dx}
""", "loss")
HEADS.wrong("x: the residual path is missing", ("dx = dout + dqkv @ flat.T", "dx = dqkv @ flat.T"),
            named=r"dx.*the term dout\[n, t, d\] is missing")
HEADS.wrong(
    "Wqkv, x: the gradients of queries and keys are swapped",
    ("for g in (dq, dk, dv)]", "for g in (dk, dq, dv)]"), named="dZ.*stand in another order")
HEADS.wrong("Wqkv, x: heads are split by a reshape without the transpose (heads and time are mixed up)",
            ("dyh = dy.reshape(B, T, H, hs).transpose(0, 2, 1, 3)", "dyh = dy.reshape(B, H, T, hs)"))
HEADS.wrong("Wqkv, x: softmax's sum is over the queries, not over the keys (wrong axis)",
            ("(datt * att).sum(-1, keepdims=True)", "(datt * att).sum(-2, keepdims=True)"),
            named="dS.*summed over t where it should be over s")

SUBMISSIONS = [SELF_ATTENTION, SEQ_ATTENTION, HEADS]
