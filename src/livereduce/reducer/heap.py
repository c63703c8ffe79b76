"""Memory that is free but still ours: the C library keeps it, in blocks below those it always returns."""

from __future__ import annotations

import ctypes


def return_free_memory() -> None:
    """Give the system back all that is free, between what is used too.

    glibc by itself returns no more than what lies at the end of its heap (see ``RETURN_MEMORY`` of the supervisor);
    libraries without ``malloc_trim`` (musl, macOS) decide for themselves.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
