"""A stream made up on the spot: two detectors, flat in time of flight; for trying scripts without an instrument.

Same seed and same times of asking: same events. The number of events is exactly rate times time, rounded down. It keeps
no history: what happened before the first time it was asked never was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from livereduce.geometry import instrument_from_flight_paths
from livereduce.listeners.base import (
    Connected,
    Events,
    GeometryUpdate,
    InstrumentInfo,
    Message,
    RunInfo,
    RunMark,
    RunMarkKind,
)
from livereduce.sources import Position

NAME = "FakeEvents"
TICK_NS = 100
TOF_TICKS = (400_000, 600_000)
"""Times of flight are uniform from 40000 to 60000 µs."""
PULSES_PER_SECOND = 10
PULSE_CHARGE_PC = 2.0e7
BATCH_PULSES = 600
"""What was not asked for in time comes in pieces of so many pulses."""


class FakeListener:
    """Events at a rate, run after run.

    Parameters
    ----------
    clock
        Unix time, ns.
    rate
        Events a second, both spectra together.
    end_run_every
        A run ends with every so many extractions that brought events; 0 = never.
    end_run_every_s
        A run ends after so many seconds; 0 = never.
    not_yet
        So many times at first there is nothing to give.
    """

    name = "FakeEventDataListener"
    supports_history = False
    buffers_events = True

    def __init__(
        self,
        clock: Callable[[], int],
        *,
        rate: float = 200.0,
        end_run_every: int = 0,
        end_run_every_s: float = 0.0,
        not_yet: int = 0,
        seed: int = 1,
    ) -> None:
        self._clock = clock
        self._rate = rate
        self._end_run_every = end_run_every
        self._end_run_after_pulses = round(end_run_every_s * PULSES_PER_SECOND)
        self._not_yet = not_yet
        self._random = np.random.default_rng(seed)
        self._queue: deque[Message] = deque()
        self._all_given = False
        self._epoch_ns = 0
        self._pulse = 0
        self._run = 0
        self._run_began_at_pulse = 0
        self._extractions = 0
        self._given = 0

    def receive(self, until: Position | None = None) -> Message | None:
        """Return the next message; once all that is due now has been given, None, and then what is due by then."""
        if until is not None and self.position >= until:
            return None
        if not self._queue and not self._all_given:
            self._queue.extend(self._due())
        if not self._queue:
            self._all_given = False
            return None
        self._given += 1
        message = self._queue.popleft()
        # a mark ends the extraction, so there is nobody to say None to
        self._all_given = not isinstance(message, RunMark)
        return message

    @property
    def position(self) -> Position:
        """How many messages were given."""
        return Position(0, self._given)

    @property
    def ended(self) -> bool:
        """Never."""
        return False

    def close(self) -> None:
        """Nothing is open."""

    def _due(self) -> list[Message]:
        if self._not_yet:
            self._not_yet -= 1
            return []
        now = self._clock()
        if not self._epoch_ns:
            self._epoch_ns = now
            return [*_description(), self._next_run()]
        messages: list[Message] = []
        last = (now - self._epoch_ns) * PULSES_PER_SECOND // 1_000_000_000
        while self._pulse < last:
            count = min(last - self._pulse, BATCH_PULSES)
            if self._end_run_after_pulses:
                count = min(count, self._run_began_at_pulse + self._end_run_after_pulses - self._pulse)
            messages.append(self._events(count))
            if self._pulse - self._run_began_at_pulse == self._end_run_after_pulses:
                messages.append(self._next_run())
        if messages:
            self._extractions += 1
            if self._end_run_every and self._extractions % self._end_run_every == 0:
                messages.append(self._next_run())
        return messages

    def _events(self, pulses: int) -> Events:
        number = np.arange(self._pulse, self._pulse + pulses + 1)
        start = (number * self._rate // PULSES_PER_SECOND).astype(np.int64)
        start -= start[0]
        n = int(start[-1])
        self._pulse += pulses
        return Events(
            pulse_time=self._time_of(number[:-1]),
            charge=np.full(pulses, PULSE_CHARGE_PC),
            start=start,
            tof=self._random.integers(*TOF_TICKS, n, np.uint32),
            detector_id=self._random.integers(1, 3, n, np.uint32),
            keys=None,
            tick_ns=TICK_NS,
        )

    def _time_of(self, pulse: NDArray[np.int64]) -> NDArray[np.int64]:
        return self._epoch_ns + pulse * (1_000_000_000 // PULSES_PER_SECOND)

    def _next_run(self) -> RunMark:
        self._run += 1
        self._run_began_at_pulse = self._pulse
        start = int(self._epoch_ns + self._pulse * (1_000_000_000 // PULSES_PER_SECOND))
        return RunMark(RunMarkKind.NEW, self._run, start, start, previous_ended=True)


def _description() -> list[Message]:
    instrument = instrument_from_flight_paths(
        NAME, ids=[1, 2], l2=[1.0, 1.0], two_theta=[np.pi / 4, np.pi / 2], monitor=[False, False], l1=10.0
    )
    return [
        Connected(1),
        InstrumentInfo(NAME, NAME, ""),
        GeometryUpdate(instrument, NAME.encode()),
        RunInfo({"run_title": "made up"}),
    ]
