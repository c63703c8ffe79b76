"""scipp DataArrays as workspaces: what scripts that work in scipp give back.

Histograms and points become histogram workspaces. Events stay events where a workspace can hold them: times of flight,
each of weight one; other binned data are summed up in the bins they have. What a workspace has no place for (positions,
a second X) is left out.
"""

from __future__ import annotations

import numpy as np
import scipp as sc

from livereduce.workspaces.arrays import F64, AnyArray, Bool
from livereduce.workspaces.detectors import Detectors, Spectra
from livereduce.workspaces.event_workspace import EventWorkspace
from livereduce.workspaces.events import EventTable
from livereduce.workspaces.histogram import HistogramWorkspace
from livereduce.workspaces.plan import Part, Plan
from livereduce.workspaces.scipp_layout import Layout, layout_of, run_of, spectra_of, vertical_of
from livereduce.workspaces.scipp_names import unit_text, x_in_our_unit

_TICKS_NS = (100, 1)  # of ADARA and of ev44: the first that all times are multiples of
_TICKS = 1 << 32


def imported(data: sc.DataArray) -> HistogramWorkspace | EventWorkspace:
    """Return a DataArray as a workspace; see `livereduce.workspaces.from_scipp`."""
    if not data.dims:
        raise ValueError("the DataArray is a single value without a dimension; a workspace needs one for X")
    layout = layout_of(data)
    if not data.is_binned:
        return _histogram(layout)
    if _can_stay_events(layout):
        return _events(layout)
    if not layout.dim or not data.coords.is_edges(layout.name, layout.dim):
        raise ValueError(
            "binned data can stay events if these have times of flight (coordinate tof), weight 1 and no masks; others"
            f" need bins along X: make a histogram first, as in da.hist({layout.name}=100)"
        )
    # in float64: scipp adds up single weights in their own type, and float32 counts no further than 2**24
    return _histogram(Layout(data.astype("float64", copy=False).bins.sum(), layout.name, layout.dim))


# -- histograms and points --------------------------------------------------------------------------------------------


def _histogram(layout: Layout) -> HistogramWorkspace:
    x, rising = _x(layout)
    data, y_unit, distribution = _values(layout)
    y = layout.by_row(data.values)
    e2 = np.zeros_like(y) if data.variances is None else layout.by_row(data.variances)
    masked, bin_mask = _masks(layout)
    hidden = masked[:, None] if bin_mask is None else masked[:, None] | bin_mask
    y, e2 = np.where(hidden, 0.0, y), np.where(hidden, 0.0, e2)
    if not rising:
        y, e2, bin_mask = y[:, ::-1], e2[:, ::-1], None if bin_mask is None else bin_mask[:, ::-1]
    spectra = spectra_of(layout, masked)
    return HistogramWorkspace(
        x,
        y,
        e2,
        detectors=Detectors(np.unique(spectra.ids)),
        spectra=spectra,
        run=run_of(layout.data),
        bin_mask=bin_mask,
        title=layout.data.name,
        unit=layout.x[0],
        y_unit=y_unit,
        distribution=distribution,
        vertical=vertical_of(layout),
    )


def _x(layout: Layout) -> tuple[F64, bool]:
    """X in rising order, and whether it was so."""
    variable = layout.x[1]
    x = np.array(variable.values) if variable.ndim == 1 else layout.by_row(layout.table(variable).values)
    step = np.diff(x)
    if not np.any(step < 0):
        return x, True
    if np.any(step > 0):
        raise ValueError(f"the coordinate {layout.name!r} neither rises nor falls throughout: sort the data along it")
    return np.ascontiguousarray(x[..., ::-1]), False


def _values(layout: Layout) -> tuple[sc.Variable, str, bool]:
    """The data as a table, the unit of Y, and whether they are a distribution."""
    data = layout.table(layout.data.data).astype("float64", copy=False)
    if data.unit is None or data.unit == sc.units.one:
        return data, "", layout.in_bins and data.unit is not None
    x_unit = layout.x[1].unit
    for unit, distribution in ((sc.units.counts, False), (x_unit and sc.units.counts / x_unit, True)):
        try:
            return data.to(unit=unit, copy=False), "Counts", distribution
        except sc.UnitError:  # not of this kind
            continue
    return data, unit_text(data.unit), False


