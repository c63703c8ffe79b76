"""What events are when a script asks for them one by one: CompressEvents, SortEvents. Values in bins do not change."""

from __future__ import annotations

from typing import Literal

import numpy as np

from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.filtering import selected_pulses
from livereduce.workspaces import EventWorkspace
from livereduce.workspaces.compression import Compression
from livereduce.workspaces.event_list import EventOrder
from livereduce.workspaces.run import to_ns

_SECOND = 1_000_000_000
_END = 1 << 62  # ns since 1970, after any pulse

_ORDERS = {
    "X Value": EventOrder.X,
    "Pulse Time": EventOrder.PULSE_TIME,
    "Pulse Time + TOF": EventOrder.PULSE_TIME_THEN_X,
}


@algorithm("CompressEvents")
def compress_events(
    ws: EventWorkspace,
    tolerance: float = 1e-5,
    wall_clock_tolerance: float | None = None,
    start_time: str = "",
    binning_mode: Literal["Default", "Linear", "Logarithmic"] = "Default",
    sort_first: bool = True,
) -> EventWorkspace:
    """Put events together that lie within a tolerance of each other, when events are asked for one by one.

    Sorted by X, an event joins the one before it while it is no further from the first of them than the tolerance; they
    become one event at their mean X, with the sum of their weights. Here this is only recorded: it is carried out when
    event lists, their number or a file of events is asked for. Values in bins are made of the events as they came, so
    nothing is lost and none moves to another bin. In another unit of X events are as they came.

    Parameters
    ----------
    tolerance
        Distance in X; a negative one is a fraction of the first event's X.
    wall_clock_tolerance
        Length of slots of time, s: only events whose pulses are in the same slot are put together, and get the mean of
        their pulse times. Without, pulses do not matter.
    start_time
        Where the first slot begins, ISO-8601, UTC: events before are dropped. By default the start of the run, and no
        events are dropped.
    binning_mode
        Linear and Logarithmic take the tolerance so, whatever its sign.
    sort_first
        Accepted for scripts that give it; events are always put together as they are sorted by X.
    """
    if not np.isfinite(tolerance):
        raise ValueError(f"Tolerance: expected a finite number, found {tolerance:g}")
    slot = round((wall_clock_tolerance or 0.0) * _SECOND)
    if slot < 0:
        raise ValueError(f"WallClockTolerance: expected 0 or more seconds, found {wall_clock_tolerance:g}")
    if binning_mode != "Default":
        tolerance = abs(tolerance) if binning_mode == "Linear" else -abs(tolerance)
    if not slot:
        return ws.replaced(compression=Compression(tolerance, ws.unit))
    run = ws.getRun()
    start = to_ns(start_time) if start_time else run.start_ns if run.has_start else 0
    result = ws.replaced(compression=Compression(tolerance, ws.unit, slot, start))
    return selected_pulses(result, np.array([[start, _END]])) if start_time else result


@algorithm("SortEvents", in_place=["ws"])
def sort_events(
    ws: EventWorkspace, sort_by: Literal["X Value", "Pulse Time", "Pulse Time + TOF"] = "X Value"
) -> EventWorkspace:
    """Give the events of every spectrum in an order when they are asked for one by one.

    Here this is only recorded, for this workspace and what is made of it: a list is sorted when it is read. Counting
    needs no order, so it makes nothing faster; a script that has this line for speed can do without.

    Parameters
    ----------
    ws
        The workspace, which is changed.
    sort_by
        X Value, or the time of the pulse, with events of the same pulse as they came or, with TOF, by X.
    """
    return ws.replaced(order=_ORDERS[sort_by])
