"""What printing asks of a node: its sign, its place among terms and factors, whether it may overflow."""

from dataclasses import replace

from sympy import Add, And, Eq, Ge, Gt, Le, Lt, Mul, Ne, Not, Or, Piecewise, Pow, S, Symbol

from derive import functions
from derive.nodes import Apply, Bracket, Outer, Product, Read, Reduction, Scalar, Spread, Transpose

from .functions_table import UNBOUNDED
from .lowering import grouped
from .numbers_text import is_negative

OPPOSITE = {Ge: Lt, Lt: Ge, Gt: Le, Le: Gt, Eq: Ne, Ne: Eq}


def split_sign(node):
    """Return (is negative, the node without its sign)."""
    if isinstance(node, Scalar) and not is_variable(node) and is_negative(node.expr):
        return True, Scalar((), -node.expr)
    if isinstance(node, Spread):
        negative, body = split_sign(node.body)
        return negative, Spread(node.axes, body) if negative else node
    if isinstance(node, Apply) and node.head is Mul:
        for k, a in enumerate(node.args):
            if isinstance(a, Scalar) and not is_variable(a) and is_negative(a.expr):
                left = [Scalar((), -a.expr)] if a.expr != -1 else []
                rest = (*node.args[:k], *left, *node.args[k + 1:])
                return True, rest[0] if len(rest) == 1 else Apply(node.axes, Mul, rest)
    return False, node


def positive_where(node):
    """Return the comparison that tells where a node is positive: x > 0, x < 0 for -x, x < 1 for 1 - x."""
    negative, rest = split_sign(node)
    if negative:
        return rest, "<", Scalar((), S.Zero)
    if isinstance(node, Apply) and node.head is Add and len(node.args) == 2:
        number, other = sorted(node.args, key=is_constant, reverse=True)
        negative, rest = split_sign(other)
        if negative and is_constant(number) and not is_constant(other):
            return rest, "<", number.body if isinstance(number, Spread) else number
    return node, ">", Scalar((), S.Zero)


def counted(node):
    """Return the condition of a choice of 1 where it holds and 0 elsewhere, of all entries; None for another node."""
    if not isinstance(node, Apply) or node.head is not Piecewise or len(node.args) != 4:
        return None
    (one, zero), condition = node.args[::2], node.args[1]
    if (one, zero) != (Scalar((), S.One), Scalar((), S.Zero)) or condition.axes != node.axes:
        return None
    return condition


def equal_where_zero(node):
    """Return what is equal where a node is 0: x and y for x - y."""
    terms = [split_sign(t) for t in node.args] if isinstance(node, Apply) and node.head is Add else []
    if sorted(negative for negative, _ in terms) == [False, True]:
        (_, left), (_, right) = sorted(terms, key=lambda t: t[0])
        return left, right
    return node, Scalar((), S.Zero)


def term_order(negative, node):
    """Return the key that orders the terms of a sum: positive first, products of matrices before the rest."""
    inner = node.body if isinstance(node, Spread) else node
    constant = isinstance(node, Scalar) and not is_variable(node)
    return (
        negative,
        not has_product(node),
        isinstance(inner, Apply) and inner.head is grouped,
        constant,
        -len(inner.axes),
    )


def has_product(node):
    """Tell whether a node is a contraction, or a product with one."""
    if isinstance(node, Product | Outer):
        return True
    return isinstance(node, Apply) and node.head is Mul and any(map(has_product, node.args))


def parts_of(node):
    """Yield a node and the nodes of which it is made entry by entry."""
    yield node
    if isinstance(node, Apply):
        for a in node.args:
            yield from parts_of(a)


def varied(node):
    """Return the axes that the array of a node has, not those along which it is broadcast."""
    if isinstance(node, Spread | Transpose):
        return varied(node.body)
    if isinstance(node, Apply):
        return set().union(*map(varied, node.args))
    return set(node.axes)


def is_variable(node):
    """Tell whether a scalar is a real variable, neither a number nor a size."""
    return isinstance(node.expr, Symbol) and not node.expr.is_integer


