"""LoadEventNexus: a raw NeXus file of events (SNS, ISIS, ESS) as an event workspace."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from livereduce.algorithms.declaration import Integers, algorithm
from livereduce.algorithms.filtering import filter_bad_pulses
from livereduce.algorithms.nexus.choosing import wanted
from livereduce.algorithms.nexus.event_layout import Layout, layout_of
from livereduce.algorithms.nexus.events import Bank, Loaded, Window, banks_of, ids_in, load_banks
from livereduce.algorithms.nexus.hdf5 import entry_of, listed, opened
from livereduce.algorithms.nexus.monitors import Which, attached_monitors
from livereduce.algorithms.nexus.run import read_run, said
from livereduce.geometry.nexus_histogram import UnfitError
from livereduce.workspaces import EventWorkspace, Part, Plan, Run, TimeSeries
from livereduce.workspaces.arrays import F64, I64
from livereduce.workspaces.compression import Compression
from livereduce.workspaces.run import CHARGE_SERIES

log = logging.getLogger(__name__)


@algorithm(
    "LoadEventNexus",
    names={"nx_entry_name": "NXentryName", "load_nexus_instrument_xml": "LoadNexusInstrumentXML"},
    outputs_after="filename",
    monitors_with="load_monitors",
)
def load_event_nexus(
    filename: Path,
    filter_by_tof_min: float | None = None,
    filter_by_tof_max: float | None = None,
    filter_by_time_start: float | None = None,
    filter_by_time_stop: float | None = None,
    nx_entry_name: str = "",
    bank_name: Sequence[str] = (),
    single_bank_pixels_only: bool = True,
    spectrum_min: int | None = None,
    spectrum_max: int | None = None,
    spectrum_list: Integers = (),
    precount: bool = True,
    compress_tolerance: float | None = None,
    load_monitors: bool = False,
    monitors_load_only: Which = "",
    meta_data_only: bool = False,
    load_logs: bool = True,
    allow_list: Sequence[str] = (),
    block_list: Sequence[str] = (),
    load_nexus_instrument_xml: bool = True,
    number_of_bins: int = 500,
    filter_bad_pulses_lower_cutoff: float | None = None,
    monitors_as_events: bool = True,
    load_all_logs: bool = False,
    load_type: str = "Default",
) -> EventWorkspace:
    """Read a raw NeXus file of events: one spectrum per detector, with instrument, logs and, if asked for, monitors.

    Times of flight are kept to 100 ns if all are whole tenths of µs, to 1 ns otherwise. Events whose ID is of no
    detector are left out with a warning that counts them.

    Parameters
    ----------
    filename
        The file.
    filter_by_tof_min, filter_by_tof_max
        Least and greatest time of flight of the events to read, µs.
    filter_by_time_start, filter_by_time_stop
        Seconds since the first pulse from which on, and before which, events and entries of logs are read.
    nx_entry_name
        The NXentry to read; by default the first.
    bank_name
        Names of the banks to read (``bank1``); by default all.
    single_bank_pixels_only
        With BankName: whether there are only those banks' spectra.
    spectrum_min, spectrum_max, spectrum_list
        Numbers of the spectra to read; by default all.
    precount
        Accepted for scripts that give it; memory is always taken as needed.
    compress_tolerance
        As Tolerance of CompressEvents, µs; by default events are not compressed.
    load_monitors
        Whether to attach the monitors; ``getMonitorWorkspace()`` gives them. A script gets them beside the result, and
        in the store as ``<OutputWorkspace>_monitors``.
    monitors_load_only
        The monitors' histograms or events; by default histograms if all have one, else events.
    meta_data_only
        Whether to read no events, only what is known of instrument and run.
    load_logs
        Whether to read the logs; run number, title, times and charge are always read.
    allow_list, block_list
        Names of the logs to read; names of those not to. By default all are read.
    load_nexus_instrument_xml
        Whether the instrument is what the file says; without, the definition found by its name.
    number_of_bins
        Bins of equal width that cover all events.
    filter_bad_pulses_lower_cutoff
        As LowerCutoff of FilterBadPulses, %; by default all pulses are kept.
    monitors_as_events
        Older name: False for MonitorsLoadOnly=Histogram.
    load_all_logs, load_type
        Accepted for scripts that give them: all logs are always read, and in one process.
    """
    if number_of_bins < 1:
        raise ValueError(f"NumberOfBins: expected 1 or more, found {number_of_bins}")
    tof = _interval(filter_by_tof_min, filter_by_tof_max, "FilterByTof", "Min", "Max")
    time = _interval(filter_by_time_start, filter_by_time_stop, "FilterByTime", "Start", "Stop")
    with opened(filename) as file:
        entry = entry_of(file, nx_entry_name)
        banks = banks_of(entry)
        if not banks:
            raise UnfitError(f"{entry.name} has no events (NXevent_data); it has {listed(entry)}")
        named = _named(banks, bank_name)
        _warn_of_periods(entry)
        run = read_run(entry, logs=load_logs, only=allow_list, without=block_list)
        run.set("Filename", str(filename))
        window = Window(*tof, *_times(time, run, banks))
        layout = layout_of(file, entry, banks, from_file=load_nexus_instrument_xml)
        chosen = wanted(layout.spectra, spectrum_min, spectrum_max, spectrum_list)
        if bank_name and single_bank_pixels_only:
            chosen &= np.isin(layout.ids, _pixels(named, layout))
        if not chosen.all():
            layout = layout.taken(np.flatnonzero(chosen))
        loaded = load_banks([] if meta_data_only else named, layout.known, window, len(layout.detectors))
        if chosen.all():
            _check_known(loaded, layout)
        if time != (-np.inf, np.inf):
            run = run.filtered(np.array([[window.first, window.last]]))
        which = monitors_load_only or ("" if monitors_as_events else "Histogram")
        monitors = attached_monitors(entry, run.clone(), layout.instrument, which) if load_monitors else None
        title = said(entry, "title")
    ws = EventWorkspace(
        [Part(loaded.table, 0, loaded.table.n, Plan(len(layout.spectra), layout.group))],
        layout.detectors,
        run,
        edges=_edges(loaded, number_of_bins),
        spectra=layout.spectra,
        title=title,
        monitors=monitors,
        compression=None if compress_tolerance is None else Compression(compress_tolerance, "TOF"),
    )
    lower_cutoff = filter_bad_pulses_lower_cutoff
    return ws if lower_cutoff is None else filter_bad_pulses(ws, lower_cutoff)


def _warn_of_periods(entry: h5py.Group) -> None:
    """Say that events of several periods (ISIS) come as one workspace."""
    number = entry.get("periods/number")
    if isinstance(number, h5py.Dataset) and number.size == 1 and int(np.ravel(number[()])[0]) > 1:
        log.warning(
            "LoadEventNexus: %s has %d periods, which are loaded as one; FilterByLogValue by period_log parts them",
            entry.name,
            int(np.ravel(number[()])[0]),
        )


def _interval(low: float | None, high: float | None, name: str, first: str, last: str) -> tuple[float, float]:
    """Limits of a filter, infinite where not given."""
    least, greatest = -np.inf if low is None else low, np.inf if high is None else high
    if not least < greatest:
        raise ValueError(f"{name}{last}: must be above {name}{first} ({least:g}), found {greatest:g}")
    return least, greatest


def _named(banks: list[Bank], names: Sequence[str]) -> list[Bank]:
    by_name: dict[str, list[Bank]] = {}
    for bank in banks:
        by_name.setdefault(bank.name, []).append(bank)
    missing = [name for name in names if name.removesuffix("_events") not in by_name]
    if missing:
        raise ValueError(f"BankName: there is no bank {missing[0]!r} with events; there are {', '.join(by_name)}")
    return [bank for name in names or by_name for bank in by_name[name.removesuffix("_events")]]


def _times(seconds: tuple[float, float], run: Run, banks: list[Bank]) -> tuple[int, int]:
    """First and last time (ns since 1970) of an interval in s since the first pulse: of the charges, else of events."""
    charge = run.get(CHARGE_SERIES)
    if isinstance(charge, TimeSeries) and len(charge):
        origin = int(charge.time_ns[0])
    else:
        origin = min((int(bank.pulse_time.min()) for bank in banks if len(bank.pulse_time)), default=0)
    first, last = (None if np.isinf(s) else origin + round(s * 1e9) for s in seconds)
    return Window().first if first is None else first, Window().last if last is None else last


def _pixels(banks: Sequence[Bank], layout: Layout) -> I64:
    """IDs that events of banks can have: of the component of that name, else those that they do have."""
    found = []
    for bank in banks:
        named = None if layout.instrument is None or layout.by_spectrum else layout.instrument.components.get(bank.name)
        found.append(ids_in([bank], Window()) if named is None else named.ids)
    return np.concatenate(found)


def _check_known(loaded: Loaded, layout: Layout) -> None:
    """Say how many events are of no known detector; if that is all of them, the instrument is another one."""
    if not loaded.unknown:
        return
    kind = "spectrum" if layout.by_spectrum else "detector"
    name = "" if layout.instrument is None else f" of {layout.instrument.name}"
    ids = layout.known.ids
    what = f"events have an ID that is of no {kind}{name} (IDs {ids.min()} to {ids.max()})"
    if not loaded.table.n:
        raise UnfitError(f"all {loaded.unknown} {what}; try LoadNexusInstrumentXML=False")
    log.warning("LoadEventNexus: %d of %d %s; left out", loaded.unknown, loaded.unknown + loaded.table.n, what)


def _edges(loaded: Loaded, bins: int) -> F64 | None:
    """Equal bins that cover all events, the last one by an edge just above; one bin if they are too near for more."""
    if not loaded.table.n:
        return None
    top = np.nextafter(loaded.greatest, np.inf)
    edges = np.linspace(loaded.least, top, bins + 1)
    return edges if np.all(edges[1:] > edges[:-1]) else np.array([loaded.least, top])
