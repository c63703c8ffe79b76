"""Least squares: the parameters of a function for which data deviate least, their errors, and how well they fit.

Levenberg-Marquardt (MINPACK), or a trust region inside limits where parameters have any. Derivatives come from a step
along the imaginary axis. The covariance is the inverse of the curvature, not scaled by chi²: errors of data are taken
to be what they say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from livereduce.algorithms.fitting.functions import Function
from livereduce.workspaces.arrays import F64, Bool

# nothing is rounded off on the imaginary axis, so the step may be this small
_STEP = 1e-40
_PRECISION = 1e-12
# directions in which chi² curves less than this, relative to the most, are not determined by the data
_SINGULAR = 1e-13


@dataclass(frozen=True, slots=True)
class Points:
    """Data to fit: float64[n] each; a weight of 0 leaves a point out."""

    x: F64
    y: F64
    weight: F64


@dataclass(frozen=True, slots=True)
class Fitted:
    """Result of a fit.

    Attributes
    ----------
    values, errors
        All parameters by name. Of a tied one the error follows from the others'.
    free
        Names of the parameters that were fitted, in the order of `covariance`.
    covariance
        float64[free, free].
    chi2
        Sum of the squares of weighted deviations.
    degrees_of_freedom
        Number of points used less that of free parameters; 1 if it would be 0.
    status
        "success", or why not.
    """

    function: Function
    values: dict[str, float]
    errors: dict[str, float]
    free: list[str]
    covariance: F64
    chi2: float
    degrees_of_freedom: int
    status: str

    @property
    def reduced_chi2(self) -> float:
        """chi² per degree of freedom."""
        return self.chi2 / self.degrees_of_freedom

    @property
    def correlation(self) -> F64:
        """float64[free, free]: covariances divided by the errors of both."""
        deviation = np.sqrt(np.diag(self.covariance))
        with np.errstate(invalid="ignore", divide="ignore"):
            result: F64 = self.covariance / np.outer(deviation, deviation)
        np.fill_diagonal(result, 1.0)
        return result

    def __call__(self, x: F64) -> F64:
        """Values of the fitted function."""
        return self.function(x, self.values)

    def uncertainty(self, x: F64) -> F64:
        """Standard deviation of the fitted values that follows from that of the parameters the data determine."""
        slopes = _slopes(self.function, x, self.free, self.values)
        known = np.isfinite(np.diag(self.covariance))
        slopes, covariance = slopes[:, known], self.covariance[np.ix_(known, known)]
        result: F64 = np.sqrt(np.einsum("ij,jk,ik->i", slopes, covariance, slopes))
        return result


def fit(function: Function, points: Points, max_iterations: int = 500) -> Fitted:
    """Find the parameters for which the weighted deviations of the points have the least sum of squares.

    Parameters
    ----------
    function
        What to fit; the search begins at its starting values.
    max_iterations
        At most so many steps; 0 computes chi² of the starting values.

    Raises
    ------
    ValueError
        There are fewer points than free parameters, or the function is not finite where the search begins.
    """
    used = points.weight > 0
    x, y, weight = points.x[used], points.y[used], points.weight[used]
    free = function.free
    if len(x) < max(len(free), 1):
        raise ValueError(f"there are {len(x)} points to fit {len(free)} parameters to")
    values = _inside_limits(function)
    if not np.all(np.isfinite(function(x, values))):
        start = ", ".join(f"{name}={value:g}" for name, value in values.items())
        raise ValueError(f"Function: its values are not finite where the fit begins ({start})")
    status = "success" if not free else f"Failed to converge after {max_iterations} iterations."
    with np.errstate(all="ignore"):
        if free and max_iterations > 0:
            values, status = _minimised(function, x, y, weight, values, max_iterations)
        return _assessed(function, x, y, weight, values, status)


def _inside_limits(function: Function) -> dict[str, float]:
    values = function.start
    for name, (low, high) in function.limits().items():
        values[name] = min(max(values[name], low), high)
    return function.tied(values)


def _minimised(
    function: Function, x: F64, y: F64, weight: F64, start: dict[str, float], max_iterations: int
) -> tuple[dict[str, float], str]:
    free, limits = function.free, function.limits()

    def values_of(parameters: F64) -> dict[str, float]:
        return function.tied(start | dict(zip(free, parameters.tolist(), strict=True)))

    def deviations(parameters: F64) -> F64:
        result: F64 = weight * (function(x, values_of(parameters)) - y)
        return _finite(result)

    def slopes(parameters: F64) -> F64:
        return _finite(weight[:, None] * _slopes(function, x, free, values_of(parameters)))

    low, high = zip(*(limits.get(name, (-np.inf, np.inf)) for name in free), strict=True)
    limited = bool(np.any(np.isfinite(low)) or np.any(np.isfinite(high)))
    from scipy import optimize  # here, so that a reduction without fits does not wait for it (half a second)

    found = optimize.least_squares(
        deviations,
        [start[name] for name in free],
        slopes,
        bounds=(low, high) if limited else (-np.inf, np.inf),
        method="trf" if limited else "lm",
        x_scale="jac",
        ftol=_PRECISION,
        xtol=_PRECISION,
        gtol=_PRECISION,
        max_nfev=max_iterations,
    )
    status = "success" if found.status > 0 else f"Failed to converge after {max_iterations} iterations."
    parameters = [abs(v) if name in function.even else v for name, v in zip(free, found.x.tolist(), strict=True)]
    return values_of(np.array(parameters)), status


def _finite(values: F64) -> F64:
    """Values with those that are not finite made enormous, so that the search turns back from there."""
    return np.nan_to_num(values, nan=1e100, posinf=1e100, neginf=-1e100)


def _slopes(function: Function, x: F64, free: list[str], values: dict[str, float]) -> F64:
    """Derivatives of the function's values by its free parameters, float64[points, free]; ties are followed."""
    result = np.empty((len(x), len(free)))
    for i, name in enumerate(free):
        stepped = function.tied(values | {name: complex(values[name], _STEP)})
        result[:, i] = function(x, stepped).imag / _STEP
    return result


