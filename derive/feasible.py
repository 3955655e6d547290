"""Data at which a program's assumptions hold, made from random data in exact arithmetic."""

from collections.abc import Mapping
from itertools import product

from sympy import Add, Expr, Idx, Indexed, Integer, Matrix, S, Sum, Symbol, eye

from .errors import DerivationError
from .program import Program
from .terms import free_indices, read_name

Entries = dict[tuple[int, ...], Expr]


def satisfying(program: Program, values: Mapping[str, Entries], sizes: Mapping[Symbol, int]) -> dict[str, Entries]:
    """Return values near the given ones at which all assumptions hold, as far as one by one can make them.

    Raises
    ------
    DerivationError
        An equation that is not linear in what it is about.
    """
    result = dict(values)
    for a in program.assumptions:
        if set(a.about) <= set(values):             # of what is computed, nothing can be made
            result |= _MADE[a.kind](a, result, sizes)
    return result


def _symmetric(a, values, sizes):
    [name] = a.about
    return {name: {(i, k): values[name][max(i, k), min(i, k)] for i, k in values[name]}}


def _positive_definite(a, values, sizes):
    """A A' + 1."""
    [name] = a.about
    matrix = _matrix(values[name])
    return {name: _entries(matrix * matrix.T + eye(matrix.rows))}


def _one_hot(a, values, sizes):
    """Each row is 1 where it is largest."""
    [name] = a.about
    rows: dict[tuple[int, ...], list[Expr]] = {}
    for at in sorted(values[name]):
        rows.setdefault(at[:-1], []).append(values[name][at])
    return {name: {at: Integer(rows[at[:-1]].index(max(rows[at[:-1]])) == at[-1]) for at in values[name]}}


def _orthogonal(a, values, sizes):
    """(1 - S) (1 + S)^-1 for a skew S, its first columns."""
    [name] = a.about
    rows, columns = (1 + max(at[axis] for at in values[name]) for axis in (0, 1))
    if columns > rows:
        raise DerivationError(f"{a.fact}: {name} is {rows} by {columns} in a check; at most as many columns as rows")
    full = Matrix(rows, rows, lambda i, k: values[name][i, k % columns] if i > k else S.Zero)
    skew = full - full.T
    return {name: _entries(((eye(rows) - skew) * (eye(rows) + skew).inv())[:, :columns])}


def _equation(a, values, sizes):
    """Scale each sum to what it should be, where entries are in one sum each; else the nearest solution."""
    unknowns = {(n, at): Symbol(f"u_{k}") for k, (n, at) in enumerate((n, at) for n in a.about for at in values[n])}
    residuals = [r for left, right in a.equalities for r in _residuals(left - right, unknowns, sizes)]
    symbols = list(unknowns.values())
    now = Matrix([values[n][at] for n, at in unknowns])
    rows = Matrix([[r.diff(u) for u in symbols] for r in residuals])
    if rows.free_symbols:
        raise DerivationError(f"{a.fact}: the equation is not linear; no random data can be made at which it holds")
    target = -Matrix([r.xreplace(dict.fromkeys(symbols, S.Zero)) for r in residuals])
    have = rows * now
    alone = all(sum(rows[r, c] != 0 for r in range(rows.rows)) <= 1 for c in range(rows.cols))
    if alone and all(h != 0 and t / h > 0 for h, t in zip(have, target, strict=True)):
        scale = [next((target[r] / have[r] for r in range(rows.rows) if rows[r, c] != 0), S.One)
                 for c in range(rows.cols)]
        now = Matrix([s * v for s, v in zip(scale, now, strict=True)])
    else:
        now = now + rows.T * (rows * rows.T).LUsolve(target - have)
    result: dict[str, Entries] = {n: {} for n in a.about}
    for (n, at), v in zip(unknowns, now, strict=True):
        result[n][at] = v
    return result


_MADE = {
    "equation": _equation, "symmetric": _symmetric, "positive definite": _positive_definite, "one-hot": _one_hot,
    "orthogonal": _orthogonal,
}  # fmt: skip


def _residuals(expr, unknowns, sizes):
    """Return an expression at every value of its free indices, in one symbol an entry."""
    free = free_indices(expr)
    for at in product(*(range(_number(i.upper, sizes) + 1) for i in free)):
        yield _scalar(expr, dict(zip(free, map(Integer, at), strict=True)), unknowns, sizes)


def _scalar(expr, at, unknowns, sizes):
    if isinstance(expr, Sum):
        indices = [limit[0] for limit in expr.limits]
        ranges = [range(_number(limit[1], sizes), _number(limit[2], sizes) + 1) for limit in expr.limits]
        places = [{**at, **dict(zip(indices, map(Integer, here), strict=True))} for here in product(*ranges)]
        return Add(*(_scalar(expr.function, place, unknowns, sizes) for place in places))
    if isinstance(expr, Indexed):
        return unknowns[read_name(expr), tuple(int(_scalar(i, at, unknowns, sizes)) for i in expr.indices)]
    if isinstance(expr, Idx):
        return at[expr]
    if isinstance(expr, Symbol):
        return Integer(sizes[expr]) if expr in sizes else unknowns[expr.name, ()]
    if not expr.args:
        return expr
    return expr.func(*(_scalar(a, at, unknowns, sizes) for a in expr.args))


def _number(size, sizes):
    return int(size.xreplace({s: Integer(n) for s, n in sizes.items()}))


def _matrix(entries):
    rows, columns = (1 + max(at[axis] for at in entries) for axis in (0, 1))
    return Matrix(rows, columns, lambda i, k: entries[i, k])


def _entries(matrix):
    return {(i, k): matrix[i, k] for i in range(matrix.rows) for k in range(matrix.cols)}
