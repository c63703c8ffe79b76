"""A live stream without a journal, for notebooks."""

import time
from collections.abc import Callable

from livereduce.errors import LiveReduceError
from livereduce.sources.base import Block, Position
from livereduce.sources.link import Link
from livereduce.sources.resume import Resume


class SocketSource:
    """An ADARA client inside this process, connecting again by itself when the connection is lost.

    What is not read waits in the server, not here; what was read and not processed is lost with this process. One
    cannot go back.

    Parameters
    ----------
    address
        ``host:port``; see `Link`.
    hello_start
        What to ask for at first, EPICS s: 0 = from now, 1 = from the start of the current run.
    """

    def __init__(self, address: str, hello_start: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.link = Link(address, Resume(hello_start), clock, segment_bytes=1 << 62)
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
