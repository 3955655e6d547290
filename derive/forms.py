"""Array forms: index equations read as operations on whole arrays, for code and for paper alike.

`form(rhs, axes)` turns a right-hand side over indices into a small tree of nodes, each with its ordered axes:
`Sum(X[n, d]*dZ1[n, h], n)` over (d, h) becomes a `Product` of X and dZ1 over n, which is `X.T @ dZ1` in code and
X^T dZ1 on paper; `b[h]` over (n, h) becomes a `Spread` of b, which is `b` in code and 1 b^T on paper.
"""

from functools import lru_cache

from sympy import (
    Add,
    Expr,
    Function,
    Ge,
    Gt,
    Idx,
    Indexed,
    KroneckerDelta,
    Le,
    Lt,
    Mul,
    Ne,
    Piecewise,
    Pow,
    S,
    Sum,
    Symbol,
    expand,
    floor,
)
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanFunction

from .binders import is_binder
from .guards import unguarded
from .nodes import Apply, Axes, Bracket, Gather, Index, Node, Outer, Product, Read, Reduction, Scalar, Spread, Transpose
from .numbers_before_sums import with_numbers_before_sums
from .terms import count, divided, free_indices, runs_over, subterms

TURNED = {Gt: Lt, Lt: Gt, Ge: Le, Le: Ge}       # what a comparison is with its sides exchanged


@lru_cache(maxsize=1 << 13)
def form(expr: Expr, axes: Axes, natural: bool = False) -> Node:
    """Return the array form of an expression over the given axes; `natural` leaves out spreads and transposes.

    Raises
    ------
    ValueError
        An index that is free in `expr` is not among the axes.
    """
    node = _form(expr, axes)
    stray = [i for i in node.axes if i not in axes]
    if stray:
        raise ValueError(f"{expr} has the free index {stray[0]}, which is not among {axes}")
    return node if natural else arranged(node, axes)


def arranged(node: Node, axes: Axes) -> Node:
    """Return the node with exactly these axes: transposed, then spread, as needed. Scalars stay scalars."""
    if node.axes == axes or isinstance(node, Scalar):
        return node
    here = tuple(i for i in axes if i in node.axes)
    if here != node.axes:
        node = _turned(node, here)
    return node if here == axes else Spread(axes, node)


def _turned(node, axes):
    """Return a node transposed: (A + A')' is A' + A."""
    if isinstance(node, Transpose) and node.body.axes == axes:
        return node.body
    if isinstance(node, Apply) and node.head is Add and len(axes) == 2 and all(n.axes == node.axes for n in node.args) \
            and 2 * sum(isinstance(n, Transpose) for n in node.args) >= len(node.args):
        turned = [_turned(n, axes) for n in node.args]
        return Apply(axes, Add, tuple(sorted(turned, key=lambda n: isinstance(n, Transpose))))
    return Transpose(axes, node)


def _form(expr, axes):
    if hasattr(expr, "as_node"):
        return expr.as_node(axes)
    if isinstance(expr, Indexed):
        return _read(expr)
    if isinstance(expr, Sum):
        return _contraction(expr, axes)
    if is_binder(expr):
        over = tuple(limit[0] for limit in expr.limits)
        body = form(expr.function, _within(expr.function, _stored_order(expr.function, (*axes, *over))))
        return Reduction(tuple(i for i in body.axes if i not in over), type(expr), body, over)
    if _is_constant(expr) or (isinstance(expr, Symbol) and not isinstance(expr, Idx)):
        return Scalar((), expr)
    if isinstance(expr, Idx):
        return Index((expr,), expr)
    if isinstance(expr, KroneckerDelta):
        return _bracket(KroneckerDelta, expr.args, axes)
    if isinstance(expr, Relational):
        head, sides = _strict(*_label_first(type(expr), *_balanced(*expr.args)))
        return _bracket(head, sides, axes)
    if isinstance(expr, Mul):
        return _product(Mul.make_args(expr), axes)
    if isinstance(expr, Add) and len(expr.args) == 2 and isinstance(1 - expr, KroneckerDelta):
        return _bracket(Ne, (1 - expr).args, axes)
    if isinstance(expr, Add | floor) and not _has_arrays(expr) and not expr.has(KroneckerDelta, Piecewise):
        return Index(tuple(_sorted(free_indices(expr), axes)), expr)
    if isinstance(expr, Add) and _common_number(expr) != 1:
        number = _common_number(expr)
        inside = _apply(Add(*divided(expr.args, number)), axes)
        return Apply(inside.axes, Mul, (Scalar((), number), inside))
    return _apply(with_numbers_before_sums(expr) if isinstance(expr, Add) else expr, axes)


