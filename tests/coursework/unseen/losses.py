"""Other losses than cross-entropy: contrastive, triplet, focal, smoothed, robust, of an angle, of triples."""

from sympy import Rational, Sum, exp, log, sqrt, tanh

from derive import Network, cosine_similarity, huber, mean, relu, sigmoid, smoothed_cross_entropy, softplus, total

from .frame import Submission


def siamese():
    net = Network("siamese_contrastive")
    N, D, K = net.sizes("N D K")
    W, b = net.parameter("W", D, K), net.parameter("b", K)
    X1, X2, y = net.input("X1", N, D), net.input("X2", N, D), net.input("y", N)
    F1, F2 = net.define("F1", tanh(X1 @ W + b)), net.define("F2", tanh(X2 @ W + b))
    d = net.define("dist", sqrt(total((F1 - F2) ** 2, axis=1)))
    net.loss = total(y * d**2 + (1 - y) * relu(1 - d) ** 2) / (2 * N)
    return net


SIAMESE = Submission(siamese, """
def contrastive_loss(W, b, X1, X2, y, margin=1.0):
    N = X1.shape[0]
    f1, f2 = np.tanh(X1.dot(W) + b), np.tanh(X2.dot(W) + b)
    diff = f1 - f2
    dist = np.sqrt(np.sum(diff ** 2, axis=1))
    hinge = np.maximum(margin - dist, 0)
    loss = np.sum(y * dist ** 2 + (1 - y) * hinge ** 2) / 2. / N
    coef = (y - (1 - y) * hinge / dist) / N
    df1 = coef[:, None] * diff
    df2 = -df1
    da1 = df1 * (1 - f1 ** 2)
    da2 = df2 * (1 - f2 ** 2)
    dW = X1.T.dot(da1) + X2.T.dot(da2)
    db = da1.sum(axis=0) + da2.sum(axis=0)
    return loss, (dW, db)
""", "contrastive_loss")
SIAMESE.wrong(
    "W, b: only the first of the two branches that share the weights",
    ("dW = X1.T.dot(da1) + X2.T.dot(da2)", "dW = X1.T.dot(da1)"),
    ("da1.sum(axis=0) + da2.sum(axis=0)", "da1.sum(axis=0)"), named="dF2.*nothing is sent back")
SIAMESE.wrong("W, b: the second branch's gradient has the sign of the first", ("df2 = -df1", "df2 = df1"),
              named="dF2.*sign is wrong")
SIAMESE.wrong(
    "W, b: the derivative of the distance is not divided by the distance",
    ("hinge / dist) / N", "hinge) / N"), named=r"dsum_dist.*the factor 1 / dist\[n\] is missing")
SIAMESE.wrong(
    "two: the dissimilar pairs' sign; the second branch takes the first's tanh slope",
    ("(y - (1 - y) * hinge / dist)", "(y + (1 - y) * hinge / dist)"),
    ("df2 * (1 - f2 ** 2)", "df2 * (1 - f1 ** 2)"))


def triplet_net():
    net = Network("triplet_embedding")
    N, D, K = net.sizes("N D K")
    W = net.parameter("W", D, K)
    A, P, Q = net.input("anchor", N, D), net.input("positive", N, D), net.input("negative", N, D)
    a, p, q = net.define("fa", A @ W), net.define("fp", P @ W), net.define("fn", Q @ W)
    near, far = total((a - p) ** 2, axis=1), total((a - q) ** 2, axis=1)
    net.loss = mean(relu(near - far + Rational(1, 5)))
    return net


TRIPLET = Submission(triplet_net, """
def triplet_loss(W, anchor, positive, negative, alpha=0.2):
    fa, fp, fn = anchor @ W, positive @ W, negative @ W
    basic = ((fa - fp) ** 2).sum(1) - ((fa - fn) ** 2).sum(1) + alpha
    active = (basic > 0).astype(float)[:, None] / len(anchor)
    dfa = 2 * (fn - fp) * active
    dfp = 2 * (fp - fa) * active
    dfn = 2 * (fa - fn) * active
    return np.maximum(basic, 0).mean(), (anchor.T @ dfa + positive.T @ dfp + negative.T @ dfn,)
""", "triplet_loss")
TRIPLET.wrong("W: all triplets count, also those beyond the margin (hinge's mask missing)",
              ("(basic > 0).astype(float)[:, None] / len(anchor)", "np.ones((len(anchor), 1)) / len(anchor)"),
              named=r"dpre_loss.*mask \[pre_loss\[n\] > 0\] is missing")
