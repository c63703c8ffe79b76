"""scipp DataArrays as workspaces: what scripts that work in scipp give back.

Histograms and points become histogram workspaces. Events stay events, with their weights, and without those that are
masked; only where masks cover bins are they summed up in these. What a workspace has no place for (positions, a second
X) is left out.
"""

from __future__ import annotations

import numpy as np
import scipp as sc

from livereduce.workspaces.arrays import F64, AnyArray, Bool
from livereduce.workspaces.detectors import Detectors, Spectra
from livereduce.workspaces.event_workspace import EventWorkspace
from livereduce.workspaces.events import EventTable, Weights
from livereduce.workspaces.histogram import HistogramWorkspace
from livereduce.workspaces.plan import Part, Plan
from livereduce.workspaces.scipp_layout import Layout, layout_of, run_of, spectra_of, vertical_of
from livereduce.workspaces.scipp_names import unit_text, x_in_our_unit
from livereduce.workspaces.ticks import in_ticks


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
            f"these binned data have no events with a coordinate {layout.name!r}, and no bins along it to sum them up"
            f" in: make a histogram first, as in da.hist({layout.name}=100)"
        )
    # in float64: scipp adds up single weights in their own type, and float32 counts no further than 2**24
    return _histogram(Layout(data.astype("float64", copy=False).bins.sum(), layout.name, layout.dim))


# -- histograms and points --------------------------------------------------------------------------------------------


def _histogram(layout: Layout) -> HistogramWorkspace:
    x, rising = _x(layout)
    data = layout.table(layout.data.data).astype("float64", copy=False)
    data, y_unit, distribution = _values(layout, data)
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


def _values(layout: Layout, data: sc.Variable) -> tuple[sc.Variable, str, bool]:
    """Return values in our unit of Y, that unit, and whether they are a distribution."""
    if data.unit is None or data.unit == sc.units.one:
        return data, "", layout.in_bins and data.unit is not None
    x_unit = layout.x[1].unit if layout.name in layout.data.coords else None
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
    """Tell whether the events have an X, and masks that go with spectra or single events."""
    events = layout.data.bins.constituents["data"]
    if not isinstance(events, sc.DataArray) or layout.name not in events.coords:
        return False
    masked_bins = any(layout.per_row(mask) is None for mask in layout.data.masks.values())
    in_bins = not layout.dim or (layout.in_bins and layout.data.coords[layout.name].ndim == 1)
    return bool(not masked_bins and in_bins)


def _events(layout: Layout) -> EventWorkspace:
    data = layout.data if not layout.dim else layout.data.bins.concat(layout.dim)
    at, row = _in_rows(data, layout)
    events = data.bins.constituents["data"]
    assert isinstance(events, sc.DataArray)
    for mask in events.masks.values():
        shown = ~np.broadcast_to(mask.values, events.shape)[at]
        at, row = at[shown], row[shown]
    pulse = _pulse_times(events)[at]
    order = np.argsort(pulse, kind="stable")
    at, row, pulse = at[order], row[order], pulse[order]
    unit, x = x_in_our_unit(layout.name, events.coords[layout.name])
    values, y_unit, distribution = _values(layout, events.data.astype("float64", copy=False))
    table, factor = _table(x.values[at], unit, row, pulse, layout.n, _weights(values, at))
    masked, _ = _masks(layout)
    spectra = spectra_of(layout, masked)
    group = np.where(masked, -1, np.arange(layout.n)).astype(np.int32)
    plan = Plan(layout.n) if unit == "TOF" else Plan(layout.n).in_unit(unit, [factor])
    return EventWorkspace(
        [Part(table, 0, table.n, plan.grouped(group, layout.n) if masked.any() else plan)],
        _pixels(spectra),
        run_of(layout.data),
        spectra=spectra,
        edges=None if not layout.dim else _x(layout)[0],
        title=layout.data.name,
        y_unit=y_unit,
        distribution=distribution,
    )


def _weights(data: sc.Variable, at: AnyArray) -> Weights | None:
    """Return the weights of these events and their variances; None if they are counts, each with its own error."""
    weight = data.values[at]
    variance = data.variances[at] if data.variances is not None else np.ones_like(weight)
    if np.all(weight == 1) and np.all(variance == 1):
        return None
    variance = np.zeros_like(weight) if data.variances is None else variance
    return Weights(weight.astype(np.float32), variance.astype(np.float32))


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


def _table(
    x: F64, unit: str, row: AnyArray, pulse_time: AnyArray, n: int, weights: Weights | None
) -> tuple[EventTable, float]:
    """A table of events that are sorted by pulse, and X per µs of its times."""
    found = in_ticks(x, unit)
    time, start = np.unique(pulse_time, return_index=True)
    table = EventTable(n, found.tick_ns, found.zero_ticks, weighted=weights is not None)
    table.append(found.tick, row, time, np.append(start, len(row)), np.zeros(len(time)), weights)
    return table, found.factor


def _pixels(spectra: Spectra) -> Detectors:
    """A pixel per spectrum: its detector, or where spectra have none or several, IDs that no detector has."""
    n, ids = len(spectra), spectra.ids
    if len(ids) == n and len(np.unique(ids)) == n and np.all(np.diff(spectra.start) == 1):
        return Detectors(ids)
    return Detectors(min(int(ids.min(initial=0)), 0) - 1 - np.arange(n))
