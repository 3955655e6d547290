"""Hard maxima for soft ones, code for positive parameters, symmetric matrices: told for what they are."""

import numpy as np
from sympy import Piecewise, Sum, sqrt

from codegen.doctor import diagnose
from codegen.doctor.forward_mutants import mutants
from codegen.doctor.trials import points
from derive import LogSumExp, Network
from tests.coursework.editing import edited


def planning():
    net = Network("planning", "Soft values of states, some steps ahead")
    T, S, A = net.sizes("T S A")
    r, P, x = net.parameter("r", S), net.input("P", S, S, A), net.input("x", T, S)
    t, s, k, a = net.indices(t=T, s=S, k=S, a=A)
    V = net.state("V", T, S)
    ahead = net.define("ahead", Sum(P[s, k, a] * V[t - 1, k], k), over=(t, s, a))
    net.define(V, r[s] * x[t, s] + LogSumExp(ahead[t, s, a], a), over=(t, s))
    net.loss = Sum(V[T - 1, s], s)
    return net


def planned(r, P, x):
    V, policies = np.zeros(len(r)), []
    for now in x:
        ahead = np.einsum("ska,k->sa", P, V)
        top = ahead.max(axis=1)
        e = np.exp(ahead - top[:, None])
        V = r * now + top + np.log(e.sum(axis=1))
        policies.append(e / e.sum(axis=1, keepdims=True))
    dV, dr = np.ones(len(r)), np.zeros(len(r))
    for now, policy in zip(x[::-1], policies[::-1], strict=True):
        dr += dV * now
        dV = sum(P[:, :, a].T.dot(policy[:, a] * dV) for a in range(P.shape[2]))
    return np.sum(V), {"r": dr}


def test_a_hard_maximum_for_a_soft_one_is_another_network():
    assert diagnose(planning(), planned).right
    found = str(diagnose(planning(), edited(planned, ("top + np.log(e.sum(axis=1))", "top"))))
    assert "in which a hard maximum stands where a soft one should (in the equation of V)" in found


def test_what_goes_the_wrong_way_through_a_product_and_a_factor():
    wrong = edited(planned, ("P[:, :, a].T.dot(policy[:, a] * dV)", "policy[:, a] * P[:, :, a].dot(dV)"))
    found = str(diagnose(planning(), wrong))
    assert "`policy[:, a] * P[:, :, a].dot(dV)` should be `P[:, :, a].T @ (policy[:, a] * dV)`" in found


def atoms(note=""):
    net = Network("atoms", "Pairs of atoms with mixed depths and lengths")
    N, D = net.sizes("N D")
    x, sigma, eps = net.parameter("x", N, D), net.parameter("sigma", N), net.parameter("eps", N, note=note)
    i, j, d = net.indices(i=N, j=N, d=D)
    r2 = net.define("r2", Sum((x[i, d] - x[j, d]) ** 2, d), over=(i, j))
    s6 = ((sigma[i] + sigma[j]) / 2) ** 6 / r2[i, j] ** 3
    net.loss = Sum(Piecewise((4 * sqrt(eps[i] * eps[j]) * (s6**2 - s6), i < j), (0, True)), i, j)
    return net


def in_pairs(x, sigma, eps):
    i, j = np.triu_indices(len(x), 1)
    apart = x[i] - x[j]
    r2, s = np.sum(apart**2, axis=1), (sigma[i] + sigma[j]) / 2
    e = 4 * np.sqrt(eps[i]) * np.sqrt(eps[j])
    s6 = s**6 / r2**3
    V = e * (s6**2 - s6)
    slope = e * (6 * s6 - 12 * s6**2)
    dx, ds, de = np.zeros_like(x), np.zeros_like(sigma), np.zeros_like(eps)
    pull = (slope / r2)[:, None] * apart
    half = -slope / s / 2
    for array, of_i, of_j in ((dx, pull, -pull), (ds, half, half), (de, V, V)):
        np.add.at(array, i, of_i)
        np.add.at(array, j, of_j)
    return np.sum(V), {"x": dx, "sigma": ds, "eps": de / (2 * eps)}


def test_a_parameter_that_is_positive_by_its_note_is_drawn_so():
    net = atoms("positive")
    assert all(np.all(p.arguments["eps"] > 0) for p in points(net.backward()))
    found = diagnose(net, in_pairs)
    assert found.right and "judged on" not in str(found)


def test_code_for_positive_parameters_is_judged_on_these():
    found = str(diagnose(atoms(), in_pairs))
    assert "right where parameters are positive" in found
    wrong = diagnose(atoms(), edited(in_pairs, ("-slope / s / 2", "-slope / s")), seconds=10)
    assert wrong.verdict == "wrong" and "a factor 2 too many" in str(wrong) and "copy" not in str(wrong)


def test_high_powers_are_not_multiplied_out():
    longest = max(e.rhs.count_ops() for m in mutants(atoms().program()) for e in m.equations)
    assert longest < 500


def symmetric():
    net = Network("symmetric", "Lengths of samples under a symmetric matrix of three numbers")
    N = net.size("N")
    p, data = net.parameter("p", 3), net.input("data", N, 3)
    k, = net.indices(k=N)
    x, y, z = data[k, 0], data[k, 1], data[k, 2]
    A = net.define("A", x + p[0] * y + p[1] * z, over=k)
    B = net.define("B", p[0] * x + y + p[2] * z, over=k)
    C = net.define("C", p[1] * x + p[2] * y + z, over=k)
    net.loss = Sum(sqrt(1 + A[k] ** 2 + B[k] ** 2 + C[k] ** 2), k)
    return net


def folded(p, data):
    M = np.eye(3)
    M[0, 1] = M[1, 0] = p[0]
    M[0, 2] = M[2, 0] = p[1]
    M[1, 2] = M[2, 1] = p[2]
    Y = data @ M
    length = np.sqrt(1 + np.sum(Y**2, axis=1))
    dM = data.T @ (Y / length[:, None])
    full = dM + dM.T
    dp = np.array([full[0, 1], full[0, 2], full[1, 2]])
    return np.sum(length), {"p": dp}


def test_a_symmetric_matrix_of_which_one_half_counts():
    assert diagnose(symmetric(), folded).right
    wrong = edited(folded, ("    full = dM + dM.T\n", ""), ("[full[0, 1], full[0, 2], full[1, 2]]",
                                                         "[dM[0, 1], dM[0, 2], dM[1, 2]]"))
    found = str(diagnose(symmetric(), wrong))
    assert "`dM` should be `(dM + dM.T)`, in line 9; so edited, dp is right" in found
