"""What NumPy, SciPy and the helpers of a module call the functions that SymPy has."""

from sympy.codegen.cfunctions import expm1, log1p

CALLS = {
    "exp": "np.exp", "log": "np.log", "tanh": "np.tanh", "sinh": "np.sinh", "cosh": "np.cosh", "sin": "np.sin",
    "cos": "np.cos", "tan": "np.tan", "asin": "np.arcsin", "acos": "np.arccos", "atan": "np.arctan",
    "atan2": "np.arctan2", "asinh": "np.arcsinh", "acosh": "np.arccosh", "atanh": "np.arctanh", "Abs": "np.abs",
    "sign": "np.sign", "floor": "np.floor", "ceiling": "np.ceil", "expm1": "np.expm1", "log1p": "np.log1p",
    "logaddexp": "np.logaddexp", "Mod": "np.mod",
}
SCIPY = {"erf": "erf", "erfc": "erfc", "tail": "erfc", "loggamma": "gammaln", "digamma": "digamma", "gamma": "gamma",
         "log_ndtr": "log_ndtr", "erfcx": "erfcx"}
SPECIAL = {                     # calls of SciPy's that are more than a name
    "erfi": "erfi({})", "erfinv": "erfinv({})", "erfcinv": "erfcinv({})", "Ei": "expi({})", "Si": "sici({})[0]",
    "Ci": "sici({})[1]", "fresnels": "fresnel({})[0]", "fresnelc": "fresnel({})[1]",
    "expint": "expn({}, {})", "jn": "spherical_jn({}, {})",
}  # fmt: skip
DOUBLE = ("expint", "jn")                               # whose results are float64 always
BESSEL = {"besseli": "iv", "besselj": "jv", "besselk": "kv", "bessely": "yv"}       # of an order and a number
UNBOUNDED = {
    *BESSEL,
    *SPECIAL,
    "LambertW",
    "exp",
    "log",
    "sinh",
    "cosh",
    "tan",
    "asin",
    "acos",
    "acosh",
    "atanh",
    "expm1",
    "log1p",
    "log_ndtr",
    "loggamma",
    "digamma",
    "gamma",
}
HELPERS = {
    "sigmoid": "_sigmoid", "slope": "_sigmoid_slope", "softplus": "_softplus", "step": "_step", "at_zero": "_at_zero",
    "finite": "_finite", "positive": "_positive",
    "sech": "_sech", "sinc": "_sinc", "LambertW": "_lambert_w",
    "softplus_at": "_softplus_at", "sigmoid_at": "_sigmoid_at", "capped_exp": "_capped_exp",
}
assert expm1 and log1p                               # SymPy names that the table above knows by their text
