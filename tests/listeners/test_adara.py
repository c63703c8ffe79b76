"""What the ADARA listener says of what it cannot use."""

from __future__ import annotations

import struct
from collections import deque

import pytest

from livereduce.listeners.adara import AdaraListener
from livereduce.listeners.base import Connected, Message, Rejected, RunMark
from livereduce.protocols.adara import RunState, RunStatus, encode
from livereduce.sources import Block, Position

UNKNOWN = struct.pack("<4I", 4, 0x4F0000, 1, 0) + bytes(4)
OVERRUN = struct.pack("<4I", 40, 0x400001, 1, 0) + struct.pack("<10I", 1, 2, 3, 0x300, 1, 0, 0, 1, 5, 1000)


class Blocks:
    """Gives blocks as they are."""

    ended = False

    def __init__(self, *blocks: tuple[int, bytes]) -> None:
        self._blocks = deque(Block(data, segment, 0, 1) for segment, data in blocks)

    def read(self, max_bytes: int) -> Block | None:
        return self._blocks.popleft() if self._blocks else None

    def seek(self, position: Position) -> None:
        assert position == Position(0, 0)

    def close(self) -> None:
        self._blocks.clear()


def status(run: int) -> bytes:
    return encode(RunStatus(1_000_000_000_000_000_000, run, 999_999_999_000_000_000, RunState.NEW_RUN))


def messages(*blocks: tuple[int, bytes]) -> list[Message]:
    listener, found = AdaraListener(Blocks(*blocks)), list[Message]()
    while (message := listener.receive()) is not None:
        found.append(message)
    return found


@pytest.mark.parametrize(
    ("packet", "reason"),
    [(UNKNOWN, "unknown packet type 0x4f00"), (OVERRUN, "malformed BankedEvent")],
    ids=["unknown", "overrun"],
)
@pytest.mark.parametrize("segments", [1, 2])
def test_what_was_skipped_is_told_before_the_next_run_begins_and_at_the_end(
    packet: bytes, reason: str, segments: int
) -> None:
    parts = [status(7) + packet, status(8) + packet]
    blocks = parts if segments == 2 else [b"".join(parts)]
    connected, first, skipped, second, again = messages(*enumerate(blocks, 1))
    assert isinstance(connected, Connected)
    assert isinstance(first, RunMark)
    assert isinstance(second, RunMark)
    assert (first.run, second.run) == (7, 8)
    assert skipped == again == Rejected(reason, 1)
