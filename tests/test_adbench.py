"""ADBench's objectives: values, gradients, products with the Hessian to 1e-12, of published numbers and PyTorch's.

The published numbers are those of ADBench's own tests (github.com/microsoft/ADBench, test/python/modules/common), which
have 17 digits, for the mixture and for bundle adjustment. What its tests of hand tracking and of the LSTM evaluate,
a mesh and weights in data files, is not published with them: there, PyTorch alone judges.
"""

import numpy as np
import pytest

import codegen

adbench = pytest.importorskip("tests.adbench", reason="PyTorch is an extra: pip install -e '.[peers]'",
                              exc_type=ImportError)
torch = pytest.importorskip("torch")
CLOSE = 1e-12


def points(name):
    random = np.random.default_rng(3)
    normal = random.normal
    if name == "mixture":
        N, D, K = 7, 3, 4
        return {"alpha": normal(size=K), "mu": normal(size=(K, D)), "q": normal(size=(K, D)),
                "L": normal(size=(K, D, D)), "x": normal(size=(N, D)), "gamma": np.array(0.7), "m": np.array(2.0)}
    if name == "adjustment":
        C, P, N = 2, 4, 6
        return {"r": normal(size=(C, 3)), "t": normal(size=(C, 3)), "f": random.uniform(1, 2, C),
                "u": normal(size=(C, 2)), "k": 0.1 * normal(size=(C, 2)), "X": normal(size=(P, 3)),
                "w": random.uniform(0.5, 1.5, N), "c": random.integers(0, C, N), "p": random.integers(0, P, N),
                "m": normal(size=(N, 2))}
    if name == "diagonal_lstm":
        T, B = 15, 6
        return {"W1": normal(size=(4, B)), "b1": normal(size=(4, B)), "W2": normal(size=(4, B)),
                "b2": normal(size=(4, B)), "E": normal(size=(3, B)), "X": random.integers(0, 2, (T, B)).astype(float),
                "G": random.integers(0, 2, (T, B)).astype(float),
                **{n: normal(size=B) for n in ("h10", "c10", "h20", "c20")}}
    F, J, V, P = 5, 3, 8, 6
    rigid = [np.block([[np.linalg.qr(normal(size=(3, 3)))[0], normal(size=(3, 1))], [np.eye(4)[3:]]])
             for _ in range(F * (2 * J + 1))]
    root, rest, inverse = np.split(np.array(rigid), [F, F * (J + 1)])
    given = {"flex": normal(size=(J, F)), "spread": normal(size=F), "turn": normal(size=3), "move": normal(size=3)}
    if name == "complicated":
        given["uv"] = random.uniform(size=(P, 2))
    given |= {"root": root, "rest": rest.reshape(J, F, 4, 4), "inverse": inverse.reshape(J, F, 4, 4),
              "base": np.hstack([normal(size=(V, 3)), np.ones((V, 1))]), "weight": random.uniform(size=(V, J, F)),
              "points": normal(size=(P, 3))}
    labels = ("corner0", "corner1", "corner2") if name == "complicated" else ("which",)
    return given | {n: random.integers(0, V, P) for n in labels}


@pytest.mark.parametrize(("name", "network", "judge"), [
    ("mixture", adbench.mixture, adbench.mixture_in_torch),
    ("adjustment", adbench.adjustment, adbench.adjustment_in_torch),
    ("simple", lambda: adbench.hand(False), adbench.hand_in_torch),
    ("complicated", lambda: adbench.hand(True), adbench.hand_in_torch),
    ("diagonal_lstm", adbench.lstm, adbench.lstm_in_torch),
])
def test_value_gradient_and_hessian_product(name, network, judge):
    net, given = network(), points(name)
    program = net.backward()
    tensors = {n: torch.tensor(v) for n, v in given.items()}
    parameters = [tensors[p.name].requires_grad_() for p in program.parameters]
    value = judge(**tensors)
    slopes = torch.autograd.grad(value, parameters, create_graph=True)
    loss, gradients = codegen.lambdify(program)(**given)
    np.testing.assert_allclose(loss, value.item(), rtol=CLOSE)
    random = np.random.default_rng(0)
    direction = [random.normal(size=p.shape) for p in parameters]
    inner = sum((g * torch.tensor(d)).sum() for g, d in zip(slopes, direction, strict=True))
    curved = torch.autograd.grad(inner, parameters)
    products = codegen.lambdify(net.hessian_vector_product())(**given, direction=direction)
    for ours, theirs in ((gradients, slopes), (products, curved)):
        largest = max(float(t.detach().abs().max()) for t in theirs)
        for p, a, b in zip(program.parameters, ours, theirs, strict=True):
            np.testing.assert_allclose(a, b.detach().numpy(), rtol=CLOSE, atol=CLOSE * largest, err_msg=p.name)


