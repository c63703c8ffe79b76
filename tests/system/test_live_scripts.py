"""What users' scripts may do, well or badly: the contract holds, the session lives, no event is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.system.conftest import Agree, Daemon, Json, Lab

pytestmark = pytest.mark.system

PROC = """\
from mantid.simpleapi import SumSpectra, Rebin
summed = SumSpectra(input, OutputWorkspace="__summed")
output = Rebin(summed, "0,1000000,1000000", OutputWorkspace="__one_bin")
"""


def counts(daemon: Daemon, name: str = "result") -> float:
    return float(daemon.workspace(name)[2].sum())


def finished(daemon: Daemon, sent: Json, agree: Agree) -> Json:
    """Check the account of the one run and that its accumulation holds as many counts; return the account."""
    ledger = daemon.last_words()
    [account], [truth] = ledger["runs"], sent["runs"]
    agree(account, truth)
    assert counts(daemon, "accumulation") == account["accumulated"]
    found: Json = account
    return found


# -- what is allowed ---------------------------------------------------------------------------------------------------

STAR = """\
from mantid.simpleapi import *

def one_bin(ws):
    binned = Rebin(ws, "0,1000000,1000000")
    return binned

print("chunk of", input.getNumberEvents())
output = one_bin(SumSpectra(input, OutputWorkspace="__summed"))
if input.getNumberEvents() >= 0:
    return
