"""Which events count: by X, by time, by the value of a log. Nothing is computed before values are read."""

from __future__ import annotations

from typing import Literal

import numpy as np

from livereduce.algorithms.declaration import algorithm, nearest
from livereduce.workspaces import EventWorkspace, Run, TimeSeries
from livereduce.workspaces.arrays import I64, Bool
from livereduce.workspaces.ranges import merged_intervals
from livereduce.workspaces.run import CHARGE_SERIES, to_ns

# further than any pulse, and far enough from the ends of int64 to be moved by a tolerance
_BEGINNING, _END = -(1 << 62), 1 << 62
_SECOND = 1_000_000_000
_LONGEST = 1e9  # s


@algorithm("FilterByXValue")
def filter_by_x_value(ws: EventWorkspace, x_min: float | None = None, x_max: float | None = None) -> EventWorkspace:
    """Drop events whose X is outside a range; bin edges stay.

    Parameters
    ----------
    x_min, x_max
        The range, both ends included; no limit without.
    """
    low, high = -np.inf if x_min is None else x_min, np.inf if x_max is None else x_max
    if low > high:
        raise ValueError(f"XMin ({low:g}) is greater than XMax ({high:g})")
    return ws.planned(lambda plan: plan.limited(low, high))


@algorithm("FilterByTime")
def filter_by_time(
    ws: EventWorkspace,
    start_time: float | None = None,
    stop_time: float | None = None,
    absolute_start_time: str = "",
    absolute_stop_time: str = "",
) -> EventWorkspace:
    """Keep only events of pulses from a start to before a stop; logs are filtered with them.

    Parameters
    ----------
    start_time, stop_time
        Seconds after the first pulse; from the first and to the last without. A stop of 0 is no limit.
    absolute_start_time, absolute_stop_time
        ISO-8601 times, UTC, instead.
    """
    relative = start_time is not None or bool(stop_time)
    if relative and (absolute_start_time or absolute_stop_time):
        raise ValueError("give StartTime and StopTime, or AbsoluteStartTime and AbsoluteStopTime, not both")
    start, stop = _BEGINNING, _END
    if relative:
        zero = _first_pulse(ws)
        start = zero + _nanoseconds(start_time or 0.0)
        stop = zero + _nanoseconds(stop_time) if stop_time else _END
    start = to_ns(absolute_start_time) if absolute_start_time else start
    stop = to_ns(absolute_stop_time) if absolute_stop_time else stop
    if start >= stop:
        raise ValueError("the start must be before the stop")
    return selected_pulses(ws, np.array([[start, stop]]))


