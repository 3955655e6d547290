"""What else can be derived of a network, by the name that `--of` gives it; and the examples that are committed.

Second derivatives are judged by differences of the generated gradients, along a direction at random.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from derive.network import Network
from derive.networks import loading
from derive.notes import note
from derive.program import Program

from .memory import module_from
from .module import source
from .verify import DIFFERENCES, relative, sample

GRADIENTS = "gradients"
OF: Mapping[str, Callable[[Network], Program]] = {
    GRADIENTS: Network.backward,
    "hessian": Network.hessian,
    "hessian_vector_product": Network.hessian_vector_product,
    "hessian_trace": Network.hessian_trace,
    "gauss_newton": Network.gauss_newton,
    "gauss_newton_vector_product": Network.gauss_newton_vector_product,
    "fisher": Network.fisher,
    "empirical_fisher": Network.empirical_fisher,
    "per_example_gradients": Network.per_example_gradients,
    "jacobian": Network.jacobian,
    "tangent": Network.tangent,
}
EXAMPLES = (
    ("logistic_regression", "hessian"), ("softmax_regression", "hessian"), ("mlp", "hessian_vector_product"),
    ("mlp", "per_example_gradients"),
)


def asked(targets: list[str] | None, of: str) -> tuple[list[str] | None, str]:
    """Return networks and what is derived of them; the name of a committed example stands for both."""
    known = {f"{name}_{what}": ([name], what) for name, what in EXAMPLES}
    return known.get(targets[0], (targets, of)) if targets and len(targets) == 1 else (targets, of)


def texts(program: Program, style: str = "plain") -> dict[str, str]:
    """Return the files of a program of one function: its module and its note."""
    return {f"{program.name}.py": source(program, style), f"{program.name}.tex": note(program)}


def disagreement(net: Network, program: Program, text: str) -> float | None:
    """Return how far a module of second derivatives is from differences of gradients, None where that is no judge.

    Relative to the largest entry of the product with a direction at random; per-example gradients are added up.
    """
    gradients = net.backward()
    module = module_from(net.name, source(gradients))
    function = getattr(module_from(program.name, text), program.function)
    arguments = sample(gradients, module)
    names = [p.name for p in gradients.parameters]
    random = np.random.default_rng(0)
    direction = [np.asarray(random.normal(size=np.shape(arguments[n]))) for n in names]
    if program.function == "per_example_gradients":
        return _largest([g.sum(0) for g in function(**arguments)], module.loss_and_grads(**arguments)[1])
    if program.function == "hessian_vector_product":
        return _largest(function(**arguments, direction=direction), _differences(module, arguments, names, direction))
    if program.function == "hessian" and len(program.results) == len(names) * (len(names) + 1) // 2:
        products = _products(program, function(**arguments), names, direction)
        return _largest(products, _differences(module, arguments, names, direction))
    return None


def judged_examples() -> dict[str, float | None]:
    """Return the disagreement of each example that is committed."""
    pairs = [(net := loading.named(name), OF[of](net)) for name, of in EXAMPLES]
    return {program.name: disagreement(net, program, source(program)) for net, program in pairs}


def told(found: Mapping[str, float | None]) -> list[str]:
    """Return a line for each program that was judged by differences."""
    agreed = [f"{name}: {d:.0e} from differences of the gradients" for name, d in found.items()
              if d is not None and d <= DIFFERENCES]
    return [*agreed, *complaints(found)]


def complaints(found: Mapping[str, float | None]) -> list[str]:
    """Return a line for each program whose second derivatives are too far from differences."""
    return [f"{name} is off by {d:.1e} of its largest entry, by differences of the gradients"
            for name, d in found.items() if d is not None and not d <= DIFFERENCES]


def _largest(ours: Any, theirs: Any) -> float:
    scale = max(float(np.max(np.abs(t))) for t in theirs) or 1.0
    return max(relative(a, b) * float(np.max(np.abs(b))) / scale for a, b in zip(ours, theirs, strict=True))


def _differences(module, arguments, names, direction):
    """Return the derivative of the gradients along a direction: central differences, extrapolated once."""
    def central(h):
        up, down = ([arguments[n] + s * h * d for n, d in zip(names, direction, strict=True)] for s in (1, -1))
        rest = {n: v for n, v in arguments.items() if n not in names}
        plus, minus = (module.loss_and_grads(*p, **rest)[1] for p in (up, down))
        return [(a - b) / (2 * h) for a, b in zip(plus, minus, strict=True)]

    return [(4 * a - b) / 3 for a, b in zip(central(5e-4), central(1e-3), strict=True)]


def _products(program, hessian, names, direction):
    """Return the product of a Hessian with a direction; its blocks below the diagonal are transposed ones."""
    blocks = hessian._asdict() if hasattr(hessian, "_asdict") else dict.fromkeys(program.results, hessian)
    total = [np.zeros(np.shape(d)) for d in direction]
    for j, b in enumerate(names):
        for i, a in enumerate(names[:j + 1]):
            block, left, right = blocks[f"{a}_{b}"], direction[i], direction[j]
            total[i] = total[i] + np.tensordot(block, right, axes=np.ndim(right))
            if i < j:
                total[j] = total[j] + np.tensordot(left, block, axes=np.ndim(left))
    return total
