"""What the coursework should compute: single layers under an upstream gradient, and whole small networks."""

from sympy import Piecewise, Sum, exp, log, sqrt, tanh

from derive import FirstMaximum, Network, cross_entropy, mean, padded, relu, sigmoid, softmax, total


def affine():
    """Y = x w + b, the loss its product with an upstream gradient."""
    net = Network("affine")
    N, D, M = net.sizes("N D M")
    x, w, b, dout = net.parameter("x", N, D), net.parameter("w", D, M), net.parameter("b", M), net.input("dout", N, M)
    net.loss = total(dout * net.define("Y", x @ w + b))
    return net


def rectifier():
    """relu, entry by entry."""
    net = Network("rectifier")
    N, D = net.sizes("N D")
    x, dout = net.parameter("x", N, D), net.input("dout", N, D)
    net.loss = total(dout * net.define("Y", relu(x)))
    return net


def batch_norm():
    """Batch normalisation in training."""
    net = Network("batchnorm")
    N, D = net.sizes("N D")
    x, gamma, beta = net.parameter("x", N, D), net.parameter("gamma", D), net.parameter("beta", D)
    dout, eps = net.input("dout", N, D), net.input("eps", note="small, positive")
    mu = net.define("mu", mean(x, axis=0))
    var = net.define("var", mean((x - mu) ** 2, axis=0))
    xhat = net.define("xhat", (x - mu) / sqrt(var + eps))
    net.loss = total(dout * net.define("Y", gamma * xhat + beta))
    return net


def layer_norm():
    """Layer normalisation over features."""
    net = Network("layernorm")
    N, D = net.sizes("N D")
    x, gamma, beta = net.parameter("x", N, D), net.parameter("gamma", D), net.parameter("beta", D)
    dout, eps = net.input("dout", N, D), net.input("eps", note="small, positive")
    n, d = net.indices(n=N, d=D)
    mu = net.define("mu", Sum(x[n, d], d) / D, over=n)
    var = net.define("var", Sum((x[n, d] - mu[n]) ** 2, d) / D, over=n)
    xhat = net.define("xhat", (x[n, d] - mu[n]) / sqrt(var[n] + eps), over=(n, d))
    net.loss = total(dout * net.define("Y", gamma * xhat + beta))
    return net


def softmax_loss():
    """Mean cross-entropy of scores."""
    net = Network("softmax_loss")
    N, C = net.sizes("N C")
    x, y = net.parameter("x", N, C), net.labels("y", N, classes=C)
    net.loss = mean(cross_entropy(x, y))
    return net


def svm_loss():
    """The multiclass hinge loss, margin 1; the true class has no margin of its own."""
    net = Network("svm_loss")
    N, C = net.sizes("N C")
    x, y = net.parameter("x", N, C), net.labels("y", N, classes=C)
    n, c = net.indices(n=N, c=C)
    margin = net.define("margin", x[n, c] - x[n, y[n]] + 1, over=(n, c))
    net.loss = (Sum(relu(margin[n, c]), n, c) - N) / N
    return net


def two_layers():
    """A perceptron with a regulariser, half of reg on the weights."""
    net = Network("two_layers")
    N, D, H, C = net.sizes("N D H C")
    W1, b1 = net.parameter("W1", D, H), net.parameter("b1", H)
    W2, b2 = net.parameter("W2", H, C), net.parameter("b2", C)
    X, y, reg = net.input("X", N, D), net.labels("y", N, classes=C), net.input("reg")
    hidden = net.define("hidden", relu(X @ W1 + b1))
    scores = net.define("scores", hidden @ W2 + b2)
    net.loss = mean(cross_entropy(scores, y)) + reg / 2 * (total(W1**2) + total(W2**2))
    return net


def columns():
    """A sigmoid perceptron with examples as columns, its loss summed over outputs and averaged over examples."""
    net = Network("columns")
    D, H, K, M = net.sizes("D H K M")
    W1, b1 = net.parameter("W1", H, D), net.parameter("b1", H, 1)
    W2, b2 = net.parameter("W2", K, H), net.parameter("b2", K, 1)
    X, Y = net.input("X", D, M), net.input("Y", K, M, note="targets, 0 or 1")
    k, m, h, d = net.indices(k=K, m=M, h=H, d=D)
    A1 = net.define("A1", tanh(Sum(W1[h, d] * X[d, m], d) + b1[h, 0]), over=(h, m))
    Z2 = net.define("Z2", Sum(W2[k, h] * A1[h, m], h) + b2[k, 0], over=(k, m))
    net.loss = Sum(log(1 + exp(Z2[k, m])) - Y[k, m] * Z2[k, m], k, m) / M
    return net


