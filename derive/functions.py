"""The few functions that SymPy lacks, each with its derivative in terms of itself.

They are ordinary `sympy.Function`s: they take whole arrays, `Indexed` reads and numbers alike. `definition` gives
each one's meaning in stock SymPy, which is all that the referee ever sees.
"""

from sympy import Abs as absolute
from sympy import Function, Heaviside, Integer, Piecewise, Rational, S, cosh, erf, exp, log, pi, sign, sinh, sqrt, tanh


class Elementwise(Function):
    """A real function of one real variable."""

    nargs = (1,)

    def _eval_is_extended_real(self):
        return self.args[0].is_extended_real

    def _eval_is_real(self):
        return self.args[0].is_real


class step(Elementwise):
    """[x > 0]: 1 where x is positive, 0 elsewhere, 0 at 0; the derivative of relu."""

    kink = "relu'(0) = 0"

    @classmethod
    def eval(cls, x):
        if x.is_positive:
            return S.One
        if x.is_nonpositive:
            return S.Zero
        return None

    def fdiff(self, argindex=1):
        return S.Zero

    @staticmethod
    def definition(x):
        return Piecewise((1, x > 0), (0, True))


class half_step(Elementwise):
    """[x > 0] with the value 1/2 at 0; the derivative of a maximum of two, shared equally at a tie."""

    kink = "a maximum of two shares its gradient equally at a tie"

    @classmethod
    def eval(cls, x):
        return Heaviside(x) if x.is_number else None

    def fdiff(self, argindex=1):
        return S.Zero

    @staticmethod
    def definition(x):
        return Piecewise((1, x > 0), (0, x < 0), (Rational(1, 2), True))


class at_zero(Elementwise):
    """[x = 0]: 1 at 0, 0 elsewhere; tells which terms attain a maximum."""

    kink = "a maximum over an index shares its gradient equally among ties"

    @classmethod
    def eval(cls, x):
        return S.One if x.is_zero else S.Zero if x.is_nonzero else None

    def fdiff(self, argindex=1):
        return S.Zero

    @staticmethod
    def definition(x):
        return Piecewise((0, x > 0), (0, x < 0), (1, True))


class relu(Elementwise):
    """max(x, 0), with relu'(0) = 0."""

    @classmethod
    def eval(cls, x):
        if x.is_nonnegative:
            return x
        if x.is_nonpositive:
            return S.Zero
        return None

    def _eval_is_nonnegative(self):
        return True

    def fdiff(self, argindex=1):
        return step(self)               # [relu(x) > 0] = [x > 0]: read off the output

    @staticmethod
    def definition(x):
        return Piecewise((x, x > 0), (0, True))


class sigmoid(Elementwise):
    """The logistic function 1/(1 + exp(-x))."""

    @classmethod
    def eval(cls, x):
        return Rational(1, 2) if x.is_zero else None

    def _eval_is_positive(self):
        return True

    def fdiff(self, argindex=1):
        return self * (1 - self)

    @staticmethod
    def definition(x):
        return 1 / (1 + exp(-x))


class softplus(Elementwise):
    """log(1 + exp(x)), whose derivative is sigmoid(x)."""

    def _eval_is_positive(self):
        return True

    def fdiff(self, argindex=1):
        return sigmoid(self.args[0])

    @staticmethod
    def definition(x):
        return log(1 + exp(x))


def leaky_relu(x, slope=Rational(1, 100)):  # noqa: B008  a number that cannot change
    """x where positive, slope*x elsewhere, its derivative at 0 the slope."""
    return relu(x) + slope * (x - relu(x))


def elu(x, alpha=1):
    """x where positive, alpha*(exp(x) - 1) elsewhere, its derivative at 0 alpha; exp is taken of min(x, 0) only."""
    return relu(x) + alpha * (exp(x - relu(x)) - 1)


def silu(x):
    """x*sigmoid(x), also called swish."""
    return x * sigmoid(x)


def gelu(x):
    """x*Phi(x), Phi the standard normal distribution function (Hendrycks and Gimpel, 2016)."""
    return x * (1 + erf(x / sqrt(2))) / 2


def gelu_tanh(x):
    """Gelu in its tanh approximation (Hendrycks and Gimpel, 2016, section 2)."""
    return x * (1 + tanh(sqrt(2 / pi) * (x + Rational(44715, 1000000) * x**3))) / 2


def mish(x):
    """x*tanh(softplus(x))."""
    return x * tanh(softplus(x))


def softsign(x):
    """x/(1 + |x|)."""
    return x / (1 + absolute(x))


def defined(expr):
    """Return `expr` with every function of this module replaced by its definition in stock SymPy."""
    for function in (relu, step, half_step, at_zero, sigmoid, softplus):
        expr = expr.replace(function, function.definition)
    return expr


__all__ = [
    "Integer",
    "absolute",
    "at_zero",
    "cosh",
    "defined",
    "elu",
    "erf",
    "exp",
    "gelu",
    "gelu_tanh",
    "half_step",
    "leaky_relu",
    "log",
    "mish",
    "relu",
    "sigmoid",
    "sign",
    "silu",
    "sinh",
    "softplus",
    "softsign",
    "sqrt",
    "step",
    "tanh",
]
