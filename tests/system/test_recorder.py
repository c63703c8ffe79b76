"""The recorder as a process of its own, against a server that does what the test says, over loopback."""

from __future__ import annotations

import contextlib
import json
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from livereduce.config import from_mapping
from livereduce.errors import LiveReduceError
from livereduce.protocols.adara import BankedEvent, Decoder, Geometry, RunState, RunStatus, Sync, encode, unix_ns
from livereduce.sources import Position
from livereduce.sources.journal import JournalReader, segments
from livereduce.sources.socket import SocketSource
from livereduce.status import RecorderHealth

pytestmark = pytest.mark.system

DEADLINE_S = 30.0
EPICS_S = 1_000_000_000


def until(condition: Callable[[], Any]) -> Any:
    """Wait until `condition` holds, and give what it gave."""
    deadline = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return value


def pulse(second: int, nanosecond: int = 0) -> bytes:
    words = (1, 2, 3, 0x300, 1, 0, 0, 1, 5, 1, 100, second)
    return struct.pack("<16I", 48, 0x400001, EPICS_S + second, nanosecond, *words)


def opening(run: int, state: RunState = RunState.NEW_RUN) -> bytes:
    now = unix_ns(EPICS_S)
    return encode(Sync(now)) + encode(RunStatus(now, run, unix_ns(EPICS_S) if run else 0, state))


Script = Callable[[socket.socket, threading.Event], None]


class Server:
    """Accepts connections one after the other; the n-th is served by the n-th script, then closed.

    A script is given the connection and an event by which the test lets it go on.
    """

    def __init__(self, *scripts: Script, host: str = "127.0.0.1", port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, port), family=family)
        port = self._listening.getsockname()[1]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.hellos: list[tuple[int, ...]] = []
        self._scripts = scripts
        self._go = [threading.Event() for _ in scripts]
        self._thread = threading.Thread(target=self._serve, name="scripted server")
        self._thread.start()

    def let_go(self, number: int) -> None:
        """End the waiting of the n-th script."""
        self._go[number].set()

    def close(self) -> None:
        for event in self._go:
            event.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        for script, go in zip(self._scripts, self._go, strict=True):
            try:
                connection, _ = self._listening.accept()
            except OSError:  # closed by the test
                return
            with connection, contextlib.suppress(ConnectionError):
                self.hellos.append(struct.unpack("<6I", connection.recv(24, socket.MSG_WAITALL)))
                script(connection, go)


def send(*parts: bytes, hold: bool = True) -> Script:
    """Make a script that sends `parts` and then holds the line until either side lets go, or hangs up."""

    def script(connection: socket.socket, go: threading.Event) -> None:
        connection.sendall(b"".join(parts))
        while hold and not go.is_set() and not select.select([connection], [], [], 0.02)[0]:
            pass

    return script


class Recorder:
    """A recorder process, its journal and its health."""

    def __init__(self, folder: Path, address: str, **stream: object) -> None:
        self.journal = folder / "state" / "journal"
        self._health = folder / "runtime" / "recorder.json"
        self._config = folder / "config.json"
        config = from_mapping(
            {
                "instrument": "POWGEN", "listener": "adara", "address": address, "stream": stream,
                "state_dir": str(folder / "state"), "runtime_dir": str(folder / "runtime"),
                "log": {"file": str(folder / "recorder.log")},
            }
        )  # fmt: skip
        self._config.write_text(config.model_dump_json())
        self.command = [sys.executable, "-m", "livereduce.recorder", "--config", str(self._config)]
        self.start()

    def start(self) -> None:
        self._health.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def health(self) -> RecorderHealth | None:
        try:
            return RecorderHealth(**json.loads(self._health.read_text()))
        except FileNotFoundError:
            return None

    def until_healthy(self, condition: Callable[[RecorderHealth], Any]) -> RecorderHealth:
        found: RecorderHealth = until(lambda: (h := self.health) is not None and condition(h) and h)
        return found

    def bytes_by_connection(self) -> dict[int, bytes]:
        data: dict[int, bytes] = {}
        for segment in segments(self.journal) if self.journal.is_dir() else []:
            data[segment.connection] = data.get(segment.connection, b"") + segment.path.read_bytes()
        return data

    def until_written(self, connection: int, data: bytes) -> None:
        until(lambda: self.bytes_by_connection().get(connection) == data)

    def stop(self) -> None:
        """End the process if it runs, and let go of its pipes."""
        if self.process.poll() is None:
            self.process.kill()
        for pipe in (self.process.stdin, self.process.stderr):
            if pipe is not None:
                pipe.close()
        self.process.wait()


