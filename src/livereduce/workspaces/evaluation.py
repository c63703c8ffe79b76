"""From parts to values: which events are counted together, what the counts weigh, what they sum up to.

For a weight F with variance V after counting (scale times factors), n counts give y = n F with variance n F^2 + n^2 V:
counting statistics, and the error of the factor, which all events of the bin share.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from livereduce.workspaces.arrays import F64, I64, AnyArray, Column
from livereduce.workspaces.binning import Counter
from livereduce.workspaces.cache import CountCache, Sums
from livereduce.workspaces.events import EventTable
from livereduce.workspaces.plan import Part, Plan
from livereduce.workspaces.ranges import layers

# Terms whose counts are kept apart, so that each is updated by what is new in it; longer lists are summed up instead.
_MANY = 8


@dataclass(frozen=True, eq=False)
class Term:
    """Events of one table that are counted together: sorted disjoint ranges under a plan."""

    table: EventTable
    plan: Plan
    ranges: I64

    def same(self, other: Term) -> bool:
        """Tell whether another term is the same events under an equal plan."""
        return self.table is other.table and self.plan == other.plan and bool(np.array_equal(self.ranges, other.ranges))


def terms_of(parts: Iterable[Part]) -> list[Term]:
    """Sort parts into terms; events that occur twice are in two of them."""
    grouped: dict[tuple[int, Plan], list[Part]] = {}
    for part in parts:
        grouped.setdefault((id(part.table), part.plan), []).append(part)
    return [
        Term(some[0].table, plan, layer)
        for (_, plan), some in grouped.items()
        for layer in layers(np.concatenate([part.ranges for part in some]))
    ]


class Evaluated:
    """The counts of all terms in the same bins; values and variances are computed from them when read."""

    def __init__(self, terms: list[Term], edges: Column | None) -> None:
        self._items: list[tuple[AnyArray, Counter, Plan]] = []
        self._y: F64 | None = None
        self._e2: F64 | None = None
        with CountCache.guard:
            if len(terms) > _MANY:
                self._y, self._e2 = summed(terms, edges)
                return
            for term in terms:
                counter = counter_of(term, edges)
                lent = term.table.cache.counts((term.plan.count_key, edges), term.ranges, counter)
                self._items.append((lent, counter, term.plan))

    def _rows(self, row: slice, *, variance: bool) -> F64:
        result: F64 | None = None
        for lent, counter, plan in self._items:
            n = counter.in_order(lent)[row]
            value = _variance(n, plan, row) if variance else _value(n, plan, row)
            if result is None:
                result = value
            else:
                result += value
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
        if self._e2 is None and self._are_counts:
            self._e2 = self.y
        elif self._e2 is None:
            self._e2 = self._rows(slice(None), variance=True)
        return self._e2

    @property
    def _are_counts(self) -> bool:
        """Whether values are plain counts, so that they are their own variances."""
        return len(self._items) == 1 and self._items[0][2].scale == 1.0 and self._items[0][2].factors is None

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
    """Return values and variances of a long list of terms: chunks that were each scaled by a factor of their own.

    Their counts cannot be added, so the weighted sum of all terms but the last is remembered; as long as a list begins
    like the one before, only what follows is counted. Terms are added in order, so the result does not depend on it.
    """
    cache, key = terms[0].table.cache, (terms[0].plan, edges)
    known = cache.sums.pop(key, None)
    if known is None or not _begins_with(terms[:-1], known.terms):
        known = Sums([], np.zeros(counter_of(terms[0], edges).shape), np.zeros(counter_of(terms[0], edges).shape))
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
    counter = counter_of(term, edges)
    n = counter.in_order(term.table.cache.counted(term.ranges, counter))
    y += _value(n, term.plan, slice(None))
    e2 += _variance(n, term.plan, slice(None))


def _factor_rows(column: Column, row: slice) -> F64:
    values: F64 = column.values
    return values[row] if len(values) > 1 else values


def _value(n: AnyArray, plan: Plan, row: slice) -> F64:
    y: F64 = n * np.float64(plan.scale)
    if plan.factors is not None:
        y *= _factor_rows(plan.factors.values, row)
    return y


def _variance(n: AnyArray, plan: Plan, row: slice) -> F64:
    e2: F64 = n * np.float64(plan.scale) ** 2
    if plan.factors is not None:
        e2 *= _factor_rows(plan.factors.values, row) ** 2
        e2 += (n * np.float64(plan.scale)) ** 2 * _factor_rows(plan.factors.variances, row)
    return e2


def counter_of(term: Term, edges: Column | None) -> Counter:
    """Return the counter for a term's plan and these bins, from the table's cache."""
    key = term.plan.count_key
    counter = term.table.cache.counter((key, edges), lambda: Counter(term.table, key, edges))
    assert isinstance(counter, Counter)
    return counter


def regardless_of_weight(terms: Iterable[Term]) -> list[Term]:
    """Return the terms as they are if no event weighs anything: fewer, and counted once for all scales."""
    grouped: dict[tuple[int, Plan], list[Term]] = {}
    for term in terms:
        grouped.setdefault((id(term.table), term.plan.count_key), []).append(term)
    return [
        Term(some[0].table, plan, layer)
        for (_, plan), some in grouped.items()
        for layer in layers(np.concatenate([term.ranges for term in some]))
    ]


def events_per_spectrum(term: Term) -> AnyArray:
    """Return how many events of a term each spectrum has, in the range of any bins or not."""
    with CountCache.guard:
        counts = term.table.cache.counts((term.plan.count_key, None), term.ranges, counter_of(term, None))
        return counts[:, 0].copy()  # not lent any more when this returns


def extent(term: Term) -> tuple[float, float]:
    """Return the least and greatest X of the events of a term; (inf, -inf) if it has none."""
    plan = term.plan.count_key
    with CountCache.guard:
        counter = counter_of(term, None)
        lo, hi = term.table.cache.extent(plan, term.ranges, counter.extent_of_y)
    if lo > hi:
        return lo, hi
    ends = plan.curve(np.array([lo, hi]))
    return float(ends.min()), float(ends.max())
