"""Spectra of two workspaces in one: AppendSpectra, ConjoinWorkspaces."""

from __future__ import annotations

import numpy as np

from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.operands import as_histogram
from livereduce.algorithms.spectra import distinct, like
from livereduce.workspaces import EventWorkspace, MatrixWorkspace, Spectra
from livereduce.workspaces.arrays import F64


@algorithm("AppendSpectra", names={"first": "InputWorkspace1", "second": "InputWorkspace2", "number": "Number"})
def append_spectra(
    first: MatrixWorkspace,
    second: MatrixWorkspace,
    validate_inputs: bool = True,
    number: int = 1,
    merge_logs: bool = False,
) -> MatrixWorkspace:
    """Put the spectra of a second workspace below those of a first. Two event workspaces stay events.

    Parameters
    ----------
    first
        The upper spectra; the result has its title, instrument and logs.
    second
        The lower spectra. Where their numbers clash with those above, all are numbered from the first's smallest on.
    validate_inputs
        Whether both must have the same units and bins.
    number
        How often the second is put below.
    merge_logs
        Whether the second's logs are added to the first's.
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
    names={"first": "InputWorkspace1", "second": "InputWorkspace2"},
    in_place=["first"],
)
def conjoin_workspaces(
    first: MatrixWorkspace, second: MatrixWorkspace, check_overlapping: bool = True, check_matching_bins: bool = True
) -> MatrixWorkspace:
    """Put the spectra of a second workspace below those of a first, in the first.

    Parameters
    ----------
    first
        The workspace that grows.
    second
        What is put below it.
    check_overlapping
        Whether a spectrum number or detector in both is an error.
    check_matching_bins
        Whether different bins are an error.
    """
    if check_overlapping:
        numbers = np.intersect1d(first.spectra.numbers, second.spectra.numbers)
        ids = np.intersect1d(first.spectra.ids, second.spectra.ids)
        if len(numbers) or len(ids):
            what = f"spectrum number {numbers[0]}" if len(numbers) else f"detector {ids[0]}"
            raise ValueError(f"{what} is in both workspaces; CheckOverlapping=False allows it")
    return stacked(first, second, validate=check_matching_bins, keep_numbers=not check_overlapping)


def stacked(
    first: MatrixWorkspace, second: MatrixWorkspace, *, validate: bool = True, keep_numbers: bool = False
) -> MatrixWorkspace:
    """Return the spectra of both, the second's below."""
    if validate:
        if first.unit != second.unit or first.y_unit != second.y_unit:
            units = f"{first.unit!r}, {first.y_unit!r} and {second.unit!r}, {second.y_unit!r}"
            raise ValueError(f"the workspaces have different units (X, Y): {units}")
        if not _same_bins(first, second):
            raise ValueError("the workspaces have different bins; rebin one to the other (RebinToWorkspace)")
    elif first.n_bins != second.n_bins or first.is_histogram != second.is_histogram:
        raise ValueError(f"the workspaces have {first.n_bins} and {second.n_bins} bins a spectrum; they must agree")
    spectra = _both(first.spectra, second.spectra, keep_numbers)
    if isinstance(first, EventWorkspace) and isinstance(second, EventWorkspace) and first.unit == second.unit:
        return _stacked_events(first, second, spectra)
    a, b = as_histogram(first), as_histogram(second)
    same_x = a.x.shape == b.x.shape and a.x.ndim == 1 and np.array_equal(a.x, b.x)
    x = a.x if same_x else np.concatenate([_rows(a), _rows(b)])
    return like(a, x, np.concatenate([a.y, b.y]), np.concatenate([a.e2, b.e2]), spectra)


def _same_bins(first: MatrixWorkspace, second: MatrixWorkspace) -> bool:
    if first.common_bins and second.common_bins and first.n_spectra and second.n_spectra:
        return np.array_equal(first.readX(0), second.readX(0))
    return np.array_equal(_rows(first), _rows(second))


def _stacked_events(first: EventWorkspace, second: EventWorkspace, spectra: Spectra) -> EventWorkspace:
    n = len(spectra)
    above = first.planned(lambda plan: plan.grouped(np.arange(first.n_spectra), n), spectra=spectra, edges=None)
    below = second.changed_parts(lambda plan: plan.grouped(np.arange(first.n_spectra, n), n))
    same_x = first.x.ndim == second.x.ndim == 1 and np.array_equal(first.x, second.x)
    default = first.default_binning and second.default_binning
    edges = None if default else first.x if same_x else np.concatenate([_rows(first), _rows(second)])
    return above.replaced(parts=[*above.parts, *below], edges=edges)


def _rows(ws: MatrixWorkspace) -> F64:
    return np.broadcast_to(ws.x, (ws.n_spectra, ws.x.shape[-1]))


def _both(first: Spectra, second: Spectra, keep_numbers: bool) -> Spectra:
    numbers = np.concatenate([first.numbers, second.numbers])
    if not keep_numbers and len(distinct(numbers)) < len(numbers):
        numbers = np.arange(len(numbers)) + first.numbers.min(initial=first.numbers[0])
    return Spectra(
        numbers,
        np.concatenate([first.ids, second.ids]),
        np.concatenate([first.start, second.start[1:] + first.start[-1]]),
        masked=np.concatenate([first.masked, second.masked]),
    )
