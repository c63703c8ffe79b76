"""Spectra of two workspaces in one: AppendSpectra, ConjoinWorkspaces."""

from __future__ import annotations

import numpy as np

from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.operands import as_histogram
from livereduce.algorithms.spectra import distinct
from livereduce.workspaces import (
    EventWorkspace,
    MatrixWorkspace,
    NumericAxis,
    Spectra,
    SpectrumGeometry,
    WorkspaceGroup,
    WorkspaceStore,
)
from livereduce.workspaces.arrays import F64, I64, AnyArray


@algorithm(
    "AppendSpectra",
    names={"first": "InputWorkspace1", "second": "InputWorkspace2", "append_y_labels": "AppendYAxisLabels"},
)
def append_spectra(
    first: MatrixWorkspace,
    second: MatrixWorkspace,
    validate_inputs: bool = True,
    number: int = 1,
    merge_logs: bool = False,
    append_y_labels: bool = False,
) -> MatrixWorkspace:
    """Put the spectra of a second workspace below those of a first. Two event workspaces stay events.

    Parameters
    ----------
    first
        The upper spectra; the result has its title, instrument and logs.
    second
        The lower spectra. Where their numbers clash with those above, all are numbered anew, from 0 on.
    validate_inputs
        Whether both must have the same units and bins.
    number
        How often the second is put below.
    merge_logs
        Whether the second's logs are added to the first's.
    append_y_labels
        Accepted for scripts that give it; vertical axes of numbers in the same unit are always joined.
    """
    if number < 1:
        raise ValueError(f"Number: expected 1 or more, found {number}")
    result = first
    for _ in range(number):
        result = stacked(result, second, validate=validate_inputs)
    if merge_logs:
        result.logs.add(second.logs)
    return result


@algorithm(
    "ConjoinWorkspaces",
    names={
        "first": "InputWorkspace1",
        "second": "InputWorkspace2",
        "y_unit": "YAxisUnit",
        "y_label": "YAxisLabel",
    },
    in_place=["first"],
)
def conjoin_workspaces(
    first: MatrixWorkspace,
    second: MatrixWorkspace,
    check_overlapping: bool = True,
    check_matching_bins: bool = True,
    y_unit: str = "",
    y_label: str = "",
    store: WorkspaceStore | None = None,
) -> MatrixWorkspace:
    """Put the spectra of a second workspace below those of a first, in the first; the second is deleted.

    Parameters
    ----------
    first
        The workspace that grows.
    second
        What is put below it.
    check_overlapping
        Whether a spectrum number or detector in both is an error; without, the numbers of the second count on from
        the first's greatest where they clash.
    check_matching_bins
        Whether different bins are an error.
    y_unit, y_label
        Unit of Y from now on, and its label, by default the same; without either they stay.
    """
    if check_overlapping:
        numbers = np.intersect1d(first.spectra.numbers, second.spectra.numbers)
        ids = np.intersect1d(first.spectra.ids, second.spectra.ids)
        if len(numbers) or len(ids):
            what = f"spectrum number {numbers[0]}" if len(numbers) else f"detector {ids[0]}"
            raise ValueError(f"{what} is in both workspaces; CheckOverlapping=False allows it")
    second_name, numbers = second.name(), second.spectra.numbers
    if np.isin(numbers, first.spectra.numbers).any():
        numbers = numbers + first.spectra.numbers.max()
    result = stacked(first, second, validate=check_matching_bins, numbers=numbers)
    result.y_unit, result.y_label = y_unit or result.y_unit, y_label or y_unit or result.y_label
    if store is not None and second_name in store and store[second_name] is second and second is not first:
        groups = [ws for ws in map(store.__getitem__, store.names()) if isinstance(ws, WorkspaceGroup) and second in ws]
        store.remove(second_name)
        for emptied in (group for group in groups if not len(group)):
            store.remove(emptied.name())
    return result


