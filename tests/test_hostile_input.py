"""Hostile input is refused in one line: text that would be code or LaTeX, sizes and nesting without end, odd files."""

import ast
import os
import re
import resource
import stat

import pytest
from sympy import tanh

import codegen
from codegen import cli
from derive import DefinitionError, DerivationError, Network, total
from derive.networks import loading
from derive.notes import document, note
from derive.paper.md import markdown

NETWORK = "from derive import Network\nnet = Network('w')\nx = net.parameter('x')\nnet.loss = x**2\n"
CODE = '""" + str(__import__("tests.test_hostile_input", fromlist=["RUN"]).RUN.append(1)) + """'
QUOTE = 'x", __import__("tests.test_hostile_input", fromlist=["RUN"]).RUN.append(1), "'
RUN: list[int] = []


def network(title="A network", note="", of_x="", fact="x sums to one", name="w"):
    net = Network(name, title, note)
    N = net.size("N")
    x, X = net.parameter("x", N, note=of_x), net.input("X", N)
    net.assume(fact, total(X), 1)
    net.loss = total(x**2 * X)
    return net


# ---- names, titles, notes and facts are words, never code


@pytest.mark.parametrize("name", [
    "W); import os", "W\n", "", "1W", "W.x", "W-1", "__import__('os')", "W" * 5000, "lambda", "\\input{a}", "Ŵ", None,
    5, b"W", "../W", "W\0"])
@pytest.mark.parametrize("declare", [
    Network, lambda name: Network("w").size(name), lambda name: Network("w").parameter(name),
    lambda name: Network("w").input(name), lambda name: Network("w").labels(name, classes=2),
    lambda name: Network("w").state(name, 2, initial=0), lambda name: Network("w").define(name, 1),
    lambda name: Network("w").unknown(name),
], ids=["network", "size", "parameter", "input", "labels", "state", "define", "unknown"])
def test_a_name_is_an_identifier(declare, name):
    with pytest.raises(DefinitionError) as refused:
        declare(name)
    assert len(str(refused.value)) < 300 and str(refused.value).isprintable()


@pytest.mark.parametrize("place", ["title", "note", "of_x", "fact"])
@pytest.mark.parametrize("text", [
    CODE, QUOTE, "\\", '"', '""', '"""', "\\N{DIGIT ONE} \\x \\u", "'''", "{0}{x}%s%(a)s"])
def test_words_are_not_run(place, text):
    RUN.clear()
    program = network(**{place: text}).backward()
    for style, sizes in (("plain", None), ("fast", None), ("scalar", {"N": 2})):
        module = codegen.source(program, style, sizes)
        ast.parse(module)
        f = codegen.lambdify(program, style, sizes)
        f([1.0, 2.0], [0.5, 0.5])
        if place == "title":
            assert ast.get_docstring(ast.parse(module), clean=False).startswith(text)
    if place == "fact" and style == "plain":
        with pytest.raises(ValueError, match=re.escape(text)):
            codegen.lambdify(program)([1.0], [2.0])
    assert not RUN


LATEX = ["\\input{/etc/passwd}", "\\write18{ls}", "\\immediate\\write18{ls}", "\\end{document}", "^^5cinput{x}",
         "a % b", "$x", "}{", "\\def\\x{\\x}\\x", "~#&_^"]


@pytest.mark.parametrize("place", ["title", "note", "of_x", "fact"])
@pytest.mark.parametrize("text", LATEX)
def test_words_are_not_latex(place, text):
    """Each sign that TeX reads otherwise is printed as itself: the note is that of harmless words but for these."""
    harmless, hostile = (note(network(**{place: t}).backward()) for t in ("harmless", text))
    for command in re.findall(r"\\[A-Za-z]+|\^\^", text):
        assert hostile.count(command) == harmless.count(command)
    for sign in "%$&#~":
        bare = rf"(?<!\\){re.escape(sign)}"
        if sign in text and sign != "$":
            assert len(re.findall(bare, hostile)) == len(re.findall(bare, harmless))
    assert hostile.count("{") - hostile.count("\\{") == hostile.count("}") - hostile.count("\\}")


