"""Reading record by record, and leaving records out: records of known lengths in a real journal."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from livereduce.reducer.careful import CarefulSource, position_of, read_skipped
from livereduce.sources import BEGIN, Position
from livereduce.sources.journal import JournalReader, JournalWriter

LENGTHS = (20, 50, 16, 300, 24)
STARTS = (0, 20, 70, 86, 386)


def record(length: int, number: int) -> bytes:
    return struct.pack("<4I", length - 16, 0x400001, 0, 0) + bytes([number]) * (length - 16)


RECORDS = [record(length, n) for n, length in enumerate(LENGTHS)]


def length_of(header: bytes) -> int:
    return 16 + int.from_bytes(header[:4], "little")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[JournalWriter]:
    """Two segments with the same records."""
    writer = JournalWriter(tmp_path / "journal")
    for _ in range(2):
        writer.begin_segment(1, 10**18, 1)
        writer.write(b"".join(RECORDS))
    yield writer
    writer.close()


class Reading:
    """What comes out of a journal, with the note before each block was taken."""

    def __init__(self, folder: Path, skipped: set[Position] | None = None, careful: Position | None = None) -> None:
        self.note = folder / "decoding"
        self.source = CarefulSource(
            JournalReader(folder / "journal"), self.note, length_of, frozenset(skipped or ()), careful
        )
        self.source.seek(BEGIN)

    def blocks(self, max_bytes: int = 1 << 20) -> list[tuple[int, int, bytes, str]]:
        found = []
        while (block := self.source.read(max_bytes)) is not None:
            found.append((block.segment, block.offset, block.data, " ".join(self.note.read_text().split())))
        return found


def test_without_care_blocks_are_whole_and_the_note_says_how_far_they_go(
    tmp_path: Path, journal: JournalWriter
) -> None:
    reading = Reading(tmp_path)
    assert reading.note.read_text().strip() == ""
    whole = b"".join(RECORDS)
    assert reading.blocks() == [(1, 0, whole, "1 410 0"), (2, 0, whole, "2 410 0")]
    reading.source.close()


def test_in_the_suspected_segment_records_come_one_by_one_each_noted_before(
    tmp_path: Path, journal: JournalWriter
) -> None:
    reading = Reading(tmp_path, careful=Position(2, 386))
    first, *rest = reading.blocks()
    assert first == (1, 0, b"".join(RECORDS), "1 410 0")
    assert rest[:4] == [(2, STARTS[n], RECORDS[n], f"2 {STARTS[n]} 1") for n in range(4)]
    assert rest[4:] == [(2, 386, RECORDS[4], "2 410 0")]
    reading.source.close()


def test_a_record_larger_than_a_block_is_noted_once_where_it_begins(tmp_path: Path, journal: JournalWriter) -> None:
    reading = Reading(tmp_path, careful=Position(1, 410))
    parts = [block for block in reading.blocks(100) if block[0] == 1 and 86 <= block[1] < 386]
    assert [(at, len(data), note) for _, at, data, note in parts] == [
        (86, 100, "1 86 1"),
        (186, 100, "1 86 1"),
        (286, 100, "1 86 1"),
    ]
    reading.source.close()


def test_where_the_journal_cannot_be_read_no_record_is_noted(tmp_path: Path, journal: JournalWriter) -> None:
    """What was handed out before has been decoded by then, so none of it can be the cause of a death."""
    reading = Reading(tmp_path, careful=Position(1, 410))
    first = reading.source.read(1 << 20)
    assert first is not None
    assert reading.note.read_text().split()[0] == "1"
    [unreadable] = (tmp_path / "journal").glob("000002.*")
    unreadable.unlink()
    unreadable.mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        reading.blocks()
    assert reading.note.read_text().strip() == ""
    reading.source.close()


def test_at_the_journals_end_no_record_is_noted(tmp_path: Path, journal: JournalWriter) -> None:
    reading = Reading(tmp_path, careful=Position(2, 410))
    assert reading.blocks()
    assert reading.note.read_text().strip() == ""
    reading.source.close()


@pytest.mark.parametrize("careful", [None, Position(2, 410)])
def test_records_are_left_out_wherever_they_are(
    tmp_path: Path, journal: JournalWriter, careful: Position | None
) -> None:
    reading = Reading(tmp_path, {Position(1, 0), Position(1, 86), Position(2, 386)}, careful)
    data = {1: b"", 2: b""}
    for segment, _, part, _ in reading.blocks():
        data[segment] += part
    assert data[1] == RECORDS[1] + RECORDS[2] + RECORDS[4]
    assert data[2] == b"".join(RECORDS[:4])
    reading.source.close()


def test_a_record_to_leave_out_that_has_not_arrived_yet_is_waited_for(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "journal")
    writer.begin_segment(1, 10**18, 1)
    writer.write(RECORDS[0] + RECORDS[1][:10])
    reading = Reading(tmp_path, {Position(1, 20)})
    assert [data for _, _, data, _ in reading.blocks()] == [RECORDS[0]]
    writer.write(RECORDS[1][10:40])
    assert reading.blocks() == []
    writer.write(RECORDS[1][40:] + RECORDS[2])
    assert [data for _, _, data, _ in reading.blocks()] == [RECORDS[2]]
    reading.source.close()
    writer.close()


def test_a_torn_record_at_the_end_of_a_connection_holds_up_nothing(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "journal")
    for _ in range(2):
        writer.new_connection()
        writer.begin_segment(1, 10**18, 1)
        writer.write(RECORDS[0] + RECORDS[1][:10])
    reading = Reading(tmp_path, careful=Position(1, 30))
    assert [(s, data) for s, _, data, _ in reading.blocks()] == [
        (1, RECORDS[0]),
        (1, RECORDS[1][:10]),
        (2, RECORDS[0] + RECORDS[1][:10]),
    ]
    reading.source.close()
    writer.close()


def test_places_are_read_as_they_are_written(tmp_path: Path) -> None:
    assert position_of("3:4096") == Position(3, 4096)
    assert read_skipped(tmp_path / "none") == frozenset()
    (tmp_path / "skipped").write_text("3:4096\n1:0\nnonsense\n7:\n")
    assert read_skipped(tmp_path / "skipped") == {Position(3, 4096), Position(1, 0)}
