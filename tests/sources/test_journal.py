"""The journal as its writer leaves it and its reader finds it, also after an end without warning."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from livereduce.errors import LiveReduceError
from livereduce.sources import BEGIN, Block, Position
from livereduce.sources.journal import (
    NEEDED,
    JournalReader,
    JournalWriter,
    Segment,
    bytes_between,
    prune,
    prune_oldest,
    read_needed,
    segments,
    write_needed,
)

RUN_START_NS = 1_700_000_000 * 10**9


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[JournalWriter]:
    writer = JournalWriter(tmp_path)
    yield writer
    writer.close()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[JournalReader]:
    reader = JournalReader(tmp_path)
    yield reader
    reader.close()


def write(writer: JournalWriter, *parts: bytes, run: int = 0) -> None:
    """Write each part to a segment of its own."""
    for part in parts:
        writer.begin_segment(run, RUN_START_NS if run else 0, requested_start=1)
        writer.write(part)


def blocks(reader: JournalReader, max_bytes: int = 100) -> list[Block]:
    found = []
    while (block := reader.read(max_bytes)) is not None:
        found.append(block)
    return found


def test_the_names_of_the_files_are_the_index(tmp_path: Path, writer: JournalWriter) -> None:
    writer.new_connection()
    writer.begin_segment(0, 0, 1)
    writer.write(b"between")
    writer.begin_segment(1001, RUN_START_NS, 1)
    writer.write(b"run")
    writer.new_connection()
    writer.begin_segment(1001, RUN_START_NS, 900)
    writer.write(b"again")
    names = ["000001.c0001.r0.t0.q1.adara", "000002.c0001.r1001.t1700000000.q1.adara",
             "000003.c0002.r1001.t1700000000.q900.adara"]  # fmt: skip
    assert sorted(p.name for p in tmp_path.glob("*.adara")) == names
    assert segments(tmp_path) == [
        Segment(1, 1, 0, 0, 1, 7, tmp_path / names[0]),
        Segment(2, 1, 1001, RUN_START_NS, 1, 3, tmp_path / names[1]),
        Segment(3, 2, 1001, RUN_START_NS, 900, 5, tmp_path / names[2]),
    ]


def test_files_that_are_no_segments_are_passed_over(tmp_path: Path, writer: JournalWriter) -> None:
    (tmp_path / "cuts").write_text("{}")
    (tmp_path / "notes.adara").write_text("")
    write(writer, b"x")
    assert [segment.index for segment in segments(tmp_path)] == [1]


def test_a_second_writer_is_refused_and_told_who_is_there(tmp_path: Path, writer: JournalWriter) -> None:
    with pytest.raises(LiveReduceError, match=rf"is being written by process {os.getpid()}; .*[Ss]top that process"):
        JournalWriter(tmp_path)


def test_a_new_writer_goes_on_with_a_new_segment_and_a_new_connection(tmp_path: Path) -> None:
    first = JournalWriter(tmp_path)
    first.new_connection()
    write(first, b"one", b"two")
    first.close()
    second = JournalWriter(tmp_path)
    assert second.new_connection() == 2
    write(second, b"three")
    second.close()
    assert [(s.index, s.connection, s.size) for s in segments(tmp_path)] == [(1, 1, 3), (2, 1, 3), (3, 2, 5)]


def test_a_segment_that_got_no_bytes_leaves_no_file(tmp_path: Path, writer: JournalWriter) -> None:
    writer.new_connection()
    writer.begin_segment(1, RUN_START_NS, 1)
    writer.new_connection()
    write(writer, b"x")
    assert [s.connection for s in segments(tmp_path)] == [2]


def test_written_bytes_are_in_the_file_at_once_and_on_the_disk_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: JournalWriter
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    times = []
    for now in (100.0, 100.5, 101.0, 101.2, 102.5):
        write(writer, b"x") if now == 100.0 else writer.write(b"x")
        assert bytes_between(tmp_path, BEGIN) == sum(s.path.stat().st_size for s in segments(tmp_path)) > 0
        before = len(synced)
        writer.sync(now)
        times += [now] * (len(synced) - before)
    assert times == [100.0, 101.0, 102.5]
    writer.sync(200.0)
    assert len(synced) == 3  # nothing new to sync


def test_blocks_come_in_order_and_say_where_they_lie(writer: JournalWriter, reader: JournalReader) -> None:
    writer.new_connection()
    write(writer, b"abcdef", b"gh")
    writer.new_connection()
    write(writer, b"ij")
    assert blocks(reader, 4) == [
        Block(b"abcd", 1, 0, 1),
        Block(b"ef", 1, 4, 1),
        Block(b"gh", 2, 0, 1),
        Block(b"ij", 3, 0, 2),
    ]
    assert not reader.ended


def test_a_reader_follows_a_growing_segment_and_those_after_it(writer: JournalWriter, reader: JournalReader) -> None:
    assert reader.read(100) is None
    write(writer, b"ab")
    assert blocks(reader) == [Block(b"ab", 1, 0, 0)]
    writer.write(b"cd")
    assert blocks(reader) == [Block(b"cd", 1, 2, 0)]
    writer.write(b"ef")
    write(writer, b"gh")
    assert blocks(reader) == [Block(b"ef", 1, 4, 0), Block(b"gh", 2, 0, 0)]


def test_a_journal_that_does_not_exist_yet_has_nothing_to_read(tmp_path: Path) -> None:
    reader = JournalReader(tmp_path / "later")
    assert reader.read(100) is None
    writer = JournalWriter(tmp_path / "later")
    write(writer, b"x")
    assert blocks(reader) == [Block(b"x", 1, 0, 0)]
    writer.close()
    reader.close()


def test_one_can_go_to_any_position_and_read_on(writer: JournalWriter, reader: JournalReader) -> None:
    write(writer, b"abcdef", b"gh")
    reader.seek(Position(1, 4))
    assert blocks(reader) == [Block(b"ef", 1, 4, 0), Block(b"gh", 2, 0, 0)]
    reader.seek(Position(2, 1))
    assert blocks(reader) == [Block(b"h", 2, 1, 0)]
    reader.seek(BEGIN)
    assert blocks(reader)[0] == Block(b"abcdef", 1, 0, 0)
    reader.seek(Position(1, 6))
    assert blocks(reader) == [Block(b"gh", 2, 0, 0)]
    reader.seek(Position(3, 0))
    assert blocks(reader) == []
    write(writer, b"later")
    assert blocks(reader) == [Block(b"later", 3, 0, 0)]


def test_a_reader_goes_on_behind_segments_that_were_removed(
    tmp_path: Path, writer: JournalWriter, reader: JournalReader
) -> None:
    write(writer, b"abc", b"def", b"ghi")
    assert reader.read(2) == Block(b"ab", 1, 0, 0)
    for segment in segments(tmp_path)[:2]:
        segment.path.unlink()
    # an open file stays readable
    assert blocks(reader) == [Block(b"c", 1, 2, 0), Block(b"ghi", 3, 0, 0, gap=True)]
    reader.seek(Position(2, 1))
    assert blocks(reader, 2) == [Block(b"gh", 3, 0, 0, gap=True), Block(b"i", 3, 2, 0)]


def test_who_begins_with_what_there_is_misses_nothing(
    tmp_path: Path, writer: JournalWriter, reader: JournalReader
) -> None:
    write(writer, b"abc", b"def")
    segments(tmp_path)[0].path.unlink()
    assert blocks(reader) == [Block(b"def", 2, 0, 0)]


def test_a_gap_before_an_empty_segment_is_said_with_the_bytes_behind_it(
    tmp_path: Path, writer: JournalWriter, reader: JournalReader
) -> None:
    (tmp_path / "000002.c0001.r0.t0.q1.adara").write_bytes(b"ab")
    (tmp_path / "000004.c0002.r0.t0.q1.adara").touch()
    (tmp_path / "000005.c0003.r0.t0.q1.adara").write_bytes(b"xy")
    assert blocks(reader) == [Block(b"ab", 2, 0, 1), Block(b"xy", 5, 0, 3, gap=True)]


def test_a_segment_that_got_no_bytes_is_no_gap_to_a_reader_that_had_opened_it(
    tmp_path: Path, writer: JournalWriter, reader: JournalReader
) -> None:
    writer.new_connection()
    write(writer, b"ab")
    writer.begin_segment(0, 0, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            writer.write(b"cd")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert blocks(reader) == [Block(b"ab", 1, 0, 1)]  # and the empty segment 2 is open now
    writer.new_connection()
    write(writer, b"cd")
    assert blocks(reader) == [Block(b"cd", 2, 0, 2)]


def test_an_empty_segment_of_a_writer_that_was_killed_is_passed_over(
    tmp_path: Path, writer: JournalWriter, reader: JournalReader
) -> None:
    (tmp_path / "000001.c0001.r0.t0.q1.adara").touch()
    (tmp_path / "000002.c0002.r0.t0.q1.adara").write_bytes(b"xy")
    assert blocks(reader) == [Block(b"xy", 2, 0, 2)]


def test_bytes_between_positions_are_counted_over_segments(tmp_path: Path, writer: JournalWriter) -> None:
    assert bytes_between(tmp_path / "missing", BEGIN) == 0
    write(writer, b"abcdef", b"gh", b"ijk")
    assert bytes_between(tmp_path, BEGIN) == 11
    assert bytes_between(tmp_path, Position(1, 4)) == 2 + 2 + 3
    assert bytes_between(tmp_path, Position(1, 4), Position(3, 1)) == 2 + 2 + 1
    assert bytes_between(tmp_path, Position(2, 1), Position(2, 2)) == 1
    assert bytes_between(tmp_path, Position(3, 0), Position(1, 0)) == 0
    assert [segment.index for segment in segments(tmp_path, 2)] == [2, 3]


def test_a_write_that_fails_halfway_keeps_what_was_written_and_the_next_segment_is_sound(
    tmp_path: Path, writer: JournalWriter, reader: JournalReader
) -> None:
    writer.new_connection()
    write(writer, b"0123456789")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            writer.write(b"abcdefghij")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    writer.new_connection()
    write(writer, b"klm")
    assert blocks(reader) == [Block(b"0123456789abcdef", 1, 0, 1), Block(b"klm", 2, 0, 2)]


def test_a_segment_whose_first_byte_could_not_be_written_leaves_no_file(tmp_path: Path, writer: JournalWriter) -> None:
    writer.begin_segment(0, 0, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            writer.write(b"abc")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    writer.end_segment()
    assert segments(tmp_path) == []


def runs_in(directory: Path) -> list[int]:
    return [segment.run for segment in segments(directory)]


def three_runs(writer: JournalWriter) -> None:
    for run in (1, 2, 3):
        write(writer, b"x" * 100, b"y" * 100, run=run)
        write(writer, b"z" * 10)


def test_the_oldest_runs_are_removed_whole_with_what_followed_them(tmp_path: Path, writer: JournalWriter) -> None:
    three_runs(writer)
    assert prune(tmp_path, keep_bytes=10_000, keep_runs=2) == 210
    assert runs_in(tmp_path) == [2, 2, 0, 3, 3, 0]
    assert prune(tmp_path, keep_bytes=419, keep_runs=2) == 210
    assert runs_in(tmp_path) == [3, 3, 0]


def test_nothing_is_removed_while_there_is_room(tmp_path: Path, writer: JournalWriter) -> None:
    three_runs(writer)
    assert prune(tmp_path, keep_bytes=630, keep_runs=3) == 0
    assert len(segments(tmp_path)) == 9


def test_the_newest_run_stays_however_large_it_is(tmp_path: Path, writer: JournalWriter) -> None:
    three_runs(writer)
    write(writer, b"w" * 1000, run=4)
    prune(tmp_path, keep_bytes=10, keep_runs=1)
    assert runs_in(tmp_path) == [4]


def test_segments_of_one_run_over_several_connections_are_one_run(tmp_path: Path, writer: JournalWriter) -> None:
    for _ in range(3):
        writer.new_connection()
        write(writer, b"x", run=5)
    assert prune(tmp_path, keep_bytes=10_000, keep_runs=1) == 0


def test_nothing_is_removed_from_where_the_reader_would_begin_again(tmp_path: Path, writer: JournalWriter) -> None:
    three_runs(writer)  # run 1 is segments 1 to 3, run 2 is 4 to 6, run 3 is 7 to 9
    write_needed(tmp_path, Position(3, 10))  # behind all of run 1, but what followed it is not done with
    assert prune(tmp_path, keep_bytes=1, keep_runs=1) == 0
    write_needed(tmp_path, Position(4, 0))
    assert prune(tmp_path, keep_bytes=1, keep_runs=1) == 210
    assert runs_in(tmp_path) == [2, 2, 0, 3, 3, 0]
    write_needed(tmp_path, Position(7, 0))
    assert prune(tmp_path, keep_bytes=1, keep_runs=1) == 210
    assert runs_in(tmp_path) == [3, 3, 0]


def test_where_no_run_begins_for_long_what_is_done_with_may_go(tmp_path: Path, writer: JournalWriter) -> None:
    write(writer, b"x" * 100, run=1)
    for _ in range(4):  # segments 2 to 5
        write(writer, b"z" * 10)
    write_needed(tmp_path, Position(2, 5))
    assert prune(tmp_path, keep_bytes=1, keep_runs=1) == 0
    write_needed(tmp_path, Position(4, 5))
    assert prune(tmp_path, keep_bytes=140, keep_runs=2) == 0
    assert prune(tmp_path, keep_bytes=139, keep_runs=2) == 120
    assert [segment.index for segment in segments(tmp_path)] == [4, 5]
    write_needed(tmp_path, Position(5, 0))
    assert prune_oldest(tmp_path) == 10
    assert prune_oldest(tmp_path) == 0


def test_where_room_is_needed_one_run_goes_that_nobody_needs(tmp_path: Path, writer: JournalWriter) -> None:
    three_runs(writer)
    write_needed(tmp_path, Position(5, 0))
    assert prune_oldest(tmp_path) == 210
    assert runs_in(tmp_path) == [2, 2, 0, 3, 3, 0]
    assert prune_oldest(tmp_path) == 0
    write_needed(tmp_path, Position(10, 0))
    assert prune_oldest(tmp_path) == 210
    assert prune_oldest(tmp_path) == 0  # the newest is under way
    assert runs_in(tmp_path) == [3, 3, 0]


def test_what_is_needed_is_written_over_without_more_room_than_before(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    assert read_needed(journal) is None
    journal.mkdir()
    for position in (Position(123456789, 98765432109876), Position(2, 0)):
        write_needed(journal, position)
        assert read_needed(journal) == position
        assert (journal / NEEDED).stat().st_size == 64
    assert segments(journal) == []


@pytest.mark.parametrize("damaged", [b"", b"[1", b"7", b"[1, null]", bytes(64)])
def test_where_it_cannot_be_read_what_is_needed_everything_stays(
    tmp_path: Path, writer: JournalWriter, damaged: bytes
) -> None:
    three_runs(writer)
    (tmp_path / NEEDED).write_bytes(damaged)
    assert prune(tmp_path, keep_bytes=1, keep_runs=1) == 0
