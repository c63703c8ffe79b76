"""Shapes of peaks and backgrounds as functions of X and their parameters; pure.

Every function may be given complex parameters: fits take derivatives from a step along the imaginary axis, which is
exact to the last digit. A peak also says where it is, how high and how wide, and what its parameters are for a peak of
given place, height and width; that is how starting values are found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from livereduce.algorithms.fitting.expressions import parse_expression
from livereduce.workspaces.arrays import F64

# full width at half maximum of a Gaussian, in standard deviations
FWHM_PER_SIGMA = 2 * float(np.sqrt(2 * np.log(2)))


class Extent(NamedTuple):
    """Where a peak is, and its size: what any peak shape can be told and asked."""

    centre: float
    height: float
    fwhm: float


@dataclass(frozen=True, slots=True)
class Peak:
    """How the parameters of a peak shape and its extent follow from each other."""

    centre: str
    extent: Callable[[Mapping[str, float]], Extent]
    parameters: Callable[[Extent], dict[str, float]]


@dataclass(frozen=True, slots=True)
class Profile:
    """A function by name.

    Attributes
    ----------
    function
        ``function(x, *parameters)``.
    defaults
        Its parameters in order, and the values of those that are not given.
    peak
        What makes it a peak; None for others.
    even
        Parameters whose sign makes no difference; a fit gives them positive.
    bounds
        What parameters must stay in.
    integral
        ``integral(x, *parameters)``, the function's integral up to x but for a constant; None where it is not known.
    """

    name: str
    function: Callable[..., F64]
    defaults: Mapping[str, float]
    peak: Peak | None = None
    even: tuple[str, ...] = ()
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    integral: Callable[..., F64] | None = None


def gaussian(x: F64, height: float, centre: float, sigma: float) -> F64:
    """Height times exp(-((x - centre) / sigma)² / 2)."""
    return height * np.exp(-0.5 * ((x - centre) / sigma) ** 2)


def gaussian_integral(x: F64, height: float, centre: float, sigma: float) -> F64:
    """Integrate `gaussian` from its centre to x."""
    from scipy import special  # here, as in `least_squares`

    result: F64 = height * sigma * np.sqrt(np.pi / 2) * special.erf((x - centre) / (sigma * np.sqrt(2)))
    return result


def lorentzian(x: F64, amplitude: float, centre: float, fwhm: float) -> F64:
    """Amplitude (the area) times the Cauchy density of that full width at half maximum."""
    half = fwhm / 2
    return amplitude / np.pi * half / ((x - centre) ** 2 + half**2)


def lorentzian_integral(x: F64, amplitude: float, centre: float, fwhm: float) -> F64:
    """Integrate `lorentzian` from its centre to x."""
    return amplitude / np.pi * np.arctan((x - centre) / (fwhm / 2))


def pseudo_voigt(x: F64, mixing: float, intensity: float, centre: float, fwhm: float) -> F64:
    """Intensity (the area) times the sum of a Gaussian (share `mixing`) and a Lorentzian of one width."""
    sigma = fwhm / FWHM_PER_SIGMA
    area = float(np.sqrt(2 * np.pi)) * sigma
    return intensity * (gaussian(x, mixing / area, centre, sigma) + lorentzian(x, 1 - mixing, centre, fwhm))


def back_to_back_exponential(x: F64, intensity: float, rise: float, decay: float, x0: float, sigma: float) -> F64:
    """Rising and falling exponential meeting at x0, convolved with a Gaussian; `intensity` is the area.

    Von Dreele, Jorgensen and Windsor, J. Appl. Cryst. 15 (1982) 581.
    """
    d = x - x0
    norm = intensity * rise * decay / (2 * (rise + decay))
    return norm * (_half(d, rise, sigma) + _half(-d, decay, sigma))


def _half(d: F64, rate: float, sigma: float) -> F64:
    """Return exp(u) erfc(v) with u = rate (rate sigma² + 2 d) / 2, v = (rate sigma² + d) / (sigma sqrt 2).

    For v > 0 the first overflows where the second vanishes; since u = v² - d² / (2 sigma²), the scaled erfc serves.
    """
    from scipy import special  # here, as in `least_squares`

    v = (rate * sigma**2 + d) / (sigma * np.sqrt(2))
    right = np.real(v) > 0
    scaled = np.exp(-(d**2) / (2 * sigma**2)) * special.erfcx(np.where(right, v, 0.0))
    plain = np.exp(np.where(right, 0.0, rate * (rate * sigma**2 + 2 * d) / 2)) * special.erfc(np.where(right, 0.0, v))
    result: F64 = np.where(right, scaled, plain)
    return result


def polynomial(x: F64, *coefficients: float) -> F64:
    """Coefficients, lowest first, times the powers of x."""
    result = coefficients[-1] + 0.0 * x
    for coefficient in coefficients[-2::-1]:
        result = result * x + coefficient
    return result


def polynomial_integral(x: F64, *coefficients: float) -> F64:
    """Integrate `polynomial` from 0 to x."""
    return polynomial(x, 0.0, *(coefficient / power for power, coefficient in enumerate(coefficients, 1)))


def decay(x: F64, height: float, lifetime: float) -> F64:
    """Height times exp(-x / lifetime)."""
    return height * np.exp(-x / lifetime)


def _voigt_height(mixing: float, fwhm: float) -> float:
    """Height of a pseudo-Voigt of unit area."""
    return 2 / fwhm * (mixing * float(np.sqrt(np.log(2) / np.pi)) + (1 - mixing) / np.pi)


def _measured_exponentials(p: Mapping[str, float]) -> Extent:
    """Height and width of the curve itself, found on a fine grid: they have no closed form."""
    reach = 5 * p["S"] + 5 / p["A"] + 5 / p["B"]
    x = p["X0"] + np.linspace(-reach, reach, 4001)
    y = back_to_back_exponential(x, p["I"], p["A"], p["B"], p["X0"], p["S"])
    above = x[np.abs(y) >= 0.5 * np.abs(y).max()]
    return Extent(p["X0"], float(y[np.argmax(np.abs(y))]), float(above[-1] - above[0]))


def _exponentials(extent: Extent) -> dict[str, float]:
    """Symmetric exponentials that fall to 1/e in a quarter of the width, under a Gaussian of the same width."""
    rate = 4 / extent.fwhm
    sigma = extent.fwhm / FWHM_PER_SIGMA
    unit = float(back_to_back_exponential(np.zeros(1), 1.0, rate, rate, 0.0, sigma)[0])
    return {"I": extent.height / unit, "A": rate, "B": rate, "X0": extent.centre, "S": sigma}


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("FlatBackground", polynomial, {"A0": 0.0}, integral=polynomial_integral),
        Profile("LinearBackground", polynomial, {"A0": 0.0, "A1": 0.0}, integral=polynomial_integral),
        Profile("Quadratic", polynomial, {"A0": 0.0, "A1": 0.0, "A2": 0.0}),
        Profile("ExpDecay", decay, {"Height": 1.0, "Lifetime": 1.0}),
        Profile(
            "Gaussian",
            gaussian,
            {"Height": 0.0, "PeakCentre": 0.0, "Sigma": 1.0},
            Peak(
                "PeakCentre",
                lambda p: Extent(p["PeakCentre"], p["Height"], p["Sigma"] * FWHM_PER_SIGMA),
                lambda e: {"Height": e.height, "PeakCentre": e.centre, "Sigma": e.fwhm / FWHM_PER_SIGMA},
            ),
            even=("Sigma",),
            integral=gaussian_integral,
        ),
        Profile(
            "Lorentzian",
            lorentzian,
            {"Amplitude": 1.0, "PeakCentre": 0.0, "FWHM": 1.0},
            Peak(
                "PeakCentre",
                lambda p: Extent(p["PeakCentre"], 2 * p["Amplitude"] / (np.pi * p["FWHM"]), p["FWHM"]),
                lambda e: {"Amplitude": e.height * np.pi * e.fwhm / 2, "PeakCentre": e.centre, "FWHM": e.fwhm},
            ),
            integral=lorentzian_integral,
        ),
        Profile(
            "PseudoVoigt",
            pseudo_voigt,
            {"Mixing": 0.5, "Intensity": 1.0, "PeakCentre": 0.0, "FWHM": 1.0},
            Peak(
                "PeakCentre",
                lambda p: Extent(p["PeakCentre"], p["Intensity"] * _voigt_height(p["Mixing"], p["FWHM"]), p["FWHM"]),
                lambda e: {
                    "Mixing": 0.5,
                    "Intensity": e.height / _voigt_height(0.5, e.fwhm),
                    "PeakCentre": e.centre,
                    "FWHM": e.fwhm,
                },
            ),
            bounds={"Mixing": (0.0, 1.0)},
        ),
        Profile(
            "BackToBackExponential",
            back_to_back_exponential,
            {"I": 0.0, "A": 1.0, "B": 0.05, "X0": 0.0, "S": 1.0},
            Peak("X0", _measured_exponentials, _exponentials),
            even=("S",),
        ),
    )
}


# functions whose parameters depend on what is said of them
MADE_TO_MEASURE = ("Polynomial", "UserFunction")


def profile(name: str, degree: int | None = None) -> Profile:
    """Return the function of that name; Polynomial is of the given degree (2 without).

    Raises
    ------
    ValueError
        There is none; the message lists those there are.
    """
    if name == "Polynomial":
        return Profile(name, polynomial, {f"A{i}": 0.0 for i in range((2 if degree is None else degree) + 1)})
    if name not in PROFILES:
        raise ValueError(f"there is no function {name!r}; there are {', '.join([*PROFILES, *MADE_TO_MEASURE])}")
    return PROFILES[name]


def user_function(formula: str) -> Profile:
    """Return the function a formula of x says, ``a*x + b``; its other names are the parameters, 0 by default.

    Raises
    ------
    ValueError
        The formula is no expression.
    """
    try:
        expression = parse_expression(formula.strip().strip("\"'"))
    except ValueError as problem:
        raise ValueError(f"Formula of UserFunction: {problem}") from None
    names = [name for name in expression.names if name != "x"]

    def function(x: F64, *parameters: float) -> F64:
        result: F64 = expression.value(dict(zip(names, parameters, strict=True)) | {"x": x}) + 0.0 * x
        return result

    return Profile("UserFunction", function, dict.fromkeys(names, 0.0))
