"""Tables that find a bin without searching: exact for every event.

A table is indexed by a key that never falls as the value rises (top bits of a tick or of a float64, or a linear
function); it gives a bin that is never too high, and `hops` comparisons with the next edge make it right, `hops` being the
largest number of edges that share a key.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from livereduce.workspaces.arrays import F64, I64, U32, AnyArray, Bool
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
            return ticks
        ticks = ticks - too_high + too_low


def reciprocal_of(ticks: I64) -> tuple[int, int] | None:
    """Return (m, s) such that ``x // width == (x * m) >> s`` for all x up to the span, if all widths are equal.

    With m = 2**s // width + 1 and e = m * width - 2**s (0 < e <= width), x*m / 2**s = x/width + x*e / (width * 2**s).
    The floor is that of x / width as long as the second term is below 1 / width, so if span * e < 2**s. The product must
    fit 64 bits. None if there is no such s or the widths differ.
    """
    widths = np.diff(ticks)
    width, span = int(widths[0]), int(ticks[-1] - ticks[0])
    if width <= 0 or np.any(widths != width):
        return None
    for s in range(63, 31, -1):
        m = (1 << s) // width + 1
        if span * m < 1 << 64 and span * (m * width - (1 << s)) < 1 << s:
            return m, s
    return None


def _lut_dtype(nbins: int) -> type[np.uint16] | type[np.uint32]:
    return np.uint16 if nbins < 0xFFFF else np.uint32


class TickTable(NamedTuple):
    """Key: ``(tick - first) >> shift``. `edges` count from the first and end with 2**32 - 1."""

    lut: AnyArray
    edges: U32
    shift: int
    hops: int


def tick_table(ticks: I64) -> TickTable:
    """Make the smallest table with one hop that fits the cache; where there is none, one with few hops."""
    edges = ticks - ticks[0]
    span = int(edges[-1])
    shift = span.bit_length()
    while True:
        starts = np.arange((span >> shift) + 1, dtype=np.int64) << shift
        inside = edges[(edges >> shift) << shift != edges]
        hops = int(np.bincount(inside >> shift).max(initial=1)) if len(inside) else 1
        if hops == 1 or shift == 0 or span >> (shift - 1) >= 16 * _MAX_TABLE:
            break
        shift -= 1
    lut = np.searchsorted(edges, starts, side="right") - 1
    padded = np.append(edges, TICKS - 1).astype(np.uint32)
    return TickTable(lut.astype(_lut_dtype(len(edges))), padded, shift, hops)


class BitsTable(NamedTuple):
    """Key: the float64 pattern of y shifted right by `shift`, minus `first`; the last entry is for what is outside."""

    lut: AnyArray
    edges: F64
    first: int
    shift: int
    hops: int


def bits_table(edges: F64) -> BitsTable | None:
    """Make a table over the top bits of y; None if an edge is not positive and finite, or no small table has few hops."""
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
        hops = (
            max(int(np.bincount(((inside >> shift) - first).astype(np.int64)).max(initial=1)), 1) if len(inside) else 1
        )
        if hops <= _MAX_HOPS and (best is None or hops < best.hops):
            starts = ((np.arange(size, dtype=np.uint64) + first) << shift).view(np.float64)
            lut = np.maximum(np.searchsorted(edges, starts, side="right") - 1, 0)
            lut = np.append(lut, len(edges) - 1).astype(_lut_dtype(len(edges)))
            best = BitsTable(lut, np.append(edges, np.nan), int(first), int(shift), hops)
        if hops == 1:
            break
    return best


class LinearTable(NamedTuple):
    """Key: ``int((y - edges[0]) * scale)``; the last entry is for what is outside."""

    lut: AnyArray
    edges: F64
    scale: float
    hops: int


def linear_table(edges: F64) -> LinearTable | None:
    """Make a table linear in y; None if an edge is not finite or no small table has few hops."""
    if not (np.isfinite(edges[0]) and np.isfinite(edges[-1]) and np.isfinite(edges[-1] - edges[0])):
        return None
    best: LinearTable | None = None
    size = 1 << max(4, (len(edges) - 1).bit_length())
    while size <= max(_MAX_TABLE, 2 * len(edges)):
        scale = size / float(edges[-1] - edges[0])
        if not np.isfinite(scale):
            break
        keys = np.minimum(((edges - edges[0]) * scale).astype(np.int64), size - 1)
        hops = max(int(np.bincount(keys[1:-1]).max(initial=1)), 1) if len(edges) > 2 else 1
        if hops <= _MAX_HOPS and (best is None or hops < best.hops):
            lut = np.maximum(np.searchsorted(keys[:-1], np.arange(size), side="left") - 1, 0)
            lut = np.append(lut, len(edges) - 1).astype(_lut_dtype(len(edges)))
            best = LinearTable(lut, np.append(edges, np.nan), scale, hops)
        if hops == 1:
            break
        size *= 2
    return best
