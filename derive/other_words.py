"""What NumPy and PyTorch call by their functions and methods, and what to write here."""

import operator
import re

OPERATORS = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv,
    "power": operator.pow, "matmul": operator.matmul,
}  # fmt: skip
SAME = frozenset((
    "exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "erf", "sign", "floor", "relu", "sigmoid",
    "softmax", "log_softmax", "logsumexp", "softplus", "diagonal", "inverse", "cholesky", "det", "solve", "mean",
))
NO_GRADIENT = "a net.input(...) for what has no gradient"
OTHERS = {                      # "" where there is nothing of the kind
    "abs": "Abs(Z)", "absolute": "Abs(Z)", "add": "Z + A", "arccos": "acos(Z)", "arcsin": "asin(Z)",
    "arcsinh": "asinh(Z)", "arctan": "atan(Z)", "arctan2": "atan2(Z, A)", "arctanh": "atanh(Z)",
    "argmax": "maximum(Z, axis=1) for the largest; where it stands has no derivative", "backward": "net.backward()",
    "bmm": "Z @ A",
    "cat": "concatenate(Z, A)", "clamp": "hardtanh(Z, low, high)", "clip": "hardtanh(Z, low, high)",
    "concat": "concatenate(Z, A)", "concatenate": "derive's concatenate(Z, A)",
    "cumprod": "Product(Z[j], (j, 0, i)) over i", "cumsum": "Sum(Z[j], (j, 0, i)) over i",
    "detach": NO_GRADIENT, "div": "Z / A", "divide": "Z / A", "dot": "Z @ A",
    "dropout": "X * M, with a mask M that is an input", "dtype": "",
    "einsum": "sums over indices, Sum(Z[i, j] * A[j, k], j)", "expand_dims": "Z[:, None]", "expm1": "exp(Z) - 1",
    "inv": "inverse(Z)",
    "hstack": "concatenate(Z, A, axis=1)", "item": "", "log1p": "log(1 + Z)", "logaddexp": "log(exp(Z) + exp(A))",
    "grad": "net.backward().gradients", "masked_fill": "Piecewise((Z, Eq(M, 1)), (-oo, True))",
    "matmul": "Z @ A", "max": "maximum(Z)", "maximum": "Max(Z, A), and relu(Z) for Max(Z, 0)", "min": "-maximum(-Z)",
    "minimum": "Min(Z, A)", "mm": "Z @ A", "mul": "Z * A", "multiply": "Z * A", "mv": "Z @ A", "ndim": "",
    "norm": "sqrt(total(Z**2))", "numpy": "", "one_hot": "KroneckerDelta(y[n], c), or E[y] for rows of E",
    "outer": "Z[:, None] * A",
    "permute": "Z.T, Z.mT for the last two axes of a stack, or index notation",

    "pow": "Z**2", "power": "Z**2", "prod": "product(Z)", "roll": "concatenate(Z[1:], Z[:1])", "size": "",
    "square": "Z**2", "squeeze": "Z[:, 0]",
    "stack": "concatenate(Z[None], A[None])", "stop_gradient": NO_GRADIENT,
    "std": "sqrt(mean((Z - mean(Z))**2))", "sub": "Z - A",
    "sum": "total(Z)",
    "swapaxes": "Z.T, Z.mT for the last two axes of a stack, or index notation",
    "t": "Z.T", "trace": "total(diagonal(Z))",
    "transpose": "Z.T, and Z.mT for the last two axes of a stack",
    "unsqueeze": "Z[:, None]", "var": "mean((Z - mean(Z))**2)",
    "vstack": "concatenate(Z, A, axis=0)", "where": "Piecewise((a, condition), (b, True))",
}  # fmt: skip


def written(name: str) -> str | None:
    """Return what a function or method of NumPy's or PyTorch's is here; None where it is not known."""
    return f"{name}(Z)" if name in SAME else OTHERS.get(name)


def of(said: str, thing: str) -> str:
    """Return what to write of a thing itself, Z being its name; of what has no name where brackets are around it."""
    if not thing.isidentifier() and not re.fullmatch(r"\w+\(Z\)", said):
        return said
    return re.sub(r"\bZ\b", thing, said)
