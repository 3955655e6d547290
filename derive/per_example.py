"""Per-example gradients: the sum over the examples left out of each gradient.

    dW[d, h] = Sum(X[n, d]*dZ[n, h], n)     gives     dW_n[n, d, h] = X[n, d]*dZ[n, h]

A term that belongs to no example (a penalty) is shared equally, so the per-example gradients add up to the gradient.
Totals, variables that add up what examples bring and that the loss is linear in, have a share of each too:

    m = Sum(f[n], n)/N, loss = exp(s)*m, ds = exp(s)*m        give     m_n[n] = f[n]/N, ds_n[n] = exp(s)*m_n[n]
"""

from sympy import Add, Expr, Idx, Mul, Piecewise, Sum

from .binders import is_binder
from .errors import DefinitionError
from .pipeline import differentiated
from .program import Equation, Program, Variable, base_of
from .simplify import tidied, without_constants
from .terms import fresh, index_names, read_name, reads, rename, subterms


def per_example_gradients(program: Program, over: str | None = None) -> "Program":
    """Return the gradient of each example's share of the loss, examples along the first axis.

    Parameters
    ----------
    over : the name of the size that counts examples; by default the one that the loss sums over and no parameter has.

    Raises
    ------
    DefinitionError
        The loss sums over several sizes and none is named, or a variable mixes examples (batch normalisation).
    """
    from .hessians import for_results

    gradients, _, found = apart(program, over)
    return for_results(gradients, "per_example_gradients", found, "gradients of each example")


def apart(program: Program, over: str | None) -> tuple[Program, Idx, dict[str, str]]:
    """Return a program with the per-example gradients, the index of examples, and their names by parameter."""
    gradients = differentiated(program)
    for change in (tidied, without_constants, tidied):
        gradients = change(gradients)
    index = batch(program, gradients, over)
    maker = _Apart(gradients, index, _totals(gradients, index))
    found = {p.name: maker.of(p.name) for p in program.parameters}
    return gradients.with_equations((*gradients.equations, *maker.lines), variables=maker.variables), index, found


def batch(program: Program, gradients: Program, over: str | None) -> Idx:
    """Return the index of examples, by a name that no gradient has."""
    [loss] = program.defining(program.loss)
    limits = {i: low for t in subterms(loss.rhs) if is_binder(t) for i, low, _ in t.limits if isinstance(t, Sum)}
    inside = {s for p in program.parameters for s in p.shape}
    sizes = list(dict.fromkeys(i.upper + 1 for i in limits if i.upper + 1 not in inside))
    if not program.sizes:
        raise DefinitionError(f"{program.name} has no sizes, so none that counts examples")
    if over is None and len(sizes) != 1:
        raise DefinitionError(
            f"the loss of {program.name} sums over {', '.join(map(str, sizes)) or 'nothing'}; say which of the sizes "
            f"{', '.join(s.name for s in program.sizes)} counts examples: over=..."
        )
    size = sizes[0] if over is None else next((s for s in program.sizes if s.name == over), None)
    if size is None:
        raise DefinitionError(f"{over!r} is not a size of {program.name}; expected one of "
                              f"{', '.join(s.name for s in program.sizes)}")
    index = next((i for i in limits if i.upper + 1 == size), None)
    if index is None:
        index = next(i for v in program.variables.values() for i in v.indices if i.upper + 1 == size)
    taken = {n for p in gradients.parameters for n in p.index_names}
    return fresh(index, taken)


def _totals(program: Program, index: Idx) -> set[str]:
    """Return the variables that add up what examples bring, the loss one of them; refuse what mixes them otherwise."""
    totals: set[str] = set()
    for e in program.forward:
        if e.name not in (*program.adjoints, program.loss) or not _brings(e.rhs, totals, index):
            continue
        if index.upper + 1 in program.variables[e.name].shape or not _adds_up(e.rhs, totals, index):
            raise DefinitionError(
                f"{e.name} = {e.rhs} mixes the examples counted by {index.upper + 1}; there are no gradients of single "
                "examples")
        totals.add(e.name)
    return totals


def _brings(term, totals, index):
    """Tell whether a term binds the index of examples, or reads a total over them."""
    return bool(reads(term, totals)) or any(
        is_binder(t) and any(i.upper == index.upper for i, *_ in t.limits) for t in subterms(term))


