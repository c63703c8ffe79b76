"""What an update costs late in a run, over what it costs early: 1 if it is the cost of the new data alone.

A chunk is appended, made a workspace with its logs, added to the accumulation, and a post-processing stage is carried
out on that and its values read, as the live cycle does after every chunk.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from livereduce import algorithms as alg
from livereduce.live.accumulate import Method, accumulate
from livereduce.workspaces import Detectors, EventTable, EventWorkspace, HistogramWorkspace, Run

N_PIXELS = 100_000
EVENTS_PER_PULSE = 2000
PULSE_NS = 16_666_667
LOGS = 20  # besides the proton charge, an entry a second
CHUNK = 100_000
BEGAN_NS = 1_000_000_000_000_000_000
WEAK = 97  # every so manieth pulse brings next to no charge
CHARGE = 1e7  # pC, of the others: scattered by 3 %, and drifting by as much over some thousand pulses
SCATTER = 0.03
DRIFT_PULSES = 1500

Stage = Callable[[EventWorkspace], object]


class LiveRun:
    """A run in progress: random events of detectors with places, pulses with charges, logs."""

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        self.table = EventTable(N_PIXELS)
        self.accumulation: Any = None
        self._detectors = Detectors(
            np.arange(1, N_PIXELS + 1),
            l1=60.0,
            l2=rng.uniform(1, 4, N_PIXELS),
            two_theta=rng.uniform(0.2, 2.8, N_PIXELS),
        )
        self._tof = rng.integers(0, 166_700, 10_000_000, dtype=np.uint32)
        self._pix = rng.integers(0, N_PIXELS, 10_000_000, dtype=np.int32)
        self._charge = CHARGE * rng.normal(1.0, SCATTER, 50_000)
        self._pulses = 0
        self._in_force: tuple[int, float] | None = None

    def take(self, n: int) -> None:
        """Take n more events in, chunks of one size early and late."""
        while n:
            size = min(n, CHUNK)
            self.accumulation = accumulate(self.accumulation, self._chunk(size), Method.ADD)
            n -= size

    def _chunk(self, n: int) -> EventWorkspace:
        number = self._pulses + np.arange(n // EVENTS_PER_PULSE)
        self._pulses += len(number)
        times = BEGAN_NS + number * PULSE_NS
        drift = 1.0 + SCATTER * np.sin(number / DRIFT_PULSES)
        charge = np.where(number % WEAK == 0, 1.0, drift * self._charge[number % len(self._charge)])
        starts = np.append(number - number[0], len(number)) * EVENTS_PER_PULSE
        drawn = self.table.n % len(self._tof)
        tof, pix = self._tof[drawn : drawn + n], self._pix[drawn : drawn + n]
        a, b = self.table.append(tof, pix, times, starts, charge)
        return EventWorkspace.from_table(self.table, a, b, self._detectors, self._logs(times, number, charge))

    def _logs(self, times: np.ndarray, number: np.ndarray, charge: np.ndarray) -> Run:
        """Logs of a chunk, beginning with the values in force, as listeners give them."""
        run = Run({"run_number": "1", "run_title": "growth"})
        run.append("proton_charge", times, charge, "picoCoulomb")
        at, values = times[::60], 20 + 5 * np.sin(number[::60] / 600)
        newest = int(at[-1]), float(values[-1])
        if self._in_force is not None:
            at, values = np.append(self._in_force[0], at), np.append(self._in_force[1], values)
        for i in range(LOGS):
            run.append(f"temperature{i}", at, values, "K")
        self._in_force = newest
        return run


def focused(ws: EventWorkspace) -> Any:
    in_d = alg.rebin(alg.convert_units(ws, "dSpacing"), [0.3, -0.0006, 3.5])
    return alg.group_detectors(in_d, grouping_pattern="0-24999,25000-49999,50000-74999,75000-99999")


def stages(ws: EventWorkspace) -> dict[str, Stage]:
    """Post-processing stages by name; the vanadium is what has been measured so far."""
    counts = focused(ws).to_histogram()
    vanadium: HistogramWorkspace = counts.replaced(y=np.maximum(counts.y, 1.0))
    return {
        "rebin": lambda a: alg.rebin(a, [0, 1000, 16700]).y,
        "focus": lambda a: focused(a).y,
        "sum": lambda a: alg.sum_spectra(alg.rebin(a, [0, 20, 16700])).y,
        "vanadium": lambda a: alg.divide(focused(a), vanadium).y,
        "current": lambda a: alg.normalise_by_current(focused(a)).y,
        "log": lambda a: focused(alg.filter_by_log_value(a, "temperature0", 18, 22)).y,
        "pulses": lambda a: alg.normalise_by_current(focused(alg.filter_bad_pulses(a)), recalculate_charge=True).y,
        "time": lambda a: focused(alg.filter_by_time(a, 10.0, 40.0)).y,
    }


def update_seconds(run: LiveRun, stage: Stage, repeats: int = 7) -> float:
    """Return the processor time of one update, the best of several; the first, which may count everything, is none."""
    stage(run.accumulation.clone())
    found = []
    for _ in range(repeats):
        begin = time.process_time()
        run.take(CHUNK)
        stage(run.accumulation.clone())
        found.append(time.process_time() - begin)
    return min(found)


def growth(early: int = 10_000_000, late: int = 100_000_000) -> Iterator[tuple[str, float, float]]:
    """Yield each stage, and the seconds of an update early and late."""
    run = LiveRun()
    run.take(early)
    chosen = stages(run.accumulation)
    first = {name: update_seconds(run, stage) for name, stage in chosen.items()}
    run.take(late - run.table.n)
    for name, stage in chosen.items():
        yield name, first[name], update_seconds(run, stage)


def bytes_per_event(n: int = 100_000_000) -> float:
    """Return the memory allocated for an event that is kept, with all that comes with it."""
    run = LiveRun()
    tracemalloc.start()
    run.take(n)
    allocated, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return allocated / n
