"""The journal: what arrived, in order, on disk, as files whose names are the index.

``NNNNNN.cCCCC.rRUN.tSTART.qREQUEST.KIND``: segment number, connection, run (0 between runs), run start (Unix s), the
start the connection asked for (EPICS s; 0 now, 1 from the container's beginning), kind of stream. A segment ends at a
packet boundary unless its connection was cut off. Bytes are those of the wire; they are in the file, and so survive any
process, when `JournalWriter.write` returns, and survive a power loss one `sync_seconds` later.

What has been written is removed again run by run, never from where the reader of the journal would have to begin if it
were started again: it says so in the file ``needed`` beside the segments.

Does not cover: what the bytes mean (`protocols`).
"""

import fcntl
import json
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from livereduce.errors import LiveReduceError
from livereduce.sources.base import BEGIN, Block, Position

SEGMENT_BYTES = 256 << 20
SYNC_SECONDS = 1.0
NEEDED = "needed"
NEEDED_WIDTH = 64

log = logging.getLogger(__name__)

_NAME = re.compile(r"(\d{6,})\.c(\d{4,})\.r(\d+)\.t(\d+)\.q(\d+)\.[a-z_]+")


@dataclass(frozen=True, slots=True)
class Segment:
    """A file of the journal.

    Attributes
    ----------
    run_start
        Unix ns; 0 between runs.
    requested_start
        What the connection's hello asked for, EPICS s; 0 = now, 1 = from the container's beginning.
    size
        Bytes when it was listed.
    """

    index: int
    connection: int
    run: int
    run_start: int
    requested_start: int
    size: int
    path: Path


def segments(directory: Path, first: int = 0) -> list[Segment]:
    """List the journal's segments from number `first` on, in order; what is not a segment is passed over.

    It is asked several times a second what comes behind a place near the end: those before it cost next to nothing.
    """
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if (match := _NAME.fullmatch(entry.name)) and int(match[1]) >= first:
                index, connection, run, start, requested = map(int, match.groups())
                try:
                    size = entry.stat().st_size
                except FileNotFoundError:  # removed since it was listed
                    continue
                found.append(Segment(index, connection, run, start * 10**9, requested, size, directory / entry.name))
    return sorted(found, key=lambda segment: segment.index)


def bytes_between(directory: Path, begin: Position, end: Position | None = None) -> int:
    """Count the bytes of the journal from `begin` to `end`, or to what is written by now."""
    if not directory.is_dir():
        return 0
    total = 0
    for segment in segments(directory, begin.segment):
        first = begin.offset if segment.index == begin.segment else 0
        last = segment.size
        if end is not None and segment.index == end.segment:
            last = min(last, end.offset)
        if end is None or segment.index <= end.segment:
            total += max(0, last - first)
    return total


def prune(directory: Path, keep_bytes: int, keep_runs: int) -> int:
    """Remove the oldest runs whole, until no more than `keep_runs` and `keep_bytes` are left.

    The newest always stays, and so does what is still needed (`write_needed`). What came between two runs goes with the
    run before it. Returns the bytes that were removed.
    """
    runs = _runs(directory)
    kept = size = 0
    for run_segments in reversed(runs):
        size += sum(segment.size for segment in run_segments)
        if kept and (kept >= keep_runs or size > keep_bytes):
            break
        kept += 1
    return _remove(_not_needed(directory, runs[: len(runs) - kept]))


def prune_oldest(directory: Path) -> int:
    """Remove the oldest run, unless it is the newest too or still needed; returns the bytes that were removed."""
    return _remove(_not_needed(directory, _runs(directory)[:-1])[:1])


