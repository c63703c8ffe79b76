"""A stream written down as a list of messages, and helpers to write them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import numpy as np
import pytest

from livereduce.listeners.base import Events, Message, PacketKeys
from livereduce.sources import Position


class ScriptedListener:
    """Gives messages in order; None in the list is "nothing more has arrived yet". Each message is one byte long."""

    name = "scripted"
    supports_history = True
    buffers_events = True

    def __init__(self, messages: Iterable[Message | None]) -> None:
        self._messages = deque(messages)
        self._position = Position(0, 0)

    def extend(self, *messages: Message | None) -> None:
        self._messages.extend(messages)

    def receive(self, until: Position | None = None) -> Message | None:
        if not self._messages or (until is not None and self._position >= until):
            return None
        message = self._messages.popleft()
        if message is not None:
            self._position = Position(0, self._position.offset + 1)
        return message

    @property
    def position(self) -> Position:
        return self._position

    @property
    def ended(self) -> bool:
        return not self._messages

    def close(self) -> None:
        self._messages.clear()


def make_events(*pulses: tuple[int, list[tuple[int, int]]], charge: float = 10.0, error: int = 0) -> Events:
    """Make events from (pulse time ns, [(detector ID, tof ticks), ...]) pairs; `error` unusable ones in each pulse."""
    times = np.array([time for time, _ in pulses], np.int64)
    flat = [event for _, events in pulses for event in events]
    start = np.cumsum([0, *(len(events) for _, events in pulses)]).astype(np.int64)
    contents = [hash((time, tuple(events))) & 0xFFFFFFFF for time, events in pulses]
    keys = PacketKeys(times.astype(np.uint64), np.diff(start).astype(np.uint64), np.array(contents, np.uint64))
    return Events(
        pulse_time=times,
        charge=np.full(times.size, charge),
        start=start,
        tof=np.array([tof for _, tof in flat], np.uint32),
        detector_id=np.array([pixel for pixel, _ in flat], np.uint32),
        keys=keys,
        rejected={"error pixel": np.full(times.size, error, np.int64)},
    )


@pytest.fixture
def events_of() -> type:
    """Namespace of helpers, since test modules do not import each other."""
    return type("helpers", (), {"make": staticmethod(make_events), "listener": ScriptedListener})
