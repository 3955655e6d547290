"""Networks, programs and equations show themselves in notebooks."""

import pickle
import re
from copy import copy

import pytest
from sympy import Eq

from derive import Network, networks

from .shipped import NAMES, derived


@pytest.mark.parametrize("name", NAMES)
def test_programs_show_all_their_equations_numbered(name):
    shown = derived(name)._repr_markdown_()
    assert "**Forward**" in shown and "**Gradient" in shown
    assert shown.count(r"\begin{aligned}") == shown.count(r"\end{aligned}") == shown.count("$$") // 2
    assert not re.search(r"\\(label|eqref|notag|begingroup|begin\{align\})", shown)
    forward, backward, *_ = shown.split("**Backward**")[0:2] if "**Backward**" in shown else (shown, "")
    numbers = set(re.findall(r"&& \((\d+)\)", forward))
    assert numbers == {str(k) for k in range(1, len(numbers) + 1)}
    assert set(re.findall(r"^\((\d+)\)", backward.split("**Gradient")[0], re.MULTILINE)) <= numbers


def test_equations_show_themselves_in_index_notation():
    program = derived("mlp")
    shown = {e.name: e._repr_latex_() for e in program.equations}
    assert shown["dA1"] == "$$\n\\delta_{A_1,nh} = \\sum_c \\delta_{Z_2,nc} W_{2,hc}\n$$"
    assert shown["loss"].startswith("$$\nL = ")


def test_a_network_shows_what_it_has():
    net = Network("line", "A line")
    assert net._repr_markdown_() == "**A line** has no loss yet"
    net.loss = net.parameter("w") ** 2
    assert "w^2" in net._repr_markdown_() and repr(net) == "<Network line: A line>"


def test_a_gradient_is_an_equation_of_sympys_shown_as_in_the_note():
    net = copy(networks.named("mlp"))
    gradient = net.backward().gradients["W1"]
    plain = Eq(gradient.lhs, gradient.rhs, evaluate=False)
    assert gradient == plain and plain == gradient and hash(gradient) == hash(plain)
    assert type(gradient.xreplace({})) in (Eq, type(gradient)) and str(gradient) == str(plain)
    assert pickle.loads(pickle.dumps(gradient)) == plain
    assert gradient._repr_latex_() == "$$\n\\delta_{W_1} = X^\\top \\delta_{Z_1}\n$$"
    net.notation(adjoint="bar", batch="columns", names={"W1": "W^{(1)}"})
    assert net.backward().gradients["W1"]._repr_latex_() == "$$\n\\bar W^{(1)} = \\bar Z_1 X^\\top\n$$"
    net.notation(form="index")
    assert r"\sum_n" in net.backward().gradients["W1"]._repr_latex_()


@pytest.mark.parametrize("name", NAMES)
def test_every_gradient_shows_itself(name):
    [first, *_] = derived(name).gradients.values()
    assert first._repr_latex_().startswith("$$\n")
