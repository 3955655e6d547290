"""Edited code may ask for all memory or never end; the doctor goes on all the same."""

import signal
import sys
import threading
import time

import numpy as np
import pytest

from codegen.doctor import diagnose
from codegen.doctor.limits import memory_limited, time_limited
from derive.networks import named


def test_memory_is_limited_and_given_back():
    with memory_limited(2**28), pytest.raises(MemoryError):
        np.ones(2**30)
    assert np.zeros(2**26).size == 2**26


def endless():
    while True:
        pass


def test_time_is_limited_and_the_alarm_set_back():
    before = signal.getsignal(signal.SIGVTALRM)
    with pytest.raises(TimeoutError), time_limited(0.1):
        endless()
    assert signal.getsignal(signal.SIGVTALRM) is before and signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0)


def stubborn():
    """Catch the first alarms, as `except Exception` around a step does."""
    caught = 0
    while True:
        try:
            endless()
        except Exception:
            caught += 1
            if caught == 3:
                raise


def test_alarms_that_are_caught_come_again():
    with pytest.raises(TimeoutError), time_limited(0.1):
        stubborn()
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0)


def test_alarms_arrive_beside_busy_threads():
    """An alarm goes to any thread that runs; products leave threads of NumPy's running for a while."""
    a = np.ones((600, 600))
    for _ in range(20):
        a @ a
        with pytest.raises(TimeoutError), time_limited(0.02):
            endless()


def greedy(w, b, X, y):
    """Linear regression whose loops and arrays are as long as a number that an edit may raise to any power."""
    n, m = X.shape
    rows, r = 10 ** (n - n + 1), np.zeros(n)
    room = [0.0] * rows * 10
    for k in range(rows * 10):
        room[k] = k
    for i in range(n):
        r[i] = X[i] @ w + b - y[i]
    return (r @ r) / (2 * n), {"w": X.T @ r / m, "b": r.sum() / n}


def test_the_doctor_outlives_what_its_edits_ask_for():
    start = time.process_time()
    found = diagnose(named("linear_regression"), greedy)
    assert found.verdict == "wrong" and "w" in str(found) and time.process_time() - start < 120


def test_the_doctor_works_in_other_threads():
    found = []
    thread = threading.Thread(target=lambda: found.append(diagnose(named("linear_regression"), greedy)))
    thread.start()
    thread.join()
    assert found[0].verdict == "wrong"


def test_an_alarm_where_python_tidies_up_is_not_told():
    def burnt(seconds):
        end = time.thread_time() + seconds
        while time.thread_time() < end:
            pass

    class Slow:
        def __del__(self):
            burnt(0.1)

    def tidied():
        Slow()                          # the first alarm comes in its __del__, where Python ignores it
        burnt(2)

    told, hook = [], sys.unraisablehook
    sys.unraisablehook = told.append
    try:
        with pytest.raises(TimeoutError), time_limited(0.02):
            tidied()
        assert sys.unraisablehook == told.append and not told
    finally:
        sys.unraisablehook = hook
