"""A text file that grows by whole lines, on disks that may be full."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path

KEPT = 100_000
"""Lines that wait for room; of more than that the oldest are lost."""


class LineFile:
    """Appends lines: of each, all is in the file or nothing. What the disk has no room for waits.

    Attributes
    ----------
    trouble
        Why lines wait; empty when none does.
    """

    def __init__(self, path: Path) -> None:
        self.trouble = ""
        self._path = path
        self._fd = _opened(path)
        self._waiting: deque[bytes] = deque(maxlen=KEPT)
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":  # the last line was torn by a crash
            self._waiting.append(b"\n")

    def append(self, *lines: str) -> None:
        """Write lines, after those that wait."""
        self._waiting.extend(f"{line}\n".encode() for line in lines)
        self.retry()

    def retry(self) -> None:
        """Write what waits, if there is room now."""
        try:
            while self._waiting:
                self._write(self._waiting[0])
                self._waiting.popleft()
        except OSError as error:
            self.trouble = f"{error.strerror}; {len(self._waiting)} lines wait for room on the disk"
        else:
            self.trouble = ""

    def rewrite(self, lines: Iterable[str]) -> None:
        """Replace all lines; where there is no room for that, or lines wait for room, the file stays as it is."""
        if self._waiting:
            return
        rewrite(self._path, lines)
        try:
            fd = _opened(self._path)
        except OSError as error:  # then what follows goes to a file nobody finds: say so
            self.trouble = f"{self._path.name} cannot be opened again: {error.strerror}"
            return
        os.close(self._fd)
        self._fd = fd

    def _write(self, line: bytes) -> None:
        size = os.fstat(self._fd).st_size
        written = os.write(self._fd, line)
        if written < len(line):
            os.ftruncate(self._fd, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Close the file; what still waits is lost."""
        os.close(self._fd)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)


def rewrite(path: Path, lines: Iterable[str]) -> None:
    """Replace all lines of a file; without room for that it stays as it is."""
    fresh = path.with_suffix(".new")
    try:
        fresh.write_text("".join(f"{line}\n" for line in lines))
        os.replace(fresh, path)
    except OSError:
        fresh.unlink(missing_ok=True)
