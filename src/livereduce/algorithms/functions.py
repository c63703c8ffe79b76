"""Functions of X written as text: ``name=Gaussian,Height=10,PeakCentre=5,Sigma=1;name=LinearBackground,A0=0.3``.

Members are added. Covers evaluation with given parameters; fitting them is `fitting`'s.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from livereduce.workspaces.arrays import F64


def gaussian(x: F64, height: float, centre: float, sigma: float) -> F64:
    """Height times exp(-((x - centre) / sigma)² / 2)."""
    result: F64 = height * np.exp(-0.5 * ((x - centre) / sigma) ** 2)
    return result


def lorentzian(x: F64, amplitude: float, centre: float, fwhm: float) -> F64:
    """Amplitude (the area) times the Cauchy density of that full width at half maximum."""
    half = fwhm / 2
    return amplitude / np.pi * half / ((x - centre) ** 2 + half**2)


def linear(x: F64, a0: float, a1: float) -> F64:
    """Straight line a0 + a1 x."""
    return a0 + a1 * x


def decay(x: F64, height: float, lifetime: float) -> F64:
    """Height times exp(-x / lifetime)."""
    result: F64 = height * np.exp(-x / lifetime)
    return result


# name -> the function and its parameters in order, with their defaults
FUNCTIONS: dict[str, tuple[Callable[..., F64], dict[str, float]]] = {
    "FlatBackground": (lambda x, a0: np.full_like(x, a0), {"A0": 0.0}),
    "LinearBackground": (linear, {"A0": 0.0, "A1": 0.0}),
    "Gaussian": (gaussian, {"Height": 0.0, "PeakCentre": 0.0, "Sigma": 1.0}),
    "Lorentzian": (lorentzian, {"Amplitude": 1.0, "PeakCentre": 0.0, "FWHM": 1.0}),
    "ExpDecay": (decay, {"Height": 1.0, "Lifetime": 1.0}),
}


def evaluated(text: str, x: F64) -> F64:
    """Sum of the functions that `text` names, at `x`; ValueError for what cannot be read."""
    members = [member.strip() for member in text.split(";") if member.strip()]
    if not members:
        raise ValueError("the function is empty; expected for example name=Gaussian,Height=1,PeakCentre=0,Sigma=1")
    result: F64 = np.sum([_member(member, x) for member in members], axis=0)
    return result


def _member(text: str, x: F64) -> F64:
    settings = dict(_setting(item, text) for item in text.split(",") if item.strip())
    name = settings.pop("name", "")
    if name not in FUNCTIONS:
        raise ValueError(f"there is no function {name!r} (in {text!r}); there are {', '.join(FUNCTIONS)}")
    function, defaults = FUNCTIONS[name]
    if unknown := settings.keys() - defaults.keys():
        raise ValueError(f"{name} has no parameter {min(unknown)!r}; it has {', '.join(defaults)}")
    values = defaults | {key: float(value) for key, value in settings.items()}
    result: F64 = function(x, *values.values())
    return result


def _setting(item: str, text: str) -> tuple[str, str]:
    key, equals, value = item.partition("=")
    if not equals:
        raise ValueError(f"{item.strip()!r} in {text!r} is no setting; expected Parameter=value")
    return key.strip(), value.strip()
