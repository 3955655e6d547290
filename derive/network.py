"""A network: declares sizes, parameters and inputs, names its equations, and hands over a program."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from sympy import Add, Expr, Idx, Integer, MatrixSymbol, Mul, S, Symbol, floor

from .arrays import Array, at, is_array, shape_of, shape_text, summed_whole
from .assumptions import Assuming
from .checks import check_read, check_terms, check_turns, readings
from .collecting import uncollected
from .conversion import symbolic
from .differentiable import Differentiable
from .ends_of_ranges import with_inequalities_at_ends
from .errors import DefinitionError, DerivationError
from .given import as_tuple, renamed, sympified
from .guards import with_possible_choices
from .linear_algebra import Unknown
from .long_parts import with_long_parts_named
from .matrices import axes_of, is_algebra
from .matrix_notation import MatrixNotation
from .nested_choices import nested
from .notations import Notation
from .program import Assumption, Equation, Program, Variable
from .ranges import Prover
from .terms import apart, free_indices, index_over, read_name, reads, without_choices, without_idle
from .unknowns import Implicit
from .whole_ranges import with_whole_ranges
from .wording import RESERVED, TITLE, identifier, shown, words

MOST = 10**9                # entries along one axis


class Network(MatrixNotation, Assuming, Implicit, Differentiable):
    """A loss written as named equations, in array or in index notation.

    Parameters
    ----------
    name : an identifier; generated files are called after it.
    title : one line for docstrings and notes.
    """

    def __init__(self, name: str, title: str = "", note: str = ""):
        self.name = identifier(name, "network")
        self.title = words(title or name.replace("_", " ").capitalize(), f"title of {name}", TITLE)
        self.note = words(note, f"note of {name}")
        self.source = ""
        self._notation = Notation()
        self._sizes: dict[str, Symbol] = {}
        self._derived: dict[Symbol, Expr] = {}
        self._least: dict[Symbol, int] = {}
        self._facts: list[Expr] = []
        self._assumptions: list[Assumption] = []
        self._variables: dict[str, Variable] = {}
        self._classes: dict[str, Expr] = {}                 # of labels
        self._proving: tuple[tuple[int, ...], Prover] | None = None
        self._equations: list[Equation] = []
        self._outputs: list[str] = []
        self._index_names: dict[Expr, list[str]] = {}
        self._parts: dict[Expr, Expr] = {}                  # of long expressions, and their names

    # ---- declaring

    def sizes(self, *names: str) -> tuple[Symbol, ...]:
        """Return positive integer symbols, one for each name in a string such as "N D H"."""
        given = " ".join(words(n, "string of sizes") for n in names)
        return tuple(self.size(name) for name in given.replace(",", " ").split())

    def size(self, name: str, value: Expr | None = None, least: int = 1) -> Symbol:
        """Return a size; `value` tells how it follows from others, `least=0` allows it to be 0 (a padding).

        Where it follows that it is another one of the same least, as for a convolution that keeps its size, that is
        returned.
        """
        self._claim(name, "size")
        if least not in (0, 1):
            raise DefinitionError(f"the size {name} is at least {least}; expected 1, or 0 for a padding")
        symbol = Symbol(name, integer=True, positive=True if least else None, nonnegative=True)
        given = None if value is None else self._of_sizes(name, value, "an expression in the sizes of this network")
        if given is not None and given.is_number and not (given.is_Integer and given >= least):
            raise DefinitionError(f"the size {name} is {value}; expected an integer, at least {least}")
        if self._least.get(given) == least:
            self._sizes[name] = given
            return given
        self._sizes[name] = symbol
        self._least[symbol] = least
        if given is not None:
            self._derived[symbol] = given
            self._facts += _floor_facts(symbol, given)
        return symbol

    def parameter(self, name: str | MatrixSymbol, *shape, note: str = "") -> Expr:
        """Declare what the gradient is taken by, by name and shape or as a MatrixSymbol; without a shape, a scalar."""
        return self._declare_given(name, shape, "parameter", note)

    def input(self, name: str | MatrixSymbol, *shape, note: str = "") -> Expr:
        """Declare real data, by name and shape or as a MatrixSymbol."""
        return self._declare_given(name, shape, "input", note)

    def labels(self, name: str, *shape, classes: Expr, note: str = "") -> Expr:
        """Declare integer data in [0, classes), to read other arrays with."""
        classes = self._size_given(f"the classes of {name}", classes)
        base = self._declare(name, shape, "labels", classes=classes, note=note)
        self._classes[name] = classes
        return base

    def state(self, name: str, *shape, initial: Expr = S.Zero, note: str = "") -> Array:
        """Declare an array that its own earlier rows define; row -1 of its first axis is `initial`, 0 if not told."""
        if not shape:
            raise DefinitionError(f"the state {name} has no axis; expected a first axis that counts its steps")
        base = self._declare(name, shape, "variable", state=True, note=note)
        base.first_row = -1
        variable = self._variables[name]
        rest = variable.indices[1:]
        rhs = self._written(symbolic(initial), rest, f"the initial value of {name}", tuple(i.upper + 1 for i in rest))
        self._add(Equation(base[(Integer(-1), *rest)], rhs))
        return base

    def indices(self, **ranges) -> tuple[Idx, ...]:
        """Return indices, `n=N` for one that runs from 0 to N - 1."""
        for name, size in ranges.items():
            identifier(name, "index")
            if name in self._sizes:
                raise DefinitionError(f"the index {name} has the name of a size; choose another")
            names = self._index_names.setdefault(self._size_given(f"the index {name}", size), [])
            if name not in names:
                names.append(name)
        return tuple(index_over(name, symbolic(size)) for name, size in ranges.items())

    # ---- defining

    def define(self, variable: str | Array, value, over: Idx | Sequence[Idx] | None = None, note: str = "") -> Expr:
        """Name an equation and return its left-hand side as an array.

        What is long in array notation and stands in several places is an equation of its own, `part_Z`.

        Parameters
        ----------
        variable : a new name, or a state declared before.
        value : in array notation; or, with `over`, in index notation.
        over : the indices that the equation holds for all values of, in the order of the new array's axes.

        Raises
        ------
        DefinitionError
            Undefined or clashing names, shapes that do not fit, an index that may leave its range.
        """
        if over is None and isinstance(variable, str) and variable != "loss":
            value = self._with_long_parts_named(value, variable)
        if is_algebra(value) and not isinstance(variable, Array) and over is None:
            return self._define_matrix(variable, value, note)
        value = sympified(value, variable)
        if isinstance(value, Unknown) and isinstance(variable, str) and variable != "loss" and over is None:
            return self._define_unknown(variable, value, note)
        if isinstance(variable, Array):
            return self._define_state(variable, value, over)
        if variable == "loss":
            self.loss = value
            return self._variables["loss"].base
        if over is None:
            shape = shape_of(value)
            indices = self._canonical(shape)
        else:
            indices = as_tuple(over)
            shape = self._shape_over(indices, variable)
        rhs = self._written(value, indices, variable, shape)
        base = self._declare(variable, shape, "variable", note=note, index_names=tuple(i.name for i in indices))
        self._add(Equation(self._variables[variable].at(*indices), rhs))
        return base

    def _unused(self, stem):
        """Return a name that is not taken: a stem, or a stem with a number."""
        taken = {*self._sizes, *self._variables}
        return next(n for n in (stem, *(f"{stem}_{k}" for k in range(2, len(taken) + 3)))
                    if n not in taken and f"d{n}" not in taken)

    def _define_state(self, state, value, over):
        variable = self._variables.get(state.name)
        if variable is None or not variable.state:
            raise DefinitionError(f"{state.name} is not a state of this network; declare it with net.state(...)")
        if sum(e.name == state.name for e in self._equations) > 1:
            raise DefinitionError(f"{state.name} is defined already")
        indices = as_tuple(over or ())
        if self._shape_over(indices, state.name) != variable.shape:
            raise DefinitionError(
                f"{state.name} has shape {shape_text(variable.shape)} and is defined over "
                f"{shape_text(indices)}; give one index for each axis, of the axis's size, as in "
                f"net.define({state.name}, ... {state.name}[t - 1, ...] ..., over=(t, ...))"
            )
        self._variables[state.name] = renamed(variable, indices)
        self._add(Equation(state[indices], self._written(value, indices, state.name, variable.shape)))
        return state

    @property
    def loss(self) -> Expr:
        """The scalar that is differentiated."""
        return self._variables["loss"].base if "loss" in self._variables else None

    @loss.setter
    def loss(self, value):
        if "loss" in self._variables:
            raise DefinitionError(f"{self.name} has a loss already; set it once, to the sum of its terms")
        value = self._with_long_parts_named(value, "loss")
        if is_algebra(value) and not axes_of(value):
            value = self._in_indices(value)
        value = sympified(value, "loss")
        if is_array(value):
            _check_unmixed(value, "loss")
        if shape_of(value):
            raise DefinitionError(
                f"the loss of {self.name} has shape {shape_text(shape_of(value))}; it should be a scalar: "
                "take its mean(...) or total(...)"
            )
        rhs = self._written(value, (), "loss", ())
        self._variables["loss"] = Variable("loss", Symbol("loss", real=True), ())
        self._add(Equation(self._variables["loss"].base, rhs))

    def output(self, *variables: Expr) -> None:
        """Make named variables the outputs of the generated `predict`."""
        for variable in variables:
            name = getattr(variable, "name", str(variable))
            if name not in self._variables:
                raise DefinitionError(f"the output {name} is not a variable of {self.name}; define it first")
            self._outputs.append(name)

    def notation(self, **options) -> None:
        """Choose how the network looks on paper: options of `Notation`, such as `adjoint="bar"`, `language="ko"`."""
        self._notation = self._notation.but(**options)

    # ---- handing over

    def program(self) -> Program:
        """Return the forward equations as they were written, without the axes of size 1 that keepdims=True leaves."""
        identifier(self.name, "network")        # again: files are called after it
        if "loss" not in self._variables:
            raise DefinitionError(f"{self.name} has no loss; set net.loss = ...")
        lines = Counter(e.name for e in self._equations)
        for v in self._variables.values():
            if v.state and lines[v.name] < 2:
                raise DefinitionError(f"the state {v.name} of {self.name} is declared but not defined")
            if v.kind == "variable" and not lines[v.name]:
                raise DefinitionError(f"the unknown {v.name} of {self.name} has no equation; give net.implicitly(...)")
        program = Program(
            self.name, self.title, self._with_read_names(), tuple(self._equations), outputs=tuple(self._outputs),
            sizes=tuple(dict.fromkeys(self._sizes.values())), derived=dict(self._derived), least=dict(self._least),
            facts=tuple(self._facts), source=self.source, note=self.note, notation=self._notation,
            assumptions=tuple(self._assumptions),
        )
        from .unit_axes import without_unit_axes
        from .unnesting import unnested

        check_turns(program)
        return without_unit_axes(unnested(program))

    @uncollected()
    def backward(self) -> Program:
        """Return forward and adjoint equations, simplified."""
        from .pipeline import derived, finished

        program = self.program()
        if not program.parameters:
            raise DefinitionError(f"{self.name} has no parameter; declare by net.parameter what the gradient is by")
        loss = next(e.rhs for e in program.equations if e.name == "loss")
        if loss.is_number:
            raise DefinitionError(f"the loss of {self.name} is {loss}, whatever the parameters are; in a condition a "
                                  "== b compares what is written, and Eq(a, b) its values")
        try:
            return finished(derived(program))
        except RecursionError:
            raise DerivationError(
                f"an equation of {self.name} nests too deep for Python; name its parts by net.define(...)") from None

    # ---- in notebooks

    def _repr_markdown_(self) -> str:
        """Return the title and the forward equations, as a notebook shows them."""
        from .paper.display import network_markdown

        return network_markdown(self.title, self.program() if self.loss is not None else None)

    def __repr__(self) -> str:
        return f"<Network {self.name}: {self.title}>"

    # ---- inside

    def _with_read_names(self):
        """Return the variables, the declared ones with the index names by which they are first read, shortest first."""
        declared = set(self._variables) - {e.name for e in self._equations}
        found: dict[str, tuple[str, ...]] = {}
        for e in self._equations:
            for read in reads(e.rhs, declared):
                indices = getattr(read, "indices", ())
                if all(isinstance(i, Idx) for i in indices) and len(set(indices)) == len(indices):
                    names = tuple(i.name for i in indices)
                    found[read_name(read)] = min(found.get(read_name(read), names), names, key=_length)
        return {n: replace(v, index_names=found.get(n, v.index_names)) for n, v in self._variables.items()}

    def _claim(self, name, what):
        identifier(name, what)
        if name in RESERVED:
            raise DefinitionError(f"the {what} {name!r} has a name that generated modules use; choose another")
        if self._is_taken(name):
            raise DefinitionError(f"the {what} {name!r} is declared already in {self.name}; choose another name")
        near = [f"d{name}", *([name[1:]] if name.startswith("d") else [])]
        clash = min(filter(self._is_taken, near), default=None)
        if clash:
            raise DefinitionError(f"the {what} {name!r} clashes with {clash!r}: dV is the adjoint of V; choose another")

    def _is_taken(self, name):
        return name in self._sizes or name in self._variables

    def _declare(self, name, shape, kind, index_names=None, note="", **details):
        self._claim(name, kind)
        details["note"] = words(note, f"note of {name}")
        shape = tuple(self._size_given(name, s) for s in shape)
        if shape:
            base = Array(name, shape, integer=kind == "labels")
        else:
            base = Symbol(name, integer=True) if kind == "labels" else Symbol(name, real=True)
        names = index_names or tuple(i.name for i in self._canonical(shape))
        self._variables[name] = Variable(name, base, shape, kind, index_names=names, **details)
        return base

    def _size_given(self, name, size):
        expected = "a positive integer or a size of this network"
        given = self._of_sizes(name, size, expected)
        if not (given.is_integer and (given.is_positive or given.free_symbols)):
            raise DefinitionError(f"{name} has the size {size}; expected {expected}{_as_size(given)}")
        if given.is_Integer and given > MOST:
            raise DefinitionError(f"{name} has the size {shown(given)}; expected at most {MOST}")
        return given

    def _of_sizes(self, name, value, expected):
        """Return an expression in the sizes, as SymPy has it."""
        try:
            given = symbolic(value)
        except DefinitionError:
            given = S.NaN
        if not isinstance(given, Expr) or given is S.NaN or not all(
                self._sizes.get(getattr(s, "name", "")) == s for s in given.free_symbols):
            raise DefinitionError(f"{name} has the size {value}; expected {expected}{self._declared(name, value)}")
        return given

    def _declared(self, name, value):
        """Return how a size is given that is none of this network's."""
        if isinstance(value, tuple | list):
            return f"; sizes follow the name one by one, ({', '.join([repr(name), *map(str, value)])})"
        other = min((s.name for s in getattr(value, "free_symbols", ()) if self._sizes.get(s.name) != s), default=None)
        if other is None:
            return ""
        return f"; {other} is another symbol than the network's" if other in self._sizes else (
            f"; declare it, {other} = net.size({other!r})")

    def _prover(self):
        """Return the prover that knows what has been declared so far."""
        declared = len(self._least), len(self._facts), len(self._classes)
        if self._proving is None or self._proving[0] != declared:
            self._proving = declared, Prover(self._least, self._facts, self._classes)
        return self._proving[1]

    def _add(self, equation):
        self._equations.append(equation)

    def _canonical(self, shape):
        """Return one index an axis, named after the sizes."""
        indices: list[Idx] = []
        scope: frozenset[str] = frozenset()
        for size in shape:
            indices.append(self._index_for(size, scope))
            scope |= {indices[-1].name}
        return tuple(indices)

    def _index_for(self, size, scope):
        """Return an index over `size` not in scope, named as declared by `indices`, else after the size."""
        declared = self._index_names.get(size, [])
        letter = str(size).lower() if isinstance(size, Symbol) else "i"
        if letter in self._sizes:
            letter = "i"
        candidates = [*declared, letter, *(f"{letter}{k}" for k in range(2, len(scope) + 3))]
        return index_over(next(c for c in candidates if c not in scope), size)

    def _shape_over(self, indices, name):
        if len(set(indices)) < len(indices):
            raise DefinitionError(f"{name} is defined over an index twice: ({', '.join(map(str, indices))})")
        for i in indices:
            if not isinstance(i, Idx) or i.lower != 0:
                told = "; words are told by note=" if isinstance(i, str) else ""
                raise DefinitionError(f"{name} is defined over {i}; expected an index from net.indices(...){told}")
        return tuple(i.upper + 1 for i in indices)

    def _with_long_parts_named(self, value, name):
        """Return a value that reads a name, `part_Z`, wherever a long part of it stands again."""
        return with_long_parts_named(value, self._parts, lambda part: self.define(self._unused(f"part_{name}"), part))

    def _written(self, value, indices, name, shape):
        """Return a right-hand side in index notation, checked."""
        try:
            return self._in_index_notation(value, indices, name, shape)
        except RecursionError:
            raise DefinitionError(f"{name} nests too deep for Python; name its parts by net.define(...)") from None

    def _in_index_notation(self, value, indices, name, shape):
        value = self._with_unknowns(value, name)
        if is_array(value):
            _check_unmixed(value, name)
            if shape_of(value) not in ((), shape) and shape_of(value) != shape:
                _check_fits(shape_of(value), shape, name)
            value = at(value, indices, self._index_for)
        value = with_inequalities_at_ends(value, self._leaves_its_range)
        value = without_choices(nested(value, self._leaves_its_range))
        value = without_idle(apart(value, {i.name for i in indices}))
        value = without_idle(with_whole_ranges(value, self._prover(), name))
        if value.has(S.ComplexInfinity):            # log(0) or 1/0 in a case that SymPy made of several choices
            value = with_possible_choices(value, self._prover())
        self._check(value, indices, name)
        return value

    def _leaves_its_range(self, read):
        """Tell whether a read may leave the range of what it reads, if nothing is known of where it is made."""
        variable, prover = self._variables.get(read_name(read)), self._prover()
        return variable is not None and not all(
            prover.within(index, S.NegativeOne if variable.state and axis == 0 else S.Zero, size - 1)
            for axis, (index, size) in enumerate(zip(read.indices, variable.shape, strict=True)))

    def _check(self, value, indices, name):
        for free in free_indices(value):
            if free not in indices:
                raise DefinitionError(
                    f"{name}: the index {free} is free on the right but not on the left; sum over it or define over it"
                )
        check_terms(value, name)
        prover = self._prover()
        for reading in readings(value):
            if reading.read not in self._least:
                check_read(reading, name, self._variables, prover, self.name)


def _as_size(given):
    """Return the remedy for a size that is a float."""
    return f"; write {int(given)}, as // gives it" if given.is_Float and int(given) == float(given) else ""


def _check_unmixed(value, name):
    """Refuse whole arrays among reads at indices."""
    mixed = free_indices(value) + summed_whole(value)
    if mixed:
        raise DefinitionError(f"{name} mixes whole arrays with the index {mixed[0]}; index every array, or none")


def _check_fits(have, want, name):
    if len(have) > len(want) or any(h not in (1, w) for h, w in zip(have[::-1], want[::-1], strict=False)):
        raise DefinitionError(
            f"{name} has shape {shape_text(have)}; expected {shape_text(want)}"
        )


def _floor_facts(size, value):
    """Return what `size = floor(a/b) + c` implies: a - b*(size - c) >= 0."""
    facts = []
    for part in Add.make_args(value):
        if isinstance(part, floor):
            top, bottom = part.args[0].together().as_numer_denom()
            others = value - part
            facts += [top - bottom * (size - others), bottom * (size - others) + bottom - 1 - top]
    return [Mul(1, f).expand() for f in facts] or [size - value, value - size]


def _length(names):
    return len("".join(names))
