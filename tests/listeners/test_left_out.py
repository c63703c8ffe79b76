"""Bytes that the source leaves out: counted, and nothing around them is lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import pytest

from livereduce.listeners.adara import AdaraListener
from livereduce.listeners.base import Comment, Connected, Message, Rejected
from livereduce.protocols.adara import Marker, StreamAnnotation, encode
from livereduce.sources import BEGIN, Block, Position

NOW = 1_700_000_000 * 10**9


def said(text: str) -> bytes:
    return encode(StreamAnnotation(NOW, Marker.GENERIC, text))


ONE, TWO, THREE = said("one"), said("two!"), said("three")


class Blocks:
    """A source that gives (segment, offset, bytes)."""

    ended = False

    def __init__(self, blocks: Iterable[tuple[int, int, bytes]]) -> None:
        self._blocks = deque(Block(data, segment, offset, 1) for segment, offset, data in blocks)

    def read(self, max_bytes: int) -> Block | None:
        return self._blocks.popleft() if self._blocks else None

    def seek(self, position: Position) -> None:
        pass

    def close(self) -> None:
        self._blocks.clear()


def told(*blocks: tuple[int, int, bytes], start: Position = BEGIN) -> list[str]:
    listener = AdaraListener(Blocks(blocks), start=start)
    messages: list[Message] = []
    while (message := listener.receive()) is not None:
        messages.append(message)
    return [in_words(message) for message in messages]


def in_words(message: Message) -> str:
    match message:
        case Comment(text):
            return text
        case Rejected(reason, count):
            return f"{count} {reason}"
        case Connected():
            return "connected"
    raise AssertionError(message)


HOLE = "1 record that ended the process"


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([(1, 0, ONE), (1, len(ONE), TWO)], ["connected", "one", "two!"]),
        ([(1, 0, ONE), (1, len(ONE + TWO), THREE)], ["connected", "one", HOLE, "three"]),
        ([(1, len(ONE), TWO)], [HOLE, "connected", "two!"]),
        ([(1, 0, ONE), (2, len(TWO), THREE)], ["connected", "one", HOLE, "three"]),
        ([(1, 0, ONE + TWO[:7]), (1, len(ONE) + 7, TWO[7:])], ["connected", "one", "two!"]),
        ([(1, 0, ONE + TWO[:7]), (2, 0, THREE)], ["connected", "one", "three"]),
    ],
)
def test_a_hole_in_a_segment_is_a_record_left_out(blocks: list[tuple[int, int, bytes]], expected: list[str]) -> None:
    assert told(*blocks) == expected


def test_reading_that_begins_in_the_middle_has_no_hole_before_it() -> None:
    assert told((3, 100, ONE), start=Position(3, 100)) == ["connected", "one"]


def test_a_packet_too_large_to_be_kept_is_no_hole() -> None:
    """It is skipped as it comes, over several blocks."""
    large = (200_000).to_bytes(4, "little") + bytes(200_012)
    parts = [large[i : i + 50_000] for i in range(0, len(large), 50_000)]
    blocks = [(1, 50_000 * n, part) for n, part in enumerate(parts)]
    listener = AdaraListener(Blocks([*blocks, (1, len(large), ONE)]), max_packet_bytes=1 << 16)
    messages = list(iter(listener.receive, None))
    assert [m for m in messages if isinstance(m, Rejected)] == [Rejected("oversize packet", 1)]
    assert isinstance(messages[-1], Comment)
