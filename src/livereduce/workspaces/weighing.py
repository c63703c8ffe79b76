"""Events that weigh each its own: sums of weights and variances in bins, and the weights one by one.

Events have weights of their own where the table has (they came from a file), or where a plan multiplied them by factors
that belong to other bins, another unit or other spectra than are shown now (`plan.Weighting`).
"""

from __future__ import annotations

import weakref
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from livereduce.workspaces import kernels, parallel
from livereduce.workspaces.arrays import F64, I32, I64, U32, AnyArray, Column, frozen, read_only
from livereduce.workspaces.binning import Counter, EventFilter, group_column, y_columns
from livereduce.workspaces.events import EventTable, Weights
from livereduce.workspaces.lookup import TICKS, bits_table, linear_table
from livereduce.workspaces.plan import Plan, Weighting, y_edges
from livereduce.workspaces.ranges import merged_intervals, total
from livereduce.workspaces.scales import Scales

_BLOCK = 1 << 16
_VALUES_PER_EVENT = 6  # values that are scaled in the time it takes to weigh an event


class Finder(NamedTuple):
    """Finds the bin of a y: edges in rows that end in NaN, and a table where they are one row that has one."""

    edges: F64
    lut: AnyArray = frozen(np.zeros(1, np.uint16))
    first: int = 0
    shift: int = 0
    scale: float = 0.0
    hops: int = 0


def finder_of(plan: Plan, edges: Column | None) -> Finder:
    """Return what finds bins with these edges, a row for all spectra or one each; without, one bin of everything."""
    if edges is None:
        return Finder(frozen([[-np.inf, np.inf, np.nan]]))
    in_y = np.stack([y_edges(plan.curve, row) for row in np.atleast_2d(edges.values)])
    padded = frozen(np.pad(in_y, ((0, 0), (0, 1)), constant_values=np.nan))
    if len(in_y) > 1:
        return Finder(padded)
    bits, linear = bits_table(in_y[0]), linear_table(in_y[0])
    if bits is not None and (linear is None or bits.hops <= linear.hops):
        return Finder(padded, bits.lut, bits.first, bits.shift, 0.0, bits.hops)
    return Finder(padded) if linear is None else Finder(padded, linear.lut, 0, 0, linear.scale, linear.hops)


class Weigher:
    """Weights of the events of one table under one plan, its scale and factors apart."""

    def __init__(self, table: EventTable, plan: Plan) -> None:
        self._steps = [self._step(table, weighting) for weighting in plan.weightings]

    @staticmethod
    def _step(table: EventTable, weighting: Weighting) -> partial[None]:
        shown, factors = weighting
        values, variances = (column.values for column in (factors.values, factors.variances))
        if factors.per_bin and not shown.curve.rising:
            values, variances = values[:, ::-1], variances[:, ::-1]
        finder = finder_of(shown, factors.edges if factors.per_bin else None)
        group = group_column(shown, table.n_pixels)
        columns = y_columns(table, shown)
        return partial(kernels.multiply_weights, group, *columns, *finder, frozen(values), frozen(variances))

    def __call__(self, tof: U32, pix: I32, own: Weights) -> tuple[F64, F64]:
        """Return weights and variances of these events, which weigh so much by themselves."""
        weight, variance = (column.astype(np.float64) for column in own)
        for step in self._steps:
            step(read_only(tof), read_only(pix), weight, variance)
        return weight, variance


