"""NumPy by an expert: in place, on buffers made beforehand, in blocks that stay in cache, sizes fixed.

A factory for each workload takes the arguments and returns a function of none, which returns the loss and the gradients
by name, or the Hessian. Nothing is checked and results are overwritten by the next call.
"""

import numpy as np

ROOT = 0.7978845608028654       # sqrt(2/pi)


def perceptron(arguments):
    """Relu layers: every product into its buffer, relu and its mask in place, row sums by products."""
    X, y = arguments["X"], arguments["y"]
    depth, N, dtype = (len(arguments) - 2) // 2, len(X), X.dtype
    W = [arguments[f"W{k}"] for k in range(1, depth + 1)]
    b = [arguments[f"b{k}"] for k in range(1, depth + 1)]
    A = [np.empty((N, w.shape[1]), dtype) for w in W]
    D = [np.empty_like(a) for a in A]
    dW, db = [np.empty_like(w) for w in W], [np.empty_like(v) for v in b]
    rows, ones = np.arange(N), np.ones(N, dtype)
    classes = np.ones(A[-1].shape[1], dtype)

    def run():
        below = X
        for k in range(depth):
            np.matmul(below, W[k], out=A[k])
            A[k] += b[k]
            if k < depth - 1:
                np.maximum(A[k], 0, out=A[k])
            below = A[k]
        Z = A[-1]
        top = np.take_along_axis(Z, Z.argmax(axis=1)[:, None], 1)
        Z -= top
        right = Z[rows, y]
        np.exp(Z, out=Z)
        S = Z @ classes
        loss = (np.log(S) - right).sum() / N
        S *= N
        np.divide(Z, S[:, None], out=D[-1])
        D[-1][rows, y] -= 1 / N
        for k in reversed(range(depth)):
            below = A[k - 1] if k else X
            np.matmul(below.T, D[k], out=dW[k])
            np.matmul(ones, D[k], out=db[k])
            if k:
                np.matmul(D[k], W[k].T, out=D[k - 1])
                D[k - 1] *= below > 0
        return loss, {f"W{k + 1}": g for k, g in enumerate(dW)} | {f"b{k + 1}": g for k, g in enumerate(db)}

    return run


def _standardised(x, out):
    """Write (x - mean) / sd of each row into `out`; return 1 / sd."""
    D = x.shape[1]
    np.subtract(x, (x @ np.full(D, 1 / D, x.dtype))[:, None], out=out)
    root = 1 / np.sqrt(np.vecdot(out, out) / D + 1e-5)
    out *= root[:, None]
    return root


def _standardised_back(d, xhat, root):
    """Turn the adjoint of the standardised rows into that of the rows, in place."""
    D = d.shape[1]
    a, c = d @ np.full(D, 1 / D, d.dtype), np.vecdot(d, xhat) / D
    d -= a[:, None]
    d -= xhat * c[:, None]
    d *= root[:, None]


