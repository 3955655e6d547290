"""An autoencoder without a nonlinearity, tied weights: it learns the principal subspace of the data.

Written in matrix algebra, as SymPy has it.
"""

from sympy import MatrixSymbol, Trace

from derive import Network

net = Network("linear_autoencoder", "Linear autoencoder with tied weights, half the mean squared residual")
N, D, K = net.sizes("N D K")
W = net.parameter(MatrixSymbol("W", D, K))
X = net.input(MatrixSymbol("X", N, D))

H = net.define("H", X * W)
R = net.define("R", H * W.T - X)
net.loss = Trace(R.T * R) / (2 * N)
