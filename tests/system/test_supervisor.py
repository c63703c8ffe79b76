"""What keeps a session running for months: dying scripts, edits, changed settings, signals, with real processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import psutil
import pytest

if TYPE_CHECKING:
    from tests.system.conftest import Agree, Daemon, Lab, Until

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
    assert daemon.workspace()[0]["shape"] == [1, 2000]


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


def test_algorithms_a_script_names_that_do_not_exist_are_listed_at_load(lab: Lab) -> None:
    lab.script("proc", PROC + "if input.getNumberEvents() < 0:\n    Rebinn(output, '1,1,2')\n")
    simulator = lab.simulator(runs=1, run_seconds=300)
    daemon = lab.daemon(simulator.address)
    status = daemon.until_status(lambda s: s["chunks"], "a chunk")
    assert warned(status, "live_proc.py:5: Rebinn is not an algorithm livereduce has; nearest: Rebin")
    assert not status["script_error"]


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


# -- configuration, signals, orders ------------------------------------------------------------------------------------


def test_a_changed_configuration_is_taken_up_and_a_broken_one_is_refused(lab: Lab, agree: Agree) -> None:
    lab.script("proc", PROC)
    simulator = lab.simulator(runs=1, run_seconds=150)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    daemon.until_events(20_000)
    pid, url = daemon.health("reducer")["pid"], daemon.url
    good = lab.config(simulator.address).read_text()
    (lab.folder / "livereduce.conf").write_text(
        good.replace('"update_every": 0.2', '"update_every": -1, "accum_method": "No"')
    )
    status = daemon.until_status(lambda s: warned(s, "update_every"), "the refusal")
    assert warned(status, "not used", "accum_method")
    assert daemon.health("reducer")["pid"] == pid
    new = json.loads(good) | {"preserve_events": False, "web": {"port": int(url.rpartition(":")[2])}}
    (lab.folder / "livereduce.conf").write_text(json.dumps(new))
    daemon.until_health("reducer", lambda h: h["pid"] != pid and h["chunks"], "a reducer with the new settings")
    assert not warned(daemon.status(), "not used")
    ledger, truth = daemon.last_words(), simulator.truth()
    agree(ledger["runs"][0], truth["runs"][0])
    assert daemon.workspace("accumulation")[0]["kind"] == "Workspace2D"


def test_a_configuration_whose_port_is_taken_leaves_the_one_before_it_in_use(lab: Lab) -> None:
    lab.script("proc", PROC)
    simulator = lab.simulator(runs=1, run_seconds=300)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = _free_port()
        daemon = lab.daemon(simulator.address, web={"port": port})
        daemon.until_events(20_000)
        lab.config(simulator.address, web={"port": taken.getsockname()[1]})
        # the page is not there for a moment
        daemon.until_health("heartbeat", lambda h: warned(h, "cannot listen"), "the refusal")
    assert daemon.url.endswith(str(port))
    daemon.until_status(lambda s: s["state"] in ("running", "reprocessing") and s["run"], "the session to go on")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_within_two_seconds(lab: Lab, how: signal.Signals) -> None:
    lab.script("proc", "import time\ntime.sleep(1000)\n")
    simulator = lab.simulator(runs=1, run_seconds=300)
    daemon = lab.daemon(simulator.address)
    daemon.until_health("reducer", lambda h: h["stage"] == "proc", "the script to run")
    children = psutil.Process(daemon.process.pid).children(recursive=True)
    daemon.signal(how)
    assert daemon.wait(2.0) == 0
    assert not psutil.wait_procs(children, timeout=0.5)[1]


def test_systemd_is_told_what_the_session_does(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(lab.folder / "notify"))
        manager.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(lab.folder / "notify"))
        lab.script("proc", PROC)
        simulator = lab.simulator(runs=1, run_seconds=300)
        daemon = lab.daemon(simulator.address)
        assert [manager.recv(200) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
        told = []
        while b"STOPPING=1" not in told:
            told.append(manager.recv(200))


def test_clear_forgets_what_has_come_and_a_crash_does_not_bring_it_back(lab: Lab) -> None:
    lab.script("proc", PROC)
    simulator = lab.simulator(runs=1, run_seconds=120)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    daemon.until_events(60_000)
    before = daemon.health("reducer")
    post(daemon, "clear")
    health = daemon.until_health(
        "reducer", lambda h: h["pid"] != before["pid"] and h["chunks"] and h["ledger"].get("runs"), "new chunks"
    )
    account = health["ledger"]["runs"][0]
    cleared = account["dropped"]["cleared"]
    assert cleared >= before["ledger"]["runs"][0]["accumulated"] >= 50_000
    os.kill(health["pid"], signal.SIGKILL)
    ledger, truth = daemon.last_words(), simulator.truth()
    account, sent = ledger["runs"][0], truth["runs"][0]
    assert account["events"] == sent["events"]
    assert account["dropped"]["cleared"] == cleared
    assert account["accumulated"] + sum(account["dropped"].values()) == sent["events"]
    assert account["complete"]
    assert daemon.workspace("accumulation")[0]["event_count"] == account["accumulated"]


def test_restart_begins_the_run_again_and_tries_a_banned_script_again(lab: Lab, agree: Agree) -> None:
    marker = lab.folder / "mended"
    lab.script("proc", f"import os\nif not os.path.exists({str(marker)!r}):\n    os.abort()\n" + PROC)
    simulator = lab.simulator(runs=1, run_seconds=120)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    daemon.until_status(lambda s: "died twice" in s["sentence"], "the ban")
    marker.touch()
    post(daemon, "restart")
    pid = daemon.until_health("reducer", lambda h: h["chunks"] > 3, "chunks")["pid"]
    post(daemon, "restart")
    daemon.until_health("reducer", lambda h: h["pid"] != pid and h["chunks"] > 0, "the run again")
    ledger, truth = daemon.last_words(), simulator.truth()
    agree(ledger["runs"][0], truth["runs"][0])


# -- limits ------------------------------------------------------------------------------------------------------------

IMPATIENT = """\
import sys
from livereduce.cli.main import cli
from livereduce.supervisor import daemon, lifeguard, processes
make = daemon.Supervisor.__init__
def impatient(self, *given, **named):
    make(self, *given, **named)
    {changes}
