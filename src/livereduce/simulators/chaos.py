"""Ways in which the stream and the connection can go wrong on purpose; the truth stays exact in all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from livereduce.errors import LiveReduceError
from livereduce.protocols.adara import EPICS_EPOCH_S, DeviceDescriptor, Geometry, PacketType, PulseFlag, RunInfo, encode

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

OVERSIZE_BYTES = 72 << 20
SHORT_RUN_S = 0.2
UNKNOWN_TYPE = 0x4F00


@dataclass(frozen=True, slots=True)
class Chaos:
    """Which faults to commit; numbers are seconds, or how often.

    A duplicate pulse has the pulse ID of the one before, but events of its own and no charge: both count. A malformed
    packet is not counted as sent.
    """

    split_writes: bool = False
    stall: float = 0.0
    close_mid_packet: int = 0
    cut_every: float = 0.0
    unknown_types: bool = False
    oversize: bool = False
    bad_xml: bool = False
    backwards_time: bool = False
    duplicate_pulses: bool = False
    malformed: bool = False
    short_run: bool = False


HELP = {
    "split-writes": "send in pieces of 1 to 200 bytes",
    "stall=SECONDS": "every 10 s send nothing to anybody for SECONDS",
    "close-mid-packet=N": "N times, 2 s apart, close a connection in the middle of a packet",
    "cut-every=SECONDS": "close every connection when it is SECONDS old",
    "unknown-types": "packets of types that do not exist, every half second",
    "oversize": "one packet of 72 MB at the start of each run",
    "bad-xml": "descriptors, run info and geometry with broken XML before the good ones",
    "backwards-time": "every 50th pulse comes after its successor",
    "duplicate-pulses": "every 40th pulse ID comes twice, with other events (which count) and no charge",
    "malformed": "event packets whose inner lengths overrun them, once a second (not counted as sent)",
    "short-run": "the first run lasts only 0.2 s",
}
"""What each switch of the command line does."""


def chaos_from(switches: tuple[str, ...]) -> Chaos:
    """Read switches of the ADARA server; see `read_switches`."""
    return read_switches(Chaos, HELP, switches)


def read_switches(kind: type[T], texts: Mapping[str, str], switches: tuple[str, ...]) -> T:
    """Read switches as given on the command line, such as ``split-writes`` or ``stall=2``.

    Parameters
    ----------
    kind
        The dataclass of what can be chosen.
    texts
        What each switch does, by how it is written.

    Raises
    ------
    LiveReduceError
        A switch that does not exist, or whose number is missing, wrong or not wanted.
    """
    types = {field.name: type(field.default) for field in fields(kind)}
    chosen: dict[str, Any] = {}
    for switch in switches:
        name, equals, value = switch.partition("=")
        key = name.replace("-", "_")
        if key not in types:
            raise LiveReduceError(f"--chaos {switch}: no such switch; there are {', '.join(texts)}")
        wants_number = types[key] is not bool
        if wants_number != bool(equals):
            wanted = next(text for text in texts if text.partition("=")[0] == name)
            raise LiveReduceError(f"--chaos {switch}: write it as {wanted}")
        chosen[key] = _number(switch, value, types[key]) if wants_number else True
    return kind(**chosen)


def _number(switch: str, value: str, kind: type) -> float:
    try:
        number = kind(value)
    except ValueError:
        number = 0
    if number <= 0:
        raise LiveReduceError(f"--chaos {switch}: {value!r} should be a positive {kind.__name__}")
    return float(number) if kind is float else int(number)


def _raw(type_: int, time_ns: int, payload: bytes) -> bytes:
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    head = np.array([len(payload), type_ << 8, seconds - EPICS_EPOCH_S, nanoseconds], dtype="<u4")
    return head.tobytes() + payload


def unknown_packets(time_ns: int) -> bytes:
    """Packets nobody has heard of, one of them without payload."""
    return _raw(UNKNOWN_TYPE, time_ns, bytes(range(64))) + _raw(UNKNOWN_TYPE + 1, time_ns, b"")


def oversize_packet(time_ns: int) -> list[bytes]:
    """Pixel map beyond every sensible cap, header and body apart."""
    body = bytes(OVERSIZE_BYTES)
    return [_raw(PacketType.PixelMappingAlt, time_ns, body)[:16], body]


def broken_xml(time_ns: int, in_run: bool) -> bytes:
    """Well-framed packets whose XML does not parse, is not what it should be, or is empty."""
    packets = [
        DeviceDescriptor(time_ns, 77, "<nonsense></nonsense>"),
        DeviceDescriptor(time_ns, 78, ""),
        DeviceDescriptor(time_ns, 79, "<device><process_variables><process_variable><pv_name>x"),
        Geometry(time_ns, "<instrument><component"),
    ]
    info = [RunInfo(time_ns, "<runinfo><run_title>&nbsp;")] if in_run else []
    return b"".join(map(encode, [*packets, *info]))


def malformed_packet(time_ns: int) -> bytes:
    """Event packet which claims a thousand events and has one."""
    words = [0, 0, 0, PulseFlag.GOT_NEUTRONS, 1, 0, 0x80000000, 1, 1, 1000, 150_000, 15_000]
    return _raw(PacketType.BankedEvent, time_ns, np.array(words, dtype="<u4").tobytes())