TRIPLET.wrong("W: averaged over the active triplets, not over all", ("/ len(anchor)", "/ (basic > 0).sum()"))
TRIPLET.wrong(
    "W: the anchor's path through the negative distance is missing",
    ("dfa = 2 * (fn - fp)", "dfa = 2 * (fa - fp)"), named="dfa.*is read where fn should be")


def simclr():
    net = Network("clip_loss")
    N, D, E, K = net.sizes("N D E K")
    Wi, Wt, t = net.parameter("W_i", D, K), net.parameter("W_t", E, K), net.parameter("t")
    I, T = net.input("I", N, D), net.input("T", N, E)
    n, m, k = net.indices(n=N, m=N, k=K)
    P, Q = net.define("P", I @ Wi), net.define("Q", T @ Wt)
    a = net.define("a", P / sqrt(total(P**2, axis=1, keepdims=True)))
    b = net.define("b", Q / sqrt(total(Q**2, axis=1, keepdims=True)))
    S = net.define("S", a @ b.T * exp(t))
    rows = Sum(log(Sum(exp(S[n, m]), m)) - S[n, n], n) / N
    columns = Sum(log(Sum(exp(S[n, m]), n)), m) / N - Sum(S[n, n], n) / N
    net.loss = (rows + columns) / 2
    return net


CLIP = Submission(simclr, """
def l2_normalize(x):
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return x / norm, norm

def l2_normalize_backward(dy, y, norm):
    return (dy - y * np.sum(dy * y, axis=1, keepdims=True)) / norm

def softmax(z, axis):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)

def clip_step(W_i, W_t, t, I, T):
    n = len(I)
    I_e, I_n = l2_normalize(I @ W_i)
    T_e, T_n = l2_normalize(T @ W_t)
    cos = I_e @ T_e.T
    logits = cos * np.exp(t)
    p_i, p_t = softmax(logits, 1), softmax(logits, 0)
    loss = -(np.log(np.diag(p_i)).mean() + np.log(np.diag(p_t)).mean()) / 2
    dlogits = ((p_i - np.eye(n)) + (p_t - np.eye(n))) / (2 * n)
    dt = np.sum(dlogits * logits)
    dcos = dlogits * np.exp(t)
    dI = l2_normalize_backward(dcos @ T_e, I_e, I_n)
    dT = l2_normalize_backward(dcos.T @ I_e, T_e, T_n)
    return loss, (I.T @ dI, T.T @ dT, dt)
""", "clip_step")
CLIP.wrong(
    "t: derivative by the scale exp(t), not by t",
    ("dt = np.sum(dlogits * logits)", "dt = np.sum(dlogits * cos)"), named="dt.*factor exp_t is missing")
CLIP.wrong("W_i, W_t: the normalisation's projection is missing, only divided by the norm",
           ("(dy - y * np.sum(dy * y, axis=1, keepdims=True)) / norm", "dy / norm"),
       named=r"dQ.*the term 2 dsum_b\[n\] \* Q\[n, k\] is missing.*dP.*the term 2 dsum_a\[n\] \* P\[n, k\] is missing")
CLIP.wrong("everything: one direction only, the loss over the columns has no gradient",
           ("((p_i - np.eye(n)) + (p_t - np.eye(n)))", "(p_i - np.eye(n))"))
CLIP.wrong("two: W_t takes cosines not transposed; W_i is not divided by its norm",
           ("dcos.T @ I_e, T_e", "dcos @ I_e, T_e"), ("dcos @ T_e, I_e, I_n)", "dcos @ T_e, I_e, 1.0)"),
           named="db.*is transposed.*(da.*(stands where|times what|divided by)|sqrt_sum_a.*is missing)")


def focal():
    net = Network("focal_loss")
    N, D = net.sizes("N D")
    w, b, X, y = net.parameter("w", D), net.parameter("b"), net.input("X", N, D), net.input("y", N)
    z = net.define("z", X @ w + b)
    p = net.define("p", sigmoid(z))
    net.loss = mean(y * (1 - p) ** 2 * softplus(-z) + (1 - y) * p**2 * softplus(z))
    return net


