"""Files: what is there, of which kind and version; written so that who reads them at any moment finds them whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_HDF5 = b"\x89HDF\r\n\x1a\n"


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
        raise ValueError(f"there is no folder {str(path.parent)!r}")


def check_exists(path: Path) -> None:
    """Raise ValueError if a file to read does not exist."""
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r}")


def is_hdf5(path: Path) -> bool:
    """Tell whether a file is HDF5, by its first bytes."""
    with path.open("rb") as file:
        return file.read(len(_HDF5)) == _HDF5


class Version(NamedTuple):
    """What tells versions of a file apart."""

    changed_ns: int
    """Time its content was changed; copying may bring it along, and that of two versions may be the same."""
    size: int
    written_ns: int
    """Time anything of it was changed, which nobody can set."""
    inode: int


def version_of(path: Path) -> Version:
    """Tell versions of a file apart, without reading it."""
    status = path.stat()
    return Version(status.st_mtime_ns, status.st_size, status.st_ctime_ns, status.st_ino)
