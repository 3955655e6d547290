"""Sentences, span by span: what prints them says how each kind of span looks, and nothing else."""

from .document import Code, Formula, Reference, Span, Term, Text
from .latex import plain
from .prose import code, escaped


class Spans:
    """Prints spans; one method for each kind."""

    def text(self, text: Text) -> str:
        """Return a sentence."""
        return "".join(map(self.span, text))

    def span(self, span: Span) -> str:
        """Return one span."""
        if isinstance(span, Formula):
            return self.formula(span.text)
        if isinstance(span, Reference):
            return self.reference(span.label)
        if isinstance(span, Code):
            return self.code(span.text)
        return self.term(span.text) if isinstance(span, Term) else self.prose(span.text)

    def formula(self, tex: str) -> str:
        """Return a formula in a sentence."""
        raise NotImplementedError

    def reference(self, label: str) -> str:
        """Return the number of a line."""
        raise NotImplementedError

    def code(self, text: str) -> str:
        """Return an identifier or the name of a file."""
        raise NotImplementedError

    def term(self, text: str) -> str:
        """Return a word where it is defined."""
        raise NotImplementedError

    def prose(self, text: str) -> str:
        """Return free text."""
        raise NotImplementedError


class LatexSpans(Spans):
    """Sentences in LaTeX; with `foreign`, letters that pdflatex lacks stand as they are."""

    def __init__(self, foreign: bool):
        self.foreign = foreign

    def formula(self, tex):
        """$x$."""
        return f"${plain(tex)}$"

    def reference(self, label):
        r"""As amsmath numbers it: \eqref."""
        return rf"\eqref{{{label}}}"

    def code(self, text):
        r"""In \texttt."""
        return rf"\texttt{{{code(text)}}}"

    def term(self, text):
        r"""In \emph; in bold where letters have no italics, as Korean ones."""
        return rf"\{'textbf' if self.foreign else 'emph'}{{{self.free(text)}}}"

    def prose(self, text):
        """Escaped, with a space where there was one at an end."""
        inside = self.free(text)
        before, after = text[:1].isspace(), inside and text[-1:].isspace()
        return f"{' ' if before else ''}{inside}{' ' if after else ''}"

    def free(self, text: str) -> str:
        """Return free text, nothing in it markup."""
        return escaped(text, keep=self.foreign)