def _common_number(total):
    """Return the number that all terms of a sum have as a factor, as SymPy would not leave it before the sum."""
    numbers = [t.as_coeff_Mul()[0] for t in total.args]
    first = numbers[0]
    if any(abs(c) != abs(first) for c in numbers):
        return S.One
    return abs(first) if any(c > 0 for c in numbers) else first


def _is_constant(expr):
    """Tell whether an expression holds numbers and sizes only."""
    return not any(isinstance(t, Idx | Indexed) or is_binder(t) or _is_real(t) for t in subterms(expr))


def _has_arrays(expr):
    return any(_is_real(t) for t in subterms(expr))


def _is_real(term):
    """Tell whether a term reads a variable that is not integer data."""
    return isinstance(term, Indexed | Symbol) and not isinstance(term, Idx) and not term.is_integer


def _read(read):
    if len(set(read.indices)) == len(read.indices) and all(map(runs_over, read.indices, read.base.shape)):
        return Read(tuple(read.indices), read.base.name)
    return Gather(tuple(free_indices(read)), read)


def _within(expr, axes):
    """Return those of the axes that are free in the expression."""
    free = set(free_indices(expr))
    return tuple(i for i in axes if i in free)


def _sorted(indices, axes):
    return sorted(indices, key=lambda i: axes.index(i) if i in axes else len(axes))


def _balanced(left, right):
    """Return the sides of a relation between indices with nothing negative on either: s <= t for t - s >= 0."""
    if _has_arrays(left) or _has_arrays(right):
        return left, right
    difference = expand(left - right)
    minus = Add(*(t for t in Add.make_args(difference) if t.as_coeff_Mul()[0].is_negative))
    return expand(difference - minus), -minus


def _label_first(head, left, right):
    """Return a comparison of one label with numbers as one reads it: y < K - 1 for K - y >= 2."""
    difference = expand(left - right) if head in TURNED and left.is_integer and right.is_integer else S.Zero
    labels = [t for t in Add.make_args(difference) if t.has(Indexed)]
    if len(labels) != 1 or abs(labels[0].as_coeff_Mul()[0]) != 1:
        return head, left, right
    [label] = labels
    number = label - difference
    if label.as_coeff_Mul()[0] == -1:
        head, label, number = TURNED[head], -label, -number
    least = number.as_coeff_Add()[0] < 0
    return (Lt, label, number + 1) if head is Le and least else (head, label, number)


def _strict(head, left, right):
    """Return a head and two sides: i > j for i >= j + 1."""
    if head is Ge and isinstance(right, Add) and right.args[0] == 1 and not _has_arrays(right):
        return Gt, (left, right - 1)
    return head, (left, right)


def _bracket(head, sides, axes):
    left, right = (_form(side, axes) for side in sides)
    return Bracket(tuple(i for i in axes if i in left.axes or i in right.axes), head, left, right)


def _apply(expr, axes):
    """An elementwise operation on arguments spread to common axes."""
    parts = [p for a in expr.args for p in (a.args if a.func.__name__ == "ExprCondPair" else (a,))]
    nodes = [
        _condition(p, axes) if isinstance(p, BooleanFunction) and not _is_constant(p) else _form(p, axes) for p in parts
    ]
    common = tuple(i for i in axes if any(i in n.axes for n in nodes))
    return Apply(common, expr.func, tuple(arranged(n, common) for n in nodes))


