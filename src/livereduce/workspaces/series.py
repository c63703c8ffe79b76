"""Log values: single ones and time series that grow for days.

A series is a value: `extended` and `merged` return a new one that shares the entries of the old, so a run's logs are
cloned for nothing and appending costs what is new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livereduce.workspaces.arrays import F64, I64, AnyArray, GrowingArray
from livereduce.workspaces.ranges import places
from livereduce.workspaces.times import DateAndTime


def _plain(value: Any) -> Any:
    """Return a Python value for a numpy one."""
    return value.item() if isinstance(value, np.generic) else value


@dataclass(frozen=True)
class Property:
    """A log with one value (or one array of numbers)."""

    name: str
    value: Any
    units: str = ""

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return int(np.asarray(self.value).nbytes)

    def size(self) -> int:
        """Return the number of values."""
        return int(np.size(self.value))

    @property
    def valueAsStr(self) -> str:  # noqa: N802
        """The value as text."""
        return str(self.value)


class Statistics(NamedTuple):
    """Of the values of a series; the time-weighted ones hold each value until the next entry."""

    minimum: float
    maximum: float
    mean: float
    median: float
    standard_deviation: float
    time_mean: float
    time_standard_deviation: float
    duration: float


class _Entries:
    """Times and values of a series and of everything derived from it by appending."""

    __slots__ = ("time", "values")

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self.time = GrowingArray(np.int64, 4)
        self.values = GrowingArray(dtype, 4)

    def append(self, time: I64, values: AnyArray) -> None:
        self.time.append(time)
        self.values.append(values)


def _values_array(values: npt.ArrayLike) -> AnyArray:
    """Return float64, int64, bool or object (text) values."""
    array = np.atleast_1d(np.asarray(values))
    kind = array.dtype.kind
    if kind in "SU":
        return array.astype(str).astype(object)
    if kind in "iu":
        return array.astype(np.int64)
    return array.astype(np.float64) if kind == "f" else array


def _comparable(values: AnyArray) -> list[Any]:
    """Return values such that one that is no number equals itself."""
    listed: list[Any] = values.tolist()
    return [None if value != value else value for value in listed] if values.dtype.kind == "f" else listed


class TimeSeries:
    """A log with values at times, ascending in time; an immutable value.

    Parameters
    ----------
    name
        Name of the log.
    time_ns
        ns since 1970 UTC; sorted here if they are not.
    values
        Numbers, truth values or text, one per time.
    units
        Unit of the values.
    """

    def __init__(self, name: str, time_ns: npt.ArrayLike = (), values: npt.ArrayLike = (), units: str = "") -> None:
        time, array = np.atleast_1d(np.asarray(time_ns, np.int64)), _values_array(values)
        if time.shape != array.shape:
            raise ValueError(f"log {name!r}: {time.size} times for {array.size} values")
        if np.any(time[1:] < time[:-1]):
            order = np.argsort(time, kind="stable")
            time, array = time[order], array[order]
        entries = _Entries(array.dtype)
        entries.append(time, array)
        self._set(name, units, entries, len(time))

    def _set(self, name: str, units: str, entries: _Entries, n: int, total: float | None = None) -> None:
        self.name = name
        self.units = units
        self._entries = entries
        self._n = n
        self._total = total
        self._seen: tuple[TimeSeries, I64] | None = None

    @property
    def time_ns(self) -> I64:
        """Times, ns since 1970 UTC (read-only)."""
        return self._entries.time.view(self._n)

    @property
    def times(self) -> npt.NDArray[np.datetime64]:
        """Times as datetime64[ns] (read-only)."""
        return self.time_ns.view("datetime64[ns]")

    @property
    def value(self) -> AnyArray:
        """Values (read-only)."""
        return self._entries.values.view(self._n)

    @property
    def nbytes(self) -> int:
        """Bytes held, shared with the series this one grew from."""
        return self._entries.time.nbytes + self._entries.values.nbytes

    def __len__(self) -> int:
        return self._n

    # -- growing --------------------------------------------------------------------------------------------------

    def extended(self, time_ns: npt.ArrayLike, values: npt.ArrayLike) -> TimeSeries:
        """Return this series with more entries, all of them; later ones cost only themselves."""
        return self._with(TimeSeries(self.name, time_ns, values, self.units))

    def merged(self, other: TimeSeries) -> TimeSeries:
        """Return this series with the entries of another that are not in it already.

        Listeners repeat the newest entry of a series at the start of the next chunk; an entry of `other` equal in time
        and value to one of ours is therefore the same entry. Only the stretch in which the two overlap is compared.
        """
        if self.holds(other):
            return self
        if other._entries is self._entries:  # it has grown from ours
            return other.renamed(self.name, self.units or other.units)
        if not len(other) or not self._n:
            return self._with(other)
        time, values = other.time_ns, other.value
        overlap = int(np.searchsorted(time, self.time_ns[-1], side="right"))
        if not overlap:
            return self._with(other)
        if overlap == 1 and time[0] == self.time_ns[-1] and self._ends_with(values[:1]):
            return self._grown(time[1:], values[1:], other.units)
        first = int(np.searchsorted(self.time_ns, time[0]))
        ours = set(zip(self.time_ns[first:].tolist(), _comparable(self.value[first:]), strict=True))
        theirs = zip(time[:overlap].tolist(), _comparable(values[:overlap]), strict=True)
        new = np.ones(len(time), bool)
        new[:overlap] = [entry not in ours for entry in theirs]
        return self._with(TimeSeries(other.name, time[new], values[new], other.units)) if new.any() else self

    def holds(self, other: TimeSeries) -> bool:
        """Tell whether the other is known, at no cost, to have nothing new: our beginning, or our last entry alone."""
        if other._entries is self._entries:
            return other._n <= self._n
        if other._n != 1 or not self._n or other.time_ns[0] != self.time_ns[-1]:
            return False
        return self._ends_with(other.value)

    def _ends_with(self, values: AnyArray) -> bool:
        return _comparable(values) == _comparable(self.value[-1:])

    def _with(self, other: TimeSeries) -> TimeSeries:
        return self._grown(other.time_ns, other.value, other.units)

    def _grown(self, time: I64, values: AnyArray, units: str) -> TimeSeries:
        if not len(time):
            return self
        result = TimeSeries.__new__(TimeSeries)
        if self._n and (time[0] < self.time_ns[-1] or not self._holds(values)):  # rare: everything is sorted again
            both = np.concatenate([self.value, values]) if self._holds(values) else [*self.value, *values]
            merged = TimeSeries(self.name, np.concatenate([self.time_ns, time]), both, self.units)
            result.__dict__.update(merged.__dict__)
            return result
        entries = self._entries
        if not self._n:
            entries = _Entries(values.dtype)
        elif entries.time.n != self._n:  # another series has grown from the same entries
            entries = _Entries(self.value.dtype)
            entries.append(self.time_ns, self.value)
        entries.append(time, values)
        total = None if self._total is None else self._total + float(values.sum())
        result._set(self.name, self.units or units, entries, self._n + len(time), total)
        return result

    def _holds(self, values: AnyArray) -> bool:
        """Tell whether values of that type go into our entries as they are, but that 1 may become 1.0."""
        return np.can_cast(values.dtype, self.value.dtype)

    def within(self, intervals: I64) -> TimeSeries:
        """Return the entries in sorted disjoint intervals [t0, t1), ns since 1970."""
        borders = places(self.time_ns, intervals.reshape(-1))
        step = np.zeros(self._n + 1, np.int8)
        np.add.at(step, borders, np.tile(np.array([1, -1], np.int8), len(intervals)))  # intervals may meet in an entry
        inside = np.cumsum(step[:-1], dtype=np.int8).view(bool)
        return TimeSeries(self.name, self.time_ns[inside], self.value[inside], self.units)

    def total_within(self, intervals: I64) -> float:
        """Return the sum of the values in sorted disjoint intervals [t0, t1), ns since 1970."""
        borders = places(self.time_ns, intervals)
        borders = borders[borders[:, 0] < borders[:, 1]].reshape(-1)
        if not len(borders):
            return 0.0
        # sums from each border to the next; the last interval may reach to the end, which is no place to sum from
        sums = np.add.reduceat(self.value, borders if borders[-1] < self._n else borders[:-1])
        return float(sums[::2].sum())

    def renamed(self, name: str, units: str | None = None) -> TimeSeries:
        """Return the same entries under another name (and unit)."""
        result = TimeSeries.__new__(TimeSeries)
        result._set(name, self.units if units is None else units, self._entries, self._n, self._total)
        return result

    # -- asking ---------------------------------------------------------------------------------------------------

    @property
    def total(self) -> float:
        """Plain sum of the values; costs the entries added since it was last asked for."""
        if self._total is None:
            self._total = float(self.value.sum()) if self._n else 0.0
        return self._total

    def value_at(self, time_ns: int) -> Any:
        """Return the value that holds at a time: the last one set, or the first before any was."""
        self._need_entries()
        at = int(np.searchsorted(self.time_ns, time_ns, side="right")) - 1
        return _plain(self.value[max(at, 0)])

    def statistics(self) -> Statistics:
        """Return statistics; each value counts for the time until the next entry.

        The last value holds as long as the one before it did, as Mantid has it. A series with a single entry (or with
        no time in it) has time-weighted figures equal to the plain ones. Of a filtered series plain figures are those
        of the entries that are left, time-weighted ones those of the time that is left: a value set before an interval
        began counts in it.
        """
        self._need_entries()
        v = self.value.astype(np.float64)
        if self._seen is None:
            held, weight = v, self._hold()
        else:
            whole, intervals = self._seen
            held, weight = whole.value.astype(np.float64), whole._hold_within(intervals)
        duration = float(weight.sum())
        if not duration > 0:
            held, weight = v, np.ones(len(v))
        w = weight / weight.sum()
        time_mean = float(w @ held)
        return Statistics(
            float(v.min()), float(v.max()), float(v.mean()), float(np.median(v)), float(v.std()),
            time_mean, float(np.sqrt(w @ (held - time_mean) ** 2)), duration,
        )  # fmt: skip

    def _hold(self) -> F64:
        """Return how long each value holds, s."""
        hold = np.diff(self.time_ns)
        return np.append(hold, hold[-1] if len(hold) else 0) / 1e9

    def _hold_within(self, intervals: I64) -> F64:
        """Return for how much of sorted disjoint intervals each value holds, s; the last one to the end of them."""
        start = self.time_ns
        covered = np.concatenate([[0], np.cumsum(intervals[:, 1] - intervals[:, 0])])
        # time in the intervals before each entry; the first value holds before it was set
        at = np.searchsorted(intervals[:, 0], start[1:], side="right")
        into = np.minimum(start[1:], intervals[np.maximum(at, 1) - 1, 1]) - intervals[np.maximum(at, 1) - 1, 0]
        before = np.where(at > 0, covered[np.maximum(at, 1) - 1] + into, 0)
        return np.diff(np.concatenate([[0], before, covered[-1:]])) / 1e9

    def seen_in(self, intervals: I64, whole: TimeSeries) -> TimeSeries:
        """Return these entries, what is left of a `whole` series after filtering, with the intervals [t0, t1) kept."""
        result = self.renamed(self.name)
        if len(intervals) and len(whole):
            result._seen = whole, intervals
        return result

    def _need_entries(self) -> None:
        if not self._n:
            raise ValueError(f"log {self.name!r} has no entries yet")

    # -- Mantid's names -------------------------------------------------------------------------------------------

    def size(self) -> int:
        """Return the number of entries."""
        return self._n

    def firstValue(self) -> Any:  # noqa: N802
        """Return the first value."""
        self._need_entries()
        return _plain(self.value[0])

    def lastValue(self) -> Any:  # noqa: N802
        """Return the last value."""
        self._need_entries()
        return _plain(self.value[-1])

    def nthValue(self, n: int) -> Any:  # noqa: N802
        """Return the n-th value."""
        return _plain(self.value[n])

    def firstTime(self) -> DateAndTime:  # noqa: N802
        """Return the first time."""
        return self.nthTime(0)

    def lastTime(self) -> DateAndTime:  # noqa: N802
        """Return the last time."""
        return self.nthTime(-1)

    def nthTime(self, n: int) -> DateAndTime:  # noqa: N802
        """Return the n-th time."""
        self._need_entries()
        return DateAndTime.of_unix(int(self.time_ns[n]))

    def getStatistics(self) -> Statistics:  # noqa: N802
        """Return statistics of the values."""
        return self.statistics()

    def timeAverageValue(self) -> float:  # noqa: N802
        """Return the time-weighted mean."""
        return self.statistics().time_mean

    @property
    def valueAsStr(self) -> str:  # noqa: N802
        """The values as text."""
        return str(self.value)

    def __repr__(self) -> str:
        return f"TimeSeries({self.name!r}, {self._n} entries, units={self.units!r})"


Log = Property | TimeSeries
