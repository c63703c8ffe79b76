"""What a DAE's histogram memory holds and how it is read: shape, spectra, time channels, periods.

Spectra and periods are counted from 1 here, as people do. Spectrum 0 of each period and channel 0 of each spectrum
hold nothing of use; neither is ever given.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from livereduce.errors import LiveReduceError
from livereduce.protocols.isis.client import (
    Conversation,
    ReplyError,
    array,
    counts,
    optional_array,
    optional_scalar,
    optional_text,
    scalar,
)
from livereduce.protocols.isis.command import Block, DataType

MAX_PERIODS = 4096
MAX_SPECTRA = 1 << 22
MAX_CHANNELS = 1 << 20
MAX_VALUES = 1 << 28
"""So many counts are read at most, 1 GB on the wire; MERLIN, 70 000 spectra of 2500 channels, has 1.7e8."""
MAX_EVENT_SPECTRA = 1 << 25
"""So many spectra, all periods together, a stream may be counted into."""
REQUEST_BYTES = 1 << 20
BLOCK_VALUES = 32
GOOD_CHARGE, TOTAL_CHARGE, GOOD_FRAMES, RAW_FRAMES, DURATION = 7, 8, 9, 10, 12
"""Places in the run parameter block."""
EVENT_PARAMETERS = ("NPER", "NSP1", "NDET", "UDET", "SPEC")


class Shape(NamedTuple):
    """How the memory is laid out: periods, and channels and spectra of the two time regimes."""

    periods: int
    channels: int
    spectra: int
    channels2: int
    spectra2: int

    @property
    def stride(self) -> int:
        """Spectra from one period to the next."""
        return self.spectra + self.spectra2 + 1


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """What changes between runs only.

    Attributes
    ----------
    detector, spectrum
        int64[n], parallel: a detector's ID and the number of the spectrum it counts into.
    monitors
        Spectrum numbers of the monitors.
    edges, edges2
        Time-channel boundaries of the two regimes, float64, µs; `edges2` is empty without a second one.
    name, title
        Of the instrument and the run; empty where the server does not tell.
    """

    shape: Shape
    detector: NDArray[np.int64]
    spectrum: NDArray[np.int64]
    monitors: frozenset[int]
    edges: NDArray[np.float64]
    edges2: NDArray[np.float64]
    name: str
    title: str


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What changes all the time; None where the server does not tell.

    Attributes
    ----------
    run
        Run number.
    charge, good_charge
        Total and good proton charge, µA h.
    good_frames, raw_frames
        Since the run's start.
    duration_s
        Since the run's start.
    """

    shape: Shape
    run: int | None
    charge: float | None
    good_charge: float | None
    good_frames: int | None
    raw_frames: int | None
    duration_s: int | None


class SelectionError(LiveReduceError):
    """The spectra or periods that are wanted are not there."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Spectrum and period numbers that are wanted, ascending; None = all."""

    spectra: tuple[int, ...] | None = None
    periods: tuple[int, ...] | None = None

    @classmethod
    def of(cls, spectra: Sequence[int] | None, periods: Sequence[int] | None) -> "Selection":
        """Sort the numbers and drop those given twice."""
        return cls(*(tuple(sorted(set(numbers))) if numbers else None for numbers in (spectra, periods)))

    def periods_of(self, shape: Shape) -> tuple[int, ...]:
        """Give the wanted periods that there are.

        Raises
        ------
        SelectionError
            There is none of them.
        """
        if self.periods is None:
            return tuple(range(1, shape.periods + 1))
        there = tuple(period for period in self.periods if period <= shape.periods)
        if not there:
            raise SelectionError(f"periods {self.periods} are wanted, the data acquisition has {shape.periods}")
        return there

    def spectra_of(self, tables: Tables) -> tuple[tuple[int, ...], int]:
        """Give the wanted spectra and their time regime, 1 or 2.

        Raises
        ------
        SelectionError
            There is no such spectrum, or the two regimes are mixed.
        """
        shape = tables.shape
        if self.spectra is None:
            return tuple(range(1, shape.spectra + 1)), 1
        wrong = [s for s in self.spectra if s >= shape.stride]
        if wrong:
            raise SelectionError(f"spectra {wrong} are wanted, the data acquisition has {shape.stride - 1}")
        second = [s for s in self.spectra if s > shape.spectra]
        if second and len(second) < len(self.spectra):
            raise SelectionError(
                f"spectra {second} are in the second time regime, the other wanted ones in the first, which has other"
                " time channels; choose spectra of one of them"
            )
        return self.spectra, 2 if second else 1


