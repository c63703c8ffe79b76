"""The ISIS event stream: Setup and Neutron packets, both directions, no I/O.

``for item in Decoder().feed(data)`` reads, `encode` writes. Runs of consecutive neutron packets come as one
`NeutronBatch` of columns. Does not cover: what a Setup means for a run (`listeners.isis_events`).
"""

import struct
from collections import Counter, namedtuple
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livereduce.protocols.isis.command import Block, BlockDecoder, CommandError, encode_block
from livereduce.protocols.isis.wire import (
    EVENT_BYTES,
    HEADER_BYTES,
    KNOWN,
    MAX_HEADER_BYTES,
    MAX_PACKET_BYTES,
    MAX_SKIP_BYTES,
    NEUTRON_BYTES,
    SETUP_BYTES,
    BytesLike,
    FramingError,
    Head,
    PacketType,
    find_packet,
    pack_header,
    peek,
)

TICK_NS = 1
"""Times of flight are float32 µs on the wire; below 131 ms their steps are at most 8 ns, so whole ns lose little."""

_SETUP = struct.Struct("<2Iq2i32s")
_NEUTRON = struct.Struct("<3I2fI")
_MAX_UNKNOWN_TYPES = 256


@dataclass(frozen=True, slots=True)
class Setup:
    """What run is on: comes on connection and whenever one of these changes.

    Attributes
    ----------
    run
        0 = no run (negative on the wire as well).
    start_s
        Start of the run, s since 1970 UTC.
    state
        A code whose meanings are not documented.
    """

    run: int
    start_s: int
    state: int = 0
    name: str = ""
    changed: int = 0
    """Which fields are new, as bits; may be uninitialised, so compare values instead."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the command port says: a block each, its command being the parameter's name."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Neutron:
    """Events of one frame, as they are written; they are read as a `NeutronBatch`.

    Attributes
    ----------
    frame, period
        Both from 0.
    charge
        Proton charge of the frame, µA h; every packet of the frame repeats it.
    frame_time
        s after the run's start.
    tof, spectrum
        float32[n] µs and uint32[n].
    """

    frame: int
    period: int
    charge: float
    frame_time: float
    tof: NDArray[np.float32]
    spectrum: NDArray[np.uint32]


@dataclass(frozen=True, slots=True, eq=False)
class NeutronBatch:
    """Neutron packets that followed each other, as read-only columns in stream order.

    Attributes
    ----------
    frame, period, charge, frame_time
        One row a packet; charge in µA h, frame time in s after the run's start. Nothing is checked: NaN may occur.
    bad_times
        Events of each packet that are left out because their time of flight is negative, not a number or 2**32 ns or
        more.
    start
        int64[n + 1]: events of row i are [start[i], start[i + 1]).
    tof, spectrum
        One row an event: time of flight in ns, rounded down, and the number the stream calls spectrum.
    """

    frame: NDArray[np.uint32]
    period: NDArray[np.uint32]
    charge: NDArray[np.float64]
    frame_time: NDArray[np.float64]
    bad_times: NDArray[np.int64]
    start: NDArray[np.int64]
    tof: NDArray[np.uint32]
    spectrum: NDArray[np.uint32]


Item = Setup | Parameters | NeutronBatch

_COLUMNS: dict[str, tuple[str, type[np.generic]]] = {
    "frame": ("packet", np.uint32),
    "period": ("packet", np.uint32),
    "charge": ("packet", np.float64),
    "frame_time": ("packet", np.float64),
    "bad_times": ("packet", np.int64),
    "start": ("packet edge", np.int64),
    "tof": ("event", np.uint32),
    "spectrum": ("event", np.uint32),
}
# numba takes a named tuple of arrays, not a dataclass
Columns: Any = namedtuple("Columns", list(_COLUMNS))  # type: ignore[misc]


@dataclass(slots=True)
class DecoderStats:
    """What was met so far.

    Attributes
    ----------
    packets
        Decoded packets by type name.
    unknown
        Packets of unknown type by its number; types beyond the first 256 different ones count under -1.
    malformed
        Skipped packets of known type whose inside is wrong, by type name.
    bytes_skipped
        Bytes of all of these.
    """

    packets: Counter[str] = field(default_factory=Counter)
    unknown: Counter[int] = field(default_factory=Counter)
    malformed: Counter[str] = field(default_factory=Counter)
    bytes_skipped: int = 0


class Decoder:
    """Turns a stream, cut anywhere, into Setups, parameters and batches of neutron packets.

    Parameters
    ----------
    max_packet_bytes
        A packet that says it is larger is no packet; bounds what is held.

    Attributes
    ----------
    consumed
        Bytes of the stream up to the end of the last item given or skipped: where to resume.
    """

    def __init__(self, max_packet_bytes: int = MAX_PACKET_BYTES) -> None:
        self.consumed = 0
        self.stats = DecoderStats()
        self._max_bytes = max_packet_bytes
        self._buffer: BytesLike = b""
        self._held = bytearray()
        self._at = 0
        self._skipping: int | None = None  # bytes gone by since a packet of unknown type began
        self._lost: str | None = None

    @property
    def pending(self) -> int:
        """Bytes held of an incomplete packet."""
        return len(self._buffer) - self._at

    def feed(self, data: BytesLike) -> Iterator[Item]:
        """Take more of the stream and give what is complete; exhaust the iterator before `data` changes.

        Raises
        ------
        FramingError
            What follows begins no packet. Everything before it has been given; every later call raises again.
        """
        if self._lost is not None:
            raise FramingError(self._lost)
        self._keep_rest()
        if self._held:
            self._held += data
            self._buffer = self._held
        else:
            self._buffer = data
        return self._items()

    def _items(self) -> Iterator[Item]:
        try:
            while (head := self._next_head()) is not None:
                item = self._item(head)
                if item is not None:
                    yield item
        except FramingError as error:
            self._lost = f"at byte {self.consumed}: {error}; packet boundaries are lost, reconnect"
            raise FramingError(self._lost) from None
        self._keep_rest()

    def _next_head(self) -> Head | None:
        """Find the next complete packet, skipping those of unknown type."""
        while True:
            if self._skipping is not None and not self._skip():
                return None
            head = peek(self._buffer, self._at, self._max_bytes)
            if head is None or head.need:
                return None
            if head.type not in KNOWN:
                known = head.type in self.stats.unknown or len(self.stats.unknown) < _MAX_UNKNOWN_TYPES
                self.stats.unknown[head.type if known else -1] += 1
                self._skipping = 0
                self._advance(head.size)
                self.stats.bytes_skipped += head.size
                continue
            return head if head.size <= self.pending else None

    def _skip(self) -> bool:
        """Go on looking for a packet behind one of unknown type; tells whether there is one."""
        assert self._skipping is not None
        to = find_packet(self._buffer, self._at)
        self._skipping += to - self._at
        self.stats.bytes_skipped += to - self._at
        self._advance(to - self._at)
        if self._skipping > MAX_SKIP_BYTES:
            raise FramingError(f"no packet within {MAX_SKIP_BYTES} bytes of one of unknown type")
        if self.pending < HEADER_BYTES:
            return False
        self._skipping = None
        return True

    def _item(self, head: Head) -> Item | None:
        if head.type == PacketType.NEUTRON:
            return self._batch()
        at = self._at
        body = bytes(memoryview(self._buffer)[at + head.body : at + head.size])
        self._advance(head.size)
        if head.type == PacketType.SETUP:
            self.stats.packets["Setup"] += 1
            return _setup(body)
        try:
            found = Parameters(tuple(BlockDecoder(len(body)).feed(body[4:])))
        except CommandError:
            self.stats.malformed["Parameters"] += 1
            self.stats.bytes_skipped += head.size
            return None
        self.stats.packets["Parameters"] += 1
        return found

    def _batch(self) -> NeutronBatch:
        size, batch = decode_run(self._buffer, self._at, self._max_bytes)
        self._advance(size)
        self.stats.packets["Neutron"] += len(batch.frame)
        return batch

    def _advance(self, size: int) -> None:
        self._at += size
        self.consumed += size

    def _keep_rest(self) -> None:
        """Let go of the caller's buffer; what is incomplete is held in ours."""
        if self._buffer is self._held:
            del self._held[: self._at]
        else:
            self._held += memoryview(self._buffer)[self._at :]
        self._buffer, self._at = self._held, 0


