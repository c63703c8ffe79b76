"""Logs set from scripts: AddTimeSeriesLog."""

from __future__ import annotations

from typing import Literal

from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.values import to_integer, to_number
from livereduce.workspaces import MatrixWorkspace, TimeSeries
from livereduce.workspaces.run import to_ns


@algorithm("AddTimeSeriesLog", in_place=["workspace"])
def add_time_series_log(
    workspace: MatrixWorkspace,
    name: str,
    time: str,
    value: str,
    type: Literal["double", "int"] = "double",  # noqa: A002  (the property's name)
    delete_existing: bool = False,
) -> MatrixWorkspace:
    """Add an entry to a log that is a series, or begin one.

    Parameters
    ----------
    workspace
        The workspace, which is changed.
    name
        Name of the log.
    time
        Time of the entry, ISO-8601, UTC.
    value
        Value.
    type
        Kind of numbers the series holds.
    delete_existing
        Whether a log of that name goes first.
    """
    run = workspace.run()
    number = to_integer(value) if type == "int" else to_number(value)
    at = to_ns(time)
    old = None if delete_existing else run.get(name)
    if old is None:
        run.set(name, TimeSeries(name, [at], [number]))
        return workspace
    if not isinstance(old, TimeSeries):
        raise ValueError(f"Name: log {name!r} is no series; DeleteExisting=True replaces it")
    if (old.value.dtype.kind == "i") != (type == "int"):
        holds = "int" if old.value.dtype.kind == "i" else str(old.value.dtype)
        raise ValueError(f"Type: log {name!r} holds {holds}, found {type}; DeleteExisting=True replaces it")
    run.append(name, [at], [number])
    return workspace
