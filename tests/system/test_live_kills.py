"""Any of the three processes is killed in full flow; in the end the ledger says what was sent all the same."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from tests.system.conftest import Agree, Counted, Daemon, Lab, Until

pytestmark = pytest.mark.system

PROC = """\
from mantid.simpleapi import SumSpectra, Rebin
output = Rebin(SumSpectra(input, OutputWorkspace="summed"), "0,1000000,1000000")
"""


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("moment", ["in the first run", "between two runs", "in the second run"])
def test_the_reducer_is_killed(lab: Lab, agree: Agree, counted: Counted, until: Until, moment: str) -> None:
    lab.script("proc", PROC)
    simulator = lab.simulator(runs=2, run_seconds=40, gap_seconds=25, speed=20)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "2", preserve_events=False)
    ready = {
        "in the first run": lambda h: h["run"] == 10001 and h["events"] > 200_000,
        "between two runs": lambda h: h["run"] == 0 and h["finished_runs"] == 1 and h["events"] > 100_000,
        "in the second run": lambda h: h["run"] == 10002 and h["events"] > 200_000,
    }[moment]
    kill(daemon.until_health("reducer", ready, moment)["pid"])
    ledger, truth = daemon.last_words(), simulator.truth()
    assert "reducer ended with signal SIGKILL" in daemon.err.read_text()
    for account, sent in zip(ledger["runs"], truth["runs"], strict=True):
        agree(account, sent)
        assert account["duplicates"] == 0
    between = counted(daemon.journal(), runs=2)[0]
    assert (ledger["between_runs"]["events"], ledger["between_runs"]["accumulated"]) == (between.events, between.good)
    assert daemon.workspace("result")[2].tolist() == [[ledger["runs"][1]["accumulated"]]]


def test_a_killed_reducer_cuts_the_run_as_the_one_before_it_did(lab: Lab, agree: Agree) -> None:
    seen = lab.folder / "seen"
    lab.script(
        "proc",
        f"import os\nwith open({str(seen)!r}, 'a') as file:\n"
        "    print(os.getpid(), input.run()['run_number'].value, input.getNumberEvents(), file=file)\n" + PROC,
    )
    simulator = lab.simulator(runs=1, run_seconds=150, speed=15)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1", accum_method="Append", preserve_events=False)

    def chunks(pid: int) -> list[int]:
        lines = (
            [[int(word) for word in line.split()] for line in seen.read_text().splitlines()] if seen.exists() else []
        )
        return [events for of, run, events in lines if of == pid and run]

    first = daemon.until_health("reducer", lambda h: len(chunks(h["pid"])) >= 3, "three chunks")["pid"]
    kill(first)
    second = daemon.until_health(
        "reducer", lambda h: h["pid"] != first and len(chunks(h["pid"])) > len(chunks(first)), "it to have caught up"
    )["pid"]
    kill(second)
    ledger = daemon.last_words()
    agree(ledger["runs"][0], simulator.truth()["runs"][0])
    before, again, last = chunks(first), chunks(second), chunks(daemon.health("reducer")["pid"])
    assert again[: len(before)] == before
    assert last[: len(again)] == again
    assert len(last) > len(again) > len(before) > 0
    assert daemon.workspace("result")[2][:, 0].tolist() == last
    assert sum(last) == ledger["runs"][0]["accumulated"]


def test_the_recorder_is_killed(lab: Lab, agree: Agree) -> None:
    lab.script("proc", PROC)
    simulator = lab.simulator(runs=1, run_seconds=150, index_period=6, speed=15)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    daemon.until_events(200_000)
    kill(daemon.health("recorder")["pid"])
    [account] = daemon.last_words()["runs"]
    agree(account, simulator.truth()["runs"][0])
    assert account["duplicates"] > 0
    assert daemon.health("recorder")["connection"] == 2


def left(*pids: int) -> list[int]:
    """Processes that are still there and no zombies."""
    found = []
    for pid in pids:
        try:
            found += [pid] if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE else []
        except psutil.NoSuchProcess:
            continue
    return found


def killed(daemon: Daemon, until: Until) -> None:
    """Kill the supervisor; both children must be gone soon."""
    children = [daemon.health(child)["pid"] for child in ("recorder", "reducer")]
    assert left(*children) == children
    kill(daemon.process.pid)
    daemon.wait()
    until(lambda: not left(*children), "the children to end by themselves", 8.0)


def test_the_supervisor_is_killed_and_started_again(lab: Lab, agree: Agree, until: Until) -> None:
    lab.script("proc", PROC)
    simulator = lab.simulator(runs=2, run_seconds=120, index_period=20, speed=15)
    first = lab.daemon(simulator.address)
    first.until_health("reducer", lambda h: h["run"] == 10001 and h["events"] > 200_000, "a run")
    killed(first, until)
    second = lab.daemon(simulator.address, "--exit-after-runs", "2")
    ledger, truth = second.last_words(), simulator.truth()
    for account, sent in zip(ledger["runs"], truth["runs"], strict=True):
        agree(account, sent)
    assert ledger["runs"][0]["duplicates"] > 0


def test_the_supervisor_is_killed_while_a_script_runs_long(lab: Lab, until: Until) -> None:
    lab.script("proc", PROC)
    lab.script("post", "import time\nprint('asleep')\ntime.sleep(600)\n")
    simulator = lab.simulator(runs=1, run_seconds=100)
    daemon = lab.daemon(simulator.address)
    daemon.until_health("reducer", lambda h: h["stage"] == "post", "the script to run")
    killed(daemon, until)
    heartbeat = json.loads((daemon.runtime / "heartbeat.json").read_bytes())
    assert heartbeat["pid"] == daemon.process.pid
