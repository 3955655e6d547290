"""Mistakes in the derivative of a function: forgotten, another function's, taken at the wrong array, or applied twice.

And in the gradient of a softmax: its diagonal only, the true class only, a small number added inside a logarithm.
"""

from collections.abc import Iterator

from sympy import Add, Expr, Float, Function, Idx, KroneckerDelta, Mul, Piecewise, Pow, S, Sum, exp, sign, tanh

from derive.binders import Maximum
from derive.functions import relu, sigmoid, step
from derive.program import Equation, Program
from derive.terms import free_indices, instantiated, read_name, reads, subterms

from .axes import renamed
from .probabilities import logits_of, other_probabilities
from .slips import LIKELY, POSSIBLE, RARE, Mutant, instead

EPSILONS = [Float(10) ** -k for k in range(1, 16)]


def slopes(program: Program, equation: Equation) -> Iterator[Mutant]:
    """Yield the mutants of dZ = dA * f'(Z) with another derivative in the place of f'."""
    adjoints = set(program.adjoints.values())
    for product in (t for t in subterms(equation.rhs) if isinstance(t, Mul)):
        upstream = [f for f in product.args if read_name(f) in adjoints]
        if len(upstream) != 1:
            continue
        [read] = upstream
        slope = [f for f in product.args if f is not read and reads(f, program.variables)
                 and not isinstance(f, KroneckerDelta)]
        known = _functions_of(program, program.variables[equation.name].primal)
        part = [f for f in slope if {read_name(r) for r in reads(f, program.variables)} <= known]
        numbers = [f for f in product.args if f.is_number and f != -1]      # of the slope of tanh(2 z), or of an erf
        lost = [some for some in (slope, part, *([f] for f in slope), [*slope, *numbers]) if some]
        rests = [Mul(*(f for f in product.args if f not in some)) for some in lost]
        values = list(_assigned(program, product, equation))
        for words, other, rank in _others(program, read, equation):
            values += [(rest * other, f"the derivative is taken to be {words}", rank) for rest in dict.fromkeys(rests)]
            if other != 1:
                told = f"the factor {words[2:]} is missing" if words.startswith("1/") else \
                    f"a derivative too many: times {words}"
                told += f", in the term {product}" if isinstance(equation.rhs, Add) else ""
                values.append((product * other, told, RARE))
        for value, told, likely in values:
            if value != product:
                new = equation.rhs.xreplace({product: value})
                ratio = value / product
                strange = isinstance(ratio, Pow) and ratio.exp != -1        # no slope that people know
                if ratio.is_Integer and ratio > 1:
                    told = f"the factor 1/{ratio} is missing"
                kind = "substitute" if strange else "slope"
                yield Mutant(equation.name, instead(program, equation, new), told, kind, likely)


def _assigned(program, product, equation):
    """The slope in the place of what comes from above where a kinked function's argument is negative: = for *=.

    The mean's 1/N may be applied at the end, to the slope too.
    """
    variable = program.variables[program.variables[equation.name].primal]
    kinked = any(isinstance(t, relu) and read_name(t.args[0]) == variable.name
                 for e in program.forward for t in subterms(e.rhs))
    known = _functions_of(program, variable.name)
    slope = Mul(*(f for f in product.args if reads(f, known)))
    loss = [f for e in program.defining(program.loss) for f in Mul.make_args(e.rhs)]
    mean = Mul(*(f for f in loss if f.free_symbols and f.free_symbols <= set(program.sizes)))
    on = step(variable.at(*equation.indices))
    words = f"where {variable.name} is negative the slope stands in the place of what comes from above, not times it"
    for other in dict.fromkeys((S.One, mean)) if kinked and slope != 1 else ():
        yield on * product + (1 - on) * slope * other, words, POSSIBLE


def _functions_of(program, name):
    """Return the names of a variable, and of those that are computed from it alone."""
    return {name, *(e.name for e in program.forward
                    if {read_name(r) for r in reads(e.rhs, program.variables)} == {name})}