def write_needed(directory: Path, position: Position) -> None:
    """Say that what lies at `position` and behind it has to stay in the journal.

    The file is written over, not replaced: that works on a full disk, when the journal waits for room.

    Raises
    ------
    OSError
        It cannot be written, or there is no such directory.
    """
    fd = os.open(directory / NEEDED, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.pwrite(fd, json.dumps(position).ljust(NEEDED_WIDTH).encode(), 0)
    finally:
        os.close(fd)


def read_needed(directory: Path) -> Position | None:
    """Read from where on the journal is needed; None when nobody has ever read it.

    A file that makes no sense (the power failed while it was written) says that everything is needed.
    """
    try:
        segment, offset = json.loads((directory / NEEDED).read_bytes())
        return Position(int(segment), int(offset))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        return BEGIN


def _runs(directory: Path) -> list[list[Segment]]:
    """Sort the segments by run; what came between two runs is with the run before it.

    Where no run begins for long, what is still needed of that stretch counts as a run of its own.
    """
    runs: list[list[Segment]] = []
    current: tuple[int, int] | None = None
    needed = read_needed(directory)
    for segment in segments(directory):
        run = (segment.run, segment.run_start) if segment.run else current
        in_between = bool(runs) and not (runs[-1][-1].run or segment.run)
        if not runs or run != current or (in_between and needed is not None and segment.index == needed.segment):
            runs.append([])
            current = run
        runs[-1].append(segment)
    return runs


def _not_needed(directory: Path, runs: list[list[Segment]]) -> list[list[Segment]]:
    needed = read_needed(directory)
    return [run for run in runs if needed is None or run[-1].index < needed.segment]


def _remove(runs: list[list[Segment]]) -> int:
    removed = [segment for run in runs for segment in run]
    for segment in removed:
        segment.path.unlink(missing_ok=True)
    return sum(segment.size for segment in removed)


class JournalWriter:
    """Appends to the journal in `directory`, which it keeps for itself.

    A new writer, after whatever end of the last one, goes on with a new segment and a new connection number.

    Parameters
    ----------
    kind
        Kind of stream, the last part of file names: tools for ADARA files know them by it.

    Raises
    ------
    LiveReduceError
        Another process writes this journal.
    """

    def __init__(self, directory: Path, kind: str = "adara", sync_seconds: float = SYNC_SECONDS) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._kind = kind
        self._lock = _locked(directory)
        last = max(segments(directory), key=lambda segment: segment.index, default=None)
        self.connection = last.connection if last else 0
        self._index = last.index if last else 0
        self._name: tuple[int, int, int] | None = None
        self._fd: int | None = None
        self._path: Path | None = None
        self._size = 0
        self._sync_seconds = sync_seconds
        self._synced = 0.0
        self._dirty = False

    @property
    def segment(self) -> int:
        """Number of the last segment, 0 in an empty journal."""
        return self._index

    def new_connection(self) -> int:
        """Count a new connection; its bytes begin a segment."""
        self.end_segment()
        self.connection += 1
        return self.connection

    def begin_segment(self, run: int, run_start: int, requested_start: int) -> None:
        """Write what follows to a new segment; its file is made with its first byte."""
        self.end_segment()
        self._name = (run, run_start // 10**9, requested_start)

    def write(self, data: memoryview | bytes) -> None:
        """Append bytes.

        Raises
        ------
        OSError
            They could not all be written; what was written stays, and is a beginning of `data`. End the segment and
            the connection.
        """
        rest = memoryview(data)
        while rest:
            written = os.write(self._open_segment(), rest)
            self._size += written
            self._dirty = True
            rest = rest[written:]

    def sync(self, now: float) -> None:
        """Bring what was written to the disk itself, once every `sync_seconds` by the clock `now` is of."""
        if self._dirty and self._fd is not None and now - self._synced >= self._sync_seconds:
            os.fdatasync(self._fd)
            self._dirty, self._synced = False, now

    def end_segment(self) -> None:
        """Close the current segment, if there is one; one that got no bytes is removed, and its number used again."""
        if self._fd is None or self._path is None:
            return
        fd, path = self._fd, self._path
        self._fd = self._path = self._name = None
        try:
            if self._dirty:
                os.fdatasync(fd)
        finally:
            self._dirty = False
            os.close(fd)
            if not self._size:
                path.unlink()
                self._index -= 1  # a number that is left out would look like data that are gone

    def close(self) -> None:
        """End the segment and leave the journal to others."""
        self.end_segment()
        os.close(self._lock)

    def _open_segment(self) -> int:
        if self._fd is None:
            if self._name is None:
                raise RuntimeError("write before begin_segment")
            run, start, requested = self._name
            name = f"{self._index + 1:06d}.c{self.connection:04d}.r{run}.t{start}.q{requested}.{self._kind}"
            path = self._directory / name
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            self._path, self._size = path, 0
            self._index += 1
            _sync_directory(self._directory)
        return self._fd


class JournalReader:
    """Reads the journal as it grows, from any process; a `ByteSource` that never ends.

    Where segments are gone between those it reads, or before the one it was told to begin with, the next block says so.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._position = BEGIN
        self._segment: Segment | None = None
        self._fd: int | None = None
        self._gap = False

    def read(self, max_bytes: int) -> Block | None:
        """Give the next bytes, None when there are none yet; a journal that does not exist yet has none."""
        while True:
            data = self._pread(max_bytes)
            if data:
                return self._block(data)
            following = self._following()
            if following is None:
                return None
            # the writer may have appended here just before it began the next segment
            data = self._pread(max_bytes)
            if data:
                return self._block(data)
            self._open(following)

    def seek(self, position: Position) -> None:
        """Go on reading from `position`; where its segment is gone, from the next one there is."""
        self.close()
        self._position, self._gap = position, False

    @property
    def ended(self) -> bool:
        """Never: more may come."""
        return False

    def close(self) -> None:
        """Close the segment that is being read."""
        if self._fd is not None:
            os.close(self._fd)
        self._fd = self._segment = None

    def _pread(self, max_bytes: int) -> bytes:
        return b"" if self._fd is None else os.pread(self._fd, max_bytes, self._position.offset)

    def _block(self, data: bytes) -> Block:
        assert self._segment is not None
        segment, offset = self._position
        self._position = Position(segment, offset + len(data))
        gap, self._gap = self._gap, False
        return Block(data, segment, offset, self._segment.connection, gap)

    def _following(self) -> Segment | None:
        """Find the segment to go on with: the one sought, else the first after it."""
        if not self._directory.is_dir():
            return None
        if self._fd is not None and not self._position.offset and not os.fstat(self._fd).st_nlink:
            self.close()  # it got no bytes, and its number is used again
        return next(iter(segments(self._directory, self._expected)), None)

    @property
    def _expected(self) -> int:
        """Number of the segment that comes next."""
        return self._position.segment + (self._segment is not None)

    def _open(self, segment: Segment) -> None:
        gap = segment.index > self._expected and self._position != BEGIN
        self.close()
        try:
            self._fd = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # removed since it was listed: the next listing knows
            return
        if segment.index != self._position.segment:
            self._position = Position(segment.index, 0)
        self._segment = segment
        self._gap = self._gap or gap


def _locked(directory: Path) -> int:
    """Lock the journal for this process; the lock file tells others who has it."""
    fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(fd, 100, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(fd)
        raise LiveReduceError(
            f"journal {directory} is being written by process {holder}; expected to be the only one. "
            "Stop that process, or give this one another state directory"
        ) from None
    try:
        os.pwrite(fd, f"{os.getpid()}\n".encode().ljust(12), 0)  # in place: a full disk has room for that
    except OSError as error:
        log.warning("%s does not say who writes the journal: %s", directory / "lock", error)
    return fd


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