daemon.Supervisor.__init__ = impatient
cli(prog_name="livereduce")
"""


@pytest.fixture
def impatient(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Start commands as ever, but with something shortened in each supervisor (``self``)."""

    def change(statements: str) -> None:
        program = lab.folder / "impatient.py"
        program.write_text(IMPATIENT.format(changes=statements))
        monkeypatch.setattr(sys.modules[type(lab).__module__], "LIVEREDUCE", (sys.executable, str(program)))

    return change


def test_a_hangup_makes_it_look_at_once(lab: Lab, impatient: Callable[[str], None]) -> None:
    impatient("from livereduce.supervisor import reading; reading.EVERY_S = 3600.0")
    lab.script("proc", PROC)
    simulator = lab.simulator(runs=1, run_seconds=300)
    daemon = lab.daemon(simulator.address)
    daemon.until_events(20_000)
    lab.script("proc", PROC + "y = (\n")
    daemon.signal(signal.SIGHUP)
    daemon.until_status(lambda s: s["script_error"], "the refusal")


def test_a_spent_restart_budget_ends_the_session_with_exit_code_3(lab: Lab, impatient: Callable[[str], None]) -> None:
    impatient("self.guard.reducer_budget.limit = 3")
    lab.script("proc", PROC)
    (lab.folder / "state" / "cuts").mkdir(parents=True)  # nobody can read this as a file
    simulator = lab.simulator(runs=1, run_seconds=300)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    assert daemon.wait() == 3
    said = daemon.err.read_text()
    assert said.count("Is a directory") == 3
    assert "giving up: the reducer ended again and again without getting further" in said


@pytest.mark.parametrize("again", ["when it is asked for", "when a script is saved", "by itself"])
def test_the_recorder_goes_on_while_the_reducer_gets_no_further(
    lab: Lab, agree: Agree, impatient: Callable[[str], None], again: str
) -> None:
    rest = "; daemon.REST_S = 5.0" if again == "by itself" else ""
    impatient("self.guard.reducer_budget.limit = 2" + rest)
    lab.script("proc", PROC)
    cuts = lab.folder / "state" / "cuts"
    cuts.mkdir(parents=True)  # nobody can read this as a file
    simulator = lab.simulator(runs=1, run_seconds=200)
    daemon = lab.daemon(simulator.address)
    status = daemon.until_status(lambda s: s["state"] == "reducer failing", "the failure to be said")
    assert "getting further, lastly in stage compiling (exit code 1); data are recorded meanwhile" in status["sentence"]
    recorder = daemon.health("recorder")
    daemon.until_health("recorder", lambda h: h["bytes"] > recorder["bytes"], "the recorder to go on")
    cuts.rmdir()
    if again == "when it is asked for":
        post(daemon, "restart")
    elif again == "when a script is saved":
        lab.script("proc", PROC.replace("14000,20,34000", "14000,10,34000"))
    health = daemon.until_health("reducer", lambda h: h["finished_runs"], "the run to be processed")
    agree(health["ledger"]["runs"][0], simulator.truth()["runs"][0])
    assert daemon.health("recorder")["pid"] == recorder["pid"]
    assert daemon.status()["state"] != "reducer failing"
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0


