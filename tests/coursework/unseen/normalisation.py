"""Normalisation: of batches, layers, groups, weights and root mean squares, in layers as pairs and in classes."""

from sympy import Rational, Sum, exp, sqrt

from derive import Network, cross_entropy, mean, silu, total

from .frame import Submission

EPSILON = Rational(1, 100000)


def batchnorm():
    net = Network("batchnorm_layer")
    N, D = net.sizes("N D")
    x, gamma, beta = net.parameter("x", N, D), net.parameter("gamma", D), net.parameter("beta", D)
    dout = net.input("dout", N, D)
    R = net.define("R", x - mean(x, axis=0))
    v = net.define("v", mean(R**2, axis=0))
    Y = net.define("Y", gamma * R / sqrt(v + EPSILON) + beta)
    net.loss = total(dout * Y)
    return net


BATCHNORM = Submission(batchnorm, """
def batchnorm_forward(x, gamma, beta, eps=1e-5):
    N, D = x.shape
    mu = 1. / N * np.sum(x, axis=0)
    xmu = x - mu
    sq = xmu ** 2
    var = 1. / N * np.sum(sq, axis=0)
    sqrtvar = np.sqrt(var + eps)
    ivar = 1. / sqrtvar
    xhat = xmu * ivar
    out = gamma * xhat + beta
    return out, (xhat, gamma, xmu, ivar, sqrtvar, var, eps)

def batchnorm_backward(dout, cache):
    xhat, gamma, xmu, ivar, sqrtvar, var, eps = cache
    N, D = dout.shape
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * xhat, axis=0)
    dxhat = dout * gamma
    divar = np.sum(dxhat * xmu, axis=0)
    dxmu1 = dxhat * ivar
    dsqrtvar = -1. / (sqrtvar ** 2) * divar
    dvar = 0.5 * 1. / np.sqrt(var + eps) * dsqrtvar
    dsq = 1. / N * np.ones((N, D)) * dvar
    dxmu2 = 2 * xmu * dsq
    dx1 = dxmu1 + dxmu2
    dmu = -1 * np.sum(dxmu1 + dxmu2, axis=0)
    dx2 = 1. / N * np.ones((N, D)) * dmu
    return dx1 + dx2, dgamma, dbeta
""", ("batchnorm_forward", "batchnorm_backward"))
BATCHNORM.wrong("x: the path through the variance is missing",
                ("dx1 = dxmu1 + dxmu2", "dx1 = dxmu1"), ("np.sum(dxmu1 + dxmu2, axis=0)", "np.sum(dxmu1, axis=0)"),
                named="dv: nothing is sent back through it")
BATCHNORM.wrong("x: the path through the mean has lost its minus sign", ("dmu = -1 * np.sum", "dmu = np.sum"),
                named="dx.*wrong sign")
BATCHNORM.wrong("x: the variance's path has lost the 2 of the square", ("dxmu2 = 2 * xmu", "dxmu2 = xmu"),
                named=r"dR.*the factor 2 of 2/N dv\[d\] \* R\[n, d\] is missing")
BATCHNORM.wrong("x: gamma is left out of dx (the scale ignored)", ("dxhat = dout * gamma", "dxhat = dout"),
                named="dR.*is divided by gamma")
BATCHNORM.wrong("two: gamma's gradient takes the centred, not the normalised x; x's mean path not divided by N",
                ("np.sum(dout * xhat, axis=0)", "np.sum(dout * xmu, axis=0)"),
                ("dx2 = 1. / N * np.ones", "dx2 = np.ones"),
           named=r"dgamma.*the factor 1 / sqrt_v\[d\] is missing.*dx.*mean's 1/N of \-1/N sum_n dR\[n, d\] is missing")


def layernorm():
    net = Network("layernorm_layer")
    N, D = net.sizes("N D")
    x, gamma, beta = net.parameter("x", N, D), net.parameter("gamma", D), net.parameter("beta", D)
    dout = net.input("dout", N, D)
    R = net.define("R", x - mean(x, axis=1, keepdims=True))
    v = net.define("v", mean(R**2, axis=1, keepdims=True))
    Y = net.define("Y", gamma * R / sqrt(v + EPSILON) + beta)
    net.loss = total(dout * Y)
    return net


LAYERNORM = Submission(layernorm, """
def layernorm_forward(x, gamma, beta):
    xt = x.T
    mean = xt.mean(axis=0)
    std = np.sqrt(xt.var(axis=0) + 1e-5)
    xhat = ((xt - mean) / std).T
    return gamma * xhat + beta, {'xhat': xhat, 'std': std, 'gamma': gamma}

def layernorm_backward(dout, cache):
    xhat, std, gamma = cache['xhat'], cache['std'], cache['gamma']
    N, D = dout.shape
    dbeta = dout.sum(axis=0)
    dgamma = (dout * xhat).sum(axis=0)
    g = (dout * gamma).T
    h = xhat.T
    dx = (D * g - g.sum(axis=0) - h * (g * h).sum(axis=0)) / (D * std)
    return dx.T, dgamma, dbeta
""", ("layernorm_forward", "layernorm_backward"))
LAYERNORM.wrong(
    "x: N where the layer's size D belongs",
    ("dx = (D * g -", "dx = (N * g -"),
    ("/ (D * std)", "/ (N * std)"))
