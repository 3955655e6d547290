"""Building a network: derive, print, verify; and only then write."""

import difflib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sympy import Expr

from derive.cost import operations
from derive.network import Network
from derive.networks import loading
from derive.notes import note
from derive.program import Program

from . import bounds, files, optimisers, results, verify
from .memory import module_from
from .module import source

STEPS = ("derive", "module", "note", "verify")


@dataclass
class Built:
    """What became of one network."""

    name: str
    program: Program
    texts: dict[str, str] = field(default_factory=dict)         # file name -> text
    verdicts: list[verify.Verdict] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return all(v.passed for v in self.verdicts)

    @property
    def operations(self) -> Expr:
        return operations(self.program)


def build(
    net: Network, verified: bool = True, told: Callable[[str], None] = lambda step: None, style: str = "plain",
    sizes: Mapping[str, int] | None = None,
) -> Built:
    """Derive and print a network and, unless told otherwise, verify it; nothing is written.

    `told` is called with the name of each step as it begins.

    Raises
    ------
    DerivationError
        What cannot be differentiated or printed.
    """
    steps: dict[str, float] = {}

    def timed(step, work):
        told(step)
        start = time.perf_counter()
        result = work()
        steps[step] = time.perf_counter() - start
        return result

    if verified:
        bounds.check(net.program())
    program = timed("derive", net.backward)
    built = Built(net.name, program, seconds=steps)
    built.texts[f"{net.name}.py"] = timed("module", lambda: source(program, style, sizes))
    built.texts[f"{net.name}.tex"] = timed("note", lambda: note(program))
    if verified:
        built.verdicts = timed("verify", lambda: verdicts(net, program, built.texts[f"{net.name}.py"], sizes))
    return built


def verdicts(
    net: Network, program: Program, text: str, sizes: Mapping[str, int] | None = None
) -> list[verify.Verdict]:
    """Return what each judge says of a network and its module, which may have its sizes fixed.

    Where a package is missing that the module needs (SciPy, for one that solves linear systems), the referee alone
    judges, and what was not run is noted.
    """
    found = [verify.referee(net, program)]
    try:
        module = module_from(program.name, text)
    except ModuleNotFoundError as missing:
        note = f"not run, for the module needs {missing.name}, which is not installed"
        return [*found, verify.Verdict(verify.JUDGES[1], verify.DIFFERENCES, skipped=note, notes=(note,))]
    found.append(verify.finite_differences(program, module, sizes=sizes))
    person = verify.handwritten_function(net.name) if net.source.startswith("derive/networks/") else None
    return found + ([verify.handwritten(program, module, person, sizes=sizes)] if person else [])


def shared() -> dict[str, str]:
    """Return the files beside the networks' own: the module of optimisers, and second derivatives of some."""
    found = {"optimisers.py": optimisers.source()}
    for name, of in results.EXAMPLES:
        found |= results.texts(results.OF[of](loading.named(name)))
    return found


def write(texts: Mapping[str, str], folder: Path) -> None:
    """Write files that belong together, all of them or none."""
    files.replace(texts, folder)


def stale(texts: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Yield a unified diff for each file in a folder that is not what it would be if it were written now."""
    for name, text in texts.items():
        path = folder / name
        have = path.read_text(encoding="utf-8") if path.is_file() else ""
        if have != text:
            yield "".join(difflib.unified_diff(
                have.splitlines(keepends=True), text.splitlines(keepends=True), str(path), f"{path} as derived now"))
