"""The workloads: a network, its sizes, its inputs, and the floor, which no implementation has to stay above.

The floor is the matrix products that the loss and its gradients need, alone, into buffers that are there already, and
one pass over the memory that the elementwise work must touch. It computes nothing of use.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from derive import Network

from . import networks

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Workload:
    """One line of the table.

    `products` are the matrix products of the floor as (how, m, k, n, times, batch): "nn" is A B, "tn" is A' B, "nt" is
    A B', "gram" is A' A; A B is (m, k) (k, n). `passes` are the sizes of arrays that elementwise work must go over: a
    value and its adjoint read, a result written, once each.
    """

    name: str
    title: str
    network: Callable[[], Network]
    sizes: Mapping[str, int]
    products: tuple[tuple, ...] = ()
    passes: tuple[int, ...] = ()
    draws: Mapping[str, Callable] = field(default_factory=dict)     # how to draw what is not standard normal
    wanted: str = "gradient"                                        # or "hessian", of the one parameter

    def arguments(self, dtype=np.float64, seed: int = 0) -> Arrays:
        """Return the parameters, then the inputs, in the order declared: standard normal, weights over sqrt(fan-in)."""
        program = self.network().program()
        sizes = {s: self.sizes[s.name] for s in program.sizes if s.name in self.sizes}
        sizes |= {s: formula.xreplace(sizes) for s, formula in program.derived.items()}
        random = np.random.default_rng(seed)
        arguments = {}
        for v in (*program.parameters, *program.inputs):
            shape = tuple(int(s.xreplace(sizes)) for s in v.shape)
            if v.kind == "labels":
                arguments[v.name] = random.integers(0, int(v.classes.xreplace(sizes)), shape)
                continue
            draw = self.draws.get(v.name, _weight if v.kind == "parameter" else _normal)
            arguments[v.name] = np.ascontiguousarray(draw(random, shape), dtype)
        return arguments

    def floor(self, dtype=np.float64) -> Callable[[], None]:
        """Return the floor as something to call: products and passes on buffers that are there already."""
        random = np.random.default_rng(0)
        made: list[tuple] = []
        for how, m, k, n, times, batch in self.products:
            left = (m, k) if how[0] == "n" else (k, m)
            right = (k, n) if how[-1] != "t" else (n, k)
            lead = (batch,) if batch > 1 else ()
            A = random.normal(size=lead + left).astype(dtype)
            B = A if how == "gram" else random.normal(size=lead + right).astype(dtype)
            out = np.empty((*lead, m, n), dtype)
            made.append((A if how[0] == "n" else A.mT, B.mT if how[-1] == "t" else B, out, range(times)))
        touched = [[np.ones(size, dtype) for _ in range(3)] for size in self.passes]

        def run():
            for A, B, out, times in made:
                for _ in times:
                    np.matmul(A, B, out=out)
            for value, adjoint, result in touched:
                np.add(value, adjoint, out=result)

        return run


def _normal(random, shape):
    return random.normal(size=shape)


def _weight(random, shape):
    """A weight over the square root of its fan-in, its first axis; a vector is a bias, small."""
    return random.normal(size=shape) * (shape[0] ** -0.5 if len(shape) > 1 else 0.1)


def _gain(random, shape):
    return 1 + 0.1 * random.normal(size=shape)


def _zero_or_one(random, shape):
    return random.integers(0, 2, shape)


def _kernel(random, shape):
    return random.normal(size=shape) / np.prod(shape[1:]) ** 0.5


def _dense(random, shape):
    return random.normal(size=shape) / np.prod(shape[:-1]) ** 0.5


def _over_root(random, shape):
    return random.normal(size=shape) / shape[0] ** 0.5


def _layer(n: int, m: int, k: int, first: bool = False) -> tuple[tuple, ...]:
    """The products of one dense layer: its value, the gradient of its weights and, but for the first, of its input."""
    return (("nn", n, m, k, 1, 1), ("tn", m, n, k, 1, 1)) + (() if first else (("nt", n, k, m, 1, 1),))


def perceptron(name: str, N: int, *widths: int) -> Workload:
    """Return the workload of a relu perceptron with these widths on a batch of N."""
    depth = len(widths) - 1
    names = ["D", *(f"H{k}" for k in range(1, depth)), "C"]
    products = sum((_layer(N, m, k, first=j == 0) for j, (m, k) in enumerate(pairwise(widths))), ())
    title = f"MLP {'-'.join(map(str, widths))}, batch {N}"
    return Workload(name, title, lambda: networks.perceptron(depth), {"N": N, **dict(zip(names, widths, strict=True))},
                    products, passes=tuple(N * w for w in widths[1:]))


def attention(name: str, N: int, T: int, D: int, M: int) -> Workload:
    """Return the workload of a transformer block on N sequences of T steps and D features."""
    rows = N * T
    products = (*_layer(rows, D, 3 * D), *_layer(rows, D, D), *_layer(rows, D, M), *_layer(rows, M, D),
                ("nt", T, D, T, 1, N), ("nn", T, T, D, 1, N),                   # scores, outputs of the head
                ("nt", T, D, T, 1, N), ("tn", T, T, D, 1, N), ("nn", T, T, D, 1, N), ("tn", T, T, D, 1, N))
    passes = (rows * D,) * 4 + (rows * M,) + (N * T * T,)
    return Workload(name, f"attention block, batch {N}, T {T}, d {D}", networks.attention_block,
                    {"N": N, "T": T, "D": D, "M": M}, products, passes, draws={"g1": _gain, "g2": _gain})


def recurrence(name: str, title: str, network: Callable[[], Network], gates: int, T: int, N: int, D: int, K: int):
    """Return the workload of a recurrence of `gates` blocks of K units, T steps, batch N, D features."""
    rows, G = T * N, gates * K
    products = (("nn", rows, D, G, 1, 1), ("nn", N, K, G, T, 1), ("nt", N, G, K, T, 1),
                ("tn", D, rows, G, 1, 1), ("tn", K, rows, G, 1, 1))
    passes = (rows * G,) + ((rows * K,) if gates > 1 else ())
    return Workload(name, f"{title}, T {T}, N {N}, D {D}, H {K}", network, {"T": T, "N": N, "D": D, "K": K},
                    products, passes)


def convolution(name: str, N: int, C: int, F: int, side: int, D: int = 10) -> Workload:
    """Return the workload of a convolution of N square images with C channels to F, pooled, then D classes."""
    rows, half = N * side * side, side // 2
    dense = F * half * half
    products = (("nn", rows, 9 * C, F, 1, 1), ("tn", 9 * C, rows, F, 1, 1), *_layer(N, dense, D))
    return Workload(name, f"conv 3×3, {C}→{F}, {side}×{side}, batch {N}, relu, pool", networks.convolution,
                    {"N": N, "C": C, "A": half, "B": half, "F": F, "D": D}, products,
                    passes=(rows * F, N * dense), draws={"w": _kernel, "W": _dense})


def logistic(name: str, title: str, N: int, D: int, wanted: str = "gradient") -> Workload:
    """Return the workload of logistic regression on N examples of D features."""
    products = (("nn", N, D, 1, 1, 1), ("tn", D, N, 1, 1, 1))
    if wanted == "hessian":
        products = (*products, ("gram", D, N, D, 1, 1))
    return Workload(name, f"{title}, {N} × {D}", networks.logistic, {"N": N, "D": D}, products, passes=(N,),
                    draws={"y": _zero_or_one, "w": _over_root}, wanted=wanted)


def elementwise(name: str, N: int, D: int) -> Workload:
    """Return the workload of a chain of elementwise functions and a normalisation of N rows of D."""
    return Workload(name, f"gelu–softplus–layernorm, {N} × {D}", networks.elementwise, {"N": N, "D": D}, (), (N * D,),
                    draws={"x": _normal, "s": _gain, "gamma": _gain})


def _factorisation(name: str, M: int, N: int, K: int) -> Workload:
    # value and gradient; the Hessian is one K × K block a row of U, of V' diag(Omega[m]) V
    products = (("nt", M, K, N, 1, 1), ("nn", M, N, K, 1, 1), ("nn", M, N, K * K, 1, 1))
    return Workload(name, f"matrix factorisation, {M} × {N}, rank {K}", networks.factorisation,
                    {"M": M, "N": N, "K": K}, products, passes=(M * N, M * K * K), draws={"Omega": _zero_or_one},
                    wanted="hessian")


def _deep(name: str, depth: int, N: int, D: int) -> Workload:
    forward = tuple(("nn", N, D, D, 1, 1) for _ in range(depth))
    # one (D, D) block of second moments for each pair of classes, half of them by symmetry
    products = (*forward, ("tn", D, N, D, D * (D + 1) // 2, 1), ("tn", D, N, D, 1, 1))
    draws = {f"V{k}": (lambda random, shape: random.normal(size=shape) * (2 / shape[0]) ** 0.5)
             for k in range(1, depth)}
    return Workload(name, f"{depth}-layer perceptron, {D} wide, batch {N}", lambda: networks.deep(depth),
                    {"N": N, "D": D}, products, passes=(D**4,), draws=draws, wanted="hessian")


TINY = Workload("tiny", "2-2-1 relu net, one example", networks.tiny, {"D": 2, "H": 2, "K": 1},
                draws={"x": lambda random, shape: np.array([0.5, 0.8]), "y": lambda random, shape: np.array([1.0]),
                       "W1": lambda random, shape: np.array([[0.2, 0.4], [0.1, 0.3]]),
                       "b1": lambda random, shape: np.array([0.1, 0.2]), "b2": lambda random, shape: np.array([0.3]),
                       "W2": lambda random, shape: np.array([[0.5], [0.6]])})

WORKLOADS: dict[str, Workload] = {w.name: w for w in (
    perceptron("mlp", 128, 784, 256, 128, 10),
    perceptron("mlp_large", 512, 784, 1024, 1024, 10),
    attention("attention", N=8, T=128, D=64, M=256),
    recurrence("rnn", "tanh RNN", networks.rnn, 1, T=64, N=32, D=64, K=128),
    recurrence("lstm", "LSTM", networks.lstm, 4, T=64, N=32, D=64, K=128),
    convolution("convolution", N=32, C=8, F=16, side=28),
    logistic("logistic", "logistic regression gradient", 100_000, 100),
    logistic("logistic_hessian", "logistic regression Hessian", 100_000, 100, wanted="hessian"),
    elementwise("elementwise", 512, 4096),
    TINY,
    logistic("laue_logistic", "logistic regression Hessian", 1000, 500, wanted="hessian"),
    _factorisation("laue_factorisation", 200, 200, 5),
    _deep("laue_deep", 10, 100, 20),
)}
