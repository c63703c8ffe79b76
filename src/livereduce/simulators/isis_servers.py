"""The two ports of a simulated ISIS data acquisition: commands and event stream, alone or side by side."""

from __future__ import annotations

import json
import logging
import queue
import socket
import threading
import time
from collections.abc import Callable

import numpy as np

from livereduce.protocols.isis import (
    Block,
    BlockDecoder,
    CommandError,
    Neutron,
    Setup,
    decode_open,
    encode,
    encode_block,
)
from livereduce.protocols.isis.command import HEADER_BYTES, OPEN_BYTES
from livereduce.simulators.isis_chaos import MANGLED, POISON, CommandChaos, EventChaos, fault_of
from livereduce.simulators.isis_memory import Memory
from livereduce.simulators.isis_stream import IsisStream, UniformFrames
from livereduce.simulators.serving import Server, receive, reset, send

log = logging.getLogger(__name__)

FAKE_RUN = 1234
IDLE_S = 60.0
"""Mantid's fake hangs up on clients that are silent for so long."""
FAKE_FIRST_RECEIVE = 1024
MAX_REQUEST = 4096
MAX_QUEUED_BYTES = 64 << 20
"""A client of the stream that is so far behind is hung up on."""
STALL_EVERY_S = 10.0
CLOSE_EVERY_S = 2.0
NS = 1_000_000_000


class CommandServer(Server):
    """The command port: answers requests about a memory.

    Parameters
    ----------
    lock
        Held while the memory is read.
    idle
        A client that is silent for so long is hung up on, s.
    """

    def __init__(
        self,
        memory: Memory,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        chaos: CommandChaos | None = None,
        lock: threading.Lock | None = None,
        idle: float = IDLE_S,
    ) -> None:
        super().__init__(host, port)
        self.memory = memory
        self.lock = lock or threading.Lock()
        self._chaos = chaos or CommandChaos()
        self._idle = idle
        self._replies = 0

    def serve(self, connection: socket.socket) -> None:
        """See `Server`."""
        connection.settimeout(self._idle)
        opened = receive(connection, OPEN_BYTES) if self.memory.strict else connection.recv(FAKE_FIRST_RECEIVE)
        if self.memory.strict:
            try:
                decode_open(opened)
            except CommandError as error:
                log.warning("%s: closed", error)
                return
        if self._chaos.refuse_open or not opened:
            return
        # the two encodings of "no data" that are in use
        dims = (0,) if self.memory.strict else ()
        send(connection, encode_block(Block("GO AWAY" if self._chaos.bad_open else "OK", dims=dims)))
        decoder = BlockDecoder(MAX_REQUEST)
        while part := connection.recv(OPEN_BYTES + MAX_REQUEST):
            try:
                for request in decoder.feed(part):
                    self._answer(connection, request)
            except CommandError as error:
                log.warning("%s: closed", error)
                return

    def _answer(self, connection: socket.socket, request: Block) -> None:
        with self.lock:
            reply = encode_block(self.memory.reply(request))
            self._replies += 1
            fault = fault_of(self._chaos, self._replies)
        if self._chaos.close_on_unknown and len(reply) == HEADER_BYTES:
            raise EOFError
        if fault is None:
            send(connection, reply, in_bits=self._chaos.split_writes)
            return
        log.info("fault: %s", fault)
        if fault == "silent":
            while connection.recv(MAX_REQUEST):
                pass
        if fault == "reset":
            reset(connection)
        if fault in MANGLED:
            send(connection, MANGLED[fault](reply))
        if fault in ("truncate", "close", "silent", "garbage"):
            raise EOFError


