"""Thousands of random programs, each derived, generated and judged three times.

    python -m tests.sweep --programs 10000

Program number k is the same on every machine, so a sweep goes on where another stopped: `--first 3000`, or by a
journal (`--journal FILE`), from which a page is written (`--report docs/random-programs.md`). Even numbers are networks
in array notation, odd ones in index notation. Each is judged by PyTorch on the forward equations, by finite differences
of the generated loss, and by the referee. A failure is printed with the number of its program, cut down as far as it
still fails, and the exit status is 1.
"""

import argparse
import signal
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from random import Random
from unittest.mock import patch

import numpy as np

from codegen import check_gradient, lambdify
from codegen.checking import WRONG
from codegen.verify import relative
from derive.errors import DefinitionError, DerivationError
from derive.referee import TOLERANCE, disagreement
from tests import random_layers, random_networks, sweep_journal, torch_programs
from tests.sweep_journal import Outcome
from tests.sweep_report import page, reason

LIMIT = 60                      # seconds that a program may take
TINY = 1e-20                    # of products of so many small factors that only rounding is left, a gradient of 0
CLOSE, NOISE = 1e-9, 1e-11      # of gradients with PyTorch's, relative to a parameter's largest entry, or to all
SMALL = {"N": 2, "D": 3, "H": 2, "C": 2, "T": 2}        # for the referee, whose arithmetic is exact and slow


class Failure(Exception):
    """A judge is not content."""


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


def network(number, draws=10**9):
    """Return a random network by its number, and the sizes that it is judged at."""
    random = Faded(number, draws)
    if number % 2:
        return random_networks.network(number, random), random_networks.SIZES[number // 2 % 2], None
    return random_layers.network(random), random_layers.SIZES, SMALL


def arguments(program, sizes, seed, keywords):
    """Return random arguments, sizes that no argument shows included."""
    random = np.random.default_rng(seed)

    def value(v):
        shape = tuple(int(s.xreplace(sizes)) for s in v.shape)
        if v.kind == "labels":
            return random.integers(0, int(v.classes.xreplace(sizes)), shape)
        return np.asarray(random.normal(size=shape))

    known = {s.name: n for s, n in sizes.items()}
    return {v.name: value(v) for v in (*program.parameters, *program.inputs)} | {n: known[n] for n in keywords}


def judge(net, sizes, small=None, seed=0, judges=("torch", "differences", "referee")):
    """Derive and generate a network and judge it.

    Raises
    ------
    Failure
        A judge is not content.
    """
    program, derived = net.program(), net.backward()
    sizes = {s: sizes[s.name] for s in program.sizes}
    module = lambdify(derived).module
    code = module.forward.__code__
    keywords = code.co_varnames[code.co_argcount:code.co_argcount + code.co_kwonlyargcount]
    given = arguments(program, sizes, seed, keywords)
    with np.errstate(all="ignore"), _unset_entries_are_nan():
        loss, grads = module.loss_and_grads(**given)
    if "torch" in judges:
        _by_torch(program, sizes, given, loss, grads)
    if "differences" in judges and np.isfinite(loss):
        report = check_gradient(lambda **k: module.forward(**k)[0], lambda **k: module.loss_and_grads(**k)[1], given,
                                calls=400)
        if report.verdict == WRONG:
            raise Failure(f"differences: {report}")
    if "referee" in judges:
        at = {s: small[s.name] for s in program.sizes} if small else sizes
        found = disagreement(program, derived, at, seed=seed)
        wrong = {n: d for n, d in found.items() if d > TOLERANCE}
        if wrong:
            raise Failure(f"referee: {wrong}")


@contextmanager
def _unset_entries_are_nan():
    """Let np.empty hold what shows wherever it is read before it is written."""
    empty = np.empty

    def unset(shape, dtype=float, **rest):
        return np.full(shape, np.nan, dtype) if np.issubdtype(dtype, np.floating) else empty(shape, dtype, **rest)

    with patch.object(np, "empty", unset):
        yield


def _by_torch(program, sizes, given, loss, grads):
    their_loss, theirs = torch_programs.loss_and_grads(program, sizes, given)
    if not np.isclose(loss, their_loss, rtol=1e-10, atol=1e-12, equal_nan=True):
        raise Failure(f"PyTorch has the loss {their_loss}, the module {loss}")
    largest = max((float(np.max(np.abs(g), initial=0)) for g in theirs.values()), default=0)
    for name, g in theirs.items():
        ours = getattr(grads, name)
        apart = float(np.max(np.abs(ours - g), initial=0))
        noise = max(NOISE * max(largest, abs(loss)), TINY)
        if np.isfinite(loss) and not (relative(g, ours) <= CLOSE or apart <= noise):
            raise Failure(f"PyTorch's gradient of {name} is {apart:.1e} away, of at most {np.max(np.abs(g)):.1e}")


def outcome(number, draws=10**9, judges=("torch", "differences", "referee")):
    """Return "passed", or what is wrong with program `number`, in a line."""
    try:
        with _within(LIMIT):
            return _judged(number, draws, judges)
    except TimeoutError:
        return f"no end after {LIMIT} s"


@contextmanager
def _within(seconds):
    """Raise TimeoutError in what computes longer; systems without alarms wait for it."""
    if not hasattr(signal, "SIGPROF"):
        yield
        return

    def late(signum, frame):
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _judged(number, draws, judges):
    try:
        net, sizes, small = network(number, draws)
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


def shrunk(number, judges, most=80):
    """Return the fewest draws with which a program still fails."""
    return next((k for k in range(most) if outcome(number, k, judges) != "passed"), 10**9)


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.sweep", description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", type=int, default=10000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the number of the first")
    parser.add_argument("--judges", default="torch,differences,referee", help="which of the three")
    parser.add_argument("--no-shrinking", action="store_true", help="print failures as they are")
    parser.add_argument("--journal", type=Path, help="a file that keeps each outcome; what it has is not run again")
    parser.add_argument("--again", action="store_true", help="run those again that failed by the journal")
    parser.add_argument("--sample", type=int, default=0,
                        help="run so many of those again that passed on another commit by the journal, at random")
    parser.add_argument("--report", type=Path, help="write the page that tells the outcome")
    asked = parser.parse_args()
    programs, commit = range(asked.first, asked.first + asked.programs), sweep_journal.commit()
    outcomes = sweep_journal.read(asked.journal, programs)
    todo = [n for n in programs if n not in outcomes or (asked.again and _failed(outcomes[n]))]
    todo += _sample([n for n, o in outcomes.items() if not _failed(o) and o.commit != commit], asked.sample)
    start = time.time()
    for k, number in enumerate(todo):
        outcomes[number] = Outcome(outcome(number, judges=asked.judges.split(",")), commit)
        sweep_journal.add(asked.journal, number, outcomes[number])
        if _failed(outcomes[number]):
            _show(number, outcomes[number].result, asked)
        if k % 50 == 49:
            failures = sum(map(_failed, outcomes.values()))
            print(f"{k + 1} programs, {failures} failures, {time.time() - start:.0f} s; "
                  f"to go on: --first {number + 1}", file=sys.stderr, flush=True)
    if asked.report:
        asked.report.write_text(page(outcomes, f"python -m tests.sweep --programs {asked.programs} --report FILE"))
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
    judges = asked.judges.split(",")
    draws = 10**9 if asked.no_shrinking else shrunk(number, judges)
    if draws < 10**9:
        print(f"  with {draws} draws: {outcome(number, draws, judges)}", flush=True)
        print("\n".join(f"    {line}" for line in str(network(number, draws)[0].program()).splitlines()))


if __name__ == "__main__":
    main()
