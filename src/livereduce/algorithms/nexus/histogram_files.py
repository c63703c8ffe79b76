"""LoadTOFRawNexus: a raw NeXus file of counts against time of flight (NXdata) as a histogram workspace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from livereduce.algorithms.declaration import Integers, algorithm
from livereduce.algorithms.nexus.choosing import wanted
from livereduce.algorithms.nexus.hdf5 import WHOLE, address, class_of, dataset, entry_of, groups, listed, opened
from livereduce.algorithms.nexus.monitors import attached_monitors, instrument_of
from livereduce.algorithms.nexus.run import read_run, said
from livereduce.algorithms.spectra import taken
from livereduce.geometry import Instrument
from livereduce.geometry.nexus_histogram import Histogram, UnfitError, axis_names, read_histogram, signal_of
from livereduce.workspaces import Detectors, HistogramWorkspace, MatrixWorkspace, Spectra
from livereduce.workspaces.arrays import I64

_IDS = ("detector_number", "detector_id", "pixel_id")


@algorithm(
    "LoadTOFRawNexus",
    names={"nx_entry_name": "NXentryName"},
    outputs_after="filename",
    monitors_with="load_monitors",
)
def load_tof_raw_nexus(
    filename: Path,
    spectrum_min: int | None = None,
    spectrum_max: int | None = None,
    spectrum_list: Integers = (),
    nx_entry_name: str = "",
    load_monitors: bool = False,
    load_logs: bool = True,
) -> MatrixWorkspace:
    """Read a raw NeXus file of histograms: one spectrum per detector, with instrument, logs and monitors if asked for.

    Parameters
    ----------
    filename
        The file.
    spectrum_min, spectrum_max, spectrum_list
        Numbers of the spectra to read; by default all.
    nx_entry_name
        The NXentry to read; by default the first.
    load_monitors
        Whether to attach the monitors; ``getMonitorWorkspace()`` gives them. A script gets them beside the result, and
        in the store as ``<OutputWorkspace>_monitors``.
    load_logs
        Whether to read the logs; run number, title, times and charge are always read.
    """
    with opened(filename) as file:
        entry = entry_of(file, nx_entry_name)
        found = [(group, signal, read_histogram(group, signal)) for group, signal in signals(entry)]
        if not found:
            raise UnfitError(f"{entry.name} has no counts against time of flight (NXdata); it has {listed(entry)}")
        edges = found[0][2].edges
        for group, _, histogram in found[1:]:
            if not np.array_equal(histogram.edges, edges):
                raise UnfitError(f"{group.name} has other time channels than {found[0][0].name}; expected the same")
        counts = np.concatenate([histogram.counts for *_, histogram in found]).astype(np.float64)
        instrument = instrument_of(file, entry)
        ids = np.concatenate([_ids(group, histogram) for group, _, histogram in found])
        detectors = _detectors(ids, len(counts), instrument)
        spectra = Spectra(np.arange(1, len(counts) + 1), detectors.default_spectra.ids)
        run = read_run(entry, logs=load_logs)
        run.set("Filename", str(filename))
        monitors = attached_monitors(entry, run.clone(), instrument, "") if load_monitors else None
        title = said(entry, "title")
    ws = HistogramWorkspace(
        edges.copy(), counts, counts, detectors=detectors, spectra=spectra, run=run, title=title, monitors=monitors
    )
    chosen = wanted(spectra, spectrum_min, spectrum_max, spectrum_list)
    return ws if chosen.all() else taken(ws, np.flatnonzero(chosen))


def signals(entry: h5py.Group) -> Iterator[tuple[h5py.Group, h5py.Dataset]]:
    """Go through the counts of an entry's NXdata groups, each once; periods of a measurement are refused."""
    seen: set[int] = set()
    for _, group in groups(entry):
        if class_of(group) != "NXdata":
            continue
        signal = signal_of(group) if "counts" not in group else dataset(group, "counts")
        if signal is None or signal.ndim < 2 or address(signal) in seen:
            continue
        if signal.ndim > 2 and axis_names(group, signal)[0].startswith("period") and signal.shape[0] > 1:
            raise UnfitError(f"{signal.name} has {signal.shape[0]} periods; expected one")
        seen.add(address(signal))
        yield group, signal


def _ids(group: h5py.Group, histogram: Histogram) -> I64:
    """Detector IDs of a group's spectra; none if it does not say."""
    for name in _IDS:
        if name in group:
            values = dataset(group, name, kind=WHOLE)
            if values.size == len(histogram.counts):
                return np.asarray(values[()], np.int64).ravel()
    return np.empty(0, np.int64)


def _detectors(ids: I64, n: int, instrument: Instrument | None) -> Detectors:
    """Detectors of n spectra: those the file names, else the instrument's if it has as many, else numbered from 1."""
    if len(ids) == n and len(np.unique(ids)) == n:
        return Detectors(ids) if instrument is None else Detectors(ids).placed(instrument)
    if instrument is not None and np.count_nonzero(~instrument.monitor) == n:
        return Detectors.from_instrument(instrument)
    return Detectors(np.arange(1, n + 1))
