"""The instrument as scripts ask for it: places of source, sample and detectors, numbers by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from livereduce.workspaces.arrays import F64
from livereduce.workspaces.detectors import Detectors, Spectra

if TYPE_CHECKING:
    from livereduce.geometry import Instrument


@dataclass(frozen=True, slots=True)
class V3D:
    """A vector: a place in m, or the way from one to another. It can be iterated over and indexed."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0

    def X(self) -> float:  # noqa: N802
        """Return x."""
        return self.x

    def Y(self) -> float:  # noqa: N802
        """Return y."""
        return self.y

    def Z(self) -> float:  # noqa: N802
        """Return z."""
        return self.z

    getX, getY, getZ = X, Y, Z  # noqa: N815

    def norm(self) -> float:
        """Return the length."""
        return float(np.sqrt(self.norm2()))

    def norm2(self) -> float:
        """Return the length squared."""
        return self.scalar_prod(self)

    def distance(self, other: V3D) -> float:
        """Return the distance to another place."""
        return (self - other).norm()

    def scalar_prod(self, other: V3D) -> float:
        """Return the scalar product."""
        return float(self.x * other.x + self.y * other.y + self.z * other.z)

    def cross_prod(self, other: V3D) -> V3D:
        """Return the vector product."""
        return V3D(
            self.y * other.z - self.z * other.y,
            self.z * other.x - self.x * other.z,
            self.x * other.y - self.y * other.x,
        )

    def angle(self, other: V3D) -> float:
        """Return the angle to another vector, rad."""
        # better than the arc cosine where the two are nearly parallel
        return float(np.arctan2(self.cross_prod(other).norm(), self.scalar_prod(other)))

    def __iter__(self) -> Iterator[float]:
        return iter((self.x, self.y, self.z))

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> float:
        return (self.x, self.y, self.z)[index]

    def __add__(self, other: V3D) -> V3D:
        return V3D(self.x + other.x, self.y + other.y, self.z + other.z)

    def __sub__(self, other: V3D) -> V3D:
        return V3D(self.x - other.x, self.y - other.y, self.z - other.z)

    def __mul__(self, factor: float | V3D) -> V3D:
        x, y, z = factor if isinstance(factor, V3D) else (factor, factor, factor)
        return V3D(self.x * x, self.y * y, self.z * z)

    __rmul__ = __mul__

    def __truediv__(self, divisor: float | V3D) -> V3D:
        x, y, z = divisor if isinstance(divisor, V3D) else (divisor, divisor, divisor)
        return V3D(self.x / x, self.y / y, self.z / z)

    def __neg__(self) -> V3D:
        return self * -1.0

    def __str__(self) -> str:
        return f"[{self.x:g},{self.y:g},{self.z:g}]"


class Place:
    """A component: a name and a place."""

    def __init__(self, name: str, position: F64) -> None:
        self._name = name
        self._position = V3D(*(float(v) for v in position))

    def getName(self) -> str:  # noqa: N802
        """Return the name."""
        return self._name

    def getPos(self) -> V3D:  # noqa: N802
        """Return the place, m."""
        return self._position

    def getDistance(self, other: Place) -> float:  # noqa: N802
        """Return the distance to another component, m."""
        return self._position.distance(other._position)


class DetectorView(Place):
    """One detector."""

    def __init__(self, detectors: Detectors, spectra: Spectra, index: int) -> None:
        if detectors.positions is None:
            raise RuntimeError("the detectors of this workspace have no positions: the source sent no geometry")
        super().__init__("", detectors.positions[index])
        self._detectors, self._spectra, self._index = detectors, spectra, index

    def getName(self) -> str:  # noqa: N802
        """Return the name in the instrument, ``bank1(3,0)``; where none is known, one with the ID."""
        instrument = self._detectors.instrument
        row = -1 if instrument is None else int(instrument.rows_of([self.getID()])[0])
        return f"detector {self.getID()}" if instrument is None or row < 0 else str(instrument.names[row])

    def getID(self) -> int:  # noqa: N802
        """Return the detector ID."""
        return int(self._detectors.ids[self._index])

    def isMonitor(self) -> bool:  # noqa: N802
        """Tell whether it is a monitor."""
        return bool(self._detectors.monitor[self._index])

    def isMasked(self) -> bool:  # noqa: N802
        """Tell whether its spectrum is masked."""
        spectrum = int(self._spectra.index_of_detectors([self.getID()])[0])
        return spectrum >= 0 and bool(self._spectra.masked[spectrum])


class InstrumentView:
    """The instrument of a workspace."""

    def __init__(self, detectors: Detectors, spectra: Spectra) -> None:
        self._detectors, self._spectra = detectors, spectra

    def _instrument(self) -> Instrument:
        if self._detectors.instrument is None:
            raise RuntimeError("this workspace has no instrument: the source has sent no geometry and none was loaded")
        return self._detectors.instrument

    def getName(self) -> str:  # noqa: N802
        """Return the instrument's name, "" without one."""
        return "" if self._detectors.instrument is None else str(self._detectors.instrument.name)

    def getSource(self) -> Place:  # noqa: N802
        """Return the source."""
        return self._place("source", self._instrument().source)

    def getSample(self) -> Place:  # noqa: N802
        """Return the sample."""
        return self._place("sample-position", self._instrument().sample)

    def _place(self, name: str, position: F64 | None) -> Place:
        if position is None:
            raise RuntimeError(f"the geometry of {self.getName()} does not say where the {name} is")
        return Place(name, position)

    def getPos(self) -> V3D:  # noqa: N802
        """Return the instrument's own place: the origin."""
        return V3D(0.0, 0.0, 0.0)

    def getComponentByName(self, name: str) -> Place | None:  # noqa: N802
        """Return a component by name, None if there is none."""
        found = self._instrument().components.get(name)
        return None if found is None else Place(name, found.position)

    def getDetector(self, detector_id: int) -> DetectorView:  # noqa: N802
        """Return a detector by ID."""
        index = int(self._detectors.index_of([detector_id])[0])
        if index < 0:
            raise RuntimeError(f"the instrument has no detector with ID {detector_id}")
        return DetectorView(self._detectors, self._spectra, index)

    def getNumberDetectors(self, skip_monitors: bool = False) -> int:  # noqa: N802
        """Return the number of detectors, with or without monitors."""
        monitors = int(np.count_nonzero(self._detectors.monitor))
        return len(self._detectors) - (monitors if skip_monitors else 0)

    def getNumberParameter(self, name: str, recursive: bool = True) -> list[float]:  # noqa: N802
        """Return a numeric parameter of the instrument as a list of one, empty if there is none.

        `recursive` is accepted for scripts that give it; parameters are the instrument's own.
        """
        text = self._instrument().parameter_text(name)
        try:
            return [] if text is None else [float(text)]
        except ValueError:
            return []  # a text parameter; getStringParameter has it

    def getStringParameter(self, name: str, recursive: bool = True) -> list[str]:  # noqa: N802
        """Return a text parameter of the instrument as a list of one, empty if there is none."""
        text = self._instrument().parameter_text(name)
        return [] if text is None else [str(text)]

    def hasParameter(self, name: str, recursive: bool = True) -> bool:  # noqa: N802
        """Tell whether the instrument has a parameter."""
        return self._instrument().parameter_text(name) is not None