LAYERNORM.wrong("x: the normalisation's sums are over the batch, not over the layer (batchnorm's formula)",
                ("g.sum(axis=0) - h", "g.sum(axis=1, keepdims=True) - h"),
                ("(g * h).sum(axis=0)) /", "(g * h).sum(axis=1, keepdims=True)) /"))
LAYERNORM.wrong("x: gamma applied after the normalisation's backward, outside the sums",
                ("g = (dout * gamma).T", "g = dout.T"), ("return dx.T, dgamma", "return dx.T * gamma, dgamma"))


def groupnorm():
    net = Network("groupnorm_layer")
    N, M, H, W = net.sizes("N M H W")
    C = net.size("C", 2 * M)
    x, gamma, beta = net.parameter("x", N, C, H, W), net.parameter("gamma", C), net.parameter("beta", C)
    dout = net.input("dout", N, C, H, W)
    n, g, m, h, w = net.indices(n=N, g=2, m=M, h=H, w=W)
    mu = net.define("mu", Sum(x[n, g * M + m, h, w], m, h, w) / (M * H * W), over=(n, g))
    R = net.define("R", x[n, g * M + m, h, w] - mu[n, g], over=(n, g, m, h, w))
    v = net.define("v", Sum(R[n, g, m, h, w] ** 2, m, h, w) / (M * H * W), over=(n, g))
    U = net.define("U", R[n, g, m, h, w] / sqrt(v[n, g] + EPSILON), over=(n, g, m, h, w))
    Y = gamma[g * M + m] * U[n, g, m, h, w] + beta[g * M + m]
    net.loss = Sum(dout[n, g * M + m, h, w] * Y, n, g, m, h, w)
    return net


GROUPNORM = Submission(groupnorm, """
def spatial_groupnorm_forward(x, gamma, beta, G=2, eps=1e-5):
    N, C, H, W = x.shape
    x_group = x.reshape((N, G, C // G, H, W))
    mean = x_group.mean(axis=(2, 3, 4), keepdims=True)
    var = x_group.var(axis=(2, 3, 4), keepdims=True)
    x_norm = ((x_group - mean) / np.sqrt(var + eps)).reshape(N, C, H, W)
    out = x_norm * gamma[None, :, None, None] + beta[None, :, None, None]
    return out, (x, x_norm, gamma, mean, var, G, eps)

def spatial_groupnorm_backward(dout, cache):
    x, x_norm, gamma, mean, var, G, eps = cache
    N, C, H, W = dout.shape
    size = C // G * H * W
    dbeta = dout.sum(axis=(0, 2, 3))
    dgamma = (dout * x_norm).sum(axis=(0, 2, 3))
    dx_norm = (dout * gamma.reshape(1, C, 1, 1)).reshape(N, G, C // G, H, W)
    xc = x.reshape(N, G, C // G, H, W) - mean
    dvar = (dx_norm * xc * -0.5 * (var + eps) ** -1.5).sum(axis=(2, 3, 4), keepdims=True)
    dmean = (-dx_norm / np.sqrt(var + eps)).sum(axis=(2, 3, 4), keepdims=True)
    dx = dx_norm / np.sqrt(var + eps) + dvar * 2 * xc / size + dmean / size
    return dx.reshape(N, C, H, W), dgamma, dbeta
""", ("spatial_groupnorm_forward", "spatial_groupnorm_backward"))
GROUPNORM.wrong("x: divided by the number of channels of a group only, not by all entries (H W forgotten)",
                ("size = C // G * H * W", "size = C // G"), named="dx.*H W times what it should be")
GROUPNORM.wrong("two: x lacks the path through the mean; beta not summed over images properly (averaged)",
                (" + dmean / size", ""), ("dbeta = dout.sum(axis=(0, 2, 3))", "dbeta = dout.mean(axis=(0, 2, 3))"),
                named=r"dbeta.*division by \(H N W\) too many.*dx.*the term 1/\(M H W\) dmu\[n, g\] is missing")
GROUPNORM.wrong("x: the power of the variance is -1/2 where -3/2 belongs", ("** -1.5", "** -0.5"),
                named=r"dv.*the factor 1 / \(v\[n, g\] \+ 1e\-5\) is missing")


def weight_norm():
    net = Network("weight_normalised")
    N, D, K = net.sizes("N D K")
    V, g, b = net.parameter("V", K, D), net.parameter("g", K), net.parameter("b", K)
    X, y = net.input("X", N, D), net.labels("y", N, classes=K)
    k, d, n = net.indices(k=K, d=D, n=N)
    r = net.define("r", sqrt(Sum(V[k, d] ** 2, d)), over=k)
    z = net.define("z", g[k] * Sum(X[n, d] * V[k, d], d) / r[k] + b[k], over=(n, k))
    net.loss = mean(cross_entropy(z, y))
    return net


