"""The ISIS data acquisition's command protocol (ISISDS): the open message and the blocks both sides exchange.

After a 120-byte open message from the client everything, in both directions, is a `Block`: 88 bytes of header and
data. All numbers are little-endian memory images of C structs. Does not cover: what to ask and in which order
(`client`), sockets.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from livereduce.errors import ProtocolError
from livereduce.protocols.isis.wire import BytesLike

OPEN_BYTES = 120
HEADER_BYTES = 88
MAX_DIMS = 11
MAX_COMMAND = 31
MAJOR, MINOR = 1, 1

_OPEN = struct.Struct("<6i32s64s")
_HEADER = struct.Struct("<3i11i32s")


class DataType(IntEnum):
    """What the data of a block are."""

    NONE = 0
    INT32 = 1
    REAL32 = 2
    REAL64 = 3
    CHAR = 4

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """As numpy has it, little-endian."""
        return _DTYPES[self]

    @property
    def code(self) -> str:
        """The three characters that end a GETPAR command."""
        return _CODES[self]


_DTYPES: dict[DataType, np.dtype[np.generic]] = {
    DataType.NONE: np.dtype("u1"),
    DataType.INT32: np.dtype("<i4"),
    DataType.REAL32: np.dtype("<f4"),
    DataType.REAL64: np.dtype("<f8"),
    DataType.CHAR: np.dtype("u1"),
}
_CODES = {
    DataType.NONE: "U00",
    DataType.INT32: "I32",
    DataType.REAL32: "R32",
    DataType.REAL64: "R64",
    DataType.CHAR: "C08",
}


class CommandError(ProtocolError):
    """The other side's bytes make no sense; there is no way to find the next block, only a new connection helps."""


@dataclass(frozen=True, slots=True)
class Open:
    """The first message on a connection, from the client; servers look at length and version only."""

    user: str = "livereduce"
    host: str = "localhost"
    pid: int = 0
    access: int = 0
    """0 = current memory, 1 = current run parameter table."""
    major: int = MAJOR
    minor: int = MINOR


@dataclass(frozen=True, slots=True)
class Block:
    """A request or a reply.

    Attributes
    ----------
    command
        At most 31 ASCII characters; every accepted request is answered by ``OK``.
    type
        What `data` holds.
    dims
        As stated, at most 11; servers are known to state wrong ones, so they say nothing about the size of `data`.
    data
        Raw, C order.
    """

    command: str
    type: DataType = DataType.NONE
    dims: tuple[int, ...] = ()
    data: bytes = b""

    @property
    def values(self) -> NDArray[np.generic]:
        """The data as a flat, read-only array."""
        return np.frombuffer(self.data, self.type.dtype)

    @property
    def text(self) -> str:
        """Character data as text, without the NULs and blanks at its end."""
        return self.data.decode("latin-1").rstrip("\0 ")


def block(command: str, values: npt.ArrayLike | str | None = None, kind: DataType | None = None) -> Block:
    """Make a block from text, numbers (int32 and float32 unless `kind` says otherwise) or nothing."""
    if values is None:
        return Block(command)
    if isinstance(values, str):
        data = values.encode("latin-1")
        return Block(command, DataType.CHAR, (len(data),), data)
    array = np.asarray(values)
    kind = kind or (DataType.INT32 if array.dtype.kind in "iub" else DataType.REAL32)
    data = array.astype(kind.dtype).tobytes()
    return Block(command, kind, array.shape or (1,), data)


def encode_open(message: Open) -> bytes:
    """Write an open message."""
    return _OPEN.pack(
        OPEN_BYTES, message.major, message.minor, message.pid, message.access, 0,
        _fixed(message.user, 32), _fixed(message.host, 64),
    )  # fmt: skip


