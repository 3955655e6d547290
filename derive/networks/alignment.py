"""Alignment of two sequences, summed over all alignments (Mensch and Blondel, 2018: differentiable programmes)."""

from sympy import Piecewise, Sum, exp, log

from derive import Network

net = Network("alignment", "Alignment of two sequences by a dynamic programme: its log likelihood")
I, J, N, D, E = net.sizes("I J N D E")
M = net.size("M", J + 1)
W, g = net.parameter("W", D, E, note="scores of pairs"), net.parameter("g", note="what a gap costs")
x, y = net.input("x", I, N, D, note="first sequences"), net.input("y", J, N, E, note="second sequences")
i, j, m, n, d, e = net.indices(i=I, j=J, m=M, n=N, d=D, e=E)

S = net.define("S", Sum(x[i, n, d] * W[d, e] * y[j, n, e], d, e), over=(i, j, n), note="scores of pairs")
V = net.state("V", I, M, N, initial=-g * m, note="value of the first i + 1 against the first m")
match, skip, insert = V[i - 1, m - 1, n] + S[i, m - 1, n], V[i - 1, m, n] - g, V[i, m - 1, n] - g
value = Piecewise((log(exp(match) + exp(skip) + exp(insert)), m >= 1), (-(i + 1) * g, True))
net.define(V, value, over=(i, m, n))
net.loss = -Sum(V[I - 1, J, n], n) / N
