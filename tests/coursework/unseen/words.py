"""Words and language: word vectors, tied embeddings, attention heads, a character model differentiated by hand."""

from sympy import Rational, Sum, exp, log, sqrt, tanh

from derive import Network, cross_entropy, gelu_tanh, log_softmax, mean, relu, sigmoid, softmax, total

from .frame import Submission


def naive_softmax():
    net = Network("naive_softmax")
    V, D, M = net.sizes("V D M")
    center, outside = net.parameter("centerVecs", V, D), net.parameter("outsideVecs", V, D)
    c, o = net.labels("c", classes=V), net.labels("o", M, classes=V)
    v, d, m = net.indices(v=V, d=D, m=M)
    s = net.define("s", Sum(outside[v, d] * center[c, d], d), over=v)
    net.loss = M * log(Sum(exp(s[v]), v)) - Sum(s[o[m]], m)
    return net


NAIVE_SOFTMAX = Submission(naive_softmax, """
def softmax(x):
    e = np.exp(x - np.max(x))
    return e / e.sum()

def naiveSoftmaxLossAndGradient(centerWordVec, outsideWordIdx, outsideVectors):
    y_hat = softmax(outsideVectors @ centerWordVec)
    loss = -np.log(y_hat[outsideWordIdx])
    delta = y_hat.copy()
    delta[outsideWordIdx] -= 1
    gradCenterVec = outsideVectors.T @ delta
    gradOutsideVecs = np.outer(delta, centerWordVec)
    return loss, gradCenterVec, gradOutsideVecs

def skipgram(centerVecs, outsideVecs, c, o):
    loss = 0.0
    gradCenter, gradOutside = np.zeros(centerVecs.shape), np.zeros(outsideVecs.shape)
    for word in o:
        l, gc, go = naiveSoftmaxLossAndGradient(centerVecs[c], word, outsideVecs)
        loss += l
        gradCenter[c] += gc
        gradOutside += go
    return loss, (gradCenter, gradOutside)
""", "skipgram")
NAIVE_SOFTMAX.wrong("centerVecs: assigned, not added up over the window: only the last outside word counts",
                    ("gradCenter[c] += gc", "gradCenter[c] = gc"))
NAIVE_SOFTMAX.wrong("outsideVecs: only the true word's row gets a gradient, the rest of the softmax is missing",
                    ("gradOutside += go", "gradOutside[word] += go[word]"))
NAIVE_SOFTMAX.wrong("centerVecs: only -u_o, the expectation over all words is missing",
                    ("gradCenterVec = outsideVectors.T @ delta", "gradCenterVec = -outsideVectors[outsideWordIdx]"),
                    named=r"dcenterVecs.*the term M \* softmax\(s\)\[v2\] is missing")
NAIVE_SOFTMAX.wrong("everything: averaged over the window where the loss is a sum (divided by M)",
                    ("    return loss, (gradCenter, gradOutside)",
                     "    return loss, (gradCenter / len(o), gradOutside / len(o))"),
                    named="ds.*division by M too many")


def negative_sampling():
    net = Network("negative_sampling")
    V, D, K = net.sizes("V D K")
    U, v = net.parameter("outsideVecs", V, D), net.parameter("v", D)
    o, neg = net.labels("o", classes=V), net.labels("neg", K, classes=V)
    k, d = net.indices(k=K, d=D)
    net.loss = -log(sigmoid(Sum(U[o, d] * v[d], d))) - Sum(log(sigmoid(-Sum(U[neg[k], d] * v[d], d))), k)
    return net


NEGATIVE_SAMPLING = Submission(negative_sampling, """
def sigmoid(x):
    return 1 / (1 + np.exp(-x))

def negSamplingLossAndGradient(outsideVecs, v, o, neg):
    indices = [o] + list(neg)
    gradCenterVec = np.zeros_like(v)
    gradOutsideVecs = np.zeros_like(outsideVecs)
    u_o = outsideVecs[o]
    z = sigmoid(np.dot(u_o, v))
    loss = -np.log(z)
    gradCenterVec += u_o * (z - 1)
    gradOutsideVecs[o] += v * (z - 1)
    for k in indices[1:]:
        u_k = outsideVecs[k]
        z = sigmoid(-np.dot(u_k, v))
        loss -= np.log(z)
        gradCenterVec -= u_k * (z - 1)
        gradOutsideVecs[k] -= v * (z - 1)
    return loss, {'v': gradCenterVec, 'outsideVecs': gradOutsideVecs}
""", "negSamplingLossAndGradient")
NEGATIVE_SAMPLING.wrong("outsideVecs: a negative word drawn twice is counted once (overwritten)",
                        ("gradOutsideVecs[k] -= v * (z - 1)", "gradOutsideVecs[k] = -v * (z - 1)"),
                        named="doutsideVecs.*is overwritten")