@algorithm("FilterByLogValue")
def filter_by_log_value(
    ws: EventWorkspace,
    log_name: str,
    minimum_value: float | None = None,
    maximum_value: float | None = None,
    time_tolerance: float = 0.0,
    log_boundary: Literal["Centre", "Left"] = "Centre",
    pulse_filter: bool = False,
) -> EventWorkspace:
    """Keep only events of pulses at which a log has a value in a range; logs are filtered with them.

    Before its first entry a log has the first value, after its last the last, as far as the run goes. A log with a
    single value keeps all or nothing.

    Parameters
    ----------
    log_name
        Name of the log.
    minimum_value, maximum_value
        The range, both ends included; no limit without.
    time_tolerance
        Seconds, see `log_boundary`; with `pulse_filter`, to each side of an entry.
    log_boundary
        Centre keeps from the first to the last of successive good entries, and the tolerance to each side; Left keeps
        from the first good entry to the next bad one.
    pulse_filter
        Whether to drop the pulses around each entry, whatever its value, and keep all others.
    """
    low = -np.inf if minimum_value is None else minimum_value
    high = np.inf if maximum_value is None else maximum_value
    if low > high:
        raise ValueError(f"MinimumValue ({low:g}) is greater than MaximumValue ({high:g})")
    if time_tolerance < 0:
        raise ValueError(f"TimeTolerance: expected 0 or more, found {time_tolerance:g}")
    if log_name not in ws.getRun():
        near = nearest(log_name, ws.getRun().keys(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"LogName: the workspace has no log {log_name!r}{hint}")
    log = ws.getRun()[log_name]
    try:
        values = np.atleast_1d(np.asarray(log.value, np.float64))
    except (TypeError, ValueError):
        raise ValueError(f"LogName: {log_name!r} does not hold numbers") from None
    good = (values >= low) & (values <= high)
    tolerance = _nanoseconds(time_tolerance)
    if not isinstance(log, TimeSeries):
        intervals = np.array([[_BEGINNING, _END]] if good.all() else np.empty((0, 2)), np.int64)
    elif pulse_filter:
        intervals = _outside(log.time_ns, tolerance)
    else:
        span = _span(ws.getRun(), tolerance)
        intervals = _stretches(log.time_ns, good, tolerance, span, centre=log_boundary == "Centre")
    return selected_pulses(ws, intervals)


@algorithm("FilterBadPulses")
def filter_bad_pulses(ws: EventWorkspace, lower_cutoff: float = 95.0) -> EventWorkspace:
    """Keep only events of pulses whose proton charge is not much below the mean; logs are filtered with them.

    The mean is that of all entries of the log proton_charge, so what is kept of a run in progress follows it: a pulse
    that was good enough may be dropped later, or the other way round.

    Parameters
    ----------
    lower_cutoff
        Least charge of a pulse that is kept, % of the mean.
    """
    if not 0 <= lower_cutoff <= 100:
        raise ValueError(f"LowerCutoff: expected 0 to 100 %, found {lower_cutoff:g}")
    log = ws.getRun().get(CHARGE_SERIES)
    if not isinstance(log, TimeSeries) or not len(log):
        raise RuntimeError(f"the workspace has no series {CHARGE_SERIES} with the charge of each pulse")
    mean = log.total / len(log)
    if not mean > 0:
        raise RuntimeError(f"the mean of {CHARGE_SERIES} is {mean:g}: no pulse brought any charge")
    return filter_by_log_value(ws, CHARGE_SERIES, lower_cutoff / 100 * mean)


def _nanoseconds(seconds: float) -> int:
    """Seconds as ns; more than any run lasts is cut off to what times can be moved by."""
    return round(min(max(seconds, -_LONGEST), _LONGEST) * _SECOND)


def selected_pulses(ws: EventWorkspace, intervals: I64) -> EventWorkspace:
    """Return the workspace with only the pulses, and log entries, in these intervals [t0, t1), ns since 1970."""
    intervals = merged_intervals(intervals)
    return ws.selected(intervals, run=ws.getRun().filtered(intervals))


def _stretches(time: I64, good: Bool, tolerance: int, span: tuple[int, int] | None, *, centre: bool) -> I64:
    """Intervals [t0, t1) of successive good entries, the outermost drawn out to the ends of the run."""
    if not len(time):
        return np.empty((0, 2), np.int64)
    inner = np.flatnonzero(good[1:] != good[:-1]) + 1
    change = np.concatenate([np.zeros(int(good[0]), np.int64), inner, np.full(int(good[-1]), len(good))])
    first, behind = change[::2], change[1::2]  # of each stretch: its first entry, and the entry after its last
    if centre:
        start, stop = time[first] - tolerance, time[behind - 1] + tolerance + 1
    else:
        start, stop = time[first], time[np.minimum(behind, len(time) - 1)]
    if len(first) and behind[-1] == len(time):
        stop[-1] = max(stop[-1], _END if span is None else span[1])
    if len(first) and first[0] == 0 and span is not None:
        start[0] = min(start[0], span[0])
    return np.stack([start, stop], axis=1)


def _outside(time: I64, tolerance: int) -> I64:
    """All but a notch around each entry."""
    start = np.concatenate([[_BEGINNING], time + tolerance + 1])
    stop = np.concatenate([time - tolerance, [_END]])
    return np.stack([start, stop], axis=1)


def _span(run: Run, tolerance: int) -> tuple[int, int] | None:
    """From when to before when the run goes: by its pulses, else by its start and end; None if neither is known."""
    pulses = run.get(CHARGE_SERIES)
    if isinstance(pulses, TimeSeries) and len(pulses):
        return int(pulses.time_ns[0]) - tolerance, int(pulses.time_ns[-1]) + tolerance + 1
    try:
        return run.start_ns - tolerance, run.end_ns + tolerance + 1
    except RuntimeError:
        return None


def _first_pulse(ws: EventWorkspace) -> int:
    """Time of the first pulse: of the log proton_charge, else of the events."""
    log = ws.getRun().get(CHARGE_SERIES)
    if isinstance(log, TimeSeries) and len(log):
        return int(log.time_ns[0])
    earliest = _END
    for part in ws.parts:
        pulses = part.table.pulses
        begin = int(np.searchsorted(pulses.start[1:], part.a, side="right"))
        end = int(np.searchsorted(pulses.start[:-1], part.b, side="left"))
        earliest = min(earliest, int(pulses.time[begin:end].min(initial=_END)))
    if earliest == _END:
        raise RuntimeError("the workspace has no pulses, so times relative to the first mean nothing")
    return earliest
