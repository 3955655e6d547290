"""Before differentiating: every reduction inside something nonlinear becomes an equation of its own.

After `named`, a right-hand side is linear in its sums, and a log-sum-exp or a maximum is all of the right-hand side of
its equation. So no adjoint ever recomputes a forward sum: it reads the name.
"""

from sympy import (
    Add,
    Expr,
    Idx,
    Indexed,
    IndexedBase,
    Max,
    Min,
    Mul,
    Piecewise,
    S,
    Sum,
    preorder_traversal,
)
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanFunction

from .axis_order import as_stored
from .binders import ArgMaximum, Binder, LogSumExp, Maximum, Product, has_binder, is_binder
from .checks import branches, known_where, readings
from .determinants import Determinant
from .errors import DerivationError
from .guards import guarded, is_guard, unguarded
from .nonlinear import adds_sums, argument_of
from .operands import operands_of_several
from .order import varying
from .program import Equation, Program, Variable, base_of, companion_indices, companion_name
from .ranges import conjuncts
from .replacing import places, with_read, with_reads
from .terms import (
    anonymous,
    bottom_up,
    bound_indices,
    count,
    free_indices,
    holds,
    innermost_first,
    like,
    read_name,
    reads,
    rename,
    values,
)


def named(program: Program) -> Program:
    """Return the program with nested reductions named first: `pre_h`, `mean_X`, `lse_Z2`, ...

    Raises
    ------
    DerivationError
        Facts about what moves were used, at which alone the program is right: it is not differentiated again.
    """
    used = {fact for facts in program.since.values() for fact in facts}
    for a in program.assumptions:
        if a.fact in used and any(program.variables[n].kind in ("parameter", "variable") for n in a.about):
            raise DerivationError(f"{program.name} is right only where {a.fact}; differentiate that of the network")
    namer = _Namer(program)
    for equation in program.equations:
        namer.take(equation)
    return program.with_equations(namer.equations, variables=namer.variables)


