"""Costs: against a count of every scalar operation at small sizes, and of what the generated module executes."""

from itertools import product

import numpy as np
import pytest
from sympy import (
    Add,
    And,
    Function,
    Idx,
    Indexed,
    IndexedBase,
    Integer,
    KroneckerDelta,
    Mul,
    Piecewise,
    Poly,
    Pow,
    Rational,
    expand,
    symbols,
)

import codegen
from derive.binders import is_binder
from derive.cost import cost_of, grouped, in_named_sizes, leading, leading_grouped, operations
from derive.explicit import sizes_for
from derive.networks import load, named

from .shipped import large

NETWORKS = [net.name for net in load()]


def at(expr, program, sizes):
    """Return the number that an expression in sizes is."""
    return int(expr.xreplace({s: Integer(n) for s, n in sizes.items()}))


# ---- one scalar at a time


class Tally:
    """Counts scalar operations by visiting every value of every index; brackets let through what they let through."""

    def __init__(self, program, sizes):
        self.sizes = {s: Integer(n) for s, n in sizes.items()}
        self.random = np.random.default_rng(0)
        self.program, self.data = program, {}

    def number(self, expr, env):
        """Return the integer that an index expression is; data are drawn when they are first read."""
        expr = expr.xreplace({r: self.datum(r, env) for r in expr.atoms(Indexed)})
        return expr.xreplace(env).xreplace(self.sizes)

    def datum(self, read, env):
        key = read.base.name, tuple(self.number(i, env) for i in read.indices)
        variable = self.program.variables[key[0]]
        top = self.number(variable.classes, {}) if variable.classes is not None else 4     # places in 2 x 2 windows
        return Integer(self.data.setdefault(key, int(self.random.integers(0, int(top)))))

    def values(self, limits, env):
        if not limits:
            yield env
            return
        (index, low, high), *rest = limits
        for value in range(int(self.number(low, env)), int(self.number(high, env)) + 1):
            yield from self.values(rest, {**env, index: Integer(value)})

    def passes(self, bracket, env):
        return self.number(bracket.args[0], env) == self.number(bracket.args[1], env)

    def of(self, expr, env):
        if isinstance(expr, Idx | Indexed | IndexedBase | KroneckerDelta) or not expr.args:
            return 0
        if is_binder(expr):
            passed = [now for now in self.values(list(expr.limits), env) if self.counts(expr.function, now)]
            return sum(self.of(expr.function, now) + 1 for now in passed)
        if isinstance(expr, Add):
            terms = [t for t in expr.args if self.counts(t, env)]
            return sum(self.of(t, env) for t in terms) + max(len(terms) - 1, 0)
        if isinstance(expr, Mul):
            factors = [f for f in expr.args if not isinstance(f, KroneckerDelta)]
            varying = [f for f in factors if f.has(Indexed, Function) or any(not s.is_integer for s in f.free_symbols)]
            return sum(self.of(f, env) for f in varying) + max(len(varying) + (len(varying) < len(factors)) - 1, 0)
        if isinstance(expr, Pow):
            return self.of(expr.base, env) + (expr.exp != -1)
        if isinstance(expr, Piecewise):
            return sum(self.of(branch, env) for branch, condition in expr.args
                       if not condition.atoms(Idx) or self.holds(condition, env) or expr.args[-1][0] != 0)
        return sum(self.of(a, env) for a in expr.args) + isinstance(expr, Function)

    def counts(self, term, env):
        """Tell whether a term is there at all: its brackets hold and, where it is guarded, its conditions do."""
        for factor in Mul.make_args(term):
            if isinstance(factor, KroneckerDelta) and not self.passes(factor, env):
                return False
            if isinstance(factor, Piecewise) and factor.args[-1][0] == 0 and factor.args[0][1].atoms(Idx):
                branch, condition = factor.args[0]
                if not self.holds(condition, env) or not self.counts(branch, env):
                    return False
        return True

    def holds(self, condition, env):
        return bool(And(*(self.number(c, env) for c in And.make_args(condition))))

    def total(self):
        return sum(self.of(e.rhs, dict(zip(e.free, values, strict=True))) for e in self.program.equations
                   for values in product(*(map(Integer, range(int(self.number(i.lower, {})),
                                                              int(self.number(i.upper, {})) + 1)) for i in e.free)))


