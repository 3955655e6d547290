"""Elementwise functions in C that a compiler can vectorise: no calls, no branches, in float and in double.

The mathematical library's own are called one number at a time, which is slower than NumPy. These are within 4 units in
the last place, denormals, infinities and NaN included. An argument is brought to a short interval, where a polynomial
is near-minimax: its coefficients are Chebyshev fits in 50 digits of

    (expm1(r) - r)/r^2 on |r| <= log(2)/2,      (2 artanh(s) - 2 s)/s^3 in s^2 on |s| <= (sqrt(2) - 1)/(sqrt(2) + 1)

and, for log1p between 0 and 1, on 0 <= s <= 1/3.
"""

PRELUDE = '''#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef SINGLE
typedef float real;
typedef int32_t whole;
enum { DIGITS = 23, BIAS = 127 };
#define OF_REAL(function) function##f
#else
typedef double real;
typedef int64_t whole;
enum { DIGITS = 52, BIAS = 1023 };
#define OF_REAL(function) function
#endif'''

_BITS = '''
/* A number's bits; MAGIC + k has the integer k in its last bits; 2^k for a normal result. */
#define MAGIC (real)(1.5*((int64_t)1 << DIGITS))
static inline whole bits(real x) { whole b; memcpy(&b, &x, sizeof x); return b; }
static inline real from_bits(whole b) { real x; memcpy(&x, &b, sizeof x); return x; }
static inline real power_of_2(whole k) { return from_bits((k + BIAS) << DIGITS); }
'''

_REDUCED = '''
/* x = k log(2) + r, |r| <= log(2)/2; returns expm1(r). */
static inline real reduced_expm1(real x, whole *k)
{
    const real t = x*(real)1.4426950408889634 + MAGIC, n = t - MAGIC;
    *k = bits(t) - bits(MAGIC);
#ifdef SINGLE
    const real r = x - n*0x1.62e4p-1f - n*0x1.7f7d1cp-20f;
    return r + r*r*(0.5f + r*(0.1666666668f + r*(0.04166646460f + r*(0.008333310890f + r*(0.001393368586f
        + r*0.0001989103065f)))));
#else
    const real r = x - n*0x1.62e42feep-1 - n*0x1.a39ef35793c76p-33;
    return r + r*r*(0.5 + r*(0.1666666666666667101 + r*(0.04166666666666666977 + r*(0.008333333333326112053
        + r*(0.001388888888888373183 + r*(0.0001984126987490125923 + r*(2.480158732560532278e-5
        + r*(2.755725529796964439e-6 + r*(2.755727357010213967e-7 + r*(2.510525953844849342e-8
        + r*2.091471734171637595e-9))))))))));
#endif
}
'''

_EXP = '''
/* exp(x); in two steps, as 2^k alone may overflow or lose digits where the result does not. */
static inline real v_exp(real x)
{
    const real low = sizeof x == 4 ? -104 : -746, high = sizeof x == 4 ? 89 : 710;
    whole k;
    x = x < low ? low : x;
    x = x > high ? high : x;
    const real p = reduced_expm1(x, &k);
    return (1 + p)*power_of_2(k >> 1)*power_of_2(k - (k >> 1));
}
'''

_EXPM1 = '''
/* exp(x) - 1 = 2^k expm1(r) + (2^k - 1), halved on the way as 2^k alone may overflow. */
static inline real v_expm1(real x)
{
    const real low = -40, high = sizeof x == 4 ? 89 : 710;
    whole k;
    x = x < low ? low : x;
    x = x > high ? high : x;
    const real p = reduced_expm1(x, &k), half = power_of_2(k - 1);
    return k == 0 ? p : 2*(half*p + (half - (real)0.5));
}
'''

_TANH = '''
/* tanh(x) = expm1(2|x|)/(expm1(2|x|) + 2), with the sign of x. */
static inline real v_tanh(real x)
{
    real y = 2*(x < 0 ? -x : x);
    whole k;
    y = y > 44 ? 44 : y;
    const real p = reduced_expm1(y, &k), power = power_of_2(k), e = power*p + (power - 1), t = e/(e + 2);
    return OF_REAL(copysign)(t, x);
}
'''

_ARTANH = '''
/* 2 artanh(s) + rest, for |s| up to (sqrt(2) - 1)/(sqrt(2) + 1). */
static inline real artanh_2(real s, real rest)
{
    const real w = s*s;
#ifdef SINGLE
    return 2*s + (s*w*(0.6666666655f + w*(0.4000012221f + w*(0.2855077863f + w*0.2333161447f))) + rest);
#else
    return 2*s + (s*w*(0.6666666666666669708 + w*(0.3999999999989889051 + w*(0.2857142862625383761
        + w*(0.2222221108937949621 + w*(0.181828924325368712 + w*(0.1533161172205500789
        + w*0.1461780715341732496)))))) + rest);
#endif
}

/* x = 2^n m, m from sqrt(1/2) to sqrt(2); returns m. */
static inline real mantissa(real x, real *n)
{
    const whole e = (bits(x) - bits((real)0.70710678118654752)) >> DIGITS;
    *n = from_bits(e + bits(MAGIC)) - MAGIC;
    return from_bits(bits(x) - (whole)((uint64_t)e << DIGITS));
}

#ifdef SINGLE
static const real LOG2_HIGH = 0x1.62e4p-1f, LOG2_LOW = 0x1.7f7d1cp-20f;
#else
static const real LOG2_HIGH = 0x1.62e42feep-1, LOG2_LOW = 0x1.a39ef35793c76p-33;
#endif
'''

