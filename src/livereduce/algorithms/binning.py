"""Bin edges: how they are written, and Rebin, which counts again in others.

Events keep their times, so on them a Rebin only sets the edges; a histogram's counts are shared out in proportion to
the overlap of old and new bins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from livereduce.algorithms.declaration import Numbers, algorithm
from livereduce.algorithms.kernels import rebin_rows
from livereduce.algorithms.operands import as_histogram
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, MatrixWorkspace
from livereduce.workspaces.arrays import F64

# The last bin of a section is between 25 % and 125 % of the step wide.
_LEAST_REST = 0.25
_MOST_BINS = 100_000_000

BinningMode = Literal["Default", "Linear", "Logarithmic", "ReverseLogarithmic"]


@algorithm("Rebin")
def rebin(
    ws: MatrixWorkspace,
    params: Numbers,
    preserve_events: bool = True,
    full_bins_only: bool = False,
    ignore_bin_errors: bool = False,
    use_reverse_logarithmic: bool = False,
    binning_mode: BinningMode = "Default",
) -> MatrixWorkspace:
    """Count in other bins.

    Parameters
    ----------
    params
        ``x0, dx1, x1, dx2, x2, ...``: edges and the steps between them; one number is a step between the least and the
        greatest X of the data. A negative step is logarithmic: -0.01 makes every edge 1 % greater than the one before.
    preserve_events
        Whether events stay events (they keep their times and can be rebinned again) or become a histogram.
    full_bins_only
        Whether what is left of a section after the last full step is dropped.
    ignore_bin_errors
        Whether, instead of an error, one bin is made where a single step finds no data to take limits from.
    use_reverse_logarithmic
        Whether logarithmic sections are fine at their end, not at their start.
    binning_mode
        Linear and Logarithmic take the steps so, whatever their sign; ReverseLogarithmic is both of the latter.
    """
    steps = _in_mode(np.asarray(params, np.float64), binning_mode)
    reverse = use_reverse_logarithmic or binning_mode == "ReverseLogarithmic"
    if len(steps) == 1:
        steps = np.insert(_limits(ws, ignore_bin_errors), 1, steps)
    return rebinned(ws, edges_from(steps, full_bins_only, reverse), preserve_events=preserve_events)


@algorithm("RebinToWorkspace", names={"ws": "WorkspaceToRebin", "match": "WorkspaceToMatch"})
def rebin_to_workspace(ws: MatrixWorkspace, match: MatrixWorkspace, preserve_events: bool = True) -> MatrixWorkspace:
    """Count in the bins that another workspace has.

    Parameters
    ----------
    ws
        What to rebin.
    match
        Whose bins to use: those of its first spectrum.
    preserve_events
        Whether events stay events or become a histogram.
    """
    if ws.unit != match.unit:
        raise ValueError(f"WorkspaceToMatch is in {match.unit!r}, WorkspaceToRebin in {ws.unit!r}")
    return rebinned(ws, point_edges(match.readX(0), match.is_histogram), preserve_events=preserve_events)


def rebinned(ws: MatrixWorkspace, edges: F64, *, preserve_events: bool = True) -> MatrixWorkspace:
    """Return the workspace counted in these bins, common to all spectra."""
    if isinstance(ws, EventWorkspace) and not any(p.plan.factors and p.plan.factors.per_bin for p in ws.parts):
        binned = ws.replaced(edges=edges)
        return binned if preserve_events else binned.to_histogram()
    histogram = as_histogram(ws)
    y, e2 = _shared_out(histogram, histogram.y, histogram.e2, edges, distribution=histogram.distribution)
    mask = histogram.bin_mask
    if mask is not None:
        share = mask.astype(np.float64)
        mask = _shared_out(histogram, share, share, edges, distribution=False)[0] > 0
    x = edges if histogram.is_histogram else (edges[1:] + edges[:-1]) / 2
    result: HistogramWorkspace = histogram.replaced(x=x, y=y, e2=e2, e=None, dx=None, bin_mask=mask)
    return result


def _shared_out(ws: HistogramWorkspace, y: F64, e2: F64, edges: F64, *, distribution: bool) -> tuple[F64, F64]:
    x = np.atleast_2d(point_edges(ws.x, ws.is_histogram))
    shape = (ws.n_spectra, len(edges) - 1)
    y_out, e2_out = np.zeros(shape), np.zeros(shape)
    rebin_rows(np.ascontiguousarray(x), y, e2, np.ascontiguousarray(edges), distribution, y_out, e2_out)
    return y_out, e2_out


def shared_out_by_row(x: F64, y: F64, e2: F64, rows: F64, *, distribution: bool) -> tuple[F64, F64]:
    """Return values and variances in other bins for each row; old edges and values may be one row for all."""
    y_out, e2_out = np.zeros((len(rows), rows.shape[1] - 1)), np.zeros((len(rows), rows.shape[1] - 1))
    for i, edges in enumerate(np.ascontiguousarray(rows)):
        row = slice(i, i + 1)
        x_row, y_row, e2_row = (np.ascontiguousarray(c[row] if len(c) > 1 else c) for c in (x, y, e2))
        rebin_rows(x_row, y_row, e2_row, edges, distribution, y_out[row], e2_out[row])
    return y_out, e2_out


def point_edges(x: F64, is_histogram: bool) -> F64:
    """Edges for X: itself if it holds edges, else midway between points, the outer ones as far out as in."""
    if is_histogram:
        return x
    if x.shape[-1] == 1:
        return np.concatenate([x - 0.5, x + 0.5], axis=-1)
    middle = (x[..., 1:] + x[..., :-1]) / 2
    return np.concatenate([2 * x[..., :1] - middle[..., :1], middle, 2 * x[..., -1:] - middle[..., -1:]], axis=-1)


def edges_from(params: Sequence[float] | F64, full_bins_only: bool = False, reverse: bool = False) -> F64:
    """Bin edges that ``x0, dx1, x1, dx2, x2, ...`` mean; ValueError if they mean none.

    Parameters
    ----------
    params
        Limits of the sections with the step of each between them; negative steps are logarithmic.
    full_bins_only
        Whether sections end at the last full step, where the next one then starts.
    reverse
        Whether logarithmic sections are laid from their end.
    """
    limits, steps = _checked_params(np.asarray(params, np.float64))
    edges = limits[:1]
    for step, end in zip(steps, limits[1:], strict=True):
        edges = np.concatenate([edges, _section(edges[-1], step, end, full_bins_only, reverse and step < 0)])
    if len(edges) < 2:
        raise ValueError("Params: no full bin fits between the limits")
    return edges


def _checked_params(params: F64) -> tuple[F64, F64]:
    limits, steps = params[::2], params[1::2]
    written = ",".join(f"{p:g}" for p in params)
    if len(params) < 3 or len(params) % 2 == 0:
        raise ValueError(f"Params: expected one step, or x0,dx1,x1,dx2,x2,...; found {len(params)} numbers: {written}")
    if not np.all(np.isfinite(params)):
        raise ValueError(f"Params: every number must be finite, found {written}")
    if np.any(np.diff(limits) <= 0):
        raise ValueError(f"Params: the limits must rise from each to the next, found {written}")
    if np.any(steps == 0):
        raise ValueError(f"Params: a step must not be zero, found {written}")
    if np.any((steps < 0) & (limits[:-1] <= 0)):
        raise ValueError(f"Params: a logarithmic (negative) step must start above 0, found {written}")
    with np.errstate(all="ignore"):
        count = np.where(steps > 0, np.diff(limits) / steps, np.diff(np.log(np.abs(limits))) / np.log1p(np.abs(steps)))
    if np.sum(count) > _MOST_BINS:
        raise ValueError(f"Params: {written} means {np.sum(count):.3g} bins, more than {_MOST_BINS:.0e}")
    return limits, steps


def _section(start: float, step: float, end: float, full_bins_only: bool, reverse: bool) -> F64:
    """Edges of one section after its start."""
    if reverse:  # as wide at each distance from the end as an ordinary section is at that distance from its start
        return start + end - np.concatenate([[start], _section(start, step, end, False, False)])[-2::-1]
    if step > 0:
        places: F64 = start + step * np.arange(int((end - start) / step) + 3, dtype=np.float64)
    else:
        places = start * (1 - step) ** np.arange(int(np.log(end / start) / np.log1p(-step)) + 3, dtype=np.float64)
    width = np.diff(places)
    if full_bins_only:
        return places[1:][places[1:] <= end + 1e-9 * width]
    fits = places[:-1] + width * (1 + _LEAST_REST) <= end
    return np.append(places[1:][fits], end)


def _in_mode(params: F64, mode: BinningMode) -> F64:
    if mode == "Default":
        return params
    params = params.copy()
    steps = params if len(params) == 1 else params[1::2]
    steps[:] = np.abs(steps) if mode == "Linear" else -np.abs(steps)
    return params


def _limits(ws: MatrixWorkspace, ignore_errors: bool) -> F64:
    """Least and greatest X of the data: of the events, or of the bins."""
    if isinstance(ws, EventWorkspace):
        low, high = ws.tof_range()
        if ws.number_events() and high > low:
            return np.array([low, high])
    else:
        x = ws.x[np.isfinite(ws.x)]
        low, high = (x.min(), x.max()) if x.size else (0.0, 0.0)
        if high > low:
            return np.array([low, high])
    if ignore_errors:
        return np.array([low, max(high, np.nextafter(low, np.inf))])
    raise ValueError("Params: a single step takes its limits from the data, and these have none; give x0,dx,x1")
