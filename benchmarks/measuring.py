"""Timing by processor time, and the C yardsticks."""

from __future__ import annotations

import ctypes
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


def seconds(job: Callable[[], object], repeats: int = 5) -> float:
    """Return the median processor time of a job, s; the first run, which may compile, does not count."""
    job()
    found = []
    for _ in range(repeats):
        begin = time.process_time()
        job()
        found.append(time.process_time() - begin)
    return median(found)


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