class FakeEventServer(Server):
    """The event port as Mantid's fake has it: every client gets a stream of its own, of one run, without end.

    Parameters
    ----------
    interval
        Between packets, s.
    events
        In each packet.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        periods: int = 1,
        spectra: int = 100,
        interval: float = 0.02,
        events: int = 1000,
        seed: int = 1,
    ) -> None:
        super().__init__(host, port)
        self._periods, self._spectra, self._interval = periods, spectra, interval
        self._events, self._seed = events, seed
        self._sent = [0, 0]

    def serve(self, connection: socket.socket) -> None:
        """See `Server`."""
        connection.sendall(encode(Setup(FAKE_RUN, 0, 0, "MUSR")))
        frames = UniformFrames(self._spectra, self._events, self._seed)
        rng = np.random.default_rng(self._seed)
        while not self.stopping.wait(self._interval):
            frame = frames.next_frame()
            packet = encode(Neutron(0, int(rng.integers(self._periods)), 0.0, 0.0, frame.tof, frame.spectrum))
            for part in (packet[:20], packet[20:44], packet[44:]):
                connection.sendall(part)
            with self._lock:
                self._sent[0] += 1
                self._sent[1] += self._events

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, which only `stop` brings."""
        return self.stopping.wait(timeout)

    def truth_json(self) -> str:
        """Say what was sent to all clients together; frames are all number 0, so they are one pulse."""
        pulses, events = self._sent
        run = {"run": FAKE_RUN, "start": "1970-01-01T00:00:00.000000Z", "pulses": min(pulses, 1), "packets": pulses}
        run |= {"events": events, "monitor_events": 0, "charge_pC": 0.0, "paused_pulses": 0, "paused_events": 0}
        return json.dumps({"runs": [run], "between_runs": {"pulses": 0, "events": 0}})


