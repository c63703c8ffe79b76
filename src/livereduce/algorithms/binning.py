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

# Widths that fall with a power of their number may never reach the end; so many are tried.
_MOST_OF_A_POWER = 10_000

BinningMode = Literal["Default", "Linear", "Logarithmic", "ReverseLogarithmic", "Power"]


@algorithm("Rebin")
def rebin(
    ws: MatrixWorkspace,
    params: Numbers,
    preserve_events: bool = True,
    full_bins_only: bool = False,
    ignore_bin_errors: bool = False,
    use_reverse_logarithmic: bool = False,
    power: float | None = None,
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
        Whether what is left of a section after the last full step is dropped; of reverse logarithmic ones it never is.
    ignore_bin_errors
        Whether counts in bins of no width are left out, and one bin is made where a single step finds no data to take
        limits from, instead of an error.
    use_reverse_logarithmic
        Whether logarithmic sections are fine at their end, not at their start.
    power
        Above 0, up to 1: the k-th bin of a section is the step divided by k to this power wide.
    binning_mode
        One way to take all steps, whatever their sign and the other options say.
    """
    steps = _in_mode(np.asarray(params, np.float64), binning_mode)
    reverse = binning_mode == "ReverseLogarithmic" or (binning_mode == "Default" and use_reverse_logarithmic)
    exponent = _exponent(power, binning_mode)
    if len(steps) == 1:
        steps = np.insert(_limits(ws, ignore_bin_errors), 1, steps)
    if isinstance(ws, HistogramWorkspace) and not ignore_bin_errors:
        _check_widths(ws)
    return rebinned(ws, edges_from(steps, full_bins_only, reverse, exponent), preserve_events=preserve_events)


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
    """Return the workspace counted in these bins, a row for all spectra or one for each."""
    if isinstance(ws, EventWorkspace):
        binned = ws.replaced(edges=edges)
        return binned if preserve_events else binned.to_histogram()
    histogram = as_histogram(ws)
    old = np.atleast_2d(point_edges(histogram.x, histogram.is_histogram))
    y, e2 = shared_out(old, histogram.y, histogram.e2, edges, distribution=histogram.distribution)
    mask = histogram.bin_mask
    if mask is not None:
        share = mask.astype(np.float64)
        mask = shared_out(old, share, share, edges, distribution=False)[0] > 0
    x = edges if histogram.is_histogram else (edges[..., 1:] + edges[..., :-1]) / 2
    return histogram.replaced(x=x, y=y, e2=e2, e=None, dx=None, bin_mask=mask)


def shared_out(x: F64, y: F64, e2: F64, edges: F64, *, distribution: bool) -> tuple[F64, F64]:
    """Return values and variances in other bins.

    Parameters
    ----------
    x
        Old edges, float64[1 or spectra, bins + 1].
    y, e2
        float64[spectra, bins]; one row will do where each spectrum has edges of its own.
    edges
        New edges, float64[m + 1] for all spectra or float64[spectra, m + 1].
    """
    rows = np.ascontiguousarray(edges)
    shape = (len(y) if rows.ndim == 1 else len(rows), rows.shape[-1] - 1)
    y_out, e2_out = np.zeros(shape), np.zeros(shape)
    if rows.ndim == 1:
        rebin_rows(np.ascontiguousarray(x), y, e2, rows, distribution, y_out, e2_out)
        return y_out, e2_out
    for i, new in enumerate(rows):
        row = slice(i, i + 1)
        x_row, y_row, e2_row = (np.ascontiguousarray(c[row] if len(c) > 1 else c) for c in (x, y, e2))
        rebin_rows(x_row, y_row, e2_row, new, distribution, y_out[row], e2_out[row])
    return y_out, e2_out


def point_edges(x: F64, is_histogram: bool) -> F64:
    """Edges for X: itself if it holds edges, else midway between points, the outer ones as far out as in."""
    if is_histogram:
        return x
    if x.shape[-1] == 1:
        return np.concatenate([x - 0.5, x + 0.5], axis=-1)
    middle = (x[..., 1:] + x[..., :-1]) / 2
    return np.concatenate([2 * x[..., :1] - middle[..., :1], middle, 2 * x[..., -1:] - middle[..., -1:]], axis=-1)


def edges_from(
    params: Sequence[float] | F64, full_bins_only: bool = False, reverse: bool = False, power: float = 0.0
) -> F64:
    """Bin edges that ``x0, dx1, x1, dx2, x2, ...`` mean; ValueError if they mean none.

    Parameters
    ----------
    params
        Limits of the sections with the step of each between them; negative steps are logarithmic.
    full_bins_only
        Whether sections end at the last full step, where the next one then starts.
    reverse
        Whether logarithmic sections are laid from their end.
    power
        The k-th bin of a section is step / k**power wide; 0 for none of this.
    """
    limits, steps = _checked_params(np.asarray(params, np.float64))
    if power and np.any(steps < 0):
        raise ValueError("Params: with Power all steps must be positive; BinningMode=Power takes them so")
    edges = limits[:1]
    for step, end in zip(steps, limits[1:], strict=True):
        if reverse and step < 0:
            section = _reverse_section(edges[-1], step, end)
        else:
            section = _closed(_places(edges[-1], step, end, power), end, full_bins_only)
        edges = np.concatenate([edges, section])
    if len(edges) < 2:
        raise ValueError("Params: no full bin fits between the limits")
    return edges


def edges_by_row(low: F64, steps: F64, high: F64, full_bins_only: bool = False) -> F64:
    """Bin edges of rows with limits and a step each, one row if all are the same.

    Raises
    ------
    ValueError
        They come to different numbers of bins.
    """
    rows = [edges_from(row, full_bins_only) for row in zip(low, steps, high, strict=True)]
    if len({len(row) for row in rows}) > 1:
        counts = ", ".join(str(len(row) - 1) for row in rows)
        raise ValueError(
            f"the groups come to different numbers of bins ({counts}), and a workspace has the same in each: choose"
            " other steps, or reduce such groups one by one"
        )
    return rows[0] if all(np.array_equal(row, rows[0]) for row in rows) else np.array(rows)


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


def _places(start: float, step: float, end: float, power: float) -> F64:
    """Start and edges after it, some of them beyond the end."""
    if power:
        number = np.arange(1, _MOST_OF_A_POWER + 2)
        places: F64 = np.concatenate([[start], start + np.cumsum(step / number**power)])
        if places[-2] < end:
            raise ValueError(f"Params: with Power {power:g} it takes more than {_MOST_OF_A_POWER} bins to {end:g}")
    elif step > 0:
        places = start + step * np.arange(int((end - start) / step) + 3, dtype=np.float64)
    else:
        places = start * (1 - step) ** np.arange(int(np.log(end / start) / np.log1p(-step)) + 3, dtype=np.float64)
    return places


def _closed(places: F64, end: float, full_bins_only: bool) -> F64:
    """Edges of a section after its start: those places that are in it, and its end."""
    width = np.diff(places)
    if full_bins_only:
        return places[1:][places[1:] <= end + 1e-9 * width]
    fits = places[:-1] + width * (1 + _LEAST_REST) <= end
    return np.append(places[1:][fits], end)


def _reverse_section(start: float, step: float, end: float) -> F64:
    """Edges after the start, as wide at each distance from the end as an ordinary section is from its start."""
    forward = _closed(_places(start, step, end, 0.0), end, False)
    edges = start + end - np.concatenate([[start], forward])[::-1]
    edges = edges[1:]
    if len(edges) > 1 and edges[0] - start < edges[1] - edges[0]:  # what was left over is not to come first
        edges = edges[1:]
    return np.append(edges[:-1], end)  # to the last digit


def _exponent(power: float | None, mode: BinningMode) -> float:
    """Return the power that widths of bins fall with, 0 for none."""
    if power is not None and not 0 <= power <= 1:
        raise ValueError(f"Power: expected above 0 and up to 1, found {power:g}")
    if mode == "Power" and not power:
        raise ValueError("Power: must be given for BinningMode=Power, above 0 and up to 1")
    return power or 0.0 if mode in ("Default", "Power") else 0.0


def _check_widths(ws: HistogramWorkspace) -> None:
    """Raise ValueError for counts in a bin that has no width to share them out over."""
    if not ws.is_histogram or np.all(wide := np.diff(ws.x) > 0):
        return
    row, i = (int(at[0]) if len(at) else -1 for at in np.nonzero(~wide & (ws.y != 0)))
    if row >= 0:
        x = ws.readX(row)
        raise ValueError(
            f"InputWorkspace: a bin of spectrum {ws.spectra.numbers[row]} goes from {x[i]:g} to {x[i + 1]:g}, so its"
            f" {ws.y[row, i]:g} counts cannot be shared out; IgnoreBinErrors leaves such bins out"
        )


def _in_mode(params: F64, mode: BinningMode) -> F64:
    if mode == "Default":
        return params
    params = params.copy()
    steps = params if len(params) == 1 else params[1::2]
    steps[:] = np.abs(steps) if mode in ("Linear", "Power") else -np.abs(steps)
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
