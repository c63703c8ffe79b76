"""The connection is cut, the server starts again, the stream is full of faults: nothing lost, nothing counted twice."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.system.conftest import Agree, Lab

pytestmark = pytest.mark.system

PROC = """\
from mantid.simpleapi import SumSpectra, Rebin
output = Rebin(SumSpectra(input, OutputWorkspace="summed"), "14000,20,34000")
"""


class Proxy:
    """Passes bytes between clients and a server until the line is cut; refuses nobody, answers nobody while cut."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._lines: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._whole = True
        self._spawn(self._accept)

    def cut(self) -> None:
        """Cut all lines, in the middle of whatever is on its way."""
        self._whole = False
        for line in self._lines:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def restore(self) -> None:
        self._whole = True

    def close(self) -> None:
        self.cut()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for line in (self._listening, *self._lines):
            line.close()

    def _spawn(self, target: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments))
        self._threads[-1].start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:  # closed
                return
            if not self._whole:
                client.close()
                continue
            self._lines.append(client)
            try:
                server = socket.create_connection(self._target)
            except OSError:  # the server has gone
                client.close()
                continue
            self._lines.append(server)
            self._spawn(self._pump, client, server)
            self._spawn(self._pump, server, client)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        for line in (source, sink):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxies() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def proxy(stack: contextlib.ExitStack, port: int) -> Proxy:
    made = Proxy(port)
    stack.callback(made.close)
    return made


def test_a_connection_that_was_away_in_mid_run_leaves_no_trace_in_the_sums(
    lab: Lab, agree: Agree, proxies: contextlib.ExitStack
) -> None:
    lab.script("proc", PROC)
    simulator = lab.simulator(runs=2, run_seconds=80, index_period=5, pause_at=5, pause_seconds=3, speed=15)
    line = proxy(proxies, simulator.port)
    daemon = lab.daemon(line.address, "--exit-after-runs", "2")
    for events in (150_000, 500_000):
        daemon.until_events(events)
        line.cut()
        daemon.until_status(lambda s: s["state"] == "source lost", "the loss to be noticed")
        line.restore()
        daemon.until_status(lambda s: s["state"] != "source lost", "the connection to be back")
    ledger, truth = daemon.last_words(), simulator.truth()
    for account, sent in zip(ledger["runs"], truth["runs"], strict=True):
        agree(account, sent)
    assert ledger["runs"][0]["duplicates"] > 100
    assert daemon.health("recorder")["reconnects"] >= 2


def test_what_a_source_cannot_give_any_more_is_said_to_be_missing(
    lab: Lab, agree: Agree, proxies: contextlib.ExitStack
) -> None:
    lab.script("proc", PROC)
    simulator = lab.simulator(runs=2, run_seconds=30, gap_seconds=80)
    line = proxy(proxies, simulator.port)
    daemon = lab.daemon(line.address, "--exit-after-runs", "2")
    before = daemon.until_events(150_000)
    line.cut()
    # the first run is over when the connection is back: its rest is not served any more
    daemon.until_status(lambda s: s["now_ns"] - before["written_ns"] > 5e9, "the run to end")
    line.restore()
    ledger, truth = daemon.last_words(), simulator.truth()
    (first, second), (sent, _) = ledger["runs"], truth["runs"]
    agree(second, truth["runs"][1])
    assert (first["complete"], first["finished"]) == (False, True)
    assert first["state"] == "incomplete: end not seen, data missing"
    assert 150_000 <= first["events"] < sent["events"]
    assert first["accumulated"] + sum(first["dropped"].values()) == first["events"]
    [[begin, end]] = [[datetime.fromisoformat(t) for t in interval] for interval in first["missing"]]
    started = datetime.fromisoformat(first["start"])
    # 20 000 events/s: the gap begins where what arrived ends
    assert (begin - started).total_seconds() == pytest.approx(first["events"] / 20_000, abs=1.5)
    assert begin < end


def test_a_server_that_starts_again_begins_a_new_run_and_the_old_one_is_called_incomplete(
    lab: Lab, agree: Agree
) -> None:
    lab.script("proc", PROC)
    old = lab.simulator(runs=1, run_seconds=600)
    daemon = lab.daemon(old.address, "--exit-after-runs", "2")
    daemon.until_events(200_000)
    old.end()
    new = lab.simulator(runs=1, run_seconds=20, port=old.port)
    ledger = daemon.last_words()
    first, second = ledger["runs"]
    agree(second, new.truth()["runs"][0])
    assert (first["run"], first["complete"], first["finished"]) == (second["run"], False, True)
    assert first["start"] != second["start"]
    assert first["state"] == "incomplete: end not seen, data missing"
    assert first["events"] >= 200_000


@pytest.mark.parametrize(
    ("faults", "run_seconds"),
    [
        (("cut-every=1.5",), 45),
        (("close-mid-packet=2",), 58),
        (("backwards-time", "duplicate-pulses", "cut-every=1.5"), 45),
    ],
)
def test_cuts_by_the_server_change_no_sum(lab: Lab, agree: Agree, faults: tuple[str, ...], run_seconds: int) -> None:
    lab.script("proc", PROC)
    chaos = [word for fault in faults for word in ("--chaos", fault)]
    # with half a second of rest after a cut the run ends in the middle of the third connection
    simulator = lab.simulator(*chaos, runs=1, run_seconds=run_seconds)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    ledger = daemon.last_words()
    [account] = ledger["runs"]
    agree(account, simulator.truth()["runs"][0])
    assert account["duplicates"] > 0
    assert daemon.health("recorder")["reconnects"] >= 2


def test_rubbish_in_the_stream_is_counted_and_changes_no_sum(lab: Lab, agree: Agree) -> None:
    lab.script("proc", PROC)
    faults = ("unknown-types", "oversize", "bad-xml", "malformed", "short-run", "stall=1", "split-writes")
    chaos = [word for fault in faults for word in ("--chaos", fault)]
    simulator = lab.simulator(*chaos, runs=2, run_seconds=30, rate=5000)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "2")
    ledger, truth = daemon.last_words(), simulator.truth()
    for account, sent in zip(ledger["runs"], truth["runs"], strict=True):
        agree(account, sent)
        assert account["rejected_packets"]["oversize packet"] == 1
    assert ledger["runs"][1]["rejected_packets"]["malformed BankedEvent"] == 30
    # broken XML comes at the head of a file, before the stream says which run follows
    assert set(ledger["between_runs"]["rejected_packets"]) >= {
        "unreadable device descriptor", "unusable geometry", "unreadable run info"
    }  # fmt: skip
    assert set(ledger["runs"][1]["rejected_packets"]) >= {"unknown packet type 0x4f00", "unknown packet type 0x4f01"}