def test_a_script_that_defies_its_limit_is_killed_and_held_after_the_second_time(
    lab: Lab, agree: Agree, impatient: Callable[[str], None]
) -> None:
    impatient("lifeguard.AFTER_LIMIT_S = 0.5")
    stubborn = "import time\nwhile True:\n    try:\n        time.sleep(10)\n    except BaseException:\n        pass\n"
    lab.script("proc", stubborn)
    simulator = lab.simulator(runs=1, run_seconds=120)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1", script_limit=0.5)
    status = daemon.until_status(lambda s: "died twice" in s["sentence"], "the ban")
    assert "after the limit of 0.5 s" in status["sentence"]
    lab.script("proc", PROC)
    ledger, truth = daemon.last_words(), simulator.truth()
    agree(ledger["runs"][0], truth["runs"][0])


def test_a_script_past_its_limit_is_interrupted_and_the_process_lives(lab: Lab) -> None:
    lab.script("proc", "import time\nif input.getNumberEvents() > 100:\n    time.sleep(100)\n")
    simulator = lab.simulator(runs=1, run_seconds=300)
    daemon = lab.daemon(simulator.address, script_limit=0.3)
    status = daemon.until_status(lambda s: s["script_error"], "the interruption")
    assert "ran longer than script_limit (0.3 s)" in status["sentence"]
    assert status["script_error"]["line"] == 3
    assert status["restarts"] == 0


def test_memory_at_its_limit_means_a_fresh_reducer_and_says_who_holds_it(
    lab: Lab, impatient: Callable[[str], None]
) -> None:
    impatient("self.memory.limit = 600 << 20")
    hoard = (
        "from mantid.simpleapi import CreateWorkspace\nimport numpy as np\n"
        "n = len(mtd.getObjectNames())\n"
        "CreateWorkspace(np.arange(4e6), np.ones(4e6), OutputWorkspace=f'hoard_{n}')\n"
    )
    lab.script("proc", hoard.replace("np.ones(4e6)", "np.ones(int(4e6))"))
    simulator = lab.simulator(runs=1, run_seconds=300)
    daemon = lab.daemon(simulator.address)
    daemon.until_health("heartbeat", lambda h: h["restarts"], "a fresh reducer")
    line = daemon.said("memory: ")
    assert line is not None
    assert "MiB of 600 MiB; largest: hoard_" in line
    heartbeat = daemon.health("heartbeat")
    assert heartbeat["memory_limit_bytes"] == 600 << 20


def test_results_of_ended_runs_for_which_there_is_no_memory_become_files_the_oldest_first(
    lab: Lab, impatient: Callable[[str], None]
) -> None:
    """Six copies of 48 MB each, where processes of some 230 MB may have 500 MiB."""
    impatient("self.memory.limit = 500 << 20; from livereduce.supervisor import memory; memory.SAVED_EVERY_S = 1.0")
    lab.script("proc", PROC)
    lab.script(
        "post",
        "from mantid.simpleapi import CreateWorkspace\nimport numpy as np\n"
        "y = np.full(2_000_000, input.readY(0).sum())\noutput = CreateWorkspace(np.arange(2e6), y, y)\n",
    )
    simulator = lab.simulator(runs=3, run_seconds=60, gap_seconds=20)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "3", run_transition_behavior="Rename", update_every=2)
    ledger = daemon.last_words()
    copies = ["result_0_post"] + [f"result_{10001 + n // 2}{'_post' * (n % 2)}" for n in range(5)]
    written = [name for name in copies if (daemon.state / f"{name}.nxs").exists()]
    assert 2 <= len(written) <= 5
    assert written == copies[: len(written)]
    assert daemon.names() & set(copies) == set(copies[len(written) :])
    for account in ledger["runs"]:
        name = f"result_{account['run']}"
        if name in written:
            with h5py.File(daemon.state / f"{name}.nxs") as file:
                assert file["mantid_workspace_1/workspace/values"][0, 0] == account["accumulated"]
        else:
            assert daemon.workspace(name)[2][0, 0] == account["accumulated"]
    assert "beginning the run again" not in daemon.err.read_text()
    assert warned(daemon.health("reducer"), "copies of result go to")


