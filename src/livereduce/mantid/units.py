"""Conversions of single values between units, as scripts ask `mantid.kernel` for them."""

from __future__ import annotations

from enum import Enum

from livereduce.geometry.units import Mode, conversion

# units that follow from each other without a flight path, and a path and an angle that do for them
_WITHOUT_GEOMETRY = (
    {"Wavelength", "Energy", "Energy_inWavenumber", "Momentum"},
    {"dSpacing", "MomentumTransfer", "QSquared"},
)


class DeltaEModeType(Enum):
    """Which energy of an inelastic measurement is fixed."""

    Elastic = "Elastic"
    Direct = "Direct"
    Indirect = "Indirect"


class UnitConversion:
    """Converts single values."""

    @staticmethod
    def run(
        src: str,
        dest: str,
        value: float,
        l1: float,
        l2: float,
        theta: float,
        emode: DeltaEModeType = DeltaEModeType.Elastic,
        efixed: float = 0.0,
    ) -> float:
        """Convert a value from a unit to another.

        Parameters
        ----------
        src, dest
            Units as in ConvertUnits.
        value
            What to convert, in `src`.
        l1, l2
            Source to sample and sample to detector, m; they do not matter between wavelength, energy and momentum, nor
            between d-spacing and momentum transfer.
        theta
            Scattering angle, rad.
        emode, efixed
            Which energy is fixed, and that energy, meV.

        Raises
        ------
        ValueError
            A unit is not known, or the value is none of the unit for this geometry.
        """
        mode: Mode = emode.value
        for family in _WITHOUT_GEOMETRY:
            if {src, dest} <= family:
                l1, l2, theta, mode = 1.0, 1.0, 1.0, "Elastic"
        energy = efixed if mode != "Elastic" else None
        ways = [
            conversion(unit, l1=l1, l2=[l2], two_theta=theta, mode=mode, fixed_energy=energy) for unit in (src, dest)
        ]
        result = float(ways[1].from_tof(ways[0].to_tof([value]))[0, 0])
        if result != result:
            raise ValueError(f"{value:g} {src} is no {dest} at l1={l1:g} m, l2={l2:g} m, theta={theta:g} rad")
        return result
