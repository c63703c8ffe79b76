"""An ADARA server (SMS) on a TCP port, serving a simulated stream to any number of clients.

Says nothing before the client's hello, serves history by the rules of the real server, never waits for a slow client.
"""

from __future__ import annotations

import json
import logging
import random
import socket
import struct
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from livereduce.protocols.adara import HelloFlag, PacketType, unix_ns
from livereduce.simulators.history import ForgottenError, Reader
from livereduce.simulators.scenario import Simulation
from livereduce.simulators.sms import Sms

log = logging.getLogger(__name__)

HELLO_TIMEOUT_S = 30.0
MAX_CLIENT_PACKET = 1024
SEND_BYTES = 2 << 20
BUFFERS_PER_CALL = 64
TICK_S = 1 / 60
BEHIND_S = 0.001
"""Pause when the simulated time lags: long enough for a client to get hold of the lock."""
SLICE_S = 1.0
"""At most this much simulated time is made in one go, so that clients are served in between."""
STALL_EVERY_S = 10.0
CLOSE_EVERY_S = 2.0
_HEADER = struct.Struct("<4I")


class Hello(NamedTuple):
    """What a client asked for: start in EPICS seconds (0 now, 1 current container), and the pause flags."""

    start: int
    flags: int


def read_hello(connection: socket.socket, timeout: float = HELLO_TIMEOUT_S) -> Hello | None:
    """Read the only packet a client sends; None when it is anything the real server would hang up on."""
    deadline = time.monotonic() + timeout
    try:
        head = _receive(connection, _HEADER.size, deadline)
        length, form, _, _ = _HEADER.unpack(head)
        version = form & 0xFF
        right_size = length >= 8 if version > 1 else length == (4, 8)[version]
        fits = length % 4 == 0 and _HEADER.size + length <= MAX_CLIENT_PACKET
        if form >> 8 != PacketType.ClientHello or not right_size or not fits:
            log.warning("client sent type %#x version %d length %d for a hello: closed", form >> 8, version, length)
            return None
        payload = _receive(connection, length, deadline)
    except (OSError, EOFError) as error:
        log.warning("client closed before its hello was complete (%s)", str(error) or "end of file")
        return None
    flags = struct.unpack_from("<I", payload, 4)[0] if version else 0
    return Hello(struct.unpack_from("<I", payload)[0], flags)


def _receive(connection: socket.socket, size: int, deadline: float) -> bytes:
    data = b""
    while len(data) < size:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        part = connection.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