def test_events_for_which_there_is_no_memory_are_read_from_the_disk(
    lab: Lab, agree: Agree, until: Until, impatient: Callable[[str], None]
) -> None:
    """Some 40 million events, which are 320 MB, where processes of some 230 MB may have 400 MiB."""
    impatient("self.memory.limit = 400 << 20")
    lab.script("proc", "output = input\n")
    lab.script("post", "total = SumSpectra(input)\noutput = Rebin(total, '0,1000000,1000000')\n")
    simulator = lab.simulator(runs=1, run_seconds=20, speed=1, rate=2_000_000)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1", update_every=0.5)
    used: list[int] = []

    def over() -> bool:
        used.append(daemon.health("heartbeat").get("memory_bytes", 0))
        return daemon.process.poll() is not None or bool(daemon.health("reducer").get("finished_runs"))

    until(over, "the run to be taken in")
    [account] = daemon.last_words()["runs"]
    agree(account, simulator.truth()["runs"][0])
    assert account["events"] * 8 > 300e6
    assert daemon.workspace()[2].sum() == account["accumulated"]
    assert "of events are now read from" in daemon.err.read_text()
    assert max(used) < 400 << 20
    assert daemon.health("heartbeat")["restarts"] == 0


# -- records -----------------------------------------------------------------------------------------------------------

FATAL = """\
import os, sys
from livereduce.listeners import adara
from livereduce.protocols.adara import EventBatch
read = adara.AdaraListener._messages
def fatal(self, packet):
    if isinstance(packet, EventBatch) and ((packet.pulse_time >= {begin}) & (packet.pulse_time < {end})).any():
        os.abort()
    return read(self, packet)
adara.AdaraListener._messages = fatal
from livereduce.reducer.__main__ import main
sys.exit(main())
"""


