"""FitPeak: one peak on a background in a window, with checks that the result can be one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from livereduce.algorithms.declaration import Numbers, algorithm
from livereduce.algorithms.fitting import peak_fitting
from livereduce.algorithms.fitting.find_peaks import guess
from livereduce.algorithms.fitting.fit import Spectrum, comparison, points_of, read_spectrum
from livereduce.algorithms.fitting.functions import Function, Member
from livereduce.algorithms.fitting.least_squares import Fitted, Points
from livereduce.algorithms.fitting.peak_fitting import Range, guessed_widths, peak_of
from livereduce.algorithms.fitting.profiles import PROFILES, Profile
from livereduce.algorithms.fitting.strip_peaks import BACKGROUNDS, NOT_FITTED
from livereduce.workspaces import HistogramWorkspace, MatrixWorkspace, TableWorkspace

_NAME = re.compile(r"\s*(\w+)\s*(?:\([^)]*\))?\s*")


class PeakResult(NamedTuple):
    """What FitPeak gives."""

    output_workspace: HistogramWorkspace
    parameter_table_workspace: TableWorkspace
    fitted_peak_parameter_values: Sequence[float]
    fitted_background_parameter_values: Sequence[float]
    cost_function_value: float


@algorithm("FitPeak")
def fit_peak(
    ws: MatrixWorkspace,
    peak_function_type: str,
    workspace_index: int = 0,
    peak_parameter_names: Sequence[str] = (),
    peak_parameter_values: Numbers = (),
    background_type: str = "Linear",
    background_parameter_names: Sequence[str] = (),
    background_parameter_values: Numbers = (),
    fit_window: Numbers = (),
    peak_range: Numbers = (),
    fit_background_first: bool = True,
    raw_params: bool = True,
    min_guessed_peak_width: int = 2,
    max_guessed_peak_width: int = 10,
    guessed_peak_width_step: int | None = None,
    peak_position_tolerance: float | None = None,
    cost_function: Literal["Chi-Square"] = "Chi-Square",
    minimizer: str = "Levenberg-Marquardt",
) -> PeakResult:
    """Fit a peak and a background in a window, and give parameters only if they can be a peak's.

    The table has the columns Name, Value, Error and the rows ChiSquare (per degree of freedom; the greatest number
    there is if the fit failed), the peak function, its parameters, the background function, its parameters. The output
    workspace has data, calculated values and difference.

    Parameters
    ----------
    peak_function_type, background_type
        Functions, as ``Gaussian`` or ``Gaussian (Height, PeakCentre, Sigma)``; ``Flat``, ``Linear``, ``Quadratic``.
    workspace_index
        Spectrum.
    peak_parameter_names, background_parameter_names
        Parameters that values are given of; without, all in order.
    peak_parameter_values, background_parameter_values
        Values to begin with; without, what the data look like.
    fit_window
        Start and end of the range of X to fit in.
    peak_range
        Start and end of what is the peak's in the window; its centre must be there. By default the middle half.
    fit_background_first
        Whether the background begins as fitted beside the peak range.
    raw_params
        Whether the table has the peak function's own parameters; without, centre, width and height.
    min_guessed_peak_width, max_guessed_peak_width, guessed_peak_width_step
        Widths to begin with, bins, if the given one does not lead to a peak; with a step only.
    peak_position_tolerance
        How far the peak may be from the centre given, X.
    cost_function
        What is made least.
    minimizer
        Accepted for scripts that give it; the method is always Levenberg-Marquardt.

    Returns
    -------
    output_workspace
        Data, calculated values and difference in the window.
    parameter_table_workspace
        Names, values and errors.
    fitted_peak_parameter_values, fitted_background_parameter_values
        Values in the order of the functions' parameters.
    cost_function_value
        chi² per degree of freedom, the greatest number there is if the fit failed.
    """
    window = _range("FitWindow", fit_window)
    where = _range("PeakRange", peak_range) if np.size(peak_range) else _middle(window)
    spectrum = read_spectrum(ws, workspace_index, *window)
    points = points_of(spectrum)
    peak = _member("Peak", _peak_profile(peak_function_type), peak_parameter_names, peak_parameter_values)
    background = _member(
        "Background", _background_profile(background_type), background_parameter_names, background_parameter_values
    )
    peak, background = _begun(points, peak, background)
    centre = _centre(peak)
    if not window.low < centre < window.high:
        raise ValueError(
            f"PeakParameterValues: the centre {centre:g} is outside the FitWindow {window.low:g} to {window.high:g}"
        )
    fitted = peak_fitting.fit_peak(
        points,
        peak,
        background,
        Range(max(where.low, window.low), min(where.high, window.high)),
        widths=_widths(spectrum, min_guessed_peak_width, max_guessed_peak_width, guessed_peak_width_step),
        background_first=fit_background_first,
    )
    if fitted and peak_position_tolerance and abs(peak_of(fitted)[0].centre - centre) > peak_position_tolerance:
        fitted = None
    return _result(ws, spectrum, fitted, fitted or _not_fitted(peak, background), raw=raw_params)


def _range(name: str, values: Numbers) -> Range:
    limits = np.asarray(values, np.float64)
    if len(limits) != 2 or not limits[0] < limits[1]:
        raise ValueError(f"{name}: expected start and end, the first below the second, found {limits.tolist()}")
    return Range(*limits.tolist())


def _middle(window: Range) -> Range:
    quarter = (window.high - window.low) / 4
    return Range(window.low + quarter, window.high - quarter)


def _peak_profile(text: str) -> Profile:
    match = _NAME.fullmatch(text)
    found = PROFILES.get(match[1]) if match else None
    if found is None or found.peak is None:
        there = ", ".join(name for name, profile in PROFILES.items() if profile.peak)
        raise ValueError(f"PeakFunctionType: expected one of {there}, found {text!r}")
    return found


def _background_profile(text: str) -> Profile:
    match = _NAME.fullmatch(text)
    if match is None or match[1] not in BACKGROUNDS:
        raise ValueError(f"BackgroundType: expected one of {', '.join(BACKGROUNDS)}, found {text!r}")
    return BACKGROUNDS[match[1]]


def _member(what: str, profile: Profile, names: Sequence[str], values: Numbers) -> Member:
    names = list(names) or (list(profile.defaults) if np.size(values) else [])
    if len(names) != np.size(values):
        raise ValueError(f"{what}ParameterValues: {np.size(values)} values for {', '.join(names)}")
    for name in names:
        if name not in profile.defaults:
            there = ", ".join(profile.defaults)
            raise ValueError(f"{what}ParameterNames: {profile.name} has no parameter {name!r}; it has {there}")
    return Member(profile, "", dict(zip(names, np.asarray(values, np.float64).tolist(), strict=True)))


def _begun(points: Points, peak: Member, background: Member) -> tuple[Member, Member]:
    """Both with what is not given as the data look like."""
    assert peak.profile.peak is not None
    seen = guess(points.x, points.y, peak.given.get(peak.profile.peak.centre))
    if seen is None:
        return peak, background
    line = {"A0": seen.intercept, "A1": seen.slope}
    return (
        Member(peak.profile, "", peak.profile.peak.parameters(seen.extent) | dict(peak.given)),
        Member(
            background.profile,
            "",
            background.given or {k: v for k, v in line.items() if k in background.profile.defaults},
        ),
    )


def _centre(peak: Member) -> float:
    assert peak.profile.peak is not None
    return peak.start[peak.profile.peak.centre]


def _widths(spectrum: Spectrum, least: int, most: int, step: int | None) -> list[float]:
    if step is None:
        return []
    spacing = float(spectrum.x[-1] - spectrum.x[0]) / max(len(spectrum.x) - 1, 1)
    return [width * spacing for width in guessed_widths(least, most, step)]


def _not_fitted(peak: Member, background: Member) -> Fitted:
    """What stands for a fit that failed: the values to begin with, without errors."""
    function = Function((Member(peak.profile, "f0.", peak.given), Member(background.profile, "f1.", background.given)))
    errors = dict.fromkeys(function.names, 0.0)
    return Fitted(function, function.start, errors, [], np.empty((0, 0)), NOT_FITTED, 1, "failed")


def _result(ws: MatrixWorkspace, spectrum: Spectrum, fitted: Fitted | None, shown: Fitted, *, raw: bool) -> PeakResult:
    extent, peak, background = peak_of(shown)
    chi2 = fitted.reduced_chi2 if fitted else NOT_FITTED
    table = TableWorkspace([("str", "Name"), ("double", "Value"), ("double", "Error")])
    table.addRow(["ChiSquare", chi2, 0.0])
    table.addRow([shown.function.members[0].profile.name, 0.0, 0.0])
    if raw:
        for name, value in peak.items():
            table.addRow([name, value, shown.errors[f"f0.{name}"]])
    else:
        for name, value in zip(("centre", "width", "height"), (extent.centre, extent.fwhm, extent.height), strict=True):
            table.addRow([name, value, 0.0])
    table.addRow([shown.function.members[1].profile.name, 0.0, 0.0])
    for name, value in background.items():
        table.addRow([name, value, shown.errors[f"f1.{name}"]])
    return PeakResult(
        comparison(spectrum, shown, ws, spectrum.x), table, list(peak.values()), list(background.values()), chi2
    )
