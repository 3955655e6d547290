"""Small networks and blocks, in the styles of books and frameworks from scratch: lists, scalars, modules, float32."""

from sympy import Rational, Sum, tanh

from derive import Network, elu, mean, prelu, relu, selu, sigmoid, silu, total

from .frame import Submission


def pure_lists():
    net = Network("feed_forward_lists")
    D, H, K = net.sizes("D H K")
    D1, H1 = net.size("D1", D + 1), net.size("H1", H + 1)
    hidden, output = net.parameter("hidden", H, D1), net.parameter("output", K, H1)
    x, t = net.input("x", D), net.input("t", K)
    d, h, k = net.indices(d=D, h=H, k=K)
    a = net.define("a", sigmoid(Sum(hidden[h, d] * x[d], d) + hidden[h, D]), over=h)
    o = net.define("o", sigmoid(Sum(output[k, h] * a[h], h) + output[k, H]), over=k)
    net.loss = total((o - t) ** 2)
    return net


PURE_LISTS = Submission(pure_lists, """
import math
from typing import List

Vector = List[float]

def dot(v: Vector, w: Vector) -> float:
    return sum(v_i * w_i for v_i, w_i in zip(v, w))

def sigmoid(t: float) -> float:
    return 1 / (1 + math.exp(-t))

def neuron_output(weights: Vector, inputs: Vector) -> float:
    return sigmoid(dot(weights, inputs))

def feed_forward(neural_network, input_vector):
    outputs = []
    for layer in neural_network:
        input_with_bias = input_vector + [1]
        output = [neuron_output(neuron, input_with_bias) for neuron in layer]
        outputs.append(output)
        input_vector = output
    return outputs

def sqerror_gradients(hidden, output, x, t):
    network = [[list(map(float, row)) for row in hidden], [list(map(float, row)) for row in output]]
    input_vector, target_vector = list(x), list(t)
    hidden_outputs, outputs = feed_forward(network, input_vector)
    output_deltas = [2 * output * (1 - output) * (output - target)
                     for output, target in zip(outputs, target_vector)]
    output_grads = [[output_deltas[i] * hidden_output for hidden_output in hidden_outputs + [1]]
                    for i, output_neuron in enumerate(network[-1])]
    hidden_deltas = [hidden_output * (1 - hidden_output) * dot(output_deltas, [n[i] for n in network[-1]])
                     for i, hidden_output in enumerate(hidden_outputs)]
    hidden_grads = [[hidden_deltas[i] * inp for inp in input_vector + [1]]
                    for i, hidden_neuron in enumerate(network[0])]
    return [hidden_grads, output_grads]
""", "sqerror_gradients")
PURE_LISTS.wrong("hidden: the weights used are those of one output neuron (a row), not the column into all of them",
                 ("dot(output_deltas, [n[i] for n in network[-1]])", "dot(output_deltas, network[-1][i])"))
PURE_LISTS.wrong("output: the bias's gradient is 0, its 1 left out (padded with 0)",
                 ("hidden_outputs + [1]]\n", "hidden_outputs + [0]]\n"),
                 named=r"doutput.*the term \[h = H\] \* dpre_o\[k\] is missing")
PURE_LISTS.wrong(
    "everything: the derivative of the square has lost its 2",
    ("[2 * output * (1 - output)", "[output * (1 - output)"), named="do.*the factor 2 is missing")
PURE_LISTS.wrong("two: hidden: the output's slope is used for the hidden neurons as well; output: sign",
                 ("[hidden_output * (1 - hidden_output) * dot", "[outputs[0] * (1 - outputs[0]) * dot"),
                 ("output_grads = [[output_deltas[i] *", "output_grads = [[-output_deltas[i] *"))


def scalar_engine():
    net = Network("value_engine")
    N, D = net.sizes("N D")
    w, b, v, X, y, alpha = (net.parameter("w", D), net.parameter("b"), net.parameter("v"), net.input("X", N, D),
                            net.input("y", N), net.input("alpha"))
    s = net.define("s", tanh(X @ w + b) * v)
    net.loss = mean(relu(1 - y * s)) + alpha * (total(w**2) + b**2 + v**2)
    return net


