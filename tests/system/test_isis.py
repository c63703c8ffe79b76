"""ISIS sources end to end: simulated machines and the daemon as processes, what was sent against what was counted."""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import psutil
import pytest

pytestmark = pytest.mark.system

RENAME = 'from mantid.simpleapi import RenameWorkspace\nRenameWorkspace("accumulation", OutputWorkspace="result")\n'
LRMECS_BINS = "from mantid.simpleapi import Rebin\noutput = Rebin(input, Params='1900,2,3400', PreserveEvents=True)\n"


def save(lab: Any, instrument: str, stage: str, text: str) -> None:
    (lab.scripts / f"reduce_{instrument}_live_{stage}.py").write_text(text)


def measured(path: Path) -> tuple[Any, Any]:
    with h5py.File(path) as file:
        return file["Histogram1/data/data"][()], file["Histogram1/data/time_of_flight"][()]


def run_of(ledger: dict[str, Any], number: int) -> dict[str, Any]:
    return next(account for account in ledger["runs"] if account["run"] == number)


# -- the reference test configurations ---------------------------------------------------------------------------------


def test_the_quick_start_with_histograms_works(lab: Any, until: Any) -> None:
    source = lab.source("isis-histogram", "--port=0", "--periods=5", "--spectra=10", "--bins=100")
    save(lab, "ISIS_Histogram", "post_proc", RENAME)
    daemon = lab.daemon(
        source.address, instrument="ISIS_Histogram", listener="ISISHistoDataListener", update_every="0.5",
        accum_method="Replace", periods=[1, 3],
    )  # fmt: skip
    daemon.until_health("reducer", lambda h: h["chunks"] >= 3 and h["result_version"] >= 3, "three updates")
    assert {"result_1", "result_2"} <= daemon.names()
    for name, level in (("result_1", 0), ("result_2", 2000)):
        entry, x, y, e = daemon.workspace(name)
        expected = np.repeat(level + np.arange(1, 11)[:, None], 100, axis=1)
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(e, np.sqrt(expected))
        np.testing.assert_array_equal(x, 10_000 + 100 * np.arange(101))
        assert entry["spectrum_numbers"] == list(range(1, 11))
    health = daemon.health("reducer")
    assert (health["source_error"], health["warnings"], health["script_error"]) == ("", [], None)
    assert health["ledger"]["runs"][0]["accumulated"] == 100 * (55 + 20_055)


def test_the_quick_start_with_events_works(lab: Any) -> None:
    source = lab.source("isis-events", "--port=0")
    save(lab, "ISIS_Event", "post_proc", RENAME)
    daemon = lab.daemon(source.address, instrument="ISIS_Event", listener="ISISLiveEventDataListener", update_every=0.5)
    daemon.until_health("reducer", lambda h: h["chunks"] >= 3 and h["events"] >= 20_000, "some thousand events")
    entry, _, y, _ = daemon.workspace("result")
    assert (entry["kind"], entry["shape"]) == ("EventWorkspace", [100, 1])
    # 1000 events a packet, uniform over 100 spectra: each within 6 standard deviations of its share
    assert entry["event_count"] % 1000 == 0
    share = entry["event_count"] / 100
    assert abs(y[:, 0] - share).max() < 6 * np.sqrt(share)
    assert daemon.health("reducer")["run"] == 1234


# -- a measured file, both ways ----------------------------------------------------------------------------------------


def test_a_measured_file_polled_with_replace_gives_its_counts_exactly(lab: Any, shared_data: Path) -> None:
    path = shared_data / "lrcs3701.nx5"
    counts, edges = measured(path)
    source = lab.source("isis-histogram", "--port=0", f"--file={path}")
    lab.script("proc", "output = input\n")
    daemon = lab.daemon(source.address, listener="isis_histogram")
    daemon.until_health("reducer", lambda h: h["chunks"] >= 3, "three updates")
    entry, x, y, _ = daemon.workspace()
    np.testing.assert_array_equal(y, counts)
    np.testing.assert_array_equal(x, edges)
    assert entry["title"].startswith("MgB2")
    account = run_of(daemon.health("reducer")["ledger"], 3701)
    assert account["events"] == account["accumulated"] == counts.sum()


