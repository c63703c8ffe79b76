"""LoadNexusProcessed: what SaveNexus (or Mantid's) wrote, as a workspace again.

Covers histograms, events and tables with their logs, masks, detectors and instrument. Does not read raw files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from livereduce.algorithms.declaration import Integers, algorithm
from livereduce.algorithms.nexus.choosing import wanted
from livereduce.algorithms.nexus.hdf5 import NUMBERS, WHOLE, dataset, groups, listed, opened
from livereduce.algorithms.nexus.instrument import read_instrument
from livereduce.algorithms.nexus.logs import read_logs
from livereduce.algorithms.nexus.saving import ENTRY, GPS_EPOCH_NS
from livereduce.algorithms.nexus.tables import read_table
from livereduce.algorithms.spectra import taken
from livereduce.geometry.nexus_histogram import UnfitError, text_of
from livereduce.workspaces import (
    EventTable,
    EventWorkspace,
    HistogramWorkspace,
    MatrixWorkspace,
    NumericAxis,
    Part,
    Plan,
    Run,
    Workspace,
    WorkspaceGroup,
)
from livereduce.workspaces.arrays import F64, I64, Bool
from livereduce.workspaces.events import Weights
from livereduce.workspaces.ticks import in_ticks


@algorithm("LoadNexusProcessed", outputs_after="filename")
def load_nexus_processed(
    filename: Path,
    entry_number: int = 0,
    spectrum_min: int | None = None,
    spectrum_max: int | None = None,
    spectrum_list: Integers = (),
    load_history: bool = True,
) -> Workspace:
    """Read a processed NeXus file; one with several entries gives a group.

    Parameters
    ----------
    filename
        The file.
    entry_number
        Which entry to read, from 1 on; 0 reads all.
    spectrum_min, spectrum_max, spectrum_list
        Numbers of the spectra to read; by default all.
    load_history
        Accepted for scripts that give it; workspaces here keep no history.
    """
    with opened(filename) as file:
        entries = processed_entries(file)
        if not entries:
            raise UnfitError(f"is no processed NeXus file: it has no /{ENTRY}1 (it has {listed(file)})")
        if not 0 <= entry_number <= len(entries):
            raise ValueError(f"EntryNumber: {entry_number}, but {filename} has {len(entries)} entries")
        wanted = entries[entry_number - 1 : entry_number] if entry_number else entries
        found = [_read_entry(entry) for entry in wanted]
    if spectrum_min is not None or spectrum_max is not None or np.size(spectrum_list):
        found = [_some(ws, spectrum_min, spectrum_max, spectrum_list) for ws in found]
    return found[0] if len(found) == 1 else WorkspaceGroup(found)


def _some(ws: Workspace, least: int | None, greatest: int | None, numbers: Integers) -> Workspace:
    """Return the spectra of these numbers, or between these."""
    if not isinstance(ws, MatrixWorkspace):
        raise ValueError(f"SpectrumMin, SpectrumMax, SpectrumList: entry {ws.title!r} is a table, it has no spectra")
    return taken(ws, np.flatnonzero(wanted(ws.spectra, least, greatest, numbers)))


def processed_entries(file: h5py.File) -> list[h5py.Group]:
    """Return the entries of a processed NeXus file in order; none of another file."""
    numbers = {name[len(ENTRY) :]: group for name, group in groups(file) if name.startswith(ENTRY)}
    return [numbers[number] for number in sorted(filter(str.isdecimal, numbers), key=int)]


def _read_entry(entry: h5py.Group) -> Workspace:
    inner = dict(groups(entry))
    found: Workspace
    if "table_workspace" in inner:
        found = read_table(inner["table_workspace"])
    elif "workspace" in inner or "event_workspace" in inner:
        found = _read_matrix(entry, inner.get("workspace") or inner["event_workspace"])
    else:
        raise UnfitError(f"{entry.name} has no workspace, event_workspace or table_workspace; it has {listed(entry)}")
    found.title, found.comment = (text_of(entry.get(name)) for name in ("title", "comment"))
    return found


def _read_matrix(entry: h5py.Group, data: h5py.Group) -> Workspace:
    axis1, axis2 = dataset(data, "axis1"), dataset(data, "axis2", ndim=1)
    run = read_logs(entry["logs"]) if isinstance(entry.get("logs"), h5py.Group) else Run()
    spectra, detectors = read_instrument(entry, axis2, run)
    signal = dataset(data, "values", ndim=2) if "values" in data else dataset(data, "indices", kind=WHOLE, ndim=1)
    n = signal.shape[0] - (0 if "values" in data else 1)
    if len(spectra) != n:
        raise UnfitError(f"{signal.name} has {n} spectra, {entry.name}/instrument and axis2 describe {len(spectra)}")
    described: dict[str, Any] = {
        "detectors": detectors,
        "spectra": spectra,
        "run": run,
        "distribution": bool(int(np.ravel(axis1.attrs.get("distribution", 0))[0])),
        "y_unit": text_of(signal.attrs.get("units", "Counts")),
        "y_label": text_of(signal.attrs.get("unit_label")),
    }
    vertical = text_of(axis2.attrs.get("units", "spectraNumber"))
    if vertical != "spectraNumber":
        described["vertical"] = NumericAxis.of(axis2[()], vertical)
    x, unit = axis1[()].astype(np.float64), text_of(axis1.attrs.get("units"))
    try:
        return (_histogram if "values" in data else _events)(data, x, unit, described)
    except ValueError as error:  # edges that fall, X of another length than the values
        raise UnfitError(f"{data.name}: {error}") from error


def _histogram(data: h5py.Group, x: F64, unit: str, described: dict[str, Any]) -> HistogramWorkspace:
    y = data["values"][()].astype(np.float64)
    dx = dataset(data, "xerrors", ndim=2)[()] if "xerrors" in data else None
    return HistogramWorkspace(
        x, y, e=dataset(data, "errors", ndim=2)[()], dx=dx, bin_mask=_bin_mask(data, y.shape), unit=unit, **described
    )


def _bin_mask(data: h5py.Group, shape: tuple[int, ...]) -> Bool | None:
    if "masked_spectra" not in data:
        return None
    spectra = dataset(data, "masked_spectra", kind=WHOLE, ndim=2)[()].astype(np.int64)
    bins = dataset(data, "masked_bins", kind=WHOLE, ndim=1)[()].astype(np.int64)
    first = np.append(spectra[:, 1], len(bins))
    inside = [(v >= 0) & (v < size) for v, size in ((spectra[:, 0], shape[0]), (bins, shape[1]))]
    if np.any(np.diff(first, prepend=0) < 0) or not np.concatenate(inside).all():
        raise UnfitError(
            f"{data.name}: masked_spectra and masked_bins do not fit {shape[0]} spectra of {shape[1]} bins"
        )
    mask = np.zeros(shape, bool)
    mask[np.repeat(spectra[:, 0], np.diff(first)), bins[first[0] :]] = True
    return mask


def _events(data: h5py.Group, edges: F64, unit: str, described: dict[str, Any]) -> EventWorkspace:
    x = dataset(data, "tof", ndim=1)[()].astype(np.float64)
    start = _starts(data["indices"], len(x))
    columns = {name: _column(data, name, len(x)) for name in ("pulsetime", "weight", "error_squared") if name in data}
    pulse = columns.get("pulsetime", np.zeros(len(x))).astype(np.int64) + GPS_EPOCH_NS
    weights = _weights(columns, data)
    n = len(start) - 1
    order = np.argsort(pulse, kind="stable")
    pulse = pulse[order]
    first = np.flatnonzero(np.diff(pulse, prepend=pulse[:1] - 1))
    times = pulse[first]
    spectrum = np.repeat(np.arange(n), np.diff(start))[order]
    found = in_ticks(x[order], unit)
    table = EventTable(n, found.tick_ns, found.zero_ticks, weighted=weights is not None)
    own = None if weights is None else Weights(weights.weight[order], weights.variance[order])
    table.append(found.tick, spectrum, times, np.append(first, len(order)), np.zeros(len(times)), weights=own)
    plan = Plan(n) if unit == "TOF" else Plan(n).in_unit(unit, [found.factor])
    return EventWorkspace([Part(table, 0, table.n, plan)], edges=edges, **described)


def _starts(indices: h5py.Dataset, n_events: int) -> I64:
    values = indices[()]
    if not len(values) or values[0] != 0 or values[-1] != n_events or np.any(values[1:] < values[:-1]):
        raise UnfitError(f"{indices.name}: {values[:3]} ... {values[-1:]}; expected them to rise from 0 to {n_events}")
    result: I64 = values.astype(np.int64)
    return result


def _column(data: h5py.Group, name: str, n_events: int) -> Any:
    found = dataset(data, name, kind=NUMBERS, ndim=1)
    if found.shape[0] != n_events:
        raise UnfitError(f"{found.name}: {found.shape[0]} entries for {n_events} events")
    return found[()]


def _weights(columns: dict[str, Any], data: h5py.Group) -> Weights | None:
    """Return weights and variances if not all are 1."""
    if "weight" not in columns:
        return None
    if "error_squared" not in columns:
        raise UnfitError(f"{data.name}: the events have a weight but no error_squared")
    weight, variance = columns["weight"].astype(np.float32), columns["error_squared"].astype(np.float32)
    return None if np.all(weight == 1) and np.all(variance == 1) else Weights(weight, variance)
