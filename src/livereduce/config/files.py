"""Files that one process writes and others read: replaced in one step."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def replace_file(path: Path, data: bytes) -> None:
    """Put JSON `data` in place of the file at `path`: a reader finds the old or the new, never half of one.

    A full disk has no room for a second file beside the first. The first is then written over, because saying that
    the disk is full matters more than the moment in which a reader finds a mixture.

    Raises
    ------
    OSError
        It cannot be written at all.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        if error.errno not in _NO_ROOM or not path.exists():
            raise
        _write_over(path, data)


def _write_over(path: Path, data: bytes) -> None:
    """Write `data` into the room the file has already, blank to its end; JSON does not mind."""
    with path.open("r+b", buffering=0) as file:
        room = os.fstat(file.fileno()).st_size
        if len(data) > room:
            os.posix_fallocate(file.fileno(), 0, len(data))  # raises before anything is damaged
        os.pwrite(file.fileno(), data.ljust(room), 0)
