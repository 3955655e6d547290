"""In the style of a course on recognising images: a net of two layers, layers as pairs of functions, hinge loss."""

from sympy import Rational, Sum

from derive import FirstMaximum, Network, cross_entropy, mean, padded, relu, total

from .frame import Submission

EPSILON = Rational(1, 100000)


def two_layer():
    net = Network("two_layer_net")
    N, D, H, C = net.sizes("N D H C")
    W1, b1, W2, b2 = (net.parameter("W1", D, H), net.parameter("b1", H), net.parameter("W2", H, C),
                      net.parameter("b2", C))
    X, y, reg = net.input("X", N, D), net.labels("y", N, classes=C), net.input("reg")
    A = net.define("A", relu(X @ W1 + b1))
    net.loss = mean(cross_entropy(A @ W2 + b2, y)) + reg * (total(W1**2) + total(W2**2)) / 2
    return net


TWO_LAYER = Submission(two_layer, """
def loss(W1, b1, W2, b2, X, y, reg):
    N = X.shape[0]
    hidden = np.maximum(0, X.dot(W1) + b1)
    scores = hidden.dot(W2) + b2
    scores -= scores.max(axis=1, keepdims=True)
    exps = np.exp(scores)
    probs = exps / exps.sum(axis=1, keepdims=True)
    data_loss = -np.log(probs[np.arange(N), y]).mean()
    reg_loss = 0.5 * reg * (np.sum(W1 * W1) + np.sum(W2 * W2))

    dscores = probs.copy()
    dscores[range(N), y] -= 1
    dscores /= N
    grads = {}
    grads['W2'] = hidden.T.dot(dscores) + reg * W2
    grads['b2'] = dscores.sum(axis=0)
    dhidden = dscores.dot(W2.T)
    dhidden[hidden <= 0] = 0
    grads['W1'] = X.T.dot(dhidden) + reg * W1
    grads['b1'] = dhidden.sum(axis=0)
    return data_loss + reg_loss, grads
""", "loss")
TWO_LAYER.wrong("W1, W2: the regulariser's gradient has a factor 2 too many",
                ("dscores) + reg * W2", "dscores) + 2 * reg * W2"), ("dhidden) + reg * W1", "dhidden) + 2 * reg * W1"),
                named="dW2.*is doubled.*dW1.*is doubled")
TWO_LAYER.wrong("W1, b1: the relu's mask is taken of the gradient, not of the hidden units",
                ("dhidden[hidden <= 0] = 0", "dhidden[dhidden <= 0] = 0"), named="dpre_A.*is read where A should be")
TWO_LAYER.wrong("everything but the regulariser: divided by the number of classes, not of examples",
                ("dscores /= N", "dscores /= dscores.shape[1]"), named=r"dpre_loss.*a factor \(N/C\) too many")
TWO_LAYER.wrong("two: W1 without its regulariser; b1 averaged over the batch",
                ("dhidden) + reg * W1", "dhidden)"), ("dhidden.sum(axis=0)", "dhidden.mean(axis=0)"),
                named=r"db1.*the sum over n is a mean.*dW1.*the term reg \* W1\[d, h\] is missing")
TWO_LAYER.wrong("loss: the regulariser's factor (no half) in the loss only, the gradient is right for half",
                ("reg_loss = 0.5 * reg", "reg_loss = reg"), named="the loss is that of another network, in which")