class WeightCounter:
    """Sums up weights and their variances as `binning.Counter` counts events: rows of weights, then of variances.

    Events of a row are added in their order, whatever the threads, so the sums are the same to the last bit. Where they
    weigh nothing but `scales`, those of a step are counted and then scaled if they are many: they take less time then.
    """

    dtype = np.float64

    def __init__(self, table: EventTable, plan: Plan, edges: Column | None, scales: Scales | None = None) -> None:
        self._table: EventTable = weakref.proxy(table)  # see Counter
        self._scales = scales
        counted = scales is not None and not table.weighted and not plan.weightings
        self._counter = Counter(table, plan, edges) if counted else None
        self._filter, self._weigher = EventFilter(table, plan), Weigher(table, plan)
        self._columns, self._finder = y_columns(table, plan), finder_of(plan, edges)
        self.rows = plan.n_spectra
        self.shape = (2 * self.rows, self._finder.edges.shape[1] - 2)
        if self.shape[0] * self.shape[1] >= TICKS:
            raise ValueError(f"{self.rows} spectra of {self.shape[1]} bins are more than 2**31 values: use fewer bins")
        self.reversed = edges is not None and not plan.curve.rising

    def __call__(self, ranges: I64, subtract: bool, out: AnyArray) -> None:
        """Add the events of ranges [a, b) to a float64 array of our shape; sums are never subtracted from."""
        assert not subtract
        if self._scales is None or self._counter is None:
            self._weigh(ranges, out)
            return
        pieces, step, scale = self._scales.cut(ranges)
        many = np.bincount(step, pieces[:, 1] - pieces[:, 0])[step] * _VALUES_PER_EVENT > out.size // 2
        counted = many & np.isfinite(scale)  # no events of infinite weight are none
        alone = np.where(counted, step, -1)
        borders = [0, *(np.flatnonzero(np.diff(alone)) + 1).tolist(), len(pieces)]
        for i, k in pairwise(borders):
            if counted[i]:
                self._count(self._counter, pieces[i:k], scale[i], out)
            else:
                self._weigh(merged_intervals(pieces[i:k]), out)

    def _count(self, counter: Counter, ranges: I64, scale: float, out: AnyArray) -> None:
        counts = np.zeros(counter.shape, np.uint32)
        counter(ranges, False, counts)
        out[: self.rows] += counts * scale
        out[self.rows :] += counts * scale**2

    def _weigh(self, ranges: I64, out: AnyArray) -> None:
        threads = min(parallel.threads_for(total(ranges)), self.rows)
        if threads == 1:
            self._sum(ranges, out, self._filter.group, self._finder)
            return
        borders = [self.rows * k // threads for k in range(threads + 1)]
        parallel.all_of([partial(self._sum_rows, ranges, out, slice(a, b)) for a, b in pairwise(borders)])

    def _sum_rows(self, ranges: I64, out: AnyArray, rows: slice) -> None:
        """Sum up what is in some rows, apart from what others write to."""
        group, finder = frozen(self._filter.group - np.uint32(rows.start)), self._finder
        if len(finder.edges) > 1:
            finder = Finder(frozen(finder.edges[rows]))
        n = rows.stop - rows.start
        some = np.concatenate([out[rows], out[self.rows :][rows]])
        self._sum(ranges, some, group, finder)
        out[rows], out[self.rows :][rows] = some[:n], some[n:]

    def _sum(self, ranges: I64, out: AnyArray, group: U32, finder: Finder) -> None:
        for a, b in ranges.tolist():
            for (tof, pix), own in zip(self._table.pieces(a, b), self._table.weights(a, b), strict=True):
                for i in range(0, len(tof), _BLOCK):
                    block = slice(i, i + _BLOCK)
                    self._add(a + i, tof[block], pix[block], Weights(*(c[block] for c in own)), group, finder, out)
                a += len(tof)

    def _add(self, first: int, tof: U32, pix: I32, own: Weights, group: U32, finder: Finder, out: F64) -> None:
        """Sum up events of the table from the `first` on."""
        scale = None if self._scales is None else self._scales.over(first, first + len(tof))
        kept = self._filter.mask(tof, pix) & (group[pix] < len(out) // 2)
        if not kept.all():
            tof, pix, own = tof[kept], pix[kept], Weights(*(column[kept] for column in own))
            scale = None if scale is None else scale[kept]
        weight, variance = self._weigher(tof, pix, own)
        if scale is not None:
            with np.errstate(invalid="ignore", over="ignore"):
                weight, variance = weight * scale, variance * scale**2
        sum_up = partial(kernels.sum_weights, group, *self._columns, *finder, read_only(tof), read_only(pix))
        sum_up(read_only(weight), read_only(variance), out)

    def sums(self, counts: AnyArray, rows: slice) -> tuple[AnyArray, AnyArray]:
        """Return the sums of weights and of their variances in some rows, in the order of the edges."""
        both = counts[: self.rows][rows], counts[self.rows :][rows]
        return (both[0][:, ::-1], both[1][:, ::-1]) if self.reversed else both
