"""The pages of docs/: every block of Python in them runs as it stands, by itself."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from codegen.extras import MissingExtra

PAGES = sorted((Path(__file__).parents[1] / "docs").glob("*.md"))
COUNTS = {
    "doctor": 1,
    "implicit-equations": 5,
    "language": 5,
    "matrix-algebra": 3,
    "notes": 5,
    "performance": 1,
    "random-programs": 0,
    "second-derivatives": 2,
    "trust": 1,
}


def blocks(page):
    """Return the blocks of Python of a page."""
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_no_block_is_overlooked():
    assert {page.stem: len(blocks(page)) for page in PAGES} == COUNTS


@pytest.mark.parametrize(("name", "number"), [(name, k) for name, count in COUNTS.items() for k in range(count)])
def test_a_block_runs(name, number):
    [page] = [page for page in PAGES if page.stem == name]
    try:
        exec(compile(blocks(page)[number], page.name, "exec"), {})
    except MissingExtra as missing:
        pytest.skip(str(missing))


def test_pictures_and_pages_that_are_linked_are_there():
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            target = page.parent / link
            assert target.exists(), f"{page.name}: {link}"
            if target.suffix == ".svg":
                assert ET.parse(target).getroot().tag.endswith("svg")
