"""CalculateFlatBackground: a constant under each spectrum, found where there is nothing else, and subtracted."""

from __future__ import annotations

import logging
from typing import Literal, NamedTuple

import numpy as np

from livereduce.algorithms.declaration import Integers, algorithm
from livereduce.algorithms.operands import as_histogram
from livereduce.algorithms.spectra import check_indices
from livereduce.workspaces import HistogramWorkspace, MatrixWorkspace
from livereduce.workspaces.arrays import F64, Bool

log = logging.getLogger(__name__)


class Rows(NamedTuple):
    """Values per unit of X and their standard deviations, [spectra, bins]; `x` has the edges or points of each."""

    x: F64
    y: F64
    e: F64
    is_histogram: bool

    @property
    def centres(self) -> F64:
        """X of each value."""
        return (self.x[:, 1:] + self.x[:, :-1]) / 2 if self.is_histogram else self.x


class Level(NamedTuple):
    """Background of each spectrum and its variance."""

    value: F64
    variance: F64


@algorithm("CalculateFlatBackground")
@np.errstate(invalid="ignore")  # spectra with infinite values have no background, and are no reason for a warning
def calculate_flat_background(
    ws: MatrixWorkspace,
    start_x: float | None = None,
    end_x: float | None = None,
    workspace_index_list: Integers = (),
    mode: Literal["Linear Fit", "Mean", "Moving Average"] = "Linear Fit",
    output_mode: Literal["Subtract Background", "Return Background"] = "Subtract Background",
    skip_monitors: bool = False,
    nullify_negative_values: bool = True,
    averaging_window_width: int | None = None,
) -> HistogramWorkspace:
    """Find the flat background of every spectrum, and subtract it or give it.

    Counts in bins are divided by the bin widths for it and multiplied again after. A spectrum whose background comes
    out negative is left as it is, with a warning (and its background is given as 0).

    Parameters
    ----------
    start_x, end_x
        Range of X that holds nothing but background; for Linear Fit and Mean.
    workspace_index_list
        Spectra to work on; all without.
    mode
        The value in the middle of a straight line fitted to the range, the mean of the bins from the one that holds
        StartX to the one that holds EndX, or the least moving average (going round at the end).
    output_mode
        Whether the result is the input less its background, or the background.
    skip_monitors
        Whether monitors are left as they are.
    nullify_negative_values
        Whether values that would become negative become 0, with the background as error if that is greater.
    averaging_window_width
        Width of the moving average, bins.
    """
    histogram = as_histogram(ws)
    if histogram.n_bins < 2:
        raise ValueError(f"InputWorkspace: has {histogram.n_bins} bin; at least two are needed")
    width = np.diff(histogram.x) if histogram.is_histogram and not histogram.distribution else np.ones(1)
    x = np.broadcast_to(histogram.x, (histogram.n_spectra, histogram.x.shape[-1]))
    rows = Rows(x, histogram.y / width, histogram.e / width, histogram.is_histogram)
    if mode == "Moving Average":
        level = _least_moving_average(rows, averaging_window_width)
    else:
        low, high = _limits(start_x, end_x)
        level = _line(rows, low, high) if mode == "Linear Fit" else _mean(rows, low, high)
    chosen = _chosen(histogram, workspace_index_list, skip_monitors)
    negative = chosen & (level.value < 0)
    for index in np.flatnonzero(negative).tolist():
        log.warning("CalculateFlatBackground: the background of spectrum %d is %g; left", index, level.value[index])
    used = chosen & ~negative
    level = Level(np.where(used, level.value, 0.0)[:, None], np.where(used, level.variance, 0.0)[:, None])
    if output_mode == "Subtract Background":
        y, e = _subtracted(rows, level, used[:, None] & nullify_negative_values)
    else:
        y, e = _given(rows, level, used[:, None] & nullify_negative_values)
    return histogram.replaced(y=y * width, e2=None, e=e * width)


