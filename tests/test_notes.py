"""Notes compile without a warning: alone and together, in matrix and in index notation; free text is harmless."""

import re
import shutil
import subprocess

import pytest
from sympy import tanh

from derive import Network, mean, networks
from derive.networks import loading
from derive.note import note
from tests import rule_zoo

pytestmark = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
DOCUMENT = r"""\documentclass{article}
\usepackage{amsmath,amssymb}
\begin{document}
%s
\end{document}
"""
NAMES = loading.names()


def complaints(text, folder):
    """Compile a document twice, for its references, and return every line of the log that complains."""
    (folder / "note.tex").write_text(text, encoding="utf-8")
    for _ in range(2):
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "note.tex"],
            cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    log = (folder / "note.log").read_text(encoding="utf-8", errors="replace")
    found = [line for line in log.splitlines() if re.search(r"^!|Warning|Overfull|Underfull", line)]
    return found if done.returncode == 0 else [*found, done.stdout[-800:]]


@pytest.mark.parametrize("name", NAMES)
def test_compiles_alone(name, tmp_path):
    assert complaints(note(networks.named(name).backward(), standalone=True), tmp_path) == []


@pytest.mark.parametrize("notation", ["matrix", "index"])
def test_compile_together(notation, tmp_path):
    for name in NAMES:
        (tmp_path / f"{name}.tex").write_text(note(networks.named(name).backward(), notation), encoding="utf-8")
    assert complaints(DOCUMENT % "\n".join(rf"\input{{{name}}}" for name in NAMES), tmp_path) == []


@pytest.mark.parametrize("notation", ["matrix", "index"])
def test_notes_of_unusual_programs_compile(notation, tmp_path):
    notes = []
    for name, build in rule_zoo.ZOO.items():
        net = build()
        net.name = name.replace("_", "")        # labels are the network's name: one each
        notes.append(note(net.backward(), notation))
    assert complaints(DOCUMENT % "\n".join(notes), tmp_path) == []


def test_a_deep_network_stays_on_the_page(tmp_path):
    net = Network("deep")
    N = net.size("N")
    widths = net.sizes(" ".join(f"D{k}" for k in range(13)))
    A = net.input("X", N, widths[0])
    for k in range(1, 13):
        W, b = net.parameter(f"W{k}", widths[k - 1], widths[k]), net.parameter(f"b{k}", widths[k])
        A = net.define(f"A{k}", tanh(A @ W + b) + (1 + A @ W) ** 2)
    net.loss = mean(A**2)
    assert complaints(note(net.backward(), standalone=True), tmp_path) == []


@pytest.mark.parametrize("text", [
    r"\input{/etc/passwd}", "50% & more_of #this ~ $x^2$ {a} \\", "\\end{document}", "한국어 제목",
    "naïve «quotes» – dash",
])
def test_free_text_is_harmless(text, tmp_path):
    net = Network("hostile", text)
    x = net.parameter("x", note=text)
    net.loss = x**2
    assert complaints(note(net.backward(), standalone=True), tmp_path) == []
