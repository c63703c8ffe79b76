"""The ISIS ports' clients over loopback, against servers that do what the test says, most of it wrong."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from livereduce.errors import ConfigError
from livereduce.protocols.isis import Block, Decoder, NeutronBatch, Parameters, Setup, block, encode, encode_block
from livereduce.protocols.isis.command import BlockDecoder
from livereduce.protocols.isis.memory import Selection, SelectionError, Totals, event_tables, read_totals
from livereduce.simulators.isis_chaos import MANGLED, CommandChaos
from livereduce.simulators.isis_memory import Memory, fake_memory
from livereduce.simulators.isis_scenario import IsisScenario
from livereduce.simulators.isis_servers import CommandServer
from livereduce.simulators.isis_stream import EventPlan
from livereduce.sources.dae import DaeConnection
from livereduce.sources.isis_link import IsisLink, command_address

pytestmark = pytest.mark.system

DEADLINE_S = 20.0
FASTER = 40
"""The clients' clock goes so much faster than ours, so that nobody waits for back-off and time-outs."""


def clock() -> float:
    return FASTER * time.monotonic()


def everything() -> Any:
    return read_totals(Selection.of(None, None), None)


def poll(port: DaeConnection[Totals], make: Callable[[], Any] = everything) -> tuple[Totals, set[str]]:
    """Hold a conversation to its end; gives the errors met on the way as well."""
    port.begin(make)
    errors, deadline = set[str](), time.monotonic() + DEADLINE_S
    while (found := port.step(0.05 * FASTER)) is None:
        errors.add(port.error)
        assert time.monotonic() < deadline, f"no totals: {port.error}"
    return found, errors - {""}


def errors_of(port: DaeConnection[Totals], enough: Callable[[], bool]) -> set[str]:
    """Hold a conversation that never ends until it has failed often enough; gives the reasons."""
    port.begin(everything)
    errors, deadline = set[str](), time.monotonic() + DEADLINE_S
    while not (enough() and errors - {""}):
        assert port.step(0.02 * FASTER) is None
        errors.add(port.error)
        assert time.monotonic() < deadline, f"no error after {errors}"
    return errors - {""}


class Spoiling(CommandServer):
    """Answers rightly but for one reply, which `spoil` makes something else of; None = hang up in its place."""

    def __init__(self, memory: Memory, number: int, spoil: Callable[[bytes], bytes | None]) -> None:
        super().__init__(memory)
        self._number, self._spoil, self._count = number, spoil, 0
        self.opened = 0

    def serve(self, connection: socket.socket) -> None:
        connection.settimeout(DEADLINE_S)
        connection.recv(120, socket.MSG_WAITALL)
        self.opened += 1
        connection.sendall(encode_block(Block("OK")))
        decoder = BlockDecoder()
        while part := connection.recv(4096):
            for request in decoder.feed(part):
                reply: bytes | None = encode_block(self.memory.reply(request))
                self._count += 1
                if self._count == self._number:
                    assert reply is not None
                    reply = self._spoil(reply)
                if not self.said(connection, reply):
                    return

    def said(self, connection: socket.socket, reply: bytes | None) -> bool:
        """Send a reply; tells whether to go on."""
        if reply is not None:
            connection.sendall(reply)
        return reply is not None


class HangingUp(Spoiling):
    """Hangs up behind the spoilt reply."""

    def said(self, connection: socket.socket, reply: bytes | None) -> bool:
        return super().said(connection, reply) and self._count != self._number


@pytest.fixture
def closing() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def port_to(closing: contextlib.ExitStack, address: str) -> DaeConnection[Totals]:
    port = DaeConnection[Totals](address, clock)
    closing.callback(port.close)
    return port


def is_right(totals: Totals) -> bool:
    """The fake's values: 1000 p + s in every channel of every period."""
    expected = [1000 * p + np.repeat(np.arange(1, 11)[:, None], 20, axis=1) for p in range(2)]
    return all(np.array_equal(a, b) for a, b in zip(totals.counts, expected, strict=True))


