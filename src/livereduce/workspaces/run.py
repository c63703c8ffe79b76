"""The logs of a run: what the sample environment, the accelerator and the operator said while the data were taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livereduce.workspaces.arrays import I64
from livereduce.workspaces.series import Log, Property, Statistics, TimeSeries

CHARGE_SERIES = "proton_charge"
CHARGE_TOTAL = "gd_prtn_chrg"
# Totals of a measurement: added when two are. Everything else that has one value keeps the left one.
SUMMED = frozenset(
    [CHARGE_TOTAL, "tot_prtn_chrg", "rawfrm", "goodfrm", "dur", "uA.hour", *(f"monitor{i}_counts" for i in range(6))]
)
# 1 uA h = 3600 s * 1e-6 C/s = 3.6e9 pC
PICOCOULOMB_PER_UAH = 3.6e9
_PICOCOULOMB = {"picocoulomb", "picocoulombs", "pc"}
_START, _END = ("start_time", "run_start"), ("end_time", "run_end")


class _Filtered(NamedTuple):
    """A series of which only the entries in some intervals are wanted; found when the log is looked at."""

    log: TimeSeries
    intervals: I64

    def found(self) -> TimeSeries:
        """Return the entries in the intervals, or if there are none the value that held at the first of them."""
        name, log = self.log.name, self.log
        kept = log.within(self.intervals)
        if len(kept) or not len(self.intervals) or name == CHARGE_SERIES:
            return kept
        start = int(self.intervals[0, 0])
        return TimeSeries(name, [start], [log.value_at(start)], log.units)


class Run:
    """Logs by name. Cloning costs a dictionary; series share their entries until one of them grows differently."""

    def __init__(self, logs: Mapping[str, Any] | None = None) -> None:
        self._logs: dict[str, Log | _Filtered] = {}
        for name, value in (logs or {}).items():
            self.set(name, value)

    # -- reading --------------------------------------------------------------------------------------------------

    def __contains__(self, name: object) -> bool:
        return name in self._logs

    def __iter__(self) -> Iterator[str]:
        return iter(self._logs)

    def __len__(self) -> int:
        return len(self._logs)

    def _log(self, name: str) -> Log | None:
        """Return a log as it is, None if there is none."""
        log = self._logs.get(name)
        if isinstance(log, _Filtered):
            log = self._logs[name] = log.found()
        return log

    def __getitem__(self, name: str) -> Log:
        """Return a log.

        ``duration`` is computed from the run's times where nobody has set it: live data come without.

        Raises
        ------
        RuntimeError
            There is no such log (the error scripts written for Mantid catch).
        """
        log = self._log(name)
        if log is not None:
            return log
        if name == "duration" and self._span() is not None:
            return Property(name, self.duration, "second")
        raise RuntimeError(f"Unknown search object {name}: the run has {len(self)} logs, none of that name")

    def keys(self) -> list[str]:
        """Return the names of all logs."""
        return list(self._logs)

    @property
    def nbytes(self) -> int:
        """Bytes the logs hold."""
        return sum(log.nbytes for log in self._logs.values() if not isinstance(log, _Filtered))

    # -- writing --------------------------------------------------------------------------------------------------

    def set(self, name: str, value: Any, units: str = "") -> None:
        """Set a log to a value, a `Property` or a `TimeSeries`."""
        if isinstance(value, Property):
            value = Property(name, value.value, units or value.units)
        elif isinstance(value, TimeSeries):
            value = value.renamed(name, units or value.units)
        else:
            value = Property(name, value.item() if isinstance(value, np.generic) else value, units)
        self._logs[name] = value

    def __setitem__(self, name: str, value: Any) -> None:
        self.set(name, value)

    def append(self, name: str, time_ns: npt.ArrayLike, values: npt.ArrayLike, units: str = "") -> None:
        """Add entries to a series (made here if there is none); costs what is new."""
        old = self._log(name)
        if isinstance(old, TimeSeries):
            self._logs[name] = old.extended(time_ns, values)
        else:
            self._logs[name] = TimeSeries(name, time_ns, values, units)

    def remove(self, name: str) -> None:
        """Remove a log; one that is not there is no error."""
        self._logs.pop(name, None)

    def clone(self) -> Run:
        """Return an independent copy that shares what is the same."""
        copy = Run()
        copy._logs = dict(self._logs)
        return copy

    def add(self, other: Run) -> None:
        """Take the logs of data that are added to ours.

        Missing logs are copied, series merged without the entry doubled at the seam, totals (`SUMMED`) added; of other
        single values ours stays. Where only one side states its good proton charge the other's is integrated, so that
        the total stays true.
        """
        charge = self._total_charge_with(other)
        for name in other:
            ours, theirs = self._log(name), other._log(name)
            if ours is None:
                self._logs[name] = other[name]
            elif isinstance(ours, TimeSeries) and isinstance(theirs, TimeSeries):
                self._logs[name] = ours.merged(theirs)
            elif name in SUMMED and isinstance(ours, Property) and isinstance(theirs, Property):
                self._logs[name] = Property(name, _sum(ours.value, theirs.value), ours.units)
        if charge is not None:
            self.set(CHARGE_TOTAL, charge, "uAh")

    def _total_charge_with(self, other: Run) -> float | None:
        if (CHARGE_TOTAL in self) == (CHARGE_TOTAL in other):
            return None
        return self.proton_charge + other.proton_charge

    def filtered(self, intervals: I64) -> Run:
        """Return the logs with only those entries of series in the intervals [t0, t1), ns; the charge falls with it.

        A series of which nothing is left keeps the value that held at the first interval, so that it can still be read.
        """
        result = Run()
        for name in self:
            log = self[name]
            result._logs[name] = _Filtered(log, intervals) if isinstance(log, TimeSeries) and len(log) else log
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
        series = self._log(CHARGE_SERIES)
        if not isinstance(series, TimeSeries):
            return 0.0
        return series.total / (PICOCOULOMB_PER_UAH if series.units.lower() in _PICOCOULOMB else 1.0)

    def _time(self, names: tuple[str, ...], entry: int) -> int | None:
        for name in names:
            log = self._log(name)
            if isinstance(log, Property):
                return to_ns(log.value)
        series = self._log(CHARGE_SERIES)
        if isinstance(series, TimeSeries) and len(series):
            return int(series.time_ns[entry])
        return None

    def _span(self) -> tuple[int, int] | None:
        start, end = self._time(_START, 0), self._time(_END, -1)
        return None if start is None or end is None else (start, end)

    @property
    def start_ns(self) -> int:
        """Start of the run: log start_time or run_start, else the first pulse; ns since 1970 UTC."""
        return self._required(self._time(_START, 0), "start")

    @property
    def end_ns(self) -> int:
        """End of the run so far: log end_time or run_end, else the last pulse; ns since 1970 UTC."""
        return self._required(self._time(_END, -1), "end")

    @staticmethod
    def _required(time: int | None, what: str) -> int:
        if time is None:
            raise RuntimeError(f"the {what} of the run is not known: no {what}_time or run_{what} log, no pulses yet")
        return time

    @property
    def duration(self) -> float:
        """End minus start, s."""
        return (self.end_ns - self.start_ns) / 1e9

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
        if name in self and not (replace or units is True):
            raise ValueError(f"there is a log {name!r} already; give replace=True")
        self.set(name, value, "" if isinstance(units, bool) else units)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a log, or the default."""
        log = self._log(name)
        return default if log is None else log

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
        if isinstance(self._log(CHARGE_SERIES), TimeSeries):
            self.remove(CHARGE_TOTAL)
        return self.integrated_proton_charge

    def startTime(self) -> np.datetime64:  # noqa: N802
        """Return the start of the run."""
        return np.datetime64(self.start_ns, "ns")

    def endTime(self) -> np.datetime64:  # noqa: N802
        """Return the end of the run."""
        return np.datetime64(self.end_ns, "ns")

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


