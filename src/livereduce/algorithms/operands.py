"""What arithmetic works on: pairs of workspaces and numbers, checked, and combined to one result."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from livereduce.algorithms.memory import remembered
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, MatrixWorkspace, Plan
from livereduce.workspaces.arrays import F64, I64, Bool

W = TypeVar("W", bound=MatrixWorkspace)

# X of two operands are the same bins if they differ by no more than this, relative to the largest X
SAME_X = 1e-7


class Values(NamedTuple):
    """Values and variances that broadcast against rows and bins."""

    y: F64
    e2: F64


def as_histogram(ws: MatrixWorkspace) -> HistogramWorkspace:
    """Return the workspace's histogram: itself, or what its events are in its bins."""
    if isinstance(ws, EventWorkspace):
        return ws.to_histogram()
    if not isinstance(ws, HistogramWorkspace):
        raise TypeError(f"{ws!r} is neither events nor a histogram")
    return ws


def values_of(operand: MatrixWorkspace | float) -> Values:
    """Return values and variances; a number has no error."""
    if isinstance(operand, MatrixWorkspace):
        return Values(operand.y, operand.e2)
    return Values(np.full((1, 1), operand), np.zeros((1, 1)))


def shape_of(operand: MatrixWorkspace | float) -> tuple[int, int]:
    """Return (spectra, bins)."""
    return (operand.n_spectra, operand.n_bins) if isinstance(operand, MatrixWorkspace) else (1, 1)


def is_distribution(operand: MatrixWorkspace | float) -> bool:
    """Tell whether an operand is a distribution, or a number, which does not matter."""
    return operand.distribution if isinstance(operand, MatrixWorkspace) and shape_of(operand) != (1, 1) else True


def checked(
    verb: str,
    lhs: MatrixWorkspace | float,
    rhs: MatrixWorkspace | float,
    match_detectors: bool,
    *,
    same_y_unit: bool = False,
) -> tuple[MatrixWorkspace | float, MatrixWorkspace | float]:
    """Return both operands, spectra matched if asked; ValueError if they do not go together."""
    if not isinstance(lhs, MatrixWorkspace) and not isinstance(rhs, MatrixWorkspace):
        raise ValueError(f"LHSWorkspace and RHSWorkspace are both numbers ({lhs:g}, {rhs:g}); one must be a workspace")
    if not isinstance(lhs, MatrixWorkspace) or not isinstance(rhs, MatrixWorkspace):
        return lhs, rhs
    if match_detectors and lhs.n_spectra != rhs.n_spectra:
        rhs = _matched(lhs, rhs)
    if isinstance(lhs, EventWorkspace) and not same_y_unit:
        rhs = as_histogram(rhs)  # events are multiplied and divided by values, those of other events too
    problem = _mismatch(lhs, rhs, same_y_unit)
    if problem:
        raise ValueError(f"the workspaces cannot be {verb}: {problem}")
    return lhs, rhs


def _mismatch(lhs: MatrixWorkspace, rhs: MatrixWorkspace, same_y_unit: bool) -> str:
    left, right = shape_of(lhs), shape_of(rhs)
    both_events = isinstance(lhs, EventWorkspace) and isinstance(rhs, EventWorkspace)
    # each event is looked up in the bins of the right, whatever its own are
    looked_up = isinstance(lhs, EventWorkspace) and not same_y_unit and rhs.is_histogram and right[1] > 1
    if (1, 1) in (left, right) and not both_events and not looked_up:
        return ""
    if same_y_unit and lhs.y_unit != rhs.y_unit:
        return f"Y is in {lhs.y_unit!r} on the left and {rhs.y_unit!r} on the right"
    if both_events:
        if left[0] != right[0]:
            return f"the left has {left[0]} spectra, the right {right[0]}"
        return "" if lhs.unit == rhs.unit else f"X is in {lhs.unit!r} on the left and {rhs.unit!r} on the right"
    if right[0] not in (left[0], 1) or (right[1] not in (left[1], 1) and not looked_up):
        return (
            f"the left has {left[0]} spectra of {left[1]} bins, the right {right[0]} of {right[1]}; the right may have"
            " as many, or one"
        )
    if right[1] > 1 and lhs.unit != rhs.unit:
        return f"X is in {lhs.unit!r} on the left and {rhs.unit!r} on the right"
    same = right[1] == 1 or looked_up or _same_x(lhs, rhs)
    return "" if same else "their bins differ; rebin one to the other (RebinToWorkspace)"


def _same_x(lhs: MatrixWorkspace, rhs: MatrixWorkspace) -> bool:
    if lhs.x.__array_interface__ == rhs.x.__array_interface__:  # the same memory
        return True
    if lhs.x.shape[-1] != rhs.x.shape[-1]:
        return False
    finite = np.abs(lhs.x[np.isfinite(lhs.x)])
    with np.errstate(invalid="ignore"):
        near = np.abs(lhs.x - rhs.x) <= SAME_X * (finite.max() if finite.size else 0.0)
    return bool(np.all(near | (lhs.x == rhs.x)))


