"""A measured histogram as pulses: every count becomes one event inside its time channel, once a run, none left over."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from livereduce.errors import LiveReduceError
from livereduce.geometry.nexus_histogram import Histogram
from livereduce.simulators.bodies import Body, Events, MonitorEvents, PulseLayout
from livereduce.simulators.nexus_file import Measurement
from livereduce.simulators.powder import CHARGE_SIGMA, MEAN_CHARGE

BLOCKS = 64
MONITOR_TOF_LIMIT = 1 << 21


class Ticks:
    """The 100 ns ticks that lie inside each time channel, clear of its edges where the channel is wide enough.

    Parameters
    ----------
    histogram : Histogram
    limit : int
        Times on the wire are below this.
    """

    def __init__(self, histogram: Histogram, limit: int) -> None:
        left, right = histogram.edges[:-1], histogram.edges[1:]
        first = np.ceil(left * 10.0).astype(np.int64)
        first += first / 10.0 < left
        last = np.ceil(right * 10.0).astype(np.int64) - 1
        last -= last / 10.0 >= right
        first += (first / 10.0 == left) & (last > first)
        used = histogram.counts.sum(axis=0) > 0
        bad = np.nonzero(used & ((last < first) | (first < 0) | (last >= limit)))[0]
        if len(bad):
            k = int(bad[0])
            raise LiveReduceError(
                f"{len(bad)} time channels with counts, the first from {left[k]} to {right[k]} µs, hold no time that "
                f"ADARA can say: multiples of 0.1 µs from 0 to {limit / 10:g} µs"
            )
        self._first, self._width = first, last - first + 1

    def draw(self, rng: np.random.Generator, channel: NDArray[np.intp]) -> NDArray[np.uint32]:
        """One tick inside each of the given channels."""
        within = (rng.random(len(channel)) * self._width[channel]).astype(np.int64)
        return (self._first[channel] + within).astype(np.uint32)


class Supply:
    """What of one histogram is still to be sent, as events at ticks of 100 ns below `limit`."""

    def __init__(self, histogram: Histogram, limit: int) -> None:
        self._all = histogram.counts
        self._left = np.zeros_like(histogram.counts)
        self._ticks = Ticks(histogram, limit)

    def refill(self) -> None:
        """Have everything to send again."""
        self._left = self._all.copy()

    def share(self, rng: np.random.Generator, part: float) -> tuple[NDArray[np.intp], NDArray[np.uint32]]:
        """Take about this part of what is left, all of it with 1: spectrum and tick of each event, in random order."""
        taken = self._left if part >= 1.0 else rng.binomial(self._left, part)
        self._left = self._left - taken
        cell = np.repeat(np.arange(taken.size), taken.ravel())
        rng.shuffle(cell)
        spectrum, channel = np.divmod(cell, taken.shape[1])
        return spectrum, self._ticks.draw(rng, channel)


class FileSource:
    """Pulses of a run that repeat a measurement count for count; between runs and in pauses they are empty."""

    def __init__(self, measurement: Measurement, layout: PulseLayout, seed: int) -> None:
        self._layout = layout
        self._ids = measurement.ids.astype(np.uint32)
        self._rng = np.random.default_rng([seed, 5])
        self._detectors = Supply(measurement.detectors, 1 << 32)
        self._monitors = [Supply(monitor.histogram, MONITOR_TOF_LIMIT) for monitor in measurement.monitors]
        self._ready: deque[Body] = deque()
        self._pulses_left = self._block = 0

    def begin_run(self, pulses: int) -> None:
        """Spread all counts over this many pulses."""
        if pulses == 0:
            raise LiveReduceError(
                "the run has no pulse outside its pause; give it more seconds, it has to carry a file"
            )
        self._ready.clear()
        self._pulses_left = pulses
        self._block = max(60, -(-pulses // BLOCKS))
        for supply in (self._detectors, *self._monitors):
            supply.refill()

    def next_body(self, _temperature: float, counting: bool) -> Body:
        """Give the next pulse with beam."""
        if not counting or (not self._ready and not self._pulses_left):
            return self._make(1, 0.0)[0]
        if not self._ready:
            n = min(self._block, self._pulses_left)
            self._ready.extend(self._make(n, n / self._pulses_left))
            self._pulses_left -= n
        return self._ready.popleft()

    def _make(self, pulses: int, part: float) -> list[Body]:
        rng = self._rng
        charges = np.rint(rng.normal(MEAN_CHARGE, CHARGE_SIGMA, pulses)).astype(np.int64)
        if part == 0.0:
            none = np.empty(0, np.int64)
            nothing = none.astype(np.uint32)
            events, monitors = Events(none, none, nothing, nothing), MonitorEvents(none, none, nothing)
            return self._layout.bodies(events, monitors, charges)
        index, tof = self._detectors.share(rng, part)
        slot = self._layout.slot_of_index[index]
        events = Events(rng.integers(0, pulses, len(index)), slot, tof, self._ids[index])
        shares = [supply.share(rng, part)[1] for supply in self._monitors]
        number = np.repeat(np.arange(len(shares)), [len(share) for share in shares])
        ticks = np.concatenate([*shares, np.empty(0, np.uint32)])
        monitors = MonitorEvents(rng.integers(0, pulses, len(ticks)), number, ticks)
        return self._layout.bodies(events, monitors, charges)
