"""Events in a raw NeXus file (NXevent_data) as an event table, bank after bank, some million events at a time.

Reads the fields as SNS, ISIS and ESS write them, and their older names. Times of flight are kept in ticks of 100 ns
where all are whole tenths of µs, as SNS measures them, and of 1 ns otherwise. A bank's pulses without events are not
kept. Weights (``event_weight`` of simulated instruments) have their square as variance. A bank that contradicts itself
is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import h5py
import numpy as np

from livereduce.algorithms.nexus.hdf5 import NUMBERS, WHOLE, address, below, class_of, dataset, times_ns
from livereduce.geometry.nexus_histogram import UnfitError, unit_factor
from livereduce.workspaces import Detectors, EventTable
from livereduce.workspaces.arrays import F32, F64, I32, I64, U32, AnyArray, Bool
from livereduce.workspaces.event_list import spans
from livereduce.workspaces.events import Weights

_IDS = ("event_id", "event_pixel_id")
_OFFSETS = ("event_time_offset", "event_time_of_flight")
_ZEROS = ("event_time_zero", "pulse_time")
# banks of the SNS for events of no detector
_NO_BANKS = ("bank_error", "bank_unmapped")
_NO_ID = (1 << 32) - 1
_BLOCK_EVENTS = 1 << 22


@dataclass(frozen=True, slots=True)
class Bank:
    """One NXevent_data: its name, pulses (ns since 1970) and first event of each, and where the events are read from.

    `us` is the unit of the times of flight in µs; `ids` is None for a monitor, `weights` where each event counts one.
    """

    name: str
    pulse_time: I64
    start: I64
    tof: h5py.Dataset
    us: float
    ids: h5py.Dataset | None
    weights: h5py.Dataset | None


class Window(NamedTuple):
    """Which events are wanted: time of flight in [tof_min, tof_max] µs, pulse in [first, last) ns since 1970."""

    tof_min: float = -np.inf
    tof_max: float = np.inf
    first: int = -(1 << 63)
    last: int = (1 << 63) - 1


class Loaded(NamedTuple):
    """A table, its least and greatest time of flight (µs), and how many events were of no known detector."""

    table: EventTable
    least: float
    greatest: float
    unknown: int


def banks_of(entry: h5py.Group) -> list[Bank]:
    """Return the banks of an entry; events that several groups lead to are in one of them only.

    Raises
    ------
    UnfitError
        A bank lacks something or contradicts itself.
    """
    found, seen = [], set()
    for name, group in below(entry, "NXevent_data", "NXmonitor", "NXlog", "NXdata"):
        if class_of(group) != "NXevent_data" or name.removesuffix("_events") in _NO_BANKS:
            continue
        bank = read_bank(name, group)
        assert bank.ids is not None
        if address(bank.ids) not in seen:
            seen.add(address(bank.ids))
            found.append(bank)
    return found


def read_bank(name: str, group: h5py.Group, *, monitor: bool = False) -> Bank:
    """Read all of a bank but its events; a monitor's have no IDs."""
    if class_of(group.parent) in ("NXdetector", "NXmonitor"):
        name = str(group.parent.name).rsplit("/", 1)[-1]
    tof = dataset(group, *_OFFSETS, kind=NUMBERS, ndim=1)
    ids = None if monitor else dataset(group, *_IDS, kind=WHOLE, ndim=1)
    n = int(tof.shape[0])
    if ids is not None and ids.shape[0] != n:
        raise UnfitError(f"{group.name}: {ids.shape[0]} entries of {ids.name} for {n} of {tof.name}; expected as many")
    time = times_ns(dataset(group, *_ZEROS, kind=NUMBERS, ndim=1))
    index = dataset(group, "event_index", kind=WHOLE, ndim=1)
    if "total_counts" in group and int(np.ravel(dataset(group, "total_counts")[()])[0]) == 0:
        start = np.zeros(len(time) + 1, np.int64)  # a bank without events has one made-up event
    else:
        start = _starts(index, len(time), n)
    weights = _weights(group, n)
    return Bank(name.removesuffix("_events"), time, start, tof, unit_factor(tof, "time"), ids, weights)


