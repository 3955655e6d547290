"""In the styles of online courses: examples in columns, unrolled vectors with a bias column, lists of layers."""

from sympy import Sum, log

from derive import Network, binary_cross_entropy, cross_entropy, mean, relu, sigmoid, softplus, total

from .frame import Submission


def columns():
    net = Network("l_layer_model")
    m, n0, n1, n2 = net.sizes("M N0 N1 N2")
    W1, b1 = net.parameter("W1", n1, n0), net.parameter("b1", n1, 1)
    W2, b2 = net.parameter("W2", n2, n1), net.parameter("b2", n2, 1)
    W3, b3 = net.parameter("W3", 1, n2), net.parameter("b3", 1, 1)
    X, Y, lambd = net.input("X", n0, m), net.input("Y", 1, m), net.input("lambd")
    D1, keep = net.input("D1", n1, m), net.input("keep_prob")
    A1 = net.define("A1", relu(W1 @ X + b1) * D1 / keep)
    A2 = net.define("A2", relu(W2 @ A1 + b2))
    Z3 = net.define("Z3", W3 @ A2 + b3)
    penalty = total(W1**2) + total(W2**2) + total(W3**2)
    net.loss = total(binary_cross_entropy(Z3, Y)) / m + lambd / (2 * m) * penalty
    return net


COLUMNS = Submission(columns, """
def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def relu(z):
    return np.maximum(0, z)

def linear_backward(dZ, cache, lambd):
    A_prev, W, b = cache
    m = A_prev.shape[1]
    dW = 1. / m * np.dot(dZ, A_prev.T) + lambd / m * W
    db = 1. / m * np.sum(dZ, axis=1, keepdims=True)
    dA_prev = np.dot(W.T, dZ)
    return dA_prev, dW, db

def model(W1, b1, W2, b2, W3, b3, X, Y, lambd, D1, keep_prob):
    m = X.shape[1]
    Z1 = np.dot(W1, X) + b1
    A1 = relu(Z1)
    A1 = A1 * D1
    A1 = A1 / keep_prob
    Z2 = np.dot(W2, A1) + b2
    A2 = relu(Z2)
    A3 = sigmoid(np.dot(W3, A2) + b3)
    cross_entropy_cost = -np.sum(Y * np.log(A3) + (1 - Y) * np.log(1 - A3)) / m
    cost = cross_entropy_cost + lambd / (2 * m) * sum(np.sum(np.square(W)) for W in (W1, W2, W3))

    grads = {}
    dA3 = -(np.divide(Y, A3) - np.divide(1 - Y, 1 - A3))
    dZ3 = dA3 * A3 * (1 - A3)
    dA2, grads['dW3'], grads['db3'] = linear_backward(dZ3, (A2, W3, b3), lambd)
    dZ2 = np.array(dA2, copy=True)
    dZ2[Z2 <= 0] = 0
    dA1, grads['dW2'], grads['db2'] = linear_backward(dZ2, (A1, W2, b2), lambd)
    dA1 = dA1 * D1 / keep_prob
    dZ1 = np.multiply(dA1, np.int64(Z1 > 0))
    _, grads['dW1'], grads['db1'] = linear_backward(dZ1, (X, W1, b1), lambd)
    return cost, grads
""", "model")
COLUMNS.wrong("W1, b1: the dropout is not divided by keep_prob in the backward pass",
              ("dA1 = dA1 * D1 / keep_prob", "dA1 = dA1 * D1"), named="dpre_A1.*the factor 1 / keep_prob is missing")
COLUMNS.wrong("b1, b2, b3: the regulariser is applied to the biases as well",
              ("np.sum(dZ, axis=1, keepdims=True)", "np.sum(dZ, axis=1, keepdims=True) + lambd / m * b"))
COLUMNS.wrong("W1, b1, W2, b2: divided by m twice (the incoming gradient was divided already)",
              ("dA_prev = np.dot(W.T, dZ)", "dA_prev = np.dot(W.T, dZ) / m"), named="dA2.*division by M too many")