WHOLE = ["mlp", "attention", "autoencoder", "elman_rnn", "lstm", "layer_norm", "skip_gram", "logistic_regression",
         "matrix_factorisation", "vae", "average_pooling", "gaussian_mixture"]


@pytest.mark.parametrize("name", WHOLE)
def test_operations_are_those_of_every_scalar(name):
    """To the last operation where no bracket and no guard leaves a term out; else an upper bound, and near."""
    program = named(name).backward()
    sizes = sizes_for(program, 4)
    formula, counted = at(operations(program), program, sizes), Tally(program, sizes).total()
    assert counted <= formula <= 1.35 * counted


@pytest.mark.parametrize("name", ["autoencoder", "layer_norm", "logistic_regression", "vae"])
def test_operations_are_exact_without_brackets(name):
    program = named(name).backward()
    sizes = sizes_for(program, 4)
    assert at(operations(program), program, sizes) == Tally(program, sizes).total()


# ---- what the module executes


class Counting(np.ndarray):
    """An array that counts the floating-point operations done with it."""

    done = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        plain = [np.asarray(a) if isinstance(a, Counting) else a for a in inputs]
        if out is not None:
            options["out"] = tuple(np.asarray(a) if isinstance(a, Counting) else a for a in out)
        result = getattr(ufunc, method)(*plain, **options)
        if method == "at":
            into, places, added = plain
            Counting.done += np.broadcast(into[places], added).size
        elif ufunc is np.matmul:
            Counting.done += (1 if _is_square(*plain) else 2) * np.size(result) * np.shape(plain[0])[-1]
        elif ufunc is np.vecdot:
            Counting.done += 2 * np.size(plain[0])
        elif method == "reduce":
            Counting.done += np.size(plain[0])
        elif np.asarray(result).dtype.kind == "f":
            Counting.done += np.size(result)
        return result.view(Counting) if isinstance(result, np.ndarray) else result


def _is_square(a, b):
    """Tell whether a matrix is multiplied by its own transpose: BLAS then computes half of the entries (syrk)."""
    return a.ndim == b.ndim == 2 and (a.ctypes.data, a.shape, a.strides) == (
        b.ctypes.data, b.shape[::-1], b.strides[::-1])


def executed(program, arguments, direction=()):
    """Return how many operations `loss_and_grads` does, or the function of a program that has results."""
    module = codegen.lambdify(program).module
    numpy = type("numpy", (), {"__getattr__": staticmethod(lambda name: getattr(np, name))})()
    numpy.asarray = np.asanyarray                       # which keeps what counts
    module.__dict__["np"] = numpy
    Counting.done = 0
    counting = [a.view(Counting) if a.dtype.kind == "f" else a for a in arguments]
    more = [[d.view(Counting) for d in direction]] if direction else []
    getattr(module, program.function or "loss_and_grads")(*counting, *more)
    return Counting.done


def drawn(program, sizes):
    """Return random arguments of a program, in order."""
    random = np.random.default_rng(0)
    arguments = []
    for v in (*program.parameters, *program.inputs):
        shape = tuple(at(s, program, sizes) for s in v.shape)
        labels = v.kind == "labels"
        arguments.append(random.integers(0, at(v.classes, program, sizes), shape) if labels
                         else np.asarray(random.normal(size=shape) if shape else 1e-3))
    return arguments


@pytest.mark.parametrize("name", ["mlp", "autoencoder", "attention", "layer_norm", "logistic_regression"])
def test_operations_are_those_that_the_module_executes(name):
    """Within a tenth, at sizes where products count most: masks, labels and shared values differ a little."""
    program = named(name).backward()
    sizes = {s: 24 + 3 * k for k, s in enumerate(program.sizes)}
    arguments = drawn(program, sizes)
    formula = at(operations(program), program, sizes)
    assert abs(executed(program, arguments) - formula) <= 0.1 * formula


