"""Events of single spectra: a table sorted by pixel, made when a script asks for event lists.

It is sorted stretch by stretch, and what is sorted is remembered, so an update sorts one stretch at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from livereduce.workspaces import kernels
from livereduce.workspaces.arrays import F32, F64, I32, I64, U32, AnyArray, frozen
from livereduce.workspaces.cache import CountCache, PixelView
from livereduce.workspaces.detectors import Spectra
from livereduce.workspaces.evaluation import Term, event_counter_of, events_per_spectrum
from livereduce.workspaces.events import EventTable, Weights
from livereduce.workspaces.ranges import stretches
from livereduce.workspaces.spectrum_view import SpectrumView
from livereduce.workspaces.weighing import Weigher

if TYPE_CHECKING:
    from livereduce.workspaces.compression import Compression

_BUCKETS = 64
"""About as many places can be written to in turn before the processor has to look up where their pages are."""
_SMALLEST_BUCKET, _LARGEST_BUCKET = 8, 12
"""Pixels in a bucket, as powers of two: the places of a larger one do not fit the nearest cache."""
_BLOCK_EVENTS = 1 << 22
STRETCH_EVENTS = 1 << 22


def sorted_by_pixel(table: EventTable, ranges: I64) -> PixelView:
    """Sort the events in these ranges by pixel, in two passes."""
    n = int((ranges[:, 1] - ranges[:, 0]).sum())
    bits = min(max((table.n_pixels // _BUCKETS).bit_length(), _SMALLEST_BUCKET), _LARGEST_BUCKET)
    buckets = (table.n_pixels >> bits) + 1
    starts = np.zeros(buckets + 1, np.int64)
    for a, b in ranges.tolist():
        for _, pix in table.pieces(a, b):
            kernels.bucket_count(pix, bits, starts[1:])
    np.cumsum(starts, out=starts)
    cursor, bucketed = starts[:-1].copy(), np.empty((n, 3), np.uint32)
    for a, b in ranges.tolist():
        for tof, pix in table.pieces(a, b):
            pulse = pulses_of(table, a, a + len(tof))
            kernels.bucket_scatter(tof, pix, pulse, bits, cursor, bucketed)
            a += len(tof)
    begin = np.zeros(table.n_pixels + 1, np.int64)
    out_tof, out_pulse = np.empty(n, np.uint32), np.empty(n, np.uint32)
    kernels.bucket_sort(bucketed, starts, bits, table.n_pixels, begin, out_tof, out_pulse)
    return PixelView(frozen(begin), frozen(out_tof), frozen(out_pulse), *_weights_by_pixel(table, ranges))


def _weights_by_pixel(table: EventTable, ranges: I64) -> tuple[F32, F32]:
    nothing = np.empty(0, np.float32)
    if not table.weighted or not len(ranges):
        return nothing, nothing
    order = np.argsort(
        np.concatenate([pix for a, b in ranges.tolist() for _, pix in table.pieces(a, b)]), kind="stable"
    )
    weights = [piece for a, b in ranges.tolist() for piece in table.weights(a, b)]
    weight, variance = (np.concatenate(column)[order] for column in zip(*weights, strict=True))
    return frozen(weight), frozen(variance)


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
        return SpectrumEvents(events.x[order], events.pulse_time[order], events.weight[order], events.variance[order])


class TermEvents:
    """The events of one term, by spectrum.

    Attributes
    ----------
    stretches
        Event ranges by the number of their stretch of the table.
    """

    def __init__(self, term: Term) -> None:
        self._term = term
        self.stretches = stretches(term.ranges, STRETCH_EVENTS) or {0: term.ranges}
        with CountCache.guard:
            self._counter = event_counter_of(term)
            table = term.table
            views = table.cache.pixel_views([*self.stretches.values()], lambda some: sorted_by_pixel(table, some))
        self._views = dict(zip(self.stretches, views, strict=True))
        self._weigher = Weigher(table, term.plan.individually())
        self._pixels, self._first = self._counter.pixels_by_spectrum

    @property
    def number_in_spectra(self) -> I64:
        """Events of each spectrum's pixels, those that the plan leaves out included: what reading it costs."""
        in_pixel = np.sum([np.diff(view.begin) for view in self._views.values()], axis=0)[self._pixels]
        total = np.concatenate([[0], np.cumsum(in_pixel)])
        return np.diff(total[self._first])

    def of_spectrum(self, index: int) -> SpectrumEvents:
        """Return the events of one spectrum, pixel by pixel, in the order they came."""
        return self.of_spectra(index, index + 1)[1]

    def of_spectra(self, first: int, last: int) -> tuple[I64, SpectrumEvents]:
        """Return the events of spectra [first, last), spectrum by spectrum, and the spectrum of each."""
        found = [self._places(view, first, last) for view in self._views.values()]
        if len(found) == 1:
            return self._read(*found[0])
        pixels, pix, tof, pulse, weight, variance = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.argsort(pixels, kind="stable")
        return self._read(*(column[order] for column in (pixels, pix, tof, pulse, weight, variance)))

    def of_stretch(self, stretch: int, first: int, last: int) -> tuple[I64, SpectrumEvents]:
        """Return those of them that are in one stretch of the table."""
        return self._read(*self._places(self._views[stretch], first, last))

    def _places(self, view: PixelView, first: int, last: int) -> tuple[AnyArray, ...]:
        """Return the kept events of spectra: place of their pixel among these, pixel, tick, pulse, own weight."""
        inside = slice(self._first[first], self._first[last])
        pixels = self._pixels[inside]
        begin, count = view.begin[pixels], view.begin[pixels + 1] - view.begin[pixels]
        at = np.arange(int(count.sum())) + np.repeat(begin - (np.cumsum(count) - count), count)
        place = np.repeat(np.arange(len(pixels)), count)
        kept = self._counter.mask(view.tof[at], pixels[place])
        at, place = at[kept], place[kept]
        if self._term.table.weighted:
            own = (view.weight[at], view.variance[at])
        else:
            own = (np.ones(len(at), np.float32),) * 2
        return place, pixels[place], view.tof[at], view.pulse[at], *own

    def _read(
        self, place: I64, pix: I32, tof: U32, pulse: U32, own_weight: F32, own_variance: F32
    ) -> tuple[I64, SpectrumEvents]:
        table, plan = self._term.table, self._term.plan
        factor, offset = (c if len(c) == 1 else c[pix] for c in plan.y_map())
        x = plan.curve((tof.astype(np.float64) - table.zero_ticks) * table.tick_us * factor + offset)
        weight, variance = self._weigher(tof, pix, Weights(own_weight, own_variance))
        scale: F64 | float = plan.scale
        if self._term.scales is not None:  # they change between pulses only
            scale = scale * self._term.scales.of(table.pulses.start[pulse])
        weight, variance = weight * scale, variance * scale**2
        spectrum = self._counter.group[pix].astype(np.int64)
        return spectrum, SpectrumEvents(x, table.pulses.time[pulse], weight, variance)