def test_words_are_not_html_in_markdown():
    for place in ("title", "note", "of_x", "fact"):
        text = markdown(document(network(**{place: "<script>alert(1)</script>"}).backward()))
        assert "<script" not in text.replace("\\<", "")


@pytest.mark.parametrize("place", ["title", "note", "of_x", "fact"])
def test_words_are_not_html_in_a_page(place):
    pytest.importorskip("jinja2", reason="web pages are the extra html")
    pytest.importorskip("docutils", reason="web pages are the extra html")
    from codegen import page

    assert "<script" not in page.html(network(**{place: "<script>alert(1)</script>"}).backward())


@pytest.mark.parametrize("text", [
    "a\0b", "a\x1b[31mb", "a\x07", "a\ud800", "a\u202eb", "a" * 6000, 5, None, b"a", ["a"]])
@pytest.mark.parametrize("place", ["title", "note", "of_x", "fact"])
def test_words_are_printed_letters(place, text):
    if place == "title" and text is None:
        return                              # no title: the name is it
    with pytest.raises(DefinitionError, match="expected") as refused:
        network(**{place: text})
    assert len(str(refused.value)) < 200 and str(refused.value).isprintable()


@pytest.mark.parametrize("symbol", [*LATEX[:5], "\\input a", "\\csname x\\endcsname", "\\catcode`x", "W" * 500,
                                    "{" * 5000 + "}" * 5000, "W\0", "W\n"])
def test_a_symbol_is_mathematics(symbol):
    with pytest.raises((DerivationError, DefinitionError)):
        Network("w").notation(names={"W": symbol})
    Network("w").notation(names={"W": "\\hat{W}^{(1)}_{\\mathrm{in}}"})


def test_the_name_of_a_network_stays_an_identifier():
    net = network()
    net.name = "../../evil"
    with pytest.raises(DefinitionError, match="no identifier"):
        net.backward()


# ---- sizes and nesting without end


@pytest.mark.parametrize("size", [10**30, -1, 0, 2.5, float("nan"), float("inf"), "N", None])
def test_absurd_sizes_are_refused(size):
    with pytest.raises(DefinitionError):
        Network("w").parameter("x", size)