def stacked(
    first: MatrixWorkspace, second: MatrixWorkspace, *, validate: bool = True, numbers: I64 | None = None
) -> MatrixWorkspace:
    """Return the spectra of both, the second's below, with these numbers or, where theirs clash, all with new ones."""
    if validate:
        if first.unit != second.unit or first.y_unit != second.y_unit:
            units = f"{first.unit!r}, {first.y_unit!r} and {second.unit!r}, {second.y_unit!r}"
            raise ValueError(f"the workspaces have different units (X, Y): {units}")
        if not _same_bins(first, second):
            raise ValueError("the workspaces have different bins; rebin one to the other (RebinToWorkspace)")
    elif first.n_bins != second.n_bins or first.is_histogram != second.is_histogram:
        raise ValueError(f"the workspaces have {first.n_bins} and {second.n_bins} bins a spectrum; they must agree")
    spectra, vertical = _both(first, second, numbers), _vertical(first, second)
    if isinstance(first, EventWorkspace) and isinstance(second, EventWorkspace) and first.unit == second.unit:
        return _stacked_events(first, second, spectra, vertical)
    a, b = as_histogram(first), as_histogram(second)
    same_x = a.x.shape == b.x.shape and a.x.ndim == 1 and np.array_equal(a.x, b.x)
    return a.replaced(
        x=a.x if same_x else np.concatenate([_rows(a), _rows(b)]),
        y=np.concatenate([a.y, b.y]),
        e2=np.concatenate([a.e2, b.e2]),
        e=None,
        dx=_columns(a.dx, b.dx, a, b),
        bin_mask=_columns(a.bin_mask, b.bin_mask, a, b),
        spectra=spectra,
        vertical=vertical,
    )


def _columns(
    a: AnyArray | None, b: AnyArray | None, first: MatrixWorkspace, second: MatrixWorkspace
) -> AnyArray | None:
    """Return what there may be for each value of both, zeros for the side that has none."""
    kinds = [rows.dtype for rows in (a, b) if rows is not None]
    if not kinds:
        return None
    sides = zip((a, b), (first, second), strict=True)
    return np.concatenate([np.zeros(ws.y.shape, kinds[0]) if rows is None else rows for rows, ws in sides])


def _vertical(first: MatrixWorkspace, second: MatrixWorkspace) -> NumericAxis | None:
    """Return the vertical axis of both if each has a number for every spectrum, in one unit."""
    upper, lower = first.vertical, second.vertical
    if upper is None or lower is None or upper.unit != lower.unit:
        return None
    if (len(upper.values), len(lower.values)) != (first.n_spectra, second.n_spectra):
        return None
    return NumericAxis.of(np.concatenate([upper.values, lower.values]), upper.unit)


def _same_bins(first: MatrixWorkspace, second: MatrixWorkspace) -> bool:
    if _without_bins(first) and _without_bins(second):
        return True
    if first.common_bins and second.common_bins and first.n_spectra and second.n_spectra:
        return np.array_equal(first.readX(0), second.readX(0))
    return np.array_equal(_rows(first), _rows(second))


def _without_bins(ws: MatrixWorkspace) -> bool:
    return isinstance(ws, EventWorkspace) and ws.default_binning


def _stacked_events(
    first: EventWorkspace, second: EventWorkspace, spectra: Spectra, vertical: NumericAxis | None
) -> EventWorkspace:
    n = len(spectra)
    above = first.planned(lambda plan: plan.grouped(np.arange(first.n_spectra), n), spectra=spectra, edges=None)
    below = second.changed_parts(lambda plan: plan.grouped(np.arange(first.n_spectra, n), n))
    same_x = first.x.ndim == second.x.ndim == 1 and np.array_equal(first.x, second.x)
    edges = (
        None
        if _without_bins(first) and _without_bins(second)
        else first.x
        if same_x
        else np.concatenate([_rows(first), _rows(second)])
    )
    return above.replaced(parts=[*above.parts, *below], edges=edges, vertical=vertical)


def _rows(ws: MatrixWorkspace) -> F64:
    return np.broadcast_to(ws.x, (ws.n_spectra, ws.x.shape[-1]))


def _both(first: MatrixWorkspace, second: MatrixWorkspace, below: I64 | None) -> Spectra:
    """Return the spectra of both, those of the second with the numbers given for them."""
    a, b = first.spectra, second.spectra
    numbers = np.concatenate([a.numbers, b.numbers if below is None else below])
    if below is None and len(distinct(numbers)) < len(numbers):
        numbers = np.arange(len(numbers))
    return Spectra(
        numbers,
        np.concatenate([a.ids, b.ids]),
        np.concatenate([a.start, b.start[1:] + a.start[-1]]),
        masked=np.concatenate([a.masked, b.masked]),
        geometry=_places(first, second),
        labels=None if a.labels is None or b.labels is None else (*a.labels, *b.labels),
    )


def _places(first: MatrixWorkspace, second: MatrixWorkspace) -> SpectrumGeometry | None:
    """Return flight paths and angles if those of either are not simply those of its detectors."""
    if first.spectra.geometry is None and second.spectra.geometry is None:
        return None
    upper, lower = (ws.spectra.geometry_from(ws.detectors) for ws in (first, second))
    l2, two_theta = (np.concatenate(both) for both in ((upper.l2, lower.l2), (upper.two_theta, lower.two_theta)))
    return SpectrumGeometry(upper.l1, l2, two_theta)
