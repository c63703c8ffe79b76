"""Monitors of a raw NeXus file (NXmonitor): their histograms, or their events."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import h5py
import numpy as np

from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.nexus.events import Bank, Window, load_banks, read_bank
from livereduce.algorithms.nexus.hdf5 import below, class_of, entry_of, groups, opened
from livereduce.algorithms.nexus.run import read_run, said
from livereduce.geometry import GeometryError, Instrument, load_nexus
from livereduce.geometry.nexus_histogram import Histogram, UnfitError, read_histogram, signal_of
from livereduce.workspaces import (
    Detectors,
    EventWorkspace,
    HistogramWorkspace,
    MatrixWorkspace,
    Part,
    Plan,
    Run,
    Spectra,
    Workspace,
    WorkspaceGroup,
)
from livereduce.workspaces.arrays import I64

log = logging.getLogger(__name__)

Which = Literal["", "Histogram", "Events"]


class _Monitor(NamedTuple):
    """A monitor: its group's name and number, and what it has of histogram and events."""

    name: str
    number: int
    histogram: Histogram | None
    events: Bank | None


@algorithm(
    "LoadNexusMonitors",
    names={"nx_entry_name": "NXentryName"},
    outputs_after="filename",
)
def load_nexus_monitors(
    filename: Path, load_only: Which = "", nx_entry_name: str = "", monitors_as_events: bool = True
) -> Workspace:
    """Read the monitors of a raw NeXus file, one spectrum each; if they have not as many bins all, a group.

    Parameters
    ----------
    filename
        The file.
    load_only
        Their histograms or their events; by default histograms if all have one, else events.
    nx_entry_name
        The NXentry to read; by default the first.
    monitors_as_events
        Older name: False for LoadOnly=Histogram.
    """
    which = load_only or ("" if monitors_as_events else "Histogram")
    with opened(filename) as file:
        entry = entry_of(file, nx_entry_name)
        run = read_run(entry)
        found = _read(entry, run, instrument_of(file, entry), which)
        if not found:
            raise UnfitError(f"{entry.name} has no monitors (NXmonitor)")
        for ws in found:
            ws.title = said(entry, "title")
    return found[0] if len(found) == 1 else WorkspaceGroup(found)


def instrument_of(file: h5py.File, entry: h5py.Group) -> Instrument | None:
    """Read the instrument of a file; None, with a warning, where it says nothing of use."""
    try:
        return load_nexus(file)
    except GeometryError as error:
        log.warning("%s: where the detectors are is not known: %s", entry.name, error)
        return None


def attached_monitors(
    entry: h5py.Group, run: Run, instrument: Instrument | None, which: Which
) -> MatrixWorkspace | None:
    """Read the monitors of an entry to attach them to a workspace; None if there are none.

    Raises
    ------
    UnfitError
        As of LoadNexusMonitors, or they do not have the same number of bins, as those of one workspace must.
    """
    found = _read(entry, run, instrument, which)
    if len(found) > 1:
        bins = sorted(ws.n_bins for ws in found)
        raise UnfitError(f"{entry.name}: monitors with {bins} bins; load them as a group with LoadNexusMonitors")
    return found[0] if found else None


def _read(entry: h5py.Group, run: Run, instrument: Instrument | None, which: Which) -> list[MatrixWorkspace]:
    """Read the monitors of an entry, in the order of their numbers: all that have the same number of bins together.

    Raises
    ------
    UnfitError
        Some have histograms, others events, and the caller did not say which; or their data contradict themselves.
    """
    monitors = sorted(_monitors(entry), key=lambda m: m.number)
    if not monitors:
        return []
    if not which:
        which = "Histogram" if all(m.histogram for m in monitors) else "Events"
        if which == "Events" and not all(m.events for m in monitors):
            names = ", ".join(m.name for m in monitors if not m.events)
            raise UnfitError(f"{names}: no events, others have no histogram; say which are wanted (MonitorsLoadOnly)")
    monitors = [m for m in monitors if (m.histogram if which == "Histogram" else m.events) is not None]
    if not monitors:
        raise UnfitError(f"{entry.name}: its monitors have no {'histogram' if which == 'Histogram' else 'events'}")
    if which == "Events":
        return [_events(monitors, _detectors(monitors, instrument), run)]
    bins = [0 if m.histogram is None else len(m.histogram.edges) for m in monitors]
    alike = [[m for m, n in zip(monitors, bins, strict=True) if n == size] for size in dict.fromkeys(bins)]
    return [_histogram(some, _detectors(some, instrument), run.clone()) for some in alike]


def _monitors(entry: h5py.Group) -> Iterator[_Monitor]:
    place = 0
    for name, group in below(entry, "NXevent_data", "NXmonitor", "NXdetector", "NXlog", "NXdata"):
        if class_of(group) != "NXmonitor":
            continue
        place += 1
        digits = re.search(r"(\d+)$", name)
        signal = signal_of(group)
        histogram = read_histogram(group, signal) if signal is not None and signal.size > 1 else None
        inner = [child for _, child in groups(group) if class_of(child) == "NXevent_data"]
        source = next((g for g in [group, *inner] if "event_index" in g), None)
        events = None if source is None else read_bank(name, source, monitor=True)
        if histogram is not None or events is not None:
            yield _Monitor(name, int(digits.group(1)) if digits else place, histogram, events)


def _detectors(monitors: list[_Monitor], instrument: Instrument | None) -> Detectors:
    """Detectors of monitors by number: ID -m or m of the instrument's monitors, else -m."""
    numbers = [m.number for m in monitors]
    known = np.empty(0, np.int64) if instrument is None else instrument.ids[instrument.monitor]
    ids: I64 = np.array([m if m in known and -m not in known else -m for m in numbers], np.int64)
    if len(np.unique(ids)) < len(ids):
        raise UnfitError(f"several monitors have one number: {numbers}")
    if instrument is not None and np.isin(ids, known).any():
        return Detectors(ids).placed(instrument)
    return Detectors(ids, np.ones(len(ids), bool))


def _histogram(monitors: list[_Monitor], detectors: Detectors, run: Run) -> HistogramWorkspace:
    histograms = [m.histogram for m in monitors if m.histogram is not None]
    counts = np.array([h.counts.sum(axis=0) for h in histograms], np.float64)
    edges = np.array([h.edges for h in histograms])
    x = edges[0].copy() if np.all(edges == edges[0]) else edges
    return HistogramWorkspace(x, counts, counts, detectors=detectors, spectra=_spectra(detectors), run=run)


def _events(monitors: list[_Monitor], detectors: Detectors, run: Run) -> EventWorkspace:
    banks = [m.events for m in monitors if m.events is not None]
    table = load_banks(banks, detectors, Window(), len(detectors)).table
    return EventWorkspace([Part(table, 0, table.n, Plan(len(banks)))], detectors, run, spectra=_spectra(detectors))


def _spectra(detectors: Detectors) -> Spectra:
    return Spectra(np.arange(1, len(detectors) + 1), detectors.ids)
