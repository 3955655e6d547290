"""Factors with fewer axes are multiplied and divided first, in arrays of their own size.

    g[:, None] * X / s[:, None]         (g / s)[:, None] * X            one pass over X, not two
    v * X / N                           v / N * X
"""

from sympy import Abs, Mul, S

from derive.nodes import Apply, Read, Scalar, Spread

from .nodes import is_mask, is_reciprocal, is_variable


def with_small_factors_together(node: Apply) -> Apply:
    """Return a product with its smaller factors of the same axes as one, and what these are divided by with them."""
    small = [a for a in node.args if isinstance(a, Spread) and a.body.axes and not is_mask(a)]
    tops = [a for a in small if not is_reciprocal(a)]
    several = len({a.body.axes for a in tops}) > 1          # an outer product, whose sides are each of some factors
    if not tops or (not several and all(isinstance(a, Scalar) or a in small for a in node.args)):
        return node
    groups: dict[tuple, list] = {}
    for a in tops:
        groups.setdefault(a.body.axes, []).append(a.body)
    for axes in sorted(groups, key=len):
        wider = [other for other in groups if set(axes) < set(other)]
        if wider:
            groups[min(wider, key=len)] += [Spread(min(wider, key=len), a) for a in groups.pop(axes)]
    rest = [a for a in node.args if a not in tops]
    for a in [a for a in rest if a in small]:
        above = [axes for axes in groups if set(a.body.axes) <= set(axes)]
        if above:
            axes = min(above, key=len)
            groups[axes].append(a.body if a.body.axes == axes else Spread(axes, a.body))
            rest.remove(a)
    numbers = [a for a in rest if isinstance(a, Scalar) and _is_divisor(a)]
    if len(numbers) == 1:
        next(iter(groups.values())).append(numbers[0])
        rest.remove(numbers[0])
    if all(len(group) == 1 for group in groups.values()):
        return node
    joined = [Spread(node.axes, group[0] if len(group) == 1 else Apply(axes, Mul, tuple(group)))
              for axes, group in groups.items()]
    return Apply(node.axes, Mul, (*joined, *rest))


def with_number_in_small_factor(node: Apply) -> Apply:
    """Return a product with its number put to a factor that has fewer axes: (2/D*dv)[:, None]*p, not 2/D*(dv*p)."""
    number = [a for a in node.args if isinstance(a, Scalar) and not is_variable(a)]
    small = [a for a in node.args if isinstance(a, Spread) and isinstance(a.body, Read)]
    if len(number) != 1 or not small or len(node.args) < 3:
        return node
    scaled = Spread(small[0].axes, Apply(small[0].body.axes, Mul, (number[0], small[0].body)))
    return Apply(node.axes, Mul, tuple(scaled if a is small[0] else a for a in node.args if a is not number[0]))


def _is_divisor(scalar):
    """Tell whether a scalar is 1/N, a number or a size below the line and nothing above it."""
    above, below = scalar.expr.as_numer_denom()
    return not is_variable(scalar) and Abs(above) == S.One and below != S.One