class EventServer(Server):
    """The event port of a machine that measures: all clients hear the same stream, from when they come.

    Parameters
    ----------
    make_stream
        Makes the stream, given when its first run begins (Unix ns).
    lock
        Held while the stream goes on: it counts into a memory that others read.
    wait
        The first run begins when the first client has come.
    linger
        How long to go on after the last run, s.
    """

    def __init__(
        self,
        make_stream: Callable[[int], IsisStream],
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        chaos: EventChaos | None = None,
        lock: threading.Lock | None = None,
        wait: bool = True,
        linger: float = 10.0,
        epoch_ns: int | None = None,
    ) -> None:
        super().__init__(host, port)
        self._make_stream = make_stream
        self._chaos = chaos or EventChaos()
        self._stream_lock = lock or threading.Lock()
        self._wait, self._linger, self._epoch_ns = wait, linger, epoch_ns
        self._stream: IsisStream | None = None
        self._came = threading.Event()
        self._done = threading.Event()
        self._ears: set[_Ear] = set()
        self._mid_packet_left = self._chaos.close_mid_packet
        self._last_mid_packet = 0.0
        self._began = time.monotonic()
        self._failure: Exception | None = None
        self._producer = threading.Thread(target=self._run, name="isis-stream")

    def __enter__(self) -> EventServer:
        super().__enter__()
        self._producer.start()
        return self

    def stop(self) -> None:
        """Hang up on everybody and stop."""
        self.stopping.set()
        self._came.set()
        if self._producer.is_alive():
            self._producer.join()
        super().stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the last run is over and the linger too; tells whether they are.

        Raises
        ------
        Exception
            What ended the stream before its time.
        """
        done = self._done.wait(timeout)
        if self._failure is not None:
            raise self._failure
        return done

    def truth_json(self) -> str:
        """Say the truth on one line."""
        with self._stream_lock:
            return json.dumps({"runs": [], "between_runs": {}} if self._stream is None else self._stream.truth())

    # -- the stream ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        if self._wait:
            self._came.wait()
        try:
            self._produce()
        except Exception as error:  # whatever it is, who waits for the end must hear of it
            self._failure = error
        self._done.set()

    def _begin(self) -> IsisStream:
        """Begin the stream, once; for the first client before it hears anything, so that it misses nothing."""
        with self._stream_lock:
            if self._stream is None:
                if self._epoch_ns is None:
                    self._epoch_ns = time.time_ns()
                self._stream = self._make_stream(self._epoch_ns)
                self._clock_begin = time.monotonic()
            return self._stream

    def _produce(self) -> None:
        stream = self._begin()
        assert self._epoch_ns is not None
        end = None
        while not self.stopping.wait(stream.plan.interval / 2):
            now_ns = self._epoch_ns + round((time.monotonic() - self._clock_begin) * NS)
            with self._stream_lock:
                ears = set(self._ears)
                packets = stream.advance(now_ns, heard=bool(ears))
            for ear in ears:
                ear.put(packets)
            if stream.finished and end is None:
                end = time.monotonic() + self._linger
            if end is not None and time.monotonic() >= end:
                return

    # -- clients ------------------------------------------------------------------------------------------------------

    def serve(self, connection: socket.socket) -> None:
        """See `Server`."""
        stream, ear = self._begin(), _Ear()
        with self._stream_lock:
            ear.put([stream.setup])
            self._ears.add(ear)
        self._came.set()
        opened = time.monotonic()
        try:
            while not self.stopping.is_set():
                packet = ear.next()
                if packet is not None and not self._pass_on(connection, packet, time.monotonic() - opened):
                    return
        finally:
            with self._stream_lock:
                self._ears.discard(ear)

    def _pass_on(self, connection: socket.socket, packet: bytes, age: float) -> bool:
        """Send a packet, or commit a fault in its place; tells whether to go on."""
        chaos = self._chaos
        self._stall()
        for name, poison in POISON.items():
            if 0 < getattr(chaos, name) <= age:
                send(connection, poison)
                self.stopping.wait(0.5)  # the client is to hang up, not to be hung up on
                return False
        if chaos.half_open and age >= chaos.half_open:
            while not self.stopping.wait(0.1):
                pass
            return False
        if chaos.cut_every and age >= chaos.cut_every:
            return False
        if self._cuts_here(age):
            send(connection, packet[: len(packet) - 6])
            return False
        send(connection, packet, in_bits=chaos.split_writes)
        return True

    def _stall(self) -> None:
        if self._chaos.stall:
            cycle = STALL_EVERY_S + self._chaos.stall
            phase = (time.monotonic() - self._began) % cycle
            if phase > STALL_EVERY_S:
                self.stopping.wait(cycle - phase)

    def _cuts_here(self, age: float) -> bool:
        with self._lock:
            now = time.monotonic()
            if self._mid_packet_left == 0 or age < CLOSE_EVERY_S or now - self._last_mid_packet < CLOSE_EVERY_S:
                return False
            self._mid_packet_left -= 1
            self._last_mid_packet = now
            return True


class _Ear:
    """What one client has still to hear."""

    def __init__(self) -> None:
        self._packets = queue.SimpleQueue[bytes]()
        self._bytes = 0
        self._lock = threading.Lock()

    def put(self, packets: list[bytes]) -> None:
        with self._lock:
            self._bytes += sum(map(len, packets))
        for packet in packets:
            self._packets.put(packet)

    def next(self) -> bytes | None:
        with self._lock:
            if self._bytes > MAX_QUEUED_BYTES:
                raise ConnectionAbortedError("a client is too slow for the stream")
        try:
            packet = self._packets.get(timeout=0.1)
        except queue.Empty:
            return None
        with self._lock:
            self._bytes -= len(packet)
        return packet


def free_pair(
    make: Callable[[], FakeEventServer | EventServer], make_commands: Callable[[int], CommandServer]
) -> tuple[FakeEventServer | EventServer, CommandServer]:
    """Listen on a free port above 10000 and on the one after it.

    Raises
    ------
    OSError
        Twenty pairs in a row were not free.
    """
    for _ in range(20):
        events = make()
        try:
            if events.port > 10000:
                return events, make_commands(events.port + 1)
        except OSError as error:
            log.info("port %d is taken: %s", events.port + 1, error)
        events.stop()
    raise OSError("no two neighbouring ports are free")