def conv():
    net = Network("conv_layer")
    N, C, F, U, V, K = net.sizes("N C F U V K")
    A, B = net.size("A", (U + 2 - K) // 2 + 1), net.size("B", (V + 2 - K) // 2 + 1)
    x, w, b = net.parameter("x", N, C, U, V), net.parameter("w", F, C, K, K), net.parameter("b", F)
    dout = net.input("dout", N, F, A, B)
    n, c, f, i, k, p, q = net.indices(n=N, c=C, f=F, i=A, k=B, p=K, q=K)
    tap = padded(x)[n, c, 2 * i + p - 1, 2 * k + q - 1]
    Y = net.define("Y", Sum(w[f, c, p, q] * tap, c, p, q) + b[f], over=(n, f, i, k))
    net.loss = total(dout * Y)
    return net


CONV = Submission(conv, """
def conv_forward_naive(x, w, b):
    stride, pad = 2, 1
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    H_out, W_out = 1 + (H + 2 * pad - HH) // stride, 1 + (W + 2 * pad - WW) // stride
    x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), mode='constant')
    out = np.zeros((N, F, H_out, W_out))
    for n in range(N):
        for f in range(F):
            for i in range(H_out):
                for j in range(W_out):
                    window = x_pad[n, :, i * stride:i * stride + HH, j * stride:j * stride + WW]
                    out[n, f, i, j] = np.sum(window * w[f]) + b[f]
    return out, (x, w, b)

def conv_backward_naive(dout, cache):
    x, w, b = cache
    stride, pad = 2, 1
    N, F, H_out, W_out = dout.shape
    HH, WW = w.shape[2:]
    x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), mode='constant')
    dx_pad, dw, db = np.zeros_like(x_pad), np.zeros_like(w), np.zeros_like(b)
    for n in range(N):
        for f in range(F):
            db[f] += np.sum(dout[n, f])
            for i in range(H_out):
                for j in range(W_out):
                    si, sj = i * stride, j * stride
                    dw[f] += x_pad[n, :, si:si + HH, sj:sj + WW] * dout[n, f, i, j]
                    dx_pad[n, :, si:si + HH, sj:sj + WW] += w[f] * dout[n, f, i, j]
    dx = dx_pad[:, :, pad:pad + x.shape[2], pad:pad + x.shape[3]]
    return dx, dw, db
""", ("conv_forward_naive", "conv_backward_naive"))
CONV.wrong("w: only the last image counts, the sum over the batch is overwritten",
           ("dw[f] += x_pad", "dw[f] = x_pad"))
CONV.wrong("x: the kernel's windows overlap and are overwritten, not accumulated",
           (":sj + WW] += w[f]", ":sj + WW] = w[f]"), named="dx.*is overwritten")
CONV.wrong("x: the padding is cut off at the wrong place (from 0), dx is shifted by the padding",
           ("dx_pad[:, :, pad:pad + x.shape[2], pad:pad + x.shape[3]]", "dx_pad[:, :, :x.shape[2], :x.shape[3]]"))
CONV.wrong("x, w: the stride is left out in the backward pass", ("si, sj = i * stride, j * stride", "si, sj = i, j"))
CONV.wrong("two: x with a flipped kernel; b is averaged over the positions",
           ("+= w[f] * dout", "+= w[f][:, ::-1, ::-1] * dout"), ("np.sum(dout[n, f])", "np.mean(dout[n, f])"),
           named=r"db.*division by \(A B\) too many.*dx.*read backwards")


def pool():
    net = Network("pool_layer")
    N, C, A, B = net.sizes("N C A B")
    U, V = net.size("U", 2 * A), net.size("V", 2 * B)
    x, dout = net.parameter("x", N, C, U, V), net.input("dout", N, C, A, B)
    n, c, i, k, p, q = net.indices(n=N, c=C, i=A, k=B, p=2, q=2)
    Y = net.define("Y", FirstMaximum(x[n, c, 2 * i + p, 2 * k + q], p, q), over=(n, c, i, k))
    net.loss = total(dout * Y)
    return net


POOL = Submission(pool, """
def max_pool_forward_fast(x):
    N, C, H, W = x.shape
    x_reshaped = x.reshape(N, C, H // 2, 2, W // 2, 2)
    return x_reshaped.max(axis=3).max(axis=4), x

def max_pool_backward(dout, x):
    dx = np.zeros_like(x)
    N, C, H, W = dout.shape
    for n in range(N):
        for c in range(C):
            for i in range(H):
                for j in range(W):
                    window = x[n, c, 2 * i:2 * i + 2, 2 * j:2 * j + 2]
                    r, s = np.unravel_index(np.argmax(window), window.shape)
                    dx[n, c, 2 * i + r, 2 * j + s] = dout[n, c, i, j]
    return (dx,)
""", ("max_pool_forward_fast", "max_pool_backward"))
POOL.wrong("x: the gradient goes to every entry of the window, not only to the largest",
           ("dx[n, c, 2 * i + r, 2 * j + s] = dout", "dx[n, c, 2 * i:2 * i + 2, 2 * j:2 * j + 2] = dout"),
           named="dx.*the bracket .*is missing")
POOL.wrong(
    "x: row and column of the maximum are swapped within the window",
    ("2 * i + r, 2 * j + s", "2 * i + s, 2 * j + r"))
POOL.wrong("x: the gradient goes to the smallest entry, not to the largest", ("np.argmax(window)", "np.argmin(window)"))


def svm():
    net = Network("multiclass_svm")
    N, D, C = net.sizes("N D C")
    W, X, y, reg = (net.parameter("W", D, C), net.input("X", N, D), net.labels("y", N, classes=C), net.input("reg"))
    n, c = net.indices(n=N, c=C)
    S = net.define("S", X @ W)
    net.loss = (Sum(relu(S[n, c] - S[n, y[n]] + 1), n, c) - N) / N + reg * total(W**2)
    return net


SVM = Submission(svm, """
def svm_loss_naive(W, X, y, reg):
    dW = np.zeros(W.shape)
    num_train, num_classes = X.shape[0], W.shape[1]
    loss = 0.0
    for i in range(num_train):
        scores = X[i].dot(W)
        correct = scores[y[i]]
        for j in range(num_classes):
            if j == y[i]:
                continue
            margin = scores[j] - correct + 1
            if margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    loss = loss / num_train + reg * np.sum(W * W)
    dW = dW / num_train + 2 * reg * W
    return loss, (dW,)
""", "svm_loss_naive")
SVM.wrong("W: the right class's column is moved once an example at most, not once a violated margin",
          ("loss += margin\n", "loss += margin\n                hit = True\n"),
          ("correct = scores[y[i]]\n", "correct = scores[y[i]]\n        hit = False\n"),
          ("                dW[:, y[i]] -= X[i]\n", "        if hit:\n            dW[:, y[i]] -= X[i]\n"),
          named="dS.*(it is .*where|times what|divided by)")
SVM.wrong(
    "W: the right class's column gets nothing (its term is missing)",
    ("                dW[:, y[i]] -= X[i]\n", ""), named="dS.*the entry of the true class is left at 0")
SVM.wrong("W: the regulariser is divided by the number of examples too",
          ("dW / num_train + 2 * reg * W", "(dW + 2 * reg * W) / num_train"),
          named="dW.*is 1/N times what it should be")
SVM.wrong("two: the data's part not divided by N; the regulariser's 2 missing",
          ("dW / num_train + 2 * reg * W", "dW + reg * W"))

SUBMISSIONS = [TWO_LAYER, CONV, POOL, SVM]
