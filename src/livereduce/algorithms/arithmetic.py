"""Plus, Minus, Multiply, Divide, Power and Scale, for workspaces and numbers in any pair.

Errors are propagated as independent. Shapes: equal, or the right side has one spectrum (taken for all), one bin (a
value per spectrum), or both (a number). Event workspaces stay events where that says the same: added and subtracted
among themselves, multiplied and divided by numbers and histograms; everything else works on their histograms.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from livereduce.algorithms import calling, declaration
from livereduce.algorithms.declaration import algorithm
from livereduce.workspaces import EventWorkspace, HistogramWorkspace, MatrixWorkspace, Workspace, install_operator
from livereduce.workspaces.arrays import F64, I64

log = logging.getLogger(__name__)

W = TypeVar("W", bound=MatrixWorkspace)

# X of two operands are the same bins if they differ by no more than this, relative to the largest X
SAME_X = 1e-7


class Values(NamedTuple):
    """Values and variances that broadcast against rows and bins."""

    y: F64
    e2: F64


@algorithm("Plus", names={"lhs": "LHSWorkspace", "rhs": "RHSWorkspace", "clear_rhs": "ClearRHSWorkspace"})
def plus(
    lhs: MatrixWorkspace | float,
    rhs: MatrixWorkspace | float,
    allow_different_number_spectra: bool = False,
    clear_rhs: bool = False,
) -> MatrixWorkspace:
    """Add two workspaces, or a workspace and a number.

    Event workspaces are joined and need not have the same bins. Logs are merged: series joined, totals added.

    Parameters
    ----------
    lhs
        Left side.
    rhs
        Right side.
    allow_different_number_spectra
        Match the spectra of both sides by their detectors; those without a partner become zero.
    clear_rhs
        Accepted for scripts that give it; there is nothing to save, since events are shared and not copied.
    """
    lhs, rhs = _checked("added", lhs, rhs, allow_different_number_spectra, same_y_unit=True)
    if isinstance(lhs, EventWorkspace) and isinstance(rhs, EventWorkspace):
        return _joined(lhs, rhs, subtract=False)
    return _combined(lhs, rhs, lambda a, b: Values(a.y + b.y, a.e2 + b.e2), merge_logs=True)


@algorithm("Minus", names={"lhs": "LHSWorkspace", "rhs": "RHSWorkspace", "clear_rhs": "ClearRHSWorkspace"})
def minus(
    lhs: MatrixWorkspace | float,
    rhs: MatrixWorkspace | float,
    allow_different_number_spectra: bool = False,
    clear_rhs: bool = False,
) -> MatrixWorkspace:
    """Subtract the right side from the left.

    Of two event workspaces the events of the right are joined with weight -1 and need not have the same bins.

    Parameters
    ----------
    lhs
        What to subtract from.
    rhs
        What to subtract.
    allow_different_number_spectra
        Match the spectra of both sides by their detectors; those without a partner become zero.
    clear_rhs
        Accepted for scripts that give it; there is nothing to save, since events are shared and not copied.
    """
    lhs, rhs = _checked("subtracted", lhs, rhs, allow_different_number_spectra, same_y_unit=True)
    if isinstance(lhs, EventWorkspace) and isinstance(rhs, EventWorkspace):
        return _joined(lhs, rhs, subtract=True)
    return _combined(lhs, rhs, lambda a, b: Values(a.y - b.y, a.e2 + b.e2), merge_logs=True)


@algorithm("Multiply", names={"lhs": "LHSWorkspace", "rhs": "RHSWorkspace", "clear_rhs": "ClearRHSWorkspace"})
def multiply(
    lhs: MatrixWorkspace | float,
    rhs: MatrixWorkspace | float,
    allow_different_number_spectra: bool = False,
    clear_rhs: bool = False,
) -> MatrixWorkspace:
    """Multiply two workspaces, or a workspace and a number. Events times a histogram or a number stay events.

    Parameters
    ----------
    lhs
        Left side.
    rhs
        Right side.
    allow_different_number_spectra
        Match the spectra of both sides by their detectors; those without a partner become zero.
    clear_rhs
        Accepted for scripts that give it; there is nothing to save, since events are shared and not copied.
    """
    lhs, rhs = _checked("multiplied", lhs, rhs, allow_different_number_spectra)
    if isinstance(lhs, EventWorkspace) and not isinstance(rhs, EventWorkspace):
        return _weighted(lhs, rhs, _values(rhs))
    result = _combined(lhs, rhs, lambda a, b: Values(a.y * b.y, a.e2 * b.y**2 + b.e2 * a.y**2))
    result.distribution = _is_distribution(lhs) and _is_distribution(rhs)
    return result


@algorithm("Divide", names={"lhs": "LHSWorkspace", "rhs": "RHSWorkspace", "clear_rhs": "ClearRHSWorkspace"})
def divide(
    lhs: MatrixWorkspace | float,
    rhs: MatrixWorkspace | float,
    allow_different_number_spectra: bool = False,
    clear_rhs: bool = False,
    warn_on_zero_divide: bool = True,
) -> MatrixWorkspace:
    """Divide the left side by the right. Events divided by a histogram or a number stay events.

    A division by zero gives infinity or NaN and a warning. Where both sides are in the same unit and bins, the quotient
    has no unit and is a distribution: rebinning it averages.

    Parameters
    ----------
    lhs
        Numerator.
    rhs
        Denominator.
    allow_different_number_spectra
        Match the spectra of both sides by their detectors; those without a partner become zero.
    clear_rhs
        Accepted for scripts that give it; there is nothing to save, since events are shared and not copied.
    warn_on_zero_divide
        Whether to warn of zeros in the denominator.
    """
    lhs, rhs = _checked("divided", lhs, rhs, allow_different_number_spectra)
    denominator = _values(rhs)
    if warn_on_zero_divide and (zeros := int(np.count_nonzero(denominator.y == 0))):
        log.warning("Divide: %d values of the denominator are zero; the result is infinite or NaN there", zeros)
    if isinstance(lhs, EventWorkspace) and not isinstance(rhs, EventWorkspace):
        with np.errstate(divide="ignore", invalid="ignore"):
            result = _weighted(lhs, rhs, Values(1.0 / denominator.y, denominator.e2 / denominator.y**4))
    else:
        result = _combined(lhs, rhs, _quotient)
    _set_quotient_unit(result, lhs, rhs)
    return result


@algorithm("Power")
def power(ws: MatrixWorkspace, exponent: float) -> MatrixWorkspace:
    """Raise values to a power; the error is that of y**p to first order.

    Parameters
    ----------
    exponent
        The power.
    """
    histogram = as_histogram(ws)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = histogram.y**exponent
        slope = exponent * histogram.y ** (exponent - 1.0)
        return _replaced(histogram, Values(y, slope**2 * histogram.e2))


@algorithm("Scale")
def scale(
    ws: MatrixWorkspace, factor: float = 1.0, operation: Literal["Multiply", "Add"] = "Multiply"
) -> MatrixWorkspace:
    """Multiply values and errors by a number, or add a number to the values and leave the errors.

    Parameters
    ----------
    factor
        The number.
    operation
        What to do with it.
    """
    return plus(ws, factor) if operation == "Add" else multiply(ws, factor)


# -- what the four have in common ---------------------------------------------------------------------------------


def as_histogram(ws: MatrixWorkspace) -> HistogramWorkspace:
    """Return the workspace's histogram: itself, or what its events are in its bins."""
    if isinstance(ws, EventWorkspace):
        return ws.to_histogram()
    if not isinstance(ws, HistogramWorkspace):
        raise TypeError(f"{ws!r} is neither events nor a histogram")
    return ws