class Totals(NamedTuple):
    """All that was wanted of the memory at one time.

    Attributes
    ----------
    spectra, edges
        Spectrum numbers int64[n] and float64[channels + 1] µs of `counts`.
    counts
        One int32[n, channels] a period, totals since the run's start.
    monitor_spectra, monitor_edges, monitor_counts
        The same of the second time regime, where all spectra of the first are wanted.
    """

    state: State
    tables: Tables
    periods: tuple[int, ...]
    spectra: NDArray[np.int64]
    edges: NDArray[np.float64]
    counts: list[NDArray[np.int32]]
    monitor_spectra: NDArray[np.int64]
    monitor_edges: NDArray[np.float64]
    monitor_counts: list[NDArray[np.int32]]


# -- conversations -----------------------------------------------------------------------------------------------------


def read_shape() -> Conversation[Shape]:
    """Ask how the memory is laid out."""
    periods = yield from scalar("NPER", 1, MAX_PERIODS)
    channels = yield from scalar("NTC1", 1, MAX_CHANNELS)
    spectra = yield from scalar("NSP1", 1, MAX_SPECTRA)
    channels2 = yield from scalar("NTC2", 0, MAX_CHANNELS)
    spectra2 = (yield from scalar("NSP2", 0, MAX_SPECTRA)) if channels2 else 0
    return Shape(periods, channels, spectra, channels2, spectra2)


def read_state() -> Conversation[State]:
    """Ask for the shape and for how far the run has come."""
    shape = yield from read_shape()
    run = yield from optional_scalar("RUN")
    reals = yield from optional_array("RRPB", DataType.REAL32, BLOCK_VALUES)
    integers = yield from optional_array("RPB", DataType.INT32, BLOCK_VALUES)
    charges = [None, None] if reals is None else [_amount(float(reals[i])) for i in (TOTAL_CHARGE, GOOD_CHARGE)]
    frames = (GOOD_FRAMES, RAW_FRAMES, DURATION)
    figures = [None, None, None] if integers is None else [max(int(integers[i]), 0) for i in frames]
    return State(shape, None if run is None else max(run, 0), *charges, *figures)


def _amount(value: float) -> float | None:
    return value if 0 <= value < 1e12 else None


def read_tables(shape: Shape) -> Conversation[Tables]:
    """Ask for detectors, time channels and names."""
    detectors = yield from scalar("NDET", 0, MAX_SPECTRA)
    udet = (yield from array("UDET", DataType.INT32, detectors)) if detectors else np.empty(0, np.int32)
    spec = (yield from array("SPEC", DataType.INT32, detectors)) if detectors else np.empty(0, np.int32)
    edges = yield from _edges("RTCB1", shape.channels)
    monitors: NDArray[np.generic] = np.empty(0, np.int64)
    edges2 = np.empty(0, np.float64)
    if shape.channels2 and shape.spectra2:
        number = yield from scalar("NMON", 0, detectors)
        at = (yield from array("MDET", DataType.INT32, number)) if number else np.empty(0, np.int32)
        monitors = _monitor_spectra(at.astype(np.int64), spec.astype(np.int64))
        in_second = [int(m) for m in monitors.tolist() if m > shape.spectra] or [shape.spectra + 1]
        # RTCB2 gives the first regime's boundaries on the real machine
        edges2 = yield from _edges(f"RTCB_{in_second[0]}", shape.channels2)
    name = yield from optional_text("NAME")
    title = yield from optional_text("TITL")
    found = frozenset(int(m) for m in monitors.tolist())
    return Tables(shape, udet.astype(np.int64), spec.astype(np.int64), found, edges, edges2, name, title)


def _monitor_spectra(at: NDArray[np.int64], spectrum: NDArray[np.int64]) -> NDArray[np.int64]:
    """Turn 1-based positions in the table of detectors into spectrum numbers; positions outside it name nothing."""
    inside = at[(at >= 1) & (at <= len(spectrum))]
    return spectrum[inside - 1]


def _edges(name: str, channels: int) -> Conversation[NDArray[np.float64]]:
    values = yield from array(name, DataType.REAL32, channels + 1)
    edges = values.astype(np.float64)
    if not (np.isfinite(edges).all() and (np.diff(edges) > 0).all()):
        raise ReplyError(f"{name}: time-channel boundaries have to rise from each to the next")
    return edges


def read_totals(selection: Selection, known: Totals | None) -> Conversation[Totals]:
    """Read what is wanted; the tables of `known` totals are used again where shape and run are the same.

    Raises
    ------
    ReplyError
        The memory changes again and again while it is being read.
    SelectionError
        What is wanted is not there.
    """
    before = yield from read_state()
    for _ in range(3):
        same = known is not None and (known.state.shape, known.state.run) == (before.shape, before.run)
        tables = known.tables if known is not None and same else (yield from read_tables(before.shape))
        found = yield from _read_counts(selection, before, tables)
        after = yield from read_state()
        if (after.shape, after.run) == (before.shape, before.run):
            return found
        before, known = after, None
    raise ReplyError("the histogram memory keeps changing its shape or run while it is being read")


