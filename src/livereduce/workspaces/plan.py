"""What an event workspace shows of its events: a `Plan`, a hashable value.

Algorithms only edit plans (each method returns a new one); nothing is computed until values are read, and then as one
pass over the events. For an event of pixel p at time of flight t (us) a plan says, in this order:

1. kept if t is in [lo[p], hi[p]) and in none of the `excluded` windows;
2. counted in spectrum ``group[p]`` (-1: in none);
3. at X = curve(t * factor[p] + offset[p]);
4. weighing ``scale``, times what each of its `weightings` gave it, times ``factors`` of its spectrum and bin.

Factors apply after counting, so that they cost nothing. Where their spectra are then summed, or their bins or unit are
changed, they turn into a `Weighting`: each event gets the factor of the spectrum and bin that it was in. That is worked
out while it is counted, of its pixel and time of flight, so no event takes more memory and an update costs what is new.

Which pulses count is said by the event ranges of a `Part`, since it only takes a look at the pulses to know them; and
what chunks were scaled by, each by a number of its own, by its `scales`: so chunks with equal plans are one part.

What a plan cannot say (X that is not a monotone function of a linear y) has to be said by the algorithm that needs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livereduce.workspaces.arrays import F64, I32, I64, Column
from livereduce.workspaces.events import EventTable
from livereduce.workspaces.exact import least_argument
from livereduce.workspaces.ranges import Interval, intersection, merged_intervals, selected_ranges
from livereduce.workspaces.scales import Scales, Steps


class Curve(NamedTuple):
    """X as a monotone function of the linear y: ``X = intercept + slope * y**power``.

    Power 1 serves time of flight, wavelength and d-spacing, -1 momentum transfer, -2 energy and energy transfer
    (y is then the inverse of a speed). For power -1 and -2 only y > 0 has an X.
    """

    power: int = 1
    slope: float = 1.0
    intercept: float = 0.0

    @property
    def rising(self) -> bool:
        """Whether X grows with y (for y > 0)."""
        return (self.slope > 0) == (self.power > 0)

    def __call__(self, y: F64) -> F64:
        """Return X at y, in exactly these floating-point steps; bins are decided by them."""
        if self == LINEAR:
            return y
        x = y if self.power == 1 else 1.0 / y if self.power == -1 else 1.0 / (y * y)
        return self.slope * x + self.intercept

    def inverse(self, x: F64) -> F64:
        """Return y at X to rounding; NaN or inf where there is none."""
        with np.errstate(all="ignore"):
            z = (x - self.intercept) / self.slope
            result: F64 = z if self.power == 1 else 1.0 / z if self.power == -1 else 1.0 / np.sqrt(z)
        return result


LINEAR = Curve()


class Factors(NamedTuple):
    """Factors after counting, with variances: shapes (1, 1), (spectra, 1), (1, bins) or (spectra, bins).

    `edges` are the bins that factors per bin belong to; the workspace they are given to fills them in.
    """

    values: Column
    variances: Column
    edges: Column | None = None

    @property
    def per_bin(self) -> bool:
        """Whether they belong to the present bins, so that these cannot be changed without materialising."""
        return bool(self.values.values.shape[1] != 1)

    @property
    def per_spectrum(self) -> bool:
        """Whether they belong to the present spectra, so that these cannot be summed without materialising."""
        return bool(self.values.values.shape[0] != 1)

    def can_be_grouped(self, new_spectrum: I32) -> bool:
        """Whether spectra with factors, or bins of factors, of their own are not summed (nor bins moved)."""
        old = np.flatnonzero(new_spectrum >= 0)
        kept = new_spectrum[old]
        if self.per_bin and self.edges is not None and self.edges.values.ndim == 2:
            return bool(np.array_equal(kept, old))
        return not self.per_spectrum or len(np.unique(kept)) == len(kept)

    def grouped(self, new_spectrum: I32, n_spectra: int) -> Factors:
        """Return the factors of spectra that were moved or dropped."""
        if not self.per_spectrum:
            return self
        kept = np.flatnonzero(new_spectrum >= 0)
        moved = [np.ones((n_spectra, self.values.values.shape[1])), np.zeros((n_spectra, self.values.values.shape[1]))]
        for new, old in zip(moved, (self.values, self.variances), strict=True):
            new[new_spectrum[kept]] = old.values[kept]
        return Factors(Column(moved[0]), Column(moved[1]), self.edges)


class Weighting(NamedTuple):
    """Factors that each event got when it was in the spectra, unit and bins of a plan; outside the bins it weighs 0.

    With a factor F of variance V, an event of weight w and variance v becomes one of w F and v F^2 + w^2 V. The errors
    of two events are taken to be independent then: they cannot tell that they share the factor's.
    """

    shown: Plan
    factors: Factors


@dataclass(frozen=True)
class Plan:
    """What is shown of the events of a table, and as what; see the module's text. Equal plans compare equal by content.

    `n_spectra` rows are made; `group` None means that spectrum i is pixel i.
    """

    n_spectra: int
    group: Column | None = None
    unit: str = "TOF"
    factor: Column | None = None
    offset: Column | None = None
    curve: Curve = LINEAR
    lo: Column | None = None
    hi: Column | None = None
    excluded: tuple[tuple[float, float], ...] = ()
    scale: float = 1.0
    weightings: tuple[Weighting, ...] = ()
    factors: Factors | None = None

    @cached_property
    def count_key(self) -> Plan:
        """The plan without scale and factors: all that sums of weights depend on besides the events."""
        return self if self.scale == 1.0 and self.factors is None else replace(self, scale=1.0, factors=None)

    @cached_property
    def event_key(self) -> Plan:
        """The plan without any weights: which events there are, and where."""
        return self.count_key if not self.weightings else replace(self.count_key, weightings=())

    @cached_property
    def unscaled(self) -> Plan:
        """The plan without its scale."""
        return self if self.scale == 1.0 else replace(self, scale=1.0)

    @cached_property
    def _hash(self) -> int:
        columns = (self.group, self.factor, self.offset, self.lo, self.hi)
        return hash((self.n_spectra, self.unit, self.curve, self.scale, self.weightings, *columns))

    def __hash__(self) -> int:
        return self._hash

    def scaled_like(self, other: Plan) -> Plan:
        """Return the plan times the scale of another."""
        return self if other.scale == 1.0 else replace(self, scale=self.scale * other.scale)

    def sharing(self, other: Plan) -> Plan:
        """Return the plan with the arrays of another where they are equal: every chunk comes with its own."""
        return other.unscaled.scaled_like(self) if self.unscaled == other.unscaled else self

    # -- which events ---------------------------------------------------------------------------------------------

    def limited(self, x_min: float, x_max: float, *, include_max: bool = True) -> Plan:
        """Keep only events with X in [x_min, x_max], or [x_min, x_max) without `include_max`, in the present unit."""
        lo, hi = self._time_window(x_min, x_max, include_max)
        if self.lo is not None and self.hi is not None:
            lo, hi = np.maximum(lo, self.lo.values), np.minimum(hi, self.hi.values)
        return replace(self, lo=Column(lo), hi=Column(hi))

    def _time_window(self, x_min: float, x_max: float, include_max: bool) -> tuple[F64, F64]:
        """Return times of flight [lo, hi) of each pixel (or one pair for all) at which X is in the window."""
        # a time of 199 ticks of 0.1 µs comes out one rounding above the 19.9 that a script writes
        top = np.nextafter(np.nextafter(x_max, np.inf), np.inf) if include_max else x_max
        y_lo, y_hi = y_edges(self.curve, np.array([x_min, max(top, x_min)]))
        factor, offset = self.y_map()
        return self._first_time(y_lo, factor, offset), self._first_time(y_hi, factor, offset)

    @staticmethod
    def _first_time(y: float, factor: F64, offset: F64) -> F64:
        with np.errstate(all="ignore"):
            guess = (y - offset) / factor
            found = least_argument(lambda t: t * factor + offset >= y, guess)
        return np.where(factor > 0, found, np.inf)  # a pixel without conversion keeps nothing

    def without_times(self, windows: Iterable[tuple[float, float]]) -> Plan:
        """Drop events whose time of flight is in one of these windows [lo, hi), us."""
        return replace(self, excluded=tuple(sorted({*self.excluded, *((float(a), float(b)) for a, b in windows)})))

    # -- what they are --------------------------------------------------------------------------------------------

    def y_map(self) -> tuple[F64, F64]:
        """Return (factor, offset) as arrays of one element for all pixels or of one per pixel."""
        one, zero = np.ones(1), np.zeros(1)
        return (
            one if self.factor is None else np.atleast_1d(self.factor.values),
            zero if self.offset is None else np.atleast_1d(self.offset.values),
        )

    def in_unit(
        self,
        unit: str,
        factor: npt.ArrayLike | None,
        offset: npt.ArrayLike | None = None,
        curve: Curve = LINEAR,
    ) -> Plan:
        """Give events another X: ``curve(t * factor[p] + offset[p])`` with t the time of flight in us.

        `factor` (and `offset`) hold a value per pixel, or one for all. A factor that is not positive (no geometry)
        drops the pixel; with a curve of negative power so do times at which y is not positive.
        """
        plan = replace(
            self.with_free_bins(),
            unit=unit,
            factor=None if factor is None else Column(np.array(factor, np.float64)),
            offset=None if offset is None else Column(np.array(offset, np.float64)),
            curve=curve,
        )
        bad = plan.factor is not None and not np.all(plan.factor.values > 0)
        if bad or curve.power < 0:
            return plan.limited(-np.inf, np.inf)
        return plan

    def grouped(self, new_spectrum: npt.ArrayLike, n_spectra: int) -> Plan:
        """Send present spectrum i to spectrum ``new_spectrum[i]``, or to none where that is -1."""
        new = np.asarray(new_spectrum, np.int32)
        if len(new) != self.n_spectra or (len(new) and not -1 <= new.min() <= new.max() < n_spectra):
            raise ValueError(
                f"Plan: {len(new)} targets for {self.n_spectra} spectra; expected one each, from -1 to {n_spectra - 1}"
            )
        if self.factors is not None and not self.factors.can_be_grouped(new):
            return self.individually().grouped(new, n_spectra)
        factors = None if self.factors is None else self.factors.grouped(new, n_spectra)
        if self.group is not None:
            old = self.group.values
            new = np.where(old >= 0, new[old], np.int32(-1))
        return replace(self, group=Column(np.array(new, np.int32)), n_spectra=n_spectra, factors=factors)

    # -- what they weigh ------------------------------------------------------------------------------------------

    def scaled(self, factor: float) -> Plan:
        """Multiply the weight of every event by a number without error."""
        return replace(self, scale=self.scale * float(factor))

    def multiplied(self, values: npt.ArrayLike, variances: npt.ArrayLike | None = None) -> Plan:
        """Multiply counts by factors with variances: shapes (1, 1), (spectra, 1), (1, bins) or (spectra, bins)."""
        f = np.atleast_2d(np.asarray(values, np.float64))
        v = np.zeros_like(f) if variances is None else np.atleast_2d(np.asarray(variances, np.float64))
        if f.shape[0] not in (1, self.n_spectra) or v.shape != f.shape:
            raise ValueError(f"Plan: factors of shape {f.shape}, variances {v.shape} for {self.n_spectra} spectra")
        if self.factors is not None:
            f0, v0 = self.factors.values.values, self.factors.variances.values
            f, v = f0 * f, v0 * f**2 + f0**2 * v
        else:
            f, v = f.copy(), v.copy()
        return replace(
            self, factors=Factors(Column(f), Column(v), None if self.factors is None else self.factors.edges)
        )

    def in_bins(self, edges: Column | None) -> Plan:
        """Return the plan for these bins, to which its factors per bin belong from now on.

        Raises
        ------
        ValueError
            There are not as many factors as bins.
        """
        if self.factors is None or not self.factors.per_bin:
            return self
        if self.factors.edges is not None:
            return self if self.factors.edges == edges else self.individually()
        bins = 1 if edges is None else edges.values.shape[-1] - 1
        if self.factors.values.values.shape[1] != bins:
            raise ValueError(f"Plan: {self.factors.values.values.shape[1]} factors for {bins} bins")
        return replace(self, factors=self.factors._replace(edges=edges))

    def with_free_bins(self) -> Plan:
        """Return the plan with factors that belong to bins given to each event: before X is changed."""
        return self if self.factors is None or not self.factors.per_bin else self.individually()

    def individually(self) -> Plan:
        """Return the plan with its factors given to each event, so that bins, unit and spectra can be changed."""
        if self.factors is None:
            return self
        if self.factors.per_bin and self.factors.edges is None:
            raise ValueError("Plan: factors per bin without bins; give the plan to a workspace first")
        shown = replace(self.event_key, lo=None, hi=None, excluded=())
        return replace(self, factors=None, weightings=(*self.weightings, Weighting(shown, self.factors)))


@dataclass(frozen=True, eq=False)
class Part:
    """Events [a, b) of a table, shown as a plan says; only those in the ranges `kept`, if pulses were selected.

    Their weights are multiplied by their `scales`, besides all that the plan says. These change between pulses only.
    """

    table: EventTable
    a: int
    b: int
    plan: Plan
    kept: I64 | None = None
    scales: Scales | None = None

    @cached_property
    def ranges(self) -> I64:
        """The event ranges that count: int64[k, 2], ascending and disjoint."""
        if self.kept is not None:
            return self.kept
        return np.array([[self.a, self.b]] if self.a < self.b else np.empty((0, 2)), np.int64)

    @property
    def steps(self) -> Steps:
        """What the events weigh: scales and the plan's scale."""
        one = Steps(np.array([self.a], np.int64), np.ones(1))
        return (one if self.scales is None else self.scales.steps(self.a, self.b)).times(self.plan.scale)

    def selected(self, intervals: Iterable[Interval] | I64) -> Part:
        """Keep only events of pulses in these intervals [t0, t1) (ns since 1970), of those kept so far."""
        ranges = selected_ranges(self.table.pulses, self.a, self.b, merged_intervals(intervals))
        return replace(self, kept=ranges if self.kept is None else intersection(self.kept, ranges))

    def with_plan(self, plan: Plan) -> Part:
        """Return the same events under another plan."""
        return self if plan is self.plan else replace(self, plan=plan)


