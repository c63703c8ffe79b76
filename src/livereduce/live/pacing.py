"""Recorded data at the pace they were taken at: what a live loop would have seen at a time, and no more.

The time is the data's own: pulse times since the first pulse. Pulses are held back until their time has come; all else
comes where it stands in the stream. Time may run as fast as the loop does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from livereduce.listeners.base import Events, Listener, Message, MonitorEvents
from livereduce.live.columns import keep_pulses
from livereduce.live.monitor import Monitor
from livereduce.sources import Position

Pulses = TypeVar("Pulses", Events, MonitorEvents)

LOOK_S = 0.1


class PacedListener:
    """Another listener's messages, pulses only up to `now_s` after the first one."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._held: Message | None = None
        self._first_ns: int | None = None
        self.now_s = 0.0
        self.name = listener.name
        self.supports_history = listener.supports_history
        self.buffers_events = listener.buffers_events

    def receive(self, until: Position | None = None) -> Message | None:
        """Return the next message; None when its time has not come, or at the end."""
        message, self._held = self._held, None
        while message is None:
            if self._listener.ended:
                return None
            # None here only means "ask again": nothing has to arrive
            message = self._listener.receive(until)
            if message is None and until is not None:
                return None
        match message:
            case Events() if message.pulse_time.size:
                return self._due(message)
            case MonitorEvents() if message.pulse_time.size:
                return self._due(message)
        return message

    def _due(self, pulses: Pulses) -> Pulses | None:
        """Return the pulses whose time has come and keep the others."""
        if self._first_ns is None:
            self._first_ns = int(pulses.pulse_time[0])
        # in stream order: one that comes behind a later one waits with it
        latest = np.maximum.accumulate(pulses.pulse_time)
        due = latest - self._first_ns <= self.now_s * 1e9
        if due.all():
            return pulses
        self._held = keep_pulses(pulses, ~due) if due.any() else pulses
        return keep_pulses(pulses, due) if due.any() else None

    @property
    def next_s(self) -> float | None:
        """When the pulses that are held back are due; None when there are none."""
        if not isinstance(self._held, Events | MonitorEvents) or self._first_ns is None:
            return None
        return float(self._held.pulse_time[0] - self._first_ns) / 1e9

    @property
    def position(self) -> Position:
        """See `Listener`; of what was read, held back or not."""
        return self._listener.position

    @property
    def ended(self) -> bool:
        """Whether everything was given."""
        return self._held is None and self._listener.ended

    def close(self) -> None:
        """Close the other listener."""
        self._listener.close()


def run_to_end(
    monitor: Monitor,
    paced: PacedListener,
    speed: float | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], object] = time.sleep,
) -> None:
    """Turn the loop until all of a recorded stream was taken.

    Parameters
    ----------
    speed
        Seconds of data a second; None = as fast as it can be processed, an update's worth of data at each step.
    clock, wait
        Seconds that never go back, and how to let some pass.
    """
    began = clock()
    paced.now_s = monitor.cadence.update_every_s if speed is None else 0.0
    while not monitor.stopped and not (paced.ended and not monitor.builder.holds_data):
        pause = monitor.turn(paced.now_s)
        if speed is not None:
            wait(min(pause / speed, LOOK_S))
            paced.now_s = (clock() - began) * speed
        elif pause:
            # an empty stretch, however long, is passed over at once
            paced.now_s += max(pause, (paced.next_s or 0.0) - paced.now_s)
