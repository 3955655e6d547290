"""Options of the command line that say how a network looks on paper, shared by all commands that print it."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from derive.notations import CHOICES, Notation


def _option(name, help_):
    return typer.Option(help=help_, metavar="|".join(CHOICES[name]))


UsageError: Any = typer.BadParameter.__mro__[1]  # Click's, which Typer brings along
Look = Callable[[Notation], Notation]           # from a network's notation to the one that was asked for
Form = Annotated[str | None, typer.Option(help="matrix or index", metavar="matrix|index")]
Level = Annotated[str | None, _option("level", "how much is shown: formulas alone, differentials too, or every step")]
Adjoint = Annotated[str | None, _option("adjoint", "how the adjoint of Z is written")]
Batch = Annotated[str | None, _option("batch", "whether examples are rows or columns")]
Language = Annotated[str | None, _option("language", "the language of the words")]
Bold = Annotated[bool | None, typer.Option("--bold/--light", help="vectors and matrices in bold", show_default=False)]
Names = Annotated[list[str] | None, typer.Option("--name", metavar="V=SYMBOL", help="a symbol in LaTeX: W1=W^{(1)}")]
Paths = Annotated[list[str] | None, typer.Option("--path", metavar="V", help="draw out how V reaches the loss")]


def on_paper(command: Callable) -> Callable:
    """Give a command these options; what they say of a notation, it takes as its argument `look`."""
    shared = inspect.signature(_look).parameters
    own = [p for p in inspect.signature(command).parameters.values() if p.name != "look"]

    @functools.wraps(command)
    def run(**given):
        return command(look=_look(**{name: given.pop(name) for name in shared}), **given)

    run.__signature__ = inspect.Signature([*own, *shared.values()])     # type: ignore[attr-defined]  # read by Typer
    run.__annotations__ = {p.name: p.annotation for p in (*own, *shared.values())}
    return run


def _look(notation: Form = None, level: Level = None, path: Paths = None, adjoint: Adjoint = None,
          batch: Batch = None, name: Names = None, bold: Bold = None, language: Language = None) -> Look:
    """Return how a network's notation is changed by the options that were given."""
    check_form(notation)
    options = {"form": notation, "level": level, "adjoint": adjoint, "batch": batch, "bold": bold, "language": language}
    changes: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
    if path:
        changes["paths"] = tuple(path)
    symbols = dict(pair.partition("=")[::2] for pair in name or ())
    return lambda base: base.but(**changes, **({"names": {**base.names, **symbols}} if symbols else {}))


def check_form(notation: str | None) -> None:
    """Refuse a notation that is neither matrix nor index, in the words of the option."""
    if notation not in (None, *CHOICES["form"]):
        raise UsageError(f"--notation has {notation!r}; expected matrix or index")
