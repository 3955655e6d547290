"""Web pages can be used by everybody: their structure, their contrast, and, in a browser, that nothing overflows.

Browsers and the checker of HTML are slow to start: `pytest -m slow tests/test_page_look.py`.
"""

import html as entities
import json
import re
import shutil
import subprocess
from itertools import pairwise, product
from pathlib import Path

import pytest

for package in ("docutils", "jinja2", "graphviz", "html5lib"):
    pytest.importorskip(package, reason=f"{package} is in an extra: pip install -e '.[test,html,plot]'")
if shutil.which("dot") is None:
    pytest.skip("Graphviz's command dot is not installed", allow_module_level=True)

import html5lib

from codegen import building, page
from codegen.module import source
from derive.networks import loading

from .shipped import derived

SOME = ("square", "lstm", "hyperparameters")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CSS = Path(page.__file__).with_name("page.css").read_text(encoding="utf-8")
TEXTS, GROUNDS = ("ink", "quiet", "link", "word", "comment", "text", "fine", "wrong"), ("page", "panel", "shared")
# what a browser tells of a page in a frame of some width: all that is wider than its place
HOST = """<!DOCTYPE html><title>-</title><iframe style="width:{width}px;height:4000px;border:0"
srcdoc="{page}"></iframe>
<script>onload = () => {{
  const d = document.querySelector("iframe").contentDocument, told = [];
  if (d.documentElement.scrollWidth > {width}) told.push("page: " + d.documentElement.scrollWidth);
  for (const e of d.querySelectorAll("body *:not(.hidden, .hidden *, svg *, math *, math)"))
    if (e.clientWidth && e.scrollWidth > e.clientWidth + 1) told.push(e.className + ": " + e.textContent.slice(0, 60));
  document.title = JSON.stringify(told);
}}</script>"""
# what browsers know and the checker, which has MathML 3, does not: https://www.w3.org/TR/mathml-core/#global-attributes
OF_MATHML_CORE = ".*(Attribute “(displaystyle|scriptlevel)” not allowed on element “mfrac”|Property “math-style”).*"
AXE = """<script>onload = async () => {
  const found = await axe.run();
  const told = found.violations.map(v => v.id + ": " + v.nodes.map(n => n.html.slice(0, 100)).join(" "));
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.querySelector("title").textContent =
    JSON.stringify({violations: told, passes: found.passes.length, dark: dark});
}</script>"""


def page_of(name, **notation):
    """Return a network's page with the verdicts, and as a tree."""
    net, program = loading.named(name), derived(name)
    text = page.html(program, verdicts=building.verdicts(net, program, source(program)), **notation)
    return text, html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_pages_are_structured_for_those_who_do_not_see_them(language):
    _, tree = page_of("mlp", language=language)
    every = list(tree.iter())
    levels = [int(e.tag[1]) for e in every if re.fullmatch("h[1-6]", str(e.tag))]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert tree.get("lang") == language and tree.find(".//title").text
    assert [len(list(tree.iter(tag))) for tag in ("main", "article", "footer")] == [1, 1, 1]
    ids = {e.get("id") for e in every}
    assert all(e.get("aria-labelledby") in ids for e in every if e.get("aria-labelledby"))
    for e in every:
        if e.get("tabindex"):
            assert e.get("role") == "group" and e.get("aria-labelledby")        # what is reached by key has a name
        if e.tag == "table":
            assert "".join(e.find("caption").itertext()).strip()
            assert all(h.get("scope") in ("col", "row") for h in e.iter("th"))
        if e.tag == "svg" and e.get("role") == "img":
            assert e.find("title").text
        if e.tag == "a":
            assert "".join(e.itertext()).strip()


def luminance(colour):
    """Return the relative luminance of #rrggbb (WCAG 2.2, section "relative luminance")."""
    parts = [int(colour[k:k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("scheme", "text", "ground"), list(product(("light", "dark"), TEXTS, GROUNDS)))
def test_letters_have_contrast(scheme, text, ground):
    """4.5 : 1, as WCAG's level AA asks of text."""
    light, dark = (dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in re.findall(r":root \{(.*?)\}", CSS, re.S))
    colours = {**light, **(dark if scheme == "dark" else {})}
    low, high = sorted((luminance(colours[text]), luminance(colours[ground])))
    assert (high + 0.05) / (low + 0.05) >= 4.5


def browsed(page, width, *options):
    """Return what the scripts of a page in a browser have put into its title."""
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},1000", *options,
         "--virtual-time-budget=20000", f"--user-data-dir={page.parent / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=240, check=True)
    return json.loads(entities.unescape(re.search("<title>(.*?)</title>", done.stdout, re.S)[1]))


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium; apt install chromium")
@pytest.mark.parametrize(("name", "width"), list(product(SOME, (400, 1280))))
def test_nothing_overflows_in_a_browser(name, width, tmp_path):
    text, _ = page_of(name)
    (tmp_path / "host.html").write_text(HOST.format(page=entities.escape(text), width=width), encoding="utf-8")
    assert browsed(tmp_path / "host.html", 1400) == []


def axe():
    """Return the program of axe-core, the checker of accessibility, where npm has put it; else ""."""
    folders = [Path(__file__).parents[1] / "node_modules"]
    if npm := shutil.which("npm"):
        everywhere = subprocess.run([npm, "root", "-g"], capture_output=True, text=True, check=False)
        folders.append(Path(everywhere.stdout.strip()))
    found = [f / "axe-core" / "axe.min.js" for f in folders if (f / "axe-core" / "axe.min.js").is_file()]
    return found[0].read_text(encoding="utf-8") if found else ""


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium; apt install chromium")
@pytest.mark.parametrize(("name", "scheme", "width"), list(product(SOME, ("light", "dark"), (400, 1280))))
def test_the_checker_of_accessibility_finds_nothing(name, scheme, width, tmp_path):
    if not (program := axe()):
        pytest.skip("no axe-core; npm install axe-core, here or with -g")
    text, _ = page_of(name)
    checked = f"<script>{program}</script>{AXE}</body>"
    (tmp_path / "page.html").write_text(text.replace("</body>", checked), encoding="utf-8")
    told = browsed(tmp_path / "page.html", width, f"--blink-settings=preferredColorScheme={int(scheme == 'light')}")
    assert told["dark"] is (scheme == "dark") and told["passes"] > 10
    assert told["violations"] == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("vnu") is None, reason="no vnu, the W3C's checker of HTML (validator.github.io)")
@pytest.mark.parametrize("name", SOME)
def test_the_checker_of_html_finds_nothing(name, tmp_path):
    (tmp_path / "page.html").write_text(page_of(name)[0], encoding="utf-8")
    done = subprocess.run(["vnu", "--filterpattern", OF_MATHML_CORE, str(tmp_path / "page.html")],
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
