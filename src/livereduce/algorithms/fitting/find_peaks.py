"""Where peaks are in noisy data, and how high and wide roughly: what a fit is to begin with; pure.

The search is Mariscotti's (Nucl. Instrum. Methods 50 (1967) 309): a peak is where the smoothed second difference is
significantly negative, over a stretch as long as the expected width says, beside a positive lobe of the right size.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from livereduce.algorithms.fitting.profiles import Extent
from livereduce.workspaces.arrays import F64, Bool

# smoothing passes, and the length of the negative stretch in widths that goes with them (Mariscotti fig. 8)
_PASSES = 5
_NEGATIVE_PER_FWHM = 1.22


class Guess(NamedTuple):
    """A peak on a straight line ``intercept + slope x``."""

    extent: Extent
    intercept: float
    slope: float


def guess(x: F64, y: F64, centre: float | None = None) -> Guess | None:
    """Estimate the peak (the highest, or the one at `centre`) and the line under it; None if nothing stands out.

    The line goes through the means of the outermost twelfths of the points, which should hold no peak.
    """
    n = len(x)
    if n < 3:
        return None
    ends = max(n // 12, 1)
    left, right = x[:ends].mean(), x[-ends:].mean()
    slope = (y[-ends:].mean() - y[:ends].mean()) / (right - left)
    intercept = y[:ends].mean() - slope * left
    above = y - intercept - slope * x
    top = int(np.argmax(above)) if centre is None else int(np.argmin(np.abs(x - centre)))
    height = float(above[top])
    if not height > 0:
        return None
    fwhm = _half_reach(x, above, top, -1) + _half_reach(x, above, top, 1)
    return Guess(Extent(float(x[top]), height, fwhm), float(intercept), float(slope))


def _half_reach(x: F64, y: F64, top: int, step: int) -> float:
    """Distance from the top to where the curve has fallen to half of it, interpolated; to the end if it has not."""
    at = top
    half = y[top] / 2
    while 0 <= at + step < len(y):
        at += step
        if y[at] <= half:
            share = (y[at - step] - half) / (y[at - step] - y[at])
            return abs(float(x[at - step] + share * (x[at] - x[at - step]) - x[top]))
    return max(abs(float(x[at] - x[top])), abs(float(x[1] - x[0])) / 2)


class Candidate(NamedTuple):
    """A peak found: point at its middle, half the stretch from its positive lobe to there."""

    middle: int
    reach: int


def find(y: F64, e: F64, fwhm: int, tolerance: int) -> list[Candidate]:
    """Find peaks.

    Parameters
    ----------
    y, e
        Values and standard deviations, float64[n].
    fwhm
        Expected full width at half maximum, points.
    tolerance
        By how many points the width of what is found may differ.
    """
    if len(y) < 3:
        return []
    window = np.ones(int(0.6 * fwhm) | 1)
    weights, second = np.array([1.0, -2.0, 1.0]), np.pad(np.diff(y, 2), 1)
    held = np.convolve(np.ones(len(y)), window)  # fewer points under the window at the ends
    side = len(window) // 2
    for _ in range(_PASSES):
        weights = np.convolve(weights, window / len(window))
        second = (np.convolve(second, window) / held)[side : side + len(y)]
    # as in the paper, neighbours are taken to have the error of the point itself
    error = e * np.sqrt(np.sum(weights**2))
    expected = int(_NEGATIVE_PER_FWHM * fwhm + 0.5)
    found = []
    for first, last in _stretches(second < 0):
        lobe = _lobe(second > error, first)
        if lobe and _is_peak(second, error, first, last, lobe, expected, tolerance):
            middle = first + int(np.argmin(second[first : last + 1]))
            found.append(Candidate(middle, max(middle - lobe[1], 1)))
    return found


def _stretches(flags: Bool) -> Iterator[tuple[int, int]]:
    """First and last index of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return zip(edges[::2].tolist(), (edges[1::2] - 1).tolist(), strict=True)


def _lobe(positive: Bool, before: int) -> tuple[int, int] | None:
    """Run of True that ends last before an index."""
    return next((run for run in reversed(list(_stretches(positive[:before])))), None)


def _is_peak(
    second: F64, error: F64, first: int, last: int, lobe: tuple[int, int], expected: int, tolerance: int
) -> bool:
    """Conditions 14, 19, 21 and 23 of the paper."""
    lowest = first + int(np.argmin(second[first : last + 1]))
    if abs(second[lowest]) < 2 * error[lowest] or abs(last - first + 1 - expected) > tolerance:
        return False
    doubt = abs(error[lowest] / second[lowest])
    longest_gap = max(int(0.5 * doubt * (expected + tolerance) + 0.5), 1)
    shortest_lobe = int(abs((expected - tolerance) * (1 - 2 * doubt)) + 0.5)
    return first - lobe[1] - 1 <= longest_gap and lobe[1] - lobe[0] + 1 >= shortest_lobe
