"""Logs and charges in a NeXus file: SNS's DASlogs, ISIS's runlog and selog, absolute times in ns since 1970."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from livereduce.geometry.nexus_histogram import text_of, unit_factor
from livereduce.workspaces.run import to_ns

log = logging.getLogger(__name__)

CHARGE = "proton_charge"
PICOCOULOMB_PER_UAH = 3.6e9
_FOLDERS = ("DASlogs", "runlog", "selog", "framelog")


@dataclass(frozen=True, slots=True)
class FileLog:
    """One log of a file: times (ns) and as many values."""

    name: str
    time_ns: NDArray[np.int64]
    values: NDArray[Any]
    units: str


def times_ns(dataset: h5py.Dataset) -> NDArray[np.int64]:
    """Read times since the dataset's ``offset`` or ``start``, or since 1970 if it has neither."""
    origin = text_of(dataset.attrs.get("offset", dataset.attrs.get("start")))
    values = dataset[()].ravel()
    factor = unit_factor(dataset, "time") * 1000.0 if "units" in dataset.attrs else 1e9
    # whole numbers are not sent through floats: 64 bits of ns since 1970 do not fit
    since = values.astype(np.int64) * round(factor) if values.dtype.kind in "iu" else _rounded(values * factor)
    return since + (to_ns(origin) if origin else 0)


def _rounded(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray(np.rint(values), np.int64)


def logs_of(entry: h5py.Group) -> tuple[list[FileLog], FileLog | None]:
    """Return the logs of an entry, and apart from them the charges of its pulses if it has any."""
    logs, charge = [], None
    for folder in _FOLDERS:
        for name, group in entry.get(folder, {}).items():
            found = _read(name, group.get("value_log", group)) if isinstance(group, h5py.Group) else None
            if found is None:
                continue
            if name == CHARGE:
                charge = found
            else:
                logs.append(found)
    return logs, charge


def _read(name: str, group: h5py.Group) -> FileLog | None:
    if "value" not in group or "time" not in group:
        return None
    dataset = group["value"]
    values = dataset.asstr()[()] if h5py.check_string_dtype(dataset.dtype) else dataset[()]
    values = np.asarray(values).ravel()
    times = times_ns(group["time"])
    if values.size != times.size:
        log.warning("%s has %d values at %d times: left out", group.name, values.size, times.size)
        return None
    if values.dtype.kind == "O":
        values = values.astype(str)
    elif values.dtype.kind in "iub":
        values = values.astype(np.int64)
    return FileLog(name, times, values, text_of(dataset.attrs.get("units")))


def charge_in_pc(series: FileLog) -> NDArray[np.float64]:
    """Charge of each pulse in pC."""
    return series.values.astype(np.float64) * _pc_per_unit(series.units)


def total_charge_uah(entry: h5py.Group) -> float | None:
    """Charge of the whole run as the file states it, µA h; None when it does not."""
    for name in ("proton_charge", "gd_prtn_chrg"):
        found = entry.get(name)
        if isinstance(found, h5py.Dataset) and found.size == 1:
            units = text_of(found.attrs.get("units"))
            return float(np.ravel(found[()])[0]) * _pc_per_unit(units or "uAh") / PICOCOULOMB_PER_UAH
    return None


def run_span_ns(entry: h5py.Group) -> tuple[int, int]:
    """Start and end of the run as the file states them; 1970 and no time at all where it does not."""
    began, ended = (text_of(entry.get(name)) for name in ("start_time", "end_time"))
    start = to_ns(began) if began else 0
    return start, max(start, to_ns(ended)) if ended else start


def _pc_per_unit(units: str) -> float:
    return 1.0 if units.lower().startswith(("pico", "pc")) else PICOCOULOMB_PER_UAH


def within(logs: list[FileLog], first_ns: int | None, end_ns: int | None) -> Iterator[FileLog]:
    """Give the entries from `first_ns` to before `end_ns`; None is the beginning, or the end, of time."""
    for series in logs:
        keep = np.ones(series.time_ns.size, bool)
        if first_ns is not None:
            keep &= series.time_ns >= first_ns
        if end_ns is not None:
            keep &= series.time_ns < end_ns
        if keep.any():
            yield FileLog(series.name, series.time_ns[keep], series.values[keep], series.units)