SCALAR_ENGINE = Submission(scalar_engine, """
class Value:
    def __init__(self, data, children=()):
        self.data, self.grad = data, 0.0
        self._prev, self._backward = children, lambda: None

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other))
        def _backward():
            self.grad += out.grad
            other.grad += out.grad
        out._backward = _backward
        return out

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other))
        def _backward():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad
        out._backward = _backward
        return out

    def tanh(self):
        t = np.tanh(self.data)
        out = Value(t, (self,))
        def _backward():
            self.grad += (1 - t * t) * out.grad
        out._backward = _backward
        return out

    def relu(self):
        out = Value(max(self.data, 0), (self,))
        def _backward():
            self.grad += (out.data > 0) * out.grad
        out._backward = _backward
        return out

    def backward(self):
        topo, visited = [], set()
        def build(v):
            if v not in visited:
                visited.add(v)
                for child in v._prev:
                    build(child)
                topo.append(v)
        build(self)
        self.grad = 1.0
        for v in reversed(topo):
            v._backward()

def loss(w, b, v, X, y, alpha):
    ws, bias, out = [Value(float(x)) for x in w], Value(float(b)), Value(float(v))
    total = Value(0.0)
    for xi, yi in zip(X, y):
        act = bias
        for wi, x in zip(ws, xi):
            act = act + wi * float(x)
        score = act.tanh() * out
        total = total + (score * (-float(yi)) + 1).relu()
    data_loss = total * (1.0 / len(X))
    reg = Value(0.0)
    for p in ws + [bias, out]:
        reg = reg + p * p
    L = data_loss + reg * float(alpha)
    L.backward()
    return L.data, (np.array([p.grad for p in ws]), bias.grad, out.grad)
""", "loss")
SCALAR_ENGINE.wrong("everything used more than once: gradients are assigned, not accumulated, in the product",
                    ("            self.grad += other.data * out.grad\n            other.grad += self.data * out.grad",
                     "            self.grad = other.data * out.grad\n            other.grad = self.data * out.grad"),
          named=r"db.*the factor 2 of 2 alpha \* b is missing.*dv.*only the term .*counts.*dw.*only the term .*counts")
SCALAR_ENGINE.wrong(
    "w, b: tanh's slope is 1 - t, the square is missing",
    ("(1 - t * t) * out.grad", "(1 - t) * out.grad"), named=r"dpre_s.*the derivative is taken to be 1 \- tanh_pre_s")
SCALAR_ENGINE.wrong("w, b, v: the hinge's mask is taken of the gradient (always on): violated or not",
                    ("(out.data > 0) * out.grad", "(out.grad > 0) * out.grad"), named=None)
SCALAR_ENGINE.wrong("everything: run in order of creation, not in reverse: nothing arrives, all is 0",
                    ("for v in reversed(topo):", "for v in topo:"), named="ds.*zero everywhere")


def fastai():
    net = Network("foundations_model")
    N, D, H = net.sizes("N D H")
    w1, b1 = net.parameter("w1", D, H), net.parameter("b1", H)
    w2, b2 = net.parameter("w2", H, 1), net.parameter("b2", 1)
    x, y = net.input("x", N, D), net.input("y", N)
    n = net.indices(n=N)[0]
    z = net.define("z", (relu(x @ w1 + b1) - Rational(1, 2)) @ w2 + b2)
    net.loss = Sum((z[n, 0] - y[n]) ** 2, n) / N
    return net


FASTAI = Submission(fastai, """
class Module:
    def __call__(self, *args):
        self.args = args
        self.out = self.forward(*args)
        return self.out
    def backward(self):
        self.bwd(self.out, *self.args)

class T(np.ndarray):
    pass

def tensor(a):
    return np.array(a, dtype=float).view(T)

class Relu(Module):
    def forward(self, inp): return np.maximum(inp, 0.) - 0.5
    def bwd(self, out, inp): inp.g = (inp > 0) * out.g

class Lin(Module):
    def __init__(self, w, b): self.w, self.b = w, b
    def forward(self, inp): return inp @ self.w + self.b
    def bwd(self, out, inp):
        inp.g = out.g @ self.w.T
        self.w.g = inp.T @ out.g
        self.b.g = out.g.sum(0)

class Mse(Module):
    def forward(self, inp, targ): return ((inp.squeeze(-1) - targ) ** 2).mean()
    def bwd(self, out, inp, targ): inp.g = 2. * (inp.squeeze(-1) - targ)[:, None] / targ.shape[0]

class Model:
    def __init__(self, w1, b1, w2, b2):
        self.layers = [Lin(w1, b1), Relu(), Lin(w2, b2)]
        self.loss = Mse()
    def __call__(self, x, targ):
        for l in self.layers: x = l(x)
        return self.loss(x, targ)
    def backward(self):
        self.loss.backward()
        for l in reversed(self.layers): l.backward()

def train_step(w1, b1, w2, b2, x, y):
    w1, b1, w2, b2, x = map(tensor, (w1, b1, w2, b2, x))
    model = Model(w1, b1, w2, b2)
    loss = model(x, np.asarray(y))
    model.backward()
    return float(loss), {k: np.asarray(p.g) for k, p in zip(('w1', 'b1', 'w2', 'b2'), (w1, b1, w2, b2))}
""", "train_step")
FASTAI.wrong("w1, b1: relu's mask is taken of its shifted output (> 0 after the -0.5), not of its input",
             ("inp.g = (inp > 0) * out.g", "inp.g = (out > 0) * out.g"))
