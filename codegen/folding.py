"""Lines of code that are too long, folded at their brackets and operators."""

import re

SIGN = re.compile(r" [-+*/]?= ")                        # of an assignment
BEGINS = re.compile(r"([-+*/]|if|else|and|or) ")        # what a line of a formula begins with
LOOSEST_FIRST = ((", ",), (" | ",), (" & ",), (" + ", " - "), (" * ", " / ", " @ "))


def folded(line: str, width: int) -> list[str]:
    """Return an assignment or a call as lines of at most `width` characters, where its brackets allow that."""
    if len(line) <= width:
        return [line]
    pad, target, value = _assignment(line)
    if len(pad + target) + 1 <= width:
        return _folded_value(pad, target, value, width)
    start, end = _largest_bracket(target)               # places that are too long for one line
    places = _lines(target[start + 1:end], len(pad) + 4, width)
    return [f"{pad}{target[:start + 1]}", *places, *_folded_value(pad, target[end:], value, width)]


def _folded_value(pad, target, value, width):
    """Return an assignment as lines, its right-hand side folded where it is too long."""
    if len(pad + target + value) <= width:
        return [pad + target + value]
    start, end = _largest_bracket(value)
    outside = value[:start] + value[end:]
    short = len(outside) < width // 3 or (start == 0 and value[end:].startswith(")."))      # (A @ B).reshape(...)
    first = f"{pad}{target}{value[:start + 1]}"         # one call or product is opened where it stands
    if short and len(first) <= width and " + " not in outside and " - " not in outside:
        return [first, *_lines(value[start + 1:end], len(pad) + 4, width), pad + value[end:]]
    return [f"{pad}{target}(", *_lines(value, len(pad) + 4, width), f"{pad})"]


def broken(formula: str, first: int, rest: int) -> list[str]:
    """Return a formula in words as lines, the first of so many characters, broken where the fewest brackets are open.

    An operator begins its line; no line is shorter than half of the room that it has.
    """
    lines: list[str] = []
    while len(formula) > (room := rest if lines else first):
        depths = _depths(formula)
        spaces = [k for k, letter in enumerate(formula[:room + 1]) if letter == " "]
        spaces = [k for k in spaces if k >= room // 2] or spaces[-1:] or [k for k in range(room, len(formula))
                                                                          if formula[k] == " "][:1]
        if not spaces:
            break
        place = min(spaces, key=lambda k: (depths[k], not BEGINS.match(formula, k + 1), -k))
        lines.append(formula[:place])
        formula = formula[place + 1:]
    return [*lines, formula]


def _assignment(line):
    """Return the indentation, the left-hand side with its sign, and the right-hand side."""
    code = line.lstrip(" ")
    depths = _depths(code)
    cut = next((sign.end() for sign in SIGN.finditer(code) if depths[sign.start()] == 0), 0)
    return line[:len(line) - len(code)], code[:cut], code[cut:]


def _lines(text, indent, width):
    """Return code that stands inside brackets as lines."""
    first = " " * indent
    if len(first) + len(text) <= width:
        return [first + text]
    parts = _split(text)
    if len(parts) > 1:
        return _filled(parts, indent, width)
    start, end = _largest_bracket(text)
    if end - start < 2:
        return [first + text]
    return [first + text[:start + 1], *_lines(text[start + 1:end], indent + 4, width), " " * indent + text[end:]]


def _filled(parts, indent, width):
    """Put as many parts on a line as fit; one that fits on none is folded itself."""
    lines, current = [], ""
    for part in parts:
        joined = f"{current} {part}" if current else part
        if current and indent + len(joined) > width:
            lines += _lines(current, indent, width)
            current = part
        else:
            current = joined
    return lines + _lines(current, indent, width)


def _split(text):
    """Return the parts of code between its loosest operators outside of brackets; an operator begins its part."""
    for separators in LOOSEST_FIRST:
        places = [k for k, depth in enumerate(_depths(text)) if depth == 0 and text[k:k + 3].startswith(separators)]
        if places:
            cuts = [k + (1 if separators == (", ",) else 0) for k in places]
            return [text[a:b].strip() for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return [text]


def _largest_bracket(text):
    """Return where the widest outermost bracket opens and closes."""
    spans, start, depths = [(0, 0)], 0, _depths(text)
    for k, (depth, before) in enumerate(zip(depths, [0, *depths], strict=False)):
        if depth == 1 and before == 0:
            start = k
        elif depth == 0 and before == 1:
            spans.append((start, k))
    return max(spans, key=lambda span: span[1] - span[0])


def _depths(text):
    """Return how many brackets are open after each character."""
    depth, result = 0, []
    for character in text:
        depth += (character in "([") - (character in ")]")
        result.append(depth)
    return result
