"""A classifier after LeNet-5 (LeCun et al., Gradient-Based Learning, 1998, section II.B), with relu and max-pooling."""

from sympy import Sum

from derive import FirstMaximum, Network, cross_entropy, mean, relu

net = Network("lenet", "Two convolutions with pooling, one dense layer, softmax cross-entropy")
N, C, U, V, F, G, K, D = net.sizes("N C U V F G K D")
U1, V1 = net.size("U1", U - K + 1), net.size("V1", V - K + 1)
A1, B1 = net.size("A1", U1 // 2), net.size("B1", V1 // 2)
U2, V2 = net.size("U2", A1 - K + 1), net.size("V2", B1 - K + 1)
A2, B2 = net.size("A2", U2 // 2), net.size("B2", V2 // 2)
w1, b1 = net.parameter("w1", F, C, K, K, note="first kernels"), net.parameter("b1", F)
w2, b2 = net.parameter("w2", G, F, K, K, note="second kernels"), net.parameter("b2", G)
W3, b3 = net.parameter("W3", G, A2, B2, D, note="dense layer"), net.parameter("b3", D)
x, y = net.input("x", N, C, U, V, note="images"), net.labels("y", N, classes=D, note="labels")
n, c, f, g, d, p, q = net.indices(n=N, c=C, f=F, g=G, d=D, p=K, q=K)
u, v, i, k, r, s = net.indices(u=U1, v=V1, i=A1, k=B1, r=2, s=2)
m, o, a, e = net.indices(m=U2, o=V2, a=A2, e=B2)

h1 = net.define("h1", relu(Sum(w1[f, c, p, q] * x[n, c, u + p, v + q], c, p, q) + b1[f]), over=(n, f, u, v))
m1 = net.define("m1", FirstMaximum(h1[n, f, 2 * i + r, 2 * k + s], r, s), over=(n, f, i, k), note="pooled")
h2 = net.define("h2", relu(Sum(w2[g, f, p, q] * m1[n, f, m + p, o + q], f, p, q) + b2[g]), over=(n, g, m, o))
m2 = net.define("m2", FirstMaximum(h2[n, g, 2 * a + r, 2 * e + s], r, s), over=(n, g, a, e), note="pooled")
z = net.define("z", Sum(m2[n, g, a, e] * W3[g, a, e, d], g, a, e) + b3[d], over=(n, d), note="logits")
net.output(z)
net.loss = mean(cross_entropy(z, y))
