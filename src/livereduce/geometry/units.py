"""Time of flight and what it stands for: wavelength, energy, d-spacing, momentum, energy transfer.

Every unit is X = intercept + slope (factor TOF + offset)^power with a factor and an offset per detector and a power of
1, -1 or -2, so X is monotone in the time of flight. Times in us, lengths in m, wavelength and d in Å, momentum in 1/Å,
energies in meV. Formulas follow from v = h / (m λ) and E = m v² / 2; the constants are CODATA 2018.

Energy transfer is Ei - Ef in both modes: positive where the neutron lost energy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from livereduce.geometry.document import GeometryError
from livereduce.geometry.instrument import frozen
from livereduce.geometry.space import Floats

PLANCK = 6.62607015e-34  # J s
NEUTRON_MASS = 1.67492749804e-27  # kg
MEV = 1.602176634e-22  # J
WAVENUMBER = 8.06554465  # 1/cm in a meV

US_PER_M_ANGSTROM = NEUTRON_MASS / PLANCK * 1e-4
"""Time of flight of 1 Å over 1 m: 252.778413 us."""
US_SQRT_MEV_PER_M = float(np.sqrt(NEUTRON_MASS / (2.0 * MEV))) * 1e6
"""Time of flight of 1 meV over 1 m: 2286.27155 us."""
MEV_ANGSTROM2 = (US_SQRT_MEV_PER_M / US_PER_M_ANGSTROM) ** 2
"""Energy of a neutron of 1 Å: 81.804210 meV."""

Mode = Literal["Elastic", "Direct", "Indirect"]
UnitId = Literal[
    "TOF",
    "Wavelength",
    "Energy",
    "Energy_inWavenumber",
    "Momentum",
    "dSpacing",
    "MomentumTransfer",
    "QSquared",
    "DeltaE",
    "DeltaE_inWavenumber",
]
UNITS: tuple[str, ...] = get_args(UnitId)


@dataclass(frozen=True, slots=True)
class Conversion:
    """X of n detectors as a function of time of flight: ``intercept + slope * (factor * tof + offset)**power``.

    Attributes
    ----------
    factor, offset
        float64[n]; a factor of 0 means that the unit has no value there (a monitor has no d-spacing).
    intercept
        float64[n], or one for all.
    """

    unit: str
    factor: Floats
    offset: Floats
    power: int = 1
    slope: float = 1.0
    intercept: Floats | float = 0.0

    @property
    def rising(self) -> bool:
        """Whether X grows with time of flight; if not, bin edges come out in reverse order."""
        return (self.slope > 0) == (self.power > 0)

    @property
    def undefined(self) -> NDArray[np.bool_]:
        """bool[n]: detectors for which the unit has no value."""
        result: NDArray[np.bool_] = self.factor == 0.0
        return result

    def from_tof(self, tof: ArrayLike, rows: ArrayLike | None = None) -> Floats:
        """X at times of flight in us; nan where there is none.

        Parameters
        ----------
        tof
            With `rows`, any shape those fit; without, float[m] or float[n, m] for an answer of float64[n, m].
        rows
            Detector of each time.
        """
        factor, offset, intercept = self._of(rows)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            y = factor * np.asarray(tof, dtype=np.float64) + offset
            if self.power < 0:
                # a neutron that takes no time has an infinite energy, but no energy transfer
                y = np.where(y > 0.0 if np.any(intercept) else y >= 0.0, y, np.nan)
            x = intercept + self.slope * y**self.power
        return np.where(factor == 0.0, np.nan, x)

    def to_tof(self, x: ArrayLike, rows: ArrayLike | None = None) -> Floats:
        """Return times of flight in us at X, shapes as in `from_tof`; nan where there is none."""
        factor, offset, intercept = self._of(rows)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            y = (np.asarray(x, dtype=np.float64) - intercept) / self.slope
            if self.power < 0:
                y = np.where(y >= 0.0, y, np.nan) ** (1.0 / self.power)
            result: Floats = np.where(factor == 0.0, np.nan, (y - offset) / factor)
        return result

    def _of(self, rows: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
        intercept = np.broadcast_to(np.asarray(self.intercept, dtype=np.float64), self.factor.shape)
        if rows is None:
            return self.factor[:, None], self.offset[:, None], intercept[:, None]
        at = np.asarray(rows)
        return self.factor[at], self.offset[at], intercept[at]


def conversion(
    unit: str,
    *,
    l1: float,
    l2: ArrayLike,
    two_theta: ArrayLike,
    monitor: ArrayLike | None = None,
    mode: Mode = "Elastic",
    fixed_energy: ArrayLike | None = None,
) -> Conversion:
    """Make the conversion between time of flight and a unit.

    Parameters
    ----------
    unit
        One of `UNITS`.
    l1
        Source to sample, m.
    l2, two_theta
        float[n] m and rad: sample to detector, for monitors such that l1 + l2 is the flight path; scattering angle.
    monitor
        bool[n]; monitors convert elastically and have no d, Q or energy transfer.
    mode
        Direct: `fixed_energy` is the incident one and wavelength, energy and momentum are those of the scattered
        neutron. Indirect: it is the final one, and they are those of the incident neutron.
    fixed_energy
        meV, one for all or float[n]. nan: no value for that detector.

    Raises
    ------
    ValueError
        Unknown unit or mode, a fixed energy is needed and missing or not positive, or energy transfer is asked for in
        elastic mode.
    GeometryError
        The distance from source to sample is not known.
    """
    if unit not in UNITS:
        raise ValueError(f"unknown unit {unit!r}; expected one of {', '.join(UNITS)}")
    if mode not in get_args(Mode):
        raise ValueError(f"unknown mode {mode!r}; expected one of {', '.join(get_args(Mode))}")
    distance, angle = np.broadcast_arrays(np.atleast_1d(np.asarray(l2, float)), np.asarray(two_theta, float))
    is_monitor = np.broadcast_to(np.asarray(False if monitor is None else monitor, dtype=np.bool_), distance.shape)
    if unit == "TOF":
        return Conversion(unit, frozen(np.ones(distance.shape)), frozen(np.zeros(distance.shape)))
    if not np.isfinite(l1):
        raise GeometryError(f"no conversion to {unit}: the distance from source to sample is not known")
    if unit in {"dSpacing", "MomentumTransfer", "QSquared"}:
        # elastic by definition, also on inelastic instruments
        return _from_d_spacing(unit, l1 + distance, np.where(is_monitor, 0.0, angle))
    if unit.startswith("DeltaE"):
        if mode == "Elastic":
            raise ValueError(f"{unit} has no meaning in elastic mode; choose Direct or Indirect")
        energy = _fixed(fixed_energy, distance.shape, mode)
        known, unknown = (l1, distance) if mode == "Direct" else (distance, l1)
        return _energy_transfer(unit, known, unknown, np.where(is_monitor, np.nan, energy), mode)
    path, start = l1 + distance, np.zeros(distance.shape)
    if mode != "Elastic":
        energy = _fixed(fixed_energy, distance.shape, mode)
        known, unknown = (l1, distance) if mode == "Direct" else (distance, l1)
        path = np.where(is_monitor, path, np.broadcast_to(unknown, distance.shape))
        start = np.where(is_monitor, 0.0, US_SQRT_MEV_PER_M * known / np.sqrt(energy))
    return _of_the_neutron(unit, path, start)


def geometric_difc(l1: float, l2: ArrayLike, two_theta: ArrayLike) -> Floats:
    """Time of flight per d-spacing in us/Å from flight path and angle: 252.778 (l1 + l2) 2 sin(two_theta/2)."""
    path = l1 + np.asarray(l2, dtype=np.float64)
    return US_PER_M_ANGSTROM * path * 2.0 * np.sin(np.asarray(two_theta, dtype=np.float64) / 2.0)


def wave_vector(energy: ArrayLike) -> Floats:
    """Momentum k = 2 pi / λ in 1/Å of neutrons of an energy in meV."""
    return 2.0 * np.pi * np.sqrt(np.asarray(energy, dtype=np.float64) / MEV_ANGSTROM2)


def inelastic_momentum_transfer(ei: ArrayLike, ef: ArrayLike, two_theta: ArrayLike) -> Floats:
    """|Q| in 1/Å for energies before and after in meV: Q² = ki² + kf² - 2 ki kf cos(two_theta)."""
    ki, kf = wave_vector(ei), wave_vector(ef)
    # (ki - kf)² + 4 ki kf sin²(two_theta/2) is the same and keeps its digits at small angles
    half = np.sin(np.asarray(two_theta, dtype=np.float64) / 2.0)
    result: Floats = np.sqrt((ki - kf) ** 2 + 4.0 * ki * kf * half**2)
    return result


def _fixed(energy: ArrayLike | None, shape: tuple[int, ...], mode: str) -> Floats:
    which = "incident" if mode == "Direct" else "final"
    if energy is None:
        raise ValueError(f"{mode} mode needs the {which} energy in meV")
    values = np.broadcast_to(np.asarray(energy, dtype=np.float64), shape)
    if np.any(values <= 0.0) or np.all(np.isnan(values)):
        wrong = values[~(values > 0.0)].flat[0] if values.size else energy
        raise ValueError(f"the {which} energy is {wrong} meV; expected a positive number")
    return values


def _from_d_spacing(unit: str, path: Floats, angle: Floats) -> Conversion:
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = 1.0 / (US_PER_M_ANGSTROM * path * 2.0 * np.sin(angle / 2.0))
    power, slope = {
        "dSpacing": (1, 1.0),
        "MomentumTransfer": (-1, 2.0 * np.pi),
        "QSquared": (-2, 4.0 * np.pi**2),
    }[unit]
    return _finished(unit, factor, np.zeros(factor.shape), power, slope)


def _of_the_neutron(unit: str, path: Floats, start: Floats) -> Conversion:
    """Of a neutron that flew `path` since time `start`; y is the wavelength, or the inverse root of the energy."""
    per_metre, power, slope = {
        "Wavelength": (US_PER_M_ANGSTROM, 1, 1.0),
        "Momentum": (US_PER_M_ANGSTROM, -1, 2.0 * np.pi),
        "Energy": (US_SQRT_MEV_PER_M, -2, 1.0),
        "Energy_inWavenumber": (US_SQRT_MEV_PER_M, -2, WAVENUMBER),
    }[unit]
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = 1.0 / (per_metre * path)
    return _finished(unit, factor, -start * factor, power, slope)


def _energy_transfer(unit: str, known: ArrayLike, unknown: ArrayLike, energy: Floats, mode: str) -> Conversion:
    """Spend the fixed energy's time on the `known` path; what is left belongs to the `unknown` one."""
    scale = WAVENUMBER if unit.endswith("Wavenumber") else 1.0
    sign = scale if mode == "Direct" else -scale
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = 1.0 / (US_SQRT_MEV_PER_M * np.broadcast_to(np.asarray(unknown, dtype=np.float64), energy.shape))
        offset = -US_SQRT_MEV_PER_M * np.asarray(known) / np.sqrt(energy) * factor
    different = np.unique(energy[~np.isnan(energy)])
    intercept = sign * float(different[0]) if len(different) == 1 else frozen(sign * energy)
    return _finished(unit, factor, offset, -2, -sign, intercept)


def _finished(
    unit: str, factor: Floats, offset: Floats, power: int, slope: float, intercept: Floats | float = 0.0
) -> Conversion:
    there = np.isfinite(factor) & (factor > 0.0) & np.isfinite(offset)
    return Conversion(
        unit, frozen(np.where(there, factor, 0.0)), frozen(np.where(there, offset, 0.0)), power, slope, intercept
    )
