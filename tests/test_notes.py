"""Notes compile without a warning: alone and together, in matrix and in index notation; free text is harmless."""

import re
import shutil
import subprocess
from copy import copy

import pytest
from sympy import Piecewise, Sum, exp, log, sin, sqrt, tanh

from codegen import results
from derive import Network, cross_entropy, elu, gelu, mean, networks, relu, sigmoid, silu
from derive.errors import DerivationError
from derive.kinks import conventions
from derive.networks import loading
from derive.notes import document, note
from derive.paper import words_en, words_ko
from derive.paper.document import Paragraph
from derive.paper.document import Words as Plain
from derive.paper.language import Language
from derive.paper.tex import PREAMBLES
from tests import rule_zoo

from .shipped import derived

pytestmark = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
DOCUMENT = r"""\documentclass{article}
\usepackage{amsmath}
\begin{document}
%s
\end{document}
"""
NAMES = loading.names()
WORDS = {"en": words_en, "ko": words_ko}


ENGINES = {"en": ("pdflatex", "xelatex", "lualatex"), "ko": ("xelatex", "lualatex")}
NOTATIONS = [{"form": "index"}, {"adjoint": "bar", "batch": "columns"}, {"adjoint": "partial", "bold": True},
             {"level": "every-step"}, {"level": "gradients", "batch": "columns"}, {},
             {"level": "every-step", "form": "index", "adjoint": "partial", "batch": "columns", "bold": True},
             {"level": "gradients", "form": "index", "adjoint": "bar"}]


def complaints(text, folder, engine="pdflatex"):
    """Compile a document until its references are settled, and return every line of the log that complains."""
    (folder / "note.tex").write_text(text, encoding="utf-8")
    for _ in range(4):
        done = subprocess.run(
            [engine, "-interaction=nonstopmode", "-halt-on-error", "note.tex"],
            cwd=folder, capture_output=True, text=True, errors="replace", check=False)
        log = (folder / "note.log").read_text(encoding="utf-8", errors="replace")
        if done.returncode or not re.search(r"Rerun|undefined references", log):
            break
    found = [line for line in log.splitlines() if re.search(r"^!|Warning|Overfull|Underfull|Missing character", line)]
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


@pytest.mark.parametrize("fact", ["each row of Y sums to 100% of #1 & a_b", r"\end{document} $ 한국어 {"])
def test_facts_are_harmless_as_reasons(fact, tmp_path):
    net = Network("hostile_fact")
    N, C = net.sizes("N C")
    Y, W = net.input("Y", N, C), net.parameter("W", N, C)
    n, c = net.indices(n=N, c=C)
    net.assume(fact, Sum(Y[n, c], c), 1)
    net.loss = Sum(Y[n, c] * (log(Sum(exp(W[n, c]), c)) - W[n, c]), n, c) / N
    assert complaints(note(net.backward(), level="every-step", standalone=True), tmp_path) == []


def six_layers():
    """A network of one's own: six activations."""
    net = Network("six_layers", "Six layers, six activations")
    N, D, H, C = net.sizes("N D H C")
    A, y = net.input("X", N, D, note="inputs"), net.labels("y", N, classes=C)
    for k, activation in enumerate([relu, tanh, sigmoid, silu, gelu, elu], 1):
        W, b = net.parameter(f"W{k}", A.shape[1], H, note=f"layer {k}"), net.parameter(f"b{k}", H, note=f"layer {k}")
        A = net.define(f"A{k}", activation(net.define(f"Z{k}", A @ W + b)))
    net.loss = mean(cross_entropy(A @ net.parameter("V", H, C, note="readout"), y))
    return net


