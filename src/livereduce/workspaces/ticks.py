"""Events whose X are floats (of a file, or of another library) as ticks of an event table."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from livereduce.workspaces.arrays import F64, U32

_TICKS = 1 << 32
_TICKS_NS = (100, 1)  # of ADARA and of ev44: the first that all times are multiples of
_WHOLE = 1e-5  # of a tick: what a time in µs may lie beside it


class InTicks(NamedTuple):
    """X as ``(tick - zero_ticks) * tick_ns / 1000 * factor``: what a table and a plan need to show it."""

    tick: U32
    tick_ns: int
    zero_ticks: int
    factor: float


def in_ticks(x: F64, unit: str) -> InTicks:
    """Return X of events in ticks.

    Times of flight (µs) become the longest ticks that say them all, of 1 ns at least, to which they are rounded. Of
    another unit the range from the least to the greatest is divided into 2**32, and X is exact to 3e-10 of it. It is
    rounded up, so that an event on the edge of a bin stays in it.

    Raises
    ------
    ValueError
        X is not finite, or times of flight are 4.29 s or more apart.
    """
    if not np.isfinite(x).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(x))} events have an X that is not finite")
    if unit == "TOF":
        return _of_times(x)
    low, high = float(x.min(initial=0.0)), float(x.max(initial=0.0))
    factor = max(high - low, np.finfo(np.float64).tiny) * (1 + 1e-9) / (_TICKS - 4) * 1000
    zero = int(np.ceil(-low / factor * 1000)) + 1
    ticks = np.ceil(x / factor * 1000) + zero
    ticks += (ticks - zero) * (1 / 1000) * factor < x  # in the steps in which it is shown
    return InTicks(ticks.astype(np.uint32), 1, zero, factor)


def _of_times(x: F64) -> InTicks:
    for tick in _TICKS_NS:
        scaled = x * (1000.0 / tick)
        ticks = np.rint(scaled)
        if tick == 1 or np.all(np.abs(np.subtract(scaled, ticks, out=scaled), out=scaled) < _WHOLE):
            break
    zero = max(0, -int(ticks.min(initial=0)))
    ticks += zero
    if not np.all(ticks < _TICKS):
        raise ValueError(f"times of flight from {x.min():g} to {x.max():g} us: expected less than 4.29 s between")
    return InTicks(ticks.astype(np.uint32), tick, zero, 1.0)