def _weights(group: h5py.Group, n: int) -> h5py.Dataset | None:
    """Weights of events, as simulations of instruments write them; None if there are none."""
    if "event_weight" not in group:
        return None
    found = dataset(group, "event_weight", kind=NUMBERS, ndim=1)
    if found.shape[0] != n:
        raise UnfitError(f"{found.name}: {found.shape[0]} weights for {n} events")
    return found


def _starts(index: h5py.Dataset, n_pulses: int, n_events: int) -> I64:
    """First event of each pulse, then the number of events."""
    values = index[()]
    if len(values) != n_pulses:
        raise UnfitError(f"{index.name}: {len(values)} entries for {n_pulses} pulses; expected one for each")
    if not len(values):
        if n_events:
            raise UnfitError(f"{index.name}: no entries, but there are {n_events} events; expected the pulse of each")
        return np.zeros(1, np.int64)
    if (beyond := (values > n_events) | (values < 0)).any():
        at = int(np.argmax(beyond))
        raise UnfitError(f"{index.name}: entry {at} is {values[at]}, but there are {n_events} events")
    if (falls := values[1:] < values[:-1]).any():
        at = int(np.argmax(falls)) + 1
        raise UnfitError(f"{index.name}: entry {at} is {values[at]} after {values[at - 1]}; expected them ascending")
    if values[0]:
        raise UnfitError(f"{index.name}: begins with {values[0]}, so the first events have no pulse; expected 0")
    return np.append(values.astype(np.int64), n_events)


def ids_in(banks: Sequence[Bank], window: Window) -> I64:
    """Return the IDs that events in the window have, ascending."""
    seen = np.empty(0, np.int64)
    for bank in banks:
        assert bank.ids is not None
        for first, last in _blocks(bank, window):
            seen = np.union1d(seen, bank.ids[bank.start[first] : bank.start[last]].astype(np.int64))
    return seen


def load_banks(banks: Sequence[Bank], index: Detectors, window: Window, n_pixels: int) -> Loaded:
    """Read the events in a window into a table; `index` has the ID of each pixel, bank k without IDs is pixel k."""
    scale = _scale(banks, window)
    weighted = any(bank.weights is not None for bank in banks)
    table = EventTable(n_pixels, tick_ns=scale.tick_ns, zero_ticks=scale.zero, weighted=weighted)
    least, greatest, unknown = (1 << 32) - 1, 0, 0
    for number, bank in enumerate(banks):
        for first, last in _blocks(bank, window):
            block = _block(bank, first, last, scale, window)
            tof, pix, start, own = _mapped(block, index, number, weighted)
            some = start[1:] > start[:-1]
            pulses = block.time[some], np.append(start[:-1][some], start[-1]), np.zeros(int(some.sum()))
            table.append(tof, pix, *pulses, weights=own)
            least, greatest = int(tof.min(initial=least)), int(tof.max(initial=greatest))
            unknown += len(block.tof) - len(tof)
    if not table.n:
        return Loaded(table, 0.0, 0.0, unknown)
    low, high = ((float(tick) - scale.zero) * table.tick_us for tick in (least, greatest))
    return Loaded(table, low, high, unknown)


def _blocks(bank: Bank, window: Window) -> Iterator[tuple[int, int]]:
    """Stretches of pulses from the first wanted to the last, of some million events each."""
    wanted = np.flatnonzero((bank.pulse_time >= window.first) & (bank.pulse_time < window.last))
    if len(wanted):
        begin, end = int(wanted[0]), int(wanted[-1]) + 1
        for first, last in spans(np.diff(bank.start[begin : end + 1]), _BLOCK_EVENTS):
            yield begin + first, begin + last


class _Scale(NamedTuple):
    """Length of a tick (ns) and the tick of time zero."""

    tick_ns: int
    zero: int

    def ticks(self, values: AnyArray, us: float) -> I64:
        """Times of flight in some unit as ticks after time zero."""
        factor = us * 1000.0 / self.tick_ns
        if values.dtype.kind in WHOLE and factor >= 1 and abs(factor - round(factor)) < 1e-9:
            return values.astype(np.int64) * round(factor)
        return np.rint(values.astype(np.float64) * factor).astype(np.int64)


