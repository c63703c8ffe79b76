"""Giving a workspace another X: from one conversion of time of flight to another, spectrum by spectrum.

A histogram's edges are converted and its counts kept; of events the plans are changed, so nothing is computed until
values are read and an update still costs what is new. What no plan can say goes through `respelling`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable

import numpy as np

from livereduce.algorithms.binning import point_edges
from livereduce.algorithms.converted_x import Quadratic, converted_rows, rows_of
from livereduce.algorithms.memory import remembered, warned_once
from livereduce.algorithms.operands import as_histogram
from livereduce.algorithms.respelling import Spelling, column_key, respelled
from livereduce.geometry.units import Conversion
from livereduce.workspaces import LINEAR, Curve, EventWorkspace, HistogramWorkspace, MatrixWorkspace, Part, Plan
from livereduce.workspaces.arrays import F64, I32, AnyArray, Bool, Column, frozen

log = logging.getLogger(__name__)

# Events are often exactly on an edge, and where X falls with time an edge belongs to the bin on its other side. So an
# event's edges are taken earlier by this, µs: far less than a tick, far more than rounding; it stays in its bin.
_EARLIER = 2e-9


def converted(
    ws: MatrixWorkspace,
    source: Conversion,
    target: Conversion,
    key: Hashable | None = None,
    why_undefined: str = "no detectors, or a scattering angle of 0",
) -> MatrixWorkspace:
    """Return the workspace in the target's unit.

    Parameters
    ----------
    source, target
        The present X and the new one as functions of time of flight, a row per spectrum. Spectra for which one of the
        two is undefined become zero.
    key
        What the two follow from, besides the workspace's spectra; with it, plans are worked out once.
    why_undefined
        Why a spectrum may be without the unit, for people.

    Raises
    ------
    ValueError
        No spectrum has the unit.
    """
    good = ~(source.undefined | target.undefined)
    if len(good) and not good.any():
        raise ValueError(f"no spectrum has a {target.unit} ({why_undefined})")
    if not good.all():
        # it is the same for every chunk
        warned_once(
            ws.spectra,
            log,
            "%d of %d spectra have no %s (%s): they are set to zero",
            int(np.count_nonzero(~good)),
            len(good),
            target.unit,
            why_undefined,
        )
    if isinstance(ws, EventWorkspace):
        return _converted_events(ws, source, target, good, key)
    return _converted_histogram(as_histogram(ws), source, target, good)


# -- histograms ---------------------------------------------------------------------------------------------------


def _converted_histogram(
    ws: HistogramWorkspace, source: Conversion, target: Conversion, good: Bool
) -> HistogramWorkspace:
    rows = converted_rows(ws.x, source, target, good, is_histogram=ws.is_histogram)
    y, e2 = (np.where(good[:, None], rows_of(values, rows), 0.0) for values in (ws.y, ws.e2))
    if ws.distribution:
        old = rows_of(_widths(ws.x, ws.is_histogram, ws.y.shape), rows)
        ratio = old / _widths(rows.x, ws.is_histogram, y.shape)
        y, e2 = y * ratio, e2 * ratio**2
    mask = ws.bin_mask
    if mask is not None:
        mask = rows_of(mask, rows).astype(bool)
    x = rows.x[0].copy() if np.all(rows.x == rows.x[:1]) else rows.x
    return ws.replaced(x=x, y=y, e2=e2, e=None, dx=None, bin_mask=mask, unit=target.unit)


def _widths(x: F64, is_histogram: bool, shape: tuple[int, ...]) -> F64:
    return np.broadcast_to(np.abs(np.diff(point_edges(x, is_histogram))), shape)


# -- events -------------------------------------------------------------------------------------------------------


class DeferredColumn(Column):
    """A column whose values are made when they are first asked for.

    A row of edges for every spectrum may take more memory than the events; scripts mostly rebin before anybody looks.
    """

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[], F64]) -> None:
        self._make, self._digest = make, None

    def __getattr__(self, name: str) -> AnyArray:
        if name != "values":
            raise AttributeError(name)
        self.values: AnyArray = frozen(self._make(), np.float64)
        return self.values


def _converted_events(
    ws: EventWorkspace, source: Conversion, target: Conversion, good: Bool, key: Hashable | None
) -> EventWorkspace:
    edges, before = None, ws.edge_column  # not the workspace's, which may be another's when they are asked for
    if before is not None:
        edges = DeferredColumn(lambda: _event_edges(before.values, source, target, good))

    def planned(plan: Plan) -> Plan | None:
        if key is None:
            return converted_plan(plan, source, target)
        return remembered(ws.spectra, (plan, key), lambda: converted_plan(plan, source, target))

    plans = {plan: planned(plan) for plan in {part.plan.unscaled: None for part in ws.parts}}
    made = [
        part.with_plan(plan.scaled_like(part.plan))
        if (plan := plans[part.plan.unscaled])
        else respelled_by(part, source, target)
        for part in ws.parts
    ]
    result = ws.replaced(parts=made, edges=edges)
    if good.all():
        return result
    targets = np.where(good, np.arange(len(good)), -1)
    return result.planned(lambda plan: plan.grouped(targets, len(good)))


def _event_edges(edges: F64, source: Conversion, target: Conversion, good: Bool) -> F64:
    x = converted_rows(edges, source, target, good, earlier=_EARLIER).x
    return x[0].copy() if np.all(x == x[:1]) else x


def spectrum_of_pixel(plan: Plan, n_pixels: int | None = None) -> I32:
    """Spectrum of each pixel as an index into rows: that of a pixel in no spectrum is the first."""
    if plan.group is None:
        return np.arange(plan.n_spectra if n_pixels is None else n_pixels, dtype=np.int32)
    return np.maximum(plan.group.values, 0)


def converted_plan(plan: Plan, source: Conversion, target: Conversion) -> Plan | None:
    """Return the plan in the target's unit, None if no plan says that.

    With y the plan's and z the source's linear quantity, X = curve(y) = curve_source(z), so z is linear in y if the
    curves have one power and intercept; the time of flight and the target's quantity are then linear as well.
    """
    curve = curve_of(target)
    z = _linear(plan.curve, curve_of(source))
    if curve is None or z is None:
        return None
    rows = spectrum_of_pixel(plan)
    f, o = plan.y_map()
    f, o = f * z[0], o * z[0] + z[1]
    f_source, o_source, f_target, o_target = (
        _column(c, rows) for c in (source.factor, source.offset, target.factor, target.offset)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        if np.array_equal(f, f_source) and np.array_equal(o, o_source):
            f, o = f_target, o_target  # it was converted from time of flight as it is converted back
        else:
            f = f / f_source * f_target
            o = (o - o_source) / f_source * f_target + o_target
    f, o = (np.where(np.isfinite(c), c, 0.0) for c in np.broadcast_arrays(f, o))
    if curve == LINEAR and np.all(f == 1.0) and np.all(o == 0.0):
        return plan.in_unit(target.unit, None)
    # a pixel whose spectrum has no such unit is dropped by the caller, and must not make the plan look incomplete
    return plan.in_unit(target.unit, np.where(f > 0, f, 1.0), None if np.all(o == 0.0) else _shrunk(o), curve)


def curve_of(conversion: Conversion) -> Curve | None:
    """Return the conversion's curve, None if it differs between spectra or is none a plan has."""
    if isinstance(conversion, Quadratic):
        return None
    different = np.unique(np.asarray(conversion.intercept, np.float64)[..., None])
    different = different[~np.isnan(different)]
    return Curve(conversion.power, conversion.slope, float(different[0])) if len(different) == 1 else None