def attention(arguments):
    """A transformer block, two sequences at a time; gains and shifts folded into the weights that follow them."""
    names = ("g1", "b1", "Wa", "ba", "Wo", "bo", "g2", "b2", "W3", "b3", "W4", "b4", "X", "Y")
    g1, b1, Wa, ba, Wo, bo, g2, b2, W3, b3, W4, b4, X, Y = (arguments[n] for n in names)
    N, T, D = X.shape
    dtype, per = X.dtype, 2
    rows, scale = per * T, D**-0.5
    Wa2, mask = Wa.reshape(D, 3 * D), np.triu(np.full((T, T), -np.inf, dtype), 1)
    ones, steps = np.ones(rows, dtype), np.ones(T, dtype)
    xhat, rhat, O, R, dR = (np.empty((rows, D), dtype) for _ in range(5))
    B, dB = np.empty((3, per, T, D), dtype), np.empty((rows, 3, D), dtype)
    B2 = np.empty((rows, 3 * D), dtype)
    P, dP = np.empty((per, T, T), dtype), np.empty((per, T, T), dtype)
    M = W3.shape[1]
    U, t, F, s = (np.empty((rows, M), dtype) for _ in range(4))

    def run():
        Wag, bag = g1[:, None] * Wa2, b1 @ Wa2 + ba.reshape(-1)
        W3g, b3g = g2[:, None] * W3, b2 @ W3 + b3
        Wag[:, :D] *= scale
        bag[:D] *= scale
        Ga, ga = np.zeros((D, 3 * D), dtype), np.zeros(3 * D, dtype)
        G3, g3 = np.zeros((D, M), dtype), np.zeros(M, dtype)
        dWo, dW4 = np.zeros_like(Wo), np.zeros_like(W4)
        dbo, db4, loss = np.zeros(D, dtype), np.zeros(D, dtype), 0.0
        for first in range(0, N, per):
            x, target = X[first:first + per].reshape(rows, D), Y[first:first + per].reshape(rows, D)
            _standardised(x, xhat)
            np.matmul(xhat, Wag, out=B2)
            B2.__iadd__(bag)
            B[:] = B2.reshape(per, T, 3, D).transpose(2, 0, 1, 3)
            Q, K, V = B
            np.matmul(Q, K.mT, out=P)
            P.__iadd__(mask)
            P.__isub__(P.max(axis=2, keepdims=True))
            np.exp(P, out=P)
            P.__itruediv__((P @ steps)[..., None])
            O3 = O.reshape(per, T, D)
            np.matmul(P, V, out=O3)
            np.matmul(O, Wo, out=R)
            R.__iadd__(x)
            R.__iadd__(bo)
            root = _standardised(R, rhat)
            np.matmul(rhat, W3g, out=U)
            U.__iadd__(b3g)
            np.multiply(U, U, out=s)
            np.multiply(s, 0.044715 * ROOT, out=t)
            t.__iadd__(ROOT)
            t.__imul__(U)
            np.tanh(t, out=t)
            np.add(t, 1, out=F)
            F.__imul__(U)
            F.__imul__(0.5)
            Z = F @ W4
            Z += R
            Z += b4
            Z -= target
            loss += float(np.vdot(Z, Z))
            dZ = Z
            dZ *= 1 / Y.size
            dW4.__iadd__(F.T @ dZ)
            db4.__iadd__(ones @ dZ)
            dU = dZ @ W4.T
            # slope of gelu: (1 + t)/2 + u (1 - t²) (a + 3 b u²)/2
            s.__imul__(1.5 * 0.044715 * ROOT)
            s.__iadd__(0.5 * ROOT)
            s.__imul__(U)
            np.multiply(t, t, out=F)
            np.subtract(1, F, out=F)
            s.__imul__(F)
            t.__imul__(0.5)
            t.__iadd__(0.5)
            s.__iadd__(t)
            dU *= s
            G3.__iadd__(rhat.T @ dU)
            g3.__iadd__(ones @ dU)
            np.matmul(dU, W3g.T, out=dR)
            _standardised_back(dR, rhat, root)
            dR.__iadd__(dZ)
            dWo.__iadd__(O.T @ dR)
            dbo.__iadd__(ones @ dR)
            dO = (dR @ Wo.T).reshape(per, T, D)
            np.matmul(dO, V.mT, out=dP)
            dP.__isub__(np.vecdot(dO, O3)[..., None])
            dP.__imul__(P)
            dB4 = dB.reshape(per, T, 3, D)
            dB4[:, :, 0] = dP @ K
            dB4[:, :, 1] = dP.mT @ Q
            dB4[:, :, 2] = P.mT @ dO
            flat = dB.reshape(rows, 3 * D)
            Ga.__iadd__(xhat.T @ flat)
            ga.__iadd__(ones @ flat)
        Ga[:, :D] *= scale
        ga[:D] *= scale
        dWa, dW3 = g1[:, None] * Ga + np.outer(b1, ga), g2[:, None] * G3 + np.outer(b2, g3)
        return loss / (2 * Y.size), {
            "g1": np.vecdot(Ga, Wa2), "b1": Wa2 @ ga, "Wa": dWa.reshape(Wa.shape), "ba": ga.reshape(ba.shape),
            "Wo": dWo, "bo": dbo,
            "g2": np.vecdot(G3, W3), "b2": W3 @ g3, "W3": dW3, "b3": g3, "W4": dW4, "b4": db4}

    return run