FASTAI.wrong("everything: predictions less targets broadcast to a square (N, N): the missing squeeze",
             ("inp.g = 2. * (inp.squeeze(-1) - targ)[:, None] / targ.shape[0]",
              "inp.g = 2. * (inp - targ).mean(axis=1, keepdims=True) / targ.shape[0]"))
FASTAI.wrong("two: the square's 2 is lost everywhere; b1, b2 are averaged, not summed",
             ("inp.g = 2. * (inp", "inp.g = (inp"), ("self.b.g = out.g.sum(0)", "self.b.g = out.g.mean(0)"),
             named="dz.*the factor 2 is missing.*db2.*the sum over n is a mean")


def highway():
    net = Network("highway_layer")
    N, D = net.sizes("N D")
    WH, bH = net.parameter("WH", D, D), net.parameter("bH", D)
    WT, bT = net.parameter("WT", D, D), net.parameter("bT", D)
    x, Y = net.parameter("x", N, D), net.input("Y", N, D)
    T, H = net.define("T", sigmoid(x @ WT + bT)), net.define("H", tanh(x @ WH + bH))
    net.loss = mean((T * H + (1 - T) * x - Y) ** 2) / 2
    return net


HIGHWAY = Submission(highway, """
def highway(WH, bH, WT, bT, x, Y):
    t = 1 / (1 + np.exp(-(x @ WT + bT)))
    h = np.tanh(x @ WH + bH)
    y = t * h + (1 - t) * x
    e = (y - Y) / Y.size
    da_h = e * t * (1 - h * h)
    da_t = e * (h - x) * t * (1 - t)
    dx = e * (1 - t) + da_h @ WH.T + da_t @ WT.T
    return 0.5 * np.mean((y - Y) ** 2), (x.T @ da_h, da_h.sum(0), x.T @ da_t, da_t.sum(0), dx)
""", "highway")
HIGHWAY.wrong(
    "WT, bT, x: the carry gate's part is forgotten in the gate's gradient: h where h - x belongs",
    ("e * (h - x) * t", "e * h * t"), named=r"dT.*the term \-x\[n, d\] is missing")
HIGHWAY.wrong("x: the carried path is missing", ("dx = e * (1 - t) + da_h", "dx = da_h"),
              named="dx.*the term .*is missing")
HIGHWAY.wrong("two: WH, bH: multiplied by 1 - t for t; WT, bT: the gate's slope is missing",
              ("da_h = e * t *", "da_h = e * (1 - t) *"), ("(h - x) * t * (1 - t)", "(h - x)"),
              named="dpre_T.*the derivative is taken to be 1: it is missing.*dH: the derivative is taken to be 1 - T")


def activations():
    net = Network("activation_zoo")
    N, D = net.sizes("N D")
    W1, a, W2, W3, W4 = (net.parameter("W1", D, D), net.parameter("a"), net.parameter("W2", D, D),
                         net.parameter("W3", D, D), net.parameter("W4", D, D))
    X, R = net.input("X", N, D), net.input("R", N, D)
    Z1 = net.define("Z1", X @ W1)
    A1 = net.define("A1", prelu(Z1, a))
    Z2 = net.define("Z2", A1 @ W2)
    A2 = net.define("A2", elu(Z2))
    Z3 = net.define("Z3", A2 @ W3)
    A3 = net.define("A3", selu(Z3))
    Z4 = net.define("Z4", A3 @ W4)
    net.loss = total(R * silu(Z4))
    return net


