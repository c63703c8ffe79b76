"""Exact thresholds of floating-point comparisons, so that bins decided in ticks or in y equal those decided in X.

A monotone function of a float64 computed in correctly rounded steps is monotone itself. Hence "curve(y) >= edge" is
true from one least y on, and that y can be found by bisection over the representable numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from livereduce.workspaces.arrays import F64, I64, Bool

_SIGN = np.int64(np.iinfo(np.int64).min)


def _to_ordered(x: F64) -> I64:
    """Map float64 to int64 so that order is kept and neighbours differ by one (-0.0 and 0.0 are the same)."""
    bits = (np.asarray(x, np.float64) + 0.0).view(np.int64)
    return np.where(bits >= 0, bits, _SIGN - bits)


def _from_ordered(n: I64) -> F64:
    return np.where(n >= 0, n, _SIGN - n).view(np.float64)


def least_argument(holds: Callable[[F64], npt.NDArray[np.bool_]], guess: npt.ArrayLike) -> F64:
    """Return, elementwise, the least float64 (-inf included) at which `holds` is true; inf where it never is.

    Parameters
    ----------
    holds
        Elementwise predicate that is false below a threshold and true from it on. NaN comparisons count as false.
    guess
        Where to begin; the nearer to the threshold, the fewer steps.
    """
    start = np.where(np.isnan(guess), 0.0, guess).astype(np.float64)
    bottom, top = _to_ordered(np.array([-np.inf, np.inf]))
    centre = _to_ordered(start)
    low, high = centre.copy(), centre.copy()
    step = 1
    while True:  # widen until `holds` is false at low and true at high, or the ends of the number line are reached
        bad_low: Bool = holds(_from_ordered(low)) & (low > bottom)
        bad_high: Bool = ~holds(_from_ordered(high)) & (high < top)
        if not (bad_low.any() or bad_high.any()):
            break
        low = np.where(bad_low, np.where(low > bottom + step, low - step, bottom), low)
        high = np.where(bad_high, np.where(high < top - step, high + step, top), high)
        step = min(step * 8, 1 << 60)
    everywhere: Bool = holds(_from_ordered(low))
    while np.any(low + 1 < high):
        middle = (low >> 1) + (high >> 1) + (low & high & 1)  # their difference may not fit
        true: Bool = holds(_from_ordered(middle))
        low, high = np.where(true, low, middle), np.where(true, middle, high)
    return np.where(everywhere, -np.inf, _from_ordered(high))