def rnn(arguments):
    """A tanh recurrence: inputs and weight gradients in one product each, the transposed weights made once a call."""
    W, U, b, X, Y = (arguments[n] for n in ("W", "U", "b", "X", "Y"))
    T, N, K = Y.shape
    h, dz = np.empty((T + 1, N, K), X.dtype), np.empty((T, N, K), X.dtype)
    h[0] = 0
    part = np.empty((N, K), X.dtype)
    flat, ones = X.reshape(T * N, -1), np.ones(T * N, X.dtype)

    def run():
        np.matmul(flat, W, out=h[1:].reshape(T * N, K))
        h[1:].__iadd__(b)
        for t in range(T):
            np.matmul(h[t], U, out=part)
            h[t + 1] += part
            np.tanh(h[t + 1], out=h[t + 1])
        np.subtract(h[1:], Y, out=dz)
        error = dz.reshape(-1)
        loss = error @ error / (2 * Y.size)
        dz.__imul__(1 / Y.size)
        slope = np.multiply(h[1:], h[1:])
        np.subtract(1, slope, out=slope)
        UT = np.ascontiguousarray(U.T)
        dz[T - 1] *= slope[T - 1]
        for t in range(T - 2, -1, -1):
            np.matmul(dz[t + 1], UT, out=part)
            dz[t] += part
            dz[t] *= slope[t]
        d = dz.reshape(T * N, K)
        return loss, {"W": flat.T @ d, "U": h[:-1].reshape(T * N, K).T @ d, "b": ones @ d}

    return run


def lstm(arguments):
    """Long short-term memory: gates as contiguous blocks, one product a step, all sigmoids as one tanh."""
    W, U, b, X, Y = (arguments[n] for n in ("W", "U", "b", "X", "Y"))
    T, N, K = Y.shape
    D, dtype = X.shape[2], X.dtype
    half = np.array([0.5, 0.5, 1, 0.5], dtype)[:, None]
    h, c = np.zeros((T + 1, N, K), dtype), np.zeros((T + 1, N, K), dtype)
    gates, dz, tc = np.empty((T, 4, N, K), dtype), np.empty((T, 4, N, K), dtype), np.empty((T, N, K), dtype)
    part, dh, dc = np.empty((4, N, K), dtype), np.empty((N, K), dtype), np.empty((N, K), dtype)
    flat, ones = X.reshape(T * N, D), np.ones(T * N, dtype)
    inputs, a = np.empty((T * N, 4 * K), dtype), np.empty((N, K), dtype)

    def run():
        W4, U4 = (W * half).reshape(D, 4 * K), np.ascontiguousarray((U * half).transpose(1, 0, 2))
        np.matmul(flat, W4, out=inputs)
        inputs.__iadd__((b * half).reshape(-1))
        gates[:] = inputs.reshape(T, N, 4, K).transpose(0, 2, 1, 3)
        for t in range(T):
            z = gates[t]
            np.matmul(h[t], U4, out=part)
            z += part
            np.tanh(z, out=z)
            for q in (0, 1, 3):
                z[q] *= 0.5
                z[q] += 0.5
            np.multiply(z[1], c[t], out=c[t + 1])
            np.multiply(z[0], z[2], out=a)
            c[t + 1] += a
            np.tanh(c[t + 1], out=tc[t])
            np.multiply(z[3], tc[t], out=h[t + 1])
        error = (h[1:] - Y).reshape(-1)
        loss = error @ error / (2 * Y.size)
        error *= 1 / Y.size
        outer = error.reshape(T, N, K)
        UT = np.ascontiguousarray(U.reshape(K, 4 * K).T.reshape(4, K, K))
        dh[:] = 0
        dc[:] = 0
        for t in reversed(range(T)):
            (i, f, g, o), d, tanh_c = gates[t], dz[t], tc[t]
            dh.__iadd__(outer[t])
            np.multiply(tanh_c, tanh_c, out=a)
            np.subtract(1, a, out=a)
            a.__imul__(dh)
            a.__imul__(o)
            dc.__iadd__(a)
            np.multiply(dc, g, out=d[0])
            np.multiply(dc, c[t], out=d[1])
            np.multiply(dh, tanh_c, out=d[3])
            for q, s in ((0, i), (1, f), (3, o)):
                d[q] *= s
                np.subtract(1, s, out=a)
                d[q] *= a
            np.multiply(g, g, out=a)
            np.subtract(1, a, out=a)
            np.multiply(dc, i, out=d[2])
            d[2] *= a
            dc.__imul__(f)
            np.matmul(d, UT, out=part)
            np.add(part[0], part[1], out=dh)
            dh.__iadd__(part[2])
            dh.__iadd__(part[3])
        d = dz.transpose(0, 2, 1, 3).reshape(T * N, 4 * K)
        return loss, {"W": (flat.T @ d).reshape(W.shape), "U": (h[:-1].reshape(T * N, K).T @ d).reshape(U.shape),
                          "b": (ones @ d).reshape(b.shape)}

    return run


