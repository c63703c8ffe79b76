"""What event and histogram workspaces share: rows of X, Y, E with logs and detectors, under the names scripts use.

The subclasses say where x, y and e2 come from.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from livereduce.workspaces.arrays import F64, Rows, frozen, read_only
from livereduce.workspaces.axes import Axis, NumericAxis, Unit, unit
from livereduce.workspaces.detectors import Detectors, Spectra
from livereduce.workspaces.instrument_view import DetectorView, InstrumentView
from livereduce.workspaces.operators import Arithmetic
from livereduce.workspaces.run import Run
from livereduce.workspaces.scipp_exchange import to_scipp
from livereduce.workspaces.spectrum_view import DetectorInfo, SpectrumInfo, SpectrumView
from livereduce.workspaces.workspace import Workspace

if TYPE_CHECKING:
    import scipp as sc


class MatrixWorkspace(Arithmetic, Workspace):
    """Rows of values against X.

    Attributes
    ----------
    detectors
        What is known of the detectors.
    spectra
        Number, detector IDs and mask of each row.
    vertical
        Numeric vertical axis in place of the spectra (after Transpose), or None.
    unit, y_unit, y_label
        Unit of X (identifier as in ConvertUnits), unit and label of Y.
    distribution
        Whether Y is counts divided by bin width.
    monitors
        The attached monitor workspace, or None.
    """

    def __init__(
        self,
        detectors: Detectors,
        spectra: Spectra,
        run: Run,
        *,
        title: str = "",
        unit: str = "TOF",
        y_unit: str = "Counts",
        y_label: str = "",
        distribution: bool = False,
        vertical: NumericAxis | None = None,
        monitors: MatrixWorkspace | None = None,
    ) -> None:
        self.detectors = detectors
        self.spectra = spectra
        self.logs = run
        self.title = title
        self.unit = unit
        self.y_unit = y_unit
        self.y_label = y_label or y_unit
        self.distribution = distribution
        self.vertical = vertical
        self.monitors = monitors
        # units that scripts named, by axis; they hold as long as the axis is in that unit
        self.named_units: dict[int, Unit] = {}
        self._spectrum_info: SpectrumInfo | None = None
        self._detector_info: DetectorInfo | None = None

    # -- what the subclasses say ----------------------------------------------------------------------------------

    @property
    def x(self) -> F64:
        """Bin edges (or points): one row for all spectra, or a row each; ``x(i)`` is that of a spectrum. Read-only."""
        raise NotImplementedError

    @property
    def y(self) -> F64:
        """Values, float64[spectra, bins]; ``y(i)`` are those of a spectrum. Read-only."""
        raise NotImplementedError

    @property
    def e2(self) -> F64:
        """Variances, float64[spectra, bins]. Read-only."""
        raise NotImplementedError

    @property
    def n_spectra(self) -> int:
        """Number of spectra."""
        return len(self.spectra)

    @property
    def n_bins(self) -> int:
        """Number of values in a spectrum."""
        raise NotImplementedError

    @property
    def is_histogram(self) -> bool:
        """Whether X holds edges, one more than values."""
        return int(self.x.shape[-1]) == self.n_bins + 1

    @property
    def common_bins(self) -> bool:
        """Whether all spectra have the same X."""
        x = self.x
        return x.ndim == 1 or bool(np.all(x == x[:1]))

    def number_events(self) -> float:
        """Return the number of events kept, inside X or not; of a histogram the sum of its counts."""
        raise NotImplementedError

    @property
    def e(self) -> F64:
        """Standard deviations, float64[spectra, bins]; ``e(i)`` are those of a spectrum. Read-only."""
        return Rows.of(frozen(np.sqrt(self.e2)), self.n_spectra)

    def _x_row(self, index: int) -> F64:
        x = np.asarray(self.x)
        return x if x.ndim == 1 else x[index]

    def _y_row(self, index: int) -> F64:
        row: F64 = np.asarray(self.y)[index]
        return row

    def _e_row(self, index: int) -> F64:
        row: F64 = np.sqrt(self.e2[index])
        row.flags.writeable = False
        return row

    def _arguments(self) -> dict[str, Any]:
        """Return what the constructor needs to make this workspace again; logs are copied."""
        return {
            "detectors": self.detectors, "spectra": self.spectra, "run": self.logs.clone(), "title": self.title,
            "unit": self.unit, "y_unit": self.y_unit, "y_label": self.y_label, "distribution": self.distribution,
            "vertical": self.vertical, "monitors": self.monitors,
        }  # fmt: skip

    def replaced(self, **changes: Any) -> Self:
        """Return a new workspace like this one but for some constructor arguments; data are shared, logs copied."""
        new = type(self)(**(self._arguments() | changes))
        new.comment, new.named_units = self.comment, dict(self.named_units)
        return new

    def to_scipp(self, *, events: bool = False) -> sc.DataArray:
        """Return the values, with variances, as a scipp DataArray; needs the extra ``scipp``.

        Dimensions are ``spectrum`` and that of X, by scippneutron's names: ``tof`` in us, ``wavelength`` in angstrom,
        ``energy`` in meV and so on. Coordinates besides X: ``spectrum`` (numbers), ``detector_id``, ``L1``, ``L2``,
        ``two_theta``, and every log; masked spectra and bins are masks. Counts in a distribution are counts per X.

        Parameters
        ----------
        events
            Return the events of every spectrum as binned data instead: X, ``pulse_time``, weight.

        Raises
        ------
        ValueError
            There are no events to return.
        ImportError
            scipp is not installed.
        """
        return to_scipp(self, events=events)

    def _checked(self, index: int) -> int:
        if not 0 <= index < self.n_spectra:
            raise IndexError(f"workspace index {index} of {self!r}, which has {self.n_spectra} spectra")
        return index

    # -- data -----------------------------------------------------------------------------------------------------

    def readX(self, index: int) -> F64:  # noqa: N802
        """Return X of a spectrum (read-only)."""
        return self._x_row(self._checked(index))

    def readY(self, index: int) -> F64:  # noqa: N802
        """Return Y of a spectrum (read-only)."""
        return self._y_row(self._checked(index))

    def readE(self, index: int) -> F64:  # noqa: N802
        """Return E of a spectrum (read-only)."""
        return self._e_row(self._checked(index))

    def readDx(self, index: int) -> F64:  # noqa: N802
        """Return the resolution of X of a spectrum, empty if there is none."""
        self._checked(index)
        return np.empty(0)

    def hasDx(self, index: int) -> bool:  # noqa: N802
        """Tell whether a spectrum has a resolution of X."""
        return len(self.readDx(index)) > 0

    def extractX(self) -> F64:  # noqa: N802
        """Return a copy of X, a row per spectrum."""
        return np.array(np.broadcast_to(self.x, (self.n_spectra, self.x.shape[-1])))

    def extractY(self) -> F64:  # noqa: N802
        """Return a copy of Y, a row per spectrum."""
        return np.array(self.y)

    def extractE(self) -> F64:  # noqa: N802
        """Return a copy of E, a row per spectrum."""
        return np.array(self.e)

    def getNumberHistograms(self) -> int:  # noqa: N802
        """Return the number of spectra."""
        return self.n_spectra

    def blocksize(self) -> int:
        """Return the number of values in a spectrum."""
        return self.n_bins

    def size(self) -> int:
        """Return the number of values."""
        return self.n_spectra * self.n_bins

    def getNumberBins(self) -> int:  # noqa: N802
        """Return the number of values in a spectrum."""
        return self.n_bins

    def getNumberEvents(self) -> float:  # noqa: N802
        """Return the number of events kept, inside X or not; of a histogram the sum of its counts."""
        return self.number_events()

    def yIndexOfX(self, x: float, index: int = 0, tolerance: float = 0.0) -> int:  # noqa: N802
        """Return which bin of a spectrum holds `x`, or which point is there, give or take the tolerance.

        A bin has its lower edge, the last bin its upper edge too.

        Raises
        ------
        ValueError
            There is none.
        """
        values = self.readX(index)
        if self.is_histogram:
            if len(values) > 1 and values[0] <= x <= values[-1]:
                return min(int(np.searchsorted(values, x, side="right")), len(values) - 1) - 1
        elif len(values) and abs(values[nearest := int(np.argmin(np.abs(values - x)))] - x) <= tolerance:
            return nearest
        reach = f"{values[0]:g} to {values[-1]:g}" if len(values) else "empty"
        what = "bin that holds" if self.is_histogram else "point at"
        raise ValueError(f"{self!r}: spectrum {index} has no {what} {x:g}; X is {reach}")

    binIndexOf = yIndexOfX  # noqa: N815

    def isHistogramData(self) -> bool:  # noqa: N802
        """Tell whether X holds edges."""
        return self.is_histogram

    def isCommonBins(self) -> bool:  # noqa: N802
        """Tell whether all spectra have the same X."""
        return self.common_bins

    def isDistribution(self) -> bool:  # noqa: N802
        """Tell whether Y is divided by bin width."""
        return self.distribution

    def setDistribution(self, distribution: bool) -> None:  # noqa: N802
        """Say whether Y is divided by bin width."""
        self.distribution = bool(distribution)

    def YUnit(self) -> str:  # noqa: N802
        """Return the unit of Y."""
        return self.y_unit

    def setYUnit(self, unit: str) -> None:  # noqa: N802
        """Set the unit of Y."""
        self.y_unit = str(unit)

    def YUnitLabel(self) -> str:  # noqa: N802
        """Return the label of Y."""
        return self.y_label

    def setYUnitLabel(self, label: str) -> None:  # noqa: N802
        """Set the label of Y."""
        self.y_label = str(label)

    # -- logs, spectra, instrument --------------------------------------------------------------------------------

    def run(self) -> Run:
        """Return the logs."""
        return self.logs

    def getRun(self) -> Run:  # noqa: N802
        """Return the logs."""
        return self.logs

    def mutableRun(self) -> Run:  # noqa: N802
        """Return the logs."""
        return self.logs

    def getRunNumber(self) -> int:  # noqa: N802
        """Return the run number, 0 if the logs have none."""
        log = self.logs.get("run_number")
        value = 0 if log is None else np.atleast_1d(log.value)[-1]
        text = str(value).strip()
        return int(float(text)) if text else 0

    def axis_unit(self, index: int) -> Unit:
        """Return the unit of an axis, as a script named it or as it is called."""
        if index == 1 and self.vertical is None:
            return self.named_units.get(1, Unit("", "Spectrum"))
        name = self.unit if index == 0 or self.vertical is None else self.vertical.unit
        named = self.named_units.get(index)
        return named if named is not None and named.id == name else unit(name)

    def _set_unit(self, index: int, new: Unit) -> None:
        if index == 0:
            self.unit = new.id
        elif self.vertical is not None:
            self.vertical = NumericAxis(self.vertical.values, new.id)
        self.named_units[index] = new

    def getAxis(self, index: int) -> Axis:  # noqa: N802
        """Return the X axis (0) or the vertical axis (1)."""
        if index not in (0, 1):
            raise IndexError(f"axis {index}: a workspace has axes 0 (X) and 1 (vertical)")
        spectra = None
        if index == 0:
            values = self._x_row(0) if self.n_spectra else np.empty(0)
        elif self.vertical is not None:
            values = self.vertical.values
        else:
            values, spectra = self.spectra.numbers.astype(np.float64), self.spectra
        return Axis(self.axis_unit(index), read_only(values), spectra, changed=partial(self._set_unit, index))

    def replaceAxis(self, index: int, axis: Axis) -> None:  # noqa: N802
        """Put numbers with a unit, one for each spectrum or edges around them, in place of the vertical axis."""
        if index != 1:
            raise RuntimeError("replaceAxis: only the vertical axis (1) can be replaced; setX sets X")
        if axis.isSpectra() or axis.length() - self.n_spectra not in (0, 1):
            raise ValueError(f"replaceAxis: expected {self.n_spectra} numbers or one more, found {axis.length()}")
        self.vertical = NumericAxis.of(axis.extractValues(), axis.getUnit().id)
        self.named_units[1] = Unit(*axis.getUnit())

    def axes(self) -> int:
        """Return the number of axes."""
        return 2

    def getXDimension(self) -> Axis:  # noqa: N802
        """Return the X axis."""
        return self.getAxis(0)

    def getSpectrum(self, index: int) -> SpectrumView:  # noqa: N802
        """Return a spectrum."""
        return SpectrumView(self.spectra, self._checked(index))

    def getIndexFromSpectrumNumber(self, number: int) -> int:  # noqa: N802
        """Return the workspace index of a spectrum number."""
        index = int(self.spectra.index_of_numbers([number])[0])
        if index < 0:
            raise RuntimeError(f"{self!r} has no spectrum with number {number}")
        return index

    def getSpectrumNumbers(self) -> list[int]:  # noqa: N802
        """Return all spectrum numbers."""
        return [int(n) for n in self.spectra.numbers]

    def spectrumInfo(self) -> SpectrumInfo:  # noqa: N802
        """Return mask, kind and place of the spectra; the same object at each turn of a script's loop over them."""
        info = self._spectrum_info
        if info is None or not info.describes(self.spectra, self.detectors):
            info = self._spectrum_info = SpectrumInfo(self.spectra, self.detectors)
        return info

    def detectorInfo(self) -> DetectorInfo:  # noqa: N802
        """Return mask, kind and place of the detectors; the same object at each turn of a script's loop over them."""
        info = self._detector_info
        if info is None or not info.describes(self.spectra, self.detectors):
            info = self._detector_info = DetectorInfo(self.spectra, self.detectors)
        return info

    def getDetector(self, index: int) -> DetectorView:  # noqa: N802
        """Return the first detector of a spectrum."""
        ids = self.spectra.detector_ids(self._checked(index))
        if not len(ids):
            raise RuntimeError(f"spectrum {index} of {self!r} has no detectors")
        return self.getInstrument().getDetector(int(ids[0]))

    def getInstrument(self) -> InstrumentView:  # noqa: N802
        """Return the instrument."""
        return InstrumentView(self.detectors, self.spectra)

    def getMonitorWorkspace(self) -> MatrixWorkspace | None:  # noqa: N802
        """Return the attached monitor workspace, or None."""
        return self.monitors

    def setMonitorWorkspace(self, monitors: MatrixWorkspace | None) -> None:  # noqa: N802
        """Attach a monitor workspace."""
        self.monitors = monitors
