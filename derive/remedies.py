"""What to write where Python, NumPy or SymPy refuse a line of a network: they cannot know what it was to mean."""

import linecache
import re
import sys
import traceback
from difflib import get_close_matches

import sympy

from . import other_words

REMEDIES = (        # what the error says, and the remedy
    (r"truth value of Relational",
     "it depends on numbers that come later: write Piecewise((a, condition), (b, True)) for `if` and `else`, "
     "SymPy's Max(a, b), Min(a, b) and Abs(a), or relu(a); And(a > 0, a < 1) for both"),
    (r"object is not subscriptable",
     "brackets are for arrays by name: A = net.define(\"A\", ...), then A[...]; an axis is kept by mean(Z, axis=1, "
     "keepdims=True); for the class of a label, cross_entropy(Z, y)"),
    (r"'\w+' object has no attribute '(T|mT)'",
     "write transpose(...), or name it first, A = net.define(\"A\", ...), then A.T"),
    (r"object of type '\w+' has no len", "the length of an axis is a size: N itself, or X.shape[0]"),
    (r"object is not iterable",
     "Python goes through entries, which come later: write total(...) or mean(...), and sizes by their names"),
    (r"loop of ufunc does not support|no callable \w+ method",
     "NumPy computes with numbers: write SymPy's function, `from sympy import exp, log, sqrt, tanh`"),
    (r"Cannot convert (expression|symbols) to (float|int)",
     "Python computes with numbers: write SymPy's function, `from sympy import exp, log, sqrt, tanh`"),
    (r"does not support item assignment",
     "arrays are not changed: define another one, by cases with Piecewise((a, condition), (b, True)); a state is "
     "defined by net.define(s, ..., over=(t, n))"),
    (r"expecting bool or Boolean", "a choice is Piecewise((a, condition), (b, True))"),
    (r"[Ii]nput to (Trace|Determinant), .* not a matrix",
     "of arrays write derive's det(W), and total(diagonal(W)) for the trace"),
    (r"^\w+ is not an integer",
     "SymPy makes matrices of numbers: a number broadcasts by itself, X + 1, and eye(D) is derive's"),
    (r"unsupported operand type\(s\) for @", "where neither side is an array by name, write matmul(A, B)"),
    (r"bad operand type for unary ~", "where a mask M of 0 and 1 is 0, 1 - M is 1"),
    (r"unsupported operand type\(s\) for [&|]:", "masks of 0 and 1 are multiplied; conditions are And(p, q), Or(p, q)"),
    (r"Cannot round symbolic", "what is rounded has no derivative: hand its values over as a net.input(...)"),
    (r"^var\(\) (takes|got)", "a variance is mean((Z - mean(Z, axis=0))**2, axis=0)"),
    (r"Summation will set Idx value too (high|low)",
     "an index of size N runs from 0 to N - 1: Sum(x[n], n), or Sum(x[n], (n, 1, N - 1)) for a part of it"),
    (r"Invalid limits given", "sum over an index from net.indices(...), Sum(x[n], n)"),
    (r"AssumptionKeys|SingletonRegistry", "Q and S are SymPy's own, until you declare or define them"),
    (r"(unsupported operand type\(s\) for|bad operand type for) .*(Than|Equality|Unequality|Boolean)",
     "a comparison is no number: write Piecewise((x, condition), (0, True)) for condition * x, "
     "relu(x) for (x > 0) * x, and Heaviside(x) for x > 0"),
    (r"Second argument must be a Boolean", "the last branch of a choice holds elsewhere, (value, True)"),
    (r"unexpected keyword argument 'shape'", "sizes follow the name one by one, net.parameter(\"W\", D, H)"),
    (r"axis' is an invalid keyword argument for (max|min)|(max|min)\(\) got an unexpected keyword",
     "write derive's maximum(Z, axis=1), and -maximum(-Z, axis=1) for the smallest"),
    (r"axis' is an invalid keyword argument for sum|sum\(\) got an unexpected keyword",
     "write derive's total(Z, axis=1)"),
    (r"Network\.indices\(\) takes", "each index is told its size, n, d = net.indices(n=N, d=D)"),
    (r"Network\.labels\(\) missing", "labels are whole numbers below a size, net.labels(\"y\", N, classes=C)"),
    (r"Network\.define\(\) missing", "a definition has a name, Z = net.define(\"Z\", ...)"),
    (r"'NoneType' object is not callable", "the loss is set, net.loss = ..."),
    (r"must be Tensor, not", "PyTorch computes with numbers: write derive's function, relu(Z), or SymPy's, exp(Z)"),
    (r"Network\.__init__\(\) missing 1 required", "a network has a name, Network(\"mlp\")"),
    (r"unexpected keyword argument '(dim|keepdim)'", "the words are NumPy's: axis=..., keepdims=True"),
    (r"'Transposed' object is not callable", "a transpose is Z.T, of the last two axes of a stack Z.mT"),
    (r"transpose\(\) (takes 1 positional argument|got an unexpected keyword argument)",
     "of the last two axes of a stack write Z.mT; other orders of axes are read in index notation, Z[j, k, i]"),
    (r"unexpected keyword argument 'reduction'", "a loss has one value an example: take its mean(...) or total(...)"),
    (r"unsupported operand type\(s\) for \^", "a power is Z**2"),
    (r"specify dummy variables",
     "say what a sum is over, an index from net.indices(...): Sum(x[n], n); total(x) sums all"),
    (r"Can't calculate derivative wrt",
     "net.backward() has the gradients; inside a loss write derive's derivative(u, x)"),
    (r"can't multiply sequence|(list|tuple)' and '\w+'|'\w+' and '(list|tuple)'",
     "numbers that are given are an input, net.input(...)"),
)


