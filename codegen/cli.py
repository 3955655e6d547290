"""The command line: `derive build`, `list`, `show`, `latex`, `html`, `markdown`, `graph`, `check`.

Exit status 0 when all holds, 1 when a check fails, 2 for a misuse, told in one line on standard error.
"""

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from derive.errors import DefinitionError, DerivationError
from derive.network import Network
from derive.networks import loading
from derive.notes import document, note
from derive.paper.md import markdown as as_markdown
from derive.text import Texts

from . import building, doctor, files, page, results, tables, verify
from .checking import check_gradient
from .extras import MissingExtra
from .memory import module_from
from .module import STYLES, source
from .notation_options import Level, Look, UsageError, check_form, on_paper
from .pictures import error_against_step, network_graph
from .progress import Progress

app = typer.Typer(
    help="Derive the gradients of networks written in SymPy; write NumPy modules and LaTeX notes, and verify them.",
    add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
)
LONGEST = 600                       # letters of what is said of a misuse
out = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
Targets = Annotated[list[str] | None, typer.Argument(metavar="[NAME or FILE.py]...", show_default=False)]
Style = Annotated[
    str,
    typer.Option(help="plain: to be read; fast: in blocks and in place; compiled: with C; scalar: on floats",
                 metavar="|".join(STYLES)),
]
FixedSizes = Annotated[str, typer.Option("--sizes", help="numbers for the style scalar", metavar="D=2,H=3")]
Target = Annotated[str, typer.Argument(metavar="NAME or FILE.py")]
Notation = Annotated[str, typer.Option(help="matrix or index", metavar="matrix|index")]
Of = Annotated[str, typer.Option(help=f"what is derived: {', '.join(results.OF)}", metavar="RESULT")]


@app.command()
def build(
    targets: Targets = None,
    output: Annotated[Path, typer.Option(help="the folder that modules and notes are written to")] = Path("generated"),
    check: Annotated[bool, typer.Option("--check", help="write nothing; show a diff where a file is stale")] = False,
    of: Of = results.GRADIENTS,
    style: Style = "plain",
    sizes: FixedSizes = "",
) -> None:
    """Derive networks, write modules and notes, verify them, print the table. A FILE.py is run to find its networks."""
    targets, of = results.asked(targets, of)
    nets = [net for target in targets for net in _networks(target)] if targets else loading.load()
    _refuse_doubles(nets)
    if os.path.lexists(output) and not output.is_dir():
        raise UsageError(f"{output} is not a folder; give --output a folder")
    if style not in STYLES:
        raise UsageError(f"--style has {style!r}; expected one of {', '.join(STYLES)}")
    fixed = _sizes(sizes, style)
    anew = _command(targets, of=of, style=style, sizes=sizes, output=output) if check else ""
    if of != results.GRADIENTS:
        _build_results(nets, of, output, anew, style)
        return
    shared = {} if targets else building.shared()
    if check:
        _check_files(nets, shared, output, style, fixed, anew)
        return
    built = _built(nets, output, style, fixed)
    found = {} if targets else results.judged_examples()
    building.write(shared, output)
    out.print(tables.summary(built))
    for line in tables.remarks(built):
        out.print(line)
    for line in results.told(found):
        out.print(line)
    if not all(b.passed for b in built) or results.complaints(found):
        raise typer.Exit(1)
    out.print(f"Wrote {2 * len(built) + len(shared)} files to {output}/")


def _built(nets, output, style, sizes):
    """Build and write each network, with progress; one that fails its checks is not written."""
    result = []
    with Progress(len(nets) * len(building.STEPS)) as bar:
        for net in nets:
            def told(step, net=net):
                bar.step(f"{net.name}: {step}")

            built = building.build(net, told=told, style=style, sizes=sizes)
            result.append(built)
            if built.passed:
                building.write(built.texts, output)
    return result


def _command(targets, **options):
    """Return the command that builds some targets with these options."""
    plain = {"of": results.GRADIENTS, "style": "plain", "sizes": "", "output": Path("generated")}
    given = [word for name, value in options.items() if value != plain[name] for word in (f"--{name}", str(value))]
    return shlex.join(["derive", "build", *(targets or ()), *given])