def test_a_record_that_ends_the_process_twice_is_skipped_and_counted(
    lab: Lab, impatient: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decoder dies of the one pulse in the 1/60 s that begins 5 s after the simulated time of the start."""
    begin = 1_767_225_600_000_000_000 + 5_000_000_000
    (lab.folder / "fatal_reducer.py").write_text(FATAL.format(begin=begin, end=begin + 16_666_000))
    monkeypatch.setenv("PYTHONPATH", str(lab.folder), prepend=os.pathsep)
    impatient("self.reducer.module = 'fatal_reducer'")
    lab.script("proc", PROC)
    simulator = lab.simulator(runs=1, run_seconds=60, epoch="2026-01-01T00:00:00Z")
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    ledger, truth = daemon.last_words(), simulator.truth()
    account, sent = ledger["runs"][0], truth["runs"][0]
    assert account["rejected_packets"] == {"record that ended the process": 1}
    assert account["pulses"] == sent["pulses"] - 1
    assert 0 < sent["events"] - account["events"] < 1000
    assert account["events"] == account["accumulated"] + sum(account["dropped"].values())
    assert daemon.err.read_text().count("signal SIGABRT") == 2


INNOCENT = """\
import os, pathlib, sys
from livereduce.live import chunk
from livereduce.live.state import Cut, Transition
deaths = pathlib.Path({deaths!r})
def dies_three_times():
    if (n := len(deaths.read_text())) < 3:
        deaths.write_text("x" * (n + 1))
        {how}
{where}
from livereduce.reducer.__main__ import main
sys.exit(main())
"""
BUILDING = """
make = chunk.ChunkBuilder._workspace
def fatal(self):
    if self._cut is Transition.END:
        dies_three_times()
    return make(self)
chunk.ChunkBuilder._workspace = fatal
"""
DECODING = """
handle = chunk.RunStateMachine.handle
def fatal(self, mark):
    todo = handle(self, mark)
    if Cut(Transition.END) in todo:
        dies_three_times()
    return todo
chunk.RunStateMachine.handle = fatal
"""


@pytest.mark.parametrize(
    ("where", "how", "words"),
    [
        (BUILDING, "os.abort()", "signal SIGABRT in stage build"),
        (DECODING, "raise MemoryError", "exit code 137 in stage extract"),
    ],
)
def test_no_record_is_left_out_when_none_can_be_the_cause(
    lab: Lab,
    agree: Agree,
    impatient: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    how: str,
    words: str,
) -> None:
    """The process dies with the end of the run just read: of the chunk it makes then, or for want of memory."""
    deaths = lab.folder / "deaths"
    deaths.touch()
    (lab.folder / "fatal_reducer.py").write_text(INNOCENT.format(deaths=str(deaths), where=where, how=how))
    monkeypatch.setenv("PYTHONPATH", str(lab.folder), prepend=os.pathsep)
    impatient("self.reducer.module = 'fatal_reducer'")
    lab.script("proc", PROC)
    simulator = lab.simulator(runs=1, run_seconds=60)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    ledger, truth = daemon.last_words(), simulator.truth()
    agree(ledger["runs"][0], truth["runs"][0])
    assert ledger["runs"][0]["rejected_packets"] == {}
    assert not (daemon.state / "skipped").exists()
    assert daemon.err.read_text().count(words) == 3


# -- a full disk -------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this user may not mount a small disk: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("everything", [False, True], ids=["journal", "journal and health"])
def test_a_full_disk_stops_nothing_and_is_made_good_when_there_is_room_again(
    lab: Lab, agree: Agree, small_disk: Path, everything: bool
) -> None:
    lab.script("proc", PROC)
    simulator = lab.simulator(
        runs=1, run_seconds=130, rate=5000, linger=30
    )  # the run's history is served until it ends
    folders = {"state_dir": str(small_disk / "state")}
    if everything:
        folders["runtime_dir"] = str(small_disk / "run")
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1", **folders)
    daemon.until_events(20_000)
    recorder, reducer = (daemon.health(child)["pid"] for child in ("recorder", "reducer"))
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 16)):
            pass
    status = daemon.until_status(lambda s: "No space left" in s["sentence"], "the full disk to be said")
    assert status["state"] == "source lost"
    assert "cannot write the journal" in status["sentence"]
    assert warned(status, "MiB of room left")
    chunks = daemon.health("reducer")["chunks"]
    lab.script("proc", PROC + "x = (\n")
    daemon.until_status(lambda s: s["script_error"], "the supervisor to go on")
    lab.script("proc", PROC)
    daemon.until_health("reducer", lambda h: h["behind_bytes"] < 100_000, "the reducer to go on")
    assert (daemon.health("reducer")["pid"], daemon.health("reducer")["chunks"] >= chunks) == (reducer, True)
    os.kill(reducer, signal.SIGKILL)  # whoever begins on a full disk
    daemon.until_health("reducer", lambda h: h["pid"] != reducer and h["chunks"], "another reducer")
    ballast.unlink()
    ledger = daemon.last_words()
    simulator.signal(signal.SIGINT)
    agree(ledger["runs"][0], simulator.truth()["runs"][0])
    assert daemon.health("recorder")["pid"] == recorder
    assert not daemon.health("reducer")["warnings"]


def test_a_rollback_brings_the_script_before_the_last_save_back(lab: Lab) -> None:
    lab.script("proc", PROC)
    simulator = lab.simulator(runs=1, run_seconds=300)
    daemon = lab.daemon(simulator.address)
    daemon.until_events(20_000)
    lab.script("proc", PROC.replace("14000,20,34000", "14000,40,34000"))
    daemon.until_health("reducer", lambda _: daemon.workspace("accumulation")[0]["shape"] == [1, 500], "the new bins")
    post(daemon, "rollback")
    daemon.until_health("reducer", lambda _: daemon.workspace("accumulation")[0]["shape"] == [1, 1000], "the old bins")
    assert warned(daemon.status(), "the version before the last save is in use")


# -- the watchdog ------------------------------------------------------------------------------------------------------


def test_the_watchdog_has_a_service_started_again_that_hangs(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    config = lab.config("127.0.0.1:1")
    program = lab.folder / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {lab.folder}/asked\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    command = [sys.executable, "-m", "livereduce.cli.main", "watchdog", str(config)]
    once = subprocess.run([*command, "--once"], capture_output=True, text=True, timeout=30)
    assert (once.returncode, "has not been started" in once.stdout) == (1, True)
    beat = {"pid": os.getpid(), "written_ns": 1_700_000_000_000_000_000, "started_ns": 0}
    (lab.folder / "run").mkdir()
    (lab.folder / "run" / "heartbeat.json").write_text(json.dumps(beat))
    with subprocess.Popen(
        [*command, "--restart", "--unit", "bl99.service"], stderr=subprocess.PIPE, text=True
    ) as watchdog:
        assert watchdog.stderr is not None
        said = [next(watchdog.stderr) for _ in range(3)]
        watchdog.send_signal(signal.SIGTERM)
        assert watchdog.wait(2) == 0
    assert "hangs in mid-work" in said[1]
    assert "bl99.service was started again" in said[2]
    assert (lab.folder / "asked").read_text() == "restart bl99.service\n"
