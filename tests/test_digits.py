"""The generated perceptron learns to read handwritten digits, by the script that the README shows, from any seed."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("seed", range(4))
def test_digits_reach_97_percent_on_a_held_out_fifth(seed):
    pytest.importorskip("sklearn", reason="scikit-learn is in the test extra: pip install -e '.[test]'")
    blocks = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    [script] = [block for block in blocks if "load_digits" in block]
    assert script.count("default_rng(0)") == 1
    space = {}
    exec(script.replace("default_rng(0)", f"default_rng({seed})"), space)
    assert len(space["X"]) == 1797 and len(space["test"]) == 359 and not set(space["test"]) & set(space["train"])
    assert space["right"] >= 0.97
