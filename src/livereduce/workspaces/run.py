"""The logs of a run: what the sample environment, the accelerator and the operator said while the data were taken."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from livereduce.workspaces.arrays import I64
from livereduce.workspaces.deferred import Deferred, Entries, Filtered, Merged, found
from livereduce.workspaces.intervals import Intervals
from livereduce.workspaces.series import Log, Property, Statistics, TimeSeries
from livereduce.workspaces.times import DateAndTime, iso, to_ns

__all__ = ["CHARGE_SERIES", "CHARGE_TOTAL", "PICOCOULOMB_PER_UAH", "Run", "iso", "to_ns"]

CHARGE_SERIES = "proton_charge"
CHARGE_TOTAL = "gd_prtn_chrg"
DURATION, RAW_DURATION, PAUSE = "duration", "dur", "pause"
# Totals of a measurement: added when two are. Everything else that has one value keeps the left one.
SUMMED = frozenset(
    [CHARGE_TOTAL, "tot_prtn_chrg", "rawfrm", "goodfrm", "dur", "uA.hour", *(f"monitor{i}_counts" for i in range(6))]
)
# 1 uA h = 3600 s * 1e-6 C/s = 3.6e9 pC
PICOCOULOMB_PER_UAH = 3.6e9
_PICOCOULOMB = {"picocoulomb", "picocoulombs", "pc"}
_START, _END = ("start_time", "run_start"), ("end_time", "run_end")


class Run:
    """Logs by name. Cloning costs a dictionary; series share their entries until one of them grows differently.

    Adding and filtering cost the number of logs, not of their entries: a series is made when somebody looks at it.

    Attributes
    ----------
    measured
        When data were taken, without pauses and interruptions, as live data know it; None: to be found in the logs.
    """

    def __init__(self, logs: Mapping[str, Any] | None = None) -> None:
        self._logs: dict[str, Log | Deferred] = {}
        self._whole: dict[str, Entries] | None = None  # series before they were filtered; None: nothing was filtered
        self.measured: Intervals | None = None
        for name, value in (logs or {}).items():
            self.set(name, value)

    # -- reading --------------------------------------------------------------------------------------------------

    def __contains__(self, name: object) -> bool:
        return name in self._logs or (isinstance(name, str) and self._worked_out(name) is not None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._logs)

    def __len__(self) -> int:
        return len(self._logs)

    def _log(self, name: str) -> Log | None:
        """Return a log as it is, None if there is none."""
        log = self._logs.get(name)
        return log.found() if isinstance(log, Deferred) else log

    def _shown(self, name: str) -> Log | None:
        """Return a log with what its statistics need to know of filtering."""
        log = self._log(name)
        if self._whole is None or self.measured is None or not isinstance(log, TimeSeries) or name not in self._whole:
            return log
        return log.seen_in(self.measured.array, found(self._whole[name]))

    def __getitem__(self, name: str) -> Log:
        """Return a log.

        ``duration`` and ``gd_prtn_chrg``, the sum of the ``proton_charge`` series, are computed where nobody has set
        them: live data come without.

        Raises
        ------
        RuntimeError
            There is no such log (the error scripts written for Mantid catch).
        """
        log = self._shown(name)
        if log is not None:
            return log
        if (computed := self._worked_out(name)) is not None:
            return computed
        close = difflib.get_close_matches(name, self.keys(), n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise RuntimeError(f"Unknown search object {name}: the run has {len(self)} logs, none of that name{hint}")

    def _worked_out(self, name: str) -> Property | None:
        """Return a log that others tell, each time anew: what one of a chunk told would be stale after the next."""
        if name == DURATION and (seconds := self._duration()) is not None:
            return Property(name, seconds, "second")
        if name == CHARGE_TOTAL:
            series = self._log(CHARGE_SERIES)
            if isinstance(series, TimeSeries) and series.value.dtype.kind in "biuf":
                return Property(name, self.integrated_proton_charge, "uAh")
        return None

    def keys(self) -> list[str]:
        """Return the names of all logs."""
        return list(self._logs)

    @property
    def nbytes(self) -> int:
        """Bytes the logs hold."""
        return sum(log.nbytes for log in self._logs.values())

    # -- writing --------------------------------------------------------------------------------------------------

    def set(self, name: str, value: Any, units: str = "") -> None:
        """Set a log to a value, a `Property` or a `TimeSeries`."""
        if isinstance(value, Property):
            value = Property(name, value.value, units or value.units)
        elif isinstance(value, TimeSeries):
            value = value.renamed(name, units or value.units)
        else:
            value = Property(name, value.item() if isinstance(value, np.generic) else value, units)
        self._put(name, value)

    def put(self, series: TimeSeries) -> None:
        """Set a series under its own name."""
        self._put(series.name, series)

    def _put(self, name: str, log: Log) -> None:
        self._logs[name] = log
        if self._whole is not None:
            self._whole.pop(name, None)

    def __setitem__(self, name: str, value: Any) -> None:
        self.set(name, value)

    def append(self, name: str, time_ns: npt.ArrayLike, values: npt.ArrayLike, units: str = "") -> None:
        """Add entries to a series (made here if there is none); costs what is new."""
        old = self._log(name)
        if isinstance(old, TimeSeries):
            self._put(name, old.extended(time_ns, values))
        else:
            self._put(name, TimeSeries(name, time_ns, values, units))

    def remove(self, name: str) -> None:
        """Remove a log; one that is not there is no error."""
        self._logs.pop(name, None)

    def clone(self) -> Run:
        """Return an independent copy that shares what is the same."""
        copy = Run()
        copy._logs, copy.measured = dict(self._logs), self.measured
        copy._whole = None if self._whole is None else dict(self._whole)
        return copy

    def add(self, other: Run) -> None:
        """Take the logs of data that are added to ours.

        Missing logs are copied, series merged without the entry doubled at the seam, totals (`SUMMED`) added, times in
        which data were taken joined; of other single values ours stays. Where only one side states its good proton
        charge the other's is integrated, so that the total stays true.
        """
        charge, computed = self._total_charge_with(other), DURATION in self
        self._join_times(other)
        for name, theirs in other._logs.items():
            ours = self._logs.get(name)
            if ours is None:
                if name != DURATION or not computed:  # theirs alone is not that of the sum
                    self._logs[name] = theirs
            elif isinstance(ours, Entries) and isinstance(theirs, Entries):
                self._logs[name] = merged(ours, theirs)
            elif name in SUMMED and isinstance(ours, Property) and isinstance(theirs, Property):
                self._logs[name] = Property(name, _sum(ours.value, theirs.value), ours.units)
        if charge is not None:
            self.set(CHARGE_TOTAL, charge, "uAh")

    def _join_times(self, other: Run) -> None:
        if self._whole is not None or other._whole is not None:
            ours, theirs = (dict(run._series() if run._whole is None else run._whole) for run in (self, other))
            both = {name: merged(ours[name], theirs[name]) for name in ours.keys() & theirs.keys()}
            self._whole = ours | theirs | both
        if self.measured is not None or other.measured is not None:
            self.measured = self._times().joined(other._times())

    def _series(self) -> Iterator[tuple[str, Entries]]:
        return ((name, log) for name, log in self._logs.items() if isinstance(log, Entries))

    def _total_charge_with(self, other: Run) -> float | None:
        if (CHARGE_TOTAL in self._logs) == (CHARGE_TOTAL in other._logs):
            return None
        return self.proton_charge + other.proton_charge

    def filtered(self, intervals: I64) -> Run:
        """Return the logs with only those entries of series in the intervals [t0, t1), ns; the charge falls with it.

        A series of which nothing is left keeps the value that held at the first interval, so that it can still be read.
        """
        result = Run()
        for name in self:
            log = self._log(name)
            assert log is not None
            if isinstance(log, TimeSeries) and len(log):
                result._logs[name] = Filtered(log, intervals, pulses=name == CHARGE_SERIES)
            else:
                result._logs[name] = log
        result._whole = dict(self._series() if self._whole is None else self._whole)
        if self._times():
            result.measured = self._times().within(intervals)
            result.remove(DURATION)
        if isinstance(self._log(CHARGE_SERIES), TimeSeries):
            result.remove(CHARGE_TOTAL)
        return result

    # -- proton charge and times ----------------------------------------------------------------------------------

    @property
    def proton_charge(self) -> float:
        """Good proton charge, uA h: as stated by the source, else the sum of the series, else 0."""
        stated = self._log(CHARGE_TOTAL)
        if isinstance(stated, Property):
            return float(stated.value)
        return self.integrated_proton_charge

    @property
    def integrated_proton_charge(self) -> float:
        """Sum of the ``proton_charge`` series, uA h (pC converted); 0 without one."""
        series = self._logs.get(CHARGE_SERIES)
        if not isinstance(series, Entries):
            return 0.0
        return series.total / (PICOCOULOMB_PER_UAH if series.units.lower() in _PICOCOULOMB else 1.0)

    def _time(self, names: tuple[str, ...], which: int) -> int | None:
        for name in names:
            log = self._log(name)
            if isinstance(log, Property):
                return to_ns(log.value)
        if self.measured is not None and (span := self.measured.span) is not None:
            return span[which]
        series = self._log(CHARGE_SERIES)
        if isinstance(series, TimeSeries) and len(series):
            return int(series.time_ns[which])
        return None

    @property
    def start_ns(self) -> int:
        """Start of the run: log start_time or run_start, else the first pulse; ns since 1970 UTC."""
        return self._required(self._time(_START, 0), "start")

    @property
    def has_start(self) -> bool:
        """Whether the start is known."""
        return self._time(_START, 0) is not None

    @property
    def end_ns(self) -> int:
        """End of the run so far: log end_time or run_end, else the last pulse; ns since 1970 UTC."""
        return self._required(self._time(_END, -1), "end")

    def _times(self) -> Intervals:
        """When data were taken: as live data know it, else from start to end without the times the log pause tells."""
        if self.measured is not None:
            return self.measured
        start, end = self._time(_START, 0), self._time(_END, -1)
        if start is None or end is None:
            return Intervals()
        pause = self._log(PAUSE)
        if not isinstance(pause, TimeSeries) or pause.value.dtype.kind not in "bif" or not pause.value.any():
            return Intervals([[start, end]])
        until = np.append(pause.time_ns[1:], max(end, int(pause.time_ns[-1])))
        paused = np.stack([pause.time_ns, until], axis=1)[pause.value.astype(bool)]
        return Intervals([[start, end]]).without(Intervals(paused))

    def _duration(self) -> float | None:
        """Time in which data were taken, s; None if nothing is known of it."""
        raw = self._log(RAW_DURATION)
        if self.measured is None and isinstance(raw, Property):
            return float(raw.value)
        if self.measured is None and None in (self._time(_START, 0), self._time(_END, -1)):
            return None
        return self._times().seconds

    @staticmethod
    def _required(time: int | None, what: str) -> int:
        if time is None:
            raise RuntimeError(f"the {what} of the run is not known: no {what}_time or run_{what} log, no pulses yet")
        return time

    @property
    def duration(self) -> float:
        """Time in which data were taken, s, whatever a log of that name says: pauses and interruptions are not in it.

        Of live data it goes from the first pulse to the last, of others from start to end.
        """
        seconds = self._duration()
        return (self.end_ns - self.start_ns) / 1e9 if seconds is None else seconds

    # -- Mantid's names -------------------------------------------------------------------------------------------

    def getProperty(self, name: str) -> Log:  # noqa: N802
        """Return a log."""
        return self[name]

    def getLogData(self, name: str | None = None) -> Log | list[Log]:  # noqa: N802
        """Return a log, or all of them."""
        return self.getProperties() if name is None else self[name]

    def getProperties(self) -> list[Log]:  # noqa: N802
        """Return all logs."""
        return [self[name] for name in self]

    def hasProperty(self, name: str) -> bool:  # noqa: N802
        """Tell whether there is such a log."""
        return name in self

    def addProperty(  # noqa: N802
        self, name: str, value: Any, units: str | bool = "", replace: bool = False
    ) -> None:
        """Add a log: ``addProperty(name, value, replace)`` or ``addProperty(name, value, units, replace)``."""
        if name in self._logs and not (replace or units is True):
            raise ValueError(f"there is a log {name!r} already; give replace=True")
        self.set(name, value, "" if isinstance(units, bool) else units)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a log, or the default."""
        return self[name] if name in self else default

    def getProtonCharge(self) -> float:  # noqa: N802
        """Return the good proton charge, uA h."""
        return self.proton_charge

    def integrateProtonCharge(self, logname: str = CHARGE_SERIES) -> float:  # noqa: N802
        """Return the sum of the proton charge series, uA h.

        What the source stated as good charge is superseded by it, as in Mantid; nothing is remembered, so the charge
        is right after the next chunk too.
        """
        if logname != CHARGE_SERIES:
            return Run({CHARGE_SERIES: self[logname]}).integrated_proton_charge
        if isinstance(self._logs.get(CHARGE_SERIES), Entries):
            self.remove(CHARGE_TOTAL)
        return self.integrated_proton_charge

    def startTime(self) -> DateAndTime:  # noqa: N802
        """Return the start of the run."""
        return DateAndTime.of_unix(self.start_ns)

    def endTime(self) -> DateAndTime:  # noqa: N802
        """Return the end of the run, of live data so far."""
        return DateAndTime.of_unix(self.end_ns)

    def setStartAndEndTime(self, start: DateAndTime | str, end: DateAndTime | str) -> None:  # noqa: N802
        """Set when the run began and ended."""
        self.set(_START[0], str(start))
        self.set(_END[0], str(end))

    def getStatistics(self, name: str) -> Statistics:  # noqa: N802
        """Return the statistics of a series."""
        log = self[name]
        if not isinstance(log, TimeSeries):
            log = TimeSeries(name, [0], [log.value])
        return log.statistics()

    def getTimeAveragedValue(self, name: str) -> float:  # noqa: N802
        """Return the time-weighted mean of a series, the value of a single one."""
        return self.getStatistics(name).time_mean

    def getPropertyAsSingleValue(self, name: str) -> float:  # noqa: N802
        """Return the value of a single log, the plain mean of a series."""
        log = self[name]
        return float(log.statistics().mean) if isinstance(log, TimeSeries) else float(log.value)


def merged(ours: Entries, theirs: Entries) -> Entries:
    """Return one series with the entries of another that are not in it already, at once where that costs nothing."""
    ours = found(ours)
    return ours if isinstance(theirs, TimeSeries) and ours.holds(theirs) else Merged(ours, theirs)


def _sum(ours: Any, theirs: Any) -> Any:
    if isinstance(ours, str) or isinstance(theirs, str):  # some files keep totals as text
        return float(ours) + float(theirs)
    return ours + theirs
