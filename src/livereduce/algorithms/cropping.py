"""A stretch of X, or some spectra: CropWorkspace, ExtractSpectra, Integration.

Bins are taken whole: one belongs to a range if both its edges do, to within a billionth of its width.
"""

from __future__ import annotations

import numpy as np

from livereduce.algorithms.binning import point_edges
from livereduce.algorithms.declaration import Integers, Numbers, algorithm
from livereduce.algorithms.operands import as_histogram
from livereduce.algorithms.spectra import check_indices, selected, taken
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, MatrixWorkspace
from livereduce.workspaces.arrays import F64, I64, Bool

_TOLERANCE = 1e-9


@algorithm("CropWorkspace")
def crop_workspace(
    ws: MatrixWorkspace,
    x_min: float | None = None,
    x_max: float | None = None,
    start_workspace_index: int | None = None,
    end_workspace_index: int | None = None,
) -> MatrixWorkspace:
    """Cut off what is outside a range of X, and spectra outside a range of workspace indices.

    Whole bins are kept, or of a range that holds none the bin it begins in; where spectra have different X, bins
    outside are set to zero instead. Of event workspaces the events outside are dropped.

    Parameters
    ----------
    x_min, x_max
        Range of X; without, or beyond the data, nothing is cut.
    start_workspace_index, end_workspace_index
        First and last spectrum kept.
    """
    return _extracted(ws, x_min, x_max, selected(ws, start_workspace_index, end_workspace_index))


@algorithm("ExtractSpectra")
def extract_spectra(
    ws: MatrixWorkspace,
    x_min: float | None = None,
    x_max: float | None = None,
    start_workspace_index: int | None = None,
    end_workspace_index: int | None = None,
    workspace_index_list: Integers = (),
    detector_list: Integers = (),
) -> MatrixWorkspace:
    """Take some spectra, and a range of X, out of a workspace.

    Parameters
    ----------
    x_min, x_max
        Range of X, as in CropWorkspace.
    start_workspace_index, end_workspace_index
        First and last spectrum.
    workspace_index_list
        Spectra by workspace index, in this order; goes before a range of them.
    detector_list
        Spectra by the ID of one of their detectors, in this order; goes before the other ways to choose.
    """
    listed = np.asarray(workspace_index_list, np.int64)
    check_indices(ws, listed)
    if len(detector_list):
        chosen = _spectra_of(ws, np.asarray(detector_list, np.int64))
    elif len(listed):
        chosen = _each_once(listed)
    else:
        chosen = selected(ws, start_workspace_index, end_workspace_index)
    return _extracted(ws, x_min, x_max, chosen)


def _each_once(indices: I64) -> I64:
    return np.array(list(dict.fromkeys(indices.tolist())), np.int64)


def _spectra_of(ws: MatrixWorkspace, detectors: I64) -> I64:
    """Return the spectrum of each of these detectors, in their order."""
    found = ws.spectra.index_of_detectors(detectors)
    if np.any(found < 0):
        raise ValueError(f"DetectorList: no spectrum has detector {detectors[found < 0][0]}")
    return _each_once(found)


def _extracted(
    ws: MatrixWorkspace,
    x_min: float | None,
    x_max: float | None,
    chosen: I64,
) -> MatrixWorkspace:
    if x_min is not None and x_max is not None and x_min > x_max:
        raise ValueError(f"XMin ({x_min:g}) is greater than XMax ({x_max:g})")
    result = ws if np.array_equal(chosen, np.arange(ws.n_spectra)) else taken(ws, chosen)
    if x_min is None and x_max is None:
        return result.clone() if result is ws else result
    low, high = -np.inf if x_min is None else x_min, np.inf if x_max is None else x_max
    if isinstance(result, EventWorkspace):
        return _cropped_events(result, low, high)
    return _cropped_rows(as_histogram(result), low, high)