FOCAL = Submission(focal, """
def focal(w, b, X, y, gamma=2):
    p = 1 / (1 + np.exp(-(X @ w + b)))
    pos = -(1 - p) ** gamma * np.log(p)
    neg = -p ** gamma * np.log(1 - p)
    loss = np.mean(y * pos + (1 - y) * neg)
    dpos = gamma * (1 - p) ** (gamma - 1) * np.log(p) - (1 - p) ** gamma / p
    dneg = -gamma * p ** (gamma - 1) * np.log(1 - p) + p ** gamma / (1 - p)
    dp = y * dpos + (1 - y) * dneg
    dz = dp * p * (1 - p) / len(y)
    return loss, {'w': dz @ X, 'b': dz.sum()}
""", "focal")
FOCAL.wrong(
    "w, b: the modulating factor is treated as a constant weight (its derivative is missing)",
    ("dpos = gamma * (1 - p) ** (gamma - 1) * np.log(p) - (1 - p) ** gamma / p", "dpos = -(1 - p) ** gamma / p"),
    ("dneg = -gamma * p ** (gamma - 1) * np.log(1 - p) + p ** gamma / (1 - p)", "dneg = p ** gamma / (1 - p)"),
    named="dz.*the term .*is missing")
FOCAL.wrong("w, b: the sigmoid's slope is missing", ("dz = dp * p * (1 - p) / len(y)", "dz = dp / len(y)"))
FOCAL.wrong("w, b: the plain cross-entropy's gradient", ("dz = dp * p * (1 - p) / len(y)", "dz = (p - y) / len(y)"))
FOCAL.wrong("w, b: a sign in the positives' modulating part", ("dpos = gamma * (1 - p)", "dpos = -gamma * (1 - p)"),
            named="dp.*wrong sign")


def smoothing():
    net = Network("smoothed_softmax")
    N, D, C = net.sizes("N D C")
    W, X, y = net.parameter("W", C, D), net.input("X", N, D), net.labels("y", N, classes=C)
    net.loss = mean(smoothed_cross_entropy(X @ W.T, y, Rational(1, 10)))
    return net


SMOOTHING = Submission(smoothing, """
class LabelSmoothing:
    def __init__(self, smoothing=0.1):
        self.eps = smoothing

    def __call__(self, logits, y):
        n, k = logits.shape
        shifted = logits - logits.max(axis=1, keepdims=True)
        self.logp = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        self.target = np.full((n, k), self.eps / k)
        self.target[np.arange(n), y] += 1 - self.eps
        return -(self.target * self.logp).sum() / n

    def backward(self):
        return (np.exp(self.logp) - self.target) / len(self.logp)

def step(W, X, y):
    criterion = LabelSmoothing()
    loss = criterion(X @ W.T, y)
    return loss, [criterion.backward().T @ X]
""", "step")
SMOOTHING.wrong("loss and W: the rest is shared among the other k - 1 classes only",
                ("np.full((n, k), self.eps / k)", "np.full((n, k), self.eps / (k - 1))"),
                ("self.target[np.arange(n), y] += 1 - self.eps", "self.target[np.arange(n), y] = 1 - self.eps"))
SMOOTHING.wrong("W: hard targets in the backward pass, the smoothing forgotten",
                ("(np.exp(self.logp) - self.target)", "(np.exp(self.logp) - (self.target > self.eps))"),
                named="dpre_loss.*(stands where|times what|divided by)")
SMOOTHING.wrong("W: averaged over the classes too (a mean over everything)", ("/ len(self.logp)", "/ self.logp.size"),
                named="dpre_loss.*division by C too many")


def robust():
    net = Network("huber_regression")
    N, D = net.sizes("N D")
    w, b, X, y, delta = (net.parameter("w", D), net.parameter("b"), net.input("X", N, D), net.input("y", N),
                         net.input("kappa"))
    net.loss = mean(huber(X @ w + b, y, delta))
    return net


ROBUST = Submission(robust, """
def huber_step(w, b, X, y, kappa):
    err = X @ w + b - y
    small = np.abs(err) <= kappa
    loss = np.where(small, 0.5 * err ** 2, kappa * (np.abs(err) - 0.5 * kappa)).mean()
    g = np.where(small, err, kappa * np.sign(err)) / len(y)
    return loss, {'w': X.T @ g, 'b': g.sum()}
""", "huber_step")
ROBUST.wrong(
    "w, b: the sign is forgotten on the linear part (err below -kappa)",
    ("kappa * np.sign(err)) / len", "kappa) / len"), named=r"dpre_loss.*the factor sign\(pre_loss\[n\]\) is missing")
ROBUST.wrong(
    "w, b: the linear part has slope 1, kappa is missing",
    ("kappa * np.sign(err)) / len", "np.sign(err)) / len"), named="dpre_loss.*the factor kappa is missing")
