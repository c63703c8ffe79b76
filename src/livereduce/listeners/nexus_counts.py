"""Histograms in a NeXus file as events: every count one event inside its time channel, none lost and none added.

Which part a count comes in is by arithmetic, its place in the channel is drawn; the same seed gives the same events.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import h5py
import numpy as np
from numpy.typing import NDArray

from livereduce.geometry.nexus_histogram import Histogram, UnfitError, axis_names, children, read_histogram, signal_of
from livereduce.listeners.base import DetectorIds, Events, Message, MonitorEvents, Periods
from livereduce.listeners.nexus_logs import PICOCOULOMB_PER_UAH, logs_of, run_span_ns, total_charge_uah

TICK_NS = 1
MONITOR_TICK_NS = 100
SECOND_NS = 1_000_000_000


class CountParts:
    """The histograms of one NXentry in `count` parts of one pulse each (one a period).

    Parameters
    ----------
    known_ids
        Detectors of the file's geometry; used if there are as many as spectra, which are counted from 1 otherwise.

    Attributes
    ----------
    placed
        Whether the geometry's detectors are those of the counts.

    Raises
    ------
    UnfitError
        The entry has no counts against time of flight.
    """

    def __init__(self, entry: h5py.Group, count: int, known_ids: NDArray[np.int64] | None, seed: int) -> None:
        group, signal = next(_signals(entry), (None, None))
        if group is None or signal is None:
            raise UnfitError(f"{entry.name} has neither NXevent_data nor an NXdata of detectors by time channels")
        histogram = read_histogram(group, signal)
        self._periods = signal.shape[0] if signal.ndim > 2 and axis_names(group, signal)[0].startswith("period") else 1
        self._counts = histogram.counts.reshape(self._periods, -1, histogram.edges.size - 1)
        self._channels = _Channels(histogram.edges, TICK_NS)
        n = self._counts.shape[1]
        self.placed = known_ids is not None and known_ids.size == n
        self._ids = known_ids if known_ids is not None and self.placed else np.arange(1, n + 1)
        self._monitors = list(_monitors(entry))
        self._count, self._seed = count, seed
        began, ended = run_span_ns(entry)
        self.bounds_ns = began + np.arange(count + 1) * max((ended - began) // count, SECOND_NS)
        self.logs, _ = logs_of(entry)
        total = total_charge_uah(entry) or 0.0
        self._pulse_charge = total * PICOCOULOMB_PER_UAH / (count * self._periods)

    def describe(self) -> list[Message]:
        """Say how many periods there are, if more than one, and what detectors."""
        periods: list[Message] = [Periods(self._periods)] if self._periods > 1 else []
        return [DetectorIds(self._ids.astype(np.int64)), *periods]

    def part(self, k: int) -> Iterator[Message]:
        """Make part `k`: monitors, then the detectors of each period."""
        random = np.random.default_rng([self._seed, k])
        time_ns = self.bounds_ns[k : k + 1]
        for number, counts, channels in self._monitors:
            _, tof = channels.draw(random, self._share(counts, k))
            yield MonitorEvents(
                pulse_time=time_ns,
                start=np.array([0, tof.size]),
                tof=tof,
                number=np.full(tof.size, number, np.uint16),
                keys=None,
                tick_ns=MONITOR_TICK_NS,
            )
        for period in range(self._periods):
            row, tof = self._channels.draw(random, self._share(self._counts[period], k))
            yield Events(
                pulse_time=time_ns,
                charge=np.array([self._pulse_charge]),
                start=np.array([0, tof.size]),
                tof=tof,
                detector_id=self._ids[row].astype(np.uint32),
                keys=None,
                period=np.array([period], np.int32),
                tick_ns=TICK_NS,
            )

    def _share(self, counts: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """Part `k` of each count; all parts together are the count."""
        return counts * (k + 1) // self._count - counts * k // self._count


class _Channels:
    """Time channels as ranges of ticks that lie inside them."""

    def __init__(self, edges_us: NDArray[np.float64], tick_ns: int) -> None:
        ticks = edges_us * (1000.0 / tick_ns)
        self._first = np.floor(ticks[:-1]).astype(np.int64) + 1
        # one tick clear of the upper edge; a channel narrower than that has its middle
        self._width = np.maximum(np.ceil(ticks[1:]).astype(np.int64) - 1 - self._first, 1)
        self._first = np.where(self._first < ticks[1:], self._first, np.rint((ticks[:-1] + ticks[1:]) / 2)).astype(int)
        if ticks[0] < 0 or ticks[-1] >= 1 << 32:
            raise UnfitError(
                f"time channels from {edges_us[0]} to {edges_us[-1]} µs; expected 0 to {tick_ns * 4.29e6:g}"
            )

    def draw(
        self, random: np.random.Generator, counts: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """Row and tick of as many events as there are counts."""
        cell = np.repeat(np.arange(counts.size), counts.ravel())
        row, channel = np.divmod(cell, counts.shape[-1])
        within = (random.random(cell.size) * self._width[channel]).astype(np.int64)
        return row, (self._first[channel] + within).astype(np.uint32)


def _signals(entry: h5py.Group) -> Iterator[tuple[h5py.Group, h5py.Dataset]]:
    for data in children(entry, "NXdata"):
        signal = signal_of(data) if "counts" not in data else data["counts"]
        if signal is not None and signal.ndim >= 2:
            yield data, signal


def _monitors(entry: h5py.Group) -> Iterator[tuple[int, NDArray[np.int64], _Channels]]:
    for place, group in enumerate(children(entry, "NXmonitor"), 1):
        signal = signal_of(group)
        if signal is None or max(signal.shape, default=0) < 2:
            continue
        found: Histogram = read_histogram(group, signal)
        digits = re.search(r"(\d+)$", group.name)
        counts = found.counts.sum(axis=0, keepdims=True)
        yield int(digits.group(1)) if digits else place, counts, _Channels(found.edges, MONITOR_TICK_NS)
