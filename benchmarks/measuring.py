"""Measuring contenders beside each other: agreement first, then interleaved rounds, medians and paired ratios.

Run as a process of its own for each number of threads, which has to be set before NumPy is imported.
"""

import argparse
import json
import os
import random
import statistics
import sys
import time
import warnings
from collections.abc import Callable

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
AGREEMENT = {"float32": 2e-3, "float64": 1e-9}      # of the largest entry; float32 sums differ in order
KEPT = {"MALLOC_TRIM_THRESHOLD_": str(2**30), "MALLOC_MMAP_THRESHOLD_": str(2**25)}     # glibc keeps what is freed
SLOW = 0.3              # seconds a call, above which a contender takes part in the first rounds only


def environment(threads: int) -> dict[str, str]:
    """Return the environment of a measuring process: so many threads, memory kept, nothing that tunes OpenBLAS."""
    kept = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    flags = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'} intra_op_parallelism_threads={threads}"
    return {**kept, **KEPT, **dict.fromkeys(THREADS, str(threads)), "XLA_FLAGS": flags, "JAX_ENABLE_X64": "1",
            "JAX_PLATFORMS": "cpu", "TORCHINDUCTOR_COMPILE_THREADS": "1"}


def seconds_of(run: Callable, calls: int, clock: Callable[[], float]) -> float:
    """Return the seconds that one of several calls in a row takes."""
    start = clock()
    for _ in range(calls):
        run()
    return (clock() - start) / calls


def disagreement(result, truth) -> float:
    """Return the largest difference from the truth, relative to the largest entry of each array."""
    import numpy as np

    pairs = [(result[0], truth[0]), *((result[1][n], truth[1][n]) for n in truth[1])]
    worst = 0.0
    for have, want in pairs:
        have, want = np.asarray(have, float), np.asarray(want, float)
        difference = np.max(np.abs(have.reshape(want.shape) - want), initial=0)
        worst = max(worst, float(difference / (np.max(np.abs(want), initial=0) or 1)))
    return worst


def measured(workload, dtype: str, names: list[str], seconds: float, threads: int) -> dict:
    """Return the seconds a call and the ratios to the floor of every contender on one workload."""
    import numpy as np

    from . import contenders

    arguments = workload.arguments(np.dtype(dtype).type)
    truth = contenders.by_hand(workload, workload.arguments(np.float64))()
    runs: dict[str, Callable] = {"floor": workload.floor(np.dtype(dtype).type)}
    rows: dict[str, dict] = {"floor": {}}
    base = "floor" if workload.products or workload.passes else "naive NumPy"
    for name in dict.fromkeys([*([] if base == "floor" else [base]), *names]):
        rows[name] = {}
        try:
            run = contenders.prepared(name, workload, arguments)
            difference = disagreement(run(), truth)
        except contenders.Absent as reason:
            rows[name]["absent"] = str(reason)
            continue
        except Exception as error:
            told = " ".join(str(error).split())[:120]
            rows[name]["absent"] = f"fails: {type(error).__name__}: {told}"
            continue
        rows[name]["disagreement"] = difference
        if not difference <= AGREEMENT[dtype]:
            rows[name]["absent"] = f"disagrees by {difference:.1e}"
            continue
        runs[name] = run
    if base != "floor":
        del runs["floor"], rows["floor"]
    times = _interleaved(runs, seconds, threads)
    for name, found in times.items():
        ratios = sorted(a / b for a, b in zip(found, times[base], strict=False))
        quarters = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else [ratios[0]] * 3
        rows[name] |= {"seconds": statistics.median(found), "ratio": statistics.median(ratios),
                       "low": quarters[0], "high": quarters[2], "rounds": len(found)}
    return {"workload": workload.name, "title": workload.title, "dtype": dtype, "threads": threads, "base": base,
            "rows": rows}


def _interleaved(runs, seconds, threads):
    """Return the seconds of every run in every round; a round calls all, in an order drawn anew.

    Were the order fixed, each would always find the caches as one and the same neighbour leaves them. With one thread
    they are the processor's seconds, which others on the machine lengthen least; else the clock's.
    """
    clock = time.process_time if threads == 1 else time.perf_counter
    once = {name: min(seconds_of(run, 1, clock), seconds_of(run, 1, clock)) for name, run in runs.items()}
    calls = {name: max(1, int(2e-3 / max(t, 1e-9))) for name, t in once.items()}
    quick = [n for n, t in once.items() if t <= SLOW]
    times: dict[str, list[float]] = {name: [] for name in runs}
    end, rounds, draw = time.perf_counter() + seconds, 0, random.Random(0)
    while rounds < 5 or (time.perf_counter() < end and rounds < 200):
        taking = quick if quick and rounds >= 2 else list(runs)
        for name in draw.sample(taking, len(taking)):
            times[name].append(seconds_of(runs[name], calls[name], clock))
        rounds += 1
    return times


def main() -> None:
    """Measure some workloads in this process; write one JSON line a workload and dtype."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--dtypes", nargs="+", required=True)
    parser.add_argument("--workloads", nargs="+", required=True)
    parser.add_argument("--contenders", nargs="+", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if hasattr(os, "sched_setaffinity") and options.threads < len(os.sched_getaffinity(0)):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-options.threads:])
    if any(n in ("PyTorch eager", "torch.compile") for n in options.contenders):
        try:
            import torch

            torch.set_num_threads(options.threads)
        except ImportError:
            pass
    from .workloads import WORKLOADS

    for name in options.workloads:
        for dtype in options.dtypes:
            line = measured(WORKLOADS[name], dtype, options.contenders, options.seconds, options.threads)
            print(json.dumps(line), flush=True)
            print(f"{name} {dtype}, {options.threads} thread(s)", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
