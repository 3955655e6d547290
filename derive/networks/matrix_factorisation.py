"""Ratings by a matrix of low rank with biases (Koren, Bell, Volinsky: Matrix Factorization Techniques, 2009, eq. 5)."""

from sympy import Sum

from derive import Network, total

net = Network("matrix_factorisation", "Matrix factorisation with biases: penalised squared error of known ratings")
N, U, I, K = net.sizes("N U I K")
P, b = net.parameter("P", U, K, note="users"), net.parameter("b", U, note="biases of users")
Q, c = net.parameter("Q", I, K, note="items"), net.parameter("c", I, note="biases of items")
mu = net.parameter("mu", note="mean rating")
who, what = net.labels("who", N, classes=U, note="users who rate"), net.labels("what", N, classes=I, note="items")
r, penalty = net.input("r", N, note="ratings"), net.input("penalty")
n, k = net.indices(n=N, k=K)

e = net.define("e", r[n] - mu - b[who[n]] - c[what[n]] - Sum(P[who[n], k] * Q[what[n], k], k), over=n, note="errors")
net.loss = total(e**2) + penalty * (total(P**2) + total(Q**2) + total(b**2) + total(c**2))
