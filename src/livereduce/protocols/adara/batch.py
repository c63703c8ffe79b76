"""Runs of event packets as columns: the fast way from bytes to events."""

from collections import namedtuple
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from livereduce.protocols.adara.wire import BytesLike, PacketType, read_only

EVENT_TYPES = frozenset(
    {PacketType.RTDL, PacketType.BankedEvent, PacketType.BankedEventState, PacketType.BeamMonitorEvent}
)


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Event packets that followed each other, as read-only columns in stream order.

    Attributes
    ----------
    pulse_id, pulse_time, charge, flags, veto, packet_type, payload_length, fingerprint
        One row a detector packet. Pulse times in Unix ns, charges in 10 pC, lengths in bytes. The fingerprint is a
        64-bit hash of the payload: equal for a packet that is sent again.
    error_events, unmapped_events
        Events left out of each detector packet: those with the hardware's error bit, and those of pixels that are
        not in the server's map.
    start
        int64[n_pulses + 1]: events of row i are [start[i], start[i + 1]).
    tof, pixel
        One row an event of a real bank: time of flight in 100 ns with the section's offset applied (saturating at
        2**32 - 1), and detector ID.
    monitor_pulse_id, monitor_time, monitor_charge, monitor_payload_length, monitor_fingerprint, monitor_start
        The same for monitor packets.
    monitor_tof, monitor_number
        One row a monitor event.
    """

    pulse_id: NDArray[np.uint64]
    pulse_time: NDArray[np.int64]
    charge: NDArray[np.uint32]
    flags: NDArray[np.uint32]
    veto: NDArray[np.uint32]
    packet_type: NDArray[np.uint32]
    payload_length: NDArray[np.uint32]
    fingerprint: NDArray[np.uint64]
    error_events: NDArray[np.int64]
    unmapped_events: NDArray[np.int64]
    start: NDArray[np.int64]
    tof: NDArray[np.uint32]
    pixel: NDArray[np.uint32]
    monitor_pulse_id: NDArray[np.uint64]
    monitor_time: NDArray[np.int64]
    monitor_charge: NDArray[np.uint32]
    monitor_payload_length: NDArray[np.uint32]
    monitor_fingerprint: NDArray[np.uint64]
    monitor_start: NDArray[np.int64]
    monitor_tof: NDArray[np.uint32]
    monitor_number: NDArray[np.uint16]


_EVENT_COLUMNS: dict[str, tuple[str, type[np.generic]]] = {
    "pulse_id": ("pulse", np.uint64),
    "pulse_time": ("pulse", np.int64),
    "charge": ("pulse", np.uint32),
    "flags": ("pulse", np.uint32),
    "veto": ("pulse", np.uint32),
    "packet_type": ("pulse", np.uint32),
    "payload_length": ("pulse", np.uint32),
    "fingerprint": ("pulse", np.uint64),
    "error_events": ("pulse", np.int64),
    "unmapped_events": ("pulse", np.int64),
    "start": ("pulse edge", np.int64),
    "tof": ("event", np.uint32),
    "pixel": ("event", np.uint32),
    "monitor_pulse_id": ("monitor pulse", np.uint64),
    "monitor_time": ("monitor pulse", np.int64),
    "monitor_charge": ("monitor pulse", np.uint32),
    "monitor_payload_length": ("monitor pulse", np.uint32),
    "monitor_fingerprint": ("monitor pulse", np.uint64),
    "monitor_start": ("monitor pulse edge", np.int64),
    "monitor_tof": ("monitor event", np.uint32),
    "monitor_number": ("monitor event", np.uint16),
}
# numba takes a named tuple of arrays, not a dataclass
Columns: Any = namedtuple("Columns", list(_EVENT_COLUMNS))  # type: ignore[misc]

_COUNTED = ("RTDL", "BankedEvent", "BeamMonitorEvent", "BankedEventState")


class DecodedRun(NamedTuple):
    """What a run of event packets gave; `batch` is None when it held neither detector nor monitor packets."""

    size: int
    batch: EventBatch | None
    packets: dict[str, int]
    malformed: dict[str, int]
    bytes_skipped: int


def decode_run(buffer: BytesLike, at: int, max_packet_bytes: int) -> DecodedRun:
    """Decode the complete event packets that follow each other from byte `at` on.

    Packets whose inner structure is wrong are dropped whole and counted. The run ends before anything else: another
    type, an incomplete or too large packet, a length that is no multiple of 4.
    """
    from livereduce.protocols.adara import kernels  # here, so that the recorder does not pay for numba

    words = _aligned_words(buffer, at)
    end, *room = kernels.scan_run(words, max_packet_bytes // 4)
    rows = _rows(*room)
    columns = Columns(*(np.empty(rows[of], dtype) for of, dtype in _EVENT_COLUMNS.values()))
    counts = np.zeros((2, len(_COUNTED)), np.int64)
    *filled, skipped = kernels.decode_run(words, end, columns, counts)
    rows = _rows(*filled)
    batch = EventBatch(
        **{name: read_only(getattr(columns, name)[: rows[of]]) for name, (of, _) in _EVENT_COLUMNS.items()}
    )
    packets, malformed = ({n: int(c) for n, c in zip(_COUNTED, row, strict=True) if c} for row in counts)
    has_rows = len(batch.pulse_id) or len(batch.monitor_pulse_id)
    return DecodedRun(4 * end, batch if has_rows else None, packets, malformed, 4 * skipped)


def _rows(pulses: int, events: int, monitor_pulses: int, monitor_events: int) -> dict[str, int]:
    return {
        "pulse": pulses,
        "pulse edge": pulses + 1,
        "event": events,
        "monitor pulse": monitor_pulses,
        "monitor pulse edge": monitor_pulses + 1,
        "monitor event": monitor_events,
    }


def _aligned_words(buffer: BytesLike, at: int) -> NDArray[np.uint32]:
    """See the whole words from byte `at` on; copied where the buffer does not lie on a word boundary."""
    words = np.frombuffer(buffer, "<u4", (len(buffer) - at) // 4, at)
    return words if words.flags.aligned else words.copy()
