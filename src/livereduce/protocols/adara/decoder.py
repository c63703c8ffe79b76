"""The reading side: bytes in any pieces to packets, counting what had to be skipped."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from livereduce.protocols.adara.batch import EVENT_TYPES, EventBatch, decode_run
from livereduce.protocols.adara.packets import Packet
from livereduce.protocols.adara.reading import decode_payload
from livereduce.protocols.adara.wire import (
    HEADER_BYTES,
    BytesLike,
    FramingError,
    MalformedError,
    PacketType,
    peek_header,
    unix_ns,
)

MAX_PACKET_BYTES = 64 << 20
"""Default cap; a direct pixel map of a 4096 x 4096 camera exceeds 60 MB."""

_KNOWN = frozenset(PacketType)
_MAX_UNKNOWN_TYPES = 256


@dataclass(slots=True)
class DecoderStats:
    """What was met so far.

    Attributes
    ----------
    packets
        Decoded packets by type name.
    oversize
        Packets beyond the cap, skipped without being held.
    unknown
        Skipped packets by type number; types beyond the first 256 different ones count under -1.
    malformed
        Skipped packets of known type whose inner structure is wrong, by type name.
    bytes_skipped
        Bytes of all skipped packets.
    last_problem
        The latest of these in words.
    """

    packets: Counter[str] = field(default_factory=Counter)
    oversize: int = 0
    unknown: Counter[int] = field(default_factory=Counter)
    malformed: Counter[str] = field(default_factory=Counter)
    bytes_skipped: int = 0
    last_problem: str | None = None


class Decoder:
    """Turns a stream, cut anywhere, into packets.

    Parameters
    ----------
    max_packet_bytes
        Packets larger than this, header included, are skipped as they stream by; bounds what is held.
    batch_events
        Give runs of consecutive event packets (and the RTDL between them) as one `EventBatch`.

    Attributes
    ----------
    consumed
        Bytes of the stream up to the end of the last packet yielded or skipped: where to resume.
    stats
        What was met so far.
    """

    def __init__(self, max_packet_bytes: int = MAX_PACKET_BYTES, batch_events: bool = False) -> None:
        self.consumed = 0
        self.stats = DecoderStats()
        self._max_bytes = max_packet_bytes
        self._batch_events = batch_events
        self._buffer: BytesLike = b""
        self._following: BytesLike = b""
        self._held = bytearray()
        self._at = 0
        self._skip = 0  # bytes still to come of an oversize packet
        self._skipped = 0  # bytes of it that have gone by
        self._lost: str | None = None

    @property
    def pending(self) -> int:
        """Bytes held of an incomplete packet."""
        return len(self._buffer) - self._at + len(self._following)

    def feed(self, data: BytesLike) -> Iterator[Packet | EventBatch]:
        """Take more of the stream and give what is complete; exhaust the iterator before `data` changes.

        Raises
        ------
        FramingError
            A packet's outer length is not a multiple of 4. Everything before it has been given; every later call
            raises again until `restart`.
        """
        if self._lost is not None:
            raise FramingError(self._lost)
        self._keep_rest()
        view = memoryview(data)
        if not self._held:
            self._buffer = view
            return self._packets()
        # Only what completes the packet held is copied to it; the rest is read where it is.
        needed = self._needed(view)
        self._held += view[:needed]
        self._buffer, self._following = self._held, view[needed:]
        return self._packets()

    def _needed(self, view: memoryview) -> int:
        """Count the bytes that complete the packet held; an oversize packet needs no more than its header."""
        header = max(HEADER_BYTES - len(self._held), 0)
        if header > len(view):
            return len(view)
        length, *_ = peek_header(self._held + view[:header] if header else self._held, 0)
        size = HEADER_BYTES + length
        return header if size > self._max_bytes else min(max(size - len(self._held), header), len(view))

    def restart(self) -> None:
        """Forget the incomplete packet and any framing error: a new connection begins."""
        self.consumed += self.pending + self._skipped
        self._buffer, self._following, self._at = b"", b"", 0
        self._held.clear()
        self._skip = self._skipped = 0
        self._lost = None

    def _packets(self) -> Iterator[Packet | EventBatch]:
        yield from self._complete_packets()
        if len(self._following) and self._here == 0:
            self._buffer, self._following, self._at = self._following, b"", 0
            self._held = bytearray()
            yield from self._complete_packets()
        self._keep_rest()

    @property
    def _here(self) -> int:
        """Bytes of the present buffer that are still to be read."""
        return len(self._buffer) - self._at

    def _complete_packets(self) -> Iterator[Packet | EventBatch]:
        self._go_on_skipping()
        while self._here >= HEADER_BYTES:
            length, type_, version, seconds, nanoseconds = peek_header(self._buffer, self._at)
            self._check_framing(length)
            size = HEADER_BYTES + length
            if size > self._max_bytes:
                self._begin_skipping(type_, size)
            elif size > self._here:
                break
            elif self._batch_events and type_ in EVENT_TYPES:
                batch = self._next_batch()
                if batch is not None:
                    yield batch
            else:
                packet = self._next_packet(type_, version, unix_ns(seconds, nanoseconds), size)
                if packet is not None:
                    yield packet

    def _next_packet(self, type_: int, version: int, time_ns: int, size: int) -> Packet | None:
        at = self._at
        self._advance(size)
        if type_ not in _KNOWN:
            known = type_ in self.stats.unknown or len(self.stats.unknown) < _MAX_UNKNOWN_TYPES
            self.stats.unknown[type_ if known else -1] += 1
            self._count_skipped(size, f"unknown packet type {type_:#06x}")
            return None
        kind = PacketType(type_)
        payload = memoryview(self._buffer)[at + HEADER_BYTES : at + size].tobytes()
        try:
            packet = decode_payload(kind, version, time_ns, payload)
        except MalformedError as error:
            self.stats.malformed[kind.name] += 1
            self._count_skipped(size, f"malformed {kind.name}: {error}")
            return None
        self.stats.packets[kind.name] += 1
        return packet

    def _next_batch(self) -> EventBatch | None:
        run = decode_run(self._buffer, self._at, self._max_bytes)
        self._advance(run.size)
        self.stats.packets.update(run.packets)
        self.stats.malformed.update(run.malformed)
        if run.malformed:
            self._count_skipped(
                run.bytes_skipped, f"malformed {', '.join(run.malformed)}: sections outside the payload"
            )
        return run.batch

    def _check_framing(self, length: int) -> None:
        if length % 4:
            self._lost = (
                f"packet at byte {self.consumed} says its payload has {length} bytes, expected a multiple of 4; "
                "packet boundaries are lost, reconnect"
            )
            raise FramingError(self._lost)

    def _begin_skipping(self, type_: int, size: int) -> None:
        self.stats.oversize += 1
        self._count_skipped(0, f"packet of type {type_:#06x} with {size} bytes, at most {self._max_bytes} are read")
        self._skip = size
        self._go_on_skipping()

    def _go_on_skipping(self) -> None:
        gone = min(self._skip, self._here)
        self._skip -= gone
        self._skipped += gone
        self._at += gone
        self.stats.bytes_skipped += gone
        if not self._skip:
            self.consumed += self._skipped
            self._skipped = 0

    def _count_skipped(self, size: int, problem: str) -> None:
        self.stats.bytes_skipped += size
        self.stats.last_problem = problem

    def _advance(self, size: int) -> None:
        self._at += size
        self.consumed += size

    def _keep_rest(self) -> None:
        """Let go of the caller's buffer; what is incomplete is held in ours."""
        if self._buffer is self._held:
            del self._held[: self._at]
        else:
            self._held += memoryview(self._buffer)[self._at :]
        self._held += self._following
        self._buffer, self._following, self._at = self._held, b"", 0
