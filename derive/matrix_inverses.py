"""Inverses in matrix algebra: each is an unknown that satisfies an equation, and is solved for, not inverted.

In A*Inverse(M)*B the unknown Y = Inverse(M)*B is defined by M*Y = B; where the left side is a row and the right side is
none, by the transposed system; where nothing stands beside the inverse, by M*Y = 1. So is SymPy's LofCholesky(M), which
is lower triangular and whose product with its transpose is M.
"""

from collections.abc import Callable

from sympy import Basic, Identity, Inverse, MatMul, MatPow, MatrixExpr, MatrixSymbol, Transpose
from sympy.matrices.expressions.factorizations import LofCholesky

LONGEST_NAME = 16

Solver = Callable[[str, MatrixExpr, MatrixExpr], MatrixSymbol]      # name, matrix, right side -> the solution
Definer = Callable[[str, MatrixExpr], MatrixSymbol]                 # name, matrix -> the matrix by name


class Inverses:
    """Replaces the inverses in expressions by unknowns.

    Parameters
    ----------
    define : gives a matrix a name.
    solve : names the solution of a linear system.
    factorise : names the Cholesky factor of a matrix.
    """

    def __init__(self, define: Definer, solve: Solver, factorise: Definer):
        self.define, self.solve, self.factorise = define, solve, factorise
        self.factors: dict[MatrixExpr, MatrixSymbol] = {}
        self.known: dict[tuple[MatrixExpr, MatrixExpr], MatrixSymbol] = {}
        self.named: dict[MatrixExpr, MatrixSymbol] = {}

    def solved(self, expr: Basic) -> Basic:
        """Return an expression without inverses."""
        if isinstance(expr, LofCholesky):
            return self._factor(self._by_name(self.solved(expr.args[0])))
        if not expr.has(Inverse, LofCholesky) and not any(_is_negative_power(p) for p in expr.atoms(MatPow)):
            return expr
        if isinstance(expr, Inverse) or _is_negative_power(expr):
            return self._product(_opened(expr))
        if isinstance(expr, MatMul):
            return self._product([f for a in expr.args for f in _opened(a)])
        return expr.func(*map(self.solved, expr.args))

    def _product(self, factors):
        """Solve for what stands on the right of each inverse, last first; on the left of one that ends a product."""
        result: list[Basic] = []
        for k in reversed(range(len(factors))):
            f = factors[k]
            if not isinstance(f, Inverse):
                result.insert(0, self.solved(f))
                continue
            matrix = self._by_name(self.solved(f.arg))
            left = [a for a in factors[:k] if isinstance(a, MatrixExpr)]
            alone = left and not any(isinstance(a, Inverse) for a in left)
            if alone and (not result or left[0].rows == 1 != result[-1].cols):
                row = MatMul(*(self.solved(a) for a in left)).doit(deep=False)
                scalars = [self.solved(a) for a in factors[:k] if not isinstance(a, MatrixExpr)]
                return MatMul(*scalars, self._solution(_turned(matrix), _turned(row)).T, *result).doit(deep=False)
            right = MatMul(*result).doit(deep=False) if result else Identity(f.rows)
            result = [self._solution(matrix, right)]
        return MatMul(*result).doit(deep=False)

    def _solution(self, matrix, right):
        if (matrix, right) not in self.known:
            word = "inv" if isinstance(right, Identity) else "solve"
            self.known[matrix, right] = self.solve(f"{word}_{named_after(matrix)}", matrix, right)
        return self.known[matrix, right]

    def _factor(self, matrix):
        if matrix not in self.factors:
            self.factors[matrix] = self.factorise(f"chol_{named_after(matrix)}", matrix)
        return self.factors[matrix]

    def _by_name(self, matrix):
        """Return a matrix as a symbol, a transposed one as the transpose of one."""
        if isinstance(matrix, MatrixSymbol) or (isinstance(matrix, Transpose) and isinstance(matrix.arg, MatrixSymbol)):
            return matrix
        if matrix not in self.named:
            self.named[matrix] = self.define(named_after(matrix), matrix)
        return self.named[matrix]


def _is_negative_power(expr):
    return isinstance(expr, MatPow) and expr.shape != (1, 1) and expr.exp.is_Integer and expr.exp < 0


def _opened(factor):
    """Return a negative power as a product of inverses."""
    return [Inverse(factor.base)] * -int(factor.exp) if _is_negative_power(factor) else [factor]


def _turned(matrix):
    return matrix.T


def named_after(matrix: Basic) -> str:
    """Return an identifier for a matrix: XtCX for X.T*C*X; "matrix" for what is no product of symbols, or long."""
    name = _name(matrix)
    return name if 0 < len(name) <= LONGEST_NAME else "matrix"


def _name(matrix):
    if isinstance(matrix, MatrixSymbol):
        return matrix.name
    if isinstance(matrix, Transpose):
        return f"{_name(matrix.arg)}t"
    if isinstance(matrix, MatMul):
        names = list(map(_name, matrix.args))
        return "".join(names) if all(names) else ""
    return ""
