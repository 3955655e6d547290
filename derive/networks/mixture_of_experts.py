"""A dense mixture of experts (Shazeer et al., Outrageously Large Neural Networks, 2017, equations 1 and 2)."""

from sympy import Sum

from derive import Network, mean, relu, softmax

net = Network("mixture_of_experts", "Mixture of experts with softmax gating")
N, D, E, H, K = net.sizes("N D E H K")
Wg = net.parameter("Wg", D, E, note="gates")
W1, b1 = net.parameter("W1", E, D, H, note="first layers"), net.parameter("b1", E, H, note="first layers")
W2, b2 = net.parameter("W2", E, H, K, note="second layers"), net.parameter("b2", E, K, note="second layers")
X, T = net.input("X", N, D, note="inputs"), net.input("T", N, K, note="targets")
n, e, d, h, k = net.indices(n=N, e=E, d=D, h=H, k=K)

L = net.define("L", X @ Wg, note="logits of the gates")
G = net.define("G", softmax(L), note="gates")
Z = net.define("Z", Sum(X[n, d] * W1[e, d, h], d) + b1[e, h], over=(e, n, h), note="pre-activation")
A = net.define("A", relu(Z), note="hidden units")
F = net.define("F", Sum(A[e, n, h] * W2[e, h, k], h) + b2[e, k], over=(e, n, k), note="what the experts say")
Y = net.define("Y", Sum(G[n, e] * F[e, n, k], e), over=(n, k), note="predictions")
net.output(Y, G)
net.loss = mean((Y - T) ** 2) / 2
