"""Events whose X no plan can say: a second table with the same events at other times of flight.

A plan's X is one curve for all pixels over ``tof * factor + offset``. A calibration with quadratic terms, or energy
transfer with a final energy for each analyser, is no such thing. Then every event gets the time of flight at which a
plan that can be said has its X, rounded to 1 ns. The second table follows the first: an update costs what is new. What
weight an event has of its own goes with it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import NamedTuple

import numpy as np

from livereduce.workspaces import Curve, EventTable, Part, Plan
from livereduce.workspaces.arrays import F64, I32, I64, U32, Column
from livereduce.workspaces.binning import EventFilter
from livereduce.workspaces.events import Weights
from livereduce.workspaces.weighing import Weigher

_TICK_NS = 1
_ZERO = 1 << 31  # times from -2.1 s to 2.1 s
_NOWHERE = (1 << 32) - 1
_KEPT = 4  # second tables remembered for one first table; more are made anew

XOf = Callable[[F64, I32], F64]
"""``x_of(x, pix)``: new X of events at X in the present unit, of these pixels; NaN where there is none."""


class Spelling(NamedTuple):
    """How a plan says the new X: unit, curve, factor and offset per pixel."""

    unit: str
    factor: F64
    offset: F64
    curve: Curve

    def tof(self, x: F64, pix: I32) -> F64:
        """Time of flight (µs) at which this gives X."""
        return (self.curve.inverse(x) - self.offset[pix]) / self.factor[pix]


class _Follower:
    """A second table: the events of the first from `begin` on, where a pulse begins."""

    def __init__(self, table: EventTable, first_pulse: int, weighted: bool) -> None:
        self.table = EventTable(table.n_pixels, _TICK_NS, _ZERO, weighted=weighted)
        self.first_pulse = first_pulse
        self.begin = int(table.pulses.start[first_pulse])

    def follow(self, source: EventTable, ticks_of: Callable[[U32, I32], U32], weigher: Weigher) -> None:
        """Take over what is new in the first table."""
        pulses = source.pulses
        done = self.first_pulse + len(self.table.pulses)
        if done == len(pulses):
            return
        a, b = self.begin + self.table.n, source.n
        pieces = [(ticks_of(tof, pix), pix) for tof, pix in source.pieces(a, b)]
        tof = np.concatenate([np.empty(0, np.uint32), *(piece[0] for piece in pieces)])
        pix = np.concatenate([np.empty(0, np.int32), *(piece[1] for piece in pieces)])
        weights = self._weights(source, a, b, weigher) if self.table.weighted else None
        self.table.append(tof, pix, pulses.time[done:], pulses.start[done:] - a, pulses.charge[done:], weights)

    @staticmethod
    def _weights(source: EventTable, a: int, b: int, weigher: Weigher) -> Weights:
        pieces = zip(source.pieces(a, b), source.weights(a, b), strict=True)
        found = [weigher(tof, pix, own) for (tof, pix), own in pieces] or [(np.empty(0), np.empty(0))]
        weight, variance = (np.concatenate(column).astype(np.float32) for column in zip(*found, strict=True))
        return Weights(weight, variance)


_followers: weakref.WeakKeyDictionary[EventTable, dict[Hashable, _Follower]] = weakref.WeakKeyDictionary()


def respelled(part: Part, key: Hashable, x_of: XOf, spelling: Spelling) -> Part:
    """Return the part with its events at the times at which `spelling` gives their new X.

    Parameters
    ----------
    key
        What `x_of` depends on besides the plan; the second table is found again by it.
    """
    plan = part.plan.with_free_bins()
    shown = plan.count_key
    follower = _follower(part, (shown, key), weighted=part.table.weighted or bool(plan.weightings))
    filtered = EventFilter(part.table, shown)
    factor, offset = (np.broadcast_to(column, part.table.n_pixels) for column in plan.y_map())

    def ticks_of(tof: U32, pix: I32) -> U32:
        time = (tof.astype(np.float64) - part.table.zero_ticks) * part.table.tick_us
        with np.errstate(all="ignore"):
            x = x_of(plan.curve(time * factor[pix] + offset[pix]), pix)
            ticks = np.rint(spelling.tof(x, pix) * (1000 / _TICK_NS)) + _ZERO
        there = np.isfinite(ticks) & (ticks >= 0) & (ticks < _NOWHERE) & filtered.mask(tof, pix)
        return np.where(there, ticks, _NOWHERE).astype(np.uint32)

    follower.follow(part.table, ticks_of, Weigher(part.table, plan))
    new = Plan(plan.n_spectra, plan.group, scale=plan.scale, factors=plan.factors)
    new = new.in_unit(spelling.unit, spelling.factor, spelling.offset, spelling.curve)
    nowhere = (_NOWHERE - _ZERO - 0.5) * _TICK_NS / 1000
    new = new.without_times([(nowhere, np.inf)])
    kept = None if part.kept is None else part.kept - follower.begin
    scales = None if part.scales is None else part.scales.moved(follower.begin)
    return Part(follower.table, part.a - follower.begin, part.b - follower.begin, new, kept, scales)


def _follower(part: Part, key: Hashable, *, weighted: bool) -> _Follower:
    """Return the second table of a part's, beginning no later than the part; made anew where there is none."""
    known = _followers.setdefault(part.table, {})
    follower = known.pop(key, None)
    if follower is None or follower.begin > part.a:
        start: I64 = part.table.pulses.start
        pulse = int(np.searchsorted(start[1:], part.a, side="right"))
        follower = _Follower(part.table, min(pulse, len(part.table.pulses)), weighted)
    known[key] = follower
    while len(known) > _KEPT:
        del known[next(iter(known))]
    return follower


def column_key(*arrays: F64) -> tuple[Column, ...]:
    """Arrays as a key, compared by content."""
    return tuple(Column(np.array(a, np.float64)) for a in arrays)
