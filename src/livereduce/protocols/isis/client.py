"""Talking to a DAE's command port: one request, one reply, and what a reply has to look like.

A conversation is a generator that yields a `Request` and is sent the reply; it knows no socket, so that it can be held
with a server object in a test. Whatever a server says that it was not asked for is a `CommandError`: after it only a
new connection helps.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from livereduce.protocols.isis.command import Block, CommandError, DataType, Open, block, encode_block, encode_open

T = TypeVar("T")

TEXT_BYTES = 1024
OK = "OK"


@dataclass(frozen=True, slots=True)
class Request:
    """Bytes to send, and what is known of the reply.

    Attributes
    ----------
    most
        Bytes of data the reply may have.
    optional
        The parameter's name if the server need not know it: some servers close the connection then.
    """

    data: bytes
    most: int
    optional: str = ""


Conversation: TypeAlias = Generator[Request, Block, T]


class ReplyError(CommandError):
    """A reply that is none to what was asked."""


def opening(message: Open | None = None) -> Conversation[None]:
    """Open the connection; a server that refuses closes it, or answers with anything but OK."""
    reply = yield Request(encode_open(message or Open()), TEXT_BYTES)
    if reply.command != OK:
        raise ReplyError(f"the data acquisition refused the connection: it answered {reply.command!r}, expected {OK!r}")


def parameter(name: str, kind: DataType, most: int, *, optional: bool = False) -> Conversation[Block]:
    """Ask for a parameter of at most `most` values; the reply has no data where the server does not know it."""
    request = encode_block(block(f"GETPAR{kind.code}", name))
    reply = yield Request(request, most * kind.dtype.itemsize, name if optional else "")
    if reply.command != OK:
        raise ReplyError(f"{name}: the data acquisition answered {reply.command!r}, expected {OK!r}")
    if reply.data and reply.type is not kind:
        raise ReplyError(f"{name}: found {reply.type.name} data, expected {kind.name}")
    if reply.data and int(np.prod(reply.dims, dtype=np.float64)) != len(reply.data) // kind.dtype.itemsize:
        raise ReplyError(f"{name}: dimensions {reply.dims} do not fit {len(reply.data)} bytes of {kind.name} data")
    return reply


def scalar(name: str, least: int, most: int) -> Conversation[int]:
    """Ask for an integer that has to lie in [least, most]."""
    reply = yield from parameter(name, DataType.INT32, 1)
    if len(reply.data) != 4:
        raise ReplyError(f"{name}: the data acquisition gave no value")
    value = int(reply.values[0])
    if not least <= value <= most:
        raise ReplyError(f"{name}: found {value}, expected {least} to {most}")
    return value


def array(name: str, kind: DataType, size: int) -> Conversation[NDArray[np.generic]]:
    """Ask for exactly `size` values."""
    reply = yield from parameter(name, kind, size)
    if len(reply.values) != size:
        raise ReplyError(f"{name}: found {len(reply.values)} values, expected {size}")
    return reply.values


def optional_scalar(name: str) -> Conversation[int | None]:
    """Ask for an integer the server need not know."""
    reply = yield from parameter(name, DataType.INT32, 1, optional=True)
    return int(reply.values[0]) if reply.data else None


def optional_array(name: str, kind: DataType, size: int) -> Conversation[NDArray[np.generic] | None]:
    """Ask for `size` values the server need not know; any other number of them counts as not known."""
    reply = yield from parameter(name, kind, size, optional=True)
    return reply.values if len(reply.values) == size else None


def optional_text(name: str) -> Conversation[str]:
    """Ask for a text the server need not know; empty then."""
    reply = yield from parameter(name, DataType.CHAR, TEXT_BYTES, optional=True)
    return reply.text


def counts(first: int, number: int, values: int) -> Conversation[NDArray[np.int32]]:
    """Ask for `number` spectra of `values` integers each, from index `first` on: int32[number, values].

    The dimensions of the reply are not looked at: servers state those of the first time regime for every one.
    """
    request = encode_block(block("GETDAT", [first, number]))
    reply = yield Request(request, 4 * number * values)
    if reply.command != OK or reply.type is not DataType.INT32 or len(reply.data) != 4 * number * values:
        raise ReplyError(
            f"asked for {number} spectra of {values} values from index {first}: found {reply.command!r} with"
            f" {len(reply.data)} bytes of {reply.type.name} data, expected {4 * number * values} of INT32"
        )
    return np.frombuffer(reply.data, "<i4").reshape(number, values)
