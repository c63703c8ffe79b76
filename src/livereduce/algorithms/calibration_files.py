"""What was found out about detectors, from files: constants, groups and masks, as workspaces.

A file that scripts name at every chunk is read once, and again when it changes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from livereduce.algorithms.by_detector import (
    bare_instrument,
    calibration_table,
    instrument_of,
    mask_workspace,
    per_detector,
    warn,
)
from livereduce.algorithms.declaration import OutputName, algorithm
from livereduce.algorithms.files import Version, check_exists, is_hdf5, version_of
from livereduce.algorithms.instruments import instrument_named, loaded_instrument
from livereduce.geometry import Instrument
from livereduce.geometry.calibration import Calibration, load_cal, load_diffraction_calibration
from livereduce.geometry.grouping import Grouping, load_grouping
from livereduce.geometry.grouping import load_mask as read_mask
from livereduce.geometry.units import geometric_difc
from livereduce.workspaces import HistogramWorkspace, MatrixWorkspace, Spectra, Workspace, WorkspaceStore
from livereduce.workspaces.arrays import I64

# more than any instrument has; a greater number in a file is no spectrum
_MOST_SPECTRA = 20_000_000


def calibration_of(path: Path, ws: MatrixWorkspace) -> Calibration:
    """Return the calibration in a file, HDF5 or five columns; read again only when the file or the geometry changes."""
    check_exists(path)
    if is_hdf5(path):
        return _diffraction_calibration(path, version_of(path))
    return _five_columns(path, version_of(path), instrument_of(ws))


@lru_cache(maxsize=4)
def _diffraction_calibration(path: Path, version: Version) -> Calibration:
    return load_diffraction_calibration(path)


@lru_cache(maxsize=4)
def _five_columns(path: Path, version: Version, instrument: Instrument) -> Calibration:
    found = load_cal(path, instrument)
    warn("calibration", found.warnings)
    return found


@lru_cache(maxsize=4)
def _grouping(path: Path, version: Version, instrument: Instrument) -> Grouping:
    found = load_grouping(path, instrument, _spectrum_numbers(instrument))
    warn("grouping", found.warnings)
    return found


def _spectrum_numbers(instrument: Instrument) -> I64:
    """Spectrum of each detector where nobody says: one a detector, numbered from 1, as live data come."""
    return np.where(instrument.monitor, 0, np.cumsum(~instrument.monitor))


def groups_in_file(path: Path, ws: MatrixWorkspace) -> I64:
    """Group of each detector of the workspace's spectra, one after another (0: none), from a file of any kind.

    Detectors that a calibration file says not to use are in no group.
    """
    check_exists(path)
    ids = ws.spectra.ids
    with path.open("rb") as file:
        head = file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n")
    if path.suffix.lower() == ".map" or head.startswith(b"<"):
        instrument = instrument_of(ws)
        rows = instrument.rows_of(ids)
        return np.where(rows >= 0, _grouping(path, version_of(path), instrument).group[rows], 0)
    found = calibration_of(path, ws).ordered(ids)
    return np.where(found.use, found.group, 0)


class DiffCal(NamedTuple):
    """What a diffraction calibration says, as workspaces under the names scripts read; None if not asked for.

    Attributes
    ----------
    OutputGroupingWorkspace, OutputMaskWorkspace
        Group, and 1 for masked, of each detector.
    OutputCalWorkspace
        Table of the constants.
    """

    OutputGroupingWorkspace: Any
    OutputMaskWorkspace: Any
    OutputCalWorkspace: Any


@algorithm("LoadDiffCal")
def load_diff_cal(
    store: WorkspaceStore,
    filename: Path,
    workspace_name: OutputName,
    input_workspace: MatrixWorkspace | None = None,
    instrument_name: str = "",
    instrument_filename: Path | None = None,
    make_grouping_workspace: bool = True,
    make_cal_workspace: bool = True,
    make_mask_workspace: bool = True,
) -> DiffCal:
    """Read a diffraction calibration (HDF5, or five-column text) into workspaces.

    Parameters
    ----------
    filename
        The file.
    workspace_name
        The workspaces are called this and ``_group``, ``_mask``, ``_cal``.
    input_workspace
        A workspace whose instrument the file is for.
    instrument_name, instrument_filename
        The same by name or definition. Without any of the three, an HDF5 file speaks for itself.
    make_grouping_workspace, make_cal_workspace, make_mask_workspace
        Which of the three to make.
    """
    calibration, instrument = _loaded(filename, input_workspace, instrument_name, instrument_filename)
    ordered = calibration.ordered(instrument.ids)
    made = DiffCal(
        per_detector(instrument, ordered.group, title="grouping") if make_grouping_workspace else None,
        mask_workspace(instrument, ~ordered.use & ~instrument.monitor) if make_mask_workspace else None,
        calibration_table(calibration) if make_cal_workspace else None,
    )
    return DiffCal(*_stored(store, workspace_name, ("group", "mask", "cal"), made))


class CalFile(NamedTuple):
    """What a five-column file says, as workspaces under the names scripts read; None if not asked for.

    Attributes
    ----------
    OutputGroupingWorkspace, OutputOffsetsWorkspace, OutputMaskWorkspace
        Group, offset, and 1 for masked, of each detector.
    OutputCalWorkspace
        Table of the constants that follow from the offsets.
    """

    OutputGroupingWorkspace: Any
    OutputOffsetsWorkspace: Any
    OutputMaskWorkspace: Any
    OutputCalWorkspace: Any


@algorithm("LoadCalFile")
def load_cal_file(
    store: WorkspaceStore,
    cal_filename: Path,
    workspace_name: OutputName,
    input_workspace: MatrixWorkspace | None = None,
    instrument_name: str = "",
    instrument_filename: Path | None = None,
    make_grouping_workspace: bool = True,
    make_offsets_workspace: bool = True,
    make_mask_workspace: bool = True,
) -> CalFile:
    """Read a five-column calibration (number, detector, offset, select, group) into workspaces.

    Parameters
    ----------
    cal_filename
        The file.
    workspace_name
        The workspaces are called this and ``_group``, ``_offsets``, ``_mask``, ``_cal``.
    input_workspace
        A workspace whose instrument the file is for.
    instrument_name, instrument_filename
        The same by name or definition.
    make_grouping_workspace, make_offsets_workspace, make_mask_workspace
        Which of the three to make; with the offsets, a table of the constants that follow from them.
    """
    calibration, instrument = _loaded(cal_filename, input_workspace, instrument_name, instrument_filename)
    ordered = calibration.ordered(instrument.ids)
    nominal = geometric_difc(instrument.l1, instrument.l2, instrument.two_theta)
    with np.errstate(divide="ignore", invalid="ignore"):
        offset = np.where(ordered.use & (ordered.difc > 0), nominal / ordered.difc - 1.0, 0.0)
    made = CalFile(
        per_detector(instrument, ordered.group, title="grouping") if make_grouping_workspace else None,
        per_detector(instrument, offset, title="offsets") if make_offsets_workspace else None,
        mask_workspace(instrument, ~ordered.use & ~instrument.monitor) if make_mask_workspace else None,
        calibration_table(calibration) if make_offsets_workspace else None,
    )
    return CalFile(*_stored(store, workspace_name, ("group", "offsets", "mask", "cal"), made))


def _loaded(
    filename: Path, ws: MatrixWorkspace | None, name: str, definition: Path | None
) -> tuple[Calibration, Instrument]:
    """Read a calibration for the instrument meant; of HDF5 the file's own detectors, if none is."""
    check_exists(filename)
    if ws is not None:
        instrument = instrument_of(ws)
    elif name or definition is not None:
        instrument = loaded_instrument(definition, name)
    elif is_hdf5(filename):
        calibration = load_diffraction_calibration(filename)
        return calibration, bare_instrument(calibration.instrument, calibration.ids)
    else:
        raise ValueError("give InputWorkspace, InstrumentName or InstrumentFilename: offsets are on top of positions")
    if is_hdf5(filename):
        return load_diffraction_calibration(filename), instrument
    found = load_cal(filename, instrument)
    warn("LoadCalFile", found.warnings)
    return found, instrument


