"""Connecting over TCP, again and again: look the address up, connect, wait longer after each failure.

Nothing here waits; names are looked up in a thread of their own, because without a network that can take half a
minute. A peer that vanished without a word is found by TCP keep-alive.
"""

import logging
import os
import select
import socket
import threading
from collections.abc import Callable
from typing import Any, Literal

from livereduce.errors import ConfigError

CONNECT_SECONDS = 10.0
LOOK_UP_SECONDS = 0.05
_KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}

log = logging.getLogger(__name__)


class Dial:
    """One connection after another to the same server.

    Parameters
    ----------
    address
        ``host:port``, ``[IPv6]:port``, or several of these separated by commas, tried in turn.
    default_port
        For addresses that leave it out.
    clock
        Seconds that never go back.
    delay
        Gives the time to rest after a failure, s.

    Attributes
    ----------
    state
        ``waiting`` until the next attempt is due at `retry_at`, ``connecting`` or ``connected``.
    connection
        The socket, never blocking, while connected.
    error
        Why the last attempt or connection ended; None while connected.
    """

    def __init__(self, address: str, default_port: int, clock: Callable[[], float], delay: Callable[[], float]) -> None:
        self.address = address
        self.state: Literal["waiting", "connecting", "connected"] = "waiting"
        self.retry_at = clock()
        self.error: str | None = None
        self._addresses = parse_addresses(address, default_port)
        self._clock = clock
        self._delay = delay
        self._candidates: list[tuple[socket.AddressFamily, Any]] = []
        self._look_up: _LookUp | None = None
        self._socket: socket.socket | None = None

    @property
    def connection(self) -> socket.socket | None:
        """The connection, when there is one."""
        return self._socket if self.state == "connected" else None

    @property
    def interest(self) -> tuple[socket.socket, int] | None:
        """Socket and event to poll for before the next step; None while waiting."""
        if self._socket is None:
            return None
        return self._socket, select.POLLIN if self.state == "connected" else select.POLLOUT

    def step(self) -> socket.socket | None:
        """Do what can be done at once towards a connection; gives it when it has just been made."""
        if self._socket is not None:
            return self._finish_connecting(self._socket) if self.state == "connecting" else None
        if self._clock() >= self.retry_at:
            self._look_up_or_connect()
        return None

    def lose(self, why: str) -> None:
        """End the connection, or give up connecting, and try again later."""
        self.close()
        delay = self._delay()
        log.warning("%s: %s; connecting again in %.1f s", self.address, why, delay)
        self.error = why
        self.retry_at = self._clock() + delay

    def again(self) -> None:
        """End the connection and make another at once: the server closes those that say nothing for long."""
        self.close()
        self.retry_at = self._clock()

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

    def _finish_connecting(self, connecting: socket.socket) -> socket.socket | None:
        poll = select.poll()
        poll.register(connecting, select.POLLOUT)
        if not poll.poll(0):
            if self._clock() >= self.retry_at:
                self._fail_to_connect(TimeoutError(f"no answer within {CONNECT_SECONDS:.0f} s"))
            return None
        code = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        try:
            if code:
                raise OSError(code, os.strerror(code))
            _keep_alive(connecting)
        except OSError as error:
            self._fail_to_connect(error)
            return None
        self.state = "connected"
        self.error = None
        self._candidates.clear()
        return connecting

    def _fail_to_connect(self, error: OSError) -> None:
        if self._candidates:
            self.close()
            self.retry_at = self._clock()
        else:
            self.lose(f"cannot connect: {error}")


def _keep_alive(connected: socket.socket) -> None:
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEP_ALIVE.items():
        if hasattr(socket, option):  # macOS lacks some
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def parse_addresses(text: str, default_port: int) -> list[tuple[str, int]]:
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
        number = int(port) if port.isdecimal() else (default_port if not port else 0)
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