NEGATIVE_SAMPLING.wrong("v, outsideVecs: the sign of the negative words' part",
                        ("gradCenterVec -= u_k * (z - 1)", "gradCenterVec += u_k * (z - 1)"),
                        ("gradOutsideVecs[k] -= v * (z - 1)", "gradOutsideVecs[k] += v * (z - 1)"),
                        named="dpre_loss.*sign is wrong")
NEGATIVE_SAMPLING.wrong("v, outsideVecs: z of the negative words' sigmoid where 1 - z belongs (sigma(-s) for sigma(s))",
                        ("gradCenterVec -= u_k * (z - 1)", "gradCenterVec += u_k * z"),
                        ("gradOutsideVecs[k] -= v * (z - 1)", "gradOutsideVecs[k] += v * z"))
NEGATIVE_SAMPLING.wrong("two: v lacks the negative words; the true word's row has the sign turned",
                        ("        gradCenterVec -= u_k * (z - 1)\n", ""),
                        ("gradOutsideVecs[o] += v * (z - 1)", "gradOutsideVecs[o] -= v * (z - 1)"),
                        named="dpre_loss_2.*sign is wrong.*dv.*the term .*is missing")


def makemore():
    net = Network("makemore_mlp")
    N, B, V, E, H = net.sizes("N B V E H")
    F = net.size("F", B * E)
    C, W1, b1 = net.parameter("C", V, E), net.parameter("W1", F, H), net.parameter("b1", H)
    gain, bias = net.parameter("bngain", H), net.parameter("bnbias", H)
    W2, b2 = net.parameter("W2", H, V), net.parameter("b2", V)
    Xb, Yb = net.labels("Xb", N, B, classes=V), net.labels("Yb", N, classes=V)
    n, p, e, h = net.indices(n=N, p=B, e=E, h=H)
    hpre = net.define("hpre", Sum(C[Xb[n, p], e] * W1[p * E + e, h], p, e) + b1[h], over=(n, h))
    diff = net.define("diff", hpre - mean(hpre, axis=0))
    var = net.define("bnvar", total(diff**2, axis=0) / (N - 1))
    A = net.define("A", tanh(gain * diff / sqrt(var + Rational(1, 100000)) + bias))
    net.loss = mean(cross_entropy(A @ W2 + b2, Yb))
    return net


MAKEMORE = Submission(makemore, """
def manual(C, W1, b1, bngain, bnbias, W2, b2, Xb, Yb):
    n = Xb.shape[0]
    emb = C[Xb]
    embcat = emb.reshape(n, -1)
    hprebn = embcat @ W1 + b1
    bnmeani = 1 / n * hprebn.sum(0, keepdims=True)
    bndiff = hprebn - bnmeani
    bndiff2 = bndiff ** 2
    bessel = n - 1
    bnvar = 1 / bessel * bndiff2.sum(0, keepdims=True)
    bnvar_inv = (bnvar + 1e-5) ** -0.5
    bnraw = bndiff * bnvar_inv
    hpreact = bngain * bnraw + bnbias
    h = np.tanh(hpreact)
    logits = h @ W2 + b2
    norm_logits = logits - logits.max(1, keepdims=True)
    counts = np.exp(norm_logits)
    counts_sum_inv = counts.sum(1, keepdims=True) ** -1
    probs = counts * counts_sum_inv
    logprobs = np.log(probs)
    loss = -logprobs[np.arange(n), Yb].mean()

    dlogprobs = np.zeros_like(logprobs)
    dlogprobs[np.arange(n), Yb] = -1.0 / n
    dprobs = (1.0 / probs) * dlogprobs
    dcounts_sum_inv = (counts * dprobs).sum(1, keepdims=True)
    dcounts = counts_sum_inv * dprobs
    dcounts += -counts_sum_inv ** 2 * dcounts_sum_inv
    dlogits = counts * dcounts
    dh = dlogits @ W2.T
    dW2 = h.T @ dlogits
    db2 = dlogits.sum(0)
    dhpreact = (1.0 - h ** 2) * dh
    dbngain = (bnraw * dhpreact).sum(0)
    dbnbias = dhpreact.sum(0)
    dbnraw = bngain * dhpreact
    dbndiff = bnvar_inv * dbnraw
    dbnvar_inv = (bndiff * dbnraw).sum(0, keepdims=True)
    dbnvar = -0.5 * (bnvar + 1e-5) ** -1.5 * dbnvar_inv
    dbndiff2 = 1.0 / bessel * np.ones_like(bndiff2) * dbnvar
    dbndiff += 2 * bndiff * dbndiff2
    dhprebn = dbndiff.copy()
    dbnmeani = (-dbndiff).sum(0)
    dhprebn += 1.0 / n * (np.ones_like(hprebn) * dbnmeani)
    dembcat = dhprebn @ W1.T
    dW1 = embcat.T @ dhprebn
    db1 = dhprebn.sum(0)
    demb = dembcat.reshape(emb.shape)
    dC = np.zeros_like(C)
    for k in range(Xb.shape[0]):
        for j in range(Xb.shape[1]):
            dC[Xb[k, j]] += demb[k, j]
    return loss, {'C': dC, 'W1': dW1, 'b1': db1, 'bngain': dbngain, 'bnbias': dbnbias, 'W2': dW2, 'b2': db2}
""", "manual")
MAKEMORE.wrong("C, W1: the variance is divided by n going back, by n - 1 going forward (Bessel's correction lost)",
               ("dbndiff2 = 1.0 / bessel", "dbndiff2 = 1.0 / n"), named=r"ddiff.*the term \-1 is missing")