def test_a_measured_file_sent_as_events_and_added_gives_its_counts_exactly(
    lab: Any, shared_data: Path, agree: Any
) -> None:
    path = shared_data / "lrcs3701.nx5"
    counts, edges = measured(path)
    source = lab.source("isis-events", "--port=0", f"--file={path}", "--run-seconds=3", "--linger=1")
    lab.script("proc", LRMECS_BINS)
    daemon = lab.daemon(source.address, "--exit-after-runs=1", listener="isis_events", accum_method="Add")
    ledger = daemon.last_words()
    _, x, y, e = daemon.workspace()
    np.testing.assert_array_equal(y, counts)
    np.testing.assert_array_equal(e, np.sqrt(counts))
    np.testing.assert_array_equal(x, edges)
    (sent,) = source.truth()["runs"]
    assert sent["events"] == counts.sum()
    agree(run_of(ledger, 3701), sent)


def test_add_with_a_histogram_source_is_refused_with_the_reason_and_the_cure(lab: Any) -> None:
    lab.script("proc", "output = input\n")
    daemon = lab.daemon("127.0.0.1:1", listener="ISISHistoDataListener", accum_method="Add")
    assert daemon.wait() == 2
    said = daemon.err.read_text()
    assert "accum_method" in said
    assert "whose reads are totals" in said
    assert 'expected "Replace"' in said


# -- the ledger and the truth ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "faults",
    [
        (),
        ("split-writes",),
        ("unknown-types", "grown-headers", "same-setup", "interleaved", "odd-values"),
    ],
)
def test_the_ledger_says_what_was_sent_whatever_is_odd_about_the_packets(
    lab: Any, agree: Any, faults: tuple[str, ...]
) -> None:
    words = ["--port=0", "--runs=2", "--run-seconds=2", "--periods=3", "--rate=20000", "--cards=3", "--linger=2"]
    source = lab.source("isis-events", *words, *(f"--chaos={fault}" for fault in faults))
    lab.script("proc", "from mantid.simpleapi import Rebin\noutput = Rebin(input, Params='10000,100,20000')\n")
    daemon = lab.daemon(source.address, "--exit-after-runs=2", listener="isis_events")
    ledger = daemon.last_words()
    first, second = source.truth()["runs"]
    agree(run_of(ledger, 1001), first)
    agree(run_of(ledger, 1002), second)
    dropped = run_of(ledger, 1001)["dropped"]
    if "odd-values" in faults:
        # every half second: NaN, negative, infinite, too long; two spectra and one period that there are not
        n = dropped["unknown period"]
        assert dropped == {"impossible time of flight": 4 * n, "unknown detector": 2 * n, "unknown period": n}
        assert 2 <= n <= 4
    else:
        assert dropped == {}


def test_the_members_of_a_group_of_periods_hold_what_the_histogram_memory_beside_the_stream_holds(lab: Any) -> None:
    words = ["--port=0", "--runs=1", "--run-seconds=3", "--periods=2", "--spectra=20", "--bins=100", "--linger=20"]
    source = lab.source("isis-events", *words)
    lab.script("proc", "from mantid.simpleapi import Rebin\noutput = Rebin(input, Params='10000,100,20000')\n")
    events = lab.daemon(source.address, "--exit-after-runs=1", listener="isis_events")
    assert events.wait() == 0
    found = [events.workspace(f"result_{i}")[2] for i in (1, 2)]
    folder = lab.folder / "other"
    commands = source.said("commands on ")
    memory = lab.daemon(
        commands, listener="isis_histogram", state_dir=str(folder / "state"), runtime_dir=str(folder / "run")
    )
    memory.until_health("reducer", lambda h: h["chunks"] >= 1 and h["result_version"], "the memory's totals")
    for i, counts in enumerate(found, 1):
        np.testing.assert_array_equal(memory.workspace(f"result_{i}")[2], counts)
        assert counts.sum() > 10_000


