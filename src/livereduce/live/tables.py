"""The event tables of the chunk under way: one a period and one of monitors, and where in each the chunk begins."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from livereduce.listeners.base import Events, MonitorEvents
from livereduce.workspaces import EventTable, Mapped

MONITOR_TICK_NS = 100


class Rows(NamedTuple):
    """The part of a table that is the chunk's: events [a, b), and its pulses."""

    table: EventTable
    a: int
    b: int
    pulse_time: NDArray[np.int64]
    charge: NDArray[np.float64]
    """pC; NaN in rows that go on with a pulse that began before."""


class _Open:
    """A table that grows, and the place where the chunk begins in it."""

    def __init__(self, n_pixels: int, tick_ns: int) -> None:
        self.table = EventTable(n_pixels, tick_ns)
        self._event = self._pulse = 0

    @property
    def pending(self) -> int:
        return self.table.n - self._event

    def rows(self) -> Rows:
        pulses = self.table.pulses
        return Rows(self.table, self._event, self.table.n, pulses.time[self._pulse :], pulses.charge[self._pulse :])

    def chunk_taken(self) -> None:
        self._event, self._pulse = self.table.n, len(self.table.pulses)


class ChunkTables:
    """Takes events of known detectors in.

    Parameters
    ----------
    n_pixels, n_monitors
        How many of them there are.
    periods
        How many tables; events of other periods are the caller's business.
    tick_ns
        Length of a tick of detector events.
    """

    def __init__(self, n_pixels: int, n_monitors: int, periods: int = 1, tick_ns: int = 100) -> None:
        self.monitor_counts: dict[int, int] = {}
        self._periods: list[_Open] = []
        self.begin_detectors(n_pixels, tick_ns)
        self.add_periods(periods)
        self.begin_monitors(n_monitors)

    def begin_detectors(self, n_pixels: int, tick_ns: int) -> None:
        """Have so many pixels and this tick, and none of their events, in as many periods as before."""
        self._n_pixels, self.tick_ns = n_pixels, tick_ns
        self._periods = [_Open(n_pixels, tick_ns) for _ in self._periods]

    def add_periods(self, total: int) -> None:
        """Have `total` periods from now on."""
        self._periods += [_Open(self._n_pixels, self.tick_ns) for _ in range(total - len(self._periods))]

    def begin_monitors(self, n_monitors: int) -> None:
        """Have so many monitors, and none of their events."""
        self._monitors = _Open(n_monitors, MONITOR_TICK_NS)

    @property
    def pending(self) -> int:
        """Detector events of the chunk."""
        return sum(period.pending for period in self._periods)

    def append(self, mapped: Mapped, events: Events) -> None:
        """Take in the events of `events` whose detectors are known, `mapped`."""
        if events.period is None or len(self._periods) == 1:
            table = self._periods[0].table
            table.append(mapped.tof, mapped.pix, events.pulse_time, mapped.start, events.charge)
            return
        counts = np.diff(mapped.start)
        for number in np.unique(events.period):
            here = events.period == number
            of_event = np.repeat(here, counts)
            start = np.concatenate([[0], np.cumsum(counts[here])])
            self._periods[number].table.append(
                mapped.tof[of_event], mapped.pix[of_event], events.pulse_time[here], start, events.charge[here]
            )

    def append_monitors(self, mapped: Mapped, events: MonitorEvents) -> None:
        """Take in monitor events."""
        for number, n in zip(*np.unique(events.number, return_counts=True), strict=True):
            self.monitor_counts[int(number)] = self.monitor_counts.get(int(number), 0) + int(n)
        nothing = np.zeros(events.pulse_time.size)
        self._monitors.table.append(mapped.tof, mapped.pix, events.pulse_time, mapped.start, nothing)

    def rows(self) -> list[Rows]:
        """Give the chunk's part of each period."""
        return [period.rows() for period in self._periods]

    def monitor_rows(self) -> Rows:
        """Give the chunk's part of the monitors."""
        return self._monitors.rows()

    def chunk_taken(self) -> None:
        """Begin a new chunk behind the present one, in the same tables."""
        for each in (*self._periods, self._monitors):
            each.chunk_taken()
        self.monitor_counts = {}
