"""What scipp calls the things a workspace holds: names of dimensions and coordinates, units.

Names of coordinates are those that scippneutron's conversions go by (``tof``, ``wavelength``, ``L1``, ``two_theta``).
"""

from __future__ import annotations

import re

import scipp as sc

# identifier of ConvertUnits -> name of the dimension, unit
X_NAMES = {
    "TOF": ("tof", "us"),
    "Wavelength": ("wavelength", "angstrom"),
    "dSpacing": ("dspacing", "angstrom"),
    "MomentumTransfer": ("Q", "1/angstrom"),
    "QSquared": ("Q2", "1/angstrom**2"),
    "Momentum": ("k", "1/angstrom"),
    "Energy": ("energy", "meV"),
    "Energy_inWavenumber": ("energy", "1/cm"),
    "DeltaE": ("energy_transfer", "meV"),
    "DeltaE_inWavenumber": ("energy_transfer", "1/cm"),
    "Degrees": ("two_theta", "deg"),
}
_NAMED = re.compile(r"(?P<name>.+) \[(?P<unit>.+)\]")

SPECTRUM = "spectrum"
DETECTOR_ID = "detector_id"
MASKED = "masked"
BIN_MASK = "masked_bins"

# what logs say, where scipp would read it as something else (C is a coulomb there, a temperature here)
_SPELLINGS = {"C": "degC", "celsius": "degC", "Celsius": "degC", "Å": "angstrom", "Angstrom": "angstrom"}


def unit_from(text: str) -> sc.Unit | None:
    """Return the unit a text means, None (no unit) if scipp knows none of that name."""
    try:
        return sc.Unit(_SPELLINGS.get(text.strip(), text.strip()))
    except sc.UnitError:
        return None


def unit_text(unit: sc.Unit | None) -> str:
    """Return a unit as logs spell it, in ASCII; "" for none."""
    if unit is None or unit == sc.units.one:
        return ""
    return str(unit).replace("µ", "u").replace("Å", "angstrom").replace("°C", "degC")


def x_name(unit_id: str) -> tuple[str, sc.Unit | None]:
    """Return dimension and unit for X of a workspace; X unknown to ConvertUnits may be written ``name [unit]``."""
    name, unit = X_NAMES.get(unit_id, (unit_id or "x", ""))
    named = _NAMED.fullmatch(name)
    if named is not None:
        name, unit = named["name"], named["unit"]
    return name, unit_from(unit)


def x_in_our_unit(name: str, variable: sc.Variable) -> tuple[str, sc.Variable]:
    """Return the identifier of X for a coordinate of that name, and its values in that unit, float64.

    Raises
    ------
    ValueError
        The values are no numbers, or of a name we know in a unit that cannot be its.
    """
    if variable.dtype not in (sc.DType.float64, sc.DType.float32, sc.DType.int64, sc.DType.int32):
        raise ValueError(f"the coordinate {name!r} holds values of type {variable.dtype}; X has to be numbers")
    variable = variable.astype("float64", copy=False)
    known = [(unit_id, unit) for unit_id, (dim, unit) in X_NAMES.items() if dim == name]
    for unit_id, unit in known if variable.unit is not None else ():
        try:
            return unit_id, variable.to(unit=unit, copy=False)
        except sc.UnitError:
            continue
    if known:
        expected = " or ".join(unit for _, unit in known)
        raise ValueError(
            f"the coordinate {name!r} has unit {variable.unit}; expected {expected}, or what converts to it"
        )
    text = unit_text(variable.unit)
    return (f"{name} [{text}]" if text else name), variable