def _build_results(nets, of, output, anew, style):
    """Build what is derived beyond the gradients of networks; or check it, where a command says how it is made anew."""
    pairs = [(net, _derived(net, of)) for net in nets]
    texts = {name: text for _, program in pairs for name, text in results.texts(program, style).items()}
    if anew:
        stale = list(building.stale(texts, output))
        sys.stdout.write("".join(stale))
        _refuse_stale(len(stale), output, anew)
        return
    found = {program.name: results.disagreement(net, program, texts[f"{program.name}.py"]) for net, program in pairs}
    for line in results.told(found):
        out.print(line)
    if results.complaints(found):
        raise typer.Exit(1)
    building.write(texts, output)
    out.print(f"Wrote {len(texts)} files to {output}/")


def _derived(net, of):
    """Return what is asked for of a network, as a program."""
    if of not in results.OF:
        raise UsageError(f"--of has {of!r}; expected one of {', '.join(results.OF)}")
    return results.OF[of](net)


def _sizes(text, style):
    """Return the sizes of an option such as "D=2,H=3"."""
    if text and style != "scalar":
        raise UsageError(f"--sizes is for --style scalar; --style {style} takes any sizes")
    pairs = [part.partition("=") for part in text.replace(" ", "").split(",") if part]
    for name, _, value in pairs:
        if not (name and value.isdecimal() and len(value) < 10 and int(value) > 0):
            raise UsageError(f"--sizes has {text!r}; expected numbers by name, such as D=2,H=3")
    return {name: int(value) for name, _, value in pairs} or None


def _check_files(nets, shared, output, style, sizes, anew):
    """Show a diff for every stale file; exit with status 1 where there is one."""
    stale = 0
    if files.is_interrupted(output):
        raise _Failed(f"a build into {output}/ was killed as it moved its files there; the next build moves the others")
    built = (building.build(net, verified=False, style=style, sizes=sizes).texts for net in nets)
    for texts in [*built, shared]:
        for diff in building.stale(texts, output):
            sys.stdout.write(diff)
            stale += 1
    _refuse_stale(stale, output, anew)
    out.print(f"{2 * len(nets) + len(shared)} files in {output}/ are as derived now")


def _refuse_stale(count, output, anew):
    """Exit with status 1 where there are stale files."""
    if count:
        raise _Failed(f"{count} file{' is' if count == 1 else 's are'} stale in {output}/; run `{anew}` to update "
                      f"{'it' if count == 1 else 'them'}")


@app.command(name="list")
def list_() -> None:
    """List the networks that the toolkit knows."""
    out.print(tables.known(loading.load()))


@app.command()
def show(
    target: Target, notation: Notation = "matrix", of: Of = results.GRADIENTS, level: Level = None,
) -> None:
    """Print a network's forward and backward equations, or those of what else is derived of it."""
    check_form(notation)
    for net in _networks(target):
        text = Texts(_derived(net, of), notation)
        shown = text.listing() if level is None else text.derivation(level)
        out.print(f"{shown}\n", markup=False, soft_wrap=True)


@app.command()
@on_paper
def latex(
    target: Target,
    look: Look,
    standalone: Annotated[bool, typer.Option("--standalone", help="a whole document rather than a section")] = False,
    of: Of = results.GRADIENTS,
) -> None:
    """Print a network's note, or that of what else is derived of it."""
    for net in _networks(target):
        program = _derived(net, of)
        sys.stdout.write(note(program, look(program.notation), standalone))


@app.command(name="html")
@on_paper
def html_(target: Target, look: Look) -> None:
    """Print a network's note as a web page: the derivation beside the code, the graph, and what verified it."""
    for net in _networks(target):
        program = net.backward()
        text, notation = source(program), look(program.notation)
        steps = page.steps_figure(_report(program, text), notation.language)
        sys.stdout.write(page.html(program, notation, building.verdicts(net, program, text), steps))


@app.command()
@on_paper
def markdown(target: Target, look: Look, of: Of = results.GRADIENTS) -> None:
    """Print a network's note as Markdown, its formulas between dollars."""
    for net in _networks(target):
        program = _derived(net, of)
        sys.stdout.write(as_markdown(document(program, look(program.notation))))


@app.command()
def graph(target: Target) -> None:
    """Print a network's computational graph as SVG: shapes of values and adjoints on its edges."""
    for net in _networks(target):
        sys.stdout.write(network_graph(net.backward()))


