"""Probabilistic models and their kin: autoencoders, mixtures, factors, policies, logistic and Poisson regression."""

from sympy import KroneckerDelta, Sum, exp, log, pi

from derive import (
    Network,
    binary_cross_entropy,
    inverse,
    logdet,
    mean,
    poisson_nll,
    relu,
    softplus,
    total,
)

from .frame import Submission


def vae():
    net = Network("vae_homework")
    N, D, H, K = net.sizes("N D H K")
    We, be = net.parameter("We", D, H), net.parameter("be", H)
    Wmu, Wlv = net.parameter("Wmu", H, K), net.parameter("Wlv", H, K)
    Wd, bd = net.parameter("Wd", K, D), net.parameter("bd", D)
    X, eps = net.input("X", N, D), net.input("eps", N, K)
    Hd = net.define("Hd", relu(X @ We + be))
    mu, lv = net.define("mu", Hd @ Wmu), net.define("logvar", Hd @ Wlv)
    Z = net.define("Z", mu + exp(lv / 2) * eps)
    net.loss = (total(binary_cross_entropy(Z @ Wd + bd, X)) - total(1 + lv - mu**2 - exp(lv)) / 2) / N
    return net


VAE = Submission(vae, """
def elbo(We, be, Wmu, Wlv, Wd, bd, X, eps):
    batch = X.shape[0]
    h = np.maximum(X @ We + be, 0)
    mu = h @ Wmu
    logvar = h @ Wlv
    std = np.exp(0.5 * logvar)
    z = mu + std * eps
    x_logit = z @ Wd + bd
    bce = np.maximum(x_logit, 0) - x_logit * X + np.log1p(np.exp(-np.abs(x_logit)))
    kl = -0.5 * (1 + logvar - mu ** 2 - np.exp(logvar))
    loss = (bce.sum() + kl.sum()) / batch
    d_logit = (1 / (1 + np.exp(-x_logit)) - X) / batch
    dWd = z.T @ d_logit
    dbd = d_logit.sum(0)
    dz = d_logit @ Wd.T
    dmu = dz + mu / batch
    dlogvar = dz * eps * std * 0.5 + 0.5 * (np.exp(logvar) - 1) / batch
    dWmu = h.T @ dmu
    dWlv = h.T @ dlogvar
    dh = dmu @ Wmu.T + dlogvar @ Wlv.T
    dh = dh * (h > 0)
    return loss, dict(We=X.T @ dh, be=dh.sum(0), Wmu=dWmu, Wlv=dWlv, Wd=dWd, bd=dbd)
""", "elbo")
VAE.wrong("Wlv, We, be: the half of exp(logvar / 2) is missing on the reparametrisation's path",
          ("dz * eps * std * 0.5 +", "dz * eps * std +"), named="dlogvar: the factor 1/2 is missing")
VAE.wrong("Wmu, Wlv, We, be: the divergence is not divided by the batch",
          ("dmu = dz + mu / batch", "dmu = dz + mu"), ("(np.exp(logvar) - 1) / batch", "(np.exp(logvar) - 1)"))
VAE.wrong("Wlv, We, be: the noise is left out on the way back through the sample",
          ("dz * eps * std * 0.5", "dz * std * 0.5"), named=r"dlogvar.*the factor eps\[n, k\] is missing")
VAE.wrong("two: the KL's part in the mean is missing (Wmu); the encoder's hidden layer gets the mean's path only",
          ("dmu = dz + mu / batch", "dmu = dz"), ("dh = dmu @ Wmu.T + dlogvar @ Wlv.T", "dh = dmu @ Wmu.T"))


def gmm():
    net = Network("gmm_negative_log_likelihood")
    N, D, K = net.sizes("N D K")
    alpha, mu, ls, X = (net.parameter("alpha", K), net.parameter("mu", K, D), net.parameter("logsigma", K),
                        net.input("X", N, D))
    n, d, k = net.indices(n=N, d=D, k=K)
    r = net.define("r", Sum((X[n, d] - mu[k, d]) ** 2, d), over=(n, k))
    q = net.define("q", alpha[k] - log(Sum(exp(alpha[k]), k)) - r[n, k] * exp(-2 * ls[k]) / 2
                   - D * ls[k] - D * log(2 * pi) / 2, over=(n, k))
    net.loss = -Sum(log(Sum(exp(q[n, k]), k)), n)
    return net


