"""Counts remembered between updates, so that an update costs what is new.

An entry holds the counts of a plan (without scale and factors) in certain bins, and the ranges of events that are in
them. Asked for other ranges, it adds what came in and subtracts what went out: counts are integers, so the result
equals a full pass exactly. Sums of weights are not: to them events are only added, in their order, and where some went
out all are summed up again. Each event table owns one cache.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from livereduce.workspaces.arrays import F32, F64, I64, U32, AnyArray
from livereduce.workspaces.ranges import difference, split, total

# Kernels count in 32 bits; an entry that may hold more events than this is kept in 64 bits.
_U32_EVENTS = (1 << 32) - 1
# One plan in the same bins is asked for of several ranges in turns: the chunk's, the run's, and each slice of it by the
# value of a log. Where counts are small there is room for many slices.
_ENTRIES_PER_KEY = 4, 64
_BYTES_PER_KEY = 1 << 26
_COPIED_WHILE_COUNTED = 10  # values that are copied in the time it takes to count an event
_COUNTERS = 32
_SUMS = 4
_CLUSTERS = 1 << 12


class Counting(Protocol):
    """Counts events of a table into an array of its shape and type: uint32, or float64 for sums of weights."""

    shape: tuple[int, int]

    @property
    def dtype(self) -> type[np.generic]:
        """Type of the values."""

    def __call__(self, ranges: I64, subtract: bool, out: AnyArray) -> None:
        """Add the events of ranges [a, b) to an array or, of uint32 and modulo 2**32, take them away."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Least and greatest value of the events in some ranges."""

    least: float
    greatest: float
    ranges: I64


@dataclass(eq=False, slots=True)
class Sums:
    """Weighted sums over a list of terms, in order; see `evaluation.summed`."""

    terms: list[Any]
    y: F64
    e2: F64


class PixelView(NamedTuple):
    """Events sorted by pixel: those of pixel p are [begin[p], begin[p + 1]), in the order they came.

    `weight` and `variance` are those of the table, empty if it is not weighted.
    """

    begin: I64
    tof: U32
    pulse: U32
    weight: F32
    variance: F32