def test_what_a_cut_connection_lost_is_missing_and_nothing_else(lab: Any) -> None:
    words = ["--port=0", "--runs=1", "--run-seconds=7", "--rate=20000", "--linger=3", "--chaos=cut-every=2.5"]
    source = lab.source("isis-events", *words)
    lab.script("proc", "output = input\n")
    daemon = lab.daemon(source.address, "--exit-after-runs=1", listener="isis_events")
    account = run_of(daemon.last_words(), 1001)
    (sent,) = source.truth()["runs"]
    assert not account["complete"]
    assert account["state"] == "incomplete: data missing"
    assert 1 <= len(account["missing"]) <= 3
    assert all(sent["start"] < begin < end for begin, end in account["missing"])
    assert account["duplicates"] == 0
    assert 0.5 * sent["events"] < account["events"] < sent["events"]
    assert account["events"] == account["accumulated"]
    # frames come every 20 ms with 400 events: those counted and those missing make up the run
    gaps = sum((datetime.fromisoformat(b) - datetime.fromisoformat(a)).total_seconds() for a, b in account["missing"])
    lost = gaps / 0.02 * 400
    assert sent["events"] - account["events"] == pytest.approx(lost, abs=400 * (len(account["missing"]) + 1))


@pytest.mark.parametrize("child", ["reducer", "recorder"])
def test_a_child_killed_in_mid_run(lab: Any, agree: Any, child: str) -> None:
    words = ["--port=0", "--runs=2", "--run-seconds=5", "--rate=20000", "--periods=2", "--linger=6"]
    source = lab.source("isis-events", *words)
    lab.script("proc", "output = input\n")
    daemon = lab.daemon(source.address, "--exit-after-runs=2", listener="isis_events")
    daemon.until_health("reducer", lambda h: h["run"] == 1002 and h["events"] > 10_000, "the second run")
    os.kill(daemon.health(child)["pid"], signal.SIGKILL)
    ledger = daemon.last_words()
    first, second = source.truth()["runs"]
    agree(run_of(ledger, 1001), first)
    account = run_of(ledger, 1002)
    if child == "reducer":  # everything is read again from the journal
        agree(account, second)
    else:  # what was sent while nobody received is lost, and said to be
        assert account["state"] == "incomplete: data missing"
        assert (len(account["missing"]), account["duplicates"]) == (1, 0)
        assert account["events"] < second["events"]
        assert second["events"] - account["events"] >= second["unheard_events"] > 0


# -- sources that misbehave --------------------------------------------------------------------------------------------


def test_a_histogram_source_that_comes_late_goes_and_comes_back_is_followed(lab: Any, until: Any) -> None:
    first = lab.source("isis-histogram", "--port=0", "--spectra=4")
    address = first.address
    first.signal(signal.SIGINT)
    assert first.wait() == 0
    lab.script("proc", "output = input\n")
    daemon = lab.daemon(address, listener="isis_histogram")
    lost = daemon.until_status(lambda s: s["state"] == "source lost", "the missing source to be said")
    assert "cannot connect" in lost["sentence"]
    second = lab.source("isis-histogram", f"--port={address.rpartition(':')[2]}", "--spectra=4")
    daemon.until_status(lambda s: s["state"] == "running", "data")
    second.signal(signal.SIGKILL)
    second.wait()
    daemon.until_status(lambda s: s["state"] == "source lost", "the loss to be said")
    lab.source("isis-histogram", f"--port={address.rpartition(':')[2]}", "--spectra=6")
    daemon.until_status(lambda s: s["state"] == "running", "data again")
    until(lambda: daemon.workspace()[2].shape == (6, 30), "the other shape")
    assert daemon.health("reducer")["ledger"]["runs"][0]["events"] == 30 * 21


def test_a_histogram_source_that_never_answers_delays_no_end(lab: Any) -> None:
    source = lab.source("isis-histogram", "--port=0", "--chaos=silent=1")
    lab.script("proc", "output = input\n")
    daemon = lab.daemon(source.address, listener="isis_histogram")
    daemon.until_health("reducer", lambda h: h["stage"] == "idle", "the loop")
    began = time.monotonic()
    daemon.signal(signal.SIGINT)
    assert daemon.wait() == 0
    assert time.monotonic() - began < 5
    assert "did not stop within" not in daemon.err.read_text()