@pytest.fixture
def closing() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


Start = Callable[..., tuple[Server, Recorder]]


@pytest.fixture
def start(tmp_path: Path, closing: contextlib.ExitStack) -> Start:
    """Start a server with scripts and a recorder for it."""

    def start(*scripts: Any, host: str = "127.0.0.1", **stream: object) -> tuple[Server, Recorder]:
        server = Server(*scripts, host=host)
        closing.callback(server.close)
        recorder = Recorder(tmp_path, server.address, **stream)
        closing.callback(recorder.stop)
        return server, recorder

    return start


def test_the_wires_bytes_are_in_the_journal_cut_at_runs_and_the_health_file_says_so(start: Start) -> None:
    between = opening(0, RunState.STATE) + pulse(1)
    run = encode(RunStatus(unix_ns(EPICS_S), 1001, unix_ns(EPICS_S), RunState.NEW_RUN)) + pulse(2) + pulse(3, 7)
    server, recorder = start(send(between + run))
    recorder.until_written(1, between + run)
    assert [(s.run, s.run_start, s.requested_start, s.size) for s in segments(recorder.journal)] == [
        (0, 0, 1, len(between)),
        (1001, unix_ns(EPICS_S), 1, len(run)),
    ]
    health = recorder.until_healthy(lambda h: h.bytes == len(between + run))
    assert (health.pid, health.state, health.address) == (recorder.process.pid, "connected", server.address)
    assert (health.connection, health.run, health.segment, health.error) == (1, 1001, 2, "")
    assert (health.packets, health.newest_pulse_ns) == (6, unix_ns(EPICS_S + 3, 7))
    assert health.journal_bytes == len(between + run)
    assert health.connected_since_ns is not None
    assert health.last_receive_ns is not None
    [(length, form, _, _, asked, flags)] = server.hellos
    assert (length, form) == (8, 0x400601)
    assert asked == 1
    assert flags == 1  # NO_PAUSE_DATA


def test_silence_is_no_error_and_the_health_file_stays_fresh(start: Start) -> None:
    _, recorder = start(send(opening(0)))
    first = recorder.until_healthy(lambda h: h.bytes)
    later = recorder.until_healthy(lambda h: h.written_ns > first.written_ns + 2_500_000_000)
    assert (later.state, later.reconnects, later.bytes, later.error) == ("connected", 0, first.bytes, "")


def test_a_cut_connection_is_resumed_ten_seconds_before_the_last_pulse(start: Start) -> None:
    whole = opening(7) + pulse(100) + pulse(101)
    partial = encode(Geometry(unix_ns(EPICS_S), "x" * 5000))[:3000]
    again = opening(7, RunState.STATE) + pulse(95) + pulse(101) + pulse(102)
    server, recorder = start(send(whole + partial, hold=False), send(again))
    recorder.until_written(2, again)
    assert [hello[4] for hello in server.hellos] == [1, EPICS_S + 101 - 10]
    assert recorder.bytes_by_connection() == {1: whole + partial, 2: again}
    health = recorder.until_healthy(lambda h: h.connection == 2)
    assert (health.reconnects, health.framing_errors) == (1, 0)
    assert [p.time_ns for p in pulses(recorder.journal)] == [unix_ns(EPICS_S + s) for s in (100, 101, 95, 101, 102)]


def pulses(journal: Path) -> list[BankedEvent]:
    """Read a journal as a listener does: what a connection left incomplete is void."""
    reader, decoder, connection, found = JournalReader(journal), Decoder(), None, list[BankedEvent]()
    while (block := reader.read(1000)) is not None:
        if block.connection != connection:
            decoder.restart()
            connection = block.connection
        found += [p for p in decoder.feed(block.data) if isinstance(p, BankedEvent)]
    reader.close()
    return found