GMM = Submission(gmm, """
def gmm_nll(alpha, mu, logsigma, X):
    N, D = X.shape
    pi = np.exp(alpha - alpha.max())
    pi /= pi.sum()
    sigma2 = np.exp(2 * logsigma)
    sq = ((X[:, None, :] - mu[None]) ** 2).sum(axis=2)
    log_comp = np.log(pi) - sq / (2 * sigma2) - 0.5 * D * np.log(2 * np.pi * sigma2)
    top = log_comp.max(axis=1, keepdims=True)
    log_px = top + np.log(np.exp(log_comp - top).sum(axis=1, keepdims=True))
    gamma = np.exp(log_comp - log_px)
    Nk = gamma.sum(axis=0)
    d_alpha = N * pi - Nk
    d_mu = (Nk[:, None] * mu - gamma.T @ X) / sigma2[:, None]
    d_logsigma = D * Nk - (gamma * sq).sum(axis=0) / sigma2
    return -log_px.sum(), (d_alpha, d_mu, d_logsigma)
""", "gmm_nll")
GMM.wrong(
    "alpha: the normalisation of the weights is forgotten, only the responsibilities' sum",
    ("d_alpha = N * pi - Nk", "d_alpha = -Nk"), named="dalpha.*the term .*is missing")
GMM.wrong(
    "logsigma: one dimension's constant for D dimensions (D missing)",
    ("d_logsigma = D * Nk -", "d_logsigma = Nk -"), named=r"dlogsigma.*the factor D of \-D is missing")
GMM.wrong("mu: hard assignments, each point counted for its most likely component only",
          ("d_mu = (Nk[:, None] * mu - gamma.T @ X)",
           "hard = np.eye(len(mu))[gamma.argmax(1)]\n    d_mu = (hard.sum(0)[:, None] * mu - hard.T @ X)"))
GMM.wrong(
    "two: mu is divided by sigma, not its square; logsigma is the derivative by the variance (factor)",
    ("/ sigma2[:, None]", "/ np.sqrt(sigma2)[:, None]"),
    ("d_logsigma = D * Nk - (gamma * sq).sum(axis=0) / sigma2",
     "d_logsigma = (D * Nk - (gamma * sq).sum(axis=0) / sigma2) / (2 * sigma2)"),
    named="dr: the root of exp_logsigma.* stands where.*dlogsigma.*(stands where|times what|divided by)")


def gaussian_fit():
    net = Network("factor_gaussian")
    D, K, N = net.sizes("D K N")
    W, t, X = net.parameter("W", D, K), net.parameter("t"), net.input("X", N, D)
    i, j, k, n = net.indices(i=D, j=D, k=K, n=N)

    C = net.define("C", Sum(W[i, k] * W[j, k], k) + exp(t) * KroneckerDelta(i, j), over=(i, j))
    net.positive_definite(C)
    S = net.define("S", Sum(X[n, i] * X[n, j], n) / N, over=(i, j))

    Q = net.define("Q", inverse(C))
    net.loss = N * (logdet(C) + Sum(Q[i, j] * S[j, i], i, j)) / 2
    return net


GAUSSIAN_FIT = Submission(gaussian_fit, """
def ppca_nll(W, t, X):
    N, D = X.shape
    S = X.T @ X / N
    C = W @ W.T + np.exp(t) * np.eye(D)
    Cinv = np.linalg.inv(C)
    nll = N / 2 * (np.linalg.slogdet(C)[1] + np.trace(Cinv @ S))
    G = N / 2 * (Cinv - Cinv @ S @ Cinv)
    return nll, {'W': 2 * G @ W, 't': np.exp(t) * np.trace(G)}
""", "ppca_nll")
GAUSSIAN_FIT.wrong("W: a factor 2 is missing, W stands in W W^T twice", ("'W': 2 * G @ W", "'W': G @ W"),
                   named="dW.*a factor 1/2 too many")
