"""Ways in which a simulated DAE can go wrong on purpose: replies of the command port, packets of the event stream."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from livereduce.protocols.isis import PacketType
from livereduce.protocols.isis.command import HEADER_BYTES
from livereduce.protocols.isis.wire import pack_header

# -- the command port --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CommandChaos:
    """Which faults to commit; a number N means in every N-th reply."""

    refuse_open: bool = False
    bad_open: bool = False
    truncate: int = 0
    overlong: int = 0
    short: int = 0
    empty: int = 0
    wrong_type: int = 0
    unknown_type: int = 0
    wrong_length: int = 0
    negative_length: int = 0
    huge: int = 0
    negative_dims: int = 0
    many_dims: int = 0
    wrong_dims: int = 0
    not_ok: int = 0
    garbage: int = 0
    chatter: int = 0
    close: int = 0
    reset: int = 0
    silent: int = 0
    close_on_unknown: bool = False
    split_writes: bool = False


COMMAND_HELP = {
    "refuse-open": "close the connection when it is opened",
    "bad-open": "answer the open message with something else than OK",
    "truncate=N": "every N-th reply ends in its middle, and the connection with it",
    "overlong=N": "every N-th reply holds more than was asked for, and says so",
    "short=N": "every N-th reply holds less than was asked for, and says so",
    "empty=N": "every N-th reply holds no data, as for an unknown parameter",
    "wrong-type=N": "every N-th reply says it holds float64 numbers",
    "unknown-type=N": "every N-th reply says it holds data of type 99",
    "wrong-length=N": "every N-th reply says it is a byte shorter than it is",
    "negative-length=N": "every N-th reply says its length is -1",
    "huge=N": "every N-th reply says it holds 2 GB",
    "negative-dims=N": "every N-th reply has a dimension of -1",
    "many-dims=N": "every N-th reply says it has 200 dimensions",
    "wrong-dims=N": "every N-th reply has dimensions that do not fit its data",
    "not-ok=N": "every N-th reply has another command than OK",
    "garbage=N": "every N-th reply is random bytes",
    "chatter=N": "every N-th reply comes twice",
    "close=N": "close the connection in place of every N-th reply",
    "reset=N": "reset the connection in place of every N-th reply",
    "silent=N": "every N-th reply never comes, the connection stays",
    "close-on-unknown": "close the connection when asked for an unknown parameter, as some servers do",
    "split-writes": "send replies in pieces of 1 to 200 bytes",
}
"""What each switch of the command line does."""


def _with_int(reply: bytes, offset: int, value: int) -> bytes:
    return reply[:offset] + struct.pack("<i", value) + reply[offset + 4 :]


def _resized(reply: bytes, data: bytes) -> bytes:
    """Give a reply other data, with a length and a single dimension that fit them."""
    (kind,) = struct.unpack_from("<i", reply, 4)
    size = {2: 4, 1: 4, 3: 8}.get(kind, 1)
    head = struct.pack("<14i", HEADER_BYTES + len(data), kind, 1, len(data) // size, *[0] * 10)
    return head + reply[56:HEADER_BYTES] + data


MANGLED: Mapping[str, Callable[[bytes], bytes]] = {
    "truncate": lambda reply: reply[: max(1, len(reply) // 2)],
    "overlong": lambda reply: _resized(reply, reply[HEADER_BYTES:] + bytes(4096)),
    "short": lambda reply: _resized(reply, reply[HEADER_BYTES : HEADER_BYTES + max(0, len(reply) - HEADER_BYTES - 8)]),
    "empty": lambda _: struct.pack("<14i32s", HEADER_BYTES, *[0] * 13, b"OK"),
    "wrong_type": lambda reply: _with_int(reply, 4, 3),
    "unknown_type": lambda reply: _with_int(reply, 4, 99),
    "wrong_length": lambda reply: _with_int(reply, 0, len(reply) - 1),
    "negative_length": lambda reply: _with_int(reply, 0, -1),
    "huge": lambda reply: _with_int(reply, 0, (1 << 31) - 8),
    "negative_dims": lambda reply: _with_int(reply, 12, -1),
    "many_dims": lambda reply: _with_int(reply, 8, 200),
    "wrong_dims": lambda reply: _with_int(reply, 12, 7),
    "not_ok": lambda reply: reply[:56] + b"NO".ljust(32, b"\0") + reply[HEADER_BYTES:],
    "garbage": lambda reply: np.random.default_rng(len(reply)).bytes(len(reply)),
    "chatter": lambda reply: reply + reply,
}
"""Fault -> what it makes of a reply; `close`, `reset` and `silent` are the server's."""


