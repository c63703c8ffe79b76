"""Event packets made many pulses at a time: all that lies behind the 16-byte pulse header, as ready bytes.

The codec writes one packet per call; at 60 pulses of twenty banks a second that is fine, at 20 million events a second
it is not. Here a block of pulses becomes wire words in a few numpy calls; what comes out is what the codec would write.
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from livereduce.protocols.adara import EPICS_EPOCH_S, ERROR_BANK, UNMAPPED_BANK, PacketType, PulseFlag
from livereduce.simulators.beamline import Beamline
from livereduce.simulators.machine import VETO_NO_BEAM, Pulse

ERROR_BIT = 0x80000000
INTRA_PULSE_TIME = 166_667
"""Time between pulses as the detector electronics give it, 100 ns."""
CORRECTED = 0x80000000
MONITOR_SOURCE = 31416


class Body(NamedTuple):
    """What one pulse carries, behind the pulse header of its banked packet and of its monitor packet."""

    banked: bytes
    monitor: bytes
    events: int
    monitor_events: int
    charge: int
    """10 pC."""
    flags: int


EMPTY = Body(b"", b"", 0, 0, 0, 0)

RING_PERIOD_PS = 964_728
PULSE_ENERGY_EV = 885_334_890
JOINED_BELOW = 1 << 16
_PULSE = struct.Struct("<8I")
_RTDL = struct.Struct("<34I")
_NO_FRAMES = (0,) * 25


def pulse_packets(pulse: Pulse, body: Body, flags: int = 0) -> list[bytes]:
    """RTDL, monitor and banked packet of a pulse, as the wire wants them.

    Small ones come as one piece; large bodies stay themselves, so that a repeated one is kept only once.
    """
    seconds, nanoseconds = divmod(pulse.time_ns, 1_000_000_000)
    seconds -= EPICS_EPOCH_S
    veto, charge = pulse.veto, body.charge
    flags |= body.flags | PulseFlag.GOT_METADATA | (PulseFlag.PULSE_VETO if veto else PulseFlag.GOT_NEUTRONS)
    flavor = 0 if veto & VETO_NO_BEAM else 1
    rtdl = _RTDL.pack(
        120, PacketType.RTDL << 8 | 1, seconds, nanoseconds,
        (2 if veto else 3) << 27 | flavor << 24 | charge,
        (1 if veto else 0) << 31 | veto << 10 | pulse.cycle,
        INTRA_PULSE_TIME, CORRECTED, 4 << 24 | RING_PERIOD_PS, *_NO_FRAMES,
    )  # fmt: skip
    common = (seconds, nanoseconds, charge, PULSE_ENERGY_EV, pulse.cycle, veto << 20 | flags)
    monitor = _PULSE.pack(16 + len(body.monitor), PacketType.BeamMonitorEvent << 8 | 1, *common)
    banked = _PULSE.pack(16 + len(body.banked), PacketType.BankedEvent << 8 | 1, *common)
    if len(body.banked) < JOINED_BELOW:
        return [b"".join((rtdl, monitor, body.monitor, banked, body.banked))]
    return [rtdl + monitor, body.monitor, banked, body.banked]


class Events(NamedTuple):
    """Detector events of a block of pulses: pulse within the block, slot of the layout, TOF (100 ns), pixel word."""

    pulse: NDArray[np.integer]
    slot: NDArray[np.integer]
    tof: NDArray[np.uint32]
    pixel: NDArray[np.uint32]


class MonitorEvents(NamedTuple):
    """Monitor events of a block of pulses: pulse within the block, number's place in the beamline, TOF (100 ns)."""

    pulse: NDArray[np.integer]
    monitor: NDArray[np.integer]
    tof: NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Source:
    """One of the processes that feed the server: it has its own banks and its own clock offset (100 ns)."""

    number: int
    slots: int
    offset: int


