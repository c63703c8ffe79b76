"""Which spectra there are: summing, extracting, appending, transposing."""

from __future__ import annotations

import numpy as np

from livereduce.algorithms.arithmetic import as_histogram
from livereduce.algorithms.declaration import Integers, algorithm
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, MatrixWorkspace, NumericAxis, Spectra
from livereduce.workspaces.arrays import F64, I64


@algorithm("SumSpectra")
def sum_spectra(
    ws: MatrixWorkspace,
    start_workspace_index: int | None = None,
    end_workspace_index: int | None = None,
    list_of_workspace_indices: Integers = (),
    include_monitors: bool = True,
    weighted_sum: bool = False,
    remove_special_values: bool = False,
    multiply_by_spectra: bool = True,
) -> MatrixWorkspace:
    """Sum spectra to one; masked ones are left out. Events stay events.

    The result has the smallest of the numbers of the spectra asked for, the detectors of those summed, and the logs
    NumAllSpectra, NumMaskSpectra and NumZeroSpectra (summed ones without a count).

    Parameters
    ----------
    start_workspace_index, end_workspace_index
        First and last spectrum to sum; by default all there are, if no list is given.
    list_of_workspace_indices
        Spectra to sum, besides those of the range.
    include_monitors
        Whether monitors are summed too.
    weighted_sum
        Whether every value weighs 1/E², and those without an error nothing (histograms only).
    remove_special_values
        Whether NaN and infinite values count as 0.
    multiply_by_spectra
        Whether a weighted sum is multiplied by the number of values it is made of; without, it is their mean.
    """
    if not ws.common_bins:
        raise ValueError("InputWorkspace: its spectra have different bins; Rebin it first")
    chosen = selected(ws, start_workspace_index, end_workspace_index, list_of_workspace_indices)
    used = ~ws.spectra.masked
    if not include_monitors:
        used &= ~ws.spectra.is_monitor(ws.detectors)
    summed = chosen[used[chosen]]
    result: MatrixWorkspace
    if isinstance(ws, EventWorkspace) and not weighted_sum and not remove_special_values and _plain_weights(ws):
        target = np.full(ws.n_spectra, -1, np.int32)
        target[summed] = 0
        result = ws.planned(lambda plan: plan.grouped(target, 1), spectra=_union(ws.spectra, chosen, summed))
        zeros = int(np.count_nonzero(ws.events_per_spectrum()[summed] == 0))
    else:
        result, zeros = _sum_rows(ws, chosen, summed, weighted_sum, remove_special_values, multiply_by_spectra)
    result.logs.set("NumAllSpectra", len(summed))
    result.logs.set("NumMaskSpectra", int(np.count_nonzero(ws.spectra.masked[chosen])))
    result.logs.set("NumZeroSpectra", zeros)
    return result


def _plain_weights(ws: EventWorkspace) -> bool:
    return not any(p.plan.factors and p.plan.factors.per_spectrum for p in ws.parts)


def _sum_rows(
    ws: MatrixWorkspace, chosen: I64, summed: I64, weighted: bool, remove_special: bool, multiply: bool
) -> tuple[HistogramWorkspace, int]:
    y, e2 = ws.y[summed], ws.e2[summed]
    if remove_special:
        y, e2 = (np.where(np.isfinite(values), values, 0.0) for values in (y, e2))
    zeros = int(np.count_nonzero(~np.any(y != 0, axis=1)))
    total, variance = _weighted_sum(y, e2, multiply) if weighted else (y.sum(axis=0), e2.sum(axis=0))
    x = ws.x if ws.x.ndim == 1 else ws.x[0]
    return _like(ws, x, total[None], variance[None], _union(ws.spectra, chosen, summed)), zeros


def _weighted_sum(y: F64, e2: F64, multiply: bool) -> tuple[F64, F64]:
    """Sum of y/e² over sum of 1/e², times the number of values with an error; variance: the sum of theirs."""
    used = e2 > 0
    weight = np.divide(1.0, e2, out=np.zeros_like(e2), where=used)
    norm = weight.sum(axis=0)
    mean = np.divide((y * weight).sum(axis=0, where=used), norm, out=np.zeros_like(norm), where=norm > 0)
    return (mean * used.sum(axis=0) if multiply else mean), e2.sum(axis=0, where=used)


def _union(spectra: Spectra, chosen: I64, summed: I64) -> Spectra:
    """One spectrum: the least number of those chosen, the detectors of those summed."""
    numbers = spectra.numbers[chosen]
    ids = distinct(spectra.take(summed).ids)
    return Spectra([numbers.min() if len(numbers) else 1], ids, [0, len(ids)])