def _condition(expr, axes):
    nodes = [_condition(a, axes) if isinstance(a, BooleanFunction) else _form(a, axes) for a in expr.args]
    common = tuple(i for i in axes if any(i in n.axes for n in nodes))
    return Apply(common, expr.func, tuple(arranged(n, common) for n in nodes))


def _product(factors, axes):
    """A product of factors over the axes, none of them summed: elementwise, or the outer product of two vectors."""
    nodes = [_form(f, axes) for f in factors]
    vectors = [n for n in nodes if n.axes]
    if len(vectors) == 2 and [len(n.axes) for n in vectors] == [1, 1] and vectors[0].axes != vectors[1].axes \
            and all(_is_vector(n) for n in vectors):
        left, right = sorted(vectors, key=lambda n: axes.index(n.axes[0]))
        outer = Outer(left.axes + right.axes, left, right)
        scalars = [n for n in nodes if not n.axes]
        return Apply(outer.axes, Mul, (*scalars, outer)) if scalars else outer
    common = tuple(i for i in axes if any(i in n.axes for n in nodes))
    return _multiplied(nodes, common) if len(nodes) > 1 else nodes[0]


def _multiplied(nodes, axes):
    """Return the elementwise product over the axes, products inside it opened."""
    args = [inner for n in nodes for inner in _factors(arranged(n, axes))]
    numbers = [a for a in args if isinstance(a, Scalar) and not _is_real(a.expr)]
    number = Mul(*(a.expr for a in numbers))
    others = [a for a in args if a not in numbers]
    if number == 1 and len(others) == 1:
        return others[0]
    return Apply(axes, Mul, (*([] if number == 1 else [Scalar((), number)]), *others))


def _factors(node):
    return node.args if isinstance(node, Apply) and node.head is Mul else (node,)


def _is_vector(node):
    return not isinstance(node, Bracket | Index) and not _is_reciprocal(node)


def _is_reciprocal(node):
    return isinstance(node, Apply) and node.head is Pow and node.args[1] == Scalar((), S.NegativeOne)


# ---- contractions


def _contraction(total, axes):
    """Sum of a product: matrix products where two factors share what is summed, reductions elsewhere."""
    idle = [limit for limit in total.limits if limit[0] not in free_indices(total.function)]
    if idle:
        rest = [limit for limit in total.limits if limit not in idle]
        return _form(count(idle) * (Sum(total.function, *rest) if rest else total.function), axes)
    over = tuple(limit[0] for limit in total.limits)
    inner = (*axes, *over)
    body, conditions = unguarded(total.function)
    factors = Mul.make_args(body)
    constants = [f for f in factors if not free_indices(f)]
    nodes = _merged([_form(f, _stored_order(f, inner)) for f in factors if free_indices(f)], inner, over)
    nodes = _masked(nodes, conditions, inner)
    nodes, over = _summed_alone(nodes, over, inner)
    while len(nodes) > 1 and over:
        nodes, over = _contracted_once(nodes, over, inner, axes)
    result = nodes[0] if len(nodes) == 1 else _times(nodes, inner)
    if over:
        result = _reduced(result, over)
    plain = [f for f in constants if not any(isinstance(t, Indexed | Function) and _has_arrays(t) for t in subterms(f))]
    scalars = [*([Scalar((), Mul(*plain))] if plain else []), *(_form(f, ()) for f in constants if f not in plain)]
    return _multiplied([*scalars, result], result.axes) if scalars else result


def _masked(nodes, conditions, inner):
    """Put 0 where a condition fails, into a factor that has all of its indices, or into the product of all."""
    for condition in conditions:
        inside = set(free_indices(condition))
        home = next((n for n in nodes if inside <= set(n.axes)), None)
        if home is None:
            nodes = [_times(nodes, inner)]
            [home] = nodes
        test = _form(Ge(condition, 0, evaluate=False), inner)
        axes = home.axes if inside <= set(home.axes) else tuple(i for i in inner if i in (*home.axes, *test.axes))
        choice = Apply(axes, Piecewise, (
            arranged(home, axes), arranged(test, axes), Scalar((), S.Zero), Scalar((), S.true)))
        nodes = [choice if n is home else n for n in nodes]
    return nodes


