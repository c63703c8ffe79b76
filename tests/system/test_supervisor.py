"""What keeps a session running for months: dying scripts, edits, changed settings, signals, with real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from tests.system.conftest import Agree, Daemon, Lab

pytestmark = pytest.mark.system

PROC = """\
from mantid.simpleapi import SumSpectra, Rebin
output = SumSpectra(input)
output = Rebin(output, "14000,20,34000")
"""
SEGFAULT = "import ctypes\nctypes.string_at(0)\n"


def warned(status: dict[str, Any], *words: str) -> bool:
    return any(all(word in warning for word in words) for warning in status["warnings"])


def post(daemon: Daemon, action: str) -> None:
    token = (daemon.state / "token").read_text()
    request = urllib.request.Request(
        f"{daemon.url}/api/{action}", method="POST", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 202


# -- scripts that end their process ------------------------------------------------------------------------------------


def test_a_chunk_script_that_kills_its_process_twice_is_held_until_it_is_mended(lab: Lab, agree: Agree) -> None:
    lab.script("proc", SEGFAULT)
    simulator = lab.simulator(runs=1, run_seconds=80)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    status = daemon.until_status(lambda s: "died twice" in s["sentence"], "the ban")
    assert status["state"] == "script error"
    assert "signal SIGSEGV" in status["sentence"]
    assert "data are recorded meanwhile" in status["sentence"]
    assert status["restarts"] == 1
    assert not any("running for" in also for also in status["also"])
    held = daemon.health("recorder")["bytes"]
    daemon.until_health("recorder", lambda h: h["bytes"] > held, "the recorder to go on")
    lab.script("proc", SEGFAULT + "# a comment is no change\n")
    lab.script("proc", PROC)
    ledger, truth = daemon.last_words(), simulator.truth()
    agree(ledger["runs"][0], truth["runs"][0])


def test_a_post_script_that_ends_its_process_twice_is_left_out(lab: Lab, agree: Agree) -> None:
    lab.script("proc", PROC)
    lab.script("post", "import os\nos._exit(7)\n")
    simulator = lab.simulator(runs=1, run_seconds=120)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    status = daemon.until_status(lambda s: "died twice" in s["sentence"], "the ban")
    assert "exit code 7" in status["sentence"]
    daemon.until_status(lambda s: s["run"] and s["result_age_s"] is not None, "the accumulation to be shown")
    assert daemon.workspace()[2].sum() == daemon.workspace("accumulation")[2].sum()
    lab.script("post", 'from mantid.simpleapi import Scale\noutput = Scale(input, 2.0, "Multiply")\n')
    daemon.until_status(lambda s: s["state"] == "running", "the mended script")
    ledger, truth = daemon.last_words(), simulator.truth()
    agree(ledger["runs"][0], truth["runs"][0])
    assert daemon.workspace()[2].sum() == 2 * daemon.workspace("accumulation")[2].sum()


@pytest.mark.parametrize("child", ["recorder", "reducer"])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_child_that_somebody_ends_comes_back_and_nothing_is_lost(
    lab: Lab, agree: Agree, child: str, how: signal.Signals
) -> None:
    lab.script("proc", PROC)
    simulator = lab.simulator(runs=1, run_seconds=60)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    daemon.until_events(30_000)
    pid = daemon.health(child)["pid"]
    os.kill(pid, how)
    daemon.until_health(child, lambda h: h["pid"] != pid, f"another {child}")
    ledger, truth = daemon.last_words(), simulator.truth()
    agree(ledger["runs"][0], truth["runs"][0])


# -- edits -------------------------------------------------------------------------------------------------------------


def test_an_edit_that_fails_on_the_last_chunk_is_refused_and_a_good_one_reads_the_run_again(
    lab: Lab, agree: Agree
) -> None:
    lab.script("proc", PROC)
    simulator = lab.simulator(runs=1, run_seconds=120)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    daemon.until_events(20_000)
    pid = daemon.health("reducer")["pid"]
    lab.script("proc", PROC + "x = input.noSuchMethod()\n")
    status = daemon.until_status(lambda s: s["script_error"], "the refusal")
    assert status["state"] == "script error"
    assert status["script_error"]["line"] == 4
    assert "noSuchMethod" in status["sentence"]
    assert "tried on the last chunk; the version before it stays in use" in status["sentence"].replace(")", "")
    assert "Data are kept" not in status["sentence"]
    chunks = daemon.health("reducer")["chunks"]
    daemon.until_health("reducer", lambda h: h["chunks"] > chunks, "the version before it to go on")
    assert daemon.health("reducer")["pid"] == pid
    lab.script("proc", PROC.replace("14000,20,34000", "14000,10,34000"))
    daemon.until_health("reducer", lambda h: h["pid"] != pid and h["chunks"], "the new version")
    ledger, truth = daemon.last_words(), simulator.truth()
    agree(ledger["runs"][0], truth["runs"][0])
    entry, _, y, _ = daemon.workspace()
    assert entry["shape"] == [1, 2000]


def test_a_script_tried_on_the_last_chunk_leaves_nothing_in_the_live_process(lab: Lab) -> None:
    lab.script("proc", PROC)
    simulator = lab.simulator(runs=1, run_seconds=200)
    daemon = lab.daemon(simulator.address)
    daemon.until_events(20_000)
    spoiling = (
        "CreateWorkspace([0, 1], [1], OutputWorkspace='left_over')\nmtd.clear()\nprint('spoilt')\nraise KeyError\n"
    )
    lab.script("proc", "from mantid.simpleapi import *\n" + spoiling)
    daemon.until_status(lambda s: s["script_error"], "the refusal")
    health = daemon.health("reducer")
    daemon.until_health("reducer", lambda h: h["result_version"] > health["result_version"] + 1, "another result")
    assert "left_over" not in daemon.names()
    assert daemon.names() >= {"result", "accumulation"}
    assert "spoilt" not in daemon.health("reducer")["script_output"]


def test_a_changed_module_that_a_script_imports_is_taken_up(lab: Lab, agree: Agree) -> None:
    helper = lab.scripts / "my_binning.py"
    helper.write_text("PARAMS = '14000,20,34000'\n")
    lab.script("proc", "import my_binning\n" + PROC.replace('"14000,20,34000"', "my_binning.PARAMS"))
    simulator = lab.simulator(runs=1, run_seconds=120)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    health = daemon.until_health("reducer", lambda h: str(helper) in h["helpers"], "the module to be seen")
    helper.write_text("PARAMS = '14000,20,34000'\ndef broken(:\n")
    status = daemon.until_status(lambda s: s["script_error"], "the refusal")
    assert "my_binning.py line 2" in status["sentence"]
    helper.write_text("PARAMS = '14000,40,34000'\n")
    daemon.until_health("reducer", lambda h: h["pid"] != health["pid"] and h["helpers"], "a fresh reducer")
    ledger, truth = daemon.last_words(), simulator.truth()
    agree(ledger["runs"][0], truth["runs"][0])
    assert daemon.workspace()[0]["shape"] == [1, 500]
    assert "which a script imports, has changed" in daemon.err.read_text()


def test_a_chunk_script_and_the_module_it_newly_needs_may_be_saved_in_any_order(lab: Lab) -> None:
    helper = lab.scripts / "my_numbers.py"
    helper.write_text("STEP = 20\n")
    lab.script("proc", "import my_numbers\n" + PROC)
    simulator = lab.simulator(runs=1, run_seconds=200)
    daemon = lab.daemon(simulator.address)
    daemon.until_health("reducer", lambda h: str(helper) in h["helpers"], "the module to be seen")
    lab.script("proc", "import my_numbers\n" + PROC.replace('"14000,20,34000"', "my_numbers.binning()"))
    daemon.until_status(lambda s: s["script_error"] and "binning" in s["sentence"], "the refusal")
    helper.write_text("def binning():\n    return '14000,50,34000'\n")
    daemon.until_status(lambda s: not s["script_error"], "the script to be tried again with its module")
    daemon.until_health("reducer", lambda h: h["chunks"] and str(helper) in h["helpers"], "new results")

    def rebinned(_: object) -> bool:
        return bool(daemon.workspace()[0]["shape"] == [1, 400])

    daemon.until_health("reducer", rebinned, "the new bins")


def test_a_script_that_appears_later_is_taken_up_and_one_that_goes_stays_in_use(lab: Lab) -> None:
    proc = lab.script("proc", PROC)
    simulator = lab.simulator(runs=1, run_seconds=200)
    daemon = lab.daemon(simulator.address)
    daemon.until_events(20_000)
    lab.script("post", 'from mantid.simpleapi import Rebin\noutput = Rebin(input, "14000,100,34000")\n')
    daemon.until_health("reducer", lambda _: daemon.workspace()[0]["shape"] == [1, 200], "the post script")
    proc.unlink()
    daemon.said("its last version stays in use")
    health = daemon.health("reducer")
    daemon.until_health("reducer", lambda h: h["chunks"] > health["chunks"] + 3, "further chunks")
    assert daemon.health("reducer")["pid"] == health["pid"]
    assert daemon.workspace("accumulation")[0]["shape"] == [1, 1000]