ROBUST.wrong("two: no clipping at all (squared error's gradient); b averaged once more",
             ("np.where(small, err, kappa * np.sign(err)) / len(y)", "err / len(y)"), ("'b': g.sum()", "'b': g.mean()"),
             named="dpre_loss.*is taken everywhere.*db.*the sum over n is a mean")


def cosine():
    net = Network("cosine_loss")
    N, D, K = net.sizes("N D K")
    W, X, Y = net.parameter("W", D, K), net.input("X", N, D), net.input("Y", N, K)
    net.loss = mean(1 - cosine_similarity(net.define("P", X @ W), Y))
    return net


COSINE = Submission(cosine, """
def cosine_loss(W, X, Y):
    grad, loss = np.zeros_like(W), 0.0
    for x, y in zip(X, Y):
        p = x @ W
        np_, ny = np.sqrt(p @ p), np.sqrt(y @ y)
        cos = p @ y / (np_ * ny)
        loss += (1 - cos) / len(X)
        dp = -(y / (np_ * ny) - cos * p / np_ ** 2)
        grad += np.outer(x, dp) / len(X)
    return loss, (grad,)
""", "cosine_loss")
COSINE.wrong(
    "W: the norm of the prediction is treated as a constant (second term missing)",
    (" - cos * p / np_ ** 2)", ")"), named=r"dP.*the term 2 dsum_loss\[n\] \* P\[n, k\] is missing")
COSINE.wrong("W: the second term is divided by the norm once, not twice", ("cos * p / np_ ** 2", "cos * p / np_"),
             named="dsum_loss.*lost its power")
COSINE.wrong("W: the target's norm is left out of the first term", ("(y / (np_ * ny) -", "(y / np_ -"),
             named=r"dsum_loss_3.*the factor 1 / sqrt_sum_loss_2\[n\] is missing")


def translation():
    net = Network("translation_embeddings")
    E, R, K, N = net.sizes("E R K N")
    ent, rel = net.parameter("ent", E, K), net.parameter("rel", R, K)
    h, r, t, c = (net.labels("h", N, classes=E), net.labels("r", N, classes=R), net.labels("t", N, classes=E),
                  net.labels("corrupt", N, classes=E))
    n, k = net.indices(n=N, k=K)
    pos = net.define("pos", Sum((ent[h[n], k] + rel[r[n], k] - ent[t[n], k]) ** 2, k), over=n)
    neg = net.define("neg", Sum((ent[h[n], k] + rel[r[n], k] - ent[c[n], k]) ** 2, k), over=n)
    net.loss = Sum(relu(1 + pos[n] - neg[n]), n)
    return net


TRANSLATION = Submission(translation, """
def transe(ent, rel, h, r, t, corrupt):
    d_pos = ent[h] + rel[r] - ent[t]
    d_neg = ent[h] + rel[r] - ent[corrupt]
    violation = 1 + (d_pos ** 2).sum(1) - (d_neg ** 2).sum(1)
    on = np.where(violation > 0, 2.0, 0.0)[:, None]
    dent, drel = np.zeros(ent.shape), np.zeros(rel.shape)
    np.add.at(dent, h, on * (d_pos - d_neg))
    np.add.at(drel, r, on * (d_pos - d_neg))
    np.subtract.at(dent, t, on * d_pos)
    np.add.at(dent, corrupt, on * d_neg)
    return np.maximum(violation, 0).sum(), {'ent': dent, 'rel': drel}
""", "transe")
TRANSLATION.wrong(
    "rel: relations that repeat are counted once",
    ("np.add.at(drel, r, on * (d_pos - d_neg))", "drel[r] += on * (d_pos - d_neg)"), named="drel.*is overwritten")
TRANSLATION.wrong("ent: the corrupted tails get nothing", ("    np.add.at(dent, corrupt, on * d_neg)\n", ""),
                  named="dent.*the term .*is missing")
TRANSLATION.wrong(
    "two: ent: the tail's sign is turned; rel: the negative triple is forgotten",
    ("np.subtract.at(dent, t, on * d_pos)", "np.add.at(dent, t, on * d_pos)"),
    ("np.add.at(drel, r, on * (d_pos - d_neg))", "np.add.at(drel, r, on * d_pos)"),
    named="dent.*wrong sign.*drel.*the term .*is missing")

SUBMISSIONS = [SIAMESE, TRIPLET, CLIP, FOCAL, SMOOTHING, ROBUST, COSINE, TRANSLATION]
