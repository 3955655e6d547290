"""The text of somebody's code: the functions that run, and how they run with something in them written otherwise."""

import ast
import copy
import gc
import linecache
import sys
import sysconfig
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy

from .careful import checked

OTHERS = tuple(sysconfig.get_paths()[k] for k in ("stdlib", "platstdlib", "purelib", "platlib"))
OURS = str(Path(__file__).parents[1])
# What acts on more than its arguments: no variant of such code is run.
ACTING = {"open", "exec", "eval", "compile", "input", "__import__", "os", "sys", "subprocess", "shutil", "socket",
          "Path", "pathlib", "tempfile", "pickle", "requests", "urllib", "threading", "multiprocessing", "ctypes",
          "builtins", "importlib", "posix", "nt", "io", "_io"}
WRITING = {"save", "savez", "savez_compressed", "savetxt", "savefig", "tofile", "dump", "write", "memmap"}   # methods


@dataclass
class Unit:
    """A function, or a method, with all that is defined in it, and the live functions whose code that is."""

    file: str
    tree: ast.stmt                      # the statement that is compiled: the function, or the class of a method
    function: ast.AST                   # the function alone
    live: list[tuple[FunctionType, tuple]] = field(default_factory=list)
    kept: list[CodeType] = field(default_factory=list)

    @property
    def home(self) -> str:
        """The class of a method, "" of a function."""
        return self.tree.name if isinstance(self.tree, ast.ClassDef) else ""

    def run(self) -> bool:
        """Let the live functions run as the tree says now; tell whether that is possible."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                code = compile(ast.Module([checked(self.tree)], []), self.file, "exec")
            found = {_key(c): c for c in _codes(code)}
            for function, key in self.live:
                function.__code__ = found[key]
        except (SyntaxError, ValueError, KeyError, TypeError, RecursionError):
            return False                # no program, or one that closes over other names
        return True

    def keep(self) -> None:
        """Take the code that runs now for what `reset` sets back."""
        self.kept = [function.__code__ for function, _ in self.live]

    def reset(self) -> None:
        """Let the functions run as they were kept."""
        for (function, _), code in zip(self.live, self.kept, strict=True):
            function.__code__ = code


@contextmanager
def units_of(
    call: Callable[[], Any], prepared: Callable[[ast.Module], None] | None = None,
) -> Iterator[list[Unit]]:
    """Give the functions with a text that run in a call, those of libraries and of this package aside.

    `prepared` changes the tree of each file first. Whatever their trees are made to run is set back in the end.
    """
    functions = _functions(_executed(call))
    before = [(f, f.__code__) for f in functions]
    unnamed = [space for f in functions if "np" not in (space := f.__globals__)]
    for space in unnamed:               # edits are written with np, whatever the file calls it
        space["np"] = numpy
    try:
        yield _units(functions, prepared)
    finally:
        for f, code in before:
            f.__code__ = code
        for space in unnamed:
            space.pop("np", None)


def value_code(node: ast.expr, home: str = "") -> CodeType:
    """Return the code of an expression, without Python's warnings about what no one meant to write.

    Private names, `self.__gradient`, are those of the class that is its home.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = ast.fix_missing_locations(ast.Expression(_in_class(checked(node), home)))
        return compile(whole, "<edited>", "eval")


def _in_class(node, home):
    """Return an expression with the names that Python gives what is private in a class."""
    private = [n for n in ast.walk(node) if home and isinstance(n, ast.Attribute) and _is_private(n.attr)]
    if not private:
        return node
    node = copy.deepcopy(node)
    for n in ast.walk(node):
        if isinstance(n, ast.Attribute) and _is_private(n.attr):
            n.attr = f"_{home.lstrip('_')}{n.attr}"
    return node


def _is_private(name):
    return name.startswith("__") and not name.endswith("__")


def acts(units: list[Unit]) -> bool:
    """Tell whether code may do more than compute."""
    return any(_acts(list(ast.walk(u.function)), u.live[0][0].__globals__ if u.live else {}) for u in units)


def may_not_end(units: list[Unit]) -> bool:
    """Tell whether code may run for ever when something in it is changed."""
    return any(isinstance(n, ast.While) for u in units for n in ast.walk(u.function))


def _acts(nodes, known):
    """Tell whether a function may, given its globals; an `input` that is an argument of its own is none."""
    own = {n.arg for n in nodes if isinstance(n, ast.arg)}
    own |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    read = {n.id for n in nodes if isinstance(n, ast.Name)} - own
    called = {n.attr for n in nodes if isinstance(n, ast.Attribute)}
    imported = {a.name.split(".")[0] for n in nodes if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names}
    imported |= {(n.module or "").split(".")[0] for n in nodes if isinstance(n, ast.ImportFrom)}
    imported |= {_home(known[n]) for n in read & set(known)}
    return bool((read | imported) & ACTING or called & WRITING)


def _home(value):
    """Return the module that a value is, or comes from."""
    if isinstance(value, ModuleType):
        return value.__name__.split(".")[0]
    name = getattr(value, "__module__", "")
    return name.split(".")[0] if isinstance(name, str) and name != "builtins" else ""


def _executed(call):
    """Return the code objects of somebody's functions that run in a call."""
    found: dict[CodeType, None] = {}
    before = sys.getprofile()

    def seen(frame, event, argument):
        name = frame.f_code.co_filename
        if event == "call" and not name.startswith((*OTHERS, OURS, "<frozen")):
            found[frame.f_code] = None

    sys.setprofile(seen)
    try:
        call()
    finally:
        sys.setprofile(before if callable(before) else None)
    return list(found)


def _functions(codes):
    """Return the live functions of code objects, in their order."""
    live = [f for f in gc.get_referrers(*codes) if isinstance(f, FunctionType)] if codes else []
    return [f for code in codes for f in live if f.__code__ is code]


def _units(functions, prepared):
    """Return the units that functions are parts of, in the order in which they ran."""
    found: dict[tuple, Unit] = {}
    trees: dict[str, list[Unit]] = {}
    for f in functions:
        file = f.__code__.co_filename
        if file not in trees:
            trees[file] = list(_parsed(file, prepared))
        for k, unit in enumerate(trees[file]):
            first, last = _first_line(unit.function), unit.function.end_lineno      # type: ignore[attr-defined]
            if first <= f.__code__.co_firstlineno <= last:
                unit.live.append((f, _key(f.__code__)))
                found[file, k] = unit
                break
    for unit in found.values():
        unit.keep()
    return list(found.values())


def _parsed(file, prepared):
    """Yield the units of a file: its functions, the methods of its classes, and statements with functions in them."""
    text = "".join(linecache.getlines(file))
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    if prepared:
        prepared(module)
    for statement in module.body:
        if isinstance(statement, ast.ClassDef):
            for method in statement.body:
                alone = copy.copy(statement)
                alone.body, alone.decorator_list = [method], []
                yield Unit(file, alone, method)
        else:
            yield Unit(file, statement, statement)


def _first_line(node):
    return min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])


def _codes(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _key(code):
    return code.co_name, code.co_firstlineno, code.co_argcount
