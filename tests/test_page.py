"""Web pages hold the note, the code and the verdicts, are valid HTML, need no script and no network."""

import re
import shutil

import pytest

for package in ("docutils", "jinja2", "graphviz", "html5lib", "matplotlib"):
    pytest.importorskip(package, reason=f"{package} is in an extra: pip install -e '.[test,html,plot]'")
if shutil.which("dot") is None:
    pytest.skip("Graphviz's command dot is not installed", allow_module_level=True)

import html5lib
from docutils.utils.math import MathError

from codegen import building, cli
from codegen.module import source
from codegen.page import html
from codegen.page.formulas import in_pieces, leaves, mathml
from codegen.page.lines import listing
from derive.networks import loading
from derive.notes import document
from derive.paper.layout import breakable
from derive.paper.md import markdown

from .shipped import NAMES, derived

SOME = ("mlp", "lstm", "square", "convolution_2d")


def parsed(text):
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)      # raises where it is invalid


@pytest.mark.parametrize("name", SOME)
def test_pages_are_valid_and_stand_alone(name):
    text = html(derived(name))
    tree = parsed(text)
    assert tree.get("lang") == "en"
    assert not list(tree.iter("script")) and not list(tree.iter("link"))
    assert not [e for e in tree.iter() if (e.get("src") or "").startswith("http")]
    anchors = {e.get("id") for e in tree.iter() if e.get("id")}
    assert len(anchors) == len([e for e in tree.iter() if e.get("id")])             # ids are unique
    assert {e.get("href")[1:] for e in tree.iter("a")} <= anchors
    assert html(derived(name)) == text


@pytest.mark.parametrize("name", SOME)
def test_equations_and_code_that_belong_together_say_so(name):
    program, tree = derived(name), parsed(html(derived(name)))
    marked = {}
    for e in tree.iter():
        if e.get("data-v"):
            marked.setdefault(e.get("data-v"), set()).add("code" if "row" in e.get("class", "") else "equation")
    for p in program.parameters:
        assert marked[program.adjoints[p.name]] >= {"code", "equation"}, p.name
    assert marked[program.loss] >= {"code", "equation"}


def test_the_page_shows_the_module_as_it_is():
    program = derived("mlp")
    tree = parsed(html(derived("mlp")))
    [code] = [e for e in tree.iter("code") if e.find("span") is not None and "row" in e.find("span").get("class", "")]
    shown = ["".join(row.itertext()).strip() for row in code]
    assert shown == [line.strip() for line in source(program).splitlines()]


def test_code_lines_know_what_they_compute():
    lines = listing(source(derived("mlp")), derived("mlp").variables)
    of = {re.sub("<[^>]*>", "", line.html).split("  ")[0]: line.variable for line in lines}
    assert of["dZ2[np.arange(N), y] -= 1"] == "dZ2"
    assert of["dW2 = A1.T @ dZ2"] == "dW2"
    assert of["# A1 = relu(Z1)"] == "A1"
    assert of["return Params(dW1, db1, dW2, db2)"] == ""


def test_verdicts_stand_in_a_table():
    net, program = loading.named("mlp"), derived("mlp")
    verdicts = building.verdicts(net, program, source(program))
    tree = parsed(html(program, verdicts=verdicts))
    [table] = [t for t in tree.iter("table") if t.get("class") == "verdicts"]
    rows = [["".join(cell.itertext()) for cell in row] for row in table.find("tbody")]
    assert [row[0] for row in rows] == ["W1", "b1", "W2", "b2"]
    assert all(row[-1] == "agrees" and len(row) == 2 + len(verdicts) for row in rows)


def test_korean_pages_are_korean():
    tree = parsed(html(derived("neuron"), language="ko"))
    headings = ["".join(h.itertext()) for h in tree.iter("h2")]
    assert tree.get("lang") == "ko"
    assert {"순전파", "역전파", "생성된 모듈", "계산 그래프"} <= set(headings)


@pytest.mark.parametrize("name", NAMES)
def test_every_formula_becomes_mathml(name):
    """Whole, and in the pieces that it may be broken into; the pieces hold what the whole does."""
    for display in document(derived(name)).displays:
        for line in display.lines:
            try:
                pieces = in_pieces(line.right)
            except MathError as error:
                pytest.fail(f"{line.right}: {error}")
            letters = [re.sub(r"<[^>]*>|&\w+;|\s", "", "".join(leaves(pieces))),
                       re.sub(r"<[^>]*>|&\w+;|\s", "", mathml(line.right))]
            assert letters[0] == letters[1]
            assert "".join(leaves(breakable(line.right)))


@pytest.mark.parametrize("name", SOME)
def test_markdown_has_balanced_formulas_and_numbered_equations(name):
    text = markdown(document(derived(name)))
    assert text.startswith("# ") and text.count("$$") % 2 == 0
    assert text.count(r"\begin{aligned}") == text.count(r"\end{aligned}") == text.count("$$") // 2
    assert not re.search(r"\\(label|eqref|notag|begingroup|small|begin\{align\})", text)


def test_hostile_titles_stay_text():
    from derive import Network
    net = Network("evil", "<script>alert(1)</script> & $x$", note='"><img src=x onerror=alert(1)>')
    net.loss = net.parameter("w", note="<b>bold</b>") ** 2
    text = html(net.backward())
    tree = parsed(text)
    assert not list(tree.iter("script")) and not list(tree.iter("img")) and not list(tree.iter("b"))
    assert "<script>alert(1)</script> & $x$" in "".join(tree.find(".//h1").itertext())
    assert r"\<script\>" in markdown(document(net.backward()))


def test_the_command_prints_a_page(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["html", "square"])
    assert stopped.value.code == 0
    tree = parsed(capsys.readouterr().out)
    captions = ["".join(c.itertext()) for c in tree.iter("figcaption")]
    assert captions == ["Error of the central difference against the step"]