COLUMNS.wrong("W1, b1: the relu's mask is missing",
              ("dZ1 = np.multiply(dA1, np.int64(Z1 > 0))", "dZ1 = np.array(dA1, copy=True)"),
              named=r"dpre_A1.*mask \[pre_A1\[n1, m\] > 0\] is missing")
COLUMNS.wrong("two: the regulariser is not divided by m; the output sigmoid's slope is applied once too often",
              ("+ lambd / m * W", "+ lambd * W"), ("dZ3 = dA3 * A3 * (1 - A3)", "dZ3 = (A3 - Y) * A3 * (1 - A3)"),
              named="dZ3.*applied once more.*dW3.*mean's 1/M is missing")


def unrolled():
    net = Network("nn_cost_function")
    M, D, H, K = net.sizes("M D H K")
    D1, H1 = net.size("D1", D + 1), net.size("H1", H + 1)
    Theta1, Theta2 = net.parameter("Theta1", H, D1), net.parameter("Theta2", K, H1)
    X, y, lam = net.input("X", M, D), net.labels("y", M, classes=K), net.input("lam")
    m, d, h, k = net.indices(m=M, d=D, h=H, k=K)
    A = net.define("A", sigmoid(Theta1[h, 0] + Sum(X[m, d] * Theta1[h, 1 + d], d)), over=(m, h))
    Z = net.define("Z", Theta2[k, 0] + Sum(A[m, h] * Theta2[k, 1 + h], h), over=(m, k))
    penalty = Sum(Theta1[h, 1 + d] ** 2, h, d) + Sum(Theta2[k, 1 + h] ** 2, k, h)
    net.loss = (Sum(softplus(Z[m, k]), m, k) - Sum(Z[m, y[m]], m)) / M + lam * penalty / (2 * M)
    return net


UNROLLED = Submission(unrolled, """
def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))

def sigmoidGradient(z):
    return sigmoid(z) * (1 - sigmoid(z))

def nnCostFunction(nn_params, input_layer_size, hidden_layer_size, num_labels, X, y, lambda_):
    cut = hidden_layer_size * (input_layer_size + 1)
    Theta1 = nn_params[:cut].reshape(hidden_layer_size, input_layer_size + 1)
    Theta2 = nn_params[cut:].reshape(num_labels, hidden_layer_size + 1)
    m = X.shape[0]
    a1 = np.concatenate([np.ones((m, 1)), X], axis=1)
    z2 = a1 @ Theta1.T
    a2 = np.concatenate([np.ones((m, 1)), sigmoid(z2)], axis=1)
    h = sigmoid(a2 @ Theta2.T)
    Y = np.eye(num_labels)[y]
    J = np.sum(-Y * np.log(h) - (1 - Y) * np.log(1 - h)) / m
    J += lambda_ / (2 * m) * (np.sum(Theta1[:, 1:] ** 2) + np.sum(Theta2[:, 1:] ** 2))
    Delta1, Delta2 = np.zeros_like(Theta1), np.zeros_like(Theta2)
    for t in range(m):
        delta3 = h[t] - Y[t]
        delta2 = (Theta2.T @ delta3)[1:] * sigmoidGradient(z2[t])
        Delta2 += np.outer(delta3, a2[t])
        Delta1 += np.outer(delta2, a1[t])
    Theta1_grad, Theta2_grad = Delta1 / m, Delta2 / m
    Theta1_grad[:, 1:] += lambda_ / m * Theta1[:, 1:]
    Theta2_grad[:, 1:] += lambda_ / m * Theta2[:, 1:]
    return J, np.concatenate([Theta1_grad.ravel(), Theta2_grad.ravel()])

def solution(Theta1, Theta2, X, y, lam):
    J, grad = nnCostFunction(np.r_[Theta1.ravel(), Theta2.ravel()], X.shape[1], len(Theta1), len(Theta2), X, y, lam)
    return J, (grad[:Theta1.size].reshape(Theta1.shape), grad[Theta1.size:].reshape(Theta2.shape))
""", "solution")
UNROLLED.wrong("Theta1, Theta2: column 0, the bias, is regularised too",
               ("Theta1_grad[:, 1:] += lambda_ / m * Theta1[:, 1:]", "Theta1_grad += lambda_ / m * Theta1"),
               ("Theta2_grad[:, 1:] += lambda_ / m * Theta2[:, 1:]", "Theta2_grad += lambda_ / m * Theta2"),
               named=r"dTheta2.*mask \[h1 >= 1\] is missing.*dTheta1.*mask \[d1 >= 1\] is missing")
