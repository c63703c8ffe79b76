"""ConvertUnits: what a workspace's X is, from flight paths, angles and fixed energies."""

from __future__ import annotations

import logging
import weakref

import numpy as np

from livereduce.algorithms.binning import rebinned
from livereduce.algorithms.converting import converted
from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.memory import remembered, warned_once
from livereduce.algorithms.shifting import scaled_x
from livereduce.geometry.units import UNITS, WAVENUMBER, Conversion, Mode, UnitId, conversion
from livereduce.workspaces import EventWorkspace, MatrixWorkspace
from livereduce.workspaces.arrays import F64

log = logging.getLogger(__name__)

# Units that turn into each other without a flight path.
_OF_THE_NEUTRON = {"Wavelength", "Energy", "Energy_inWavenumber", "Momentum"}
_OF_THE_LATTICE = {"dSpacing", "MomentumTransfer", "QSquared"}
_TRANSFER = {"DeltaE": 1.0, "DeltaE_inWavenumber": WAVENUMBER}


@algorithm("ConvertUnits")
def convert_units(
    ws: MatrixWorkspace,
    target: UnitId,
    e_mode: Mode = "Elastic",
    e_fixed: float | None = None,
    align_bins: bool = False,
    convert_from_point_data: bool = True,
) -> MatrixWorkspace:
    """Express X in another unit; counts stay what they are, events stay events.

    Where X falls with the old unit, bins come out in reverse order. Every spectrum has its own X afterwards; Rebin or
    AlignBins makes it common. Spectra without detectors, and those with scattering angle 0 for d-spacing and momentum
    transfer, are set to zero. For energy transfer bins at times no neutron of that energy can have are taken away.

    Parameters
    ----------
    target
        The new unit: µs, Å, meV, 1/cm, 1/Å or 1/Å².
    e_mode
        Direct: e_fixed is the incident energy. Indirect: it is the final one.
    e_fixed
        Fixed energy, meV. Default: in direct mode the log Ei (or EnergyRequest, a set point), in indirect mode Efixed
        of the instrument, which may differ between detectors.
    align_bins
        Whether to rebin to one linear axis from the least to the greatest X, with as many bins as before.
    convert_from_point_data
        Whether points are converted (they stay points); without, they are an error.
    """
    if target == ws.unit:
        return ws.clone()
    if not ws.is_histogram and not convert_from_point_data:
        raise ValueError("InputWorkspace: its X holds points; ConvertFromPointData=True converts them too")
    if ws.unit not in UNITS:
        raise ValueError(f"InputWorkspace: X is in {ws.unit!r}, which is no unit that times of flight have")
    if ws.unit in _TRANSFER and target in _TRANSFER:
        result = scaled_x(ws, _TRANSFER[target] / _TRANSFER[ws.unit], unit=target)
    else:
        result = in_unit(ws, target, e_mode, e_fixed)
    return aligned(result) if align_bins else result


def in_unit(ws: MatrixWorkspace, unit: str, mode: Mode = "Elastic", e_fixed: float | None = None) -> MatrixWorkspace:
    """Return the workspace in a unit; as ConvertUnits, without its special cases.

    Raises
    ------
    ValueError
        There is no such unit, a fixed energy is needed and not known, or no spectrum has the unit.
    GeometryError
        The distance from source to sample is not known.
    """
    energy = None if mode == "Elastic" else e_fixed if e_fixed is not None else _known_energy(ws, mode)
    # spectra and detectors are those of the chunk before, as a rule
    key = ("units", weakref.ref(ws.detectors), ws.unit, unit, mode, energy)
    source, target = remembered(ws.spectra, key, lambda: _conversions(ws, unit, mode, energy))
    return converted(ws, source, target, key)


def _conversions(ws: MatrixWorkspace, unit: str, mode: Mode, fixed: float | None) -> tuple[Conversion, Conversion]:
    """Present X and the new unit as functions of time of flight, a row per spectrum."""
    if any({ws.unit, unit} <= family for family in (_OF_THE_NEUTRON, _OF_THE_LATTICE)):
        # any path and angle gives the same relation between the two
        path, angle = np.zeros(ws.n_spectra), np.full(ws.n_spectra, np.pi)
        source, target = (conversion(each, l1=1.0, l2=path, two_theta=angle) for each in (ws.unit, unit))
        return source, target
    geometry = ws.spectra.geometry_from(ws.detectors)
    energy = _analyser_energies(ws) if mode == "Indirect" and fixed is None else fixed
    source, target = (
        conversion(
            each,
            l1=geometry.l1,
            l2=geometry.l2,
            two_theta=geometry.two_theta,
            monitor=ws.spectra.is_monitor(ws.detectors),
            mode=mode,
            fixed_energy=energy,
        )
        for each in (ws.unit, unit)
    )
    return source, target


def _known_energy(ws: MatrixWorkspace, mode: Mode) -> float | None:
    """Fixed energy that the logs know, meV; None in indirect mode, where the instrument says."""
    if mode == "Indirect":
        return None
    for name in ("Ei", "EnergyRequest"):
        if name in ws.logs:
            if name != "Ei":
                message = "ConvertUnits: EFixed is taken from %s, which is what was asked for, not measured"
                warned_once(ws.spectra, log, message, name)
            return ws.logs.getPropertyAsSingleValue(name)
    raise ValueError("EFixed: must be given in Direct mode; the logs have neither Ei nor EnergyRequest")


def _analyser_energies(ws: MatrixWorkspace) -> F64:
    """Efixed of each spectrum, meV: the mean over its detectors, NaN where there is none."""
    instrument = ws.detectors.instrument
    if instrument is None or np.all(np.isnan(by_detector := instrument.parameter("Efixed"))):
        raise ValueError("EFixed: must be given in Indirect mode; the instrument has no parameter Efixed")
    rows = instrument.rows_of(ws.spectra.ids)
    energy = np.where(rows >= 0, by_detector[rows], np.nan)
    used = ~np.isnan(energy)
    spectrum = ws.spectra.owner[used]
    with np.errstate(invalid="ignore"):
        mean: F64 = np.bincount(spectrum, energy[used], ws.n_spectra) / np.bincount(spectrum, minlength=ws.n_spectra)
    return mean


def aligned(ws: MatrixWorkspace) -> MatrixWorkspace:
    """Return the workspace with one linear axis over all there is, in as many bins."""
    if isinstance(ws, EventWorkspace) and ws.default_binning:
        return ws
    x = ws.x[np.isfinite(ws.x)]
    return rebinned(ws, np.linspace(x.min(), x.max(), ws.n_bins + 1))
