"""Arrays that are read from a file in place of memory: the kernel keeps of them what it has room for."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from livereduce.workspaces.arrays import AnyArray


def on_disk(arrays: Sequence[AnyArray], folder: Path) -> list[AnyArray]:
    """Return the same arrays, read-only, mapped from a file in `folder`.

    The file has no name: it goes with the last of the arrays, or with the process, however that ends. It is on the disk
    when this returns, so that the kernel may take the memory of its pages at once.

    Raises
    ------
    OSError
        It cannot be written.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        for array in arrays:
            file.write(np.ascontiguousarray(array).data)
        file.flush()
        os.fdatasync(file.fileno())
        place = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    found, offset = [], 0
    for array in arrays:
        found.append(np.frombuffer(place, array.dtype, array.size, offset))
        offset += array.nbytes
    return found
