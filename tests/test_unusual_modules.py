"""Modules of the programs that the rule is tested on: their gradients against differences of their own loss."""

import pytest
from sympy import Sum

from codegen import source, verify
from codegen.memory import module_from
from derive import Network, sigmoid
from tests.rule_zoo import ZOO


@pytest.mark.parametrize("name", ZOO)
def test_differences_agree(name):
    program = ZOO[name]().backward()
    verdict = verify.finite_differences(program, module_from(name, source(program)))
    assert verdict.passed, verdict.complaints


def test_what_is_the_same_in_all_turns_is_computed_before_the_loop():
    net = Network("average", "A learned exponential moving average")
    T, D = net.sizes("T D")
    x, start, a = net.input("x", T, D), net.input("start", D), net.parameter("a", D)
    t, d = net.indices(t=T, d=D)
    m = net.state("m", T, D, initial=start)
    net.define(m, sigmoid(a[d]) * m[t - 1, d] + (1 - sigmoid(a[d])) * x[t, d], over=(t, d))
    net.loss = Sum((m[t - 1, d] - x[t, d]) ** 2, t, d) / T
    text = source(net.backward())
    loops = [line for line in text.splitlines() if line.startswith("        ") and "[t" in line]
    assert loops and not any("_sigmoid(" in line for line in loops)