DEEP = "y = x\nfor k in range({}):\n    y = {}\nnet.loss = y\n"
ENDLESS = {
    "ten thousand functions": DEEP.format(10_000, "sigmoid(y)"),
    "ten thousand sums and products": DEEP.format(10_000, "(y + 1)*x"),
    "a hundred and fifty functions": DEEP.format(150, "sigmoid(y)"),
    "a million entries": "z = net.parameter('z', 1000, 1000)\nnet.loss = total(z**2)\n",
    "forty axes": "z = net.parameter('z', *[2]*40)\nnet.loss = total(z**2)\n",
    "an index over a milliard": "(i,) = net.indices(i=10**9)\nnet.loss = Sum(x*i, i)\n",
    "a power of a million": "net.loss = x**10**6\n",
    "a number of ten thousand digits": "net.loss = x*10**10000\n",
    "a size of thirty digits": "net.parameter('z', 10**30)\n",
    "a name of 5,000 letters": "net.parameter('W'*5000)\n",
    "a title of a million letters": "Network('v', 'a'*10**6)\n",
    "code for a name": "net.parameter('W); import os')\n",
    "a file that leaves": "raise SystemExit(0)\n",
    "a file that fails": "raise RuntimeError('\\x1b[31m\\n' + 'a'*10**6)\n",
    "brackets in brackets": "(" * 10_000 + ")" * 10_000,
    "no end of signs": "x = " + "-" * 100_000 + "1",
}


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Run the command; assert status 2 and one line of readable length on standard error, and return that line."""
    monkeypatch.chdir(tmp_path)

    def run(*line):
        with pytest.raises(SystemExit) as stop:
            cli.main(list(line))
        out, err = capsys.readouterr()
        assert (stop.value.code, out) == (2, ""), err
        assert err.endswith("\n") and err[:-1].isprintable() and len(err) < 700, err
        return err
    return run


@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS)
def test_what_has_no_end_is_refused(refused, tmp_path, text):
    head = "from sympy import Sum\nfrom derive import Network, sigmoid, total\nnet = Network('w')\n"
    (tmp_path / "net.py").write_text(f"{head}x = net.parameter('x')\n{text}")
    refused("build", "net.py", "--output", "out")
    assert not (tmp_path / "out").exists()


def test_deep_nesting_in_the_library_is_a_definition_that_cannot_be():
    def write():
        net = Network("w")
        y = net.parameter("x")
        for _ in range(150):
            y = tanh(y)
        net.loss = y
        return net.backward()

    with pytest.raises((DefinitionError, DerivationError), match="nests too deep"):
        write()


# ---- files


def binary(path):
    path.write_bytes(bytes(range(256)) * 20)


FILES = {
    "binary": binary,
    "not UTF-8": lambda path: path.write_bytes("x = 'é'\n".encode("latin-1")),
    "a folder": lambda path: path.mkdir(),
    "a loop": lambda path: path.symlink_to(path.name),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a pipe": os.mkfifo,
    "huge": lambda path: path.write_text(NETWORK + "#" * 20_000_000),
    "absent": lambda path: None,
    "empty": lambda path: path.write_text(""),
}


@pytest.mark.parametrize("make", FILES.values(), ids=FILES)
def test_odd_files_are_refused(refused, tmp_path, make):
    make(tmp_path / "net.py")
    assert "net.py" in refused("build", "net.py")
    assert "net.py" in refused("check", "square", "--against", "net.py:f")


def test_a_file_that_may_not_be_read_is_refused(refused, tmp_path, monkeypatch):
    (tmp_path / "net.py").write_text(NETWORK)
    (tmp_path / "net.py").chmod(0)
    if os.access(tmp_path / "net.py", os.R_OK):             # root may read all
        monkeypatch.setattr(loading.runpy, "run_path", lambda _: os.open("/proc/1/mem/x", os.O_RDONLY))
    assert "net.py fails as it runs" in refused("build", "net.py")


@pytest.mark.parametrize("line", ["x = x if x > 0 else 0", "x = max(x, 0)"])
def test_a_decision_before_there_are_numbers_is_refused_with_its_remedy(refused, tmp_path, line):
    (tmp_path / "net.py").write_text(f"from derive import Network\nx = Network('early').parameter('x')\n{line}\n")
    told = refused("build", "net.py")
    assert "line 3" in told and "Piecewise((a, condition), (b, True))" in told and "Max(a, b)" in told


@pytest.mark.parametrize("place", ["file", "loop", "/dev/null/x", "link", "x" * 5000, "a\0b", "in/file/deeper"])
def test_odd_folders_are_refused(refused, tmp_path, place):
    (tmp_path / "file").write_text("")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "link").symlink_to("nothing")
    refused("build", "square", "--output", place)


def test_a_folder_that_may_not_be_written_is_refused(refused, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    folder.mkdir()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    if os.access(folder, os.W_OK):                          # root may write anywhere
        def denied(*_, **__):
            raise PermissionError(13, "Permission denied", "somewhere")
        monkeypatch.setattr(codegen.files.Path, "mkdir", denied)
    assert "Permission denied" in refused("build", "square", "--output", "out")


def test_a_full_disk_leaves_the_old_files(refused, tmp_path):
    (tmp_path / "net.py").write_text(NETWORK)
    with pytest.raises(SystemExit) as stop:
        cli.main(["build", "net.py", "--output", "out"])
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    (tmp_path / "net.py").write_text(NETWORK.replace("x**2", "x**3"))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            codegen.building.write({"w.py": "x" * 2000}, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert stop.value.code == 0 and {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before


@pytest.mark.parametrize("line", [
    "build \x1b[31m", "build " + "x" * 5000, "build square --style " + "x" * 3000, "build square --of \x1b",
    "build square --style scalar --sizes N=" + "9" * 5000, "show square --level " + "x" * 3000,
    "latex square --name x=\\input{a}", "latex square --path nobody", "check square --against " + "x" * 5000 + ":f",
    "check square --against tests.py:" + "f" * 5000, "unknown", "build --unknown"])
def test_odd_lines_are_refused(refused, line):
    refused(*line.split(" "))