UNROLLED.wrong("Theta1: the sigmoid's slope is taken at a sigmoid (sigmoidGradient of a2, not of z2)",
               ("sigmoidGradient(z2[t])", "sigmoidGradient(a2[t, 1:])"),
               named="dpre_A.*the derivative is taken to be sigmoid'")
UNROLLED.wrong("Theta1: the bias row cut from the wrong end (the last, not the first): weights shifted by one",
               ("(Theta2.T @ delta3)[1:]", "(Theta2.T @ delta3)[:-1]"),
               named=r"`\(Theta2.T @ delta3\)\[:-1\]` should be `\(Theta2.T @ delta3\)\[1:\]`")
UNROLLED.wrong("two: Theta2's output delta multiplied by its sigmoid slope (squared error's); Theta1 not regularised",
               ("delta3 = h[t] - Y[t]", "delta3 = (h[t] - Y[t]) * h[t] * (1 - h[t])"),
               ("    Theta1_grad[:, 1:] += lambda_ / m * Theta1[:, 1:]\n", ""),
               named="dZ.*applied once more.*dTheta1.*the term .*is missing")


def cofi():
    net = Network("collaborative_filtering")
    I, U, K = net.sizes("I U K")
    X, Theta = net.parameter("X", I, K), net.parameter("Theta", U, K)
    Y, R, lam = net.input("Y", I, U), net.input("R", I, U), net.input("lam")
    net.loss = total(R * (X @ Theta.T - Y) ** 2) / 2 + lam / 2 * (total(Theta**2) + total(X**2))
    return net


COFI = Submission(cofi, """
def cofiCostFunc(X, Theta, Y, R, lam):
    error = X.dot(Theta.T) - Y
    J = 0.5 * np.sum(R * error ** 2) + lam / 2 * (np.sum(Theta ** 2) + np.sum(X ** 2))
    X_grad, Theta_grad = np.zeros(X.shape), np.zeros(Theta.shape)
    for i in range(X.shape[0]):
        X_grad[i, :] = (R[i, :] * error[i, :]).dot(Theta) + lam * X[i, :]
    for j in range(Theta.shape[0]):
        Theta_grad[j, :] = (R[:, j] * error[:, j]).dot(X) + lam * Theta[j, :]
    return J, (X_grad, Theta_grad)
""", "cofiCostFunc")
COFI.wrong("Theta: unrated entries are counted, R is left out", ("(R[:, j] * error[:, j])", "error[:, j]"),
           named="dTheta.*is read where dpre_loss should be")
COFI.wrong(
    "Theta: the regulariser is of the wrong array (X's column sums)",
    ("+ lam * Theta[j, :]", "+ lam * X.sum(axis=0)"))
COFI.wrong("two: X with a factor 2 on the error; Theta's regulariser with the wrong sign",
           ("(R[i, :] * error[i, :])", "2 * (R[i, :] * error[i, :])"), ("+ lam * Theta[j, :]", "- lam * Theta[j, :]"),
           named="dTheta.*wrong sign.*dX.*is doubled")


def quadratic():
    net = Network("quadratic_cost")
    N, D, H, K = net.sizes("N D H K")
    b1, w1 = net.parameter("b1", H, 1), net.parameter("w1", H, D)
    b2, w2 = net.parameter("b2", K, 1), net.parameter("w2", K, H)
    X, Y = net.input("X", N, D, 1), net.input("Y", N, K, 1)
    n, d, h, k = net.indices(n=N, d=D, h=H, k=K)
    A = net.define("A", sigmoid(Sum(w1[h, d] * X[n, d, 0], d) + b1[h, 0]), over=(n, h))
    O = net.define("O", sigmoid(Sum(w2[k, h] * A[n, h], h) + b2[k, 0]), over=(n, k))
    net.loss = Sum((O[n, k] - Y[n, k, 0]) ** 2, n, k) / (2 * N)
    return net


