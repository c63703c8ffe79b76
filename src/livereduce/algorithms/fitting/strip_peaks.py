"""Peaks of a spectrum: FindPeaks lists them, StripPeaks and StripVanadiumPeaks take them away."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from livereduce.algorithms.declaration import Numbers, algorithm
from livereduce.algorithms.fitting.fit import points_of, read_spectrum
from livereduce.algorithms.fitting.least_squares import Fitted
from livereduce.algorithms.fitting.peak_fitting import (
    Found,
    Range,
    Wanted,
    guessed_widths,
    peak_of,
    peaks_anywhere,
    peaks_at,
)
from livereduce.algorithms.fitting.profiles import PROFILES, gaussian
from livereduce.algorithms.operands import as_histogram
from livereduce.algorithms.spectra import selected
from livereduce.workspaces import HistogramWorkspace, MatrixWorkspace, TableWorkspace
from livereduce.workspaces.arrays import F64

log = logging.getLogger(__name__)

PeakName = Literal["Gaussian", "Lorentzian", "PseudoVoigt", "BackToBackExponential"]
BackgroundName = Literal["Flat", "Linear", "Quadratic"]

BACKGROUNDS = {
    "Flat": PROFILES["FlatBackground"],
    "Linear": PROFILES["LinearBackground"],
    "Quadratic": PROFILES["Quadratic"],
}
# chi² of a peak that could not be fitted: the greatest number there is, as in Mantid
NOT_FITTED = float(np.finfo(np.float64).max)
# d-spacings of the reflections of vanadium, Å
VANADIUM = (
    0.5044, 0.5191, 0.5350, 0.5526, 0.5936, 0.6178, 0.6453, 0.6768, 0.7134, 0.7566, 0.8089, 0.8737, 0.9571, 1.0701,
    1.2356, 1.5133, 2.1401,
)  # fmt: skip
# a Gaussian is subtracted as far as this, in standard deviations
_FAR = 5.0


@algorithm("FindPeaks", names={"fwhm": "FWHM", "return": "PeaksList"})
def find_peaks(
    ws: MatrixWorkspace,
    workspace_index: int | None = None,
    fwhm: int = 7,
    tolerance: int = 4,
    peak_positions: Numbers = (),
    fit_windows: Numbers = (),
    peak_function: PeakName = "Gaussian",
    background_type: BackgroundName = "Linear",
    high_background: bool = True,
    min_guessed_peak_width: int = 2,
    max_guessed_peak_width: int = 10,
    guessed_peak_width_step: int = 2,
    peak_position_tolerance: float | None = None,
    raw_peak_parameters: bool = False,
    minimum_peak_height: float = 0.0,
    minimum_peak_height_obs: float = 0.0,
    start_from_observed_peak_centre: bool = True,
) -> TableWorkspace:
    """Search spectra for peaks, or fit those at given positions, and list them in a table.

    The table has for every peak the workspace index (``spectrum``), centre, width (full, at half maximum), height,
    backgroundintercept, backgroundslope, A2 (of the background), and chi² per degree of freedom. Of given positions,
    those where no peak could be fitted have the greatest number there is for chi².

    Parameters
    ----------
    workspace_index
        Spectrum to search; all without.
    fwhm
        Expected width of peaks, bins.
    tolerance
        By how many bins the width may differ in the search.
    peak_positions
        Where peaks are expected; without, they are searched for (Mariscotti's method).
    fit_windows
        Start and end of the range of X for each of the positions; without, five widths to both sides.
    peak_function, background_type
        What is fitted.
    high_background
        Whether the background is fitted beside the peak first.
    min_guessed_peak_width, max_guessed_peak_width, guessed_peak_width_step
        Widths to begin with if the one seen does not lead to a peak, bins.
    peak_position_tolerance
        How far a peak may be from its expected position; no limit without, or if not positive.
    raw_peak_parameters
        Whether the table has the parameters of the functions in place of centre to A2.
    minimum_peak_height
        What the fitted height must exceed.
    minimum_peak_height_obs
        What the highest value of a window must exceed.
    start_from_observed_peak_centre
        Whether fits begin at the highest value of the window; without, at the expected position.
    """
    wanted = Wanted(
        PROFILES[peak_function],
        BACKGROUNDS[background_type],
        _width(fwhm),
        tolerance,
        guessed_widths(min_guessed_peak_width, max_guessed_peak_width, guessed_peak_width_step),
        high_background,
        _limit(peak_position_tolerance),
        minimum_peak_height,
        minimum_peak_height_obs,
        start_from_observed_peak_centre,
    )
    centres, windows = _places(peak_positions, fit_windows)
    table = _peak_table(wanted, raw=raw_peak_parameters)
    for index in selected(ws, workspace_index, workspace_index).tolist():
        for found in _found(ws, index, centres, windows, wanted):
            table.addRow(_row(index, found, wanted, raw=raw_peak_parameters))
    return table


@algorithm("StripPeaks", names={"fwhm": "FWHM"})
def strip_peaks(
    ws: MatrixWorkspace,
    fwhm: int = 7,
    tolerance: int = 4,
    peak_positions: Numbers = (),
    peak_position_tolerance: float = 0.01,
    background_type: Literal["Linear", "Quadratic"] = "Linear",
    high_background: bool = True,
    workspace_index: int | None = None,
    maximum_chisq: float = 100.0,
) -> HistogramWorkspace:
    """Fit Gaussian peaks on a background and subtract the Gaussians; errors stay.

    Left in are peaks that could not be fitted, fit badly, or are narrower than a bin.

    Parameters
    ----------
    fwhm
        Expected width of peaks, bins.
    tolerance
        By how many bins the width may differ in a search.
    peak_positions
        Where peaks are; without, they are searched for.
    peak_position_tolerance
        How far a peak may be from its position; no limit if not positive.
    background_type
        Background fitted under the peaks.
    high_background
        Whether the background is fitted beside the peak first.
    workspace_index
        Spectrum to take peaks from; all without. The others are in the result as they are.
    maximum_chisq
        A peak whose fit has a greater chi² per degree of freedom is left in.
    """
    wanted = Wanted(
        PROFILES["Gaussian"],
        BACKGROUNDS[background_type],
        _width(fwhm),
        tolerance,
        background_first=high_background,
        position_tolerance=_limit(peak_position_tolerance),
    )
    centres, _ = _places(peak_positions, ())
    histogram = as_histogram(ws)
    y = np.array(histogram.y)
    for index in selected(ws, workspace_index, workspace_index).tolist():
        x = read_spectrum(histogram, index).x
        for found in _found(histogram, index, centres, (), wanted):
            if found.fitted and _good_enough(found.fitted, x, maximum_chisq):
                y[index] -= _gaussian(x, found.fitted)
    return histogram.replaced(y=y)


@algorithm("StripVanadiumPeaks", version=2, names={"fwhm": "FWHM"})
def strip_vanadium_peaks(
    ws: MatrixWorkspace,
    fwhm: int = 7,
    tolerance: int = 4,
    background_type: Literal["Linear", "Quadratic"] = "Linear",
    high_background: bool = True,
    peak_position_tolerance: float = -1.0,
    workspace_index: int | None = None,
) -> HistogramWorkspace:
    """Fit the peaks of vanadium in d-spacing as Gaussians on a background and subtract the Gaussians; errors stay.

    Parameters
    ----------
    fwhm
        Expected width of peaks, bins.
    tolerance
        Accepted for scripts that give it; it is about searches, and the peaks are known.
    background_type
        Background fitted under the peaks.
    high_background
        Whether the background is fitted beside the peak first.
    peak_position_tolerance
        How far a peak may be from its known position, Å; no limit if not positive.
    workspace_index
        Spectrum to take peaks from; all without. The others are in the result as they are.
    """
    if ws.unit != "dSpacing":
        raise ValueError(f"InputWorkspace: X is in {ws.unit!r}; expected dSpacing (use ConvertUnits)")
    return strip_peaks(
        ws,
        fwhm=fwhm,
        tolerance=tolerance,
        peak_positions=VANADIUM,
        peak_position_tolerance=peak_position_tolerance,
        background_type=background_type,
        high_background=high_background,
        workspace_index=workspace_index,
    )


def _found(
    ws: MatrixWorkspace, index: int, centres: Sequence[float], windows: Sequence[Range], wanted: Wanted
) -> Iterator[Found]:
    spectrum = read_spectrum(ws, index)
    points = points_of(spectrum, ignore_invalid=True)
    if centres:
        return peaks_at(points, centres, windows, wanted)
    return peaks_anywhere(points, np.nan_to_num(spectrum.e), wanted)


def _places(positions: Numbers, windows: Numbers) -> tuple[list[float], list[Range]]:
    """Positions in ascending order, each with its window."""
    centres, limits = np.asarray(positions, np.float64), np.asarray(windows, np.float64)
    if len(limits) not in (0, 2 * len(centres)):
        raise ValueError(f"FitWindows: {len(limits)} values for {len(centres)} PeakPositions; expected two for each")
    order = np.argsort(centres)
    ranges = [Range(*limits[2 * i : 2 * i + 2].tolist()) for i in order.tolist()] if len(limits) else []
    return centres[order].tolist(), ranges


def _width(fwhm: int) -> int:
    if fwhm < 1:
        raise ValueError(f"FWHM: expected 1 or more, found {fwhm}")
    return fwhm


def _limit(tolerance: float | None) -> float:
    return np.inf if tolerance is None or tolerance <= 0 else tolerance


def _columns(wanted: Wanted, *, raw: bool) -> list[str]:
    if raw:
        return [*wanted.peak.defaults, *wanted.background.defaults]
    return ["centre", "width", "height", "backgroundintercept", "backgroundslope", "A2"]


def _peak_table(wanted: Wanted, *, raw: bool) -> TableWorkspace:
    columns = _columns(wanted, raw=raw)
    return TableWorkspace([("int", "spectrum"), *(("double", name) for name in columns), ("double", "chi2")])


def _row(index: int, found: Found, wanted: Wanted, *, raw: bool) -> list[float]:
    if found.fitted is None:
        centre = wanted.peak.peak.centre if raw and wanted.peak.peak else "centre"
        return [
            index,
            *(found.expected if name == centre else 0.0 for name in _columns(wanted, raw=raw)),
            NOT_FITTED,
        ]
    extent, peak, background = peak_of(found.fitted)
    if raw:
        return [index, *peak.values(), *background.values(), found.fitted.reduced_chi2]
    line = [background.get(name, 0.0) for name in ("A0", "A1", "A2")]
    return [index, extent.centre, extent.fwhm, extent.height, *line, found.fitted.reduced_chi2]


def _good_enough(fitted: Fitted, x: F64, max_chi2: float) -> bool:
    peak = peak_of(fitted)[1]
    at = min(max(int(np.searchsorted(x, peak["PeakCentre"])), 1), len(x) - 1)
    narrow = peak["Sigma"] < x[at] - x[at - 1]
    if narrow or fitted.reduced_chi2 > max_chi2:
        why = "it is narrower than a bin" if narrow else f"its chi² is {fitted.reduced_chi2:.3g}"
        log.warning("StripPeaks: the peak at X=%g is left in: %s", peak["PeakCentre"], why)
        return False
    return True


def _gaussian(x: F64, fitted: Fitted) -> F64:
    height, centre, sigma = peak_of(fitted)[1].values()
    return np.where(np.abs(x - centre) <= _FAR * sigma, gaussian(x, height, centre, sigma), 0.0)
