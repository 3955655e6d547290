"""Side facts: what is known of data or parameters beside their shapes, by a name that the derivation cites.

An assumption is one or more equations that hold for all values of their free indices. Simplification uses them, the
note and the module cite them by name, and the module checks them when it is called. They say where a gradient is
evaluated, not along which directions: the entries of a symmetric parameter are still independent of each other.
"""

from dataclasses import replace
from typing import Any

from sympy import Expr, Idx, KroneckerDelta, MatrixSymbol, S, Sum

from .arrays import at, is_array, shape_of, shape_text
from .conversion import symbolic
from .errors import DefinitionError
from .matrices import axes_of, indexed, is_algebra
from .program import Assumption
from .terms import free_indices, fresh, read_name, reads
from .wording import TITLE, words

KNOWN = ("parameter", "input", "variable")
CHECKED_GIVEN = ("positive definite",)          # by a factorisation, which a computed matrix gets anyway


class Assuming:
    """What a network can be told of its parameters, inputs and variables."""

    _assumptions: list[Assumption]
    _variables: dict
    name: str
    _canonical: Any
    _index_for: Any
    _written: Any

    def assume(self, fact: str, left, right) -> None:
        """State that `left` equals `right`, for all values of the indices that are free in them.

            net.assume("each row of Y sums to one", Sum(Y[n, c], c), 1)
            net.assume("each row of Y sums to one", total(Y, axis=1), 1)

        Parameters
        ----------
        fact : a clause that stands after "since" in the note.
        left, right : expressions in parameters, inputs and variables, in any notation; `left` is replaced by `right`
            where that is shorter, if it is a product of reads or a sum of one.

        Raises
        ------
        DefinitionError
            Labels, states, no variable at all, or shapes that differ.
        """
        sides, indices = self._sides(left, right)
        written = [self._written(side, indices, f"the assumption that {fact}", _sizes(indices)) for side in sides]
        self._assume(fact, "equation", [(written[0], written[1])])

    def assume_symmetric(self, matrix) -> None:
        """State that a square matrix equals its transpose."""
        name, (i, k), read = self._square(matrix)
        self._assume(f"{name} is symmetric", "symmetric", [(read(k, i), read(i, k))])

    def assume_positive_definite(self, matrix) -> None:
        """State that a parameter or input is symmetric, and x'Ax positive for all x but 0; solved by Cholesky."""
        name, (i, k), read = self._square(matrix)
        self._assume(f"{name} is symmetric positive definite", "positive definite", [(read(k, i), read(i, k))])
        self._variables[name] = replace(self._variables[name], definite=True)       # systems with it have one factor

    def assume_one_hot(self, array) -> None:
        """State that each row, along the last axis, has one entry 1 and the others 0."""
        variable = self._given(array)
        *before, last = self._canonical(variable.shape)
        other = fresh(last, {i.name for i in (*before, last)})
        here = variable.at(*before, last)
        self._assume(f"each row of {variable.name} is one-hot", "one-hot", [
            (Sum(here, last), S.One),
            (here * variable.at(*before, other), KroneckerDelta(last, other) * here),
        ])

    def assume_orthogonal(self, matrix) -> None:
        """State that the columns of a matrix are orthonormal, and its rows too where it is square."""
        variable = self._given(matrix)
        if len(variable.shape) != 2:
            raise DefinitionError(f"{variable.name} has shape {shape_text(variable.shape)}; expected a matrix")
        row, column = self._canonical(variable.shape)
        other = fresh(column, {row.name, column.name})
        read = variable.at
        facts = [(Sum(read(row, column) * read(row, other), row), KroneckerDelta(column, other))]
        if variable.shape[0] == variable.shape[1]:
            facts.append((Sum(read(column, row) * read(other, row), row), KroneckerDelta(column, other)))
        words = "is orthogonal" if len(facts) > 1 else "has orthonormal columns"
        self._assume(f"{variable.name} {words}", "orthogonal", facts)

    # ---- inside

    def _sides(self, left, right):
        """Return both sides in index notation, and the indices that they hold for all values of."""
        if any(is_algebra(s) for s in (left, right)):
            shape = next(axes for s in (left, right) if (axes := axes_of(s)) or s is right)
            indices = self._canonical(shape)
            sides = [indexed(s, indices, self._index_for) if is_algebra(s) else symbolic(s) for s in (left, right)]
            return sides, indices
        left, right = symbolic(left), symbolic(right)
        arrays = [shape_of(s) for s in (left, right) if is_array(s)]
        if arrays:
            indices = self._canonical(max(arrays, key=len))
            return [at(s, indices, self._index_for) for s in (left, right)], indices
        return [left, right], tuple(dict.fromkeys([*free_indices(left), *free_indices(right)]))

    def _square(self, matrix):
        variable = self._given(matrix)
        if len(variable.shape) != 2 or variable.shape[0] != variable.shape[1]:
            raise DefinitionError(f"{variable.name} has shape {shape_text(variable.shape)}; expected a square matrix")
        return variable.name, self._canonical(variable.shape), variable.at

    def _given(self, array):
        name = array.name if isinstance(array, MatrixSymbol) or hasattr(array, "name") else str(array)
        if name not in self._variables:
            raise DefinitionError(f"{name} is not a variable of {self.name}; declare it first")
        return self._variables[name]

    def _assume(self, fact, kind, equalities):
        fact = words(fact, "assumption", TITLE)
        if not fact:
            raise DefinitionError(f"the assumption {fact!r} has no words; expected a clause such as 'Y sums to one'")
        if any(a.fact == fact for a in self._assumptions):
            raise DefinitionError(f"{self.name} assumes already that {fact}")
        names = list(dict.fromkeys(
            read_name(r) for sides in equalities for side in sides for r in reads(side, self._variables)))
        if not names:
            raise DefinitionError(f"the assumption that {fact} is about no variable of {self.name}")
        for name in names:
            variable = self._variables[name]
            if variable.kind not in KNOWN or variable.state or (variable.kind == "variable" and kind in CHECKED_GIVEN):
                what = "labels" if variable.kind == "labels" else "a state" if variable.state else "computed"
                remedy = f"; say net.positive_definite({name})" if kind == "positive definite" else ""
                raise DefinitionError(f"{fact}: {name} is {what}; expected parameters, inputs or variables, of which a "
                                      f"module can check it{remedy}")
        self._assumptions.append(Assumption(fact, tuple(names), tuple(equalities), kind))


def _sizes(indices: tuple[Idx, ...]) -> tuple[Expr, ...]:
    return tuple(i.upper + 1 for i in indices)