def _cropped_events(ws: EventWorkspace, low: float, high: float) -> EventWorkspace:
    """Events in [low, high], in the whole bins that are left; in one bin of the range if none is."""
    edges = ws.edges
    if edges.ndim == 1:
        kept = edges[np.flatnonzero(_edges_inside(edges, low, high))]
        edges = kept if len(kept) > 1 else np.array([max(low, edges[0]), min(high, edges[-1])])
        if edges[1] <= edges[0]:
            raise ValueError(
                f"XMin and XMax: no data between {low:g} and {high:g}; X is {ws.edges[0]:g} to {ws.edges[-1]:g}"
            )
    return ws.planned(lambda plan: plan.limited(low, high), edges=edges)


def _cropped_rows(ws: HistogramWorkspace, low: float, high: float) -> HistogramWorkspace:
    if ws.x.ndim == 2 and ws.common_bins and ws.n_spectra:
        ws = ws.replaced(x=ws.x[0].copy())
    inside = bins_inside(ws.x, ws.is_histogram, low, high)
    if ws.x.ndim == 1 and not inside.any() and low <= ws.x[-1] and high >= ws.x[0]:
        begin = np.searchsorted(ws.x, max(low, ws.x[0]), side="right") - 1
        inside[min(begin, ws.n_bins - 1)] = True
    if not inside.any():
        raise ValueError(
            f"XMin and XMax: no bin is between {low:g} and {high:g}; X is {ws.x.min():g} to {ws.x.max():g}"
        )
    result: HistogramWorkspace
    if ws.x.ndim == 2:
        result = ws.replaced(y=np.where(inside, ws.y, 0.0), e2=np.where(inside, ws.e2, 0.0), e=None)
        return result
    first, last = (int(i) for i in np.flatnonzero(inside)[[0, -1]])
    bins = slice(first, last + 1)
    result = ws.replaced(
        x=ws.x[first : last + 1 + int(ws.is_histogram)],
        y=ws.y[:, bins],
        e2=ws.e2[:, bins],
        e=None,
        dx=None if ws.dx is None else ws.dx[:, bins],
        bin_mask=None if ws.bin_mask is None else ws.bin_mask[:, bins],
    )
    return result


def _edges_inside(x: F64, low: float | F64, high: float | F64) -> Bool:
    width = np.diff(x, append=2 * x[..., -1:] - x[..., -2:-1]) if x.shape[-1] > 1 else np.abs(x)
    return (x >= low - _TOLERANCE * width) & (x <= high + _TOLERANCE * width)


def bins_inside(x: F64, is_histogram: bool, low: float | F64, high: float | F64) -> Bool:
    """Which bins are wholly in [low, high]; or which points, if X holds points."""
    inside = _edges_inside(x, low, high)
    return inside[..., :-1] & inside[..., 1:] if is_histogram else inside


@algorithm("Integration")
def integration(
    ws: MatrixWorkspace,
    range_lower: float | None = None,
    range_upper: float | None = None,
    start_workspace_index: int | None = None,
    end_workspace_index: int | None = None,
    include_partial_bins: bool = False,
    range_lower_list: Numbers = (),
    range_upper_list: Numbers = (),
) -> HistogramWorkspace:
    """Sum every spectrum over a range of X to one bin; of events, count those in [lower, upper).

    The result is a histogram whose X is the range that was summed. A distribution (events too, if they were divided by
    a histogram of their unit) is multiplied by its bin widths; so are points, as values per X of bins whose edges are
    midway between them.

    Parameters
    ----------
    range_lower, range_upper
        The range; without, everything. Only bins wholly in it are summed.
    start_workspace_index, end_workspace_index
        First and last spectrum to integrate.
    include_partial_bins
        Whether bins partly in the range are summed in that proportion (values and errors alike).
    range_lower_list, range_upper_list
        Limits of each spectrum of the workspace; with a limit for all, the narrower one counts.
    """
    chosen = selected(ws, start_workspace_index, end_workspace_index)
    low = np.maximum(_limits(ws, "RangeLowerList", range_lower_list, chosen, -np.inf), _or(range_lower, -np.inf))
    high = np.minimum(_limits(ws, "RangeUpperList", range_upper_list, chosen, np.inf), _or(range_upper, np.inf))
    if wrong := np.flatnonzero(np.ravel(low > high)).tolist():
        lower, upper = (np.broadcast_to(limit, (len(chosen), 1))[wrong[0], 0] for limit in (low, high))
        raise ValueError(f"RangeLower ({lower:g}) is greater than RangeUpper ({upper:g})")
    part = ws if len(chosen) == ws.n_spectra else taken(ws, chosen)
    if isinstance(part, EventWorkspace) and not part.distribution:
        return _counted(part, low, high)
    histogram = as_histogram(part)
    if not histogram.is_histogram:
        histogram = histogram.replaced(x=point_edges(histogram.x, False), distribution=True)
    return _integrated(histogram, low, high, include_partial_bins)


