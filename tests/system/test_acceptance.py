"""Whole sessions as a scientist has them: the classic pair of scripts, a real measurement, the real server's bytes."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

pytestmark = pytest.mark.system

PROC = """from mantid.simpleapi import *

output = SumSpectra(input)
output = Rebin(output, Params="300,20,17000")
"""
POST = """from mantid.simpleapi import *

SaveNexus(InputWorkspace="accumulation", Filename="{0}/accumulation.nxs")
SaveAscii(InputWorkspace="accumulation", Filename="{0}/accumulation.txt")
"""


def times_of_flight(recording: bytes, wanted_run: int) -> NDArray[np.float64]:
    """Times of flight (µs) of a run's good events, frame offsets applied; from the wire specification alone."""
    found, run, at = [], 0, 0
    while at + 16 <= len(recording):
        length, form = struct.unpack_from("<2I", recording, at)
        payload = recording[at + 16 : at + 16 + length]
        at += 16 + length
        if form >> 8 == 0x4003:
            run = struct.unpack_from("<I", payload)[0]
        if form >> 8 != 0x4000 or run != wanted_run:
            continue
        place = 16
        while place < len(payload):
            offset, banks = struct.unpack_from("<2I", payload, place + 8)
            place += 16
            for _ in range(banks):
                bank, n = struct.unpack_from("<2I", payload, place)
                events = np.frombuffer(payload, "<u4", 2 * n, place + 8).reshape(n, 2)
                place += 8 + 8 * n
                if bank < 0xFFFFFFFE:
                    found.append(events[:, 0] + (0.0 if offset >> 31 else offset))
    return np.concatenate(found) / 10.0


@pytest.mark.parametrize("preserve", [True, False], ids=["events kept", "events dropped"])
def test_the_classic_scripts_write_files_that_hold_the_sums_of_the_stream(lab: Any, agree: Any, preserve: bool) -> None:
    lab.script("proc", PROC)
    lab.script("post", POST.format(lab.folder))
    simulator = lab.simulator(runs=1, run_seconds=10)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1", preserve_events=preserve)
    ledger = daemon.last_words()
    agree(ledger["runs"][0], simulator.truth()["runs"][0])
    tof = times_of_flight(daemon.journal(), ledger["runs"][0]["run"])
    assert tof.size == ledger["runs"][0]["accumulated"]
    edges = 300 + 20.0 * np.arange(836)
    expected = np.histogram(tof[tof < 17000], edges)[0]
    assert expected.sum() > 1000
    with h5py.File(lab.folder / "accumulation.nxs") as file:
        workspace = file["mantid_workspace_1/event_workspace" if preserve else "mantid_workspace_1/workspace"]
        assert np.array_equal(workspace["axis1"][()], edges)
        if preserve:
            assert np.array_equal(np.sort(workspace["tof"][()]), np.sort(tof))
        else:
            assert workspace["values"][0].tolist() == expected.tolist()
            assert workspace["errors"][0] ** 2 == pytest.approx(expected)
    columns = np.loadtxt(lab.folder / "accumulation.txt", delimiter=",", comments="#")
    assert columns[:, 0].tolist() == (edges[:-1] + 10).tolist()
    assert columns[:, 1].tolist() == expected.tolist()


@pytest.mark.parametrize("preserve", [True, False], ids=["events kept", "events dropped"])
def test_a_real_measurement_comes_out_count_for_count(lab: Any, shared_data: Path, preserve: bool) -> None:
    path = shared_data / "lrcs3701.nx5"
    with h5py.File(path) as file:
        counts, edges = file["Histogram1/data/data"][()], file["Histogram1/data/time_of_flight"][()].astype(float)
    assert (counts.shape, counts.sum()) == ((148, 750), 2_666_912)
    np.save(lab.folder / "edges.npy", edges)
    # one bin a channel of the file: x0, dx, x1, dx, x2 ...
    lab.script(
        "proc",
        "import numpy as np\nfrom mantid.simpleapi import *\n"
        f"e = np.load({str(lab.folder / 'edges.npy')!r})\n"
        "params = [e[0]]\nfor a, b in zip(e[:-1], e[1:]):\n    params += [b - a, b]\n"
        "output = Rebin(input, Params=params)\n",
    )
    simulator = lab.simulator("--file", str(path), runs=1, run_seconds=10)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1", preserve_events=preserve)
    [run] = daemon.last_words()["runs"]
    assert (run["accumulated"], run["complete"]) == (2_666_912, True)
    entry, x, y, e = daemon.workspace()
    assert entry["kind"] == ("EventWorkspace" if preserve else "Workspace2D")
    assert np.array_equal(np.atleast_2d(x)[0], edges)
    assert np.array_equal(y, counts)
    assert e**2 == pytest.approx(counts)


