"""SaveNexus: workspaces as HDF5 in Mantid's processed layout, which users' h5py readers look into.

``/mantid_workspace_1`` (NXentry; a group's members and appended ones count on) holds title, instrument, sample, logs,
process and one of ``workspace`` (values, errors, axis1, axis2), ``event_workspace`` (tof, pulsetime, weight,
error_squared, indices, axis1, axis2) or ``table_workspace`` (column_1, column_2, ...). Not written: sample shape,
attached monitors, history (workspaces here keep none; ``process`` names the program).
"""

from __future__ import annotations

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
from livereduce.algorithms.nexus.instrument import write_instrument
from livereduce.algorithms.nexus.logs import write_logs
from livereduce.algorithms.nexus.tables import write_table
from livereduce.algorithms.spectra import selected, taken
from livereduce.workspaces import (
    EventWorkspace,
    HistogramWorkspace,
    MatrixWorkspace,
    Part,
    TableWorkspace,
    Workspace,
    WorkspaceGroup,
)
from livereduce.workspaces.arrays import I64, Bool
from livereduce.workspaces.event_list import SpectrumEvents, blocks

ENTRY = "mantid_workspace_"
# Pulse times in these files count from here, everything else in this program from 1970.
GPS_EPOCH_NS = int(np.datetime64("1990-01-01", "ns").astype(np.int64))
_LARGEST_CHUNK = 1 << 16


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
                    write_table(_group(entry, "table_workspace", "NXdata"), member)
                else:
                    raise ValueError(f"InputWorkspace: {member!r} cannot be written")
                _write_head(entry, member, title)


def _write_head(entry: h5py.Group, ws: Workspace, title: str) -> None:
    entry.attrs["NX_class"] = "NXentry"
    entry["title"] = title or ws.title
    if ws.comment:
        entry["comment"] = ws.comment
    entry["definition"] = entry["definition_local"] = "Mantid Processed Workspace"
    entry["workspace_name"] = ws.name()
    process = _group(entry, "process", "NXprocess")
    process["program"], process["version"] = "livereduce", __version__
    process["date"] = datetime.now(UTC).isoformat(timespec="seconds")


def _write_matrix(entry: h5py.Group, ws: MatrixWorkspace, preserve_events: bool, compression: str | None) -> None:
    events = preserve_events and isinstance(ws, EventWorkspace)
    data = _group(entry, "event_workspace" if events else "workspace", "NXdata")
    if events:
        assert isinstance(ws, EventWorkspace)
        _write_events(data, ws, compression)
    else:
        values = data.create_dataset("values", data=ws.y, compression=compression)
        values.attrs.update(units=ws.y_unit, unit_label=ws.y_label, signal=1, axes="axis2,axis1")
        data.create_dataset("errors", data=ws.e, compression=compression)
        data.attrs["signal"], data.attrs["axes"] = "values", ["axis2", "axis1"]
    if isinstance(ws, HistogramWorkspace):
        if ws.dx is not None:
            data.create_dataset("xerrors", data=ws.dx, compression=compression)
        if ws.bin_mask is not None:
            _write_bin_mask(data, ws.bin_mask)
    axis1 = data.create_dataset("axis1", data=ws.x)
    axis1.attrs.update(units=ws.unit, distribution=int(ws.distribution))
    if ws.vertical is not None:
        data.create_dataset("axis2", data=ws.vertical.values).attrs["units"] = ws.vertical.unit
    else:
        data.create_dataset("axis2", data=ws.spectra.numbers).attrs.update(units="spectraNumber", caption="Spectrum")
    write_instrument(_group(entry, "instrument", "NXinstrument"), ws)
    _group(entry, "sample", "NXsample")
    write_logs(_group(entry, "logs", "NXgroup"), ws.logs)


def _write_bin_mask(data: h5py.Group, mask: Bool) -> None:
    """Write the masked bins, spectrum after spectrum, and of each spectrum with any its index and its first entry."""
    rows, bins = np.nonzero(mask)
    spectra, first = np.unique(rows, return_index=True)
    data["masked_spectra"] = np.stack([spectra, first], axis=1)
    data["masked_bins"], data["mask_weights"] = bins, np.ones(len(bins))


def _write_events(data: h5py.Group, ws: EventWorkspace, compression: str | None) -> None:
    """Events spectrum by spectrum; weights only where they are not all one. Held in memory a block at a time."""
    weighted = ws.compression is not None or any(not _unweighted(part) for part in ws.parts)
    columns: dict[str, Any] = {"tof": np.float64, "pulsetime": np.int64}
    if weighted:
        columns |= {"weight": np.float32, "error_squared": np.float32}
    chunk = min(max(ws.number_events(), 1), _LARGEST_CHUNK)
    datasets = [
        data.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(chunk,), compression=compression)
        for name, dtype in columns.items()
    ]
    count, written = np.zeros(ws.n_spectra, np.int64), 0
    for spectrum, block in _blocks(ws):
        sources = (block.x, block.pulse_time - GPS_EPOCH_NS, block.weight, block.variance)
        for dataset, values in zip(datasets, sources, strict=False):
            dataset.resize((written + len(values),))
            dataset[written:] = values
        written += len(block.x)
        count += np.bincount(spectrum, minlength=ws.n_spectra)
    data["indices"] = np.concatenate([[0], np.cumsum(count)])
    data.attrs["event_type"] = "WEIGHTED" if weighted else "TOF"
    data["indices"].attrs.update(units=ws.y_unit, unit_label=ws.y_label)


def _unweighted(part: Part) -> bool:
    plan = part.plan
    scaled = plan.scale != 1.0 or part.scales is not None
    return not part.table.weighted and not scaled and plan.factors is None and not plan.weightings


def _blocks(ws: EventWorkspace) -> Iterator[tuple[I64, SpectrumEvents]]:
    """Events of consecutive spectra, some million at a time, with the spectrum of each."""
    compression = ws.compression
    if compression is None:
        yield from blocks(ws.terms, ws.n_spectra)
        return
    for index in range(ws.n_spectra):
        events = compression.of_spectrum(ws.terms, index)
        yield np.full(len(events.x), index), events


def _group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = kind
    return group