MAKEMORE.wrong("C, W1, b1: the path through the mean is missing (b1 is 0 truly)",
               ("    dhprebn += 1.0 / n * (np.ones_like(hprebn) * dbnmeani)\n", ""),
               named=r"dhpre.*the term \-1/N sum_n ddiff\[n, h\] is missing")
MAKEMORE.wrong("C: a character that occurs twice is overwritten", ("dC[Xb[k, j]] += demb", "dC[Xb[k, j]] = demb"),
               named="dC.*is overwritten")
MAKEMORE.wrong("everything below the loss: the softmax's denominator is treated as a constant",
               ("    dcounts += -counts_sum_inv ** 2 * dcounts_sum_inv\n", ""),
               named=r"dpre_loss.*the term softmax\(pre_loss\)\[n, v\] is missing")
MAKEMORE.wrong("two: C, W1 - the inverse deviation's power is -0.5 for -1.5; bngain takes diff, not the normalised",
               ("(bnvar + 1e-5) ** -1.5", "(bnvar + 1e-5) ** -0.5"), ("(bnraw * dhpreact)", "(bndiff * dhpreact)"))


def tied():
    net = Network("tied_language_model")
    V, D, N = net.sizes("V D N")
    E, W, b = net.parameter("E", V, D), net.parameter("W", D, D), net.parameter("b", V)
    x, y = net.labels("x", N, classes=V), net.labels("y", N, classes=V)
    n, d = net.indices(n=N, d=D)
    X = net.define("X", E[x[n], d], over=(n, d))
    H = net.define("H", gelu_tanh(X @ W))
    net.loss = mean(cross_entropy(H @ E.T + b, y))
    return net


TIED = Submission(tied, """
GELU_C = np.sqrt(2 / np.pi)

def gelu_forward(x):
    return 0.5 * x * (1 + np.tanh(GELU_C * (x + 0.044715 * x ** 3)))

def gelu_backward(x, dy):
    t = np.tanh(GELU_C * (x + 0.044715 * x ** 3))
    sech2 = 1 - t ** 2
    return dy * (0.5 * (1 + t) + 0.5 * x * sech2 * GELU_C * (1 + 3 * 0.044715 * x ** 2))

def loss_and_grads(E, W, b, x, y):
    n = x.size
    wte = E[x]
    pre = wte @ W
    h = gelu_forward(pre)
    logits = h @ E.T + b
    logits -= logits.max(axis=-1, keepdims=True)
    logp = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    loss = -logp[np.arange(n), y].mean()
    dlogits = np.exp(logp)
    dlogits[np.arange(n), y] -= 1
    dlogits /= n
    db = dlogits.sum(axis=0)
    dE = dlogits.T @ h
    dpre = gelu_backward(pre, dlogits @ E)
    dW = wte.T @ dpre
    np.add.at(dE, x, dpre @ W.T)
    return loss, {'E': dE, 'W': dW, 'b': db}
""", "loss_and_grads")
TIED.wrong("E: only its use as the output layer counts, the embedding's part is missing",
           ("    np.add.at(dE, x, dpre @ W.T)\n", ""), named="dE.*the term .*is missing")
TIED.wrong("E, W: gelu's slope lacks the factor 3 of the cube", ("(1 + 3 * 0.044715", "(1 + 0.044715"),
           named="dsum_H: the factor 3 of .* is missing")
TIED.wrong("E, W: gelu's slope lacks its second term, x times the slope of the tanh",
           ("dy * (0.5 * (1 + t) + 0.5 * x * sech2 * GELU_C * (1 + 3 * 0.044715 * x ** 2))", "dy * 0.5 * (1 + t)"),
           named="dpre_H.*nothing is sent back")
