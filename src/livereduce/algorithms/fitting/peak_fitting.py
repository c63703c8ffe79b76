"""Fitting single peaks on a background, and keeping only results that can be peaks; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from livereduce.algorithms.fitting import least_squares
from livereduce.algorithms.fitting.find_peaks import find, guess
from livereduce.algorithms.fitting.functions import Function, Member
from livereduce.algorithms.fitting.least_squares import Fitted, Points
from livereduce.algorithms.fitting.profiles import Extent, Peak, Profile
from livereduce.workspaces.arrays import F64

# how far from its middle a peak reaches, in widths, and what it leaves of a window for the background
_REACH = 1.5
_PEAK_PREFIX, _BACKGROUND_PREFIX = "f0.", "f1."
# windows end where a neighbour may begin: at this part of the way to it
_TO_NEIGHBOUR = 0.66
_WINDOW_PER_FWHM = 5
# a peak that is there takes about ten steps; without one the search wanders
_STEPS = 50


class Range(NamedTuple):
    """A range of X, ends included."""

    low: float
    high: float

    def __contains__(self, x: object) -> bool:
        return isinstance(x, float) and self.low <= x <= self.high


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for, and what counts as found.

    Attributes
    ----------
    peak, background
        Functions to fit.
    fwhm
        Expected width, points.
    tolerance
        By how many points the width of a peak that is searched for may differ.
    widths
        Widths to begin with if the one seen does not lead to a peak, points.
    background_first
        Whether the background begins as fitted beside the peak.
    position_tolerance
        How far a peak may be from where it was expected, X.
    min_height, min_observed
        What the fitted height, and the highest value, must exceed.
    observed_centre
        Whether the fit begins at the highest value and not at the expected position.
    """

    peak: Profile
    background: Profile
    fwhm: int = 7
    tolerance: int = 4
    widths: Sequence[int] = (2, 4, 6, 8, 10)
    background_first: bool = True
    position_tolerance: float = np.inf
    min_height: float = 0.0
    min_observed: float = 0.0
    observed_centre: bool = True


def guessed_widths(least: int, most: int, step: int) -> range:
    """Return the widths (points) to begin with that scripts say by their limits; ValueError if that makes no sense."""
    if not 1 <= least <= most or step < 1:
        raise ValueError(
            "MinGuessedPeakWidth, MaxGuessedPeakWidth, GuessedPeakWidthStep: expected positive numbers, the first not"
            f" above the second, found {least}, {most}, {step}"
        )
    return range(least, most + 1, step)


class Found(NamedTuple):
    """A peak: where it was expected, and the fit; None if there is none."""

    expected: float
    fitted: Fitted | None


def peak_of(fitted: Fitted) -> tuple[Extent, dict[str, float], dict[str, float]]:
    """Return extent, peak parameters and background parameters of a peak on a background."""
    peak, background = (
        {name: fitted.values[member.prefix + name] for name in member.profile.defaults}
        for member in fitted.function.members
    )
    profile = fitted.function.members[0].profile.peak
    assert profile is not None
    return profile.extent(peak), peak, background


def fit_peak(
    points: Points,
    peak: Member,
    background: Member,
    where: Range,
    *,
    widths: Sequence[float] = (),
    background_first: bool = True,
    min_height: float = 0.0,
) -> Fitted | None:
    """Fit a peak and its background; None if that leads to nothing that can be a peak.

    Parameters
    ----------
    points
        The window.
    peak, background
        Functions with the values to begin with.
    where
        What is the peak's in the window; its centre must be there.
    widths
        Widths to begin with, one after the other, if the given one does not lead to a peak; X.
    background_first
        Whether the background begins as fitted to the points outside `where`.
    min_height
        What the height must exceed.
    """
    if background_first:
        background = _background_beside(points, background, where)
    for start in _starts(peak, widths):
        function = Function((replace(start, prefix=_PEAK_PREFIX), replace(background, prefix=_BACKGROUND_PREFIX)))
        if len(points.x) < len(function.names):
            return None
        fitted = least_squares.fit(function, points, _STEPS)
        if fitted.status == "success" and _can_be_a_peak(fitted, points, where, min_height):
            return fitted
    return None


