"""NormaliseToMonitor: values divided by what a beam monitor counted, bin by bin or altogether."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np

from livereduce.algorithms.arithmetic import divide
from livereduce.algorithms.binning import rebinned, shared_out
from livereduce.algorithms.cropping import integration
from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.memory import warned_once
from livereduce.algorithms.operands import Values
from livereduce.algorithms.spectra import taken
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, MatrixWorkspace
from livereduce.workspaces.arrays import F64

log = logging.getLogger(__name__)


class NormalisedToMonitor(NamedTuple):
    """What NormaliseToMonitor returns.

    Attributes
    ----------
    output_workspace
        The normalised workspace.
    norm_factor_ws
        What it was divided by: the monitor's counts in the range, or a factor for each bin.
    """

    output_workspace: MatrixWorkspace
    norm_factor_ws: HistogramWorkspace | None


@algorithm("NormaliseToMonitor", names={"monitor_id": "MonitorID", "norm_factor_ws": "NormFactorWS"})
def normalise_to_monitor(
    ws: MatrixWorkspace,
    monitor_spectrum: int = -1,
    monitor_id: int | None = None,
    monitor_workspace: MatrixWorkspace | None = None,
    monitor_workspace_index: int = 0,
    integration_range_min: float | None = None,
    integration_range_max: float | None = None,
    include_partial_bins: bool = False,
) -> NormalisedToMonitor:
    """Divide every spectrum by a monitor's counts, errors of both propagated. Events stay events.

    Without a range this is done bin by bin, s/m with the mean m of the monitor per X restored: s_i becomes
    (s_i / m_i) w_i (sum of m) / (sum of w), with widths w, so values remain counts. The sum counts as exact. Where the
    monitor has other bins it is put into those of the spectra. With a range, everything is divided by the monitor's
    counts in it and has no unit any more.

    A monitor is looked for among the spectra of the workspace and then in the monitor workspace attached to it, where
    live data have theirs. It must be in the same unit of X. Where it has no counts the result is infinite or NaN.

    Parameters
    ----------
    monitor_spectrum
        Spectrum number of the monitor; negative for none. It goes before monitor_id.
    monitor_id
        Detector ID of the monitor.
    monitor_workspace
        Workspace with the monitor; it goes before both.
    monitor_workspace_index
        Index of the monitor's spectrum in that.
    integration_range_min, integration_range_max
        Range of X to sum the monitor over; a limit that is not given, or beyond the monitor's X, is that of its X.
    include_partial_bins
        Whether bins of the monitor partly in the range count in that proportion.
    """
    if ws.distribution:
        raise ValueError("InputWorkspace: it is a distribution; ConvertFromDistribution makes counts of it")
    if not ws.is_histogram and ws.n_bins > 1:
        raise ValueError("InputWorkspace: it has points, not bins; ConvertToHistogram gives it bins")
    monitor = _monitor(ws, monitor_spectrum, monitor_id, monitor_workspace, monitor_workspace_index)
    if integration_range_min is None and integration_range_max is None and ws.is_histogram:
        factor = _bin_by_bin(ws, monitor)
        if zeros := int(np.count_nonzero(factor.y == 0)):
            message = "NormaliseToMonitor: the monitor has no counts in %d of %d bins; values there are infinite or NaN"
            log.warning(message, zeros, factor.y.size)
        return NormalisedToMonitor(divide(ws, factor, warn_on_zero_divide=False), factor)
    factor = _total(monitor, integration_range_min, integration_range_max, include_partial_bins)
    result = divide(ws, factor)
    result.y_unit = result.y_label = ""
    return NormalisedToMonitor(result, factor)


def _monitor(
    ws: MatrixWorkspace, number: int, detector: int | None, separate: MatrixWorkspace | None, index: int
) -> MatrixWorkspace:
    """Return the one spectrum to normalise by."""
    if separate is not None:
        if number >= 0 or detector is not None:
            warned_once(ws.spectra, log, "NormaliseToMonitor: MonitorWorkspace goes before the other ways to choose")
        if not 0 <= index < separate.n_spectra:
            raise ValueError(f"MonitorWorkspaceIndex: {index} is not in 0 to {separate.n_spectra - 1}")
        found = separate
    else:
        if number < 0 and detector is None:
            raise ValueError("give MonitorSpectrum, MonitorID or MonitorWorkspace")
        found, index = _searched(ws, number, detector)
    if found.unit != ws.unit:
        raise ValueError(
            f"the monitor is in {found.unit!r}, the workspace in {ws.unit!r}; convert it (ConvertUnits; what is"
            " attached: getMonitorWorkspace()) and give it as MonitorWorkspace"
        )
    if found.distribution or not (found.is_histogram or found.n_bins == 1):
        raise ValueError("the monitor must be counts in bins, found a distribution or points")
    if found.spectra.masked[index]:
        raise ValueError(f"the monitor, spectrum {found.spectra.numbers[index]}, is masked: it has no counts")
    return taken(found, np.array([index]))


def _searched(ws: MatrixWorkspace, number: int, detector: int | None) -> tuple[MatrixWorkspace, int]:
    """Return the workspace that has the monitor, itself or the attached one, and its index there."""
    for place in (ws, ws.monitors):
        if place is None:
            continue
        index = _index_of(place, number, detector)
        if index >= 0:
            if not place.spectra.take([index]).is_monitor(place.detectors).all():
                message = "NormaliseToMonitor: spectrum %d, which is normalised by, is not known as a monitor"
                warned_once(place.spectra, log, message, int(place.spectra.numbers[index]))
            return place, index
    what = f"MonitorSpectrum: no spectrum has number {number}" if number >= 0 else ""
    what = what or f"MonitorID: no spectrum has detector {detector}"
    places = (
        "the workspace, which has no monitor workspace" if ws.monitors is None else "the workspace and its monitors"
    )
    raise ValueError(f"{what} in {places}")


def _index_of(ws: MatrixWorkspace, number: int, detector: int | None) -> int:
    """Return the index of a spectrum by its number or, without, by a detector; -1 if there is none."""
    if number >= 0:
        return int(ws.spectra.index_of_numbers([number])[0])
    return -1 if detector is None else int(ws.spectra.index_of_detectors([detector])[0])


def _bin_by_bin(ws: MatrixWorkspace, monitor: MatrixWorkspace) -> HistogramWorkspace:
    """Return what each bin is divided by: the monitor's counts, over their mean per X times the width."""
    rows = np.atleast_2d(ws.x)
    counts = _in_bins(monitor, rows)
    total, width = counts.y.sum(axis=1, keepdims=True), np.diff(rows)
    if not np.all(total > 0):
        raise _no_counts(monitor, float(rows.min()), float(rows.max()))
    norm = width.sum(axis=1, keepdims=True) / (total * width)
    return _factor(ws, monitor, ws.x, Values(counts.y * norm, counts.e2 * norm**2))


