"""What a raw NeXus file says of its run, as logs: SNS's DASlogs, ISIS's runlog and selog, NXlog of ESS.

A log that contradicts itself is left out (`logs.set_log`).
"""

from __future__ import annotations

import logging
from collections.abc import Collection

import h5py
import numpy as np

from livereduce.algorithms.nexus.hdf5 import NUMBERS, below, class_of, time_of
from livereduce.algorithms.nexus.logs import set_log, single
from livereduce.geometry.nexus_histogram import text_of
from livereduce.workspaces import Run, TimeSeries
from livereduce.workspaces.run import CHARGE_SERIES, CHARGE_TOTAL, PICOCOULOMB_PER_UAH, iso

log = logging.getLogger(__name__)

# what is in these is no log of the run
_CLOSED = ("NXevent_data", "NXdata", "NXlog", "NXtransformations", "NXgeometry")
_TEXTS = {"run_number": "run_number", "run_title": "title", "experiment_identifier": "experiment_identifier"}
_TIMES = {"start_time": ("start_time", "run_start"), "end_time": ("end_time", "run_end")}


def read_run(entry: h5py.Group, *, logs: bool = True, only: Collection[str] = (), without: Collection[str] = ()) -> Run:
    """Read run number, title, times and charge of an entry, and its logs: all, `only` some, or all `without` some."""
    run = Run()
    if logs:
        _read_logs(entry, run, only, without)
    for name, field in _TEXTS.items():
        if text := said(entry, field):
            run.set(name, text)
    for field, names in _TIMES.items():
        if time := _time(entry, field):
            for name in names:
                run.set(name, time)
    if "duration" in entry and isinstance(entry["duration"], h5py.Dataset) and entry["duration"].size == 1:
        run.set("duration", single(entry["duration"][()]), text_of(entry["duration"].attrs.get("units")) or "second")
    _set_charge(entry, run)
    return run


def said(entry: h5py.Group, field: str) -> str:
    """Return the text of a dataset, "" if there is none."""
    found = entry.get(field)
    return text_of(found).strip() if isinstance(found, h5py.Dataset) else ""


def _time(entry: h5py.Group, field: str) -> str:
    text = said(entry, field)
    try:
        return iso(time_of(text)) if text else ""
    except ValueError as error:
        log.warning("%s/%s: %s; it is left out", entry.name, field, error)
        return ""


def _set_charge(entry: h5py.Group, run: Run) -> None:
    """Set the total charge (uA h): the sum over pulses where they have one each, else what the file states."""
    series = run.get(CHARGE_SERIES)
    if isinstance(series, TimeSeries) and series.value.dtype.kind in NUMBERS:
        run.set(CHARGE_TOTAL, run.integrated_proton_charge, "uAh")
        return
    found = entry.get(CHARGE_SERIES)
    if isinstance(found, h5py.Dataset) and found.size == 1 and found.dtype.kind in NUMBERS:
        pico = text_of(found.attrs.get("units")).lower().startswith(("pico", "pc"))
        run.set(CHARGE_TOTAL, float(np.ravel(found[()])[0]) / (PICOCOULOMB_PER_UAH if pico else 1.0), "uAh")


def _read_logs(entry: h5py.Group, run: Run, only: Collection[str], without: Collection[str]) -> None:
    for name, group in below(entry, *_CLOSED):
        if "value" not in group or class_of(group) in ("NXevent_data", "NXdata"):
            continue
        if name == "value_log":  # ISIS: the block's name is that of the group around
            name = str(group.parent.name).rsplit("/", 1)[-1]
        if name in run or name in without or (only and name not in only):
            continue
        set_log(run, name, group)