_LOG = '''
/* log(x) = n log(2) + 2 artanh((m - 1)/(m + 1)). */
static inline real v_log(real x)
{
    const real least = sizeof x == 4 ? (real)0x1p-126 : (real)0x1p-1022;    /* bits mean something else below it */
    const int small = x < least;
    real n;
    const real f = mantissa(small ? x*(real)((int64_t)2 << DIGITS) : x, &n) - 1;
    n -= small ? DIGITS + 1 : 0;
    const real result = n*LOG2_HIGH + artanh_2(f/(2 + f), n*LOG2_LOW);
    return x > 0 && x < (real)INFINITY ? result : x == 0 ? -(real)INFINITY : x < 0 ? (real)NAN : x;
}
'''

_LOG1P = '''
/* log(1 + x), with what the rounding of 1 + x took away put back. */
static inline real v_log1p(real x)
{
    const real u = 1 + x, lost = (x - (u - 1))/u;
    real n;
    const real f = mantissa(u, &n) - 1;
    const real result = n*LOG2_HIGH + artanh_2(f/(2 + f), n*LOG2_LOW + lost);
    return u > 0 && u < (real)INFINITY ? result : x == -1 ? -(real)INFINITY : x < -1 ? (real)NAN : x;
}
'''

_HALF_EXP = '''
/* exp(-|x|). */
static inline real v_half_exp(real x) { return v_exp(x < 0 ? x : -x); }
'''

_SOFTPLUS_BY = '''
/* log(1 + exp(x)) = max(x, 0) + log(1 + e), e = exp(-|x|), and log(1 + e) = 2 artanh(e/(2 + e)). */
static inline real v_softplus_by(real e, real x)
{
    const real s = e/(2 + e), w = s*s;
#ifdef SINGLE
    const real p = 0.6666666665f + w*(0.4000001077f + w*(0.2857030572f + w*(0.2226471121f + w*(0.1746470247f
        + w*0.2078761686f))));
#else
    const real p = 0.6666666666666665856 + w*(0.4000000000001458267 + w*(0.2857142856710875716
        + w*(0.2222222271742786299 + w*(0.1818178943613285817 + w*(0.153855700649586231 + w*(0.1331414420965493615
        + w*(0.1200107280959071254 + w*(0.08800738486144673882 + w*0.1616404561194353222))))))));
#endif
    return (x > 0 ? x : 0) + (2*s + s*w*p);
}
'''

_SIGMOID_BY = '''
/* 1/(1 + exp(-x)), exact to the last digits at both ends; e = exp(-|x|). */
static inline real v_sigmoid_by(real e, real x) { return (x < 0 ? e : 1)/(1 + e); }
'''

_SLOPE_BY = '''
/* The derivative of the sigmoid, exact to the last digits at both ends; e = exp(-|x|). */
static inline real v_slope_by(real e) { return e/((1 + e)*(1 + e)); }
'''

_SMALL = {
    "absolute": ("x < 0 ? -x : x", "real x"),
    "cubed": ("x*x*x", "real x"),
    "larger": ("a > b || a != a ? a : b", "real a, real b"),
    "smaller": ("a < b || a != a ? a : b", "real a, real b"),
    "root": ("OF_REAL(sqrt)(x)", "real x"),
    "sign": ("x != x ? x : (x > 0) - (x < 0)", "real x"),
    "squared": ("x*x", "real x"),
}

TEXTS = {
    **{name: f"static inline real {name}({arguments}) {{ return {value}; }}"
       for name, (value, arguments) in _SMALL.items()},
    "largest": "#pragma omp declare reduction(largest : real : omp_out = larger(omp_out, omp_in)) \\\n"
               "    initializer(omp_priv = -(real)INFINITY)",
    "bits": _BITS, "reduced": _REDUCED, "exp": _EXP, "expm1": _EXPM1, "tanh": _TANH, "artanh": _ARTANH, "log": _LOG,
    "log1p": _LOG1P, "half_exp": _HALF_EXP, "softplus_by": _SOFTPLUS_BY, "sigmoid_by": _SIGMOID_BY,
    "slope_by": _SLOPE_BY,
    "softplus": "static inline real v_softplus(real x) { return v_softplus_by(v_half_exp(x), x); }",
    "sigmoid": "static inline real v_sigmoid(real x) { return v_sigmoid_by(v_half_exp(x), x); }",
    "slope": "static inline real v_slope(real x) { return v_slope_by(v_half_exp(x)); }",
}
NEEDS = {
    "largest": ("larger",),
    "reduced": ("bits",), "exp": ("reduced",), "expm1": ("reduced",), "tanh": ("reduced",), "artanh": ("bits",),
    "log": ("artanh",), "log1p": ("artanh",), "half_exp": ("exp",), "sigmoid": ("half_exp", "sigmoid_by"),
    "slope": ("half_exp", "slope_by"), "softplus": ("half_exp", "softplus_by"),
}


def definitions(used) -> str:
    """Return the text of the functions used, those that they need before them."""
    needed, todo = set(), list(used)
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            todo += NEEDS.get(name, ())
    return "\n\n".join(TEXTS[name].strip() for name in TEXTS if name in needed)
