"""Series that are made when somebody looks at them: scripts add and filter whole runs and read few of their logs."""

from __future__ import annotations

from livereduce.workspaces.arrays import I64
from livereduce.workspaces.series import TimeSeries


class Deferred:
    """A series to be made once, for all runs that share this."""

    _made: TimeSeries | None = None

    def __init__(self, units: str) -> None:
        self.units = units

    def found(self) -> TimeSeries:
        """Return the series."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def _make(self) -> TimeSeries:
        raise NotImplementedError

    @property
    def total(self) -> float:
        """Sum of the values."""
        return self.found().total

    @property
    def nbytes(self) -> int:
        """Bytes held so far."""
        return 0 if self._made is None else self._made.nbytes


Entries = TimeSeries | Deferred


def found(entries: Entries) -> TimeSeries:
    """Return the series, made if it was not yet."""
    return entries.found() if isinstance(entries, Deferred) else entries


class Merged(Deferred):
    """One series with the entries of another that are not in it already."""

    def __init__(self, ours: TimeSeries, theirs: Entries) -> None:
        # series, not ones still to be made: what is added to again and again never holds more than its last addition
        self._parts: tuple[TimeSeries, TimeSeries] | None = ours, found(theirs)
        super().__init__(ours.units or theirs.units)

    def _make(self) -> TimeSeries:
        assert self._parts is not None
        ours, theirs = self._parts
        self._parts = None
        return ours.merged(theirs)

    @property
    def total(self) -> float:
        """Sum of the values; of two series apart in time without putting them together."""
        if self._parts is not None:
            ours, theirs = self._parts
            if not len(ours) or not len(theirs) or not _overlap(ours, theirs):
                return ours.total + theirs.total
        return self.found().total

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(part.nbytes for part in self._parts or ()) + super().nbytes


class Filtered(Deferred):
    """The entries of a series in sorted disjoint intervals [t0, t1); if there are none, what held at the first."""

    def __init__(self, log: TimeSeries, intervals: I64, *, pulses: bool) -> None:
        super().__init__(log.units)
        self._log, self._intervals, self._pulses = log, intervals, pulses
        self._total: float | None = None

    def _make(self) -> TimeSeries:
        kept = self._log.within(self._intervals)
        if len(kept) or not len(self._intervals) or self._pulses:  # a pulse is there or not, it does not last
            return kept
        start = int(self._intervals[0, 0])
        return TimeSeries(self._log.name, [start], [self._log.value_at(start)], self._log.units)

    @property
    def total(self) -> float:
        """Sum of the values; those of pulses are summed up where they are."""
        if self._made is not None or not self._pulses:
            return self.found().total
        if self._total is None:
            self._total = self._log.total_within(self._intervals)
        return self._total


def _overlap(one: TimeSeries, other: TimeSeries) -> bool:
    return bool(one.time_ns[0] <= other.time_ns[-1] and other.time_ns[0] <= one.time_ns[-1])