QUADRATIC = Submission(quadratic, """
class Network(object):
    def __init__(self, biases, weights):
        self.biases, self.weights = biases, weights
        self.num_layers = len(weights) + 1

    def gradient(self, mini_batch):
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        for x, y in mini_batch:
            delta_nabla_b, delta_nabla_w = self.backprop(x, y)
            nabla_b = [nb + dnb for nb, dnb in zip(nabla_b, delta_nabla_b)]
            nabla_w = [nw + dnw for nw, dnw in zip(nabla_w, delta_nabla_w)]
        return [nb / len(mini_batch) for nb in nabla_b], [nw / len(mini_batch) for nw in nabla_w]

    def backprop(self, x, y):
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        activation, activations, zs = x, [x], []
        for b, w in zip(self.biases, self.weights):
            z = np.dot(w, activation) + b
            zs.append(z)
            activation = sigmoid(z)
            activations.append(activation)
        delta = self.cost_derivative(activations[-1], y) * sigmoid_prime(zs[-1])
        nabla_b[-1] = delta
        nabla_w[-1] = np.dot(delta, activations[-2].transpose())
        for l in range(2, self.num_layers):
            sp = sigmoid_prime(zs[-l])
            delta = np.dot(self.weights[-l + 1].transpose(), delta) * sp
            nabla_b[-l] = delta
            nabla_w[-l] = np.dot(delta, activations[-l - 1].transpose())
        return nabla_b, nabla_w

    def cost_derivative(self, output_activations, y):
        return output_activations - y

def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))

def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))

def gradients(b1, w1, b2, w2, X, Y):
    nb, nw = Network([b1, b2], [w1, w2]).gradient(list(zip(X, Y)))
    return nb[0], nw[0], nb[1], nw[1]
""", "gradients")
QUADRATIC.wrong("b2, w2 and below: the output's slope is missing (the cross-entropy's delta)",
                ("activations[-1], y) * sigmoid_prime(zs[-1])", "activations[-1], y)"),
                named="dpre_O.*the derivative is taken to be 1: it is missing")
QUADRATIC.wrong("b1, w1: the wrong layer's slope, of the output's inputs by an index that is off by one",
                ("sp = sigmoid_prime(zs[-l])", "sp = sigmoid_prime(activations[-l])"),
                named="dpre_A.*the derivative is taken to be sigmoid'")
QUADRATIC.wrong("everything: only the last example counts, the sum over the mini-batch is lost",
                ("nabla_b = [nb + dnb for", "nabla_b = [dnb for"), ("nabla_w = [nw + dnw for", "nabla_w = [dnw for"),
                named="db2.*only the last n")
QUADRATIC.wrong("two: b1 averaged over its units (mean kept); the sign of everything (y - output)",
                ("            nabla_b[-l] = delta\n", "            nabla_b[-l] = delta.mean() * np.ones_like(delta)\n"),
                ("return output_activations - y", "return y - output_activations"))


def sparse():
    net = Network("sparse_autoencoder")
    M, V, H = net.sizes("M V H")
    W1, W2 = net.parameter("W1", H, V), net.parameter("W2", V, H)
    b1, b2 = net.parameter("b1", H), net.parameter("b2", V)
    data, lam, rho, beta = net.input("X", V, M), net.input("lam"), net.input("rho"), net.input("beta")
    m, v, h = net.indices(m=M, v=V, h=H)
    A = net.define("A", sigmoid(Sum(W1[h, v] * data[v, m], v) + b1[h]), over=(h, m))
    O = net.define("O", sigmoid(Sum(W2[v, h] * A[h, m], h) + b2[v]), over=(v, m))
    r = net.define("r", mean(A, axis=1))
    kl = total(rho * log(rho / r) + (1 - rho) * log((1 - rho) / (1 - r)))
    net.loss = total((O - data) ** 2) / (2 * M) + lam / 2 * (total(W1**2) + total(W2**2)) + beta * kl
    return net


