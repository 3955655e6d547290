"""What to write where Python, NumPy or SymPy refuse a line of a network: they cannot know what it was to mean."""

import re
import sys
from difflib import get_close_matches

import sympy

REMEDIES = (        # what the error says, and the remedy
    (r"truth value of Relational",
     "it depends on numbers that come later: write Piecewise((a, condition), (b, True)) for `if` and `else`, "
     "SymPy's Max(a, b), Min(a, b) and Abs(a), or relu(a)"),
    (r"object is not subscriptable",
     "brackets are for arrays by name: A = net.define(\"A\", ...), then A[...]; for the class of a label, "
     "cross_entropy(Z, y)"),
    (r"'\w+' object has no attribute '(T|mT)'",
     "write transpose(...), or name it first, A = net.define(\"A\", ...), then A.T"),
    (r"object is not iterable|object of type '\w+' has no len",
     "Python goes through entries, which come later: write total(...) or mean(...), and sizes by their names"),
    (r"loop of ufunc does not support|no callable \w+ method",
     "NumPy computes with numbers: write SymPy's function, `from sympy import exp, log, sqrt, tanh`"),
    (r"Cannot convert (expression|symbols) to (float|int)",
     "Python computes with numbers: write SymPy's function, `from sympy import exp, log, sqrt, tanh`"),
    (r"does not support item assignment",
     "arrays are not changed: define another one, by cases with Piecewise((a, condition), (b, True))"),
    (r"Summation will set Idx value too (high|low)",
     "an index of size N runs from 0 to N - 1: Sum(x[n], n), or Sum(x[n], (n, 1, N - 1)) for a part of it"),
    (r"Invalid limits given", "sum over an index from net.indices(...), Sum(x[n], n)"),
    (r"AssumptionKeys|SingletonRegistry", "Q and S are SymPy's own, until you declare or define them"),
    (r"unsupported operand type\(s\) for .*(Than|Equality|Unequality|Boolean)",
     "write Piecewise((a, condition), (b, True)) for a choice"),
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


def remedy(error: BaseException) -> str:
    """Return what to write instead, after a semicolon; "" where that is not known."""
    said = str(error)
    told = _of_a_name(error) if isinstance(error, NameError) and error.name else None
    return f"; {told}" if told else next((f"; {text}" for pattern, text in REMEDIES if re.search(pattern, said)), "")


def _of_a_name(error):
    """Return where a name that is not defined comes from, or which one may be meant."""
    name, trace = error.name, error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    known = {} if trace is None else {**trace.tb_frame.f_globals, **trace.tb_frame.f_locals}
    words = sys.modules[__package__].__all__
    if len(name) > 1 and (name in words or hasattr(sympy, name)):
        return f"write `from {'derive' if name in words else 'sympy'} import {name}`"
    near = get_close_matches(name, [n for n in known if not n.startswith("_")] + words, 1, 0.75)
    meant = [n for n in [*known, *words] if n.lower() == name.lower()] or (near if len(name) > 2 else [])
    if meant:
        return f"is {meant[0]} meant?"
    return f'a size is declared first, {name} = net.size("{name}")' if re.fullmatch("[A-Z]", name) else (
        f'arrays are declared first, {name} = net.input("{name}", ...) or net.parameter("{name}", ...)')