def joined(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Join parts of a table with plans equal but for the scale where one begins at the end of another before it.

    They need not be neighbours: of a mask in some spectra, each chunk comes as several parts. Of several that end there
    one with the same scale is taken if there is one, else the first. Empty parts are left out beside others.
    """
    parts = list(parts)
    result: list[Part] = []
    ends: dict[tuple[int, Plan, int], list[int]] = {}
    for part in [part for part in parts if part.a < part.b] or parts[:1]:
        there = ends.get((id(part.table), part.plan.unscaled, part.a), [])
        fitting = [at for at in there if _alike(result[at], part)] or [at for at in there if _adjustable(result[at])]
        if fitting:
            at = fitting[0]
            there.remove(at)
            result[at] = _joined(result[at], part)
        else:
            at = len(result)
            result.append(part)
        ends.setdefault((id(part.table), part.plan.unscaled, part.b), []).append(at)
    return tuple(result)


def _alike(first: Part, second: Part) -> bool:
    return first.plan.scale == second.plan.scale and first.scales == second.scales


def _adjustable(part: Part) -> bool:
    """Whether steps can follow a part: it has none that were scaled again, and no pulse goes on after it."""
    start = part.table.pulses.start
    return (part.scales is None or part.plan.scale == 1.0) and bool(start[np.searchsorted(start, part.b)] == part.b)


def _joined(first: Part, second: Part) -> Part:
    kept, plan, scales = None, first.plan, first.scales
    if first.kept is not None or second.kept is not None:
        kept = merged_intervals(np.concatenate([first.ranges, second.ranges]))
    if not _alike(first, second):
        plan = plan.unscaled
        scales = first.scales or Scales.constant(first.a, first.b, first.plan.scale)
        scales = scales.followed(second.a, second.b, second.steps)
    return Part(first.table, first.a, second.b, plan, kept, scales)


def y_edges(curve: Curve, edges: F64) -> F64:
    """Return bin edges in y, ascending, so that ``edges[k] <= curve(y)`` is decided in y alone, exactly.

    For a falling curve they come in the reverse order of the edges. An infinite edge stays infinite (or becomes the
    end of the y that have an X).
    """
    if curve == LINEAR:
        return edges
    smallest = np.nextafter(0.0, 1.0)
    bottom = -np.inf if curve.power == 1 else smallest
    with np.errstate(all="ignore"):
        guess = curve.inverse(edges)
        guess = np.where(np.isfinite(guess), np.maximum(guess, bottom), 1.0)
        if curve.rising:
            found = least_argument(lambda y: (y >= bottom) & (curve(y) >= edges), guess)
        else:  # the least y at which X has fallen below the edge
            found = least_argument(lambda y: (y >= bottom) & (curve(y) < edges), guess)[::-1]
    return np.ascontiguousarray(found)
