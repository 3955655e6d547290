"""Attacks on the checker: functions and gradients made to fool it. It must be right, or say nothing."""

import functools
import inspect
import warnings

import numpy as np
import pytest

from codegen import check_gradient
from codegen.checking import NOTHING, RIGHT, WRONG

W = np.random.default_rng(0).normal(size=5)
W0 = W[0]
MANY = np.random.default_rng(1).normal(size=3000)
REFUSED = "refused"


def f(w):
    return np.exp(w**2 / 10).sum()


def g(w):
    w = np.asarray(w, float)
    return 2 * w * np.exp(w**2 / 10) / 10


def wrong(gradient, place=1):
    gradient = np.array(gradient)
    gradient[place] *= -1
    return gradient


G, BAD = g(W), wrong(g(W))


def counted(answer):
    """Return a function of w that is told how many times it was called before."""
    calls = [0]

    def of(w):
        calls[0] += 1
        return answer(w, calls[0] - 1)
    return of


def in_a_buffer(answer, buffer):
    def of(w):
        buffer[...] = answer(w)
        return buffer
    return of


def by_identity(answer):
    """Remember answers by the place of the argument in memory, which another argument may have later."""
    known = {}

    def of(w):
        return known.setdefault(id(w), answer(w)) if id(w) not in known else known[id(w)]
    return of


def by_value(answer):
    remembered = functools.lru_cache(None)(lambda entries: answer(np.array(entries)))
    return lambda w: remembered(tuple(w))


def noisy(size):
    random = np.random.default_rng(0)
    return lambda w: f(w) + size * random.normal()


def refusing(error, beside):
    """Refuse all points but those that `beside` allows."""
    def of(w):
        if not beside(w):
            raise error
        return f(w)
    return of


def spoils(w):
    w *= 2
    return f(w / 2)


def zeroes(w):
    w *= 0
    return np.zeros(5)


def cheats_complex_steps(w):
    return f(w.real) + 1j * (BAD * w.imag).sum() if np.iscomplexobj(w) else f(w)


def peeks_at_the_stack(w):
    """Return the right gradient only to those who check."""
    return g(w) if any("check" in frame.function for frame in inspect.stack()) else BAD


def dropout(w):
    return f(w * (np.random.default_rng(7).random(5) < 0.5))


KEPT = np.random.default_rng(7).random(5) < 0.5
SWAPPED = np.cos(MANY)
SWAPPED[[0, 1]] += [1, -1]
DRIFT = np.random.default_rng(2).normal(size=3000)


def sines(w):
    return np.sin(w).sum()


def warns(w):
    warnings.warn("of nothing", stacklevel=1)
    return f(w)


