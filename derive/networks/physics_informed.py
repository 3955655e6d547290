"""A physics-informed network for u'' + u = f with values at the ends (Raissi, Perdikaris and Karniadakis, 2019)."""

from sympy import Sum, tanh

from derive import Network, derivative, mean

net = Network("physics_informed", "Physics-informed network for u'' + u = f on an interval")
N, M, K = net.sizes("N M K")
w, b, v = net.parameter("w", K), net.parameter("b", K), net.parameter("v", K)
x, f = net.input("x", N, note="points inside"), net.input("f", N, note="right-hand sides")
z, g = net.input("z", M, note="points on the boundary"), net.input("g", M, note="values there")
n, m, k = net.indices(n=N, m=M, k=K)

u = net.define("u", Sum(v[k] * tanh(w[k] * x[n] + b[k]), k), over=n, note="the solution inside")
u_x = net.define("u_x", derivative(u, x), note="its slope")
u_xx = net.define("u_xx", derivative(u_x, x), note="its curvature")
e = net.define("e", Sum(v[k] * tanh(w[k] * z[m] + b[k]), k) - g[m], over=m, note="errors on the boundary")
net.output(u)
net.loss = mean((u_xx + u - f) ** 2) + mean(e**2)
