"""What the simulator tests share: a start of time, and a reader of streams that knows nothing of the codec."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import pytest

EPOCH_NS = 1_700_000_000_000_000_000
EPICS = 631_152_000


class Raw(NamedTuple):
    """One packet as plain struct fields."""

    type: int
    version: int
    time_ns: int
    payload: bytes

    @property
    def words(self) -> tuple[int, ...]:
        return struct.unpack(f"<{len(self.payload) // 4}I", self.payload)


def packets(stream: bytes) -> Iterator[Raw]:
    """Cut a stream into packets; it must end with a whole one."""
    at = 0
    while at < len(stream):
        length, form, seconds, nanoseconds = struct.unpack_from("<4I", stream, at)
        payload = stream[at + 16 : at + 16 + length]
        assert len(payload) == length, "the stream ends inside a packet"
        assert length % 4 == 0
        yield Raw(form >> 8, form & 0xFF, (seconds + EPICS) * 1_000_000_000 + nanoseconds, payload)
        at += 16 + length


def events_of(banked: Raw) -> list[tuple[int, int, int]]:
    """(bank, effective time of flight, pixel) of every event of a banked packet, word by word."""
    words, found, at = banked.words, [], 4
    while at < len(words):
        offset, banks = words[at + 2], words[at + 3]
        at += 4
        for _ in range(banks):
            bank, n = words[at], words[at + 1]
            at += 2
            for i in range(n):
                late = 0 if offset >> 31 else offset
                found.append((bank, words[at + 2 * i] + late, words[at + 2 * i + 1]))
            at += 2 * n
    assert at == len(words)
    return found


def monitor_events_of(packet: Raw) -> list[tuple[int, int]]:
    """(monitor, time of flight) of every event of a monitor packet."""
    words, found, at = packet.words, [], 4
    while at < len(words):
        number, n = words[at] >> 22, words[at] & 0x3FFFFF
        found += [(number, word & 0x1FFFFF) for word in words[at + 3 : at + 3 + n]]
        at += 3 + n
    assert at == len(words)
    return found


class Wire:
    """The functions above for the tests, which cannot import from here."""

    packets = staticmethod(packets)
    events_of = staticmethod(events_of)
    monitor_events_of = staticmethod(monitor_events_of)


@pytest.fixture
def wire() -> Wire:
    """Reader of streams that knows nothing of the codec."""
    return Wire()


@pytest.fixture
def epoch_ns() -> int:
    """When simulated time begins: 2023-11-14T22:13:20Z."""
    return EPOCH_NS