def test_a_recorder_that_was_killed_loses_nothing_it_had_received_and_goes_on(start: Start) -> None:
    stream = opening(7) + b"".join(pulse(n) for n in range(5000)) + pulse(5000)[:40]
    again = opening(7, RunState.STATE) + pulse(5000)
    server, recorder = start(send(stream), send(again))
    recorder.until_written(1, stream)
    recorder.process.kill()
    recorder.process.wait()
    assert recorder.bytes_by_connection() == {1: stream}
    server.let_go(0)
    recorder.stop()
    recorder.start()
    recorder.until_written(2, again)
    assert recorder.bytes_by_connection()[1] == stream
    # the last pulse is incomplete, its header is there
    assert [hello[4] for hello in server.hellos] == [1, EPICS_S + 5000 - 10]
    assert len(pulses(recorder.journal)) == 5001


def test_a_recorder_killed_in_full_flow_leaves_a_beginning_of_what_was_sent(start: Start) -> None:
    parts = [opening(7), *(pulse(n) for n in range(1, 400_000))]
    server, recorder = start(send(*parts), send(opening(7, RunState.STATE) + pulse(1)))
    until(lambda: len(recorder.bytes_by_connection().get(1, b"")) > 1_000_000)
    recorder.process.kill()
    recorder.process.wait()
    kept = recorder.bytes_by_connection()[1]
    assert b"".join(parts).startswith(kept)
    server.let_go(0)
    recorder.stop()
    recorder.start()
    until(lambda: 2 in recorder.bytes_by_connection())
    assert recorder.bytes_by_connection()[1] == kept
    last = (len(kept) - len(parts[0]) - 16) // 64 + 1
    assert server.hellos[1][4] == pytest.approx(EPICS_S + last - 10, abs=1)


def test_bytes_up_to_lost_framing_are_kept_and_the_connection_is_made_again(start: Start) -> None:
    good = opening(7) + pulse(50)
    bad = struct.pack("<4I", 13, 0x400001, EPICS_S + 51, 0) + bytes(1000)
    again = opening(7, RunState.STATE) + pulse(52)
    server, recorder = start(send(good + bad), send(again))
    recorder.until_written(2, again)
    assert recorder.bytes_by_connection()[1] == good
    assert [hello[4] for hello in server.hellos] == [1, EPICS_S + 50 - 10]
    health = recorder.until_healthy(lambda h: h.framing_errors)
    assert (health.framing_errors, health.reconnects) == (1, 1)


