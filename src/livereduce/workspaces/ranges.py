"""Ranges of events and intervals of time: sorted, disjoint, half open, as int64[k, 2]."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Protocol

import numpy as np

from livereduce.workspaces import kernels
from livereduce.workspaces.arrays import I64, read_only

Interval = tuple[int, int]


class Pulses(Protocol):
    """What is needed of a pulse table."""

    @property
    def time(self) -> I64:
        """Time of each pulse, ns since 1970 UTC."""

    @property
    def start(self) -> I64:
        """First event of each pulse, then the number of events."""

    @property
    def disorder(self) -> I64:
        """Pulses earlier than the one before them."""


def total(ranges: I64) -> int:
    """Return the number of events in ranges [a, b)."""
    return int((ranges[:, 1] - ranges[:, 0]).sum())


def split(ranges: I64, n: int) -> list[I64]:
    """Cut ranges into n lists of them with equally many events, in order."""
    length = ranges[:, 1] - ranges[:, 0]
    before = np.cumsum(length) - length
    cuts = [total(ranges) * k // n for k in range(n + 1)]
    pieces = []
    for low, high in pairwise(cuts):
        begin, end = np.clip(low - before, 0, length), np.clip(high - before, 0, length)
        some = begin < end
        pieces.append((ranges[:, :1] + np.stack([begin, end], axis=1))[some])
    return pieces


def stretches(ranges: I64, size: int) -> dict[int, I64]:
    """Cut sorted disjoint ranges at multiples of a size; what is in [k size, (k + 1) size) comes under k."""
    found = {}
    at = 0
    while at < len(ranges):
        k = int(ranges[at, 0]) // size
        end = at + int(np.searchsorted(ranges[at:, 0], (k + 1) * size))
        some = ranges[at:end]
        rest = some[-1, 1] > (k + 1) * size
        found[k] = np.minimum(some, (k + 1) * size)
        if rest:
            ranges = np.concatenate([[[(k + 1) * size, some[-1, 1]]], ranges[end:]])
            at = 0
        else:
            at = end
    return found


def difference(a: I64, b: I64) -> I64:
    """Return what of the sorted disjoint ranges `a` is not in the sorted disjoint ranges `b`."""
    a, b = read_only(np.ascontiguousarray(a, np.int64)), read_only(np.ascontiguousarray(b, np.int64))
    out = np.empty((len(a) + len(b), 2), np.int64)
    return out[: kernels.subtract_ranges(a, b, out)]


def places(values: I64, wanted: I64) -> I64:
    """Return the place of the first of the values not below each of the wanted; both ascend."""
    found = np.empty(wanted.size, np.int64)
    flat = np.ascontiguousarray(wanted, np.int64).reshape(-1)
    kernels.places(read_only(np.ascontiguousarray(values, np.int64)), read_only(flat), found)
    return found.reshape(wanted.shape)


def merged_intervals(intervals: Iterable[Interval] | I64) -> I64:
    """Return intervals [t0, t1) sorted, disjoint and not empty, int64[k, 2]."""
    array = np.array(intervals if isinstance(intervals, np.ndarray) else list(intervals), np.int64).reshape(-1, 2)
    if (array[:, 0] < array[:, 1]).all() and (array[:-1, 1] < array[1:, 0]).all():
        return array  # as most are that were made from others
    array = array[array[:, 0] < array[:, 1]]
    array = array[np.argsort(array[:, 0], kind="stable")]
    if not len(array):
        return array
    top = np.maximum.accumulate(array[:, 1])
    first = np.concatenate([[True], array[1:, 0] > top[:-1]])
    last = np.concatenate([first[1:], [True]])
    return np.stack([array[first, 0], top[last]], axis=1)


def intersection(a: I64, b: I64) -> I64:
    """Return what two sorted lists of disjoint ranges have in common."""
    return difference(a, difference(a, b))


def layers(ranges: I64) -> list[I64]:
    """Return sorted disjoint ranges that together cover each event as often as the given ones do; at least one."""
    if len(ranges) < 2 or (ranges[:-1, 1] < ranges[1:, 0]).all():
        return [ranges]
    order = np.argsort(ranges[:, 0], kind="stable")
    ranges = ranges[order]
    if not np.any(ranges[1:, 0] < np.maximum.accumulate(ranges[:, 1])[:-1]):
        return [merged_intervals(ranges)]
    borders = np.concatenate([ranges[:, 0], ranges[:, 1]])
    step = np.repeat([1, -1], len(ranges))
    order = np.argsort(borders, kind="stable")
    borders, depth = borders[order], np.cumsum(step[order])
    return [
        merged_intervals(np.stack([borders[:-1][deep], borders[1:][deep]], axis=1))
        for level in range(int(depth.max()))
        if (deep := depth[:-1] > level).any()
    ]


def selected_ranges(pulses: Pulses, a: int, b: int, select: I64) -> I64:
    """Return the ranges of events in [a, b) whose pulse time is in one of the intervals.

    Pulse times ascend but for a few places (a reconnect), so each ascending stretch is searched by bisection and the
    cost does not grow with the number of pulses.
    """
    time, start = pulses.time, pulses.start
    first = int(np.searchsorted(start[1:], a, side="right"))
    last = int(np.searchsorted(start[:-1], b, side="left"))
    disorder = pulses.disorder
    inside = disorder[(disorder > first) & (disorder < last)]
    borders = np.concatenate([[first], inside, [last]]).astype(np.int64)
    found = []
    for p, q in pairwise(borders.tolist()):
        at = p + places(time[p:q], select)
        found.append(np.clip(start[at], a, b))
    ranges = np.concatenate(found) if found else np.empty((0, 2), np.int64)
    return merged_intervals(ranges)
