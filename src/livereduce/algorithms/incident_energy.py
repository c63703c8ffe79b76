"""GetEi: the energy of neutrons that have passed a chopper, from the times they take between two monitors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from livereduce.algorithms.binning import rebinned
from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.spectra import indices_of_numbers, taken
from livereduce.algorithms.values import to_integer
from livereduce.geometry.units import US_SQRT_MEV_PER_M
from livereduce.workspaces import EventWorkspace, MatrixWorkspace
from livereduce.workspaces.arrays import F64

# Bins up to twice the expected time for events that have none.
_BINS = 4000


class IncidentEnergy(NamedTuple):
    """What GetEi returns.

    Attributes
    ----------
    incident_energy
        meV.
    first_monitor_peak
        Time of flight at the first monitor, µs.
    first_monitor_index
        Its workspace index.
    tzero
        Time at which the neutrons left the source, µs.
    """

    incident_energy: float
    first_monitor_peak: float
    first_monitor_index: int
    tzero: float


@algorithm("GetEi", version=2, names={"monitor1_spec": "Monitor1Spec", "monitor2_spec": "Monitor2Spec"})
def get_ei(
    ws: MatrixWorkspace,
    monitor1_spec: int | None = None,
    monitor2_spec: int | None = None,
    energy_estimate: float | None = None,
    fix_ei: bool = False,
    peak_search_range: float = 0.08,
) -> IncidentEnergy:
    """Find the incident energy, and when the neutrons left the source, from their peaks in two monitors.

    The peak of a monitor is the middle between the places left and right of its highest bin where the counts above
    background have fallen to half, interpolated between bin centres. The energy is written to the workspace's log Ei.

    Parameters
    ----------
    ws
        Workspace in time of flight with the spectra of the monitors.
    monitor1_spec, monitor2_spec
        Spectrum numbers of the two monitors; by default what the instrument says (ei-mon1-spec, ei-mon2-spec).
    energy_estimate
        About where to look, meV; by default the log EnergyRequest.
    fix_ei
        Whether the estimate is the energy; then no peak is looked for and times follow from it.
    peak_search_range
        How far from the time that follows from the estimate a peak is looked for, as a fraction of it.
    """
    if ws.unit != "TOF":
        raise ValueError(f"InputWorkspace: X must be TOF, found {ws.unit!r}")
    estimate = _estimate(ws, energy_estimate)
    first, second = (
        _monitor_index(ws, spec, f"ei-mon{n}-spec", f"Monitor{n}Spec")
        for n, spec in ((1, monitor1_spec), (2, monitor2_spec))
    )
    paths = [_path_to(ws, index) for index in (first, second)]
    slowness = US_SQRT_MEV_PER_M / np.sqrt(estimate)  # µs/m
    if fix_ei:
        found = IncidentEnergy(estimate, slowness * paths[0], first, 0.0)
    else:
        peaks = [
            _peak(ws, index, slowness * path, peak_search_range)
            for index, path in zip((first, second), paths, strict=True)
        ]
        if paths[0] == paths[1] or (peaks[1] - peaks[0]) / (paths[1] - paths[0]) <= 0:
            raise ValueError(
                f"the neutrons are at {paths[0]:g} m at {peaks[0]:g} µs and at {paths[1]:g} m at {peaks[1]:g} µs:"
                " from this there is no speed"
            )
        slowness = (peaks[1] - peaks[0]) / (paths[1] - paths[0])
        energy = (US_SQRT_MEV_PER_M / slowness) ** 2
        found = IncidentEnergy(float(energy), float(peaks[0]), first, float(peaks[0] - slowness * paths[0]))
    ws.logs.set("Ei", found.incident_energy, "meV")
    return found


def _estimate(ws: MatrixWorkspace, given: float | None) -> float:
    if given is None:
        if "EnergyRequest" not in ws.logs:
            raise ValueError("EnergyEstimate: must be given; the logs have no EnergyRequest")
        given = ws.logs.getPropertyAsSingleValue("EnergyRequest")
    if given <= 0:
        raise ValueError(f"EnergyEstimate: must be positive, found {given:g}")
    return given


def _monitor_index(ws: MatrixWorkspace, spec: int | None, parameter: str, name: str) -> int:
    if spec is None:
        instrument = ws.detectors.instrument
        text = None if instrument is None else instrument.parameter_text(parameter)
        if text is None:
            raise ValueError(f"{name}: must be given; the instrument has no parameter {parameter}")
        spec = to_integer(float(text))
    return int(indices_of_numbers(ws, name, [spec])[0])


def _path_to(ws: MatrixWorkspace, index: int) -> float:
    """Distance of a spectrum's detector from the source, m."""
    geometry = ws.spectra.geometry_from(ws.detectors)
    path = float(geometry.l1 + geometry.l2[index])
    if not np.isfinite(path) or path <= 0:
        raise ValueError(f"spectrum {ws.spectra.numbers[index]}: how far it is from the source is not known")
    return path


def _peak(ws: MatrixWorkspace, index: int, expected: float, search: float) -> float:
    """Time of the peak of a monitor near an expected time, µs."""
    row = taken(ws, np.array([index]))
    if isinstance(row, EventWorkspace) and row.default_binning:
        row = rebinned(row, np.linspace(0.0, 2.0 * expected, _BINS + 1))
    if not row.is_histogram:
        raise ValueError("InputWorkspace: its X holds points; ConvertToHistogram first")
    edges, counts = row.readX(0), row.readY(0)
    rate = counts if row.distribution else counts / np.diff(edges)
    centre = (edges[1:] + edges[:-1]) / 2
    window = np.abs(centre - expected) <= search * expected
    where = f"spectrum {ws.spectra.numbers[index]}, {expected * (1 - search):.5g} to {expected * (1 + search):.5g} µs"
    if np.count_nonzero(window) < 3 or not rate[window].any():
        raise ValueError(f"{where}: there are no counts to find a peak in; is EnergyEstimate right?")
    top = int(np.argmax(np.where(window, rate, -np.inf)))
    return _middle_of_half_height(centre, rate, top, float(np.median(rate[window])), where)


def _middle_of_half_height(x: F64, y: F64, top: int, background: float, where: str) -> float:
    """Middle of the two places around bin `top` where y has fallen half way to the background."""
    half = background + (y[top] - background) / 2
    below = np.flatnonzero(y < half)
    left, right = below[below < top], below[below > top]
    if not len(left) or not len(right):
        raise ValueError(f"{where}: the counts do not fall to half on both sides of their maximum at {x[top]:.5g} µs")
    i, j = left[-1], right[0]
    start = x[i] + (half - y[i]) / (y[i + 1] - y[i]) * (x[i + 1] - x[i])
    end = x[j - 1] + (half - y[j - 1]) / (y[j] - y[j - 1]) * (x[j] - x[j - 1])
    return float((start + end) / 2)
