"""Histogram workspaces: dense X, Y, E, shared until written to.

Arrays are read-only and may be shared between workspaces. ``dataX``, ``dataY``, ``dataE`` hand out writable rows: the
array behind them is copied first unless this workspace is its only holder, and from then on it is *exposed*: whoever
takes it over (a clone, an algorithm's result) gets a copy, because the script may write to its row at any time.
"""

from __future__ import annotations

import sys
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from livereduce.workspaces.arrays import F64, Bool, Rows, frozen, read_only
from livereduce.workspaces.axes import NumericAxis
from livereduce.workspaces.detectors import Detectors, Spectra
from livereduce.workspaces.matrix import MatrixWorkspace
from livereduce.workspaces.run import Run


class HistogramWorkspace(MatrixWorkspace):
    """Values against X, dense.

    Parameters
    ----------
    x
        Edges (one more than values: histogram data) or points (as many); one row for all spectra, or a row each.
        Arrays given here are taken over: they become read-only. Views of writable memory are copied.
    y
        float64[spectra, bins] (one row may be given flat).
    e2, e
        Variances or standard deviations; zero if neither is given.
    spectra
        Default: numbers from 1 without detectors.
    detectors, run
        Default: none known, no logs.
    dx
        Resolution of X, shaped like `y`.
    bin_mask
        bool[spectra, bins], bins that are masked.
    """

    def __init__(
        self,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        e2: npt.ArrayLike | None = None,
        *,
        e: npt.ArrayLike | None = None,
        detectors: Detectors | None = None,
        spectra: Spectra | None = None,
        run: Run | None = None,
        dx: npt.ArrayLike | None = None,
        bin_mask: npt.ArrayLike | None = None,
        title: str = "",
        unit: str = "TOF",
        y_unit: str = "Counts",
        y_label: str = "",
        distribution: bool = False,
        vertical: NumericAxis | None = None,
        monitors: MatrixWorkspace | None = None,
    ) -> None:
        self._y: F64 = _rows(y)
        n, bins = self._y.shape
        super().__init__(
            Detectors([]) if detectors is None else detectors,
            Spectra(np.arange(1, n + 1)) if spectra is None else spectra,
            Run() if run is None else run,
            title=title,
            unit=unit,
            y_unit=y_unit,
            y_label=y_label,
            distribution=distribution,
            vertical=vertical,
            monitors=monitors,
        )
        self._x: F64 = frozen(x, np.float64)
        # one of the two is kept, the other computed when read: dataE needs deviations, arithmetic variances
        self._e2: F64 | None = None if e is not None else _rows(np.zeros_like(self._y) if e2 is None else e2)
        self._e: F64 | None = None if e is None else _rows(e)
        self._dx: F64 | None = None if dx is None else _rows(dx)
        self.bin_mask: Bool | None = None if bin_mask is None else frozen(bin_mask, bool)
        self._check(n, bins)

    def _check(self, n: int, bins: int) -> None:
        errors = self._e if self._e2 is None else self._e2
        x = self._x
        if (
            errors is None
            or errors.shape != self._y.shape
            or (self._dx is not None and self._dx.shape != self._y.shape)
            or (self.bin_mask is not None and self.bin_mask.shape != self._y.shape)
        ):
            raise ValueError(f"HistogramWorkspace: y is {self._y.shape}; errors, dx and bin_mask must be as well")
        if x.ndim not in (1, 2) or (x.ndim == 2 and len(x) != n) or x.shape[-1] not in (bins, bins + 1):
            raise ValueError(
                f"HistogramWorkspace: x is {x.shape} for y {self._y.shape}; expected {bins + 1} edges or {bins} points,"
                f" for all spectra or for each of {n}"
            )
        if len(self.spectra) != n:
            raise ValueError(f"HistogramWorkspace: {len(self.spectra)} spectra described, y has {n}")

    @property
    def kind(self) -> str:
        """Mantid's name for it."""
        return "Workspace2D"

    @property
    def x(self) -> F64:
        """Bin edges or points: one row for all spectra, or a row each; ``x(i)`` is that of a spectrum. Read-only."""
        return Rows.of(self._shown("_x"), self.n_spectra)

    @property
    def y(self) -> F64:
        """Values, float64[spectra, bins]; ``y(i)`` are those of a spectrum. Read-only."""
        return Rows.of(self._shown("_y"), self.n_spectra)

    @property
    def e2(self) -> F64:
        """Variances, float64[spectra, bins]. Read-only."""
        if self._e2 is None:
            assert self._e is not None
            return frozen(self._e**2)
        return self._e2

    @property
    def e(self) -> F64:
        """Standard deviations, float64[spectra, bins]; ``e(i)`` are those of a spectrum. Read-only."""
        return Rows.of(self._deviations(), self.n_spectra)

    def _deviations(self) -> F64:
        if self._e is not None:
            return self._shown("_e")
        assert self._e2 is not None
        return frozen(np.sqrt(self._e2))

    @property
    def dx(self) -> F64 | None:
        """Resolution of X, float64[spectra, bins], or None; ``dx(i)`` is that of a spectrum."""
        return None if self._dx is None else Rows.of(self._dx, self.n_spectra)

    @property
    def n_bins(self) -> int:
        """Number of values in a spectrum."""
        return int(self._y.shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays, shared or not."""
        arrays = (self._x, self._y, self._e, self._e2, self._dx, self.bin_mask)
        return sum(a.nbytes for a in arrays if a is not None)

    def number_events(self) -> float:
        """Return the sum of all finite values."""
        y = self._y if not self.distribution else self._y * np.diff(self.x)
        return float(np.sum(y, where=np.isfinite(y)))

    def _e_row(self, index: int) -> F64:
        if self._e is not None:
            row: F64 = self._shown("_e")[index]
            return row
        return super()._e_row(index)

    def readDx(self, index: int) -> F64:  # noqa: N802
        """Return the resolution of X of a spectrum, empty if there is none."""
        self._checked(index)
        return np.empty(0) if self._dx is None else self._dx[index]

    def _arguments(self) -> dict[str, Any]:
        errors = {"e2": self._e2} if self._e2 is not None else {"e": self._shown("_e")}
        return super()._arguments() | {
            "x": self._shown("_x"), "y": self._shown("_y"), **errors, "dx": self._dx, "bin_mask": self.bin_mask,
        }  # fmt: skip

    def clone(self) -> Self:
        """Return an independent copy; arrays are shared until one of the two is written to."""
        copy = self.replaced()
        if self.monitors is not None:
            copy.monitors = self.monitors.clone()
        return copy

    # -- writing --------------------------------------------------------------------------------------------------

    def _alone(self, attribute: str) -> bool:
        """Tell whether nobody else holds an array or a view of it; no caller may hold it in a variable."""
        return sys.getrefcount(getattr(self, attribute)) <= 2  # the attribute, and the argument just made of it

    def _own(self, attribute: str) -> F64:
        """Make an array this workspace's alone and writable, and return it."""
        if not getattr(self, attribute).flags.writeable:
            if getattr(self, attribute).base is not None or not self._alone(attribute):
                setattr(self, attribute, getattr(self, attribute).copy())
            getattr(self, attribute).flags.writeable = True
        array: F64 = getattr(self, attribute)
        return array

    def _shown(self, attribute: str) -> F64:
        """Return an array frozen again, or a read-only view where a script still holds a row it may write to."""
        if getattr(self, attribute).flags.writeable and self._alone(attribute):
            getattr(self, attribute).flags.writeable = False
        array: F64 = getattr(self, attribute)
        return read_only(array) if array.flags.writeable else array

    def _own_x(self) -> F64:
        if self._x.ndim == 1 and self.n_spectra > 1:
            self._x = np.tile(self._x, (self.n_spectra, 1))
        return np.atleast_2d(self._own("_x"))

    def _own_e(self) -> F64:
        if self._e is None:
            assert self._e2 is not None
            self._e, self._e2 = np.sqrt(self._e2), None
        return self._own("_e")

    def dataX(self, index: int) -> F64:  # noqa: N802
        """Return X of a spectrum for writing."""
        row: F64 = self._own_x()[self._checked(index)]
        return row

    def dataY(self, index: int) -> F64:  # noqa: N802
        """Return Y of a spectrum for writing."""
        row: F64 = self._own("_y")[self._checked(index)]
        return row

    def dataE(self, index: int) -> F64:  # noqa: N802
        """Return E of a spectrum for writing."""
        row: F64 = self._own_e()[self._checked(index)]
        return row

    def setX(self, index: int, values: npt.ArrayLike) -> None:  # noqa: N802
        """Set X of a spectrum."""
        self._set(self._own_x(), index, values, "X")

    def setY(self, index: int, values: npt.ArrayLike) -> None:  # noqa: N802
        """Set Y of a spectrum."""
        self._set(self._own("_y"), index, values, "Y")

    def setE(self, index: int, values: npt.ArrayLike) -> None:  # noqa: N802
        """Set E of a spectrum."""
        self._set(self._own_e(), index, values, "E")

    setSharedX, setSharedY, setSharedE = setX, setY, setE  # noqa: N815
    mutableX, mutableY, mutableE = dataX, dataY, dataE  # noqa: N815

    def setDx(self, index: int, values: npt.ArrayLike) -> None:  # noqa: N802
        """Set the resolution of X of a spectrum."""
        if self._dx is None:
            self._dx = np.zeros_like(self._y)
        self._set(self._own("_dx"), index, values, "Dx")

    def _set(self, rows: F64, index: int, values: npt.ArrayLike, what: str) -> None:
        array = np.asarray(values, np.float64)
        if array.shape != rows.shape[1:]:
            raise ValueError(f"{self!r}: {what} of a spectrum has {rows.shape[1]} values, found {array.shape}")
        rows[self._checked(index)] = array


def _rows(values: npt.ArrayLike) -> F64:
    array: F64 = frozen(values, np.float64)
    if array.ndim == 1:
        array = array.reshape(1, -1)
    if array.ndim != 2:
        raise ValueError(f"HistogramWorkspace: expected rows of values, found shape {array.shape}")
    return array