GAUSSIAN_FIT.wrong(
    "t: derivative by the variance, not by its logarithm (exp(t) missing)",
    ("np.exp(t) * np.trace(G)", "np.trace(G)"), named="dt.*the factor exp_t is missing")
GAUSSIAN_FIT.wrong("W, t: the trace's part has lost one inverse",
                   ("Cinv - Cinv @ S @ Cinv", "Cinv - Cinv @ S"),
                   named="dC.*is read where lam_Q should be.*dW.*is transposed")


def reinforce():
    net = Network("policy_gradient")
    N, D, H = net.sizes("N D H")
    W1, W2 = net.parameter("W1", H, D), net.parameter("W2", H)
    X, a, G = net.input("X", N, D), net.input("a", N), net.input("G", N)
    p = net.define("logit", relu(X @ W1.T) @ W2)
    net.loss = total(G * binary_cross_entropy(p, a))
    return net


REINFORCE = Submission(reinforce, """
def policy_forward(model, x):
    h = np.dot(model['W1'], x)
    h[h < 0] = 0
    logp = np.dot(model['W2'], h)
    return 1.0 / (1.0 + np.exp(-logp)), h

def policy_backward(model, epx, eph, epdlogp):
    dW2 = np.dot(eph.T, epdlogp).ravel()
    dh = np.outer(epdlogp, model['W2'])
    dh[eph <= 0] = 0
    dW1 = np.dot(dh.T, epx)
    return {'W1': dW1, 'W2': dW2}

def episode(W1, W2, X, a, G):
    model = {'W1': W1, 'W2': W2}
    ps, hs = zip(*[policy_forward(model, x) for x in X])
    ps, eph = np.array(ps), np.vstack(hs)
    epdlogp = (ps - a) * G
    return policy_backward(model, X, eph, epdlogp)
""", "episode")
REINFORCE.wrong("W1, W2: the reward is left out (plain imitation)", ("epdlogp = (ps - a) * G", "epdlogp = ps - a"),
                named=r"dlogit.*the factor G\[n\] is missing")
REINFORCE.wrong("W1, W2: ascent where descent belongs: the sign of everything", ("(ps - a) * G", "(a - ps) * G"),
                named="dlogit.*sign is wrong")
REINFORCE.wrong("W1: relu's mask is missing", ("    dh[eph <= 0] = 0\n", ""),
                named=r"dpre_logit.*mask \[pre_logit\[n, h\] > 0\] is missing")
REINFORCE.wrong("W1, W2: rewards are normalised (mean taken off, divided by their deviation) in the gradient",
                ("epdlogp = (ps - a) * G", "epdlogp = (ps - a) * (G - G.mean()) / G.std()"))


def signed_logistic():
    net = Network("signed_logistic")
    N, D = net.sizes("N D")
    w, X, y, lam = net.parameter("w", D), net.input("X", N, D), net.input("y", N), net.input("lam")
    net.loss = mean(softplus(-y * (X @ w))) + lam / 2 * total(w**2)
    return net


SIGNED_LOGISTIC = Submission(signed_logistic, """
def logistic_gradient(w, X, y, lam):
    g = np.zeros(w.shape)
    cost = 0
    for n in range(len(y)):
        margin = y[n] * X[n].dot(w)
        cost += np.log(1 + np.exp(-margin))
        g += -y[n] * X[n] / (1 + np.exp(margin))
    return cost / len(y) + lam / 2 * w.dot(w), (g / len(y) + lam * w,)
""", "logistic_gradient")
SIGNED_LOGISTIC.wrong(
    "w: the sigmoid of +margin where -margin belongs",
    ("(1 + np.exp(margin))", "(1 + np.exp(-margin))"),
    named=r"dpre_loss: the sign of -pre_loss\[n\] is wrong")
SIGNED_LOGISTIC.wrong(
    "w: the gradient for labels 0 and 1",
    ("-y[n] * X[n] / (1 + np.exp(margin))", "(1 / (1 + np.exp(-X[n].dot(w))) - y[n]) * X[n]"))
