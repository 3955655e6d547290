"""Mistakes that the labels of a few points hide by chance are seen at more."""

from itertools import pairwise

import numpy as np
from sympy import Sum

from codegen.doctor import diagnose
from codegen.doctor.elsewhere import wrong_elsewhere
from codegen.doctor.evidence import Evidence
from codegen.doctor.patient import Patient
from derive import Network
from tests.coursework.editing import edited


def bigrams():
    net = Network("bigrams", "Scores of pairs of neighbours")
    T, K = net.sizes("T K")
    A, y = net.parameter("A", K, K), net.labels("y", T + 1, classes=K)
    (t,) = net.indices(t=T)
    net.loss = Sum(A[y[t], y[t + 1]] ** 2, t)
    return net


def pairs(A, y):
    dA = np.zeros_like(A)
    for before, after in pairwise(y):
        dA[before, after] += 2 * A[before, after]
    return np.sum(A[y[:-1], y[1:]] ** 2), dA


def test_labels_of_more_points_show_what_is_wrong():
    net = bigrams()
    swapped = edited(pairs, ("dA[before, after] +=", "dA[after, before] +="))
    program = net.backward()
    nothing = Evidence(program, [])
    assert wrong_elsewhere(Patient(program, swapped), nothing) and not wrong_elsewhere(Patient(program, pairs), nothing)
    assert diagnose(net, pairs).right and diagnose(net, swapped).verdict == "wrong"


def test_a_mistake_that_needs_many_labels_is_seen():
    rare = edited(pairs, ("    return", "    if len(set(y[:4])) == 4:\n        dA[y[0]] = 0\n    return"))
    assert diagnose(bigrams(), rare).verdict == "wrong"
