"""The logs of the present run as they come in, and the part of them that belongs to a chunk.

A chunk's logs begin with the values in force at its start, so that each chunk stands on its own; merging on addition
drops that repeated entry (`workspaces.run`). Values older than the run (a stream's snapshot repeats values from hours
ago) are those in force at its start and get its time. Pulse-type logs (proton_charge) are never repeated. The time in
which a chunk was measured begins where that of the chunk before ended, so that times of chunks add up to that of the
run.

What a chunk costs here goes with the number of logs and of new values, not with the length of the run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livereduce.listeners.base import LogDeclared, LogValues
from livereduce.live.state import NO_RUN, RunIdentity
from livereduce.workspaces import Intervals, Run, TimeSeries
from livereduce.workspaces.times import iso

# Logs that scripts may count on from the first chunk on, whether or not the stream has mentioned them.
ALWAYS = ("pause", "scan_index")


@dataclass(slots=True)
class _Series:
    """One log: the value in force when the chunk began, and what came since."""

    units: str = ""
    in_force: tuple[int, Any] | None = None
    newest: tuple[int, Any] | None = None
    times: list[NDArray[np.int64]] = field(default_factory=list)
    values: list[NDArray[Any]] = field(default_factory=list)
    seed: TimeSeries | None = None  # the value in force, the same object from chunk to chunk while nothing comes

    def add(self, times: NDArray[np.int64], values: NDArray[Any]) -> None:
        self.times.append(times)
        self.values.append(values)
        last = times.size - 1 - int(np.argmax(times[::-1]))
        if self.newest is None or times[last] >= self.newest[0]:
            self.newest = int(times[last]), values[last : last + 1].tolist()[0]

    def chunk_taken(self) -> None:
        if self.times:
            self.times, self.values, self.seed = [], [], None
        self.in_force = self.newest

    def entries(self, name: str, start_ns: int) -> TimeSeries | None:
        """All entries of the chunk, the one in force first; older ones than the run count as its first value."""
        if not self.times:
            if self.seed is None and self.in_force is not None:
                time, value = self.in_force
                self.seed = TimeSeries(name, [max(time, start_ns)], [value], self.units)
            return self.seed
        seed = [] if self.in_force is None else [self.in_force]
        times = np.concatenate([np.array([t for t, _ in seed], np.int64), *self.times])
        values = np.concatenate([*(np.array([v]) for _, v in seed), *self.values])
        before = np.flatnonzero(times < start_ns)
        if before.size:
            latest = before[before.size - 1 - int(np.argmax(times[before][::-1]))]
            times[latest] = start_ns
            left_out = before[before != latest]
            times, values = np.delete(times, left_out), np.delete(values, left_out)
        return TimeSeries(name, times, values, self.units)


class LogBook:
    """Takes log messages; `run` gives the logs of the present chunk."""

    def __init__(self) -> None:
        self.properties: dict[str, Any] = {}
        self._series: dict[str, _Series] = {}
        self._identity = NO_RUN
        self.begin_run(NO_RUN)

    def begin_run(self, identity: RunIdentity) -> None:
        """Forget the run before; the stream states everything again after a transition."""
        self._identity = identity
        self.properties = {"run_title": "", "experiment_identifier": ""}
        begin = (identity.start_ns, 0)
        self._series = {name: _Series(in_force=begin, newest=begin) for name in ALWAYS}
        self._measured: list[tuple[int, int]] = []
        self._until: int | None = None  # data are being taken since before then

    def declare(self, message: LogDeclared) -> None:
        """Note that a log exists; its unit is kept even if no value ever comes."""
        series = self._series.setdefault(message.name, _Series())
        if series.units != message.units:
            series.units, series.seed = message.units, None

    def values(self, message: LogValues) -> None:
        """Take in values; a message without any says nothing."""
        if not message.times.size:
            return
        series = self._series.setdefault(message.name, _Series(units=message.units))
        series.add(message.times, message.values)

    def mark(self, name: str, time_ns: int, value: int) -> None:
        """Take in one value of a log we keep ourselves (pause, scan_index)."""
        self._series[name].add(np.array([time_ns], np.int64), np.array([value], np.int64))

    def measured(self, pulse_time: NDArray[np.int64]) -> None:
        """Note that these pulses count: since the ones before them data were taken, unless `interrupted` came between.

        One after an interruption only marks where data begin again.
        """
        first, last = int(pulse_time.min()), int(pulse_time.max())
        begin = first if self._until is None else min(self._until, first)
        if self._measured and begin == self._measured[-1][1]:
            begin = self._measured.pop()[0]
        self._measured.append((begin, last))
        self._until = last if self._until is None else max(last, self._until)

    def interrupted(self) -> None:
        """Note that from the newest pulse on no data are taken, or none reach us, until the next one."""
        self._until = None

    def chunk_taken(self) -> None:
        """Let go of the entries of a chunk that was taken; the newest of each series stays in force."""
        self._measured = []
        for series in self._series.values():
            series.chunk_taken()

    def latest(self) -> dict[str, tuple[int, Any, str]]:
        """Newest time, value and unit of each log that has one."""
        start = self._identity.start_ns
        return {
            name: (max(series.newest[0], start), series.newest[1], series.units)
            for name, series in self._series.items()
            if series.newest is not None
        }

    def run(self) -> Run:
        """Return the logs of the present chunk."""
        run = Run(self.properties)
        run["run_number"] = str(self._identity.run)
        if self._identity != NO_RUN:
            run["run_start"] = iso(self._identity.start_ns)
        for name, series in self._series.items():
            entries = series.entries(name, self._identity.start_ns)
            if entries is not None:
                run.put(entries)
        run.measured = Intervals(self._measured)
        return run