SIGNED_LOGISTIC.wrong("two: the regulariser doubled; the factor y missing from the gradient",
                      ("+ lam * w,)", "+ 2 * lam * w,)"), ("g += -y[n] * X[n]", "g += -X[n]"),
                      named=r"dw: the factor y\[n\] is missing.*the term lam \* w\[d\] is doubled")


def factors():
    net = Network("rating_factors")
    R, U, I, K = net.sizes("R U I K")
    P, Q, mu = net.parameter("P", U, K), net.parameter("Q", I, K), net.parameter("bu", U)
    users, items = net.labels("users", R, classes=U), net.labels("items", R, classes=I)
    r, lam = net.input("ratings", R), net.input("lam")
    n, k = net.indices(n=R, k=K)
    e = net.define("e", r[n] - mu[users[n]] - Sum(P[users[n], k] * Q[items[n], k], k), over=n)
    net.loss = total(e**2) / 2 + lam / 2 * (total(P**2) + total(Q**2))
    return net


FACTORS = Submission(factors, """
def full_gradient(P, Q, bu, users, items, ratings, lam):
    dP, dQ, dbu = lam * P, lam * Q, np.zeros_like(bu)
    loss = lam / 2 * (np.sum(P ** 2) + np.sum(Q ** 2))
    for u, i, r in zip(users, items, ratings):
        e = r - bu[u] - P[u] @ Q[i]
        loss += e ** 2 / 2
        dP[u] -= e * Q[i]
        dQ[i] -= e * P[u]
        dbu[u] -= e
    return loss, (dP, dQ, dbu)
""", "full_gradient")
FACTORS.wrong(
    "P, Q: the regulariser is applied once for every rating",
    ("dP[u] -= e * Q[i]", "dP[u] -= e * Q[i] - lam * P[u]"),
    ("dQ[i] -= e * P[u]", "dQ[i] -= e * P[u] - lam * Q[i]"),
    ("dP, dQ, dbu = lam * P, lam * Q,", "dP, dQ, dbu = 0 * P, 0 * Q,"))
FACTORS.wrong("Q: uses the gradient's already updated P in place of the old (dP where P belongs)",
              ("dQ[i] -= e * P[u]", "dQ[i] -= e * (P[u] - 0.1 * dP[u])"))
FACTORS.wrong("bu: only the last rating of each user (overwritten)", ("dbu[u] -= e", "dbu[u] = -e"),
              named="dbu.*is overwritten")


def poisson():
    net = Network("poisson_regression")
    N, D = net.sizes("N D")
    w, b = net.parameter("w", D), net.parameter("b")
    X, y, lam = net.input("X", N, D), net.input("y", N), net.input("lam")
    net.loss = mean(poisson_nll(X @ w + b, y)) + lam / 2 * total(w**2)
    return net


POISSON = Submission(poisson, """
def poisson_fit_step(w, b, X, y, lam):
    X = X.astype(np.float32)
    w32, y32 = w.astype(np.float32), y.astype(np.float32)
    rate = np.exp(X @ w32 + np.float32(b))
    loss = np.mean(rate - y32 * np.log(rate)) + 0.5 * lam * (w32 @ w32)
    resid = (rate - y32) / np.float32(len(y))
    return loss, (X.T @ resid + np.float32(lam) * w32, resid.sum())
""", "poisson_fit_step")
POISSON.wrong("w, b: the logarithm's residual: rate and count compared in the log (log rate - count)",
              ("resid = (rate - y32)", "resid = (np.log(rate) - y32)"),
              named="dpre_loss.*is read where exp_pre_loss should be")
POISSON.wrong("w, b: the residual is multiplied by the rate once more (chain rule applied twice)",
              ("resid = (rate - y32)", "resid = (rate - y32) * rate"),
              named="the factor rate does not belong there")

SUBMISSIONS = [VAE, GMM, GAUSSIAN_FIT, REINFORCE, SIGNED_LOGISTIC, FACTORS, POISSON]
