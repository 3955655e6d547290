"""Matrix products inside elementwise equations: they get names, since NumPy computes them and C what is around them.

    A[n, h] = tanh(Sum(X[n, d]*W[d, h], d) + b[h])      product_A[n, h] = Sum(X[n, d]*W[d, h], d)
                                                        A[n, h] = tanh(product_A[n, h] + b[h])
"""

from collections.abc import Callable, Collection
from dataclasses import replace

from sympy import Expr, Idx, Indexed, Mul, Sum

from derive.forms import form
from derive.nodes import Axes, Node, Outer, Product
from derive.program import Equation, Variable, base_of
from derive.terms import free_indices, subterms

from ..lowering import Lowered
from .reductions import Split, in_c


def with_named_products(low: Lowered, names: Collection[str]) -> Lowered:
    """Return the program with names for matrix products, in those equations of these names that C can compute."""
    program, lines, backward = low.program, [], set(low.backward)
    variables = dict(program.variables)
    for e in program.equations:
        if e.name not in names or is_nothing_but_a_product(e.rhs):
            lines.append(e)
            continue
        taken = {*variables, *(s.name for s in program.sizes)}
        rhs, products = without_products(e.name, e.rhs, e.free, taken)
        named = {v.name: v for v, _ in products.values()}
        if products and not in_c(e.with_rhs(rhs), Split({**variables, **named}, ())):
            rhs, products, named = e.rhs, {}, {}
        variables |= named
        backward |= set(named) if e.name in backward else set()
        lines += [*(Equation(read, product) for read, (_, product) in products.items()), e.with_rhs(rhs)]
    return replace(low, program=program.with_equations(lines, variables=variables), backward=frozenset(backward))


def is_nothing_but_a_product(value: Expr) -> bool:
    """Tell whether a value is a product of matrices, or a number of them."""
    return all(map(_is_constant_or_product, Mul.make_args(value)))


def in_blocks(product: Expr, indices: Axes) -> Axes:
    """Return the indices of a product of rows and several blocks of columns with those of the blocks first.

    In a turn of a loop rows are few, and BLAS takes a quarter less time for a stack of small products than for one of
    all blocks: Sum(h[n, j]*U[j, q, k], j) by the indices q, n, k.
    """
    node = form(product, indices)
    if isinstance(node, Product) and len(node.over) == 1 and len(node.left.axes) == 2 and len(node.right.axes) == 3 \
            and node.right.axes[:1] == node.over and node.axes == (*node.left.axes[:1], *node.right.axes[1:]):
        return node.axes[1], node.axes[0], node.axes[2]
    return indices


def without_products(name: str, value: Expr, axes: Axes, taken: Collection[str],
                     order: Callable[[Expr, Axes], Axes] = lambda product, indices: indices,
                     ) -> tuple[Expr, dict[Expr, tuple[Variable, Expr]]]:
    """Return a value with its matrix products named after a variable, and by its read each of them and the product.

    The indices of a name are those of the axes that its product has, in this or in another `order`.
    """
    found: dict[Expr, Expr] = {}
    products: dict[Expr, tuple[Variable, Expr]] = {}
    for term in subterms(value):
        if term in found or not is_product(term) or any(term in subterms(t) for t in found):
            continue
        indices = order(term, tuple(i for i in axes if i in free_indices(term)))
        stems = (f"product_{name}", *(f"product_{name}_{k}" for k in range(2, 99)))
        stem = next(n for n in stems if n not in taken and all(n != v.name for v, _ in products.values()))
        shape = tuple(i.upper + 1 for i in indices)
        variable = Variable(stem, base_of(stem, shape), shape, index_names=tuple(i.name for i in indices))
        found[term] = variable.at(*indices)
        products[found[term]] = variable, term
    return value.xreplace(found), products


def _is_constant_or_product(factor):
    return is_product(factor) or not factor.atoms(Indexed, Idx)


def is_product(term: Expr) -> bool:
    """Tell whether a term is a sum that BLAS computes; a sum over two vectors is as good anywhere."""
    return isinstance(term, Sum) and _has_product(form(term, tuple(free_indices(term))))


def _has_product(node):
    if isinstance(node, Product):
        return bool(node.axes) or _has_product(node.left) or _has_product(node.right)
    inside = [node.left, node.right] if isinstance(node, Outer) else [
        *getattr(node, "args", ()), *([node.body] if hasattr(node, "body") else [])]
    return any(isinstance(n, Node) and _has_product(n) for n in inside)