@dataclass(eq=False)
class _Entry:
    counts: AnyArray
    ranges: I64 = field(default_factory=lambda: np.empty((0, 2), np.int64))
    events: int = 0
    used: int = 0
    lent: weakref.ref[AnyArray] | None = None

    def lend(self) -> AnyArray:
        """Return a read-only view; while it lives, the counts behind it do not change."""
        view = None if self.lent is None else self.lent()
        if view is None:
            view = self.counts.view()
            view.flags.writeable = False
            self.lent = weakref.ref(view)
        return view

    def update(self, ranges: I64, added: I64, removed: I64, count: Counting) -> None:
        if self.lent is not None and self.lent() is not None:
            self.counts = self.counts.copy()
        self.lent = None
        if self.counts.dtype == np.uint32 and total(ranges) + total(removed) > _U32_EVENTS:
            self.counts = self.counts.astype(np.int64)
        for subtract, todo in ((False, added), (True, removed)):
            if len(todo):
                self._count(todo, subtract, count)
        self.ranges, self.events = ranges, total(ranges)

    def _count(self, todo: I64, subtract: bool, count: Counting) -> None:
        if self.counts.dtype == count.dtype:
            count(todo, subtract, self.counts)
            return
        for some in split(todo, -(-total(todo) // _U32_EVENTS)):  # never more than 2**32 - 1 events into 32 bits
            counts = np.zeros(self.counts.shape, np.uint32)
            count(some, False, counts)
            self.counts += -counts.astype(np.int64) if subtract else counts


def _only_appended(added: I64, removed: I64, before: I64) -> bool:
    """Whether what is new comes after all there was, so that adding it is summing up everything in order."""
    return not len(removed) and (not len(added) or not len(before) or bool(added[0, 0] >= before[-1, 1]))


class CountCache:
    """Counts by (plan, bins) with the event ranges they were made of.

    Parameters
    ----------
    limit_bytes
        What the entries may hold together; the least recently used go first.

    Attributes
    ----------
    offered
        Events given to kernels so far, whether added or subtracted: the cost of all updates.
    guard
        Entered around all that counts. Caches are for one thread; a process in which several count puts a re-entrant
        lock here before they do.
    """

    guard: ClassVar[AbstractContextManager[Any]] = nullcontext()

    def __init__(self, limit_bytes: int = 1 << 30) -> None:
        self.limit_bytes = limit_bytes
        self.offered = 0
        self._entries: dict[Hashable, list[_Entry]] = {}
        self._counters: dict[Hashable, Counting] = {}
        self._extents: dict[Hashable, Extent] = {}
        self._pixel_views: dict[bytes, tuple[PixelView, int]] = {}
        self._clusters: dict[Hashable, int] = {}
        self.sums: dict[Hashable, Sums] = {}
        self._clock = 0

    def counter(self, key: Hashable, make: Callable[[], Counting]) -> Counting:
        """Return the counter of a key, made once and kept while its counts are likely to be asked for."""
        counter = self._counters.pop(key, None) or make()
        self._counters[key] = counter  # last in order: the most recently used
        while len(self._counters) > _COUNTERS:
            del self._counters[next(iter(self._counters))]
        return counter

    def counts(self, key: Hashable, ranges: I64, counter: Counting) -> AnyArray:
        """Return the counts of these sorted disjoint ranges, read-only: int64 if uint32 is too small.

        Only events that the best remembered entry lacks or has too many are counted.
        """
        entries = self._entries.setdefault(key, [])
        entry, added, removed = self._best(entries, counter, ranges)
        self.offered += total(added) + total(removed)
        try:
            entry.update(ranges, added, removed, counter)
        except BaseException:  # interrupted half-way (the time limit of scripts): its counts mean nothing now
            entries.remove(entry)
            raise
        self._clock += 1
        entry.used = self._clock
        result = entry.lend()
        self._evict()
        return result

    def counted(self, ranges: I64, counter: Counting) -> AnyArray:
        """Return the counts of these ranges, counted anew and not remembered."""
        entry = _Entry(np.zeros(counter.shape, counter.dtype))
        entry.update(ranges, ranges, ranges[:0], counter)
        self.offered += total(ranges)
        return entry.counts

    def keep_sums(self, key: Hashable, sums: Sums) -> None:
        """Remember sums, in place of those used least recently."""
        self.sums[key] = sums
        while len(self.sums) > _SUMS:
            del self.sums[next(iter(self.sums))]

    def extent(self, key: Hashable, ranges: I64, measure: Callable[[I64], tuple[float, float]]) -> tuple[float, float]:
        """Return the least and greatest value of the events in these ranges; only new events are measured.

        Unlike counts they cannot be taken back: if events went out, everything is measured again.
        """
        known = self._extents.get(key)
        if known is None or len(difference(known.ranges, ranges)):
            known = Extent(np.inf, -np.inf, np.empty((0, 2), np.int64))
        least, greatest = known.least, known.greatest
        new = difference(ranges, known.ranges)
        if len(new):
            self.offered += total(new)
            lo, hi = measure(new)
            least, greatest = min(least, lo), max(greatest, hi)
        while len(self._extents) >= _COUNTERS:
            del self._extents[next(iter(self._extents))]
        self._extents[key] = Extent(least, greatest, ranges)
        return least, greatest

    def pixel_views(self, stretches: list[I64], make: Callable[[I64], PixelView]) -> list[PixelView]:
        """Return the events of each stretch, which is some ranges, sorted by pixel.

        Those of the latest two requests are kept: a difference of two selections asks for one and the other in turns.
        """
        self._clock += 1
        newest = max((used for _, used in self._pixel_views.values()), default=0)
        for key in [key for key, (_, used) in self._pixel_views.items() if used < newest]:
            del self._pixel_views[key]
        views = []
        for ranges in stretches:
            key = ranges.tobytes()
            if key not in self._pixel_views:
                self.offered += total(ranges)
                self._pixel_views[key] = (make(ranges), self._clock)
            views.append(self._pixel_views[key][0])
            self._pixel_views[key] = (views[-1], self._clock)
        return views

    def clusters(self, key: Hashable, count: Callable[[], int]) -> int:
        """Return how many clusters there are in a stretch of events; counted once."""
        known = self._clusters.pop(key, None)
        self._clusters[key] = known = count() if known is None else known
        while len(self._clusters) > _CLUSTERS:
            del self._clusters[next(iter(self._clusters))]
        return known

    def _best(self, entries: list[_Entry], counter: Counting, ranges: I64) -> tuple[_Entry, I64, I64]:
        best = None
        cost = wanted = total(ranges)
        for entry in sorted(entries, key=lambda e: abs(e.events - wanted)):
            if abs(entry.events - wanted) > cost:
                break  # it differs by more than the best does
            added, removed = difference(ranges, entry.ranges), difference(entry.ranges, ranges)
            if counter.dtype != np.uint32 and not _only_appended(added, removed, entry.ranges):
                continue
            if total(added) + total(removed) < cost or (not cost and not len(entry.ranges)):
                cost = total(added) + total(removed)
                best = (entry, added, removed)
        if best is not None:
            entry, added, removed = best
            # another selection: each keeps an entry of its own, unless it takes longer to copy it than to go from one
            # to the other, as where a few pulses of a run are judged anew at every update
            if not _only_appended(added, removed, entry.ranges) and cost * _COPIED_WHILE_COUNTED > entry.counts.size:
                entry = _Entry(entry.counts.copy(), entry.ranges)
                self._add(entries, entry)
            return entry, added, removed
        self._add(entries, _Entry(np.zeros(counter.shape, counter.dtype)))
        return entries[-1], ranges, np.empty((0, 2), np.int64)

    @staticmethod
    def _add(entries: list[_Entry], new: _Entry) -> None:
        if len(entries) >= np.clip(_BYTES_PER_KEY // max(new.counts.nbytes, 1), *_ENTRIES_PER_KEY):
            entries.remove(min(entries, key=lambda e: e.used))
        entries.append(new)

    def _evict(self) -> None:
        held = self.nbytes
        by_age = sorted(((e.used, key, e) for key, es in self._entries.items() for e in es), key=lambda item: item[0])
        for _, key, entry in by_age:
            if held <= self.limit_bytes:
                break
            self._entries[key].remove(entry)
            if not self._entries[key]:
                del self._entries[key]
            held -= entry.counts.nbytes

    def clear(self) -> None:
        """Forget everything; results handed out stay valid."""
        self._entries.clear()
        self._counters.clear()
        self._extents.clear()
        self._pixel_views.clear()
        self._clusters.clear()
        self.sums.clear()

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        view = sum(column.nbytes for view, _ in self._pixel_views.values() for column in view)
        view += sum(s.y.nbytes + s.e2.nbytes for s in self.sums.values())
        return view + sum(e.counts.nbytes for es in self._entries.values() for e in es)
