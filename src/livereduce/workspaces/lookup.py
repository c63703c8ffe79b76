"""Tables that find a bin without searching: exact for every event.

A table is indexed by a key that never falls as the value rises (top bits of a tick or of a float64, or a linear
function); it gives a bin that is never too high, and `hops` comparisons with the next edge make it right, `hops` being
the largest number of edges that share a key.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from livereduce.workspaces.arrays import F64, I64, U32, AnyArray, Bool, frozen
from livereduce.workspaces.events import EventTable

TICKS = 1 << 32
_MAX_TABLE = 1 << 16
_MAX_HOPS = 8


def tick_thresholds(table: EventTable, edges: F64, factor: float, offset: float) -> I64:
    """Return for each edge the least tick whose y, in float64, is not below it: 0 to 2**32."""
    zero, us = float(table.zero_ticks), table.tick_us

    def y(ticks: I64) -> F64:
        return (ticks.astype(np.float64) - zero) * us * factor + offset

    with np.errstate(all="ignore"):
        guess = (edges - offset) / factor / us + zero
    ticks = np.clip(np.nan_to_num(np.floor(guess)), 0, TICKS).astype(np.int64)
    while True:
        too_high: Bool = (ticks > 0) & (y(ticks - 1) >= edges)
        too_low: Bool = (ticks < TICKS) & (y(ticks) < edges)
        if not (too_high.any() or too_low.any()):
            result: I64 = ticks
            return result
        ticks = ticks - too_high + too_low


def reciprocal(width: int, span: int) -> tuple[int, int] | None:
    """Return (m, s) such that ``x // width == (x * m) >> s`` for all x in [0, span], None if there is no such pair.

    With m = 2**s // width + 1 and e = m * width - 2**s (0 < e <= width), x*m / 2**s = x/width + x*e / (width * 2**s).
    The floor is that of x / width as long as the second term is below 1 / width, so if span * e < 2**s. The product
    must fit 64 bits, and m a signed 64-bit number because it is passed as one.
    """
    for s in range(62, 31, -1):
        m = (1 << s) // width + 1
        if span * m < 1 << 64 and span * (m * width - (1 << s)) < 1 << s:
            return m, s
    return None


def reciprocal_of(ticks: I64) -> tuple[int, int] | None:
    """Return the reciprocal of the bin width, None if widths differ or it is not exact over the span."""
    widths = np.diff(ticks)
    if widths[0] <= 0 or np.any(widths != widths[0]):
        return None
    return reciprocal(int(widths[0]), int(ticks[-1] - ticks[0]))


def _lut_dtype(nbins: int) -> type[np.uint16] | type[np.uint32]:
    return np.uint16 if nbins < 0xFFFF else np.uint32


class TickTable(NamedTuple):
    """Key: ``(tick - first) >> shift``. `edges` count from the first and end with 2**32 - 1."""

    shift: int
    lut: AnyArray
    edges: U32
    hops: int


def tick_table(ticks: I64) -> TickTable | None:
    """Make the smallest table with one hop, or the largest allowed; None if that needs many hops."""
    edges = ticks - ticks[0]
    span = int(edges[-1])
    shift = span.bit_length()
    while True:
        inside = edges[(edges >> shift) << shift != edges]
        hops = max(_most_in_one(inside >> shift), 1)
        if hops == 1 or shift == 0 or span >> (shift - 1) >= 16 * _MAX_TABLE:
            break
        shift -= 1
    if hops > _MAX_HOPS:
        return None
    starts = np.arange((span >> shift) + 1, dtype=np.int64) << shift
    lut = np.searchsorted(edges, starts, side="right") - 1
    padded = np.append(edges, TICKS - 1).astype(np.uint32)
    return TickTable(shift, frozen(lut.astype(_lut_dtype(len(edges) - 1))), frozen(padded), hops)


def _most_in_one(keys: AnyArray) -> int:
    """Return how many of these ascending keys are equal at most."""
    if not len(keys):
        return 0
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return int(np.diff(first, append=len(keys)).max())


class BitsTable(NamedTuple):
    """Key: the float64 pattern of y shifted right by `shift`, minus `first`.

    `edges` has one entry more than there are edges, NaN; `lut` one more than keys, the bin past the last.
    """

    edges: F64
    lut: AnyArray
    first: int
    shift: int
    hops: int


def bits_table(edges: F64) -> BitsTable | None:
    """Make a table over the top bits of y; None if an edge is not positive and finite or no small table serves."""
    if edges[0] <= 0 or not np.isfinite(edges[-1]):
        return None
    pattern = edges.view(np.uint64)
    best: BitsTable | None = None
    for mantissa_bits in range(4, 24):
        shift = np.uint64(52 - mantissa_bits)
        first = pattern[0] >> shift
        size = int((pattern[-1] >> shift) - first) + 1
        if size > 2 * _MAX_TABLE:
            break
        inside = pattern[1:-1][(pattern[1:-1] >> shift) << shift != pattern[1:-1]]
        hops = max(_most_in_one(inside >> shift), 1)
        if hops <= _MAX_HOPS and (best is None or hops < best.hops):
            starts = ((np.arange(size, dtype=np.uint64) + first) << shift).view(np.float64)
            lut = np.maximum(np.searchsorted(edges, starts, side="right") - 1, 0)
            best = BitsTable(frozen(np.append(edges, np.nan)), _with_outside(lut, edges), int(first), int(shift), hops)
        if hops == 1:
            break
    return best


def _with_outside(lut: AnyArray, edges: F64) -> AnyArray:
    return frozen(np.append(lut, len(edges) - 1).astype(_lut_dtype(len(edges) - 1)))


class LinearTable(NamedTuple):
    """Key: ``int((y - edges[0]) * scale)``, at most the last; `edges` and `lut` end as in `BitsTable`."""

    edges: F64
    lut: AnyArray
    scale: float
    hops: int


def linear_table(edges: F64) -> LinearTable | None:
    """Make a table linear in y; None if an edge is not finite or no small table serves."""
    width = float(edges[-1]) - float(edges[0])
    if not np.isfinite(width):
        return None
    best: LinearTable | None = None
    size = 1 << max(4, (len(edges) - 1).bit_length())
    while size <= max(_MAX_TABLE, 2 * len(edges)) and np.isfinite(size / width):
        scale = size / width
        keys = np.minimum(((edges - edges[0]) * scale).astype(np.int64), size - 1)
        hops = max(_most_in_one(keys[1:-1]), 1)
        if hops <= _MAX_HOPS and (best is None or hops < best.hops):
            lut = np.maximum(np.searchsorted(keys[:-1], np.arange(size), side="left") - 1, 0)
            best = LinearTable(frozen(np.append(edges, np.nan)), _with_outside(lut, edges), scale, hops)
        if hops == 1:
            break
        size *= 2
    return best