def _stored_order(expr, axes):
    """Return the axes in the order in which the largest array in `expr` stores them, as far as it has them."""
    largest = max((_stored(t) for t in subterms(expr) if isinstance(t, Indexed)), key=len, default=())
    axes = dict.fromkeys(axes)
    stored = dict.fromkeys(i for i in largest if i in axes)
    places = iter(stored)
    return tuple(next(places) if i in stored else i for i in axes)


def _stored(read):
    """Return the indices of a read in the order of its axes, those of labels where they pick rows; () of others."""
    inside = [(i,) if isinstance(i, Idx) else i.indices if isinstance(i, Indexed) else () for i in read.indices]
    plain = all(isinstance(i, Idx) for group in inside for i in group)
    known = all(group or not free_indices(i) for group, i in zip(inside, read.indices, strict=True))
    return tuple(i for group in inside for i in group) if plain and known else ()


def _reduced(node, over):
    return Reduction(tuple(i for i in node.axes if i not in over), Sum, node, over)


def _times(nodes, inner):
    if len(nodes) == 1:
        return nodes[0]
    common = tuple(i for i in inner if any(i in n.axes for n in nodes))
    for candidate in nodes:                         # keep the stored order of a factor that has all the axes
        if set(candidate.axes) == set(common):
            common = candidate.axes
            break
    return _multiplied(nodes, common)


def _merged(nodes, inner, over):
    """Multiply factors elementwise into another whose axes include theirs: X[n, d]*w[n] is one operand.

    Two vectors over one index stay apart: they make an inner product, unless one divides the other. So do a vector and
    a matrix where nothing else has the index that they are summed over: they make a product.
    """
    if _is_quotient(nodes):
        return [_times(nodes, inner)]
    nodes = _alike_together(nodes, inner) if len(nodes) > 2 else list(nodes)
    k = 0
    while k < len(nodes):
        node = nodes[k]
        homes = [m for m in nodes if m is not node and set(node.axes) <= set(m.axes)]
        homes = [m for m in homes if len(nodes) > 2 or len(node.axes) < len(m.axes)]
        homes = [m for m in homes if not (_is_chain(node, nodes, over) or _contract_alone(node, m, nodes, over))]
        if homes and not (len(nodes) == 2 and len(node.axes) == len(homes[0].axes) == 1):
            home = min(homes, key=lambda m: len(m.axes))
            place = nodes.index(home)
            nodes[place] = _times([home, node], inner)
            nodes.remove(node)
            k = 0
        else:
            k += 1
    return nodes


def _alike_together(nodes, inner):
    """Multiply matrices of the same axes first, so that a vector beside them is summed with their product."""
    matrices: dict[frozenset, list] = {}
    for n in nodes:
        matrices.setdefault(frozenset(n.axes) if len(n.axes) > 1 else frozenset([n]), []).append(n)
    return [_times(some, inner) for some in matrices.values()]


def _contract_alone(vector, matrix, nodes, over):
    """Tell whether a vector is summed with a matrix over an index that no other factor has."""
    return len(nodes) > 2 and len(vector.axes) == 1 and len(matrix.axes) == 2 and vector.axes[0] in over and not any(
        vector.axes[0] in n.axes for n in nodes if n is not vector and n is not matrix)


def _is_quotient(nodes):
    """Tell whether two vectors are all there is, and one divides the other."""
    return len(nodes) == 2 and all(len(n.axes) == 1 for n in nodes) and nodes[0].axes == nodes[1].axes \
        and any(map(_is_reciprocal, nodes))


def _is_chain(node, nodes, over):
    """Tell whether two factors are all there is, and one a vector or summed whole: a product, not a scaling."""
    return len(nodes) == 2 and (len(node.axes) == 1 or set(node.axes) <= set(over))


