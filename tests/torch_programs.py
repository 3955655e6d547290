"""Programs evaluated in PyTorch from their index equations: shares no code with the rule, and differentiates itself.

Every index is an axis of its own while an equation is evaluated. Equations that wait for each other over an index are
evaluated entry by entry, each as it is needed.
"""

import math

import numpy as np
import sympy
import torch
from sympy import Idx, Indexed, Integer, KroneckerDelta, Piecewise, S, Sum, Symbol
from sympy.core.relational import Relational

from derive import functions
from derive.binders import FirstMaximum, LogSumExp, Maximum, Product
from derive.program import is_cyclic

FUNCTIONS = {
    sympy.exp: torch.exp, sympy.log: torch.log, sympy.tanh: torch.tanh, sympy.sin: torch.sin, sympy.cos: torch.cos,
    sympy.Abs: torch.abs, sympy.sign: torch.sign, sympy.erf: torch.erf, sympy.cosh: torch.cosh, sympy.sinh: torch.sinh,
    sympy.loggamma: torch.lgamma, sympy.atan: torch.atan, functions.relu: torch.relu,
    functions.sigmoid: torch.sigmoid, functions.softplus: lambda x: torch.logaddexp(x, torch.zeros_like(x)),
}
RELATIONS = {
    sympy.Ge: torch.ge, sympy.Gt: torch.gt, sympy.Le: torch.le, sympy.Lt: torch.lt, sympy.Eq: torch.eq,
    sympy.Ne: torch.ne,
}


def loss(program, sizes, given):
    """Return a program's loss as a tensor, given the values of sizes and those of parameters and inputs as tensors."""
    return Values(program, sizes, given).variable(program.loss)


