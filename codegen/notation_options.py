"""Options of the command line that say how a network looks on paper."""

from typing import Annotated

import typer

from derive.notations import CHOICES, Notation


def _option(name, help_):
    return Annotated[str | None, typer.Option(help=help_, metavar="|".join(CHOICES[name]))]


Level = _option("level", "how much is shown: formulas alone, differentials too, or every step")
Adjoint = _option("adjoint", "how the adjoint of Z is written")
Batch = _option("batch", "whether examples are rows or columns")
Language = _option("language", "the language of the words")
Bold = Annotated[bool | None, typer.Option("--bold/--light", help="vectors and matrices in bold", show_default=False)]
Names = Annotated[list[str] | None, typer.Option("--name", metavar="V=SYMBOL", help="a symbol in LaTeX: W1=W^{(1)}")]
Paths = Annotated[list[str] | None, typer.Option("--path", metavar="V", help="draw out how V reaches the loss")]


def chosen(notation: Notation, names: list[str] | None = None, paths: list[str] | None = None, **options) -> Notation:
    """Return a network's notation with what the command line says of it.

    Raises
    ------
    DerivationError
        A value that is not among those of its option.
    """
    changes: dict = {key: value for key, value in options.items() if value is not None}
    if names:
        pairs = [name.partition("=")[::2] for name in names]
        changes["names"] = {**notation.names, **dict(pairs)}
    if paths:
        changes["paths"] = tuple(paths)
    return notation.but(**changes)