SAME = (RIGHT, NOTHING)             # what may be said of a right gradient
OTHER = (WRONG, NOTHING)            # and of a wrong one
ATTACKS = {                         # f, gradients, arguments, what may be said
    # chance
    "noise": (noisy(1e-3), G, W, (NOTHING,)),
    "noise, gradient wrong": (noisy(1e-9), BAD, W, OTHER),
    "noise in every third call": (counted(lambda w, k: f(w) * (1 + 1e-3 * (k % 3 == 2))), G, W, SAME),
    "noise that counts calls": (counted(lambda w, k: f(w) + 1e-6 * np.sin(1e3 * k)), G, W, SAME),
    "dropout with a seed": (dropout, g(W * KEPT) * KEPT, W, (RIGHT,)),
    "a gradient of chance": (f, counted(lambda w, k: g(w) * (1 + 1e-3 * np.cos(k))), W, (WRONG,)),
    # a state of its own
    "drift": (counted(lambda w, k: f(w) + 1e-7 * k), G, W, SAME),
    "drift, gradient wrong": (counted(lambda w, k: f(w) + 1e-7 * k), BAD, W, OTHER),
    "another function after 40 calls": (counted(lambda w, k: f(w) * (1 + (k > 40))), G, W, (NOTHING,)),
    "another function after 100 calls": (counted(lambda w, k: f(w) * (1 + (k > 100))), G, W, (NOTHING,)),
    "another function after 100 calls, gradient wrong": (
        counted(lambda w, k: f(w) * (1 + (k > 100))), BAD, W, OTHER),
    "answers by identity": (by_identity(f), G, W, (NOTHING,)),
    "answers by identity, gradient wrong": (by_identity(f), BAD, W, OTHER),
    "answers by value": (by_value(f), G, W, (RIGHT,)),
    "answers by value, gradient wrong": (by_value(f), BAD, W, (WRONG,)),
    "gradient right at first only": (f, counted(lambda w, k: BAD if k else G), W, (WRONG,)),
    "gradient wrong at first only": (f, counted(lambda w, k: G if k else BAD), W, (WRONG,)),
    "gradient right at this point only": (f, lambda w: g(w) if (w == W).all() else 0 * w, W, (RIGHT,)),
    "gradient for those who check": (f, peeks_at_the_stack, W, (RIGHT,)),
    # memory that is shared
    "f in a buffer": (in_a_buffer(f, np.zeros(())), G, W, (RIGHT,)),
    "f in a buffer, gradient wrong": (in_a_buffer(f, np.zeros(())), BAD, W, (WRONG,)),
    "gradient in a buffer": (f, in_a_buffer(g, np.zeros(5)), W, (RIGHT,)),
    "gradient is the argument": (lambda w: (w**2).sum() / 2, lambda w: w, W, (RIGHT,)),
    "f spoils its argument": (spoils, G, W, (RIGHT,)),
    "f spoils its argument, gradient wrong": (spoils, BAD, W, (WRONG,)),
    "gradient zeroes its argument": (f, zeroes, W, (WRONG,)),
    "a broadcast view": (lambda w: 3 * w.sum(), np.broadcast_to(3.0, 5), W, (RIGHT,)),
    "one array twice": (lambda a, b: (a * b).sum(), (W, W), (W, W), (RIGHT,)),
    "arguments that overlap": (lambda a, b: (a * b).sum(), (MANY[1:5], MANY[:4]), (MANY[:4], MANY[1:5]), (RIGHT,)),
    # forms
    "shape": (f, G[:4], W, (WRONG,)),
    "a column": (f, G[:, None], W, (WRONG,)),
    "none": (f, {"w": None}, W, (WRONG,)),
    "complex": (f, G + 0j, W, (WRONG,)),
    "booleans": (np.sum, np.ones(5, bool), W, (WRONG,)),
    "objects": (f, G.astype(object), W, (WRONG, RIGHT)),
    "text": (f, np.array(list("abcde")), W, (WRONG,)),
    "integers": (lambda w: 3 * w.sum(), np.full(5, 3), W, (RIGHT,)),
    "longdouble": (f, G.astype(np.longdouble), W, (RIGHT,)),
    "float16": (f, G.astype(np.float16), W, SAME),
    "float16, wrong": (f, BAD.astype(np.float16), W, (WRONG,)),
    "Fortran order": (
        lambda M: (M**2).sum(), np.asfortranarray(2 * W[:4].reshape(2, 2)), W[:4].reshape(2, 2), (RIGHT,)),
    "a mask over what is wrong": (f, np.ma.array(BAD, mask=[0, 1, 0, 0, 0]), W, (WRONG,)),
    "a generator": (f, lambda w: (x for x in [g(w)]), W, (RIGHT,)),
    "a stranger": (f, {"w": G, "v": 1.0}, W, (REFUSED,)),
    "two of one": (f, {"w": G, "dw": BAD}, W, (REFUSED,)),
    "nothing": (f, {}, W, (NOTHING,)),
    "arguments in float16": (lambda w: f(w.astype(float)), G, W.astype(np.float16), (NOTHING, WRONG)),
    "complex arguments": (lambda w: (np.abs(w) ** 2).sum(), 2 * W, W + 0j, OTHER),
    "no entries": (lambda w: w.sum(), np.zeros(0), np.zeros(0), (NOTHING,)),
    # values
    "no number": (lambda w: None, G, W, (REFUSED,)),
    "text for a loss": (lambda w: "1", G, W, (REFUSED,)),
    "a complex loss": (lambda w: f(w) + 0j, G, W, (REFUSED,)),
    "a truth": (lambda w: f(w) > 0, 0 * G, W, (REFUSED,)),
    "one number in an array": (lambda w: np.array([f(w)]), G, W, (RIGHT,)),
    "float16 loss": (lambda w: np.float16(f(w)), G, W, (NOTHING,)),
    "a loss in turns float32": (counted(lambda w, k: np.float32(f(w)) if k % 2 else f(w)), G, W, SAME),
    "integer loss": (lambda w: int(100 * f(w)), 0 * G, W, (NOTHING,)),
    "a rounded loss": (lambda w: round(f(w), 6), G, W, (NOTHING,)),
    "a staircase": (lambda w: np.floor(w * 1e7).sum() / 1e7, np.ones(5), W, (NOTHING,)),
    "constant": (lambda w: 1.0, 0 * G, W, (NOTHING,)),
    "constant, gradient wrong": (lambda w: 1.0, G, W, (WRONG,)),
    "it warns": (warns, G, W, (RIGHT,)),
    # points that are refused
    "refuses one side": (refusing(ZeroDivisionError(), lambda w: w[0] <= W0), G, W, SAME),
    "refuses one side, gradient wrong": (refusing(ZeroDivisionError(), lambda w: w[0] <= W0), BAD, W, OTHER),
    "refuses all around": (refusing(ValueError(), lambda w: w[0] == W0), wrong(G, 0), W, OTHER),
    "refuses by an error of types": (refusing(TypeError("no"), lambda w: (w == W).all()), G, W, (NOTHING,)),
    "not a number on one side": (lambda w: f(w) if w[0] <= W0 else np.nan, wrong(G, 0), W, OTHER),
    "not a number all around": (lambda w: f(w) if (w == W).all() else np.nan, G, W, (NOTHING,)),
    # no derivative, or one that hides
    "a jump at the point": (lambda w: f(w) + (w[0] > W0), G, W, (NOTHING,)),
    "a small jump at the point": (lambda w: f(w) + 1e-6 * (w[0] > W0), G, W, OTHER),
    "a jump nearby": (lambda w: f(w) + (w[0] > W0 + 1e-3), G, W, SAME),
    "an infinite slope": (lambda w: np.cbrt(w).sum(), np.zeros(2), np.zeros(2), OTHER),
    "waves": (lambda w: (np.sin(1e4 * w) / 1e4).sum(), np.cos(1e4 * W), W, SAME),
    "waves, gradient wrong": (lambda w: (np.sin(1e4 * w) / 1e4).sum(), -np.cos(1e4 * W), W, OTHER),
    "fast waves": (lambda w: (np.sin(1e8 * w) / 1e8).sum(), np.cos(1e8 * W), W, SAME),
    "fast waves, gradient wrong": (lambda w: (np.sin(1e8 * w) / 1e8).sum(), -np.cos(1e8 * W), W, OTHER),
    "fast waves left out": (lambda w: (np.sin(1e8 * w) / 1e8).sum() + f(w), G, W, OTHER),
    "x**2 sin(1/x) at 0": (lambda w: w + (w**2 * np.sin(1 / w) if w else 0.0), np.ones(()), np.zeros(()), SAME),
    "flat to all orders": (lambda w: np.exp(-1 / np.maximum(w**2, 1e-300)).sum(), np.zeros(1), np.zeros(1), (NOTHING,)),
    "Weierstrass": (lambda w: sum(0.5**k * np.cos(7**k * np.pi * w) for k in range(20)).sum(), np.ones(5), W, OTHER),
    "complex steps that lie": (cheats_complex_steps, BAD, W, (WRONG,)),
    "complex steps that lie of a right gradient": (cheats_complex_steps, G, W, (RIGHT,)),
    # right in some sum
    "right as a whole": (f, G[::-1], W, (WRONG,)),
    "cancels in the sum": (sines, SWAPPED, MANY, (WRONG,)),
    "changed where no sum changes": (sines, np.cos(MANY) + 1e-3 * (DRIFT - DRIFT.mean()), MANY, (WRONG,)),
    "one of 3,000": (sines, wrong(np.cos(MANY), 1234), MANY, (WRONG,)),
    "fast waves in 3,000 entries": (lambda w: sines(1e8 * w) / 1e8, np.cos(1e8 * MANY), MANY, SAME),
    "fast waves in 3,000 entries, gradient wrong": (lambda w: sines(1e8 * w) / 1e8, -np.cos(1e8 * MANY), MANY, OTHER),
    "3,000 kinks": (lambda w: np.maximum(w, 0).sum(), 0 * MANY, 0 * MANY, SAME),
    "3,000 kinks, gradient wrong": (lambda w: np.maximum(w, 0).sum(), 2 + 0 * MANY, 0 * MANY, OTHER),
    "3,000 entries at 1e8": (sines, np.cos(1e8 * MANY), 1e8 * MANY, SAME),
    "3,000 entries at 1e-12": (lambda w: sines(1e12 * w), 1e12 * np.cos(MANY), 1e-12 * MANY, SAME),
    "a jump in one of 3,000": (lambda w: sines(w) + (w[7] > MANY[7]), np.cos(MANY), MANY, SAME),
    "a jump in one of 3,000, gradient wrong": (
        lambda w: sines(w) + (w[7] > MANY[7]), wrong(np.cos(MANY), 9), MANY, OTHER),
    # scales
    "a loss below all floats": (lambda w: 1e-320 * f(w), 1e-320 * G, W, (NOTHING,)),
    "w at 1e8": (sines, np.cos(1e8 * W), 1e8 * W, SAME),
    "w at 1e15": (lambda w: sines(w / 1e15), np.cos(W) / 1e15, 1e15 * W, SAME),
    "w at 1e15, gradient wrong": (lambda w: sines(w / 1e15), -np.cos(W) / 1e15, 1e15 * W, OTHER),
    "w at 1e-12": (lambda w: sines(w * 1e12), 1e12 * np.cos(W), 1e-12 * W, SAME),
    "w at 1e-12, gradient wrong": (lambda w: sines(w * 1e12), -1e12 * np.cos(W), 1e-12 * W, OTHER),
}
for unit in (1e-300, 1e-150, 1e150, 1e300):
    ATTACKS[f"in units of {unit}"] = (lambda w, unit=unit: unit * f(w), unit * G, W, (RIGHT,))
    ATTACKS[f"in units of {unit}, gradient wrong"] = (lambda w, unit=unit: unit * f(w), unit * BAD, W, (WRONG,))