def convolution(arguments):
    """A convolution, four images at a time: channels last, taps copied to one buffer, one product."""
    w, b, W, c2, x, y = (arguments[n] for n in ("w", "b", "W", "c2", "x", "y"))
    N, C, U, V = x.shape
    F, A, B, classes = len(w), U // 2, V // 2, len(c2)
    dtype, per = x.dtype, 4
    padded = np.zeros((per, U + 2, V + 2, C), dtype)
    taps = np.empty((N // per, per * U * V, 9 * C), dtype)
    Z = np.empty((N // per, per * U * V, F), dtype)
    M = np.empty((N, F, A, B), dtype)
    dZ = np.empty((per * U * V, F), dtype)
    rows, ones, images = np.arange(N), np.ones(per * U * V, dtype), np.ones(N, dtype)

    def quarters(Z):
        return [Z.reshape(per, A, 2, B, 2, F)[:, :, r, :, s] for r in (0, 1) for s in (0, 1)]

    def run():
        w9 = np.ascontiguousarray(w.transpose(2, 3, 1, 0)).reshape(9 * C, F)
        for k in range(N // per):
            padded[:, 1:-1, 1:-1] = x[k * per:(k + 1) * per].transpose(0, 2, 3, 1)
            windows = taps[k].reshape(per, U, V, 9, C)
            for tap in range(9):
                p, q = divmod(tap, 3)
                windows[..., tap, :] = padded[:, p:p + U, q:q + V]
            np.matmul(taps[k], w9, out=Z[k])
            Z[k] += b
            one, two, three, four = quarters(Z[k])
            top = np.maximum(np.maximum(one, two), np.maximum(three, four))
            np.maximum(top, 0, out=top)
            M[k * per:(k + 1) * per] = top.transpose(0, 3, 1, 2)
        flat, W2 = M.reshape(N, -1), W.reshape(-1, classes)
        z = flat @ W2
        z += c2
        z -= z.max(axis=1, keepdims=True)
        right = z[rows, y]
        np.exp(z, out=z)
        S = z.sum(axis=1)
        loss = (np.log(S) - right).sum() / N
        z /= (N * S)[:, None]
        z[rows, y] -= 1 / N
        dM = (z @ W2.T).reshape(M.shape)
        dw, db = np.zeros((9 * C, F), dtype), np.zeros(F, dtype)
        for k in range(N // per):
            d = np.ascontiguousarray(dM[k * per:(k + 1) * per].transpose(0, 2, 3, 1))
            top = M[k * per:(k + 1) * per].transpose(0, 2, 3, 1)
            d *= top > 0
            for part, into in zip(quarters(Z[k]), quarters(dZ), strict=True):
                np.multiply(d, part == top, out=into)       # relu's and ties' winners are apart but for equal floats
                d -= into
            dw += taps[k].T @ dZ
            db += ones @ dZ
        return loss, {"w": dw.reshape(3, 3, C, F).transpose(3, 2, 0, 1), "b": db, "W": (flat.T @ z).reshape(W.shape),
                          "c2": images @ z}

    return run


def logistic(arguments):
    """Logistic regression: X read twice in blocks of rows that stay in cache, so once from memory."""
    w, X, y = (arguments[n] for n in ("w", "X", "y"))
    N, D = X.shape
    block = max(1, 65536 // D)

    def run():
        grad, loss = np.zeros(D, X.dtype), 0.0
        for first in range(0, N, block):
            x, t = X[first:first + block], y[first:first + block]
            z = x @ w
            e = np.exp(-np.abs(z))
            loss += float(np.log1p(e).sum() + np.maximum(z, 0).sum() - z @ t)
            p = np.where(z >= 0, 1, e) / (1 + e)
            p -= t
            grad += p @ x
        grad /= N
        return loss / N, {"w": grad}

    return run


def logistic_hessian(arguments):
    """The Hessian of logistic regression: rows scaled by sqrt(p (1 - p)), so that BLAS uses the symmetry."""
    w, X = arguments["w"], arguments["X"]
    N, D = X.shape
    block = min(N, max(1, 262144 // D))
    S = np.empty((block, D), X.dtype)

    def run():
        H = np.zeros((D, D), X.dtype)
        for first in range(0, N, block):
            x = X[first:first + block]
            s = S[:len(x)]
            e = np.exp(-0.5 * np.abs(x @ w))
            np.multiply(x, (e / (1 + e * e))[:, None], out=s)
            H += s.T @ s
        H /= N
        return H, {}

    return run


def elementwise(arguments):
    """A chain of elementwise functions and a normalisation, forward and backward four rows at a time."""
    x, s, b, gamma, beta, Y = (arguments[n] for n in ("x", "s", "b", "gamma", "beta", "Y"))
    N, D = x.shape
    dtype, per = x.dtype, 4
    u, t, g, q, e, d = (np.empty((per, D), dtype) for _ in range(6))
    dx, mean, ones = np.empty_like(x), np.full(D, 1 / D, dtype), np.ones(per, dtype)

    def run():
        ds, db, dgamma, dbeta = (np.zeros(D, dtype) for _ in range(4))
        loss = 0.0
        for first in range(0, N, per):
            rows = x[first:first + per]
            np.multiply(rows, s, out=u)
            u.__iadd__(b)
            np.multiply(u, u, out=q)
            np.multiply(q, 0.044715 * ROOT, out=t)
            t.__iadd__(ROOT)
            t.__imul__(u)
            np.tanh(t, out=t)
            # slope of gelu into q, then gelu into g
            q.__imul__(1.5 * 0.044715 * ROOT)
            q.__iadd__(0.5 * ROOT)
            q.__imul__(u)
            np.multiply(t, t, out=g)
            np.subtract(1, g, out=g)
            q.__imul__(g)
            t.__imul__(0.5)
            t.__iadd__(0.5)
            q.__iadd__(t)
            np.multiply(u, t, out=g)
            # softplus and its slope: gelu is above -0.17, so exp(-g) stays in range
            np.negative(g, out=e)
            np.exp(e, out=e)
            e.__iadd__(1)
            q.__itruediv__(e)
            np.log(e, out=e)
            g.__iadd__(e)
            # normalisation, loss and back
            g.__isub__((g @ mean)[:, None])
            root = 1 / np.sqrt(np.vecdot(g, g) / D + 1e-5)
            g.__imul__(root[:, None])
            np.multiply(g, gamma, out=d)
            d.__iadd__(beta)
            d.__isub__(Y[first:first + per])
            loss += float(np.vdot(d, d))
            dbeta += ones @ d
            np.multiply(d, g, out=e)
            dgamma += ones @ e
            d.__imul__(gamma)
            a, c = d @ mean, np.vecdot(d, g) / D
            d.__isub__(a[:, None])
            g.__imul__(c[:, None])
            d.__isub__(g)
            d.__imul__((root / Y.size)[:, None])
            d.__imul__(q)
            db += ones @ d
            np.multiply(d, rows, out=e)
            ds += ones @ e
            np.multiply(d, s, out=dx[first:first + per])
        return loss / (2 * Y.size), {"x": dx, "s": ds, "b": db, "gamma": dgamma / Y.size, "beta": dbeta / Y.size}

    return run


def tiny(arguments):
    """Two relu layers on one example, as few NumPy calls as there can be."""
    W1, b1, W2, b2, x, y = (arguments[n] for n in ("W1", "b1", "W2", "b2", "x", "y"))
    dot, maximum = np.dot, np.maximum
    column = x[:, None]

    def run():
        r1 = maximum(dot(x, W1) + b1, 0)
        r2 = maximum(dot(r1, W2) + b2, 0)
        e = r2 - y
        dz2 = e * (r2 > 0)
        dz1 = dot(W2, dz2) * (r1 > 0)
        return 0.5 * dot(e, e), {"W1": column * dz1, "b1": dz1, "W2": r1[:, None] * dz2, "b2": dz2}

    return run


def factorisation_hessian(arguments):
    """The Hessian of matrix factorisation: all blocks by one product on the outer products of V's rows."""
    U, V, Omega = (arguments[n] for n in ("U", "V", "Omega"))
    M, K = U.shape
    N, rows = len(V), np.arange(M)
    H = np.zeros((M, K, M, K), U.dtype)

    def run():
        outer = (V[:, :, None] * V[:, None, :]).reshape(N, K * K)
        H[rows, :, rows, :] = (Omega @ outer).reshape(M, K, K)
        return H, {}

    return run


def deep_hessian(arguments):
    """The Hessian by the last layer: sum over examples of (P∘A)'(P∘A), one product for all classes."""
    W, X = arguments["W"], arguments["X"]
    layers = [arguments[f"V{k}"] for k in range(1, len(arguments) - 2)]
    N, D = X.shape

    def run():
        A = X
        for V in layers:
            A = A @ V
            np.maximum(A, 0, out=A)
        P = A @ W
        P -= P.max(axis=1, keepdims=True)
        np.exp(P, out=P)
        P /= P.sum(axis=1, keepdims=True)
        S = (A[:, :, None] * P[:, None, :]).reshape(N, D * D)
        H = (S.T @ S).reshape(D, D, D, D)
        H *= -1 / N
        outer = (A[:, :, None] * A[:, None, :]).reshape(N, D * D)
        diagonal = (P.T @ outer).reshape(D, D, D) / N
        for c in range(D):
            H[:, c, :, c] += diagonal[c]
        return H, {}

    return run


FACTORIES = {
    "mlp": perceptron, "mlp_large": perceptron, "attention": attention, "rnn": rnn, "lstm": lstm,
    "convolution": convolution, "logistic": logistic, "logistic_hessian": logistic_hessian, "elementwise": elementwise,
    "tiny": tiny, "laue_logistic": logistic_hessian, "laue_factorisation": factorisation_hessian,
    "laue_deep": deep_hessian,
}
