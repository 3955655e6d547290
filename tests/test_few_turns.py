"""Two mistakes in one recurrence are told one by one: where it takes one turn, or two, one of them shows alone."""

import numpy as np
import pytest
from sympy import Sum

from codegen.doctor import diagnose, few_turns
from codegen.doctor.evidence import Evidence, Seen
from codegen.doctor.patient import Patient
from codegen.doctor.search import Search
from codegen.doctor.subjects import subject
from codegen.doctor.telling import finding
from derive import Network, sigmoid
from tests.coursework.editing import edited


def gated():
    net = Network("gated", "A gated recurrence, half the squared error of the last state")
    T, N, D, H = net.sizes("T N D H")
    U, V, b, C = net.parameter("U", D, H), net.parameter("V", H, H), net.parameter("b", H), net.parameter("C", D, H)
    X, Y, h0 = net.input("X", T, N, D), net.input("Y", N, H), net.input("h0", N, H)
    t, n, d, k, j = net.indices(t=T, n=N, d=D, k=H, j=H)
    h = net.state("h", T, N, H, initial=h0)
    z = net.define("z", sigmoid(Sum(X[t, n, d] * U[d, k], d) + Sum(h[t - 1, n, j] * V[j, k], j) + b[k]), over=(t, n, k))
    net.define(h, z[t, n, k] * h[t - 1, n, k] + (1 - z[t, n, k]) * Sum(X[t, n, d] * C[d, k], d), over=(t, n, k))
    net.loss = Sum((h[T - 1, n, k] - Y[n, k]) ** 2, n, k) / 2
    return net


def by_hand(U, V, b, C, X, Y, h0):
    h, z = [h0], []
    for x in X:
        z.append(1 / (1 + np.exp(-x @ U - h[-1] @ V - b)))
        h.append(z[-1] * h[-1] + (1 - z[-1]) * (x @ C))
    loss = ((h[-1] - Y) ** 2).sum() / 2
    dU, dV, db, dC, dh = np.zeros_like(U), np.zeros_like(V), np.zeros_like(b), np.zeros_like(C), h[-1] - Y
    for t in reversed(range(len(X))):
        dz = dh * (h[t] - X[t] @ C) * z[t] * (1 - z[t])
        dU += X[t].T @ dz
        dV += h[t].T @ dz
        db += dz.sum(axis=0)
        dC += X[t].T @ (dh * (1 - z[t]))
        dh = dh * z[t] + dz @ V.T
    return loss, {"U": dU, "V": dV, "b": db, "C": dC}


SLIPS = [("X[t] @ C) * z[t] * (1 - z[t])", "X[t] @ C)"), ("dh * z[t] + dz @ V.T", "dh * (1 - z[t]) + dz @ V.T")]
TOLD = ["dpre_z: the derivative is taken to be 1", "dh: the derivative is taken to be 1 - z[t + 1, n, k]"]


def test_right_code_is_right():
    assert diagnose(gated(), by_hand, seconds=2.0).right


def test_two_mistakes_of_a_recurrence_are_found_where_it_takes_few_turns():
    """A second for each search is twice what they need."""
    known = subject(gated())
    patient = Patient(known.program, edited(by_hand, *SLIPS))
    search = Search(known.hypotheses, Evidence(known.program, [Seen(p, patient.answer(p)) for p in known.points]), 60.0)
    found = few_turns.mistakes(patient, search, lambda: 1.0)
    told = [str(finding(hit, seen, known.hypotheses.mutator.wording)) for hit, seen in found]
    assert [words[:len(start)] for words, start in zip(told, TOLD, strict=True)] == TOLD


@pytest.mark.slow
def test_two_mistakes_of_a_recurrence_are_told_one_by_one():
    found = diagnose(gated(), edited(by_hand, *SLIPS))
    assert [str(f)[:len(start)] for f, start in zip(found.findings, TOLD, strict=True)] == TOLD


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new", "told"), [
    ("dh * z[t] + dz @ V.T", "(dh + dz @ V.T) * z[t]", "is multiplied by z[t + 1, n, k], a factor of"),
    ("z[t] * (1 - z[t])", "z[-1] * (1 - z[-1])", "z is that of the last step, z[T - 1, n, k] for z[t, n, k]"),
    ("z[t] * (1 - z[t])", "1 / (1 + np.exp(-z[t])) * (1 - 1 / (1 + np.exp(-z[t])))", "sigmoid'(z)"),
], ids=["brackets", "the last step's", "at its value"])
def test_slips_of_a_recurrence_are_told_in_formulas(old, new, told):
    found = diagnose(gated(), edited(by_hand, (old, new)))
    assert len(found.findings) == 1 and told in str(found), str(found)


def parts_joined(U, V, b, C, X, Y, h0):
    """The same by rows of one matrix, of the inputs and of the state."""
    D, W = len(U), np.concatenate([U, V])
    h, z = [h0], []
    for x in X:
        z.append(1 / (1 + np.exp(-np.concatenate([x, h[-1]], axis=1) @ W - b)))
        h.append(z[-1] * h[-1] + (1 - z[-1]) * (x @ C))
    dW, db, dC, dh = np.zeros_like(W), np.zeros_like(b), np.zeros_like(C), h[-1] - Y
    for t in reversed(range(len(X))):
        dz = dh * (h[t] - X[t] @ C) * z[t] * (1 - z[t])
        dW += np.concatenate([X[t], h[t]], axis=1).T @ dz
        db += dz.sum(axis=0)
        dC += X[t].T @ (dh * (1 - z[t]))
        dx = dz @ W.T
        dh = dh * z[t] + dx[:, D:]
    return {"U": dW[:D], "V": dW[D:], "b": db, "C": dC}


@pytest.mark.slow
def test_two_lines_of_a_loop_are_told_one_by_one():
    network = gated()
    assert diagnose(network, parts_joined).right
    wrong = edited(parts_joined, ("dx[:, D:]", "dx[:, :len(C[0])]"), ("dh = dh * z[t] +", "dh = dh * (1 - z[t]) +"))
    found = diagnose(network, wrong)
    assert len(found.findings) == 2 and "`1 - z[t]` should be `z[t]`" in str(found), str(found)
    assert "dx[:, D:]" in str(found) or "`W` should be `V`" in str(found), str(found)
