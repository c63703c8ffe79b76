"""StartLiveData in this process, `record` and `replay`, on simulated sources: what was sent and what was counted."""

from __future__ import annotations

import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from livereduce.listeners.base import Listener
from livereduce.listeners.opening import Wanted, open_stream
from livereduce.live import start
from livereduce.live.start import LiveMonitor
from livereduce.mantid import finder, mtd
from livereduce.mantid.live_data import load_live_data, start_live_data
from livereduce.workspaces import MatrixWorkspace, WorkspaceGroup, WorkspaceStore

if TYPE_CHECKING:
    from tests.system.conftest import Agree, Counted, Lab, Until

pytestmark = pytest.mark.system

REBIN = "from mantid.simpleapi import *\noutput = Rebin(input, '0,100,60000')\n"


@pytest.fixture(autouse=True)
def store() -> Iterator[WorkspaceStore]:
    """An empty store; nothing goes on running."""
    made = WorkspaceStore()
    before = mtd.use(made)
    yield made
    start.cancel_all()
    assert start.running() == []
    finder.uninstall()
    mtd.use(before)


def adara(address: str, **properties: Any) -> LiveMonitor:
    """Start from the beginning of the stream, five updates a second."""
    given = {
        "instrument": "DEMO-POW", "listener": "SNSLiveEventDataListener", "address": address, "from_now": False,
        "from_start_of_run": True, "update_every": 0.2, "output_workspace": "live",
    }  # fmt: skip
    monitor = start_live_data(**(given | properties)).monitor_live_data
    assert isinstance(monitor, LiveMonitor)
    return monitor


def finished(monitor: LiveMonitor) -> list[dict[str, Any]]:
    runs: Any = monitor.ledger()["runs"]
    return [account for account in runs if account["finished"]]


def test_a_notebook_accounts_for_every_event_of_two_runs_and_keeps_their_results(
    lab: Lab, until: Until, agree: Agree
) -> None:
    simulator = lab.simulator("--runs=2", "--run-seconds=15")
    monitor = adara(
        simulator.address, processing_script=REBIN, preserve_events=True, run_transition_behavior="Rename",
        post_processing_script="output = SumSpectra(input)", accumulation_workspace="acc",
    )  # fmt: skip
    until(lambda: len(finished(monitor)) == 2, "the end of both runs")
    began = time.monotonic()
    monitor.cancel()
    assert monitor.wait(5.0)
    assert time.monotonic() - began < 1.0
    assert (monitor.error, monitor.script_error) == (None, None)
    for sent, account in zip(simulator.truth()["runs"], finished(monitor), strict=True):
        agree(account, sent)
        kept = mtd[f"live_{sent['run']}"]
        assert isinstance(kept, MatrixWorkspace)
        # all times of flight lie in the bins
        assert kept.y.sum() == account["accumulated"]


def test_a_lost_connection_is_made_again_and_nothing_is_counted_twice(lab: Lab, until: Until, agree: Agree) -> None:
    simulator = lab.simulator("--runs=1", "--run-seconds=40", "--chaos=close-mid-packet=2", "--linger=3")
    monitor = adara(simulator.address, processing_script=REBIN)
    until(lambda: finished(monitor), "the end of the run")
    monitor.cancel()
    assert monitor.wait(5.0)
    account = finished(monitor)[0]
    assert account["duplicates"] > 0
    agree(account, simulator.truth()["runs"][0])


def test_one_chunk_alone_connects_takes_it_and_disconnects(lab: Lab) -> None:
    simulator = lab.simulator("--runs=1", "--run-seconds=30", "--no-wait")
    load_live_data(
        instrument="DEMO-POW", listener="SNSLiveEventDataListener", address=simulator.address, output_workspace="live"
    )
    found = mtd["live"]
    assert isinstance(found, MatrixWorkspace)
    assert found.y.sum() > 0
    assert simulator.process.poll() is None


def test_a_histogram_memory_is_polled_with_replace(lab: Lab, until: Until) -> None:
    source = lab.source("isis-histogram", "--port=0", "--periods=3", "--spectra=10", "--bins=100")
    monitor = start_live_data(
        instrument="ISIS_Histogram", address=source.address, update_every=0.3, accumulation_method="Replace",
        period_list=[1, 3], spectra_list=[2, 5], output_workspace="live",
    ).monitor_live_data  # fmt: skip
    until(lambda: monitor.chunks >= 3, "three updates")
    found = mtd["live"]
    assert isinstance(found, WorkspaceGroup)
    values = [member.y[:, 0].tolist() for member in found if isinstance(member, MatrixWorkspace)]
    assert values == [[2, 5], [2002, 2005]]