def normalised_attention():
    """A network of one's own in index notation: a normalisation written out, then attention."""
    net = Network("normalised_attention", "Attention after a normalisation")
    B, T, D, K = net.sizes("B T D K")
    b, t, s, d, k = net.indices(b=B, t=T, s=T, d=D, k=K)
    X, Y, gamma = net.input("X", B, T, D), net.input("Y", B, T, K), net.parameter("gamma", D)
    W = [net.parameter(name, D, K) for name in ("Wq", "Wk", "Wv")]
    mu = net.define("mu", Sum(X[b, t, d], d) / D, over=(b, t))
    var = net.define("var", Sum((X[b, t, d] - mu[b, t]) ** 2, d) / D, over=(b, t))
    U = net.define("U", gamma[d] * (X[b, t, d] - mu[b, t]) / sqrt(var[b, t] + 1), over=(b, t, d))
    Q, R, V = (net.define(name, Sum(U[b, t, d] * w[d, k], d), over=(b, t, k)) for name, w in zip("QRV", W, strict=True))
    S = net.define("S", Sum(Q[b, t, k] * R[b, s, k], k) / sqrt(K), over=(b, t, s))
    A = net.define("A", exp(S[b, t, s]) / Sum(exp(S[b, t, s]), s), over=(b, t, s))
    O = net.define("O", Sum(A[b, t, s] * V[b, s, k], s), over=(b, t, k))
    net.loss = Sum((O[b, t, k] - Y[b, t, k]) ** 2, b, t, k) / 2
    return net


def long_names_and_formulas():
    """What no line can hold: names of forty letters, sums of twenty terms, cases with half a page in each."""
    net = Network("long_names_and_formulas", "Long names, long formulas, and a title of more than one line")
    N, D = net.sizes("number_of_examples number_of_inputs_of_the_first_layer")
    X = net.input("standardised_measurements_of_all_patients", N, D, note="many words, " * 20)
    w = net.parameter("encoder_first_layer_attention_query_weights", D)
    z = net.define("linear_predictor_before_the_activation", X @ w + net.parameter("W_q") * net.parameter("Wq"))
    p = net.define("prediction", sum((-z) ** k / (k + 1) for k in range(20)))
    wide = sin(p) * tanh(p) * exp(-(p**2)) * sqrt(1 + p**2) * tanh(3 * p) * sin(p**3)
    q = net.define("q", Piecewise((wide, p > 1), (p * wide, p < -1), (p, True)))
    net.loss = mean((q / (1 + exp(q * z - sin(q) * tanh(z**2) * sqrt(1 + q**2)) + z**2)) ** 2)
    return net


@pytest.mark.parametrize("notation", ["matrix", "index"])
@pytest.mark.parametrize("build", [six_layers, normalised_attention, long_names_and_formulas])
def test_networks_of_ones_own_compile(build, notation, tmp_path):
    assert complaints(note(build().backward(), notation, standalone=True), tmp_path) == []


# ---- levels, notations and languages


def together(names, **notation):
    """Return the notes of some networks in one document."""
    notes = [note(networks.named(n).backward(), **notation) for n in names]
    return PREAMBLES[notation.get("language", "en")] % "\n".join(notes)


def skip_without(engine):
    if shutil.which(engine) is None:
        pytest.skip(f"{engine} is not installed")


@pytest.mark.parametrize("notation", NOTATIONS[1:4], ids=str)
def test_notations_compile_together(notation, tmp_path):
    names = ["square", "mlp", "convolution_2d", "lstm", "layer_norm"]
    assert complaints(together(names, **notation), tmp_path) == []


@pytest.mark.parametrize("level", ["backprop", "every-step"])
def test_korean_notes_compile(level, tmp_path):
    skip_without("xelatex")
    fonts = subprocess.run(["fc-list", ":lang=ko"], capture_output=True, text=True, check=False).stdout
    if not re.search("Noto Serif CJK|NanumMyeongjo|UnBatang", fonts):
        pytest.skip("no Korean font; install fonts-noto-cjk or fonts-nanum")
    text = together(["square", "mlp", "lstm"], language="ko", level=level)
    assert "수반 변수" in text and "순전파" in text
    assert complaints(text, tmp_path, "xelatex") == []


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES["en"])
@pytest.mark.parametrize("notation", NOTATIONS, ids=str)
@pytest.mark.parametrize("language", ENGINES)
def test_all_notes_in_all_languages_notations_and_engines(language, notation, engine, tmp_path):
    if engine not in ENGINES[language]:
        pytest.skip(f"{engine} has no letters for {language}")
    skip_without(engine)
    if language == "ko" and engine == "lualatex" and not subprocess.run(
            ["kpsewhich", "luaotfload.sty"], capture_output=True, check=False).stdout:
        pytest.skip("lualatex cannot load fonts of Korean letters; install texlive-luatex")
    assert complaints(together(NAMES, language=language, **notation), tmp_path, engine) == []