def _values(operand: MatrixWorkspace | float) -> Values:
    if isinstance(operand, MatrixWorkspace):
        return Values(operand.y, operand.e2)
    return Values(np.full((1, 1), operand), np.zeros((1, 1)))


def _shape(operand: MatrixWorkspace | float) -> tuple[int, int]:
    return (operand.n_spectra, operand.n_bins) if isinstance(operand, MatrixWorkspace) else (1, 1)


def _is_distribution(operand: MatrixWorkspace | float) -> bool:
    return operand.distribution if isinstance(operand, MatrixWorkspace) and _shape(operand) != (1, 1) else True


def _checked(
    verb: str,
    lhs: MatrixWorkspace | float,
    rhs: MatrixWorkspace | float,
    match_detectors: bool,
    *,
    same_y_unit: bool = False,
) -> tuple[MatrixWorkspace | float, MatrixWorkspace | float]:
    """Both operands, the left one the larger where that makes no difference; ValueError if they do not go together."""
    if not isinstance(lhs, MatrixWorkspace) and not isinstance(rhs, MatrixWorkspace):
        raise ValueError(f"LHSWorkspace and RHSWorkspace are both numbers ({lhs:g}, {rhs:g}); one must be a workspace")
    if not isinstance(lhs, MatrixWorkspace) or not isinstance(rhs, MatrixWorkspace):
        return lhs, rhs
    if match_detectors and lhs.n_spectra != rhs.n_spectra:
        rhs = _matched(lhs, rhs)
    problem = _mismatch(lhs, rhs, same_y_unit)
    if problem:
        raise ValueError(f"the workspaces cannot be {verb}: {problem}")
    return lhs, rhs


