"""Whole sessions, simulator to ledger: what was sent is what was accumulated, run by run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.system.conftest import Agree, Lab

pytestmark = pytest.mark.system

PROC = """\
from mantid.simpleapi import SumSpectra, Rebin
output = SumSpectra(input)
output = Rebin(output, "14000,20,34000")
"""


def test_three_runs_with_a_pause_and_new_files_agree_with_what_was_sent(lab: Lab, agree: Agree) -> None:
    lab.script("proc", PROC)
    simulator = lab.simulator(
        runs=3, run_seconds=12, pause_at=4, pause_seconds=3, file_rollover_seconds=5, lead_in_seconds=2
    )
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "3")
    ledger, truth = daemon.last_words(), simulator.truth()
    assert len(truth["runs"]) == 3
    for account, sent in zip(ledger["runs"], truth["runs"], strict=True):
        agree(account, sent)
        assert sent["paused_events"] > 40_000
        assert account["duplicates"] == 0
    assert ledger["runs"][0]["events"] == pytest.approx(20_000 * 9, rel=0.05)
    between = ledger["between_runs"]
    assert between["accumulated"] + sum(between["dropped"].values()) == between["events"] > 0
    assert daemon.workspace("accumulation")[0]["event_count"] == ledger["runs"][2]["accumulated"]


@pytest.mark.parametrize("how", ["start_time now", "a server that does not wait"])
def test_a_run_joined_in_progress_is_not_called_complete(lab: Lab, how: str) -> None:
    lab.script("proc", PROC)
    if how == "start_time now":
        simulator, start = lab.simulator("--no-wait", runs=2, run_seconds=40, lead_in_seconds=0, gap_seconds=1), "now"
    else:
        # the run's first container is not served any more: the journal begins with what is left of it
        simulator, start = lab.simulator("--no-wait", runs=2, run_seconds=40, lead_in_seconds=0, gap_seconds=1), "run"
    daemon = lab.daemon(simulator.address, "--exit-after-runs", "2", start_time=start)
    ledger, truth = daemon.last_words(), simulator.truth()
    first, second = ledger["runs"]
    if start == "now":
        assert (first["joined_mid_run"], first["complete"]) == (True, False)
        assert first["state"] == "incomplete: joined in mid-run"
        assert 0 < first["events"] < truth["runs"][0]["events"]
    else:
        assert first["events"] == truth["runs"][0]["events"]
    assert second["complete"]
    assert second["events"] == truth["runs"][1]["events"]
