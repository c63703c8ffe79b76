"""Calibrated d-spacing: AlignDetectors."""

from __future__ import annotations

import weakref
from pathlib import Path

import numpy as np

from livereduce.algorithms.by_detector import calibration_from_table, instrument_of, values_of
from livereduce.algorithms.calibration_files import calibration_of
from livereduce.algorithms.converted_x import Quadratic
from livereduce.algorithms.converting import converted
from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.memory import remembered
from livereduce.geometry import Instrument
from livereduce.geometry.calibration import Calibration
from livereduce.geometry.units import Conversion, geometric_difc
from livereduce.workspaces import MatrixWorkspace, TableWorkspace
from livereduce.workspaces.arrays import Column


@algorithm("AlignDetectors")
def align_detectors(
    ws: MatrixWorkspace,
    calibration_file: Path | None = None,
    calibration_workspace: TableWorkspace | None = None,
    offsets_workspace: MatrixWorkspace | None = None,
) -> MatrixWorkspace:
    """Convert time of flight to d-spacing by calibrated constants; events stay events.

    TOF = difc d + difa d² + tzero, with the means of the constants over the detectors of a spectrum. Spectra without
    calibrated detectors are set to zero and counted in one warning.

    Parameters
    ----------
    ws
        Workspace in time of flight.
    calibration_file
        Diffraction calibration in HDF5, or text (``.cal``) of five columns: number, detector ID, offset, 1 if selected
        else 0, group.
    calibration_workspace
        Table with columns detid, difc, difa and tzero.
    offsets_workspace
        Offset of each detector, which corrects the constant that follows from its position: difc / (1 + offset).
    """
    sources = {
        "CalibrationFile": calibration_file,
        "CalibrationWorkspace": calibration_workspace,
        "OffsetsWorkspace": offsets_workspace,
    }
    given = [name for name, source in sources.items() if source is not None]
    if len(given) != 1:
        raise ValueError(f"give exactly one of {', '.join(sources)}; found {', '.join(given) or 'none'}")
    if calibration_file is not None:
        calibration = calibration_of(calibration_file, ws)
    elif calibration_workspace is not None:
        calibration = calibration_from_table(calibration_workspace)
    else:
        assert offsets_workspace is not None
        calibration = calibration_from_offsets(ws, offsets_workspace)
    return aligned_by(ws, calibration)


def aligned_by(ws: MatrixWorkspace, calibration: Calibration) -> MatrixWorkspace:
    """Return the workspace in d-spacing."""
    if ws.unit != "TOF":
        raise ValueError(f"InputWorkspace: X must be TOF, found {ws.unit!r}; use ConvertUnits first")
    n = ws.n_spectra
    tof = Conversion("TOF", np.ones(n), np.zeros(n))
    # a file's calibration is one object as long as the file does not change
    key = ("calibration", weakref.ref(calibration))
    target = remembered(ws.spectra, key, lambda: spectrum_calibration(ws, calibration))
    return converted(ws, tof, target, key, "none of their detectors is in the calibration and selected there")


def spectrum_calibration(ws: MatrixWorkspace, calibration: Calibration) -> Conversion:
    """Conversion of each spectrum: by the means of the constants over its calibrated detectors."""
    ordered = calibration.ordered(ws.spectra.ids)
    spectrum = ws.spectra.owner[ordered.use]
    with np.errstate(invalid="ignore", divide="ignore"):
        count = np.bincount(spectrum, minlength=ws.n_spectra)
        difc, difa, tzero = (
            np.bincount(spectrum, column[ordered.use], ws.n_spectra) / count
            for column in (ordered.difc, ordered.difa, ordered.tzero)
        )
        factor = np.where(count > 0, 1.0 / difc, 0.0)
        offset = np.where(count > 0, -tzero / difc, 0.0)
        bend = np.where(count > 0, difa / difc, 0.0)
    if not bend.any():
        return Conversion("dSpacing", factor, offset)
    return Quadratic("dSpacing", factor, offset, bend=bend)


def calibration_from_offsets(ws: MatrixWorkspace, offsets: MatrixWorkspace) -> Calibration:
    """Return the constants of the workspace's geometry corrected by the offset of each detector; worked out once."""
    instrument = instrument_of(ws)
    key = ("offsets", weakref.ref(instrument), Column(offsets.y))
    return remembered(offsets.spectra, key, lambda: _corrected(instrument, offsets))


def _corrected(instrument: Instrument, offsets: MatrixWorkspace) -> Calibration:
    known = offsets.spectra.ids
    offset = values_of(offsets, known)
    if np.any(offset <= -1):
        raise ValueError(f"OffsetsWorkspace: detector {known[offset <= -1][0]} has an offset of -1 or less")
    rows = instrument.rows_of(known)
    known, offset, rows = known[rows >= 0], offset[rows >= 0], rows[rows >= 0]
    difc = geometric_difc(instrument.l1, instrument.l2[rows], instrument.two_theta[rows]) / (1.0 + offset)
    zero = np.zeros(len(known))
    return Calibration(known, difc, zero, zero, np.ones(len(known), np.int64), np.isfinite(difc) & (difc > 0))