def test_the_mixture_has_the_published_value_and_gradient():
    """Of one point, gmm_tests.py; the inputs are the first of the repository's gmm_instances/gmm1.txt."""
    q = np.array([[0.586443, -0.851887], [-1.509405, 0.875874], [0.166813, -1.965419]])
    L = np.zeros((3, 2, 2))
    L[:, 1, 0] = 0.800321, -0.242790, -1.270071
    loss, grads = codegen.lambdify(adbench.mixture().backward())(
        alpha=np.array([-0.649014, 1.181166, -0.758453]),
        mu=np.array([[0.092339, 0.186260], [0.345561, 0.396767], [0.538817, 0.419195]]),
        q=q, L=L, x=np.array([[1.175171, 2.029160]]), gamma=1.0, m=0.0)
    published = [
        1.08662855508652456e-01, -7.41270039523898472e-01, 6.32607184015246071e-01,
        1.11692576532787013e+00, 1.63333013551455269e-01, -2.19989824071193142e-02, 2.27778292254236098e-01,
        1.20963025612832187e+00, -6.06375920733956339e-02,
        2.58529994051162237e+00, 1.12632694524213789e-01, 3.85744309849611777e-01, 7.35180573182305508e-02,
        5.41836362715595232e+00, -3.21494409677446469e-01, 1.71892309775004937e+00, 8.60091090790866875e-01,
        -9.94640930466322848e-01,
    ]
    factors = np.hstack([grads.q, grads.L[:, 1, :1]])                   # a row of each component: q, then L[1, 0]
    np.testing.assert_allclose(loss, 8.07380408004975791, rtol=CLOSE)
    np.testing.assert_allclose(np.concatenate([np.ravel(g) for g in (grads.alpha, grads.mu, factors)]), published,
                               rtol=CLOSE)


def test_bundle_adjustment_has_the_published_residuals_and_jacobian():
    """Of ten equal observations, ba_tests.py, here of one.

    The inputs have six decimals. They follow from the 32 published numbers, which have 17 digits, exactly: the rows by
    r, X, f, u and k are the derivatives of a projection, from which its rotation, depth and distortion are solved. Only
    X less the camera's centre, and the principal point less what was measured, matter.
    """
    net = adbench.adjustment()
    given = {"r": [[1.797201, 0.590697, -0.635786]], "t": np.zeros((1, 3)), "f": [211.628116],
             "u": [[525.388318, -176.574853]], "k": [[0.058931, 0.069976]],
             "X": [[-86.686502, -23.774517, -27.373665]], "w": [0.417022], "c": [0], "p": [0], "m": np.zeros((1, 2))}
    errors = -2.69048849235189402e-01, 2.59944792677901881e-01, 8.26092651515999976e-01
    loss, grads = codegen.lambdify(net.backward())(**given)
    np.testing.assert_allclose(loss, np.sum(np.square(errors)) / 2, rtol=CLOSE)
    rows = {"e": [2.28877202208246757e+02, 6.34574811495545418e+02, -7.82222866259340549e+02,
                  2.42892615607159668e+00, -1.17828079628011313e+01, 2.54169312487743460e+00,
                  -1.03657084958518086e+00, 4.17022e-01, 0.0, -3.50739521096005205e+02, -9.12107773668008576e+02,
                  -2.42892615607159668e+00, 1.17828079628011313e+01, -2.54169312487743460e+00,
                  -6.45167039712987389e-01],
            "g": [-1.20542435994996879e+02, -3.85673240766460424e+02, 9.75476291403326456e+01,
                  -1.78372108529576567e+00, 4.15466799433126077e+00, 2.04025718029898906e+00,
                  3.49176397433145880e-01, 0.0, 4.17022e-01, 1.18149147704414503e+02, 3.07250108960343255e+02,
                  1.78372108529576567e+00, -4.15466799433126077e+00, -2.04025718029898906e+00,
                  6.23335921553064054e-01]}
    for name, published in rows.items():
        found = codegen.lambdify(net.jacobian(name))(**given)._asdict()
        ours = np.concatenate([np.ravel(found.get(p, np.zeros(np.shape(given[p])))) for p in "rtfukXw"])
        np.testing.assert_allclose(ours, published, rtol=CLOSE, err_msg=name)
    both = [np.array(rows[k]) * e for k, e in zip("eg", errors, strict=False)]
    both[0][-1] += errors[2] * -8.34044e-01
    np.testing.assert_allclose(np.concatenate([np.ravel(g) for g in grads]), both[0] + both[1], rtol=1e-11)
