"""The logs of the present run as they come in, and the part of them that belongs to a chunk.

A chunk's logs begin with the values in force at its start, so that each chunk stands on its own; merging on addition
drops that repeated entry (`workspaces.run`). Values older than the run (a stream's snapshot repeats values from hours
ago) are those in force at its start and get its time. Pulse-type logs (proton_charge) are never repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livereduce.listeners.base import LogDeclared, LogValues
from livereduce.live.ledger import iso
from livereduce.live.state import NO_RUN, RunIdentity
from livereduce.workspaces import Run

# Logs that scripts may count on from the first chunk on, whether or not the stream has mentioned them.
ALWAYS = ("pause", "scan_index")


@dataclass(slots=True)
class _Series:
    units: str = ""
    in_force: tuple[int, Any] | None = None
    times: list[NDArray[np.int64]] = field(default_factory=list)
    values: list[NDArray[Any]] = field(default_factory=list)

    def add(self, times: NDArray[np.int64], values: NDArray[Any]) -> None:
        self.times.append(times)
        self.values.append(values)

    def chunk_taken(self) -> None:
        if self.times:
            times, values = np.concatenate(self.times), np.concatenate(self.values)
            last = int(np.argmax(times[::-1]))
            newest = (int(times[::-1][last]), values[::-1][last])
            if self.in_force is None or newest[0] >= self.in_force[0]:
                self.in_force = newest
            self.times, self.values = [], []

    def entries(self, start_ns: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """All entries of the chunk, the one in force first; older ones than the run count as its first value."""
        seed = [] if self.in_force is None else [self.in_force]
        times = np.concatenate([np.array([t for t, _ in seed], np.int64), *self.times])
        values = np.concatenate([np.array([v for _, v in seed]), *self.values]) if times.size else np.empty(0)
        before = times < start_ns
        if not before.any():
            return times, values
        latest = int(np.flatnonzero(before)[np.argmax(times[before])])
        times[latest] = start_ns
        keep = ~before
        keep[latest] = True
        return times[keep], values[keep]


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
        self._series = {name: _Series() for name in ALWAYS}
        for name in ALWAYS:
            self._series[name].in_force = (identity.start_ns, 0)

    def declare(self, message: LogDeclared) -> None:
        """Note that a log exists; its unit is kept even if no value ever comes."""
        self._series.setdefault(message.name, _Series()).units = message.units

    def values(self, message: LogValues) -> None:
        """Take in values; a message without any says nothing."""
        if not message.times.size:
            return
        series = self._series.setdefault(message.name, _Series(units=message.units))
        series.add(message.times, message.values)

    def mark(self, name: str, time_ns: int, value: int) -> None:
        """Take in one value of a log we keep ourselves (pause, scan_index)."""
        self._series[name].add(np.array([time_ns], np.int64), np.array([value], np.int64))

    def chunk_taken(self) -> None:
        """Let go of the entries of a chunk that was taken; the newest of each series stays in force."""
        for series in self._series.values():
            series.chunk_taken()

    def latest(self) -> dict[str, tuple[int, Any, str]]:
        """Newest time, value and unit of each log that has one."""
        found = {}
        for name, series in self._series.items():
            times, values = series.entries(self._identity.start_ns)
            if times.size:
                newest = times.size - 1 - int(np.argmax(times[::-1]))
                found[name] = (int(times[newest]), values[newest].item(), series.units)
        return found

    def run(self) -> Run:
        """Return the logs of the present chunk."""
        run = Run(self.properties)
        run["run_number"] = str(self._identity.run)
        if self._identity != NO_RUN:
            run["run_start"] = iso(self._identity.start_ns)
        for name, series in self._series.items():
            times, values = series.entries(self._identity.start_ns)
            if times.size:
                run.append(name, times, values, series.units)
        return run
