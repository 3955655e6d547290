"""From a tutorial's text to an executed notebook: prose becomes Markdown cells, Python blocks become code cells.

The notebook is the same for the same text and the same outputs: no times, no random ids, no names of machines.
"""

import re
from pathlib import Path
from typing import Any

import nbclient
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

HERE = Path(__file__).parent
BLOCK = re.compile(r"^```python\n(.*?)^```$\n?", re.MULTILINE | re.DOTALL)
SECONDS = 300


def texts() -> list[Path]:
    """Return the tutorials' texts, one a language."""
    return sorted(HERE.glob("*.md"))


def cells(text: str) -> list[tuple[str, str]]:
    """Split a text into ("markdown" or "code", source) in order; a heading begins a cell of its own."""
    result = []
    for k, part in enumerate(BLOCK.split(text)):
        if k % 2:
            result.append(("code", part.rstrip()))
        else:
            result += [("markdown", p.strip()) for p in re.split(r"^(?=## )", part, flags=re.MULTILINE) if p.strip()]
    return result


def notebook(text: str) -> NotebookNode:
    """Return a text as a notebook whose code has not been run."""
    make = {"markdown": new_markdown_cell, "code": new_code_cell}
    made: list[Any] = []
    for k, (kind, source) in enumerate(cells(text)):
        made.append(make[kind](source, id=f"cell-{k:02}"))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=made, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def executed(text: str, folder: Path = HERE.parent) -> NotebookNode:
    """Return a text as a notebook with the outputs of its code, which runs in `folder`.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        A cell fails; the message shows the cell and its error.
    """
    made = notebook(text)
    nbclient.NotebookClient(made, timeout=SECONDS, kernel_name="python3", record_timing=False, coalesce_streams=True,
                            resources={"metadata": {"path": str(folder)}}).execute()
    made.metadata = notebook(text).metadata                # without the version of this Python
    for cell in (c for c in made.cells if c.cell_type == "code"):
        cell.outputs = [o for o in cell.outputs if o.get("data", {}).get("text/html") != ""]     # bars that are gone
    return made


def write(path: Path) -> Path:
    """Execute a tutorial's text and write the notebook beside it."""
    target = path.with_suffix(".ipynb")         # backpropagation.ko.md becomes backpropagation.ko.ipynb
    nbformat.write(executed(path.read_text(encoding="utf-8")), target)
    return target