def _in_bins(monitor: MatrixWorkspace, rows: F64) -> Values:
    """Return the monitor's counts in each of these rows of edges."""
    if len(rows) == 1:
        same = monitor.x.size == rows.size and np.array_equal(monitor.x.reshape(-1), rows[0])
        counted = monitor if same else rebinned(monitor, rows[0], preserve_events=False)
        return Values(counted.y, counted.e2)
    if isinstance(monitor, EventWorkspace) and monitor.default_binning:
        raise ValueError("the spectra have different bins and the monitor has none: Rebin it, or them, first")
    x, y, e2 = (np.atleast_2d(values) for values in (monitor.x, monitor.y, monitor.e2))
    return Values(*shared_out(x, y, e2, rows, distribution=False))


def _total(monitor: MatrixWorkspace, low: float | None, high: float | None, partial: bool) -> HistogramWorkspace:
    """Return the monitor's counts in a range, limited to its X."""
    if low is not None and high is not None and low > high:
        raise ValueError(f"IntegrationRangeMin ({low:g}) is greater than IntegrationRangeMax ({high:g})")
    first, last = float(monitor.x.min()), float(monitor.x.max())
    low, high = (None if end is None or not first <= end <= last else end for end in (low, high))
    total = integration(monitor, low, high, include_partial_bins=partial)
    if not total.y[0, 0] > 0:
        raise _no_counts(monitor, first if low is None else low, last if high is None else high)
    return _factor(monitor, monitor, total.x, Values(total.y, total.e2))


def _no_counts(monitor: MatrixWorkspace, low: float, high: float) -> RuntimeError:
    number = monitor.spectra.numbers[0]
    return RuntimeError(f"the monitor, spectrum {number}, has no counts from {low:g} to {high:g} ({monitor.unit})")


def _factor(ws: MatrixWorkspace, monitor: MatrixWorkspace, x: F64, values: Values) -> HistogramWorkspace:
    """Return values to divide by as a workspace: without a unit of their own, so that what they divide keeps its."""
    spectra = monitor.spectra if len(values.y) == 1 else ws.spectra
    return HistogramWorkspace(
        x, values.y, values.e2, detectors=monitor.detectors, spectra=spectra, run=monitor.logs.clone(),
        unit=monitor.unit, y_unit="",
    )  # fmt: skip
