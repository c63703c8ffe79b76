"""Load and LoadNexus: whatever reads the file at hand, decided by what is in it, never by its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from livereduce.algorithms.arithmetic import plus
from livereduce.algorithms.declaration import Integers, algorithm
from livereduce.algorithms.files import check_exists, is_hdf5
from livereduce.algorithms.nexus.event_files import load_event_nexus
from livereduce.algorithms.nexus.hdf5 import below, class_of, groups, listed, opened
from livereduce.algorithms.nexus.histogram_files import load_tof_raw_nexus, signals
from livereduce.algorithms.nexus.loading import load_nexus_processed, processed_entries
from livereduce.algorithms.text.loading import load_ascii
from livereduce.algorithms.values import to_path
from livereduce.geometry.nexus_histogram import UnfitError
from livereduce.workspaces import MatrixWorkspace, Workspace, WorkspaceGroup, WorkspaceStore

# what the beginning of a text says it is, and what reads it instead of Load
_TEXTS = (
    (r"(?s)(<\?xml.*?)?(<!--.*?-->\s*)*<detector-masking", "a mask file", "LoadMask"),
    (r"(?s)(<\?xml.*?)?(<!--.*?-->\s*)*<detector-grouping", "a grouping file", "LoadDetectorsGroupingFile"),
    (r"(?s)(<\?xml.*?)?(<!--.*?-->\s*)*<([\w]+:)?instrument\b", "an instrument definition", "LoadEmptyInstrument"),
    (r"(?sm)(.*^)?BANK\s+\d+\s", "a GSAS file", ""),
    (r"(?sm)(#[^\n]*\n)*(\s*\d+){2}\s+[-+.\deE]+(\s+\d+){2}\s*$", "a calibration of five columns", "LoadCalFile"),
)


class _Kind(NamedTuple):
    """A kind of file: what it is called, what reads it, and the options that mean something to that."""

    called: str
    read: Callable[..., Workspace]
    options: tuple[str, ...]


_SPECTRA = ("spectrum_min", "spectrum_max", "spectrum_list")
_PROCESSED = _Kind("a processed NeXus file", load_nexus_processed, ("entry_number", *_SPECTRA))
_EVENTS = _Kind(
    "a NeXus file of events",
    load_event_nexus,
    (
        "bank_name", "filter_by_tof_min", "filter_by_tof_max", "filter_by_time_start", "filter_by_time_stop",
        "load_monitors", "meta_data_only", *_SPECTRA,
    ),
)  # fmt: skip
_HISTOGRAMS = _Kind("a NeXus file of histograms", load_tof_raw_nexus, ("load_monitors", *_SPECTRA))
_COLUMNS = _Kind("a text of columns", load_ascii, ("unit",))


@algorithm("Load", outputs_after="filename", monitors_with="load_monitors")
def load(
    filename: Sequence[str] | Path,
    entry_number: int = 0,
    spectrum_min: int | None = None,
    spectrum_max: int | None = None,
    spectrum_list: Integers = (),
    bank_name: Sequence[str] = (),
    filter_by_tof_min: float | None = None,
    filter_by_tof_max: float | None = None,
    filter_by_time_start: float | None = None,
    filter_by_time_stop: float | None = None,
    load_monitors: bool = False,
    meta_data_only: bool = False,
    unit: str = "",
    store: WorkspaceStore | None = None,
) -> Workspace:
    """Read a file with what is for its contents: LoadNexusProcessed, LoadEventNexus, LoadTOFRawNexus or LoadAscii.

    Several files give a group of what is in each, called by the names of the files.

    Parameters
    ----------
    filename
        The file, or several, ``a.nxs, b.nxs``; with ``a.nxs+b.nxs`` what is in both is added up.
    entry_number
        Of a processed file: which entry to read, from 1 on; 0 reads all.
    spectrum_min, spectrum_max, spectrum_list
        Numbers of the spectra to read; by default all.
    bank_name, filter_by_tof_min, filter_by_tof_max, filter_by_time_start, filter_by_time_stop
        Of a file of events: as in LoadEventNexus.
    load_monitors
        Of a raw file: whether to attach the monitors. A script gets them beside the result, and in the store as
        ``<OutputWorkspace>_monitors``.
    meta_data_only
        Of a file of events: as in LoadEventNexus.
    unit
        Of columns of text: unit of X.
    """
    options = {
        "entry_number": entry_number or None, "spectrum_min": spectrum_min, "spectrum_max": spectrum_max,
        "spectrum_list": spectrum_list, "bank_name": bank_name, "filter_by_tof_min": filter_by_tof_min,
        "filter_by_tof_max": filter_by_tof_max, "filter_by_time_start": filter_by_time_start,
        "filter_by_time_stop": filter_by_time_stop, "load_monitors": load_monitors or None,
        "meta_data_only": meta_data_only or None, "unit": unit or None,
    }  # fmt: skip
    each = [_paths(name) for name in ([str(filename)] if isinstance(filename, Path) else filename)]
    if not each:
        raise ValueError("Filename: names no file")
    loaded = [_summed([_read(path, _kind_of(path), options) for path in paths]) for paths in each]
    if len(loaded) == 1:
        return loaded[0]
    names = ["_".join(path.stem for path in paths) for paths in each]
    if store is not None:
        loaded = [store.replace(name, ws) for name, ws in zip(names, loaded, strict=True)]
    return WorkspaceGroup(loaded)


def _paths(name: str) -> list[Path]:
    """Files to add up: what stands between ``+``, unless all of it is the name of a file."""
    whole = to_path(name)
    paths = [whole] if whole.is_file() else [to_path(part.strip()) for part in name.split("+")]
    for path in paths:
        check_exists(path)
    return paths


def _kind_of(path: Path) -> _Kind:
    return _kind_of_hdf5(path) if is_hdf5(path) else _kind_of_text(path)


def _summed(workspaces: list[Workspace]) -> Workspace:
    first, *others = workspaces
    for other in others:
        if not isinstance(first, MatrixWorkspace) or not isinstance(other, MatrixWorkspace):
            raise ValueError(f"Filename: only workspaces with spectra can be added up, found {first!r} and {other!r}")
        first = plus(first, other)
    return first


@algorithm("LoadNexus", outputs_after="filename")
def load_nexus(
    filename: Path,
    entry_number: int = 0,
    spectrum_min: int | None = None,
    spectrum_max: int | None = None,
    spectrum_list: Integers = (),
) -> Workspace:
    """Read a NeXus file with what is for its contents: LoadNexusProcessed, LoadEventNexus or LoadTOFRawNexus.

    Parameters
    ----------
    filename
        The file.
    entry_number
        Of a processed file: which entry to read, from 1 on; 0 reads all.
    spectrum_min, spectrum_max, spectrum_list
        Numbers of the spectra to read; by default all.
    """
    options = {
        "entry_number": entry_number or None, "spectrum_min": spectrum_min, "spectrum_max": spectrum_max,
        "spectrum_list": spectrum_list,
    }  # fmt: skip
    return _read(filename, _kind_of_hdf5(filename), options)


def _read(filename: Path, kind: _Kind, options: dict[str, Any]) -> Workspace:
    given = {name: value for name, value in options.items() if value is not None and np.size(value)}
    unfit = [name for name in given if name not in kind.options]
    if unfit:
        names = ", ".join("".join(part.capitalize() for part in name.split("_")) for name in unfit)
        raise ValueError(f"{names}: means nothing for {filename}, which is {kind.called}")
    return kind.read(filename, **given)


# -- what a file is -----------------------------------------------------------------------------------------------


def _kind_of_hdf5(path: Path) -> _Kind:
    with opened(path) as file:
        if processed_entries(file):
            return _PROCESSED
        if any(_has_events(entry) for _, entry in groups(file) if class_of(entry) == "NXentry"):
            return _EVENTS
        if any(any(signals(entry)) for _, entry in groups(file) if class_of(entry) == "NXentry"):
            return _HISTOGRAMS
        raise UnfitError(_unknown(file))


def _has_events(entry: h5py.Group) -> bool:
    return any(class_of(group) == "NXevent_data" for _, group in below(entry, "NXevent_data", "NXlog", "NXdata"))


def _unknown(file: h5py.File) -> str:
    if isinstance(file.get("calibration"), h5py.Group) and "difc" in file["calibration"]:
        return "is a diffraction calibration; LoadDiffCal reads it"
    return (
        f"is HDF5 of no known kind: it has {listed(file)}; expected mantid_workspace_1 (a processed file) or an NXentry"
        " with NXevent_data (events) or NXdata of two dimensions (histograms)"
    )


def _kind_of_text(path: Path) -> _Kind:
    with path.open("rb") as file:
        head = file.read(1 << 14)
    if b"\0" in head:
        raise RuntimeError(f"{path} is neither HDF5 nor text; Load reads NeXus files and columns of text")
    text = head.decode("utf-8-sig", "replace").lstrip()
    for pattern, what, reader in _TEXTS:
        if re.match(pattern, text):
            raise RuntimeError(f"{path} is {what}; {f'{reader} reads it' if reader else 'nothing here reads such'}")
    return _COLUMNS
