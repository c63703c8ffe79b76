"""Moving and stretching X without changing what it means: ChangeBinOffset and ScaleX."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from livereduce.algorithms.converting import DeferredColumn, spectrum_of_pixel
from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.operands import as_histogram
from livereduce.algorithms.spectra import selected
from livereduce.workspaces import Curve, EventWorkspace, MatrixWorkspace, Part, Plan
from livereduce.workspaces.arrays import F64, AnyArray, Bool, Column


@algorithm("ChangeBinOffset")
def change_bin_offset(
    ws: MatrixWorkspace, offset: float, index_min: int | None = None, index_max: int | None = None
) -> MatrixWorkspace:
    """Add a number to X.

    Parameters
    ----------
    offset
        The number, in the unit of X.
    index_min, index_max
        First and last spectrum to move; by default all.
    """
    return moved_x(ws, 1.0, offset, _chosen(ws, index_min, index_max))


@algorithm("ScaleX")
def scale_x(
    ws: MatrixWorkspace,
    factor: float = 1.0,
    operation: Literal["Multiply", "Add"] = "Multiply",
    index_min: int | None = None,
    index_max: int | None = None,
) -> MatrixWorkspace:
    """Multiply X by a number, or add a number to it.

    Parameters
    ----------
    factor
        The number; a negative one turns the order of the bins round (histograms only).
    operation
        What to do with it.
    index_min, index_max
        First and last spectrum to change; by default all.
    """
    chosen = _chosen(ws, index_min, index_max)
    return moved_x(ws, 1.0, factor, chosen) if operation == "Add" else moved_x(ws, factor, 0.0, chosen)


def _chosen(ws: MatrixWorkspace, first: int | None, last: int | None) -> Bool:
    chosen = np.zeros(ws.n_spectra, bool)
    chosen[selected(ws, first, last)] = True
    return chosen


def scaled_x(ws: MatrixWorkspace, factor: float, unit: str) -> MatrixWorkspace:
    """Return the workspace with all X multiplied, in another unit."""
    return moved_x(ws, factor, 0.0, np.ones(ws.n_spectra, bool), unit)


def moved_x(
    ws: MatrixWorkspace, factor: float, offset: float, chosen: Bool, unit: str | None = None
) -> MatrixWorkspace:
    """Return the workspace with X of the chosen spectra multiplied by a factor and moved by an offset."""
    if not np.isfinite([factor, offset]).all() or factor == 0:
        raise ValueError(f"X cannot be multiplied by {factor:g} and moved by {offset:g}")
    if isinstance(ws, EventWorkspace) and factor > 0:
        return _moved_events(ws, factor, offset, chosen, unit)
    histogram = as_histogram(ws)
    x, y, e2, mask = histogram.x, histogram.y, histogram.e2, histogram.bin_mask
    if not chosen.all():
        x = np.where(chosen[:, None], x * factor + offset, x)
    else:
        x = x * factor + offset
    if factor < 0:
        x, y, e2 = (_turned(rows, chosen) for rows in (x, y, e2))
        mask = None if mask is None else _turned(mask, chosen)
    return histogram.replaced(
        x=x,
        y=y,
        e2=e2,
        e=None,
        dx=_moved_resolution(histogram.dx, factor, chosen),
        bin_mask=mask,
        unit=unit or histogram.unit,
    )


def _moved_resolution(dx: F64 | None, factor: float, chosen: Bool) -> F64 | None:
    if dx is None:
        return None
    turned = dx if factor > 0 else _turned(dx, chosen)
    return np.where(chosen[:, None], turned * abs(factor), turned)


def _turned(rows: AnyArray, chosen: Bool) -> AnyArray:
    return rows[::-1].copy() if rows.ndim == 1 else np.where(chosen[:, None], rows[:, ::-1], rows)


def _moved_events(ws: EventWorkspace, factor: float, offset: float, chosen: Bool, unit: str | None) -> EventWorkspace:
    edges, before = None, ws.edge_column  # not the workspace's, which may be another's when they are asked for
    if before is not None:
        edges = DeferredColumn(lambda: _moved_edges(before.values, factor, offset, chosen))
    parts: list[Part] = []
    for part in ws.parts:
        plan = part.plan.with_free_bins()
        parts += [part.with_plan(moved) for moved in _moved_plans(plan, factor, offset, chosen, unit)]
    return ws.replaced(parts=parts, edges=edges)


def _moved_edges(edges: F64, factor: float, offset: float, chosen: Bool) -> F64:
    new = edges * factor + offset
    return new if chosen.all() else np.where(chosen[:, None], new, edges)


def _moved_plans(plan: Plan, factor: float, offset: float, chosen: Bool, unit: str | None) -> list[Plan]:
    """Plans that together show what this one does, with X of the chosen spectra moved."""
    unit = unit or plan.unit
    if plan.curve.power == 1 and plan.curve.slope == 1 and plan.curve.intercept == 0:
        f, o = plan.y_map()
        if not chosen.all():
            here = chosen[spectrum_of_pixel(plan)]
            f, o = np.where(here, f * factor, f), np.where(here, o * factor + offset, o)
        else:
            f, o = f * factor, o * factor + offset
        return [replace(plan, unit=unit, factor=Column(np.array(f)), offset=Column(np.array(o)))]
    curve = Curve(plan.curve.power, plan.curve.slope * factor, plan.curve.intercept * factor + offset)
    moved = replace(plan, unit=unit, curve=curve)
    if chosen.all():
        return [moved]
    # one curve is for all pixels of a plan: the spectra are shared out between two
    rows = np.arange(plan.n_spectra)
    return [
        replace(moved.grouped(np.where(chosen, rows, -1), plan.n_spectra), unit=unit),
        replace(plan.grouped(np.where(chosen, -1, rows), plan.n_spectra), unit=unit),
    ]
