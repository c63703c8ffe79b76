"""What a moderator gives and what the choppers let through: intensity against wavelength."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

H_OVER_M = 3956.034
"""h / neutron mass in Å m/s: velocity (m/s) = H_OVER_M / wavelength (Å)."""
TOF_PER_LAMBDA = 1e6 / H_OVER_M
"""Time of flight in µs per metre and Å, 252.778."""


def maxwellian(wavelength: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Maxwellian flux per unit wavelength (1/Å), its integral being one; wavelength in Å, temperature in K."""
    a = 949.0 / temperature
    return np.asarray(2.0 * a**2 / wavelength**5 * np.exp(-a / wavelength**2), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Band:
    """Wavelength band chosen by the choppers.

    Parameters
    ----------
    centre, width : float
        Å.
    edge : float
        Width of the error-function edges, Å: a chopper blade takes time to cross the beam.
    """

    centre: float
    width: float
    edge: float = 0.03

    @property
    def low(self) -> float:
        """Lower edge, Å."""
        return self.centre - self.width / 2

    @property
    def high(self) -> float:
        """Upper edge, Å."""
        return self.centre + self.width / 2

    def transmission(self, wavelength: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of the beam let through at each wavelength (Å)."""
        rising = erf((wavelength - self.low) / self.edge)
        falling = erf((wavelength - self.high) / self.edge)
        return np.asarray(0.5 * (rising - falling), dtype=np.float64)


def band_of_frame(centre: float, flight_path: float, frequency: float) -> Band:
    """Widest band (Å) whose slowest neutrons are not overtaken by the next pulse's fastest at ``flight_path`` (m)."""
    return Band(centre, H_OVER_M / (frequency * flight_path))


def decoupled_hydrogen(wavelength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Flux per unit wavelength of a decoupled hydrogen moderator: two Maxwellians and the epithermal 1/λ tail."""
    # joined at 0.9 Å, where it is a fifth of the whole; an estimate
    epithermal = 0.2 / wavelength / (1.0 + np.exp(np.minimum(5.0 * (wavelength - 0.9), 500.0)))
    return 0.6 * maxwellian(wavelength, 330.0) + 0.4 * maxwellian(wavelength, 60.0) + epithermal


class Sampler:
    """Random numbers distributed as a tabulated density, by inverting its integral.

    Parameters
    ----------
    x : float64[n]
        Where the density is known, ascending.
    density : float64[n]
        Not negative; any scale.
    """

    def __init__(self, x: NDArray[np.float64], density: NDArray[np.float64]) -> None:
        steps = 0.5 * (density[1:] + density[:-1]) * np.diff(x)
        total = np.concatenate(([0.0], np.cumsum(steps)))
        self._x = x
        self._integral = total / total[-1]

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """N values."""
        return np.interp(rng.random(n), self._integral, self._x)


class AliasTable:
    """Draws row numbers with given weights at a cost that does not grow with their number (Walker's alias method).

    A cumulative table of half a million rows costs a binary search through cache misses for each event; this costs
    two random numbers and one look-up, which is what lets a laptop simulate a million events a second.
    """

    def __init__(self, weights: NDArray[np.float64]) -> None:
        n = len(weights)
        share = (weights * (n / weights.sum())).tolist()
        other = list(range(n))
        light = [row for row in range(n) if share[row] < 1.0]
        heavy = [row for row in range(n) if share[row] >= 1.0]
        while light and heavy:
            row, filler = light.pop(), heavy[-1]
            other[row] = filler
            share[filler] -= 1.0 - share[row]
            if share[filler] < 1.0:
                light.append(heavy.pop())
        self._share, self._other = np.array(share), np.array(other, dtype=np.int64)

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.int64]:
        """N row numbers."""
        rows = rng.integers(0, len(self._share), n)
        return np.where(rng.random(n) < self._share[rows], rows, self._other[rows])
