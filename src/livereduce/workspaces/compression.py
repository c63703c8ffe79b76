"""Events put together that are near in X: recorded by CompressEvents, carried out when single events are asked for.

Counts in bins are made of the events themselves, so nothing moves between bins and no data are lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from livereduce.workspaces import kernels
from livereduce.workspaces.arrays import F64, I64
from livereduce.workspaces.evaluation import Term
from livereduce.workspaces.event_list import SpectrumEvents, TermEvents, spans


@dataclass(frozen=True, slots=True)
class Compression:
    """Clusters of events no further from the first of them than the tolerance.

    Parameters
    ----------
    tolerance
        In `unit`; negative: a fraction of the first event's X.
    unit
        Unit of X when it was recorded; in another unit events are given as they are.
    """

    tolerance: float
    unit: str

    def count(self, terms: list[Term]) -> int:
        """Return the number of clusters in all spectra; costs a sort of all events."""
        lists = [TermEvents(term) for term in terms]
        total = 0
        for first, last in spans(np.sum([events.number_in_spectra for events in lists], axis=0)):
            places = [events.places(first, last) for events in lists]
            spectrum, x = (np.concatenate([p[i] for p in places]) for i in (0, 1))
            order = np.lexsort((x, spectrum))
            total += int(kernels.count_clusters(spectrum[order], x[order], self.tolerance))
        return total

    def applied(self, events: SpectrumEvents) -> SpectrumEvents:
        """Return the clusters of a spectrum, ascending in X: mean X by weight, sums of weight and variance.

        A cluster has no pulse time of its own; it gets that of its first event.
        """
        order = np.argsort(events.x, kind="stable")
        x, weight, variance = (column[order] for column in (events.x, events.weight, events.variance))
        first: I64 = np.empty(len(x), np.int64)
        n = int(kernels.find_clusters(x, self.tolerance, first))
        first = first[:n]
        if not n:
            return events
        total: F64 = np.add.reduceat(weight, first)
        plain = np.add.reduceat(x, first) / np.diff(np.append(first, len(x)))
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(total != 0, np.add.reduceat(weight * x, first) / total, plain)
        return SpectrumEvents(mean, events.pulse_time[order][first], total, np.add.reduceat(variance, first))