def _others(program, read, equation):
    """Yield derivatives that someone might take for that of the function between two variables."""
    primal = program.variables[program.variables[read_name(read)].primal or ""]
    y = primal.at(*getattr(read, "indices", ()))
    found: dict[Expr, tuple[str, int]] = {S.One: ("1: it is missing", LIKELY)}
    sources = [("its output", y)]
    for forward in (e for e in program.defining(primal.name) if not e.implicit):
        here = dict(zip(forward.indices, getattr(read, "indices", ()), strict=True))
        if all(k in forward.free for k in here):
            inner = instantiated(forward.rhs, here)
            sources += [("its argument", r) for r in reads(inner, program.variables)
                        if program.variables[read_name(r)].kind != "labels"
                        and set(free_indices(r)) <= set(free_indices(read))]
    own = program.variables[program.variables[equation.name].primal or ""]
    if own.kind != "parameter" and len(own.shape) == len(equation.indices):     # |z| and z^2 in a sum
        sources.append(("its argument", own.at(*equation.indices)))
    for _, z in sources:
        plain = all(isinstance(i, Idx) for i in getattr(z, "indices", ()))
        name = read_name(z) if plain else str(z)            # h[t - 1, n, k], the state of another step
        for text, value in (
            (f"{name} (1 - {name})", z * (1 - z)), (f"1 - {name}^2", 1 - z**2), (f"1 - {name}", 1 - z), (name, z),
            (f"[{name} > 0]", step(z)), (f"sigmoid'({name})", sigmoid(z) * (1 - sigmoid(z))),
            (f"tanh'({name})", 1 - tanh(z) ** 2), (f"sigmoid({name})", sigmoid(z)), (f"exp({name})", exp(z)),
            (f"2 {name}", 2 * z), (f"tanh({name})", tanh(z)), (f"1 + {name}", 1 + z), (f"-{name}", -z),
            (f"sign({name})", sign(z)), (f"1/{name}", 1 / z), (f"{name}^2", z**2), (f"(1 - {name})^2", (1 - z) ** 2),
        ):
            found.setdefault(value, (text, POSSIBLE))
    if equation.rhs.has(step):
        text = f"[{read_name(read)} > 0]: of what comes from above, not of what went forward"
        found.setdefault(step(read), (text, RARE))
    for value, (text, rank) in found.items():
        yield text, value, rank


def softmaxes(program: Program, equation: Equation) -> Iterator[Mutant]:
    """Yield the mutants of the gradient of a softmax, of cross-entropies, and of logistic losses."""
    adjoints = set(program.adjoints.values())
    rhs = equation.rhs
    for product in (t for t in subterms(rhs) if isinstance(t, Mul)):
        for total in (f for f in product.args if isinstance(f, Add)):
            upstream = _upstream(total, adjoints, len(equation.indices))
            if upstream is None:
                continue
            rest = Mul(*(f for f in product.args if f is not total))
            for weight in (f for f in product.args if f is not total and free_indices(f)):
                yield _mutant(equation, product, rest * upstream * (1 - weight),
                              "the softmax's Jacobian is its diagonal only", "diagonal", LIKELY)
    for total in dict.fromkeys(t for t in subterms(rhs) if isinstance(t, Add)):
        yield from _cross_entropies(program, equation, total)
        yield from _logistic(equation, total, program)
        yield from _true_class(program, equation, total)
    yield from _signs_by_class(program, equation)
    yield from _once_more(program, equation)


def _once_more(program, equation):
    """The softmax's Jacobian diag(p) - p p' times a gradient of its logits, which has it already."""
    primal = program.variables[equation.name].primal
    for p in dict.fromkeys(_written(program, t) for t in subterms(equation.rhs)):
        if (found := logits_of(program, p)) and read_name(found[0]) == primal and equation.free == equation.indices:
            _, here, _, (k, low, high) = found
            along = renamed(k, equation.rhs * p), low, high
            carried = Sum((p * equation.rhs).xreplace({here: along[0]}), along)
            words = "the softmax's Jacobian is applied once more: the gradient of the logits has it already"
            yield Mutant(equation.name, instead(program, equation, p * (equation.rhs - carried)), words, "softmax",
                         POSSIBLE)


def _upstream(total, adjoints, rank):
    """Return what comes from above in dP + dlse: the one adjoint of that rank, or all but the one of a lower rank."""
    found = [a for a in total.args if read_name(a) in adjoints and len(getattr(a, "indices", ())) == rank]
    lower = [a for a in total.args if read_name(a) in adjoints and len(getattr(a, "indices", ())) < rank]
    if len(found) == 1 and len(total.args) > 1:
        return found[0]
    return total - lower[0] if len(lower) == 1 and not found else None


