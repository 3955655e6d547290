"""What to write where Python, NumPy or SymPy refuse a line of a network: they cannot know what it was to mean."""

import re

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
    (r"'Transposed' object is not callable", "a transpose is Z.T"),
    (r"Can't calculate derivative wrt",
     "net.backward() has the gradients; inside a loss write derive's derivative(u, x)"),
    (r"can't multiply sequence|(list|tuple)' and '\w+'|'\w+' and '(list|tuple)'",
     "numbers that are given are an input, net.input(...)"),
)


def remedy(error: BaseException) -> str:
    """Return what to write instead, after a semicolon; "" where that is not known."""
    said = str(error)
    return next((f"; {text}" for pattern, text in REMEDIES if re.search(pattern, said)), "")
