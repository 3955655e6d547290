"""The note of a derived program: its derivation as a section of LaTeX that stands in lecture notes as it is."""

import re

from .kinks import conventions
from .paper.layout import PAGE, text_width
from .paper.notation import Notation
from .paper.prose import escaped, listed, paragraph
from .paper.sheet import Sheet
from .paper.systems import Systems
from .program import Program

DOCUMENT = r"""\documentclass{article}
\usepackage{amsmath}
\begin{document}
%s
\end{document}
"""
TOLERANT = r"\begingroup\emergencystretch=4em \hbadness=10000     % formulas in the prose may ask for wide spaces"
MOST_REFERENCES = 6         # to lines, in one sentence
HEADING = 1.8               # how much wider a section's number and title are than text of the same letters


def note(program: Program, notation: str = "matrix", standalone: bool = False) -> str:
    """Return the LaTeX note of a derived program; `standalone` makes it a document of its own.

    Raises
    ------
    DerivationError
        A notation other than "matrix" and "index", or an expression without a notation.
    """
    systems = Systems(Sheet(program), notation)
    forward, backward, gradients, chains = systems.forward(), systems.backward(), systems.gradients(), systems.chains()
    stand_ins = _stand_ins(systems)
    body = "\n".join([*forward, *backward, *gradients, stand_ins])
    words = Notation(systems, body, notation)
    parts = [
        [f"% Generated from {_source(program)}; do not edit.", TOLERANT, _heading(_title(program))],
        paragraph(escaped(program.note)),
        [r"\paragraph{Notation.}", *paragraph(*words.sentences()), *words.table()],
        [rf"\paragraph{{{'Equations' if program.results else 'Forward'}.}}", *forward],
        _assumptions(systems),
        [r"\paragraph{Backward.}", *_method(systems, words, stand_ins), *backward] if backward else [],
        [*_gradients_head(systems), *gradients] if gradients else [],
        [r"\paragraph{Chain rule.} The same, factor by factor:", *chains] if chains else [],
        _update(systems),
        _kinks(program),
    ]
    text = "\n\n".join("\n".join(p) for p in parts if p) + "\n\\par\\endgroup\n"
    return DOCUMENT % text.rstrip("\n") if standalone else text


def _title(program):
    """The network's title, and what is derived of it beyond gradients."""
    return f"{program.title}: {program.subject}" if program.results else program.title


def _heading(title):
    """A section; a title of more than one line is not justified."""
    text = escaped(title)
    return rf"\section{{{text}}}" if HEADING * text_width(text) < PAGE else rf"\section[{text}]{{\raggedright {text}}}"


def _source(program):
    of = f" --of {program.function}" if program.function else ""
    if program.source.startswith("derive/networks/"):
        return f"{program.source} by `derive build {program.network}{of}`"
    return f"{program.source} by `derive build {program.source}{of}`" if program.source else "a script"


def _assumptions(systems):
    """What is assumed, and the adjoints that are shorter for it."""
    program, sentences = systems.program, []
    for a in program.assumptions:
        equations = listed([f"${systems.formula(left)} = {systems.formula(right)}$" for left, right in a.equalities])
        shorter = [f"${systems.names.variable(n)}$" for n, facts in program.since.items()
                   if a.fact in facts and n in program.variables]
        words = " ".join(f"${systems.names.variable(w)}$" if w in a.about else escaped(w) for w in a.fact.split())
        if shorter:
            have = "has the short form" if len(shorter) == 1 else "have the short forms"
            sentences.append(f"Since {words}, that is {equations}, {listed(shorter)} {have} below.")
        else:
            sentences.append(f"{words[0].upper()}{words[1:]}: {equations}.")
    return paragraph(rf"\paragraph{{Assumption{'s' if len(sentences) > 1 else ''}.}}", *sentences) if sentences else []


def _stand_ins(systems):
    """Say what P and Y stand for."""
    used = sorted(systems.writer.stand_ins.used.values(), key=lambda s: s.bottom == 1)
    told = [f"{_meaning(systems, s)} for {s.what}" for s in used if systems.is_introduced(s)]
    return f"Write {listed(told)}." if told else ""


def _meaning(systems, stand_in):
    read, top = systems.formula(stand_in.read), systems.formula(stand_in.top)
    return f"${read} = {top} / {systems.formula(stand_in.bottom)}$" if stand_in.bottom != 1 else f"${read} = {top}$"


def _method(systems, words, stand_ins):
    """Say what is done on the way back."""
    text = "Take the differential of each line, last to first, "
    text += f"substitute it in ${words.pairing()}$, and read off the adjoints."
    readers = [n for row in systems.sheet.rows for n in systems.sheet.needs(row.line)]
    shared = "What several lines read collects what each of them sends back."
    return paragraph(text, shared if len(readers) > len(set(readers)) else "", stand_ins)


def _gradients_head(systems):
    lines = [systems.reference(row.line) for row in systems.sheet.rows if row.gradients]
    where = f", read off from {listed(lines)}" if 0 < len(lines) <= MOST_REFERENCES else ""
    if len(systems.sheet.gradients) == 1:
        return paragraph(rf"\paragraph{{Gradient.}} The parameter's adjoint{where}:")
    return paragraph(rf"\paragraph{{Gradients.}} The parameters' adjoints{where}:")


def _update(systems):
    """One step of gradient descent."""
    parameters = [systems.names.variable(p.name) for p in systems.program.parameters]
    if not parameters or systems.program.results:
        return []
    rate = systems.names.unused(r"\eta", r"\lambda", r"\epsilon")
    rest = "" if len(parameters) == 1 else ", and likewise for the other parameters"
    adjoint = systems.names.variable(f"d{systems.program.parameters[0].name}")
    step = rf"{parameters[0]} \leftarrow {parameters[0]} - {rate}\,{adjoint}"
    text = rf"\paragraph{{Update.}} A step of gradient descent at the learning rate ${rate}$ is ${step}${rest}."
    return paragraph(text)


def _kinks(program):
    """The conventions at kinks."""
    told = [re.sub(r"(\w+)('?)\((\w)\) = (\w)", r"$\\operatorname{\1}\2(\3) = \4$", c) for c in conventions(program)]
    told = [c.replace("|x|", r"$\lvert x\rvert$") for c in told]
    if not told:
        return []
    text = "; ".join(told)
    return paragraph(rf"\paragraph{{Convention{'s' if len(told) > 1 else ''}.}} {text[0].upper()}{text[1:]}.")