class PulseLayout:
    """Order of sources and banks in a banked packet.

    The first source corrects times of flight itself and also owns the error and the unmapped bank. With an
    ``offset`` (100 ns) the second half of the banks comes from a source which leaves that much to be added.
    """

    def __init__(self, beamline: Beamline, offset: int = 0) -> None:
        numbers = [bank.number for bank in beamline.banks]
        first = len(numbers) // 2 if offset else len(numbers)
        self.bank_ids = np.array([*numbers[:first], ERROR_BANK, UNMAPPED_BANK, *numbers[first:]], dtype=np.uint32)
        self.error_slot, self.unmapped_slot = first, first + 1
        self.sources = [Source(1, first + 2, 0)]
        if offset:
            self.sources.append(Source(2, len(numbers) - first, offset))
        of_bank = np.concatenate([np.arange(first), np.arange(first, len(numbers)) + 2])
        self.slot_of_index = np.repeat(of_bank, [bank.size for bank in beamline.banks]).astype(np.uint16)
        self._offset_of_slot = np.repeat([s.offset for s in self.sources], [s.slots for s in self.sources])
        self.monitors = [monitor.number for monitor in beamline.monitors]

    def banked(self, events: Events, pulses: int) -> list[bytes]:
        """Source sections of each of ``pulses`` pulses."""
        slots = len(self.bank_ids)
        section = events.pulse.astype(np.intp) * slots + events.slot
        counts = np.bincount(section, minlength=pulses * slots).reshape(pulses, slots)
        filled = counts > 0
        sizes, columns = self._columns(counts, filled)
        starts = np.zeros(sizes.size + 1, dtype=np.int64)
        np.cumsum(sizes, out=starts[1:])
        place = starts[:-1].reshape(sizes.shape)
        words = np.empty(int(starts[-1]), dtype="<u4")
        for source, column, (a, b) in columns:
            head = place[:, column]
            words[head], words[head + 1] = source.number, INTRA_PULSE_TIME
            words[head + 2] = source.offset if source.offset else CORRECTED
            words[head + 3] = filled[:, a:b].sum(axis=1)
        of_slot = np.delete(place, [column for _, column, _ in columns], axis=1)
        words[of_slot[filled]] = np.broadcast_to(self.bank_ids, filled.shape)[filled]
        words[of_slot[filled] + 1] = counts[filled]
        # a narrow key makes the stable sort a radix sort
        order = np.argsort(section.astype(np.uint16 if pulses * slots < 1 << 16 else np.int64), kind="stable")
        each = counts.ravel()
        before = np.cumsum(each) - each
        at = np.repeat(of_slot.ravel() + 2 - 2 * before, each) + 2 * np.arange(len(order))
        words[at] = events.tof[order] - np.repeat(np.tile(self._offset_of_slot, pulses), each).astype(np.uint32)
        words[at + 1] = events.pixel[order]
        bounds = [*place[:, 0].tolist(), int(starts[-1])]
        return [words[a:b].tobytes() for a, b in itertools.pairwise(bounds)]

    def _columns(
        self, counts: NDArray[np.intp], filled: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], list[tuple[Source, int, tuple[int, int]]]]:
        """Words of every section of every pulse, and for each source its column there and its range of slots."""
        sizes = 2 * counts + 2 * filled
        columns, slot = [], 0
        for number, source in enumerate(self.sources):
            columns.append((source, slot + number, (slot, slot + source.slots)))
            slot += source.slots
        heads = [slots[0] for _, _, slots in columns]
        return np.insert(sizes, heads, 4, axis=1).astype(np.int64), columns

    def monitor(self, events: MonitorEvents, pulses: int) -> list[bytes]:
        """Monitor sections of each of ``pulses`` pulses; a monitor without events has its section all the same."""
        n = len(self.monitors)
        section = events.pulse.astype(np.intp) * n + events.monitor
        counts = np.bincount(section, minlength=pulses * n)
        before = np.cumsum(counts) - counts
        start = 3 * np.arange(pulses * n) + before
        words = np.empty(3 * pulses * n + len(section), dtype="<u4")
        words[start] = np.tile(np.array(self.monitors, dtype=np.uint32) << 22, pulses) | counts.astype(np.uint32)
        words[start + 1], words[start + 2] = MONITOR_SOURCE, CORRECTED
        order = np.argsort(section, kind="stable")
        words[np.repeat(start + 3 - before, counts) + np.arange(len(order))] = CORRECTED | events.tof[order]
        bounds = [*start[:: max(n, 1)].tolist(), len(words)]
        return [words[a:b].tobytes() for a, b in itertools.pairwise(bounds)] if n else [b""] * pulses

    def bodies(self, events: Events, monitor_events: MonitorEvents, charges: NDArray[np.int64]) -> list[Body]:
        """Encode what each pulse of the block carries; ``charges`` in 10 pC, one a pulse."""
        pulses = len(charges)
        error = np.bincount(events.pulse[events.slot == self.error_slot], minlength=pulses) > 0
        unmapped = np.bincount(events.pulse[events.slot == self.unmapped_slot], minlength=pulses) > 0
        flags = PulseFlag.ERROR_PIXELS * error + PulseFlag.MAPPING_ERROR * unmapped
        return [
            Body(*row)
            for row in zip(
                self.banked(events, pulses),
                self.monitor(monitor_events, pulses),
                np.bincount(events.pulse, minlength=pulses).tolist(),
                np.bincount(monitor_events.pulse, minlength=pulses).tolist(),
                charges.tolist(),
                flags.tolist(),
                strict=True,
            )
        ]
