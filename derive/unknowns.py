"""Variables that equations define implicitly: an unknown and what it satisfies, a minimum, an inverse, a solution."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sympy import Add, Basic, Equality, Expr, Idx, Integer

from .arrays import Array, is_array, shape_of, shape_text, total
from .conversion import symbolic
from .errors import DefinitionError
from .given import as_tuple, renamed, sympified
from .joins import cut
from .linear_algebra import innermost_unknown, is_named
from .program import Equation
from .slopes import derivative
from .terms import reads
from .wording import words


class Implicit:
    """What a network can be told of variables by the equations that they satisfy."""

    _add: Any
    _declare: Any
    _equations: list
    _shape_over: Any
    _unused: Any
    _variables: dict
    _written: Any
    define: Any
    name: str

    def unknown(self, name: str, *shape, note: str = "") -> Expr:
        """Declare an array, or a scalar, that an equation is to define which it stands in; see `implicitly`."""
        return self._declare(name, shape, "variable", note=note)

    def implicitly(
        self, unknown: Expr | str, equation, over: Idx | Sequence[Idx] | None = None, start=0, note: str = ""
    ) -> Expr:
        """Define an unknown by an equation that it satisfies, and return it.

            Y = net.unknown("Y", N, M)                                      # solve A Y = B
            net.implicitly(Y, Eq(A @ Y, B))
            net.implicitly(Y, Eq(Sum(A[i, k]*Y[k, j], k), B[i, j]), over=(i, j))
            net.implicitly(Z, Eq(Z, tanh(Z @ W + X)))                       # an equilibrium
            net.implicitly("Y", lambda Y: Eq(Sum(A[i, k]*Y[k, j], k), B[i, j]), over=(i, j))        # in one line

        An equation that is linear in the unknown is solved by one factorisation; another one by Newton's method, which
        must converge from where it starts.

        Parameters
        ----------
        unknown : what `unknown` declared; or a new name, of the shape that `over` has.
        equation : a SymPy `Eq`, or an expression that must vanish: in array or, with `over`, in index notation. A
            function of the unknown that returns one, too.
        over : the indices that the equation holds for all values of, one for each axis of the unknown, of its size: as
            many equations as unknowns.
        start : where Newton's method begins, in the same notation.

        Raises
        ------
        DefinitionError
            The unknown is not declared, is defined already, or is not in the equation; shapes that do not fit.
        """
        if isinstance(unknown, str) and unknown not in self._variables:
            unknown = self.unknown(unknown, *self._shape_over(as_tuple(() if over is None else over), unknown))
        elif isinstance(unknown, str):
            unknown = self._variables[unknown].base
        if _is_function(equation):
            equation = equation(unknown)
        name = getattr(unknown, "name", str(unknown))
        variable = self._variables.get(name)
        if variable is not None and variable.state:
            raise DefinitionError(f"{name} is a state; define an unknown y of its shape by the equation, with {name} "
                                  f"read at earlier rows, and then {name} by y")
        if variable is None or variable.base != unknown or variable.kind != "variable" or variable.state:
            raise DefinitionError(f"{name} is not an unknown of {self.name}; declare it with net.unknown(...)")
        if any(e.name == name for e in self._equations):
            raise DefinitionError(f"{name} is defined already")
        residual = equation.lhs - equation.rhs if isinstance(equation, Equality) else equation
        residual = sympified(residual, name)
        indices = variable.indices if over is None else as_tuple(over)
        if self._shape_over(indices, name) != variable.shape:
            raise DefinitionError(
                f"{name} has shape {shape_text(variable.shape)} and its equation holds over {shape_text(indices)}; "
                "give one index for each axis, of the axis's size: as many equations as unknowns"
            )
        rhs = self._written(residual, indices, name, variable.shape)
        if not reads(rhs, self._following(name)):
            raise DefinitionError(f"{name} is not in the equation that should define it: 0 = {rhs}")
        first = self._written(sympified(start, name), indices, f"the start of {name}", variable.shape)
        note = words(note, f"note of {name}") or variable.note
        self._variables[name] = replace(renamed(variable, indices), note=note)
        self._add(Equation(self._variables[name].at(*indices), rhs, implicit=True, start=first))
        return unknown

    def argmin(self, unknown: Expr | str, objective, over: Idx | Sequence[Idx] | None = None, start=0,
               note: str = "", subject_to=()) -> Expr:
        """Define an unknown as where an objective is least, by the equation that its gradient vanishes; return it.

            w = net.unknown("w", D)
            net.argmin(w, mean(softplus(X @ w) - y * (X @ w)) + total(exp(rho) * w**2) / 2)

        This is `implicitly(w, derivative(objective, w))`: strictly convex objectives have one such point, of others it
        is the stationary point that Newton's method reaches from `start`.

        Parameters
        ----------
        unknown : what `unknown` declared; or a new name, of the shape that `over` has.
        objective : a scalar, or a function of the unknown that returns one.
        over : the indices of the unknown, where the objective is in index notation.
        subject_to : an equation that holds at the minimum, or several, in array notation. Unknown and multipliers are
            then solved for together, as where the Lagrangian is stationary.

        Raises
        ------
        DefinitionError
            As `implicitly`; an objective that is no scalar, or does not depend on the unknown.
        """
        if constraints := as_tuple(subject_to):
            return self._constrained_argmin(unknown, objective, constraints, over, start, note)

        def stationary(point):
            value = symbolic(objective(point) if _is_function(objective) else objective)
            if shape_of(value):
                raise DefinitionError(f"the objective of {point} has shape {shape_text(shape_of(value))}; "
                                      "it should be a scalar: take its mean(...) or total(...)")
            return derivative(value, point if over is None or not is_array(point) else point[as_tuple(over)])

        return self.implicitly(unknown, stationary, over, start, note)

    def _constrained_argmin(self, unknown, objective, constraints, over, start, note):
        """Define an unknown and the multipliers of its constraints, as parts of one where the Lagrangian is still."""
        name = getattr(unknown, "name", str(unknown))
        variable = self._variables.get(name)
        if over is not None or is_array(symbolic(start)) or variable is None or len(variable.shape) != 1:
            raise DefinitionError(f"{name} is minimised over under constraints; expected a vector that "
                                  "net.unknown(...) declared, array notation, and a start that is a number")
        gaps = [symbolic(c.lhs - c.rhs if isinstance(c, Equality) else c) for c in constraints]
        shapes = [shape_of(g) for g in gaps]
        if any(len(s) > 1 for s in shapes):
            raise DefinitionError(f"a constraint on {name} has shape {shape_text(max(shapes, key=len))}; expected a "
                                  "vector or a scalar: give its rows one by one")
        sizes = [s[0] if s else Integer(1) for s in shapes]
        whole = self.unknown(self._unused(f"{name}_nu"), variable.shape[0] + Add(*sizes), note=note)
        [i] = variable.indices
        self._add(Equation(variable.at(i), whole[i]))
        lagrangian = symbolic(objective(unknown) if _is_function(objective) else objective)
        offset = variable.shape[0]
        for gap, shape, size in zip(gaps, shapes, sizes, strict=True):
            part = cut(whole, offset, size) if shape else whole[offset]
            multiplier = self.define(self._unused(f"nu_{name}"), part, note="multipliers" if shape else "multiplier")
            lagrangian += total(multiplier * gap) if shape else multiplier * gap
            offset += size
        self.argmin(whole, lagrangian, start=start)
        return unknown

    def positive_definite(self, matrix: Array) -> Array:
        """State that a variable is a symmetric positive definite matrix, or a stack of them, and return it.

        Modules then solve with its Cholesky factor, and raise LinAlgError where it has none.
        """
        name = getattr(matrix, "name", str(matrix))
        variable = self._variables.get(name)
        if variable is None or len(variable.shape) < 2:
            raise DefinitionError(f"{name} is no matrix of {self.name}; define it first")
        if variable.shape[-1] != variable.shape[-2]:
            raise DefinitionError(f"{name} has shape {shape_text(variable.shape)}; a definite matrix is square")
        self._variables[name] = replace(variable, definite=True)
        return matrix

    def _following(self, name):
        """Return a variable's name, and those of what is defined by it."""
        found = {name}
        while more := {e.name for e in self._equations if reads(e.rhs, found)} - found:
            found |= more
        return found

    def _define_unknown(self, name, node, note):
        """Define a variable that is an inverse, or the solution of a system."""
        node = self._with_unknowns(node.func(*(self._with_unknowns(a, name) for a in node.args)), name, inside=True)
        if not is_named(node.matrix):
            node = node.named(self.define(self._unused(f"matrix_{name}"), node.matrix))
        return self.implicitly(self.unknown(name, *node.shape), node.equation(self._variables[name].base),
                               start=node.start, note=note)

    def _with_unknowns(self, value, name, inside=False):
        """Return an expression in which inverses and solutions of systems are variables."""
        while (node := innermost_unknown(value)) is not None and not (inside and node == value):
            stem = f"{node.stem}_{node.matrix.name if isinstance(node.matrix, Array) else name}"
            value = value.xreplace({node: self._define_unknown(self._unused(stem), node, "")})
        return value


def _is_function(given):
    """Tell a function that a user wrote from an expression: symbols can be called, too."""
    return callable(given) and not isinstance(given, Basic)