# replies in order: 1 NPER, 2 NTC1, 3 NSP1, 4 NTC2, 5 NSP2, 6 RUN, 7 RRPB, 8 RPB, 9 NDET, 10 UDET, 11 SPEC, 12 RTCB1,
# 13 NMON, 14 MDET, 15 RTCB_11, 16 NAME, 17 TITL, 18 GETDAT …
SPOILT = {"NPER": 1, "UDET": 10, "GETDAT": 18}
HARMLESS = {("wrong_dims", "GETDAT")}
"""Servers state the first regime's dimensions for every one, so those of counts say nothing."""


@pytest.mark.parametrize("where", SPOILT)
@pytest.mark.parametrize("fault", [*MANGLED, "hang up"])
def test_one_bad_reply_costs_a_connection_and_never_a_wrong_count(
    closing: contextlib.ExitStack, fault: str, where: str
) -> None:
    spoil: Callable[[bytes], bytes | None] = (lambda _: None) if fault == "hang up" else MANGLED[fault]
    # behind these the client may wait for more
    kind = HangingUp if fault in ("truncate", "wrong_length", "garbage") else Spoiling
    server = kind(fake_memory(2, 10, 20), SPOILT[where], spoil)
    closing.enter_context(server)
    totals, errors = poll(port_to(closing, server.address))
    assert is_right(totals)
    if (fault, where) in HARMLESS:
        assert (errors, server.opened) == (set(), 1)
    else:
        assert errors
        assert server.opened == 2


@pytest.mark.parametrize("name", ["NTC1", "NSP1", "NTC2", "NSP2", "NDET", "NMON"])
@pytest.mark.parametrize("value", [-1, -(1 << 31), (1 << 31) - 1])
def test_sizes_that_cannot_be_are_refused_before_anything_is_made_of_them(
    closing: contextlib.ExitStack, name: str, value: int
) -> None:
    memory = fake_memory(2, 10, 20)
    memory.others[name] = block("OK", [value])
    server = closing.enter_context(CommandServer(memory))
    errors = errors_of(port_to(closing, server.address), lambda: True)
    assert any(f"{name}: found {value}, expected" in error for error in errors)


Script = Callable[[socket.socket, threading.Event], None]


class Scripted:
    """Accepts connections and does with each what a script says."""

    def __init__(self, script: Script) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(0.05)
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.accepted = 0
        self._script = script
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="scripted server")
        self._thread.start()

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listening.accept()
            except TimeoutError:
                continue
            self.accepted += 1
            with connection, contextlib.suppress(OSError):
                connection.settimeout(0.05)
                self._script(connection, self._over)