@pytest.fixture
def byte_server() -> Iterator[Any]:
    """``byte_server(data)`` -> address of a server that answers each hello with these bytes and stays silent."""
    listening = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    held: list[socket.socket] = []

    def serve(data: bytes) -> str:
        def work() -> None:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            held.append(client)
            client.recv(1024)
            client.sendall(data)

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        return f"127.0.0.1:{listening.getsockname()[1]}"

    yield serve
    listening.shutdown(socket.SHUT_RDWR)
    for one in (*held, listening):
        one.close()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("name", ["now", "run", "mid1", "pause"])
def test_what_the_real_server_sent_goes_through_the_daemon_with_a_balanced_ledger(
    lab: Any, shared_data: Path, byte_server: Any, name: str
) -> None:
    folder = shared_data / "adara-server"
    expected = json.loads((folder / "expected.json").read_text())[name]
    data = (folder / expected["file"]).read_bytes()
    lab.script("post", "output = input\n")
    daemon = lab.daemon(byte_server(data))
    behind = {"behind_bytes": 0, "stage": "idle"}

    def all_read(health: dict[str, Any]) -> bool:
        accounts = [*health["ledger"].get("runs", []), health["ledger"].get("between_runs", {"events": 0})]
        read = sum(a["events"] for a in accounts)
        return read == expected["events_in_real_banks"] and all(health[k] == v for k, v in behind.items())

    ledger = daemon.until_health("reducer", all_read, "everything to be read")["ledger"]
    accounts = [*ledger["runs"], ledger["between_runs"]]
    assert all(a["events"] == a["accumulated"] + a["pending"] + sum(a["dropped"].values()) for a in accounts)
    assert sum(a["accumulated"] for a in accounts) == expected["events_in_real_banks"]
    assert sum(a["pulses"] for a in accounts) == expected["pulses"]
    assert sum(a["monitor_events"] for a in accounts) == expected["monitor_events"]
    assert sum(a["charge_pC"] for a in accounts) == expected["sum_charge_10pC"] * 10
    daemon.signal(signal.SIGTERM)
    assert daemon.wait(15) == 0


def test_while_a_script_sleeps_bytes_wait_on_disk_and_not_in_memory(lab: Any, agree: Any, until: Any) -> None:
    """2·10⁶ events/s for 24 s of which the script sleeps 12: the reducer grows by one chunk at the most."""
    limit = 2_000_000
    lab.script(
        "post",
        "import os, time\n"
        f"if not os.path.exists({str(lab.folder / 'slept')!r}):\n"
        f"    open({str(lab.folder / 'slept')!r}, 'w').close()\n    time.sleep(12)\n",
    )
    lab.script("proc", "output = SumSpectra(input)\noutput = Rebin(output, '0,100,40000', PreserveEvents=False)\n")
    simulator = lab.simulator(runs=1, run_seconds=24, rate=2_000_000, speed=1)
    daemon = lab.daemon(
        simulator.address, "--exit-after-runs", "1", preserve_events=False, stream={"buffer_events": limit}
    )
    until(lambda: (lab.folder / "slept").exists() or None, "the script to sleep")
    reducer = psutil.Process(daemon.health("reducer")["pid"])

    def memory() -> int:
        status = Path(f"/proc/{reducer.pid}/status").read_text()
        return sum(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith(("RssAnon", "RssShm")))

    before, most = memory(), 0
    while daemon.process.poll() is None:
        try:
            most = max(most, memory())
        except FileNotFoundError:
            break
        with contextlib.suppress(subprocess.TimeoutExpired):
            daemon.process.wait(0.2)
    agree(daemon.last_words()["runs"][0], simulator.truth()["runs"][0])
    # one chunk of 8 bytes an event; a block of 4 MiB and its columns while it is decoded; logs and tables of the run
    assert most - before < 8 * limit + (32 << 20)