def _summed_alone(nodes, over, inner):
    """Sum the indices that only one of several factors has in that factor alone, all that one has at once."""
    if len(nodes) < 2:
        return nodes, over
    alone = [i for i in over if sum(i in n.axes for n in nodes) == 1]
    summed = []
    for n in nodes:
        own = tuple(i for i in alone if i in n.axes)
        summed.append(_reduced(n, own) if own else n)
    rest = tuple(i for i in over if i not in alone)
    return _merged(summed, inner, rest), rest


def _contracted_once(nodes, over, inner, axes):
    """Contract the two factors whose product has the fewest axes."""
    best = None
    for a, left in enumerate(nodes):
        for b in range(a + 1, len(nodes)):
            right = nodes[b]
            shared = tuple(
                i for i in over if i in left.axes and i in right.axes
                and not any(i in n.axes for k, n in enumerate(nodes) if k not in (a, b))
            )
            if shared:
                remaining = tuple(i for i in inner if (i in left.axes or i in right.axes) and i not in shared)
                score = (len(remaining), a, b)
                if best is None or score < best[0]:
                    best = (score, a, b, shared, remaining)
    if best is None:
        return _multiplied_once(nodes, over, inner), over
    _, a, b, shared, remaining = best
    product = _matrix_product(nodes[a], nodes[b], shared, remaining, axes)
    rest = [n for k, n in enumerate(nodes) if k not in (a, b)]
    return [*rest, product], tuple(i for i in over if i not in shared)


def _multiplied_once(nodes, over, inner):
    """Multiply two factors entry by entry, where all of more than two share what is summed: the smallest such two."""
    if len(nodes) < 3:
        return [_times(nodes, inner)]
    if ends := _ends(nodes, over, inner):
        return [_times(ends, (inner[0], *over, inner[2])), *(n for n in nodes if n not in ends)]
    pairs = [(len({*a.axes, *b.axes}), j, k) for k, b in enumerate(nodes) for j, a in enumerate(nodes[:k])
             if any(i in a.axes and i in b.axes for i in over)]
    if not pairs:
        return [_times(nodes, inner)]
    _, j, k = min(pairs)
    order = _stored_by_both(nodes[j].axes, nodes[k].axes) or inner
    return [_times([nodes[j], nodes[k]], order), *(n for m, n in enumerate(nodes) if m not in (j, k))]


def _ends(nodes, over, inner):
    """Return the factors of three rows, summed over the rows, that have the first and the last axis of the sum.

    sum_n dZ[n, k] X[n, d] Y[n, e] is X.T @ (dZ.T[:, :, None] * Y), a product for each k: what a slope is taken of has
    fewer k than d and e as a rule.
    """
    if len(nodes) != 3 or len(over) != 1 or len(inner) != 4 or any(len(n.axes) != 2 for n in nodes):
        return []
    by_axis = {n.axes[1]: n for n in nodes if n.axes[0] == over[0]}
    return [by_axis[inner[0]], by_axis[inner[2]]] if len(by_axis) == 3 else []


def _stored_by_both(one, other):
    """Return the axes of two arrays in an order that is that of each of them; () where there is none."""
    shared = [i for i in one if i in other]
    if shared != [i for i in other if i in one]:
        return ()
    order, rest = [], list(other)
    for i in one:
        while i in rest and rest[0] != i:
            order.append(rest.pop(0))
        rest = [k for k in rest if k != i]
        order.append(i)
    return (*order, *rest)


def _matrix_product(left, right, over, remaining, axes):
    """Return the contraction with the factor first that has the first of the remaining axes."""
    if set(left.axes) == set(right.axes) and (len(left.axes) > 1):
        return _reduced(_times([left, right], left.axes), over)
    on_left, on_right = set(left.axes), set(right.axes)
    own = [i for i in remaining if i in on_left - on_right]
    other = [i for i in remaining if i in on_right - on_left]
    if (own and other and remaining.index(other[0]) < remaining.index(own[0])) or (
        not own and other and len(left.axes) > len(right.axes)
    ):
        left, right = right, left
    return Product(remaining, left, right, over)