def _or(limit: float | None, without: float) -> float:
    return without if limit is None else limit


def _limits(ws: MatrixWorkspace, name: str, given: Numbers, chosen: I64, without: float) -> F64:
    """Limits as a column, with a row for each chosen spectrum or one row for all."""
    limits = np.asarray(given, np.float64).reshape(-1, 1)
    if not len(limits):
        return np.array([[without]])
    if len(limits) != ws.n_spectra:
        raise ValueError(f"{name}: has {len(limits)} limits, InputWorkspace has {ws.n_spectra} spectra")
    return limits[chosen]


def _counted(ws: EventWorkspace, lower: F64, upper: F64) -> HistogramWorkspace:
    """Events in [lower, upper), limits not given being the first and last edge of each spectrum."""
    edges = np.atleast_2d(ws.edges)
    low = np.where(np.isfinite(lower), lower, edges[:, :1])
    high = np.where(np.isfinite(upper), upper, edges[:, -1:])
    empty = high <= low
    limits = np.hstack(np.broadcast_arrays(low, np.where(empty, np.nextafter(low, np.inf), high)))
    result = ws.replaced(edges=limits if len(limits) > 1 and np.any(limits != limits[0]) else limits[0]).to_histogram()
    if not empty.any():
        return result
    counts = [np.where(empty, 0.0, rows) for rows in (result.y, result.e2)]
    return result.replaced(y=counts[0], e2=counts[1], e=None)


def _integrated(ws: HistogramWorkspace, low: F64, high: F64, partial: bool) -> HistogramWorkspace:
    y, e2 = ws.y, ws.e2
    if ws.distribution:
        width = np.diff(ws.x)
        y, e2 = y * width, e2 * width**2
    if partial:
        share = np.clip((np.minimum(ws.x[..., 1:], high) - np.maximum(ws.x[..., :-1], low)) / np.diff(ws.x), 0.0, 1.0)
    else:
        share = bins_inside(ws.x, True, low, high).astype(np.float64)
    share = np.broadcast_to(share, y.shape)
    used = share > 0
    total = np.sum(y * share, axis=1, where=used, keepdims=True)
    variance = np.sum(e2 * share**2, axis=1, where=used, keepdims=True)
    return ws.replaced(
        x=_range_used(ws, used, low, high, partial),
        y=total,
        e2=variance,
        e=None,
        dx=None,
        bin_mask=None,
        distribution=False,
    )


def _range_used(ws: HistogramWorkspace, used: Bool, low: F64, high: F64, partial: bool) -> F64:
    """Edges of what was summed, one row if it is the same for all; of a spectrum without any, the range asked for."""
    alike = ws.x.ndim == 1 and len(low) == len(high) == 1
    used = used[:1] if alike else used
    rows = np.broadcast_to(ws.x, (len(used), ws.x.shape[-1]))
    low, high = low[:, 0], high[:, 0]
    first = np.min(np.where(used, rows[:, :-1], np.inf), axis=1, initial=np.inf)
    last = np.max(np.where(used, rows[:, 1:], -np.inf), axis=1, initial=-np.inf)
    if partial:
        first, last = np.maximum(first, low), np.minimum(last, high)
    lowest = np.where(np.isfinite(low), low, ws.x.min())
    highest = np.maximum(lowest, np.where(np.isfinite(high), high, ws.x.max()))
    limits = np.stack([np.where(np.isfinite(first), first, lowest), np.where(np.isfinite(last), last, highest)], axis=1)
    if not len(limits):
        return np.array([lowest[0], highest[0]])
    return limits if len(limits) > 1 else limits[0]
