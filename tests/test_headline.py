"""The table of the README is the one that was measured and kept."""

from benchmarks.headline import README, headline


def test_the_readme_shows_what_was_kept():
    assert headline() in README.read_text(encoding="utf-8")
