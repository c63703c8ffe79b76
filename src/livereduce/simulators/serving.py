"""A TCP server with a thread a client, for simulators: begins to listen at once, hangs up on everybody when stopped."""

from __future__ import annotations

import logging
import random
import socket
import struct
import threading
from contextlib import suppress

log = logging.getLogger(__name__)

TURN_S = 0.1


class Server:
    """Serves clients; a context manager. A subclass says what in `serve`.

    Parameters
    ----------
    host, port
        Where to listen; port 0 chooses a free one, see `port`.

    Raises
    ------
    OSError
        That address cannot be listened on.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._listener = socket.create_server((host, port))
        self._listener.settimeout(TURN_S)
        self.host, self.port = self._listener.getsockname()[:2]
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._clients: dict[socket.socket, threading.Thread] = {}
        self._acceptor = threading.Thread(target=self._accept, name=f"accept-{self.port}")

    @property
    def address(self) -> str:
        """host:port."""
        return f"{self.host}:{self.port}"

    @property
    def clients(self) -> int:
        """How many are connected."""
        with self._lock:
            return len(self._clients)

    def __enter__(self) -> Server:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Hang up on everybody and stop."""
        self.stopping.set()
        with self._lock:
            clients = dict(self._clients)
        for connection in clients:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        if self._acceptor.is_alive():
            self._acceptor.join()
        for thread in clients.values():
            thread.join()
        self._listener.close()

    def serve(self, connection: socket.socket) -> None:
        """Serve a client until it goes, or `stopping` is set; `OSError` and `EOFError` mean that it has gone."""
        raise NotImplementedError

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, peer = self._listener.accept()
            except TimeoutError:
                continue
            thread = threading.Thread(target=self._serve, args=(connection,), name=f"client-{peer[1]}")
            with self._lock:
                self._clients[connection] = thread
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.serve(connection)
        except (OSError, EOFError) as error:
            log.info("a client of port %d is gone: %s", self.port, str(error) or "it hung up")
        finally:
            with self._lock:
                del self._clients[connection]
            connection.close()


def receive(connection: socket.socket, size: int) -> bytes:
    """Receive exactly so many bytes; `EOFError` when the client hangs up before."""
    data = bytearray()
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


def send(connection: socket.socket, data: bytes, *, in_bits: bool = False) -> None:
    """Send everything, `in_bits` in pieces of 1 to 200 bytes, most of them in a segment of their own."""
    if not in_bits:
        connection.sendall(data)
        return
    rest = memoryview(data)
    while rest:
        size = random.randint(1, 200)  # noqa: S311  # no secret
        connection.sendall(rest[:size])
        rest = rest[size:]


def reset(connection: socket.socket) -> None:
    """Close a connection so that the client sees an error instead of an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionResetError("reset on purpose")
