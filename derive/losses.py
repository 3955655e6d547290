"""Losses beside cross-entropy, one value an entry or an example: take their `mean` or `total`."""

from sympy import Abs, Piecewise, exp, log, sqrt

from .arrays import cross_entropy, log_softmax, mean, total
from .conversion import symbolic
from .functions import relu, softplus


def squared_error(prediction, target):
    """(p - t)^2."""
    return (symbolic(prediction) - target) ** 2


def absolute_error(prediction, target):
    """|p - t|, its derivative at 0 being 0."""
    return Abs(symbolic(prediction) - target)


def huber(prediction, target, delta=1):
    """(p - t)^2/2 where |p - t| <= delta, delta*(|p - t| - delta/2) beyond (Huber, 1964)."""
    error = symbolic(prediction) - target
    delta = symbolic(delta)
    return Piecewise((error**2 / 2, Abs(error) <= delta), (delta * (Abs(error) - delta / 2), True))


def smooth_l1(prediction, target, beta=1):
    """Huber's loss divided by its delta."""
    return huber(prediction, target, beta) / beta


def hinge(score, sign):
    """max(0, 1 - s t) for signs t = 1 or -1."""
    return relu(1 - symbolic(score) * sign)


def soft_margin(score, sign):
    """log(1 + exp(-s t)) for signs t = 1 or -1."""
    return softplus(-symbolic(score) * sign)


def gaussian_nll(mean_, variance, target):
    """(log v + (t - m)^2/v)/2, a normal distribution's negative log-likelihood without its constant."""
    return (log(symbolic(variance)) + (symbolic(target) - mean_) ** 2 / variance) / 2


def poisson_nll(log_rate, count):
    """exp(r) - t r, a Poisson distribution's negative log-likelihood without its constant."""
    return exp(symbolic(log_rate)) - symbolic(count) * log_rate


def kl_divergence(log_probabilities, target):
    """t (log t - log p), for positive targets."""
    return symbolic(target) * (log(symbolic(target)) - log_probabilities)


def margin_ranking(first, second, sign, margin=0):
    """max(0, -t (a - b) + margin): a should be larger where t = 1, smaller where t = -1."""
    return relu(-symbolic(sign) * (symbolic(first) - second) + margin)


def triplet(anchor, positive, negative, margin=1, epsilon=0):
    """max(0, |a - p| - |a - n| + margin), distances along the last axis (Schroff et al., 2015)."""
    near, far = (sqrt(total((symbolic(anchor) - other + epsilon) ** 2, axis=-1)) for other in (positive, negative))
    return relu(near - far + margin)


def cosine_similarity(a, b):
    """<a, b>/(|a| |b|) along the last axis."""
    return total(symbolic(a) * b, axis=-1) / sqrt(total(symbolic(a) ** 2, axis=-1) * total(symbolic(b) ** 2, axis=-1))


def cosine_embedding(a, b, sign, margin=0):
    """1 - cos where t = 1, max(0, cos - margin) where t = -1."""
    cosine = cosine_similarity(a, b)
    return (1 + symbolic(sign)) / 2 * (1 - cosine) + (1 - symbolic(sign)) / 2 * relu(cosine - margin)


def smoothed_cross_entropy(logits, labels, smoothing):
    """Cross-entropy whose targets keep 1 - smoothing at the label and share the rest equally among all classes."""
    uniform = -mean(log_softmax(logits), axis=-1)
    return (1 - smoothing) * cross_entropy(logits, labels) + smoothing * uniform
