"""Units as names and captions, and the axis objects scripts ask a workspace for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livereduce.workspaces.arrays import F64, kept
from livereduce.workspaces.detectors import Spectra


class Unit(NamedTuple):
    """A unit of an axis: identifier as in ConvertUnits, caption and symbol for labels."""

    id: str
    label: str = ""
    mark: str = ""

    def unitID(self) -> str:  # noqa: N802
        """Return the identifier."""
        return self.id

    def caption(self) -> str:
        """Return the caption."""
        return self.label

    def symbol(self) -> str:
        """Return the symbol."""
        return self.mark

    def name(self) -> str:
        """Return the caption."""
        return self.label


_UNITS = {
    unit.id.lower(): unit
    for unit in (
        Unit("TOF", "Time-of-flight", "µs"),
        Unit("Wavelength", "Wavelength", "Å"),
        Unit("dSpacing", "d-Spacing", "Å"),
        Unit("MomentumTransfer", "q", "Å⁻¹"),
        Unit("QSquared", "Q2", "Å⁻²"),
        Unit("Momentum", "Momentum", "Å⁻¹"),
        Unit("Energy", "Energy", "meV"),
        Unit("Energy_inWavenumber", "Energy", "cm⁻¹"),
        Unit("DeltaE", "Energy transfer", "meV"),
        Unit("DeltaE_inWavenumber", "Energy transfer", "cm⁻¹"),
        Unit("Degrees", "Scattering angle", "degrees"),
        Unit("Label", "Spectrum", ""),
        Unit("", "", ""),
    )
}


def unit(name: str) -> Unit:
    """Return the unit of that identifier, in any case; an unknown one is its own caption."""
    return _UNITS.get(name.lower(), Unit(name, name))


@dataclass(frozen=True, slots=True)
class NumericAxis:
    """A vertical axis of numbers (after Transpose): one value per spectrum, or edges, one more."""

    values: F64
    unit: str = ""

    @classmethod
    def of(cls, values: npt.ArrayLike, unit: str = "") -> NumericAxis:
        """Make an axis of a copy of these values."""
        return cls(kept(values, np.float64), unit)

    @staticmethod
    def create(length: int) -> Axis:
        """Make an axis of zeros for a script to fill and give to ``replaceAxis``."""
        return Axis(Unit(""), np.zeros(int(length)), changed=lambda _: None)


class SettableUnit(Unit):
    """A unit that a script has just given to an axis, and may name."""

    _named: Callable[[Unit], None]

    def setLabel(self, caption: str, symbol: str = "") -> None:  # noqa: N802
        """Give the unit Label a caption and a symbol of its own."""
        if self.id != "Label":
            raise RuntimeError(f"the unit {self.id} has its own label; setUnit('Label') makes one that can be named")
        self._named(Unit(self.id, str(caption), str(symbol)))


class Axis:
    """View of one axis of a workspace, as scripts see it: 0 is X, 1 is vertical."""

    def __init__(
        self, unit: Unit, values: F64, spectra: Spectra | None = None, changed: Callable[[Unit], None] | None = None
    ) -> None:
        self._unit, self._values, self._spectra, self._changed = unit, values, spectra, changed

    def getUnit(self) -> Unit:  # noqa: N802
        """Return the unit."""
        return self._unit

    def setUnit(self, name: str) -> SettableUnit:  # noqa: N802
        """Say what unit the values are in, without converting them; ``setUnit("Label").setLabel("T", "K")``."""
        self._set(unit(str(name)))
        result = SettableUnit(*self._unit)
        result._named = self._set
        return result

    def _set(self, new: Unit) -> None:
        if self._changed is None:
            raise RuntimeError("this axis is of no workspace whose unit could be set")
        self._changed(new)
        self._unit = new

    def setValue(self, index: int, value: float) -> None:  # noqa: N802
        """Set a value of an axis made by ``NumericAxis.create``."""
        if not self._values.flags.writeable:
            raise RuntimeError("the axis of a workspace is replaced whole: fill NumericAxis.create(n) and replaceAxis")
        self._values[index] = value

    def isSpectra(self) -> bool:  # noqa: N802
        """Tell whether it counts spectra."""
        return self._spectra is not None and not self.isText()

    def isNumeric(self) -> bool:  # noqa: N802
        """Tell whether it holds numbers with a unit."""
        return self._spectra is None

    def isText(self) -> bool:  # noqa: N802
        """Tell whether it holds labels."""
        return self._spectra is not None and self._spectra.labels is not None

    def length(self) -> int:
        """Return the number of values."""
        return len(self._values)

    def getValue(self, index: int) -> float:  # noqa: N802
        """Return a value; of a spectra axis the spectrum number."""
        return float(self._values[index])

    def extractValues(self) -> F64:  # noqa: N802
        """Return a copy of the values."""
        return np.array(self._values, np.float64)

    def indexOfValue(self, value: float) -> int:  # noqa: N802
        """Return the index of the value nearest to this one."""
        return int(np.argmin(np.abs(self._values - value)))

    def label(self, index: int) -> str:
        """Return the text for a value."""
        if self._spectra is not None and self._spectra.labels is not None:
            return self._spectra.labels[index]
        return f"sp-{self._spectra.numbers[index]}" if self._spectra is not None else f"{self._values[index]:g}"
