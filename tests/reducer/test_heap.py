"""Memory that is free is the system's."""

from __future__ import annotations

import os
import platform

import numpy as np
import pytest

from livereduce.reducer.heap import return_free_memory
from livereduce.supervisor.memory import own_bytes


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked to return memory")
def test_memory_that_is_free_between_what_is_used_goes_back_to_the_system() -> None:
    # 200 MB in blocks that are never mapped by themselves, every 100th of which stays
    blocks = [np.ones(100_000, np.uint8) for _ in range(2000)]
    stay = blocks[99::100]
    full = own_bytes(os.getpid())
    del blocks
    return_free_memory()
    assert full - own_bytes(os.getpid()) > 150_000_000
    assert sum(int(block.sum(dtype=np.int64)) for block in stay) == 20 * 100_000