def _matched(lhs: MatrixWorkspace, rhs: MatrixWorkspace) -> MatrixWorkspace:
    """Return the right side with a spectrum for each of the left: of the same detectors, else a masked one of zeros."""
    index = _partner(lhs, rhs)
    found = index >= 0
    right = as_histogram(rhs)
    at = np.maximum(index, 0)
    keep = found[:, None]
    return HistogramWorkspace(
        right.x if right.x.ndim == 1 else right.x[at],
        np.where(keep, right.y[at], 0.0),
        np.where(keep, right.e2[at], 0.0),
        detectors=right.detectors,
        spectra=lhs.spectra.with_masked(np.where(found, right.spectra.masked[at], True)),
        run=right.logs,
        unit=right.unit,
        y_unit=right.y_unit,
        distribution=right.distribution,
    )


def _partner(lhs: MatrixWorkspace, rhs: MatrixWorkspace) -> I64:
    """Index of the spectrum of the right that has all detectors of each spectrum of the left, -1 where none has."""
    result = np.full(lhs.n_spectra, -1, np.int64)
    if not len(lhs.spectra.ids):
        return result
    partner = rhs.spectra.index_of_detectors(lhs.spectra.ids)
    filled = np.flatnonzero(np.diff(lhs.spectra.start))
    low = np.minimum.reduceat(partner, lhs.spectra.start[filled])
    high = np.maximum.reduceat(partner, lhs.spectra.start[filled])
    result[filled] = np.where(low == high, low, -1)
    return result


def joined_events(lhs: EventWorkspace, rhs: EventWorkspace, *, subtract: bool) -> EventWorkspace:
    """Return the events of both, those of the right with weight -1 to subtract; logs are merged."""
    result = lhs.plus(rhs, subtract=subtract)
    result.logs.add(rhs.logs)
    masked = lhs.spectra.masked | rhs.spectra.masked
    return result if not masked.any() else masked_spectra(result, masked)


def combined(
    lhs: MatrixWorkspace | float,
    rhs: MatrixWorkspace | float,
    operation: Callable[[Values, Values], Values],
    *,
    merge_logs: bool = False,
) -> HistogramWorkspace:
    """Return a histogram of the operation's values, like the larger operand but for them."""
    model = lhs if isinstance(lhs, MatrixWorkspace) and (shape_of(lhs) != (1, 1) or not _is_larger(rhs)) else rhs
    assert isinstance(model, MatrixWorkspace)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        values = operation(values_of(lhs), values_of(rhs))
    histogram = as_histogram(model)
    result = histogram.replaced(y=values.y, e2=values.e2, e=None, bin_mask=bin_masks(histogram.y.shape, lhs, rhs))
    if merge_logs and isinstance(lhs, MatrixWorkspace) and isinstance(rhs, MatrixWorkspace):
        result.logs.add((rhs if model is lhs else lhs).logs)
    masked = result.spectra.masked.copy()
    for operand in (lhs, rhs):
        if isinstance(operand, MatrixWorkspace) and operand.n_spectra == len(masked):
            masked |= operand.spectra.masked
    return result if not masked.any() else masked_spectra(result, masked)


def bin_masks(shape: tuple[int, ...], *operands: MatrixWorkspace | float) -> Bool | None:
    """Return which values are made of a masked one of either side."""
    masks = [ws.bin_mask for ws in operands if isinstance(ws, HistogramWorkspace) and ws.bin_mask is not None]
    return np.logical_or.reduce([np.broadcast_to(mask, shape) for mask in masks]) if masks else None


def _is_larger(operand: MatrixWorkspace | float) -> bool:
    return shape_of(operand) != (1, 1)


def weighted(lhs: EventWorkspace, rhs: MatrixWorkspace | float, factors: Values) -> MatrixWorkspace:
    """Return the events with their weights multiplied by the factors, which are those of `rhs` or its inverse.

    Where these are in other bins, each event gets the factor of the one it is in, and 0 outside of all.
    """
    if isinstance(rhs, MatrixWorkspace) and rhs.n_bins > 1 and not _same_x(lhs, rhs):
        x = rhs.x if rhs.n_spectra > 1 else rhs.readX(0)
        moved: MatrixWorkspace = weighted(lhs.replaced(edges=x), rhs, factors).replaced(edges=lhs.edge_column)
        return moved
    masked = lhs.spectra.masked
    if isinstance(rhs, MatrixWorkspace) and rhs.n_spectra == lhs.n_spectra:
        masked = masked | rhs.spectra.masked
    if masked.any() and not np.isfinite(factors.y).all():  # what is masked is zero, not zero times infinity
        factors = Values(*(np.where(masked[:, None], 0.0, part) for part in factors))
    if factors.y.size == 1 and not factors.e2.any():
        result = lhs.planned(lambda plan: plan.scaled(float(factors.y[0, 0])))
    else:
        result = lhs.planned(lambda plan: plan.multiplied(factors.y, factors.e2))
    return masked_spectra(result, masked) if masked.any() else result


def masked_spectra(ws: W, masked: npt.ArrayLike) -> W:
    """Return the workspace with these spectra marked as masked and empty."""
    mask = np.asarray(masked, bool)
    spectra = remembered(ws.spectra, ("masked", mask.tobytes()), lambda: ws.spectra.with_masked(mask))
    if isinstance(ws, EventWorkspace):

        def without(plan: Plan) -> Plan:
            target = np.where(mask, -1, np.arange(ws.n_spectra)).astype(np.int32)
            return plan.grouped(target, ws.n_spectra)

        return ws.planned(lambda plan: remembered(spectra, ("masked", plan), lambda: without(plan)), spectra=spectra)
    keep = ~mask[:, None]
    return ws.replaced(spectra=spectra, y=np.where(keep, ws.y, 0.0), e2=np.where(keep, ws.e2, 0.0), e=None)
