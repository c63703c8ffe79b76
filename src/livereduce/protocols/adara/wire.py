"""What every ADARA packet shares: the 16-byte header, the epoch, padding, and where event words lie in a payload.

Facts are from the ADARA server (SMS 1.8.5). All integers and doubles are little-endian; times on the wire count from
1990-01-01 UTC (the EPICS epoch), in this package from 1970-01-01 UTC.
"""

import struct
from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from livereduce.errors import ProtocolError

EPICS_EPOCH_S = 631_152_000
"""Seconds from 1970-01-01 to 1990-01-01 (UTC)."""
HEADER_BYTES = 16
PULSE_WORDS = 4
"""32-bit words of the pulse header that opens every event payload."""

BytesLike: TypeAlias = bytes | bytearray | memoryview
U32Array: TypeAlias = NDArray[np.uint32]
F64Array: TypeAlias = NDArray[np.float64]

_HEADER = struct.Struct("<4I")


class PacketType(IntEnum):
    """Packet type numbers; the names are the specification's."""

    RawEvent = 0x0000
    RTDL = 0x0001
    SourceList = 0x0002
    MappedEvent = 0x0003
    BankedEvent = 0x4000
    BeamMonitorEvent = 0x4001
    PixelMapping = 0x4002
    RunStatus = 0x4003
    RunInfo = 0x4004
    TransComplete = 0x4005
    ClientHello = 0x4006
    StreamAnnotation = 0x4007
    Sync = 0x4008
    Heartbeat = 0x4009
    Geometry = 0x400A
    BeamlineInfo = 0x400B
    DataDone = 0x400C
    BeamMonitorConfig = 0x400D
    DetectorBankSets = 0x400E
    BankedEventState = 0x4100
    PixelMappingAlt = 0x4102
    DeviceDescriptor = 0x8000
    VariableU32 = 0x8001
    VariableDouble = 0x8002
    VariableString = 0x8003
    VariableU32Array = 0x8004
    VariableDoubleArray = 0x8005
    MultVariableU32 = 0x8101
    MultVariableDouble = 0x8102
    MultVariableString = 0x8103
    MultVariableU32Array = 0x8104
    MultVariableDoubleArray = 0x8105


class FramingError(ProtocolError):
    """An outer packet length is not a multiple of 4: packet boundaries are lost, only a new connection helps."""


class MalformedError(ProtocolError):
    """The inner structure of one packet contradicts its length; that packet alone is dropped."""


def peek_header(buffer: BytesLike, offset: int = 0) -> tuple[int, int, int, int, int]:
    """Read the header at `offset`, of which all 16 bytes must be there.

    Returns
    -------
    tuple of int
        Payload length in bytes (without the header), type, version, EPICS seconds, nanoseconds.
    """
    length, form, seconds, nanoseconds = _HEADER.unpack_from(buffer, offset)
    return length, form >> 8, form & 0xFF, seconds, nanoseconds


def packet_size(data: BytesLike) -> int | None:
    """Give the size of the packet that `data` begin with, header included; None while they do not tell."""
    return HEADER_BYTES + peek_header(data)[0] if len(data) >= HEADER_BYTES else None


def pack_header(length: int, type_: int, version: int, time_ns: int) -> bytes:
    """Write a header; `time_ns` is Unix time and must lie in the 136 years from 1990 that the wire can say."""
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    return _HEADER.pack(length, type_ << 8 | version, seconds - EPICS_EPOCH_S, nanoseconds)


def unix_ns(seconds: int, nanoseconds: int = 0) -> int:
    """Convert EPICS seconds and nanoseconds to Unix nanoseconds."""
    return (seconds + EPICS_EPOCH_S) * 1_000_000_000 + nanoseconds


def epics_seconds(time_ns: int) -> int:
    """Convert Unix nanoseconds to whole EPICS seconds, rounded down: what run starts and hellos are written in."""
    return time_ns // 1_000_000_000 - EPICS_EPOCH_S


def padded(data: bytes) -> bytes:
    """Follow `data` by NULs up to the next multiple of 4."""
    return data + bytes(-len(data) % 4)


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return `array`, closed for writing."""
    array.flags.writeable = False
    return array


class Layout(NamedTuple):
    """Where the parts of an event payload lie, in 32-bit words from the payload's start."""

    source: NDArray[np.int64]
    section: NDArray[np.int64]
    event: NDArray[np.int64]
    size: int


def banked_layout(banks_per_source: NDArray[np.int64], events_per_bank: NDArray[np.int64], bank_words: int) -> Layout:
    """Lay out source sections (4 words), bank sections (`bank_words` words) and their events (2 words)."""
    n_sources, n_banks = len(banks_per_source), len(events_per_bank)
    first_bank = _starts(banks_per_source)
    before = _starts(events_per_bank)
    source_of_bank = np.repeat(np.arange(n_sources), banks_per_source)
    section = PULSE_WORDS + 4 * (source_of_bank + 1) + bank_words * np.arange(n_banks) + 2 * before[:-1]
    source = PULSE_WORDS + 4 * np.arange(n_sources) + bank_words * first_bank[:-1] + 2 * before[first_bank[:-1]]
    event = np.repeat(section + bank_words - 2 * before[:-1], events_per_bank) + 2 * np.arange(before[-1])
    return Layout(source, section, event, PULSE_WORDS + 4 * n_sources + bank_words * n_banks + 2 * int(before[-1]))


def monitor_layout(events_per_section: NDArray[np.int64]) -> Layout:
    """Lay out monitor sections (3 words) and their events (1 word)."""
    n_sections = len(events_per_section)
    before = _starts(events_per_section)
    section = PULSE_WORDS + 3 * np.arange(n_sections) + before[:-1]
    event = np.repeat(section + 3 - before[:-1], events_per_section) + np.arange(before[-1])
    return Layout(section, section, event, PULSE_WORDS + 3 * n_sections + int(before[-1]))


def _starts(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    starts = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts
