"""Event tables: append-only columns in fixed segments, with the pulses they came in.

An event is 8 bytes: time of flight in ticks (uint32) and dense detector index (int32). The length of a tick and the
tick that means time zero belong to the table, so negative times of flight fit. A weighted table, of events that come
with weights of their own (from a file), has weight and variance (float32) beside them: 16 bytes an event.

Published events never change, so tables are shared by reference and a workspace is only a range of one. Sorting by
pixel, histogramming and the cache of counts are elsewhere (`event_list`, `binning`, `cache`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livereduce.workspaces.arrays import F32, F64, I32, I64, U32, AnyArray, GrowingArray
from livereduce.workspaces.cache import CountCache
from livereduce.workspaces.on_disk import on_disk

SEGMENT_EVENTS = 4 << 20
_FIRST_SEGMENT = 1 << 10
_FILE_BYTES = 1 << 30
"""What goes to disk at once: a mapped file costs a file descriptor, and what is written is in memory until it is."""


class Weights(NamedTuple):
    """Weight of each event, and its variance."""

    weight: F32
    variance: F32


class Segment:
    """A stretch of events at a fixed place; the first `n` are published and immutable."""

    __slots__ = ("n", "on_disk", "pix", "tof", "weights")

    def __init__(self, capacity: int, *, weighted: bool = False) -> None:
        self.tof: U32 = np.empty(capacity, np.uint32)
        self.pix: I32 = np.empty(capacity, np.int32)
        columns = 2 if weighted else 0
        self.weights: list[F32] = [np.empty(capacity, np.float32) for _ in range(columns)]
        self.n = 0
        self.on_disk = False

    @property
    def room(self) -> int:
        """Events that still fit."""
        return len(self.tof) - self.n

    @property
    def columns(self) -> tuple[AnyArray, ...]:
        """What is kept of the events, a number for each."""
        return self.tof, self.pix, *self.weights

    def fill(self, tof: U32, pix: I32, weights: tuple[F32, ...] = ()) -> None:
        """Copy events in and publish them; they must fit."""
        end = self.n + len(tof)
        for column, values in zip(self.columns, (tof, pix, *weights), strict=True):
            column[self.n : end] = values
        self.n = end

    def move(self, columns: list[AnyArray]) -> None:
        """Have the same columns on disk from now on; of a segment that is full."""
        self.tof, self.pix, *self.weights = columns
        self.on_disk = True

    @property
    def nbytes(self) -> int:
        """Bytes of memory reserved."""
        return 0 if self.on_disk else sum(column.nbytes for column in self.columns)


class PulseTable:
    """The pulses of a table: time (ns since 1970), first event, proton charge (pC); times may go backwards."""

    def __init__(self) -> None:
        self._time = GrowingArray(np.int64)
        self._start = GrowingArray(np.int64)
        self._charge = GrowingArray(np.float64)
        self._start.append(np.zeros(1, np.int64))
        self._disorder = GrowingArray(np.int64)

    def __len__(self) -> int:
        return self._time.n

    @property
    def time(self) -> I64:
        """Time of each pulse, ns since 1970 UTC."""
        return self._time.view()

    @property
    def start(self) -> I64:
        """First event of each pulse, and one entry more: the number of events."""
        return self._start.view()

    @property
    def charge(self) -> F64:
        """Proton charge of each pulse, pC."""
        return self._charge.view()

    @property
    def disorder(self) -> I64:
        """Pulses that are earlier than the one before them: where a new ascending stretch begins."""
        return self._disorder.view()

    def append(self, time: I64, start: I64, charge: F64) -> None:
        """Add pulses whose `start` counts from the present end."""
        n, total = self._time.n, self._start.view()[-1]
        before = self._time.view()[-1:]
        self._disorder.append(n - len(before) + 1 + np.flatnonzero(np.diff(time, prepend=before) < 0))
        self._time.append(time)
        self._start.append(start[1:] + total)
        self._charge.append(charge)

    @property
    def nbytes(self) -> int:
        """Bytes reserved."""
        return self._time.nbytes + self._start.nbytes + self._charge.nbytes


class EventTable:
    """Append-only table of events; shared by every workspace that shows a part of it.

    Parameters
    ----------
    n_pixels
        Number of detectors; `pix` runs over [0, n_pixels).
    tick_ns
        Length of a tick of time of flight (100 for ADARA, 1 for ev44).
    zero_ticks
        The tick that means a time of flight of zero.
    segment_events
        Largest size of a segment. Segments begin small and double up to it, so a small table stays small.
    weighted
        Whether events have weights of their own.
    """

    def __init__(
        self,
        n_pixels: int,
        tick_ns: int = 100,
        zero_ticks: int = 0,
        *,
        segment_events: int = SEGMENT_EVENTS,
        weighted: bool = False,
    ) -> None:
        if n_pixels < 0 or n_pixels >= 1 << 31:
            raise ValueError(f"EventTable: n_pixels is {n_pixels}, expected 0 to {(1 << 31) - 1}")
        if tick_ns <= 0 or not 0 <= zero_ticks < 1 << 32 or segment_events <= 0:
            raise ValueError(
                f"EventTable: tick_ns={tick_ns}, zero_ticks={zero_ticks}, segment_events={segment_events}; expected"
                " tick_ns > 0, 0 <= zero_ticks < 2**32, segment_events > 0"
            )
        self.n_pixels = n_pixels
        self.tick_ns = tick_ns
        self.zero_ticks = zero_ticks
        self.weighted = weighted
        self.n = 0
        self.pulses = PulseTable()
        self.cache = CountCache()
        self._segment_events = segment_events
        self._segments: list[Segment] = []
        self._first: list[int] = []

    @property
    def tick_us(self) -> float:
        """Length of a tick, us: the time of flight of a tick is ``(float(tick) - zero_ticks) * tick_us``."""
        return self.tick_ns / 1000

    def append(
        self,
        tof: npt.ArrayLike,
        pix: npt.ArrayLike,
        pulse_time: npt.ArrayLike,
        pulse_start: npt.ArrayLike,
        charge: npt.ArrayLike,
        weights: Weights | None = None,
    ) -> tuple[int, int]:
        """Copy events and their pulses in and return the range [a, b) they occupy.

        Parameters
        ----------
        tof
            uint32 ticks, one per event.
        pix
            int32 dense detector index, one per event.
        pulse_time
            ns since 1970 UTC, one per pulse.
        pulse_start
            First event of each pulse counted from this append, then the number of events: one more than pulses.
        charge
            pC, one per pulse.
        weights
            Weight and variance of each event, if the table is weighted.

        Raises
        ------
        ValueError
            The columns do not fit together or a detector index is outside [0, n_pixels); nothing is appended then.
        """
        tof_, pix_ = np.ascontiguousarray(tof, np.uint32), np.ascontiguousarray(pix, np.int32)
        time, start = np.asarray(pulse_time, np.int64), np.asarray(pulse_start, np.int64)
        charge_ = np.asarray(charge, np.float64)
        own = () if weights is None else tuple(np.asarray(column, np.float32) for column in weights)
        self._check(tof_, pix_, time, start, charge_)
        if [column.shape for column in own] != [tof_.shape] * (2 if self.weighted else 0):
            raise ValueError(f"EventTable: {len(tof_)} events for weights {[len(column) for column in own]}")
        a, done = self.n, 0
        while done < len(tof_):
            if not self._segments or not self._segments[-1].room:
                self._open(len(tof_) - done)
            segment = self._segments[-1]
            take = min(segment.room, len(tof_) - done)
            some = slice(done, done + take)
            segment.fill(tof_[some], pix_[some], tuple(column[some] for column in own))
            done += take
        self.pulses.append(time, start, charge_)
        self.n += len(tof_)
        return a, self.n

    def _check(self, tof: U32, pix: I32, time: I64, start: I64, charge: F64) -> None:
        if tof.shape != pix.shape or tof.ndim != 1:
            raise ValueError(f"EventTable: {tof.shape} times of flight for {pix.shape} detector indices")
        if len(start) != len(time) + 1 or len(charge) != len(time):
            raise ValueError(
                f"EventTable: {len(time)} pulse times need {len(time) + 1} starts and as many charges as times,"
                f" found {len(start)} and {len(charge)}"
            )
        if start[0] != 0 or start[-1] != len(tof) or np.any(start[1:] < start[:-1]):
            raise ValueError(f"EventTable: pulse starts must rise from 0 to the {len(tof)} events appended")
        if len(pix) and int(pix.view(np.uint32).max()) >= self.n_pixels:
            raise ValueError(f"EventTable: a detector index is outside [0, {self.n_pixels})")

    def _open(self, needed: int) -> None:
        capacity = min(max(_FIRST_SEGMENT, needed, self.n), self._segment_events)
        self._segments.append(Segment(capacity, weighted=self.weighted))
        self._first.append(self.n if not self._first else self._first[-1] + self._segments[-2].n)

    def pieces(self, a: int, b: int) -> Iterator[tuple[U32, I32]]:
        """Yield the events [a, b) as pairs (tof, pix) of read-only views, one per segment touched."""
        for segment, some in self._touched(a, b):
            tof, pix = segment.tof[some], segment.pix[some]
            tof.flags.writeable = pix.flags.writeable = False
            yield tof, pix

    def weights(self, a: int, b: int) -> Iterator[Weights]:
        """Yield the weights of the events [a, b) in the same pieces; of a table that is not weighted they are 1."""
        for segment, some in self._touched(a, b):
            columns = [column[some] for column in segment.weights] or [np.ones(some.stop - some.start, np.float32)] * 2
            for column in columns:
                column.flags.writeable = False
            yield Weights(*columns)

    def _touched(self, a: int, b: int) -> Iterator[tuple[Segment, slice]]:
        if not 0 <= a <= b <= self.n:
            raise IndexError(f"EventTable: events [{a}, {b}) of a table of {self.n}")
        k = bisect_right(self._first, a) - 1
        while a < b:
            segment, first = self._segments[k], self._first[k]
            end = min(b, first + segment.n)
            yield segment, slice(a - first, end - first)
            a, k = end, k + 1

    def move_to_disk(self, folder: Path, most: int) -> int:
        """Let the events of full segments be read from files in `folder`; return how many bytes of memory that frees.

        Parameters
        ----------
        folder
            Where the files are, which have no names. In a file system that is kept in memory this helps nobody.
        most
            No more bytes than this are moved.

        Raises
        ------
        OSError
            A file cannot be written; what it was to hold stays in memory.
        """
        moved = 0
        waiting = [segment for segment in self._segments if segment.nbytes and not segment.room]
        while waiting:
            some: list[Segment] = []
            size = 0
            while waiting and size < _FILE_BYTES and moved + size + waiting[0].nbytes <= most:
                some.append(waiting.pop(0))
                size += some[-1].nbytes
            if not some:
                break
            columns = iter(on_disk([column for segment in some for column in segment.columns], folder))
            for segment in some:
                segment.move([next(columns) for _ in segment.columns])
            moved += size
        return moved

    @property
    def nbytes(self) -> int:
        """Bytes of memory reserved for events and pulses; caches, and what is on disk, apart."""
        return sum(segment.nbytes for segment in self._segments) + self.pulses.nbytes

    def __repr__(self) -> str:
        return f"EventTable({self.n} events, {len(self.pulses)} pulses, {self.n_pixels} pixels)"