def test_an_isis_event_stream_goes_on_in_the_background(lab: Lab, until: Until) -> None:
    source = lab.source("isis-events", "--port=0")
    monitor = start_live_data(
        instrument="ISIS_Event", address=source.address, update_every=0.3, preserve_events=True,
        output_workspace="live",
    ).monitor_live_data  # fmt: skip
    until(lambda: monitor.chunks >= 3, "three updates")
    found = mtd["live"]
    assert isinstance(found, MatrixWorkspace)
    assert (found.n_spectra, found.number_events() % 1000) == (100, 0)
    assert found.number_events() > 0


@pytest.mark.parametrize(("start_s", "asked"), [(0, 0), (1, 1), (1_700_000_000, 1_700_000_000 - 631_152_000)])
def test_the_server_is_asked_for_the_start_in_seconds_since_1990(start_s: int, asked: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        opened: list[Listener] = []
        wanted = Wanted("adara", f"127.0.0.1:{server.getsockname()[1]}", start_s)
        thread = threading.Thread(target=lambda: opened.append(open_stream(wanted)))
        thread.start()
        connection, _ = server.accept()
        with connection:
            hello = connection.recv(64)
        thread.join()
        opened[0].close()
    assert struct.unpack_from("<I", hello, 16) == (asked,)


# -- record and replay ------------------------------------------------------------------------------------------------


def test_what_is_recorded_is_what_was_sent_and_replays_to_the_same_account(
    lab: Lab, counted: Counted, agree: Agree, tmp_path: Path
) -> None:
    simulator = lab.simulator("--runs=2", "--run-seconds=15")
    recorder = lab.command("record", simulator.address, str(tmp_path / "stream.adara"))
    truth = simulator.truth()
    assert recorder.wait() == 0
    found = counted((tmp_path / "stream.adara").read_bytes())
    for sent in truth["runs"]:
        assert (found[sent["run"]].pulses, found[sent["run"]].events) == (sent["pulses"], sent["events"])
    script = lab.script("proc", REBIN)
    replay = lab.command(
        "replay", str(tmp_path / "stream.adara"), "--proc", str(script), "--update-every", "2", "--out",
        str(tmp_path / "out"),
    )  # fmt: skip
    for sent, account in zip(truth["runs"], replay.last_words()["runs"], strict=True):
        agree(account, sent)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"result_{sent['run']}.nxs" for sent in truth["runs"]
    }


def test_a_replay_at_a_speed_takes_its_time_and_ctrl_c_ends_it_with_code_0(lab: Lab, tmp_path: Path) -> None:
    simulator = lab.simulator("--runs=1", "--run-seconds=20")
    recorder = lab.command("record", simulator.address, str(tmp_path / "stream.adara"))
    assert recorder.wait() == 0
    replay = lab.command("replay", str(tmp_path / "stream.adara"), "--speed", "2", "--update-every", "1")
    deadline = time.monotonic() + 30
    while replay.said("events; ") is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    began = time.monotonic()
    replay.signal(signal.SIGINT)
    assert replay.wait(10) == 0
    assert time.monotonic() - began < 2.0
    ledger = replay.last_words()
    assert 0 <= sum(run["events"] for run in ledger["runs"]) < np.inf


def test_a_recording_ends_by_ctrl_c_and_after_its_time_and_says_what_it_has(lab: Lab, tmp_path: Path) -> None:
    simulator = lab.simulator("--runs=1", "--run-seconds=600", speed=1)
    timed = lab.command("record", simulator.address, str(tmp_path / "timed.adara"), "--seconds", "1.5", "--from-now")
    stopped = lab.command("record", simulator.address, str(tmp_path / "stopped.adara"))
    assert timed.wait() == 0
    assert (timed.said("timed.adara: ") or "").endswith("packets")
    while not (tmp_path / "stopped.adara").stat().st_size:
        time.sleep(0.05)
    began = time.monotonic()
    stopped.signal(signal.SIGINT)
    assert stopped.wait(10) == 0
    assert time.monotonic() - began < 2.0
    again = lab.command("record", simulator.address, str(tmp_path / "timed.adara"))
    assert again.wait() == 2
    assert "is there already; --force writes over it" in again.err.read_text()


def test_recording_where_nobody_answers_fails_with_the_reason(lab: Lab, tmp_path: Path) -> None:
    simulator = lab.simulator("--runs=1", "--run-seconds=1", "--no-wait")
    simulator.end()
    recorder = lab.command("record", simulator.address, str(tmp_path / "none.adara"))
    assert recorder.wait() == 1
    assert f"{simulator.address}: cannot connect" in recorder.err.read_text()
