"""The little that must be known of a stream while it is written down: packet boundaries, runs, the last pulse."""

import struct

from livereduce.protocols.adara.wire import HEADER_BYTES, PacketType, peek_header, unix_ns
from livereduce.protocols.scanning import Cut, Scanned

PULSE_TYPES = frozenset(
    {PacketType.RTDL, PacketType.BankedEvent, PacketType.BeamMonitorEvent, PacketType.BankedEventState}
)
STATUS_BYTES = HEADER_BYTES + 12
"""As far as run number and run start reach into a RunStatus."""
MAX_OPENING_BYTES = 4096

_RUN = struct.Struct("<2I")


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
        The last RunStatus' own; 0, 0 between runs.
    last_pulse_ns
        Time of the last pulse in the stream (Unix ns), None before the first. Not the greatest: pulses may be a few
        ms out of order, and one wrong time must not hide all that follow.
    """

    def __init__(self, segment_bytes: int) -> None:
        self.packets = 0
        self.run = 0
        self.run_start_ns = 0
        self.last_pulse_ns: int | None = None
        self._segment_bytes = segment_bytes
        self._in_segment = 0
        self._remaining = 0  # bytes of the current packet still to come
        self._opened = False

    def feed(self, chunk: bytes | memoryview) -> Scanned:
        """Look at a chunk, which begins with the unsettled bytes of the one before."""
        cuts: list[Cut] = []
        if not self._opened:
            opening = _opening(chunk)
            if opening is None:
                return Scanned(cuts, 0, None)
            self._opened = True
            self._cut(cuts, 0, *opening)
        at, size = 0, len(chunk)
        while True:
            step = min(self._remaining, size - at)
            at += step
            self._remaining -= step
            self._in_segment += step
            if size - at < HEADER_BYTES or self._remaining:
                return Scanned(cuts, at, None)
            length, type_, _, seconds, nanoseconds = peek_header(chunk, at)
            if length % 4:
                return Scanned(cuts, at, f"a packet says its payload has {length} bytes, expected a multiple of 4")
            if type_ == PacketType.RunStatus and length >= 12:
                if size - at < STATUS_BYTES:
                    return Scanned(cuts, at, None)
                run = _run(chunk, at)
                if run != (self.run, self.run_start_ns):
                    self._cut(cuts, at, *run)
            elif type_ in PULSE_TYPES:
                self.last_pulse_ns = unix_ns(seconds, nanoseconds)
            if self._in_segment >= self._segment_bytes:
                self._cut(cuts, at, self.run, self.run_start_ns)
            self.packets += 1
            self._remaining = HEADER_BYTES + length

    def _cut(self, cuts: list[Cut], at: int, run: int, run_start_ns: int) -> None:
        self.run, self.run_start_ns = run, run_start_ns
        self._in_segment = 0
        cuts.append(Cut(at, run, run_start_ns))


def _opening(chunk: bytes | memoryview) -> tuple[int, int] | None:
    """Find the run of a stream's first packets, (0, 0) when they do not tell; None when more bytes are needed.

    A stream begins with a Sync and a RunStatus; the segment is named after the run, so the Sync waits for it.
    """
    at = 0
    while len(chunk) - at >= HEADER_BYTES:
        length, type_, *_ = peek_header(chunk, at)
        if type_ == PacketType.RunStatus and length >= 12:
            if len(chunk) - at < STATUS_BYTES:
                return None
            return _run(chunk, at)
        if type_ != PacketType.Sync or length % 4:
            return 0, 0
        at += HEADER_BYTES + length
    return None if len(chunk) < MAX_OPENING_BYTES else (0, 0)


def _run(chunk: bytes | memoryview, at: int) -> tuple[int, int]:
    run, start = _RUN.unpack_from(chunk, at + HEADER_BYTES)
    return run, unix_ns(start) if start else 0
