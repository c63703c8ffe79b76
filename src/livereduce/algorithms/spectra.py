"""Which spectra there are: summing, extracting, appending, transposing."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livereduce.algorithms.declaration import Integers, algorithm
from livereduce.algorithms.memory import remembered
from livereduce.algorithms.operands import as_histogram
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, MatrixWorkspace, NumericAxis, Plan, Spectra
from livereduce.workspaces.arrays import F64, I32, I64


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
    indices = np.asarray(list_of_workspace_indices, np.int64)
    limits = start_workspace_index, end_workspace_index
    key = ("SumSpectra", *limits, indices.tobytes(), include_monitors, weakref.ref(ws.detectors))
    choice = remembered(ws.spectra, key, lambda: _chosen(ws, *limits, indices, include_monitors))
    result: MatrixWorkspace
    if isinstance(ws, EventWorkspace) and not weighted_sum and not remove_special_values:
        edges = {"edges": ws.edges[0]} if ws.x.ndim == 2 else {}
        result = ws.planned(
            lambda plan: remembered(choice.spectra, ("summed", plan), lambda: plan.grouped(choice.target, 1)),
            spectra=choice.spectra,
            **edges,
        )
        zeros = int(np.count_nonzero(ws.events_per_spectrum()[choice.summed] == 0))
    else:
        result, zeros = _sum_rows(ws, choice, weighted_sum, remove_special_values, multiply_by_spectra)
    result.logs.set("NumAllSpectra", len(choice.summed))
    result.logs.set("NumMaskSpectra", choice.masked)
    result.logs.set("NumZeroSpectra", zeros)
    return result


class _Choice(NamedTuple):
    """Workspace indices of what is summed, 0 for them and -1 for others, the sum's spectrum, masked ones asked for."""

    summed: I64
    target: I32
    spectra: Spectra
    masked: int


def _chosen(ws: MatrixWorkspace, start: int | None, end: int | None, indices: I64, monitors: bool) -> _Choice:
    chosen = selected(ws, start, end, indices)
    asked = chosen if monitors else chosen[~ws.spectra.is_monitor(ws.detectors)[chosen]]
    summed = asked[~ws.spectra.masked[asked]]
    target = np.full(ws.n_spectra, -1, np.int32)
    target[summed] = 0
    return _Choice(summed, target, _union(ws.spectra, chosen, summed), len(asked) - len(summed))


def _sum_rows(
    ws: MatrixWorkspace, choice: _Choice, weighted: bool, remove_special: bool, multiply: bool
) -> tuple[HistogramWorkspace, int]:
    y, e2 = ws.y[choice.summed], ws.e2[choice.summed]
    if remove_special:
        y, e2 = (np.where(np.isfinite(values), values, 0.0) for values in (y, e2))
    zeros = int(np.count_nonzero(~np.any(y != 0, axis=1)))
    total, variance = _weighted_sum(y, e2, multiply) if weighted else (y.sum(axis=0), e2.sum(axis=0))
    x = ws.x if ws.x.ndim == 1 else ws.x[0]
    return like(ws, x, total[None], variance[None], choice.spectra), zeros


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


def united(spectra: Spectra, numbers: npt.ArrayLike, groups: Sequence[I64]) -> Spectra:
    """Return a spectrum for each group of workspace indices: the detectors of all in it, masked if they all are."""
    ids = [distinct(spectra.take(indices).ids) for indices in groups]
    start = np.concatenate([[0], np.cumsum([len(i) for i in ids])])
    masked = [bool(len(indices)) and bool(spectra.masked[indices].all()) for indices in groups]
    return Spectra(numbers, np.concatenate([np.empty(0, np.int64), *ids]), start, masked=masked)


def selected(ws: MatrixWorkspace, start: int | None, end: int | None, indices: Integers = ()) -> I64:
    """Workspace indices of a range and a list together, ascending; ValueError if one is not in the workspace."""
    wanted = np.asarray(indices, np.int64)
    check_indices(ws, [i for i in (start, end) if i is not None])
    if start is not None or end is not None or not len(wanted):
        first, last = start or 0, ws.n_spectra - 1 if end is None else end
        if first > last and ws.n_spectra:
            raise ValueError(f"the first workspace index ({first}) is greater than the last ({last})")
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
        there = f"is not in 0 to {ws.n_spectra - 1}" if ws.n_spectra else "is not there: there are no spectra"
        raise ValueError(f"workspace index {wanted[wrong][0]} {there}")


def indices_of_numbers(ws: MatrixWorkspace, name: str, numbers: Integers) -> I64:
    """Workspace indices of spectrum numbers; ValueError, which names the property, for one that there is not."""
    found = ws.spectra.index_of_numbers(numbers)
    if np.any(found < 0):
        raise ValueError(f"{name}: there is no spectrum number {np.asarray(numbers)[found < 0][0]}")
    return found


def taken(ws: MatrixWorkspace, indices: I64) -> MatrixWorkspace:
    """Return these spectra (each at most once), in this order."""
    spectra = remembered(ws.spectra, ("taken", indices.tobytes()), lambda: ws.spectra.take(indices))
    if isinstance(ws, EventWorkspace):

        def only(plan: Plan) -> Plan:
            target = np.full(ws.n_spectra, -1, np.int32)
            target[indices] = np.arange(len(indices))
            return plan.grouped(target, len(indices))

        edges = ws.edges[indices] if ws.x.ndim == 2 else None if ws.default_binning else ws.edges
        return ws.planned(
            lambda plan: remembered(spectra, ("taken", plan), lambda: only(plan)),
            spectra=spectra,
            edges=edges,
            vertical=_vertical_of(ws, indices),
        )
    histogram = as_histogram(ws)
    x = histogram.x if histogram.x.ndim == 1 else histogram.x[indices]
    dx = None if histogram.dx is None else histogram.dx[indices]
    mask = None if histogram.bin_mask is None else histogram.bin_mask[indices]
    return histogram.replaced(
        x=x,
        y=histogram.y[indices],
        e2=histogram.e2[indices],
        e=None,
        dx=dx,
        bin_mask=mask,
        spectra=spectra,
        vertical=_vertical_of(ws, indices),
    )


def _vertical_of(ws: MatrixWorkspace, indices: I64) -> NumericAxis | None:
    """Return the numbers on the vertical axis of these spectra; edges stay edges where the spectra are neighbours."""
    axis = ws.vertical
    if axis is None or not len(indices):
        return None
    values = axis.values
    if len(values) == ws.n_spectra:
        return NumericAxis.of(values[indices], axis.unit)
    if np.all(np.diff(indices) == 1):
        return NumericAxis.of(values[indices[0] : indices[-1] + 2], axis.unit)
    return NumericAxis.of((values[indices] + values[indices + 1]) / 2, axis.unit)


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


def like(ws: MatrixWorkspace, x: F64, y: F64, e2: F64, spectra: Spectra) -> HistogramWorkspace:
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