LINES = (            # what a line has in it where a size is taken for a number, and the remedy
    (r"\brange\(|enumerate\(",
     "a size has no number yet: write Sum(x[n], n), total(x) or mean(x) for a sum, net.state(...) for a recurrence; "
     "a loop goes over a number, range(3)"),
    (r"\b(np|numpy|torch)\.(arange|zeros|ones|eye|full|linspace|tril|triu|random)\b",
     "a size has no number yet, of which NumPy makes arrays: declare what is given, net.input(\"ones\", N, 1); labels "
     "read entries, Sum(Z[n, y[n]], n), or rows, E[y]"),
)


def remedy(error: BaseException) -> str:
    """Return what to write instead, after a semicolon; "" where that is not known."""
    said = str(error)
    told = _of_a_name(error) if isinstance(error, NameError) and error.name else None
    if missing := re.match(r"cannot import name '(\w+)' from 'derive'", said):
        told = _of_an_import(missing[1])
    if isinstance(error, AttributeError) and error.name and isinstance(error.obj, sympy.Basic):
        found = other_words.written(error.name)
        told = f"write {found}" if found else None
    if re.search(r"Cannot convert \w+ to (float|int)|cannot be interpreted as an integer|ufunc", said):
        lines = " ".join(frame.line or "" for frame in traceback.extract_tb(error.__traceback__))
        told = told or next((text for pattern, text in LINES if re.search(pattern, lines)), None)
    return f"; {told}" if told else next((f"; {text}" for pattern, text in REMEDIES if re.search(pattern, said)), "")


def _has_defined(thing, name):
    """Tell whether a thing is a network that has a variable of this name."""
    return type(thing).__name__ == "Network" and name in getattr(thing, "_variables", ())


def _line(trace):
    """Return the line of code at which a traceback stands."""
    return linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno)


def _of_an_import(name):
    """Return where a name is that derive has not, or what is written for it."""
    near = get_close_matches(name, sys.modules[__package__].__all__, 1, 0.75)
    if hasattr(sympy, name):
        return f"write `from sympy import {name}`"
    said = other_words.written(name)
    return f"is {near[0]} meant?" if near else f"write {said}" if said else (
        "layers are written as formulas; docs/language.md and derive/networks show how")


def _of_a_name(error):
    """Return where a name that is not defined comes from, or which one may be meant."""
    name, trace = error.name, error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is not None and re.search(rf"\b{name} *=.*\b{name}\[", _line(trace)):
        return f'what reads itself is a state: {name} = net.state("{name}", T, ...), then net.define({name}, ...)'
    owners = [] if trace is None else [k for k, v in trace.tb_frame.f_globals.items() if _has_defined(v, name)]
    if owners:
        return f'{owners[0]} has it, and Python has not: {name} = {owners[0]}.define("{name}", ...)'
    known = {} if trace is None else {**trace.tb_frame.f_globals, **trace.tb_frame.f_locals}
    words = sys.modules[__package__].__all__
    if len(name) > 1 and (name in words or hasattr(sympy, name)):
        return f"write `from {'derive' if name in words else 'sympy'} import {name}`"
    if other_words.written(name):
        return f"write {other_words.written(name)}"
    near = get_close_matches(name, [n for n in known if not n.startswith("_")] + words, 1, 0.75)
    meant = [n for n in [*known, *words] if n.lower() == name.lower()] or (near if len(name) > 2 else [])
    if meant:
        return f"is {meant[0]} meant?"
    return f'a size is declared first, {name} = net.size("{name}")' if re.fullmatch("[A-Z]", name) else (
        f'arrays are declared first, {name} = net.input("{name}", ...) or net.parameter("{name}", ...)')
