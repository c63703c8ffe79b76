"""Events of single spectra: a table sorted by pixel, made when a script asks for event lists."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from livereduce.workspaces import kernels
from livereduce.workspaces.arrays import F64, I32, I64, U32, AnyArray, frozen
from livereduce.workspaces.cache import CountCache, PixelView
from livereduce.workspaces.detectors import Spectra
from livereduce.workspaces.evaluation import Term, counter_of, events_per_spectrum
from livereduce.workspaces.events import EventTable
from livereduce.workspaces.spectrum_view import SpectrumView

if TYPE_CHECKING:
    from livereduce.workspaces.compression import Compression

_BUCKET_BITS = 9
_BLOCK_EVENTS = 1 << 22


def sorted_by_pixel(table: EventTable, ranges: I64) -> PixelView:
    """Sort the events in these ranges by pixel, in two passes."""
    n = int((ranges[:, 1] - ranges[:, 0]).sum())
    buckets = (table.n_pixels >> _BUCKET_BITS) + 1
    starts = np.zeros(buckets + 1, np.int64)
    for a, b in ranges.tolist():
        for _, pix in table.pieces(a, b):
            kernels.bucket_count(pix, _BUCKET_BITS, starts[1:])
    np.cumsum(starts, out=starts)
    cursor, bucketed = starts[:-1].copy(), np.empty((n, 3), np.uint32)
    for a, b in ranges.tolist():
        for tof, pix in table.pieces(a, b):
            pulse = pulses_of(table, a, a + len(tof))
            kernels.bucket_scatter(tof, pix, pulse, _BUCKET_BITS, cursor, bucketed)
            a += len(tof)
    begin = np.zeros(table.n_pixels + 1, np.int64)
    out_tof, out_pulse = np.empty(n, np.uint32), np.empty(n, np.uint32)
    kernels.bucket_sort(bucketed, starts, _BUCKET_BITS, table.n_pixels, begin, out_tof, out_pulse)
    return PixelView(frozen(begin), frozen(out_tof), frozen(out_pulse))


def pulses_of(table: EventTable, a: int, b: int) -> U32:
    """Return the pulse number of each event in [a, b)."""
    start = table.pulses.start
    first = int(np.searchsorted(start[1:], a, side="right"))
    last = int(np.searchsorted(start[:-1], b, side="left"))
    border: I64 = np.clip(start[first : last + 1], a, b)
    return np.repeat(np.arange(first, last, dtype=np.uint32), border[1:] - border[:-1])


class SpectrumEvents(NamedTuple):
    """Events of one spectrum: X in the workspace's unit, pulse time (ns since 1970), weight and its variance."""

    x: F64
    pulse_time: I64
    weight: F64
    variance: F64


class EventOrder(Enum):
    """In what order the events of a spectrum are given: as they came, pixel by pixel, or sorted."""

    CAME = "came"
    X = "x"
    PULSE_TIME = "pulse time"
    PULSE_TIME_THEN_X = "pulse time, then x"

    def applied(self, events: SpectrumEvents) -> SpectrumEvents:
        """Return the events in this order; those that it does not tell apart stay as they are."""
        if self is EventOrder.CAME:
            return events
        keys = [] if self is EventOrder.PULSE_TIME else [events.x]
        order = np.lexsort(keys if self is EventOrder.X else [*keys, events.pulse_time])
        return SpectrumEvents(*(column[order] for column in events))


