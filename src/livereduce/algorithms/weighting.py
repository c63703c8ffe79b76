"""Errors and what weighs by them: SetUncertainties, WeightedMean."""

from __future__ import annotations

from typing import Literal

import numpy as np

from livereduce.algorithms.declaration import algorithm
from livereduce.algorithms.operands import as_histogram, bin_masks, masked_spectra
from livereduce.workspaces import HistogramWorkspace, MatrixWorkspace

# what counts as no value
_NOTHING = 1e-10


@algorithm("SetUncertainties")
def set_uncertainties(
    ws: MatrixWorkspace,
    set_error: Literal["zero", "sqrt", "oneIfZero", "sqrtOrOne", "custom"] = "zero",
    set_error_to: float = 1.0,
    if_equal_to: float = 0.0,
    precision: int = 3,
) -> HistogramWorkspace:
    """Set the errors of all values anew.

    Parameters
    ----------
    set_error
        To zero; to the square root of the value's size (sqrt: 0 for 0, sqrtOrOne: 1 for 0); to one where they are zero;
        or those of a given size to another (custom). Masked spectra get zero with sqrt and sqrtOrOne, and keep theirs
        with oneIfZero.
    set_error_to
        With custom: the new error.
    if_equal_to
        With custom: which errors get it.
    precision
        With custom: how many decimals of an error must be those of IfEqualTo; the others do not matter.
    """
    histogram = as_histogram(ws)
    e = histogram.e
    masked = histogram.spectra.masked[:, None]
    if set_error == "zero":
        new = np.zeros_like(e)
    elif set_error in ("sqrt", "sqrtOrOne"):
        size = np.abs(histogram.y)
        nothing = 1.0 if set_error == "sqrtOrOne" else 0.0
        new = np.where(masked, 0.0, np.where(size > _NOTHING, np.sqrt(size), nothing))
    elif set_error == "oneIfZero":
        new = np.where(~masked & (e < _NOTHING), 1.0, e)
    else:
        new = np.where(~masked & _same_decimals(e, if_equal_to, precision), set_error_to, e)
    return histogram.replaced(e2=None, e=new)


def _same_decimals(values: np.ndarray, wanted: float, decimals: int) -> np.ndarray:
    if decimals < 0:
        raise ValueError(f"Precision: expected 0 or more, found {decimals}")
    scale = 10.0**decimals
    # a billionth of a unit of the last place, so that 0.025 is not 0.02499999
    same: np.ndarray = np.trunc(values * scale + 1e-9) == np.trunc(wanted * scale + 1e-9)
    return same


@algorithm("WeightedMean", names={"first": "InputWorkspace1", "second": "InputWorkspace2"})
def weighted_mean(first: MatrixWorkspace, second: MatrixWorkspace) -> HistogramWorkspace:
    """Average the values of two workspaces, each with weight 1/E²; X is the first's.

    Where one of the two has no error the other is taken as it is; where both have none, the result is 0. Spectra and
    bins masked in either are masked in the result.

    Parameters
    ----------
    first, second
        Workspaces with as many spectra and values, both distributions or both not.
    """
    a, b = as_histogram(first), as_histogram(second)
    if a.y.shape != b.y.shape:
        raise ValueError(
            f"InputWorkspace2: has {b.n_spectra} spectra of {b.n_bins} values; expected {a.n_spectra} of {a.n_bins}"
        )
    if a.y_unit != b.y_unit or a.unit != b.unit or a.distribution != b.distribution:
        kinds = (f"{ws.unit!r}, {ws.y_unit!r}{', a distribution' if ws.distribution else ''}" for ws in (a, b))
        raise ValueError(f"the workspaces are different (units of X and Y): {' and '.join(kinds)}")
    with np.errstate(divide="ignore"):
        weights = [np.where(ws.e2 > 0, 1.0 / ws.e2, 0.0) for ws in (a, b)]
    total = weights[0] + weights[1]
    inverse = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    # a value without weight may be NaN and must not count
    sums = sum(np.where(w > 0, w * ws.y, 0.0) for w, ws in zip(weights, (a, b), strict=True))
    result = a.replaced(y=sums * inverse, e2=inverse, e=None, bin_mask=bin_masks(a.y.shape, a, b))
    result.logs.add(b.logs)
    masked = a.spectra.masked | b.spectra.masked
    return masked_spectra(result, masked) if masked.any() else result