def decode_run(buffer: BytesLike, at: int, max_packet_bytes: int = MAX_PACKET_BYTES) -> tuple[int, NeutronBatch]:
    """Decode the complete neutron packets that follow each other from byte `at` on; gives their size in bytes too."""
    from livereduce.protocols.isis import kernels  # here, so that the recorder does not pay for numba

    words = np.frombuffer(buffer, "<u4", (len(buffer) - at) // 4, at)
    words = words if words.flags.aligned else words.copy()
    end, packets, events = kernels.scan_run(words, MAX_HEADER_BYTES, max_packet_bytes // 4)
    rows = {"packet": packets, "packet edge": packets + 1, "event": events + 1}
    columns = Columns(*(np.empty(rows[of], dtype) for of, dtype in _COLUMNS.values()))
    packets, events = kernels.decode_run(words, words.view("<f4"), end, columns)
    rows["event"] = events
    read = {name: getattr(columns, name)[: rows[of]] for name, (of, _) in _COLUMNS.items()}
    for column in read.values():
        column.flags.writeable = False
    return 4 * end, NeutronBatch(**read)


def _setup(body: bytes) -> Setup:
    changed, _, start, run, state, name = _SETUP.unpack_from(body)
    return Setup(max(run, 0), start, state, name.partition(b"\0")[0].decode("latin-1"), changed)


def encode(item: Setup | Neutron | Parameters) -> bytes:
    """Write a packet of version 1.0; its padding is zero."""
    match item:
        case Setup(run, start, state, name, changed):
            body = _SETUP.pack(changed, SETUP_BYTES, start, run, state, name.encode("ascii", "replace")[:31])
            return pack_header(PacketType.SETUP) + bytes(4) + body
        case Parameters(blocks):
            data = b"".join(map(encode_block, blocks))
            data += bytes(-len(data) % 4)
            return pack_header(PacketType.PARAMETERS) + struct.pack("<I", len(data)) + data
        case Neutron():
            events = np.empty((len(item.tof), 2), "<u4")
            events[:, 0] = np.ascontiguousarray(item.tof, "<f4").view("<u4")
            events[:, 1] = item.spectrum
            head = _NEUTRON.pack(
                NEUTRON_BYTES, item.frame, item.period, item.charge, item.frame_time, events.nbytes // EVENT_BYTES
            )
            return pack_header(PacketType.NEUTRON) + head + events.tobytes()
