"""A live stream without a journal, for notebooks."""

import time
from collections.abc import Callable
from typing import Self

from livereduce.errors import LiveReduceError
from livereduce.sources.base import Block, Position
from livereduce.sources.dialects import adara
from livereduce.sources.link import Link, StreamLink
from livereduce.sources.resume import Resume

NO_SEGMENTS = 1 << 62
"""A segment size that is never reached."""


class SocketSource:
    """A client inside this process, connecting again by itself when the connection is lost.

    What is not read waits in the server, not here; what was read and not processed is lost with this process. One
    cannot go back.

    Parameters
    ----------
    address
        ``host:port`` of an ADARA server; see `Dial`.
    hello_start
        What to ask for at first, EPICS s: 0 = from now, 1 = from the start of the current run.
    """

    def __init__(self, address: str, hello_start: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._read_from(Link(address, adara(NO_SEGMENTS), Resume(hello_start), clock))

    @classmethod
    def over(cls, link: StreamLink) -> Self:
        """Read the stream of any link."""
        source = cls.__new__(cls)
        source._read_from(link)
        return source

    def _read_from(self, link: StreamLink) -> None:
        self.link = link
        self._offset = 0
        self._left = b""

    def read(self, max_bytes: int) -> Block | None:
        """Give what has arrived, at most `max_bytes`; each connection is a segment."""
        if not self._left:
            connection = self.link.connections
            chunk = self.link.step()
            if self.link.connections != connection:
                self._offset = 0
            if chunk is None:
                return None
            self._left = bytes(chunk.data)
            self.link.taken(chunk)
            if not self._left:
                return None
        data, self._left = self._left[:max_bytes], self._left[max_bytes:]
        block = Block(data, self.link.connections, self._offset, self.link.connections)
        self._offset += len(data)
        return block

    def seek(self, position: Position) -> None:
        """Refuse to go anywhere but on: nothing is kept."""
        if position != Position(self.link.connections, self._offset):
            raise LiveReduceError(
                f"a socket cannot go back to {position}: what was read is not kept; run with a journal for that"
            )

    @property
    def ended(self) -> bool:
        """Never: a lost connection is made again."""
        return False

    def close(self) -> None:
        """End the connection."""
        self.link.close()