SPARSE = Submission(sparse, """
def sparseAutoencoderCost(W1, W2, b1, b2, X, lam, rho, beta):
    m = X.shape[1]
    sig = lambda z: 1 / (1 + np.exp(-z))
    a2 = sig(W1.dot(X) + b1.reshape(-1, 1))
    a3 = sig(W2.dot(a2) + b2.reshape(-1, 1))
    rho_hat = a2.sum(axis=1) / m
    KL = rho * np.log(rho / rho_hat) + (1 - rho) * np.log((1 - rho) / (1 - rho_hat))
    cost = 0.5 / m * np.sum((a3 - X) ** 2) + lam / 2 * (np.sum(W1 ** 2) + np.sum(W2 ** 2)) + beta * KL.sum()
    delta3 = -(X - a3) * a3 * (1 - a3)
    sparsity = beta * (-rho / rho_hat + (1 - rho) / (1 - rho_hat))
    delta2 = (W2.T.dot(delta3) + sparsity[:, None]) * a2 * (1 - a2)
    W1grad = delta2.dot(X.T) / m + lam * W1
    W2grad = delta3.dot(a2.T) / m + lam * W2
    b1grad = delta2.sum(axis=1) / m
    b2grad = delta3.sum(axis=1) / m
    return cost, (W1grad, W2grad, b1grad, b2grad)
""", "sparseAutoencoderCost")
SPARSE.wrong(
    "W1, b1: the sparsity term is left out (KL penalty)",
    ("(W2.T.dot(delta3) + sparsity[:, None])", "W2.T.dot(delta3)"), named=r"dA.*the term 1/M dr\[h\] is missing")
SPARSE.wrong("W1, b1: the sparsity term is outside the sigmoid's slope",
             ("(W2.T.dot(delta3) + sparsity[:, None]) * a2 * (1 - a2)",
              "W2.T.dot(delta3) * a2 * (1 - a2) + sparsity[:, None]"))
SPARSE.wrong("W1, b1: the sign inside the sparsity term: its second part has lost the plus",
             ("-rho / rho_hat + (1 - rho)", "-rho / rho_hat - (1 - rho)"), named="dr.*wrong sign")
SPARSE.wrong("W1, b1: the sparsity term is divided by m once too often",
             ("sparsity = beta *", "sparsity = beta / m *"), named="dA.*is there twice")
SPARSE.wrong("two: the penalty on W2 has a factor 2; b2 not divided by m",
             ("a2.T) / m + lam * W2", "a2.T) / m + 2 * lam * W2"), ("delta3.sum(axis=1) / m", "delta3.sum(axis=1)"),
             named="db2.*mean's 1/M is missing.*dW2.*is doubled")


def ufldl_softmax():
    net = Network("softmax_cost")
    K, N, M = net.sizes("K N M")
    theta, data, labels, lam = (net.parameter("theta", K, N), net.input("X", N, M), net.labels("y", M, classes=K),
                                net.input("lam"))
    k, n, m = net.indices(k=K, n=N, m=M)
    Z = net.define("Z", Sum(theta[k, n] * data[n, m], n), over=(m, k))
    net.loss = mean(cross_entropy(Z, labels)) + lam / 2 * total(theta**2)
    return net


UFLDL_SOFTMAX = Submission(ufldl_softmax, """
def softmaxCost(theta, X, y, lam):
    numClasses, numCases = theta.shape[0], X.shape[1]
    groundTruth = np.zeros((numClasses, numCases))
    groundTruth[y, np.arange(numCases)] = 1
    M = theta @ X
    M = M - np.amax(M, axis=0)
    h = np.exp(M)
    h = h / np.sum(h, axis=0)
    cost = -np.sum(groundTruth * np.log(h)) / numCases + lam / 2 * np.sum(theta ** 2)
    thetagrad = -1 / numCases * (groundTruth - h) @ X.T + lam * theta
    return cost, (thetagrad,)
""", "softmaxCost")
UFLDL_SOFTMAX.wrong("theta (and the loss): the softmax is normalised over the examples, not over the classes",
                    ("h = h / np.sum(h, axis=0)", "h = h / np.sum(h, axis=1, keepdims=True)"),
                    named="the softmax is over m where it should be over k.*axis=1.*should be.*axis=0")