def _starts(member: Member, widths: Sequence[float]) -> Iterator[Member]:
    yield member
    peak = member.profile.peak
    assert peak is not None
    extent = peak.extent(member.start)
    for width in widths:
        yield replace(member, given=peak.parameters(extent._replace(fwhm=width)))


def _background_beside(points: Points, background: Member, where: Range) -> Member:
    beside = (points.x < where.low) | (points.x > where.high)
    if np.count_nonzero(beside & (points.weight > 0)) <= len(background.profile.defaults):
        return background
    plain = Function((replace(background, prefix=""),))
    fitted = least_squares.fit(plain, Points(points.x, points.y, np.where(beside, points.weight, 0.0)))
    return replace(background, given=fitted.values)


def _can_be_a_peak(fitted: Fitted, points: Points, where: Range, min_height: float) -> bool:
    extent = peak_of(fitted)[0]
    reach = float(points.x[-1] - points.x[0])
    return extent.centre in where and extent.height > min_height and 0 < extent.fwhm <= 2 * reach


def peaks_at(points: Points, centres: Sequence[float], windows: Sequence[Range], wanted: Wanted) -> Iterator[Found]:
    """Fit peaks at given places, in given windows or, without, as far as each has room; one result for each."""
    for i, centre in enumerate(centres):
        window = windows[i] if windows else _window(points.x, centres, i, wanted.fwhm)
        fitted = _fit_in_window(points, window, centre, wanted)
        if fitted and abs(peak_of(fitted)[0].centre - centre) >= wanted.position_tolerance:
            fitted = None
        yield Found(centre, fitted)


def peaks_anywhere(points: Points, e: F64, wanted: Wanted) -> Iterator[Found]:
    """Search for peaks and fit them; those that cannot be fitted are left out."""
    for candidate in find(points.y, e, wanted.fwhm, wanted.tolerance):
        first = max(candidate.middle - _WINDOW_PER_FWHM * candidate.reach, 0)
        last = min(candidate.middle + _WINDOW_PER_FWHM * candidate.reach, len(points.x) - 1)
        centre = float(points.x[candidate.middle])
        fitted = _fit_in_window(points, Range(float(points.x[first]), float(points.x[last])), centre, wanted)
        if fitted:
            yield Found(centre, fitted)


def _window(x: F64, centres: Sequence[float], i: int, fwhm: int) -> Range:
    at = int(np.argmin(np.abs(x - centres[i])))
    low, high = x[max(at - _WINDOW_PER_FWHM * fwhm, 0)], x[min(at + _WINDOW_PER_FWHM * fwhm, len(x) - 1)]
    if i > 0:
        low = max(low, centres[i] - _TO_NEIGHBOUR * (centres[i] - centres[i - 1]))
    if i + 1 < len(centres):
        high = min(high, centres[i] + _TO_NEIGHBOUR * (centres[i + 1] - centres[i]))
    return Range(float(low), float(high))


def _fit_in_window(points: Points, window: Range, centre: float, wanted: Wanted) -> Fitted | None:
    inside = (points.x >= window.low) & (points.x <= window.high)
    x, y = points.x[inside], points.y[inside]
    if not window.low < centre < window.high or not np.any(y > wanted.min_observed):
        return None
    seen = guess(x, y, None if wanted.observed_centre else centre)
    if seen is None:
        return None
    extent, n = seen.extent, len(x)
    shape: Peak | None = wanted.peak.peak
    assert shape is not None
    reach = min(_REACH * extent.fwhm, (x[-1] - x[0]) / 3)
    where = Range(max(extent.centre - reach, window.low), min(extent.centre + reach, window.high))
    line = {"A0": seen.intercept, "A1": seen.slope}
    spacing = float(x[-1] - x[0]) / (n - 1)
    return fit_peak(
        Points(x, y, points.weight[inside]),
        Member(wanted.peak, "", shape.parameters(extent)),
        Member(wanted.background, "", {k: v for k, v in line.items() if k in wanted.background.defaults}),
        where,
        widths=[width * spacing for width in wanted.widths],
        background_first=wanted.background_first,
        min_height=wanted.min_height,
    )