def _masks(layout: Layout) -> tuple[Bool, Bool | None]:
    """Masked spectra, and masked bins if there are masks of bins."""
    masked, bins = np.zeros(layout.n, bool), None
    for mask in layout.data.masks.values():
        rows = layout.per_row(mask)
        if rows is not None:
            masked |= rows
        else:
            some = layout.by_row(layout.table(mask).values)
            bins = some if bins is None else bins | some
    return masked, bins


# -- events -----------------------------------------------------------------------------------------------------------


def _can_stay_events(layout: Layout) -> bool:
    """Tell whether all events have a time of flight and weight 1, and none is masked on its own account."""
    events = layout.data.bins.constituents["data"]
    if layout.name != "tof" or not isinstance(events, sc.DataArray) or "tof" not in events.coords:
        return False
    hidden = len(events.masks) or any(layout.per_row(mask) is None for mask in layout.data.masks.values())
    in_bins = not layout.dim or (layout.in_bins and layout.data.coords["tof"].ndim == 1)
    ones = np.all(events.values == 1) and (events.variances is None or np.all(events.variances == 1))
    return bool(not hidden and in_bins and ones and events.unit == sc.units.counts)


def _events(layout: Layout) -> EventWorkspace:
    data = layout.data if not layout.dim else layout.data.bins.concat(layout.dim)
    at, row = _in_rows(data, layout)
    events = data.bins.constituents["data"]
    assert isinstance(events, sc.DataArray)
    pulse = _pulse_times(events)[at]
    order = np.argsort(pulse, kind="stable")
    at, row, pulse = at[order], row[order], pulse[order]
    tof = x_in_our_unit("tof", events.coords["tof"])[1].values
    table = _table(tof[at], row, pulse, layout.n)
    masked, _ = _masks(layout)
    spectra = spectra_of(layout, masked)
    group = np.where(masked, -1, np.arange(layout.n)).astype(np.int32)
    plan = Plan(layout.n).grouped(group, layout.n) if masked.any() else Plan(layout.n)
    return EventWorkspace(
        [Part(table, 0, table.n, plan)],
        _pixels(spectra),
        run_of(layout.data),
        spectra=spectra,
        edges=None if not layout.dim else _x(layout)[0],
        title=layout.data.name,
    )


def _in_rows(data: sc.DataArray, layout: Layout) -> tuple[AnyArray, AnyArray]:
    """Place in the buffer and spectrum of each event, spectrum by spectrum."""
    parts = data.bins.constituents
    begin, end = (layout.per_row(parts[name]) for name in ("begin", "end"))
    assert begin is not None
    assert end is not None
    count = end - begin
    first = np.cumsum(count) - count
    at = np.arange(int(count.sum())) + np.repeat(begin - first, count)
    return at, np.repeat(np.arange(layout.n), count)


def _pulse_times(events: sc.DataArray) -> AnyArray:
    for name in ("pulse_time", "event_time_zero"):
        if name in events.coords:
            return np.asarray(events.coords[name].values).astype("datetime64[ns]").astype(np.int64)
    return np.zeros(events.sizes[events.dim], np.int64)


def _table(tof_us: F64, row: AnyArray, pulse_time: AnyArray, n: int) -> EventTable:
    """A table of events that are sorted by pulse, in the coarsest ticks that say their times."""
    ns = np.rint(tof_us * 1000.0)
    tick = next(tick for tick in _TICKS_NS if tick == 1 or np.all(ns % tick == 0))
    ticks = ns / tick
    zero = max(0, -int(ticks.min(initial=0)))
    ticks += zero
    if not np.all(ticks < _TICKS):
        raise ValueError(
            f"times of flight from {tof_us.min():g} to {tof_us.max():g} us: expected less than 4.29 s between"
        )
    time, start = np.unique(pulse_time, return_index=True)
    table = EventTable(n, tick, zero)
    table.append(ticks.astype(np.uint32), row, time, np.append(start, len(row)), np.zeros(len(time)))
    return table


def _pixels(spectra: Spectra) -> Detectors:
    """A pixel per spectrum: its detector, or where spectra have none or several, IDs that no detector has."""
    n, ids = len(spectra), spectra.ids
    if len(ids) == n and len(np.unique(ids)) == n and np.all(np.diff(spectra.start) == 1):
        return Detectors(ids)
    return Detectors(min(int(ids.min(initial=0)), 0) - 1 - np.arange(n))