def _assessed(function: Function, x: F64, y: F64, weight: F64, values: dict[str, float], status: str) -> Fitted:
    free = function.free
    chi2 = float(np.sum((weight * (function(x, values) - y)) ** 2))
    covariance, undetermined = _covariance(weight[:, None] * _slopes(function, x, free, values))
    if status == "success" and undetermined.any():
        names = ", ".join(name for name, lost in zip(free, undetermined, strict=True) if lost)
        status = f"Singular matrix: the data do not determine {names}"
    if status == "success" and not np.isfinite(chi2):
        status = "The function's values are not finite"
    return Fitted(
        function,
        values,
        _errors(function, values, covariance),
        free,
        covariance,
        chi2,
        max(len(x) - len(free), 1),
        status,
    )


def _covariance(slopes: F64) -> tuple[F64, Bool]:
    """Inverse of the curvature; parameters that the data do not determine are marked and have an infinite variance."""
    n = slopes.shape[1]
    scale = np.sqrt(np.sum(slopes**2, axis=0))
    flat = ~(np.isfinite(scale) & (scale > 0))
    scale[flat] = 1.0
    triangle = np.linalg.qr(np.where(flat, 0.0, slopes) / scale, mode="r")
    _, strength, directions = np.linalg.svd(triangle)
    lost = strength**2 <= _SINGULAR * n * strength.max(initial=0.0) ** 2
    undetermined: Bool = flat | np.any(np.abs(directions[lost]) > 1e-6, axis=0)
    inverse = np.where(lost, 0.0, 1.0 / np.where(lost, 1.0, strength) ** 2)
    covariance = (directions.T * inverse) @ directions / np.outer(scale, scale)
    covariance[undetermined, :] = covariance[:, undetermined] = 0.0
    covariance[undetermined, undetermined] = np.inf
    return covariance, undetermined


def _errors(function: Function, values: dict[str, float], covariance: F64) -> dict[str, float]:
    """Standard deviations of all parameters; those of tied ones by the slope of their ties."""
    free = function.free
    errors = dict(zip(free, np.sqrt(np.diag(covariance)).tolist(), strict=True))
    stepped = [function.tied(values | {name: complex(values[name], _STEP)}) for name in free]
    for tie in function.ties:
        slopes = np.array([np.imag(values_there[tie.target]) / _STEP for values_there in stepped])
        used = np.flatnonzero(slopes)  # so that a slope of 0 is not multiplied with an infinite variance
        errors[tie.target] = float(np.sqrt(slopes[used] @ covariance[np.ix_(used, used)] @ slopes[used]))
    return {name: errors[name] for name in function.names}
