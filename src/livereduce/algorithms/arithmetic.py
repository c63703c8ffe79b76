"""Plus, Minus, Multiply, Divide, Power and Scale, for workspaces and numbers in any pair.

Errors are propagated as independent. Shapes: equal, or the right side has one spectrum (taken for all), one bin (a
value per spectrum), or both (a number). Event workspaces stay events where that says the same: added and subtracted
among themselves, multiplied and divided by numbers and histograms; everything else works on their histograms.
"""

from __future__ import annotations

import logging
from typing import Any, Literal

import numpy as np

from livereduce.algorithms import calling, declaration
from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.operands import (
    Values,
    as_histogram,
    checked,
    combined,
    is_distribution,
    joined_events,
    shape_of,
    values_of,
    weighted,
)
from livereduce.workspaces import EventWorkspace, MatrixWorkspace, Workspace, install_operator
from livereduce.workspaces.arrays import Bool

log = logging.getLogger(__name__)


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
    lhs, rhs = checked("added", lhs, rhs, allow_different_number_spectra, same_y_unit=True)
    if isinstance(lhs, EventWorkspace) and isinstance(rhs, EventWorkspace):
        return joined_events(lhs, rhs, subtract=False)
    return combined(lhs, rhs, lambda a, b: Values(a.y + b.y, a.e2 + b.e2), merge_logs=True)


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
    lhs, rhs = checked("subtracted", lhs, rhs, allow_different_number_spectra, same_y_unit=True)
    if isinstance(lhs, EventWorkspace) and isinstance(rhs, EventWorkspace):
        return joined_events(lhs, rhs, subtract=True)
    return combined(lhs, rhs, lambda a, b: Values(a.y - b.y, a.e2 + b.e2), merge_logs=True)


@algorithm("Multiply", names={"lhs": "LHSWorkspace", "rhs": "RHSWorkspace", "clear_rhs": "ClearRHSWorkspace"})
def multiply(
    lhs: MatrixWorkspace | float,
    rhs: MatrixWorkspace | float,
    allow_different_number_spectra: bool = False,
    clear_rhs: bool = False,
) -> MatrixWorkspace:
    """Multiply two workspaces, or a workspace and a number. Events times anything stay events.

    The bins of both must be the same, but for events on the left: each is multiplied by the value of the bin it is in
    on the right (of events there, their number), and by 0 outside of all.

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
    lhs, rhs = checked("multiplied", lhs, rhs, allow_different_number_spectra)
    if isinstance(rhs, EventWorkspace) and not isinstance(lhs, EventWorkspace) and shape_of(lhs) == (1, 1):
        lhs, rhs = rhs, lhs  # so that twice the events are events too
    if isinstance(lhs, EventWorkspace):
        return weighted(lhs, rhs, values_of(rhs))
    result = combined(lhs, rhs, lambda a, b: Values(a.y * b.y, a.e2 * b.y**2 + b.e2 * a.y**2))
    result.distribution = is_distribution(lhs) and is_distribution(rhs)
    return result


@algorithm("Divide", names={"lhs": "LHSWorkspace", "rhs": "RHSWorkspace", "clear_rhs": "ClearRHSWorkspace"})
def divide(
    lhs: MatrixWorkspace | float,
    rhs: MatrixWorkspace | float,
    allow_different_number_spectra: bool = False,
    clear_rhs: bool = False,
    warn_on_zero_divide: bool = True,
) -> MatrixWorkspace:
    """Divide the left side by the right. Events divided by anything stay events.

    The bins of both must be the same, but for events on the left: each is divided by the value of the bin it is in on
    the right (of events there, their number), and counts nothing outside of all.

    A division by zero gives infinity or NaN and a warning. Where both sides are in the same unit and bins, the quotient
    has no unit and is a distribution: rebinning it averages. (Not events: their weights add up in whatever bins.)

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
    lhs, rhs = checked("divided", lhs, rhs, allow_different_number_spectra)
    denominator = values_of(rhs)
    zeros = np.count_nonzero(denominator.y == 0, axis=1) if warn_on_zero_divide else np.zeros(1)
    if zeros.any() and (unmasked := int(zeros[~_masked_rows(lhs, rhs)].sum())):
        log.warning("Divide: %d values of the denominator are zero; the result is infinite or NaN there", unmasked)
    if isinstance(lhs, EventWorkspace):
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = np.where(denominator.e2 == 0, 0.0, denominator.e2 / denominator.y**4)
            result = weighted(lhs, rhs, Values(1.0 / denominator.y, variance))
    else:
        result = combined(lhs, rhs, _quotient)
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
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        y = histogram.y**exponent
        slope = exponent * histogram.y ** (exponent - 1.0)
        return histogram.replaced(y=y, e2=np.where(histogram.e2 == 0, 0.0, slope**2 * histogram.e2), e=None)


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


def _quotient(a: Values, b: Values) -> Values:
    y = a.y / b.y
    return Values(y, (a.e2 + np.where(b.e2 == 0, 0.0, y**2 * b.e2)) / b.y**2)


def _masked_rows(lhs: MatrixWorkspace | float, rhs: MatrixWorkspace | float) -> Bool:
    """Which spectra of the right are masked there or on the left, and so will be in the result."""
    n = shape_of(rhs)[0]
    masked = np.zeros(n, bool)
    for operand in (lhs, rhs):
        if isinstance(operand, MatrixWorkspace) and n == shape_of(lhs)[0] == operand.n_spectra:
            masked |= operand.spectra.masked
    return masked


def _set_quotient_unit(result: MatrixWorkspace, lhs: MatrixWorkspace | float, rhs: MatrixWorkspace | float) -> None:
    if not isinstance(rhs, MatrixWorkspace) or not rhs.y_unit or shape_of(rhs) == (1, 1):
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
