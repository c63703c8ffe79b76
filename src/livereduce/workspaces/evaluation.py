"""From parts to values: which events are counted together, what the counts weigh, what they sum up to.

For a weight F with variance V after counting (scale times factors), n counts give y = n F with variance n F^2 + n^2 V:
counting statistics, and the error of the factor, which all events of the bin share. So terms with the same factor are
summed up before it applies, and it does not matter into how many tables or chunks the events are split. Where events
have weights of their own, their sum is in place of n, and the sum of their variances in place of the first n.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from livereduce.workspaces.arrays import F64, I64, AnyArray, Column
from livereduce.workspaces.binning import Counter
from livereduce.workspaces.cache import CountCache, Sums
from livereduce.workspaces.events import EventTable
from livereduce.workspaces.plan import Factors, Part, Plan
from livereduce.workspaces.ranges import layers, merged_intervals
from livereduce.workspaces.scales import Scales
from livereduce.workspaces.weighing import WeightCounter

# Terms whose counts are kept apart, so that each is updated by what is new in it; longer lists are summed up instead.
_MANY = 8


@dataclass(frozen=True, eq=False)
class Term:
    """Events of one table that are counted together: sorted disjoint ranges under a plan, with scales of their own."""

    table: EventTable
    plan: Plan
    ranges: I64
    scales: Scales | None = None

    def same(self, other: Term) -> bool:
        """Tell whether another term is the same events under an equal plan."""
        alike = self.table is other.table and self.plan == other.plan and self.scales == other.scales
        return alike and bool(np.array_equal(self.ranges, other.ranges))


def terms_of(parts: Iterable[Part]) -> list[Term]:
    """Sort parts into terms; events that occur twice are in two of them.

    With many different plans every part is a term, in their order, so that those of the update before come first.
    """
    parts = list(parts)
    grouped: dict[tuple[int, Plan, Scales | None], list[Part]] = {}
    for part in parts:
        grouped.setdefault((id(part.table), part.plan, part.scales), []).append(part)
    if len(grouped) > _MANY:
        return [Term(part.table, part.plan, part.ranges, part.scales) for part in parts]
    return [
        Term(some[0].table, plan, layer, scales)
        for (_, plan, scales), some in grouped.items()
        for layer in layers(np.concatenate([part.ranges for part in some]))
    ]


class _Alike:
    """Terms with the same factors. These are applied to their sum: whatever tables it is of, all share their error."""

    def __init__(self, factors: Factors | None, terms: list[Term], edges: Column | None) -> None:
        self._factors = factors
        self._summed = summed(terms, edges) if len(terms) > _MANY else None
        self._items = [] if self._summed else [(*counts_of(term, edges), term.plan.scale) for term in terms]

    @property
    def are_counts(self) -> bool:
        """Whether values are plain counts, so that they are their own variances."""
        if len(self._items) != 1 or self._factors is not None:
            return False
        counter, _, scale = self._items[0]
        return isinstance(counter, Counter) and scale == 1.0

    def _sum(self, row: slice, moment: int) -> F64:
        """Return the sum of all terms in an array of its own: of weights, or of their variances for moment 2."""
        if self._summed is not None:
            return self._summed[moment - 1][row].copy()
        result: F64 | None = None
        for counter, counts, scale in self._items:
            value: F64 = counter.sums(counts, row)[moment - 1] * np.float64(scale) ** moment
            result = value if result is None else np.add(result, value, out=result)
        assert result is not None
        return result

    # an infinite weight, of a division by zero, makes nothing NaN: no reason for a warning wherever values are read
    @np.errstate(invalid="ignore", over="ignore")
    def values(self, row: slice) -> F64:
        """Return the values of some rows, in an array of their own."""
        y = self._sum(row, 1)
        if self._factors is not None:
            y *= _rows_of(self._factors.values, row)
        return y

    @np.errstate(invalid="ignore", over="ignore")
    def variances(self, row: slice) -> F64:
        """Return the variances of some rows, in an array of their own."""
        e2 = self._sum(row, 2)
        if self._factors is not None:
            e2 *= _rows_of(self._factors.values, row) ** 2
            e2 += self._sum(row, 1) ** 2 * _rows_of(self._factors.variances, row)
        return e2


def _rows_of(column: Column, row: slice) -> F64:
    values: F64 = column.values
    return values[row] if len(values) > 1 else values


class Evaluated:
    """The counts of all terms in the same bins; values and variances are computed from them when read."""

    def __init__(self, terms: list[Term], edges: Column | None) -> None:
        self._y: F64 | None = None
        self._e2: F64 | None = None
        alike: list[list[Term]] = []
        for term in terms:
            # compared, not hashed: factors may be as large as the result, and are mostly the same object
            like = next((some for some in alike if some[0].plan.factors == term.plan.factors), None)
            alike.append([term]) if like is None else like.append(term)
        with CountCache.guard:
            self._alike = [_Alike(some[0].plan.factors, some, edges) for some in alike]

    def _rows(self, row: slice, *, variance: bool) -> F64:
        result: F64 | None = None
        for some in self._alike:
            values = some.variances(row) if variance else some.values(row)
            result = values if result is None else np.add(result, values, out=result)
        assert result is not None
        result.flags.writeable = False
        return result

    @property
    def y(self) -> F64:
        """Values of all spectra."""
        if self._y is None:
            self._y = self._rows(slice(None), variance=False)
        return self._y

    @property
    def e2(self) -> F64:
        """Variances of all spectra."""
        if self._e2 is None and len(self._alike) == 1 and self._alike[0].are_counts:
            self._e2 = self.y
        elif self._e2 is None:
            self._e2 = self._rows(slice(None), variance=True)
        return self._e2

    def y_row(self, index: int) -> F64:
        """Values of one spectrum; the others are not computed."""
        rows = self._rows(slice(index, index + 1), variance=False) if self._y is None else self._y[index : index + 1]
        return rows.reshape(-1)

    def e2_row(self, index: int) -> F64:
        """Variances of one spectrum."""
        rows = self._rows(slice(index, index + 1), variance=True) if self._e2 is None else self._e2[index : index + 1]
        return rows.reshape(-1)

    @property
    def nbytes(self) -> int:
        """Bytes of values and variances; counts belong to the tables' caches."""
        return sum(a.nbytes for a in {id(a): a for a in (self._y, self._e2) if a is not None}.values())


