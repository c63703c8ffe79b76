"""The client's side of ADARA connections: connect, say hello, receive, and connect again when the connection is lost.

Nothing here waits; names are looked up in a thread of their own, because without a network that can take half a
minute. Silence is no error: the server says nothing while nothing happens. A peer that vanished without a word is found
by TCP keep-alive.
"""

import logging
import os
import select
import socket
import threading
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from livereduce.errors import ConfigError
from livereduce.protocols.adara import ClientHello, HelloFlag, encode, unix_ns
from livereduce.protocols.adara.scan import Cut, Scan
from livereduce.sources.resume import NOW, Resume

DEFAULT_PORT = 31415
BUFFER_BYTES = 1 << 20
CONNECT_SECONDS = 10.0
LOOK_UP_SECONDS = 0.05
_KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}

log = logging.getLogger(__name__)


class Chunk(NamedTuple):
    """Bytes of the connection, valid until the next step, and the segments that begin in them.

    `broken` says why nothing can follow them on this connection, if so.
    """

    data: memoryview
    cuts: list[Cut]
    broken: str | None


class Link:
    """One connection after another to the same server.

    The owner calls `step` again and again, and after each chunk either `taken`, or `lose` when it could not keep it.

    Parameters
    ----------
    address
        ``host:port``, ``[IPv6]:port``, or several of these separated by commas, tried in turn.
    resume
        When to connect and what to ask for.
    clock
        Seconds that never go back.
    segment_bytes
        See `Scan`.

    Attributes
    ----------
    state
        ``waiting`` until the next attempt is due at `retry_at`, ``connecting`` or ``connected``.
    connections, packets
        Connections made and packets begun so far.
    requested
        What the last hello asked for.
    scan
        What is known of the current connection's stream.
    error
        Why the last attempt or connection ended; None while connected.
    """

    def __init__(self, address: str, resume: Resume, clock: Callable[[], float], segment_bytes: int) -> None:
        self.address = address
        self.state: Literal["waiting", "connecting", "connected"] = "waiting"
        self.retry_at = clock()
        self.connections = 0
        self.requested = NOW
        self.framing_errors = 0
        self.error: str | None = None
        self.scan = Scan(segment_bytes)
        self._addresses = parse_addresses(address)
        self._resume = resume
        self._clock = clock
        self._segment_bytes = segment_bytes
        self._earlier_packets = 0
        self._candidates: list[tuple[socket.AddressFamily, Any]] = []
        self._look_up: _LookUp | None = None
        self._socket: socket.socket | None = None
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._filled = self._settled = 0

    @property
    def packets(self) -> int:
        """Packets begun on all connections."""
        return self._earlier_packets + self.scan.packets

    @property
    def interest(self) -> tuple[socket.socket, int] | None:
        """Socket and event to poll for before the next step; None while waiting."""
        if self._socket is None:
            return None
        return self._socket, select.POLLIN if self.state == "connected" else select.POLLOUT

    def step(self) -> Chunk | None:
        """Do what can be done at once; gives what was received, None when that is nothing."""
        if self._socket is None:
            if self._clock() >= self.retry_at:
                self._look_up_or_connect()
        elif self.state == "connecting":
            self._finish_connecting(self._socket)
        else:
            return self._receive(self._socket)
        return None

    def taken(self, chunk: Chunk) -> None:
        """Take note that `chunk` is safe: data are asked for from its end when the connection is lost."""
        self._resume.received(self.scan.last_pulse_ns)
        if chunk.broken is not None:
            self.framing_errors += 1
            self._resume.broke()
            self.lose(f"packet boundaries lost: {chunk.broken}")

    def lose(self, why: str) -> None:
        """End the connection, or give up connecting, and try again later."""
        self.close()
        delay = self._resume.delay()
        log.warning("%s: %s; connecting again in %.1f s", self.address, why, delay)
        self.error = why
        self.retry_at = self._clock() + delay

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = self._look_up = None
        self.state = "waiting"

    def _look_up_or_connect(self) -> None:
        self.state = "connecting"
        if not self._candidates:
            self._look_up = self._look_up or _LookUp(self._addresses)
            self._look_up.join(LOOK_UP_SECONDS)
            if self._look_up.is_alive():
                self.retry_at = self._clock() + LOOK_UP_SECONDS
                return
            self._candidates, failure = self._look_up.found, self._look_up.failure
            self._look_up = None
            if not self._candidates:
                self.lose(f"cannot look up the address: {failure}")
                return
        self._connect()

    def _connect(self) -> None:
        """Begin to connect to the next address."""
        try:
            family, target = self._candidates.pop(0)
            self._socket = socket.socket(family, socket.SOCK_STREAM)
            self._socket.setblocking(False)
            self.retry_at = self._clock() + CONNECT_SECONDS
            self._socket.connect(target)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail_to_connect(error)

    def _finish_connecting(self, connecting: socket.socket) -> None:
        poll = select.poll()
        poll.register(connecting, select.POLLOUT)
        if not poll.poll(0):
            if self._clock() >= self.retry_at:
                self._fail_to_connect(TimeoutError(f"no answer within {CONNECT_SECONDS:.0f} s"))
            return
        code = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        try:
            if code:
                raise OSError(code, os.strerror(code))
            self._say_hello(connecting)
        except OSError as error:
            self._fail_to_connect(error)

    def _say_hello(self, connected: socket.socket) -> None:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEP_ALIVE.items():
            if hasattr(socket, option):  # macOS lacks some
                connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        self.requested = self._resume.start()
        # the server does not look at a hello's own time
        connected.sendall(encode(ClientHello(unix_ns(0), self.requested, HelloFlag.NO_PAUSE_DATA)))
        self.state = "connected"
        self.error = None
        self.connections += 1
        self._earlier_packets = self.packets
        self.scan = Scan(self._segment_bytes)
        self._candidates.clear()
        self._filled = self._settled = 0
        log.info("connected to %s, asked for data from %s", self.address, self.requested)

    def _fail_to_connect(self, error: OSError) -> None:
        if self._candidates:
            self.close()
            self.retry_at = self._clock()
        else:
            self.lose(f"cannot connect: {error}")

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


def parse_addresses(text: str) -> list[tuple[str, int]]:
    """Read ``host:port`` or ``[IPv6]:port``, or a list of these with commas; the port may be left out.

    Raises
    ------
    ConfigError
        An address cannot be read; all of those are named.
    """
    addresses, problems = [], []
    for address in text.split(","):
        host, bracket, port = address.strip().rpartition("]")
        if bracket:
            host, port = host.removeprefix("["), port.removeprefix(":")
        else:
            host, _, port = port.partition(":")
        number = int(port) if port.isdecimal() else (DEFAULT_PORT if not port else 0)
        if not host or not 0 < number < 65536:
            problems.append(f"address {address.strip()!r}: expected host:port or [IPv6 address]:port")
        addresses.append((host, number))
    if problems:
        raise ConfigError(problems)
    return addresses


class _LookUp(threading.Thread):
    """Looks up all addresses; those without an answer are left out."""

    def __init__(self, addresses: list[tuple[str, int]]) -> None:
        super().__init__(name="name look-up", daemon=True)
        self.found: list[tuple[socket.AddressFamily, Any]] = []
        self.failure: OSError | None = None
        self._addresses = addresses
        self.start()

    def run(self) -> None:
        for host, port in self._addresses:
            try:
                self.found += [(info[0], info[4]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
            except OSError as error:
                self.failure = error
