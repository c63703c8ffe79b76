"""What the recorder finds in a journal before it connects."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from livereduce.protocols.adara import Heartbeat, encode, unix_ns
from livereduce.recorder.adara import hello_start, last_pulse_ns
from livereduce.sources.journal import JournalWriter


def pulse(second: int, size: int = 16) -> bytes:
    return struct.pack("<4I", size, 0x400001, second, 0) + bytes(size)


def journal(directory: Path, *parts: bytes) -> Path:
    writer = JournalWriter(directory)
    for part in parts:
        writer.new_connection()
        writer.begin_segment(0, 0, 1)
        writer.write(part)
    writer.close()
    return directory


def test_an_empty_journal_has_no_last_pulse(tmp_path: Path) -> None:
    assert last_pulse_ns(journal(tmp_path)) is None
    assert last_pulse_ns(journal(tmp_path, encode(Heartbeat(unix_ns(5))))) is None


def test_the_last_pulse_is_that_of_the_newest_segment_that_has_one(tmp_path: Path) -> None:
    found = last_pulse_ns(
        journal(tmp_path, pulse(10) + pulse(20), pulse(15) + pulse(18), encode(Heartbeat(unix_ns(99))))
    )
    assert found == unix_ns(18)


def test_pulses_are_found_over_the_blocks_a_segment_is_read_in(tmp_path: Path) -> None:
    many = b"".join(pulse(second, 1 << 19) for second in range(1, 8))  # packets as long as half a block
    assert last_pulse_ns(journal(tmp_path, many[:-1000])) == unix_ns(7)


@pytest.mark.parametrize(
    ("configured", "asked"),
    [(0, 0), (1, 1), (1_631_152_000, 1_000_000_000), (631_152_000, 1), (5, 1)],
)
def test_the_configured_start_is_translated_to_the_servers_epoch(configured: int, asked: int) -> None:
    assert hello_start(configured) == asked


def test_no_more_is_read_than_a_bound_however_long_there_was_no_pulse(tmp_path: Path) -> None:
    heartbeat = encode(Heartbeat(unix_ns(99)))  # 16 bytes
    directory = journal(tmp_path, pulse(10), *[heartbeat] * 10)
    assert last_pulse_ns(directory, searched_bytes=160) is None
    assert last_pulse_ns(directory, searched_bytes=161) == unix_ns(10)
    assert last_pulse_ns(directory) == unix_ns(10)