def summed(terms: list[Term], edges: Column | None) -> tuple[F64, F64]:
    """Return sums of weights and of variances, factors apart, of many terms: chunks that were each changed differently.

    Their counts cannot be added, so the weighted sum of all terms but the last is remembered; as long as a list begins
    like the one before, only what follows is counted. Terms are added in order, so the result does not depend on it.
    """
    cache, key = terms[0].table.cache, (terms[0].plan, edges)
    known = cache.sums.pop(key, None)
    if known is None or not _begins_with(terms[:-1], known.terms):
        shape = (terms[0].plan.n_spectra, 1 if edges is None else edges.values.shape[-1] - 1)
        known = Sums([], np.zeros(shape), np.zeros(shape))
    for term in terms[len(known.terms) : -1]:
        _add(term, edges, known.y, known.e2)
        known.terms.append(term)
    cache.keep_sums(key, known)
    y, e2 = known.y.copy(), known.e2.copy()
    _add(terms[-1], edges, y, e2)
    y.flags.writeable = e2.flags.writeable = False
    return y, e2


def _begins_with(terms: list[Term], known: list[Any]) -> bool:
    return len(known) <= len(terms) and all(a.same(b) for a, b in zip(known, terms, strict=False))


def _add(term: Term, edges: Column | None, y: F64, e2: F64) -> None:
    counter, _ = _counter_of(term, edges)
    n, n2 = counter.sums(term.table.cache.counted(term.ranges, counter), slice(None))
    y += n * np.float64(term.plan.scale)
    e2 += n2 * np.float64(term.plan.scale) ** 2


def _counter_of(term: Term, edges: Column | None) -> tuple[Counter | WeightCounter, Hashable]:
    """Return what sums up a term's weights in these bins, from the table's cache, and the key of its sums."""
    table, plan, scales = term.table, term.plan.count_key, term.scales
    if table.weighted or plan.weightings or scales is not None:
        key: Hashable = (plan, scales, edges, WeightCounter)
        counter = table.cache.counter(key, lambda: WeightCounter(table, plan, edges, scales))
    else:
        key = (plan, edges, Counter)
        counter = table.cache.counter(key, lambda: Counter(table, plan, edges))
    assert isinstance(counter, Counter | WeightCounter)
    return counter, key


def counts_of(term: Term, edges: Column | None) -> tuple[Counter | WeightCounter, AnyArray]:
    """Return what sums up a term's weights in these bins, and what it has summed up."""
    counter, key = _counter_of(term, edges)
    return counter, term.table.cache.counts(key, term.ranges, counter)


def event_counter_of(term: Term) -> Counter:
    """Return the counter of a term's events, whatever they weigh, from the table's cache."""
    plan = term.plan.event_key
    counter = term.table.cache.counter((plan, None, Counter), lambda: Counter(term.table, plan, None))
    assert isinstance(counter, Counter)
    return counter


def regardless_of_weight(terms: Iterable[Term]) -> list[Term]:
    """Return the terms as they are if no event weighs anything: fewer, and counted once for all scales."""
    return [
        Term(table, plan, layer) for table, plan, ranges in _alike_but_for_weight(terms) for layer in layers(ranges)
    ]


def _alike_but_for_weight(terms: Iterable[Term]) -> list[tuple[EventTable, Plan, I64]]:
    grouped: dict[tuple[int, Plan], list[Term]] = {}
    for term in terms:
        grouped.setdefault((id(term.table), term.plan.event_key), []).append(term)
    return [
        (some[0].table, plan, np.concatenate([term.ranges for term in some])) for (_, plan), some in grouped.items()
    ]


def events_per_spectrum(term: Term) -> AnyArray:
    """Return how many events of a term each spectrum has, in the range of any bins or not."""
    with CountCache.guard:
        key, counter = (term.plan.event_key, None, Counter), event_counter_of(term)
        counts = term.table.cache.counts(key, term.ranges, counter)
        return counts[:, 0].copy()  # not lent any more when this returns


def extent(terms: Iterable[Term]) -> tuple[float, float]:
    """Return the least and greatest X of the events of all terms; (inf, -inf) if they have none."""
    alike = _alike_but_for_weight(terms)
    found = [_extent(Term(table, plan, merged_intervals(ranges))) for table, plan, ranges in alike]
    return min(lo for lo, _ in found), max(hi for _, hi in found)


def _extent(term: Term) -> tuple[float, float]:
    plan = term.plan.event_key
    with CountCache.guard:
        counter = event_counter_of(term)
        lo, hi = term.table.cache.extent(plan, term.ranges, counter.extent_of_y)
    if lo > hi:
        return lo, hi
    ends = plan.curve(np.array([lo, hi]))
    return float(ends.min()), float(ends.max())