def selected(ws: MatrixWorkspace, start: int | None, end: int | None, indices: Integers = ()) -> I64:
    """Workspace indices of a range and a list together, ascending; ValueError if one is not in the workspace."""
    wanted = np.asarray(indices, np.int64)
    if start is not None or end is not None or not len(wanted):
        first, last = start or 0, ws.n_spectra - 1 if end is None else end
        if first > last and ws.n_spectra:
            raise ValueError(f"StartWorkspaceIndex ({first}) is greater than EndWorkspaceIndex ({last})")
        check_indices(ws, [first, last] if ws.n_spectra else [])
        wanted = np.concatenate([wanted, np.arange(first, last + 1)])
    check_indices(ws, wanted)
    return distinct(wanted)


def distinct(values: I64) -> I64:
    """Different values, ascending; on rising input ten times as fast as numpy.unique, which hashes."""
    rising: I64 = np.sort(values, kind="stable")
    kept: I64 = rising[np.concatenate([rising[:1] == rising[:1], rising[1:] != rising[:-1]])]
    return kept


def check_indices(ws: MatrixWorkspace, indices: Integers) -> None:
    """Raise ValueError for a workspace index that there is not."""
    wanted = np.asarray(indices, np.int64)
    if np.any(wrong := (wanted < 0) | (wanted >= ws.n_spectra)):
        raise ValueError(f"workspace index {wanted[wrong][0]} is not in 0 to {ws.n_spectra - 1}")


def taken(ws: MatrixWorkspace, indices: I64) -> MatrixWorkspace:
    """Return these spectra (each at most once), in this order."""
    spectra = ws.spectra.take(indices)
    if isinstance(ws, EventWorkspace):
        target = np.full(ws.n_spectra, -1, np.int32)
        target[indices] = np.arange(len(indices))
        edges = ws.edges[indices] if ws.x.ndim == 2 else None if ws.default_binning else ws.edges
        if _plain_weights(ws):
            return ws.planned(lambda plan: plan.grouped(target, len(indices)), spectra=spectra, edges=edges)
    histogram = as_histogram(ws)
    x = histogram.x if histogram.x.ndim == 1 else histogram.x[indices]
    dx = None if histogram.dx is None else histogram.dx[indices]
    mask = None if histogram.bin_mask is None else histogram.bin_mask[indices]
    result: HistogramWorkspace = histogram.replaced(
        x=x, y=histogram.y[indices], e2=histogram.e2[indices], e=None, dx=dx, bin_mask=mask, spectra=spectra
    )
    return result


@algorithm("ExtractSingleSpectrum", names={"index": "WorkspaceIndex"})
def extract_single_spectrum(ws: MatrixWorkspace, index: int) -> MatrixWorkspace:
    """Take one spectrum out of a workspace.

    Parameters
    ----------
    index
        Its workspace index.
    """
    check_indices(ws, [index])
    return taken(ws, np.array([index]))


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
    return _like(a, x, np.concatenate([a.y, b.y]), np.concatenate([a.e2, b.e2]), spectra)


def _same_bins(first: MatrixWorkspace, second: MatrixWorkspace) -> bool:
    if first.common_bins and second.common_bins and first.n_spectra and second.n_spectra:
        return np.array_equal(first.readX(0), second.readX(0))
    return np.array_equal(_rows(first), _rows(second))


def _stacked_events(first: EventWorkspace, second: EventWorkspace, spectra: Spectra) -> EventWorkspace:
    n = len(spectra)
    above = first.planned(lambda plan: plan.grouped(np.arange(first.n_spectra), n), spectra=spectra, edges=None)
    below = [part.with_plan(part.plan.grouped(np.arange(first.n_spectra, n), n)) for part in second.parts]
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


@algorithm("Transpose")
def transpose(ws: MatrixWorkspace) -> MatrixWorkspace:
    """Swap the axes: the spectrum numbers become X (points), X becomes the numeric vertical axis.

    Transposing twice gives back values and X; what spectra are made of is not kept.
    """
    if not ws.common_bins:
        raise ValueError("InputWorkspace: its spectra have different bins; Rebin it first")
    x = ws.x if ws.x.ndim == 1 else ws.x[0]
    across = ws.vertical.values if ws.vertical is not None else ws.spectra.numbers.astype(np.float64)
    return HistogramWorkspace(
        across,
        ws.y.T,
        ws.e2.T,
        spectra=Spectra(np.arange(1, ws.n_bins + 1)),
        detectors=ws.detectors,
        run=ws.logs.clone(),
        title=ws.title,
        unit=ws.vertical.unit if ws.vertical is not None else "Label",
        y_unit=ws.y_unit,
        y_label=ws.y_label,
        distribution=ws.distribution,
        vertical=NumericAxis.of(x, ws.unit),
    )


def _like(ws: MatrixWorkspace, x: F64, y: F64, e2: F64, spectra: Spectra) -> HistogramWorkspace:
    """Histogram with these values and what `ws` says of instrument, logs and units."""
    return HistogramWorkspace(
        x,
        y,
        e2,
        detectors=ws.detectors,
        spectra=spectra,
        run=ws.logs.clone(),
        title=ws.title,
        unit=ws.unit,
        y_unit=ws.y_unit,
        y_label=ws.y_label,
        distribution=ws.distribution,
        monitors=ws.monitors,
    )
