"""Between journal and decoder: what is about to be decoded is noted, and records that end the process are left out.

The note (``<runtime_dir>/decoding``: segment, offset, 1 if one record begins there, else 0) survives the process. It is
empty while more is read, which is no record's business. When the process died while it decoded, the supervisor starts
it again reading record by record up to there; when that ends it once more, the note names the record, and later
processes skip it. ``<state_dir>/skipped`` has a line ``segment:offset`` for each.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from livereduce.sources import BEGIN, Block, ByteSource, Position

CAREFUL_BYTES = 64 << 10
NOTE = "decoding"
NOTE_BYTES = 48

log = logging.getLogger(__name__)


def read_skipped(path: Path) -> frozenset[Position]:
    """Read which records are to be left out; a line that makes no sense names none."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return frozenset()
    places = [line.partition(":") for line in lines]
    return frozenset(Position(int(a), int(b)) for a, _, b in places if a.isdecimal() and b.isdecimal())


def position_of(text: str) -> Position:
    """Read ``segment:offset``."""
    segment, _, offset = text.partition(":")
    return Position(int(segment), int(offset))


class CarefulSource:
    """A byte source that notes what it hands out and leaves out the records it is told to.

    Parameters
    ----------
    source
        Where the bytes come from; it is read from a record's beginning.
    note
        File for the note.
    length_of
        Length of the record that bytes begin with, header included; None while there are too few to tell.
    skipped
        Where the records begin that are left out.
    careful_until
        Up to here, in this segment, one record is handed out at a time.
    """

    def __init__(
        self,
        source: ByteSource,
        note: Path,
        length_of: Callable[[bytes], int | None],
        skipped: frozenset[Position] = frozenset(),
        careful_until: Position | None = None,
    ) -> None:
        self._source = source
        self._length_of = length_of
        self._skipped = skipped
        self._careful_until = careful_until
        self._record = self._record_end = BEGIN
        self._segment = 0
        self._note = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._write_note("")

    def read(self, max_bytes: int) -> Block | None:
        """Give the next bytes: of one record where care is needed, else as many as there are."""
        self._write_note("")
        near = self._careful_until is not None and self._careful_until.segment == self._segment
        while (block := self._source.read(min(max_bytes, CAREFUL_BYTES) if near else max_bytes)) is not None:
            begin = Position(block.segment, block.offset)
            self._segment = block.segment
            if begin in self._skipped:
                if not self._skip(block):
                    return None
                continue
            if self._is_careful(begin):
                return self._one_record(block)
            return self._up_to_skipped(block)
        return None

    def _is_careful(self, begin: Position) -> bool:
        until = self._careful_until
        if until is not None and begin >= until:
            self._careful_until = None
        return until is not None and begin < until and begin.segment == until.segment

    def _skip(self, block: Block) -> bool:
        """Go behind the record at the block's beginning; False while its header has not arrived."""
        length = self._length_of(block.data)
        self._source.seek(Position(block.segment, block.offset + (length or 0)))
        return length is not None

    def _one_record(self, block: Block) -> Block:
        begin = Position(block.segment, block.offset)
        if begin >= self._record_end:
            length = self._length_of(block.data)
            if length is None:  # the end of a connection that was cut off: no record
                self._careful_until = None
                return block
            self._record, self._record_end = begin, Position(block.segment, block.offset + length)
        self._write_note(f"{self._record.segment} {self._record.offset} 1")
        return self._cut(block, self._record_end)

    def _up_to_skipped(self, block: Block) -> Block:
        end = Position(block.segment, block.offset + len(block.data))
        begin = Position(block.segment, block.offset)
        first = min((place for place in self._skipped if begin < place < end), default=end)
        self._write_note(f"{first.segment} {first.offset} 0")
        return self._cut(block, first)

    def _cut(self, block: Block, end: Position) -> Block:
        """Hand out no more than up to `end`, and go on there."""
        size = end.offset - block.offset
        if size >= len(block.data):
            return block
        self._source.seek(end)
        return replace(block, data=block.data[:size])

    def _write_note(self, text: str) -> None:
        """Write in place, which needs no room on a full disk but the first time; decoding goes on without a note."""
        try:
            os.pwrite(self._note, text.ljust(NOTE_BYTES).encode(), 0)
        except OSError as error:
            log.debug("no note of what is decoded: %s", error)

    def seek(self, position: Position) -> None:
        """Go on reading from `position`."""
        self._source.seek(position)

    @property
    def ended(self) -> bool:
        """Whether the source is at its final end."""
        return self._source.ended

    def close(self) -> None:
        """Close the source and the note."""
        self._source.close()
        os.close(self._note)
