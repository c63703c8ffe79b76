"""Single spectra and detectors and their places, as scripts ask for them."""

from __future__ import annotations

from functools import cached_property
from typing import TypeVar

import numpy as np

from livereduce.workspaces.arrays import F64, I64, Bool
from livereduce.workspaces.detectors import Detectors, Spectra, SpectrumGeometry
from livereduce.workspaces.instrument_view import V3D

_T = TypeVar("_T", F64, float)


class SpectrumView:
    """One spectrum: its number and its detectors."""

    def __init__(self, spectra: Spectra, index: int) -> None:
        self._spectra, self._index = spectra, index

    def getSpectrumNo(self) -> int:  # noqa: N802
        """Return the spectrum number."""
        return int(self._spectra.numbers[self._index])

    def getDetectorIDs(self) -> list[int]:  # noqa: N802
        """Return the detector IDs."""
        return [int(i) for i in self._spectra.detector_ids(self._index)]


class SpectrumInfo:
    """Mask, kind and place of spectra."""

    def __init__(self, spectra: Spectra, detectors: Detectors) -> None:
        self._spectra, self._detectors = spectra, detectors

    def describes(self, spectra: Spectra, detectors: Detectors) -> bool:
        """Tell whether it is of these spectra at these places."""
        return self._spectra is spectra and self._detectors is detectors

    @cached_property
    def _geometry(self) -> SpectrumGeometry:
        return self._spectra.geometry_from(self._detectors)

    @cached_property
    def _monitor(self) -> Bool:
        return self._spectra.is_monitor(self._detectors)

    def size(self) -> int:
        """Return the number of spectra."""
        return len(self._spectra)

    def isMasked(self, index: int) -> bool:  # noqa: N802
        """Tell whether a spectrum is masked."""
        return bool(self._spectra.masked[index])

    def isMonitor(self, index: int) -> bool:  # noqa: N802
        """Tell whether a spectrum is a monitor's."""
        return bool(self._monitor[index])

    def hasDetectors(self, index: int) -> bool:  # noqa: N802
        """Tell whether a spectrum has detectors."""
        return bool(len(self._spectra.detector_ids(index)))

    def position(self, index: int) -> V3D:
        """Return the place of a spectrum: the middle of its detectors, m."""
        ids = self._spectra.detector_ids(index)
        places = self._detectors.positions
        if places is None or not len(ids):
            raise RuntimeError(f"the place of spectrum {index} is not known: it has no detectors, or these no geometry")
        return V3D(*places[self._detectors.index_of(ids)].mean(axis=0).tolist())

    def l1(self) -> float:
        """Return the primary flight path, m."""
        return float(self._geometry.l1)

    def l2(self, index: int) -> float:
        """Return the secondary flight path, m."""
        return float(self._geometry.l2[index])

    def twoTheta(self, index: int) -> float:  # noqa: N802
        """Return the scattering angle, rad."""
        return float(self._geometry.two_theta[index])


class DetectorInfo:
    """Mask, kind and place of detectors, which count in the order of their IDs."""

    def __init__(self, spectra: Spectra, detectors: Detectors) -> None:
        self._spectra, self._detectors = spectra, detectors

    def describes(self, spectra: Spectra, detectors: Detectors) -> bool:
        """Tell whether it is of these spectra at these places."""
        return self._spectra is spectra and self._detectors is detectors

    @cached_property
    def _order(self) -> I64:
        return np.argsort(self._detectors.ids, kind="stable")

    def size(self) -> int:
        """Return the number of detectors, monitors included."""
        return len(self._detectors)

    __len__ = size

    def detectorIDs(self) -> I64:  # noqa: N802
        """Return a copy of all detector IDs, int64[n], rising."""
        return self._detectors.ids[self._order].astype(np.int64)

    def indexOf(self, detector_id: int) -> int:  # noqa: N802
        """Return the index of a detector; RuntimeError if there is none of that ID."""
        row = int(self._detectors.index_of([detector_id])[0])
        if row < 0:
            raise RuntimeError(f"there is no detector with ID {detector_id}")
        return int(np.searchsorted(self._detectors.ids, detector_id, sorter=self._order))

    def isMonitor(self, index: int) -> bool:  # noqa: N802
        """Tell whether a detector is a monitor."""
        return bool(self._detectors.monitor[self._order[index]])

    def isMasked(self, index: int) -> bool:  # noqa: N802
        """Tell whether the spectrum of a detector is masked."""
        spectrum = int(self._spectra.index_of_detectors([self._detectors.ids[self._order[index]]])[0])
        return spectrum >= 0 and bool(self._spectra.masked[spectrum])

    def position(self, index: int) -> V3D:
        """Return the place of a detector, m."""
        return V3D(*self._placed(self._detectors.positions)[self._order[index]].tolist())

    def l1(self) -> float:
        """Return the primary flight path, m."""
        return float(self._placed(self._detectors.l1))

    def l2(self, index: int) -> float:
        """Return the secondary flight path, m."""
        return float(self._placed(self._detectors.l2)[self._order[index]])

    def twoTheta(self, index: int) -> float:  # noqa: N802
        """Return the scattering angle, rad."""
        return float(self._placed(self._detectors.two_theta)[self._order[index]])

    @staticmethod
    def _placed(geometry: _T | None) -> _T:
        if geometry is None:
            raise RuntimeError("the places of the detectors are not known: the source sent no geometry")
        return geometry
