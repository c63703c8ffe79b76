"""What a server keeps of its stream so that a client can ask for the past: containers, files, index points.

A container is a run or a stretch between runs; a file is a part of one. Every client reads with its own `Reader`, so a
slow one holds up nobody. The newest data stay in memory up to a bound, the rest goes to unnamed files on disk; beyond
a second bound the oldest files are forgotten, as the real server does.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from livereduce.errors import LiveReduceError

MEMORY_BYTES = 256 << 20
DISK_BYTES = 4 << 30
HEADER_BYTES = 256
"""What precedes shared bytes is made anew each time."""


class _OnDisk(NamedTuple):
    handle: int
    offset: int
    size: int


_Piece: TypeAlias = bytes | _OnDisk


class ForgottenError(LiveReduceError):
    """A client is so far behind that what it should read next has been dropped."""


class File:
    """A part of a container; ``paused`` ones can be left out as a whole."""

    def __init__(self, paused: bool) -> None:
        self.paused = paused
        self.closed = False
        self.forgotten = False
        self.size = 0
        self.kept = 0
        self.pieces: list[_Piece] = []
        self._disk: tuple[int, int] | None = None

    def to_disk(self, data: bytes) -> _OnDisk:
        """Append to this file's unnamed file on disk, which lives as long as this object."""
        if self._disk is None:
            with tempfile.TemporaryFile(prefix="livereduce-") as made:
                handle = os.dup(made.fileno())
            weakref.finalize(self, os.close, handle)
            self._disk = (handle, 0)
        handle, offset = self._disk
        os.pwrite(handle, data, offset)
        self._disk = (handle, offset + len(data))
        return _OnDisk(handle, offset, len(data))


class IndexPoint(NamedTuple):
    """A place where reading may begin; inside a file the state up to there is said first."""

    time_ns: int
    file: File
    piece: int
    snapshot: bytes


@dataclass(eq=False)
class Container:
    """A run, or a stretch between runs, in the order it was written; complete once ``closed``."""

    files: list[File] = field(default_factory=list)
    index: list[IndexPoint] = field(default_factory=list)
    closed: bool = False
    next: Container | None = None


class History:
    """The containers of a stream: one being written, perhaps an older one that waits for its last packet."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES, disk_bytes: int = DISK_BYTES) -> None:
        self._memory_bytes = memory_bytes
        self._total_bytes = memory_bytes + disk_bytes
        self.current = Container()
        self._in_memory = 0

    def begin_container(self) -> Container:
        """Start a new container; the previous one stays open for its closing packet."""
        previous, self.current = self.current, Container()
        previous.next = self.current
        self._in_memory = 0
        return self.current

    def begin_file(self, time_ns: int, paused: bool) -> File:
        """Start a new file of the current container; its start is an index point."""
        files = self.current.files
        if files:
            files[-1].closed = True
        files.append(File(paused))
        self.current.index.append(IndexPoint(time_ns, files[-1], 0, b""))
        return files[-1]

    def close(self, container: Container) -> None:
        """Nothing more comes in this container."""
        container.files[-1].closed = True
        container.closed = True

    def append(self, file: File, parts: Sequence[bytes], unique: bool = True) -> None:
        """Add bytes to a file; if not ``unique`` the larger parts are shared with others and cost nothing to keep."""
        for part in parts:
            file.size += len(part)
            if not unique and len(part) > HEADER_BYTES:
                file.pieces.append(part)
                continue
            file.kept += len(part)
            if self._in_memory + len(part) > self._memory_bytes:
                file.pieces.append(file.to_disk(part))
            else:
                self._in_memory += len(part)
                file.pieces.append(part)
        self._forget()

    def mark(self, time_ns: int, snapshot: bytes) -> None:
        """Let clients begin here, with the state up to here said by ``snapshot``."""
        file = self.current.files[-1]
        self.current.index.append(IndexPoint(time_ns, file, len(file.pieces), snapshot))

    def _forget(self) -> None:
        files = self.current.files
        kept = sum(file.kept for file in files)
        for file in files[:-1]:
            if kept <= self._total_bytes:
                return
            kept -= file.kept
            file.kept = 0
            file.forgotten = True
            file.pieces = []

    def now(self, snapshot: bytes, skip_paused: bool) -> Reader:
        """Read from the next byte written on, after a snapshot."""
        files = self.current.files
        return Reader(self.current, len(files) - 1, len(files[-1].pieces), snapshot, skip_paused)

    def since(self, time_ns: int, skip_paused: bool) -> Reader:
        """Read from the newest index point before a time, at the earliest from the current container's first byte."""
        points = [point for point in self.current.index if not point.file.forgotten]
        before = [point for point in points if point.time_ns < time_ns]
        point = before[-1] if before else points[0]
        at = self.current.files.index(point.file)
        return Reader(self.current, at, point.piece, point.snapshot, skip_paused)


class Reader:
    """One client's place in the history."""

    def __init__(self, container: Container, file: int, piece: int, first: bytes, skip_paused: bool) -> None:
        self._container = container
        self._file = file
        self._piece = piece
        self._offset = 0
        self._first = first
        self._skip_paused = skip_paused

    def _skip(self) -> None:
        """Leave out paused files, but only whole: who begins inside one gets the rest of it."""
        files = self._container.files
        at_start = self._piece == 0 and self._offset == 0
        while self._skip_paused and at_start and self._file < len(files) and files[self._file].paused:
            self._file += 1

    def _turn_page(self) -> bool:
        """Go to the next file or container where this one is finished; whether there was one."""
        files = self._container.files
        if self._file < len(files) and not (files[self._file].closed and self._piece >= len(files[self._file].pieces)):
            return False
        if self._file + 1 < len(files):
            self._file += 1
        elif self._container.closed and self._container.next is not None and self._container.next.files:
            self._container, self._file = self._container.next, 0
        else:
            return False
        self._piece = 0
        return True

    def take(self, limit: int) -> list[memoryview]:
        """Up to ``limit`` bytes, in order; empty when all that has been written is read.

        Raises
        ------
        ForgottenError
            When the next bytes are no longer kept.
        """
        taken: list[memoryview] = []
        if self._first:
            taken, self._first = [memoryview(self._first)], b""
        while limit > 0:
            self._skip()
            files = self._container.files
            file = files[self._file] if self._file < len(files) else None
            if file is not None and file.forgotten:
                raise ForgottenError("the client is further behind than the history kept; it must ask again")
            if file is None or self._piece >= len(file.pieces):
                if self._turn_page():
                    continue
                break
            view = self._view(file.pieces[self._piece], limit)
            taken.append(view)
            limit -= len(view)
        return taken

    def _view(self, piece: _Piece, limit: int) -> memoryview:
        """Return the rest of a piece, or its next ``limit`` bytes, and move on."""
        size = piece.size if isinstance(piece, _OnDisk) else len(piece)
        end = min(size, self._offset + limit)
        if isinstance(piece, _OnDisk):
            view = memoryview(os.pread(piece.handle, end - self._offset, piece.offset + self._offset))
        else:
            view = memoryview(piece)[self._offset : end]
        self._offset = end
        if end == size:
            self._piece, self._offset = self._piece + 1, 0
        return view