def test_an_array_is_bold_wherever_it_is_named_as_a_whole():
    text = note(networks.named("mlp").backward(), bold=True, paths=("W1",), level="every-step")
    assert text.count(r"\mathbf W_1") > 5 and text.count(r"\mathbf X") > 5
    assert not re.search(r"(?<!\\mathbf )(W_1|X|b_2)\b(?![_,])", re.sub(r"\\label\{.*?\}|generated/\S*", "", text))


def test_every_language_has_the_same_words():
    assert WORDS["en"].WORDS.keys() | {"are"} == WORDS["ko"].WORDS.keys() | {"are"}
    assert WORDS["en"].HEADINGS.keys() == WORDS["ko"].HEADINGS.keys()
    for key, english in WORDS["en"].WORDS.items():
        parts = set(re.findall(r"\{(\w+)\}", re.sub(r"\$[^$]*\$", "", english)))
        assert set(re.findall(r"\{(\w+)\}", re.sub(r"\$[^$]*\$", "", WORDS["ko"].WORDS[key]))) <= parts, key


@pytest.mark.parametrize("name", NAMES)
def test_titles_notes_and_facts_of_networks_have_korean_translations(name):
    program = derived(name)
    texts = {program.title, *(v.note for v in (*program.parameters, *program.inputs))} - {""}
    texts |= {a.fact for a in (*program.assumptions, *program.follows)}
    texts |= {c for c in conventions(program) if " " in c.partition(" = ")[0]}
    assert {t for t in texts if Language("ko", {}).translated(t) == t} == set()


@pytest.mark.parametrize("of", results.OF)
def test_what_is_derived_of_networks_has_korean_words(of):
    korean = document(results.OF[of](networks.named("logistic_regression")), language="ko")
    blocks = [block for section in korean.sections for block in section.blocks if isinstance(block, Paragraph)]
    words = [span.text for block in blocks for span in block.text if isinstance(span, Plain)]
    assert not [t for t in (korean.title, *words) if re.search("[A-Za-z]{3,}", re.sub("adjoint|tangent", "", t))]


@pytest.mark.parametrize(("options", "told"), [
    ({"adjoint": "hat"}, "delta, bar, partial"), ({"language": "fr"}, "en, ko"), ({"level": "all"}, "every-step"),
    ({"names": {"W7": "W"}}, "W7"), ({"names": {"W1": "{"}}, "braces"), ({"names": {"W1": "U", "W2": "U"}}, "both"),
    ({"paths": ("X",)}, "no path"), ({"colour": "red"}, "no option"),
])
def test_what_is_no_notation_is_refused_by_name(options, told):
    with pytest.raises(DerivationError, match=told):
        note(networks.named("mlp").backward(), **options)


def test_a_network_keeps_its_notation():
    net = copy(networks.named("mlp"))
    net.notation(adjoint="bar", names={"W1": "W^{(1)}"}, batch="columns")
    text = note(net.backward())
    assert r"Z_1 &= W^{(1)} X + b_1 \mathbf 1_N^\top" in text
    assert r"\bar W^{(1)} &= \bar Z_1 X^\top" in text
    assert r"\delta" not in text


def test_a_path_is_drawn_out_from_the_parameter_to_the_loss():
    text = note(networks.named("mlp").backward(), paths=("W1",))
    assert r"From $W_1$ to the loss" in text
    assert r"\tfrac1N X^\top \Bigl(\bigl((P - Y) W_2^\top\bigr) \odot [Z_1 > 0]\Bigr)" in text


def test_a_path_that_parts_is_drawn_stretch_by_stretch():
    text = note(derived("gpt"), paths=("We",))
    assert r"$W_e$ reaches the loss by 44,101 paths" in text
    assert r"W_e \to X_0 \Rightarrow R_1 \Rightarrow X_1 \Rightarrow R_2 \Rightarrow X_2" in text
    assert r"as $X_0 \Rightarrow R_1$" in text
    section = text[text.index("to the loss.}"):]
    assert len(section.splitlines()) < 100


def test_a_path_through_an_implicit_line_says_what_the_change_satisfies():
    text = note(derived("deep_equilibrium"), paths=("A",))
    assert r"A \to W \to \{\mathrm{pre}_Z, Z\} \to F \to L" in text
    section = text[text.index("to the loss.}"):]
    assert r"\mathrm dZ &= (1 - Z^2) \odot \mathrm d\,\mathrm{pre}_Z &" in section