def _limits(start: float | None, end: float | None) -> tuple[float, float]:
    if start is None or end is None:
        missing = "StartX" if start is None else "EndX"
        raise ValueError(f"{missing}: must be given with this Mode")
    if start > end:
        raise ValueError(f"StartX ({start:g}) is greater than EndX ({end:g})")
    return start, end


def _chosen(ws: MatrixWorkspace, indices: Integers, skip_monitors: bool) -> Bool:
    listed = np.asarray(indices, np.int64)
    check_indices(ws, listed)
    chosen = np.full(ws.n_spectra, not len(listed))
    chosen[listed] = True
    return chosen & ~ws.spectra.is_monitor(ws.detectors) if skip_monitors else chosen


def _line(rows: Rows, low: float, high: float) -> Level:
    """Straight lines fitted to the values in the range with weights 1/E² (1 where E is 0), at its middle."""
    x = rows.centres
    inside = (x >= low) & (x <= high)
    if np.any(inside.sum(axis=1) < 2):
        raise ValueError(f"StartX and EndX: fewer than two bins have their centre between {low:g} and {high:g}")
    weight = np.where(inside, 1.0 / np.where(rows.e > 0, rows.e, 1.0) ** 2, 0.0)
    total = weight.sum(axis=1)
    y = np.where(inside, rows.y, 0.0)
    x_mean, y_mean = (weight * x).sum(axis=1) / total, (weight * y).sum(axis=1) / total
    distance = x - x_mean[:, None]
    slope = (weight * distance * y).sum(axis=1) / (weight * distance**2).sum(axis=1)
    return Level(y_mean + slope * ((low + high) / 2 - x_mean), np.zeros_like(y_mean))


def _mean(rows: Rows, low: float, high: float) -> Level:
    first, last = rows.x[:, 0], rows.x[:, -1]
    if np.any(low < first) or np.any(high > last):
        raise ValueError(
            f"StartX and EndX: {low:g} to {high:g} is not within X, which is {first.max():g} to {last.min():g}"
        )
    index = np.arange(rows.y.shape[1])
    if rows.is_histogram:  # here, a bin holds its upper edge and not its lower one
        start = np.maximum(np.sum(rows.x < low, axis=1) - 1, 0)
        end = np.sum(rows.x < high, axis=1) - 1
        inside = (index >= start[:, None]) & (index <= end[:, None])
    else:
        inside = (rows.x >= low) & (rows.x <= high)
    n = inside.sum(axis=1)
    if np.any(n == 0):
        raise ValueError(f"StartX and EndX: no bin is between {low:g} and {high:g}")
    return Level(
        np.sum(rows.y, axis=1, where=inside) / n, np.sum(rows.e**2, axis=1, where=inside) / n.astype(np.float64) ** 2
    )


def _least_moving_average(rows: Rows, width: int | None) -> Level:
    bins = rows.y.shape[1]
    if width is None or not 1 <= width <= bins:
        found = "nothing" if width is None else width
        raise ValueError(f"AveragingWindowWidth: expected 1 to {bins} (the number of bins), found {found}")
    mean: F64 = np.sum([np.roll(rows.y, -j, axis=1) for j in range(width)], axis=0) / width
    least = np.argmin(np.where(np.isnan(mean), np.inf, mean), axis=1)[:, None]
    variance = np.take_along_axis(rows.e**2, (least + np.arange(width)) % bins, axis=1).sum(axis=1) / width**2
    return Level(np.take_along_axis(mean, least, axis=1)[:, 0], variance)


def _subtracted(rows: Rows, level: Level, nullify: Bool) -> tuple[F64, F64]:
    y = rows.y - level.value
    below = nullify & (y < 0)
    return np.where(below, 0.0, y), np.where(
        below, np.maximum(rows.e, level.value), np.sqrt(rows.e**2 + level.variance)
    )


def _given(rows: Rows, level: Level, nullify: Bool) -> tuple[F64, F64]:
    above = nullify & (level.value > rows.y)
    deviation = np.broadcast_to(np.sqrt(level.variance), rows.e.shape)
    return np.where(above, rows.y, level.value), np.where(above, np.maximum(rows.e, level.value), deviation)
