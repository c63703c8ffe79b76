"""The client's side of a stream that a server pushes: connect, say what is wanted, receive, and connect again.

Nothing here waits. Silence is no error: a server says nothing while nothing happens.
"""

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from livereduce.protocols.scanning import Cut, Scanned
from livereduce.sources.dial import Dial
from livereduce.sources.resume import NOW, BackOff

BUFFER_BYTES = 1 << 20

log = logging.getLogger(__name__)


class Chunk(NamedTuple):
    """Bytes of the connection, valid until the next step, and the segments that begin in them.

    `broken` says why nothing can follow them on this connection, if so.
    """

    data: memoryview
    cuts: list[Cut]
    broken: str | None


class StreamScan(Protocol):
    """Follows one connection's stream: packet boundaries, runs, the last pulse (Unix ns; None before the first)."""

    packets: int
    run: int
    last_pulse_ns: int | None

    def feed(self, chunk: bytes | memoryview) -> Scanned:
        """Look at a chunk, which begins with the unsettled bytes of the one before."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a link has to know of the stream's protocol.

    Attributes
    ----------
    default_port
        Where servers usually listen.
    greeting
        What is said first on a connection, given the start that is asked for (`Resume.start`).
    new_scan
        Makes what follows a new connection's stream.
    """

    default_port: int
    greeting: Callable[[int], bytes]
    new_scan: Callable[[], StreamScan]


class StreamLink(Protocol):
    """What a recorder or a socket source needs of a link.

    The owner calls `step` again and again, and after each chunk either `taken`, or `lose` when it could not keep it.
    """

    @property
    def address(self) -> str:
        """Where the stream comes from."""

    @property
    def state(self) -> Literal["waiting", "connecting", "connected"]:
        """Waiting until the next attempt is due at `retry_at`, connecting or connected."""

    @property
    def retry_at(self) -> float:
        """When the next attempt is due."""

    @property
    def error(self) -> str | None:
        """Why the last attempt or connection ended; None while connected."""

    @property
    def interest(self) -> tuple[socket.socket, int] | None:
        """Socket and event to poll for before the next step; None while waiting."""

    @property
    def connections(self) -> int:
        """Connections made so far."""

    @property
    def packets(self) -> int:
        """Packets begun on all connections."""

    @property
    def framing_errors(self) -> int:
        """Connections on which packet boundaries were lost."""

    @property
    def run(self) -> int:
        """The run the stream is in; 0 between runs."""

    @property
    def requested(self) -> int:
        """What the last connection asked for."""

    @property
    def last_pulse_ns(self) -> int | None:
        """The last pulse taken, Unix ns."""

    def step(self) -> Chunk | None:
        """Do what can be done at once; gives what was received, None when that is nothing."""

    def taken(self, chunk: Chunk) -> None:
        """Take note that `chunk` is safe."""

    def lose(self, why: str) -> None:
        """End the connection, or give up connecting, and try again later."""

    def close(self) -> None:
        """End the connection."""


class Link:
    """One connection after another to the same server; see `StreamLink`.

    Parameters
    ----------
    address
        See `Dial`.
    resume
        When to connect and what to ask for.
    clock
        Seconds that never go back.

    Attributes
    ----------
    scan
        What is known of the current connection's stream.
    """

    def __init__(self, address: str, dialect: Dialect, resume: BackOff, clock: Callable[[], float]) -> None:
        self.connections = 0
        self.requested = NOW
        self.framing_errors = 0
        self.scan = dialect.new_scan()
        self._dial = Dial(address, dialect.default_port, clock, resume.delay)
        self._dialect = dialect
        self._resume = resume
        self._earlier_packets = 0
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._filled = self._settled = 0

    @property
    def address(self) -> str:
        """Where the stream comes from."""
        return self._dial.address

    @property
    def state(self) -> Literal["waiting", "connecting", "connected"]:
        """See `StreamLink`."""
        return self._dial.state

    @property
    def retry_at(self) -> float:
        """See `StreamLink`."""
        return self._dial.retry_at

    @property
    def error(self) -> str | None:
        """See `StreamLink`."""
        return self._dial.error

    @property
    def interest(self) -> tuple[socket.socket, int] | None:
        """See `StreamLink`."""
        return self._dial.interest

    @property
    def packets(self) -> int:
        """Packets begun on all connections."""
        return self._earlier_packets + self.scan.packets

    @property
    def run(self) -> int:
        """The run the stream is in; 0 between runs."""
        return self.scan.run

    @property
    def last_pulse_ns(self) -> int | None:
        """The last pulse taken, Unix ns."""
        return self._resume.last_pulse_ns

    def step(self) -> Chunk | None:
        """See `StreamLink`."""
        if (connected := self._dial.connection) is not None:
            return self._receive(connected)
        if (made := self._dial.step()) is not None:
            self._greet(made)
        return None

    def taken(self, chunk: Chunk) -> None:
        """Take note that `chunk` is safe: data are asked for from its end when the connection is lost."""
        self._resume.received(self.scan.last_pulse_ns)
        if chunk.broken is not None:
            self.framing_errors += 1
            self._resume.broke()
            self.lose(f"packet boundaries lost: {chunk.broken}")

    def lose(self, why: str) -> None:
        """See `StreamLink`."""
        self._dial.lose(why)

    def close(self) -> None:
        """End the connection."""
        self._dial.close()

    def _greet(self, connected: socket.socket) -> None:
        self.requested = self._resume.start()
        try:
            connected.sendall(self._dialect.greeting(self.requested))
        except OSError as error:
            self.lose(f"cannot connect: {error}")
            return
        self.connections += 1
        self._earlier_packets = self.packets
        self.scan = self._dialect.new_scan()
        self._filled = self._settled = 0
        log.info("connected to %s, asked for data from %s", self.address, self.requested)

    def _receive(self, connected: socket.socket) -> Chunk | None:
        rest = self._filled - self._settled
        self._buffer[:rest] = self._buffer[self._settled : self._filled]
        self._filled, self._settled = rest, 0
        try:
            received = connected.recv_into(self._buffer[rest:])
        except BlockingIOError:
            return None
        except OSError as error:
            self.lose(f"connection lost: {error}")
            return None
        if not received:
            self.lose("the server closed the connection")
            return None
        self._filled += received
        cuts, self._settled, broken = self.scan.feed(self._buffer[: self._filled])
        return Chunk(self._buffer[: self._settled], cuts, broken)
