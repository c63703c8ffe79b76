"""Logs of a workspace in a processed NeXus file: a group each with ``value`` and, of a series, ``time``."""

from __future__ import annotations

import logging

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
            try:
                _read(run, name.replace("|", "/"), entry)
            except UnfitError as error:
                log.warning("%s; the log %s is left out", error, name)
    return run


def _read(run: Run, name: str, entry: h5py.Group) -> None:
    found = entry["value"]
    text = isinstance(found, h5py.Dataset) and found.dtype.kind in TEXT
    found = dataset(entry, "value", kind=TEXT if text else NUMBERS + "b")
    values = np.array(texts(found), object) if text else np.asarray(found[()])
    if "boolean" in found.attrs:
        values = values.astype(bool)
    units = text_of(found.attrs.get("units"))
    if "time" not in entry:
        single = values.reshape(-1)[0] if values.size == 1 else values
        run.set(name, single.item() if isinstance(single, np.generic) else single, units)
        return
    times = times_ns(dataset(entry, "time"))
    values = np.atleast_1d(values)
    if values.shape != times.shape:
        raise UnfitError(f"{entry.name}: values of shape {values.shape} at {times.size} times; expected one each")
    run.set(name, TimeSeries(name, times, values, units))