def _mismatch(lhs: MatrixWorkspace, rhs: MatrixWorkspace, same_y_unit: bool) -> str:
    left, right = _shape(lhs), _shape(rhs)
    if (1, 1) in (left, right) and not (isinstance(lhs, EventWorkspace) and isinstance(rhs, EventWorkspace)):
        return ""
    if same_y_unit and lhs.y_unit != rhs.y_unit:
        return f"Y is in {lhs.y_unit!r} on the left and {rhs.y_unit!r} on the right"
    if same_y_unit and isinstance(lhs, EventWorkspace) and isinstance(rhs, EventWorkspace):
        if left[0] != right[0]:
            return f"the left has {left[0]} spectra, the right {right[0]}"
        return "" if lhs.unit == rhs.unit else f"X is in {lhs.unit!r} on the left and {rhs.unit!r} on the right"
    if any(r not in (n, 1) for n, r in zip(left, right, strict=True)):
        return (
            f"the left has {left[0]} spectra of {left[1]} bins, the right {right[0]} of {right[1]}; the right may have"
            " as many, or one"
        )
    if right[1] > 1 and lhs.unit != rhs.unit:
        return f"X is in {lhs.unit!r} on the left and {rhs.unit!r} on the right"
    return "" if right[1] == 1 or _same_x(lhs, rhs) else "their bins differ; rebin one to the other (RebinToWorkspace)"


def _same_x(lhs: MatrixWorkspace, rhs: MatrixWorkspace) -> bool:
    if lhs.x is rhs.x:
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
    owner = np.repeat(np.arange(rhs.n_spectra), np.diff(rhs.spectra.start))
    order = np.argsort(rhs.spectra.ids, kind="stable")
    ids, owner = rhs.spectra.ids[order], owner[order]
    wanted = lhs.spectra.ids
    result = np.full(lhs.n_spectra, -1, np.int64)
    if not len(ids) or not len(wanted):
        return result
    at = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    partner = np.where(ids[at] == wanted, owner[at], -1)
    filled = np.flatnonzero(np.diff(lhs.spectra.start))
    low = np.minimum.reduceat(partner, lhs.spectra.start[filled])
    high = np.maximum.reduceat(partner, lhs.spectra.start[filled])
    result[filled] = np.where(low == high, low, -1)
    return result


def _joined(lhs: EventWorkspace, rhs: EventWorkspace, *, subtract: bool) -> EventWorkspace:
    result = lhs.plus(rhs, subtract=subtract)
    result.logs.add(rhs.logs)
    masked = lhs.spectra.masked | rhs.spectra.masked
    return result if not masked.any() else masked_spectra(result, masked)


