"""Modules of the programs that the rule is tested on: their gradients against differences of their own loss."""

import pytest

from codegen import source, verify
from codegen.memory import module_from
from tests.rule_zoo import ZOO


@pytest.mark.parametrize("name", ZOO)
def test_differences_agree(name):
    program = ZOO[name]().backward()
    verdict = verify.finite_differences(program, module_from(name, source(program)))
    assert verdict.passed, verdict.complaints