class _Namer:
    def __init__(self, program):
        self.program = program
        self.variables = dict(program.variables)
        self.equations = []
        self.beside = ""                # the companion that is being named: it has none of its own
        self.known = {}                 # right-hand side -> its variable, and the order of its free indices there
        self.taken = set(self.variables) | {s.name for s in program.sizes}
        self.varying = varying(program)

    def take(self, equation):
        """Append an equation, and before it those that its right-hand side needs."""
        self.of = equation
        rhs = self._with_terms(self._with_arguments(self._with_clips(self._with_compared(equation.rhs))))
        if isinstance(rhs, Binder) and equation.free == equation.indices and not equation.implicit:
            rhs = self._reduced(rhs)
        else:
            rhs = self._linear(rhs)
        self._append(equation.with_rhs(rhs))

    def _append(self, equation):
        """Append an equation; after a maximum comes what its derivative needs beside the value."""
        self.equations.append(equation)
        if reads(equation.rhs, self.varying):
            self.varying.add(equation.name)
        if equation.rhs.companion_word if isinstance(equation.rhs, Binder) and equation.name != self.beside else "":
            name = companion_name(equation)
            if getattr(self.variables.get(name), "companion_of", None) == equation.name:
                return                  # named by an earlier derivation
            if name in self.taken:
                raise DerivationError(f"{name} belongs to {equation.name}; rename the variable {name}")
            indices = companion_indices(equation)
            if equation.rhs.implicit_companion:
                self._define(name, indices, equation)
                return
            self.beside = name
            self._name(equation.rhs.companion(equation.lhs), name, indices, equation.name)

    def _define(self, name, indices, equation):
        """Append the equation that a companion satisfies."""
        shape = tuple(i.upper + 1 for i in indices)
        variable = Variable(name, base_of(name, shape), shape, index_names=tuple(i.name for i in indices),
                            companion_of=equation.name)
        self.taken.add(name)
        self.variables = _before(self.variables, self.of.name, name, variable)
        unknown = variable.at(*indices)
        self._append(Equation(unknown, equation.rhs.companion(unknown), implicit=True))

    def _with_terms(self, rhs):
        """Name what a log-sum-exp or a maximum is taken of, where it holds sums; read it wherever else it stands."""
        named: set[Expr] = set()
        while binder := next(
                (b for b in _binders(rhs) if b not in named and (_has_terms(b, rhs) or self._is_bent(b))), None):
            named.add(binder)
            stem = "terms" if isinstance(binder, Maximum) else "pre"
            bound = binder.limits[0][0]
            beside = self._place_beside(binder.function, bound)
            terms = self._linear(rename(binder.function, {bound: beside}))
            read = rename(self._name(terms, f"{stem}_{self.of.name}", self.of.free), {beside: bound})
            rhs = with_reads(rhs, binder.function, read, bound)
        return rhs

    def _is_bent(self, binder):
        """Tell whether a log-sum-exp is of what is not linear in all that varies: its derivative is read for each."""
        if not isinstance(binder, LogSumExp) or isinstance(binder.function, Piecewise):
            return False
        terms = Add.make_args(binder.function)
        varying = (Mul(*(f for f in Mul.make_args(t) if reads(f, self.varying))) for t in terms)
        return any(reads(f, self.varying) and not f.is_Indexed for f in varying)

    def _place_beside(self, terms, bound):
        """Return the index of the left-hand side at which terms stand beside their binder, else its own."""
        others = (i for i in self.of.free if i not in free_indices(terms) and like(i, bound.name) == bound)
        return next((i for i in others if self.of.rhs.has(rename(terms, {bound: i}))), bound)

    def _with_compared(self, rhs):
        """Name what a condition compares, where it adds sums; read it in what is chosen by the condition too."""
        cases = (c for t in innermost_first(rhs, values) if isinstance(t, Piecewise) for _, c in t.args)
        sides = (side for c in cases for r in c.atoms(Relational) for s in r.args for side in (s, *s.args))
        compared = next((s for s in sides if s.is_Add and adds_sums(s) and self._stays_inside(s)), None)
        if compared is None or _has_first_rows(compared):
            return rhs
        read = self._argument_named(compared)

        def change(t):
            if not isinstance(t, Piecewise):
                return t
            return t.func(*((e, c.xreplace({compared: read, -compared: -read})) for e, c in t.args), evaluate=False)

        return self._with_compared(bottom_up(with_read(rhs, compared, read), change))

    def _with_clips(self, rhs):
        """Name a maximum or minimum inside what another one compares, as the clip in min(a*r, a*clip(r))."""
        for outer in (t for t in innermost_first(rhs, values) if isinstance(t, Max | Min)):
            for inside in (t for a in outer.args if not isinstance(a, Max | Min) for t in preorder_traversal(a)):
                if isinstance(inside, Max | Min) and reads(inside, self.varying) and self._stays_inside(inside):
                    read = self._name(self._linear(inside), f"{type(inside).__name__.lower()}_{self.of.name}")
                    return self._with_clips(with_read(rhs, inside, read))
        return rhs

    def _with_arguments(self, rhs):
        """Name what a function or a power is of, where it adds sums or mixes variables: the derivative is shared."""
        arguments = filter(None, map(argument_of, innermost_first(rhs, values)))
        argument = next(filter(self._mixes, arguments), None)
        if argument is None:
            return rhs
        read = self._argument_named(argument)
        summed = [i for i in free_indices(argument) if i not in self.of.free and has_binder(argument)]
        return self._with_arguments(with_reads(rhs, argument, read, summed[0]) if summed else
                                    with_read(rhs, argument, read))

    def _argument_named(self, argument):
        """Return the name of what a function or a power is of, or a condition compares."""
        return self._name(self._linear(argument), f"pre_{self.of.name}")

    def _mixes(self, argument):
        """Tell whether a function's argument adds sums, or mixes things that vary; the z - lse of a softmax stays."""
        if holds(argument, Binder) or not self._stays_inside(argument) or _has_first_rows(argument):
            return False
        if has_binder(argument):
            return adds_sums(argument)
        mixed = reads(argument, self.varying)
        binders = {e.name for e in self.equations if isinstance(e.rhs, Binder)}
        return len(mixed) > 1 and not binders & set(map(read_name, mixed))

    def _linear(self, expr):
        """Name what is nested in `expr`, which itself may stay a linear combination of sums."""
        if not has_binder(expr):
            return expr
        if isinstance(expr, Add):
            return expr.func(*map(self._linear, expr.args))
        if isinstance(expr, Sum):
            term = self._linear(expr.function)
            whole = expr if term == expr.function else expr.func(term, *expr.limits)
            term = self._paired(whole)
            return whole if term == whole.function else expr.func(term, *expr.limits)
        if isinstance(expr, Mul):
            inside = [a for a in expr.args if has_binder(a)]
            others = Mul(*(a for a in expr.args if not has_binder(a)))
            if len(inside) == 1 and isinstance(inside[0], Sum | Add) and not reads(others, self.varying) and not \
                    self._is_scaled(inside[0], others):
                return Mul(others, self._linear(inside[0]))
        return self._nonlinear(expr)

    def _paired(self, total):
        """Return a summand with operands of a matrix product named: so each has one adjoint, and is computed once."""
        for some in operands_of_several(total, self.varying, self.variables):
            if self._stays_inside(Mul(*some)):
                stem = "_".join(map(read_name, some)) if all(map(read_name, some)) else f"factor_{self.of.name}"
                stem = f"slice_{stem}" if len(some) == 1 and isinstance(some[0], Indexed) else stem
                rest = (f for f in Mul.make_args(total.function) if f not in some)
                return self._paired(total.func(Mul(self._name(Mul(*some), stem), *rest), *total.limits))
        return total.function

    def _nonlinear(self, expr):
        """Name every reduction in `expr`."""
        if not has_binder(expr) or isinstance(expr, Idx | Indexed | IndexedBase):
            return expr
        if isinstance(expr, Binder):
            return self._name(self._reduced(expr), self._stem(expr))
        if isinstance(expr, Sum):
            return self._name(self._linear(expr), self._stem(expr))
        if isinstance(expr, Mul):
            return self._scaled(expr)
        if isinstance(expr, Piecewise):
            branches = ((self._nonlinear(self._only_where(c, e)), self._condition(c)) for e, c in expr.args)
            return expr.func(*branches, evaluate=False)
        if self._adds_several(expr):
            return self._name(self._linear(expr), f"sum_{self.of.name}")
        argument = argument_of(expr)
        if argument is not None and adds_sums(argument):
            return with_read(expr, argument, self._argument_named(argument))
        expr = expr.func(*map(self._nonlinear, expr.args))
        argument = argument_of(expr)
        if argument is None or not self._mixes(argument):
            return expr
        return with_read(expr, argument, self._argument_named(argument))

    def _adds_several(self, expr):
        """Tell whether several terms that vary, sums among them, are added up entry by entry: X @ W + b."""
        if not (isinstance(expr, Add) and adds_sums(expr) and free_indices(expr)):
            return False
        several = sum(bool(reads(t, self.varying)) for t in expr.args) > 1
        return several and self._stays_inside(expr) and not _has_first_rows(expr)

    def _is_scaled(self, total, others):
        """Tell whether a sum of several things that vary is multiplied by entries: its adjoint is read for each."""
        several = isinstance(total, Sum) and len(reads(total, self.varying)) > 1 and self._stays_inside(total)
        return bool(free_indices(others)) and (self._adds_several(total) or (several and not _has_first_rows(total)))

    def _condition(self, condition):
        """Name the reductions that a condition compares, where they may stand outside of it."""
        if isinstance(condition, BooleanFunction):
            return condition.func(*map(self._condition, condition.args))
        if isinstance(condition, Relational) and has_binder(condition) and self._stays_inside(condition):
            return condition.func(*map(self._nonlinear, condition.args), evaluate=False)
        return condition

    def _only_where(self, condition, expr):
        """Return a branch whose sums may stand outside of it: of guarded terms where they could leave a range."""
        if condition == True or not has_binder(expr) or self._stays_inside(expr):
            return expr
        if not is_binder(expr):
            return expr.func(*(self._only_where(condition, a) for a in expr.args))
        if isinstance(expr.function, Piecewise) and expr.function.args[0][1] == condition:
            return expr
        return expr.func(Piecewise((expr.function, condition), (S.Zero, True), evaluate=False), *expr.limits)

    def _in_range(self, expr):
        """Return an expression whose terms count where they are in range: a condition around it said so until now."""
        if self._stays_inside(expr):
            return expr
        if isinstance(expr, Add):
            return expr.func(*map(self._in_range, expr.args))
        if isinstance(expr, Piecewise):
            return self._choice_in_range(expr)
        total = next((a for a in Mul.make_args(expr) if isinstance(a, Sum)), None)
        if total is not None:
            return total.func(self._in_range(expr / total * total.function), *total.limits)
        if is_binder(expr):
            return expr.func(self._in_range(expr.function), *expr.limits)
        return guarded(expr, self._left_ranges(expr))

    def _choice_in_range(self, choice):
        """Return a choice whose branches count where they are in range, each where its own condition holds."""
        cases = []
        for branch, condition, known in branches(choice):
            prover = self.program.prover.knowing((*known, *known_where(condition)))
            left = [e for e in self._left_ranges(branch) if not prover.nonnegative(e)]
            cases.append((guarded(branch, left), condition))
        [(first, condition), *others] = cases
        if is_guard(choice) and is_guard(first):
            term, conditions = unguarded(first)
            return guarded(term, [*conjuncts(condition), *conditions])
        return choice.func((first, condition), *others, evaluate=False)

    def _left_ranges(self, expr):
        """Return what must be >= 0 for the reads of an expression to be in range, choices by conditions left out."""
        if isinstance(expr, Piecewise):
            return []
        if not isinstance(expr, Indexed):
            return [c for a in expr.args for c in self._left_ranges(a)]
        axes = zip(expr.indices, self.variables[read_name(expr)].indices, strict=True)
        ends = [e for position, i in axes for e in (position - i.lower, i.upper - position)]
        return [e for e in ends if not self.program.prover.nonnegative(e)]

    def _stays_inside(self, expr):
        """Tell whether every read in `expr` stays in its range whatever a condition around it says."""
        prover = self.program.prover
        return all(
            prover.knowing(r.guards).within(position, i.lower, i.upper)
            for r in readings(expr) if isinstance(r.read, Indexed) and read_name(r.read) in self.variables
            for position, i in zip(r.read.indices, self.variables[read_name(r.read)].indices, strict=True)
        )

    def _reduced(self, binder):
        """Name what is nested in a binder. A maximum is one of stored values: so it is told exactly which attain it."""
        body = self._nonlinear(binder.function)
        if isinstance(binder, Product) and body.has(Piecewise):
            body = self._name(body, f"terms_{self.of.name}")        # the product of the others is of plain reads
        if isinstance(binder, Maximum) and not _is_stored(body):
            body = self._name(body, f"terms_{self.of.name}")
        if isinstance(binder, Determinant) and not isinstance(body, Indexed):
            body = self._name(body, f"matrix_{self.of.name}")
        return binder.func(body, *binder.limits)

    def _scaled(self, expr):
        """Name a sum together with the 1/size before it (a mean), other factors apart."""
        constants = [a for a in expr.args if not free_indices(a) and not has_binder(a) and not self._varies(a)]
        sums = [a for a in expr.args if isinstance(a, Sum)]
        size = count(sums[0].limits) if len(sums) == 1 else S.Zero
        number = Mul(size, *constants)
        if not (number.is_number and size.free_symbols):
            return expr.func(*map(self._nonlinear, expr.args))
        mean = self._name(self._linear(sums[0]) / size, self._stem(sums[0], "mean"))
        return Mul(number, mean, *(self._nonlinear(a) for a in expr.args if a not in (*constants, *sums)))

    def _varies(self, expr):
        return bool(reads(expr, self.variables))

    def _stem(self, binder, word=None):
        """Return what a reduction is called: mean_X, sum_Z, lse_Z2, max_Z, after the one thing that it reduces."""
        word = word or ("sum" if isinstance(binder, Sum) else binder.word)
        body = binder.function
        of = read_name(body) if isinstance(body, Indexed) else None
        if of is None and is_binder(binder) and not isinstance(binder, Sum):
            found = reads(body, [n for n, v in self.variables.items() if v.kind != "labels"])
            of = read_name(found[0]) if len(found) == 1 else None
        return f"{word}_{of or self.of.name}"

    def _name(self, rhs, stem, order=(), companion_of=None) -> Expr:
        """Return a read of the variable that is defined as `rhs`, defining it where it is new.

        What is named beside a binder's value has the axes `order`, also those along which it does not vary. What has an
        initial value, as a state has in its row -1, stays where it stands: a sum in a product is differentiated there.
        """
        rhs = self._in_range(rhs)
        free = free_indices(rhs)
        if _has_first_rows(rhs) and not companion_of:
            return rhs
        key = anonymous(rhs)
        if key in self.known and not companion_of:
            variable, places = self.known[key]
            return variable.at(*(free[k] for k in places))
        stored = () if set(free) <= set(self.of.free) else as_stored(rhs, self.variables, self.of.free)
        known_order = (*order, *stored, *self.of.free, *bound_indices(self.of.rhs))
        indices = list(order) if companion_of else list(dict.fromkeys([i for i in known_order if i in free] + free))
        name = stem
        while name in self.taken or f"d{name}" in self.taken:
            name = _next_name(name, stem)
        self.taken.add(name)
        shape = tuple(i.upper + 1 for i in indices)
        variable = Variable(name, base_of(name, shape, isinstance(rhs, ArgMaximum)), shape,
                            index_names=tuple(i.name for i in indices), companion_of=companion_of)
        self.variables = _before(self.variables, self.of.name, name, variable)
        if set(indices) <= set(free):
            self.known[key] = variable, [free.index(i) for i in indices]
        self._append(Equation(variable.at(*indices), rhs))
        return variable.at(*indices)