def _combined(
    lhs: MatrixWorkspace | float,
    rhs: MatrixWorkspace | float,
    operation: Callable[[Values, Values], Values],
    *,
    merge_logs: bool = False,
) -> HistogramWorkspace:
    """Histogram of the operation's values, like the larger operand but for them."""
    model = lhs if isinstance(lhs, MatrixWorkspace) and (_shape(lhs) != (1, 1) or not _is_larger(rhs)) else rhs
    assert isinstance(model, MatrixWorkspace)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        values = operation(_values(lhs), _values(rhs))
    result = _replaced(as_histogram(model), values)
    if merge_logs and isinstance(lhs, MatrixWorkspace) and isinstance(rhs, MatrixWorkspace):
        result.logs.add((rhs if model is lhs else lhs).logs)
    masked = result.spectra.masked.copy()
    for operand in (lhs, rhs):
        if isinstance(operand, MatrixWorkspace) and operand.n_spectra == len(masked):
            masked |= operand.spectra.masked
    return result if not masked.any() else masked_spectra(result, masked)


def _is_larger(operand: MatrixWorkspace | float) -> bool:
    return _shape(operand) != (1, 1)


def _replaced(ws: HistogramWorkspace, values: Values) -> HistogramWorkspace:
    result: HistogramWorkspace = ws.replaced(y=values.y, e2=values.e2, e=None)
    return result


def _quotient(a: Values, b: Values) -> Values:
    y = a.y / b.y
    return Values(y, (a.e2 + y**2 * b.e2) / b.y**2)


def _weighted(lhs: EventWorkspace, rhs: MatrixWorkspace | float, factors: Values) -> MatrixWorkspace:
    """Events whose weights are multiplied by the factors."""
    if not isinstance(rhs, MatrixWorkspace):
        return lhs.planned(lambda plan: plan.scaled(float(factors.y[0, 0])))
    result = lhs.planned(lambda plan: plan.multiplied(factors.y, factors.e2))
    if rhs.n_spectra == lhs.n_spectra and rhs.spectra.masked.any():
        return masked_spectra(result, lhs.spectra.masked | rhs.spectra.masked)
    return result


def masked_spectra(ws: W, masked: npt.ArrayLike) -> W:
    """Return the workspace with these spectra marked as masked and empty."""
    spectra = ws.spectra.with_masked(masked)
    if isinstance(ws, EventWorkspace):
        target = np.where(masked, -1, np.arange(ws.n_spectra)).astype(np.int32)
        return ws.planned(lambda plan: plan.grouped(target, ws.n_spectra), spectra=spectra)
    keep = ~np.asarray(masked)[:, None]
    result: W = ws.replaced(spectra=spectra, y=np.where(keep, ws.y, 0.0), e2=np.where(keep, ws.e2, 0.0), e=None)
    return result


def _set_quotient_unit(result: MatrixWorkspace, lhs: MatrixWorkspace | float, rhs: MatrixWorkspace | float) -> None:
    if not isinstance(rhs, MatrixWorkspace) or not rhs.y_unit or _shape(rhs) == (1, 1):
        return
    left = lhs.y_unit if isinstance(lhs, MatrixWorkspace) else ""
    if left == rhs.y_unit and rhs.n_bins > 1:
        result.y_unit, result.y_label, result.distribution = "", "", True
    else:
        result.y_unit = result.y_label = f"{left or '1'}/{rhs.y_unit}"


def apply_operator(name: str, left: Any, right: Any) -> Any:
    """Return what a Python operator, by the name of its algorithm, gives for two operands."""
    declared = declaration.find(name)
    assert declared is not None
    return calling.run(declared, dict(zip((p.field for p in declared.inputs), (left, right), strict=False)))


def _carry_out(algorithm: str, left: Any, right: Any, *, in_place: bool) -> Any:
    result = apply_operator(algorithm, left, right)
    if in_place and type(result) is type(left) and isinstance(left, Workspace):
        left.adopt(result)
        return left
    return result


install_operator(_carry_out)
