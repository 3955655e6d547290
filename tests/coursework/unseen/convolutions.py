"""Convolutions of all kinds, in the styles of course frameworks: strided, transposed, depthwise, by im2col; pooling."""

from sympy import Sum

from derive import Network, cross_entropy, mean, padded, relu, sigmoid

from .frame import Submission


def strided():
    net = Network("conv1d_stride2")
    N, C, U, F, K = net.sizes("N C U F K")
    A = net.size("A", (U - K) // 2 + 1)
    W, b, x = net.parameter("W", F, C, K), net.parameter("b", F), net.parameter("A0", N, C, U)
    dLdZ = net.input("dLdZ", N, F, A)
    n, c, f, i, p = net.indices(n=N, c=C, f=F, i=A, p=K)
    z = Sum(W[f, c, p] * x[n, c, 2 * i + p], c, p) + b[f]
    net.loss = Sum(dLdZ[n, f, i] * z, n, f, i)
    return net


STRIDED = Submission(strided, """
class Conv1d_stride1:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, A):
        self.A = A
        K = self.W.shape[2]
        out = np.zeros((A.shape[0], self.W.shape[0], A.shape[2] - K + 1))
        for i in range(out.shape[2]):
            out[:, :, i] = np.tensordot(A[:, :, i:i + K], self.W, axes=([1, 2], [1, 2])) + self.b
        return out

    def backward(self, dLdZ):
        K = self.W.shape[2]
        self.dLdb = dLdZ.sum(axis=(0, 2))
        self.dLdW = np.zeros_like(self.W)
        for k in range(K):
            self.dLdW[:, :, k] = np.tensordot(dLdZ, self.A[:, :, k:k + dLdZ.shape[2]], axes=([0, 2], [0, 2]))
        pad = np.pad(dLdZ, ((0, 0), (0, 0), (K - 1, K - 1)))
        flipped = self.W[:, :, ::-1]
        dLdA = np.zeros_like(self.A)
        for i in range(self.A.shape[2]):
            dLdA[:, :, i] = np.tensordot(pad[:, :, i:i + K], flipped, axes=([1, 2], [0, 2]))
        return dLdA

class Downsample1d:
    def forward(self, A, factor=2):
        self.factor, self.width = factor, A.shape[2]
        return A[:, :, ::factor]

    def backward(self, dLdZ):
        dLdA = np.zeros((dLdZ.shape[0], dLdZ.shape[1], self.width))
        dLdA[:, :, ::self.factor] = dLdZ
        return dLdA

def conv1d(W, b, A0, dLdZ):
    conv, down = Conv1d_stride1(W, b), Downsample1d()
    Z = down.forward(conv.forward(A0))
    dA = conv.backward(down.backward(dLdZ))
    return (Z * dLdZ).sum(), (conv.dLdW, conv.dLdb, dA)
""", "conv1d")
STRIDED.wrong(
    "A0: the kernel is not flipped in the input's gradient",
    ("flipped = self.W[:, :, ::-1]", "flipped = self.W"), named="dA0.*read backwards")
STRIDED.wrong(
    "b: not summed over the positions properly (a mean over examples)",
    ("dLdZ.sum(axis=(0, 2))", "dLdZ.sum(axis=2).mean(axis=0)"), named="db.*the sum over n is a mean")
STRIDED.wrong("W, A0: the upsampled gradient is repeated, not filled with zeros",
              ("        dLdA[:, :, ::self.factor] = dLdZ\n",
               "        up = np.repeat(dLdZ, self.factor, axis=2)\n        w = min(up.shape[2], self.width)\n"
               "        dLdA[:, :, :w] = up[:, :, :w]\n"))


def transposed():
    net = Network("conv_transpose")
    N, C, F, U, V, K = net.sizes("N C F U V K")
    A, B = net.size("A", 2 * (U - 1) + K), net.size("B", 2 * (V - 1) + K)
    x, w, b = net.parameter("x", N, C, U, V), net.parameter("w", C, F, K, K), net.parameter("b", F)
    Y = net.input("R", N, F, A, B)
    n, c, f, i, k, p, q, a, e = net.indices(n=N, c=C, f=F, i=U, k=V, p=K, q=K, a=A, e=B)
    term = Sum(x[n, c, i, k] * w[c, f, p, q] * Y[n, f, 2 * i + p, 2 * k + q], n, c, f, i, k, p, q)
    net.loss = term + Sum(b[f] * Y[n, f, a, e], n, f, a, e)
    return net


TRANSPOSED = Submission(transposed, """
S = 2

def conv_transpose_forward(x, w, b):
    n, _, h, wd = x.shape
    k = w.shape[2]
    out = np.zeros((n, w.shape[1], S * (h - 1) + k, S * (wd - 1) + k)) + b[None, :, None, None]
    for i in range(h):
        for j in range(wd):
            out[:, :, i * S:i * S + k, j * S:j * S + k] += np.einsum('nc,cfpq->nfpq', x[:, :, i, j], w)
    return out

def conv_transpose_backward(g, x, w):
    k = w.shape[2]
    gx, gw, gb = np.zeros_like(x), np.zeros_like(w), g.sum(axis=(0, 2, 3))
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            patch = g[:, :, i * S:i * S + k, j * S:j * S + k]
            gx[:, :, i, j] = np.einsum('nfpq,cfpq->nc', patch, w)
            gw += np.einsum('nc,nfpq->cfpq', x[:, :, i, j], patch)
    return gx, gw, gb

def run(x, w, b, R):
    return (conv_transpose_forward(x, w, b) * R).sum(), conv_transpose_backward(R, x, w)
""", "run")
TRANSPOSED.wrong(
    "x: the kernel is flipped",
    ("np.einsum('nfpq,cfpq->nc', patch, w)", "np.einsum('nfpq,cfpq->nc', patch, w[:, :, ::-1, ::-1])"),
    named="dx.*read backwards")
TRANSPOSED.wrong("w: assigned, not added: only the last position counts", ("gw += np.einsum", "gw = np.einsum"))
TRANSPOSED.wrong(
    "two: x and w read at stride 1; b divided by the number of positions",
    ("patch = g[:, :, i * S:i * S + k, j * S:j * S + k]", "patch = g[:, :, i:i + k, j:j + k]"),
    ("gb = np.zeros_like(x), np.zeros_like(w), g.sum(axis=(0, 2, 3))",
     "gb = np.zeros_like(x), np.zeros_like(w), g.mean(axis=(2, 3)).sum(0)"))


def depthwise():
    net = Network("depthwise_separable")
    N, C, F, U, V = net.sizes("N C F U V")
    x, wd, wp = net.parameter("x", N, C, U, V), net.parameter("wd", C, 3, 3), net.parameter("wp", F, C)
    R = net.input("R", N, F, U, V)
    n, c, f, i, k, p, q = net.indices(n=N, c=C, f=F, i=U, k=V, p=3, q=3)
    h = net.define("h", Sum(wd[c, p, q] * padded(x)[n, c, i + p - 1, k + q - 1], p, q), over=(n, c, i, k))
    net.loss = Sum(R[n, f, i, k] * wp[f, c] * relu(h[n, c, i, k]), n, c, f, i, k)
    return net


DEPTHWISE = Submission(depthwise, """
def block(x, wd, wp, R):
    N, C, H, W = x.shape
    xp = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
    h = np.zeros_like(x)
    for di in range(3):
        for dj in range(3):
            h += wd[:, di, dj].reshape(-1, 1, 1) * xp[:, :, di:di + H, dj:dj + W]
    a = np.maximum(h, 0)
    y = np.einsum('fc,nchw->nfhw', wp, a)

    dwp = np.einsum('nfhw,nchw->fc', R, a)
    da = np.einsum('fc,nfhw->nchw', wp, R)
    dh = da * (h > 0)
    dwd, dxp = np.zeros_like(wd), np.zeros_like(xp)
    for di in range(3):
        for dj in range(3):
            dwd[:, di, dj] = np.sum(dh * xp[:, :, di:di + H, dj:dj + W], axis=(0, 2, 3))
            dxp[:, :, di:di + H, dj:dj + W] += wd[:, di, dj].reshape(-1, 1, 1) * dh
    return np.sum(y * R), {'x': dxp[:, :, 1:-1, 1:-1], 'wd': dwd, 'wp': dwp}
""", "block")
DEPTHWISE.wrong(
    "x: shifted by one pixel, the padding is cut at the end only",
    ("dxp[:, :, 1:-1, 1:-1]", "dxp[:, :, 2:, 2:]"))
DEPTHWISE.wrong(
    "wd: correlated with the padded input's unshifted window (the tap's column offset is missing)",
    ("np.sum(dh * xp[:, :, di:di + H, dj:dj + W], axis=(0, 2, 3))",
     "np.sum(dh * xp[:, :, di:di + H, 1:1 + W], axis=(0, 2, 3))"))
DEPTHWISE.wrong("wp: takes the pre-activation, not the rectified", ("'nfhw,nchw->fc', R, a)", "'nfhw,nchw->fc', R, h)"),
                named="dwp.*(stands where|times what|divided by)")
DEPTHWISE.wrong(
    "two: x, wd without relu's mask; wp averaged over the images",
    ("dh = da * (h > 0)", "dh = da"),
    ("dwp = np.einsum('nfhw,nchw->fc', R, a)", "dwp = np.einsum('nfhw,nchw->fc', R, a) / N"),
    named=r"dh.*mask \[h\[n, c, i, k\] > 0\] is missing.*dwp.*the sum over n is a mean")


def im2col():
    net = Network("im2col_classifier")
    N, C, U, V, F, K = net.sizes("N C U V F K")
    A, B = net.size("A", U - K + 1), net.size("B", V - K + 1)
    Q = net.size("Q", C * K * K)
    w, b = net.parameter("w", F, Q), net.parameter("b", F)
    X, y = net.input("X", N, C, U, V), net.labels("y", N, classes=F)
    n, c, f, i, k, p, q = net.indices(n=N, c=C, f=F, i=A, k=B, p=K, q=K)
    z = net.define("z", Sum(w[f, c * K * K + p * K + q] * X[n, c, i + p, k + q], c, p, q) + b[f], over=(n, f, i, k))
    g = net.define("g", Sum(relu(z[n, f, i, k]), i, k) / (A * B), over=(n, f))
    net.loss = mean(cross_entropy(g, y))
    return net


IM2COL = Submission(im2col, """
def im2col(x, K):
    N, C, H, W = x.shape
    view = np.lib.stride_tricks.sliding_window_view(x, (K, K), axis=(2, 3))
    return view.transpose(0, 2, 3, 1, 4, 5).reshape(N, (H - K + 1) * (W - K + 1), C * K * K)

def net_loss(w, b, X, y):
    N, C = X.shape[:2]
    K = int(round((w.shape[1] // C) ** 0.5))
    cols = im2col(X, K)
    z = cols @ w.T + b
    a = np.maximum(z, 0)
    P = z.shape[1]
    scores = a.mean(axis=1)
    prob = np.exp(scores - scores.max(1, keepdims=True))
    prob /= prob.sum(1, keepdims=True)
    loss = -np.log(prob[np.arange(N), y]).sum() / N
    prob[np.arange(N), y] -= 1
    dscores = prob / N
    dz = (z > 0) * dscores[:, None, :] / P
    dw = np.tensordot(dz, cols, axes=([0, 1], [0, 1]))
    db = dz.sum((0, 1))
    return loss, (dw, db)
""", "net_loss")
IM2COL.wrong(
    "w, b: the pooling's mean is taken back as a sum (not divided by the positions)",
    ("dscores[:, None, :] / P", "dscores[:, None, :]"), named=r"dz.*mean's 1/\(A B\) is missing")
IM2COL.wrong(
    "w: the columns' patches are unrolled in another order (channels last)",
    ("dw = np.tensordot(dz, cols, axes=([0, 1], [0, 1]))",
     "dw = np.tensordot(dz, cols, axes=([0, 1], [0, 1]))\n    dw = dw.reshape(-1, C, K, K).transpose(0, 2, 3, "
     "1).reshape(w.shape)"))
IM2COL.wrong(
    "w, b: the mask is of the pooled mean, not of each position",
    ("dz = (z > 0) *", "dz = (scores > 0)[:, None, :] * np.ones_like(z) *"),
    named=r"dz.*the derivative is taken to be \[g > 0\]")


def upsampling():
    net = Network("upsample_residual")
    N, C, U, V = net.sizes("N C U V")
    A, B = net.size("A", 2 * U), net.size("B", 2 * V)
    x, w, Y = net.parameter("x", N, C, U, V), net.parameter("w", C, C), net.input("Y", N, C, A, B)
    n, c, e, i, k, p, q = net.indices(n=N, c=C, e=C, i=U, k=V, p=2, q=2)
    h = net.define("h", x[n, c, i, k] + relu(Sum(w[c, e] * x[n, e, i, k], e)), over=(n, c, i, k))
    net.loss = Sum((h[n, c, i, k] - Y[n, c, 2 * i + p, 2 * k + q]) ** 2, n, c, i, k, p, q) / (N * C * A * B)
    return net


UPSAMPLING = Submission(upsampling, """
class Upsample:
    def forward(self, x):
        return x.repeat(2, axis=2).repeat(2, axis=3)

    def backward(self, g):
        n, c, h, w = g.shape
        return g.reshape(n, c, h // 2, 2, w // 2, 2).sum(axis=(3, 5))

class Residual:
    def __init__(self, w):
        self.w = w

    def forward(self, x):
        self.x = x
        self.pre = np.einsum('ce,nehw->nchw', self.w, x)
        return x + np.clip(self.pre, 0, None)

    def backward(self, g):
        gp = np.where(self.pre > 0, g, 0.)
        self.dw = np.einsum('nchw,nehw->ce', gp, self.x)
        return g + np.einsum('ce,nchw->nehw', self.w, gp)

def f(x, w, Y):
    res, up = Residual(w), Upsample()
    out = up.forward(res.forward(x))
    loss = ((out - Y) ** 2).mean()
    dx = res.backward(up.backward(2 * (out - Y) / Y.size))
    return loss, {'x': dx, 'w': res.dw}
""", "f")
UPSAMPLING.wrong("x, w: the four copies are averaged, not summed", (".sum(axis=(3, 5))", ".mean(axis=(3, 5))"),
                 named="dh: a factor 1/4 too many")
UPSAMPLING.wrong("x, w: only every second pixel is taken, three of four copies get lost",
                 ("return g.reshape(n, c, h // 2, 2, w // 2, 2).sum(axis=(3, 5))", "return g[:, :, ::2, ::2]"))
UPSAMPLING.wrong(
    "x: the identity's path round the block is missing",
    ("return g + np.einsum('ce", "return np.einsum('ce"), named=r"dx.*the term dh\[n, c, i, k\] is missing")
UPSAMPLING.wrong("two: w's transpose in the block's way back; w's gradient without relu's mask",
                 ("np.einsum('ce,nchw->nehw', self.w, gp)", "np.einsum('ec,nchw->nehw', self.w, gp)"),
                 ("np.einsum('nchw,nehw->ce', gp, self.x)", "np.einsum('nchw,nehw->ce', g, self.x)"),
                 named="dw: dh is read where dpre_h should be.*dx: w is transposed")


def cnn_meanpool():
    net = Network("cnn_cost")
    F, K, C, M, A = net.sizes("F K C M A")
    U = net.size("U", 2 * A + K - 1)
    Q = net.size("Q", F * A * A)
    Wc, Wd = net.parameter("Wc", F, K, K), net.parameter("Wd", C, Q)
    bc, bd = net.parameter("bc", F), net.parameter("bd", C)
    images, y = net.input("images", M, U, U), net.labels("y", M, classes=C)
    m, f, i, k, p, q, r, s, c = net.indices(m=M, f=F, i=A, k=A, p=K, q=K, r=2, s=2, c=C)
    from_image = Sum(Wc[f, p, q] * images[m, 2 * i + r + p, 2 * k + s + q], p, q) + bc[f]
    P = net.define("P", Sum(sigmoid(from_image), r, s) / 4, over=(m, f, i, k))
    z = net.define("z", Sum(Wd[c, f * A * A + i * A + k] * P[m, f, i, k], f, i, k) + bd[c], over=(m, c))
    net.loss = mean(cross_entropy(z, y))
    return net


CNN_MEANPOOL = Submission(cnn_meanpool, """
def conv2(a, k):
    k = np.rot90(k, 2)
    h, w = a.shape[0] - k.shape[0] + 1, a.shape[1] - k.shape[1] + 1
    return sum(k[i, j] * a[i:i + h, j:j + w] for i in range(k.shape[0]) for j in range(k.shape[1]))

def cnnCost(Wc, Wd, bc, bd, images, y):
    numImages, numFilters = images.shape[0], Wc.shape[0]
    convDim = images.shape[1] - Wc.shape[1] + 1
    act = np.zeros((numImages, numFilters, convDim, convDim))
    for m in range(numImages):
        for f in range(numFilters):
            act[m, f] = 1 / (1 + np.exp(-(conv2(images[m], np.rot90(Wc[f], 2)) + bc[f])))
    outDim = convDim // 2
    pooled = act.reshape(numImages, numFilters, outDim, 2, outDim, 2).mean(axis=(3, 5))
    flat = pooled.reshape(numImages, -1)
    M = np.exp(flat @ Wd.T + bd)
    probs = M / M.sum(axis=1, keepdims=True)
    cost = -np.mean(np.log(probs[range(numImages), y]))
    delta = (probs - np.eye(len(bd))[y]) / numImages
    Wd_grad, bd_grad = delta.T @ flat, delta.sum(axis=0)
    deltaPool = (delta @ Wd).reshape(pooled.shape)
    Wc_grad, bc_grad = np.zeros_like(Wc), np.zeros_like(bc)
    for m in range(numImages):
        for f in range(numFilters):
            deltaConv = np.kron(deltaPool[m, f], np.ones((2, 2))) / 4
            deltaConv = deltaConv * act[m, f] * (1 - act[m, f])
            Wc_grad[f] += conv2(images[m], np.rot90(deltaConv, 2))
            bc_grad[f] += deltaConv.sum()
    return cost, (Wc_grad, Wd_grad, bc_grad, bd_grad)
""", "cnnCost")
CNN_MEANPOOL.wrong("Wc: the error is not rotated, a convolution where a correlation belongs",
                   ("conv2(images[m], np.rot90(deltaConv, 2))", "conv2(images[m], deltaConv)"))
CNN_MEANPOOL.wrong("Wc, bc: the pooling's 1/4 is missing on the way back", ("np.ones((2, 2))) / 4", "np.ones((2, 2)))"),
                   named="dpre_P: the factor 1/4 is missing")
CNN_MEANPOOL.wrong("Wc, bc: the sigmoid's slope is taken of the pooled, spread out, activation",
                   ("deltaConv = deltaConv * act[m, f] * (1 - act[m, f])",
                    "p = np.kron(pooled[m, f], np.ones((2, 2)))\n            deltaConv = deltaConv * p * (1 - p)"),
                   named="dpre_P.*the derivative is taken to be P")
CNN_MEANPOOL.wrong("two: bc is averaged over the positions; Wd, bd and all below not divided by the images",
                   ("deltaConv.sum()", "deltaConv.mean()"), ("[y]) / numImages", "[y])"))

SUBMISSIONS = [STRIDED, TRANSPOSED, DEPTHWISE, IM2COL, UPSAMPLING, CNN_MEANPOOL]
