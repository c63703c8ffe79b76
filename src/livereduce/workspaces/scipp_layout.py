"""How a scipp DataArray is laid out: which coordinate is X, what the spectra are, which coordinates are logs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipp as sc

from livereduce.workspaces.arrays import AnyArray, Bool
from livereduce.workspaces.axes import NumericAxis
from livereduce.workspaces.detectors import Spectra, SpectrumGeometry
from livereduce.workspaces.run import Run, iso
from livereduce.workspaces.scipp_names import DETECTOR_ID, SPECTRUM, X_NAMES, unit_text, x_in_our_unit
from livereduce.workspaces.series import Property, TimeSeries

_OF_SPECTRA = (SPECTRUM, DETECTOR_ID, "detector_number", "L1", "L2", "two_theta")


@dataclass(frozen=True)
class Layout:
    """Which coordinate is X, along which dimension ("": events that are not binned along X)."""

    data: sc.DataArray
    name: str
    dim: str

    @property
    def rows(self) -> dict[str, int]:
        """Dimensions whose elements are spectra, and their sizes."""
        return {dim: size for dim, size in self.data.sizes.items() if dim != self.dim}

    @property
    def n(self) -> int:
        """Number of spectra."""
        return int(np.prod(list(self.rows.values()), dtype=np.int64))

    @cached_property
    def x(self) -> tuple[str, sc.Variable]:
        """Identifier of the unit of X, and X in it."""
        return x_in_our_unit(self.name, self.data.coords[self.name])

    @property
    def in_bins(self) -> bool:
        """Whether X holds edges."""
        return bool(self.data.coords.is_edges(self.name, self.dim))

    def per_row(self, variable: sc.Variable) -> AnyArray | None:
        """Return a value per spectrum of a variable that has only their dimensions; None if it has others."""
        if not set(variable.dims) <= set(self.rows):
            return None
        return np.array(variable.broadcast(sizes=self.rows).values).reshape(self.n)

    def table(self, variable: sc.Variable) -> sc.Variable:
        """Return the variable with the dimensions of the spectra, then X's, along which it keeps its length."""
        sizes = self.rows | {self.dim: variable.sizes.get(self.dim, self.data.sizes[self.dim])}
        return variable.broadcast(sizes=sizes)

    def by_row(self, values: AnyArray) -> AnyArray:
        """Return values of a table, spectrum by spectrum, as a new array."""
        return np.array(values, bool if values.dtype == bool else np.float64).reshape(self.n, -1)


def layout_of(data: sc.DataArray) -> Layout:
    """Find X: an inner dimension of a name we know, a coordinate of such a name along the innermost, or that itself."""
    known = {name for name, _ in X_NAMES.values()}
    for dim in reversed(data.dims):
        if dim in known and dim in data.coords:
            return Layout(data, dim, dim)
    inner = data.dims[-1]
    for name in sorted(known - {"two_theta"}):  # which is an X where it is a dimension, else a place of spectra
        if name in data.coords and inner in data.coords[name].dims:
            return Layout(data, name, inner)
    if data.is_binned:
        found = sorted(known & set(data.bins.coords), key=lambda name: (name != "tof", name))
        if not found:
            raise ValueError(f"the events have the coordinates {sorted(data.bins.coords)}; none of them can be X")
        return Layout(data, found[0], "")
    if inner not in data.coords:
        raise ValueError(
            f"there is no X: the inner dimension {inner!r} has no coordinate; coordinates are {sorted(data.coords)}"
        )
    return Layout(data, inner, inner)


# -- what the rows are ------------------------------------------------------------------------------------------------


def spectra_of(layout: Layout, masked: Bool) -> Spectra:
    """Numbers (from 1 unless given), detector IDs, places and mask of the spectra."""
    numbers = _whole_numbers(layout, SPECTRUM)
    if numbers is None:
        numbers = np.arange(1, layout.n + 1)
    ids, start = _detector_ids(layout, numbers)
    return Spectra(numbers, ids, start, masked=masked, geometry=_geometry(layout))


