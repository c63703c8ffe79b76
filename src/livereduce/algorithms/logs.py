"""Logs set and removed by scripts: AddSampleLog, AddSampleLogMultiple, AddTimeSeriesLog, RemoveLogs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.values import to_integer, to_number
from livereduce.workspaces import MatrixWorkspace, TimeSeries
from livereduce.workspaces.run import to_ns


@algorithm("AddSampleLog", in_place=["workspace"])
def add_sample_log(
    workspace: MatrixWorkspace,
    log_name: str,
    log_text: str = "",
    log_type: Literal["String", "Number", "Number Series"] = "String",
    log_unit: str = "",
    number_type: Literal["AutoDetect", "Int", "Double"] = "AutoDetect",
) -> MatrixWorkspace:
    """Add a log to a workspace, or set it anew.

    Parameters
    ----------
    workspace
        The workspace, which is changed.
    log_name
        Name of the log.
    log_text
        Its value.
    log_type
        A text, a number, or a series with this number at the start of the run (or at 1970 if that is not known).
    log_unit
        Unit of a number.
    number_type
        Whether a number is whole; AutoDetect decides by its text.
    """
    if not log_name:
        raise ValueError("LogName must not be empty")
    run = workspace.run()
    value = log_text if log_type == "String" else _number(log_text, number_type)
    if log_type == "Number Series":
        start = run.start_ns if run.has_start else 0
        run.set(log_name, TimeSeries(log_name, [start], [value], log_unit))
    else:
        run.set(log_name, value, log_unit)
    return workspace


@algorithm("AddSampleLogMultiple", in_place=["workspace"])
def add_sample_log_multiple(
    workspace: MatrixWorkspace,
    log_names: Sequence[str],
    log_values: Sequence[str],
    log_units: Sequence[str] = (),
    log_types: Sequence[str] = (),
    parse_type: bool = True,
) -> MatrixWorkspace:
    """Add several logs to a workspace, or set them anew, as AddSampleLog does each.

    Parameters
    ----------
    workspace
        The workspace, which is changed.
    log_names, log_values
        Names and values, as many of both.
    log_units, log_types
        Units, and types as AddSampleLog has them; as many as names, or none.
    parse_type
        Without types: whether values that are numbers as texts become numbers.
    """
    lists = {"LogValues": log_values, "LogUnits": log_units, "LogTypes": log_types}
    for name, given in lists.items():
        if len(given) != len(log_names) and (given or name == "LogValues"):
            raise ValueError(f"{name}: has {len(given)} entries, LogNames has {len(log_names)}")
    units = log_units or [""] * len(log_names)
    types = log_types or [_type_of(value) if parse_type else "String" for value in log_values]
    for name, value, unit, kind in zip(log_names, log_values, units, types, strict=True):
        add_sample_log(workspace, name, value, kind, unit)  # type: ignore[arg-type]  # it checks the type
    return workspace


def _type_of(text: str) -> str:
    try:
        float(text)
    except ValueError:
        return "String"
    return "Number"


def _number(text: str, number_type: str) -> int | float:
    try:
        if number_type != "Double":
            return int(text)
    except ValueError:
        if number_type == "Int":
            raise ValueError(f"LogText: expected a whole number, found {text!r}") from None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"LogText: expected a number, found {text!r}") from None


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


@algorithm("RemoveLogs", in_place=["workspace"])
def remove_logs(workspace: MatrixWorkspace, keep_logs: Sequence[str] = ()) -> MatrixWorkspace:
    """Remove all logs but those named, so that a result can be kept or written without them.

    Parameters
    ----------
    workspace
        The workspace, which is changed; what was taken from logs before, such as places of moved detectors, stays.
    keep_logs
        Names of logs that stay; those the workspace does not have are no error.
    """
    run = workspace.run()
    for name in set(run.keys()).difference(keep_logs):
        run.remove(name)
    return workspace