TIED.wrong("two: gelu's slope uses tanh, not 1 - tanh^2; repeated tokens are dropped in E",
           ("sech2 = 1 - t ** 2", "sech2 = 1 - t"), ("np.add.at(dE, x, dpre @ W.T)", "dE[x] += dpre @ W.T"),
           named=r"dpre_H.*the derivative is taken to be 1 \- tanh_pre_H.*dE.*is overwritten")


def bag():
    net = Network("embedding_bag")
    V, E, C, N, L = net.sizes("V E C N L")
    emb, W, b = net.parameter("emb", V, E), net.parameter("W", C, E), net.parameter("b", C)
    words, y = net.labels("words", N, L, classes=V), net.labels("y", N, classes=C)
    n, p, e = net.indices(n=N, p=L, e=E)
    H = net.define("H", relu(Sum(emb[words[n, p], e], p) / L), over=(n, e))
    net.loss = mean(cross_entropy(H @ W.T + b, y))
    return net


BAG = Submission(bag, """
def fasttext_step(emb, W, b, words, y):
    N, L = words.shape
    grads = (np.zeros_like(emb), np.zeros_like(W), np.zeros_like(b))
    loss = 0
    for doc, label in zip(words, y):
        pooled = sum(emb[w] for w in doc) / L
        hidden = np.where(pooled > 0, pooled, 0)
        logits = W @ hidden + b
        p = np.exp(logits - logits.max())
        p /= p.sum()
        loss -= np.log(p[label]) / N
        err = p - (np.arange(len(b)) == label)
        grads[2][:] += err / N
        grads[1][:] += np.outer(err, hidden) / N
        dpooled = (W.T @ err) * (pooled > 0) / N
        for w in doc:
            grads[0][w] += dpooled / L
    return loss, grads
""", "fasttext_step")
BAG.wrong("emb: not divided by the number of words (the mean's 1/L missing)", ("+= dpooled / L", "+= dpooled"),
          named="demb.*mean's 1/L is missing")
BAG.wrong(
    "emb: a word that comes twice in a document counts once",
    ("for w in doc:\n            grads", "for w in set(doc.tolist()):\n            grads"),
    named="demb.*is overwritten")
BAG.wrong("two: emb without relu's mask; W not divided by N",
          (" * (pooled > 0) / N", " / N"), ("np.outer(err, hidden) / N", "np.outer(err, hidden)"),
          named=r"dpre_H.*mask \[pre_H\[n, e\] > 0\] is missing.*dW.*mean's 1/N is missing")


def distillation():
    net = Network("distillation")
    N, D, C = net.sizes("N D C")
    W, b = net.parameter("W", D, C), net.parameter("b", C)
    X, teacher, y = net.input("X", N, D), net.input("teacher", N, C), net.labels("y", N, classes=C)
    Z = net.define("Z", X @ W + b)
    q = net.define("q", softmax(teacher / 4))
    soft = -total(q * log_softmax(Z / 4)) / N
    net.loss = 16 * soft * Rational(7, 10) + mean(cross_entropy(Z, y)) * Rational(3, 10)
    return net


DISTILLATION = Submission(distillation, """
T, ALPHA = 4.0, 0.7

def log_softmax(z):
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))

def kd_loss(W, b, X, teacher, y):
    n = len(X)
    student = X @ W + b
    target = np.exp(log_softmax(teacher / T))
    soft = -(target * log_softmax(student / T)).sum() / n * T ** 2
    hard = -log_softmax(student)[np.arange(n), y].sum() / n
    d_soft = (np.exp(log_softmax(student / T)) - target) / n * T
    d_hard = np.exp(log_softmax(student))
    d_hard[np.arange(n), y] -= 1
    d = ALPHA * d_soft + (1 - ALPHA) * d_hard / n
    return ALPHA * soft + (1 - ALPHA) * hard, (X.T @ d, d.sum(axis=0))
""", "kd_loss")
DISTILLATION.wrong("W, b: the soft part is multiplied by T^2, the temperature's inner 1/T forgotten",
                   ("- target) / n * T\n", "- target) / n * T ** 2\n"))
DISTILLATION.wrong("W, b: the soft part's softmax is taken without the temperature",
                   ("(np.exp(log_softmax(student / T)) - target)", "(np.exp(log_softmax(student)) - target)"))
DISTILLATION.wrong(
    "W, b: the two weights are swapped",
    ("d = ALPHA * d_soft + (1 - ALPHA) * d_hard", "d = (1 - ALPHA) * d_soft + ALPHA * d_hard"))

SUBMISSIONS = [NAIVE_SOFTMAX, NEGATIVE_SAMPLING, MAKEMORE, TIED, BAG, DISTILLATION]
