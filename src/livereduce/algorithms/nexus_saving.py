"""SaveNexus: workspaces as HDF5 in Mantid's processed layout, which users' h5py readers look into.

``/mantid_workspace_1`` (NXentry; a group's members and appended ones count on) holds title, instrument, sample, logs,
process and one of ``workspace`` (values, errors, axis1, axis2), ``event_workspace`` (tof, pulsetime, weight,
error_squared, indices, axis1, axis2) or ``table_workspace`` (column_1, column_2, ...). Not written: sample shape, mask
of bins, history.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from livereduce import __version__
from livereduce.algorithms.declaration import Integers, algorithm
from livereduce.algorithms.files import replacing
from livereduce.algorithms.spectra import selected, taken
from livereduce.workspaces import (
    EventWorkspace,
    MatrixWorkspace,
    Run,
    TableWorkspace,
    TimeSeries,
    WorkspaceGroup,
)
from livereduce.workspaces.event_list import SpectrumEvents, TermEvents
from livereduce.workspaces.run import iso

log = logging.getLogger(__name__)

ENTRY = "mantid_workspace_"
# Pulse times in these files count from here, everything else in this program from 1970.
GPS_EPOCH_NS = int(np.datetime64("1990-01-01", "ns").astype(np.int64))
_BLOCK_EVENTS = 1 << 22


@algorithm("SaveNexus", aliases=["SaveNexusProcessed"])
def save_nexus(
    ws: MatrixWorkspace | TableWorkspace | WorkspaceGroup,
    filename: Path,
    title: str = "",
    workspace_index_min: int | None = None,
    workspace_index_max: int | None = None,
    workspace_index_list: Integers = (),
    append: bool = False,
    preserve_events: bool = True,
    compress_nexus: bool = False,
) -> None:
    """Write a workspace, a table or the members of a group to a NeXus file.

    Parameters
    ----------
    filename
        The file; its folder must exist. An existing file is replaced, at once and completely.
    title
        Title; by default the workspace's.
    workspace_index_min, workspace_index_max, workspace_index_list
        Spectra to write; all without.
    append
        Whether to add to an existing file.
    preserve_events
        Whether events are written one by one; without, as the histogram they make in the present bins.
    compress_nexus
        Whether large arrays are compressed (slow).
    """
    members = list(ws) if isinstance(ws, WorkspaceGroup) else [ws]
    with replacing(filename) as temporary:
        if append and filename.exists():
            shutil.copyfile(filename, temporary)
        with h5py.File(temporary, "a") as file:
            for member in members:
                entry = file.create_group(f"{ENTRY}{len(file) + 1}")
                if isinstance(member, MatrixWorkspace):
                    range_given = workspace_index_min is not None or workspace_index_max is not None
                    if range_given or len(workspace_index_list):
                        chosen = selected(member, workspace_index_min, workspace_index_max, workspace_index_list)
                        member = taken(member, chosen)
                    _write_matrix(entry, member, preserve_events, "gzip" if compress_nexus else None)
                elif isinstance(member, TableWorkspace):
                    _write_table(entry, member)
                else:
                    raise ValueError(f"InputWorkspace: {member!r} cannot be written")
                _write_head(entry, title or member.title, member.name())


def _write_head(entry: h5py.Group, title: str, name: str) -> None:
    entry.attrs["NX_class"] = "NXentry"
    entry["title"] = title
    entry["definition"] = entry["definition_local"] = "Mantid Processed Workspace"
    entry["workspace_name"] = name
    process = _group(entry, "process", "NXprocess")
    process["program"], process["version"] = "livereduce", __version__
    process["date"] = datetime.now(UTC).isoformat(timespec="seconds")


def _write_matrix(entry: h5py.Group, ws: MatrixWorkspace, preserve_events: bool, compression: str | None) -> None:
    events = preserve_events and isinstance(ws, EventWorkspace)
    if events and any(p.plan.factors and p.plan.factors.per_bin for p in ws.parts):  # type: ignore[attr-defined]
        log.warning("SaveNexus: the events of %r are weighted by bin; their histogram is written instead", ws)
        events = False
    data = _group(entry, "event_workspace" if events else "workspace", "NXdata")
    if events:
        assert isinstance(ws, EventWorkspace)
        _write_events(data, ws, compression)
    else:
        values = data.create_dataset("values", data=ws.y, compression=compression)
        values.attrs.update(units=ws.y_unit, unit_label=ws.y_label, signal=1, axes="axis2,axis1")
        data.create_dataset("errors", data=ws.e, compression=compression)
        data.attrs["signal"], data.attrs["axes"] = "values", ["axis2", "axis1"]
    axis1 = data.create_dataset("axis1", data=ws.x)
    axis1.attrs.update(units=ws.unit, distribution=int(ws.distribution))
    if ws.vertical is not None:
        data.create_dataset("axis2", data=ws.vertical.values).attrs["units"] = ws.vertical.unit
    else:
        data.create_dataset("axis2", data=ws.spectra.numbers).attrs.update(units="spectraNumber", caption="Spectrum")
    _write_instrument(_group(entry, "instrument", "NXinstrument"), ws)
    _group(entry, "sample", "NXsample")
    _write_logs(_group(entry, "logs", "NXgroup"), ws.logs)


def _write_instrument(group: h5py.Group, ws: MatrixWorkspace) -> None:
    """Name, flight path and, per spectrum, detectors and the place of the first: distance in m, angles in degrees."""
    group["name"] = ws.getInstrument().getName()
    detector = _group(group, "detector", "NXdetector")
    detector["spectra"], detector["detector_list"] = ws.spectra.numbers, ws.spectra.ids
    detector["detector_index"], detector["detector_count"] = ws.spectra.start[:-1], np.diff(ws.spectra.start)
    detector["masked"] = ws.spectra.masked.astype(np.uint8)
    geometry = ws.spectra.geometry_from(ws.detectors)
    if np.isfinite(geometry.l1):
        group["primary_flight_path"] = geometry.l1
        group["primary_flight_path"].attrs["units"] = "m"
        detector["distance"], detector["polar_angle"] = geometry.l2, np.degrees(geometry.two_theta)
        detector["distance"].attrs["units"], detector["polar_angle"].attrs["units"] = "m", "degree"


def _write_logs(group: h5py.Group, run: Run) -> None:
    for name in run:
        entry = run[name]
        log_group = _group(group, name.replace("/", "|"), "NXlog")
        value = entry.value
        data = np.asarray(value)
        if data.dtype.kind in "OUS":
            log_group.create_dataset("value", data=data.astype(object), dtype=h5py.string_dtype())
        else:
            log_group["value"] = data.astype(np.uint8) if data.dtype.kind == "b" else data
        log_group["value"].attrs["units"] = entry.units
        if data.dtype.kind == "b":
            log_group["value"].attrs["boolean"] = 1
        if isinstance(entry, TimeSeries):
            start = int(entry.time_ns[0]) if len(entry) else 0
            log_group["time"] = (entry.time_ns - start) * 1e-9
            log_group["time"].attrs.update(start=iso(start), units="second")


def _write_events(data: h5py.Group, ws: EventWorkspace, compression: str | None) -> None:
    """Events spectrum by spectrum; weights only where they are not all one. Held in memory a block at a time."""
    total = int(ws.getNumberEvents())
    weighted = ws.compression is not None or any(p.plan.scale != 1.0 or p.plan.factors is not None for p in ws.parts)
    columns: dict[str, Any] = {"tof": np.float64, "pulsetime": np.int64}
    if weighted:
        columns |= {"weight": np.float32, "error_squared": np.float32}
    datasets = [
        data.create_dataset(name, (total,), dtype, compression=compression, chunks=True if compression else None)
        for name, dtype in columns.items()
    ]
    indices, written = np.zeros(ws.n_spectra + 1, np.int64), 0
    for block in _blocks(ws, indices):
        n = len(block.x)
        sources = (block.x, block.pulse_time - GPS_EPOCH_NS, block.weight, block.variance)
        for dataset, values in zip(datasets, sources, strict=False):
            dataset[written : written + n] = values
        written += n
    data["indices"] = indices
    data.attrs["event_type"] = "WEIGHTED" if weighted else "TOF"
    data["indices"].attrs.update(units=ws.y_unit, unit_label=ws.y_label)


def _blocks(ws: EventWorkspace, indices: np.ndarray[Any, np.dtype[np.int64]]) -> Iterator[SpectrumEvents]:
    """Events of consecutive spectra, some million at a time; fills in where each spectrum begins."""
    terms = [TermEvents(term) for term in ws.terms]
    held: list[SpectrumEvents] = []
    size = 0
    for i in range(ws.n_spectra):
        found = [term.of_spectrum(i) for term in terms]
        if ws.compression is not None:
            found = [ws.compression.applied(SpectrumEvents(*(np.concatenate(c) for c in zip(*found, strict=True))))]
        held += found
        count = sum(len(events.x) for events in found)
        indices[i + 1] = indices[i] + count
        size += count
        if size >= _BLOCK_EVENTS or i == ws.n_spectra - 1:
            yield SpectrumEvents(*(np.concatenate(column) for column in zip(*held, strict=True)))
            held, size = [], 0


def _write_table(entry: h5py.Group, table: TableWorkspace) -> None:
    group = _group(entry, "table_workspace", "NXdata")
    types = table.columnTypes()
    for i, (name, kind) in enumerate(zip(table.getColumnNames(), types, strict=True), start=1):
        values = table.column(name)
        if kind == "str":
            dataset = group.create_dataset(f"column_{i}", data=values, dtype=h5py.string_dtype())
        else:
            whole = kind in ("int", "long64", "size_t", "uint")
            array = np.array(values, np.uint8 if kind == "bool" else np.int64 if whole else np.float64)
            dataset = group.create_dataset(f"column_{i}", data=array)
        dataset.attrs.update(name=name, interpret_as=kind, units="Not known")


def _group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = kind
    return group