def fault_of(chaos: CommandChaos, reply_number: int) -> str | None:
    """Choose the fault, if any, of the n-th reply (from 1)."""
    for name in (*MANGLED, "close", "reset", "silent"):
        every = getattr(chaos, name)
        if every and reply_number % every == 0:
            return name
    return None


# -- the event stream --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EventChaos:
    """Which faults to commit; numbers are seconds, or how often."""

    split_writes: bool = False
    stall: float = 0.0
    cut_every: float = 0.0
    close_mid_packet: int = 0
    half_open: float = 0.0
    no_commands: bool = False
    unknown_types: bool = False
    grown_headers: bool = False
    same_setup: bool = False
    odd_values: bool = False
    interleaved: bool = False
    bad_marker: float = 0.0
    bad_version: float = 0.0
    short_header: float = 0.0
    oversize: float = 0.0
    bad_setup: float = 0.0


EVENT_HELP = {
    "split-writes": "send in pieces of 1 to 200 bytes",
    "stall=SECONDS": "every 10 s send nothing for SECONDS",
    "cut-every=SECONDS": "close every connection when it is SECONDS old",
    "close-mid-packet=N": "N times, 2 s apart, close a connection in the middle of a packet",
    "half-open=SECONDS": "say nothing any more on a connection that is SECONDS old, and keep it",
    "no-commands": "do not listen on the command port",
    "unknown-types": "sample environment packets and packets of types that do not exist, every half second",
    "grown-headers": "headers of a later minor version, longer than today's",
    "same-setup": "send the present Setup again every half second",
    "odd-values": "events of times of flight, spectra and periods that cannot be, every half second (they count)",
    "interleaved": "packets of neighbouring frames in mixed order",
    "bad-marker=SECONDS": "a packet without its markers on a connection that is SECONDS old",
    "bad-version=SECONDS": "a packet of version 2.0 then",
    "short-header=SECONDS": "a packet whose header says it has 8 bytes then",
    "oversize=SECONDS": "a packet that says it holds 4294967295 events then",
    "bad-setup=SECONDS": "a Setup whose body says it has 4 bytes then",
}
"""What each switch of the command line does."""

POISON: Mapping[str, bytes] = {
    "bad_marker": bytes(44),
    "bad_version": pack_header(PacketType.NEUTRON, version=0x00020000) + bytes(24),
    "short_header": pack_header(PacketType.NEUTRON, length=8) + bytes(24),
    "oversize": pack_header(PacketType.NEUTRON) + struct.pack("<3I2fI", 24, 0, 0, 0.0, 0.0, 0xFFFFFFFF),
    "bad_setup": pack_header(PacketType.SETUP) + struct.pack("<I2Iq2i32s", 0, 0, 4, 0, 0, 0, b""),
}
"""Packets behind which nothing can be read on that connection."""


def unknown_packets() -> bytes:
    """Packets whose length nothing tells: the sample environment placeholder, and a type nobody has heard of."""
    return pack_header(PacketType.SAMPLE_ENVIRONMENT) + struct.pack("<f", 1.5) + pack_header(77) + bytes(range(100))


def grown(packet: bytes) -> bytes:
    """Give a Neutron packet the longer headers of a later minor version."""
    return (
        pack_header(PacketType.NEUTRON, 28, 0x00010003)
        + b"GROWTH!!"
        + struct.pack("<I", 32)
        + packet[24:44]
        + (b"AND MORE" + packet[44:])
    )
