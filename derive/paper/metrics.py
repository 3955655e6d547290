"""How wide a formula is: an estimate in ems of Computer Modern at 10 pt, a little on the safe side."""

import re

TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[{}^_]|\s+|.", re.DOTALL)
SCRIPT = (1.0, 0.74, 0.58)          # how wide letters are in text, in scripts, in scripts of scripts, with their kerns
ITALIC = {
    "A": 0.75, "B": 0.78, "C": 0.75, "D": 0.85, "E": 0.78, "F": 0.7, "G": 0.79, "H": 0.88, "I": 0.5, "J": 0.62,
    "K": 0.88, "L": 0.68, "M": 1.05, "N": 0.87, "O": 0.79, "P": 0.72, "Q": 0.79, "R": 0.77, "S": 0.66, "T": 0.68,
    "U": 0.77, "V": 0.73, "W": 1.05, "X": 0.88, "Y": 0.75, "Z": 0.74, "b": 0.45, "c": 0.45, "f": 0.57, "h": 0.58,
    "i": 0.35, "j": 0.44, "k": 0.55, "l": 0.33, "m": 0.88, "n": 0.6, "r": 0.48, "t": 0.38, "u": 0.58, "w": 0.74,
    "x": 0.58,
}
ROMAN = {
    "f": 0.33, "i": 0.28, "j": 0.31, "l": 0.28, "m": 0.84, "r": 0.4, "s": 0.4, "t": 0.4, "w": 0.75, "I": 0.37,
    "M": 0.92, "W": 1.03,
}
BINARY = frozenset(["+", "-", r"\odot", r"\oslash", r"\cdot", r"\times"])
RELATION = frozenset(["=", "<", ">", r"\le", r"\ge", r"\ne", r"\leftarrow", r"\to", r"\Rightarrow"])
COMMANDS = {
    r"\,": 0.17, r"\;": 0.28, r"\ ": 0.34, r"\quad": 1.0, r"\qquad": 2.0, r"\_": 0.4, r"\ldots": 1.2, r"\top": 0.78,
    r"\partial": 0.6, r"\lvert": 0.28, r"\rvert": 0.28, r"\langle": 0.39, r"\rangle": 0.39, r"\ell": 0.42,
    r"\eta": 0.54, r"\lfloor": 0.45, r"\rfloor": 0.45, r"\lceil": 0.45, r"\rceil": 0.45,
}
GROUPS = frozenset([r"\mathrm", r"\operatorname", r"\mathbf", r"\mathtt", r"\text", r"\mathcal", r"\hat"])
OPERATORS = frozenset(["exp", "log", "max", "min", "sin", "cos", "tan", "sinh", "cosh", "tanh"])
BIG = frozenset([r"\sum", r"\prod", r"\max"])
IGNORED = frozenset([r"\begin", r"\end"])


def width(tex: str) -> float:
    """Return the width of a formula in ems of the text font."""
    return _Reader(TOKEN.findall(tex)).row(0)


class _Reader:
    """Reads tokens once, left to right."""

    def __init__(self, tokens):
        self.tokens, self.place = [t for t in tokens if not t.isspace()], 0

    def row(self, size: int, until: str = "") -> float:
        """Return the width of what comes, up to a closing brace."""
        total = 0.0
        while self.place < len(self.tokens):
            token = self._next()
            if token == until:
                break
            total += self._one(token, size)
        return total

    def _next(self):
        self.place += 1
        return self.tokens[self.place - 1]

    def _argument(self, size, letters=None):
        """Return the width of a TeX argument: a group, or the next token."""
        token = self._next() if self.place < len(self.tokens) else ""
        if token != "{":
            return self._one(token, size) if letters is None else letters(token) * SCRIPT[size]
        if letters is None:
            return self.row(size, "}")
        total = 0.0
        while (token := self._next()) != "}":
            total += letters(token) * SCRIPT[size]
        return total

    def _one(self, token, size):
        if token == "{":
            return self.row(size, "}")
        if token in "^_":
            return self._argument(min(size + 1, 2))
        if token in BIG:
            return self._operator(token, size)
        if token in (r"\frac", r"\tfrac"):
            inner = min(size + (token == r"\tfrac" or size > 0), 2)
            return max(self._argument(inner), self._argument(inner)) + 0.24
        if token == r"\sqrt":
            return 0.85 * SCRIPT[size] + self._argument(size)
        if token == r"\operatorname" and self.tokens[self.place: self.place + 1] == ["*"]:
            self._next()
            return max(self._argument(size, _roman), self._limits(size)) + 0.34
        if token in GROUPS:
            spread = 0.34 if token == r"\operatorname" else 0.1
            return self._argument(size, _roman) + spread * (size == 0)
        if token in IGNORED:
            self._argument(size)
            return 0.5
        if re.fullmatch(r"\\[bB]igg?[lr]", token):
            self._next()
            return {"b": 0.5, "B": 0.6}[token[1]] + 0.15 * token.count("g")
        if token in BINARY:
            return 1.23 if size == 0 else 0.6
        if token in RELATION:
            return 1.35 if size == 0 else 0.6
        if token in COMMANDS:
            return COMMANDS[token] * SCRIPT[size]
        return _letter(token) * SCRIPT[size]

    def _operator(self, token, size):
        """A big operator over what is written under it and above it."""
        return max(1.6 if token == r"\sum" else 1.9, self._limits(size)) + 0.34

    def _limits(self, size):
        widths = [0.0]
        while self.place < len(self.tokens) and self.tokens[self.place] in "^_":
            self._next()
            widths.append(self._argument(min(size + 1, 2)))
        return max(widths)


def _letter(token):
    if token.startswith("\\"):
        name = token[1:]
        return sum(map(_roman, name)) + 0.34 if name.isalpha() and name in OPERATORS else 0.66
    return ITALIC.get(token, 0.52 if token.isalnum() else 0.45 if token == "," else 0.4)


def _roman(token):
    if token.startswith("\\"):
        return COMMANDS.get(token, 0.6)
    return ROMAN.get(token, 0.78 if token.isupper() else 0.56)
