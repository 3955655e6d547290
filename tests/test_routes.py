"""The ways of one variable to the loss: all paths are drawn, none twice, and their number is right."""

import random
from string import ascii_uppercase

import numpy as np
import pytest

from derive.paper.derivation import Derivation
from derive.paper.paths import Path
from derive.paper.routes import Routes

from .shipped import derived


def by_walking(readers, start, end):
    """Return all paths, found by walking along every edge."""
    if start == end:
        return [(end,)]
    return [(start, *rest) for n in readers.get(start, ()) for rest in by_walking(readers, n, end)]


def by_unfolding(stretches, start, end, readers):
    """Return all paths that a drawing shows."""
    found = []
    [stretch] = [s for s in stretches if (s.start, s.end) == (start, end)]
    for way in stretch.ways:
        if way.crossing:
            within = {n for place in way.places for n in place}
            inside = {n: [r for r in rs if r in within] for n, rs in readers.items() if n in within}
            inside[start[0]] = [n for n in inside[start[0]] if n != end[0]]
            found += by_walking(inside, start[0], end[0])
            continue
        paths = [way.places[0]]
        for a, b, several in zip(way.places, way.places[1:], way.several, strict=False):
            hops = by_unfolding(stretches, a, b, readers) if several else [(*a, *b)]
            paths = [(*path, *hop[1:]) for path in paths for hop in hops]
        found += paths
    return found


@pytest.mark.parametrize("seed", range(40))
def test_a_drawing_unfolds_to_every_path_once(seed):
    rng = random.Random(seed)
    names = ascii_uppercase[:rng.randint(3, 11)]
    readers = {n: [m for m in names[k + 1:] if rng.random() < 0.4] or [names[k + 1]] for k, n in enumerate(names[:-1])}
    routes = Routes(readers, names[0], names[-1])
    shown = by_unfolding(routes.drawn(), (names[0],), (names[-1],), readers)
    assert len(shown) == len(set(shown)) == routes.drawn()[0].paths
    assert set(shown) == set(by_walking(readers, names[0], names[-1]))


@pytest.mark.parametrize(("name", "parameter"), [
    ("gpt", "We"), ("gpt", "W1"), ("transformer_block", "Wq"), ("vae", "W1"), ("mlp", "W1"), ("batch_norm", "W1")])
def test_the_number_of_paths_is_that_of_walks_in_the_graph(name, parameter):
    """The sum of all powers of the matrix of who reads whom, which is (I - A)^-1."""
    path = Path(Derivation(derived(name)), parameter)
    names = [parameter, *dict.fromkeys(line.name for line in path.lines)]
    reads = np.zeros((len(names), len(names)))
    for line in path.lines:
        for name_read in path.sheet.needs(line) & set(names):
            reads[names.index(name_read), names.index(line.name)] = 1
    walks = np.linalg.inv(np.eye(len(names)) - reads)[0, names.index("loss")]
    assert path.routes.drawn()[0].paths == round(walks)


def test_what_repeats_is_told_once():
    blocks = {"X0": ["A1", "R1"], "A1": ["R1"], "R1": ["A2", "R2"], "A2": ["R2"], "R2": ["loss"]}
    first, *others = Routes(blocks, "X0", "loss").drawn()
    assert [w.several for w in first.ways] == [(True, True, False)] and first.paths == 4
    assert [s.like for s in others] == [None, (("X0",), ("R1",))]


def test_what_goes_round_is_one_place():
    routes = Routes({"U": ["z"], "z": ["h"], "h": ["z", "loss"]}, "U", "loss")
    assert routes.turning == [("z", "h")]
    assert [w.places for s in routes.drawn() for w in s.ways] == [(("U",), ("z", "h"), ("loss",))]
