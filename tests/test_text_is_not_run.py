"""Text that a user hands over where an expression belongs is refused; SymPy by itself would run it as Python."""

import inspect
from contextlib import suppress

import pytest

import derive
from derive import Network

RUN: list[str] = []
TEXT = "__import__('tests.test_text_is_not_run', fromlist=['RUN']).RUN.append('run') or 1"
PUBLIC = {name: getattr(derive, name) for name in derive.__all__ if callable(getattr(derive, name))}


def places(function):
    """Return how many arguments by position a function takes, as far as it says."""
    try:
        kinds = [p.kind for p in inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        return 2
    return 2 if inspect.Parameter.VAR_POSITIONAL in kinds else kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_no_function_runs_its_text(name):
    RUN.clear()
    for count in range(1, places(PUBLIC[name]) + 1):
        for place in range(count):
            with suppress(Exception):       # what it says of it is another test's
                PUBLIC[name](*(TEXT if k == place else 1 for k in range(count)))
            assert not RUN, (count, place)


@pytest.mark.parametrize("use", [
    lambda net, x: net.define("y", TEXT), lambda net, x: net.size("I", TEXT), lambda net, x: net.input("z", TEXT),
    lambda net, x: net.indices(n=TEXT), lambda net, x: x[TEXT], lambda net, x: x + TEXT, lambda net, x: x @ TEXT,
    lambda net, x: net.state("h", 3, 3, initial=TEXT), lambda net, x: net.assume("known", TEXT, TEXT),
    lambda net, x: setattr(net, "loss", TEXT), lambda net, x: net.output(TEXT), lambda net, x: net.parameter(TEXT),
    lambda net, x: net.argmin(net.unknown("u"), TEXT), lambda net, x: net.implicitly("u", TEXT, over=()),
])
def test_no_method_of_a_network_runs_its_text(use):
    RUN.clear()
    net = Network("hostile")
    N = net.size("N")
    x = net.input("x", N)
    with pytest.raises((derive.DefinitionError, TypeError)):
        use(net, x)
    assert not RUN


def test_the_text_would_be_run_if_it_were_evaluated():
    RUN.clear()
    eval(TEXT)
    assert RUN == ["run"]


@pytest.mark.parametrize("function", [derive.relu, derive.sigmoid, derive.softmax, derive.mean, derive.inverse])
def test_the_refusal_names_the_text(function):
    with pytest.raises(derive.DefinitionError, match="the text '1 \\+ 1' stands where an expression is needed"):
        function("1 + 1")
