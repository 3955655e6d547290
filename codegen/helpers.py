"""Elementwise functions that NumPy lacks, as generated modules define them: each stays in range."""

import re

from . import newton_text, products_of_others, running_sums, solutions

HELPERS = {
    "_sigmoid": '''
def _sigmoid(x):
    """Return 1 / (1 + exp(-x)), exact to the last digits at both ends."""
    with np.errstate(over="ignore"):                    # 1 / inf is the 0 that it should be
        return 1 / (1 + np.exp(-x))
''',
    "_sigmoid_slope": '''
def _sigmoid_slope(x):
    """Return the derivative of the sigmoid, exact to the last digits at both ends, where s (1 - s) is not."""
    e = np.exp(-np.abs(x))
    return e / (1 + e)**2
''',
    "_softplus": '''
def _softplus(x):
    """Return log(1 + exp(x)) without an overflow."""
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)
''',
    "_sech": '''
def _sech(x):
    """Return 1 / cosh(x) without an overflow."""
    e = np.exp(-np.abs(x))
    return 2 * e / (1 + e**2)
''',
    "_lambert_w": '''
def _lambert_w(x):
    """Return the w that solves w exp(w) = x, NaN below -1/e, where no real number does."""
    w = lambertw(x)
    return np.where(w.imag == 0, w.real, np.nan).astype(x.dtype)
''',
    "_sinc": '''
def _sinc(x):
    """Return sin(x) / x, and 1 at 0."""
    x = np.where(x == 0, np.finfo(x.dtype).tiny, x)
    return np.sin(x) / x
''',
    "_step": '''
def _step(x):
    """Return 1 where x > 0, else 0, in the dtype of x."""
    return (x > 0).astype(x.dtype)
''',
    "_at_zero": '''
def _at_zero(x):
    """Return 1 where x = 0, else 0, in the dtype of x."""
    return (x == 0).astype(x.dtype)
''',
    "_lower": '''
def _lower(matrix):
    """Return the lower triangle of a square matrix with half its diagonal."""
    return (np.tril(matrix) + np.tril(matrix, -1)) / 2
''',
    "_finite": '''
def _finite(x):
    """Return x with -inf, the maximum of a row that is masked everywhere, as a number of which multiples are finite."""
    return np.maximum(x, np.finfo(x.dtype).min / 16)
''',
    "_positive": '''
def _positive(x):
    """Return x with 0, the sum of a row that is masked everywhere, as 1: all other sums are at least 1."""
    return np.maximum(x, 1)
''',
}
HELPERS["_power"] = '''
def _power(x, n):
    """Return x**n for a whole number n: up to 8 by squares, which take NumPy a tenth of the time."""
    if not 2 < n <= 8:
        return x**n
    half = _power(x, n // 2)
    return half * half * x if n % 2 else half * half
'''
HELPERS["_add_rows"] = '''
def _add_rows(total, rows, values):
    """Add each of the values to the row that it belongs to; rows may repeat, which `+=` would forget."""
    width = total[0].size
    if rows.size * width < 512:                         # few numbers: what follows takes longer to begin
        np.add.at(total, rows, values)
        return
    often = np.bincount(rows.reshape(-1)).max()
    if width >= 16 and rows.size * min(width, 64) >= len(total) << 10 and often <= 2**14:   # many for each row
        values = np.broadcast_to(values, (*rows.shape, *total.shape[1:])).reshape(rows.size, width)
        rows, ones, start = rows.reshape(-1), np.ones(often, total.dtype), 0
        values = values.take(np.argsort(rows.astype(np.min_scalar_type(len(total))), kind="stable"), axis=0)
        for row, number in enumerate(np.bincount(rows).tolist()):
            total[row] += (ones[:number] @ values[start:start + number]).reshape(total.shape[1:])
            start += number
        return
    if width >= 64 and often <= min(16, rows.size * width >> 12):   # the first of each row, the second, and so on
        if values.shape[rows.ndim:] != total.shape[1:]:
            values = np.broadcast_to(values, (*rows.shape, *total.shape[1:]))
        lead = values.shape[:rows.ndim]
        source = np.broadcast_to(np.arange(np.prod(lead)).reshape(lead), rows.shape).reshape(-1)
        rows, values = rows.reshape(-1), values.reshape(-1, *total.shape[1:])
        at = np.argsort(rows.astype(np.min_scalar_type(len(total))), kind="stable")
        rows, source = rows.take(at), source.take(at)
        while len(rows):
            again = np.append(False, rows[1:] == rows[:-1])
            first, later = np.flatnonzero(~again), np.flatnonzero(again)
            total[rows.take(first)] += values.take(source.take(first), axis=0)
            rows, source = rows.take(later), source.take(later)
        return
    values = np.broadcast_to(values, (*rows.shape, *total.shape[1:])).reshape(rows.size, *total.shape[1:])
    rows = rows.reshape(-1)
    counted = total.dtype in (np.float32, np.float64)
    if counted and width <= 64 and total.flags.c_contiguous and often <= 64:
        places = rows[:, None].astype(np.intp) * width + np.arange(width)
        np.add.at(total.reshape(-1), places.reshape(-1), values.reshape(-1))      # none comes often: one after another
        return
    if counted and total.size <= (max(values.size, 2**15) if width <= 64 else 2**15):       # few bins, or well filled
        places = rows[:, None].astype(np.intp) * width + np.arange(width)
        total += np.bincount(places.reshape(-1), values.reshape(-1), total.size).reshape(total.shape)
        return
    at = np.argsort(rows.astype(np.min_scalar_type(len(total))), kind="stable")     # short integers are sorted faster
    rows, values = rows[at], values[at]
    if counted and width <= 16:                         # bins for the rows that are there
        new = np.append(True, rows[1:] != rows[:-1])
        places = (np.cumsum(new) - 1)[:, None] * width + np.arange(width)
        total[rows[new]] += np.bincount(places.reshape(-1), values.reshape(-1)).reshape(-1, *total.shape[1:])
        return
    at = np.arange(len(rows))                           # most once: those that are equal are added up two by two
    while (same := rows[1:] == rows[:-1]).any():
        k = np.arange(len(rows))
        start = np.maximum.accumulate(np.where(np.append(True, ~same), k, 0))
        second = k[(k - start) % 2 == 1]
        values[at[second - 1]] += values[at[second]]
        rows, at = np.delete(rows, second), np.delete(at, second)
    total[rows] += values[at]
'''
HELPERS["_add_entries"] = '''
def _add_entries(total, places, values):
    """Add each of the values to the entry that it belongs to; entries may repeat, which `+=` would forget."""
    at = np.ravel_multi_index(places, total.shape)
    if total.size <= max(at.size, 2**15) and total.dtype in (np.float32, np.float64):   # few bins, or well filled
        values = np.broadcast_to(values, at.shape).reshape(-1)
        total += np.bincount(at.reshape(-1), values, total.size).reshape(total.shape)
    else:
        np.add.at(total, places, values)
'''
HELPERS |= solutions.HELPERS | newton_text.HELPERS | running_sums.HELPERS | products_of_others.HELPERS
HELPERS["_first_maximum"] = '''
def _first_maximum(x):
    """Return which entry along the first axis is the first of the largest: np.argmax is slow on few entries."""
    largest, first = x[0], np.zeros(x.shape[1:], np.min_scalar_type(len(x) - 1))
    for k in range(1, len(x)):
        first = np.maximum(first, first.dtype.type(k) * (x[k] > largest))
        largest = np.maximum(largest, x[k])
    return first
'''
HELPERS["_sigmoid_into"] = '''
def _sigmoid_into(x, out):
    """Return 1 / (1 + exp(-x)) in the array out, exact to the last digits at both ends."""
    np.negative(x, out=out)
    with np.errstate(over="ignore"):                    # 1 / inf is the 0 that it should be
        np.exp(out, out=out)
    out += 1
    return np.divide(1, out, out=out)
'''
HELPERS["_sigmoid_slope_into"] = '''
def _sigmoid_slope_into(x, out, work):
    """Return the derivative of the sigmoid in the array out, exact to the last digits at both ends."""
    np.abs(x, out=work)
    np.negative(work, out=work)
    np.exp(work, out=work)
    np.add(work, 1, out=out)
    np.square(out, out=out)
    return np.divide(work, out, out=out)
'''
HELPERS["_capped_exp"] = '''
def _capped_exp(x):
    """Return exp(x), or the exponential of nearly the largest number that has one where x is larger.

    With e = exp(z), e / (e + 1) is the sigmoid of z, and 1 / (e + 1) what it leaves of 1, to the last digits.
    """
    largest = x.max(initial=0)
    if largest < 9 or largest < (top := np.log(np.finfo(x.dtype).max) - 1):     # of 9 all have one
        return np.exp(x)
    return np.exp(np.minimum(x, top))
'''
HELPERS["_capped_exp_into"] = '''
def _capped_exp_into(x, out):
    """Return exp(x) in the array out, or the exponential of nearly the largest number that has one."""
    largest = x.max(initial=0)
    if largest < 9 or largest < (top := np.log(np.finfo(x.dtype).max) - 1):     # of 9 all have one
        return np.exp(x, out=out)
    return np.exp(np.minimum(x, top, out=out), out=out)
'''
HELPERS["_softplus_at"] = '''
def _softplus_at(e, x):
    """Return log(1 + exp(x)), e being exp(x), or less where x is as large as that."""
    return np.maximum(np.log1p(e), x)
'''
HELPERS["_softplus_at_into"] = '''
def _softplus_at_into(e, x, out):
    """Return log(1 + exp(x)) in the array out, e being exp(x), or less where x is as large as that."""
    np.log1p(e, out=out)
    return np.maximum(out, x, out=out)
'''
HELPERS["_sigmoid_at"] = '''
def _sigmoid_at(e):
    """Return 1 / (1 + exp(-x)), e being exp(x)."""
    return e / (e + 1)
'''
HELPERS["_sigmoid_at_into"] = '''
def _sigmoid_at_into(e, out):
    """Return 1 / (1 + exp(-x)) in the array out, e being exp(x)."""
    np.add(e, 1, out=out)
    return np.divide(e, out, out=out)
'''
HELPERS["_softplus_into"] = '''
def _softplus_into(x, out, work):
    """Return log(1 + exp(x)) in the array out: x itself where that is nearly too large for its exponential."""
    work.fill(np.log(np.finfo(x.dtype).max) - 1)
    np.minimum(x, work, out=work)
    np.exp(work, out=work)
    np.log1p(work, out=work)
    return np.maximum(x, work, out=out)
'''
HELPERS["_erf_into"] = '''
def _erf_into(x, out):
    """Return the error function in the array out: of many float32 as tanh(x p(x^2)), in a quarter of SciPy's time."""
    if x.dtype != np.float32 or x.size < 4096 or not (x.flags.c_contiguous and out.flags.c_contiguous):
        return erf(x, out=out)
    x, result = x.reshape(-1), out.reshape(-1)
    for start in range(0, len(x), 2**15):               # to 4 units in the last place
        part = np.clip(x[start:start + 2**15], -5, 5)
        square = np.square(part)
        p = 5.4193094e-9 * square
        for c in (2.763338e-8, -4.795123e-6, 8.4598716e-5, -6.148424e-4, -1.9528459e-4, 0.10276987):
            p += c
            p *= square
        p += 1.1283792
        p *= part
        np.tanh(p, out=result[start:start + 2**15])
    return out
'''
HELPERS["_row_sums"] = '''
def _row_sums(x, over=1):
    """Return the sums over the last axes, which BLAS adds up faster; rows that are long, as exactly as np.sum."""
    if x.dtype.kind not in "fc" or x.size == 0:
        return x.sum(axis=tuple(range(-over, 0)))
    x = x.reshape(*x.shape[:x.ndim - over], -1)
    if x.shape[-1] > 2**14:
        return x.sum(axis=-1)
    return x @ np.ones(x.shape[-1], x.dtype)
'''
HELPERS["_column_sums"] = '''
def _column_sums(x, kept=1):
    """Return the sums over all axes but the last ones, which BLAS adds up faster; those of many rows by np.sum."""
    if x.dtype.kind not in "fc" or x.size == 0:
        return x.sum(axis=tuple(range(x.ndim - kept)))
    x = x.reshape(-1, *x.shape[-kept:])
    if len(x) > 2**14:
        return x.sum(axis=0)
    return (np.ones(len(x), x.dtype) @ x.reshape(len(x), -1)).reshape(x.shape[1:])
'''
HELPERS["_middle_sums"] = '''
def _middle_sums(x, before, over=1):
    """Return the sums over axes after `before` others, which BLAS adds up faster; those of many rows by np.sum."""
    rows = int(np.prod(x.shape[before:before + over]))
    if x.dtype.kind not in "fc" or x.size == 0 or rows > 2**14:
        return x.sum(axis=tuple(range(before, before + over)))
    first, last = x.shape[:before], x.shape[before + over:]
    return (np.ones(rows, x.dtype) @ x.reshape(*first, rows, -1)).reshape(*first, *last)
'''
HELPERS["_row_maxima"] = '''
def _row_maxima(x):
    """Return the maxima over the last axis: of short rows as of columns, of others by their places, which is faster."""
    if x.size < 32 * x.shape[-1]:                       # few rows: NumPy starts each anew
        return x.max(axis=-1)
    rows = x.reshape(-1, x.shape[-1])
    if rows.shape[1] < 32:
        return np.ascontiguousarray(rows.T).max(axis=0).reshape(x.shape[:-1])
    return rows[np.arange(len(rows)), rows.argmax(axis=1)].reshape(x.shape[:-1])
'''
HELPERS["_relu_into"] = '''
def _relu_into(x, out):
    """Return max(x, 0) in the array out: NumPy compares with an array faster than with a number."""
    out.fill(0)
    return np.maximum(x, out, out=out)
'''
HELPERS["_dots"] = '''
def _dots(a, b):
    """Return the sums of a*b over the last axis: np.vecdot is slow on short rows, and conjugates complex numbers."""
    return np.einsum("...i,...i->...", a, b) if a.shape[-1] < 32 or a.dtype.kind == "c" else np.vecdot(a, b)
'''
HELPERS["_inner"] = '''
def _inner(a, b):
    """Return the sum of all of a*b, 2**14 numbers at a time: one long float32 sum by BLAS loses digits."""
    a, b = a.reshape(-1), b.reshape(-1)
    whole = a.size >> 14 << 14
    if whole == 0:
        return a @ b
    rows = a[:whole].reshape(-1, 2**14).conj(), b[:whole].reshape(-1, 2**14)    # which np.vecdot conjugates
    return np.vecdot(*rows).sum() + a[whole:] @ b[whole:]
'''
HELPERS["_sum_of_squares"] = '''
def _sum_of_squares(x):
    """Return the sum of the squares of all entries."""
    return _inner(x, x)
'''
HELPERS["_mean"] = '''
def _mean(x):
    """Return the mean of all entries: np.mean takes three times as long on a few numbers."""
    return x.sum() / x.size
'''
HELPERS["_zeroed"] = '''
def _zeroed(x):
    """Return an array of zeros where it is."""
    x.fill(0)
    return x
'''
IN_PLAIN = {                # slower in some cases, and shorter: where a module is to be read
    "_add_rows": '''
def _add_rows(total, rows, values):
    """Add each of the values to the row that it belongs to; rows may repeat, which `+=` would forget."""
    width = total[0].size
    if rows.size * width < 512:                         # few numbers: what follows takes longer to begin
        np.add.at(total, rows, values)
        return
    values = np.broadcast_to(values, (*rows.shape, *total.shape[1:]))
    places = (rows.reshape(-1, 1).astype(np.intp) * width + np.arange(width)).reshape(-1)  # of the numbers in all rows
    if total.size <= values.size and total.dtype in (np.float32, np.float64):
        total += np.bincount(places, values.reshape(-1), total.size).reshape(total.shape)  # which adds up in double
    elif total.flags.c_contiguous:
        np.add.at(total.reshape(-1), places, values.reshape(-1))                           # faster than row by row
    else:
        np.add.at(total, rows, values)
''',
}
HELPER_OF = {
    **{name: name for name in ("_sigmoid_into", "_sigmoid_slope_into", "_softplus_into",
                               "_capped_exp_into", "_softplus_at_into", "_sigmoid_at_into", "_erf_into")},
    "capped_exp": "_capped_exp",
    "softplus_at": "_softplus_at",
    "sigmoid_at": "_sigmoid_at",
    "power": "_power",
    "mean": "_mean",
    "zeroed": "_zeroed",
    "row_sums": "_row_sums",
    "column_sums": "_column_sums",
    "middle_sums": "_middle_sums",
    "row_maxima": "_row_maxima",
    "relu_into": "_relu_into",
    "dots": "_dots",
    "inner": "_inner",
    "sum_of_squares": "_sum_of_squares",
    "first_maximum": "_first_maximum",
    "newton": "_newton",
    "lu": "_lu",
    "cholesky": "_cholesky",
    "solved": "_solved",
    "inverse": "_inverse",
    "add_entries": "_add_entries",
    "add_rows": "_add_rows",
    "sums_after": "_sums_after",
    "sums_before": "_sums_before",
    "products_of_others": "_products_of_others",
    "sigmoid": "_sigmoid",
    "slope": "_sigmoid_slope",
    "sech": "_sech",
    "sinc": "_sinc",
    "LambertW": "_lambert_w",
    "softplus": "_softplus",
    "step": "_step",
    "at_zero": "_at_zero",
    "lower": "_lower",
    "finite": "_finite",
    "positive": "_positive",
}


def definitions(plan, code: str, style: str) -> str:
    """Elementwise functions that NumPy lacks, written so that they stay in range: those that the code calls."""
    texts = HELPERS | IN_PLAIN if style == "plain" else HELPERS
    known = {HELPER_OF[h] for p in plan.printers.values() for h in p.helpers}
    used: set[str] = set()
    while new := {n for n in known - used if re.search(rf"(?<!\w){n}\b", code)}:
        used |= new
        code = "".join(texts[n].partition("\n    ")[2] for n in new)
    return "\n\n\n".join(texts[name].strip() for name in texts if name in used)