def _true_class(program, equation, total):
    """The entry of the true class, [c = y[n]], of margins: left at 0, or counted once rather than for each margin."""
    labels = {v.name for v in program.kind("labels")}
    for term in total.args:
        sums = {t: _summed_written(program, t) for t in subterms(term) if isinstance(t, Sum)}
        factors = _drawn_out(term.xreplace(sums))
        for y in (f for f in factors if isinstance(f, KroneckerDelta) and reads(f, labels)):
            yield _mutant(equation, total, (1 - y) * total, "the entry of the true class is left at 0", "softmax", RARE)
            for part in (f for f in factors if isinstance(f, Sum)):
                weight = Mul(*(f for f in factors if f is not part))
                once = weight * Maximum(part.function, *part.limits)
                for value in (total - term + once, (1 - y) * (total - term) + once):
                    yield _mutant(equation, total, value, "the true class is counted once, however many margins are "
                                  "positive", "softmax", RARE)
                if part.has(step):
                    yield _mutant(equation, total, (1 - y) * (total - term) + weight, "the true class is counted once, "
                                  "whether any margin is positive or not", "softmax", POSSIBLE)


def _summed_written(program, part):
    """Return a sum with what is sent back written out, where the mask of a hinge is."""
    reads_back = reads(part.function, set(program.adjoints.values()))
    return part.func(part.function.xreplace({r: _written(program, r) for r in reads_back}), *part.limits)


def _drawn_out(term):
    """Return the factors of a term, those in a sum that do not depend on its indices before it."""
    found = []
    for f in Mul.make_args(term):
        value, where = _chosen(f.function) if isinstance(f, Sum) else (S.One, S.true)
        before = [g for g in Mul.make_args(value) if not g.has(*(i for i in f.atoms(Idx) if i not in free_indices(f)))]
        rest = Piecewise((Mul(*(g for g in Mul.make_args(value) if g not in before)), where), (S.Zero, True))
        found += [*before, Sum(rest, *(tuple(limit) for limit in f.limits))] if isinstance(f, Sum) else [f]
    return found


def _chosen(expr):
    """Return a value and the condition where it is that; elsewhere it is 0."""
    if isinstance(expr, Piecewise) and len(expr.args) == 2 and expr.args[1][0] == 0:
        return expr.args[0]
    return expr, S.true


def _signs_by_class(program, equation):
    """The sign of the true class's entry, or of all the others."""
    labels, adjoints = {v.name for v in program.kind("labels")}, set(program.adjoints.values())
    parts = [equation.rhs, *(_written(program, r) for r in reads(equation.rhs, adjoints))]
    found = (t for part in parts for t in subterms(part) if isinstance(t, KroneckerDelta) and reads(t, labels))
    for y in dict.fromkeys(found):
        if set(free_indices(y)) <= set(equation.free):
            for factor, told in ((2 * y - 1, "all entries but that of the true class have the wrong sign"),
                                 (1 - 2 * y, "the entry of the true class has the wrong sign")):
                changed = instead(program, equation, factor * equation.rhs)
                yield Mutant(equation.name, changed, told, "sign", RARE)


