"""Events in a NeXus file, cut into parts of about as many pulses each.

Reads NXevent_data as SNS, ISIS and ESS write it (and the older names of its fields), events of NXmonitor, and the
charges and logs beside them. Only the part asked for is read, so the size of the file does not matter. Weights of
events are not read.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

import h5py
import numpy as np
from numpy.typing import NDArray

from livereduce.geometry.nexus_histogram import UnfitError, text_of, unit_factor
from livereduce.listeners.base import DetectorIds, Events, Message, MonitorEvents
from livereduce.listeners.nexus_logs import CHARGE, FileLog, charge_in_pc, logs_of, times_ns, total_charge_uah

I64 = NDArray[np.int64]

TICK_NS = 1
MONITOR_TICK_NS = 100
_FIELDS = {
    "event_id": ("event_id", "event_pixel_id"),
    "event_time_offset": ("event_time_offset", "event_time_of_flight"),
    "event_time_zero": ("event_time_zero", "pulse_time"),
    "event_index": ("event_index",),
}


@dataclass(frozen=True, slots=True)
class _Bank:
    """One NXevent_data: its pulses, the first event of each and their end, and where the events are read from."""

    time_ns: I64
    start: I64
    tof: h5py.Dataset
    ids: h5py.Dataset | None
    monitor: int
    latest_ns: I64
    """Latest time so far at each pulse: says which part a pulse belongs to even where times go back."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """Events of one part of one bank: pulse time of each event, time of flight (ns), detector."""

    pulse_time: I64
    tof_ns: I64
    ids: NDArray[np.uint32]


class EventParts:
    """The events of one NXentry in `count` parts.

    Raises
    ------
    UnfitError
        The entry has no events, or they contradict themselves.
    """

    def __init__(self, entry: h5py.Group, count: int) -> None:
        self._banks = list(_banks(entry))
        if not any(bank.ids is not None for bank in self._banks):
            raise UnfitError(f"{entry.name} has no NXevent_data with events")
        self.logs, charge = logs_of(entry)
        pulses = np.unique(np.concatenate([bank.time_ns for bank in self._banks]))
        if charge is None:
            share = (total_charge_uah(entry) or 0.0) / max(pulses.size, 1)
            charge = FileLog(CHARGE, pulses, np.full(pulses.size, share), "uAh")
        self._charged_ns, self._charge_pc = charge.time_ns, charge_in_pc(charge)
        pulses = np.union1d(pulses, charge.time_ns)
        # part k is [bounds[k], bounds[k + 1])
        at = np.linspace(0, pulses.size, count + 1).astype(np.int64)
        self.bounds_ns: I64 = np.append(pulses, pulses[-1] + 1)[at] if pulses.size else np.zeros(count + 1, np.int64)

    def part(self, k: int) -> Iterator[Message]:
        """Read part `k`: monitor events, then detector events with the charges of their pulses."""
        first, end = (int(bound) for bound in self.bounds_ns[k : k + 2])
        yield from (_monitor_events(bank, _read(bank, first, end)) for bank in self._banks if bank.ids is None)
        columns = [_read(bank, first, end) for bank in self._banks if bank.ids is not None]
        charged = (self._charged_ns >= first) & (self._charged_ns < end)
        yield _detector_events(columns, self._charged_ns[charged], self._charge_pc[charged])

    def describe(self) -> list[Message]:
        """Name the detectors that have events, for a file that does not say where they are."""
        seen = np.empty(0, np.uint32)
        for first, end in itertools.pairwise(self.bounds_ns.tolist()):
            for bank in self._banks:
                if bank.ids is not None:
                    seen = np.union1d(seen, _read(bank, first, end).ids)
        return [DetectorIds(seen.astype(np.int64))]


def _banks(group: h5py.Group) -> Iterator[_Bank]:
    for child in group.values():
        if not isinstance(child, h5py.Group):
            continue
        kind = text_of(child.attrs.get("NX_class"))
        fields = {name: _field(child, names) for name, names in _FIELDS.items()}
        if kind in ("NXevent_data", "NXmonitor") and fields["event_index"] is not None:
            yield _bank(child, fields, is_monitor=kind == "NXmonitor")
        elif kind in ("NXinstrument", "NXdetector", "NXentry", "NXcollection", ""):
            yield from _banks(child)


def _field(group: h5py.Group, names: tuple[str, ...]) -> h5py.Dataset | None:
    found = next((group[name] for name in names if name in group), None)
    return found if isinstance(found, h5py.Dataset) else None


def _bank(group: h5py.Group, fields: dict[str, h5py.Dataset | None], *, is_monitor: bool) -> _Bank:
    needed = [name for name in _FIELDS if name != "event_id" or not is_monitor]
    missing = [name for name in needed if fields[name] is None]
    if missing:
        raise UnfitError(f"{group.name} has no {', '.join(missing)}")
    tof, zero, index = (fields[name] for name in ("event_time_offset", "event_time_zero", "event_index"))
    assert tof is not None
    assert zero is not None
    assert index is not None
    time_ns = times_ns(zero)
    start = np.append(index[()].astype(np.int64), tof.shape[0])
    if "total_counts" in group and int(np.ravel(group["total_counts"][()])[0]) == 0:
        start[:] = 0  # a bank without events has one made-up event
    if start.size != time_ns.size + 1 or np.any(np.diff(start) < 0):
        raise UnfitError(
            f"{index.name} has {start.size - 1} entries up to {start.max()} for {time_ns.size} pulses and "
            f"{tof.shape[0]} events; expected one a pulse, ascending"
        )
    digits = re.search(r"(\d+)$", group.name)
    number = int(digits.group(1)) if digits and is_monitor else 0
    latest = np.maximum.accumulate(time_ns) if time_ns.size else time_ns
    return _Bank(time_ns, start, tof, None if is_monitor else fields["event_id"], number, latest)


def _read(bank: _Bank, first_ns: int, end_ns: int) -> _Columns:
    a, b = np.searchsorted(bank.latest_ns, [first_ns, end_ns])
    i, j = int(bank.start[a]), int(bank.start[b])
    factor = unit_factor(bank.tof, "time") * 1000.0
    tof_ns = np.rint(bank.tof[i:j].astype(np.float64) * factor).astype(np.int64)
    ids = np.zeros(j - i, np.uint32) if bank.ids is None else bank.ids[i:j].astype(np.uint32)
    return _Columns(np.repeat(bank.time_ns[a:b], np.diff(bank.start[a : b + 1])), tof_ns, ids)


def _detector_events(banks: list[_Columns], charged_ns: I64, charge_pc: NDArray[np.float64]) -> Events:
    time_ns = np.concatenate([bank.pulse_time for bank in banks])
    tof, ids = np.concatenate([bank.tof_ns for bank in banks]), np.concatenate([bank.ids for bank in banks])
    pulses = np.unique(np.concatenate([time_ns, charged_ns]))
    charge = np.zeros(pulses.size)
    np.add.at(charge, np.searchsorted(pulses, charged_ns), charge_pc)
    row = np.searchsorted(pulses, time_ns)
    usable = (tof >= 0) & (tof < 1 << 32)
    order = np.argsort(row[usable], kind="stable")
    return Events(
        pulse_time=pulses,
        charge=charge,
        start=_starts(row[usable], pulses.size),
        tof=tof[usable][order].astype(np.uint32),
        detector_id=ids[usable][order],
        keys=None,
        rejected={"time of flight out of range": np.bincount(row[~usable], minlength=pulses.size)},
        tick_ns=TICK_NS,
    )


def _monitor_events(bank: _Bank, columns: _Columns) -> MonitorEvents:
    pulses, row = np.unique(columns.pulse_time, return_inverse=True)
    order = np.argsort(row, kind="stable")
    ticks = np.clip(columns.tof_ns[order] // MONITOR_TICK_NS, 0, (1 << 32) - 1)
    return MonitorEvents(
        pulse_time=pulses,
        start=_starts(row, pulses.size),
        tof=ticks.astype(np.uint32),
        number=np.full(ticks.size, bank.monitor, np.uint16),
        keys=None,
        tick_ns=MONITOR_TICK_NS,
    )


def _starts(row: I64, n: int) -> I64:
    return np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))]).astype(np.int64)


def has_events(entry: h5py.Group) -> bool:
    """Tell whether an entry has detector events."""
    return any(bank.ids is not None for bank in _banks(entry))