def test_a_stream_whose_command_port_is_missing_is_said_and_not_taken(lab: Any) -> None:
    source = lab.source("isis-events", "--port=0", "--runs=1", "--run-seconds=30", "--chaos=no-commands", "--no-wait")
    lab.script("proc", "output = input\n")
    daemon = lab.daemon(source.address, listener="isis_events")
    lost = daemon.until_status(lambda s: s["state"] == "source lost", "the missing port to be said", 30)
    assert "does not say what is counted" in lost["sentence"] or "cannot connect" in lost["sentence"]


@pytest.mark.parametrize("poison", ["bad-marker", "oversize"])  # all of them: tests/protocols/isis
def test_a_stream_that_makes_no_sense_is_left_and_taken_up_again(lab: Any, poison: str) -> None:
    words = ["--port=0", "--runs=1", "--run-seconds=5", "--rate=5000", "--linger=4", f"--chaos={poison}=1.5"]
    source = lab.source("isis-events", *words)
    lab.script("proc", "output = input\n")
    daemon = lab.daemon(source.address, "--exit-after-runs=1", listener="isis_events")
    account = run_of(daemon.last_words(), 1001)
    (sent,) = source.truth()["runs"]
    assert account["missing"]
    assert 0.3 * sent["events"] < account["events"] < sent["events"]
    assert daemon.health("recorder")["framing_errors"] >= 1


def test_a_packet_cut_off_with_its_connection_is_void_and_the_stream_goes_on(lab: Any) -> None:
    words = ["--port=0", "--runs=1", "--run-seconds=6", "--rate=5000", "--linger=3", "--chaos=close-mid-packet=1"]
    source = lab.source("isis-events", *words)
    lab.script("proc", "output = input\n")
    daemon = lab.daemon(source.address, "--exit-after-runs=1", listener="isis_events")
    account = run_of(daemon.last_words(), 1001)
    (sent,) = source.truth()["runs"]
    assert (len(account["missing"]), account["rejected_packets"]) == (1, {})
    assert 0.7 * sent["events"] < account["events"] < sent["events"]


def test_a_silent_stream_is_no_lost_one(lab: Any) -> None:
    """Beam off: nothing comes, the connection stays, and nothing is missing."""
    source = lab.source("isis-events", "--port=0", "--runs=1", "--run-seconds=600", "--interval=5", "--rate=100")
    lab.script("proc", "output = input\n")
    daemon = lab.daemon(source.address, listener="isis_events")
    daemon.until_events(1)
    connection = daemon.health("recorder")["connection"]
    daemon.until_events(1000)  # two frames later
    assert daemon.health("recorder")["connection"] == connection == 1
    assert run_of(daemon.health("reducer")["ledger"], 1001)["missing"] == []


def test_endless_faults_of_a_histogram_source_fill_no_memory_and_end_no_process(lab: Any, until: Any) -> None:
    # a poll takes some 30 replies: most get through between faults
    faults = ["truncate=151", "overlong=211", "huge=307", "garbage=401", "reset=503", "negative-dims=601", "empty=701"]
    source = lab.source("isis-histogram", "--port=0", "--spectra=50", *(f"--chaos={fault}" for fault in faults))
    lab.script("proc", "output = input\n")
    daemon = lab.daemon(source.address, listener="isis_histogram", update_every=0.02)
    first = daemon.until_health("reducer", lambda h: h["chunks"] >= 5, "some totals")
    process = psutil.Process(first["pid"])
    before = process.memory_info().rss
    until(lambda: source.err.read_text().count("fault:") >= 8, "faults")
    seen = daemon.health("reducer")["chunks"]
    daemon.until_health("reducer", lambda h: h["chunks"] >= seen + 3, "totals after them")
    assert process.memory_info().rss - before < 64 << 20
    assert json.loads((daemon.runtime / "heartbeat.json").read_text())["restarts"] == 0
    assert daemon.workspace()[2].sum() == 30 * 50 * 51 / 2
