"""An encoder and a decoder (Sutskever, Vinyals and Le, 2014, equation 1), Elman units."""

from sympy import Sum, tanh

from derive import Network, cross_entropy, mean

net = Network("sequence_to_sequence", "Encoder and decoder, the decoder told the word before")
S, T, N, D, K, M, C = net.sizes("S T N D K M C")
E, F = net.parameter("E", M, D, note="embeddings of the source"), net.parameter("F", C, D, note="of the target")
W, U, b = net.parameter("W", D, K, note="encoder"), net.parameter("U", K, K), net.parameter("b", K)
P, Q, q = net.parameter("P", D, K, note="decoder"), net.parameter("Q", K, K), net.parameter("q", K)
V, c = net.parameter("V", K, C, note="output"), net.parameter("c", C, note="output")
w = net.labels("w", S, N, classes=M, note="words of the source")
u, y = net.labels("u", T, N, classes=C, note="words before"), net.labels("y", T, N, classes=C, note="words to say")
s, t, n, d, k, j = net.indices(s=S, t=T, n=N, d=D, k=K, j=K)

h = net.state("h", S, N, K, initial=0, note="state of the encoder")
a = Sum(E[w[s, n], d] * W[d, k], d) + Sum(h[s - 1, n, j] * U[j, k], j) + b[k]
net.define(h, tanh(a), over=(s, n, k))
g = net.state("g", T, N, K, initial=h[S - 1, n, k], note="state of the decoder")
a = Sum(F[u[t, n], d] * P[d, k], d) + Sum(g[t - 1, n, j] * Q[j, k], j) + q[k]
net.define(g, tanh(a), over=(t, n, k))
z = net.define("z", g @ V + c, note="logits")
net.output(z)
net.loss = mean(cross_entropy(z, y))