def test_a_full_disk_is_reported_and_spoils_nothing_and_recording_goes_on_when_there_is_room(start: Start) -> None:
    large = encode(Geometry(unix_ns(EPICS_S), "x" * 200_000))
    before, after = opening(7) + pulse(1), large + pulse(2)

    def in_two_parts(connection: socket.socket, go: threading.Event) -> None:
        connection.sendall(before)
        go.wait(DEADLINE_S)
        connection.sendall(after)

    server, recorder = start(in_two_parts, *[send(before + after)] * 20)
    recorder.until_written(1, before)
    resource.prlimit(recorder.process.pid, resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
    server.let_go(0)
    recorder.until_healthy(lambda h: "cannot write the journal" in h.error and "File too large" in h.error)
    assert recorder.bytes_by_connection()[1] == (before + after)[:50_000]
    resource.prlimit(recorder.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    last = until(lambda: next((c for c, data in recorder.bytes_by_connection().items() if data == before + after), 0))
    health = recorder.until_healthy(lambda h: h.state == "connected" and h.connection == last)
    assert health.error == ""
    assert [p.pixel[0] for p in pulses(recorder.journal)][-2:] == [1, 2]


def test_segments_end_at_their_size_and_old_runs_are_removed(start: Start) -> None:
    geometry = encode(Geometry(unix_ns(EPICS_S), "x" * 30_000))
    runs = [opening(run) + geometry * 5 for run in (1, 2, 3, 4)]
    _, recorder = start(send(*runs), segment_bytes=65536, retain_runs=2)
    sync = len(encode(Sync(unix_ns(EPICS_S))))
    total = len(b"".join(runs))
    recorder.until_healthy(lambda h: h.bytes == total)
    assert [s.run for s in segments(recorder.journal)] == [3, 3, 4, 4]
    kept = len(runs[2]) + len(runs[3]) - sync  # a run begins at its status; the Sync before it went with the run before
    assert sum(s.size for s in segments(recorder.journal)) == kept
    recorder.until_healthy(lambda h: h.journal_bytes == kept)


def test_a_server_that_comes_later_is_found(tmp_path: Path, closing: contextlib.ExitStack) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{taken.getsockname()[1]}"
    taken.close()
    recorder = Recorder(tmp_path, address)
    closing.callback(recorder.stop)
    health = recorder.until_healthy(lambda h: h.error)
    assert "Connection refused" in health.error
    assert (health.state, health.connection) == ("waiting", 0)
    server = Server(send(opening(0)), port=int(address.rpartition(":")[2]))
    closing.callback(server.close)
    assert recorder.until_healthy(lambda h: h.state == "connected" and h.bytes).error == ""


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 on this machine")
def test_ipv6_addresses_work(start: Start) -> None:
    _, recorder = start(send(opening(0)), host="::1")
    recorder.until_written(1, opening(0))


def test_the_next_address_is_tried_when_one_does_not_answer(tmp_path: Path, closing: contextlib.ExitStack) -> None:
    server = Server(send(opening(0)))
    closing.callback(server.close)
    recorder = Recorder(tmp_path, f"127.0.0.1:1,{server.address}")
    closing.callback(recorder.stop)
    recorder.until_written(1, opening(0))
    health = recorder.until_healthy(lambda h: h.bytes)
    assert health.reconnects == 0


def test_a_name_that_nobody_knows_does_not_stop_the_recorder_from_reporting_and_ending(
    tmp_path: Path, closing: contextlib.ExitStack
) -> None:
    recorder = Recorder(tmp_path, "no-such-host.invalid:31415")
    closing.callback(recorder.stop)
    first = recorder.until_healthy(lambda h: True)
    later = recorder.until_healthy(lambda h: h.written_ns > first.written_ns + 1_500_000_000)
    assert later.state in {"connecting", "waiting"}
    recorder.process.send_signal(signal.SIGTERM)
    assert recorder.process.wait(DEADLINE_S) == 0


def test_the_recorder_ends_cleanly_when_its_parent_is_gone(start: Start) -> None:
    _, recorder = start(send(opening(0)))
    recorder.until_healthy(lambda h: h.state == "connected")
    assert recorder.process.stdin is not None
    recorder.process.stdin.close()
    assert recorder.process.wait(DEADLINE_S) == 0
    assert recorder.until_healthy(lambda h: True).state == "stopped"


def test_sigterm_ends_the_recorder_cleanly_and_ctrl_c_does_not(start: Start) -> None:
    _, recorder = start(send(opening(0)))
    recorder.until_healthy(lambda h: h.state == "connected")
    recorder.process.send_signal(signal.SIGINT)
    written = recorder.until_healthy(lambda h: True).written_ns
    recorder.until_healthy(lambda h: h.written_ns > written + 1_000_000_000)
    recorder.process.send_signal(signal.SIGTERM)
    assert recorder.process.wait(DEADLINE_S) == 0


def test_a_second_recorder_on_one_journal_is_refused_with_the_first_ones_pid(start: Start) -> None:
    _, recorder = start(send(opening(0)))
    recorder.until_healthy(lambda h: h.state == "connected")
    second = subprocess.run(recorder.command, stdin=subprocess.PIPE, capture_output=True, text=True, timeout=DEADLINE_S)
    assert second.returncode == 1
    assert f"is being written by process {recorder.process.pid}" in second.stderr


def test_the_recorder_does_not_load_numba() -> None:
    code = "import sys, livereduce.recorder.__main__; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=DEADLINE_S).returncode == 0


def test_a_socket_source_gives_each_connection_as_a_segment_and_connects_again(
    closing: contextlib.ExitStack,
) -> None:
    first, second = opening(7) + pulse(20), opening(7, RunState.STATE) + pulse(21)
    server = Server(send(first + b"partial", hold=False), send(second))
    closing.callback(server.close)
    source = SocketSource(server.address, hello_start=1)
    closing.callback(source.close)
    received: dict[int, bytes] = {}

    def read() -> bool:
        block = source.read(50)
        if block is not None:
            assert len(block.data) <= 50
            assert block.segment == block.connection
            assert block.offset == len(received.get(block.connection, b""))
            received[block.connection] = received.get(block.connection, b"") + block.data
        return received.get(2) == second

    until(read)
    assert received[1] == first
    assert [hello[4] for hello in server.hellos] == [1, EPICS_S + 20 - 10]
    with pytest.raises(LiveReduceError, match="cannot go back"):
        source.seek(Position(1, 0))
