"""The simulated ADARA server over loopback: as a process, and in this one for what needs its inside."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livereduce.protocols.adara import Decoder, EventBatch, RunState, RunStatus, Sync
from livereduce.simulators.adara_server import AdaraServer
from livereduce.simulators.chaos import chaos_from
from livereduce.simulators.plan import Plan
from livereduce.simulators.scenario import Scenario

pytestmark = pytest.mark.system

EPOCH_NS = 1_700_000_000_000_000_000
EPICS = 1_700_000_000 - 631_152_000
NO_PAUSE_DATA, SEND_PAUSE_DATA = 1, 2
DEADLINE_S = 60.0


def hello(start: int, flags: int = NO_PAUSE_DATA, version: int = 1) -> bytes:
    payload = struct.pack("<2I", start, flags) if version else struct.pack("<I", start)
    return struct.pack("<4I", len(payload), 0x4006 << 8 | version, EPICS, 0) + payload


def connect(port: int, greeting: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
    connection.sendall(greeting)
    return connection


def read_all(connection: socket.socket) -> bytes:
    data = bytearray()
    while part := connection.recv(1 << 20):
        data += part
    return bytes(data)


def read_until(connection: socket.socket, enough: Callable[[bytearray], bool]) -> bytes:
    data = bytearray()
    while not enough(data):
        part = connection.recv(1 << 20)
        assert part, "the server hung up"
        data += part
    return bytes(data)


def tally(stream: bytes) -> tuple[int, int, int]:
    """Banked packets, events and charge (pC) of a stream, with struct alone."""
    pulses = events = charge = at = 0
    while at + 16 <= len(stream):
        length, form, _, _ = struct.unpack_from("<4I", stream, at)
        if form >> 8 == 0x4000:
            pulses += 1
            charge += 10 * struct.unpack_from("<I", stream, at + 16)[0]
            section, end = at + 32, at + 16 + length
            while section < end:
                banks = struct.unpack_from("<4I", stream, section)[3]
                section += 16
                for _ in range(banks):
                    n = struct.unpack_from("<2I", stream, section)[1]
                    events += n
                    section += 8 + 8 * n
            assert section == end
        at += 16 + length
    return pulses, events, charge


def told(truth: dict[str, Any]) -> tuple[int, int, int]:
    tallies = [*truth["runs"], truth["between_runs"]]
    pulses, events, charge = (sum(t[key] for t in tallies) for key in ("pulses", "events", "charge_pC"))
    return pulses, events, charge


@pytest.fixture
def simulate() -> Iterator[Callable[..., tuple[subprocess.Popen[str], int]]]:
    """Start `simulate adara` as a process; gives it and its port."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> tuple[subprocess.Popen[str], int]:
        process = subprocess.Popen(
            [sys.executable, "-m", "livereduce.cli.simulate", "adara", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("listening on 127.0.0.1:"):
                return process, int(line.rpartition(":")[2])
        raise AssertionError(f"ended with {process.wait()} before it listened")

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def serve(plan: Plan, *chaos: str, rate: float = 20_000, **options: Any) -> AdaraServer:
    simulation = Scenario(rate=rate, plan=plan, chaos=chaos_from(chaos)).prepare()
    return AdaraServer(simulation, epoch_ns=EPOCH_NS, **({"linger": 0.2} | options))


# -- the process -------------------------------------------------------------------------------------------------------

QUICK = ("--run-seconds", "4", "--gap-seconds", "2", "--speed", "10", "--linger", "0.3")


def test_last_line_is_the_truth_that_a_client_counted(simulate: Any) -> None:
    process, port = simulate("--runs", "3", "--pause-at", "1", "--pause-seconds", "1", *QUICK)
    with connect(port, hello(1)) as connection:
        stream = read_all(connection)
    out, _ = process.communicate(timeout=DEADLINE_S)
    truth = json.loads(out.splitlines()[-1])
    assert process.returncode == 0
    assert [run["run"] for run in truth["runs"]] == [10001, 10002, 10003]
    assert all(run["paused_events"] > 0 for run in truth["runs"])
    assert tally(stream) == told(truth)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("greeted", [True, False])
def test_signal_ends_it_within_two_seconds_with_the_truth_and_exit_code_0(
    simulate: Any, number: int, greeted: bool
) -> None:
    process, port = simulate("--rate", "1e5")
    with connect(port, hello(1) if greeted else b"") as connection:
        if greeted:
            read_until(connection, lambda data: len(data) > 200_000)
        asked = time.monotonic()
        os.kill(process.pid, number)
        out, _ = process.communicate(timeout=DEADLINE_S)
    assert time.monotonic() - asked < 2.0
    assert process.returncode == 0
    truth = json.loads(out.splitlines()[-1])
    assert set(truth) == {"runs", "between_runs"}
    assert bool(truth["between_runs"].get("events")) == greeted


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--chaos", "earthquake"), "earthquake"),
        (("--sample", "cheese"), "cheese"),
        (("--rate", "5"), "rate"),
        (("--epoch", "soon"), "soon"),
        (("--file", __file__), "HDF5"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_is_wrong(options: tuple[str, ...], word: str) -> None:
    command = [sys.executable, "-m", "livereduce.cli.simulate", "adara", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 2
    assert word in done.stderr


def test_taken_port_is_a_failure_that_names_it(simulate: Any) -> None:
    _, port = simulate()
    command = [sys.executable, "-m", "livereduce.cli.simulate", "adara", "--port", str(port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 1
    assert str(port) in done.stderr


def test_same_seed_and_epoch_give_the_same_bytes(simulate: Any) -> None:
    options = ("--epoch", "2026-11-23T12:00:00Z", "--seed", "5", "--runs", "1", *QUICK)
    streams = []
    for _ in range(2):
        _, port = simulate(*options)
        with connect(port, hello(1)) as connection:
            streams.append(read_until(connection, lambda data: len(data) > 2_000_000))
    size = min(map(len, streams))
    assert streams[0][:size] == streams[1][:size]


def test_real_measurement_is_served_count_for_count(simulate: Any, shared_data: Path) -> None:
    path = shared_data / "lrcs3701.nx5"
    process, port = simulate("--file", str(path), "--run-seconds", "30", "--speed", "20", "--linger", "0.1")
    with connect(port, hello(0)) as connection:
        batches = [p for p in Decoder(batch_events=True).feed(read_all(connection)) if isinstance(p, EventBatch)]
    out, _ = process.communicate(timeout=DEADLINE_S)
    (run,) = json.loads(out.splitlines()[-1])["runs"]
    assert (run["run"], run["events"]) == (3701, 2_666_912)
    import h5py

    with h5py.File(path) as file:
        counts = file["Histogram1/data/data"][()]
        edges = file["Histogram1/data/time_of_flight"][()].astype(float)
    channel = np.searchsorted(edges, np.concatenate([b.tof for b in batches]) / 10.0, side="right") - 1
    found = np.zeros((148, 750), int)
    np.add.at(found, (np.concatenate([b.pixel for b in batches]).astype(int) - 1, channel), 1)
    assert (found == counts).all()


# -- the hello ---------------------------------------------------------------------------------------------------------


def test_nothing_is_said_before_the_hello_and_silence_is_hung_up_on() -> None:
    with serve(Plan(), wait=False, hello_timeout=0.5) as server, connect(server.port) as connection:
        asked = time.monotonic()
        assert connection.recv(1) == b""
        assert time.monotonic() - asked >= 0.4


@pytest.mark.parametrize(
    "wrong",
    [
        struct.pack("<4I", 8, 0x4006 << 8, EPICS, 0) + bytes(8),
        struct.pack("<4I", 4, 0x4006 << 8 | 1, EPICS, 0) + bytes(4),
        struct.pack("<4I", 4, 0x4006 << 8 | 2, EPICS, 0) + bytes(4),
        struct.pack("<4I", 6, 0x4006 << 8, EPICS, 0) + bytes(6),
        struct.pack("<4I", 9, 0x4006 << 8 | 2, EPICS, 0) + bytes(9),
        struct.pack("<4I", 0, 0x4009 << 8, EPICS, 0),
        struct.pack("<4I", 4, 0x4003 << 8, EPICS, 0) + bytes(4),
        struct.pack("<4I", 1012, 0x4006 << 8 | 2, EPICS, 0),
    ],
    ids=[
        "v0 too long",
        "v1 too short",
        "v2 too short",
        "no multiple of 4",
        "odd v2",
        "heartbeat",
        "status",
        "over 1024",
    ],
)
def test_anything_but_a_right_hello_is_hung_up_on_at_once(wrong: bytes) -> None:
    with serve(Plan(), wait=False) as server, connect(server.port, wrong) as connection:
        asked = time.monotonic()
        try:
            assert connection.recv(1) == b""
        except ConnectionResetError:
            pass  # bytes the server left unread turn its goodbye into a reset
        assert time.monotonic() - asked < 5.0


@pytest.mark.parametrize("greeting", [hello(0, version=0), hello(0), hello(0, version=2)], ids=["v0", "v1", "v2"])
def test_hello_of_any_version_is_taken_even_byte_by_byte(greeting: bytes) -> None:
    with serve(Plan(), wait=False) as server, connect(server.port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in greeting:
            connection.sendall(bytes([byte]))
        first, second = first_two(connection)
        assert isinstance(first, Sync)
        assert isinstance(second, RunStatus)


def first_two(connection: socket.socket) -> tuple[Any, Any]:
    found: list[Any] = []
    decoder = Decoder()
    while len(found) < 2:
        found += decoder.feed(connection.recv(1 << 16))
    return found[0], found[1]


def test_time_stands_still_until_the_first_hello() -> None:
    with serve(Plan(), wait=True) as server:
        with connect(server.port) as connection:
            assert select.select([connection], [], [], 0.3)[0] == []
            assert server.truth() == {"runs": [], "between_runs": {}}
        with connect(server.port, hello(0)) as connection:
            _, status = first_two(connection)
    assert status.time_ns == EPOCH_NS


# -- history -----------------------------------------------------------------------------------------------------------


def until_in_run(data: bytearray) -> bool:
    return b"Run 10001 Started." in data


@pytest.fixture
def in_run() -> Iterator[AdaraServer]:
    """A server some simulated seconds into a long run, index points every two."""
    plan = Plan(runs=1, run_seconds=3000.0, index_period=2.0)
    with serve(plan, wait=False, speed=20.0) as server:
        with connect(server.port, hello(1)) as connection:
            read_until(connection, until_in_run)
            read_until(connection, lambda data: data.count(struct.pack("<I", 0x4000 << 8 | 1)) > 600)
        yield server


def test_start_0_is_a_snapshot_and_then_from_now_on(in_run: AdaraServer) -> None:
    with connect(in_run.port, hello(0)) as connection:
        data = read_until(connection, lambda data: len(data) > 300_000)
    packets = list(Decoder(batch_events=True).feed(data))
    status = packets[1]
    assert isinstance(status, RunStatus)
    assert (status.status, status.run_number, status.file_number) == (RunState.STATE, 10001, 0)
    pulses = next(p for p in packets if isinstance(p, EventBatch))
    assert 0 <= status.time_ns - pulses.pulse_time[0] < 70_000_000


def test_start_1_is_the_run_from_its_first_byte(in_run: AdaraServer) -> None:
    with connect(in_run.port, hello(1)) as connection:
        data = read_until(connection, lambda data: len(data) > 300_000)
    packets = list(Decoder(batch_events=True).feed(data))
    status = packets[1]
    assert isinstance(status, RunStatus)
    assert (status.status, status.run_number) == (RunState.NEW_RUN, 10001)
    first = next(p for p in packets if isinstance(p, EventBatch)).pulse_time[0]
    assert EPOCH_NS + 1_000_000_000 <= first < EPOCH_NS + 1_020_000_000


def test_start_n_is_rounded_down_to_an_index_point_with_a_snapshot(in_run: AdaraServer) -> None:
    with connect(in_run.port, hello(EPICS + 7)) as connection:
        data = read_until(connection, lambda data: len(data) > 300_000)
    packets = list(Decoder(batch_events=True).feed(data))
    status = packets[1]
    assert isinstance(status, RunStatus)
    assert (status.status, status.time_ns) == (RunState.STATE, EPOCH_NS + 6_000_000_000)
    first = next(p for p in packets if isinstance(p, EventBatch)).pulse_time[0]
    assert 5.9e9 < first - EPOCH_NS < 6.0e9


# -- several clients ---------------------------------------------------------------------------------------------------


def test_slow_client_holds_up_nobody_and_gets_everything_in_the_end() -> None:
    plan = Plan(runs=1, run_seconds=20.0)
    with serve(plan, rate=200_000, speed=10.0) as server:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with slow, connect(server.port, hello(1)) as quick:
            slow.settimeout(DEADLINE_S)
            slow.connect(("127.0.0.1", server.port))
            slow.sendall(hello(1))
            first = slow.recv(100)
            read_until(quick, lambda data: b"Run 10001 Stopped." in data[-300_000:])
            stream = first + read_all(slow)
            assert server.wait(DEADLINE_S)
        assert tally(stream) == told(server.truth())


def test_only_who_asks_for_paused_data_gets_them() -> None:
    plan = Plan(runs=1, run_seconds=6.0, pause_at=2.0, pause_seconds=2.0)
    with serve(plan, wait=True, speed=10.0) as server:
        connections = [connect(server.port, hello(1, flags)) for flags in (0, NO_PAUSE_DATA, SEND_PAUSE_DATA, 3)]
        streams = []
        for connection in connections:
            with connection:
                streams.append(read_all(connection))
        assert server.wait(DEADLINE_S)
    truth: Any = server.truth()
    _, events, _ = told(truth)
    paused = truth["runs"][0]["paused_events"]
    assert paused > 30_000
    assert [tally(stream)[1] for stream in streams] == [events, events, events + paused, events + paused]


# -- faults of the connection ------------------------------------------------------------------------------------------


def test_split_writes_lose_nothing() -> None:
    with (
        serve(Plan(runs=1, run_seconds=1.0), "split-writes", rate=3000, speed=5.0) as server,
        connect(server.port, hello(1)) as connection,
    ):
        stream = read_all(connection)
        assert server.wait(DEADLINE_S)
    assert tally(stream) == told(server.truth())


def test_connection_closed_in_mid_packet_is_followed_by_a_good_one() -> None:
    with serve(Plan(), "close-mid-packet=1", rate=5000) as server:
        with connect(server.port, hello(1)) as connection:
            decoder = Decoder()
            list(decoder.feed(read_all(connection)))
        assert decoder.pending > 0
        with connect(server.port, hello(1)) as connection:
            read_until(connection, lambda data: len(data) > 300_000)


def test_connections_are_cut_at_their_age() -> None:
    with serve(Plan(), "cut-every=0.5") as server:
        for _ in range(2):
            with connect(server.port, hello(0)) as connection:
                asked = time.monotonic()
                decoder = Decoder()
                list(decoder.feed(read_all(connection)))
                assert 0.4 < time.monotonic() - asked < 5.0
                assert decoder.pending == 0


def test_failure_of_the_stream_is_told_to_who_waits_for_its_end() -> None:
    class Broken:
        def begin_run(self, pulses: int) -> None:
            raise RuntimeError("no neutrons")

        def next_body(self, temperature: float, counting: bool) -> Any:
            raise RuntimeError("no neutrons")

    simulation = Scenario(plan=Plan(runs=1)).prepare()
    simulation.source = Broken()
    with (
        AdaraServer(simulation, wait=False, linger=0.1) as server,
        pytest.raises(RuntimeError, match="no neutrons"),
    ):
        server.wait(DEADLINE_S)
