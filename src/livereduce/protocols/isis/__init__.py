"""The two live protocols of the ISIS data acquisition (DAE): commands and event stream; both directions, no I/O.

Commands (`command`, `client`): request and reply in lockstep, histogram memory and run parameters. Event stream
(`events`): neutron events pushed by the server.
"""

from livereduce.protocols.isis.command import (
    Block,
    BlockDecoder,
    CommandError,
    DataType,
    Open,
    block,
    decode_open,
    encode_block,
    encode_open,
)
from livereduce.protocols.isis.events import (
    TICK_NS,
    Decoder,
    DecoderStats,
    Neutron,
    NeutronBatch,
    Parameters,
    Setup,
    encode,
)
from livereduce.protocols.isis.wire import FramingError, PacketType, packet_size

__all__ = [
    "TICK_NS",
    "Block",
    "BlockDecoder",
    "CommandError",
    "DataType",
    "Decoder",
    "DecoderStats",
    "FramingError",
    "Neutron",
    "NeutronBatch",
    "Open",
    "PacketType",
    "Parameters",
    "Setup",
    "block",
    "decode_open",
    "encode",
    "encode_block",
    "encode_open",
    "packet_size",
]
