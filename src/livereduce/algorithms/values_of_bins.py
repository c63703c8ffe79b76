"""Values changed one by one or with their neighbours: Logarithm, ReplaceSpecialValues, SmoothData."""

from __future__ import annotations

import numpy as np

from livereduce.algorithms.declaration import Integers, algorithm
from livereduce.algorithms.operands import as_histogram
from livereduce.workspaces import HistogramWorkspace, MatrixWorkspace
from livereduce.workspaces.arrays import F64, I64, Bool


@algorithm("Logarithm")
def logarithm(ws: MatrixWorkspace, filler: float = 0.0, natural: bool = True) -> HistogramWorkspace:
    """Take the logarithm of values; the error of ln y is e/y. NaN stays NaN.

    Parameters
    ----------
    filler
        Result, with an error of 0, where the value is not positive.
    natural
        Whether the base is e; without, it is 10.
    """
    histogram = as_histogram(ws)
    filled = histogram.y <= 0
    y = np.where(filled, 1.0, histogram.y)
    base = 1.0 if natural else np.log(10.0)
    return histogram.replaced(
        y=np.where(filled, filler, np.log(y) / base),
        e2=np.where(filled, 0.0, histogram.e2 / (y * base) ** 2),
        e=None,
    )


@algorithm(
    "ReplaceSpecialValues",
    names={"nan_value": "NaNValue", "nan_error": "NaNError"},
)
def replace_special_values(
    ws: MatrixWorkspace,
    nan_value: float | None = None,
    nan_error: float = 0.0,
    infinity_value: float | None = None,
    infinity_error: float = 0.0,
    big_number_threshold: float | None = None,
    big_number_value: float = 0.0,
    big_number_error: float = 0.0,
    small_number_threshold: float | None = None,
    small_number_value: float = 0.0,
    small_number_error: float = 0.0,
    check_error_axis: bool = False,
    use_absolute: bool = True,
) -> HistogramWorkspace:
    """Put given values and errors where there is NaN, infinity, or a number too big or too small.

    Parameters
    ----------
    nan_value, nan_error
        For NaN; left as it is without a value.
    infinity_value, infinity_error
        For infinity of either sign; without a value it counts as a big number.
    big_number_threshold, big_number_value, big_number_error
        For values above the threshold.
    small_number_threshold, small_number_value, small_number_error
        For values below the threshold.
    check_error_axis
        Whether an error that is special has value and error replaced too.
    use_absolute
        Whether it is the size of values that is compared with the thresholds, whatever their sign.
    """
    if all(v is None for v in (nan_value, infinity_value, big_number_threshold, small_number_threshold)):
        raise ValueError("one of NaNValue, InfinityValue, BigNumberThreshold and SmallNumberThreshold must be given")
    histogram = as_histogram(ws)
    y, e = histogram.y.copy(), histogram.e.copy()
    checked = [histogram.y, histogram.e] if check_error_axis else [histogram.y]

    def size(values: F64) -> F64:
        return np.abs(values) if use_absolute else values

    def put(special: list[Bool], value: float, error: float) -> None:
        where = np.logical_or.reduce(special)
        y[where], e[where] = value, error

    if small_number_threshold is not None:
        put([size(histogram.y) < small_number_threshold], small_number_value, small_number_error)
    if big_number_threshold is not None:
        put([size(a) > big_number_threshold for a in checked], big_number_value, big_number_error)
    if infinity_value is not None:
        put([np.isinf(a) for a in checked], infinity_value, infinity_error)
    if nan_value is not None:
        put([np.isnan(a) for a in checked], nan_value, nan_error)
    return histogram.replaced(y=y, e2=None, e=e)


@algorithm("SmoothData", names={"n_points": "NPoints"})
def smooth_data(
    ws: MatrixWorkspace, n_points: Integers = (3,), grouping_workspace: MatrixWorkspace | None = None
) -> HistogramWorkspace:
    """Take the mean of every value and its neighbours; at the ends of a spectrum, of those there are.

    Errors are those of a mean of independent values; smoothed neighbours are not independent of each other.

    Parameters
    ----------
    n_points
        Number of values averaged (an even one is raised by one), for all spectra or for each.
    grouping_workspace
        A workspace whose values are the groups of its spectra's detectors: `n_points` are then those of group 1, 2,
        ..., and what is in no group stays as it is.
    """
    histogram = as_histogram(ws)
    asked = np.asarray(n_points, np.int64)
    if grouping_workspace is not None:
        asked = _of_groups(asked, ws, grouping_workspace)
    windows = asked + (asked % 2 == 0)
    if len(windows) not in (1, ws.n_spectra) or np.any(asked < 1) or np.any(windows > ws.n_bins):
        raise ValueError(
            f"NPoints: expected one number, or {ws.n_spectra}, from 1 to the {ws.n_bins} bins (even ones are raised by"
            f" one); found {', '.join(map(str, asked))}"
        )
    y, e2 = np.empty_like(histogram.y), np.empty_like(histogram.e2)
    for window in np.unique(windows):
        rows = slice(None) if len(windows) == 1 else windows == window
        y[rows], count = _moving_sum(histogram.y[rows], int(window))
        y[rows] /= count
        e2[rows] = _moving_sum(histogram.e2[rows], int(window))[0] / count**2
    return histogram.replaced(y=y, e2=e2, e=None)


def _of_groups(asked: I64, ws: MatrixWorkspace, grouping: MatrixWorkspace) -> I64:
    """Return the number of points for each spectrum from those for each group."""
    at = grouping.spectra.index_of_detectors(ws.spectra.ids)
    group = np.zeros(ws.n_spectra, np.int64)
    group[ws.spectra.owner[at >= 0]] = grouping.y[at[at >= 0], 0].astype(np.int64)
    if len(asked) != (groups := int(group.max(initial=0))):
        raise ValueError(f"NPoints: expected {groups} numbers, one for each group, found {len(asked)}")
    return np.where(group > 0, asked[group - 1], 1)


def _moving_sum(rows: F64, window: int) -> tuple[F64, F64]:
    """Sum of each value with window//2 neighbours on each side, and how many there were of them."""
    total, count = rows.copy(), np.ones(rows.shape[1])
    for shift in range(1, window // 2 + 1):
        total[:, :-shift] += rows[:, shift:]
        total[:, shift:] += rows[:, :-shift]
        count[:-shift] += 1
        count[shift:] += 1
    return total, count