@pytest.mark.parametrize(("function", "gradients", "args", "may_be_said"), ATTACKS.values(), ids=ATTACKS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_attack_succeeds(function, gradients, args, may_be_said):
    args = args if isinstance(args, tuple) else (args,)
    try:
        report = check_gradient(function, gradients, args, names=["w", "v"][:len(args)])
    except ValueError:
        assert may_be_said == (REFUSED,)
        return
    assert report.verdict in may_be_said, report
    assert report.passed == (report.verdict == RIGHT)


def test_a_state_is_told():
    report = check_gradient(counted(lambda w, k: f(w) * (1 + (k > 100))), G, W)
    assert "keeps a state of its own" in str(report)


@pytest.mark.parametrize("error", [1e-1, 1e-3, 1e-5, 1e-7, 1e-9])
@pytest.mark.parametrize("seed", range(5))
def test_small_errors_are_not_excused(seed, error):
    """No second look at closer steps may turn what is wrong into what says nothing."""
    random = np.random.default_rng(seed)
    A, w = random.normal(size=(40, 5)), random.normal(size=5)

    def loss(w):
        return np.logaddexp(0, A @ w).sum()

    right = A.T @ (1 / (1 + np.exp(-A @ w)))
    assert check_gradient(loss, right, w).verdict == RIGHT
    off = right.copy()
    off[seed] *= 1 + error
    assert check_gradient(loss, off, w).verdict == WRONG