def _read_counts(selection: Selection, state: State, tables: Tables) -> Conversation[Totals]:
    shape = tables.shape
    periods = selection.periods_of(shape)
    spectra, regime = selection.spectra_of(tables)
    channels, edges = (shape.channels, tables.edges) if regime == 1 else (shape.channels2, tables.edges2)
    second = range(shape.spectra + 1, shape.stride) if selection.spectra is None and len(tables.edges2) else range(0)
    values = len(periods) * (len(spectra) * (channels + 1) + len(second) * (shape.channels2 + 1))
    if values > MAX_VALUES:
        raise SelectionError(
            f"{len(spectra)} spectra of {channels} channels in {len(periods)} periods are {values} values, at most"
            f" {MAX_VALUES} are read; choose spectra or periods"
        )
    of_periods, of_monitors = [], []
    for period in periods:
        of_periods.append((yield from _read_period(shape, period, spectra, channels)))
        if second:
            of_monitors.append((yield from _read_period(shape, period, second, shape.channels2)))
    return Totals(
        state, tables, periods, np.array(spectra, np.int64), edges, of_periods,
        np.array(second, np.int64), tables.edges2, of_monitors,
    )  # fmt: skip


def _read_period(shape: Shape, period: int, spectra: Sequence[int], channels: int) -> Conversation[NDArray[np.int32]]:
    found = np.empty((len(spectra), channels), np.int32)
    row = 0
    for first, number in requests(spectra, channels):
        index = first + (period - 1) * shape.stride
        block = yield from counts(index, number, channels + 1)
        found[row : row + number] = block[:, 1:]
        row += number
    return found


def requests(spectra: Sequence[int], channels: int) -> Iterator[tuple[int, int]]:
    """Cut ascending spectrum numbers into runs of consecutive ones of at most 1 MB: (first, number) each."""
    most = max(1, REQUEST_BYTES // (4 * channels))
    first = number = 0
    for spectrum in spectra:
        if number and spectrum == first + number and number < most:
            number += 1
            continue
        if number:
            yield first, number
        first, number = spectrum, 1
    if number:
        yield first, number


# -- what the event stream needs ---------------------------------------------------------------------------------------


def read_event_parameters() -> Conversation[tuple[Block, ...]]:
    """Ask for what the event stream does not say itself; gives a block a parameter, named after it."""
    periods = yield from scalar("NPER", 1, MAX_PERIODS)
    spectra = yield from scalar("NSP1", 1, MAX_SPECTRA)
    detectors = yield from scalar("NDET", 0, MAX_SPECTRA)
    values = [np.array([n], np.int32) for n in (periods, spectra, detectors)]
    for name in ("UDET", "SPEC"):
        found = (yield from array(name, DataType.INT32, detectors)) if detectors else np.empty(0, np.int32)
        values.append(found.astype(np.int32))
    return tuple(
        Block(name, DataType.INT32, value.shape, value.astype("<i4").tobytes())
        for name, value in zip(EVENT_PARAMETERS, values, strict=True)
    )


class EventTables(NamedTuple):
    """Periods and spectra an event stream counts into; detectors as in `Tables`."""

    periods: int
    spectra: int
    detector: NDArray[np.int64]
    spectrum: NDArray[np.int64]


def event_tables(blocks: Sequence[Block]) -> EventTables:
    """Read the blocks of `read_event_parameters` back.

    Raises
    ------
    ReplyError
        They are not those.
    """
    if tuple(b.command for b in blocks) != EVENT_PARAMETERS or any(b.type is not DataType.INT32 for b in blocks):
        raise ReplyError(f"parameters {[b.command for b in blocks]}; expected {list(EVENT_PARAMETERS)}")
    periods, spectra, detectors, udet, spec = (b.values.astype(np.int64) for b in blocks)
    sizes = (len(periods), len(spectra), len(detectors), len(udet), len(spec))
    if sizes[:3] != (1, 1, 1) or not sizes[3] == sizes[4] == detectors[0]:
        raise ReplyError(f"parameters of {sizes} values do not fit together")
    if not (
        1 <= periods[0] <= MAX_PERIODS
        and 1 <= spectra[0] <= MAX_SPECTRA
        and periods[0] * spectra[0] <= MAX_EVENT_SPECTRA
    ):
        raise ReplyError(f"{periods[0]} periods of {spectra[0]} spectra are out of range")
    return EventTables(int(periods[0]), int(spectra[0]), udet, spec)
