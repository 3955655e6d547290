"""The few functions that SymPy lacks, each with its derivative in terms of itself.

They are ordinary `sympy.Function`s: they take whole arrays, `Indexed` reads and numbers alike. `definition` gives
each one's meaning in stock SymPy, which is all that the referee ever sees.
"""

from sympy import Add, Function, Heaviside, Indexed, IndexedBase, Mul, Piecewise, Rational, S, Sum, exp, log

from .conversion import symbolic


class Elementwise(Function):
    """A real function of one real variable."""

    nargs = (1,)

    def __new__(cls, *args, **options):
        return super().__new__(cls, *map(symbolic, args), **options)

    def _eval_is_extended_real(self):
        return self.args[0].is_extended_real

    def _eval_is_real(self):
        return self.args[0].is_real


def _is_any_number(x):
    """Tell of reads, and of what adds up sums, that nothing is known of their sign; SymPy would look for long."""
    return isinstance(x, Indexed | IndexedBase) or any(isinstance(f, Sum) for t in Add.make_args(x)
                                                       for f in Mul.make_args(t))


class step(Elementwise):
    """[x > 0]: 1 where x is positive, 0 elsewhere, 0 at 0; the derivative of relu."""

    kink = "relu'(0) = 0"

    @classmethod
    def eval(cls, x):
        if _is_any_number(x):
            return None
        return S.One if x.is_positive else S.Zero if x.is_nonpositive else None

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
        if x.is_number:
            return Heaviside(x)
        if x.could_extract_minus_sign() and not x.is_integer:
            return 1 - cls(-x)              # both sides of a maximum compare one difference
        return None

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
        if _is_any_number(x):
            return None
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
        if _is_any_number(x):
            return None
        return x if x.is_nonnegative else S.Zero if x.is_nonpositive else None

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


def defined(expr):
    """Return `expr` with every function of this module replaced by its definition in stock SymPy."""
    for function in (relu, step, half_step, at_zero, sigmoid, softplus):
        expr = expr.replace(function, function.definition)
    return expr