WEIGHT_NORM = Submission(weight_norm, """
class WeightNormLinear:
    def __init__(self, V, g, b):
        self.V, self.g, self.b = V, g, b
        self.norm = np.linalg.norm(V, axis=1)

    def forward(self, x):
        self.x = x
        self.W = (self.g / self.norm)[:, None] * self.V
        return x @ self.W.T + self.b

    def backward(self, dout):
        dW = dout.T @ self.x
        dg = (dW * self.V).sum(axis=1) / self.norm
        dV = (self.g / self.norm)[:, None] * dW - (self.g * dg / self.norm ** 2)[:, None] * self.V
        return dV, dg, dout.sum(axis=0)

def run(V, g, b, X, y):
    layer = WeightNormLinear(V, g, b)
    z = layer.forward(X)
    z = z - z.max(1)[:, None]
    lp = z - np.log(np.exp(z).sum(1))[:, None]
    d = np.exp(lp)
    d[np.arange(len(y)), y] -= 1
    return -lp[np.arange(len(y)), y].mean(), layer.backward(d / len(y))
""", "run")
WEIGHT_NORM.wrong("V: the norm is treated as a constant, its path is missing",
                  (" - (self.g * dg / self.norm ** 2)[:, None] * self.V", ""),
                  named=r"dV.*the term 2 dsum_r\[k\] \* V\[k, d\] is missing")
WEIGHT_NORM.wrong(
    "g: not divided by the norm (V too, through dg)",
    ("dg = (dW * self.V).sum(axis=1) / self.norm", "dg = (dW * self.V).sum(axis=1)"),
    named=r"dg.*the factor 1 / r\[k\] is missing")
WEIGHT_NORM.wrong("V: the second term is divided by the norm once only", ("/ self.norm ** 2)", "/ self.norm)"),
                  named=r"dsum_r.*the factor 1 / r\[k\] is missing")


def gated():
    net = Network("glu_mlp")
    N, D, H = net.sizes("N D H")
    Wg, Wu, Wd = net.parameter("Wg", D, H), net.parameter("Wu", D, H), net.parameter("Wo", H, D)
    gamma, x, Y = net.parameter("gamma", D), net.parameter("x", N, D), net.input("Y", N, D)
    n, d = net.indices(n=N, d=D)
    r = net.define("r", sqrt(Sum(x[n, d] ** 2, d) / D + exp(-12)), over=n)
    xn = net.define("xn", x[n, d] / r[n] * gamma[d], over=(n, d))
    H_ = net.define("hidden", silu(xn @ Wg) * (xn @ Wu))
    net.loss = total((x + H_ @ Wd - Y) ** 2) / (2 * N)
    return net


GATED = Submission(gated, """
def swiglu_block(Wg, Wu, Wo, gamma, x, Y):
    n, d = x.shape
    rms = np.sqrt((x ** 2).mean(-1, keepdims=True) + np.exp(-12))
    xhat = x / rms
    xn = xhat * gamma
    g, u = xn @ Wg, xn @ Wu
    sig = 1 / (1 + np.exp(-g))
    act = g * sig
    hid = act * u
    err = x + hid @ Wo - Y
    loss = (err ** 2).sum() / (2 * n)
    dy = err / n
    dWo = hid.T @ dy
    dhid = dy @ Wo.T
    dact, du = dhid * u, dhid * act
    dg = dact * sig * (1 + g * (1 - sig))
    dWg, dWu = xn.T @ dg, xn.T @ du
    dxn = dg @ Wg.T + du @ Wu.T
    dgamma = (dxn * xhat).sum(0)
    dxhat = dxn * gamma
    dx = (dxhat - xhat * (dxhat * xhat).mean(-1, keepdims=True)) / rms
    return loss, dict(Wg=dWg, Wu=dWu, Wo=dWo, gamma=dgamma, x=dx + dy)
""", "swiglu_block")
GATED.wrong("x, gamma: the up projection's path is missing", ("dxn = dg @ Wg.T + du @ Wu.T", "dxn = dg @ Wg.T"),
            named="dxn.*the term .*is missing")
GATED.wrong("x: rms norm's backward takes the mean off as layer norm's does (one term too many)",
            ("dx = (dxhat - xhat *", "dx = (dxhat - dxhat.mean(-1, keepdims=True) - xhat *"))
GATED.wrong(
    "x: a sum where the mean over the layer belongs, in the norm's second term",
    ("(dxhat * xhat).mean(-1", "(dxhat * xhat).sum(-1"),
    named=r"dx.*mean's 1/D of 2/D dmean_r\[n\] \* x\[n, d\] is missing")
GATED.wrong("two: Wu (and what is below) gets the gate's sigmoid, not its silu; x without the residual",
            ("dact, du = dhid * u, dhid * act", "dact, du = dhid * u, dhid * sig"), ("x=dx + dy)", "x=dx)"),
            named=r"dsum_hidden.*the factor pre_hidden\[n, h\] is missing.*dx.*the term dpre_loss\[n, d\] is missing")

SUBMISSIONS = [BATCHNORM, LAYERNORM, GROUPNORM, WEIGHT_NORM, GATED]
