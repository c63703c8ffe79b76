"""Memory of this process, and what of it is free but still ours: the C library keeps blocks below a certain size."""

from __future__ import annotations

import ctypes

import psutil


def own_memory() -> int:
    """Anonymous memory of this process, bytes; the journal's page cache and program files are not ours to count."""
    memory = psutil.Process().memory_info()
    return int(memory.rss - memory.shared)


def return_free_memory() -> None:
    """Give the system back all that is free, between what is used too.

    glibc by itself returns no more than what lies at the end of its heap (see ``RETURN_MEMORY`` of the supervisor);
    libraries without ``malloc_trim`` (musl, macOS) decide for themselves.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