raise RuntimeError("never")
"""
ALLOWED = {
    "star import, function, print, return": (STAR, "RenameWorkspace('accumulation', 'result')\n", 1),
    "output bound anew, input forgotten": (
        PROC + "output = CloneWorkspace(output, OutputWorkspace='__again')\ndel input\n",
        "input *= 3\noutput = input\n", 3,
    ),
    "output by name, input deleted": (
        PROC.replace("output = Rebin", "Rebin").replace('"__one_bin"', "output") + "DeleteWorkspace(input)\n",
        "Scale(accumulation, 2, OutputWorkspace=output)\nDeleteWorkspace('accumulation')\n", 2,
    ),
    "output is another name": (PROC + "output = '__one_bin'\n", "Scale('accumulation', 2, OutputWorkspace='x')\n", 1),
    "no output, input changed": (
        'Rebin(input, "0,1000000,1000000", OutputWorkspace=input.name())\n',
        "output = Scale(InputWorkspace='accumulation', Factor='4')\nreturn\n", 4,
    ),
    "output None": (
        'Rebin(input, "0,1000000,1000000", OutputWorkspace=str(input))\noutput = None\n', "output = input + input\n", 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("proc", "post", "factor"), ALLOWED.values(), ids=ALLOWED.keys())
def test_scripts_may_end_in_many_ways(lab: Lab, agree: Agree, proc: str, post: str, factor: int) -> None:
    lab.script("proc", proc)
    lab.script("post", "from mantid.simpleapi import RenameWorkspace, DeleteWorkspace, Scale\n" + post)
    simulator = lab.simulator(runs=1, run_seconds=10, speed=20)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    account = finished(daemon, simulator.truth(), agree)
    assert counts(daemon) == factor * account["accumulated"]
    health = daemon.health("reducer")
    assert health["script_error"] is None
    assert ("chunk of" in health["script_output"]) == ("print" in proc)


# -- what is not -------------------------------------------------------------------------------------------------------


def test_a_chunk_script_that_raises_now_and_then_loses_nothing(lab: Lab, agree: Agree) -> None:
    counter = lab.folder / "calls"
    lab.script(
        "proc",
        f"with open({str(counter)!r}, 'a') as calls:\n    calls.write('x')\n    n = calls.tell()\n"
        "if n % 3 == 0:\n    raise ValueError(f'call {n} is one too many')\n" + PROC,
    )
    simulator = lab.simulator(runs=1, run_seconds=30)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    status = daemon.until_status(lambda s: s["script_error"], "a failure to be shown")
    assert (status["state"], status["script_error"]["line"]) == ("script error", 5)
    assert "is one too many" in status["script_error"]["message"]
    daemon.until_status(lambda s: not s["script_error"], "the failure to be over")
    finished(daemon, simulator.truth(), agree)
    assert counter.stat().st_size > 3


BROKEN = (
    ("x = 1\noutput = SumSpectra(input\n", 2, "never closed"),
    ("def f(ws):\n    return 1 / 0\n\n\noutput = f(input)\n", 2, "ZeroDivisionError"),
    ("import sys\nsys.exit(3)\n", 2, "exit(3)"),
    ("output = Rebin(input, Parms='1,2,3')\n", 1, "Parms"),
)


def shows(daemon: Daemon, words: str) -> Json:
    """Wait until the error of a script says `words`."""
    return daemon.until_status(
        lambda s: s["script_error"] and words in s["script_error"]["message"], f"{words!r} to be shown"
    )


def test_a_chunk_script_is_shown_with_its_mistake_and_sees_the_whole_run_when_mended(lab: Lab, agree: Agree) -> None:
    path = lab.script("proc", BROKEN[0][0])
    simulator = lab.simulator(runs=1, run_seconds=230)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    daemon.until_health("recorder", lambda h: h["bytes"] > 1_000_000, "data to come")
    for script, line, words in BROKEN:
        lab.script("proc", script)
        status = shows(daemon, words)
        problem = status["script_error"]
        assert status["state"] == "script error"
        assert (problem["stage"], problem["file"], problem["line"]) == ("proc", str(path), line)
        assert path.name in status["sentence"]
    lab.script("proc", PROC)
    daemon.until_status(lambda s: not s["script_error"], "the error to be over")
    finished(daemon, simulator.truth(), agree)


def test_the_data_of_a_run_whose_chunk_script_never_works_are_pending(lab: Lab) -> None:
    lab.script("proc", "raise RuntimeError('no')\n")
    simulator = lab.simulator(runs=1, run_seconds=10)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    [account], [sent] = daemon.last_words()["runs"], simulator.truth()["runs"]
    assert (account["events"], account["charge_pC"]) == (sent["events"], sent["charge_pC"])
    assert (account["accumulated"], account["complete"]) == (0, True)
    assert account["pending"] + sum(account["dropped"].values()) == sent["events"]


@pytest.mark.parametrize("ending", ["raise KeyError('sample')", "import sys; sys.exit('enough')"])
def test_a_post_script_that_fails_leaves_the_last_result_and_all_sums(lab: Lab, agree: Agree, ending: str) -> None:
    flag = lab.folder / "fail"
    lab.script("proc", PROC)
    path = lab.script("post", f"import os\nif os.path.exists({str(flag)!r}):\n    {ending}\noutput = input\n")
    simulator = lab.simulator(runs=1, run_seconds=40)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    daemon.until_health("reducer", lambda h: h["run"] and h["result_version"] > 2, "results")
    flag.touch()
    status = daemon.until_status(lambda s: s["script_error"], "the failure")
    problem = status["script_error"]
    assert (problem["stage"], problem["file"], problem["line"]) == ("post", str(path), 3)
    version, shown = daemon.health("reducer")["result_version"], counts(daemon)
    chunks = daemon.health("reducer")["chunks"]
    daemon.until_health("reducer", lambda h: h["chunks"] > chunks + 2, "further chunks")
    assert (daemon.health("reducer")["result_version"], counts(daemon)) == (version, shown)
    flag.unlink()
    daemon.until_status(lambda s: not s["script_error"], "the failure to be over")
    account = finished(daemon, simulator.truth(), agree)
    assert counts(daemon) == account["accumulated"]


def test_an_edit_that_is_not_used_is_shown_together_with_what_goes_wrong_in_the_version_in_use(lab: Lab) -> None:
    flag = lab.folder / "fail"
    fails = f"import os\nif os.path.exists({str(flag)!r}):\n    raise KeyError('missing')\n"
    lab.script("proc", fails + PROC)
    lab.script("post", fails + "output = input\n")
    simulator = lab.simulator(runs=1, run_seconds=400)
    daemon = lab.daemon(simulator.address)
    daemon.until_events(20_000)
    lab.script("proc", "output = input.typo()\n")
    lab.script("post", "output = input.slip()\n")

    def told(status: Json) -> list[tuple[str, int, bool]]:
        problems = [status["script_error"], *status["further_errors"]]
        return sorted((p["stage"], p["line"], "stays in use" in p["message"]) for p in problems if p)

    refusals = [("post", 1, True), ("proc", 1, True)]
    daemon.until_status(lambda s: told(s) == refusals, "both refusals")
    flag.touch()
    status = daemon.until_status(lambda s: told(s) == [*refusals, ("proc", 3, False)], "the failure")
    assert any("The version in use, " in also and "missing" in also for also in status["also"])
    flag.unlink()
    daemon.until_status(lambda s: told(s) == refusals, "the failure to be over")
    lab.script("proc", PROC)
    daemon.until_status(lambda s: "proc" not in str(told(s)), "the mended chunk script")
    lab.script("post", "output = input\n")
    daemon.until_status(lambda s: not told(s), "the mended post script")


# -- edits -------------------------------------------------------------------------------------------------------------


def test_each_edit_costs_no_more_than_it_must(lab: Lab, agree: Agree) -> None:
    lab.script("proc", PROC)
    lab.script("post", "output = input * 2\n")
    simulator = lab.simulator(runs=1, run_seconds=120)
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "1")
    before = daemon.until_events(100_000)

    def ratio_is(factor: int) -> bool:
        manifest = {name: counts(daemon, name) for name in ("result", "accumulation")}
        return manifest["result"] == factor * manifest["accumulation"]

    # a post script is swapped in place
    lab.script("post", "output = input * 5\n")
    daemon.until_health("reducer", lambda _: ratio_is(5), "the changed post script")
    # a comment changes nothing
    lab.script("post", "# five\noutput = input * 5  # times\n")
    lab.script("proc", "# to one bin\n" + PROC)
    # a broken edit is not used, and said
    path = lab.script("post", "output = input * 5\nif\n")
    status = daemon.until_status(lambda s: s["script_error"], "the refusal")
    assert (status["script_error"]["file"], status["script_error"]["line"]) == (str(path), 2)
    assert "the version before it stays in use" in status["script_error"]["message"]
    version = daemon.health("reducer")["result_version"]
    daemon.until_health("reducer", lambda h: h["result_version"] > version + 2, "results all the same")
    assert ratio_is(5)
    # one that fails at its first run gives way to the one before it
    lab.script("post", "output = input * 7\nraise RuntimeError('seven')\n")
    daemon.until_status(lambda s: "seven" in s["sentence"], "the failure")
    version = daemon.health("reducer")["result_version"]
    daemon.until_health("reducer", lambda h: h["result_version"] > version + 2, "results all the same")
    assert ratio_is(5)
    lab.script("post", "output = input * 11\n")
    daemon.until_health("reducer", lambda _: ratio_is(11), "the mended post script")
    # all that was in the process that has been there from the start
    after = daemon.health("reducer")
    assert (after["pid"], after["reprocess_percent"]) == (before["pid"], None)
    assert after["chunks"] > before["chunks"]
    account = finished(daemon, simulator.truth(), agree)
    assert counts(daemon) == 11 * account["accumulated"]
    assert daemon.err.read_text().count("taking up the changed post-processing script") == 3
