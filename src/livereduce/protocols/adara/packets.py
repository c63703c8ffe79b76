"""What can be said in ADARA: one frozen dataclass a packet type, with physical names and the wire's units.

Times of flight and intra-pulse times are in 100 ns, pulse charges in 10 pC, pulse energies in eV, histogram
parameters in whole µs, offsets of multiple values in ns. Encoding a decoded packet gives its bytes again; what is
not kept are padding other than NUL, NULs at the end of text, text that is not UTF-8, and the tail of versions newer
than those known here.
"""

from dataclasses import dataclass, field, fields
from enum import IntEnum, IntFlag
from typing import Any, ClassVar

import numpy as np

from livereduce.protocols.adara.wire import EPICS_EPOCH_S, F64Array, PacketType, U32Array

UNMAPPED_BANK = 0xFFFFFFFF
"""Bank of events whose pixel is not in the server's map."""
ERROR_BANK = 0xFFFFFFFE
"""Bank of events with the hardware's error bit (bit 31 of the pixel)."""
UNKNOWN_CYCLE = 0xFFFFFFFF
SYNC_SIGNATURE = b"SNSADARAORNL\x00\x00\xf0\x7f"


class PulseFlag(IntFlag):
    """Flags of an event packet; the last three exist from version 1 on."""

    ERROR_PIXELS = 0x001
    PARTIAL_DATA = 0x002
    PULSE_VETO = 0x004
    MISSING_RTDL = 0x008
    MAPPING_ERROR = 0x010
    DUPLICATE_PULSE = 0x020
    PCHARGE_UNCORRECTED = 0x040
    VETO_UNCORRECTED = 0x080
    GOT_METADATA = 0x100
    GOT_NEUTRONS = 0x200
    HAS_STATES = 0x400


class RunState(IntEnum):
    """What a `RunStatus` packet says; other numbers are kept as they are."""

    NO_RUN = 0
    NEW_RUN = 1
    RUN_EOF = 2
    RUN_BOF = 3
    END_RUN = 4
    STATE = 5
    PROLOGUE = 6


class Marker(IntEnum):
    """Kinds of `StreamAnnotation`; other numbers are kept as they are."""

    GENERIC = 0
    SCAN_START = 1
    SCAN_STOP = 2
    PAUSE = 3
    RESUME = 4
    OVERALL_RUN_COMMENT = 5
    SYSTEM = 6


class HelloFlag(IntFlag):
    """What a client asks for about paused data; SEND_PAUSE_DATA wins."""

    PAUSE_AGNOSTIC = 0
    NO_PAUSE_DATA = 1
    SEND_PAUSE_DATA = 2


class ValueStatus(IntEnum):
    """EPICS status of a variable's value (those a client acts upon)."""

    OK = 0
    UPSTREAM_DISCONNECTED = 0xFFFE
    NOT_REPORTED = 0xFFFF