def may_overflow(node):
    """Tell whether a value may be infinite or not a number where it does not count: exp(1e4), log(-1), 1/0."""
    if isinstance(node, Spread | Transpose | Reduction):
        return may_overflow(node.body)
    if isinstance(node, Product | Outer):
        return may_overflow(node.left) or may_overflow(node.right)
    if not isinstance(node, Apply):
        return False
    exponent = node.args[1].expr if node.head is Pow and isinstance(node.args[1], Scalar) else S.One
    return (
        node.head.__name__ in UNBOUNDED
        or not (exponent.is_Integer and exponent > 0)
        or any(map(may_overflow, node.args))
    )


def is_constant(node):
    """Tell whether a node is a number or an expression in sizes."""
    node = node.body if isinstance(node, Spread) else node
    return isinstance(node, Scalar) and not is_variable(node)


def is_bracket(node):
    """Tell whether a node is a condition on indices or values."""
    return isinstance(node.body if isinstance(node, Spread) else node, Bracket)


def is_condition(node):
    """Tell whether NumPy has True and False for a node, which @ and + count no further than True."""
    while isinstance(node, Spread | Transpose):
        node = node.body
    return isinstance(node, Bracket)


def as_numbers(node):
    """Return a condition as ones and zeros of the module's dtype."""
    if isinstance(node, Spread | Transpose):
        return replace(node, body=as_numbers(node.body))
    return Apply(node.axes, Mul, (node,))


def is_mask(node):
    """Tell whether a node is 1 at some places and 0 at the others."""
    node = node.body if isinstance(node, Spread) else node
    return isinstance(node, Bracket) or (
        isinstance(node, Apply) and (node.head in (functions.step, functions.at_zero) or _is_choice_of_one(node)))


def _is_choice_of_one(node):
    """Tell whether a node is 1 where a condition on values holds and 0 elsewhere, or the other way round."""
    if node.head is not Piecewise or len(node.args) != 4 or isinstance(node.args[1], Scalar):
        return False
    return all(map(is_constant, node.args[::2])) and {a.expr for a in node.args[::2]} == {S.Zero, S.One}


def is_between(pairs):
    """Tell whether values and their conditions are those of a value kept between two numbers: NumPy's clip."""
    if len(pairs) != 3:
        return False
    (low, below), (high, above), (value, _) = pairs
    given = is_constant(low) and is_constant(high) and low.expr.is_number and high.expr.is_number
    return given and low.expr <= high.expr and all(
        isinstance(c, Bracket) and c.head is head and c.left == value and c.right == end
        for c, head, end in ((below, Le, low), (above, Ge, high)))


def condition_of(choice):
    """Return the condition under which a choice of 1 or 0 is 1."""
    value, condition = choice.args[:2]
    return condition if value.expr == 1 else _negated(condition)


def _negated(condition):
    """Return the opposite of a condition, the comparisons turned round rather than a `not` before them."""
    if isinstance(condition, Bracket) and condition.head in OPPOSITE:
        return replace(condition, head=OPPOSITE[condition.head])
    if isinstance(condition, Apply) and condition.head in (And, Or):
        head = Or if condition.head is And else And
        return replace(condition, head=head, args=tuple(map(_negated, condition.args)))
    return Apply(condition.axes, Not, (condition,))


def is_reciprocal(node):
    """Tell whether a node is a power that stands below the line."""
    node = node.body if isinstance(node, Spread) else node
    return isinstance(node, Apply) and node.head is Pow and isinstance(node.args[1], Scalar) \
        and node.args[1].expr.is_number and node.args[1].expr < 0


def inverted(node):
    """Return 1 / x for what stands below the line."""
    if isinstance(node, Spread):
        return Spread(node.axes, inverted(node.body))
    base, exponent = node.args
    return base if exponent.expr == -1 else Apply(node.axes, Pow, (base, Scalar((), -exponent.expr)))


def is_plain_parameter(node):
    """Order the two sides of an inner product: the data first, the weights second."""
    return isinstance(node, Read) and node.name[:1] in "wW"
