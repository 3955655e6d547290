"""Every generated gradient sabotaged in its text: the differences must catch it, and the doctor name it.

    python -m tests.mutation [NAME ...] [--ask K] [--each K] [--keep]

All mutants are made and checked; the doctor is asked about all of them, or about K of each network, drawn at random.
`--keep` puts the counts into docs/mutation.csv, network by network, and the table made of them into docs/doctor.md.
"""

import argparse
import random
import sys
import time
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np

from codegen.differences import compare, derivative_estimate
from codegen.doctor import diagnose
from codegen.doctor.trials import points
from codegen.memory import module_from
from codegen.module import source
from derive.networks import loading
from tests import mutation_table
from tests.sabotage import mutants

SAME = 1e-9             # a mutant that changes no gradient by more, at any point, is equivalent
SECONDS = 10.0          # that the doctor may search
SEEN = 1e-6             # of its largest entry, by which a gradient must differ for differences to catch it


@dataclass
class Outcome:
    """What became of the mutants of one network; `counts` has them by class and by what became of them."""

    network: str
    counts: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    missed: list[str] = field(default_factory=list)         # by the differences
    unnamed: list[str] = field(default_factory=list)        # by the doctor
    seconds: float = 0.0

    def total(self, column: str) -> int:
        """Return how many mutants, of all classes, are in a column of the table."""
        return sum(counts[column] for counts in self.counts.values())


def judged(name: str, each: int | None = None, ask: int | None = None, seed: int = 0) -> Outcome:
    """Sabotage a network's module, all mutants or `each` drawn at random; ask the doctor about all or `ask` of them."""
    net, start = loading.named(name), time.perf_counter()
    program = net.backward()
    text, tried = source(program), [p for p in points(program) if not p.kinked]
    module = module_from(name, text)
    shapes = _shapes(module, tried[0])
    found = list({m.text: m for m in mutants(text, shapes)}.values())
    order = random.Random(f"{seed} {name}").sample(found, len(found))[:each]
    outcome = Outcome(name)
    rights = [_gradients(module, p) for p in tried]
    estimates = _estimates(module, tried[0], [p.name for p in program.parameters])
    for mutant in order:
        counts = outcome.counts[mutant.kind]
        counts["mutants"] += 1
        try:
            sabotaged = module_from(net.name, mutant.text)
            answers = [_gradients(sabotaged, p) for p in tried]
        except Exception:
            answers = []
        if all(a is None for a in answers):
            counts["raise"] += 1
        elif _is_equivalent(answers, rights):
            counts["equal"] += 1
        else:
            told = f"{outcome.network}: {mutant.line}    {mutant.words}"
            _check(answers, rights, estimates, outcome, counts, told)
            if ask is None or outcome.total("asked") < ask:
                _ask(net, sabotaged, outcome, counts, told)
    outcome.seconds = time.perf_counter() - start
    return outcome


def _is_equivalent(answers, rights):
    """Tell whether a mutant gives the right gradients everywhere."""
    return all(a is not None and all(_apart(a[n], r[n]) <= SAME for n in r)
               for a, r in zip(answers, rights, strict=True))


def _check(answers, rights, estimates, outcome, counts, told):
    """Compare with finite differences: at the first point, or, where it is right there, at others."""
    if answers[0] is None or any(not _agrees(estimates[n], g) for n, g in answers[0].items()):
        counts["caught"] += 1
        return
    others = any(a is None or any(_apart(a[n], rights[k][n]) > SEEN for n in a) for k, a in enumerate(answers))
    counts["caught"] += others
    if not others:
        outcome.missed.append(told)


def _ask(net, sabotaged, outcome, counts, told):
    """Ask the doctor: the mistake is named where the verdict is "wrong" and no part of it is left unknown."""
    diagnosis = diagnose(net, sabotaged.loss_and_grads, SECONDS)
    counts["asked"] += 1
    if diagnosis.verdict == "wrong":
        counts["wrong"] += 1
    if diagnosis.verdict == "wrong" and "unknown" not in diagnosis.kinds:
        counts["named"] += 1
    else:
        outcome.unnamed.append(f"{told}\n        {diagnosis}")


def _estimates(module, point, names):
    sizes = _keywords(module, point)

    def loss_of(name):
        return lambda value: float(module.forward(**{**point.arguments, **sizes, name: value})[0])

    return {n: derivative_estimate(loss_of(n), point.arguments[n]) for n in names}


def _agrees(estimate, gradient):
    if np.shape(gradient) != np.shape(estimate.value) or not np.all(np.isfinite(gradient)):
        return False
    return compare(estimate, gradient, SEEN).agrees


def _keywords(module, point):
    code = module.forward.__code__
    wanted = code.co_varnames[code.co_argcount:code.co_argcount + code.co_kwonlyargcount]
    return {s.name: n for s, n in point.sizes.items() if s.name in wanted}


def _gradients(module, point):
    """Return the gradients at a point by name, None where the module raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = module.loss_and_grads(**point.arguments, **_keywords(module, point))[1]._asdict()
    except Exception:
        return None
    return {n: np.asarray(g, float) for n, g in found.items()}


def _apart(a, b):
    if np.shape(a) != np.shape(b) or not np.all(np.isfinite(a)):
        return np.inf
    scale = max(np.max(np.abs(a), initial=0), np.max(np.abs(b), initial=0)) or 1.0
    return float(np.max(np.abs(a - b), initial=0)) / max(scale, 1e-12)


def _shapes(module, point):
    """Return the shapes of the arrays of numbers in `backward`, by name, as it ran at a point."""
    found = {}

    def seen(frame, event, argument):
        if event == "return" and frame.f_code is module.backward.__code__:
            found.update({n: v.shape for n, v in frame.f_locals.items()
                          if isinstance(v, np.ndarray) and v.dtype.kind == "f"})
        return seen

    before = sys.gettrace()
    sys.settrace(seen)
    try:
        module.loss_and_grads(**point.arguments, **_keywords(module, point))
    finally:
        sys.settrace(before)
    return found


def main(arguments=None) -> int:
    """Judge networks, print a table; exit status 1 where a mutant escapes, or less than nine in ten are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks; all of them by default")
    parser.add_argument("--ask", type=int, metavar="K", help="ask the doctor about K mutants a network; all by default")
    parser.add_argument("--each", type=int, metavar="K", help="make only K mutants a network, drawn at random")
    parser.add_argument("--show", action="store_true", help="print what was missed")
    parser.add_argument("--keep", action="store_true", help="put the counts into docs/")
    options = parser.parse_args(arguments)
    rows = []
    print(f"{'network':24}" + "".join(f"{c:>9}" for c in (*mutation_table.COLUMNS, "seconds")))
    for name in options.names or loading.names():
        o = judged(name, options.each, options.ask)
        columns = "".join(f"{o.total(c):9}" for c in mutation_table.COLUMNS)
        print(f"{name:24}{columns}{o.seconds:9.1f}", flush=True)
        for line in [*(f"    missed  {m}" for m in o.missed), *(f"    unnamed {m}" for m in o.unnamed)]:
            if options.show:
                print(line)
        made = [mutation_table.Row(name, kind, Counter(counts)) for kind, counts in sorted(o.counts.items())]
        rows += made
        if options.keep:
            mutation_table.keep(made)
    total = mutation_table.summed(rows)
    print(mutation_table.sentence(total))
    return 0 if total["caught"] == mutation_table.real(total) and total["named"] >= 0.9 * total["asked"] else 1


if __name__ == "__main__":
    sys.exit(main())
