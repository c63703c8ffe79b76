"""Time in which data were taken: disjoint intervals that grow at their end while a run goes on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livereduce.workspaces.arrays import I64
from livereduce.workspaces.ranges import difference, intersection, merged_intervals
from livereduce.workspaces.series import TimeSeries


class Intervals:
    """Sorted disjoint intervals of time [t0, t1), ns since 1970 UTC; an immutable value.

    As with `TimeSeries`, what was joined shares what it grew from: joining later intervals costs only them.

    Parameters
    ----------
    pairs
        int64[k, 2] in any order; those that overlap or meet become one.
    """

    def __init__(self, pairs: npt.ArrayLike = ()) -> None:
        array = merged_intervals(np.asarray(pairs, np.int64).reshape(-1, 2))
        self._set(TimeSeries("", array[:-1, 0], array[:-1, 1]), array[-1:], int((array[:, 1] - array[:, 0]).sum()))

    def _set(self, closed: TimeSeries, last: I64, total_ns: int) -> None:
        # the last one is apart because it grows when one that begins at its end is joined
        self._closed, self._last, self._total_ns = closed, last, total_ns

    def __len__(self) -> int:
        return len(self._closed) + len(self._last)

    @property
    def array(self) -> I64:
        """int64[k, 2]."""
        return np.concatenate([np.stack([self._closed.time_ns, self._closed.value], axis=1), self._last])

    @property
    def seconds(self) -> float:
        """Time in all of them, s."""
        return self._total_ns / 1e9

    @property
    def span(self) -> tuple[int, int] | None:
        """From the beginning of the first to the end of the last, ns since 1970 UTC; None without any."""
        if not len(self):
            return None
        first = self._closed.time_ns[0] if len(self._closed) else self._last[0, 0]
        return int(first), int(self._last[0, 1])

    def joined(self, other: Intervals) -> Intervals:
        """Return the time in either."""
        if not len(other) or other is self:
            return self
        if not len(self):
            return other
        new = other.array
        if new[0, 0] < self._last[0, 1]:
            return Intervals(np.concatenate([self.array, new]))
        pieces = merged_intervals(np.concatenate([self._last, new]))
        result = Intervals.__new__(Intervals)
        closed = self._closed.extended(pieces[:-1, 0], pieces[:-1, 1])
        result._set(closed, pieces[-1:], self._total_ns + other._total_ns)
        return result

    def within(self, others: I64) -> Intervals:
        """Return what of them is in other sorted disjoint intervals, int64[m, 2]."""
        return Intervals(intersection(self.array, others))

    def without(self, others: Intervals) -> Intervals:
        """Return what of them is in none of the others."""
        return Intervals(difference(self.array, others.array))

    def __repr__(self) -> str:
        return f"Intervals({len(self)} of {self.seconds:g} s in all)"
