"""The contract of a byte source."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Position(NamedTuple):
    """A place in a source; places compare in stream order."""

    segment: int
    offset: int


BEGIN = Position(0, 0)


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes that follow each other.

    Attributes
    ----------
    segment, offset
        Where the first byte lies.
    connection
        A number other than the last block's means: bytes of a new connection begin here, and a packet left
        incomplete before is void.
    gap
        Whether bytes that lay before these are gone: what comes is not what followed the last block.
    """

    data: bytes
    segment: int
    offset: int
    connection: int
    gap: bool = False


class ByteSource(Protocol):
    """Gives a stream's bytes in order, as they become available."""

    def read(self, max_bytes: int) -> Block | None:
        """Give at most `max_bytes` that lie in one segment, None when there is nothing new; never waits long."""

    def seek(self, position: Position) -> None:
        """Go on reading from `position`."""

    @property
    def ended(self) -> bool:
        """Whether everything was read and nothing can follow."""

    def close(self) -> None:
        """Let go of files and sockets."""
