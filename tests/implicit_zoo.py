"""Small networks with implicit equations in them: linear ones of every layout, and some that are not linear."""

from sympy import Eq, KroneckerDelta, Sum, exp, tanh

from derive import Network, det, diagonal, eye, inverse, logdet, mean, total
from derive import solve as solve_for


def solve():
    net = Network("solve", "A Y = B")
    N, M = net.sizes("N M")
    A, B, T = net.parameter("A", N, N), net.parameter("B", N, M), net.input("T", N, M)
    Y = net.unknown("Y", N, M)
    net.implicitly(Y, Eq(A @ Y, B))
    net.loss = total((Y - T) ** 2) / 2
    return net


def solve_from_the_right():
    net = Network("solve_from_the_right", "Y A = B, in index notation")
    N, M = net.sizes("N M")
    A, B, T = net.parameter("A", M, M), net.parameter("B", N, M), net.input("T", N, M)
    i, j, k = net.indices(i=N, j=M, k=M)
    Y = net.unknown("Y", N, M)
    net.implicitly(Y, Eq(Sum(Y[i, k] * A[k, j], k), B[i, j]), over=(i, j))
    net.loss = total(Y**2 * T)
    return net


def solve_a_vector():
    net = Network("solve_a_vector", "A y = b")
    (N,) = net.sizes("N")
    A, b, t = net.parameter("A", N, N), net.parameter("b", N), net.input("t", N)
    y = net.unknown("y", N)
    net.implicitly(y, Eq(A @ y, b))
    net.loss = total((y - t) ** 2)
    return net


def inverted():
    net = Network("inverted", "The inverse itself")
    (N,) = net.sizes("N")
    A, T = net.parameter("A", N, N), net.input("T", N, N)
    i, j, k = net.indices(i=N, j=N, k=N)
    Y = net.unknown("Y", N, N)
    net.implicitly(Y, Eq(Sum(A[i, k] * Y[k, j], k), KroneckerDelta(i, j)), over=(i, j))
    net.loss = total(Y**2 * T)
    return net


def stacked():
    net = Network("stacked", "A system an example, with its own matrix")
    N, D = net.sizes("N D")
    A, b, t = net.parameter("A", D, D), net.input("b", N, D), net.input("t", N, D)
    s = net.parameter("s", N)
    n, i, k = net.indices(n=N, i=D, k=D)
    y = net.unknown("y", N, D)
    net.implicitly(y, Eq(s[n] * Sum(A[i, k] * y[n, k], k) + y[n, i], b[n, i]), over=(n, i))
    net.loss = mean((y - t) ** 2)
    return net


def sylvester():
    net = Network("sylvester", "A Y + Y B = C")
    N, M = net.sizes("N M")
    A, B, C = net.parameter("A", N, N), net.parameter("B", M, M), net.parameter("C", N, M)
    T = net.input("T", N, M)
    Y = net.unknown("Y", N, M)
    net.implicitly(Y, Eq(A @ Y + Y @ B, C))
    net.loss = total((Y - T) ** 2) / 2
    return net


def apart():
    net = Network("apart", "One equation an entry, linear: a quotient")
    (N,) = net.sizes("N")
    a, b = net.parameter("a", N), net.parameter("b", N)
    y = net.unknown("y", N)
    net.implicitly(y, Eq((1 + a**2) * y, b))
    net.loss = total(y**2) / 2
    return net


def equilibrium():
    net = Network("equilibrium", "A fixed point of a tanh layer")
    N, H, D = net.sizes("N H D")
    W, U, b = net.parameter("W", H, H), net.parameter("U", D, H), net.parameter("b", H)
    X, T = net.input("X", N, D), net.input("T", N, H)
    Y = net.unknown("Y", N, H)
    net.implicitly(Y, Eq(Y, tanh((Y @ W) / (4 * H) + X @ U + b)))
    net.loss = mean((Y - T) ** 2) / 2
    return net


def cube_root():
    net = Network("cube_root", "y + y^3 = x and exp(z) = 2 + x^2, each entry by itself")
    (N,) = net.sizes("N")
    x = net.parameter("x", N)
    y, z = net.unknown("y", N), net.unknown("z", N)
    net.implicitly(y, Eq(y + y**3, x))
    net.implicitly(z, Eq(exp(z), 2 + x**2), start=1)
    net.loss = total(y * z)
    return net


def scalar():
    net = Network("scalar", "One unknown number")
    x = net.parameter("x")
    y = net.unknown("y")
    net.implicitly(y, Eq(y * exp(y), 1 + x**2), start=1)        # Lambert's W
    net.loss = y**2
    return net


def gaussian():
    net = Network("gaussian", "The negative log-likelihood of a Gaussian")
    N, D = net.sizes("N D")
    A, s, y = net.parameter("A", N, D), net.parameter("s"), net.input("y", N)
    K = net.positive_definite(net.define("K", A @ A.T + (1 + s**2) * eye(N)))
    alpha = net.define("alpha", solve_for(K, y))
    net.loss = (y @ alpha + logdet(K)) / 2
    return net


def written_inline():
    net = Network("written_inline", "Inverses, solutions and determinants inside one expression")
    (N,) = net.sizes("N")
    A = net.parameter("A", N, N)
    net.loss = det(A) + logdet(A @ A) + total(diagonal(inverse(A + eye(N)))) + total(solve_for(A.T, A))
    return net


DETERMINANTS = [gaussian, written_inline]
LINEAR = [solve, solve_from_the_right, solve_a_vector, inverted, stacked, sylvester, apart]
NONLINEAR = [equilibrium, cube_root, scalar]
ALL = [*LINEAR, *DETERMINANTS, *NONLINEAR]
