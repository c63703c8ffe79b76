"""Writing files that others read at any moment: complete or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; what was written there takes its place when the block ends well.

    Raises
    ------
    ValueError
        The folder does not exist.
    """
    check_folder(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_folder(path: Path) -> None:
    """Raise ValueError if the folder of a file to write does not exist."""
    if not path.parent.is_dir():
        raise ValueError(f"Filename: there is no folder {str(path.parent)!r}")


def check_exists(path: Path) -> None:
    """Raise ValueError if a file to read does not exist."""
    if not path.is_file():
        raise ValueError(f"Filename: there is no file {str(path)!r}")


def version_of(path: Path) -> tuple[int, int]:
    """Tell versions of a file apart: its time of change, ns, and its size."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size