def _sum(ours: Any, theirs: Any) -> Any:
    if isinstance(ours, str) or isinstance(theirs, str):  # some files keep totals as text
        return float(ours) + float(theirs)
    return ours + theirs


def to_ns(value: Any) -> int:
    """Return ns since 1970 UTC of an ISO-8601 text (UTC unless it says otherwise), a datetime64 or a number of ns."""
    if isinstance(value, np.datetime64):
        return int(value.astype("datetime64[ns]").astype(np.int64))
    if isinstance(value, int | np.integer):
        return int(value)
    text = str(value).strip()
    offset_at = max(text.rfind("+", 11), text.rfind("-", 11))
    if text.endswith(("Z", "z")):
        text, offset_at = text[:-1], -1
    try:
        if offset_at < 0:
            return int(np.datetime64(text, "ns").astype(np.int64))
        zone = datetime.fromisoformat(f"2000-01-01T00:00:00{text[offset_at:]}")
        shift = zone.utcoffset()
        ns = 0 if shift is None else round(shift.total_seconds()) * 1_000_000_000
        return int(np.datetime64(text[:offset_at], "ns").astype(np.int64)) - ns
    except ValueError:
        raise ValueError(f"{value!r} is not a time; expected ISO-8601 like 2026-11-23T04:37:00") from None


def iso(time_ns: int) -> str:
    """Return a time as ISO-8601 text in UTC with nanoseconds, as logs hold it."""
    seconds, ns = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ns:09d}"