@dataclass(frozen=True, slots=True, eq=False)
class Packet:
    """What every packet has.

    Attributes
    ----------
    time_ns
        The header's time, Unix ns: the pulse's time in event packets, otherwise when the content last changed, which
        may be days ago.
    version
        Format version; the newest known one unless given.
    """

    type: ClassVar[PacketType]

    time_ns: int
    version: int = field(default=0, kw_only=True)

    @property
    def pulse_id(self) -> int:
        """The header's time as the accelerator writes it: EPICS seconds << 32 | nanoseconds."""
        seconds, nanoseconds = divmod(self.time_ns, 1_000_000_000)
        return ((seconds - EPICS_EPOCH_S) << 32 | nanoseconds) & 0xFFFF_FFFF_FFFF_FFFF

    def __eq__(self, other: object) -> bool:
        """Compare field by field, arrays by their values; NaN equals NaN, for it is the same content."""
        if type(self) is not type(other):
            return NotImplemented
        return all(_same(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    __hash__ = None  # type: ignore[assignment]  # packets hold arrays


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.array_equal(a, b, equal_nan=True)
    return bool(a == b or (a != a and b != b))


# -- pulses ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class RTDL(Packet):
    """Accelerator data of one pulse, straight from the real-time data link.

    Attributes
    ----------
    data_flags
        1 neutrons, 2 metadata (0 in version 0, where these bits belong to `flavor`).
    flavor
        0 no beam, 1 target 1, 2 target 2, 3 to 5 diagnostic, 6 and 7 special physics.
    ring_period
        In ps.
    frames
        uint32[25], frame number << 24 | frame data; number 0 is unused.
    """

    type = PacketType.RTDL

    data_flags: int
    flavor: int
    charge: int
    bad_veto: bool
    bad_cycle: bool
    timing_status: int
    veto: int
    cycle: int
    intra_pulse_time: int
    corrected: bool
    tof_offset: int
    ring_period: int
    frames: U32Array
    version: int = field(default=1, kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class PulsePacket(Packet):
    """Pulse header of the event packets: charge in 10 pC, energy in eV (0 unknown), accelerator cycle."""

    charge: int
    energy: int
    cycle: int
    flags: int
    veto: int
    version: int = field(default=1, kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class BankedEvent(PulsePacket):
    """Detector events of one pulse, by source section, bank section and event, each a set of columns.

    Attributes
    ----------
    source_id, intra_pulse_time, tof_offset, corrected, banks_per_source
        One entry a source section. `tof_offset` is to be added to the times of flight unless `corrected`.
    bank_id, events_per_bank
        One entry a bank section.
    tof, pixel
        One entry an event: raw time of flight (100 ns) and logical pixel = detector ID.
    """

    type = PacketType.BankedEvent

    source_id: U32Array
    intra_pulse_time: U32Array
    tof_offset: U32Array
    corrected: np.ndarray[Any, np.dtype[np.bool_]]
    banks_per_source: U32Array
    bank_id: U32Array
    events_per_bank: U32Array
    tof: U32Array
    pixel: U32Array


@dataclass(frozen=True, slots=True, eq=False)
class BankedEventState(BankedEvent):
    """As `BankedEvent`, with a state (of polarisation, say) for each bank section; a bank may occur once a state."""

    type = PacketType.BankedEventState

    state: U32Array
    version: int = field(default=0, kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class BeamMonitorEvent(PulsePacket):
    """Beam monitor events of one pulse.

    Attributes
    ----------
    monitor_id, source_id, tof_offset, corrected, events_per_section
        One entry a monitor section; monitor IDs have 10 bits.
    event
        uint32 word of each event: bit 31 rising edge, bits 21-30 cycle, bits 0-20 time of flight (100 ns).
    """

    type = PacketType.BeamMonitorEvent

    monitor_id: U32Array
    source_id: U32Array
    tof_offset: U32Array
    corrected: np.ndarray[Any, np.dtype[np.bool_]]
    events_per_section: U32Array
    event: U32Array

    @property
    def tof(self) -> U32Array:
        """Raw times of flight, 100 ns (21 bits)."""
        return self.event & np.uint32(0x1FFFFF)


# -- run and stream --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class RunStatus(Packet):
    """Where the stream stands with respect to runs and files; run 0 is between runs.

    Attributes
    ----------
    run_start_ns
        Unix ns, a whole second; 0 when not in a run.
    status
        A `RunState`.
    paused, addendum
        Of the file, not of the run: gate on PAUSE and RESUME annotations.
    """

    type = PacketType.RunStatus

    run_number: int
    run_start_ns: int
    status: int
    file_number: int = 0
    paused: bool = False
    pause_file_number: int = 0
    addendum: bool = False
    addendum_file_number: int = 0
    version: int = field(default=1, kw_only=True)

    @property
    def in_run(self) -> bool:
        """Whether a run is on."""
        return self.run_number != 0


@dataclass(frozen=True, slots=True, eq=False)
class RunInfo(Packet):
    """XML about the run; see `xml.parse_run_info`."""

    type = PacketType.RunInfo

    xml: str


@dataclass(frozen=True, slots=True, eq=False)
class TransComplete(Packet):
    """A translation client's last word: 0 success, up to 0x7FFF transient error, above permanent error."""

    type = PacketType.TransComplete

    status: int
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ClientHello(Packet):
    """The client's only packet: from when it wants data.

    Attributes
    ----------
    start
        EPICS seconds; 0 = from now, 1 = from the start of the current container (run, or stretch between runs).
    flags
        `HelloFlag`, from version 1 on.
    """

    type = PacketType.ClientHello

    start: int
    flags: int = HelloFlag.NO_PAUSE_DATA
    version: int = field(default=1, kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class StreamAnnotation(Packet):
    """A mark in the stream: scan start and stop, pause and resume, comments."""

    type = PacketType.StreamAnnotation

    marker: int
    comment: str = ""
    scan_index: int = 0
    reset_hint: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Sync(Packet):
    """The server's mark in its own files, `file_offset` bytes from their start; carries nothing for a client."""

    type = PacketType.Sync

    file_offset: int = 0
    comment: str = ""
    signature: bytes = SYNC_SIGNATURE


@dataclass(frozen=True, slots=True, eq=False)
class Heartbeat(Packet):
    """A sign of life."""

    type = PacketType.Heartbeat


@dataclass(frozen=True, slots=True, eq=False)
class DataDone(Packet):
    """No more data (sent to translation clients)."""

    type = PacketType.DataDone


# -- the instrument --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Geometry(Packet):
    """A complete instrument definition file."""

    type = PacketType.Geometry

    xml: str


@dataclass(frozen=True, slots=True, eq=False)
class BeamlineInfo(Packet):
    """Names of the beamline; the instrument's name, as Mantid knows it, is the long one.

    Attributes
    ----------
    target_station
        As written: 0 (and everything in version 0) means target station 1.
    """

    type = PacketType.BeamlineInfo

    beamline_id: str
    short_name: str
    long_name: str
    target_station: int = 1
    version: int = field(default=1, kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class MonitorConfig:
    """How the translation would histogram a monitor: µs, µs, µs, m; format 1 events, 2 histogram (v0: always)."""

    monitor_id: int
    tof_offset_us: int
    tof_max_us: int
    bin_us: int
    distance_m: float
    format: int = 2

    __eq__ = Packet.__eq__
    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True, eq=False)
class BeamMonitorConfig(Packet):
    """Configuration only; monitor data always arrive as events."""

    type = PacketType.BeamMonitorConfig

    monitors: tuple[MonitorConfig, ...]
    version: int = field(default=1, kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class BankSet:
    """A named set of banks; flags 1 events, 2 histogram; throttle rate in Hz, 0 = none."""

    name: str
    flags: int
    bank_ids: U32Array
    tof_offset_us: int
    tof_max_us: int
    bin_us: int
    throttle_hz: float = 0.0
    suffix: str = ""

    __eq__ = Packet.__eq__
    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True, eq=False)
class DetectorBankSets(Packet):
    """Sets of detector banks that are translated alike."""

    type = PacketType.DetectorBankSets

    sets: tuple[BankSet, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PixelList:
    """Pixels base, base + 1, … of one bank, and what each is mapped to."""

    base: int
    bank_id: int
    pixels: U32Array

    __eq__ = Packet.__eq__
    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class PixelRange:
    """`count` pixels of one bank: physical and logical IDs step from start to stop (inclusive) together."""

    bank_id: int
    count: int
    physical_start: int
    physical_stop: int
    physical_step: int
    logical_start: int
    logical_stop: int
    logical_step: int


@dataclass(frozen=True, slots=True, eq=False)
class PixelMapping(Packet):
    """Deprecated pixel map: each list's base is *logical*, its pixels are physical."""

    type = PacketType.PixelMapping

    sections: tuple[PixelList, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PixelMappingAlt(Packet):
    """Pixel map: each list's base is *physical*, its pixels are logical; ranges exist from version 1 on."""

    type = PacketType.PixelMappingAlt

    n_banks: int
    sections: tuple[PixelList | PixelRange, ...]
    version: int = field(default=1, kw_only=True)


# -- devices and their variables -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class DeviceDescriptor(Packet):
    """Declares a device's variables in XML; see `xml.parse_device_descriptor`. IDs hold for one connection."""

    type = PacketType.DeviceDescriptor

    device_id: int
    xml: str


@dataclass(frozen=True, slots=True, eq=False)
class VariablePacket(Packet):
    """Which variable has a new value: (device ID, variable ID), with EPICS status and severity."""

    device_id: int
    variable_id: int
    status: int
    severity: int


@dataclass(frozen=True, slots=True, eq=False)
class VariableU32(VariablePacket):
    """An integer, enumeration or boolean; signed ones as two's complement."""

    type = PacketType.VariableU32

    value: int


@dataclass(frozen=True, slots=True, eq=False)
class VariableDouble(VariablePacket):
    """A float64."""

    type = PacketType.VariableDouble

    value: float


@dataclass(frozen=True, slots=True, eq=False)
class VariableString(VariablePacket):
    """A text."""

    type = PacketType.VariableString

    value: str


@dataclass(frozen=True, slots=True, eq=False)
class VariableU32Array(VariablePacket):
    """A list of integers."""

    type = PacketType.VariableU32Array

    value: U32Array


@dataclass(frozen=True, slots=True, eq=False)
class VariableDoubleArray(VariablePacket):
    """A list of float64."""

    type = PacketType.VariableDoubleArray

    value: F64Array


@dataclass(frozen=True, slots=True, eq=False)
class MultVariablePacket(VariablePacket):
    """Many values of one variable in one pulse.

    Attributes
    ----------
    offset
        uint32, ns from the header's time, one entry a value.
    """

    offset: U32Array


@dataclass(frozen=True, slots=True, eq=False)
class MultVariableU32(MultVariablePacket):
    """Integers."""

    type = PacketType.MultVariableU32

    values: U32Array


@dataclass(frozen=True, slots=True, eq=False)
class MultVariableDouble(MultVariablePacket):
    """Float64 values."""

    type = PacketType.MultVariableDouble

    values: F64Array


@dataclass(frozen=True, slots=True, eq=False)
class MultVariableString(MultVariablePacket):
    """Texts."""

    type = PacketType.MultVariableString

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class MultVariableU32Array(MultVariablePacket):
    """Lists of integers."""

    type = PacketType.MultVariableU32Array

    values: tuple[U32Array, ...]


@dataclass(frozen=True, slots=True, eq=False)
class MultVariableDoubleArray(MultVariablePacket):
    """Lists of float64."""

    type = PacketType.MultVariableDoubleArray

    values: tuple[F64Array, ...]


# -- not for clients -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class DetectorSidePacket(Packet):
    """From a detector to the server, never sent to a client: the payload is kept as it is."""

    payload: bytes


@dataclass(frozen=True, slots=True, eq=False)
class RawEvent(DetectorSidePacket):
    """Events with physical pixel IDs."""

    type = PacketType.RawEvent
    version: int = field(default=1, kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class MappedEvent(DetectorSidePacket):
    """Events with logical pixel IDs."""

    type = PacketType.MappedEvent
    version: int = field(default=1, kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class SourceList(DetectorSidePacket):
    """A list of uint32 source IDs."""

    type = PacketType.SourceList
