"""The accelerator's pulses: when they come, and which bring no neutrons. Any pulse can be asked for in any order."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

JITTER_NS = 20_000
"""Standard deviation of pulse times: the machine follows the mains."""
MISSING_EVERY, VETOED_EVERY = 2000, 5000
TRIP_EVERY_S, TRIP_S = 600.0, (5.0, 20.0)
VETO_NO_BEAM, VETO_EVENT_LINK = 0x001, 0x100
_BLOCK = 4096


class Pulse(NamedTuple):
    """One accelerator pulse; ``veto`` is the twelve veto bits, zero when there are neutrons."""

    time_ns: int
    veto: int
    cycle: int


class Machine:
    """A pulsed source.

    Parameters
    ----------
    epoch_ns : int
        Time of pulse 0 without its jitter, Unix ns.
    frequency : float
        Pulses a second.
    seed : int
    trips : bool
        About once in ten minutes the beam is off for 5 to 20 s.
    """

    def __init__(self, epoch_ns: int, frequency: float, seed: int, trips: bool = True) -> None:
        self.epoch_ns = epoch_ns
        self.period_ns = 1e9 / frequency
        self._seed = seed
        self._trips = trips
        self._block = lru_cache(maxsize=8)(self._make_block)

    def pulse(self, k: int) -> Pulse:
        """Pulse number k, counted from the epoch."""
        times, vetoes = self._block(k // _BLOCK)
        return Pulse(times[k % _BLOCK], vetoes[k % _BLOCK], k % 600)

    def first_at(self, time_ns: int) -> int:
        """Find the number of the first pulse at or after a time."""
        k = max(0, int((time_ns - self.epoch_ns) // self.period_ns) - 1)
        while self.pulse(k).time_ns < time_ns:
            k += 1
        return k

    def with_neutrons(self, from_ns: int, to_ns: int) -> int:
        """Count the pulses with beam from one time up to, not including, another."""
        first, last = self.first_at(from_ns), self.first_at(to_ns)
        total = 0
        for block in range(first // _BLOCK, last // _BLOCK + 1):
            start = block * _BLOCK
            total += self._block(block)[1][max(0, first - start) : max(0, last - start)].count(0)
        return total

    def _make_block(self, block: int) -> tuple[list[int], list[int]]:
        rng = np.random.default_rng([self._seed, 2, block])
        k = np.arange(block * _BLOCK, (block + 1) * _BLOCK)
        jitter = np.clip(rng.normal(0.0, JITTER_NS, _BLOCK), -5 * JITTER_NS, 5 * JITTER_NS)
        times = self.epoch_ns + np.rint(k * self.period_ns + jitter).astype(np.int64)
        veto = np.where(rng.random(_BLOCK) < 1 / VETOED_EVERY, VETO_EVENT_LINK, 0)
        veto[
            (rng.random(_BLOCK) < 1 / MISSING_EVERY) | self._tripped((k * (self.period_ns * 1e-9)).astype(np.float64))
        ] = VETO_NO_BEAM
        return times.tolist(), veto.tolist()

    def _tripped(self, seconds: NDArray[np.float64]) -> NDArray[np.bool_]:
        off = np.zeros(len(seconds), dtype=bool)
        if not self._trips:
            return off
        for window in range(int(seconds[0] // TRIP_EVERY_S), int(seconds[-1] // TRIP_EVERY_S) + 1):
            rng = np.random.default_rng([self._seed, 3, window])
            length = rng.uniform(*TRIP_S)
            start = window * TRIP_EVERY_S + rng.uniform(0.0, TRIP_EVERY_S - length)
            off |= (seconds >= start) & (seconds < start + length)
        return off