def _has_first_rows(expr):
    """Tell whether an expression varies with an index that begins at -1, as those of states do."""
    return any(i.lower == -1 for i in free_indices(expr))


def _binders(expr):
    """Return the binders in an expression that are no sums, conditions left out."""
    return [t for t in innermost_first(expr, values) if isinstance(t, Binder)]


def _has_terms(binder, rhs):
    """Tell whether a binder is taken of sums, or of values that stand elsewhere too: a maximum's, masked scores."""
    masked = isinstance(binder, LogSumExp) and isinstance(binder.function, Piecewise)
    largest = isinstance(binder, Maximum) and not _is_stored(binder.function)
    if has_binder(binder.function) or not (masked or largest):
        return has_binder(binder.function)
    bound = binder.limits[0][0]
    terms = (rename(binder.function, {bound: place}) for place in places(rhs, binder.function, bound)[1:])
    return any(with_read(rhs, term, S.Zero) != rhs for term in terms)


def _is_stored(expr):
    """Tell whether evaluating `expr` only looks a value up."""
    if isinstance(expr, Piecewise):
        return all(_is_stored(e) for e, _ in expr.args)
    return expr.is_number or bool(read_name(expr))


def _before(variables, place, name, variable):
    """Return the variables with a new one put before the one at `place`."""
    result = {}
    for key, value in variables.items():
        if key == place:
            result[name] = variable
        result[key] = value
    return result if name in result else {**result, name: variable}


def _next_name(name, stem):
    tail = name[len(stem):].lstrip("_")
    return f"{stem}_{int(tail or 1) + 1}"