# ---- the bound, and what else is told


@pytest.mark.parametrize("name", NETWORKS)
def test_loss_and_gradient_cost_at_most_four_losses(name):
    program = named(name).backward()
    costs = program.cost()
    sizes = large(program)
    together, forward = at(costs.together.operations, program, sizes), at(costs.forward.operations, program, sizes)
    assert 0 < together <= 4 * forward


def test_cost_of_the_perceptron_is_what_one_counts_by_hand():
    program = named("mlp").backward()
    C, D, H, N = symbols("C D H N", integer=True, positive=True)
    costs = program.cost(itemsize=4)
    products = 2 * N * D * H + 2 * N * H * C
    assert costs.forward.operations.coeff(D) == products.coeff(D)
    assert (costs.together.operations - 3 * products + 2 * N * D * H).expand().coeff(D) == 0
    assert (costs.together.operations - 3 * products).expand().coeff(C).coeff(H) == 0
    # A1, the logits and their log-sum-exps are kept; W2, X and y are there anyway
    assert costs.residuals == 4 * (N * H + N * C + N).expand()
    # Z1 reads X, W1 and b1 and is written
    assert costs.forward.bytes.coeff(D).expand() == (4 * N + 4 * H).expand()
    # the loss reads one logit a row
    assert costs.together.bytes.coeff(N, 2) == 0


def test_linear_systems_are_counted_as_they_are_solved():
    """A factor of a definite matrix, 1/3 N^3, its inverse for the log-determinant, 2 N^3; no more that is cubic."""
    N = symbols("N", integer=True, positive=True)
    together = named("gaussian_process").backward().cost().together.operations
    assert Poly(together, N).coeff_monomial(N**3) == Rational(7, 3)


def test_one_step_of_newtons_method_is_counted():
    program = named("hyperparameters").backward()
    D, N = symbols("D N", integer=True, positive=True)
    costs = program.cost()
    forward, backward = costs.forward.operations, costs.backward.operations
    assert forward.coeff(D, 3) == backward.coeff(D, 3) == Rational(2, 3)        # a factorisation in each
    assert forward.coeff(D, 2).coeff(N) > 0 == backward.coeff(D, 2).coeff(N)    # the Hessian is built once, and kept
    assert costs.iterated == ("w",) and "one step of Newton's method for w" in str(costs)


def test_costs_add_up_and_scale_with_the_bytes_of_a_number():
    program = named("attention").backward()
    single, double = cost_of(program, itemsize=4), cost_of(program, itemsize=8)
    assert (double.together.bytes - 2 * single.together.bytes).expand() == 0
    assert single.together.operations == (single.forward.operations + single.backward.operations).expand()
    assert single.together.operations == operations(program)
    assert str(single).splitlines()[3].startswith("residuals ")


def test_products_of_sizes_are_written_by_their_name_and_terms_share_what_they_have_in_common():
    """Of a transformer, D = H E: projections 2 N T D D each, perceptron 2 N T D M, so that both are of degree 4."""
    program = named("transformer_block").backward()
    forward = leading_grouped(program.cost().forward.operations, program.derived)
    assert forward == "NT(8D^2 + 4DM + 4DT + 5HT)"      # 4 projections, 2 layers, scores and values, and the softmax


@pytest.mark.parametrize("name", NETWORKS)
def test_grouped_terms_are_the_same_sum(name):
    program = named(name).backward()
    cost = program.cost()
    for amount in (cost.forward.operations, cost.backward.operations, cost.forward.bytes, cost.residuals):
        terms = Add.make_args(in_named_sizes(amount, program.derived))
        common, left = grouped(terms)
        products = {s: e for s, e in program.derived.items() if e.is_Mul}
        assert expand((common * Add(*left)).xreplace(products) - amount.xreplace(products)) == 0


def test_leading_terms_are_those_of_highest_degree():
    operations = named("mlp").backward().cost().forward.operations     # 2 C H N + 2 D H N + lower terms
    assert leading(operations) == "2CHN + 2DHN"
