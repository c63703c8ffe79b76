"""What is said where bytes do not follow those before: read from a real journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from livereduce.listeners.adara import AdaraListener
from livereduce.listeners.base import Connected, Message, Rejected
from livereduce.protocols.adara import Heartbeat, encode, unix_ns
from livereduce.sources import Position
from livereduce.sources.journal import JournalReader, JournalWriter, segments

HEARTBEAT = encode(Heartbeat(unix_ns(5)))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """One connection, four segments of two heartbeats (32 bytes); the first ends within a third one."""
    writer = JournalWriter(tmp_path)
    writer.new_connection()
    for rest in (HEARTBEAT[:10], b"", b"", b""):
        writer.begin_segment(0, 0, 1)
        writer.write(HEARTBEAT * 2 + rest)
    writer.close()
    return tmp_path


def remove(journal: Path, *numbers: int) -> None:
    for segment in segments(journal):
        if segment.index in numbers:
            segment.path.unlink()


def notes(listener: AdaraListener) -> list[Message]:
    found: list[Message] = []
    while (message := listener.receive()) is not None:
        if isinstance(message, Connected | Rejected):
            found.append(message)
    return found


def test_segments_that_are_gone_are_said_once_and_what_follows_is_a_new_beginning(journal: Path) -> None:
    remove(journal, 2)
    listener = AdaraListener(JournalReader(journal))
    assert notes(listener) == [Connected(1), Rejected("part of the journal is gone", 1), Connected(1)]
    listener.close()


def test_a_place_to_resume_at_that_is_gone_is_said(journal: Path) -> None:
    remove(journal, 1, 2)
    listener = AdaraListener(JournalReader(journal), start=Position(2, 16))
    assert notes(listener) == [Rejected("part of the journal is gone", 1), Connected(1)]
    listener.close()


def test_nothing_is_said_where_everything_is_there(journal: Path) -> None:
    listener = AdaraListener(JournalReader(journal), start=Position(2, 16))
    assert notes(listener) == [Connected(1)]
    listener.close()