def numbers_of_stretches(lists: list[TermEvents]) -> list[int]:
    """Return the numbers of the stretches that any of these has, ascending."""
    return sorted({stretch for events in lists for stretch in events.stretches})


def together(found: list[SpectrumEvents]) -> SpectrumEvents:
    """Return several lists of events as one."""
    x, pulse_time, weight, variance = (np.concatenate(column) for column in zip(*found, strict=True))
    return SpectrumEvents(x, pulse_time, weight, variance)


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
        if self._compression is not None:
            return self._order.applied(self._compression.of_spectrum(self._terms, self._index))
        return self._order.applied(together([TermEvents(term).of_spectrum(self._index) for term in self._terms]))

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

    def integrate(self, low: float, high: float, entire_range: bool = False) -> float:
        """Return the sum of the weights of the events with X from low to high, or of all."""
        events = self.events()
        inside = slice(None) if entire_range else (events.x >= low) & (events.x <= high)
        return float(events.weight[inside].sum())

    def isSortedByTof(self) -> bool:  # noqa: N802
        """Tell whether the events are given in rising order of X."""
        x = self.getTofs()
        return bool(np.all(x[1:] >= x[:-1]))

    def getEventType(self) -> str:  # noqa: N802
        """Return TOF if every event counts as one, else WEIGHTED."""
        events = self.events()
        return "TOF" if np.all(events.weight == 1) and np.all(events.variance == 1) else "WEIGHTED"

    def getMemorySize(self) -> int:  # noqa: N802
        """Return the bytes of what is listed of the events."""
        return sum(column.nbytes for column in self.events())