def _cross_entropies(program, equation, total):
    """P - Y for logits: the true class only, P (1 - P) too many, log(p + epsilon)."""
    inputs = {v.name for v in program.kind("input")}
    chosen = [a for a in total.args if isinstance(-a, KroneckerDelta) or read_name(-a) in inputs]
    given = [a for a in total.args if isinstance(_written(program, a), exp)]
    if len(chosen) != 1 or len(given) != 1 or len(total.args) != 2:
        return
    [p], y = given, -chosen[0]
    yield _mutant(equation, total, -y * (1 - p), "the softmax's Jacobian is taken to be its diagonal: p - y becomes "
                  "(p - 1) y, only the entry of the true class counts", "softmax", POSSIBLE)
    for index in (i for i in free_indices(p) if isinstance(i, Idx)):
        limit = (renamed(index, total), index.lower, index.upper)
        spread = Sum((y / p).xreplace({index: limit[0]}), limit)
        yield _mutant(equation, total, p**2 * spread - y, "the softmax's Jacobian diag(p) - p p' is taken to be "
                      "p (I - p), p broadcast along the wrong axis", "softmax", RARE)
    yield _mutant(equation, total, total * p * (1 - p), "P (1 - P) is applied once more: P - Y has it already",
                  "softmax", POSSIBLE)
    for other, told in other_probabilities(program, _written(program, p)):
        words = f"probabilities are not normalised as they should be: {told}"
        yield _mutant(equation, total, other - y, words, "softmax", POSSIBLE)
        yield _mutant(equation, total, other, f"{words}, and the true class not subtracted", "softmax", RARE)
    yield _mutant(equation, total, (1 - y) * p, "the entry of the true class is 0", "softmax", RARE)
    yield _mutant(equation, total, -y / p, "it is the gradient with respect to the probabilities: the softmax's own "
                  "derivative is missing", "softmax", POSSIBLE)
    for value in (1, -1):
        yield _mutant(equation, total, (1 - y) * p + value * y, f"the entry of the true class is set to {value} rather "
                      f"than changed by it", "softmax", RARE)
    right = _at_true_class(p, y) if isinstance(y, KroneckerDelta) else None
    if right is not None:
        for epsilon in EPSILONS:
            yield _mutant(equation, total, total * right / (right + epsilon),
                          f"the gradient is that of log(p + epsilon) with epsilon = {float(epsilon):g} inside the "
                          "logarithm", "epsilon", POSSIBLE)


def _written(program, term):
    """Return what defines a read, or the term itself."""
    lines = program.defining(read_name(term)) if read_name(term) else []
    if len(lines) != 1 or lines[0].implicit or lines[0].free != lines[0].indices:
        return term
    return instantiated(lines[0].rhs, dict(zip(lines[0].indices, getattr(term, "indices", ()), strict=True)))


def _at_true_class(p, y):
    """Return the probability of the true class: p with its index at the label."""
    index, label = y.args[:2] if y.args[0].is_Atom or not y.args[0].is_Indexed else reversed(y.args[:2])
    return p.xreplace({index: label}) if free_indices(index) == [index] else None


def _logistic(equation, total, program):
    """sigma(z) - y for a logit: sigma' too many, or another's; log(s + epsilon); one part of the loss amiss."""
    given = [a for a in total.args if isinstance(a, sigmoid | Function) and type(a).__name__ == "sigmoid"]
    if len(given) != 1 or len(total.args) != 2:
        return
    [s] = given
    y = -(total - s)
    yield _mutant(equation, total, total * s * (1 - s), "s (1 - s) is applied once more: s - y has it already, so this "
                  "is the gradient of the squared error", "another loss", LIKELY)
    yield _mutant(equation, total, total / (s * (1 - s)), "the sigmoid's derivative s (1 - s) is missing", "slope",
                  LIKELY)
    for z, name in ((s.args[0], "z"), (s, "s")):
        for words, slope in ((f"{name} (1 - {name})", z * (1 - z)), (f"[{name} > 0]", step(z)),
                             (f"1 - {name}^2", 1 - z**2), (f"1 - {name}", 1 - z), (name, z)):
            if slope != s * (1 - s):
                yield _mutant(equation, total, total / (s * (1 - s)) * slope, "the sigmoid's derivative s (1 - s) is "
                              f"taken to be {words}, of the logit z and s = sigmoid(z)", "slope", RARE)
    first, second = -y * (1 - s), (1 - y) * s
    for part, value in (("y log(s)", second), ("(1 - y) log(1 - s)", first)):
        yield _mutant(equation, total, value, f"what comes from {part} is missing", "term", POSSIBLE)
        yield _mutant(equation, total, 2 * value - total, f"what comes from {part} has the wrong sign", "sign",
                      POSSIBLE)
    for epsilon in EPSILONS:
        yield _mutant(equation, total, s * (1 - s) * ((1 - y) / (1 - s + epsilon) - y / (s + epsilon)),
                      f"the gradient is that of log(s + epsilon) with epsilon = {float(epsilon):g} inside the "
                      "logarithms", "epsilon", POSSIBLE)


def _mutant(equation, old, new, words, kind, rank):
    return Mutant(equation.name, (equation.with_rhs(equation.rhs.xreplace({old: new})),), words, kind, rank)