ACTIVATIONS = Submission(activations, """
SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772

def stack(W1, a, W2, W3, W4, X, R):
    z1 = X @ W1
    a1 = np.where(z1 > 0, z1, a * z1)
    z2 = a1 @ W2
    a2 = np.where(z2 > 0, z2, np.expm1(np.minimum(z2, 0)))
    z3 = a2 @ W3
    a3 = SCALE * np.where(z3 > 0, z3, ALPHA * np.expm1(np.minimum(z3, 0)))
    z4 = a3 @ W4
    s = 1 / (1 + np.exp(-z4))
    swish = z4 * s
    loss = np.sum(R * swish)
    dz4 = R * (swish + s * (1 - swish))
    dz3 = dz4 @ W4.T * np.where(z3 > 0, SCALE, a3 + SCALE * ALPHA)
    dz2 = dz3 @ W3.T * np.where(z2 > 0, 1, a2 + 1)
    da1 = dz2 @ W2.T
    da = np.sum(da1 * np.minimum(z1, 0))
    dz1 = da1 * np.where(z1 > 0, 1, a)
    return loss, (X.T @ dz1, da, a1.T @ dz2, a2.T @ dz3, a3.T @ dz4)
""", "stack")
ACTIVATIONS.wrong("everything (W1 .. W4, a): swish's slope is s + z (1 - s), a factor s lost",
                  ("R * (swish + s * (1 - swish))", "R * (s + z4 * (1 - s))"),
                  named=r"dZ4.*the factor sigmoid\(Z4\[n, d\]\) is missing")
ACTIVATIONS.wrong("W1, W2, a: elu's slope below 0 is exp of its output, not of its input",
                  ("np.where(z2 > 0, 1, a2 + 1)", "np.where(z2 > 0, 1, np.exp(a2))"),
                  named="dZ2.*is read where Z2 should be")
ACTIVATIONS.wrong("a: prelu's slope sums all pre-activations, not the negative ones",
                  ("np.sum(da1 * np.minimum(z1, 0))", "np.sum(da1 * z1)"),
                  named=r"da.*the term \-relu\(Z1\[n, d\]\) is missing")
ACTIVATIONS.wrong(
    "W1, W2, W3, a: selu's scale is missing in the positive part",
    ("np.where(z3 > 0, SCALE, a3", "np.where(z3 > 0, 1, a3"), named="dZ3.*the factor .*is missing")
ACTIVATIONS.wrong("two: a: the positive entries; W1: the slope below 0 is 0 (relu's)",
                  ("np.minimum(z1, 0))", "np.maximum(z1, 0))"), ("np.where(z1 > 0, 1, a)", "np.where(z1 > 0, 1, 0)"))


def errors_back():
    net = Network("query_and_train")
    I, H, O = net.sizes("I H O")
    wih, who, x, t = net.parameter("wih", H, I), net.parameter("who", O, H), net.input("x", I), net.input("t", O)
    net.loss = total((t - sigmoid(who @ net.define("h", sigmoid(wih @ x)))) ** 2) / 2
    return net


ERRORS_BACK = Submission(errors_back, """
def train(wih, who, x, t):
    activation = lambda v: 1 / (1 + np.exp(-v))
    inputs = np.array(x, ndmin=2).T
    targets = np.array(t, ndmin=2).T
    hidden_outputs = activation(np.dot(wih, inputs))
    final_outputs = activation(np.dot(who, hidden_outputs))
    output_errors = targets - final_outputs
    output_delta = output_errors * final_outputs * (1.0 - final_outputs)
    hidden_errors = np.dot(who.T, output_delta)
    dwho = -np.dot(output_delta, np.transpose(hidden_outputs))
    dwih = -np.dot(hidden_errors * hidden_outputs * (1.0 - hidden_outputs), np.transpose(inputs))
    return dwih, dwho
""", "train")
ERRORS_BACK.wrong("wih: the output's slope is left out, errors (not deltas) are sent back",
                  ("np.dot(who.T, output_delta)", "np.dot(who.T, output_errors)"),
                  named="dh.*(stands where|times what|divided by)")
ERRORS_BACK.wrong("wih: errors are split in proportion to the weights, each weight divided by the sum of its row",
                  ("np.dot(who.T, output_delta)", "np.dot((who / who.sum(axis=1, keepdims=True)).T, output_delta)"))
ERRORS_BACK.wrong("wih, who: the update's direction (minus the gradient) is returned", ("dwho = -np", "dwho = np"),
                  ("dwih = -np", "dwih = np"), named="dpre_loss.*sign is wrong")

SUBMISSIONS = [PURE_LISTS, SCALAR_ENGINE, FASTAI, HIGHWAY, ACTIVATIONS, ERRORS_BACK]