UFLDL_SOFTMAX.wrong(
    "theta: the sign of the data's part",
    ("-1 / numCases * (groundTruth", "1 / numCases * (groundTruth"), named="dZ.*sign is wrong")
UFLDL_SOFTMAX.wrong("theta: the weight decay is halved", ("+ lam * theta\n", "+ lam / 2 * theta\n"),
                    named="dtheta.*is 1/2 times what it should be")
UFLDL_SOFTMAX.wrong("theta: gradient of squared error, h is multiplied by its slope",
                    ("(groundTruth - h) @ X.T", "((groundTruth - h) * h * (1 - h)) @ X.T"),
                    named="dZ.*applied once more")


def mse_one_hot():
    net = Network("mlp_mse")
    N, D, H, K = net.sizes("N D H K")
    wh, bh = net.parameter("wh", H, D), net.parameter("bh", H)
    wo, bo = net.parameter("wo", K, H), net.parameter("bo", K)
    X, Y = net.input("X", N, D), net.input("Y", N, K)
    A = net.define("A", sigmoid(X @ wh.T + bh))
    net.loss = mean((sigmoid(A @ wo.T + bo) - Y) ** 2)
    return net


MSE_ONE_HOT = Submission(mse_one_hot, """
class MLP:
    def __init__(self, wh, bh, wo, bo):
        self.weight_h, self.bias_h, self.weight_out, self.bias_out = wh, bh, wo, bo

    def forward(self, x):
        a_h = 1. / (1. + np.exp(-(np.dot(x, self.weight_h.T) + self.bias_h)))
        a_out = 1. / (1. + np.exp(-(np.dot(a_h, self.weight_out.T) + self.bias_out)))
        return a_h, a_out

    def backward(self, x, a_h, a_out, y):
        d_loss__d_a_out = 2. * (a_out - y) / y.size
        d_a_out__d_z_out = a_out * (1. - a_out)
        delta_out = d_loss__d_a_out * d_a_out__d_z_out
        d_loss__dw_out = np.dot(delta_out.T, a_h)
        d_loss__db_out = np.sum(delta_out, axis=0)
        d_loss__a_h = np.dot(delta_out, self.weight_out)
        d_a_h__d_z_h = a_h * (1. - a_h)
        d_loss__d_w_h = np.dot((d_loss__a_h * d_a_h__d_z_h).T, x)
        d_loss__d_b_h = np.sum(d_loss__a_h * d_a_h__d_z_h, axis=0)
        return d_loss__d_w_h, d_loss__d_b_h, d_loss__dw_out, d_loss__db_out

def step(wh, bh, wo, bo, X, Y):
    model = MLP(wh, bh, wo, bo)
    a_h, a_out = model.forward(X)
    return np.mean((a_out - Y) ** 2), model.backward(X, a_h, a_out, Y)
""", "step")
MSE_ONE_HOT.wrong("everything: divided by the number of examples only, a factor K too large",
                  ("/ y.size", "/ y.shape[0]"), named="dpre_loss.*mean's 1/K is missing")
MSE_ONE_HOT.wrong("bh: the hidden sigmoid's slope is left out, of the bias only",
                  ("np.sum(d_loss__a_h * d_a_h__d_z_h, axis=0)", "np.sum(d_loss__a_h, axis=0)"),
                  named="dbh.*is read where dpre_A should be")
MSE_ONE_HOT.wrong("wh, bh: the slope of the hidden sigmoid is a tanh's",
                  ("d_a_h__d_z_h = a_h * (1. - a_h)", "d_a_h__d_z_h = 1. - a_h ** 2"),
                  named=r"dpre_A.*the derivative is taken to be 1 \- A\^2")
MSE_ONE_HOT.wrong(
    "two: the square's 2 is missing everywhere; wo's bias takes one example only (bo not summed)",
    ("2. * (a_out - y)", "(a_out - y)"),
    ("d_loss__db_out = np.sum(delta_out, axis=0)", "d_loss__db_out = delta_out[0]"),
    named="dpre_loss.*the factor 2 is missing.*dbo.*only the first n")

SUBMISSIONS = [COLUMNS, UNROLLED, COFI, QUADRATIC, SPARSE, UFLDL_SOFTMAX, MSE_ONE_HOT]
