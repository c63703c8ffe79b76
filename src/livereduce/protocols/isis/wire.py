"""The ISIS event stream's packets, as far as their boundaries go: header, growth rules, what is no stream at all.

All numbers are little-endian; every field is 4 bytes wide but for the run start in a Setup. Both the recorder's scan
and the decoder find packets by `peek`, so they cannot disagree.
"""

import struct
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from livereduce.errors import ProtocolError

BytesLike: TypeAlias = bytes | bytearray | memoryview

MARKER = 0xFFFFFFFF
MARKERS = b"\xff" * 8
VERSION = 0x00010000
"""Version 1.0, the major number in the upper half."""
HEADER_BYTES = 20
NEUTRON_BYTES = 24
"""The second header of a Neutron packet."""
SETUP_BYTES = 56
"""The body of a Setup, which holds a 64-bit integer and so lies at a multiple of 8."""
EVENT_BYTES = 8
MAX_HEADER_BYTES = 4096
"""Headers may grow with minor versions; one that says it is longer than this is no header."""
MAX_PACKET_BYTES = 64 << 20
MAX_SKIP_BYTES = 1 << 20
"""So far is looked for the next packet behind one of unknown type, whose length nothing tells."""

_HEADER = struct.Struct("<5I")
_U32 = struct.Struct("<I")
_RUN = struct.Struct("<qi")
NS = 1_000_000_000
LATEST_START_S = 1 << 33
"""The year 2242; a run that starts later is no run."""
LONGEST_RUN_S = 1e8


class PacketType(IntEnum):
    """Packet types; `PARAMETERS` is ours alone."""

    SETUP = 1
    NEUTRON = 2
    SAMPLE_ENVIRONMENT = 3
    PARAMETERS = 0x4C520001
    """What the command port said when the stream began; the recorder puts it into the journal behind each Setup."""


KNOWN = frozenset({PacketType.SETUP, PacketType.NEUTRON, PacketType.PARAMETERS})


_NEEDED = {PacketType.SETUP: 20, PacketType.NEUTRON: NEUTRON_BYTES, PacketType.PARAMETERS: 4}
"""Bytes of a body that tell its size and whether it makes sense."""


class FramingError(ProtocolError):
    """What comes is not, or no longer, an event stream: packet boundaries are lost, only a new connection helps."""


class Head(NamedTuple):
    """Where a packet's parts lie, in bytes from its beginning.

    Attributes
    ----------
    body
        First byte behind the packet header, padding and growth included.
    need
        Bytes that must be there before `size` is known; 0 = it is.
    size
        Bytes of the whole packet, 0 while unknown. For a type that is not known: those every header has, for where the
        next packet begins has to be looked for, and what a damaged one says of its length is not believed.
    """

    type: int
    body: int
    need: int
    size: int


def peek(buffer: BytesLike, at: int = 0, max_packet_bytes: int = MAX_PACKET_BYTES) -> Head | None:
    """Read the header of the packet at byte `at`; None while fewer than its 20 bytes are there.

    Raises
    ------
    FramingError
        These bytes begin no packet of a stream we can read.
    """
    available = len(buffer) - at
    if available < HEADER_BYTES:
        return None
    first, second, version, length, kind = _HEADER.unpack_from(buffer, at)
    if (first, second) != (MARKER, MARKER):
        raise FramingError(f"a packet begins with {first:#010x} {second:#010x}; expected {MARKER:#010x} twice")
    if version >> 16 != VERSION >> 16:
        raise FramingError(f"a packet has version {version >> 16}.{version & 0xFFFF}; version 1 can be read")
    _check_length("packet header", length, HEADER_BYTES)
    if kind == 0:
        raise FramingError("a packet has type 0, which is invalid")
    if kind not in KNOWN:
        return Head(kind, HEADER_BYTES, 0, HEADER_BYTES)
    body = -(-length // 8) * 8 if kind == PacketType.SETUP else length
    need = body + _NEEDED[PacketType(kind)]
    if available < need:
        return Head(kind, body, need, 0)
    size = body + _body_bytes(buffer, at + body, kind)
    if size > max_packet_bytes:
        raise FramingError(
            f"a {PacketType(kind).name} packet says it has {size} bytes; at most {max_packet_bytes} are read"
        )
    return Head(kind, body, 0, size)


def packet_size(data: BytesLike) -> int | None:
    """Give the size of the packet that `data` begin with; None while they do not tell.

    Where no packet begins (behind one of unknown type) it is all there is.
    """
    try:
        head = peek(data)
    except FramingError:
        return len(data)
    return None if head is None or head.need else head.size


def _body_bytes(buffer: BytesLike, body: int, kind: int) -> int:
    (first,) = _U32.unpack_from(buffer, body)
    if kind == PacketType.SETUP:
        (length,) = _U32.unpack_from(buffer, body + 4)
        _check_length("Setup body", length, SETUP_BYTES)
        read_run(buffer, body)
        return int(length)
    if kind == PacketType.PARAMETERS:
        return 4 + int(first)
    _check_length("neutron header", first, NEUTRON_BYTES)
    (events,) = _U32.unpack_from(buffer, body + 20)
    return int(first) + EVENT_BYTES * int(events)


def read_run(buffer: BytesLike, body: int) -> tuple[int, int]:
    """Read run number and run start (Unix ns) of the Setup whose body begins at byte `body`.

    A negative run number means no run.

    Raises
    ------
    FramingError
        The start is no time of this or the next century.
    """
    start, run = _RUN.unpack_from(buffer, body + 8)
    if not 0 <= start < LATEST_START_S:
        raise FramingError(f"a Setup says its run starts {start} s after 1970")
    return max(int(run), 0), int(start) * NS


def pulse_time_ns(run_start_ns: int, frame_time: float) -> int:
    """Give the time of a frame, Unix ns; one that cannot be counts as the run's start."""
    return run_start_ns + (int(frame_time * 1e9) if 0 <= frame_time < LONGEST_RUN_S else 0)


def _check_length(what: str, length: int, least: int) -> None:
    if not least <= length <= MAX_HEADER_BYTES or length % 4:
        raise FramingError(
            f"a {what} says it has {length} bytes; expected a multiple of 4 from {least} to {MAX_HEADER_BYTES}"
        )


def find_packet(buffer: BytesLike, at: int) -> int:
    """Find where a known packet may begin, from byte `at` on; else how far there can be none.

    Only a whole header is believed: eight bytes of 0xFF may well occur inside a packet that is skipped.
    """
    view = bytes(memoryview(buffer)[at:])
    found = view.find(MARKERS)
    while found >= 0 and len(view) - found >= HEADER_BYTES:
        _, _, version, length, kind = _HEADER.unpack_from(view, found)
        if version >> 16 == VERSION >> 16 and HEADER_BYTES <= length <= MAX_HEADER_BYTES and kind in KNOWN:
            return at + found
        found = view.find(MARKERS, found + 1)
    if found >= 0:
        return at + found
    return at + max(0, len(view) - len(MARKERS) + 1)


def pack_header(kind: int, length: int = HEADER_BYTES, version: int = VERSION) -> bytes:
    """Write a packet header."""
    return _HEADER.pack(MARKER, MARKER, version, length, kind)
