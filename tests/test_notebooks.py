"""The tutorials: every cell runs, and prints what the committed notebooks show, in each language."""

import importlib
import json
import re
from functools import cache
from pathlib import Path

import pytest

for package in ("nbclient", "nbformat", "ipykernel", "matplotlib", "graphviz", "sklearn"):
    pytest.importorskip(package, reason=f"{package} is in an extra: pip install -e '.[test,plot,notebook]'")

building = importlib.import_module("notebooks.building")        # needs the packages above

ROUNDING = re.compile(r"\b\d(\.\d+)?e-(0[89]|1\d)\b")           # how large it is, another machine says otherwise
PICTURES = "image/svg+xml"              # drawn by other versions of matplotlib and Graphviz elsewhere


def committed(path):
    return json.loads(path.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]


def code(path):
    return [source for kind, source in building.cells(path.read_text(encoding="utf-8")) if kind == "code"]


@cache
def executed() -> list[dict]:
    """The first tutorial's cells, run now."""
    return building.executed(building.texts()[0].read_text(encoding="utf-8")).cells


def outputs(cells):
    """Return what each code cell printed or showed, pictures by their kind only."""
    found = []
    for cell in (c for c in cells if c["cell_type"] == "code"):
        shown = []
        for output in cell["outputs"]:
            data = {k: ROUNDING.sub("tiny", "".join(v)) for k, v in output.get("data", {}).items() if k != PICTURES}
            text = ROUNDING.sub("tiny", "".join(output.get("text", "")))
            shown.append((output["output_type"], text, data, PICTURES in output.get("data", {})))
        found.append(shown)
    return found


def shown_verdicts(cells):
    """Return the verdicts in the table of the gradient check."""
    tables = [data["text/html"] for shown in outputs(cells) for _, _, data, _ in shown if "text/html" in data]
    return re.findall(r"<td>(right|wrong|says nothing)</td>", "".join(tables))


@pytest.mark.parametrize("path", building.texts(), ids=lambda p: p.stem)
def test_committed_outputs_are_what_the_code_prints(path):
    assert outputs(committed(path)) == outputs(executed())


@pytest.mark.parametrize("path", building.texts(), ids=lambda p: p.stem)
def test_committed_cells_are_the_text(path: Path):
    cells = committed(path)
    assert [(c["cell_type"], "".join(c["source"])) for c in cells] == building.cells(path.read_text(encoding="utf-8"))


def test_all_languages_run_the_same_code():
    first, *others = building.texts()
    assert all(code(path) == code(first) for path in others)


def test_what_the_prose_claims_was_printed():
    """The numbers of the prose are those of the cells: ten digits, 97 %, half a tenth."""
    printed = "".join(text for shown in outputs(executed()) for _, text, _, _ in shown)
    assert "6.000000000039306" in printed and "97% of the held-out digits are right" in printed
    assert shown_verdicts(executed()) == ["right"] * 4
    assert "g = 41.801671198390" in printed and "g = 42.000000000000" in printed
