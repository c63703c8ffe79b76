"""X of every spectrum in another unit: edges or points converted, put in order, and cut to where there is an X."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livereduce.geometry.units import Conversion
from livereduce.workspaces import Curve
from livereduce.workspaces.arrays import F64, AnyArray, Bool


@dataclass(frozen=True, slots=True)
class Quadratic(Conversion):
    """The X for which ``X + bend X² = factor TOF + offset``: the root that tends to the linear one as bend does to 0.

    Attributes
    ----------
    bend
        float64[n].
    """

    bend: F64 | float = 0.0

    def from_tof(self, tof: npt.ArrayLike, rows: npt.ArrayLike | None = None) -> F64:
        """X at times of flight in µs; NaN where there is none. Shapes are those of a `Conversion`."""
        factor, offset, _ = self._of(rows)
        bend = np.broadcast_to(np.asarray(self.bend, np.float64), self.factor.shape)
        bend = bend[:, None] if rows is None else bend[np.asarray(rows)]
        with np.errstate(divide="ignore", invalid="ignore"):
            y = factor * np.asarray(tof, np.float64) + offset
            # this form loses no digits where bend is small
            x = 2.0 * y / (1.0 + np.sqrt(1.0 + 4.0 * bend * y))
        return np.where(factor == 0.0, np.nan, x)


class Rows(NamedTuple):
    """New X of every spectrum, and where its values come from: `take` bins of each row, in the order of the new X."""

    x: F64
    take: AnyArray | None
    reversed: bool


def rows_of(values: AnyArray, rows: Rows) -> AnyArray:
    """Values of every spectrum in the order of its new X; 0 in bins that pad a row."""
    turned = values[:, ::-1] if rows.reversed else values
    if rows.take is None:
        return turned
    there = rows.take >= 0
    return np.where(there, np.take_along_axis(turned, np.where(there, rows.take, 0), axis=1), 0)


def converted_rows(
    x: F64, source: Conversion, target: Conversion, good: Bool, *, is_histogram: bool = True, earlier: float = 0.0
) -> Rows:
    """Convert X of all spectra; bins without X in the new unit are taken away, a row that lacks more is padded.

    Parameters
    ----------
    x
        float64[m] for all spectra, or float64[spectra, m].
    good
        Spectra that have the unit; the others get the X of one that has.
    earlier
        How much earlier than it is an edge is taken, µs.
    """
    tof = np.atleast_2d(x) if source.unit == "TOF" else source.to_tof(x)
    found = x_at(target, np.where(tof == 0.0, tof, tof - earlier))
    found[~good] = found[np.argmax(good)] if len(good) else 0.0
    turned = source.rising != target.rising
    if turned:
        found = np.ascontiguousarray(found[:, ::-1])
    lacking = np.isnan(found)
    if not lacking.any():
        return Rows(found, None, turned)
    return _trimmed(found, lacking, is_histogram, turned)


def x_at(target: Conversion, tof: F64) -> F64:
    """X at times of flight, a row per spectrum, in the same floating-point steps as for events; NaN where none."""
    if isinstance(target, Quadratic):
        return target.from_tof(tof)
    intercept = np.broadcast_to(np.asarray(target.intercept, np.float64), target.factor.shape)[:, None]
    with np.errstate(all="ignore"):
        y = tof * target.factor[:, None] + target.offset[:, None]
        if target.power < 0:
            # a neutron that takes no time has an infinite energy, but no energy transfer
            y = np.where((y > 0.0) | ((y == 0.0) & (intercept == 0.0)), y, np.nan)
        found: F64 = target.slope * Curve(target.power)(y) + intercept
    return found


def _trimmed(x: F64, lacking: Bool, is_histogram: bool, turned: bool) -> Rows:
    """Take the bins without X away. They are at one end; a row with fewer bins left than others is padded there."""
    left: AnyArray = x.shape[1] - np.count_nonzero(lacking, axis=1)
    keep = int(left.max())
    if keep < 1 + is_histogram:
        raise ValueError("no bin of any spectrum has an X in the new unit; is the energy right?")
    at_start = bool(lacking[:, 0].any())
    first = x.shape[1] - keep if at_start else 0
    take = np.broadcast_to(np.arange(first, first + keep - is_histogram), (len(x), keep - is_histogram))
    x = x[:, first : first + keep]
    if np.all(left == keep):
        return Rows(x, take, turned)
    missing = np.isnan(x)
    padded = _continued(x[:, ::-1] if at_start else x, missing[:, ::-1] if at_start else missing, at_start)
    gap = missing[:, :-1] | missing[:, 1:] if is_histogram else missing
    return Rows(padded[:, ::-1] if at_start else padded, np.where(gap, -1, take), turned)


def _continued(x: F64, missing: Bool, falling: bool) -> F64:
    """Fill the end of every row with steps as wide as its last."""
    count = x.shape[1] - np.count_nonzero(missing, axis=1)
    last = np.take_along_axis(x, np.maximum(count - 1, 0)[:, None], axis=1)
    before = np.take_along_axis(x, np.maximum(count - 2, 0)[:, None], axis=1)
    step = np.where(count[:, None] > 1, last - before, -1.0 if falling else 1.0)
    beyond = np.arange(x.shape[1]) - (count - 1)[:, None]
    return np.where(missing, np.where(np.isnan(last), 0.0, last) + beyond * step, x)