def _stored(
    store: WorkspaceStore, name: str, suffixes: Sequence[str], workspaces: Sequence[Workspace | None]
) -> list[Workspace | None]:
    return [
        None if ws is None else store.replace(f"{name}_{suffix}", ws)
        for suffix, ws in zip(suffixes, workspaces, strict=True)
    ]


@algorithm("LoadDetectorsGroupingFile")
def load_detectors_grouping_file(
    input_file: Path, input_workspace: MatrixWorkspace | None = None
) -> HistogramWorkspace:
    """Read a grouping file (XML or ``.map``) into a workspace with the group of each detector.

    Parameters
    ----------
    input_file
        The file.
    input_workspace
        A workspace whose instrument the file is for; without, it is the one that an XML file names. A file that groups
        spectra needs neither: the result then has the spectra it names, without detectors.
    """
    check_exists(input_file)
    if input_workspace is not None:
        instrument = instrument_of(input_workspace)
    else:
        text = input_file.read_text("utf-8-sig")
        name = re.search(r"<detector-grouping[^>]*\binstrument\s*=\s*[\"']([^\"']+)", text)
        if name is None and not re.search(r"<(detids|component)\b", text):
            return _groups_of_spectra(input_file, text)
        if name is None:
            raise ValueError("InputWorkspace: must be given, the file does not name an instrument")
        instrument = instrument_named(name[1])
    found = load_grouping(input_file, instrument, _spectrum_numbers(instrument))
    warn("LoadDetectorsGroupingFile", found.warnings)
    return per_detector(instrument, found.group, title="grouping")