def say(data: bytes, *, stay: bool = False) -> Script:
    """Make a script that says `data` when it has been spoken to, and then stays silent or hangs up."""

    def script(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(1024)
        connection.sendall(data)
        while stay and not over.is_set():
            with contextlib.suppress(TimeoutError):
                if not connection.recv(1024):
                    return

    return script


def trickle(connection: socket.socket, over: threading.Event) -> None:
    """Answer a byte at a time, four seconds apart by the client's clock."""
    connection.settimeout(DEADLINE_S)
    connection.recv(1024)
    connection.sendall(encode_block(Block("OK")))
    connection.recv(1024)
    for byte in encode_block(block("OK", [1])):
        if over.wait(0.1):
            return
        connection.sendall(bytes([byte]))
    over.wait(DEADLINE_S)


def flood(connection: socket.socket, over: threading.Event) -> None:
    """Say things for ever without being asked."""
    while not over.is_set():
        connection.sendall(encode_block(Block("OK")) * 1000)


OK = encode_block(Block("OK"))


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (lambda _c, _o: None, "the server closed the connection|reset by peer"),
        (say(b""), "the server closed the connection"),
        (say(OK[:50]), "the server closed the connection"),
        (say(OK), "the server closed the connection"),
        (say(b"", stay=True), "no answer for 30 s"),
        (say(OK, stay=True), "no answer for 30 s"),
        (say(OK[:50], stay=True), "no answer for 30 s"),
        (say(OK + OK, stay=True), "said more than it was asked for"),
        (say(encode_block(Block("BUSY")), stay=True), "refused the connection: it answered 'BUSY'"),
        (say(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n" * 3), "at most"),
        (say(bytes(88), stay=True), "0 bytes long"),
        (say(b"\x15\x03\x01\x00\x02\x02\x28" * 20), "at most|bytes long"),
        (trickle, "an answer took longer than 120 s"),
        (flood, "said more than it was asked for"),
    ],
)
def test_a_server_that_is_none_is_given_up_and_tried_again(
    closing: contextlib.ExitStack, script: Script, why: str
) -> None:
    server = closing.enter_context(Scripted(script))
    for error in errors_of(port_to(closing, server.address), lambda: server.accepted >= 3):
        assert any(part in error for part in why.split("|")), error


def test_nobody_there_is_said_and_tried_again(closing: contextlib.ExitStack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    port = port_to(closing, address)
    assert all("cannot connect" in error for error in errors_of(port, lambda: True))
    host, _, number = address.rpartition(":")
    server = closing.enter_context(CommandServer(fake_memory(2, 10, 20), host, int(number)))
    assert server.address == address
    assert is_right(poll(port)[0])
    assert port.error == ""


def test_a_connection_that_was_closed_while_nothing_was_said_is_made_again_without_a_word(
    closing: contextlib.ExitStack,
) -> None:
    server = closing.enter_context(CommandServer(fake_memory(2, 10, 20), idle=0.2))
    port = port_to(closing, server.address)
    for _ in range(3):
        totals, errors = poll(port)
        assert is_right(totals)
        assert errors == set()
        deadline = time.monotonic() + DEADLINE_S
        while server.clients:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_connection_is_kept_from_poll_to_poll(closing: contextlib.ExitStack) -> None:
    server = Spoiling(fake_memory(2, 10, 20), 0, lambda reply: reply)
    closing.enter_context(server)
    port = port_to(closing, server.address)
    for _ in range(3):
        assert is_right(poll(port)[0])
    assert server.opened == 1


def test_a_server_that_hangs_up_on_names_it_does_not_know_is_not_asked_for_them_again(
    closing: contextlib.ExitStack,
) -> None:
    server = closing.enter_context(CommandServer(fake_memory(2, 10, 20), chaos=CommandChaos(close_on_unknown=True)))
    port = port_to(closing, server.address)
    totals, errors = poll(port)
    assert is_right(totals)
    assert totals.state.run is None
    # twice for each of run number, integer parameters and title
    assert {e.rpartition(" ")[2] for e in errors} == {"RUN", "RPB", "TITL"}
    assert poll(port)[1] == set()


def test_wanted_spectra_that_are_not_there_are_no_fault_of_the_connection(closing: contextlib.ExitStack) -> None:
    server = Spoiling(fake_memory(2, 10, 20), 0, lambda reply: reply)
    closing.enter_context(server)
    port = port_to(closing, server.address)
    with pytest.raises(SelectionError, match="spectra"):
        poll(port, lambda: read_totals(Selection.of([999], None), None))
    assert is_right(poll(port)[0])
    assert server.opened == 1


def test_a_conversation_begun_anew_takes_no_reply_that_was_for_the_old_one(closing: contextlib.ExitStack) -> None:
    server = Spoiling(fake_memory(2, 10, 20), 0, lambda reply: reply)
    closing.enter_context(server)
    port = port_to(closing, server.address)
    for _ in range(20):
        port.begin(everything)
        port.step(0.001)
    assert is_right(poll(port)[0])


# -- the event stream --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "commands"),
    [
        ("ndxlet:10000", "ndxlet:6789"),
        ("127.0.0.1:59876", "127.0.0.1:59877"),
        ("a:10001,b:9999", "a:10002,b:6789"),
        ("[::1]:20000", "[::1]:20001"),
        ("host", "host:6789"),
    ],
)
def test_the_command_port_is_the_next_one_above_10000_else_6789(events: str, commands: str) -> None:
    assert command_address(events) == commands


def test_there_is_no_port_above_the_last() -> None:
    with pytest.raises(ConfigError, match="no port above it"):
        command_address("host:65535")


class Recorded:
    """What a recorder would write, by segment."""

    def __init__(self, link: IsisLink) -> None:
        self.link = link
        self.segments: list[tuple[int, bytes]] = []

    def until(self, condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            chunk = self.link.step()
            if chunk is None:
                time.sleep(0.002)
            else:
                at = 0
                for cut in chunk.cuts:
                    self._append(bytes(chunk.data[at : cut.offset]))
                    self.segments.append((cut.run, b""))
                    at = cut.offset
                self._append(bytes(chunk.data[at:]))
                self.link.taken(chunk)
            assert time.monotonic() < deadline, f"waited in vain: {self.link.error}"

    def _append(self, data: bytes) -> None:
        if data:
            run, before = self.segments[-1]
            self.segments[-1] = (run, before + data)

    def items(self, segment: int) -> list[Any]:
        return list(Decoder().feed(self.segments[segment][1]))


def test_each_segment_begins_with_the_run_and_what_is_counted_and_can_be_read_by_itself(
    closing: contextlib.ExitStack,
) -> None:
    scenario = IsisScenario(EventPlan(runs=2, run_seconds=0.6, periods=3), spectra=20, rate=50_000)
    machine = closing.enter_context(scenario.serve("127.0.0.1", 0, linger=5))
    link = IsisLink(machine.address, 100_000, time.monotonic)
    closing.callback(link.close)
    recorded = Recorded(link)
    recorded.until(
        lambda: recorded.segments and recorded.segments[-1][0] == 1003 and b"NPER" in recorded.segments[-1][1]
    )
    assert [run for run, _ in recorded.segments] == sorted(run for run, _ in recorded.segments)
    assert {run for run, _ in recorded.segments} == {1001, 1002, 1003}
    assert len(recorded.segments) > 5  # of 100 kB each
    sent = {run["run"]: run["events"] for run in json.loads(machine.events.truth_json())["runs"]}
    counted = dict.fromkeys(sent, 0)
    for n, (run, _) in enumerate(recorded.segments):
        first, second, *rest = recorded.items(n)
        assert isinstance(first, Setup)
        assert first.run == run
        assert isinstance(second, Parameters)
        tables = event_tables(second.blocks)
        assert (tables.periods, tables.spectra, tables.detector.tolist()) == (3, 20, list(range(1, 24)))
        assert all(isinstance(item, NeutronBatch) for item in rest)
        if run in counted:
            counted[run] += sum(len(item.tof) for item in rest)
    assert counted == sent


def test_a_command_port_that_falls_silent_later_is_taken_to_hold_still(closing: contextlib.ExitStack) -> None:
    scenario = IsisScenario(EventPlan(runs=1, run_seconds=1.0), rate=5_000)
    machine = closing.enter_context(scenario.serve("127.0.0.1", 0, linger=5))
    link = IsisLink(machine.address, 1 << 40, clock)
    closing.callback(link.close)
    recorded = Recorded(link)
    recorded.until(lambda: recorded.segments and b"NPER" in recorded.segments[0][1])
    assert machine.commands is not None
    machine.commands.stop()
    recorded.until(lambda: len(recorded.segments) == 2 and b"NPER" in recorded.segments[1][1])
    assert link.connections == 1
    assert recorded.items(1)[1] == recorded.items(0)[1]


def test_without_a_command_port_nothing_is_taken_and_the_reason_is_said(closing: contextlib.ExitStack) -> None:
    server = closing.enter_context(Scripted(say(b"")))  # hangs up on everybody

    def stream(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(encode(Setup(7, 1000)))
        over.wait(DEADLINE_S)

    events = closing.enter_context(Scripted(stream))
    link = IsisLink(events.address, 1 << 40, clock)
    link._commands = DaeConnection(server.address, clock)  # where no free pair of ports can be had
    closing.callback(link.close)
    recorded = Recorded(link)
    recorded.until(lambda: link.error is not None)
    assert "does not say what is counted: the server closed the connection" in str(link.error)
    assert [data for _, data in recorded.segments] == [encode(Setup(7, 1000))]
