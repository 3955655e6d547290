"""Activations by the names that PyTorch gives them: each a SymPy expression, of a whole array, a read or a number."""

from sympy import Abs, Piecewise, Rational, erf, exp, pi, sqrt, tanh

from .conversion import symbolic
from .functions import relu, sigmoid, softplus

HALF, HUNDREDTH = Rational(1, 2), Rational(1, 100)


def leaky_relu(x, slope=HUNDREDTH):
    """x where positive, slope*x elsewhere, its derivative at 0 the slope."""
    return relu(x) + slope * (x - relu(x))


prelu = leaky_relu              # with a parameter for its slope


def relu6(x):
    """x between 0 and 6, the nearer of both elsewhere; its derivative at both is 0."""
    return Piecewise((0, x <= 0), (6, x >= 6), (x, True))


def elu(x, alpha=1):
    """x where positive, alpha*(exp(x) - 1) elsewhere, its derivative at 0 alpha; exp is taken of min(x, 0) only."""
    return relu(x) + alpha * (exp(x - relu(x)) - 1)


def celu(x, alpha=1):
    """x where positive, alpha*(exp(x/alpha) - 1) elsewhere (Barron, 2017)."""
    return relu(x) + alpha * (exp((x - relu(x)) / alpha) - 1)


def selu(x):
    """The elu that keeps mean 0 and variance 1 (Klambauer et al., 2017, equation 2)."""
    return Rational("1.0507009873554804934193349852946") * elu(x, Rational("1.6732632423543772848170429916717"))


def silu(x):
    """x*sigmoid(x), also called swish."""
    return x * sigmoid(x)


def gelu(x):
    """x*Phi(x), Phi the standard normal distribution function (Hendrycks and Gimpel, 2016)."""
    return x * (1 + erf(x / sqrt(2))) / 2


def gelu_tanh(x):
    """gelu in its tanh approximation (Hendrycks and Gimpel, 2016, section 2)."""
    return x * (1 + tanh(sqrt(2 / pi) * (x + Rational(44715, 1000000) * x**3))) / 2


def mish(x):
    """x*tanh(softplus(x)) (Misra, 2019)."""
    return x * tanh(softplus(x))


def softsign(x):
    """x/(1 + |x|)."""
    return x / (1 + Abs(symbolic(x)))


def tanhshrink(x):
    """x - tanh(x)."""
    return x - tanh(symbolic(x))


def softshrink(x, edge=HALF):
    """x moved towards 0 by `edge`, 0 where that would pass it."""
    return Piecewise((x - edge, x > edge), (x + edge, x < -edge), (0, True))


def hardshrink(x, edge=HALF):
    """x where |x| > edge, 0 elsewhere."""
    return Piecewise((x, x > edge), (x, x < -edge), (0, True))


def threshold(x, edge, value):
    """x where x > edge, `value` elsewhere."""
    return Piecewise((x, x > edge), (value, True))


def hardtanh(x, low=-1, high=1):
    """x between two bounds, the nearer bound elsewhere; its derivative at both is 0."""
    return Piecewise((low, x <= low), (high, x >= high), (x, True))


def hardsigmoid(x):
    """x/6 + 1/2 between 0 and 1, the nearer of both elsewhere."""
    return Piecewise((0, x <= -3), (1, x >= 3), (x / 6 + HALF, True))


def hardswish(x):
    """x*hardsigmoid(x) (Howard et al., 2019)."""
    return Piecewise((0, x <= -3), (x, x >= 3), (x * (x + 3) / 6, True))


def logsigmoid(x):
    """log(sigmoid(x)), never an overflow."""
    return -softplus(-x)