def decode_open(data: BytesLike) -> Open:
    """Read an open message of 120 bytes.

    Raises
    ------
    CommandError
        Another length or version: the real server then closes without a word.
    """
    if len(data) != OPEN_BYTES:
        raise CommandError(f"open message of {len(data)} bytes; expected {OPEN_BYTES}")
    length, major, minor, pid, access, _, user, host = _OPEN.unpack(data)
    if length != OPEN_BYTES or major != MAJOR or not 0 <= minor <= MINOR:
        raise CommandError(
            f"open message says {length} bytes, version {major}.{minor}; expected {OPEN_BYTES} bytes, version"
            f" {MAJOR}.0 to {MAJOR}.{MINOR}"
        )
    return Open(_text(user), _text(host), pid, access, major, minor)


def encode_block(message: Block) -> bytes:
    """Write a block.

    Raises
    ------
    ValueError
        The command is too long or not ASCII, or there are more than 11 dimensions.
    """
    command = message.command.encode("ascii")
    if len(command) > MAX_COMMAND or len(message.dims) > MAX_DIMS:
        raise ValueError(
            f"command {message.command!r} with {len(message.dims)} dimensions; expected at most {MAX_COMMAND}"
            f" characters and {MAX_DIMS} dimensions"
        )
    dims = (*message.dims, *(0,) * (MAX_DIMS - len(message.dims)))
    head = _HEADER.pack(HEADER_BYTES + len(message.data), message.type, len(message.dims), *dims, command)
    return head + message.data


class BlockDecoder:
    """Turns bytes in any pieces into blocks.

    Attributes
    ----------
    max_data_bytes
        Blocks that say they hold more are an error. A client sets it, for each reply, to what it has asked for: so
        nothing the server says can fill the memory.
    """

    def __init__(self, max_data_bytes: int = 1 << 26) -> None:
        self.max_data_bytes = max_data_bytes
        self._held = bytearray()
        self._head: tuple[Block, int] | None = None

    @property
    def pending(self) -> int:
        """Bytes held of an incomplete block."""
        return len(self._held)

    def feed(self, data: BytesLike) -> Iterator[Block]:
        """Take more bytes and give the blocks that are complete.

        Raises
        ------
        CommandError
            A header that cannot be: everything before it has been given, nothing after it can be.
        """
        self._held += data
        return self._blocks()

    def _blocks(self) -> Iterator[Block]:
        while True:
            if self._head is None:
                if len(self._held) < HEADER_BYTES:
                    return
                self._head = self._read_head()
            head, size = self._head
            if len(self._held) < size:
                return
            data = bytes(memoryview(self._held)[HEADER_BYTES:size])
            del self._held[:size]
            self._head = None
            yield Block(head.command, head.type, head.dims, data)

    def _read_head(self) -> tuple[Block, int]:
        length, kind, ndims, *rest = _HEADER.unpack_from(self._held)
        dims, command = rest[:MAX_DIMS], rest[MAX_DIMS]
        size = length - HEADER_BYTES
        if size < 0:
            raise CommandError(f"a reply says it is {length} bytes long; its header alone has {HEADER_BYTES}")
        if size > self.max_data_bytes:
            raise CommandError(
                f"a reply says it holds {size} bytes of data; at most {self.max_data_bytes} were asked for"
            )
        if kind not in _DTYPES:
            raise CommandError(f"a reply has data of type {kind}; expected 0 to {max(DataType)}")
        if not 0 <= ndims <= MAX_DIMS or min(dims[:ndims], default=0) < 0:
            raise CommandError(f"a reply says it has {ndims} dimensions {tuple(dims[: max(ndims, 0)])}")
        kind = DataType(kind)
        if size % kind.dtype.itemsize or (kind is DataType.NONE and size):
            raise CommandError(f"a reply has {size} bytes of {kind.name} data, which is no whole number of them")
        return Block(_text(command), kind, tuple(dims[:ndims])), length


def _fixed(text: str, size: int) -> bytes:
    """Encode text for a field in which at least one NUL must follow it."""
    return text.encode("ascii", "replace")[: size - 1]


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("latin-1")
