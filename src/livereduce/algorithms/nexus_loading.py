"""LoadNexusProcessed: what SaveNexus (or Mantid's) wrote, as a workspace again.

Covers histograms, events and tables with their logs, spectra, flight paths and angles. Detectors are known by the ID
and place of the spectra they belong to. Does not read raw event files.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.files import check_exists
from livereduce.algorithms.nexus_saving import ENTRY, GPS_EPOCH_NS
from livereduce.algorithms.spectra import distinct
from livereduce.workspaces import (
    Detectors,
    EventTable,
    EventWorkspace,
    HistogramWorkspace,
    NumericAxis,
    Part,
    Plan,
    Run,
    Spectra,
    SpectrumGeometry,
    TableWorkspace,
    TimeSeries,
    Workspace,
    WorkspaceGroup,
)
from livereduce.workspaces.arrays import F64, I64
from livereduce.workspaces.run import to_ns

log = logging.getLogger(__name__)


@algorithm("LoadNexusProcessed", aliases=["LoadNexus"], outputs_after="filename")
def load_nexus_processed(filename: Path, entry_number: int = 0) -> Workspace:
    """Read a processed NeXus file; one with several entries gives a group.

    Parameters
    ----------
    filename
        The file.
    entry_number
        Which entry to read, from 1 on; 0 reads all.
    """
    check_exists(filename)
    with h5py.File(filename, "r") as file:
        entries = sorted((name for name in file if name.startswith(ENTRY)), key=lambda name: int(name[len(ENTRY) :]))
        if not entries:
            raise RuntimeError(f"{filename}: is no processed NeXus file: it has no /{ENTRY}1 (it has {list(file)[:5]})")
        if not 0 <= entry_number <= len(entries):
            raise ValueError(f"EntryNumber: {entry_number}, but {filename} has {len(entries)} entries")
        wanted = entries[entry_number - 1 : entry_number] if entry_number else entries
        found = [_read_entry(file[name]) for name in wanted]
    return found[0] if len(found) == 1 else WorkspaceGroup(found)


def _read_entry(entry: h5py.Group) -> Workspace:
    title = _text(entry["title"][()]) if "title" in entry else ""
    if "table_workspace" in entry:
        return _read_table(entry["table_workspace"], title)
    data = entry.get("workspace", entry.get("event_workspace"))
    if data is None:
        raise RuntimeError(f"{entry.name} has neither workspace, event_workspace nor table_workspace")
    axis1, axis2 = data["axis1"], data["axis2"]
    spectra, detectors = _read_instrument(entry.get("instrument"), axis2)
    described: dict[str, Any] = {
        "detectors": detectors,
        "spectra": spectra,
        "run": _read_logs(entry["logs"]) if "logs" in entry else Run(),
        "title": title,
        "distribution": bool(int(axis1.attrs.get("distribution", 0))),
    }
    if _text(axis2.attrs.get("units", "spectraNumber")) != "spectraNumber":
        described["vertical"] = NumericAxis.of(axis2[()], _text(axis2.attrs["units"]))
    signal = data["values"] if "values" in data else data["indices"]
    described["y_unit"] = _text(signal.attrs.get("units", "Counts"))
    described["y_label"] = _text(signal.attrs.get("unit_label", ""))
    unit = _text(axis1.attrs.get("units", ""))
    if "values" in data:
        return HistogramWorkspace(axis1[()], data["values"][()], e=data["errors"][()], unit=unit, **described)
    return _read_events(data, axis1[()], unit, described)


def _read_instrument(group: h5py.Group | None, axis2: h5py.Dataset) -> tuple[Spectra, Detectors]:
    detector = None if group is None else group.get("detector")
    if group is None or detector is None or "detector_list" not in detector:
        n = axis2.shape[0]
        return Spectra(axis2[()] if axis2.dtype.kind in "iu" else np.arange(1, n + 1)), Detectors([])
    count = detector["detector_count"][()]
    start = np.concatenate([[0], np.cumsum(count)])
    ids = detector["detector_list"][()]
    masked = detector["masked"][()].astype(bool) if "masked" in detector else None
    spectra = Spectra(detector["spectra"][()], ids, start, masked=masked)
    if "distance" not in detector or "primary_flight_path" not in group:
        return spectra, Detectors(distinct(ids))
    l1, l2 = float(group["primary_flight_path"][()]), detector["distance"][()]
    two_theta = np.radians(detector["polar_angle"][()])
    unique, first = np.unique(ids, return_index=True)
    owner = np.repeat(np.arange(len(count)), count)[first]
    detectors = Detectors(unique, l1=l1, l2=l2[owner], two_theta=two_theta[owner])
    return spectra.with_geometry(SpectrumGeometry(l1, l2, two_theta)), detectors


def _read_logs(group: h5py.Group) -> Run:
    run = Run()
    for name, entry in group.items():
        if not isinstance(entry, h5py.Group) or "value" not in entry:
            continue
        dataset = entry["value"]
        value = dataset.asstr()[()] if h5py.check_string_dtype(dataset.dtype) else dataset[()]
        if "boolean" in dataset.attrs:
            value = np.asarray(value).astype(bool)
        units, key = _text(dataset.attrs.get("units", "")), name.replace("|", "/")
        if "time" in entry:
            time = entry["time"]
            start = to_ns(_text(time.attrs["start"]))
            run.set(key, TimeSeries(key, start + np.rint(time[()] * 1e9).astype(np.int64), value, units))
        else:
            array = np.asarray(value)
            run.set(key, array.reshape(-1)[0] if array.size == 1 else value, units)
    return run


def _read_events(data: h5py.Group, edges: F64, unit: str, described: dict[str, Any]) -> Workspace:
    indices: I64 = data["indices"][()].astype(np.int64)
    x = data["tof"][()].astype(np.float64)
    spectrum = np.repeat(np.arange(len(indices) - 1), np.diff(indices))
    if "weight" in data and (histogram := _histogram_of(data, edges, x, spectrum, unit, described)) is not None:
        return histogram
    pulse = data["pulsetime"][()].astype(np.int64) + GPS_EPOCH_NS
    order = np.argsort(pulse, kind="stable")
    times, first = np.unique(pulse[order], return_index=True)
    tick_ns, zero, factor, ticks = _as_ticks(x[order], unit)
    table = EventTable(len(indices) - 1, tick_ns=tick_ns, zero_ticks=zero)
    table.append(ticks, spectrum[order], times, np.append(first, len(order)), np.zeros(len(times)))
    plan = Plan(len(indices) - 1) if unit == "TOF" else Plan(len(indices) - 1).in_unit(unit, [factor])
    return EventWorkspace([Part(table, 0, table.n, plan)], edges=edges, **described)


def _as_ticks(x: F64, unit: str) -> tuple[int, int, float, I64]:
    """Tick length (ns), tick of zero, X per µs, and ticks: of times of flight whole tenths of µs, or ns; else fine."""
    low, high = float(x.min(initial=0.0)), float(x.max(initial=0.0))
    if unit == "TOF":
        tenths = x * 10
        tick_ns = 100 if np.all(np.abs(tenths - np.rint(tenths)) < 1e-6) else 1
        per_tick, factor = tick_ns / 1000, 1.0
    else:  # the whole range over 2**32 ticks of 1 ns: X is exact to some 1e-10 of its range
        span = max(high - low, np.finfo(np.float64).tiny) * (1 + 1e-9)
        tick_ns, per_tick = 1, span / (2**32 - 2)
        factor = per_tick * 1000
    zero = max(0, int(np.ceil(-low / per_tick)))
    ticks = np.rint(x / per_tick).astype(np.int64) + zero
    if len(ticks) and ticks.max() >= 1 << 32:
        raise RuntimeError(f"the events' X, {low:g} to {high:g} {unit}, does not fit into 32 bits of {tick_ns} ns")
    return tick_ns, zero, factor, ticks


def _histogram_of(
    data: h5py.Group, edges: F64, x: F64, spectrum: I64, unit: str, described: dict[str, Any]
) -> HistogramWorkspace | None:
    """Histogram of events with weights of their own, which an event workspace here cannot hold; None if all are 1."""
    weight, variance = data["weight"][()].astype(np.float64), data["error_squared"][()].astype(np.float64)
    if np.all(weight == 1) and np.all(variance == 1):
        return None
    log.warning("LoadNexusProcessed: the events of %s have weights; they are loaded as a histogram", data.name)
    n, rows = described["spectra"].numbers.size, np.atleast_2d(edges)
    bins = rows.shape[1] - 1
    y, e2 = np.zeros((n, bins + 2)), np.zeros((n, bins + 2))
    starts = data["indices"][()].tolist()
    for i in range(len(rows)):
        own = slice(None) if len(rows) == 1 else slice(starts[i], starts[i + 1])
        at = np.searchsorted(rows[i], x[own], side="right")
        np.add.at(y, (spectrum[own], at), weight[own])
        np.add.at(e2, (spectrum[own], at), variance[own])
    return HistogramWorkspace(edges, y[:, 1:-1], e2[:, 1:-1], unit=unit, **described)


def _read_table(group: h5py.Group, title: str) -> TableWorkspace:
    table = TableWorkspace(title=title)
    columns = sorted(group, key=lambda name: int(name.rsplit("_", 1)[-1]))
    values = []
    for name in columns:
        dataset = group[name]
        text = h5py.check_string_dtype(dataset.dtype) is not None
        kind = _text(dataset.attrs.get("interpret_as", "str" if text else "double"))
        kind = (
            kind if kind in ("str", "int", "float", "double", "bool", "long64", "size_t", "uint", "V3D") else "double"
        )
        table.addColumn("str" if text else kind, _text(dataset.attrs.get("name", name)))
        values.append((dataset.asstr() if text else dataset)[()].tolist())
    for row in zip(*values, strict=True):
        table.addRow(list(row))
    return table


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        value = value.reshape(-1)[0] if value.size else ""
    return value.decode() if isinstance(value, bytes) else str(value)
