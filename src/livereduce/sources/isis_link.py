"""The ISIS event stream with what its command port says: periods, spectra, detectors.

The stream itself says too little to be understood, so behind each Setup that begins a run the answers of the command
port are put into the bytes, as one more packet (`PacketType.PARAMETERS`); both are repeated where a segment begins
within a run, so that each segment can be read by itself. While the command port is asked, the stream waits in its
socket. A command port that does not answer ends the first connection, and is done without on later ones: what it said
last is taken to hold still.
"""

import logging
import socket
from collections import deque
from collections.abc import Callable
from typing import Literal

from livereduce.errors import ConfigError, LiveReduceError
from livereduce.protocols.isis import Block, Parameters, encode
from livereduce.protocols.isis.memory import read_event_parameters
from livereduce.protocols.isis.wire import PacketType, peek
from livereduce.protocols.scanning import Cut
from livereduce.sources.dae import DEFAULT_PORT as COMMAND_PORT
from livereduce.sources.dae import DaeConnection
from livereduce.sources.dial import parse_addresses
from livereduce.sources.dialects import isis_events
from livereduce.sources.link import Chunk, Link
from livereduce.sources.resume import BackOff

EVENT_PORT = 10000
PATIENCE_SECONDS = 10.0

log = logging.getLogger(__name__)


class IsisLink:
    """A `StreamLink` to an ISIS data acquisition.

    Parameters
    ----------
    address
        ``host:port`` of the event stream. The command port is the next one if that is greater than 10000, else 6789.
    segment_bytes
        Segments end when they have this size.
    clock
        Seconds that never go back.
    """

    def __init__(
        self, address: str, segment_bytes: int, clock: Callable[[], float], last_pulse_ns: int | None = None
    ) -> None:
        self._link = Link(address, isis_events(segment_bytes), BackOff(last_pulse_ns), clock)
        self._commands = DaeConnection[tuple[Block, ...]](command_address(address), clock)
        self._clock = clock
        self._setup = self._parameters = b""
        self._due = 0.0
        self._whole: Chunk | None = None  # what the link gave and is being passed on in parts
        self._parts: deque[Chunk | None] = deque()  # None = here the command port has to be asked first

    @property
    def address(self) -> str:
        """The event stream's."""
        return self._link.address

    @property
    def state(self) -> Literal["waiting", "connecting", "connected"]:
        """See `StreamLink`."""
        return self._link.state

    @property
    def retry_at(self) -> float:
        """See `StreamLink`."""
        return self._link.retry_at

    @property
    def error(self) -> str | None:
        """See `StreamLink`."""
        return self._link.error

    @property
    def interest(self) -> tuple[socket.socket, int] | None:
        """See `StreamLink`."""
        return self._commands.interest if self._commands.busy else self._link.interest

    @property
    def connections(self) -> int:
        """See `StreamLink`."""
        return self._link.connections

    @property
    def packets(self) -> int:
        """See `StreamLink`."""
        return self._link.packets

    @property
    def framing_errors(self) -> int:
        """See `StreamLink`."""
        return self._link.framing_errors

    @property
    def run(self) -> int:
        """See `StreamLink`."""
        return self._link.run

    @property
    def requested(self) -> int:
        """See `StreamLink`."""
        return self._link.requested

    @property
    def last_pulse_ns(self) -> int | None:
        """See `StreamLink`."""
        return self._link.last_pulse_ns

    def step(self) -> Chunk | None:
        """See `StreamLink`; what the link gave comes in parts, with the parameters between them."""
        if not self._parts:
            self._whole = self._link.step()
            if self._whole is None:
                return None
            self._take_apart(self._whole)
        if self._parts[0] is None:
            if not self._asked():
                return None
            self._parts[0] = _inserted(self._parameters)
        return self._parts.popleft()

    def taken(self, chunk: Chunk) -> None:
        """See `StreamLink`."""
        if not self._parts and self._whole is not None:
            self._link.taken(self._whole)
            self._whole = None

    def lose(self, why: str) -> None:
        """See `StreamLink`."""
        self._forget()
        self._link.lose(why)

    def close(self) -> None:
        """End both connections."""
        self._forget()
        self._commands.close()
        self._link.close()

    def _forget(self) -> None:
        self._parts.clear()
        self._whole = None
        self._commands.close()

    # -- parts --------------------------------------------------------------------------------------------------------

    def _take_apart(self, chunk: Chunk) -> None:
        """Cut a chunk behind each Setup that begins a run, and before each further segment of one."""
        at = 0
        for cut in chunk.cuts:
            self._pass_on(chunk, at, cut.offset)
            at = cut.offset
            head = peek(chunk.data, at)
            begins_run = head is not None and head.type == PacketType.SETUP
            if head is not None and begins_run:
                self._setup = bytes(chunk.data[at : at + head.size])
                at += head.size
            self._parts.append(_inserted(self._setup, cut._replace(offset=0)))
            self._parts.append(None if begins_run or not self._parameters else _inserted(self._parameters))
        self._pass_on(chunk, at, len(chunk.data))
        if not self._parts:  # nothing is settled yet, or nothing can be any more
            self._parts.append(chunk)

    def _pass_on(self, chunk: Chunk, begin: int, end: int) -> None:
        if begin < end:
            self._parts.append(Chunk(chunk.data[begin:end], [], None))

    def _asked(self) -> bool:
        """Ask the command port; tells whether there is an answer, or none is waited for any more."""
        if not self._commands.busy:
            self._commands.begin(read_event_parameters)
            self._due = self._clock() + PATIENCE_SECONDS
        try:
            blocks = self._commands.step()
        except LiveReduceError as error:
            return self._no_answer(str(error))
        if blocks is not None:
            self._parameters = encode(Parameters(blocks))
            return True
        return self._clock() > self._due and self._no_answer(self._commands.error or "no answer")

    def _no_answer(self, why: str) -> bool:
        if self._parameters:
            log.warning("%s: %s; periods and spectra are taken to be as before", self._commands.address, why)
            self._commands.close()
            return True
        self.lose(f"the command port {self._commands.address} does not say what is counted: {why}")
        return False


def command_address(address: str) -> str:
    """Give the address of the command port that belongs to an event stream; several are taken alike.

    Raises
    ------
    ConfigError
        An address cannot be read, or its port has no successor.
    """
    found = []
    for host, port in parse_addresses(address, EVENT_PORT):
        if port == 65535:
            raise ConfigError([f"address {host}:{port}: there is no port above it for the commands"])
        bracketed = f"[{host}]" if ":" in host else host
        found.append(f"{bracketed}:{port + 1 if port > EVENT_PORT else COMMAND_PORT}")
    return ",".join(found)


def _inserted(data: bytes, *cuts: Cut) -> Chunk:
    return Chunk(memoryview(data), list(cuts), None)
