"""Tutorials as executed notebooks; `python -m notebooks` makes them from the Markdown beside it."""
