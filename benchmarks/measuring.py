"""Timing by processor time or by the clock, on chosen cores, and the C yardsticks."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

ALL_CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else {0}


def seconds(job: Callable[[], object], repeats: int = 5) -> float:
    """Return the median processor time of a job, s; the first run, which may compile, does not count."""
    job()
    return median(once(job) for _ in range(repeats))


def compared(ours: Callable[[], object], theirs: Callable[[], object], repeats: int = 7) -> tuple[float, float]:
    """Return the median processor time of our job, s, and our speed over theirs: the median of runs in turn.

    In turn, because a machine that others use is faster or slower from one second to the next.
    """
    ours(), theirs()
    pairs = [(once(ours), once(theirs)) for _ in range(repeats)]
    return median(mine for mine, _ in pairs), median(other / mine for mine, other in pairs)


def once(job: Callable[[], object]) -> float:
    """Return the processor time a job takes, s."""
    begin = time.process_time()
    job()
    return time.process_time() - begin


@contextmanager
def on_cores(n: int) -> Iterator[bool]:
    """Keep to n cores for a while; tells whether there are as many, and whether one can."""
    if not hasattr(os, "sched_setaffinity"):
        yield False
        return
    before = os.sched_getaffinity(0)
    available = sorted(ALL_CORES)[-n:]
    os.sched_setaffinity(0, available)
    try:
        yield len(available) == n
    finally:
        os.sched_setaffinity(0, before)


def best_wall_seconds(job: Callable[[], object], repeats: int = 5) -> float:
    """Return the least time a job takes by the clock, s."""
    found = []
    for _ in range(repeats):
        begin = time.perf_counter()
        job()
        found.append(time.perf_counter() - begin)
    return min(found)


class Yardsticks:
    """Functions of yardsticks.c; arrays are passed as pointers, numbers as 64- or 32-bit integers."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    def call(self, name: str, *arguments: Any) -> int:
        function = getattr(self._library, name)
        function.restype = ctypes.c_int64
        given = [a.ctypes.data_as(ctypes.c_void_p) if isinstance(a, np.ndarray) else a for a in arguments]
        return int(function(*given))


@contextmanager
def yardsticks() -> Iterator[Yardsticks | None]:
    """Build the C yardsticks; None where there is no gcc."""
    if shutil.which("gcc") is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "yardsticks.so"
        source = Path(__file__).parent / "yardsticks.c"
        subprocess.run(
            ["gcc", "-O3", "-march=native", "-Wall", "-Werror", "-shared", "-fPIC", "-o", target, source], check=True
        )
        yield Yardsticks(ctypes.CDLL(str(target)))


def i64(value: int) -> ctypes.c_int64:
    return ctypes.c_int64(value)


def u32(value: int) -> ctypes.c_uint32:
    return ctypes.c_uint32(value)
