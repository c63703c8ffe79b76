"""Logs in NeXus files: a group each with ``value`` and, of a series, ``time``; all of a processed file's."""

from __future__ import annotations

import logging
from typing import Any

import h5py
import numpy as np

from livereduce.algorithms.nexus.hdf5 import NUMBERS, TEXT, dataset, groups, texts, times_ns
from livereduce.geometry.nexus_histogram import UnfitError, text_of
from livereduce.workspaces import Run, TimeSeries
from livereduce.workspaces.run import iso

log = logging.getLogger(__name__)


def write_logs(group: h5py.Group, run: Run) -> None:
    """Write all logs, and the duration where it is known; a slash in a name, which HDF5 cannot hold, becomes a bar."""
    for name in dict.fromkeys([*run, *(["duration"] if "duration" in run else [])]):
        entry = run[name]
        written = group.create_group(name.replace("/", "|"))
        written.attrs["NX_class"] = "NXlog"
        data = np.asarray(entry.value)
        if data.dtype.kind in TEXT:
            value = written.create_dataset("value", data=data.astype(object), dtype=h5py.string_dtype())
        else:
            value = written.create_dataset("value", data=data.astype(np.uint8) if data.dtype.kind == "b" else data)
        value.attrs["units"] = entry.units
        if data.dtype.kind == "b":
            value.attrs["boolean"] = 1
        if isinstance(entry, TimeSeries):
            start = int(entry.time_ns[0]) if len(entry) else 0
            written["time"] = (entry.time_ns - start) * 1e-9
            written["time"].attrs.update(start=iso(start), units="second")


def read_logs(group: h5py.Group) -> Run:
    """Read all logs; one that contradicts itself is left out with a warning."""
    run = Run()
    for name, entry in groups(group):
        if "value" in entry:
            set_log(run, name.replace("|", "/"), entry)
    return run


def set_log(run: Run, name: str, group: h5py.Group) -> None:
    """Set a log to what a group with ``value`` and, of a series, ``time`` says; with a warning to nothing if it cannot.

    The data are worth more than a log that contradicts itself.
    """
    try:
        value, units = _read_log(name, group)
    except UnfitError as error:
        log.warning("%s; the log %s is left out", error, name)
    else:
        run.set(name, value, units)


def _read_log(name: str, group: h5py.Group) -> tuple[Any, str]:
    found = group["value"]
    text = isinstance(found, h5py.Dataset) and found.dtype.kind in TEXT
    found = dataset(group, "value", kind=TEXT if text else NUMBERS + "b")
    units = text_of(found.attrs.get("units"))
    values = np.array(texts(found), object) if text else np.asarray(found[()])
    if "boolean" in found.attrs:
        values = values.astype(bool)
    if "time" not in group:
        return (single(values) if values.size == 1 else values), units
    times = times_ns(dataset(group, "time"))
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    values = np.atleast_1d(values)
    if values.shape != times.shape:
        raise UnfitError(f"{group.name}: values of shape {values.shape} at {times.size} times; expected one each")
    return TimeSeries(name, times, values, units), units


def single(values: Any) -> Any:
    """Return the only value there is, as a Python value."""
    value = np.ravel(values)[0]
    return value.item() if isinstance(value, np.generic) else value
