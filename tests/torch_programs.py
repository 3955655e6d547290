"""Any program in PyTorch, straight from its forward equations: a second judge, which knows nothing of our rule.

An expression is evaluated at a list of points: the index n has one value for each of them. A sum has as many points as
it has terms, a read gathers, and a branch sees the points where its condition holds and no others. States are evaluated
entry by entry, each when it is first read. Slow, general and differentiable, as often as one likes.

    loss(program, sizes, values)                a tensor; the values may be tensors that require gradients
    loss_and_grads(program, sizes, values)      the loss and the gradients of all parameters, in NumPy
    hessian_product(program, sizes, values, direction)          the Hessian times a direction, by differentiating twice
"""

from collections.abc import Callable, Mapping
from copy import copy
from functools import reduce
from itertools import product
from math import isqrt
from typing import Any

import numpy as np
import sympy
import torch
from sympy import Abs, Expr, Idx, Indexed, KroneckerDelta, Max, Min, Piecewise, Pow, Sum, Symbol

from derive.binders import ArgMaximum, FirstMaximum, LogSumExp, Maximum, Product, is_binder
from derive.determinants import Determinant, LogDeterminant
from derive.functions import at_zero, half_step, relu, sigmoid, softplus, step
from derive.program import Program, is_cyclic
from derive.terms import read_name

Tensor = torch.Tensor
FLOAT = torch.float64


def _number(x):
    return x if isinstance(x, Tensor) else torch.tensor(x, dtype=FLOAT)


def _softplus(x):
    return torch.logaddexp(x, torch.zeros_like(x))


FUNCTIONS: dict[Any, Callable[[Tensor], Tensor]] = {
    relu: torch.relu, sigmoid: torch.sigmoid, softplus: _softplus, Abs: torch.abs,
    step: lambda x: (x > 0).to(FLOAT), at_zero: lambda x: (x == 0).to(FLOAT),
    half_step: lambda x: torch.heaviside(x.detach(), torch.tensor(0.5, dtype=FLOAT)),
    sympy.exp: torch.exp, sympy.log: torch.log, sympy.sign: torch.sign, sympy.erf: torch.erf, sympy.erfc: torch.erfc,
    sympy.sin: torch.sin, sympy.cos: torch.cos, sympy.tan: torch.tan, sympy.asin: torch.asin, sympy.acos: torch.acos,
    sympy.atan: torch.atan, sympy.sinh: torch.sinh, sympy.cosh: torch.cosh, sympy.tanh: torch.tanh,
    sympy.asinh: torch.asinh, sympy.acosh: torch.acosh, sympy.atanh: torch.atanh,
    sympy.loggamma: torch.lgamma, sympy.gamma: lambda x: torch.exp(torch.lgamma(x)), sympy.digamma: torch.digamma,
}  # fmt: skip
COMPARED = {">=": torch.ge, ">": torch.gt, "<=": torch.le, "<": torch.lt, "==": torch.eq, "!=": torch.ne}
NEUTRAL = {Sum: 0.0, Product: 1.0, LogSumExp: -torch.inf, Maximum: -torch.inf, FirstMaximum: -torch.inf}


def loss(program: Program, sizes: Mapping[Symbol, int], values: Mapping[str, Any]) -> Tensor:
    """Return the loss of a program; `values` has its parameters and inputs by name, as arrays or tensors."""
    return Evaluation(program, sizes, values).value(program.loss)


def loss_and_grads(program: Program, sizes: Mapping[Symbol, int], values: Mapping[str, Any]):
    """Return the loss and its gradients by the names of the parameters, as NumPy has them."""
    tensors = {p.name: torch.tensor(np.asarray(values[p.name], float)).requires_grad_() for p in program.parameters}
    result = loss(program, sizes, {**values, **tensors})
    found = torch.autograd.grad(result, list(tensors.values()), allow_unused=True) if result.requires_grad else None
    grads = found or [None] * len(tensors)
    return result.item(), {
        n: np.zeros(t.shape) if g is None else g.numpy() for (n, t), g in zip(tensors.items(), grads, strict=True)
    }


