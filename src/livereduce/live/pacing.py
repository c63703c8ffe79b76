"""Recorded data at the pace they were taken at: what a live loop would have seen at a time, and no more.

The time is the data's own: pulse times since the first pulse. Pulses are held back until their time has come; all else
comes where it stands in the stream. Time may run as fast as the loop does.
"""

from __future__ import annotations

import time
from collections import deque
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
        self._queue: deque[Message] = deque()
        self._first_ns: int | None = None
        self.now_s = 0.0
        self.name = listener.name
        self.supports_history = listener.supports_history
        self.buffers_events = listener.buffers_events

    def receive(self, until: Position | None = None) -> Message | None:
        """Return the next message; None when its time has not come, or at the end."""
        # of monitors and detectors one kind may wait without holding up the other: they come one behind the other
        for place in range(2):
            if len(self._queue) <= place and (message := self._ask(until)) is not None:
                self._queue.append(message)
            if len(self._queue) <= place:
                return None
            if place and type(self._queue[1]) is type(self._queue[0]):
                return None
            due: Message | None
            match self._queue[place]:
                case Events() as detectors:
                    due = self._due(detectors, place)
                case MonitorEvents() as monitors:
                    due = self._due(monitors, place)
                case _:
                    return None if place else self._queue.popleft()
            if due is not None:
                return due
        return None

    def _ask(self, until: Position | None) -> Message | None:
        """Ask the other listener; its None only means "ask again", since nothing has to arrive."""
        while not self._listener.ended:
            message = self._listener.receive(until)
            if message is not None or until is not None:
                return message
        return None

    def _due(self, pulses: Pulses, place: int) -> Pulses | None:
        """Return the pulses whose time has come; the others stay in the queue."""
        if self._first_ns is None and pulses.pulse_time.size:
            self._first_ns = int(pulses.pulse_time[0])
        # in stream order: one that comes behind a later one waits with it
        latest = np.maximum.accumulate(pulses.pulse_time)
        due = latest - (self._first_ns or 0) <= self.now_s * 1e9
        if due.all():
            del self._queue[place]
            return pulses
        if not due.any():
            return None
        self._queue[place] = keep_pulses(pulses, ~due)
        return keep_pulses(pulses, due)

    @property
    def next_s(self) -> float | None:
        """When the pulses that are held back are due; None when there are none."""
        held = [m.pulse_time[0] for m in self._queue if isinstance(m, Events | MonitorEvents) and m.pulse_time.size]
        return None if not held or self._first_ns is None else float(min(held) - self._first_ns) / 1e9

    @property
    def position(self) -> Position:
        """See `Listener`; of what was read, held back or not."""
        return self._listener.position

    @property
    def ended(self) -> bool:
        """Whether everything was given."""
        return not self._queue and self._listener.ended

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
