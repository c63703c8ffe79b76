"""From a plan and bin edges to the kernel that counts: thresholds made exact, tables built, the fastest kernel chosen.

A tick is in bin k iff its X, computed in float64, is in [edges[k], edges[k+1]). Edges are therefore moved to where
the kernel decides: to ticks (integers) if all pixels share one conversion, else to y.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from livereduce.workspaces import kernels
from livereduce.workspaces.arrays import F64, I32, I64, U32, AnyArray, Bool, Column
from livereduce.workspaces.events import EventTable
from livereduce.workspaces.lookup import (
    TICKS,
    bits_table,
    linear_table,
    reciprocal_of,
    tick_table,
    tick_thresholds,
)
from livereduce.workspaces.plan import Plan, merged_intervals, y_edges

_FILTER_BLOCK = 1 << 16
_NO_ROW = np.uint32(0xFFFFFFFF)


class Kernel(Protocol):
    """Adds `step` to the counts of events."""

    def __call__(self, tof: U32, pix: AnyArray, step: int, out: AnyArray) -> None:
        """Count."""


class EventFilter:
    """Which events of a table a plan keeps, its pulse selection apart: pixels by `group`, times by windows of ticks."""

    def __init__(self, table: EventTable, plan: Plan) -> None:
        n = table.n_pixels
        source = np.arange(n, dtype=np.int32) if plan.group is None else plan.group.values
        if len(source) != n:
            raise ValueError(f"Plan: groups of {len(source)} pixels for a table of {n}")
        self.group: U32 = source.astype(np.uint32)  # -1, in no spectrum, becomes 2**32 - 1, past every row
        self._windows: tuple[U32, U32] | None = None
        if plan.lo is not None and plan.hi is not None:
            first = np.broadcast_to(tick_thresholds(table, np.atleast_1d(plan.lo.values), 1.0, 0.0), n)
            end = np.broadcast_to(tick_thresholds(table, np.atleast_1d(plan.hi.values), 1.0, 0.0), n)
            self.group[end <= first] = _NO_ROW
            self._windows = (
                np.minimum(first, TICKS - 1).astype(np.uint32),
                np.maximum(end - first - 1, 0).astype(np.uint32),
            )
        cuts = tick_thresholds(table, np.array(plan.excluded, np.float64).reshape(-1), 1.0, 0.0)
        merged = merged_intervals(cuts.reshape(-1, 2))
        self._cuts = merged[:, 0].astype(np.uint32), (merged[:, 1] - merged[:, 0] - 1).astype(np.uint32)
        if self._windows is None and len(merged):
            self._windows = np.zeros(n, np.uint32), np.full(n, TICKS - 1, np.uint32)

    def mask(self, tof: U32, pix: I32) -> Bool:
        """Tell for each event whether it is inside the windows."""
        keep = np.ones(len(tof), bool)
        if self._windows is not None:
            first, width = self._windows
            keep &= tof - first[pix] <= width[pix]
            for cut_first, cut_width in zip(*self._cuts, strict=True):
                keep &= tof - cut_first > cut_width
        return keep

    def kept(self, tof: U32, pix: I32) -> Iterator[tuple[U32, I32]]:
        """Yield the events inside the windows, in blocks; pixels in no spectrum are among them still."""
        if self._windows is None:
            yield tof, pix
            return
        size = min(_FILTER_BLOCK, len(tof))
        out_tof, out_pix = np.empty(size, np.uint32), np.empty(size, np.int32)
        for i in range(0, len(tof), _FILTER_BLOCK):
            some_tof, some_pix = tof[i : i + _FILTER_BLOCK], pix[i : i + _FILTER_BLOCK]
            n = kernels.keep_window(some_tof, some_pix, *self._windows, *self._cuts, out_tof, out_pix)
            yield out_tof[:n], out_pix[:n]


class Counter:
    """Counts the events of one table under one plan in certain bins; made once, used at every update.

    Parameters
    ----------
    edges
        Bin edges, a row for all spectra or one each; None counts every event of a spectrum in one bin.
    """

    def __init__(self, table: EventTable, plan: Plan, edges: Column | None) -> None:
        self._table = table
        self._plan = plan
        self._filter = EventFilter(table, plan)
        self.group = self._filter.group
        rows = plan.n_spectra
        self.shape = (rows, 1 if edges is None else edges.values.shape[-1] - 1)
        self.reversed = edges is not None and not plan.curve.rising
        self._kernel = self._all_kernel() if edges is None else self._binned_kernel(plan, edges.values)

    def __call__(self, a: int, b: int, subtract: bool, out: AnyArray) -> None:
        """Add events [a, b) to a uint32 array of our shape, or take them away modulo 2**32."""
        step = 0xFFFFFFFF if subtract else 1
        for tof, pix in self._table.pieces(a, b):
            for some_tof, some_pix in self._filter.kept(tof, pix):
                self._kernel(some_tof, some_pix, step, out)

    def in_order(self, counts: AnyArray) -> AnyArray:
        """Return counts in the order of the edges: they are kept in the order of y."""
        return counts[:, ::-1] if self.reversed else counts

    def _all_kernel(self) -> Kernel:
        group = self.group

        def count(tof: U32, pix: AnyArray, step: int, out: AnyArray) -> None:
            kernels.count_rows(pix, group, step, out.reshape(-1))

        return count

    def _binned_kernel(self, plan: Plan, edges: F64) -> Kernel:
        if edges.ndim == 2:
            rows = np.stack([y_edges(plan.curve, row) for row in edges])
            return self._search_kernel(plan, rows)
        in_y = y_edges(plan.curve, edges)
        factor, offset = plan.y_map()
        if len(factor) == len(offset) == 1:
            ticks = tick_thresholds(self._table, in_y, factor[0], offset[0])
            if ticks[-1] - ticks[0] < TICKS - 1:
                return self._tick_kernel(ticks)
        return self._y_kernel(plan, in_y)

    def _tick_kernel(self, ticks: I64) -> Kernel:
        single = self.shape[0] == 1 and bool(np.all(self.group == 0))
        group = self.group
        lo, span = int(ticks[0]), int(ticks[-1] - ticks[0])
        if not span:
            return lambda tof, pix, step, out: None
        by = reciprocal_of(ticks)
        if by is not None:
            m, s = by
            if single:
                return lambda tof, pix, step, out: kernels.hist1d_uniform(tof, lo, span, m, s, step, out.reshape(-1))
            return lambda tof, pix, step, out: kernels.grouped_uniform(tof, pix, group, lo, span, m, s, step, out)
        t = tick_table(ticks)
        if single:
            return lambda tof, pix, step, out: kernels.hist1d_table(
                tof, lo, span, t.shift, t.lut, t.edges, t.hops, step, out.reshape(-1)
            )
        return lambda tof, pix, step, out: kernels.grouped_table(
            tof, pix, group, lo, span, t.shift, t.lut, t.edges, t.hops, step, out
        )

    def _y_columns(self, plan: Plan) -> tuple[F64, F64, float, float]:
        factor, offset = plan.y_map()
        n = self._table.n_pixels
        return (
            np.ascontiguousarray(np.broadcast_to(factor, n)),
            np.ascontiguousarray(np.broadcast_to(offset, n)),
            float(self._table.zero_ticks),
            self._table.tick_us,
        )

    def _y_kernel(self, plan: Plan, in_y: F64) -> Kernel:
        group = self.group
        factor, offset, zero, tick = self._y_columns(plan)
        bits, linear = bits_table(in_y), None
        if bits is None or bits.hops > 1:
            linear = linear_table(in_y)
        if bits is not None and (linear is None or bits.hops <= linear.hops):
            return lambda tof, pix, step, out: kernels.focus_bits(
                tof, pix, group, factor, offset, zero, tick, bits.edges, bits.lut, bits.first, bits.shift, bits.hops,
                step, out,
            )  # fmt: skip
        if linear is not None:
            return lambda tof, pix, step, out: kernels.focus_linear(
                tof, pix, group, factor, offset, zero, tick, linear.edges, linear.lut, linear.scale, linear.hops,
                step, out,
            )  # fmt: skip
        return self._search_kernel(plan, in_y.reshape(1, -1))

    def _search_kernel(self, plan: Plan, rows: F64) -> Kernel:
        group = self.group
        factor, offset, zero, tick = self._y_columns(plan)
        return lambda tof, pix, step, out: kernels.focus_search(
            tof, pix, group, factor, offset, zero, tick, rows, step, out
        )

    def mask(self, tof: U32, pix: I32) -> Bool:
        """Tell for each event whether it is inside the windows."""
        return self._filter.mask(tof, pix)

    def extent_of_y(self, a: int, b: int) -> tuple[float, float]:
        """Return the least and greatest y of events [a, b) that are in a spectrum; (inf, -inf) if there are none."""
        factor, offset, zero, tick = self._y_columns(self._plan)
        lo, hi = np.inf, -np.inf
        for tof, pix in self._table.pieces(a, b):
            for some_tof, some_pix in self._filter.kept(tof, pix):
                found = kernels.extent_y(some_tof, some_pix, self.group, self.shape[0], factor, offset, zero, tick)
                lo, hi = min(lo, found[0]), max(hi, found[1])
        return lo, hi