def hessian_product(program: Program, sizes: Mapping[Symbol, int], values: Mapping[str, Any],
                    direction: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the Hessian of the loss times a direction, each by the names of the parameters, as NumPy has them."""
    tensors = {p.name: torch.tensor(np.asarray(values[p.name], float)).requires_grad_() for p in program.parameters}
    result = loss(program, sizes, {**values, **tensors})
    along = torch.zeros((), dtype=FLOAT)
    if result.requires_grad:
        found = torch.autograd.grad(result, list(tensors.values()), create_graph=True, materialize_grads=True)
        along = sum(((g * torch.tensor(direction[n])).sum() for n, g in zip(tensors, found, strict=True)), along)
    if not along.requires_grad:
        return {n: np.zeros(t.shape) for n, t in tensors.items()}
    found = torch.autograd.grad(along, list(tensors.values()), materialize_grads=True)
    return {n: g.numpy() for n, g in zip(tensors, found, strict=True)}


class Evaluation:
    """The values of a program's variables, each computed when it is first asked for."""

    def __init__(self, program: Program, sizes: Mapping[Symbol, int], values: Mapping[str, Any]):
        self.program = program
        self.sizes = dict(sizes)
        self.whole: dict[str, Tensor] = {}
        for v in (*program.parameters, *program.inputs):
            value = values[v.name]
            dtype = torch.int64 if v.kind == "labels" else FLOAT
            self.whole[v.name] = value if isinstance(value, Tensor) else torch.tensor(np.asarray(value), dtype=dtype)
        self.cells: dict[tuple[str, tuple[int, ...]], Tensor] = {}
        self.lines = {name: program.defining(name) for name in dict.fromkeys(e.name for e in program.equations)}
        self.cyclic = {e.name for group in program.groups() if is_cyclic(group) for e in group}
        self.unknowns = {e.name: e for e in program.equations if e.implicit}
        self.recurrent = {e.name for group in program.groups() for e in group
                          if any(program.variables[other.name].state for other in group)}
        self.cyclic -= set(self.unknowns) - self.recurrent

    def value(self, name: str) -> Tensor:
        """Return all entries of a variable, a state's without its row -1."""
        if name in self.whole:
            return self.whole[name]
        variable = self.program.variables[name]
        shape = [self._size(s) for s in variable.shape]
        if name in self.unknowns and name not in self.recurrent:
            self.whole[name] = self._solved(name, list(product(*map(range, shape)))).reshape(shape)
        elif name in self.cyclic or variable.state:
            entries = [self._cell(name, index) for index in product(*map(range, shape))]
            self.whole[name] = torch.stack(entries).reshape(shape)
        else:
            [equation] = self.lines[name]
            points = torch.cartesian_prod(*map(torch.arange, shape)).reshape(-1, len(shape)) if shape else None
            env = {i: points[:, k] for k, i in enumerate(equation.indices)} if shape else {}
            count = int(np.prod(shape))
            self.whole[name] = _number(self._at(equation.rhs, env, count)).to(FLOAT).expand(count).reshape(shape)
        return self.whole[name]

    def _cell(self, name, index):
        """Return one entry of a variable that waits for itself."""
        if (name, index) not in self.cells and name in self.unknowns:
            shape = [self._size(s) for s in self.program.variables[name].shape]
            entries = list(product(index[:1], *map(range, shape[1:])))                  # those of one turn
            self.cells |= {(name, e): y for e, y in zip(entries, self._solved(name, entries), strict=True)}
        if (name, index) not in self.cells:
            equation = next(e for e in self.lines[name] if self._defines(e, index))
            env = {i: torch.tensor([k]) for i, k in zip(equation.indices, index, strict=True) if isinstance(i, Idx)}
            self.cells[name, index] = _number(self._at(equation.rhs, env, 1)).to(FLOAT).reshape(())
        return self.cells[name, index]

    def _solved(self, name, entries):
        """Return what an unknown is at some places: Newton's method, and two steps more that can be differentiated."""
        equation, count = self.unknowns[name], len(entries)
        env = {i: torch.tensor([e[k] for e in entries]) for k, i in enumerate(equation.indices)}
        read = {read_name(r) for r in sympy.preorder_traversal(equation.rhs)}
        for other in read & set(self.lines) - {*self.cyclic, name}:
            self.value(other)                           # once, not in every step

        def residual(y):
            trial = copy(self)
            trial.whole, trial.cells = dict(self.whole), dict(self.cells)
            if name in self.recurrent:
                trial.cells |= {(name, e): y[k] for k, e in enumerate(entries)}
            else:
                trial.whole[name] = y.reshape([self._size(s) for s in self.program.variables[name].shape])
            return _number(trial._at(equation.rhs, env, count)).to(FLOAT).expand(count)

        def step(y, create_graph):
            matrix = torch.autograd.functional.jacobian(residual, y, create_graph=create_graph)
            return torch.linalg.solve(matrix, residual(y))

        y = _number(self._at(equation.start, env, count)).to(FLOAT).expand(count).clone().detach()
        for _ in range(50):
            change = step(y, False).detach()
            y = y - change
            if change.abs().max() <= 1e-13 * max(1.0, float(y.abs().max())):
                break
        for _ in range(2):
            y = y - step(y, True)
        return y

    def _defines(self, equation, index):
        return all(
            self._size(i.lower) <= k <= self._size(i.upper) if isinstance(i, Idx) else k == self._size(i)
            for i, k in zip(equation.indices, index, strict=True))

    def _size(self, expr):
        return int(sympy.sympify(expr).xreplace({s: sympy.Integer(n) for s, n in self.sizes.items()}))

    def _at(self, expr: Expr, env: dict, count: int):
        """Return an expression's values at `count` points: a tensor of as many entries, or a number."""
        if expr in env:
            return env[expr]
        if expr in self.sizes:
            return self.sizes[expr]
        if expr.is_Integer:
            return int(expr)
        if expr.is_number and not expr.args:
            return float(expr)
        if read_name(expr):
            return self._read(expr, env, count)
        if is_binder(expr):
            return self._reduced(expr, env, count)
        if isinstance(expr, Piecewise):
            return self._chosen(expr, env, count)
        if isinstance(expr, sympy.floor | sympy.ceiling):
            sign = 1 if isinstance(expr, sympy.floor) else -1
            above, below = (torch.as_tensor(self._at(e, env, count))
                            for e in (sign * expr.args[0]).together().as_numer_denom())
            return sign * torch.div(above, below, rounding_mode="floor").to(torch.int64)        # exact, of integers
        return self._computed(expr, [self._at(a, env, count) for a in expr.args])

    def _computed(self, expr, args):
        if expr.is_Add or expr.is_Mul:          # a bare float times integers would be of single precision
            args = [_number(a) if isinstance(a, float) else a for a in args]
        if expr.is_Add:
            return sum(args[1:], args[0])
        if expr.is_Mul:
            return reduce(lambda a, b: a * b, args)
        if isinstance(expr, Pow):
            return self._power(*args)
        if isinstance(expr, Max | Min):
            return _largest(args) if isinstance(expr, Max) else -_largest([-a for a in args])
        if isinstance(expr, KroneckerDelta):
            return torch.eq(*map(torch.as_tensor, args)).to(FLOAT)
        return FUNCTIONS[expr.func](_number(args[0]).to(FLOAT))

    def _power(self, base, exponent):
        if isinstance(base, int) and isinstance(exponent, int):
            return float(base) ** exponent if exponent < 0 else base**exponent
        if isinstance(base, Tensor) and not base.is_floating_point() and isinstance(exponent, int) and exponent >= 0:
            return base**exponent
        return _number(base).to(FLOAT) ** exponent

    def _read(self, expr, env, count):
        name = read_name(expr)
        indices = [torch.as_tensor(self._at(i, env, count)).expand(count) for i in getattr(expr, "indices", ())]
        if name not in self.whole and (name in self.cyclic or self.program.variables[name].state):
            cells = [self._cell(name, tuple(map(int, index))) for index in zip(*indices, strict=True)]
            return torch.stack(cells) if cells else torch.zeros(0, dtype=FLOAT)
        if self.program.variables[name].state and any(int(i) < 0 for i in indices[0]):
            return torch.stack([self._cell(name, tuple(map(int, index))) for index in zip(*indices, strict=True)])
        value = self.value(name)
        for index, size in zip(indices, value.shape, strict=True):
            assert bool(((index >= 0) & (index < size)).all()), f"{expr} leaves its range"
        return value[tuple(indices)] if isinstance(expr, Indexed) else value

    def _reduced(self, expr, env, count):
        """Reduce over all limits at once: the terms of each point are a row, in the order in which a tie is decided."""
        env, places = dict(env), torch.arange(count)
        order = expr.limits if isinstance(expr, FirstMaximum) else expr.limits[::-1]    # the slowest first
        for index, low, high in order:
            low, high = (torch.as_tensor(self._at(sympy.sympify(e), env, len(places))).expand(len(places))
                         for e in (low, high))
            lengths = (high - low + 1).clamp(min=0)
            starts = torch.repeat_interleave(lengths.cumsum(0) - lengths, lengths)
            env = {i: torch.repeat_interleave(v, lengths) if v.ndim else v for i, v in env.items()}
            env[index] = torch.arange(int(lengths.sum())) - starts + torch.repeat_interleave(low, lengths)
            places = torch.repeat_interleave(places, lengths)
        terms = _number(self._at(expr.function, env, len(places))).to(FLOAT).expand(len(places))
        lengths = torch.bincount(places, minlength=count)
        columns = torch.arange(len(places)) - torch.repeat_interleave(lengths.cumsum(0) - lengths, lengths)
        neutral = NEUTRAL.get(expr.func, -torch.inf)
        table = torch.full((count, max(1, int(lengths.max()))), neutral, dtype=FLOAT)
        return self._over_rows(expr, table.index_put((places, columns), terms))

    def _over_rows(self, expr, table):
        if isinstance(expr, FirstMaximum | ArgMaximum):
            first = torch.from_numpy(table.detach().numpy().argmax(axis=1))
            return first if isinstance(expr, ArgMaximum) else table.gather(1, first[:, None])[:, 0]
        if isinstance(expr, Maximum):
            return table.amax(1)
        if isinstance(expr, Determinant):
            matrices = table.reshape(len(table), isqrt(table.shape[1]), -1)
            return torch.linalg.slogdet(matrices)[1] if isinstance(expr, LogDeterminant) else torch.linalg.det(matrices)
        if isinstance(expr, LogSumExp):
            return table.logsumexp(1)
        return table.prod(1) if isinstance(expr, Product) else table.sum(1)

    def _chosen(self, expr, env, count):
        """Evaluate each branch at the points where it is the first that holds."""
        left, where, parts = torch.ones(count, dtype=torch.bool), [], []
        for branch, condition in expr.args:
            here = (left & self._holds(condition, env, count, left)).nonzero()[:, 0]
            left[here] = False
            if len(here):
                inner = {i: v[here] for i, v in env.items()}
                where.append(here)
                parts.append(_number(self._at(branch, inner, len(here))).expand(len(here)))
        integer = not any(p.is_floating_point() for p in parts)
        dtype = torch.int64 if integer else FLOAT
        return torch.zeros(count, dtype=dtype).index_put((torch.cat(where),), torch.cat([p.to(dtype) for p in parts]))

    def _holds(self, condition, env, count, there):
        """Tell where a condition holds; it is looked at where no branch before has been taken."""
        if condition in (sympy.true, sympy.false):
            return torch.full((count,), condition == sympy.true)
        if isinstance(condition, sympy.And | sympy.Or):
            parts = [self._holds(c, env, count, there) for c in condition.args]
            return reduce(torch.logical_and if isinstance(condition, sympy.And) else torch.logical_or, parts)
        if isinstance(condition, sympy.Not):
            return ~self._holds(condition.args[0], env, count, there)
        here = there.nonzero()[:, 0]
        inner = {i: v[here] for i, v in env.items()}
        sides = [torch.as_tensor(self._at(s, inner, len(here))).expand(len(here)) for s in condition.args]
        result = torch.zeros(count, dtype=torch.bool)
        result[here] = COMPARED[condition.rel_op](*sides)
        return result


def _largest(args):
    """Return the largest; 0 wins a tie against the rest (relu'(0) = 0), others share it."""
    rest = [_number(a).to(FLOAT) for a in args if not (isinstance(a, int | float) and a == 0)]
    largest = torch.stack(torch.broadcast_tensors(*rest)).amax(0)
    return torch.relu(largest) if len(rest) < len(args) else largest
