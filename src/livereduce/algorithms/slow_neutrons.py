"""Neutrons slower, or resolved worse, than a frame is meant for: what AlignAndFocusPowder does about them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from livereduce.algorithms.operands import as_histogram
from livereduce.algorithms.time_windows import has_plain_times, parts_within
from livereduce.geometry.units import geometric_difc
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, MatrixWorkspace
from livereduce.workspaces.arrays import Bool

# Slope of the least square root of d against the decade of the resolution (K of Mantid's RemoveLowResTOF).
_SLOPE = 3.22


def unwrapped(ws: MatrixWorkspace, reference: float, t_min: float, t_max: float) -> EventWorkspace:
    """Return events that are too early for their flight path at a later time, by the length of the frame.

    A neutron that took t_min to a detector at the reference path is the fastest there is; what comes earlier, over the
    path of its own detector, started in the frame before.

    Parameters
    ----------
    reference
        Flight path from the source, m.
    t_min, t_max
        Beginning and end of the frame, µs.
    """
    events = _plain(ws, "UnwrapRef")
    geometry = ws.spectra.geometry_from(ws.detectors)
    path = np.nan_to_num(geometry.l1 + geometry.l2)
    earliest, always = t_min * path / reference, np.full(ws.n_spectra, np.inf)
    in_time = parts_within(events, earliest, always)
    late = []
    for part in parts_within(events, -always, earliest):
        moved = part.plan.y_map()[1] + (t_max - t_min)
        late.append(part.with_plan(part.plan.in_unit("TOF", None, moved)))
    return events.replaced(parts=[*in_time, *late])


class ByResolution(NamedTuple):
    """Data whose detectors resolve as well as the reference, and the others."""

    good: MatrixWorkspace
    low: MatrixWorkspace


def by_resolution(ws: MatrixWorkspace, reference: float, t_min: float) -> ByResolution:
    """Part the data at the times of flight below which a detector resolves worse than one of the reference does.

    Resolution is low below t = (sqrt(t_min / reference) + 3.22 log10(reference / difc))² difc, with difc of the
    detector's position; nowhere if the sum in brackets is negative (Mantid's RemoveLowResTOF, the criterion of
    J. Hodges).

    Parameters
    ----------
    reference
        Time of flight per d-spacing, µs/Å.
    t_min
        Least time of flight at the reference, µs.
    """
    geometry = ws.spectra.geometry_from(ws.detectors)
    difc = geometric_difc(geometry.l1, geometry.l2, geometry.two_theta)
    known = np.isfinite(difc) & (difc > 0)
    difc = np.where(known, difc, reference)
    root = np.sqrt(t_min / reference) + _SLOPE * np.log10(reference / difc)
    least = np.where(known & (root > 0), root**2 * difc, -np.inf)
    if isinstance(ws, EventWorkspace):
        events, infinite = _plain(ws, "LowResRef"), np.full(ws.n_spectra, np.inf)
        windows = (least, infinite), (-infinite, least)
        return ByResolution(*(events.replaced(parts=parts_within(events, *window)) for window in windows))
    histogram = as_histogram(ws)
    left = histogram.x[..., : histogram.n_bins]
    good = np.broadcast_to(left, histogram.y.shape) >= least[:, None]
    return ByResolution(*(_only(histogram, bins) for bins in (good, ~good)))


def _only(ws: HistogramWorkspace, bins: Bool) -> MatrixWorkspace:
    return ws.replaced(y=np.where(bins, ws.y, 0.0), e2=np.where(bins, ws.e2, 0.0), e=None)


def _plain(ws: MatrixWorkspace, option: str) -> EventWorkspace:
    if not isinstance(ws, EventWorkspace) or not has_plain_times(ws):
        raise ValueError(f"{option}: needs events with the times of flight as they came")
    return ws