class AdaraServer:
    """Serves a simulation; a context manager.

    Parameters
    ----------
    simulation : Simulation
    host, port
        Where to listen; port 0 chooses a free one, see `port`.
    epoch_ns : int or None
        Simulated time of the start, Unix ns; None = the wall clock's.
    speed : float
        Simulated seconds a second. Time stamps stay a pulse period apart.
    wait : bool
        Time stands still until the first client has said hello.
    linger : float
        How long the stream goes on after the last run, in s.
    hello_timeout : float
        A client that has not said hello after this time is hung up on, in s.
    """

    def __init__(
        self,
        simulation: Simulation,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        epoch_ns: int | None = None,
        speed: float = 1.0,
        wait: bool = True,
        linger: float = 10.0,
        hello_timeout: float = HELLO_TIMEOUT_S,
    ) -> None:
        self._simulation = simulation
        self._chaos = simulation.scenario.chaos
        self._epoch_ns, self._speed, self._wait, self._linger = epoch_ns, speed, wait, linger
        self._hello_timeout = hello_timeout
        self._listener = socket.create_server((host, port))
        self._listener.settimeout(0.1)
        self.host, self.port = self._listener.getsockname()[:2]
        self._changed = threading.Condition()
        self._greeted = threading.Event()
        self._stopping = threading.Event()
        self._done = threading.Event()
        self._no_more = False
        self._sms: Sms | None = None
        self._clients: dict[socket.socket, threading.Thread] = {}
        self._reading = 0
        self._failure: Exception | None = None
        self._mid_packet_left = self._chaos.close_mid_packet
        self._last_mid_packet = 0.0
        self._began = time.monotonic()
        self._threads = [
            threading.Thread(target=self._accept, name="adara-accept"),
            threading.Thread(target=self._run, name="adara-stream"),
        ]

    @property
    def address(self) -> str:
        """host:port."""
        return f"{self.host}:{self.port}"

    def __enter__(self) -> AdaraServer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the last run has been read by every client and the linger is over; whether it is.

        Raises
        ------
        Exception
            What ended the stream before its time.
        """
        done = self._done.wait(timeout)
        if self._failure is not None:
            raise self._failure
        return done

    def stop(self) -> None:
        """Hang up on everybody and stop."""
        self._stopping.set()
        self._greeted.set()
        with self._changed:
            clients = dict(self._clients)
            self._changed.notify_all()
        for connection in clients:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in [*self._threads, *clients.values()]:
            thread.join()
        self._listener.close()

    def truth(self) -> dict[str, object]:
        """Say what has been sent so far, by run and between runs (the form is in the interface description)."""
        with self._changed:
            return {"runs": [], "between_runs": {}} if self._sms is None else self._sms.truth()

    def truth_json(self) -> str:
        """Say the truth on one line."""
        return json.dumps(self.truth())

    # -- the stream --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        if self._wait:
            self._greeted.wait()
        try:
            if not self._stopping.is_set():
                self._make_stream()
        except Exception as error:  # whatever it is, who waits for the end must hear of it
            self._failure = error
        self._drain()

    def _make_stream(self) -> None:
        with self._changed:
            sms, epoch = self._begin()
        began, end, made = time.monotonic(), None, 0.0
        while not self._stopping.is_set():
            due = (time.monotonic() - began) * self._speed
            made = min(due, made + SLICE_S)
            with self._changed:
                sms.advance(epoch + round(made * 1e9))
                self._changed.notify_all()
            if sms.finished and end is None:
                end = time.monotonic() + self._linger
            if end is not None and time.monotonic() >= end:
                break
            self._stopping.wait(TICK_S if made == due else BEHIND_S)

    def _begin(self) -> tuple[Sms, int]:
        """Set the simulated clock to its start, once; for the first client before it reads, so it misses nothing."""
        if self._sms is None:
            if self._epoch_ns is None:
                self._epoch_ns = time.time_ns()
            self._sms = self._simulation.begin(self._epoch_ns)
        assert self._epoch_ns is not None
        return self._sms, self._epoch_ns

    def _drain(self) -> None:
        """Let every client read what it has not read yet."""
        with self._changed:
            self._no_more = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._stopping.is_set() or not self._reading)
        self._done.set()

    # -- clients -----------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, peer = self._listener.accept()
            except TimeoutError:
                continue
            thread = threading.Thread(target=self._serve, args=(connection, peer), name=f"adara-client-{peer[1]}")
            with self._changed:
                self._clients[connection] = thread
            thread.start()

    def _serve(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        try:
            hello = read_hello(connection, self._hello_timeout)
            if hello is not None:
                log.info("client %s:%d asks from %d, flags %d", *peer[:2], hello.start, hello.flags)
                connection.settimeout(None)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._changed:
                    reader = self._reader(hello)
                    self._reading += 1
                self._greeted.set()
                try:
                    self._stream(connection, reader)
                finally:
                    with self._changed:
                        self._reading -= 1
        except (OSError, ForgottenError) as error:
            log.info("client %s:%d is gone: %s", *peer[:2], error)
        finally:
            with self._changed:
                del self._clients[connection]
                self._changed.notify_all()
            connection.close()

    def _reader(self, hello: Hello) -> Reader:
        skip_paused = not hello.flags & HelloFlag.SEND_PAUSE_DATA
        sms, _ = self._begin()
        if hello.start == 0:
            return sms.history.now(sms.snapshot(), skip_paused)
        return sms.history.since(unix_ns(hello.start), skip_paused)

    def _stream(self, connection: socket.socket, reader: Reader) -> None:
        opened = time.monotonic()
        while not self._stopping.is_set():
            with self._changed:
                taken: list[memoryview] = []
                while not (taken := reader.take(SEND_BYTES)) and not self._no_more and not self._stopping.is_set():
                    self._changed.wait()
            if not taken:
                return
            self._stall()
            if self._cut(connection, taken, time.monotonic() - opened):
                return
            if self._chaos.split_writes:
                _send_in_bits(connection, taken)
            else:
                send_all(connection, taken)

    # -- faults ------------------------------------------------------------------------------------------------------

    def _stall(self) -> None:
        if self._chaos.stall:
            cycle = STALL_EVERY_S + self._chaos.stall
            phase = (time.monotonic() - self._began) % cycle
            if phase > STALL_EVERY_S:
                self._stopping.wait(cycle - phase)

    def _cut(self, connection: socket.socket, taken: list[memoryview], age: float) -> bool:
        """Whether to hang up now; in the middle of a packet means all but the last bytes are sent."""
        if self._chaos.cut_every and age >= self._chaos.cut_every:
            return True
        with self._changed:
            now = time.monotonic()
            if self._mid_packet_left == 0 or age < CLOSE_EVERY_S or now - self._last_mid_packet < CLOSE_EVERY_S:
                return False
            self._mid_packet_left -= 1
            self._last_mid_packet = now
        send_all(connection, [*taken[:-1], taken[-1][:-6]])
        return True


def send_all(connection: socket.socket, parts: Sequence[memoryview]) -> None:
    """Send many buffers without joining them first."""
    waiting = list(parts)
    while waiting:
        sent = connection.sendmsg(waiting[:BUFFERS_PER_CALL])
        done = 0
        while done < len(waiting) and sent >= len(waiting[done]):
            sent -= len(waiting[done])
            done += 1
        del waiting[:done]
        if sent:
            waiting[0] = waiting[0][sent:]


def _send_in_bits(connection: socket.socket, parts: Sequence[memoryview]) -> None:
    """Send pieces of 1 to 200 bytes, most of them in a segment of their own."""
    data = memoryview(b"".join(parts))
    while data:
        size = random.randint(1, 200)  # noqa: S311  # no secret
        connection.sendall(data[:size])
        data = data[size:]
