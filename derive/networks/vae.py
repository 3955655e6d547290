"""A variational autoencoder (Kingma and Welling, 2014, equation 10, with the networks of appendix C)."""

from sympy import exp, tanh

from derive import Network, binary_cross_entropy, total

net = Network("vae", "Variational autoencoder with Gaussian codes and Bernoulli pixels")
N, D, H, K = net.sizes("N D H K")
W1, b1 = net.parameter("W1", D, H, note="encoder"), net.parameter("b1", H, note="encoder")
W2, b2 = net.parameter("W2", H, K, note="encoder, means"), net.parameter("b2", K, note="encoder, means")
W3, b3 = net.parameter("W3", H, K, note="encoder, log variances"), net.parameter("b3", K, note="encoder, log variances")
W4, b4 = net.parameter("W4", K, H, note="decoder"), net.parameter("b4", H, note="decoder")
W5, b5 = net.parameter("W5", H, D, note="decoder"), net.parameter("b5", D, note="decoder")
X = net.input("X", N, D, note="pixels, in [0, 1]")
noise = net.input("noise", N, K, note="standard normal")

Q = net.define("Q", tanh(X @ W1 + b1), note="hidden units of the encoder")
mu = net.define("mu", Q @ W2 + b2, note="means of the codes")
v = net.define("v", Q @ W3 + b3, note="log variances of the codes")
sigma = net.define("sigma", exp(v / 2), note="standard deviations of the codes")
Z = net.define("Z", mu + sigma * noise, note="codes")
P = net.define("P", tanh(Z @ W4 + b4), note="hidden units of the decoder")
Y = net.define("Y", P @ W5 + b5, note="logits of the pixels")
error = net.define("error", total(binary_cross_entropy(Y, X)), note="reconstruction error")
KL = net.define("KL", total(mu**2 + sigma**2 - 1 - v) / 2, note="divergence from the standard normal")
net.output(mu, sigma, Y)
net.loss = (error + KL) / N
