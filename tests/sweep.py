"""Thousands of random programs, each derived, generated and judged several times.

    python -m tests.sweep --programs 10000

Program number k of a stream is the same on every machine, so a sweep goes on where another stopped: `--first 3000`, or
by a journal (`--journal FILE`), from which the stream's table is written (`--report docs/random-programs.md`). Streams:

    plain       even numbers are networks in array notation, odd ones in index notation
    wider       networks in index notation that solve equations, sum up to an index, read at halves
    products    those of `plain`: products with their Hessians

Gradients are judged by PyTorch on the forward equations, by finite differences of the generated loss, and by the
referee; products with a Hessian by PyTorch, which differentiates twice. A failure is printed with the number of its
program, cut down as far as it still fails, and the exit status is 1.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from codegen.doctor.limits import time_limited
from derive.errors import DefinitionError, DerivationError
from tests import random_layers, random_networks, random_wider, sweep_journal
from tests.sweep_journal import Outcome
from tests.sweep_judges import GRADIENTS, Failure, judge
from tests.sweep_report import reason, reported

LIMIT = 60                      # seconds that a program may take
SMALL = {"N": 2, "D": 3, "H": 2, "C": 2, "T": 2}        # for the referee, whose arithmetic is exact and slow


class Faded(Random):
    """A source of random choices that, after so many, takes the simplest one for ever."""

    def __init__(self, seed, draws):
        super().__init__(seed)
        self.left = draws

    def random(self):
        self.left -= 1
        return super().random() if self.left >= 0 else 0.0

    def randint(self, low, high):
        return low + int(self.random() * (high - low + 1))

    def choice(self, options):
        return options[self.randint(0, len(options) - 1)]

    def sample(self, options, k):
        options = list(options)
        return [options.pop(self.randint(0, len(options) - 1)) for _ in range(k)]


@dataclass(frozen=True)
class Stream:
    """Networks by their numbers, the sizes that they are judged at and those for the referee, and who judges."""

    network: Callable
    judges: tuple[str, ...]


def _plain(number, random):
    if number % 2:
        return random_networks.network(number, random), random_networks.SIZES[number // 2 % 2], None
    return random_layers.network(random), random_layers.SIZES, SMALL


def _wider(number, random):
    return random_wider.network(number, random), random_wider.SIZES[number % 2], None


STREAMS = {"plain": Stream(_plain, GRADIENTS), "wider": Stream(_wider, (*GRADIENTS, "products")),
           "products": Stream(_plain, ("products",))}


def network(number, draws=10**9, stream="plain"):
    """Return a random network by its number, the sizes that it is judged at, and those for the referee."""
    return STREAMS[stream].network(number, Faded(number, draws))


def outcome(number, draws=10**9, judges=None, stream="plain"):
    """Return "passed", or what is wrong with program `number`, in a line."""
    try:
        with time_limited(LIMIT):
            return _judged(number, draws, judges or STREAMS[stream].judges, stream)
    except TimeoutError:
        return f"no end after {LIMIT} s"


def _judged(number, draws, judges, stream):
    try:
        net, sizes, small = network(number, draws, stream)
        judge(net, sizes, small, number, judges)
    except Failure as failure:
        return " ".join(str(failure).split())
    except (DefinitionError, DerivationError) as error:
        return f"{type(error).__name__}: {error}"
    except TimeoutError:
        raise
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return "passed"


def shrunk(number, judges, stream="plain", most=80):
    """Return the draws with which a program is shortest and still fails; one that cannot be written comes last."""
    def length(draws):
        try:
            return len(str(network(number, draws, stream)[0].program()))
        except Exception:
            return 10**9
    return next((k for k in sorted(range(most), key=length) if outcome(number, k, judges, stream) != "passed"), 10**9)


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.sweep", description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", type=int, default=10000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the number of the first")
    parser.add_argument("--stream", choices=STREAMS, default="plain", help="which programs")
    parser.add_argument("--judges", help="who judges: torch,differences,referee,products; else all that the stream has")
    parser.add_argument("--no-shrinking", action="store_true", help="print failures as they are")
    parser.add_argument("--journal", type=Path, help="a file that keeps each outcome; what it has is not run again")
    parser.add_argument("--again", action="store_true", help="run those again that failed by the journal")
    parser.add_argument("--sample", type=int, default=0,
                        help="run so many of those again that passed on another commit by the journal, at random")
    parser.add_argument("--report", type=Path, help="a page: write into it the table of the outcomes")
    asked = parser.parse_args()
    asked.judges = tuple(asked.judges.split(",")) if asked.judges else STREAMS[asked.stream].judges
    programs, commit = range(asked.first, asked.first + asked.programs), sweep_journal.commit()
    outcomes = sweep_journal.read(asked.journal, programs)
    todo = [n for n in programs if n not in outcomes or (asked.again and _failed(outcomes[n]))]
    todo += _sample([n for n, o in outcomes.items() if not _failed(o) and o.commit != commit], asked.sample)
    start = time.time()
    for k, number in enumerate(todo):
        outcomes[number] = Outcome(outcome(number, judges=asked.judges, stream=asked.stream), commit)
        sweep_journal.add(asked.journal, number, outcomes[number])
        if _failed(outcomes[number]):
            _show(number, outcomes[number].result, asked)
        if k % 50 == 49:
            failures = sum(map(_failed, outcomes.values()))
            print(f"{k + 1} programs, {failures} failures, {time.time() - start:.0f} s; "
                  f"to go on: --first {number + 1}", file=sys.stderr, flush=True)
    if asked.report:
        text = reported(asked.report.read_text(encoding="utf-8"), asked.stream, outcomes)
        asked.report.write_text(text, encoding="utf-8")
    counts = Counter("failed" if _failed(o) else "passed" if o.result == "passed" else "refused"
                     for o in outcomes.values())
    print(f"{len(outcomes)} programs: {', '.join(f'{counts[w]} {w}' for w in ('passed', 'refused', 'failed'))}")
    sys.exit(bool(counts["failed"]))


def _sample(numbers, count):
    return sorted(Random(0).sample(numbers, min(count, len(numbers))))


def _failed(outcome):
    return outcome.result != "passed" and not reason(outcome.result)


def _show(number, result, asked):
    """Print a failure, and the program cut down as far as it still fails."""
    print(f"program {number}: {result}", flush=True)
    draws = 10**9 if asked.no_shrinking else shrunk(number, asked.judges, asked.stream)
    if draws < 10**9:
        print(f"  with {draws} draws: {outcome(number, draws, asked.judges, asked.stream)}", flush=True)
        print("\n".join(f"    {line}" for line in str(network(number, draws, asked.stream)[0].program()).splitlines()))


if __name__ == "__main__":
    main()