class Values:
    """The values of a program's variables."""

    def __init__(self, program, sizes, given):
        self.program = program
        self.sizes = {s: int(v) for s, v in sizes.items()}
        self.known = dict(given)
        self.cells = {}
        self.cyclic = {e.name for g in program.groups() if is_cyclic(g) for e in g}

    def variable(self, name):
        """Return a variable's value as a tensor; row -1 of a state is its first."""
        if name not in self.known:
            v = self.program.variables[name]
            shape = [self.number(s) for s in v.shape]
            if name in self.cyclic:
                first = 1 if v.state else 0
                shape[0] += first
                places = [(p[0] - first, *p[1:]) for p in np.ndindex(*shape)]
                self.known[name] = torch.stack([self.cell(name, p) for p in places]).reshape(shape)
            else:
                [e] = self.program.defining(name)
                axes = list(e.indices)
                value = self.at(e.rhs, {i: self.along(i, k, len(axes)) for k, i in enumerate(axes)}, len(axes))
                self.known[name] = torch.broadcast_to(value, shape)
        return self.known[name]

    def cell(self, name, place):
        """Return one entry of a variable in a recurrence."""
        if (name, place) not in self.cells:
            for e in self.program.defining(name):
                if all(isinstance(i, Idx) or int(i) == p for i, p in zip(e.indices, place, strict=True)):
                    if any(isinstance(i, Idx) and i.lower == 0 and p < 0 for i, p in
                           zip(e.indices, place, strict=True)):
                        continue
                    here = {i: torch.tensor(p) for i, p in zip(e.indices, place, strict=True) if isinstance(i, Idx)}
                    self.cells[name, place] = self.at(e.rhs, here, 0)
                    break
        return self.cells[name, place]

    def number(self, expr):
        return int(sympy.sympify(expr).xreplace({s: Integer(n) for s, n in self.sizes.items()}))

    def along(self, index, axis, rank):
        low, high = self.number(index.lower), self.number(index.upper)
        return torch.arange(low, high + 1).reshape([-1 if k == axis else 1 for k in range(rank)])

    def at(self, expr, here, rank):
        """Return the value of an expression, indices standing along axes."""
        if expr.is_number:
            return torch.tensor(float(expr), dtype=torch.float64)
        if isinstance(expr, Idx):
            return here[expr]
        if isinstance(expr, Indexed):
            return self.read(expr, here, rank)
        if isinstance(expr, Symbol):
            return torch.tensor(self.sizes[expr]) if expr in self.sizes else self.variable(expr.name)
        if isinstance(expr, Sum | LogSumExp | Maximum | Product):
            return self.reduced(expr, here, rank)
        if isinstance(expr, KroneckerDelta):
            left, right = (self.at(a, here, rank) for a in expr.args)
            return (left == right).to(torch.float64)
        if isinstance(expr, Piecewise):
            return self.chosen(expr, here, rank)
        if isinstance(expr, Relational):
            return RELATIONS[type(expr)](*(self.at(a, here, rank) for a in expr.args))
        if isinstance(expr, sympy.And):
            value = torch.tensor(True)
            for a in expr.args:
                value = value & self.at(a, here, rank)
            return value
        if expr in (S.true, S.false):
            return torch.tensor(bool(expr))
        args = [self.at(a, here, rank) for a in expr.args]
        if expr.is_Add:
            return sum(args[1:], args[0])
        if expr.is_Mul:
            return math.prod(args[1:], start=args[0])
        if expr.is_Pow:
            base = args[0] if expr.exp.is_nonnegative else args[0].to(torch.float64)
            return base ** (int(expr.exp) if expr.exp.is_Integer else args[1])
        if isinstance(expr, sympy.Max | sympy.Min):
            pick = torch.maximum if isinstance(expr, sympy.Max) else torch.minimum
            value = args[0]
            for a in args[1:]:
                value = pick(*torch.broadcast_tensors(value, a))
            return value
        return FUNCTIONS[type(expr)](args[0].to(torch.float64))

    def read(self, read, here, rank):
        v = self.program.variables[read.base.name]
        first = 1 if v.state else 0
        places = [self.at(i, here, rank).to(torch.int64) + (first if k == 0 else 0)
                  for k, i in enumerate(read.indices)]
        limits = [self.number(s) + (first if k == 0 else 0) for k, s in enumerate(v.shape)]
        places = [p.clamp(0, n - 1) for p, n in zip(places, limits, strict=True)]
        if v.name in self.cyclic and v.name not in self.known and all(p.dim() == 0 for p in places):
            return self.cell(v.name, tuple(int(p) - (first if k == 0 else 0) for k, p in enumerate(places)))
        if v.name in self.cyclic and v.name not in self.known and rank == 0:
            raise NotImplementedError(f"{read} inside a recurrence")
        return self.variable(v.name)[tuple(torch.broadcast_tensors(*places))]

    def reduced(self, expr, here, rank):
        """Reduce over bound indices: axes of their own, put before all others; one by one inside a recurrence."""
        limits = [(i, self.number_here(low, here), self.number_here(high, here)) for i, low, high in expr.limits]
        values = [torch.arange(low, high + 1) for _, low, high in limits]
        terms = []
        for place in np.ndindex(*(len(v) for v in values)):
            inner = {**here, **{i: v[p] for (i, _, _), v, p in zip(limits, values, place, strict=True)}}
            terms.append(self.at(expr.function, inner, rank))
        terms = torch.stack(torch.broadcast_tensors(*(t.to(torch.float64) for t in terms)))
        if isinstance(expr, LogSumExp):
            return torch.logsumexp(terms, 0)
        if isinstance(expr, FirstMaximum):
            return terms.max(0).values
        if isinstance(expr, Maximum):
            return terms.amax(0)
        return terms.prod(0) if isinstance(expr, Product) else terms.sum(0)

    def number_here(self, bound, here):
        return int(bound.xreplace({i: Integer(int(v)) for i, v in here.items() if v.dim() == 0}
                                  | {s: Integer(n) for s, n in self.sizes.items()}))

    def chosen(self, expr, here, rank):
        value, _ = expr.args[-1]
        value = self.at(value, here, rank).to(torch.float64)
        for branch, condition in reversed(expr.args[:-1]):
            holds = self.at(condition, here, rank)
            if holds.dim() == 0:
                value = self.at(branch, here, rank).to(torch.float64) if holds else value
            else:
                inside = self.at(branch, here, rank).to(torch.float64)
                value = torch.where(*torch.broadcast_tensors(holds, inside, value))
        return value