GOOD = "output = SumSpectra(input)\noutput = Rebin(output, '14000,100,34000')\n"


@pytest.mark.parametrize(
    ("post", "line", "message"),
    [
        ("x = 1\n\nraise ValueError('no beam')\n", 3, "ValueError: no beam"),
        ("import sys\nsys.exit(2)\n", 2, "called exit"),
        ("output = input +\n", 1, "SyntaxError"),
        ("output = 42\n", None, "expected a workspace"),
    ],
)
def test_a_bad_script_is_shown_with_its_line_and_stops_nothing(
    lab: Any, agree: Any, post: str, line: int | None, message: str
) -> None:
    lab.script("proc", GOOD)
    lab.script("post", post)
    simulator = lab.simulator(runs=1, run_seconds=80)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    status = daemon.until_status(lambda s: s["script_error"], "the error to be shown")
    assert message in status["script_error"]["message"]
    assert status["script_error"]["line"] == line
    assert status["script_error"]["file"].endswith("_live_post_proc.py")
    assert status["state"] == "script error"
    lab.script("post", "output = input\n")  # mended
    ledger = daemon.last_words()
    agree(ledger["runs"][0], simulator.truth()["runs"][0])
    _, _, y, _ = daemon.workspace()
    assert y.sum() > 0.9 * ledger["runs"][0]["accumulated"]


@pytest.mark.parametrize(
    "post",
    [
        "print('so far', input.getNumberEvents())\n",
        "output = input\nif True:\n    return\nraise RuntimeError\n",
        "output = CloneWorkspace(input)\n",
        "DeleteWorkspace(input)\n",
        "RenameWorkspace('accumulation', 'result')\n",
        "Scale(input, Factor=3, OutputWorkspace='accumulation')\noutput = Scale(input, Factor=1/3)\n",
    ],
    ids=["prints, sets none", "returns", "re-binds output", "deletes its input", "renames it away", "works in place"],
)
def test_an_odd_script_leaves_the_totals_intact(lab: Any, agree: Any, post: str) -> None:
    lab.script("proc", GOOD)
    lab.script("post", post)
    simulator = lab.simulator(runs=1, run_seconds=10)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    ledger = daemon.last_words()
    agree(ledger["runs"][0], simulator.truth()["runs"][0])
    health = daemon.health("reducer")
    assert health["script_error"] is None
    assert ("so far" in health["script_output"]) == post.startswith("print")
    tof = times_of_flight(daemon.journal(), ledger["runs"][0]["run"])
    assert daemon.workspace("accumulation")[2].sum() == np.sum((tof >= 14000) & (tof < 34000))


def test_without_scripts_or_with_a_wrong_configuration_it_says_everything_and_ends_with_2(lab: Any) -> None:
    none = lab.daemon("127.0.0.1:1")
    assert none.wait() == 2
    said = none.err.read_text()
    assert "reduce_DEMO-POW_live_proc.py" in said
    assert "reduce_DEMO-POW_live_post_proc.py" in said
    wrong = lab.daemon("127.0.0.1:1", update_every="often", accum_method="Multiply")
    assert wrong.wait() == 2
    assert "update_every" in wrong.err.read_text()
    assert "accum_method" in wrong.err.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_ends_with_0_and_leaves_no_process(lab: Any, number: signal.Signals) -> None:
    lab.script("proc", GOOD)
    simulator = lab.simulator("--no-wait", runs=1, run_seconds=600, speed=1)
    daemon = lab.daemon(simulator.address)
    daemon.until_status(lambda s: s["events"], "data")
    children = psutil.Process(daemon.process.pid).children(recursive=True)
    assert len(children) == 2
    daemon.signal(number)
    assert daemon.wait(15) == 0
    assert not psutil.wait_procs(children, timeout=5)[1]
