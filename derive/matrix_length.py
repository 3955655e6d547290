"""How long a matrix expression is, and the shorter of those that are equal by transposition and by distribution.

The length is the number of symbols, numbers and operations on the page: each factor and term, each sign between two of
them, each transpose, inverse, power and function counts one.
"""

from functools import cache

from sympy import Basic, Expr, MatAdd, MatMul, MatPow, MatrixExpr, MatrixSymbol, Mul, Pow, Symbol, Transpose
from sympy.matrices.expressions.matexpr import MatrixElement


@cache
def length(expr: Basic) -> int:
    """Return the number of symbols, numbers and operations in an expression."""
    if isinstance(expr, MatrixSymbol | Symbol) or not expr.args:
        return 1
    if isinstance(expr, MatrixElement) and expr.args[0].shape == (1, 1):
        return length(expr.args[0])
    if isinstance(expr, MatMul | Mul) and expr.args[0] == -1:
        return 1 + length(expr.func(*expr.args[1:]))
    if isinstance(expr, MatMul | Mul | MatAdd) or expr.is_Add:
        signs = sum(isinstance(a, MatMul | Mul) and a.args[0] == -1 for a in expr.args) if not expr.is_Mul else 0
        return sum(map(length, expr.args)) + len(expr.args) - 1 - min(signs, len(expr.args) - 1)
    if isinstance(expr, MatPow | Pow) and expr.args[1] == -1:
        return 1 + length(expr.args[0])
    arguments = [a for a in expr.args if isinstance(a, Expr)]
    own = 1 if not isinstance(expr, MatPow | Pow) else 0
    return own + sum(map(length, arguments))


def shortest(expr: Expr) -> Expr:
    """Return the shorter of an expression, the same with transposes outside, and common factors before a sum."""
    expr = _flat(expr)
    found = [expr]
    if isinstance(expr, MatMul | MatAdd):
        found.append(_factored(expr) if isinstance(expr, MatAdd) else expr)
    if isinstance(expr, MatrixExpr) and not isinstance(expr, Transpose) and expr.has(Transpose):
        found += [_outside(e) for e in list(found)]
    return min(found, key=length)


def _flat(expr):
    """Return a product with no product transposed in it."""
    if isinstance(expr, MatMul) and any(_is_turned_product(a) for a in expr.args):
        return MatMul(*(a.arg.T if _is_turned_product(a) else a for a in expr.args)).doit(deep=False)
    return expr


def _is_turned_product(factor):
    return isinstance(factor, Transpose) and isinstance(factor.arg, MatMul)


def with_symmetric(expr: Expr, symmetric: frozenset[MatrixExpr]) -> Expr:
    """Return an expression with every transpose of a symmetric matrix gone."""
    if not symmetric or not expr.has(Transpose):
        return expr
    if isinstance(expr, Transpose):
        inner = with_symmetric(expr.arg, symmetric)
        return inner if inner in symmetric else _turned(inner, symmetric)
    args = [with_symmetric(a, symmetric) if isinstance(a, Expr) else a for a in expr.args]
    if isinstance(expr, MatAdd):
        return shortest(MatAdd(*args).doit(deep=False))
    return MatMul(*args).doit(deep=False) if isinstance(expr, MatMul) else expr.func(*args)


def _turned(matrix, symmetric):
    """Return the transpose, taken inside products, sums and inverses."""
    turned = matrix.T
    return turned if isinstance(turned, Transpose) else with_symmetric(turned, symmetric)


def _outside(expr):
    """Return a product with one transpose around it."""
    scalars = [a for a in expr.args if not isinstance(a, MatrixExpr)] if isinstance(expr, MatMul) else []
    inner = MatMul(*(a for a in expr.args if isinstance(a, MatrixExpr))) if scalars else expr
    turned = Transpose(inner.T)
    return MatMul(*scalars, turned) if scalars else turned


def _factored(total: MatAdd) -> Expr:
    """Return a sum with factors put before it that terms begin or end with: B*X + B.T*X = (B + B.T)*X."""
    terms = list(total.args)
    while len(terms) > 1:
        pairs = [(length(MatAdd(terms[i], terms[k])) - length(both), i, k, both)
                 for k in range(len(terms)) for i in range(k) if (both := _together(terms[i], terms[k])) is not None]
        gain, i, k, both = max(pairs, key=lambda p: (p[0], -p[1], -p[2]), default=(0, 0, 0, None))
        if gain <= 0:
            break
        terms = [*(t for n, t in enumerate(terms) if n not in (i, k)), both]
    return _with_scalars_before(MatAdd(*terms).doit(deep=False)) if len(terms) > 1 else terms[0]


def _together(a, b):
    """Return the sum of two terms as one product, None where they neither begin nor end with the same factors."""
    (c, left), (d, right) = _split(a), _split(b)
    most = min(len(left), len(right)) - 1
    first = next((n for n in range(most + 1) if left[n] != right[n]), most)
    last = next((n for n in range(most - first + 1) if left[-1 - n] != right[-1 - n]), most - first)
    if not first and not last:
        return None
    inner = [MatMul(*n, *m[first : len(m) - last]).doit(deep=False) for n, m in ((c, left), (d, right))]
    whole = _with_scalars_before(MatAdd(*inner).doit(deep=False))
    return MatMul(*left[:first], whole, *left[len(left) - last :]).doit(deep=False)


def _with_scalars_before(total):
    """Return a sum with the number and the scalars before it that all terms have: 2*A*X + 2*B = 2*(A*X + B)."""
    if not isinstance(total, MatAdd):
        return total
    factors = [list(Mul.make_args(Mul(*_split(t)[0]))) for t in total.args]
    common = [f for f in factors[0] if not f.is_number and all(f in other for other in factors)]
    numbers = [Mul(*(f for f in fs if f.is_number)) for fs in factors]
    if len({abs(n) for n in numbers}) == 1 and (abs(numbers[0]) != 1 or max(numbers) < 0):
        common.append(numbers[0] if max(numbers) < 0 else abs(numbers[0]))
    if not common:
        return total
    inverse = 1 / Mul(*common)
    return MatMul(Mul(*common), MatAdd(*(MatMul(inverse, t).doit(deep=False) for t in total.args)))


def _split(term):
    """Return the scalar factors of a term, and the matrices."""
    args = term.args if isinstance(term, MatMul) else (term,)
    matrices = [a for a in args if isinstance(a, MatrixExpr)]
    return [a for a in args if a not in matrices], matrices