def _scale(banks: Sequence[Bank], window: Window) -> _Scale:
    """Look at all times of flight once: the coarser tick if that loses nothing, and room for negative ones."""
    least, greatest, tenths = 0.0, 0.0, True
    for bank in banks:
        for first, last in _blocks(bank, window):
            values = bank.tof[bank.start[first] : bank.start[last]]
            if not np.isfinite(values).all():
                raise UnfitError(f"{bank.tof.name}: {np.count_nonzero(~np.isfinite(values))} times are not finite")
            us = values.astype(np.float64) * bank.us
            least, greatest = float(us.min(initial=least)), float(us.max(initial=greatest))
            tenths = tenths and _are_tenths(values, us, bank.us)
    tick_ns = 100 if tenths else 1
    zero = int(np.ceil(-least * 1000 / tick_ns))
    if greatest * 1000 / tick_ns + zero >= 1 << 32:
        raise UnfitError(
            f"times of flight from {least:g} to {greatest:g} µs (of banks {', '.join(b.name for b in banks[:5])}) do"
            f" not fit into 32 bits of {tick_ns} ns; expected less than {(1 << 32) * tick_ns / 1000:g}"
        )
    return _Scale(tick_ns, zero)


def _are_tenths(values: AnyArray, us: F64, unit_us: float) -> bool:
    """Tell whether all are whole tenths of µs, as near as the file's numbers can say it."""
    tenths = np.rint(us * 10) / 10 / unit_us
    return bool(np.all((np.rint(tenths) if values.dtype.kind in WHOLE else tenths).astype(values.dtype) == values))


class _Block(NamedTuple):
    """Wanted events of some pulses; without IDs those of a monitor, without weights each counts one."""

    tof: U32
    ids: U32 | None
    weight: F32 | None
    start: I64
    time: I64


def _block(bank: Bank, first: int, last: int, scale: _Scale, window: Window) -> _Block:
    """Read the wanted events of pulses [first, last)."""
    begin, end = int(bank.start[first]), int(bank.start[last])
    time, start = bank.pulse_time[first:last], bank.start[first : last + 1] - begin
    ticks = scale.ticks(bank.tof[begin:end], bank.us)
    ids = None if bank.ids is None else _as_u32(bank.ids[begin:end])
    weight = None if bank.weights is None else bank.weights[begin:end].astype(np.float32)
    kept = _in_window(ticks, scale, window)
    pulses = (time >= window.first) & (time < window.last)
    if not pulses.all():
        kept &= np.repeat(pulses, np.diff(start))
    ticks += scale.zero
    if not kept.all():
        start = _starts_of(start, kept)
        ticks, ids, weight = ticks[kept], None if ids is None else ids[kept], None if weight is None else weight[kept]
    return _Block(ticks.astype(np.uint32), ids, weight, start, time)


def _starts_of(start: I64, kept: Bool) -> I64:
    """First event of each pulse when only those kept are left."""
    return np.concatenate([[0], np.cumsum(kept)])[start]


def _mapped(block: _Block, known_ids: Detectors, number: int, weighted: bool) -> tuple[U32, I32, I64, Weights | None]:
    """Give the events of known IDs (those of a monitor are of pixel `number`): ticks, pixels, starts, weights."""
    if not weighted and block.ids is not None:
        return *known_ids.map_events(block.tof, block.ids, block.start)[:3], None
    index = np.full(len(block.tof), number, np.int32) if block.ids is None else known_ids.index_of(block.ids)
    known = index >= 0
    weight = np.ones(len(index), np.float32) if block.weight is None else block.weight
    own = Weights(weight[known], weight[known] ** 2) if weighted else None
    return block.tof[known], index[known], _starts_of(block.start, known), own


def _in_window(ticks: I64, scale: _Scale, window: Window) -> Bool:
    """Which events have a time of flight in the window, both ends included; a millionth of a tick is rounding."""
    low, high = (limit * 1000 / scale.tick_ns for limit in (window.tof_min, window.tof_max))
    return (ticks >= low - 1e-6) & (ticks <= high + 1e-6)


def _as_u32(ids: AnyArray) -> U32:
    if ids.dtype.kind == "i" or ids.dtype.itemsize > 4:
        ids = np.where((ids < 0) | (ids > _NO_ID), _NO_ID, ids)
    return ids.astype(np.uint32)
