"""Sums against counts made without any of our code: scripts' files, a real measurement, streams of the real server."""

from __future__ import annotations

import json
import select
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

if TYPE_CHECKING:
    from tests.system.conftest import Agree, Counted, Lab

pytestmark = pytest.mark.system


def test_the_files_two_scripts_save_hold_what_was_recorded(lab: Lab, agree: Agree, counted: Counted) -> None:
    lab.script(
        "proc",
        "from mantid.simpleapi import *\n\n"
        "output = SumSpectra(InputWorkspace=input)\n"
        'output = Rebin(InputWorkspace=output, Params="300,20,17000")\n',
    )
    nexus, ascii_file = lab.folder / "accumulation.nxs", lab.folder / "accumulation.txt"
    lab.script(
        "post",
        "from mantid.simpleapi import *\n\n"
        f'SaveNexus(InputWorkspace="accumulation", Filename="{nexus}")\n'
        f'SaveAscii(InputWorkspace="accumulation", Filename="{ascii_file}")\n',
    )
    simulator = lab.simulator(runs=1, run_seconds=20)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1", preserve_events=False)
    [account], [sent] = daemon.last_words()["runs"], simulator.truth()["runs"]
    agree(account, sent)
    recorded = counted(daemon.journal(), runs=1)[sent["run"]]
    assert (recorded.pulses, recorded.events, recorded.good) == (sent["pulses"], sent["events"], account["accumulated"])
    assert (recorded.monitor_events, 10 * recorded.charge_10pC) == (sent["monitor_events"], sent["charge_pC"])
    edges = 300 + 20 * np.arange(836.0)
    wanted = np.histogram(recorded.tof / 10, np.append(edges[:-1], np.nextafter(edges[-1], 0)))[0]  # ends are open
    assert wanted.sum() > 10_000
    with h5py.File(nexus) as file:
        data = file["mantid_workspace_1/workspace"]
        assert_array_equal(data["axis1"][...], edges)
        assert_array_equal(data["values"][...], [wanted])
        np.testing.assert_allclose(data["errors"][...] ** 2, [wanted])
        charge = file["mantid_workspace_1/logs/proton_charge"]
        assert charge["value"][...].sum() == account["charge_pC"]
        assert len(charge["time"]) == account["pulses"]
    header, spectrum, *rows = ascii_file.read_text().splitlines()
    assert (header.replace(" ", ""), spectrum) == ("#X,Y,E", "1")
    x, y, e = np.loadtxt(rows, delimiter=",", unpack=True)
    np.testing.assert_allclose(x, (edges[1:] + edges[:-1]) / 2, rtol=1e-5)
    assert_array_equal(y, wanted)
    np.testing.assert_allclose(e, np.sqrt(wanted), rtol=1e-5)
    assert_array_equal(daemon.workspace()[2], [wanted])


@pytest.mark.parametrize("preserve", [True, False], ids=["events kept", "events dropped"])
def test_a_measurement_comes_out_count_for_count(lab: Lab, agree: Agree, shared_data: Path, preserve: bool) -> None:
    path = shared_data / "lrcs3701.nx5"
    with h5py.File(path) as file:
        measured, edges = file["Histogram1/data/data"][...], file["Histogram1/data/time_of_flight"][...]
    assert (measured.shape, measured.sum()) == ((148, 750), 2_666_912)
    widths = np.diff(edges)
    params = np.append(np.column_stack([edges[:-1], widths]).ravel(), edges[-1])
    (lab.folder / "edges.txt").write_text(",".join(map(str, params.tolist())))
    lab.script("proc", f"edges = open({str(lab.folder / 'edges.txt')!r}).read()\noutput = Rebin(input, Params=edges)\n")
    simulator = lab.simulator(f"--file={path}", run_seconds=20)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1", preserve_events=preserve)
    [account] = daemon.last_words()["runs"]
    agree(account, simulator.truth()["runs"][0])
    assert (account["events"], account["dropped"]) == (2_666_912, {})
    entry, x, y, e = daemon.workspace()
    assert entry["kind"] == ("EventWorkspace" if preserve else "Workspace2D")
    assert entry["spectrum_numbers"] == list(range(1, 149))
    assert_array_equal(x, edges)
    assert_array_equal(y, measured)
    np.testing.assert_allclose(e**2, measured)


class Playback:
    """Answers each hello with the same recording and then keeps quiet."""

    def __init__(self, recording: bytes) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._recording = recording
        self._over, self._hang_up = socket.socketpair()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while self._listening in select.select([self._listening, self._over], [], [])[0]:
            connection, _ = self._listening.accept()
            with connection:
                connection.recv(24, socket.MSG_WAITALL)
                connection.sendall(self._recording)
                select.select([connection, self._over], [], [])

    def close(self) -> None:
        self._hang_up.close()
        self._thread.join()
        self._listening.close()
        self._over.close()


@pytest.fixture
def playback(shared_data: Path, name: str) -> Iterator[Playback]:
    played = Playback((shared_data / "adara-server" / f"{name}.adara").read_bytes())
    yield played
    played.close()


@pytest.mark.parametrize("name", ["now", "run", "mid1", "pause"])
def test_streams_of_the_real_server_are_accounted_for(
    lab: Lab, counted: Counted, shared_data: Path, name: str, playback: Playback
) -> None:
    expected = json.loads((shared_data / "adara-server" / "expected.json").read_text())[name]
    lab.script("proc", 'output = Rebin(SumSpectra(input, OutputWorkspace="__s"), "0,1000000,1000000")\n')
    daemon = lab.daemon(playback.address)

    def all_read(health: dict[str, object]) -> bool:
        recorder = daemon.health("recorder")
        return recorder.get("bytes") == expected["bytes"] and health["behind_bytes"] == 0 and bool(health["chunks"])

    daemon.until_health("reducer", all_read, "all to be read")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    ledger = daemon.health("reducer")["ledger"]
    accounts = {account["run"]: account for account in ledger["runs"]} | {0: ledger["between_runs"]}
    assert sum(a["events"] for a in accounts.values()) == expected["events_in_real_banks"]
    assert sum(a["pulses"] for a in accounts.values()) == expected["pulses"]
    assert sum(a["monitor_events"] for a in accounts.values()) == expected["monitor_events"]
    assert sum(a["charge_pC"] for a in accounts.values()) == 10 * expected["sum_charge_10pC"]
    assert all(a["accumulated"] == a["events"] for a in accounts.values())
    for run, found in counted(daemon.journal()).items():
        assert (accounts[run]["events"], accounts[run]["pulses"]) == (found.events, found.pulses)
    states = {"now": [], "run": ["running"], "mid1": ["running"], "pause": ["incomplete: joined in mid-run"]}
    assert [a["state"] for a in ledger["runs"]] == states[name]