def _linear(plan: Curve, source: Curve | None) -> tuple[float, float] | None:
    """Return (a, b) with z = a y + b from plan(y) = source(z), None if they are not linear in each other."""
    if source is None or plan.power != source.power:
        return None
    if plan.power == 1:
        return plan.slope / source.slope, (plan.intercept - source.intercept) / source.slope
    if plan.intercept != source.intercept or plan.slope / source.slope <= 0:
        return None
    return float((plan.slope / source.slope) ** (1.0 / plan.power)), 0.0


def _column(values: F64, rows: I32) -> F64:
    """Values by pixel; one value if they are all the same, which is faster to count by."""
    return _shrunk(values) if len(values) and np.all(values == values[0]) else values[rows]


def _shrunk(values: F64) -> F64:
    return values[:1] if len(values) and np.all(values == values[0]) else values


def respelled_by(part: Part, source: Conversion, target: Conversion) -> Part:
    """Return the part in the target's unit by a second table: for conversions that no plan says."""
    rows = spectrum_of_pixel(part.plan, part.table.n_pixels)
    intercept = np.broadcast_to(np.asarray(target.intercept, np.float64), target.factor.shape)
    # the intercept beyond all the others, so that every X has a time of flight
    common = float(np.nanmin(intercept) if target.slope > 0 else np.nanmax(intercept))
    factor = np.where(target.factor > 0, target.factor, 1.0)[rows]
    spelling = Spelling(target.unit, factor, np.zeros(len(rows)), Curve(target.power, target.slope, common))

    def x_of(x: F64, pix: I32) -> F64:
        at = rows[pix]
        return target.from_tof(source.to_tof(x, rows=at), rows=at)

    columns = [source.factor, source.offset, np.atleast_1d(source.intercept), target.factor, target.offset, intercept]
    if isinstance(target, Quadratic):
        columns.append(np.atleast_1d(target.bend))
    key = (source.unit, target.unit, target.power, target.slope, *column_key(*columns))
    return respelled(part, key, x_of, spelling)
