"""Each way of accumulating with each behaviour at a run's begin and end: every number the scripts see is worked out.

The chunk script writes down how many events each chunk has, the post-processing script what it is given. What the
latter must be follows from the former; that nothing is lost follows from what the simulator says it sent.
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.system.conftest import Agree, Lab

pytestmark = pytest.mark.system

PROC = """\
import json
with open({facts!r}, "a") as file:
    fact = dict(stage="chunk", run=input.run()["run_number"].value, n=input.getNumberEvents())
    file.write(json.dumps(fact) + "\\n")
output = SumSpectra(input)
output = Rebin(output, "0,1000000,1000000")
"""
POST = """\
import json
run = accumulation.run()
with open({facts!r}, "a") as file:
    fact = dict(stage="post", run=run["run_number"].value, counts=accumulation.extractY()[:, 0].tolist(),
                kind=accumulation.id(), charge=run.getProtonCharge())
    file.write(json.dumps(fact) + "\\n")
output = accumulation
"""
METHODS = ("Add", "Replace", "Append")


@pytest.fixture
def facts(lab: Lab) -> Path:
    """Where the scripts write what they see."""
    path = lab.folder / "facts.jsonl"
    lab.script("proc", PROC.format(facts=str(path)))
    lab.script("post", POST.format(facts=str(path)))
    return path


def stretches(path: Path) -> list[list[dict[str, Any]]]:
    """What the scripts saw, one list for each run and each time between two."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [list(facts) for _, facts in groupby(lines, key=lambda fact: fact["run"])]


def assert_accumulated(method: str, stretch: list[dict[str, Any]], kind: str) -> list[int]:
    """Check every post-processing step of one run against the chunks before it; return the chunks."""
    chunks: list[int] = []
    for fact in stretch:
        if fact["stage"] == "chunk":
            chunks.append(fact["n"])
            continue
        wanted = {"Add": [sum(chunks)], "Replace": chunks[-1:], "Append": chunks}[method]
        assert fact["counts"] == wanted
        assert fact["kind"] == kind
    assert stretch[-1]["stage"] == "post"
    return chunks


@pytest.mark.parametrize("preserve", [True, False], ids=["events kept", "events dropped"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("transition", ["Restart", "Rename"])
def test_runs_follow_each_other(
    lab: Lab, facts: Path, agree: Agree, method: str, preserve: bool, transition: str
) -> None:
    simulator = lab.simulator(runs=2, run_seconds=24, gap_seconds=4, speed=12)
    daemon = lab.daemon(
        simulator.address, "--exit-after-runs", "2",
        accum_method=method, preserve_events=preserve, run_transition_behavior=transition,
    )  # fmt: skip
    ledger, truth = daemon.last_words(), simulator.truth()
    before, first, between, second = stretches(facts)
    kind = "EventWorkspace" if preserve else "Workspace2D"
    for account, sent, stretch in zip(ledger["runs"], truth["runs"], (first, second), strict=True):
        agree(account, sent)
        chunks = assert_accumulated(method, stretch, kind)
        assert sum(chunks) == account["accumulated"]
        if method == "Add":  # µA·h to pC
            assert stretch[-1]["charge"] * 3.6e9 == pytest.approx(sent["charge_pC"], rel=1e-12)
    assert len(chunks) > 2
    assert sum(f["n"] for f in before + between if f["stage"] == "chunk") == ledger["between_runs"]["accumulated"]
    _, _, y, e = daemon.workspace("result")
    assert y[:, 0].tolist() == second[-1]["counts"]
    assert e[:, 0] ** 2 == pytest.approx(y[:, 0])
    kept = {"result_0_post", "result_10001", "result_10001_post", "result_10002"} if transition == "Rename" else set()
    assert daemon.names() - {"result", "accumulation", "output"} == kept
    for name, stretch in zip(sorted(kept), (before, first, between, second), strict=False):
        assert daemon.workspace(name)[2][:, 0].tolist() == stretch[-1]["counts"]


@pytest.mark.parametrize(
    ("method", "preserve", "first"),
    [
        ("Add", True, "end of run"), ("Replace", False, "end of run"), ("Append", True, "end of run"),
        ("Add", False, "begin of run"), ("Replace", True, "begin of run"), ("Append", False, "begin of run"),
    ],
)  # fmt: skip
def test_stop_ends_the_daemon_at_the_first_transition(
    lab: Lab, facts: Path, agree: Agree, method: str, preserve: bool, first: str
) -> None:
    if first == "end of run":  # the run is on when the daemon comes, and served from its start
        simulator = lab.simulator("--no-wait", runs=1, run_seconds=80, lead_in_seconds=0, speed=20)
    else:
        simulator = lab.simulator(runs=1, run_seconds=5, lead_in_seconds=5)
    daemon = lab.daemon(
        simulator.address, accum_method=method, preserve_events=preserve, run_transition_behavior="Stop"
    )
    assert daemon.wait() == 0
    assert f"{first}: monitoring stops, as configured" in daemon.err.read_text()
    [stretch] = stretches(facts)
    chunks = assert_accumulated(method, stretch, "EventWorkspace" if preserve else "Workspace2D")
    ledger = daemon.health("reducer")["ledger"]
    if first == "end of run":
        agree(ledger["runs"][0], simulator.truth()["runs"][0])
        assert sum(chunks) == ledger["runs"][0]["accumulated"]
    else:
        assert sum(chunks) == ledger["between_runs"]["accumulated"]
        assert ledger["between_runs"]["events"] == pytest.approx(5 * 20_000, rel=0.05)
    assert daemon.workspace("result")[2][:, 0].tolist() == stretch[-1]["counts"]