def _groups_of_spectra(path: Path, text: str) -> HistogramWorkspace:
    """Groups of the spectra that a file names, whatever detectors these have."""
    numbers = np.arange(1, 1 + min(max(map(int, re.findall(r"\d+", text)), default=0), _MOST_SPECTRA))
    found = load_grouping(path, bare_instrument("", numbers), numbers)
    warn("LoadDetectorsGroupingFile", found.warnings)
    grouped = np.flatnonzero(found.group)
    if not len(grouped):
        raise ValueError(f"InputFile: {path} groups nothing, and does not name an instrument")
    y = found.group[grouped].astype(np.float64).reshape(-1, 1)
    return HistogramWorkspace(
        np.zeros(1), y, np.zeros_like(y), spectra=Spectra(numbers[grouped]), title="grouping", unit="", y_unit=""
    )


@algorithm("LoadMask", outputs_after="input_file")
def load_mask(
    instrument: str,
    input_file: Path,
    ref_workspace: MatrixWorkspace | None = None,
) -> HistogramWorkspace:
    """Read a mask file (XML or ``.msk``) into a mask workspace: 1, and marked as masked, for each masked detector.

    Parameters
    ----------
    instrument
        Name of the instrument, or the file of its definition; not needed with a reference workspace.
    input_file
        The file.
    ref_workspace
        A workspace whose instrument the file is for, and whose spectrum numbers it means.
    """
    check_exists(input_file)
    if ref_workspace is not None:
        found = instrument_of(ref_workspace)
        numbers = _numbers_in(ref_workspace, found)
    else:
        is_file = instrument.lower().endswith(".xml")
        found = loaded_instrument(Path(instrument) if is_file else None, "" if is_file else instrument)
        numbers = _spectrum_numbers(found)
    return mask_workspace(found, read_mask(input_file, found, numbers))


def _numbers_in(ws: MatrixWorkspace, instrument: Instrument) -> I64:
    """Spectrum number of each detector, 0 for those in no spectrum."""
    rows = instrument.rows_of(ws.spectra.ids)
    numbers = np.zeros(len(instrument), np.int64)
    numbers[rows[rows >= 0]] = ws.spectra.numbers[ws.spectra.owner[rows >= 0]]
    return numbers
