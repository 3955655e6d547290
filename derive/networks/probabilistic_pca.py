"""Probabilistic principal components: a Gaussian whose covariance is of low rank plus noise, fitted to one of samples.

Tipping and Bishop, Probabilistic principal component analysis, J. R. Statist. Soc. B 61 (1999), equation 4, divided by
the number of samples, without the constant. Written in matrix algebra, as SymPy has it.
"""

from sympy import Determinant, Identity, Inverse, MatrixSymbol, Trace, exp, log

from derive import Network

net = Network("probabilistic_pca", "Probabilistic principal component analysis")
D, K = net.sizes("D K")
W, t = net.parameter(MatrixSymbol("W", D, K), note="loadings"), net.parameter("t", note="log of the noise's variance")
S = net.input(MatrixSymbol("S", D, D), note="covariance of the samples")
net.assume_symmetric(S)

C = net.define("C", W * W.T + exp(t) * Identity(D), note="covariance of the model")
net.positive_definite(C)
net.loss = (log(Determinant(C)) + Trace(Inverse(C) * S)) / 2
