"""From a plan and bin edges to the kernel that counts: thresholds made exact, tables built, the fastest kernel chosen.

A tick is in bin k iff its X, computed in float64, is in [edges[k], edges[k+1]). Edges are therefore moved to where
the kernel decides: to ticks (integers) if all pixels share one conversion, else to y.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from itertools import pairwise

import numpy as np

from livereduce.workspaces import kernels, parallel
from livereduce.workspaces.arrays import F64, I32, I64, U32, AnyArray, Bool, Column, frozen, read_only
from livereduce.workspaces.events import EventTable
from livereduce.workspaces.lookup import (
    TICKS,
    bits_table,
    linear_table,
    reciprocal_of,
    tick_table,
    tick_thresholds,
)
from livereduce.workspaces.plan import Plan, y_edges
from livereduce.workspaces.ranges import merged_intervals, split, total

_FILTER_BLOCK = 1 << 16
_EVENTS_PER_VALUE = 4
_PRIVATE_VALUES = 1 << 26
_NOWHERE = np.uint32(TICKS - 1)


Kernel = Callable[[U32, I32, int, AnyArray], None]
"""``kernel(tof, pix, step, out)`` adds `step`, modulo 2**32, to the counts of events."""
KernelOf = Callable[[U32, slice], Kernel]
"""Makes the kernel for some rows from the row of each pixel among them (what is no row is none of them)."""
YColumns = tuple[F64, F64, int, float, float]


def group_column(plan: Plan, n_pixels: int) -> U32:
    """Return the spectrum of each pixel; in none (-1) becomes 2**32 - 1, past every row."""
    group = np.arange(n_pixels, dtype=np.int32) if plan.group is None else plan.group.values
    if len(group) != n_pixels:
        raise ValueError(f"Plan: groups of {len(group)} pixels for a table of {n_pixels}")
    return frozen(group.astype(np.int32).view(np.uint32))


class EventFilter:
    """Which events of a table a plan keeps: pixels by `group`, times by windows of ticks."""

    def __init__(self, table: EventTable, plan: Plan) -> None:
        n = table.n_pixels
        source = group_column(plan, n)
        first, end = np.zeros(n, np.int64), np.full(n, TICKS)
        if plan.lo is not None and plan.hi is not None:
            first[:] = tick_thresholds(table, np.atleast_1d(plan.lo.values), 1.0, 0.0)
            end[:] = tick_thresholds(table, np.atleast_1d(plan.hi.values), 1.0, 0.0)
        cuts = merged_intervals(tick_thresholds(table, np.array(plan.excluded).reshape(-1), 1.0, 0.0).reshape(-1, 2))
        self._everything = plan.lo is None and not len(cuts)
        self._windows = _ticks(first), _ticks(end - first - 1)
        self._cuts = _ticks(cuts[:, 0]), _ticks(cuts[:, 1] - cuts[:, 0] - 1)
        # so does a pixel whose window is empty
        self.group: U32 = frozen(np.where(end > first, source, _NOWHERE).astype(np.uint32))

    def mask(self, tof: U32, pix: I32) -> Bool:
        """Tell for each event whether it is inside the windows."""
        keep = np.ones(len(tof), bool)
        if not self._everything:
            first, width = self._windows
            keep &= tof - first[pix] <= width[pix]
            for cut_first, cut_width in zip(*self._cuts, strict=True):
                keep &= tof - cut_first > cut_width
        return keep

    def kept(self, tof: U32, pix: I32) -> Iterator[tuple[U32, I32]]:
        """Yield the events inside the windows, in blocks; pixels in no spectrum are among them still."""
        if self._everything:
            yield tof, pix
            return
        size = min(_FILTER_BLOCK, len(tof))
        out_tof, out_pix = np.empty(size, np.uint32), np.empty(size, np.int32)
        for i in range(0, len(tof), _FILTER_BLOCK):
            some_tof, some_pix = tof[i : i + _FILTER_BLOCK], pix[i : i + _FILTER_BLOCK]
            n = kernels.keep_window(*self._windows, *self._cuts, some_tof, some_pix, out_tof, out_pix)
            yield read_only(out_tof[:n]), read_only(out_pix[:n])


def _ticks(values: I64) -> U32:
    return frozen(np.clip(values, 0, TICKS - 1).astype(np.uint32))


class Counter:
    """Counts the events of one table under one plan in certain bins; made once, used at every update.

    Parameters
    ----------
    edges
        Bin edges, a row for all spectra or one each; None counts every event of a spectrum in one bin.
    """

    dtype = np.uint32

    def __init__(self, table: EventTable, plan: Plan, edges: Column | None) -> None:
        # The table's cache holds this counter: a reference back would keep every chunk's events until some collection.
        self._table: EventTable = weakref.proxy(table)
        self._plan = plan
        self._filter = EventFilter(table, plan)
        self.group = self._filter.group
        rows = plan.n_spectra
        self.shape = (rows, 1 if edges is None else edges.values.shape[-1] - 1)
        if self.shape[0] * self.shape[1] >= TICKS:
            raise ValueError(
                f"{self.shape[0]} spectra of {self.shape[1]} bins are more than 2**32 values: use fewer bins"
            )
        self.reversed = edges is not None and not plan.curve.rising
        self._kernel: KernelOf = _count_rows if edges is None else self._choose(plan, edges.values)

    def __call__(self, ranges: I64, subtract: bool, out: AnyArray) -> None:
        """Add the events of ranges [a, b) to a uint32 array of our shape, or take them away modulo 2**32.

        On several cores, where the result is small beside the number of events each thread counts into one of its own;
        else each counts into some rows, which all see all events: it is then the access to memory that takes the time.
        """
        events, rows = total(ranges), self.shape[0]
        threads = parallel.threads_for(events)
        if threads == 1:
            self._count(ranges, subtract, out, slice(0, rows))
        elif rows < threads or out.size * (threads - 1) <= min(events // _EVENTS_PER_VALUE, _PRIVATE_VALUES):
            outs = [out, *(np.zeros(out.shape, np.uint32) for _ in range(threads - 1))]
            jobs = zip(split(ranges, threads), outs, strict=True)
            parallel.all_of([partial(self._count, some, subtract, into, slice(0, rows)) for some, into in jobs])
            for one in outs[1:]:
                out += one
        else:
            borders = [rows * k // threads for k in range(threads + 1)]
            parallel.all_of(
                [partial(self._count, ranges, subtract, out[a:b], slice(a, b)) for a, b in pairwise(borders)]
            )

    def _count(self, ranges: I64, subtract: bool, out: AnyArray, rows: slice) -> None:
        """Count into some rows. A pixel of none of them comes out past the last, as one of no spectrum does."""
        group = self.group if rows.stop - rows.start == self.shape[0] else frozen(self.group - np.uint32(rows.start))
        kernel, step = self._kernel(group, rows), 0xFFFFFFFF if subtract else 1
        for a, b in ranges.tolist():
            for tof, pix in self._table.pieces(a, b):
                for some_tof, some_pix in self._filter.kept(tof, pix):
                    kernel(some_tof, some_pix, step, out)

    def sums(self, counts: AnyArray, rows: slice) -> tuple[AnyArray, AnyArray]:
        """Return the sums of weights and of their variances in some rows, in the order of the edges; both are counts.

        They are kept in the order of y.
        """
        some = counts[rows, ::-1] if self.reversed else counts[rows]
        return some, some

    def _choose(self, plan: Plan, edges: F64) -> KernelOf:
        if edges.ndim == 2:
            return self._search_kernel(plan, np.stack([y_edges(plan.curve, row) for row in edges]))
        in_y = y_edges(plan.curve, edges)
        factor, offset = plan.y_map()
        if len(factor) == len(offset) == 1:
            ticks = tick_thresholds(self._table, in_y, factor[0], offset[0])
            kernel = self._tick_kernel(ticks) if ticks[-1] - ticks[0] < TICKS - 1 else None
            if kernel is not None:
                return kernel
        return self._y_kernel(plan, in_y)

    def _tick_kernel(self, ticks: I64) -> KernelOf | None:
        lo, span = int(ticks[0]), int(ticks[-1] - ticks[0])
        if not span:  # the bins lie between two ticks: no event is in them
            return lambda group, rows: lambda tof, pix, step, out: None
        everything_in_one = self.shape[0] == 1 and not self.group.any()
        reciprocal = reciprocal_of(ticks)
        if reciprocal is not None:
            if everything_in_one:
                return lambda group, rows: partial(kernels.hist1d_uniform, lo, span, *reciprocal)
            return lambda group, rows: partial(kernels.grouped_uniform, group, lo, span, *reciprocal)
        table = tick_table(ticks)
        if table is None:
            return None
        if everything_in_one:
            return lambda group, rows: partial(kernels.hist1d_table, lo, span, *table)
        return lambda group, rows: partial(kernels.grouped_table, group, lo, span, *table)

    def _y_kernel(self, plan: Plan, in_y: F64) -> KernelOf:
        bits, linear = bits_table(in_y), None
        if bits is None or bits.hops > 1:
            linear = linear_table(in_y)
        columns = y_columns(self._table, plan)
        if bits is not None and (linear is None or bits.hops <= linear.hops):
            return lambda group, rows: partial(kernels.focus_bits, group, *columns, *bits)
        if linear is not None:
            return lambda group, rows: partial(kernels.focus_linear, group, *columns, *linear)
        return self._search_kernel(plan, in_y.reshape(1, -1))

    def _search_kernel(self, plan: Plan, edges: F64) -> KernelOf:
        columns, edges = y_columns(self._table, plan), frozen(edges)
        one_for_all = len(edges) == 1
        return lambda group, rows: partial(kernels.focus_search, group, *columns, edges if one_for_all else edges[rows])

    @cached_property
    def pixels_by_spectrum(self) -> tuple[I32, I64]:
        """Pixels sorted by spectrum, and the first of them of each spectrum and of what is in none."""
        pixels = np.argsort(self.group, kind="stable").astype(np.int32)
        return pixels, np.searchsorted(self.group[pixels], np.arange(self.shape[0] + 1))

    def mask(self, tof: U32, pix: I32) -> Bool:
        """Tell for each event whether it is inside the windows."""
        return self._filter.mask(tof, pix)

    def extent_of_y(self, ranges: I64) -> tuple[float, float]:
        """Return the least and greatest y of the events of ranges that are in a spectrum; (inf, -inf) without any."""
        columns = y_columns(self._table, self._plan)
        pieces = split(ranges, parallel.threads_for(total(ranges)))
        found = parallel.all_of([partial(self._extent, columns, piece) for piece in pieces])
        return min(lo for lo, _ in found), max(hi for _, hi in found)

    def _extent(self, columns: YColumns, ranges: I64) -> tuple[float, float]:
        lo, hi = np.inf, -np.inf
        for a, b in ranges.tolist():
            for tof, pix in self._table.pieces(a, b):
                for some_tof, some_pix in self._filter.kept(tof, pix):
                    least, greatest = kernels.extent_y(self.group, *columns, self.shape[0], some_tof, some_pix)
                    lo, hi = min(lo, least), max(hi, greatest)
        return lo, hi


def _count_rows(group: U32, rows: slice) -> Kernel:
    return partial(kernels.count_rows, group)


def y_columns(table: EventTable, plan: Plan) -> YColumns:
    """Return what gives y: factor and offset of each pixel, the mask for offsets, zero, tick in us."""
    factor, offset = plan.y_map()
    factor = frozen(np.broadcast_to(factor, table.n_pixels))
    mask = 0 if len(offset) == 1 else TICKS - 1
    return factor, read_only(offset), mask, float(table.zero_ticks), table.tick_us
