"""ResampleX: as many bins as asked for in each spectrum."""

from __future__ import annotations

import numpy as np

from livereduce.algorithms.binning import point_edges, rebinned
from livereduce.algorithms.declaration import Numbers, algorithm
from livereduce.workspaces import EventWorkspace, MatrixWorkspace
from livereduce.workspaces.arrays import F64


@algorithm("ResampleX", names={"x_min": "XMin", "x_max": "XMax"})
def resample_x(
    ws: MatrixWorkspace,
    number_bins: int,
    x_min: Numbers = (),
    x_max: Numbers = (),
    log_binning: bool = False,
    preserve_events: bool = True,
) -> MatrixWorkspace:
    """Rebin every spectrum to a number of bins.

    Parameters
    ----------
    number_bins
        How many; negative for logarithmic bins.
    x_min, x_max
        Least and greatest edge of all spectra, or one of each; by default the ends of the bins each spectrum has. For
        events that were never binned, or whose bins begin at 0 where logarithmic ones cannot, it is their own X.
    log_binning
        Whether the bins are logarithmic.
    preserve_events
        Whether events stay events or become a histogram.
    """
    if number_bins == 0:
        raise ValueError("NumberBins: must not be 0")
    low, high = (np.atleast_1d(np.asarray(limit, np.float64)) for limit in (x_min, x_max))
    edges = edges_between(ws, low, high, abs(number_bins), logarithmic=log_binning or number_bins < 0)
    return rebinned(ws, edges, preserve_events=preserve_events)


def edges_between(ws: MatrixWorkspace, x_min: F64, x_max: F64, bins: int, *, logarithmic: bool) -> F64:
    """Edges of so many bins between these limits, else those of the data: a row for all spectra, or one for each."""
    low, high = _limits(ws, x_min, "XMin", 0), _limits(ws, x_max, "XMax", -1)
    if logarithmic and not len(x_min) and isinstance(ws, EventWorkspace):
        low = np.where(low > 0, low, ws.tof_range()[0])  # bins that begin at 0 say nothing of where events begin
    rows = _edges(low, high, bins, logarithmic)
    return rows[0].copy() if len(rows) == 1 or np.all(rows == rows[:1]) else rows


def _limits(ws: MatrixWorkspace, given: F64, name: str, end: int) -> F64:
    if len(given):
        if len(given) not in (1, ws.n_spectra):
            raise ValueError(f"{name}: {len(given)} values for {ws.n_spectra} spectra; expected one, or one each")
        return given
    if isinstance(ws, EventWorkspace) and ws.default_binning:
        return np.array([ws.tof_range()[end]])
    x = np.atleast_2d(point_edges(ws.x, ws.is_histogram))
    finite = x[np.isfinite(x)]
    if not finite.size:
        raise ValueError(f"{name}: the workspace has no finite X to take it from")
    return np.where(np.isfinite(x[:, end]), x[:, end], finite.max() if end else finite.min())


def _edges(low: F64, high: F64, bins: int, logarithmic: bool) -> F64:
    low, high = np.broadcast_arrays(low, high)
    if np.any(low >= high):
        i = int(np.argmax(low >= high))
        raise ValueError(f"XMin ({low[i]:g}) must be below XMax ({high[i]:g})")
    share = np.arange(bins + 1) / bins
    if not logarithmic:
        return low[:, None] + (high - low)[:, None] * share
    if np.any(low <= 0):
        raise ValueError(f"XMin: logarithmic bins must start above 0, found {low.min():g}")
    edges: F64 = low[:, None] * (high / low)[:, None] ** share
    edges[:, -1] = high  # to the last digit, which a power does not keep
    return edges