def _whole_numbers(layout: Layout, name: str) -> AnyArray | None:
    """Return a coordinate of whole numbers, one per spectrum; None if there is none such."""
    if name not in layout.data.coords:
        return None
    variable = layout.data.coords[name]
    if variable.dtype not in (sc.DType.int64, sc.DType.int32):
        return None
    one_of_many = not variable.dims and layout.rows  # says something of all spectra, not which each is
    return None if one_of_many else layout.per_row(variable)


def _detector_ids(layout: Layout, numbers: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Detector IDs, spectrum after spectrum, and where those of each spectrum begin."""
    for name in (DETECTOR_ID, "detector_number"):
        ids = _whole_numbers(layout, name)
        if ids is not None:
            return ids, np.arange(layout.n + 1)
    if DETECTOR_ID not in layout.data.coords or layout.data.coords[DETECTOR_ID].dtype != sc.DType.DataArray:
        return np.empty(0, np.int64), np.zeros(layout.n + 1)
    # as `scipp_export` writes it: IDs with the number of the spectrum each belongs to
    table = layout.data.coords[DETECTOR_ID].value
    ids, owner = np.array(table.values), np.array(table.coords[SPECTRUM].values)
    order = np.argsort(owner, kind="stable")
    first = np.searchsorted(owner[order], numbers, side="left")
    count = np.searchsorted(owner[order], numbers, side="right") - first
    start = np.concatenate([[0], np.cumsum(count)])
    return ids[order][np.repeat(first - start[:-1], count) + np.arange(start[-1])], start


def _geometry(layout: Layout) -> SpectrumGeometry | None:
    coords = layout.data.coords
    if not {"L1", "L2", "two_theta"} <= set(coords) or coords["L1"].dims:
        return None
    l2, two_theta = (
        layout.per_row(coords[n].to(unit=u, dtype="float64")) for n, u in (("L2", "m"), ("two_theta", "rad"))
    )
    if l2 is None or two_theta is None:
        return None
    return SpectrumGeometry(float(coords["L1"].to(unit="m", dtype="float64").value), l2, two_theta)


def vertical_of(layout: Layout) -> NumericAxis | None:
    """A numeric vertical axis, if the only other dimension has a coordinate that is no whole number."""
    if len(layout.rows) != 1:
        return None
    (row,) = layout.rows
    if row not in layout.data.coords:
        return None
    variable = layout.data.coords[row]
    if variable.dims != (row,) or variable.dtype not in (sc.DType.float64, sc.DType.float32):
        return None
    unit, values = x_in_our_unit(row, variable)
    return NumericAxis.of(values.values, unit)


def run_of(data: sc.DataArray) -> Run:
    """Scalar coordinates as logs: numbers, text, times, and DataArrays over time as series."""
    run = Run()
    for name, variable in data.coords.items():
        if variable.dims or name in _OF_SPECTRA:
            continue
        value = variable.value
        if isinstance(value, sc.DataArray):
            series = _series(name, value)
            if series is not None:
                run.set(name, series)
        elif isinstance(value, np.datetime64):
            run.set(name, iso(int(value.astype("datetime64[ns]").astype(np.int64))))
        elif isinstance(value, str | bool | int | float | np.generic):
            run.set(name, value, unit_text(variable.unit))
    return run


def _series(name: str, data: sc.DataArray) -> TimeSeries | Property | None:
    """A one-dimensional DataArray as a series if it has times, as an array of numbers if it has no coordinate."""
    if data.ndim != 1:
        return None
    values = np.array(data.values)
    unit = unit_text(data.unit)
    for variable in data.coords.values():
        if variable.dims == data.dims and variable.dtype == sc.DType.datetime64:
            time = np.array(variable.values).astype("datetime64[ns]").astype(np.int64)
            return TimeSeries(name, time, values, unit)
    return None if len(data.coords) else Property(name, values, unit)
