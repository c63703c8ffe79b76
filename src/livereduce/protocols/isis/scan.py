"""The little that must be known of an ISIS event stream while it is written down: packet boundaries, runs, frames."""

import struct

from livereduce.protocols.isis.wire import (
    HEADER_BYTES,
    KNOWN,
    MAX_SKIP_BYTES,
    FramingError,
    Head,
    PacketType,
    find_packet,
    peek,
    pulse_time_ns,
    read_run,
)
from livereduce.protocols.scanning import Cut, Scanned

_FRAME_TIME = struct.Struct("<f")


class Scan:
    """Follows one connection's stream from its first byte.

    Parameters
    ----------
    segment_bytes
        Cut at the first packet boundary at which a segment has this size, whatever the run.

    Attributes
    ----------
    packets
        Packets begun.
    run, run_start_ns
        The last Setup's own; 0, 0 before one.
    last_pulse_ns
        Time of the last frame in the stream (Unix ns), None before the first.
    """

    def __init__(self, segment_bytes: int) -> None:
        self.packets = 0
        self.run = 0
        self.run_start_ns = 0
        self.last_pulse_ns: int | None = None
        self._segment_bytes = segment_bytes
        self._in_segment = 0
        self._opened = False
        self._remaining = 0  # bytes of the current packet still to come
        self._skipped: int | None = None  # bytes gone by since a packet of unknown type began

    def feed(self, chunk: bytes | memoryview) -> Scanned:
        """Look at a chunk, which begins with the unsettled bytes of the one before."""
        cuts: list[Cut] = []
        at = 0
        while True:
            at += self._pass(min(self._remaining, len(chunk) - at))
            if self._remaining:
                return Scanned(cuts, at, None)
            try:
                at += self._skip(chunk, at)
                head = peek(chunk, at)
            except FramingError as error:
                return Scanned(cuts, at, str(error))
            if head is None or head.need or (head.type == PacketType.SETUP and head.size > len(chunk) - at):
                return Scanned(cuts, at, None)
            self._begin(chunk, at, head, cuts)

    def _pass(self, step: int) -> int:
        self._remaining -= step
        self._in_segment += step
        return step

    def _skip(self, chunk: bytes | memoryview, at: int) -> int:
        """Pass over what follows a packet of unknown type, up to where a packet begins."""
        if self._skipped is None:
            return 0
        step = find_packet(chunk, at) - at
        self._skipped += step
        self._in_segment += step
        if self._skipped > MAX_SKIP_BYTES:
            raise FramingError(f"no packet within {MAX_SKIP_BYTES} bytes of one of unknown type")
        if len(chunk) - at - step >= HEADER_BYTES:
            self._skipped = None
        return step

    def _begin(self, chunk: bytes | memoryview, at: int, head: Head, cuts: list[Cut]) -> None:
        if head.type == PacketType.SETUP:
            run = read_run(chunk, at + head.body)
        else:
            run = self.run, self.run_start_ns
        if not self._opened or run != (self.run, self.run_start_ns) or self._in_segment >= self._segment_bytes:
            self.run, self.run_start_ns = run
            self._opened, self._in_segment = True, 0
            cuts.append(Cut(at, *run))
        if head.type == PacketType.NEUTRON:
            (frame_time,) = _FRAME_TIME.unpack_from(chunk, at + head.body + 16)
            self.last_pulse_ns = pulse_time_ns(self.run_start_ns, frame_time)
        self.packets += 1
        self._remaining = head.size
        if head.type not in KNOWN:
            self._skipped = 0