@app.command()
def check(
    target: Target,
    against: Annotated[
        str | None, typer.Option(metavar="FILE.py:FUNCTION", help="somebody's hand-written backprop; or, of a layer, "
                                 "FILE.py:FORWARD,BACKWARD")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="draw the error of differences against their step")
    ] = None,
) -> None:
    """Verify a network; or diff somebody's hand-written backprop against it."""
    failed = False
    nets = _networks(target)
    if plot:
        _plot(nets, plot, against)
    for net in nets:
        program = net.backward()
        if against:
            failed = not _against(net, program, against) or failed
            continue
        verdicts = building.verdicts(net, program, source(program))
        out.print(tables.verdicts(net.name, program, verdicts))
        for verdict in verdicts:
            for complaint in verdict.complaints:
                out.print(f"{verdict.judge}: {complaint}", markup=False, soft_wrap=True)
            for remark in verdict.notes:
                out.print(f"{verdict.judge}: {remark}", markup=False, soft_wrap=True)
        failed = failed or not all(v.passed for v in verdicts)
    if failed:
        raise typer.Exit(1)


def _plot(nets, path, against):
    """Write the figure of a network's errors against the step."""
    if against or len(nets) != 1 or path.suffix != ".svg":
        raise UsageError("--plot draws the derived gradients of one network; expected --plot FILE.svg, one network and "
                         "no --against")
    program = nets[0].backward()
    files.replace({path.name: error_against_step(_report(program, source(program)))}, path.parent)


def _report(program, text):
    """Return what differences of every step say of a module, without judging it."""
    module = module_from(program.name, text)
    arguments = verify.lively_sample(program, module)
    return check_gradient(module.forward, module.loss_and_grads, arguments, calls=0)


def _against(net, program, place):
    """Print the table and the diagnosis of somebody's backprop; tell whether it is right."""
    path, colon, functions = place.rpartition(":")
    if not colon or not path or not functions:
        raise UsageError(f"--against has {place!r}; expected FILE.py:FUNCTION")
    try:
        theirs = [verify.function_in(Path(path), function) for function in functions.split(",", 1)]
    except ValueError as error:
        raise UsageError(str(error)) from error
    found = doctor.diagnose(net, doctor.layered(*theirs) if len(theirs) == 2 else theirs[0])
    if found.verdict == doctor.UNKNOWN:
        arguments = ", ".join(v.name for v in (*program.parameters, *program.inputs))
        raise _Failed(f"{place}({arguments}): {' '.join(found.remarks)}")
    verdict = verify.Verdict(verify.JUDGES[2], found.tolerance, found.disagreements)
    out.print(tables.verdicts(net.name, program, [verdict]))
    for line in found.lines():
        out.print(line, markup=False, soft_wrap=True)
    return found.right


def _networks(target: str) -> list[Network]:
    """Return the network of a name, or those of a file, which is run."""
    if target.endswith(".py") or "/" in target:
        return loading.read(target)
    return [loading.named(target)]


def _refuse_doubles(nets):
    names = [n.name for n in nets]
    double = next((n for n in names if names.count(n) > 1), None)
    if double:
        raise UsageError(f"two networks are called {double!r}; they would write the same files")


class _Failed(Exception):
    """A check failed: exit status 1."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    arguments = sys.argv[1:] if arguments is None else arguments
    _as_utf8(sys.stdout, sys.stderr)
    try:
        status = app(arguments or ["--help"], standalone_mode=False, prog_name="derive")
    except (DefinitionError, DerivationError, MissingExtra) as error:
        _say(error, 2)
    except UsageError as error:
        _say(error.format_message(), 2)
    except _Failed as error:
        _say(error, 1)
    except RecursionError:
        _say("an expression nests too deep for Python; name its parts by net.define(...)", 2)
    except OSError as error:
        _say(f"{error.filename or 'a file'}: {error.strerror or error}", 2)
    except (KeyboardInterrupt, typer.Abort):
        status = 130
    if status == 130:
        _say("interrupted; files are either as they were or as they should be", 130)
    sys.exit(status if isinstance(status, int) else 0)


def _as_utf8(*streams):
    """Have the same bytes come out in every locale; a terminal that lacks a letter shows a question mark."""
    for stream in streams:
        if stream.isatty():
            stream.reconfigure(errors="replace")
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8")


def _say(message, status):
    line = " ".join(str(message).split())
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    print(f"derive: {line if len(line) <= LONGEST else f'{line[:LONGEST - 100]} ... {line[-95:]}'}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