class TermEvents:
    """The events of one term, by spectrum."""

    def __init__(self, term: Term) -> None:
        self._term = term
        with CountCache.guard:
            self._counter = counter_of(term, None)
            self._view = term.table.cache.pixel_view(term.ranges, lambda: sorted_by_pixel(term.table, term.ranges))
        group = self._counter.group.astype(np.int64)
        self._pixels: I32 = np.argsort(group, kind="stable").astype(np.int32)
        self._first: I64 = np.searchsorted(group[self._pixels], np.arange(term.plan.n_spectra + 1))

    @property
    def number_in_spectra(self) -> I64:
        """Events of each spectrum's pixels, those that the plan leaves out included: what reading it costs."""
        in_pixel = np.diff(self._view.begin)[self._pixels]
        total = np.concatenate([[0], np.cumsum(in_pixel)])
        return np.diff(total[self._first])

    def places(self, first: int, last: int) -> tuple[I64, F64, I64]:
        """Return spectrum, X and pulse of the events of spectra [first, last), pixel by pixel, as they came."""
        table, plan, view = self._term.table, self._term.plan, self._view
        pixels = self._pixels[self._first[first] : self._first[last]]
        begin, count = view.begin[pixels], view.begin[pixels + 1] - view.begin[pixels]
        at = np.arange(int(count.sum())) + np.repeat(begin - (np.cumsum(count) - count), count)
        pix = np.repeat(pixels, count)
        kept = self._counter.mask(view.tof[at], pix)
        tof, pix, pulse = view.tof[at][kept], pix[kept], view.pulse[at][kept]
        factor, offset = (c if len(c) == 1 else c[pix] for c in plan.y_map())
        x = plan.curve((tof.astype(np.float64) - table.zero_ticks) * table.tick_us * factor + offset)
        return self._counter.group[pix].astype(np.int64), x, pulse

    def of_spectrum(self, index: int) -> SpectrumEvents:
        """Return the events of one spectrum, pixel by pixel, in the order they came."""
        return self.of_spectra(index, index + 1)[1]

    def of_spectra(self, first: int, last: int) -> tuple[I64, SpectrumEvents]:
        """Return the events of spectra [first, last), spectrum by spectrum, and the spectrum of each."""
        spectrum, x, pulse = self.places(first, last)
        weight, variance = self._weights(spectrum)
        return spectrum, SpectrumEvents(x, self._term.table.pulses.time[pulse], weight, variance)

    def _weights(self, spectrum: I64) -> tuple[F64, F64]:
        plan, n = self._term.plan, len(spectrum)
        weight, variance = np.full(n, plan.scale), np.full(n, plan.scale**2)
        if plan.factors is None:
            return weight, variance
        if plan.factors.per_bin:
            raise RuntimeError(
                "these events are weighted by bin; their single weights are not kept: use readY and readE"
            )
        row = spectrum if plan.factors.per_spectrum else np.zeros(n, np.int64)
        f, v = plan.factors.values.values[row, 0], plan.factors.variances.values[row, 0]
        return weight * f, variance * (f**2 + v)


def spans(size: I64, most: int = _BLOCK_EVENTS) -> Iterator[tuple[int, int]]:
    """Yield stretches [first, last) of spectra with so many events that hold no more than `most`, or are one."""
    before = np.concatenate([[0], np.cumsum(size)])
    first = 0
    while first < len(size):
        last = max(int(np.searchsorted(before, before[first] + most, side="right")) - 1, first + 1)
        yield first, last
        first = last


def blocks(terms: list[Term], n_spectra: int) -> Iterator[tuple[I64, SpectrumEvents]]:
    """Yield all events, spectrum after spectrum, some million at a time, with the spectrum of each."""
    lists = [TermEvents(term) for term in terms]
    size = np.sum([events.number_in_spectra for events in lists], axis=0)
    for first, last in spans(size):
        found = [events.of_spectra(first, last) for events in lists]
        spectrum = np.concatenate([s for s, _ in found])
        events = SpectrumEvents(*(np.concatenate(columns) for columns in zip(*(e for _, e in found), strict=True)))
        if len(lists) > 1:
            order = np.argsort(spectrum, kind="stable")
            columns: list[AnyArray] = [column[order] for column in events]
            spectrum, events = spectrum[order], SpectrumEvents(*columns)
        yield spectrum, events


class EventList(SpectrumView):
    """The events of one spectrum of a workspace, as scripts ask for them."""

    def __init__(
        self,
        spectra: Spectra,
        index: int,
        terms: list[Term],
        compression: Compression | None = None,
        order: EventOrder = EventOrder.CAME,
    ) -> None:
        super().__init__(spectra, index)
        self._terms = terms
        self._compression = compression
        self._order = order

    def events(self) -> SpectrumEvents:
        """Return X, pulse time, weight and variance of each event."""
        found = [TermEvents(term).of_spectrum(self._index) for term in self._terms]
        events = SpectrumEvents(*(np.concatenate(columns) for columns in zip(*found, strict=True)))
        return self._order.applied(events if self._compression is None else self._compression.applied(events))

    # -- Mantid's names -------------------------------------------------------------------------------------------

    def getNumberEvents(self) -> int:  # noqa: N802
        """Return the number of events, in the range of X or not."""
        if self._compression is not None:
            return len(self.events().x)
        return sum(int(events_per_spectrum(term)[self._index]) for term in self._terms)

    def getTofs(self) -> F64:  # noqa: N802
        """Return X of each event, in the workspace's unit."""
        return self.events().x

    def getPulseTimes(self) -> npt.NDArray[np.datetime64]:  # noqa: N802
        """Return the pulse time of each event."""
        return self.events().pulse_time.view("datetime64[ns]")

    def getWeights(self) -> F64:  # noqa: N802
        """Return the weight of each event."""
        return self.events().weight

    def getWeightErrors(self) -> F64:  # noqa: N802
        """Return the error of the weight of each event."""
        return np.sqrt(self.events().variance)

    def getTofMin(self) -> float:  # noqa: N802
        """Return the least X, 0 without events."""
        return float(self.getTofs().min(initial=np.inf)) if self.getNumberEvents() else 0.0

    def getTofMax(self) -> float:  # noqa: N802
        """Return the greatest X, 0 without events."""
        return float(self.getTofs().max(initial=-np.inf)) if self.getNumberEvents() else 0.0