def sigmoids():
    """Two sigmoid layers with half the squared error, summed over all (Nielsen's quadratic cost)."""
    net = Network("sigmoids")
    N, D, H, K = net.sizes("N D H K")
    W1, b1 = net.parameter("W1", D, H), net.parameter("b1", H)
    W2, b2 = net.parameter("W2", H, K), net.parameter("b2", K)
    X, Y = net.input("X", N, D), net.input("Y", N, K)
    A1 = net.define("A1", sigmoid(X @ W1 + b1))
    A2 = net.define("A2", sigmoid(A1 @ W2 + b2))
    net.loss = total((A2 - Y) ** 2) / 2
    return net


def logistic():
    """Logistic regression, mean cross-entropy."""
    net = Network("logistic")
    N, D = net.sizes("N D")
    w, b, X, y = net.parameter("w", D), net.parameter("b"), net.input("X", N, D), net.input("y", N, note="0 or 1")
    z = net.define("z", X @ w + b)
    net.loss = mean(log(1 + exp(z)) - y * z)
    return net


def convolution():
    """A convolution of images with stride and padding."""
    net = Network("conv")
    N, C, H, W, F, K, S = net.sizes("N C H W F K S")
    P = net.size("P", least=0)
    A, B = net.size("A", (H + 2 * P - K) // S + 1), net.size("B", (W + 2 * P - K) // S + 1)
    x, w, b = net.parameter("x", N, C, H, W), net.parameter("w", F, C, K, K), net.parameter("b", F)
    dout = net.input("dout", N, F, A, B)
    n, f, c, i, j, p, q = net.indices(n=N, f=F, c=C, i=A, j=B, p=K, q=K)
    tap = padded(x)[n, c, S * i + p - P, S * j + q - P]
    Y = net.define("Y", Sum(tap * w[f, c, p, q], c, p, q) + b[f], over=(n, f, i, j))
    net.loss = total(dout * Y)
    return net


def pooling():
    """Max-pooling of images."""
    net = Network("pool")
    N, C, H, W, K, S = net.sizes("N C H W K S")
    A, B = net.size("A", (H - K) // S + 1), net.size("B", (W - K) // S + 1)
    x, dout = net.parameter("x", N, C, H, W), net.input("dout", N, C, A, B)
    n, c, i, j, p, q = net.indices(n=N, c=C, i=A, j=B, p=K, q=K)
    Y = net.define("Y", FirstMaximum(x[n, c, S * i + p, S * j + q], p, q), over=(n, c, i, j))
    net.loss = total(dout * Y)
    return net


def recurrent():
    """A tanh recurrence over (N, T, D), an upstream gradient at every step."""
    net = Network("rnn")
    T, N, D, H = net.sizes("T N D H")
    x, h0 = net.parameter("x", N, T, D), net.parameter("h0", N, H)
    Wx, Wh, b = net.parameter("Wx", D, H), net.parameter("Wh", H, H), net.parameter("b", H)
    dh = net.input("dout", N, T, H)
    t, n, d, j, k = net.indices(t=T, n=N, d=D, j=H, k=H)
    h = net.state("h", T, N, H, initial=h0)
    net.define(h, tanh(Sum(x[n, t, d] * Wx[d, k], d) + Sum(h[t - 1, n, j] * Wh[j, k], j) + b[k]), over=(t, n, k))
    net.loss = Sum(dh[n, t, k] * h[t, n, k], n, t, k)
    return net


def character_model():
    """A recurrent model of one sequence of characters, in columns, the loss summed over steps."""
    net = Network("characters")
    T, H, V = net.sizes("T H V")
    Wxh, Whh, Why = net.parameter("Wxh", H, V), net.parameter("Whh", H, H), net.parameter("Why", V, H)
    bh, by = net.parameter("bh", H), net.parameter("by", V)
    inputs, targets = net.labels("inputs", T, classes=V), net.labels("targets", T, classes=V)
    h0 = net.input("h0", H)
    t, k, j, v = net.indices(t=T, k=H, j=H, v=V)
    h = net.state("h", T, H, initial=h0)
    net.define(h, tanh(Wxh[k, inputs[t]] + Sum(Whh[k, j] * h[t - 1, j], j) + bh[k]), over=(t, k))
    y = net.define("y", Sum(Why[v, k] * h[t, k], k) + by[v], over=(t, v))
    net.loss = Sum(log(Sum(exp(y[t, v]), v)) - y[t, targets[t]], t)
    return net


def lstm_step():
    """One step of an LSTM, upstream gradients on the new state and the new memory."""
    net = Network("lstm_step")
    N, D, H = net.sizes("N D H")
    x, h0, c0 = net.parameter("x", N, D), net.parameter("h0", N, H), net.parameter("c0", N, H)
    Wx, Wh, b = net.parameter("Wx", D, 4, H), net.parameter("Wh", H, 4, H), net.parameter("b", 4, H)
    dh, dc = net.input("dnext_h", N, H), net.input("dnext_c", N, H)
    n, d, j, k, q = net.indices(n=N, d=D, j=H, k=H, q=4)
    a = net.define("a", Sum(x[n, d] * Wx[d, q, k], d) + Sum(h0[n, j] * Wh[j, q, k], j) + b[q, k], over=(n, q, k))
    i, f = net.define("i", sigmoid(a[n, 0, k]), over=(n, k)), net.define("f", sigmoid(a[n, 1, k]), over=(n, k))
    o, g = net.define("o", sigmoid(a[n, 2, k]), over=(n, k)), net.define("g", tanh(a[n, 3, k]), over=(n, k))
    c = net.define("c", f * c0 + i * g)
    h = net.define("h", o * tanh(c))
    net.loss = total(dh * h) + total(dc * c)
    return net


def attention():
    """One head of attention, no mask, an upstream gradient."""
    net = Network("self_attention")
    T, D, E = net.sizes("T D E")
    Wq, Wk, Wv = net.parameter("Wq", D, E), net.parameter("Wk", D, E), net.parameter("Wv", D, E)
    X, dout = net.input("X", T, D), net.input("dout", T, E)
    Q, K, V = net.define("Q", X @ Wq), net.define("K", X @ Wk), net.define("V", X @ Wv)
    A = net.define("A", softmax(Q @ K.T / sqrt(E)))
    net.loss = total(dout * net.define("O", A @ V))
    return net


def embedding():
    """Rows of a table looked up by words."""
    net = Network("word_embedding")
    N, T, V, D = net.sizes("N T V D")
    W, x = net.parameter("W", V, D), net.labels("x", N, T, classes=V)
    dout = net.input("dout", N, T, D)
    n, t, d = net.indices(n=N, t=T, d=D)
    Y = net.define("Y", W[x[n, t], d], over=(n, t, d))
    net.loss = Sum(dout[n, t, d] * Y[n, t, d], n, t, d)
    return net


def dropout():
    """Inverted dropout by a given mask, then a linear layer."""
    net = Network("inverted_dropout")
    N, D, M = net.sizes("N D M")
    x, w = net.parameter("x", N, D), net.parameter("w", D, M)
    mask, p = net.input("mask", N, D, note="1 or else 0"), net.input("p", note="probability")
    dout = net.input("dout", N, M)
    kept = net.define("kept", x * mask / p)
    net.loss = total(dout * net.define("Y", kept @ w))
    return net


def least_squares():
    """Linear regression with an L2 penalty lam times the sum of squares."""
    net = Network("least_squares")
    N, D = net.sizes("N D")
    w, b, lam = net.parameter("w", D), net.parameter("b"), net.input("lam")
    X, y = net.input("X", N, D), net.input("y", N)
    r = net.define("r", X @ w + b - y)
    net.loss = mean(r**2) + lam * total(w**2)
    return net


def leaky():
    """A leaky relu of slope 1/10 with squared error."""
    net = Network("leaky_layer")
    N, D, M = net.sizes("N D M")
    W, X, Y = net.parameter("W", D, M), net.input("X", N, D), net.input("Y", N, M)
    Z = net.define("Z", X @ W)
    n, m = net.indices(n=N, m=M)
    A = net.define("A", Piecewise((Z[n, m], Z[n, m] > 0), (Z[n, m] / 10, True)), over=(n, m))
    net.loss = mean((A - Y) ** 2) / 2
    return net
