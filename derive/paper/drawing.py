"""The section of a note that tells how one variable reaches the loss: all ways drawn out, there and back."""

from .document import Display, Formula, Line, Paragraph, Section, Text, paragraph
from .latex import MARK
from .paths import Path
from .routes import Place, Stretch, Way

ONE, SEVERAL = rf"{MARK} \to ", rf"{MARK} \Rightarrow "


def path_section(composer, name: str) -> Section:
    """Return the section about one variable; `composer` knows the derivation, the notation and the language."""
    path = Path(composer.derivation, name)
    one_path = path.routes.count(path.routes.start, path.routes.end) == 1
    followed = _there_and_back if path.is_written_out or one_path else _partings
    blocks = [*Drawing(composer, path).blocks(), *followed(composer, path)]
    return composer.section("path", *blocks, variable=Formula(composer.names.whole(name)))


class Drawing:
    """Draws the ways of a variable to the loss."""

    def __init__(self, composer, path: Path):
        self.say, self.names = composer.language.say, composer.names
        self.variable, self.routes = Formula(self.names.whole(path.name)), path.routes
        self.stretches = self.routes.drawn()
        self.ways = [way for stretch in self.stretches for way in stretch.ways]
        self.turning = any(place in self.routes.turning for way in self.ways for place in way.places)

    def blocks(self) -> list[Paragraph | Display]:
        """Say how many paths there are, and draw them."""
        paths = self.stretches[0].paths
        key = "ways in turns" if self.turning else "one way" if paths == 1 else "ways"
        told = [self.say(key, variable=self.variable, number=_number(paths)),
                self.say("several ways") if any(any(way.several) for way in self.ways) else (),
                self.say("crossing ways") if any(way.crossing for way in self.ways) else ()]
        lines = [line for stretch in self.stretches for line in self._drawn(stretch)]
        return [paragraph(*told), Display("routes", (tuple(lines),))]

    def _drawn(self, stretch: Stretch) -> list[Line]:
        """Return the ways of a stretch, one a line; what they are the ways of and how many paths, before the first."""
        if stretch is self.stretches[0]:
            return [Line("", self._arrows(way), kind="route") for way in stretch.ways]
        left = rf"{self._hop(stretch.start, stretch.end)}\colon"
        if stretch.like:
            return [Line(left, "", kind="route", reason=self.say("like", stretch=Formula(self._hop(*stretch.like))))]
        counted: Text = () if self.turning else self.say("paths", number=_number(stretch.paths))
        return [Line(left, self._arrows(way), kind="route", reason=counted if k == 0 else (), continues=k > 0)
                for k, way in enumerate(stretch.ways)]

    def _arrows(self, way: Way):
        first, *others = map(self._place, way.places)
        if way.crossing:
            return f"{first}{SEVERAL}({f',{MARK} '.join(others[:-1])}){SEVERAL}{others[-1]}"
        steps = zip(way.several, others, strict=True)
        return first + "".join((SEVERAL if several else ONE) + place for several, place in steps)

    def _hop(self, start: Place, end: Place):
        return rf"{self._place(start)} \Rightarrow {self._place(end)}"

    def _place(self, place: Place):
        """Return a variable, or in braces what depends on itself."""
        symbols = f",{MARK} ".join(map(self.names.whole, place))
        return rf"\{{{symbols}\}}" if place in self.routes.turning else symbols


def _number(count: int) -> str:
    return f"{count:,}"


def _there_and_back(composer, path):
    """A change carried to the loss line by line, and the adjoint written out."""
    say = composer.language.say
    there = [composer.line(s, line, explained=True) for line, s in path.there]
    back = [composer.line(s, None, explained=True) for s in path.back]
    kept = [line for k, line in enumerate(back) if k == 0 or line.right != back[k - 1].right]
    return [paragraph(say("path", variable=Formula(composer.names.whole(path.name)))),
            Display("steps", (tuple(there),)), paragraph(say("path back")), Display("steps", (tuple(kept),))]


def _partings(composer, path):
    """The adjoints of what several paths lead on from."""
    lines = tuple(composer.line(s, None, explained=True) for s in path.partings)
    return [paragraph(composer.language.say("partings")), Display("steps", (lines,))]