def _adds_up(term, totals, index):
    """Tell whether a term is linear in sums over examples and in totals."""
    if not _brings(term, totals, index) or read_name(term) in totals:
        return True
    if isinstance(term, Add):
        return all(_adds_up(t, totals, index) for t in term.args)
    if isinstance(term, Mul):
        bringing = [f for f in term.args if _brings(f, totals, index)]
        return len(bringing) == 1 and _adds_up(bringing[0], totals, index)
    return isinstance(term, Sum) and _adds_up(term.function, totals, index)


class _Apart:
    """Writes the per-example version of each total, and of each adjoint of what is none and has no axis of examples."""

    def __init__(self, program, index, totals):
        self.program, self.index = program, index
        self.size = index.upper + 1
        self.lines: list[Equation] = []
        self.variables = dict(program.variables)
        self.whole = {*totals, *(a for p, a in program.adjoints.items()
                                 if p not in totals and self.size not in program.variables[a].shape)}
        self.looped = {e.name for group in program.groups() if any(program.variables[e.name].state for e in group)
                       for e in group}
        self.names: dict[str, str] = {}

    def of(self, primal: str) -> str:
        """Return the name of the per-example gradient of a variable."""
        return self._share_of(self.program.adjoints[primal])

    def _share_of(self, whole):
        """Return the name of the examples' shares of a variable."""
        adjoint = self.program.variables[whole]
        if adjoint.name not in self.names:
            taken = {*self.variables, *(s.name for s in self.program.sizes)}
            stem = f"{adjoint.name}_{self.index.name}"
            name = next(n for k in range(1, len(taken) + 3) if (n := f"{stem}{f'_{k}' if k > 1 else ''}") not in taken)
            self.names[adjoint.name] = name
            shape = self._beside(whole, self.size, adjoint.shape)
            index_names = self._beside(whole, self.index.name, adjoint.index_names)
            new = Variable(name, base_of(name, shape), shape, state=adjoint.state, index_names=index_names)
            self.variables[name] = new
            [e] = self.program.defining(adjoint.name)
            self.lines.append(Equation(new.at(*self._beside(whole, self.index, e.indices)), self._share(e.rhs)))
        return self.names[adjoint.name]

    def _share(self, term: Expr) -> Expr:
        """Return one example's share of a term; what belongs to no example is shared equally."""
        if not self._carries(term):
            return term / self.size
        if isinstance(term, Add):
            return Add(*map(self._share, term.args))
        if isinstance(term, Mul):
            carrying = [f for f in term.args if self._carries(f)]
            if len(carrying) > 1:
                raise self._twice(term)
            return Mul(self._share(carrying[0]), *(f for f in term.args if f is not carrying[0]))
        if isinstance(term, Piecewise):
            return term.func(*((self._share(branch), c) for branch, c in term.args), evaluate=False)
        if isinstance(term, Sum) and not self._limits(term):
            return Sum(self._share(term.function), *term.limits)
        if isinstance(term, Sum) and not reads(term, self.whole):
            return self._left_out(term)
        return term.xreplace({r: self._read(r) for r in reads(term, self.whole)})

    def _carries(self, term):
        """Tell whether a term reads what all examples bring, or sums over them."""
        return bool(reads(term, self.whole)) or any(isinstance(t, Sum) and self._limits(t) for t in subterms(term))

    def _limits(self, total):
        """Return the limits of a sum that run over all examples."""
        return [limit for limit in total.limits if limit[0].upper == self.index.upper and limit[0].lower == 0]

    def _twice(self, term):
        return DefinitionError(f"{term} sums over {self.size} twice; there are no gradients of single examples")

    def _read(self, read):
        whole = read_name(read)
        name = self._share_of(whole)
        return self.variables[name].at(*self._beside(whole, self.index, getattr(read, "indices", ())))

    def _beside(self, whole, examples, axes):
        """Return what stands for the axes and for examples: these first, in a recurrence after its rows."""
        rows = whole in self.looped
        return (*axes[:rows], examples, *axes[rows:])

    def _left_out(self, total):
        """Return a sum over examples, and maybe over other indices, without the examples."""
        over = self._limits(total)
        if len(over) != 1 or self._carries(total.function):
            raise self._twice(total)
        inner = [limit for limit in total.limits if limit is not over[0]]
        clash = {i: fresh(i, index_names(total) | {self.index.name}) for i, *_ in inner if i.name == self.index.name}
        body = Sum(total.function, *inner) if inner else total.function
        return rename(rename(body, clash), {over[0][0]: self.index})
