"""Events put together that are near in X: recorded by CompressEvents, carried out when single events are asked for.

Counts in bins are made of the events themselves, so nothing moves between bins and no data are lost. Events are put
together within a stretch of a table (`event_list.STRETCH_EVENTS`, some million), never across: so what was sorted stays
so, and an update costs a stretch and not the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from livereduce.workspaces import kernels
from livereduce.workspaces.arrays import F64, I64
from livereduce.workspaces.evaluation import Term
from livereduce.workspaces.event_list import EventOrder, SpectrumEvents, TermEvents, numbers_of_stretches, together

_NOTHING: I64 = np.empty((0, 2), np.int64)


@dataclass(frozen=True, slots=True)
class Compression:
    """Clusters of events no further from the first of them than the tolerance.

    Parameters
    ----------
    tolerance
        In `unit`; negative: a fraction of the first event's X.
    unit
        Unit of X when it was recorded; in another unit events are given as they are.
    slot_ns, start_ns
        Length of slots of time, and where one begins (ns since 1970 UTC): only events whose pulses are in the same are
        put together, and get the mean of the times of these. 0 for no slots.
    """

    tolerance: float
    unit: str
    slot_ns: int = 0
    start_ns: int = 0

    def _slots(self, events: SpectrumEvents) -> I64:
        if not self.slot_ns:
            return np.zeros(len(events.x), np.int64)
        return (events.pulse_time - self.start_ns) // self.slot_ns

    def count(self, terms: list[Term]) -> int:
        """Return the number of clusters in all spectra.

        That of a stretch is remembered if its events are of one table, so after an update one stretch is sorted again.
        """
        table = terms[0].table
        alone = all(term.table is table for term in terms)
        lists = [TermEvents(term) for term in terms]
        total = 0
        for stretch in numbers_of_stretches(lists):
            ranges = tuple(events.stretches.get(stretch, _NOTHING).tobytes() for events in lists)
            key = (self, tuple(term.plan.event_key for term in terms), ranges)
            count = partial(self._count_stretch, lists, stretch, terms[0].plan.n_spectra)
            total += table.cache.clusters(key, count) if alone else count()
        return total

    def _count_stretch(self, lists: list[TermEvents], stretch: int, n_spectra: int) -> int:
        found = [events.of_stretch(stretch, 0, n_spectra) for events in lists if stretch in events.stretches]
        spectrum, x = np.concatenate([s for s, _ in found]), np.concatenate([events.x for _, events in found])
        slot = np.concatenate([self._slots(events) for _, events in found])
        _, slot = np.unique(slot, return_inverse=True)
        key = spectrum * (slot.max(initial=0) + 1) + slot
        order = np.lexsort((x, key))
        return int(kernels.count_clusters(key[order], x[order], self.tolerance))

    def of_spectrum(self, terms: list[Term], index: int) -> SpectrumEvents:
        """Return the clusters of a spectrum, ascending in X."""
        lists = [TermEvents(term) for term in terms]
        clusters = []
        for stretch in numbers_of_stretches(lists):
            there = [events for events in lists if stretch in events.stretches]
            clusters.append(self.applied(together([e.of_stretch(stretch, index, index + 1)[1] for e in there])))
        return EventOrder.X.applied(together(clusters))

    def applied(self, events: SpectrumEvents) -> SpectrumEvents:
        """Return the clusters of events of a spectrum: mean X by weight, sums of weight and variance.

        They are ascending in X, of each slot. Without slots a cluster has no pulse time of its own; it gets that of its
        first event.
        """
        slot = self._slots(events)
        order = np.lexsort((events.x, slot))
        x, weight, variance = (column[order] for column in (events.x, events.weight, events.variance))
        first: I64 = np.empty(len(x), np.int64)
        n = int(kernels.find_clusters(slot[order], x, self.tolerance, first))
        first = first[:n]
        if not n:
            return events
        total: F64 = np.add.reduceat(weight, first)
        size = np.diff(np.append(first, len(x)))
        plain = np.add.reduceat(x, first) / size
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(total != 0, np.add.reduceat(weight * x, first) / total, plain)
        time = events.pulse_time[order]
        begin = time[first]
        if self.slot_ns:  # of differences, since a sum of times since 1970 is more than 64 bits hold
            begin = begin + np.add.reduceat(time - np.repeat(begin, size), first) // size
        return SpectrumEvents(mean, begin, total, np.add.reduceat(variance, first))
